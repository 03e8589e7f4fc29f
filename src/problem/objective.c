/* A user's objective: sums of value and gradient over a list of examples. */
#include "problem/evaluation.h"

typedef struct user_objective {
    gls_objective callback;
} user_objective;

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    user_objective *self = p->self;
    self->callback = *(const gls_objective *)options;
    p->serial = self->callback.serial;
    p->outputs = self->callback.output ? self->callback.outputs : 0;
    p->link = self->callback.output ? self->callback.link : GLS_LINK_NONE;
    const gls_layout *given = self->callback.layout;
    if (!given) return gls_layout_add(p->layout, "w", 1, &self->callback.parameters, 0);
    if (gls_layout_size(given) != self->callback.parameters)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "objective: the layout holds %lld parameters, parameters says %lld",
                        (long long)gls_layout_size(given), (long long)self->callback.parameters);
    for (int64_t b = 0; b < gls_layout_count(given); b++) {
        const gls_block *block = gls_layout_block(given, b);
        GLS_TRY(gls_layout_add(p->layout, block->name, block->dims, block->shape, block->flags));
    }
    return GLS_OK;
}

static gls_status value_gradient(gls_problem *p, const gls_evaluate_args *args, const gls_real *w,
                                 const double *weights, double *value, gls_real *g) {
    const user_objective *self = p->self;
    *value = 0;
    if (args->rows->rows == 0) return GLS_OK;
    int code = self->callback.evaluate(self->callback.user, w, args->rows->rows, args->rows->index, weights, value, g);
    return code ? gls_fail_callback(p->ctx, code, "objective") : GLS_OK;
}

static gls_status outputs(gls_problem *p, void *self, const gls_evaluate_args *args, gls_real *out) {
    const gls_objective *callback = &((const user_objective *)p->self)->callback;
    const gls_batch *rows = args->rows;
    if (rows->rows == 0) return GLS_OK;
    int code = callback->output(callback->user, gls_point_w(args->point), rows->rows, rows->index, out);
    return code ? gls_fail_callback(p->ctx, code, "objective") : GLS_OK;
}

static const gls_problem_type objective_type = {
    .member = {.name = "objective", .help = "a user's callback", .source = ""},
    .self_size = sizeof(user_objective),
    .create = create,
    .value_gradient = value_gradient,
    .outputs = outputs,
};

gls_status gls_problem_create_objective(gls_context *ctx, const gls_objective *objective, gls_problem **out) {
    GLS_GIVEN(ctx, ctx, objective, out);
    *out = NULL;
    if (objective->size != sizeof *objective)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_objective: size is %zu, this library's is %zu", objective->size,
                        sizeof *objective);
    if (!objective->evaluate || objective->parameters < 1 || objective->examples < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "objective: evaluate must be given, parameters (%lld) and examples (%lld) at least 1",
                        (long long)objective->parameters, (long long)objective->examples);
    if (objective->output && objective->outputs < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "objective: output was given, but outputs is %lld",
                        (long long)objective->outputs);
    gls_data_info data = {.examples = objective->examples};
    return gls_problem_create_type(ctx, &objective_type, objective, &data, out);
}
