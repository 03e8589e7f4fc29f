/* A rank's rows as one group, as in [M]: every rank sends its mean gradient scaled to norm 1 or clipped, and its norm.
 * Its gradient is made by the ordinary pass, whatever the number of its rows. */
#include "comm/comm.h"
#include "estimator/estimator.h"
#include "estimator/pass.h"

#include <math.h>

/* Norms travel exactly, whatever the exchange makes of the vectors: in one message the counts, and the smallest norm
 * and the greatest mass (sign turned). */
static gls_status meet(gls_making *making, double mass, gls_status mine) {
    gls_comm_pair at[GLS_GROUP_SUMS];
    for (int i = 0; i < GLS_GROUP_SUMS; i++) at[i] = (gls_comm_pair){making->sums[i], INFINITY};
    at[0].least = making->smallest;
    at[1].least = -mass;
    GLS_TRY(gls_comm_reduce_pairs(making->e->ctx, at, GLS_GROUP_SUMS, mine));
    for (int i = 0; i < GLS_GROUP_SUMS; i++) making->sums[i] = at[i].sum;
    making->smallest = at[0].least;
    making->largest = -at[1].least;
    return GLS_OK;
}

/* The stages' factors multiplied; *norm: as the last of them saw it. */
static gls_status factors(gls_making *making, double norm2, double *factor, double *norm) {
    gls_estimator *e = making->e;
    *factor = 1;
    for (int64_t i = 0; i < e->groups; i++) {
        double one;
        *norm = sqrt(norm2) * *factor;
        GLS_TRY(
            gls_group_factor(making, e->stage[i], norm2 * *factor * *factor, &one, making->sums, &making->smallest));
        *factor *= one;
    }
    return GLS_OK;
}

/* own->norm2 is that of the sum over this rank's rows. */
static gls_status share(void *user, const gls_pass_result *own, double *factor) {
    gls_making *making = user;
    gls_estimator *e = making->e;
    double of_mean = 1, norm = NAN, mass = own->rows > 0 ? own->mass : 0;
    gls_status status = GLS_OK;
    if (mass > 0) status = factors(making, own->norm2 / (mass * mass), &of_mean, &norm);
    bool skipped = making->outer->nonfinite == GLS_NONFINITE_SKIP_GROUP && !isfinite(norm);
    if (mass > 0 && !skipped) making->sums[GLS_SUM_MASS] += mass;
    making->sums[GLS_SUM_GROUPS] += mass > 0;
    e->group_norm[0] = norm;
    GLS_TRY(meet(making, skipped ? 0 : mass, status));
    if (e->ledger) gls_ledger_factor(making, 0, own->rows, of_mean);
    double rho = making->outer->smallest && isfinite(making->smallest) ? making->smallest : 1;
    *factor = !(mass > 0) ? 1 : e->sum ? of_mean * rho / mass : of_mean * rho / making->sums[GLS_SUM_MASS];
    if (skipped) *factor = 0;
    return GLS_OK;
}

static gls_status slice(void *user, gls_slice *of) {
    return gls_ledger_slice(user, of);
}

gls_status gls_estimate_ranks(gls_making *making) {
    gls_estimator *e = making->e;
    making->smallest = INFINITY;
    GLS_TRY(gls_comm_agree(e->ctx, gls_pass_room(e->ctx, &e->group_norm, &e->group_norm_room, 1, sizeof(double))));
    gls_pass_request request = {.w = making->w,
                                .rows = making->rows,
                                .want = making->want | GLS_WANT_GRADIENT,
                                .mode = GLS_MODE_TRAIN,
                                .g = making->g,
                                .share = share,
                                .exchange = making->exchange,
                                .user = making};
    if (e->ledger) {
        request.want |= GLS_WANT_NORMS;
        request.slice = slice;
    }
    return gls_pass_run(making->pass, &request, &making->result);
}
