/* Runs in step on training sets that differ in one example. Each run has a folder, a resumed call lets all of them
 * catch up with the one that is furthest; a row is on disk before any run goes beyond its epoch, so that none is lost.
 */
#include "run/search/exchange.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/value.h"
#include "run/loop/run.h"

static const double ROUNDING = 1e-9; /* of an epoch, that is counted in steps */

/* One batch size under way. */
typedef struct work {
    gls_exchange *exchange;
    const gls_exchange_options *options;
    gls_exchange_series *series;
    gls_context *ctx;   /* of the runs */
    gls_value **config; /* [runs] */
    gls_run **run;      /* [runs] the whole set's first, then one for each exchanged example */
    bool *done;         /* [runs] */
    int64_t runs;
    gls_measure *stability;
    char *folder, *file; /* of this batch, and its series there */
} work;

static void watch(void *user, const gls_progress *progress) {
    const work *k = user;
    (void)progress;
    if (gls_interrupted(k->exchange->ctx)) gls_interrupt(k->ctx);
}

/* ---- configurations ---- */

/* Behind all other transforms: the index counts in the training set as it is drawn from. */
static gls_status append_replace(gls_context *ctx, gls_value *config, int64_t example) {
    char text[64];
    gls_value *list = (gls_value *)gls_value_get(gls_value_get(config, "data"), "transforms"), *item = NULL;
    if (!list || list->kind == GLS_VALUE_NULL) {
        snprintf(text, sizeof text, "data.transforms=[{replace: {index: %lld}}]", (long long)example);
        return gls_config_set(ctx, config, text);
    }
    if (list->kind != GLS_VALUE_LIST)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.transforms: expected a list, as in [{label_noise: 0.1}]");
    snprintf(text, sizeof text, "replace: {index: %lld}", (long long)example);
    GLS_TRY(gls_config_parse(ctx, "exchange", text, (int64_t)strlen(text), &item));
    gls_status status = gls_value_append(ctx, list, gls_value_clone(ctx, item));
    gls_value_destroy(ctx, item);
    return status;
}

static gls_status make_config(work *k, int64_t r) {
    gls_context *ctx = k->ctx;
    char text[64];
    if (!(k->config[r] = gls_value_clone(ctx, k->options->config))) return GLS_ERR_MEMORY;
    snprintf(text, sizeof text, "train.batch=%lld", (long long)k->series->batch);
    if (k->options->batch) GLS_TRY(gls_config_set(ctx, k->config[r], text));
    return r ? append_replace(ctx, k->config[r], k->options->example[r - 1]) : GLS_OK;
}

/* ---- the runs ---- */

/* Before anything is written. */
static gls_status check_examples(const work *k) {
    int64_t n = gls_run_train_set(k->run[0])->info.examples;
    for (int64_t i = 0; i < k->options->examples; i++) {
        int64_t example = k->options->example[i];
        if (example < 0 || example >= n)
            return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "exchanged example %lld: the training set has %lld examples",
                            (long long)example, (long long)n);
    }
    return GLS_OK;
}

static gls_status open_run(work *k, int64_t r) {
    char name[48] = "whole";
    if (r) snprintf(name, sizeof name, "exchanged-%lld", (long long)k->options->example[r - 1]);
    char *folder = gls_sprintf(k->ctx, "%s/%s", k->folder, name);
    if (!folder) return GLS_ERR_MEMORY;
    gls_run_options options = {.size = sizeof options,
                               .config = k->config[r],
                               .folder = folder,
                               .resume = gls_file_exists(folder),
                               .progress = watch,
                               .user = k};
    gls_status status = gls_run_create(k->ctx, &options, &k->run[r]);
    gls_free(k->ctx, folder);
    if (status == GLS_OK && r == 0) status = check_examples(k);
    return status == GLS_OK ? gls_run_begin(k->run[r]) : status;
}

/* The whole set's run first: it knows how many examples there are. */
static gls_status open_runs(work *k) {
    k->config = gls_alloc(k->ctx, k->runs, sizeof *k->config);
    k->run = gls_alloc(k->ctx, k->runs, sizeof *k->run);
    k->done = gls_alloc(k->ctx, k->runs, sizeof *k->done);
    if (!k->config || !k->run || !k->done) return GLS_ERR_MEMORY;
    for (int64_t r = 0; r < k->runs; r++) {
        GLS_TRY(make_config(k, r));
        GLS_TRY(open_run(k, r));
    }
    const gls_training *t = k->run[0]->training;
    k->series->batch = t->train->batch < 0 ? t->set.train->info.examples : t->train->batch;
    gls_value *options = NULL;
    static const char sample[] = "sample: 1"; /* the losses of whole sets are read once for all pairs */
    GLS_TRY(gls_config_parse(k->ctx, "exchange", sample, sizeof sample - 1, &options));
    gls_status status = gls_measure_create(k->ctx, "stability", options, NULL,
                                           gls_problem_size(gls_run_problem(k->run[0])), 1, &k->stability);
    gls_value_destroy(k->ctx, options);
    return status;
}

static void close_runs(work *k) {
    gls_measure_destroy(k->stability);
    for (int64_t r = 0; r < k->runs && k->config; r++) {
        if (k->run) gls_run_destroy(k->run[r]);
        gls_value_destroy(k->ctx, k->config[r]);
    }
    gls_free(k->ctx, k->config);
    gls_free(k->ctx, k->run);
    gls_free(k->ctx, k->done);
    gls_context_destroy(k->ctx);
    gls_free(k->exchange->ctx, k->folder);
    gls_free(k->exchange->ctx, k->file);
}

/* ---- in step ---- */

static gls_status advance(work *k, double epoch) {
    for (int64_t r = 0; r < k->runs; r++)
        while (!k->done[r] && gls_run_epoch(k->run[r]) < epoch - ROUNDING)
            GLS_TRY(gls_run_step(k->run[r], &k->done[r]));
    return GLS_OK;
}

static gls_status compare_one(work *k, int64_t r, gls_measure_result *result, gls_exchange_row *row) {
    gls_measure_input in;
    int64_t n = k->options->examples;
    GLS_TRY(gls_run_measure_input(k->run[0], &in));
    in.w_other = gls_run_weights(k->run[r]);
    in.exchanged = k->options->example[r - 1];
    in.test_source = NULL;
    GLS_TRY(gls_measure_run(k->stability, &in, result));
    row->each[r - 1] = gls_measure_result_get(result, "parameter_distance");
    row->each[n + r - 1] = gls_measure_result_get(result, "exchanged_loss_difference");
    return GLS_OK;
}

static gls_status compare(work *k, double epoch) {
    gls_training *t = k->run[0]->training;
    gls_measure_result result;
    gls_exchange_row *row = gls_exchange_series_grow(k->exchange->ctx, k->series, k->options->examples);
    if (!row) return GLS_ERR_MEMORY;
    row->epoch = epoch;
    row->step = gls_run_steps(k->run[0]);
    gls_measure_result_init(k->ctx, &result);
    gls_status status = GLS_OK;
    for (int64_t r = 1; r < k->runs && status == GLS_OK; r++) status = compare_one(k, r, &result, row);
    gls_measure_result_clear(&result);
    GLS_TRY(status);
    GLS_TRY(gls_training_evaluate(t, t->set.train, t->w, &row->train_loss, &row->train_score));
    GLS_TRY(gls_training_evaluate(t, t->set.test, t->w, &row->test_loss, &row->test_score));
    gls_exchange_row_close(row, k->options->examples);
    return gls_exchange_series_write(k->exchange, k->series, k->file);
}

static bool all_done(const work *k) {
    for (int64_t r = 0; r < k->runs; r++)
        if (!k->done[r]) return false;
    return true;
}

static void show(const work *k, const gls_exchange_row *row) {
    if (k->options->progress) k->options->progress(k->options->user, k->series, row);
}

/* Epoch by epoch behind the last row. Runs may end in the middle of an epoch: one more row there. */
static gls_status train(work *k) {
    const gls_exchange_series *s = k->series;
    for (int64_t i = 0; i < s->rows; i++) show(k, &s->row[i]);
    while (!all_done(k)) {
        double last = s->rows ? s->row[s->rows - 1].epoch : 0;
        GLS_TRY(advance(k, floor(last + ROUNDING) + 1));
        if (gls_interrupted(k->ctx)) break;
        double now = gls_run_epoch(k->run[0]);
        if (now <= last) continue;
        GLS_TRY(compare(k, now));
        show(k, &s->row[s->rows - 1]);
    }
    return GLS_OK;
}

/* After an interruption every run writes a checkpoint where it is. */
static gls_status finish(work *k) {
    for (int64_t r = 0; r < k->runs; r++) {
        gls_run_result result;
        while (!k->done[r]) GLS_TRY(gls_run_step(k->run[r], &k->done[r]));
        GLS_TRY(gls_run_finish(k->run[r], &result));
        if (result.stopped == GLS_STOP_INTERRUPTED) k->exchange->interrupted = true;
    }
    return GLS_OK;
}

static gls_status make_folder(work *k) {
    gls_context *ctx = k->exchange->ctx;
    k->folder = k->options->batch ? gls_sprintf(ctx, "%s/batch-%lld", k->options->folder, (long long)k->series->batch)
                                  : gls_strdup(ctx, k->options->folder);
    k->file = k->folder ? gls_sprintf(ctx, "%s/series.json", k->folder) : NULL;
    if (!k->file) return GLS_ERR_MEMORY;
    GLS_TRY(gls_exchange_series_read(k->exchange, k->file, k->series));
    return gls_make_directory(ctx, k->folder);
}

static gls_status run_batch(work *k) {
    gls_context *parent = k->exchange->ctx;
    gls_context_options setup = *k->options->context;
    GLS_TRY(make_folder(k));
    GLS_TRY(gls_config_context(parent, k->options->config, &setup));
    if (gls_context_create(&k->ctx, &setup) != GLS_OK)
        return gls_fail(parent, GLS_ERR_MEMORY, "exchange: cannot make a context");
    gls_status status = open_runs(k);
    if (status == GLS_OK) status = train(k);
    if (status == GLS_OK) status = finish(k);
    if (status == GLS_ERR_NONFINITE) {
        k->series->diverged = true;
        return gls_exchange_series_write(k->exchange, k->series, k->file);
    }
    const char *said = gls_context_message(k->ctx);
    return status == GLS_OK || !*said ? status : gls_fail(parent, status, "%s", said);
}

/* ---- the face ---- */

static gls_status read_options(gls_exchange *x, const gls_exchange_options *o) {
    x->example = gls_alloc(x->ctx, o->examples, sizeof *x->example);
    x->batches = o->batch ? o->batches : 1;
    x->series = gls_alloc(x->ctx, x->batches, sizeof *x->series);
    if (!x->example || !x->series) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < o->examples; k++)
        for (int64_t i = 0; i < k; i++)
            if (o->example[i] == o->example[k])
                return gls_fail(x->ctx, GLS_ERR_ARGUMENT, "exchanged example %lld was given twice",
                                (long long)o->example[k]);
    memcpy(x->example, o->example, (size_t)o->examples * sizeof *x->example);
    x->examples = o->examples;
    for (int64_t b = 0; b < x->batches && o->batch; b++) x->series[b].batch = o->batch[b];
    return GLS_OK;
}

gls_status gls_exchange_run(gls_context *ctx, const gls_exchange_options *options, gls_exchange **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    if (options->size != sizeof *options || !options->config || !options->folder || !options->context)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_exchange_run: size, config, folder or context is not set");
    if (options->examples < 1 || (options->batch && options->batches < 1))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "exchange: expected at least one example and one batch");
    gls_exchange *x = gls_alloc(ctx, 1, sizeof *x);
    if (!x) return GLS_ERR_MEMORY;
    x->ctx = ctx;
    gls_status status = read_options(x, options);
    for (int64_t b = 0; b < x->batches && status == GLS_OK && !x->interrupted; b++) {
        work k = {.exchange = x, .options = options, .series = &x->series[b], .runs = options->examples + 1};
        status = run_batch(&k);
        close_runs(&k);
    }
    if (status == GLS_OK)
        *out = x;
    else
        gls_exchange_destroy(x);
    return status;
}

void gls_exchange_destroy(gls_exchange *x) {
    if (!x) return;
    for (int64_t b = 0; b < x->batches && x->series; b++) gls_exchange_series_clear(x->ctx, &x->series[b]);
    gls_free(x->ctx, x->series);
    gls_free(x->ctx, x->example);
    gls_free(x->ctx, x);
}
