/* Successors of a problem's state. Blocks by slot are written by the slices; the others move on over one span after the
 * other, at the end of the pass, from what the spans left: the same bits in whatever order they were evaluated. */
#include "estimator/pass.h"

#include <string.h>

static int64_t spans(const gls_run *run) {
    int64_t rows = run->request->rows->global_rows;
    return run->span > 0 && rows > 0 ? (rows + run->span - 1) / run->span : 1;
}

/* Whether this rank says what becomes of a slot: its own rows; slots that no row has stay as they are (first rank). */
static bool owns(const gls_run *run, int64_t slot) {
    const gls_stream *rows = run->request->rows;
    if (slot >= rows->global_rows) return run->request->local || gls_comm_rank(gls_context_comm(run->pass->ctx)) == 0;
    return slot >= rows->first && slot < rows->first + rows->rows;
}

/* This rank's slots begin as they were, the others at zero, and a sum over ranks makes them whole. */
static void begin_slots(const gls_run *run, const gls_block *block) {
    gls_real *to = run->pass->state + block->offset;
    const gls_real *from = run->pass->problem->state + block->offset;
    int64_t width = block->shape[0] > 0 ? block->size / block->shape[0] : 0;
    memset(to, 0, (size_t)block->size * sizeof(*to));
    for (int64_t slot = 0; slot < block->shape[0]; slot++)
        if (owns(run, slot)) memcpy(to + slot * width, from + slot * width, (size_t)width * sizeof(*to));
}

gls_status gls_pass_state_begin(gls_run *run) {
    gls_pass *pass = run->pass;
    const gls_problem *p = pass->problem;
    pass->state_made = false;
    run->state_moves = p->state && run->request->mode == GLS_MODE_TRAIN;
    if (!run->state_moves) return GLS_OK;
    int64_t values;
    if (__builtin_mul_overflow(spans(run), p->summary, &values)) values = -1;
    GLS_TRY(gls_pass_room(pass->ctx, &pass->summary, &pass->summary_room, values, sizeof(double)));
    memset(pass->summary, 0, (size_t)values * sizeof(double));
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        if (block->flags & GLS_BLOCK_BY_SLOT) begin_slots(run, block);
    }
    return GLS_OK;
}

gls_status gls_pass_state_end(gls_run *run, gls_status mine) {
    gls_pass *pass = run->pass;
    gls_problem *p = pass->problem;
    if (!run->state_moves) return mine;
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        gls_real *own = pass->state + block->offset;
        if (!(block->flags & GLS_BLOCK_BY_SLOT))
            memcpy(own, p->state + block->offset, (size_t)block->size * sizeof(*own));
        else if (!run->request->local)
            mine = gls_comm_reduce_real(pass->ctx, GLS_SUM, own, block->size, mine);
    }
    if (p->summary > 0 && !run->request->local)
        mine = gls_comm_reduce_double(pass->ctx, GLS_SUM, pass->summary, spans(run) * p->summary, mine);
    GLS_TRY(mine);
    for (int64_t s = 0; s < spans(run) && p->summary > 0; s++)
        p->type->advance(p, pass->summary + s * p->summary, pass->state);
    pass->state_made = true;
    return GLS_OK;
}
