/* relu: y = max(x, 0). At 0 its derivative is taken as 0. */
#include "model/kernels.h"
#include "model/op.h"

static gls_status forward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    gls_activation(x->value[i], gls_exec_in(x, i, 0), x->rows * gls_extent_size(gls_exec_node(x, i)->out), 0);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    int64_t n = x->rows * gls_extent_size(gls_exec_node(x, i)->out);
    gls_activation_grad(gls_exec_in_grad(x, i, 0), x->grad[i], x->value[i], n, 0, gls_exec_adds(x, i, 0));
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .forward = forward, .backward = backward};

const gls_op gls_op_relu = {
    .member = {.name = "relu", .help = "max(x, 0)", .source = ""},
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = GLS_OP_KEEPS_OUTPUT | GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE | GLS_OP_ACTIVATION,
    .shape = gls_shape_same,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
};
