/* Where examples are coupled, gradients finer than the coupling do not exist. Weights, norms and inner products that
 * ask for them are refused, with what to do instead. */
#include "problem/evaluation.h"

gls_status gls_coupling_refuse(const gls_problem *problem, const char *what) {
    const char *name = problem->type->member.name;
    if (problem->coupling == GLS_COUPLING_GROUPS)
        return gls_fail(
            problem->ctx, GLS_ERR_UNSUPPORTED,
            "%s: '%s' couples its examples in groups of %lld (a normalisation over the batch), so the "
            "gradient of fewer than %lld examples does not exist; use micro-batches that are a multiple of "
            "%lld, other groups (bn_group), or a normalisation inside each example (group norm, layer norm)",
            what, name, (long long)problem->coupling_group, (long long)problem->coupling_group,
            (long long)problem->coupling_group);
    return gls_fail(
        problem->ctx, GLS_ERR_UNSUPPORTED,
        "%s: '%s' couples all examples of the mini-batch (a normalisation over the batch), so the gradient "
        "of a part of it does not exist; let the statistics span the micro-batch (bn_group of the model, or "
        "train.bn_span: its size), or use a normalisation inside each example (group norm, layer norm)",
        what, name);
}

/* The coupling group of a row; rows of one group share it. */
static int64_t coupled_with(const gls_evaluation *evaluation, int64_t row) {
    const gls_problem *p = evaluation->problem;
    if (evaluation->args.span > 0) return row / evaluation->args.span;
    return p->coupling == GLS_COUPLING_BATCH ? 0 : evaluation->args.rows->slot[row] / p->coupling_group;
}

static bool free_of_coupling(const gls_evaluation *evaluation) {
    return evaluation->problem->coupling == GLS_COUPLING_NONE || evaluation->args.mode == GLS_MODE_EVALUATE;
}

gls_status gls_coupling_weights(const gls_evaluation *evaluation, const double *weights) {
    if (!weights || free_of_coupling(evaluation)) return GLS_OK;
    for (int64_t i = 1; i < evaluation->args.rows->rows; i++)
        if (weights[i] != weights[i - 1] && coupled_with(evaluation, i) == coupled_with(evaluation, i - 1))
            return gls_coupling_refuse(evaluation->problem, "different weights for examples");
    return GLS_OK;
}

gls_status gls_coupling_partition(const gls_evaluation *evaluation, const gls_partition *partition) {
    const gls_problem *p = evaluation->problem;
    const gls_batch *rows = evaluation->args.rows;
    for (int64_t i = 0; i < rows->rows; i++)
        if (partition->group[i] < -1 || partition->group[i] >= partition->groups)
            return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "partition: row %lld is in group %d of %lld", (long long)i,
                            partition->group[i], (long long)partition->groups);
    if (free_of_coupling(evaluation)) return GLS_OK;
    if (gls_problem_coupled(p, evaluation->args.mode) && evaluation->args.span == 0 &&
        rows->rows < evaluation->args.batch_rows)
        return gls_coupling_refuse(p, "norms and inner products of a part of the mini-batch");
    for (int64_t i = 1; i < rows->rows; i++)
        if (partition->group[i] != partition->group[i - 1] &&
            coupled_with(evaluation, i) == coupled_with(evaluation, i - 1))
            return gls_coupling_refuse(p, "norms and inner products of single examples");
    return GLS_OK;
}
