/* The `measure` section: every entry is a tap. Its figures go into the trace by their names, its whole results into
 * measures.jsonl, a line each. */
#include "run/observer/measures.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/observer/events.h"
#include "run/loop/trainer.h"

typedef struct tap {
    gls_measure *measure;
    gls_measure_result result; /* of the last observation in this session */
    int64_t seen, written;     /* steps of the last observation and of the last line; -1: none */
} tap;

/* ---- what a measure is given ---- */

/* Whether the step's gradient is the mean of the mini-batch's, so that its norms belong to one another. */
static bool plain_mean(const gls_run *run) {
    const gls_value *name = gls_value_get(gls_value_get(run->config, "estimator"), "name");
    return name && !strcmp(name->text, "mean");
}

static gls_status make_pass(gls_run *run) {
    gls_pass_options options = {.size = sizeof options, .span = run->train->accumulate};
    /* What couples a mini-batch in training couples as many examples here, not the whole sample. */
    if (!options.span && run->problem->coupling == GLS_COUPLING_BATCH && run->train->batch > 0)
        options.span = run->train->batch;
    return run->measure_pass ? GLS_OK : gls_pass_create(run->problem, &options, &run->measure_pass);
}

gls_status gls_run_keep_previous(gls_run *run) {
    if (!run->w_previous)
        run->w_previous = gls_alloc(run->ctx, gls_problem_size(run->problem), sizeof *run->w_previous);
    return run->w_previous ? GLS_OK : GLS_ERR_MEMORY;
}

gls_status gls_run_measure_input(gls_run *run, gls_measure_input *in) {
    GLS_TRY(make_pass(run));
    *in = (gls_measure_input){.size = sizeof *in,
                              .problem = run->problem,
                              .pass = run->measure_pass,
                              .source = run->train_set,
                              .examples = run->train_set->info.examples,
                              .w = run->w,
                              .lr = NAN,
                              .batch = run->train->batch < 0 ? run->train_set->info.examples : run->train->batch,
                              .step = run->counters.steps,
                              .seed = (uint64_t)run->train->seed,
                              .loss = NAN,
                              .gradient_norm = NAN,
                              .exchanged = -1,
                              .test_source = run->test_set};
    if (run->ledger.examples) in->ledger = &run->ledger;
    if (run->counters.steps == run->first_step) return GLS_OK;
    in->w_previous = run->w_previous;
    in->g = run->w_previous ? run->g : NULL;
    in->lr = gls_record_get(&run->record, "lr");
    in->loss = run->estimate.loss;
    in->gradient_norm = sqrt(run->estimate.norm2);
    in->batch = run->estimate.rows;
    in->step_second_moment = gls_record_get(&run->record, "second_moment");
    if (plain_mean(run) && isfinite(in->step_second_moment)) {
        in->step_examples = run->estimate.rows;
        in->step_norm2 = run->estimate.norm2;
    }
    return GLS_OK;
}

/* ---- what it found ---- */

/* A name that a step's own figures have already (loss, gradient_norm) is that of the whole set here. */
static void trace_figures(gls_run *run, const gls_measure_result *result) {
    for (int64_t i = 0; i < result->figures; i++) {
        const gls_figure *figure = &result->figure[i];
        if (!figure->headline || figure->array || !isfinite(figure->value[0])) continue;
        bool taken = !strcmp(figure->name, "loss") || !strcmp(figure->name, "gradient_norm");
        char name[200];
        snprintf(name, sizeof name, "%s%s", taken ? "full_" : "", figure->name);
        gls_run_trace(run, name, figure->value[0]);
    }
}

static void histogram_event(gls_run *run, const gls_measure_result *result, const char *kind) {
    char name[100];
    snprintf(name, sizeof name, "%s_histogram_edges", kind);
    const gls_figure *edges = gls_measure_result_find(result, name);
    snprintf(name, sizeof name, "%s_histogram_counts", kind);
    const gls_figure *counts = gls_measure_result_find(result, name);
    if (!edges || !counts || edges->count != counts->count + 1 || !counts->count) return;
    snprintf(name, sizeof name, "%s/%s", result->measure, kind);
    gls_events_histogram(run->events, run->counters.steps, name, counts->count, edges->value + 1, counts->value);
}

/* {"step", "epoch", "time", "measure", "result"}: result is the measure's own object of gls_measure_results_json. */
static gls_status write_line(gls_run *run, const gls_measure_result *result) {
    char *all = NULL;
    GLS_TRY(gls_measure_results_json(run->ctx, result, 1, &all));
    json_t *top = json_loads(all, 0, NULL);
    gls_free(run->ctx, all);
    json_t *own = json_object_get(json_object_get(top, "measures"), result->measure);
    json_t *line = json_pack("{s:I, s:f, s:f, s:s, s:O}", "step", (json_int_t)run->counters.steps, "epoch", run->epoch,
                             "time", gls_run_seconds(run), "measure", result->measure, "result", own);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(line);
    json_decref(top);
    if (!text) return gls_fail(run->ctx, GLS_ERR_MEMORY, "out of memory while writing a measure's result");
    gls_trace_text(run->measures, text);
    free(text);
    return GLS_OK;
}

static gls_status write_result(gls_run *run, tap *t) {
    t->written = run->counters.steps;
    trace_figures(run, &t->result);
    static const char *const kinds[] = {"batch", "example", "coordinate"};
    for (int i = 0; i < 3 && run->events; i++) histogram_event(run, &t->result, kinds[i]);
    return run->measures ? write_line(run, &t->result) : GLS_OK;
}

/* ---- as a tap ---- */

/* Steps between lines of a measure that watches more often than the trace is written. */
static double line_every(const gls_run *run) {
    gls_length every = run->train->log_every;
    return every.steps ? every.amount : every.amount * run->steps_per_epoch;
}

/* At the end of a run all report once more; measures of a step do so from what they have. */
static gls_status observe(void *user, gls_run *run) {
    tap *t = user;
    const gls_measure_type *type = gls_measure_type_of(t->measure);
    bool ended = run->stop != NULL, of_step = type->needs & (GLS_MEASURE_PREVIOUS | GLS_MEASURE_RUN | GLS_MEASURE_LR);
    int64_t step = run->counters.steps;
    if (t->seen < step && !(ended && of_step)) {
        gls_measure_input in;
        GLS_TRY(gls_run_measure_input(run, &in));
        if ((type->needs & GLS_MEASURE_LR) && !(in.lr > 0)) return GLS_OK;
        if ((type->needs & GLS_MEASURE_PREVIOUS) && !in.w_previous) return GLS_OK;
        if (type->needs & GLS_MEASURE_DEAR)
            gls_log(run->ctx, GLS_LOG_INFO, "step %lld: measuring %s: %s", (long long)step, type->member.name,
                    "more than a few passes over its sample");
        GLS_TRY(gls_measure_run(t->measure, &in, &t->result));
        t->seen = step;
    }
    bool fresh = t->result.measure && t->seen > t->written;
    if (!fresh || (!ended && t->written >= 0 && (double)(step - t->written) < line_every(run))) return GLS_OK;
    return write_result(run, t);
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    tap *t = user;
    char name[150];
    snprintf(name, sizeof name, "%stap.seen", prefix);
    GLS_TRY(gls_arrays_add_vector(t->measure->ctx, list, name, GLS_I64, 1, &t->seen));
    snprintf(name, sizeof name, "%stap.written", prefix);
    GLS_TRY(gls_arrays_add_vector(t->measure->ctx, list, name, GLS_I64, 1, &t->written));
    return gls_measure_arrays(t->measure, prefix, list);
}

static void destroy(void *user) {
    tap *t = user;
    gls_context *ctx = t->result.ctx;
    gls_measure_destroy(t->measure);
    gls_measure_result_clear(&t->result);
    gls_free(ctx, t);
}

/* ---- from the configuration ---- */

/* What all measures with `every: auto` may take together, as a share of the gradients of the run's steps. */
static const double share_of_run = 0.1;

static bool is_automatic(const gls_measure_type *type, const gls_value *given) {
    return type->cost && (!given || (given->kind == GLS_VALUE_TEXT && !strcmp(given->text, "auto")));
}

static const gls_value *given_every(const gls_value *entry) {
    return entry->kind == GLS_VALUE_MAP ? gls_value_get(entry, "every") : NULL;
}

/* As often as the tap's equal part of the share pays for, the last time at the end of the run. From the sizes alone: no
 * stopwatch, so that the same configuration looks at the same steps everywhere. */
static gls_length automatic_every(const gls_run *run, const tap *t, const gls_value *section) {
    int64_t n = run->train_set->info.examples, batch = run->train->batch < 0 ? n : run->train->batch, taps = 0;
    for (int64_t i = 0; i < section->count; i++) { /* every entry says its cadence once it was resolved */
        const gls_value *every = given_every(section->items[i]);
        taps += every && every->kind == GLS_VALUE_TEXT && !strcmp(every->text, "auto");
    }
    double each = gls_measure_type_of(t->measure)->cost(t->measure, n, batch);
    double steps = fmax(1, ceil(each * (double)taps / (share_of_run * (double)batch)));
    if (run->total_steps >= 1) { /* a whole number of looks, one at least */
        double looks = fmax(1, floor(run->total_steps / steps));
        steps = fmax(1, floor(run->total_steps / looks));
    }
    return (gls_length){.amount = steps, .steps = true};
}

static gls_status read_every(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                             gls_cadence *cadence) {
    const gls_option table[] = {{"every", GLS_OPTION_LENGTH, 0, type->every ? type->every : "1", 0, 0, 0, NULL,
                                 "epochs, or steps (200s), between observations; or auto"},
                                {.key = NULL}};
    const gls_value *given = given_every(entry);
    gls_options *options = NULL;
    *cadence = (gls_cadence){.automatic = is_automatic(type, given)};
    if (cadence->automatic) return GLS_OK;
    GLS_TRY(gls_options_create(ctx, type->member.name, table, sizeof cadence->every, &options));
    gls_status status = given ? gls_options_set_value(options, given) : GLS_OK;
    if (status == GLS_OK) cadence->every = *(const gls_length *)gls_options_struct(options);
    gls_options_destroy(options);
    return status;
}

gls_status gls_measure_entry_check(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                                   gls_cadence *cadence) {
    char place[256];
    if (entry->kind != GLS_VALUE_MAP && entry->kind != GLS_VALUE_NULL)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%smeasure.%s: expected its options, as in {every: 200s}",
                        gls_origin(entry, place), entry->key);
    if (type->needs & GLS_MEASURE_OTHER)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "measure.%s compares two runs: it cannot look on at one. After both runs: glissade measure RUN "
                        "--only %s --other RUN2",
                        entry->key, entry->key);
    return read_every(ctx, type, entry, cadence);
}

static gls_status make_measure(gls_run *run, const gls_value *entry, tap *t) {
    static const char *const own[] = {"every", NULL};
    char place[256];
    GLS_TRY(gls_measure_create(run->ctx, entry->key, entry, own, gls_problem_size(run->problem),
                               run->train_set->info.examples, &t->measure));
    if ((t->measure->needs & GLS_MEASURE_NORMS) && !(plain_mean(run) && run->ledger.examples))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "%smeasure.%s: from: step needs an estimator that keeps norms: estimator {name: mean, ledger: "
                        "true}",
                        gls_origin(entry, place), entry->key);
    return GLS_OK;
}

static gls_status add_tap(gls_run *run, const gls_value *section, const gls_value *entry) {
    gls_cadence cadence;
    tap *t = gls_alloc(run->ctx, 1, sizeof *t);
    if (!t) return GLS_ERR_MEMORY;
    gls_measure_result_init(run->ctx, &t->result);
    t->seen = t->written = -1;
    gls_tap made = {.name = entry->key, .user = t, .observe = observe, .arrays = arrays, .destroy = destroy};
    gls_status status = make_measure(run, entry, t);
    if (status == GLS_OK) status = read_every(run->ctx, gls_measure_type_of(t->measure), entry, &cadence);
    if (status != GLS_OK) {
        destroy(t);
        return status;
    }
    made.every = cadence.automatic ? automatic_every(run, t, section) : cadence.every;
    /* The section's own text may not outlive the run's creation. */
    made.name = gls_measure_type_of(t->measure)->member.name;
    bool previous = gls_measure_type_of(t->measure)->needs & (GLS_MEASURE_PREVIOUS | GLS_MEASURE_GRADIENT);
    GLS_TRY(gls_run_add_tap(run, &made));
    return previous ? gls_run_keep_previous(run) : GLS_OK;
}

gls_status gls_measures_create(gls_run *run) {
    const gls_value *section = gls_value_get(run->config, "measure");
    run->ledger = gls_estimator_ledger(run->estimator);
    if (!section || !section->count) return GLS_OK;
    GLS_TRY(make_pass(run));
    for (int64_t i = 0; i < section->count; i++) GLS_TRY(add_tap(run, section, section->items[i]));
    return GLS_OK;
}
