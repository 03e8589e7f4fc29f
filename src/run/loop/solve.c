/* Repetitions of a method on a problem that fits in a worker: no pass, no team inside; each repetition is a task. */
#include <glissade/run.h>

#include <math.h>
#include <string.h>

#include "base/kernels.h"
#include "run/training/step.h"

/* Draws of one repetition; the next repetition's begin this far on. */
#define REPETITION_DRAWS ((uint64_t)1 << 40)

typedef struct job {
    gls_problem *problem;
    const gls_solve_options *options;
    gls_solution *solution;
    gls_real *point;
    gls_figures *figures;
    int64_t examples, rows;
} job;

/* One repetition's own things. */
typedef struct repetition {
    const job *job;
    gls_context *ctx;
    int64_t number, d;
    gls_solution *solution;
    gls_method *method;
    gls_estimator *estimator;
    gls_pass *pass;
    gls_average *average;
    gls_point *at, *direction, *result;
    gls_evaluation *noisy, *exact;
    gls_real *w, *g, *output, *exact_gradient;
    int64_t *index, *slot, *all;
    gls_batch batch, whole;
    uint64_t draw;
    int64_t marked;
    const gls_real *told; /* the gradient last told, NULL to a value */
    gls_figures now;      /* with follow: of w before the present step */
    int64_t batch_values; /* in the sum of the solution's mean_batch_value */
} repetition;

static uint64_t own_seed(const job *j, int64_t number) {
    gls_random random = gls_random_create(j->options->seed, "repetition", (uint64_t)number, 0);
    uint64_t high = gls_random_u32(&random);
    return high << 32 | gls_random_u32(&random);
}

static void next_batch(repetition *r) {
    const job *j = r->job;
    uint64_t draw = (uint64_t)r->number * REPETITION_DRAWS + r->draw++;
    r->batch.draw = draw;
    if (j->examples == 1 || j->options->batch == 0) return;
    if (j->options->order == GLS_ORDER_SEQUENTIAL) {
        uint64_t first = (r->draw - 1) * (uint64_t)j->rows;
        for (int64_t i = 0; i < j->rows; i++) r->index[i] = (int64_t)((first + (uint64_t)i) % (uint64_t)j->examples);
        return;
    }
    gls_random random = gls_random_create(j->options->seed, "examples", draw, 0);
    for (int64_t i = 0; i < j->rows; i++) r->index[i] = gls_random_below(&random, j->examples);
}

/* ---- answers ---- */

/* The loss on a gradient's own rows: what the regret of an order of examples is made of. */
static void count_batch_value(repetition *r, double value) {
    r->solution->mean_batch_value += value;
    r->batch_values++;
}

/* The noisy oracle: sums over the draws, divided by their number. An oracle that gives value and gradient counts in
 * both call counters. */
static gls_status evaluate(repetition *r, const gls_query *query, gls_answer *answer) {
    bool gradient = query->kind != GLS_QUERY_VALUE, oracle = query->kind == GLS_QUERY_ORACLE;
    gls_evaluate_args args = {.point = r->at,
                              .rows = &r->batch,
                              .want = gradient ? GLS_WANT_GRADIENT : 0,
                              .mode = GLS_MODE_TRAIN,
                              .batch_mass = (double)r->job->rows,
                              .batch_rows = r->job->rows,
                              .seed = r->job->options->seed};
    GLS_TRY(gls_point_set(r->at, query->at));
    if (gradient && query->direction) {
        GLS_TRY(gls_point_set(r->direction, query->direction));
        args.direction = r->direction;
        args.want |= GLS_WANT_ORACLE;
    }
    GLS_TRY(gls_evaluate(r->noisy, &args));
    *answer = (gls_answer){.value = NAN, .norm2 = NAN, .epoch = NAN};
    if (!gradient || oracle) {
        GLS_TRY(gls_ask_loss(r->noisy, &answer->value));
        answer->value /= (double)r->job->rows;
        r->solution->values++;
    }
    if (!gradient) return GLS_OK;
    if (r->job->options->follow && r->job->examples > 1) {
        double loss;
        GLS_TRY(gls_ask_loss(r->noisy, &loss));
        count_batch_value(r, loss / (double)r->job->rows);
    }
    gls_fill(r->g, 0, r->d);
    GLS_TRY(gls_ask_gradient(r->noisy, GLS_PRODUCT_GRADIENT, NULL, r->g));
    if (r->job->rows > 1) gls_scale(r->g, 1 / (double)r->job->rows, r->d);
    r->solution->gradients++;
    answer->g = r->g;
    return GLS_OK;
}

static gls_status estimate(repetition *r, const gls_query *query, gls_answer *answer) {
    if (query->kind != GLS_QUERY_GRADIENT)
        return gls_fail(r->ctx, GLS_ERR_ARGUMENT, "an estimator needs a method that asks for nothing but gradients");
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &r->batch);
    gls_estimate estimate;
    gls_record record;
    gls_record_clear(&record);
    GLS_TRY(gls_estimator_estimate(r->estimator, r->pass, query->at, &stream.stream, 0, r->g, &estimate, &record));
    r->solution->gradients++;
    if (r->job->options->follow && r->job->examples > 1) count_batch_value(r, estimate.loss);
    *answer = (gls_answer){.value = NAN, .g = r->g, .norm2 = estimate.norm2, .epoch = NAN};
    return GLS_OK;
}

/* ---- figures of the true function ---- */

/* In evaluation mode, without noise and on every example, with buffers of its own: looking leaves the repetition's
 * numbers as they are. */
static gls_status look(repetition *r, const gls_real *w, gls_figures *out) {
    gls_evaluate_args args = {.point = r->result,
                              .rows = &r->whole,
                              .want = GLS_WANT_GRADIENT,
                              .mode = GLS_MODE_EVALUATE,
                              .batch_mass = (double)r->whole.rows,
                              .batch_rows = r->whole.rows,
                              .seed = r->job->options->seed};
    double share = 1 / (double)r->whole.rows;
    GLS_TRY(gls_point_set(r->result, w));
    GLS_TRY(gls_evaluate(r->exact, &args));
    GLS_TRY(gls_ask_loss(r->exact, &out->value));
    gls_fill(r->exact_gradient, 0, r->d);
    GLS_TRY(gls_ask_gradient(r->exact, GLS_PRODUCT_GRADIENT, NULL, r->exact_gradient));
    out->value *= share;
    out->gradient_norm = share * sqrt(gls_sum_squares(r->exact_gradient, r->d));
    const gls_constants *known = gls_analytic_constants(r->job->problem);
    out->distance = known && known->minimizer ? sqrt(gls_distance_squares(w, known->minimizer, r->d)) : NAN;
    return GLS_OK;
}

/* What the repetition would give if it stopped now. */
static const gls_real *result_of(repetition *r) {
    if (r->average) return gls_average_value(r->average, r->output) ? r->output : r->w;
    const gls_real *own = gls_method_output(r->method, r->w);
    return own ? own : r->w;
}

static gls_status mark(repetition *r, int64_t step) {
    const gls_solve_options *o = r->job->options;
    if (!r->job->figures) return GLS_OK;
    while (r->marked < o->marks && o->mark[r->marked] <= step) {
        GLS_TRY(look(r, result_of(r), &r->job->figures[r->number * o->marks + r->marked]));
        r->marked++;
    }
    return GLS_OK;
}

static gls_status follow(repetition *r) {
    const gls_solve_options *o = r->job->options;
    const gls_constants *known = gls_analytic_constants(r->job->problem);
    gls_solution *s = r->solution;
    GLS_TRY(look(r, r->w, &r->now));
    s->mean_norm += r->now.gradient_norm;
    s->mean_norm2 += r->now.gradient_norm * r->now.gradient_norm;
    s->mean_value += r->now.value;
    s->least_norm = fmin(s->least_norm, r->now.gradient_norm);
    if (s->first_hit < 0 && r->now.gradient_norm <= o->epsilon) s->first_hit = s->steps;
    if (s->first_value_hit < 0 && o->value_epsilon > 0 && known && r->now.value - known->minimum <= o->value_epsilon)
        s->first_value_hit = s->steps;
    return GLS_OK;
}

/* ---- one repetition ---- */

static gls_status make_batches(repetition *r) {
    const job *j = r->job;
    int64_t all = j->examples > j->rows ? j->examples : j->rows;
    r->index = gls_alloc(r->ctx, j->rows, sizeof *r->index);
    r->slot = gls_alloc(r->ctx, all, sizeof *r->slot);
    r->all = gls_alloc(r->ctx, j->examples, sizeof *r->all);
    if (!r->index || !r->slot || !r->all) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < all; i++) r->slot[i] = i;
    for (int64_t i = 0; i < j->examples; i++) r->all[i] = i;
    if (j->examples > 1 && j->options->batch == 0) memcpy(r->index, r->all, (size_t)j->rows * sizeof *r->index);
    r->batch = (gls_batch){.rows = j->rows, .index = r->index, .slot = r->slot};
    r->whole = (gls_batch){.rows = j->examples, .index = r->all, .slot = r->slot};
    return GLS_OK;
}

static gls_status make_vectors(repetition *r) {
    r->w = gls_alloc(r->ctx, r->d, sizeof *r->w);
    r->g = gls_alloc(r->ctx, r->d, sizeof *r->g);
    r->output = gls_alloc(r->ctx, r->d, sizeof *r->output);
    r->exact_gradient = gls_alloc(r->ctx, r->d, sizeof *r->exact_gradient);
    return r->w && r->g && r->output && r->exact_gradient ? GLS_OK : GLS_ERR_MEMORY;
}

/* Everything that moves is the repetition's own, with a seed of its own; only the problem is shared, and it is read. */
static gls_status prepare(repetition *r) {
    const gls_solve_options *o = r->job->options;
    gls_problem *problem = r->job->problem;
    uint64_t seed = own_seed(r->job, r->number);
    GLS_TRY(make_vectors(r));
    GLS_TRY(make_batches(r));
    GLS_TRY(gls_point_create(problem, &r->at));
    GLS_TRY(gls_point_create(problem, &r->direction));
    GLS_TRY(gls_point_create(problem, &r->result));
    GLS_TRY(
        gls_evaluation_create(problem, r->job->rows, GLS_WANT_GRADIENT | GLS_WANT_ORACLE, GLS_MODE_TRAIN, &r->noisy));
    GLS_TRY(gls_evaluation_create(problem, r->job->examples, GLS_WANT_GRADIENT, GLS_MODE_EVALUATE, &r->exact));
    if (o->estimator) {
        GLS_TRY(gls_estimator_create(problem, o->estimator, o->seed, &r->estimator));
        GLS_TRY(gls_pass_create(problem, NULL, &r->pass));
    }
    if (o->average) GLS_TRY(gls_average_create(r->ctx, r->d, o->average, seed, &r->average));
    gls_method_options method = {.size = sizeof method,
                                 .layout = gls_problem_layout(problem),
                                 .spec = o->method,
                                 .total_steps = (double)o->steps,
                                 .seed = seed};
    GLS_TRY(gls_method_create(r->ctx, &method, &r->method));
    if (!o->init) return gls_problem_initialize(problem, seed, r->w);
    memcpy(r->w, o->init, (size_t)r->d * sizeof *r->w);
    return GLS_OK;
}

/* A repetition that ends at its first hit gives no answer there. */
static gls_status answer(void *user, const gls_query *query, gls_answer *out, bool *given) {
    repetition *r = user;
    const gls_solve_options *o = r->job->options;
    if (o->follow) GLS_TRY(follow(r));
    *given = !(o->follow && o->stop && r->solution->first_hit >= 0);
    if (!*given) return GLS_OK;
    if (!query->same_batch || r->draw == 0) next_batch(r);
    GLS_TRY(r->estimator ? estimate(r, query, out) : evaluate(r, query, out));
    r->told = out->g;
    return GLS_OK;
}

/* The problem is shared with the other repetitions: nothing is committed to it. */
static gls_status step(repetition *r, bool *done) {
    const gls_solve_options *o = r->job->options;
    gls_step_report report;
    gls_stepper_end end;
    gls_stepper stepper = {
        .method = r->method, .w = r->w, .average = r->average, .size = r->d, .answer = answer, .user = r};
    GLS_TRY(gls_training_step(&stepper, &report, &end));
    r->solution->ended = end == GLS_STEP_DONE;
    r->solution->diverged = end == GLS_STEP_REFUSED || end == GLS_STEP_OVERFLOWED;
    *done = end != GLS_STEP_TAKEN;
    if (*done) return GLS_OK;
    r->solution->steps++;
    GLS_TRY(mark(r, r->solution->steps));
    if (!o->observe) return GLS_OK;
    gls_solve_state state = {r->number,
                             r->solution->steps,
                             r->w,
                             r->told,
                             &report,
                             r->method,
                             o->follow ? &r->now : NULL,
                             o->follow ? r->solution : NULL};
    return o->observe(o->user, &state);
}

static gls_status run(repetition *r) {
    const gls_solve_options *o = r->job->options;
    gls_solution *s = r->solution;
    *s = (gls_solution){.first_hit = -1, .first_value_hit = -1, .least_norm = INFINITY};
    GLS_TRY(prepare(r));
    GLS_TRY(mark(r, 0));
    bool done = false;
    while (!done && s->steps < o->steps && !gls_interrupted(r->ctx)) GLS_TRY(step(r, &done));
    GLS_TRY(look(r, result_of(r), &s->end));
    GLS_TRY(mark(r, INT64_MAX));
    double steps = s->steps > 0 && o->follow ? (double)s->steps : NAN;
    s->mean_norm /= steps;
    s->mean_norm2 /= steps;
    s->mean_value /= steps;
    s->mean_batch_value /= r->batch_values ? (double)r->batch_values : NAN;
    if (r->job->point) memcpy(r->job->point + r->number * r->d, result_of(r), (size_t)r->d * sizeof *r->w);
    gls_solve_state state = {r->number, s->steps, r->w, NULL, NULL, r->method, NULL, NULL};
    return o->finish ? o->finish(o->user, &state) : GLS_OK;
}

static void clear(repetition *r) {
    gls_method_destroy(r->method);
    gls_average_destroy(r->average);
    gls_estimator_destroy(r->estimator);
    gls_pass_destroy(r->pass);
    gls_evaluation_destroy(r->noisy);
    gls_evaluation_destroy(r->exact);
    gls_point_destroy(r->at);
    gls_point_destroy(r->direction);
    gls_point_destroy(r->result);
    void *blocks[] = {r->w, r->g, r->output, r->exact_gradient, r->index, r->slot, r->all};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) gls_free(r->ctx, blocks[i]);
}

static gls_status task(void *user, int64_t number, int worker) {
    const job *j = user;
    repetition r = {.job = j,
                    .ctx = j->problem->ctx,
                    .number = number,
                    .d = gls_problem_size(j->problem),
                    .solution = &j->solution[number]};
    gls_status status = run(&r);
    clear(&r);
    return status;
}

gls_status gls_solve(gls_problem *problem, const gls_solve_options *options, gls_solution *solution, gls_real *point,
                     gls_figures *figures) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem, options, solution);
    gls_context *ctx = problem->ctx;
    if (options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_solve_options of %zu bytes, expected %zu", options->size,
                        sizeof *options);
    if (options->steps < 0 || options->repeat < 1 || options->batch < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "solve: steps is %lld, repeat %lld, batch %lld; expected at least 0, 1 and 0",
                        (long long)options->steps, (long long)options->repeat, (long long)options->batch);
    if (problem->data.features > 0 || problem->data.length > 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "problem '%s' needs data; solve is for problems that need none",
                        problem->type->member.name);
    job j = {problem, options, solution, point, figures, problem->data.examples, options->batch};
    if (j.rows == 0) j.rows = j.examples;
    GLS_TRY(gls_parallel(ctx, options->repeat, task, &j));
    return gls_interrupted(ctx) ? gls_fail(ctx, GLS_ERR_INTERRUPTED, "interrupted") : GLS_OK;
}
