/* Diversity by stochastic quantisation: Q(v)_l = |v| sign(v_l) with probability |v_l|/|v|, else 0; unbiased. */
#include "estimator/estimator.h"

#include "base/kernels.h"

#include <math.h>

static gls_status create(gls_stage *stage, const void *options) {
    stage->group = 1;
    return GLS_OK;
}

static gls_status transform(gls_stage *stage, const gls_group *group, gls_real *mean) {
    int64_t d = gls_problem_size(stage->problem);
    double norm = sqrt(gls_sum_squares(mean, d));
    gls_random random = gls_random_create(stage->seed, "quant", group->rows->draw, (uint32_t)group->slot);
    if (norm == 0 || !isfinite(norm)) return GLS_OK;
    for (int64_t i = 0; i < d; i++)
        mean[i] = gls_random_uniform(&random) * norm < fabs((double)mean[i]) ? (gls_real)copysign(norm, mean[i]) : 0;
    return GLS_OK;
}

const gls_estimator_type gls_estimator_quant = {
    .member = {"quant", "quantises each example's gradient at random, without bias", "[D] 4.4", NULL, 0},
    .place = GLS_PLACE_GROUP,
    .create = create,
    .transform = transform,
};
