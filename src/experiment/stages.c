/* All runs in three stages, each of which its lanes share: the grids and the arms without one; the choice of every
 * rate, where grids may be widened; the seeds that are left. Outcomes lie in their folders between them, so that it is
 * the same whether a run is made here, was made before, or in which lane. */
#include <stdio.h>
#include <string.h>

#include "base/side.h"
#include "experiment/experiment.h"

typedef struct task {
    int64_t arm, seed;
    char value[32]; /* "": none */
} task;

typedef struct stage {
    gls_experiment_runner *runner;
    task *task;
    int64_t tasks, room;
} stage;

/* The runner of one lane: the same experiment with the lane's context and words. */
static gls_experiment_runner in_lane(const stage *s, gls_context *own, int lane, int64_t arm) {
    gls_experiment_runner r = *s->runner;
    r.ctx = own;
    r.lane = lane;
    r.arm = gls_experiment_arm_at(r.experiment, arm)->name;
    return r;
}

static gls_status add(stage *s, int64_t arm, const char *value, int64_t seed) {
    if (s->tasks == s->room) {
        int64_t room = s->room ? 2 * s->room : 64;
        task *grown = gls_resize(s->runner->ctx, s->task, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        s->task = grown;
        s->room = room;
    }
    task *t = &s->task[s->tasks++];
    *t = (task){.arm = arm, .seed = seed};
    snprintf(t->value, sizeof t->value, "%s", value);
    return GLS_OK;
}

static gls_status add_seeds(stage *s, int64_t arm, const char *value, int64_t first, int64_t last) {
    for (int64_t seed = first; seed <= last; seed++) GLS_TRY(add(s, arm, value, seed));
    return GLS_OK;
}

static gls_status run_task(void *user, gls_context *own, int lane, int64_t item) {
    const stage *s = user;
    const task *t = &s->task[item];
    gls_experiment_runner r = in_lane(s, own, lane, t->arm);
    json_t *outcome = NULL;
    if (*t->value && t->seed <= r.scale->tune_seeds)
        snprintf(r.what, sizeof r.what, "rate %s", t->value);
    else
        snprintf(r.what, sizeof r.what, "seed %lld", (long long)gls_experiment_seed(&r, t->seed));
    GLS_TRY(gls_experiment_work(&r, gls_experiment_arm_at(r.experiment, t->arm), *t->value ? t->value : NULL, t->seed,
                                &outcome));
    json_decref(outcome);
    gls_experiment_meter_count(&r);
    return GLS_OK;
}

static gls_status run_tasks(stage *s) {
    gls_status status = gls_side_by_side(s->runner->ctx, s->runner->lanes, s->tasks, run_task, s);
    s->tasks = 0;
    return status;
}

static gls_status add_first(stage *s) {
    const gls_experiment_runner *r = s->runner;
    for (int64_t i = 0; i < r->experiment->text->arms.count; i++) {
        const gls_experiment_arm *arm = gls_experiment_arm_at(r->experiment, i);
        char text[32];
        if (!arm->rates.count) GLS_TRY(add_seeds(s, i, "", 1, r->scale->seeds));
        for (int64_t k = 0; k < arm->rates.count; k++) {
            gls_experiment_name_rate(arm->rates.item[k], text);
            GLS_TRY(add_seeds(s, i, text, 1, r->scale->tune_seeds));
        }
    }
    return GLS_OK;
}

static gls_status add_rest(stage *s) {
    const gls_experiment_runner *r = s->runner;
    for (int64_t i = 0; i < r->experiment->text->arms.count; i++)
        if (*r->result[i].value)
            GLS_TRY(add_seeds(s, i, r->result[i].value, r->scale->tune_seeds + 1, r->scale->seeds));
    return GLS_OK;
}

static gls_status choose(void *user, gls_context *own, int lane, int64_t arm) {
    gls_experiment_runner r = in_lane(user, own, lane, arm);
    return gls_experiment_arm_choose(&r, arm);
}

gls_status gls_experiment_stages(gls_experiment_runner *r) {
    stage s = {.runner = r};
    int64_t arms = r->experiment->text->arms.count;
    gls_status status = add_first(&s);
    r->meter->now.runs = s.tasks;
    for (int64_t i = 0; i < arms; i++)
        if (gls_experiment_arm_at(r->experiment, i)->rates.count)
            r->meter->now.runs += r->scale->seeds - r->scale->tune_seeds;
    if (status == GLS_OK) status = run_tasks(&s);
    if (status == GLS_OK) status = gls_side_by_side(r->ctx, r->lanes, arms, choose, &s);
    if (status == GLS_OK) status = add_rest(&s);
    if (status == GLS_OK) status = run_tasks(&s);
    gls_free(r->ctx, s.task);
    for (int64_t i = 0; i < arms && status == GLS_OK; i++) status = gls_experiment_arm_collect(r, i);
    return status;
}
