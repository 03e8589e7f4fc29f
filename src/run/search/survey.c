/* Measures at one point: at given weights of a configuration's problem, or of a matrix of per-example gradients. Names
 * and options are checked before any data are read. */
#include <glissade/comm.h>
#include <glissade/run.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "run/config/cadence.h"
#include "run/config/members.h"

typedef struct work {
    gls_context *ctx;
    const gls_survey_options *options;
    gls_value *measures;           /* {measure: {...}}: the options of all measures, --sample included */
    gls_value *bare;               /* the configuration without them */
    const gls_measure_type **type; /* [types] what is asked for */
    int64_t types;
    gls_run *run, *other;
    gls_survey *out;
} work;

/* Keys of the measure section that mean something along a run only. */
static const char *const along_a_run[] = {"every", "start", "from", NULL};

/* ---- which measures ---- */

static gls_status choose_named(work *k, char *names) {
    char *rest = NULL;
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        const gls_member *member = gls_config_member_wanted(k->ctx, GLS_KIND_MEASURE, "measure", name, NULL);
        if (!member) return GLS_ERR_ARGUMENT;
        for (int64_t i = 0; i < k->types; i++)
            if (&k->type[i]->member == member)
                return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "measure '%s' is asked for twice", name);
        k->type[k->types++] = (const gls_measure_type *)member;
    }
    return k->types ? GLS_OK : gls_fail(k->ctx, GLS_ERR_ARGUMENT, "expected the names of measures, found '%s'", names);
}

/* Without names: all that can be read off one point, or off a matrix. */
static void choose_all(work *k, bool matrix) {
    unsigned out = GLS_NEEDS_OF_STEP | GLS_MEASURE_NAMED | (k->options->other ? 0 : GLS_MEASURE_OTHER);
    const gls_measure_type *type;
    for (int64_t i = 0; (type = gls_measure_at(k->ctx, i)); i++)
        if (matrix ? type->matrix != NULL : type->problem && !(type->needs & out)) k->type[k->types++] = type;
}

static gls_status choose(work *k, bool matrix) {
    const char *only = k->options->only;
    int64_t most = 1;
    while (gls_measure_at(k->ctx, most - 1)) most++;
    for (const char *c = only; c && *c; c++) most += *c == ',';
    if (!(k->type = gls_alloc(k->ctx, most, sizeof *k->type))) return GLS_ERR_MEMORY;
    if (only) {
        char *names = gls_strdup(k->ctx, only);
        gls_status status = names ? choose_named(k, names) : GLS_ERR_MEMORY;
        gls_free(k->ctx, names);
        GLS_TRY(status);
    } else {
        choose_all(k, matrix);
    }
    k->out->result = gls_alloc(k->ctx, k->types, sizeof *k->out->result);
    return k->out->result ? GLS_OK : GLS_ERR_MEMORY;
}

/* ---- their options ---- */

static const gls_value *entry_of(const work *k, const char *name) {
    const gls_value *section = gls_value_get(k->measures, "measure");
    const gls_value *entry = section && section->kind == GLS_VALUE_MAP ? gls_value_get(section, name) : NULL;
    return entry && entry->kind == GLS_VALUE_MAP ? entry : NULL;
}

static bool has_option(const gls_measure_type *type, const char *key) {
    for (const gls_option *o = type->member.options; o && o->key; o++)
        if (strcmp(o->key, key) == 0) return true;
    return false;
}

/* Names and options of the configuration's measure section, asked for or not. */
static gls_status check_section(const work *k) {
    const gls_value *section = gls_value_get(k->measures, "measure");
    for (int64_t i = 0; section && section->kind == GLS_VALUE_MAP && i < section->count; i++) {
        const char *name = section->items[i]->key;
        gls_measure *measure = NULL;
        GLS_TRY(gls_measure_create(k->ctx, name, entry_of(k, name), along_a_run, 0, 0, &measure));
        gls_measure_destroy(measure);
    }
    return GLS_OK;
}

static gls_status set_sample(work *k) {
    for (int64_t i = 0; k->options->sample && i < k->types; i++) {
        if (!has_option(k->type[i], "sample")) continue;
        char *text = gls_sprintf(k->ctx, "measure.%s.sample=%s", k->type[i]->member.name, k->options->sample);
        gls_status status = text ? gls_config_set_from(k->ctx, k->measures, "--sample", text) : GLS_ERR_MEMORY;
        gls_free(k->ctx, text);
        GLS_TRY(status);
    }
    return GLS_OK;
}

/* What was given for measures that nobody asked for would be ignored. */
static gls_status check_used(const work *k) {
    const gls_survey_options *o = k->options;
    bool samples = false, compares = false;
    for (int64_t i = 0; i < k->types; i++) {
        samples |= has_option(k->type[i], "sample");
        compares |= (k->type[i]->needs & GLS_MEASURE_OTHER) != 0;
    }
    if (o->sample && !samples)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--sample: no measure that was asked for reads a sample");
    if (o->other && !compares)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--other: no measure that was asked for compares two runs");
    if (o->exchange && !o->other)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--exchanged says how two runs differ: expected --other RUN as well");
    return GLS_OK;
}

/* A look at a run writes none of the files that the run was told to write, unless it is told so itself. */
static void forget_files(work *k) {
    const gls_value *section = gls_value_get(k->measures, "measure");
    for (int64_t i = 0; section && i < section->count; i++) {
        const gls_value *write = gls_value_get(section->items[i], "write");
        bool asked = write && write->file && strncmp(write->file, "--", 2) == 0;
        if (!asked) gls_value_remove(k->ctx, section->items[i], "write");
    }
}

static gls_status read_options(work *k) {
    const gls_value *section = gls_value_get(k->options->config, "measure");
    k->measures = gls_value_create(k->ctx, GLS_VALUE_MAP, NULL, NULL);
    if (!k->measures) return GLS_ERR_MEMORY;
    if (section) GLS_TRY(gls_value_append(k->ctx, k->measures, gls_value_clone(k->ctx, section)));
    if (k->options->weights) forget_files(k);
    return check_section(k);
}

/* The next result to fill, which is told from the others once it is whole. */
static gls_measure_result *next_result(work *k, const gls_measure_type *type) {
    gls_measure_result *result = &k->out->result[k->out->count];
    gls_measure_result_init(k->ctx, result);
    if (k->options->begin) k->options->begin(k->options->user, type);
    return result;
}

static gls_status keep(work *k, gls_measure_result *result, gls_status status) {
    if (status == GLS_OK)
        k->out->count++;
    else
        gls_measure_result_clear(result);
    return status;
}

/* ---- at weights ---- */

static gls_status open_run(work *k, const char *from, gls_run **out) {
    gls_run_options options = {.size = sizeof options, .config = k->bare, .from = from};
    GLS_TRY(gls_run_create(k->ctx, &options, out));
    return gls_run_begin(*out);
}

/* The example that a transform of this run exchanged; -1: none. */
static int64_t marked_exchange(const gls_measure_input *in) {
    const int64_t *mark = gls_source_column(in->source, "replace");
    for (int64_t i = 0; mark && i < in->examples; i++)
        if (mark[i] > 0) return i;
    return -1;
}

static gls_status make_input(work *k, gls_measure_input *in) {
    const gls_survey_options *o = k->options;
    GLS_TRY(gls_run_measure_input(k->run, in));
    if (isnan(in->lr) && o->lr > 0) in->lr = o->lr;
    if (o->step) in->step = o->step;
    if (k->other) in->w_other = gls_run_weights(k->other);
    in->exchanged = k->other ? marked_exchange(in) : -1;
    if (!o->exchange) return GLS_OK;
    if (o->exchanged < 0 || o->exchanged >= in->examples)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "exchanged example %lld: the training set has %lld examples",
                        (long long)o->exchanged, (long long)in->examples);
    in->exchanged = o->exchanged;
    return GLS_OK;
}

static gls_status measure_point(work *k, const gls_measure_type *type) {
    gls_measure_input in;
    gls_measure *measure = NULL;
    GLS_TRY(make_input(k, &in));
    gls_measure_result *result = next_result(k, type);
    gls_status status = gls_measure_create(k->ctx, type->member.name, entry_of(k, type->member.name), along_a_run,
                                           gls_problem_size(gls_run_problem(k->run)), in.examples, &measure);
    if (status == GLS_OK) status = gls_measure_run(measure, &in, result);
    gls_measure_destroy(measure);
    if (status == GLS_OK && (type->needs & GLS_NEEDS_OF_STEP))
        status = gls_measure_result_note(result, "along one step of a fresh %s from these weights",
                                         gls_method_name(gls_run_method(k->run)));
    return keep(k, result, status);
}

/* An interruption comes to each rank at its own moment; all of them end before the same measure. */
static gls_status interrupted(const work *k, bool *yes) {
    int64_t seen = gls_interrupted(k->ctx);
    GLS_TRY(gls_comm_reduce_int64(k->ctx, GLS_MAX, &seen, 1, GLS_OK));
    *yes = seen != 0;
    return GLS_OK;
}

/* First what is read off the point, then one step for what is read off a step. */
static gls_status measure_all(work *k) {
    bool done, over;
    for (int of_step = 0; of_step < 2; of_step++) {
        bool stepped = false;
        for (int64_t i = 0; i < k->types; i++) {
            if ((k->type[i]->needs & GLS_NEEDS_OF_STEP ? 1 : 0) != of_step) continue;
            GLS_TRY(interrupted(k, &over));
            if (over) return GLS_OK;
            if (of_step && !stepped) {
                GLS_TRY(gls_run_keep_previous(k->run));
                GLS_TRY(gls_run_step(k->run, &done));
                stepped = true;
            }
            GLS_TRY(measure_point(k, k->type[i]));
        }
    }
    return GLS_OK;
}

static gls_status survey_run(work *k) {
    GLS_TRY(read_options(k));
    GLS_TRY(choose(k, false));
    GLS_TRY(check_used(k));
    GLS_TRY(set_sample(k));
    k->bare = gls_value_clone(k->ctx, k->options->config);
    if (!k->bare) return GLS_ERR_MEMORY;
    GLS_TRY(gls_config_set(k->ctx, k->bare, "measure=null"));
    GLS_TRY(open_run(k, k->options->weights, &k->run));
    if (k->options->other) GLS_TRY(open_run(k, k->options->other, &k->other));
    return measure_all(k);
}

/* ---- of a matrix ---- */

static gls_status survey_matrix(work *k, const gls_measure_matrix *matrix) {
    GLS_TRY(read_options(k));
    GLS_TRY(choose(k, true));
    GLS_TRY(set_sample(k));
    for (int64_t i = 0; i < k->types && !gls_interrupted(k->ctx); i++) {
        const gls_measure_type *type = k->type[i];
        gls_measure *measure = NULL;
        gls_measure_result *result = next_result(k, type);
        gls_status status =
            gls_measure_create(k->ctx, type->member.name, entry_of(k, type->member.name), along_a_run, 0, 0, &measure);
        if (status == GLS_OK) status = gls_measure_run_matrix(measure, matrix, result);
        gls_measure_destroy(measure);
        GLS_TRY(keep(k, result, status));
    }
    return GLS_OK;
}

/* ---- the face ---- */

static void finish(work *k) {
    gls_run_destroy(k->other);
    gls_run_destroy(k->run);
    gls_value_destroy(k->ctx, k->measures);
    gls_value_destroy(k->ctx, k->bare);
    gls_free(k->ctx, k->type);
}

gls_status gls_survey_run(gls_context *ctx, const gls_survey_options *options, gls_survey *out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = (gls_survey){.ctx = ctx};
    if (options->size != sizeof *options || !options->config)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_survey_run: size or config is not set");
    work k = {.ctx = ctx, .options = options, .out = out};
    gls_status status = survey_run(&k);
    finish(&k);
    return status;
}

gls_status gls_survey_matrix(gls_context *ctx, const gls_measure_matrix *matrix, const gls_survey_options *options,
                             gls_survey *out) {
    GLS_GIVEN(ctx, ctx, matrix, options, out);
    *out = (gls_survey){.ctx = ctx};
    if (options->size != sizeof *options) return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_survey_matrix: size is not set");
    work k = {.ctx = ctx, .options = options, .out = out};
    gls_status status = survey_matrix(&k, matrix);
    finish(&k);
    return status;
}

void gls_survey_clear(gls_survey *survey) {
    if (!survey) return;
    for (int64_t i = 0; i < survey->count; i++) gls_measure_result_clear(&survey->result[i]);
    if (survey->ctx) gls_free(survey->ctx, survey->result);
    *survey = (gls_survey){.ctx = survey->ctx};
}
