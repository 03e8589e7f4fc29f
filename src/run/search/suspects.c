/* The examples that a run's ledger shows as suppressed: ranked, averaged by class or column, held against those that a
 * transform planted. */
#include <glissade/run.h>

#include <math.h>
#include <string.h>

#include "run/observer/ledger.h"

/* A class or domain counts as suppressed when its mean factor is below this share of the others': ours. */
static const double suppressed_share = 0.5;
/* A table of means longer than this compares nothing. */
enum { MOST_KEYS = 100000, USUAL_TOP = 20 };

static const char *const rankings[] = {"factor", "norm", "loss", NULL}; /* by gls_suspicion_by */

typedef struct work {
    gls_context *ctx;
    const gls_suspects_options *options;
    gls_run_ledger ledger;
    gls_suspicion_by rank;
    const char *by;
    const int64_t *key; /* [examples] what the means are over */
    int64_t keys;
    const int64_t *planted; /* [examples] marks of a transform, or NULL */
    gls_measure_result figures;
    gls_suspects_report *out;
} work;

static const int64_t *find_column(const gls_run_ledger *l, const char *name) {
    for (const gls_column *c = l->column; c->name; c++)
        if (strcmp(c->name, name) == 0) return c->value;
    return NULL;
}

/* ---- what is asked ---- */

static gls_status no_such_column(const work *k) {
    char *names = gls_strdup(k->ctx, "class");
    for (const gls_column *c = k->ledger.column; c->name && names; c++) {
        char *longer = gls_sprintf(k->ctx, "%s, %s", names, c->name);
        gls_free(k->ctx, names);
        names = longer;
    }
    gls_fail(k->ctx, GLS_ERR_ARGUMENT, "by '%s': the run has no such column; it has %s", k->by, names ? names : "");
    gls_free(k->ctx, names);
    return GLS_ERR_ARGUMENT;
}

static gls_status choose_key(work *k) {
    k->by = k->options->by ? k->options->by : "class";
    if (strcmp(k->by, "class") == 0) {
        k->key = k->ledger.label;
        k->keys = k->ledger.classes;
        return GLS_OK;
    }
    if (!(k->key = find_column(&k->ledger, k->by))) return no_such_column(k);
    for (int64_t i = 0; i < k->ledger.examples; i++)
        if (k->key[i] >= k->keys) k->keys = k->key[i] + 1;
    return k->keys <= MOST_KEYS ? GLS_OK
                                : gls_fail(k->ctx, GLS_ERR_ARGUMENT, "by '%s': %lld values are too many to compare",
                                           k->by, (long long)k->keys);
}

static gls_status choose_rank(work *k) {
    const char *rank = k->options->rank;
    k->rank = gls_suspicion_best(&k->ledger.suspects);
    k->out->clipped = k->rank == GLS_BY_FACTOR;
    for (int i = 0; rank && rankings[i]; i++)
        if (strcmp(rank, rankings[i]) == 0) {
            k->rank = (gls_suspicion_by)i;
            rank = NULL;
        }
    k->out->ranked_by = rankings[k->rank];
    return rank ? gls_fail(k->ctx, GLS_ERR_ARGUMENT, "rank '%s': expected factor, norm or loss", rank) : GLS_OK;
}

/* The first column in which a transform marked examples. */
static const int64_t *find_planted(const gls_run_ledger *l) {
    static const char *const marks[] = {"insert", "label_noise", NULL};
    for (int i = 0; marks[i]; i++)
        if (find_column(l, marks[i])) return find_column(l, marks[i]);
    return NULL;
}

/* ---- what is found ---- */

static const double *array(const work *k, const char *name) {
    const gls_figure *figure = gls_measure_result_find(&k->figures, name);
    return figure ? figure->value : NULL;
}

static gls_status take_suspects(work *k) {
    int64_t top = k->options->top ? k->options->top : USUAL_TOP;
    if (top > k->ledger.examples) top = k->ledger.examples;
    GLS_TRY(gls_suspicion_report_list(&k->ledger.suspects, k->rank, top, k->planted, &k->figures));
    const gls_figure *list = gls_measure_result_find(&k->figures, "suspects");
    k->out->suspect = gls_alloc(k->ctx, list->count, sizeof *k->out->suspect);
    if (!k->out->suspect) return GLS_ERR_MEMORY;
    k->out->suspects = list->count;
    for (int64_t i = 0; i < list->count; i++) {
        int64_t e = (int64_t)list->value[i];
        k->out->suspect[i] = (gls_suspect){.example = k->ledger.index[e] < 0 ? -1 : k->ledger.index[e],
                                           .label = k->ledger.label[e],
                                           .factor = exp(array(k, "suspect_log_factors")[i]),
                                           .norm = array(k, "suspect_norms")[i],
                                           .loss = array(k, "suspect_losses")[i],
                                           .planted = k->planted && k->planted[e] > 0};
    }
    return GLS_OK;
}

/* Against the mean log factor of all other keys, weighted by how many examples they have. */
static bool is_suppressed(const double *seen, const double *log_factor, int64_t keys, int64_t of) {
    double sum = 0, weight = 0;
    for (int64_t j = 0; j < keys; j++) {
        if (j == of || isnan(log_factor[j])) continue;
        sum += seen[j] * log_factor[j];
        weight += seen[j];
    }
    return weight > 0 && log_factor[of] < sum / weight + log(suppressed_share);
}

static gls_status take_means(work *k) {
    static const gls_suspicion_names names = {"key_seen", "key_log_factor", "key_norm", "key_loss"};
    if (!k->keys) return GLS_OK;
    GLS_TRY(gls_suspicion_report_means(&k->ledger.suspects, k->key, k->keys, &names, &k->figures));
    const double *seen = array(k, "key_seen"), *log_factor = array(k, "key_log_factor");
    k->out->mean = gls_alloc(k->ctx, k->keys, sizeof *k->out->mean);
    if (!k->out->mean) return GLS_ERR_MEMORY;
    for (int64_t j = 0; j < k->keys; j++)
        if (!isnan(log_factor[j])) /* a key without examples has no means */
            k->out->mean[k->out->means++] =
                (gls_suspect_mean){.key = j,
                                   .examples = seen[j],
                                   .factor = exp(log_factor[j]),
                                   .norm = array(k, "key_norm")[j],
                                   .loss = array(k, "key_loss")[j],
                                   .suppressed = is_suppressed(seen, log_factor, k->keys, j)};
    return GLS_OK;
}

static gls_status take_precision(work *k) {
    static const char *const names[] = {"precision_by_factor", "precision_by_loss", "precision_by_norm"};
    for (int i = 0; i < 3; i++) k->out->precision[i] = NAN;
    k->out->planted = k->planted != NULL;
    if (!k->planted) return GLS_OK;
    GLS_TRY(gls_suspicion_report_precision(&k->ledger.suspects, k->planted, &k->figures));
    for (int i = 0; i < 3; i++) k->out->precision[i] = gls_measure_result_get(&k->figures, names[i]);
    return GLS_OK;
}

/* One block: the names' addresses and their texts. A file whose names are not as many as its classes has none. */
static gls_status take_class_names(work *k) {
    const char *from = k->ledger.class_names;
    int64_t classes = k->out->classes = k->ledger.classes, found = 0;
    for (const char *p = from; p && *p; p++) found += *p == GLS_LEDGER_MARK;
    if (!from || found != classes || *from != GLS_LEDGER_MARK) return GLS_OK;
    const char **name = gls_alloc(k->ctx, classes * (int64_t)sizeof *name + (int64_t)strlen(from) + 1, 1);
    if (!name) return GLS_ERR_MEMORY;
    char *text = strcpy((char *)(name + classes), from);
    found = 0;
    for (; *text; text++)
        if (*text == GLS_LEDGER_MARK) {
            *text = 0;
            name[found++] = text + 1;
        }
    k->out->class_name = name;
    return GLS_OK;
}

static gls_status look(work *k, const char *run_folder) {
    GLS_TRY(gls_run_ledger_open(k->ctx, run_folder, k->options->window, &k->ledger));
    GLS_TRY(take_class_names(k));
    GLS_TRY(choose_key(k));
    GLS_TRY(choose_rank(k));
    k->planted = find_planted(&k->ledger);
    if (!(k->out->by = gls_strdup(k->ctx, k->by))) return GLS_ERR_MEMORY;
    GLS_TRY(take_suspects(k));
    GLS_TRY(take_precision(k));
    return take_means(k);
}

gls_status gls_suspects_read(gls_context *ctx, const char *run_folder, const gls_suspects_options *options,
                             gls_suspects_report *out) {
    GLS_GIVEN(ctx, ctx, run_folder, out);
    *out = (gls_suspects_report){.ctx = ctx};
    if (options->size != sizeof *options || options->top < 0 || options->window < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_suspects_read: size is not set, or top or window is negative");
    work k = {.ctx = ctx, .options = options, .ledger = {.ctx = ctx}, .out = out};
    gls_measure_result_init(ctx, &k.figures);
    gls_status status = look(&k, run_folder);
    gls_measure_result_clear(&k.figures);
    gls_run_ledger_close(&k.ledger);
    return status;
}

void gls_suspects_clear(gls_suspects_report *report) {
    if (!report) return;
    gls_context *ctx = report->ctx;
    if (!ctx) return;
    gls_free(ctx, report->suspect);
    gls_free(ctx, report->mean);
    gls_free(ctx, report->by);
    gls_free(ctx, report->class_name);
    *report = (gls_suspects_report){.ctx = ctx};
}
