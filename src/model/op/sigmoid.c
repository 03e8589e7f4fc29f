/* sigmoid: y = 1 / (1 + e^-x). */
#include "base/kernels.h"
#include "model/math.h"
#include "model/op.h"

GLS_SIMD static void values(gls_real *y, const gls_real *x, int64_t n) {
    for (int64_t k = 0; k < n; k++) y[k] = 1 / (1 + gls_real_exp(-x[k]));
}

/* d = e dy/dx; d may be e. */
GLS_SIMD static void gradients(gls_real *d, const gls_real *e, const gls_real *y, int64_t n) {
    for (int64_t k = 0; k < n; k++) d[k] = e[k] * y[k] * (1 - y[k]);
}

static gls_status forward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    values(x->value[i], gls_exec_in(x, i, 0), x->rows * gls_extent_size(gls_exec_node(x, i)->out));
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    gls_elementwise_backward(x, i, x->value[i], gradients);
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .forward = forward, .backward = backward};

const gls_op gls_op_sigmoid = {
    .member = {.name = "sigmoid", .help = "logistic function", .source = ""},
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = GLS_OP_KEEPS_OUTPUT | GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE,
    .shape = gls_shape_same,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
};
