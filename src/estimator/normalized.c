/* Scales every micro-batch's mean gradient to norm 1. */
#include "estimator/microbatch.h"

static gls_status create(gls_stage *stage, const void *options) {
    return gls_microbatch_read(stage, options);
}

static double factor(const gls_stage *stage, double norm) {
    return 1 / norm;
}

static const gls_option options[] = {GLS_MICROBATCH_OPTIONS, {0}};

const gls_estimator_type gls_estimator_normalized = {
    .member = {"normalized", "micro-batch gradients of norm 1", "[M] (2)", options, sizeof(gls_microbatch_fields)},
    .place = GLS_PLACE_GROUP,
    .create = create,
    .factor = factor,
};
