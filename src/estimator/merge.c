/* Lanes: their accumulators and gradients, merged in fixed order; then ranks; then the last pass over g. */
#include "estimator/pass.h"

#include "base/arith.h"
#include "base/kernels.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "comm/exchange.h"

#include <math.h>
#include <string.h>

enum { SCORES = 3, HEAD = SCORES + GLS_MAX_SCORES }; /* loss, mass, rows and scores go first in a message */

gls_status gls_pass_lanes(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    const gls_pass_request *request = job->request;
    int64_t lanes = job->shapes.lanes, each = request->sums + request->mins + request->maxs;
    GLS_TRY(gls_pass_room(pass->ctx, &pass->accumulators, &pass->accumulators_room, lanes * each, sizeof(double)));
    int64_t values;
    if (__builtin_mul_overflow(lanes, job->lane_size, &values))
        return gls_fail(pass->ctx, GLS_ERR_MEMORY, "pass: %lld lanes of %lld values do not fit", (long long)lanes,
                        (long long)job->lane_size);
    GLS_TRY(gls_pass_room(pass->ctx, &pass->lanes, &pass->lanes_room, values, sizeof(gls_real)));
    if (request->explicit_slices || request->scratch)
        GLS_TRY(gls_pass_room(pass->ctx, &pass->worker, &pass->worker_room,
                              2 * pass->size * gls_context_threads(pass->ctx), sizeof(gls_real)));
    for (int64_t k = 0; k < lanes; k++) {
        double *own = pass->accumulators + k * each;
        pass->lane[k] = (gls_lane){.sum = own, .min = own + request->sums, .max = own + request->sums + request->mins};
        for (int64_t i = 0; i < request->sums; i++) pass->lane[k].sum[i] = 0;
        for (int64_t i = 0; i < request->mins; i++) pass->lane[k].min[i] = INFINITY;
        for (int64_t i = 0; i < request->maxs; i++) pass->lane[k].max[i] = -INFINITY;
    }
    if (!request->g || request->explicit_slices) return GLS_OK;
    /* Tiles pass the lanes by and add to g itself, which must begin at zero there: they see to it themselves, while it
     * is in their cache, if they can and there are any. */
    job->clears = pass->problem->type->tile_range && pass->cuts > 0;
    for (int64_t b = 0; !job->clears && b < gls_layout_count(pass->problem->layout); b++) {
        const gls_block *block = gls_layout_block(pass->problem->layout, b);
        if (block->flags & GLS_BLOCK_TILED) gls_team_fill(pass->ctx, request->g + block->offset, 0, block->size);
    }
    return GLS_OK;
}

/* A NaN anywhere stays one: fmin would hide it. */
static double smaller(double a, double b) {
    return isnan(a) || a < b ? a : b;
}

/* How many pairs a message has: its sums, and as many or more minima and maxima. */
static int64_t pairs(const gls_pass_request *request) {
    int64_t sums = HEAD + request->sums, bounds = request->mins + request->maxs;
    return sums > bounds ? sums : bounds;
}

gls_status gls_pass_message(gls_pass *pass, const gls_pass_request *request) {
    return gls_pass_room(pass->ctx, &pass->message, &pass->message_room, pairs(request), sizeof(gls_comm_pair));
}

/* Sums, minima and maxima (with their sign turned) in one message. */
static gls_status merge_accumulators(gls_pass_job *job, gls_status mine) {
    gls_pass *pass = job->pass;
    const gls_pass_request *request = job->request;
    gls_comm_pair *at = pass->message;
    job->own = (gls_pass_result){.rows = request->rows->rows};
    if (mine == GLS_OK) {
        for (int64_t i = 0; i < pairs(request); i++) at[i] = (gls_comm_pair){.least = INFINITY};
        at[2].sum = (double)request->rows->rows;
        for (int64_t k = 0; k < job->shapes.lanes; k++) {
            const gls_lane *lane = &pass->lane[k];
            at[0].sum += lane->loss;
            at[1].sum += lane->mass;
            for (int i = 0; i < GLS_MAX_SCORES; i++) at[SCORES + i].sum += lane->score[i];
            for (int64_t i = 0; i < request->sums; i++) at[HEAD + i].sum += lane->sum[i];
            for (int64_t i = 0; i < request->mins; i++) at[i].least = smaller(at[i].least, lane->min[i]);
            for (int64_t i = 0; i < request->maxs; i++)
                at[request->mins + i].least = smaller(at[request->mins + i].least, -lane->max[i]);
        }
        job->own.loss = at[0].sum;
        job->own.mass = at[1].sum;
    }
    if (!request->local) mine = gls_comm_reduce_pairs(pass->ctx, at, pairs(request), mine);
    GLS_TRY(mine);
    gls_pass_result *result = job->result;
    *result = (gls_pass_result){.loss = at[0].sum, .mass = at[1].sum, .rows = (int64_t)at[2].sum};
    for (int i = 0; i < GLS_MAX_SCORES; i++) result->score[i] = at[SCORES + i].sum;
    for (int64_t i = 0; i < request->sums; i++) request->sum[i] = at[HEAD + i].sum;
    for (int64_t i = 0; i < request->mins; i++) request->min[i] = at[i].least;
    for (int64_t i = 0; i < request->maxs; i++) request->max[i] = -at[request->mins + i].least;
    return GLS_OK;
}

static const gls_pass_piece *pieces(const gls_pass_job *job, int64_t *count) {
    bool full = job->request->explicit_slices;
    *count = full ? job->pass->pieces_full : job->pass->pieces_packed;
    return full ? job->pass->piece_full : job->pass->piece_packed;
}

/* Pairwise, stride 1, 2, 4, ...: the tree depends on the number of lanes alone. */
static void merge_lanes(const gls_pass_job *job, const gls_pass_piece *piece, gls_real *g) {
    int64_t used = gls_least(job->pass->cuts, job->shapes.lanes);
    if (used == 0) {
        gls_fill(g, 0, piece->length);
        return;
    }
    gls_real *lane = job->pass->lanes + piece->lane_at;
    for (int64_t stride = 1; stride < used; stride *= 2)
        for (int64_t k = 0; k + stride < used; k += 2 * stride)
            gls_add(lane + k * job->lane_size, lane + (k + stride) * job->lane_size, piece->length);
    memcpy(g, lane, (size_t)piece->length * sizeof *g);
}

static void finish_piece(const gls_pass_job *job, const gls_pass_piece *piece, int64_t number) {
    gls_real *g = job->request->g + piece->at;
    if (job->factor != 1) gls_scale(g, job->factor, piece->length);
    job->pass->norm2[number] = gls_sum_squares(g, piece->length);
}

/* Few values are merged before another thread has woken. */
static bool merges_in_team(const gls_pass_job *job) {
    enum { LEAST = 1 << 16 };
    return job->pass->size * job->shapes.lanes >= LEAST;
}

static gls_status merge_task(void *user, int64_t task, int worker) {
    const gls_pass_job *job = user;
    int64_t count;
    const gls_pass_piece *piece = pieces(job, &count) + task;
    if (piece->lane_at >= 0) merge_lanes(job, piece, job->request->g + piece->at);
    if (job->scale_now) finish_piece(job, piece, task);
    return GLS_OK;
}

static gls_status finish_task(void *user, int64_t task, int worker) {
    const gls_pass_job *job = user;
    int64_t count;
    finish_piece(job, pieces(job, &count) + task, task);
    return GLS_OK;
}

static void add_norms(const gls_pass_job *job, int64_t count, gls_pass_result *to) {
    to->norm2 = 0;
    for (int64_t i = 0; i < count; i++) to->norm2 += job->pass->norm2[i];
}

/* What the request makes of this rank's own g, whose norm the pieces have. */
static gls_status share(gls_pass_job *job, int64_t count) {
    const gls_pass_request *request = job->request;
    add_norms(job, count, &job->own);
    GLS_TRY(request->share(request->user, &job->own, &job->factor));
    if (job->factor == 0) /* whatever there is: what is left out may not be finite */
        gls_team_fill(job->pass->ctx, request->g, 0, job->pass->size);
    else if (job->factor != 1)
        gls_team_scale(job->pass->ctx, request->g, job->factor, job->pass->size);
    return GLS_OK;
}

/* Adds g up over the ranks, and has it scaled and squared. Most exchanges are given what the factor was applied to:
 * what they keep back for the next mini-batch is then in units of an estimate. */
static gls_status merge_ranks(gls_pass_job *job, int64_t count) {
    gls_pass *pass = job->pass;
    const gls_pass_request *request = job->request;
    if (request->exchange && !job->parted)
        GLS_TRY(gls_comm_exchange_sum(request->exchange, request->g, GLS_OK));
    else if (!job->parted)
        GLS_TRY(gls_comm_reduce_real(pass->ctx, GLS_SUM, request->g, pass->size, GLS_OK));
    if (job->scale_now) job->factor = 1;
    return gls_parallel_if(pass->ctx, merges_in_team(job), count, finish_task, job);
}

/* Parts of g have gone to the other ranks already; the rest goes, too, whatever has happened here: they wait for it. */
static gls_status merge_parts(gls_pass_job *job, int64_t count, gls_status mine) {
    if (mine == GLS_OK) mine = gls_parallel(job->pass->ctx, count, merge_task, job);
    gls_status ended = gls_pass_parts_end(job);
    return mine == GLS_OK ? ended : mine;
}

/* Sums first: the factor of g may depend on them. On a single rank each piece is merged, scaled and squared while it is
 * in cache; with several, |g|^2 has to wait for the sum over ranks, and scaling too where that is exact. */
gls_status gls_pass_merge(gls_pass_job *job, gls_status mine) {
    gls_pass *pass = job->pass;
    const gls_pass_request *request = job->request;
    int64_t count;
    pieces(job, &count);
    if (job->parted) mine = merge_parts(job, count, mine);
    GLS_TRY(merge_accumulators(job, mine));
    if (!request->g) return GLS_OK;
    if (request->factor) job->factor = request->factor(request->user, job->result);
    bool alone = request->local || gls_comm_size(gls_context_comm(pass->ctx)) == 1;
    job->scale_now = alone || request->share || !gls_comm_exchange_scales_after(request->exchange);
    if (!job->parted) GLS_TRY(gls_parallel_if(pass->ctx, merges_in_team(job), count, merge_task, job));
    if (request->share) GLS_TRY(share(job, count));
    if (!alone || request->share) GLS_TRY(merge_ranks(job, count));
    add_norms(job, count, job->result);
    return GLS_OK;
}
