/* Diversity by noise: a normal vector of variance sigma^2 in every coordinate is added to each example's gradient. */
#include "estimator/estimator.h"

#include <math.h>
#include <stddef.h>

typedef struct fields {
    double sigma;
} fields;

static gls_status create(gls_stage *stage, const void *options) {
    *(fields *)stage->self = *(const fields *)options;
    stage->group = 1;
    return GLS_OK;
}

static gls_status transform(gls_stage *stage, const gls_group *group, gls_real *mean) {
    double sigma = ((const fields *)stage->self)->sigma;
    gls_random random = gls_random_create(stage->seed, "sgld", group->rows->draw, (uint32_t)group->slot);
    int64_t d = gls_problem_size(stage->problem);
    for (int64_t i = 0; i < d; i++) mean[i] += (gls_real)(sigma * gls_random_normal(&random));
    return GLS_OK;
}

static const gls_option options[] = {
    GLS_REAL("sigma", fields, sigma, "0.01", 0, INFINITY, "standard deviation of the noise in each coordinate"), {0}};

const gls_estimator_type gls_estimator_sgld = {
    .member = {"sgld", "adds normal noise to each example's gradient", "[D] 4.4", options, sizeof(fields)},
    .self_size = sizeof(fields),
    .place = GLS_PLACE_GROUP,
    .create = create,
    .transform = transform,
};
