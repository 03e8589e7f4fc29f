/* Measures as objects: created by name, run on a problem or a matrix. Input is checked here, once for all measures. */
#include <glissade/measure.h>
#include "base/clock.h"

#include "measure/members.h"

#include <math.h>
#include <string.h>

typedef struct created {
    gls_measure measure;
    gls_options *options;
    int64_t least_sample; /* 0: the sample stays as it is */
} created;

gls_status gls_register_measure(gls_context *ctx, const gls_measure_type *type) {
    GLS_GIVEN(ctx, ctx, type);
    const char *name = type->member.name;
    if (name && strcmp(gls_measure_full_name(name), name) != 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "measure '%s' exists already, as short for '%s'", name,
                        gls_measure_full_name(name));
    return gls_member_register(ctx, &gls_measure_kind, &type->member);
}

const gls_measure_type *gls_measure_at(gls_context *ctx, int64_t i) {
    return (const gls_measure_type *)(const void *)gls_member_at(ctx, &gls_measure_kind, i);
}

const gls_measure_type *gls_measure_type_of(const gls_measure *measure) {
    if (!measure) return NULL;
    return measure->type;
}

const char *gls_measure_full_name(const char *name) {
    return strcmp(name, "noise") == 0 ? "noise_norm" : name;
}

/* ---- a sample that is left to the run ---- */

bool gls_measure_sample_is_automatic(const gls_value *entry) {
    const gls_value *sample = entry && entry->kind == GLS_VALUE_MAP ? gls_value_get(entry, "sample") : NULL;
    return sample && sample->kind == GLS_VALUE_TEXT && strcmp(sample->text, "auto") == 0;
}

static const gls_option *sample_row(const gls_measure_type *type) {
    for (const gls_option *o = type->member.options; o && o->key; o++)
        if (strcmp(o->key, "sample") == 0) return o;
    return NULL;
}

gls_status gls_measure_shrink(gls_measure *m, double most, int64_t batch, double *cost) {
    const created *c = (const created *)m;
    for (;;) {
        *cost = m->type->cost(m, m->examples, batch);
        if (!c->least_sample || *cost <= most) return GLS_OK;
        const char *options = gls_options_struct(c->options);
        int64_t sample = *(const int64_t *)(const void *)(options + sample_row(m->type)->offset);
        int64_t half = (sample < 0 || sample > m->examples ? m->examples : sample) / 2;
        if (half < c->least_sample) return GLS_OK;
        GLS_TRY(gls_options_set_real(c->options, "sample", (double)half));
    }
}

/* ---- the object ---- */

/* except: and `sample`, where it is left to the run. */
static gls_status read_options(created *c, const gls_value *options, const char *const *except) {
    enum { MOST = 8 };
    const gls_member *member = &c->measure.type->member;
    const char *keys[MOST] = {"sample"};
    if (!gls_measure_sample_is_automatic(options) || !sample_row(c->measure.type))
        return gls_member_options(c->measure.ctx, member, member->name, options, except, &c->options);
    for (int i = 0; except && except[i] && i + 2 < MOST; i++) keys[i + 1] = except[i];
    c->least_sample = c->measure.type->least_sample;
    return gls_member_options(c->measure.ctx, member, member->name, options, keys, &c->options);
}

static gls_status set_up(created *c, const gls_value *options, const char *const *except) {
    gls_measure *m = &c->measure;
    GLS_TRY(read_options(c, options, except));
    m->options = gls_options_struct(c->options);
    m->self = gls_alloc(m->ctx, 1, m->type->self_size);
    if (!m->self) return GLS_ERR_MEMORY;
    return m->type->create ? m->type->create(m) : GLS_OK;
}

gls_status gls_measure_create(gls_context *ctx, const char *name, const gls_value *options, const char *const *except,
                              int64_t parameters, int64_t examples, gls_measure **out) {
    GLS_GIVEN(ctx, ctx, name, out);
    *out = NULL;
    const gls_member *member = gls_member_find(ctx, &gls_measure_kind, gls_measure_full_name(name));
    if (!member) return GLS_ERR_ARGUMENT;
    created *c = gls_alloc(ctx, 1, sizeof *c);
    if (!c) return GLS_ERR_MEMORY;
    c->measure.type = (const gls_measure_type *)(const void *)member;
    c->measure.ctx = ctx;
    c->measure.parameters = parameters;
    c->measure.examples = examples;
    c->measure.needs = c->measure.type->needs;
    gls_status status = set_up(c, options, except);
    if (status != GLS_OK) {
        gls_measure_destroy(&c->measure);
        return status;
    }
    *out = &c->measure;
    return GLS_OK;
}

void gls_measure_destroy(gls_measure *measure) {
    if (!measure) return;
    created *c = (created *)measure;
    if (measure->self && measure->type->destroy) measure->type->destroy(measure);
    gls_free(measure->ctx, measure->self);
    gls_options_destroy(c->options);
    gls_free(measure->ctx, c);
}

static gls_status check_input(const gls_measure *m, const gls_measure_input *in) {
    unsigned needs = m->needs;
    const char *name = m->type->member.name, *absent = NULL;
    if (in->size != sizeof *in)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "gls_measure_input.size is %zu, expected %zu", in->size, sizeof *in);
    if (!in->problem || !in->pass || !in->source || !in->w)
        absent = "a problem, a pass, a source and w";
    else if ((needs & GLS_MEASURE_PREVIOUS) && !in->w_previous)
        absent = "the weights before the step";
    else if ((needs & GLS_MEASURE_GRADIENT) && !in->g)
        absent = "the gradient that the step used";
    else if ((needs & GLS_MEASURE_OTHER) && !in->w_other)
        absent = "the weights of a second run";
    else if ((needs & GLS_MEASURE_LR) && !(in->lr > 0))
        absent = "the learning rate";
    else if ((needs & GLS_MEASURE_NORMS) && in->step_examples < 1)
        absent = "norms of the step's examples: the estimator `mean` with `ledger: true`";
    if (absent) return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "measure '%s' needs %s", name, absent);
    return GLS_OK;
}

/* A question that the problem refuses is an answer too: the refusal's sentence. */
static gls_status settle(const gls_measure *m, gls_status status, double begin, gls_measure_result *result) {
    result->measure = m->type->member.name;
    if (status == GLS_ERR_UNSUPPORTED) {
        char *why = gls_strdup(m->ctx, gls_context_message(m->ctx));
        if (!why) return GLS_ERR_MEMORY;
        gls_measure_result_clear(result);
        result->measure = m->type->member.name;
        result->meaningless = why;
        status = GLS_OK;
    }
    result->seconds = gls_seconds() - begin;
    return status;
}

gls_status gls_measure_run(gls_measure *m, const gls_measure_input *input, gls_measure_result *result) {
    GLS_GIVEN(m ? m->ctx : NULL, m, input, result);
    double begin = gls_seconds();
    gls_measure_result_clear(result);
    GLS_TRY(check_input(m, input));
    if (!m->type->problem)
        return gls_fail(m->ctx, GLS_ERR_UNSUPPORTED, "measure '%s' has no meaning on a problem", m->type->member.name);
    return settle(m, m->type->problem(m, input, result), begin, result);
}

static gls_status check_matrix(gls_context *ctx, const gls_measure_matrix *matrix) {
    if (matrix->n < 1 || matrix->d < 1) {
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "a matrix of gradients must not be empty; this one is [%lld, %lld]",
                        (long long)matrix->n, (long long)matrix->d);
    }
    for (int64_t i = 0; i < matrix->n; i++) {
        for (int64_t k = 0; k < matrix->d; k++) {
            if (isfinite(matrix->g[i * matrix->d + k])) continue;
            return gls_fail(ctx, GLS_ERR_NONFINITE, "the matrix of gradients is not finite at row %lld, column %lld",
                            (long long)i, (long long)k);
        }
    }
    return GLS_OK;
}

gls_status gls_measure_run_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *result) {
    GLS_GIVEN(m ? m->ctx : NULL, m, matrix, result);
    double begin = gls_seconds();
    gls_measure_result_clear(result);
    if (!m->type->matrix) {
        return gls_fail(m->ctx, GLS_ERR_UNSUPPORTED,
                        "measure '%s' needs a problem; a matrix of gradients is not enough", m->type->member.name);
    }
    GLS_TRY(check_matrix(m->ctx, matrix));
    result->sample = matrix->n;
    result->population = matrix->sample ? 0 : matrix->n;
    return settle(m, m->type->matrix(m, matrix, result), begin, result);
}

gls_status gls_measure_arrays(gls_measure *m, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(NULL, m, prefix, arrays);
    return m->type->arrays ? m->type->arrays(m, prefix, arrays) : GLS_OK;
}
