/* Coupled problems: all slices of a span are alive, run a stage, meet (sums over slices in order, then over ranks), and
 * run the next one; forward and backward. */
#include "estimator/pass.h"

#include <string.h>

#include "base/parallel.h"

static gls_status stage_task(void *user, int64_t task, int worker) {
    gls_pass_job *job = user;
    gls_evaluation *evaluation = job->work->evaluation[task];
    const gls_problem *p = job->pass->problem;
    const int64_t *sizes = job->backward ? p->backward_meet : p->forward_meet;
    int meets = job->backward ? p->backward_meets : p->forward_meets;
    double *meet = NULL;
    if (job->stage < meets) {
        meet = job->work->meets + task * gls_problem_meet_size(p);
        memset(meet, 0, (size_t)gls_evaluation_doubles(job->request->want, sizes[job->stage]) * sizeof *meet);
    }
    if (job->backward) return gls_evaluation_backward(evaluation, job->stage, job->met, meet);
    if (job->stage == 0) {
        gls_evaluate_args args;
        gls_pass_arguments(job, job->section.first + task, task, &args);
        gls_evaluation_begin(evaluation, &args);
    }
    return gls_evaluation_forward(evaluation, job->stage, job->met, meet);
}

static gls_status meet_all(gls_pass_job *job, int64_t size, gls_status mine) {
    gls_pass *pass = job->pass;
    int64_t room = gls_problem_meet_size(pass->problem);
    double *met = pass->met + (job->met == pass->met ? room : 0);
    memset(met, 0, (size_t)size * sizeof *met);
    for (int64_t slice = 0; slice < job->section.count && mine == GLS_OK; slice++)
        for (int64_t i = 0; i < size; i++) met[i] += job->work->meets[slice * room + i];
    job->met = met;
    return job->request->local ? mine : gls_comm_reduce_double(pass->ctx, GLS_SUM, met, size, mine);
}

static gls_status direction(gls_pass_job *job, bool backward, int meets, const int64_t *sizes) {
    gls_pass *pass = job->pass;
    job->backward = backward;
    job->met = NULL;
    for (job->stage = 0; job->stage <= meets; job->stage++) {
        gls_status status = gls_parallel_if(pass->ctx, job->team, job->section.count, stage_task, job);
        if (job->stage < meets)
            status = meet_all(job, gls_evaluation_doubles(job->request->want, sizes[job->stage]), status);
        if (status != GLS_OK) return status;
    }
    return GLS_OK;
}

gls_status gls_pass_stages(gls_pass_job *job) {
    const gls_problem *p = job->pass->problem;
    GLS_TRY(direction(job, false, p->forward_meets, p->forward_meet));
    if (!gls_want_backward(job->request->want)) return GLS_OK;
    return direction(job, true, p->backward_meets, p->backward_meet);
}
