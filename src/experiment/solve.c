/* Work of kind solve: repetitions of a method on an analytic problem, means over them. */
#include <math.h>
#include <string.h>

#include "experiment/experiment.h"
#include <glissade/problem.h>
#include <glissade/run.h>

enum { MARKS = 64 }; /* steps at which figures are read, evenly spread on a logarithmic axis */

typedef struct solving {
    int64_t steps, batch, repeat, seed;
    int order;
    gls_reals init;
} solving;

static const gls_option number_item = {.type = GLS_OPTION_REAL};
static const gls_option table[] = {
    GLS_INT("steps", solving, steps, "1000", 1, 1e9, "answers told"),
    GLS_INT("batch", solving, batch, "1", 0, 1e9, "rows of a gradient; 0: every example once"),
    GLS_INT("repeat", solving, repeat, "1", 1, 1e6, "repetitions"),
    GLS_INT("seed", solving, seed, "1", 0, INFINITY, "of the noise"),
    GLS_ENUM("order", solving, order, "replacement", "replacement|sequential", "order of examples"),
    GLS_LIST("init", solving, init, NULL, 0, 1e6, &number_item, "start: one number for all coordinates, or each"),
    {0}};

/* Room for one job. */
typedef struct room {
    gls_solution *solution;
    gls_figures *figures;
    int64_t mark[MARKS], marks;
    gls_real *init;
} room;

static void place_marks(room *m, int64_t steps) {
    m->mark[0] = 0;
    m->marks = 1;
    for (int i = 1; i < MARKS; i++) {
        int64_t at = (int64_t)floor(pow((double)steps, (double)i / (MARKS - 1)) + 0.5);
        if (at > m->mark[m->marks - 1]) m->mark[m->marks++] = at;
    }
}

/* Figures at the end and over the way, means over repetitions; one that diverged makes them infinite. */
static void keep(const gls_problem *problem, const room *m, const solving *o, json_t *outcome) {
    static const char *const name[] = {"value", "gradient_norm", "mean_norm", "least_norm", "mean_value", "regret"};
    const gls_constants *known = gls_analytic_constants(problem);
    double sum[6] = {0}, gone = 0, minimum = known ? known->minimum : NAN;
    for (int64_t r = 0; r < o->repeat; r++) {
        const gls_solution *s = &m->solution[r];
        const double value[6] = {s->end.value,  s->end.gradient_norm, s->mean_norm,
                                 s->least_norm, s->mean_value,        s->mean_batch_value - minimum};
        for (int k = 0; k < 6; k++) sum[k] += value[k] / (double)o->repeat;
        gone += (double)s->diverged / (double)o->repeat;
    }
    for (int k = 0; k < 6; k++) gls_experiment_outcome_figure(outcome, name[k], gone > 0 ? NAN : sum[k]);
    gls_experiment_outcome_figure(outcome, "excess", gone > 0 ? NAN : sum[0] - minimum);
    gls_experiment_outcome_figure(outcome, "diverged_share", gone);
    for (int64_t i = 0; i < m->marks; i++) {
        double value = 0, norm = 0;
        for (int64_t r = 0; r < o->repeat; r++) {
            value += m->figures[r * m->marks + i].value / (double)o->repeat;
            norm += m->figures[r * m->marks + i].gradient_norm / (double)o->repeat;
        }
        gls_experiment_outcome_point(outcome, "value", m->mark[i], NAN, value);
        gls_experiment_outcome_point(outcome, "excess", m->mark[i], NAN, value - minimum);
        gls_experiment_outcome_point(outcome, "gradient_norm", m->mark[i], NAN, norm);
    }
    if (gone > 0) json_object_set_new(outcome, "diverged", json_true());
}

static gls_status place_start(const gls_experiment_job *job, const gls_problem *problem, const solving *o, room *m) {
    int64_t d = gls_problem_size(problem);
    if (!o->init.count) return GLS_OK;
    if (o->init.count != 1 && o->init.count != d)
        return gls_fail(job->ctx, GLS_ERR_ARGUMENT, "solve.init: %lld numbers, expected 1 or %lld",
                        (long long)o->init.count, (long long)d);
    if (!(m->init = gls_alloc(job->child, d, sizeof *m->init))) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < d; i++) m->init[i] = (gls_real)o->init.item[o->init.count == 1 ? 0 : i];
    return GLS_OK;
}

static gls_status solve_with(gls_experiment_job *job, gls_problem *problem, const solving *o, room *m) {
    m->solution = gls_alloc(job->child, o->repeat, sizeof *m->solution);
    m->figures = gls_alloc(job->child, o->repeat * MARKS, sizeof *m->figures);
    if (!m->solution || !m->figures) return GLS_ERR_MEMORY;
    place_marks(m, o->steps);
    GLS_TRY(place_start(job, problem, o, m));
    gls_solve_options options = {.size = sizeof options,
                                 .method = gls_value_get(job->config, "method"),
                                 .estimator = gls_value_get(job->config, "estimator"),
                                 .average = gls_value_get(job->config, "average"),
                                 .steps = o->steps,
                                 .batch = o->batch,
                                 .order = (gls_order)o->order,
                                 .repeat = o->repeat,
                                 .seed = (uint64_t)o->seed,
                                 .init = m->init,
                                 .follow = true,
                                 .marks = m->marks,
                                 .mark = m->mark};
    return gls_solve(problem, &options, m->solution, NULL, m->figures);
}

static gls_status solve_in(gls_experiment_job *job, const void *section, json_t *outcome) {
    const solving *o = section;
    const gls_value *given = gls_value_get(job->config, "problem"), *name = given ? gls_value_get(given, "name") : NULL;
    if (!name || name->kind != GLS_VALUE_TEXT)
        return gls_fail(job->ctx, GLS_ERR_ARGUMENT, "config: expected problem.name");
    gls_problem *problem = NULL;
    room m = {0};
    gls_experiment_job_look(job, 0);
    gls_status status = gls_problem_create(job->child, name->text, given, NULL, &problem);
    if (status == GLS_OK) status = solve_with(job, problem, o, &m);
    if (status == GLS_OK) keep(problem, &m, o, outcome);
    if (status != GLS_OK && *gls_context_message(job->child))
        gls_fail(job->ctx, status, "%s", gls_context_message(job->child));
    gls_free(job->child, m.init);
    gls_free(job->child, m.figures);
    gls_free(job->child, m.solution);
    gls_problem_destroy(problem);
    return status;
}

static gls_status run(gls_experiment_job *job, json_t *outcome) {
    return gls_experiment_job_by(job, "solve", table, sizeof(solving), false, solve_in, outcome);
}

const gls_experiment_kind gls_experiment_solve = {.name = "solve", .seed_key = "solve.seed", .run = run};
