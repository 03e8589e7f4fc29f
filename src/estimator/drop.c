/* Diversity by dropping: each coordinate of an example's gradient is kept with probability 1 - p, not rescaled. */
#include "estimator/estimator.h"

#include <stddef.h>

typedef struct fields {
    double p;
} fields;

static gls_status create(gls_stage *stage, const void *options) {
    *(fields *)stage->self = *(const fields *)options;
    stage->group = 1;
    return GLS_OK;
}

static gls_status transform(gls_stage *stage, const gls_group *group, gls_real *mean) {
    double p = ((const fields *)stage->self)->p;
    gls_random random = gls_random_create(stage->seed, "drop", group->rows->draw, (uint32_t)group->slot);
    int64_t d = gls_problem_size(stage->problem);
    for (int64_t i = 0; i < d; i++)
        if (gls_random_uniform(&random) < p) mean[i] = 0;
    return GLS_OK;
}

static const gls_option options[] = {
    GLS_REAL("p", fields, p, "0.5", 0, 1, "probability that a coordinate is dropped", .flags = GLS_OPTION_BELOW_MAX),
    {0}};

const gls_estimator_type gls_estimator_drop = {
    .member = {"drop", "drops coordinates of each example's gradient", "[D] 4.4", options, sizeof(fields)},
    .self_size = sizeof(fields),
    .place = GLS_PLACE_GROUP,
    .create = create,
    .transform = transform,
};
