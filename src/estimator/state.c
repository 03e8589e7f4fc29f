/* Successors of a problem's state. Slices write the blocks by slot. The other blocks advance over the spans in order,
 * at the end of the pass, from the summaries that the spans left: the order of evaluation does not change a bit. */
#include "estimator/pass.h"
#include "base/arith.h"
#include "base/flush.h"

#include <string.h>

static int64_t spans(const gls_pass_job *job) {
    int64_t rows = job->request->rows->global_rows;
    return job->span > 0 && rows > 0 ? gls_parts(rows, job->span) : 1;
}

/* Whether this rank says what becomes of a slot: its own rows; slots that no row has stay as they are (first rank). */
static bool owns(const gls_pass_job *job, int64_t slot) {
    const gls_stream *rows = job->request->rows;
    if (slot >= rows->global_rows) return job->request->local || gls_comm_rank(gls_context_comm(job->pass->ctx)) == 0;
    return slot >= rows->first && slot < rows->first + rows->rows;
}

/* This rank's slots begin as they were, the others at zero, and a sum over ranks makes them whole. */
static void begin_slots(const gls_pass_job *job, const gls_block *block) {
    gls_real *to = job->pass->state + block->offset;
    const gls_real *from = job->state + block->offset;
    int64_t width = block->shape[0] > 0 ? block->size / block->shape[0] : 0;
    memset(to, 0, (size_t)block->size * sizeof *to);
    for (int64_t slot = 0; slot < block->shape[0]; slot++)
        if (owns(job, slot)) memcpy(to + slot * width, from + slot * width, (size_t)width * sizeof *to);
}

gls_status gls_pass_state_begin(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    const gls_problem *p = pass->problem;
    pass->state_made = false;
    job->state = job->request->state ? job->request->state : p->state;
    if (job->request->state && job->request->mode == GLS_MODE_TRAIN)
        return gls_fail(pass->ctx, GLS_ERR_ARGUMENT, "pass: a state of its own is for evaluation mode");
    job->state_moves = p->state && (job->request->state || job->request->mode == GLS_MODE_TRAIN);
    if (!job->state_moves) return GLS_OK;
    int64_t values;
    if (__builtin_mul_overflow(spans(job), p->summary, &values)) values = -1;
    GLS_TRY(gls_pass_room(pass->ctx, &pass->summary, &pass->summary_room, values, sizeof(double)));
    memset(pass->summary, 0, (size_t)values * sizeof(double));
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        if (block->flags & GLS_BLOCK_BY_SLOT) begin_slots(job, block);
    }
    return GLS_OK;
}

/* Every rank sends its part also after a failure; then all advance alike, from the same summaries. */
gls_status gls_pass_state_end(gls_pass_job *job, gls_status mine) {
    gls_pass *pass = job->pass;
    gls_problem *p = pass->problem;
    if (!job->state_moves) return mine;
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        gls_real *next = pass->state + block->offset;
        if (!(block->flags & GLS_BLOCK_BY_SLOT))
            memcpy(next, job->state + block->offset, (size_t)block->size * sizeof *next);
        else if (!job->request->local)
            mine = gls_comm_reduce_real(pass->ctx, GLS_SUM, next, block->size, mine);
    }
    bool own = job->request->state != NULL;
    if (p->summary > 0 && !own && !job->request->local)
        mine = gls_comm_reduce_double(pass->ctx, GLS_SUM, pass->summary, spans(job) * p->summary, mine);
    GLS_TRY(mine);
    uint64_t mode = gls_flush_begin(); /* running statistics of what has become zero decay */
    for (int64_t s = 0; s < spans(job) && p->summary > 0 && !own; s++)
        p->type->advance(p, pass->summary + s * p->summary, pass->state);
    gls_flush_end(mode);
    if (own) memcpy(job->request->state, pass->state, (size_t)gls_layout_size(p->state_layout) * sizeof *pass->state);
    pass->state_made = !own;
    return GLS_OK;
}
