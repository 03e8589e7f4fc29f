/* Estimates whose stages work on groups. Streamed: every slice is a group of the largest size, evaluated in parts where
 * it is long; its gradient goes through the stages. Derived: norms of groups in larger slices become weights of rows.
 * Adaptive clipping needs one pass either way: sum_j (rho/|g_j|) g_j = rho sum_j g_j/|g_j| (methods.md 3). */
#include "estimator/estimator.h"
#include "estimator/pass.h"

#include "base/kernels.h"
#include "base/arith.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A streamed group pays for passes over its own gradient (cleared, normed, added) at the speed of memory. We count them
 * as this many multiply-adds a parameter; the value is ours, and either way gives the same numbers. */
enum { VALUES_A_ROW = 64 };

gls_status gls_group_factor(const gls_making *making, const gls_stage *stage, double norm2, double *factor,
                            double *sums, double *smallest) {
    double norm = sqrt(norm2);
    double tiny = sizeof(gls_real) == sizeof(float) ? FLT_MIN : DBL_MIN;
    if (!isfinite(norm)) {
        sums[GLS_SUM_NONFINITE]++;
        *factor = stage->nonfinite == GLS_NONFINITE_SKIP_GROUP ? 0 : NAN;
        if (stage->nonfinite != GLS_NONFINITE_STOP) return GLS_OK;
        return gls_fail(making->e->ctx, GLS_ERR_NONFINITE,
                        "%s: the gradient of a micro-batch is not finite (nonfinite: stop)", stage->type->member.name);
    }
    if (norm < tiny) { /* 1 / norm might overflow */
        sums[GLS_SUM_ZERO]++;
        *factor = 0;
        return GLS_OK;
    }
    if (stage->bound > 0 && norm > stage->bound) sums[GLS_SUM_CLIPPED]++;
    if (stage->smallest && norm < *smallest) *smallest = norm;
    *factor = stage->type->factor(stage, norm);
    return GLS_OK;
}

/* A group without mass has no mean: it is the zero vector, and counts as one of those without a gradient. */
static double inverse(double mass) {
    return mass > 0 ? 1 / mass : 0;
}

/* A vector in the making: the group's mean gradient is scale * data. */
typedef struct vector {
    gls_real *data;
    double scale;
    double factor; /* the stages' factors multiplied */
    double norm;   /* seen by the last stage that asks for one */
} vector;

static gls_status apply(gls_making *making, int64_t from, int64_t to, const gls_group *group, vector *v,
                        gls_slice *slice) {
    int64_t d = gls_problem_size(making->e->problem);
    for (int64_t i = from; i < to; i++) {
        gls_stage *stage = making->e->stage[i];
        if (stage->type->transform) {
            if (v->scale != 1) gls_scale(v->data, v->scale, d);
            v->scale = 1;
            GLS_TRY(stage->type->transform(stage, group, v->data));
            continue;
        }
        double factor, norm2 = v->scale * v->scale * gls_sum_squares(v->data, d);
        v->norm = sqrt(norm2);
        GLS_TRY(gls_group_factor(making, stage, norm2, &factor, slice->sum, &slice->min[0]));
        v->scale *= factor;
        v->factor *= factor;
    }
    return GLS_OK;
}

static gls_group group_of(const gls_batch *rows) {
    return (gls_group){.rows = rows, .slot = rows->slot ? rows->slot[0] : 0, .mass = gls_batch_mass(rows)};
}

/* Replaces the slice's gradient by the sum of what the inner stages make of its groups, each weighted by its mass. */
static gls_status inner_stages(gls_making *making, gls_slice *slice) {
    gls_estimator *e = making->e;
    int64_t d = gls_problem_size(e->problem), size = e->stage[e->inner - 1]->group, n = slice->rows->rows;
    memset(slice->gradient, 0, (size_t)d * sizeof(gls_real));
    for (int64_t begin = 0; begin < n; begin += size) {
        int64_t rows = gls_least(n - begin, size);
        gls_batch part = gls_batch_view(slice->rows, begin, rows);
        gls_group group = group_of(&part);
        for (int64_t i = 0; i < n; i++) slice->weights[i] = i >= begin && i < begin + rows;
        memset(slice->scratch, 0, (size_t)d * sizeof(gls_real));
        GLS_TRY(gls_ask_gradient(slice->evaluation, GLS_PRODUCT_GRADIENT, rows == n ? NULL : slice->weights,
                                 slice->scratch));
        vector v = {.data = slice->scratch, .scale = inverse(group.mass), .factor = 1};
        GLS_TRY(apply(making, 0, e->inner, &group, &v, slice));
        gls_axpy(slice->gradient, v.scale * group.mass, v.data, d);
        if (e->ledger) gls_ledger_factor(making, slice->first + begin, rows, v.factor);
    }
    return GLS_OK;
}

static bool left_out(const gls_making *making, const vector *v) {
    return making->outer->nonfinite == GLS_NONFINITE_SKIP_GROUP && !isfinite(v->norm);
}

static gls_status streamed_part(void *user, gls_slice *part) {
    return gls_ledger_slice(user, part);
}

static gls_status streamed_slice(void *user, gls_slice *slice) {
    gls_making *making = user;
    gls_estimator *e = making->e;
    if (e->ledger && e->inner) GLS_TRY(gls_ledger_slice(making, slice));
    if (e->inner) GLS_TRY(inner_stages(making, slice));
    gls_group group = group_of(slice->rows);
    vector v = {.data = slice->gradient, .scale = inverse(group.mass), .factor = 1, .norm = NAN};
    if (making->outer->type->transform) v.norm = 0;
    GLS_TRY(apply(making, e->inner, e->groups, &group, &v, slice));
    slice->scale = left_out(making, &v) ? 0 : e->sum ? v.scale : v.scale * group.mass;
    if (!left_out(making, &v)) {
        slice->sum[GLS_SUM_MASS] += group.mass;
        slice->max[0] = fmax(slice->max[0], group.mass);
    }
    slice->sum[GLS_SUM_GROUPS]++;
    e->group_norm[slice->group] = making->outer->type->transform ? NAN : v.norm;
    if (e->ledger) gls_ledger_factor(making, slice->first, slice->rows->rows, v.factor);
    return GLS_OK;
}

/* Several groups in one slice: norms of their mean gradients (|sum| / mass) give factors, and a factor becomes the
 * weight of each of its group's rows. For the sum of means, rows are also divided by their group's mass. */
static gls_status derived_slice(void *user, gls_slice *slice) {
    gls_making *making = user;
    gls_estimator *e = making->e;
    double *norm = e->group_norm + slice->group, *factor = e->group_factor + slice->group;
    if (e->ledger) GLS_TRY(gls_ledger_slice(making, slice));
    GLS_TRY(gls_ask_norms(slice->evaluation, &slice->groups, norm));
    for (int64_t begin = 0, end; begin < slice->rows->rows; begin = end) {
        int32_t g = slice->groups.group[begin];
        for (end = begin; end < slice->rows->rows && slice->groups.group[end] == g;) end++;
        gls_batch part = gls_batch_view(slice->rows, begin, end - begin);
        double mass = gls_batch_mass(&part), norm2 = mass > 0 ? norm[g] / (mass * mass) : 0;
        GLS_TRY(gls_group_factor(making, making->outer, norm2, &factor[g], slice->sum, &slice->min[0]));
        norm[g] = sqrt(norm2);
        slice->sum[GLS_SUM_MASS] += mass;
        slice->max[0] = fmax(slice->max[0], mass);
        slice->sum[GLS_SUM_GROUPS]++;
        for (int64_t i = begin; i < end; i++) slice->weights[i] = e->sum && mass > 0 ? factor[g] / mass : factor[g];
        if (e->ledger) gls_ledger_factor(making, slice->first + begin, end - begin, factor[g]);
    }
    return GLS_OK;
}

/* The last pass over g: rho where there is one, and the division. */
static double finish(void *user, const gls_pass_result *result) {
    const gls_making *making = user;
    double factor = making->outer->smallest && isfinite(making->smallest) ? making->smallest : 1;
    return making->e->sum ? factor : factor / making->sums[GLS_SUM_MASS];
}

/* Streaming pays where a group's work outweighs what its own gradient costs: cleared, normed, added. */
static gls_status choose_way(const gls_making *making, bool *derived) {
    const gls_estimator *e = making->e;
    gls_problem *p = e->problem;
    const gls_stage *outer = making->outer;
    bool possible =
        e->groups == 1 && outer->type->factor && p->type->norms && outer->nonfinite != GLS_NONFINITE_SKIP_GROUP;
    if (outer->way == GLS_WAY_DERIVED && !possible)
        return gls_fail(e->ctx, GLS_ERR_UNSUPPORTED,
                        "estimator: `way: derived` needs a single stage over groups that only multiplies, a problem "
                        "that answers norms, and not `nonfinite: skip_group`");
    double work = (double)gls_problem_size(p), bytes = 0;
    if (p->type->cost) p->type->cost(p, &work, &bytes);
    double rows =
        making->group ? (double)making->group : (double)making->rows->global_rows / (double)e->sorted.all_cuts;
    *derived = outer->way == GLS_WAY_DERIVED ||
               (outer->way == GLS_WAY_AUTO && possible && rows * work < VALUES_A_ROW * (double)gls_problem_size(p));
    return GLS_OK;
}

/* The smallest norm (rho) is known after the pass alone: streamed and derived slices work without it, finish()
 * multiplies it in. */
gls_status gls_estimate_groups(gls_making *making) {
    gls_estimator *e = making->e;
    bool derived = false;
    GLS_TRY(choose_way(making, &derived));
    int64_t rows = making->rows->rows;
    int64_t groups = making->group ? gls_parts(rows, making->group) : e->sorted.cuts;
    GLS_TRY(gls_pass_room(e->ctx, &e->group_norm, &e->group_norm_room, groups, sizeof(double)));
    GLS_TRY(gls_pass_room(e->ctx, &e->group_factor, &e->group_factor_room, groups, sizeof(double)));
    gls_pass_request request = {.w = making->w,
                                .rows = making->rows,
                                .want = making->want | GLS_WANT_GRADIENT,
                                .mode = GLS_MODE_TRAIN,
                                .g = making->g,
                                .exchange = making->exchange,
                                .slice = derived ? derived_slice : streamed_slice,
                                .user = making,
                                .weighted = derived,
                                .explicit_slices = !derived,
                                .divisible = !derived && !e->inner,
                                .part = !derived && !e->inner && e->ledger ? streamed_part : NULL,
                                .scratch = e->inner > 0,
                                .group = making->group,
                                .cut = making->group ? NULL : e->sorted.cut,
                                .cuts = e->sorted.cuts,
                                .factor = finish,
                                .sums = GLS_GROUP_SUMS,
                                .sum = making->sums,
                                .mins = 1,
                                .min = &making->smallest,
                                .maxs = 1,
                                .max = &making->largest};
    if (derived || e->ledger) request.want |= GLS_WANT_NORMS;
    return gls_pass_run(making->pass, &request, &making->result);
}
