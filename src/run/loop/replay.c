/* Recorded gradients through a method: with an estimator the recorded problem and the ordinary pass, without one each
 * gradient as it is. */
#include <math.h>
#include <string.h>

#include <glissade/run.h>

#include "base/kernels.h"
#include "run/training/step.h"

typedef struct replay {
    gls_context *ctx;
    const gls_replay_options *options;
    gls_layout *layout;
    gls_problem *problem;
    gls_pass *pass;
    gls_estimator *estimator;
    gls_source *source;
    gls_loader *loader;
    gls_method *method;
    int64_t *index;
    gls_real *g;
    bool loaded;  /* a mini-batch is in front */
    int64_t step; /* the gradient that is next */
} replay;

static void clear(replay *r) {
    gls_method_destroy(r->method);
    gls_loader_destroy(r->loader);
    gls_source_destroy(r->source);
    gls_estimator_destroy(r->estimator);
    gls_pass_destroy(r->pass);
    gls_problem_destroy(r->problem);
    gls_layout_destroy(r->layout);
    gls_free(r->ctx, r->index);
    gls_free(r->ctx, r->g);
}

static gls_status prepare_estimator(replay *r) {
    const gls_replay_options *o = r->options;
    GLS_TRY(gls_problem_create_recorded(r->ctx, o->gradients, o->steps, o->examples, o->parameters, &r->problem));
    gls_pass_options pass = {.size = sizeof pass};
    GLS_TRY(gls_pass_create(r->problem, &pass, &r->pass));
    GLS_TRY(gls_estimator_create(r->problem, o->estimator, gls_context_seed(r->ctx), &r->estimator));
    GLS_TRY(gls_source_indices(r->ctx, o->examples, NULL, &r->source));
    gls_loader_options loader = {.size = sizeof loader,
                                 .wave = gls_pass_plan(r->pass, o->examples).wave,
                                 .align = gls_estimator_group(r->estimator),
                                 .seed = gls_context_seed(r->ctx)};
    GLS_TRY(gls_loader_create(r->ctx, r->source, &loader, &r->loader));
    r->index = gls_alloc(r->ctx, o->examples, sizeof *r->index);
    r->g = gls_alloc(r->ctx, o->parameters, sizeof *r->g);
    if (!r->index || !r->g) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < o->examples; i++) r->index[i] = i;
    return GLS_OK;
}

static gls_status prepare(replay *r) {
    const gls_replay_options *o = r->options;
    if (o->init && gls_count_nonfinite(o->init, o->parameters))
        return gls_fail(r->ctx, GLS_ERR_INPUT, "the initial weights: %lld of %lld are not finite",
                        (long long)gls_count_nonfinite(o->init, o->parameters), (long long)o->parameters);
    GLS_TRY(gls_layout_create(r->ctx, &r->layout));
    GLS_TRY(gls_layout_add(r->layout, "w", 1, &o->parameters, 0));
    gls_method_options method = {.size = sizeof method,
                                 .layout = r->layout,
                                 .spec = o->method,
                                 .total_steps = (double)o->steps,
                                 .seed = gls_context_seed(r->ctx)};
    GLS_TRY(gls_method_create(r->ctx, &method, &r->method));
    return o->estimator ? prepare_estimator(r) : GLS_OK;
}

/* The gradient recorded for the present step, through the estimator where there is one. */
static gls_status answer(void *user, const gls_query *query, gls_answer *out, bool *given) {
    replay *r = user;
    const gls_replay_options *o = r->options;
    (void)given;
    if (query->kind == GLS_QUERY_VALUE)
        return gls_fail(r->ctx, GLS_ERR_UNSUPPORTED,
                        "%s asks for function values, which recorded gradients do not "
                        "have",
                        gls_method_name(r->method));
    *out =
        (gls_answer){.value = NAN, .g = o->gradients + r->step * o->parameters, .norm2 = NAN, .epoch = (double)r->step};
    if (!o->estimator) return GLS_OK;
    gls_stream *rows;
    gls_estimate estimate;
    gls_record record = {0};
    if (r->loaded) gls_loader_pop(r->loader);
    r->loaded = true;
    GLS_TRY(gls_loader_push(r->loader, r->index, o->examples, (uint64_t)r->step));
    GLS_TRY(gls_loader_front(r->loader, &rows));
    GLS_TRY(gls_estimator_estimate(r->estimator, r->pass, query->at, rows, 0, r->g, &estimate, &record));
    out->value = estimate.loss;
    out->g = r->g;
    out->norm2 = estimate.norm2;
    return GLS_OK;
}

static gls_status take_step(replay *r, gls_real *w, gls_step_report *report) {
    const gls_replay_options *o = r->options;
    gls_stepper stepper = {.method = r->method, .w = w, .size = o->parameters, .answer = answer, .user = r};
    gls_stepper_end end;
    GLS_TRY(gls_training_step(&stepper, report, &end));
    if (end == GLS_STEP_DONE)
        return gls_fail(r->ctx, GLS_ERR_UNSUPPORTED, "%s ended after %lld of %lld recorded gradients",
                        gls_method_name(r->method), (long long)r->step, (long long)o->steps);
    if (end == GLS_STEP_REFUSED)
        return gls_fail(r->ctx, GLS_ERR_NONFINITE, "gradient %lld of %lld is not finite", (long long)r->step + 1,
                        (long long)o->steps);
    if (end == GLS_STEP_OVERFLOWED)
        return gls_fail(r->ctx, GLS_ERR_NONFINITE,
                        "step %lld of %lld: the gradient is finite, but the weights after the step are not; try a "
                        "smaller lr",
                        (long long)r->step + 1, (long long)o->steps);
    return GLS_OK;
}

static gls_status play(replay *r, gls_real *w, gls_step_report *report) {
    const gls_replay_options *o = r->options;
    size_t bytes = sizeof *w * (size_t)o->parameters;
    if (o->init)
        memcpy(w, o->init, bytes);
    else
        memset(w, 0, bytes);
    if (o->trajectory) memcpy(o->trajectory, w, bytes);
    for (r->step = 0; r->step < o->steps; r->step++) {
        GLS_TRY(take_step(r, w, report));
        if (o->trajectory) memcpy(o->trajectory + (r->step + 1) * o->parameters, w, bytes);
    }
    return GLS_OK;
}

gls_status gls_replay(gls_context *ctx, const gls_replay_options *options, gls_real *w, gls_step_report *report) {
    GLS_GIVEN(ctx, ctx, options, w);
    if (options->size != sizeof *options || !options->gradients || !options->method || options->parameters < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_replay: size, gradients, method or parameters are not set");
    if (!options->estimator && options->examples > 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "gradients of single examples [steps, examples, parameters] need an "
                        "estimator, as in --estimator mean");
    replay r = {.ctx = ctx, .options = options};
    gls_step_report own = {0};
    gls_status status = prepare(&r);
    if (status == GLS_OK) status = play(&r, w, report ? report : &own);
    clear(&r);
    return status;
}
