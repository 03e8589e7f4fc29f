#include "run/search/probe.h"

#include <math.h>
#include <string.h>

#include "run/loop/trainer.h"

/* A probe has diverged when its smoothed loss is this much above where it began. */
static const double too_high = 1.5, smoothing = 0.8;

double gls_prober_now(void) {
    return gls_now();
}

/* ---- what all probes share ---- */

static gls_status hold(gls_prober *p, int64_t most) {
    const gls_source *from = p->run->validation_set ? p->run->validation_set : p->run->train_set;
    int64_t n = from->info.examples, count = n < most ? n : most;
    p->held_name = p->run->validation_set ? "validation" : "training";
    int64_t *index = gls_alloc(p->ctx, count, sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) index[i] = i * n / count;
    gls_status status = gls_source_subset(p->ctx, from, index, count, &p->held);
    gls_free(p->ctx, index);
    return status;
}

static gls_status set_up(gls_prober *p, const gls_value *config, int64_t held) {
    gls_run_options options = {.size = sizeof options, .config = config};
    GLS_TRY(gls_run_create(p->ctx, &options, &p->run));
    GLS_TRY(hold(p, held));
    gls_pass_options pass = {.size = sizeof pass, .span = p->run->train->accumulate};
    GLS_TRY(gls_pass_create(p->run->problem, &pass, &p->pass));
    int64_t d = gls_problem_size(p->run->problem), s = gls_layout_size(p->run->problem->state_layout);
    p->start = gls_alloc(p->ctx, 4 * d, sizeof *p->start);
    p->state = gls_alloc(p->ctx, s, sizeof *p->state);
    if (!p->start || !p->state) return GLS_ERR_MEMORY;
    p->w = p->start + d;
    p->previous = p->w + d;
    p->g = p->previous + d;
    memcpy(p->start, p->run->w, (size_t)d * sizeof *p->start);
    if (p->run->problem->state) memcpy(p->state, p->run->problem->state, (size_t)s * sizeof *p->state);
    double score;
    return gls_evaluate_set(p->run, p->held, p->start, &p->start_loss, &score);
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
    gls_run_destroy(p->run);
    gls_free(p->ctx, p->start);
    gls_free(p->ctx, p->state);
    gls_free(p->ctx, p);
}

/* ---- one probe ---- */

typedef struct machine {
    gls_prober *p;
    const gls_probe *probe;
    gls_method *method;
    gls_estimator *estimator;
    gls_sampler *sampler;
    gls_loader *loader;
    int64_t *index;
    double examples;
    double smoothed, weight, first; /* first: smoothed loss after a few steps */
} machine;

static gls_status parse(gls_context *ctx, const char *text, gls_value **out) {
    return gls_config_parse(ctx, "probe", text, (int64_t)strlen(text), out);
}

static gls_status make_method(machine *m) {
    gls_value *spec = NULL;
    int64_t n = m->p->run->train_set->info.examples;
    GLS_TRY(parse(m->p->ctx, m->probe->method, &spec));
    gls_method_options options = {.size = sizeof options,
                                  .layout = gls_problem_layout(m->p->run->problem),
                                  .spec = spec,
                                  .steps_per_epoch = (double)n / (double)m->probe->batch,
                                  .total_steps = (double)m->probe->steps,
                                  .seed = (uint64_t)m->p->run->train->seed};
    gls_status status = gls_method_create(m->p->ctx, &options, &m->method);
    gls_value_destroy(m->p->ctx, spec);
    return status;
}

static gls_status make_machine(machine *m) {
    gls_run *run = m->p->run;
    gls_value *spec = NULL;
    uint64_t seed = (uint64_t)run->train->seed;
    GLS_TRY(make_method(m));
    if (m->probe->estimator) GLS_TRY(parse(m->p->ctx, m->probe->estimator, &spec));
    gls_status status = gls_estimator_create(run->problem, spec, seed, &m->estimator);
    gls_value_destroy(m->p->ctx, spec);
    GLS_TRY(status);
    gls_sampler_options sampling = {
        .size = sizeof sampling, .examples = run->train_set->info.examples, .shuffle = true, .seed = seed};
    GLS_TRY(gls_sampler_create(m->p->ctx, &sampling, &m->sampler));
    gls_loader_options loading = {.size = sizeof loading,
                                  .workers = (int)run->train->workers,
                                  .wave = gls_pass_plan(m->p->pass, m->probe->batch).wave,
                                  .align = gls_estimator_group(m->estimator),
                                  .seed = seed,
                                  .augment = true,
                                  .key_column = gls_estimator_key(m->estimator)};
    GLS_TRY(gls_loader_create(m->p->ctx, run->train_set, &loading, &m->loader));
    m->index = gls_alloc(m->p->ctx, m->probe->batch, sizeof *m->index);
    return m->index ? GLS_OK : GLS_ERR_MEMORY;
}

static void clear_machine(machine *m) {
    gls_method_destroy(m->method);
    gls_estimator_destroy(m->estimator);
    gls_loader_destroy(m->loader);
    gls_sampler_destroy(m->sampler);
    gls_free(m->p->ctx, m->index);
}

static double rate(const gls_probe *probe, int64_t t) {
    double share = (double)t / (double)probe->steps;
    if (probe->lr_end > 0) return probe->lr * pow(probe->lr_end / probe->lr, share);
    return probe->power > 0 ? probe->lr * pow(1 - share, probe->power) : probe->lr;
}

static gls_status announce(machine *m) {
    int64_t count;
    uint64_t draw;
    GLS_TRY(gls_sampler_next(m->sampler, m->probe->batch, m->index, &count, &draw));
    return gls_loader_push(m->loader, m->index, count, draw);
}

/* One step; *diverged where the answer or the smoothed loss says so. */
static gls_status step(machine *m, int64_t t, gls_probe_step *told, bool *diverged) {
    gls_prober *p = m->p;
    gls_problem *problem = p->run->problem;
    gls_stream *rows;
    gls_estimate estimate;
    gls_step_report report = {0};
    GLS_TRY(gls_method_set(m->method, "lr", rate(m->probe, t)));
    GLS_TRY(gls_loader_front(m->loader, &rows));
    gls_status status = gls_estimator_estimate(m->estimator, p->pass, p->w, rows, 0, p->g, &estimate, NULL);
    if (status == GLS_ERR_NONFINITE) *diverged = true;
    if (*diverged) return GLS_OK;
    GLS_TRY(status);
    memcpy(p->previous, p->w, (size_t)gls_problem_size(problem) * sizeof *p->w);
    gls_answer answer = {.value = estimate.loss, .g = p->g, .norm2 = estimate.norm2, .epoch = NAN};
    GLS_TRY(gls_method_tell(m->method, &answer, p->w, &report));
    const gls_real *next = gls_pass_state_next(p->pass);
    if (!report.refused && next) gls_problem_commit(problem, next);
    gls_loader_pop(m->loader);
    m->smoothed = smoothing * m->smoothed + (1 - smoothing) * estimate.loss;
    m->weight = smoothing * m->weight + (1 - smoothing);
    double now = m->smoothed / m->weight;
    if (t < 3) m->first = now;
    *diverged = report.refused || !isfinite(now) || now > m->first + (too_high - 1) * fabs(m->first);
    m->examples += (double)estimate.rows;
    *told = (gls_probe_step){.step = t + 1,
                             .lr = report.lr,
                             .loss = estimate.loss,
                             .gradient_norm = sqrt(estimate.norm2),
                             .w = p->w,
                             .previous = p->previous,
                             .g = p->g};
    return GLS_OK;
}

static gls_status loop(machine *m, gls_probe_outcome *out) {
    const gls_probe *probe = m->probe;
    out->best_loss = INFINITY;
    for (int64_t t = 0; t < probe->steps && !out->diverged; t++) {
        if (gls_interrupted(m->p->ctx))
            return gls_fail(m->p->ctx, GLS_ERR_INTERRUPTED, "interrupted: nothing is recommended yet");
        if (probe->deadline > 0 && gls_now() > probe->deadline) {
            out->cut = true;
            break;
        }
        gls_probe_step told;
        GLS_TRY(announce(m));
        GLS_TRY(step(m, t, &told, &out->diverged));
        out->steps = t + 1;
        out->end_lr = rate(probe, t);
        if (!out->diverged && m->smoothed / m->weight < out->best_loss && t > 2) {
            out->best_loss = m->smoothed / m->weight;
            out->best_lr = out->end_lr;
        }
        if (!out->diverged && probe->look) GLS_TRY(probe->look(probe->user, &told));
    }
    return GLS_OK;
}

gls_status gls_probe_run(gls_prober *p, const gls_probe *probe, gls_probe_outcome *out) {
    machine m = {.p = p, .probe = probe};
    double began = gls_now(), score;
    *out = (gls_probe_outcome){.held_loss = NAN, .best_lr = NAN};
    memcpy(p->w, p->start, (size_t)gls_problem_size(p->run->problem) * sizeof *p->w);
    gls_problem_commit(p->run->problem, p->state);
    gls_status status = make_machine(&m);
    double stepping = gls_now();
    if (status == GLS_OK) status = loop(&m, out);
    if (out->steps >= 20) {
        p->seconds += gls_now() - stepping;
        p->examples += m.examples;
    }
    clear_machine(&m);
    GLS_TRY(status);
    if (!out->diverged && !(probe->lr_end > 0)) {
        GLS_TRY(gls_evaluate_set(p->run, p->held, p->w, &out->held_loss, &score));
        if (!isfinite(out->held_loss)) out->diverged = true;
    }
    out->seconds = gls_now() - began;
    return GLS_OK;
}
