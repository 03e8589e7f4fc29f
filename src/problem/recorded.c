/* Recorded per-example gradients: f_i(w) = <g_i, w>, so that estimators and methods can be run again on
 * the same gradients. */
#include "problem/evaluation.h"

#include "base/kernels.h"

typedef struct recorded {
    const gls_real *gradients; /* [steps, examples, parameters] */
    int64_t steps, examples, parameters;
} recorded;

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    recorded *self = p->self;
    *self = *(const recorded *)options;
    return gls_layout_add(p->layout, "w", 1, &self->parameters, 0);
}

static gls_status value_gradient(gls_problem *p, const gls_evaluate_args *args, const gls_real *w,
                                 const double *weights, double *value, gls_real *g) {
    const recorded *self = p->self;
    const gls_batch *rows = args->rows;
    int64_t step = (int64_t)(rows->draw % (uint64_t)self->steps);
    *value = 0;
    for (int64_t i = 0; i < rows->rows; i++) {
        double weight = weights ? weights[i] : 1;
        if (weight == 0) continue;
        if (rows->index[i] < 0 || rows->index[i] >= self->examples)
            return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "recorded gradients: example %lld is outside the %lld recorded",
                            (long long)rows->index[i], (long long)self->examples);
        const gls_real *gi = self->gradients + (step * self->examples + rows->index[i]) * self->parameters;
        *value += weight * gls_dot(gi, w, self->parameters);
        if (g) gls_axpy(g, weight, gi, self->parameters);
    }
    return GLS_OK;
}

static const gls_problem_type recorded_type = {
    .member = {.name = "recorded", .help = "recorded per-example gradients", .source = ""},
    .self_size = sizeof(recorded),
    .create = create,
    .value_gradient = value_gradient,
};

gls_status gls_problem_create_recorded(gls_context *ctx, const gls_real *gradients, int64_t steps, int64_t examples,
                                       int64_t parameters, gls_problem **out) {
    GLS_GIVEN(ctx, ctx, gradients, out);
    *out = NULL;
    if (steps < 1 || examples < 1 || parameters < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "recorded gradients: shape [%lld, %lld, %lld] must be positive",
                        (long long)steps, (long long)examples, (long long)parameters);
    recorded shape = {gradients, steps, examples, parameters};
    gls_data_info data = {.examples = examples};
    return gls_problem_create_type(ctx, &recorded_type, &shape, &data, out);
}
