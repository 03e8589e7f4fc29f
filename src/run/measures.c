/* The `measure` section: each measure becomes a tap. Its figures go to metrics.jsonl as MEASURE/FIGURE, whole results
 * to measures.jsonl. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer.h"

typedef struct measure_tap {
    gls_context *ctx;
    char *name;
    gls_measure *measure;
    gls_measure_result result;
    gls_ledger ledger;
} measure_tap;

static void destroy(void *user) {
    measure_tap *m = user;
    gls_measure_result_clear(&m->result);
    gls_measure_destroy(m->measure);
    gls_free(m->ctx, m->name);
    gls_free(m->ctx, m);
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    return gls_measure_arrays(((measure_tap *)user)->measure, prefix, list);
}

static void fill(const gls_run *run, measure_tap *m, gls_measure_input *in) {
    const gls_record *record = &run->record;
    double norm = gls_record_get(record, "gradient_norm"), moment = gls_record_get(record, "second_moment");
    m->ledger = gls_estimator_ledger(run->estimator);
    *in = (gls_measure_input){
        .size = sizeof *in,
        .problem = run->problem,
        .pass = run->measure_pass,
        .source = run->train_set,
        .examples = run->train_set->info.examples,
        .w = run->w,
        .w_previous = run->w_previous,
        .g = run->g,
        .lr = gls_record_get(record, "lr"),
        .batch = run->train->batch < 0 ? run->train_set->info.examples : run->train->batch,
        .step = run->counters.steps,
        .seed = (uint64_t)run->train->seed,
        .loss = gls_record_get(record, "loss"),
        .gradient_norm = norm,
        .step_examples = isfinite(moment) ? (int64_t)gls_record_get(record, "batch") : 0,
        .step_second_moment = moment,
        .step_norm2 = norm * norm,
        .ledger = m->ledger.examples ? &m->ledger : NULL,
        .exchanged = -1,
        .test_source = run->test_set,
    };
}

/* {"step": ..., "measure": NAME, "result": {...}} */
static gls_status write_result(const gls_run *run, const measure_tap *m) {
    char *text = NULL;
    GLS_TRY(gls_measure_results_json(run->ctx, &m->result, 1, &text));
    json_t *whole = json_loads(text, 0, NULL);
    gls_free(run->ctx, text);
    json_t *line =
        json_pack("{s:I, s:f, s:s, s:O?}", "step", (json_int_t)run->counters.steps, "epoch", run->epoch, "measure",
                  m->name, "result", json_object_get(json_object_get(whole, "measures"), m->name));
    char *words = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    if (words) gls_trace_text(run->measures, words);
    free(words);
    json_decref(line);
    json_decref(whole);
    return GLS_OK;
}

static gls_status observe(void *user, gls_run *run) {
    measure_tap *m = user;
    gls_measure_input input;
    fill(run, m, &input);
    GLS_TRY(gls_measure_run(m->measure, &input, &m->result));
    for (int64_t i = 0; i < m->result.figures; i++) {
        const gls_figure *figure = &m->result.figure[i];
        char name[160];
        snprintf(name, sizeof name, "%s/%s", m->name, figure->name);
        if (!figure->array && figure->count == 1) gls_run_trace(run, name, figure->value[0]);
    }
    return run->measures ? write_result(run, m) : GLS_OK;
}

static gls_status read_cadence(gls_run *run, const gls_value *item, const char *initial, gls_length *every) {
    static const gls_option table[] = {
        {"every", GLS_OPTION_LENGTH, 0, "1", 0, 0, 0, NULL, "epochs or steps (200s) between two looks; 0: at the end"},
        {NULL}};
    gls_options *options = NULL;
    GLS_TRY(gls_options_create(run->ctx, item->key, table, sizeof *every, &options));
    const gls_value *given = gls_value_get(item, "every");
    gls_status status = given     ? gls_options_set_value(options, given)
                        : initial ? gls_options_set(options, "every", initial)
                                  : GLS_OK;
    *every = *(const gls_length *)gls_options_struct(options);
    gls_options_destroy(options);
    return status;
}

/* What the measure needs of the run beyond what there always is. */
static gls_status provide(gls_run *run, const gls_value *item, const gls_measure_type *type) {
    char place[256];
    if (!type->problem || (type->needs & GLS_MEASURE_OTHER))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "%smeasure.%s %s, it cannot look on while a run goes on",
                        gls_origin(item, place), item->key,
                        type->problem ? "compares two runs" : "reads matrices of gradients");
    if ((type->needs & GLS_MEASURE_PREVIOUS) && !run->w_previous) {
        run->w_previous = gls_alloc(run->ctx, gls_problem_size(run->problem), sizeof *run->w_previous);
        if (!run->w_previous) return GLS_ERR_MEMORY;
    }
    if (run->measure_pass) return GLS_OK;
    gls_pass_options options = {.size = sizeof options, .span = run->train->accumulate};
    return gls_pass_create(run->problem, &options, &run->measure_pass);
}

static gls_status add(gls_run *run, const gls_value *item) {
    static const char *const except[] = {"every", NULL};
    measure_tap *m = gls_alloc(run->ctx, 1, sizeof *m);
    if (!m) return GLS_ERR_MEMORY;
    m->ctx = run->ctx;
    gls_measure_result_init(run->ctx, &m->result);
    m->name = gls_strdup(run->ctx, item->key);
    gls_tap tap = {.name = m->name, .user = m, .observe = observe, .arrays = arrays, .destroy = destroy};
    gls_status status = m->name ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = gls_measure_create(run->ctx, item->key, item->kind == GLS_VALUE_MAP ? item : NULL, except,
                                    gls_problem_size(run->problem), run->train_set->info.examples, &m->measure);
    if (status == GLS_OK) status = provide(run, item, gls_measure_type_of(m->measure));
    if (status == GLS_OK) status = read_cadence(run, item, gls_measure_type_of(m->measure)->every, &tap.every);
    if (status == GLS_OK) return gls_run_add_tap(run, &tap);
    destroy(m);
    return status;
}

gls_status gls_measures_create(gls_run *run) {
    const gls_value *section = gls_value_get(run->options.config, "measure");
    char place[256];
    if (!section || section->kind == GLS_VALUE_NULL) return GLS_OK;
    if (section->kind != GLS_VALUE_MAP)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "%smeasure: expected {NAME: {every: 1}}; `glissade list measures` "
                        "names them",
                        gls_origin(section, place));
    for (int64_t i = 0; i < section->count; i++) GLS_TRY(add(run, section->items[i]));
    return GLS_OK;
}
