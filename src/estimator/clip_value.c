/* Cuts every coordinate of the estimate to [-bound, bound], in front of any method. A NaN stays a NaN. */
#include "estimator/estimator.h"

#include "base/kernels.h"
#include "base/arith.h"

#include <math.h>
#include <stddef.h>

typedef struct fields {
    double bound;
} fields;

static gls_status create(gls_stage *stage, const void *options) {
    *(fields *)stage->self = *(const fields *)options;
    return GLS_OK;
}

typedef struct clipping {
    gls_real *g;
    int64_t n;
    gls_real bound;
} clipping;

static gls_status clip_task(void *user, int64_t task, int worker) {
    const clipping *c = user;
    int64_t end = gls_least((task + 1) * GLS_CHUNK, c->n);
    for (int64_t i = task * GLS_CHUNK; i < end; i++)
        c->g[i] = c->g[i] > c->bound ? c->bound : c->g[i] < -c->bound ? -c->bound : c->g[i];
    return GLS_OK;
}

/* An infinite gradient is left to the method's refusal. */
static gls_status whole(gls_stage *stage, gls_real *g, gls_estimate *out, gls_record *record) {
    clipping c = {.g = g, .n = gls_problem_size(stage->problem)};
    c.bound = (gls_real)((const fields *)stage->self)->bound;
    if (!isfinite(out->norm2)) return GLS_OK;
    GLS_TRY(gls_parallel(stage->ctx, gls_parts(c.n, GLS_CHUNK), clip_task, &c));
    double before = out->norm2;
    out->norm2 = gls_team_sum_squares(stage->ctx, g, c.n);
    if (record) gls_record_set(record, "clip_value_ratio", before > 0 ? sqrt(out->norm2 / before) : 1);
    return GLS_OK;
}

static const gls_option options[] = {GLS_REAL("bound", fields, bound, "1", 0, INFINITY,
                                              "largest absolute value of a coordinate", .flags = GLS_OPTION_ABOVE_MIN),
                                     {0}};

const gls_estimator_type gls_estimator_clip_value = {
    .member = {"clip_value", "cuts every coordinate of the estimate", "", options, sizeof(fields)},
    .self_size = sizeof(fields),
    .place = GLS_PLACE_WHOLE,
    .create = create,
    .whole = whole,
};
