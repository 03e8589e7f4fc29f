/* Answers for problems that have no closed form: losses row by row, norms and inner products from the explicit gradient
 * of one group at a time. The price is one call a row or a group. */
#include "problem/evaluation.h"

#include "base/kernels.h"

#include <string.h>

gls_status gls_generic_losses(gls_evaluation *evaluation, double *losses) {
    gls_problem *p = evaluation->problem;
    gls_evaluate_args args = evaluation->args;
    for (int64_t i = 0; i < evaluation->args.rows->rows; i++) {
        gls_batch row = gls_batch_view(evaluation->args.rows, i, 1);
        args.rows = &row;
        GLS_TRY(p->type->value_gradient(p, &args, args.point->w, NULL, &losses[i], NULL));
    }
    return GLS_OK;
}

/* The short way: only the rows from the group's first to its last are looked at. */
static gls_status short_gradient(gls_evaluation *e, int64_t first, int64_t last, bool whole) {
    gls_problem *p = e->problem;
    gls_batch part = gls_batch_view(e->args.rows, first, last - first + 1);
    gls_evaluate_args args = e->args;
    args.rows = &part;
    double value = 0;
    return p->type->value_gradient(p, &args, args.point->w, whole ? NULL : e->weights + first, &value, e->vector);
}

/* The explicit gradient of one group into e->vector. */
static gls_status group_gradient(gls_evaluation *e, const gls_partition *partition, int64_t group) {
    memset(e->vector, 0, (size_t)gls_problem_size(e->problem) * sizeof(gls_real));
    int64_t first = -1, last = -1, members = 0;
    for (int64_t i = 0; i < e->args.rows->rows; i++) {
        e->weights[i] = partition->group[i] == group;
        if (partition->group[i] != group) continue;
        if (first < 0) first = i;
        last = i;
        members++;
    }
    if (members == 0) return GLS_OK;
    if (e->problem->type->value_gradient) return short_gradient(e, first, last, members == last - first + 1);
    bool all = members == e->args.rows->rows;
    return gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, all ? NULL : e->weights, e->vector);
}

gls_status gls_generic_norms(gls_evaluation *evaluation, const gls_partition *partition, double *out) {
    for (int64_t g = 0; g < partition->groups; g++) {
        GLS_TRY(group_gradient(evaluation, partition, g));
        out[g] = gls_sum_squares(evaluation->vector, gls_problem_size(evaluation->problem));
    }
    return GLS_OK;
}

gls_status gls_generic_inner(gls_evaluation *evaluation, const gls_partition *partition, const gls_real *v,
                             double *out) {
    for (int64_t g = 0; g < partition->groups; g++) {
        GLS_TRY(group_gradient(evaluation, partition, g));
        out[g] = gls_dot(evaluation->vector, v, gls_problem_size(evaluation->problem));
    }
    return GLS_OK;
}
