/* Coupled problems: all slices of a span are alive, run a stage, meet (sums over slices in order, then over ranks), and
 * run the next one; forward and backward. And the successors of a problem's state. */
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

/* ---- state ---- */

/* Whether this rank says what becomes of a slot: its own rows; slots that no row has stay as they are (first rank). */
static bool owns(const gls_run *run, int64_t slot) {
    const gls_stream *rows = run->request->rows;
    if (slot >= rows->global_rows) return run->request->local || gls_comm_rank(gls_context_comm(run->pass->ctx)) == 0;
    return slot >= rows->first && slot < rows->first + rows->rows;
}

/* Blocks by slot: this rank's slots begin as they were, the others at zero, and a sum over ranks makes them whole. The
 * other blocks are the leader's. */
static void copy_block(const gls_run *run, const gls_block *block, bool leads) {
    gls_real *to = run->state_next + block->offset;
    const gls_real *from = run->state + block->offset;
    if (!(block->flags & GLS_BLOCK_BY_SLOT)) {
        if (leads) memcpy(to, from, (size_t)block->size * sizeof(*to));
        return;
    }
    int64_t width = block->shape[0] > 0 ? block->size / block->shape[0] : 0;
    for (int64_t slot = 0; slot < block->shape[0]; slot++)
        if (owns(run, slot)) memcpy(to + slot * width, from + slot * width, (size_t)width * sizeof(*to));
}

void gls_pass_state_begin(gls_run *run) {
    gls_pass *pass = run->pass;
    const gls_problem *p = pass->problem;
    run->state = pass->state_made ? pass->state[pass->state_now] : p->state;
    run->state_next = NULL;
    if (!p->state || run->request->mode != GLS_MODE_TRAIN) return;
    pass->state_now = !pass->state_now;
    run->state_next = pass->state[pass->state_now];
    const gls_stream *rows = run->request->rows;
    int64_t span = run->coupled ? run->section.span_begin : 0;
    bool leads = span >= rows->first && span < rows->first + rows->rows;
    memset(run->state_next, 0, (size_t)gls_layout_size(p->state_layout) * sizeof(gls_real));
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++)
        copy_block(run, gls_layout_block(p->state_layout, b), leads);
}

gls_status gls_pass_state_end(gls_run *run, gls_status mine) {
    gls_pass *pass = run->pass;
    if (run->state_next) {
        if (!run->request->local)
            mine = gls_comm_reduce_real(pass->ctx, GLS_SUM, run->state_next,
                                        gls_layout_size(pass->problem->state_layout), mine);
        pass->state_made = mine == GLS_OK;
        return mine;
    }
    return run->coupled && !run->request->local ? gls_comm_agree(pass->ctx, mine) : mine;
}
