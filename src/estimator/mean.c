/* The mean over masses: g = sum g_i / sum m_i. */
#include "estimator/mean.h"

const gls_option gls_estimator_sum_options[] = {
    GLS_BOOL("ledger", gls_estimator_sum_fields, ledger, "false", "keep every example's mean gradient norm"), {0}};

static gls_status create(gls_stage *stage, const void *options) {
    stage->ledger = ((const gls_estimator_sum_fields *)options)->ledger;
    return GLS_OK;
}

const gls_estimator_type gls_estimator_mean = {
    .member = {"mean", "mean of the gradients over the mini-batch", "", gls_estimator_sum_options,
               sizeof(gls_estimator_sum_fields)},
    .place = GLS_PLACE_SUM,
    .create = create,
};
