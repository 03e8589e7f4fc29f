/* leaky_relu: y = max(x, slope x). At 0 its derivative is taken as slope. */
#include "model/kernels.h"
#include "model/op.h"

typedef struct leaky_options {
    double slope; /* first: fusing reads it */
} leaky_options;

static const gls_option options[] = {
    {"slope", GLS_OPTION_REAL, offsetof(leaky_options, slope), "0.01", 0, 1,
     GLS_OPTION_ABOVE_MIN | GLS_OPTION_BELOW_MAX, NULL, "slope below 0"},
    {NULL},
};

static double slope(const gls_exec *x, int i) {
    return ((const leaky_options *)gls_exec_node(x, i)->options)->slope;
}

static gls_status forward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    int64_t n = x->rows * gls_extent_size(gls_exec_node(x, i)->out);
    gls_activation(x->value[i], gls_exec_in(x, i, 0), n, slope(x, i));
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    int64_t n = x->rows * gls_extent_size(gls_exec_node(x, i)->out);
    gls_activation_grad(gls_exec_in_grad(x, i, 0), x->grad[i], x->value[i], n, slope(x, i), gls_exec_adds(x, i, 0));
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .forward = forward, .backward = backward};

const gls_op gls_op_leaky_relu = {
    .member = {.name = "leaky_relu",
               .help = "max(x, slope x)",
               .source = "",
               .options = options,
               .options_size = sizeof(leaky_options)},
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = GLS_OP_KEEPS_OUTPUT | GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE | GLS_OP_ACTIVATION,
    .shape = gls_shape_same,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
};
