/* What was done to a mini-batch, in figures: the bound used, the share clipped, quantiles of the groups' norms, what
 * was zero or not finite. */
#include "estimator/estimator.h"
#include "base/arith.h"
#include "base/sort.h"
#include "estimator/pass.h"

#include <math.h>
#include <string.h>

/* Norms of all ranks' groups, sorted; those that are not finite are left out. */
static gls_status gather_norms(gls_making *making, int64_t *count) {
    gls_estimator *e = making->e;
    const gls_stream *rows = making->rows;
    const gls_comm *comm = gls_context_comm(e->ctx);
    int64_t size = making->group, all = size ? gls_parts(rows->global_rows, size) : e->sorted.all_cuts;
    int64_t mine = size ? gls_parts(rows->rows, size) : e->sorted.cuts;
    int64_t first = size ? rows->first / size : e->sorted.first_cut;
    if (making->ranks) {
        all = gls_comm_size(comm);
        mine = 1;
        first = gls_comm_rank(comm);
    }
    GLS_TRY(gls_pass_room(e->ctx, &e->norms, &e->norms_room, all, sizeof(double)));
    memset(e->norms, 0, (size_t)all * sizeof(double));
    if (making->one) {
        e->norms[0] = e->group_norm[0];
    } else {
        memcpy(e->norms + first, e->group_norm, (size_t)mine * sizeof(double));
        GLS_TRY(gls_comm_reduce_double(e->ctx, GLS_SUM, e->norms, all, GLS_OK));
    }
    *count = 0;
    for (int64_t i = 0; i < all; i++)
        if (isfinite(e->norms[i])) e->norms[(*count)++] = e->norms[i];
    gls_sort_doubles(e->norms, *count);
    return GLS_OK;
}

/* Linear between order statistics. */
static double quantile(const double *sorted, int64_t count, double q) {
    double at = q * (double)(count - 1);
    int64_t low = (int64_t)at;
    if (low + 1 >= count) return sorted[count - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

gls_status gls_estimate_figures(gls_making *making, double smallest, gls_record *record) {
    const gls_stage *outer = making->outer;
    const double *sums = making->sums;
    int64_t count = 0;
    if (outer->type->factor) GLS_TRY(gather_norms(making, &count));
    if (!record) return GLS_OK;
    gls_record_set(record, "groups", sums[GLS_SUM_GROUPS]);
    if (!outer->type->factor) return GLS_OK;
    if (outer->smallest) gls_record_set(record, "rho", smallest);
    if (outer->bound > 0) {
        gls_record_set(record, "bound", outer->bound);
        gls_record_set(record, "clipped_share", sums[GLS_SUM_CLIPPED] / sums[GLS_SUM_GROUPS]);
    }
    gls_record_set(record, "zero_groups", sums[GLS_SUM_ZERO]);
    gls_record_set(record, "nonfinite_groups", sums[GLS_SUM_NONFINITE]);
    if (count == 0) return GLS_OK;
    gls_record_set(record, "group_norm_q10", quantile(making->e->norms, count, 0.1));
    gls_record_set(record, "group_norm_q50", quantile(making->e->norms, count, 0.5));
    gls_record_set(record, "group_norm_q90", quantile(making->e->norms, count, 0.9));
    return GLS_OK;
}
