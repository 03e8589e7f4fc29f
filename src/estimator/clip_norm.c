/* Scales the whole estimate down to a norm: gradient clipping in front of any method. */
#include "estimator/estimator.h"

#include <math.h>
#include <stddef.h>

typedef struct fields {
    double bound;
} fields;

static gls_status create(gls_stage *stage, const void *options) {
    *(fields *)stage->self = *(const fields *)options;
    return GLS_OK;
}

static gls_status whole(gls_stage *stage, gls_real *g, gls_estimate *out, gls_record *record) {
    double bound = ((const fields *)stage->self)->bound, norm = sqrt(out->norm2);
    double factor = norm > bound ? bound / norm : 1;
    if (factor < 1 && isfinite(norm))
        out->norm2 = gls_estimate_scale(stage->ctx, g, factor, gls_problem_size(stage->problem));
    if (record) gls_record_set(record, "clip_norm_factor", factor);
    return GLS_OK;
}

static const gls_option options[] = {
    GLS_REAL("bound", fields, bound, "1", 0, INFINITY, "largest norm of the estimate", .flags = GLS_OPTION_ABOVE_MIN),
    {0}};

const gls_estimator_type gls_estimator_clip_norm = {
    .member = {"clip_norm", "scales the whole estimate down to a norm", "", options, sizeof(fields)},
    .self_size = sizeof(fields),
    .place = GLS_PLACE_WHOLE,
    .create = create,
    .whole = whole,
};
