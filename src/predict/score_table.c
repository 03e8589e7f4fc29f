/* One row a score: its name, its help, the tasks it is for, and its formula. */
#include "predict/score_table.h"

#include <math.h>
#include <stdlib.h>

#include "problem/sequence.h"

static gls_status accuracy(const gls_scored *s, double *out) {
    int64_t right = 0;
    for (int64_t i = 0; i < s->n; i++) right += s->predicted[i] == s->label[i];
    *out = (double)right / (double)s->n;
    return GLS_OK;
}

/* Right if fewer than five other classes have an output as large as its own. */
static gls_status top5(const gls_scored *s, double *out) {
    *out = NAN;
    if (s->width <= 5) return GLS_OK;
    int64_t right = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const gls_real *z = s->z + i * s->width, own = z[s->label[i]];
        int64_t above = 0;
        for (int64_t c = 0; c < s->width; c++) above += c != s->label[i] && !(z[c] < own);
        right += above < 5;
    }
    *out = (double)right / (double)s->n;
    return GLS_OK;
}

/* ---- spans: predictions 2 i and 2 i + 1 are the ends of example i ---- */

/* Both ends are right. */
static gls_status exact_match(const gls_scored *s, double *out) {
    int64_t right = 0;
    for (int64_t i = 0; i + 1 < s->n; i += 2)
        right += s->predicted[i] == s->label[i] && s->predicted[i + 1] == s->label[i + 1];
    *out = (double)right / (double)(s->n / 2);
    return GLS_OK;
}

static int64_t shared(const int32_t *a, const int32_t *b) {
    int64_t first = a[0] > b[0] ? a[0] : b[0], last = a[1] < b[1] ? a[1] : b[1];
    return last >= first ? last - first + 1 : 0;
}

/* The mean over the examples of 2 |both| / (|predicted| + |right|), in positions; a span that ends before it begins has
 * none. */
static gls_status span_f1(const gls_scored *s, double *out) {
    double sum = 0;
    for (int64_t i = 0; i + 1 < s->n; i += 2) {
        const int32_t *found = s->predicted + i, *right = s->label + i;
        int64_t size = shared(found, found) + shared(right, right);
        sum += size > 0 ? 2 * (double)shared(found, right) / (double)size : 0;
    }
    *out = sum / (double)(s->n / 2);
    return GLS_OK;
}

/* Over the classes that have a value. */
static double mean_of(const double *value, int64_t count) {
    double sum = 0;
    int64_t known = 0;
    for (int64_t c = 0; c < count; c++) {
        if (isnan(value[c])) continue;
        sum += value[c];
        known++;
    }
    return known ? sum / (double)known : NAN;
}

static gls_status balanced(const gls_scored *s, double *out) {
    *out = mean_of(s->recall, s->classes);
    return GLS_OK;
}

static gls_status macro_f1(const gls_scored *s, double *out) {
    *out = mean_of(s->f1, s->classes);
    return GLS_OK;
}

/* ---- area under the curve ---- */

typedef struct ranked {
    double z;
    bool positive;
} ranked;

static int by_z(const void *a, const void *b) {
    double x = ((const ranked *)a)->z, y = ((const ranked *)b)->z;
    return x < y ? -1 : x > y;
}

/* Mann and Whitney: pairs of a positive and a negative in the right order, equal ones count half. */
static double area(ranked *all, int64_t n) {
    double below = 0, pairs = 0, positives = 0;
    qsort(all, (size_t)n, sizeof *all, by_z);
    for (int64_t i = 0, end; i < n; i = end) {
        double up = 0, down = 0;
        for (end = i; end < n && all[end].z == all[i].z; end++) {
            up += all[end].positive;
            down += !all[end].positive;
        }
        pairs += up * (below + down / 2);
        below += down;
        positives += up;
    }
    return positives > 0 && below > 0 ? pairs / (positives * below) : NAN;
}

/* How much row i is for class c: monotone in its probability. */
static double support(const gls_scored *s, int64_t i, int64_t c) {
    const gls_real *z = s->z + i * s->width;
    if (s->link != GLS_LINK_SOFTMAX) return s->width == 1 ? z[0] : z[c];
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < s->width; j++)
        if (j != c && z[j] > top) top = z[j];
    for (int64_t j = 0; j < s->width; j++)
        if (j != c) sum += exp(z[j] - top);
    return z[c] - top - log(sum);
}

/* Two classes: of the second one. More: the mean over the classes, each against all others. */
static gls_status auc(const gls_scored *s, double *out) {
    *out = NAN;
    if (s->link == GLS_LINK_NEAREST || s->classes < 2) return GLS_OK;
    for (int64_t i = 0; i < s->n * s->width; i++)
        if (isnan(s->z[i])) return GLS_OK;
    ranked *all = gls_alloc(s->ctx, s->n, sizeof *all);
    double sum = 0;
    int64_t known = 0;
    if (!all) return GLS_ERR_MEMORY;
    for (int64_t c = s->classes == 2; c < s->classes; c++) {
        for (int64_t i = 0; i < s->n; i++) all[i] = (ranked){support(s, i, c), s->label[i] == c};
        double a = area(all, s->n);
        if (isnan(a)) continue;
        sum += a;
        known++;
    }
    gls_free(s->ctx, all);
    if (known) *out = sum / (double)known;
    return GLS_OK;
}

/* ---- probabilities ---- */

/* -log of the right class's probability, from the outputs themselves: never log 0. */
static double surprise(const gls_scored *s, int64_t i) {
    const gls_real *z = s->z + i * s->width;
    if (s->link == GLS_LINK_LOGISTIC) {
        double margin = s->label[i] ? z[0] : -(double)z[0];
        return log1p(exp(-fabs(margin))) + (margin < 0 ? -margin : 0);
    }
    double top = z[0], sum = 0;
    for (int64_t c = 1; c < s->width; c++)
        if (z[c] > top) top = z[c];
    for (int64_t c = 0; c < s->width; c++) sum += exp(z[c] - top);
    return log(sum) + top - z[s->label[i]];
}

static gls_status log_loss(const gls_scored *s, double *out) {
    *out = NAN;
    if (s->link != GLS_LINK_LOGISTIC && s->link != GLS_LINK_SOFTMAX) return GLS_OK;
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) sum += surprise(s, i);
    *out = sum / (double)s->n;
    return GLS_OK;
}

static gls_status perplexity(const gls_scored *s, double *out) {
    GLS_TRY(log_loss(s, out));
    *out = exp(*out);
    return GLS_OK;
}

static gls_status bits_per_character(const gls_scored *s, double *out) {
    GLS_TRY(log_loss(s, out));
    *out = s->characters > 0 ? *out * (double)s->n / (M_LN2 * s->characters) : NAN;
    return GLS_OK;
}

/* ---- sequences ---- */

/* All edits over all labels. */
static gls_status label_error_rate(const gls_scored *s, double *out) {
    int64_t edits = 0, labels = 0, *room = gls_alloc(s->ctx, s->length + 1, sizeof *room);
    if (!room) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < s->n; i++) {
        const int32_t *read = s->predicted + i * s->length, *label = s->label + i * s->length;
        int64_t count = gls_sequence_length(label, s->length);
        edits += gls_sequence_edits(read, gls_sequence_length(read, s->length), label, count, room);
        labels += count;
    }
    gls_free(s->ctx, room);
    *out = labels > 0 ? (double)edits / (double)labels : NAN;
    return GLS_OK;
}

static gls_status sequence_accuracy(const gls_scored *s, double *out) {
    int64_t right = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const int32_t *read = s->predicted + i * s->length, *label = s->label + i * s->length;
        int64_t count = gls_sequence_length(label, s->length), same = 0;
        while (same < count && read[same] == label[same]) same++;
        right += same == count && gls_sequence_length(read, s->length) == count;
    }
    *out = (double)right / (double)s->n;
    return GLS_OK;
}

/* ---- values ---- */

static double squares(const gls_scored *s, int64_t c) {
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) {
        double e = (double)s->z[i * s->width + c] - (double)s->y[i * s->width + c];
        sum += e * e;
    }
    return sum;
}

/* The mean over the outputs of 1 - squared errors / squared deviations from the mean. */
static gls_status r2(const gls_scored *s, double *out) {
    double total = 0;
    for (int64_t c = 0; c < s->width; c++) {
        double mean = 0, spread = 0;
        for (int64_t i = 0; i < s->n; i++) mean += (double)s->y[i * s->width + c] / (double)s->n;
        for (int64_t i = 0; i < s->n; i++) {
            double e = (double)s->y[i * s->width + c] - mean;
            spread += e * e;
        }
        total += spread > 0 ? 1 - squares(s, c) / spread : NAN;
    }
    *out = total / (double)s->width;
    return GLS_OK;
}

static gls_status rmse(const gls_scored *s, double *out) {
    double sum = 0;
    for (int64_t c = 0; c < s->width; c++) sum += squares(s, c);
    *out = sqrt(sum / (double)(s->n * s->width));
    return GLS_OK;
}

static gls_status mae(const gls_scored *s, double *out) {
    double sum = 0;
    for (int64_t i = 0; i < s->n * s->width; i++) sum += fabs((double)s->z[i] - (double)s->y[i]);
    *out = sum / (double)(s->n * s->width);
    return GLS_OK;
}

const gls_score_row gls_score_rows[] = {
    {{"accuracy", "share of right classes", GLS_TASK_CLASSES | GLS_TASK_TOKENS | GLS_TASK_FRAMES}, accuracy},
    {{"masked_accuracy", "share of right tokens among the hidden ones", GLS_TASK_MASKED}, accuracy},
    {{"exact_match", "share of spans with both ends right", GLS_TASK_SPANS}, exact_match},
    {{"f1", "mean F1 of the positions of a span", GLS_TASK_SPANS}, span_f1},
    {{"top5", "share whose right class is among the five largest outputs",
      GLS_TASK_CLASSES | GLS_TASK_TOKENS | GLS_TASK_MASKED | GLS_TASK_FRAMES},
     top5},
    {{"balanced_accuracy", "mean over the classes of their recall", GLS_TASK_CLASSES}, balanced},
    {{"macro_f1", "mean over the classes of F1", GLS_TASK_CLASSES}, macro_f1},
    {{"auc", "area under the ROC curve; of several classes the mean of each against all others", GLS_TASK_CLASSES},
     auc},
    {{"log_loss", "mean of -log of the right class's probability",
      GLS_TASK_CLASSES | GLS_TASK_TOKENS | GLS_TASK_MASKED | GLS_TASK_SPANS | GLS_TASK_FRAMES, true},
     log_loss},
    {{"perplexity", "e to the log loss", GLS_TASK_TOKENS | GLS_TASK_MASKED, true}, perplexity},
    {{"bits_per_character",
      "bits of the log loss for each character of the text; a word has one more than its letters, for the blank or "
      "line break behind it",
      GLS_TASK_TOKENS, true},
     bits_per_character},
    {{"label_error_rate", "labels to put in, take out or change in what was read, over those that are right",
      GLS_TASK_SEQUENCES, true},
     label_error_rate},
    {{"sequence_accuracy", "share of rows that were read without an error", GLS_TASK_SEQUENCES}, sequence_accuracy},
    {{"r2", "1 - squared errors over squared deviations from the mean", GLS_TASK_VALUES}, r2},
    {{"rmse", "root of the mean squared error", GLS_TASK_VALUES, true}, rmse},
    {{"mae", "mean absolute error", GLS_TASK_VALUES, true}, mae},
    {{0}, NULL},
};
