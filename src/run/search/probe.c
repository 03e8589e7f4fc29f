/* Probes: a method, an estimator and an order of examples of their own on one training's data and problem, a step at a
 * time by gls_training_step. */
#include "run/search/probe.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "base/clock.h"
#include "run/loop/run.h"

/* A probe has diverged when its smoothed loss is this many times where it began. Smoothing over about five mini-batches
 * tells that from the noise of one. */
static const double too_high = 1.5, smoothing = 0.8;
/* Steps before the smoothed loss is taken for one: until then it is little more than the first mini-batches. */
enum { FIRST_STEPS = 3 };
/* Shorter probes are mostly set-up: their pace says nothing. */
enum { TIMED_STEPS = 20 };

double gls_prober_now(void) {
    return gls_seconds();
}

/* ---- what all probes share ---- */

/* Evenly spread over the set, so that sorted data are held in all their parts. */
static gls_status hold(gls_prober *p, int64_t most) {
    const gls_training_sets *set = &p->training->set;
    const gls_source *from = set->validation ? set->validation : set->train;
    int64_t n = from->info.examples, count = gls_least(n, most);
    p->held_name = set->validation ? "validation" : "training";
    int64_t *index = gls_alloc(p->ctx, count, sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) index[i] = i * n / count;
    gls_status status = gls_source_subset(p->ctx, from, index, count, &p->held);
    gls_free(p->ctx, index);
    return status;
}

static gls_status set_up(gls_prober *p, const gls_value *config, int64_t held) {
    GLS_TRY(gls_comm_agree(p->ctx, gls_training_create(p->ctx, config, false, &p->training)));
    GLS_TRY(hold(p, held));
    gls_pass_options pass = {.size = sizeof pass, .span = p->training->train->bn_span};
    GLS_TRY(gls_pass_create(p->training->problem, &pass, &p->pass));
    int64_t d = gls_problem_size(p->training->problem), s = gls_layout_size(p->training->problem->state_layout);
    p->start = gls_alloc(p->ctx, 4 * d, sizeof *p->start);
    p->state = gls_alloc(p->ctx, s, sizeof *p->state);
    if (!p->start || !p->state) return GLS_ERR_MEMORY;
    p->w = p->start + d;
    p->previous = p->w + d;
    p->g = p->previous + d;
    memcpy(p->start, p->training->w, (size_t)d * sizeof *p->start);
    if (p->training->problem->state) memcpy(p->state, p->training->problem->state, (size_t)s * sizeof *p->state);
    double score;
    return gls_training_evaluate(p->training, p->held, p->start, &p->start_loss, &score);
}

gls_status gls_prober_create(gls_context *ctx, const gls_value *config, int64_t held, gls_prober **out) {
    *out = NULL;
    gls_prober *p = gls_alloc(ctx, 1, sizeof *p);
    if (!p) return GLS_ERR_MEMORY;
    p->ctx = ctx;
    gls_status status = set_up(p, config, held);
    if (status == GLS_OK)
        *out = p;
    else
        gls_prober_destroy(p);
    return status;
}

void gls_prober_destroy(gls_prober *p) {
    if (!p) return;
    gls_source_destroy(p->held);
    gls_pass_destroy(p->pass);
    gls_training_destroy(p->training);
    gls_free(p->ctx, p->start);
    gls_free(p->ctx, p->state);
    gls_free(p->ctx, p);
}

/* ---- one probe ---- */

typedef struct machine {
    gls_prober *p;
    const gls_probe *probe;
    gls_method *method;
    gls_schedule *schedule; /* NULL: the probe has none */
    gls_estimator *estimator;
    gls_sampler *sampler;
    gls_loader *loader;
    int64_t *index;
    double examples;
    gls_estimate estimate; /* of the last answer */
    bool announced;        /* a mini-batch is in front */
    bool diverged;
    double smoothed, weight, first; /* first: smoothed loss after a few steps */
} machine;

static gls_status parse(gls_context *ctx, const char *text, gls_value **out) {
    return gls_config_parse(ctx, "probe", text, (int64_t)strlen(text), out);
}

static gls_status make_method(machine *m) {
    gls_value *spec = NULL;
    int64_t n = m->p->training->set.train->info.examples;
    GLS_TRY(parse(m->p->ctx, m->probe->method, &spec));
    gls_method_options options = {.size = sizeof options,
                                  .layout = gls_problem_layout(m->p->training->problem),
                                  .spec = spec,
                                  .steps_per_epoch = (double)n / (double)m->probe->batch,
                                  .total_steps = (double)m->probe->steps,
                                  .seed = (uint64_t)m->p->training->train->seed};
    gls_status status = gls_method_create(m->p->ctx, &options, &m->method);
    gls_value_destroy(m->p->ctx, spec);
    return status;
}

/* The sampler has the seed of the run: all probes see the same examples in the same order. */
static gls_status make_machine(machine *m) {
    gls_training *t = m->p->training;
    gls_value *spec = NULL;
    uint64_t seed = (uint64_t)t->train->seed;
    GLS_TRY(make_method(m));
    if (m->probe->schedule && !(m->probe->lr_end > 0))
        GLS_TRY(gls_schedule_create(m->p->ctx, "schedule", m->probe->schedule, m->probe->lr,
                                    (double)t->set.train->info.examples / (double)m->probe->batch,
                                    m->probe->run_examples / (double)m->probe->batch, &m->schedule));
    if (m->probe->estimator) GLS_TRY(parse(m->p->ctx, m->probe->estimator, &spec));
    gls_status status = gls_estimator_create(t->problem, spec, seed, &m->estimator);
    gls_value_destroy(m->p->ctx, spec);
    GLS_TRY(status);
    gls_sampler_options sampling = {
        .size = sizeof sampling, .examples = t->set.train->info.examples, .shuffle = true, .seed = seed};
    GLS_TRY(gls_sampler_create(m->p->ctx, &sampling, &m->sampler));
    gls_loader_options loading = {.size = sizeof loading,
                                  .workers = (int)t->train->workers,
                                  .wave = gls_pass_plan(m->p->pass, m->probe->batch).wave,
                                  .align = gls_estimator_group(m->estimator),
                                  .seed = seed,
                                  .augment = true,
                                  .key_column = gls_estimator_key(m->estimator)};
    GLS_TRY(gls_loader_create(m->p->ctx, t->set.train, &loading, &m->loader));
    m->index = gls_alloc(m->p->ctx, m->probe->batch, sizeof *m->index);
    return m->index ? GLS_OK : GLS_ERR_MEMORY;
}

static void clear_machine(machine *m) {
    gls_method_destroy(m->method);
    gls_schedule_destroy(m->schedule);
    gls_estimator_destroy(m->estimator);
    gls_loader_destroy(m->loader);
    gls_sampler_destroy(m->sampler);
    gls_free(m->p->ctx, m->index);
}

/* A probe has gone through as much of the run's schedule as of its own steps. */
static double rate(const machine *m, int64_t t) {
    const gls_probe *probe = m->probe;
    double share = (double)t / (double)probe->steps;
    if (probe->lr_end > 0) return probe->lr * pow(probe->lr_end / probe->lr, share);
    if (m->schedule)
        return gls_schedule_value(m->schedule, (gls_clock){share * probe->run_examples / (double)probe->batch, NAN});
    return probe->power > 0 ? probe->lr * pow(1 - share, probe->power) : probe->lr;
}

static gls_status announce(machine *m) {
    int64_t count;
    uint64_t draw;
    if (m->announced) gls_loader_pop(m->loader);
    m->announced = true;
    GLS_TRY(gls_sampler_next(m->sampler, m->probe->batch, m->index, &count, &draw));
    return gls_loader_push(m->loader, m->index, count, draw);
}

/* Answers on the next mini-batch, or the present one again. An estimator that stops at what is not finite has told that
 * the probe diverged. */
static gls_status answer(void *user, const gls_query *query, gls_answer *out, bool *given) {
    machine *m = user;
    gls_prober *p = m->p;
    gls_stream *rows;
    if (!query->same_batch || !m->announced) GLS_TRY(announce(m));
    GLS_TRY(gls_loader_front(m->loader, &rows));
    gls_status status = gls_training_answer(p->training, p->pass, m->estimator, query, rows, p->g, &m->estimate, NULL);
    m->diverged = status == GLS_ERR_NONFINITE;
    *given = !m->diverged;
    if (m->diverged) return GLS_OK;
    *out = (gls_answer){.value = m->estimate.loss,
                        .g = query->kind == GLS_QUERY_VALUE ? NULL : p->g,
                        .norm2 = m->estimate.norm2,
                        .epoch = NAN};
    return status;
}

/* The loss of step t joins the smoothed one. */
static void judge(machine *m, int64_t t, gls_stepper_end end) {
    m->smoothed = smoothing * m->smoothed + (1 - smoothing) * m->estimate.loss;
    m->weight = smoothing * m->weight + (1 - smoothing);
    double now = m->smoothed / m->weight;
    if (t < FIRST_STEPS) m->first = now;
    m->diverged = end == GLS_STEP_REFUSED || !isfinite(now) || now > m->first + (too_high - 1) * fabs(m->first);
    m->examples += (double)m->estimate.rows;
}

/* The rate is set by hand before each step, since a range test is no schedule of the method. */
static gls_status step(machine *m, int64_t t, gls_probe_step *told, gls_stepper_end *end) {
    gls_prober *p = m->p;
    gls_problem *problem = p->training->problem;
    gls_step_report report;
    gls_stepper stepper = {.method = m->method,
                           .w = p->w,
                           .previous = p->previous,
                           .size = gls_problem_size(problem),
                           .problem = problem,
                           .pass = p->pass,
                           .answer = answer,
                           .user = m};
    GLS_TRY(gls_method_set(m->method, "lr", rate(m, t)));
    GLS_TRY(gls_training_step(&stepper, &report, end));
    if (*end == GLS_STEP_DONE || *end == GLS_STEP_WITHHELD) return GLS_OK;
    judge(m, t, *end);
    *told = (gls_probe_step){.step = t + 1,
                             .lr = report.lr,
                             .loss = m->estimate.loss,
                             .gradient_norm = sqrt(m->estimate.norm2),
                             .w = p->w,
                             .previous = p->previous,
                             .g = p->g};
    return GLS_OK;
}

/* The best rate of a range test is where the smoothed loss was least, once FIRST_STEPS have made it one. Time is looked
 * at before each step: a probe that is cut keeps the steps it took. */
static gls_status loop(machine *m, gls_probe_outcome *out) {
    const gls_probe *probe = m->probe;
    out->best_loss = INFINITY;
    for (int64_t t = 0; t < probe->steps && !m->diverged; t++) {
        if (gls_interrupted(m->p->ctx))
            return gls_fail(m->p->ctx, GLS_ERR_INTERRUPTED, "interrupted: nothing is recommended yet");
        out->cut = probe->deadline > 0 && gls_seconds() > probe->deadline;
        if (out->cut) break;
        gls_probe_step told;
        gls_stepper_end end;
        GLS_TRY(step(m, t, &told, &end));
        if (end == GLS_STEP_DONE) break;
        out->steps = t + 1;
        out->end_lr = rate(m, t);
        if (m->diverged) break;
        if (m->smoothed / m->weight < out->best_loss && t >= FIRST_STEPS) {
            out->best_loss = m->smoothed / m->weight;
            out->best_lr = out->end_lr;
        }
        if (probe->look) GLS_TRY(probe->look(probe->user, &told));
    }
    out->diverged = m->diverged;
    return GLS_OK;
}

/* Every probe begins at the same weights and state. Only the steps are timed, not the set-up: per_example of advise
 * plans with it. A range test ends at a rate that ruins its loss, so it is not judged. */
gls_status gls_probe_run(gls_prober *p, const gls_probe *probe, gls_probe_outcome *out) {
    machine m = {.p = p, .probe = probe};
    double began = gls_seconds(), score;
    *out = (gls_probe_outcome){.held_loss = NAN, .best_lr = NAN};
    memcpy(p->w, p->start, (size_t)gls_problem_size(p->training->problem) * sizeof *p->w);
    gls_problem_commit(p->training->problem, p->state);
    gls_status status = make_machine(&m);
    double stepping = gls_seconds();
    if (status == GLS_OK) status = loop(&m, out);
    if (out->steps >= TIMED_STEPS) {
        p->seconds += gls_seconds() - stepping;
        p->examples += m.examples;
    }
    clear_machine(&m);
    GLS_TRY(status);
    if (!out->diverged && !(probe->lr_end > 0)) {
        GLS_TRY(gls_training_evaluate(p->training, p->held, p->w, &out->held_loss, &score));
        if (!isfinite(out->held_loss)) out->diverged = true;
    }
    out->seconds = gls_seconds() - began;
    return GLS_OK;
}
