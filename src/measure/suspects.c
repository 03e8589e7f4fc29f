/* Sums by example, and what is read from them: means over the times an example was seen, ranked or averaged by class.
 * Examples that were never seen are left out everywhere. */
#include "measure/suspects.h"

#include "base/arith.h"

#include <math.h>
#include <stdlib.h>

gls_status gls_suspicion_create(gls_context *ctx, int64_t examples, gls_suspicion *s) {
    s->examples = examples;
    s->seen = gls_alloc(ctx, examples, sizeof *s->seen);
    s->log_factor = gls_alloc(ctx, examples, sizeof *s->log_factor);
    s->norm = gls_alloc(ctx, examples, sizeof *s->norm);
    s->loss = gls_alloc(ctx, examples, sizeof *s->loss);
    return s->seen && s->log_factor && s->norm && s->loss ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_suspicion_destroy(gls_context *ctx, gls_suspicion *s) {
    gls_free(ctx, s->seen);
    gls_free(ctx, s->log_factor);
    gls_free(ctx, s->norm);
    gls_free(ctx, s->loss);
}

static gls_status add(gls_context *ctx, gls_arrays *arrays, const char *prefix, const char *what, int64_t n,
                      double *x) {
    return gls_arrays_add_state(ctx, arrays, prefix, what, GLS_F64, n, x);
}

gls_status gls_suspicion_arrays(gls_context *ctx, gls_suspicion *s, const char *prefix, gls_arrays *arrays) {
    GLS_TRY(add(ctx, arrays, prefix, "seen", s->examples, s->seen));
    GLS_TRY(add(ctx, arrays, prefix, "log_factor", s->examples, s->log_factor));
    GLS_TRY(add(ctx, arrays, prefix, "norm", s->examples, s->norm));
    return add(ctx, arrays, prefix, "loss", s->examples, s->loss);
}

/* ---- ranking ---- */

typedef struct rank {
    double key;
    int64_t example;
} rank;

static int by_key(const void *a, const void *b) {
    const rank *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->example > y->example) - (x->example < y->example);
}

/* The seen examples, the most suspect first; from gls_alloc. */
static rank *ranked(gls_context *ctx, const gls_suspicion *s, gls_suspicion_by by, int64_t *count) {
    const double *sum = by == GLS_BY_FACTOR ? s->log_factor : by == GLS_BY_NORM ? s->norm : s->loss;
    double sign = by == GLS_BY_FACTOR ? 1 : -1;
    rank *list = gls_alloc(ctx, s->examples, sizeof *list);
    *count = 0;
    for (int64_t i = 0; list && i < s->examples; i++) {
        double key = sign * sum[i] / s->seen[i];
        if (s->seen[i] > 0 && !isnan(key)) list[(*count)++] = (rank){key, i};
    }
    if (list) qsort(list, (size_t)*count, sizeof *list, by_key);
    return list;
}

static gls_status report_column(const rank *order, int64_t n, const double *sum, const double *seen, double *x,
                                const char *name, const char *unit, gls_measure_result *out) {
    for (int64_t i = 0; i < n; i++) x[i] = sum[order[i].example] / seen[order[i].example];
    return gls_measure_result_array(out, name, unit, n, x);
}

gls_suspicion_by gls_suspicion_best(const gls_suspicion *s) {
    for (int64_t i = 0; i < s->examples; i++)
        if (s->log_factor[i] < 0) return GLS_BY_FACTOR;
    return GLS_BY_NORM;
}

gls_status gls_suspicion_report_list(const gls_suspicion *s, gls_suspicion_by by, int64_t list, const int64_t *planted,
                                     gls_measure_result *out) {
    int64_t count;
    rank *order = ranked(out->ctx, s, by, &count);
    double *x = gls_alloc(out->ctx, list, sizeof *x);
    gls_status status = order && x ? GLS_OK : GLS_ERR_MEMORY;
    int64_t n = gls_least(count, list);
    if (status == GLS_OK) {
        for (int64_t i = 0; i < n; i++) x[i] = (double)order[i].example;
        status = gls_measure_result_array(out, "suspects", "example", n, x);
    }
    if (status == GLS_OK) status = report_column(order, n, s->log_factor, s->seen, x, "suspect_log_factors", "", out);
    if (status == GLS_OK) status = report_column(order, n, s->norm, s->seen, x, "suspect_norms", "gradient", out);
    if (status == GLS_OK) status = report_column(order, n, s->loss, s->seen, x, "suspect_losses", "loss", out);
    if (status == GLS_OK && planted) {
        for (int64_t i = 0; i < n; i++) x[i] = planted[order[i].example] > 0;
        status = gls_measure_result_array(out, "suspect_planted", "", n, x);
    }
    gls_free(out->ctx, order);
    gls_free(out->ctx, x);
    return status;
}

static gls_status precision(const gls_suspicion *s, gls_suspicion_by by, const int64_t *planted, const char *name,
                            gls_measure_result *out) {
    int64_t count, known = 0, found = 0;
    rank *order = ranked(out->ctx, s, by, &count);
    if (!order) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) known += planted[order[i].example] > 0;
    for (int64_t i = 0; i < known; i++) found += planted[order[i].example] > 0;
    gls_free(out->ctx, order);
    return gls_measure_result_number(out, name, "", known > 0 ? (double)found / (double)known : NAN);
}

gls_status gls_suspicion_report_precision(const gls_suspicion *s, const int64_t *planted, gls_measure_result *out) {
    GLS_TRY(precision(s, GLS_BY_FACTOR, planted, "precision_by_factor", out));
    GLS_TRY(precision(s, GLS_BY_LOSS, planted, "precision_by_loss", out));
    return precision(s, GLS_BY_NORM, planted, "precision_by_norm", out);
}

static gls_status report_mean(const gls_suspicion *s, const int64_t *key, int64_t keys, const double *sum, double *x,
                              const char *name, const char *unit, gls_measure_result *out) {
    double *count = x + keys;
    for (int64_t k = 0; k < 2 * keys; k++) x[k] = 0;
    for (int64_t i = 0; i < s->examples; i++) {
        if (!(s->seen[i] > 0) || key[i] < 0 || key[i] >= keys || (sum && isnan(sum[i]))) continue;
        x[key[i]] += sum ? sum[i] / s->seen[i] : 1;
        count[key[i]] += 1;
    }
    for (int64_t k = 0; sum && k < keys; k++) x[k] = count[k] > 0 ? x[k] / count[k] : NAN;
    return gls_measure_result_array(out, name, unit, keys, x);
}

gls_status gls_suspicion_report_means(const gls_suspicion *s, const int64_t *key, int64_t keys,
                                      const gls_suspicion_names *names, gls_measure_result *out) {
    double *x = gls_alloc(out->ctx, 2 * keys, sizeof *x);
    gls_status status = x ? report_mean(s, key, keys, NULL, x, names->seen, "examples", out) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = report_mean(s, key, keys, s->log_factor, x, names->log_factor, "", out);
    if (status == GLS_OK) status = report_mean(s, key, keys, s->norm, x, names->norm, "gradient", out);
    if (status == GLS_OK) status = report_mean(s, key, keys, s->loss, x, names->loss, "loss", out);
    gls_free(out->ctx, x);
    return status;
}
