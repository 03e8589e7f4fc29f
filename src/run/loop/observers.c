/* The observers of a run: kept in the order of their places, called verb by verb. */
#include <stdio.h>
#include <string.h>

#include "run/loop/run.h"

static gls_status check(gls_run *run, const gls_observer *observer) {
    if (run->begun)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "observer '%s': observers are added before the first step",
                        observer->name);
    if (gls_observers_find(run, observer->name))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "observer '%s' exists already", observer->name);
    return GLS_OK;
}

gls_status gls_run_observe(gls_run *run, const gls_observer *observer) {
    GLS_GIVEN(run ? run->ctx : NULL, run, observer);
    gls_status status = check(run, observer);
    gls_observer_slot *grown = status == GLS_OK ? gls_resize(run->ctx, run->slot, run->slots + 1, sizeof *grown) : NULL;
    if (!grown) {
        if (observer->destroy) observer->destroy(observer->user);
        return status == GLS_OK ? GLS_ERR_MEMORY : status;
    }
    run->slot = grown;
    int64_t at = run->slots++;
    for (; at > 0 && grown[at - 1].place > run->place; at--) grown[at] = grown[at - 1];
    grown[at] = (gls_observer_slot){*observer, run->place};
    return GLS_OK;
}

void *gls_observers_find(const gls_run *run, const char *name) {
    for (int64_t i = 0; i < run->slots; i++)
        if (strcmp(run->slot[i].observer.name, name) == 0) return run->slot[i].observer.user;
    return NULL;
}

/* One rank alone may fail here, while it opens its files. */
gls_status gls_observers_begin(gls_run *run) {
    gls_status status = GLS_OK;
    for (int64_t i = 0; i < run->slots && status == GLS_OK; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->begin) status = o->begin(o->user, run);
    }
    return gls_comm_agree(run->ctx, status);
}

gls_status gls_observers_before(gls_run *run) {
    for (int64_t i = 0; i < run->slots && !run->stop; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->before) GLS_TRY(o->before(o->user, run));
    }
    return GLS_OK;
}

gls_status gls_observers_step(gls_run *run, bool refused) {
    static const gls_length each_epoch = {.amount = 1, .steps = false};
    bool epoch = gls_training_due(run->training, each_epoch);
    unsigned why = GLS_WHY_STEP | (epoch ? GLS_WHY_EPOCH : 0u) | (refused ? GLS_WHY_REFUSED : 0u);
    run->found = 0;
    for (int64_t i = 0; i < run->slots; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->step && gls_run_due(run, o->every)) GLS_TRY(o->step(o->user, run, why | run->found));
        if (o->epoch && epoch) GLS_TRY(o->epoch(o->user, run, why | run->found));
    }
    return GLS_OK;
}

/* A rank that fails must not leave the others waiting in the next observer's reductions. The result's seconds are those
 * before the last observer that has an end, so that all who are told the result are told the same. */
gls_status gls_observers_end(gls_run *run, unsigned why) {
    for (int64_t i = 0; i < run->slots; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (!o->end) continue;
        run->result.seconds = gls_run_seconds(run);
        GLS_TRY(gls_comm_agree(run->ctx, o->end(o->user, run, why)));
    }
    return GLS_OK;
}

gls_status gls_observers_flush(gls_run *run) {
    for (int64_t i = 0; i < run->slots; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->flush) GLS_TRY(o->flush(o->user, run));
    }
    return GLS_OK;
}

void gls_run_trace(gls_run *run, const char *name, double value) {
    if (!run || !name) return;
    for (int64_t i = 0; i < run->slots; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->figure) o->figure(o->user, run, name, value);
    }
}

void gls_observers_measured(gls_run *run, const gls_measure_result *result) {
    for (int64_t i = 0; i < run->slots; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->measured) o->measured(o->user, run, result);
    }
}

bool gls_observers_end_changes_state(const gls_run *run) {
    for (int64_t i = 0; i < run->slots; i++)
        if (run->slot[i].observer.end && run->slot[i].observer.arrays) return true;
    return false;
}

void gls_observers_destroy(gls_run *run) {
    for (int64_t i = 0; i < run->slots; i++)
        if (run->slot[i].observer.destroy) run->slot[i].observer.destroy(run->slot[i].observer.user);
    gls_free(run->ctx, run->slot);
}
