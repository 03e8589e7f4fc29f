/* Coupled problems: all slices of a span are alive, run a stage, meet (sums over slices in order, then over ranks), and
 * run the next one; forward and backward. */
#include "estimator/pass.h"

#include <string.h>

static gls_status stage_task(void *user, int64_t task, int worker) {
    gls_run *run = user;
    gls_evaluation *evaluation = run->work->evaluation[task];
    const gls_problem *p = run->pass->problem;
    const int64_t *sizes = run->backward ? p->backward_meet : p->forward_meet;
    int meets = run->backward ? p->backward_meets : p->forward_meets;
    double *meet = NULL;
    if (run->stage < meets) {
        meet = run->work->meets + task * gls_problem_meet_size(p);
        memset(meet, 0, (size_t)sizes[run->stage] * sizeof(*meet));
    }
    if (run->backward) return gls_evaluation_backward(evaluation, run->stage, run->met, meet);
    if (run->stage == 0) {
        gls_evaluate_args args;
        gls_pass_arguments(run, run->section.first + task, &args);
        gls_evaluation_begin(evaluation, &args);
    }
    return gls_evaluation_forward(evaluation, run->stage, run->met, meet);
}

static gls_status all_stage_task(void *user, int64_t task, int worker) {
    const gls_run *run = user;
    for (int64_t slice = 0; slice < run->section.count; slice++) GLS_TRY(stage_task(user, slice, worker));
    return GLS_OK;
}

static gls_status meet_all(gls_run *run, int64_t size, gls_status mine) {
    gls_pass *pass = run->pass;
    int64_t room = gls_problem_meet_size(pass->problem);
    double *met = pass->met + (run->met == pass->met ? room : 0);
    memset(met, 0, (size_t)size * sizeof(*met));
    for (int64_t slice = 0; slice < run->section.count && mine == GLS_OK; slice++)
        for (int64_t i = 0; i < size; i++) met[i] += run->work->meets[slice * room + i];
    run->met = met;
    return run->request->local ? mine : gls_comm_reduce_double(pass->ctx, GLS_SUM, met, size, mine);
}

static gls_status direction(gls_run *run, bool backward, int meets, const int64_t *sizes) {
    gls_pass *pass = run->pass;
    run->backward = backward;
    run->met = NULL;
    for (run->stage = 0; run->stage <= meets; run->stage++) {
        gls_status status = pass->problem->serial ? gls_parallel(pass->ctx, 1, all_stage_task, run)
                                                  : gls_parallel(pass->ctx, run->section.count, stage_task, run);
        if (run->stage < meets) status = meet_all(run, sizes[run->stage], status);
        if (status != GLS_OK) return status;
    }
    return GLS_OK;
}

gls_status gls_pass_stages(gls_run *run) {
    const gls_problem *p = run->pass->problem;
    GLS_TRY(direction(run, false, p->forward_meets, p->forward_meet));
    if (!gls_want_backward(run->request->want)) return GLS_OK;
    return direction(run, true, p->backward_meets, p->backward_meet);
}
