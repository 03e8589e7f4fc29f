/* The step of every method that has no tell of its own: up to three passes over w (norms, first, main), parallel over
 * pieces, each piece in ranges that stay in cache. Sums are kept by piece and added in order: bits do not depend on
 * threads. */
#include "method/method.h"
#include "base/arith.h"
#include "base/flush.h"
#include "method/narrow.h"
#include "method/rule/move.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- kernels over one range: all in cache ---- */

/* out = gain g + lambda at */
GLS_SIMD static void add_decay(gls_real *restrict out, const gls_real *restrict g, const gls_real *restrict at,
                               gls_real gain, gls_real lambda, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = gain * g[i] + lambda * at[i];
}

/* out = gain g: what is not decayed may be infinite. */
GLS_SIMD static void scale_into(gls_real *restrict out, const gls_real *restrict g, gls_real gain, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = gain * g[i];
}

GLS_SIMD double gls_move_along(gls_real *restrict w, const gls_real *restrict along, gls_move_target to, int64_t n) {
    double total;
    GLS_MOVE_LOOP(total, w, &to, n, GLS_MOVE_AHEAD(i, w, along), to.gain * along[k]);
    return total;
}

/* moved = w - before, where `moved` holds what was before. */
GLS_SIMD static void differ(gls_real *restrict moved, const gls_real *restrict w, int64_t n) {
    for (int64_t i = 0; i < n; i++) moved[i] = w[i] - moved[i];
}

/* ---- a pass over all pieces ---- */

typedef enum pass_kind { PASS_NORMS, PASS_FIRST, PASS_MAIN, PASS_SCALE } pass_kind;

typedef struct pass {
    gls_method *method;
    gls_update *update;
    pass_kind kind;
    const gls_method_blocks *blocks;
    double gain;  /* of g: less than 1 where it is cut to clip_norm */
    double scale; /* of w, in PASS_SCALE */
} pass;

/* Where one range is, and buffers for it, in cache. */
typedef struct room {
    gls_real *w;
    const gls_real *at;
    _Alignas(64) gls_real step[GLS_METHOD_RANGE];
    _Alignas(64) gls_real g[GLS_METHOD_RANGE]; /* clipped and decayed */
    _Alignas(64) gls_real moved[GLS_METHOD_RANGE];
    _Alignas(64) gls_real state[GLS_METHOD_VECTORS][GLS_METHOD_RANGE]; /* where it is kept narrower */
} room;

/* Where w may go on this piece; the rate is the rule's. */
static gls_move_target target_of(const pass *p, const gls_method_piece *piece, const gls_method_common *options) {
    const gls_method *method = p->method;
    double shrink = method->no_decoupled[piece->block] ? 0 : options->decoupled_weight_decay;
    if ((p->update->needs & GLS_METHOD_DECOUPLED) && !method->no_decay[piece->block]) shrink += options->weight_decay;
    return (gls_move_target){.shrink = (gls_real)(options->lr * shrink),
                             .low = (gls_real)method->projection.low,
                             .high = (gls_real)method->projection.high,
                             .coarse = method->precision != GLS_STATE_FLOAT && !(method->projection.ball > 0)};
}

/* The rule's step, and w moved by it. A ball asks for sums over the moved w. */
static void move_range(const pass *p, const gls_range *r, room *buffers, gls_method_sums *sums) {
    gls_move_target *to = r->target;
    bool ball = p->method->projection.ball > 0;
    to->w = buffers->w;
    to->moved2 = 0;
    if (ball) memcpy(buffers->moved, to->w, (size_t)r->size * sizeof *to->w);
    *r->move = (gls_move){r->step, 1};
    p->method->type->main(r);
    if (!(p->update->needs & GLS_METHOD_MOVES)) {
        to->rate = (gls_real)r->move->rate;
        to->moved2 = gls_move_along(to->w, r->move->along, *to, r->size);
    }
    sums->update2 += to->moved2;
    if (!ball) return;
    differ(buffers->moved, to->w, r->size);
    sums->w2 += gls_sum_squares(to->w, r->size);
    sums->w_update += gls_dot(to->w, buffers->moved, r->size);
}

/* What is added to the gradients of a piece, times w. */
static double coupled_decay(const pass *p, const gls_method_piece *piece, const gls_method_common *options) {
    bool own = p->update->needs & (GLS_METHOD_OWN_DECAY | GLS_METHOD_DECOUPLED);
    return own || p->method->no_decay[piece->block] ? 0 : options->weight_decay;
}

/* Whether the rule widens and rounds its state itself. */
static bool takes_narrow(const pass *p) {
    return p->kind == PASS_MAIN && p->method->precision != GLS_STATE_FLOAT && (p->update->needs & GLS_METHOD_NARROW);
}

/* Whether a range must fit into the buffers. A rule's first pass is cut alike for all, so that its sums are. */
static bool needs_room(const pass *p, const gls_method_piece *piece, const gls_method_common *options) {
    if (p->kind == PASS_SCALE) return false;
    bool widened = p->method->precision != GLS_STATE_FLOAT && !takes_narrow(p);
    if (p->kind == PASS_FIRST || widened || coupled_decay(p, piece, options) != 0) return true;
    if (p->kind == PASS_NORMS) return p->gain != 1;
    return !(p->update->needs & GLS_METHOD_MOVES) || p->method->projection.ball > 0;
}

/* The gradient that the rule is to see. One that moves w itself multiplies what is not decayed by the gain. */
static void prepare_gradient(const pass *p, const gls_method_piece *piece, gls_range *r, room *buffers) {
    double lambda = coupled_decay(p, piece, r->options);
    bool takes_gain = p->kind == PASS_MAIN && (p->update->needs & GLS_METHOD_MOVES) && lambda == 0;
    r->target->gain = takes_gain ? (gls_real)p->gain : 1;
    if (takes_gain || (lambda == 0 && p->gain == 1)) return;
    if (lambda != 0)
        add_decay(buffers->g, r->g, buffers->at, (gls_real)p->gain, (gls_real)lambda, r->size);
    else
        scale_into(buffers->g, r->g, (gls_real)p->gain, r->size);
    r->g = buffers->g;
}

/* Whether the pass may change the state; the rule says so where its first pass does all of it. */
static bool moves_state(const pass *p) {
    if (p->kind == PASS_MAIN) return !(p->update->needs & GLS_METHOD_STATE_FIRST);
    return p->kind == PASS_FIRST;
}

/* The rule's own work on one range. */
static void run_range(const pass *p, const gls_method_piece *piece, gls_range *r, room *buffers,
                      gls_method_sums *sums) {
    if (p->kind == PASS_SCALE) {
        gls_scale(buffers->w, p->scale, r->size);
        return;
    }
    prepare_gradient(p, piece, r, buffers);
    if (p->kind == PASS_NORMS) {
        sums->own[0] += gls_sum_squares(r->g, r->size);
        if (p->update->needs & GLS_METHOD_NEEDS_BLOCK_NORMS) sums->own[1] += gls_sum_squares(r->w, r->size);
    } else if (p->kind == PASS_FIRST) {
        p->method->type->first(r);
    } else {
        move_range(p, r, buffers, sums);
    }
}

/* A piece in ranges short enough that a rule's buffers stay in the first-level cache. What uses no buffer takes
 * the piece in one go. Pieces that are not trained are left out. */
static void run_piece(const pass *p, int64_t number) {
    room buffers;
    gls_move along;
    gls_method_narrow narrow;
    gls_move_target target = {0};
    gls_method *method = p->method;
    const gls_method_piece *piece = &method->piece[number];
    const gls_method_group *group = &method->group[piece->group];
    const gls_method_common *options = group->now;
    gls_method_sums *sums = &method->sums[number];
    *sums = (gls_method_sums){0};
    if (group->frozen) return;
    target = target_of(p, piece, options);
    gls_range r = {.update = p->update,
                   .options = options,
                   .coefficient = group->coefficient,
                   .decay = method->no_decay[piece->block] ? 0 : options->weight_decay,
                   .g_norm2 = method->g_norm2[piece->block],
                   .w_norm2 = method->w_norm2[piece->block],
                   .block_first = method->block_first[piece->block],
                   .sums = sums->own,
                   .step = buffers.step,
                   .move = &along,
                   .target = &target};
    bool calls_rule = p->kind == PASS_FIRST || p->kind == PASS_MAIN,
         keeps_narrow = method->precision != GLS_STATE_FLOAT;
    bool widens = calls_rule && keeps_narrow && !takes_narrow(p);
    if (takes_narrow(p)) r.narrow = &narrow;
    int64_t reach = needs_room(p, piece, options) ? GLS_METHOD_RANGE : GLS_CHUNK;
    for (int64_t at = 0; at < piece->size; at += reach) {
        r.offset = piece->offset + at;
        r.size = gls_least(piece->size - at, reach);
        r.w = buffers.w = p->blocks->w[piece->block] + piece->begin + at;
        r.g = p->blocks->g[piece->block] + piece->begin + at;
        buffers.at = p->blocks->at[piece->block] + piece->begin + at;
        for (int i = 0; i < method->vectors; i++)
            r.state[i] = keeps_narrow ? buffers.state[i] : method->state[i] + (r.offset - method->first);
        if (calls_rule && keeps_narrow) gls_method_state_narrow(method, piece, at, &narrow);
        if (widens) gls_method_narrow_widen(&narrow, buffers.state, 0, r.size);
        run_range(p, piece, &r, &buffers, sums);
        if (widens && moves_state(p)) gls_method_narrow_round(&narrow, buffers.state, 0, r.size);
    }
}

/* In whichever thread of the team: the mode is each thread's own. */
static gls_status run_task(void *user, int64_t task, int worker) {
    const pass *p = user;
    uint64_t mode = gls_flush_begin();
    for (int64_t i = p->method->task[task]; i < p->method->task[task + 1]; i++)
        if (gls_method_share_has(p->method, i)) run_piece(p, i);
    gls_flush_end(mode);
    return GLS_OK;
}

static gls_status run_pass(pass *p, pass_kind kind) {
    p->kind = kind;
    GLS_TRY(gls_parallel(p->method->ctx, p->method->tasks, run_task, p));
    return gls_method_share_sums(p->method);
}

/* ---- norms and sums between passes ---- */

/* |g|^2 with decay, over all of w and over blocks. No pass is run where the answer's own |g|^2 will do. */
static gls_status find_norms(pass *p, double norm2) {
    gls_method *method = p->method;
    gls_update *update = p->update;
    update->norm2 = norm2;
    bool decays = false;
    for (int64_t i = 0; i < method->groups; i++)
        decays |= ((const gls_method_common *)method->group[i].now)->weight_decay != 0;
    decays &= !(update->needs & (GLS_METHOD_OWN_DECAY | GLS_METHOD_DECOUPLED));
    bool blocks = update->needs & GLS_METHOD_NEEDS_BLOCK_NORMS;
    if (!blocks && !(decays && (update->needs & GLS_METHOD_NEEDS_NORM))) return GLS_OK;
    GLS_TRY(run_pass(p, PASS_NORMS));
    int64_t count = gls_layout_count(method->layout);
    for (int64_t b = 0; b < count; b++) method->g_norm2[b] = method->w_norm2[b] = 0;
    update->norm2 = 0;
    for (int64_t i = 0; i < method->pieces; i++) {
        int64_t b = method->piece[i].block;
        method->g_norm2[b] += method->sums[i].own[0];
        method->w_norm2[b] += method->sums[i].own[1];
        update->norm2 += method->sums[i].own[0];
    }
    return GLS_OK;
}

static void gather_first(gls_method *method, gls_update *update) {
    int64_t count = gls_layout_count(method->layout);
    memset(method->block_first, 0, (size_t)count * sizeof *method->block_first);
    for (int64_t i = 0; i < method->pieces; i++)
        for (int j = 0; j < GLS_METHOD_SUMS; j++) {
            method->block_first[method->piece[i].block][j] += method->sums[i].own[j];
            update->first[j] += method->sums[i].own[j];
        }
}

static gls_method_sums gather_main(gls_method *method, gls_update *update) {
    gls_method_sums total = {0};
    for (int64_t i = 0; i < method->pieces; i++) {
        for (int j = 0; j < GLS_METHOD_SUMS; j++) update->sums[j] += method->sums[i].own[j];
        total.update2 += method->sums[i].update2;
        total.w2 += method->sums[i].w2;
        total.w_update += method->sums[i].w_update;
    }
    return total;
}

/* Onto the ball; |a w - (w - dw)|^2 follows from the sums that the main pass made. */
static gls_status project_ball(pass *p, const gls_method_sums *total, double *update2) {
    double norm = sqrt(total->w2), radius = p->method->projection.ball;
    *update2 = total->update2;
    if (!(radius > 0) || norm <= radius) return GLS_OK;
    double a = radius / norm;
    p->scale = a;
    *update2 = fmax(total->update2 - 2 * (1 - a) * total->w_update + (1 - a) * (1 - a) * total->w2, 0);
    return run_pass(p, PASS_SCALE);
}

/* ---- the step ---- */

static void prepare(gls_method *method, gls_update *update) {
    if (!method->type->coefficients) return;
    for (int64_t i = 0; i < method->groups; i++)
        method->type->coefficients(update, method->group[i].now, method->group[i].coefficient);
}

/* An infinite mean of squares stays infinite, and its coordinate would never move again. bf16 has float's range. */
static gls_status check_squares(const gls_method *method, double norm2) {
    double most = sizeof(gls_real) == 4 || method->precision == GLS_STATE_BF16 ? (double)FLT_MAX : DBL_MAX;
    if (!(method->type->needs & GLS_METHOD_SQUARES) || norm2 <= most) return GLS_OK;
    return gls_fail(method->ctx, GLS_ERR_NONFINITE,
                    "step %lld: a gradient of norm %.3g is too long for method %s, whose state holds squares up to "
                    "%.2g; clip or rescale the gradients%s",
                    (long long)method->steps + 1, sqrt(norm2), gls_method_name(method), most,
                    sizeof(gls_real) == 4                 ? ", or compute in double"
                    : method->precision == GLS_STATE_BF16 ? ", or keep the state in float"
                                                          : "");
}

/* Nothing has changed but the count: a refused step is a step of the run, and the schedules' end counts it. */
static gls_step_report refuse(gls_method *method, const gls_method_blocks *blocks, double lr, double norm2) {
    method->refused++;
    return (gls_step_report){.refused = true,
                             .lr = lr,
                             .nonfinite = gls_method_nonfinite(method, blocks),
                             .gradient_norm = sqrt(norm2),
                             .factor = 1,
                             .zero_gradients = method->zero_gradients};
}

/* What g is multiplied with. */
static double gain_of(const gls_method_common *options, double norm2) {
    double most = options->clip_norm;
    return most > 0 && norm2 > most * most ? most / sqrt(norm2) : 1;
}

/* The order of the verbs is that of gls_method_type (method.h). A gradient that is not finite is refused before
 * w or the state has changed. Rules see the whole of g and w only through sums: `first` may read but not move w, `main`
 * moves each range while it makes its step, and the projection onto a ball, which needs |w|, comes last. */
gls_status gls_update_run(gls_method *method, const gls_answer *answer, const gls_method_blocks *blocks,
                          const gls_real *w, gls_step_report *report) {
    const gls_method_type *type = method->type;
    double norm2 = gls_method_norm2(method, answer, blocks);
    GLS_TRY(gls_method_groups_advance(method, (gls_clock){(double)(method->steps + method->refused), answer->epoch}));
    const gls_method_common *options = method->group[method->groups - 1].now;
    if (!isfinite(norm2)) {
        *report = refuse(method, blocks, options->lr, norm2);
        return GLS_OK;
    }
    gls_update update = {.self = method->self,
                         .options = options,
                         .k = method->steps + 1,
                         .needs = type->needs,
                         .lr = options->lr,
                         .factor = 1,
                         .parameters = method->parameters,
                         .trained = method->parameters - method->frozen,
                         .ctx = method->ctx};
    pass p = {.method = method, .update = &update, .blocks = blocks, .gain = gain_of(options, norm2)};
    GLS_TRY(check_squares(method, norm2 * p.gain * p.gain));
    if (type->begin) type->begin(&update);
    GLS_TRY(find_norms(&p, norm2 * p.gain * p.gain));
    prepare(method, &update);
    gls_method_state_begin(method, update.k);
    if (type->first) {
        GLS_TRY(run_pass(&p, PASS_FIRST));
        gather_first(method, &update);
    }
    if (type->between) type->between(&update);
    GLS_TRY(run_pass(&p, PASS_MAIN));
    gls_method_sums total = gather_main(method, &update);
    double update2;
    GLS_TRY(project_ball(&p, &total, &update2));
    GLS_TRY(gls_method_share_moved(method, blocks->w[0]));
    if (type->finish) type->finish(&update, w);
    method->steps++;
    method->zero_gradients += update.zero;
    *report = (gls_step_report){.moved = update2 > 0,
                                .lr = update.lr,
                                .gradient_norm = sqrt(norm2),
                                .factor = update.factor * p.gain,
                                .clipped = update.clipped,
                                .update_norm = sqrt(update2),
                                .zero_gradients = method->zero_gradients};
    return GLS_OK;
}
