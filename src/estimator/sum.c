/* The sum: g = sum g_i, so that a step is not divided by the size of the mini-batch. */
#include "estimator/mean.h"

static gls_status create(gls_stage *stage, const void *options) {
    stage->ledger = ((const gls_estimator_sum_fields *)options)->ledger;
    stage->sum = true;
    return GLS_OK;
}

const gls_estimator_type gls_estimator_sum = {
    .member = {"sum", "sum of the gradients over the mini-batch", "[D] (2)", gls_estimator_sum_options,
               sizeof(gls_estimator_sum_fields)},
    .place = GLS_PLACE_SUM,
    .create = create,
};
