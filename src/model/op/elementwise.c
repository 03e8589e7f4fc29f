/* Activations: y = f(x), element by element. */
#include "model/op/elementwise.h"

#include "base/arith.h"

typedef struct leaky_options {
    double slope;
} leaky_options;

static const gls_option leaky_table[] = {
    GLS_REAL("slope", leaky_options, slope, "0.01", 0, 1, "slope below 0",
             .flags = GLS_OPTION_ABOVE_MIN | GLS_OPTION_BELOW_MAX),
    {0},
};

static double leaky_slope(const gls_node *node) {
    return ((const leaky_options *)node->options)->slope;
}

/* sqrt(1/2), in the normal distribution function (1 + erf(x / sqrt(2))) / 2 */
#define SQRT_HALF (gls_real)0.70710678118654752
#define NORMAL_PEAK (gls_real)0.39894228040143268 /* 1 / sqrt(2 pi) */

static inline gls_real normal_below(gls_real x) {
    return (gls_real)0.5 * (1 + gls_elementary_erf(x * SQRT_HALF));
}
static inline gls_real normal_density(gls_real x) {
    return NORMAL_PEAK * gls_elementary_exp((gls_real)-0.5 * x * x);
}

GLS_ELEMENTWISE_ONNX(relu, "Relu", NULL)
GLS_ELEMENTWISE_ONNX(leaky_relu, "LeakyRelu", GLS_ONNX_WITH(GLS_ONNX_REAL("alpha", leaky_slope(&x->graph->node[i]))))
GLS_ELEMENTWISE_ONNX(tanh, "Tanh", NULL)
GLS_ELEMENTWISE_ONNX(sigmoid, "Sigmoid", NULL)

/* x (1 + erf(x sqrt(1/2))) / 2 */
static void gelu_onnx(gls_export *x, int i) {
    gls_onnx *to = x->to;
    gls_form form = gls_export_form(x, i, 0);
    const char *in = gls_export_in(x, i, 0, form);
    char name[GLS_ONNX_NAME];
    const char *root = gls_onnx_real(to, gls_export_name(x, i, "root", name), SQRT_HALF);
    const char *one = gls_onnx_real(to, gls_export_name(x, i, "one", name), 1);
    const char *half = gls_onnx_real(to, gls_export_name(x, i, "half", name), 0.5);
    const char *y = gls_onnx_node(to, "Mul", gls_export_name(x, i, "scaled", name), GLS_ONNX_ARGS(in, root), NULL);
    y = gls_onnx_node(to, "Erf", gls_export_name(x, i, "erf", name), GLS_ONNX_ARGS(y), NULL);
    y = gls_onnx_node(to, "Add", gls_export_name(x, i, "below", name), GLS_ONNX_ARGS(y, one), NULL);
    y = gls_onnx_node(to, "Mul", gls_export_name(x, i, "share", name), GLS_ONNX_ARGS(y, half), NULL);
    gls_export_out(x, i, form, gls_onnx_node(to, "Mul", x->graph->node[i].name, GLS_ONNX_ARGS(in, y), NULL));
}

/* clang-format off */
/* At 0 the derivative of a relu is taken as the slope. */
GLS_ELEMENTWISE(relu, y, x < 0 ? s * x : x, y > 0 ? e : s * e, 0,
                .onnx = relu_onnx, .member.help = "max(x, 0)", .formula = "y = max(x, 0)",
                .flags = GLS_KEEPS_Y | GLS_OP_ACTIVATION);
GLS_ELEMENTWISE(leaky_relu, y, x < 0 ? s * x : x, y > 0 ? e : s * e, 0,
                .onnx = leaky_relu_onnx, .member.help = "max(x, slope x)", .formula = "y = max(x, slope x)",
                .member.options = leaky_table, .member.options_size = sizeof(leaky_options), .slope = leaky_slope,
                .flags = GLS_KEEPS_Y | GLS_OP_ACTIVATION);
GLS_ELEMENTWISE(tanh, y, gls_elementary_tanh(x), e * (1 - y * y), -2 * y * (1 - y * y),
                .onnx = tanh_onnx, .member.help = "hyperbolic tangent", .formula = "y = tanh(x)", .flags = GLS_KEEPS_Y);
GLS_ELEMENTWISE(sigmoid, y, 1 / (1 + gls_elementary_exp(-x)), e * y * (1 - y), y * (1 - y) * (1 - 2 * y),
                .onnx = sigmoid_onnx, .member.help = "logistic function", .formula = "y = 1 / (1 + e^-x)", .flags = GLS_KEEPS_Y);
/* Phi is the normal distribution function; the exact form, by erf. */
GLS_ELEMENTWISE(gelu, x, (gls_real)0.5 * x * (1 + gls_elementary_erf(x * SQRT_HALF)), e * (normal_below(x) + x * normal_density(x)),
                (2 - x * x) * normal_density(x),
                .onnx = gelu_onnx, .member.help = "x times the normal distribution function", .formula = "y = x Phi(x)",
                .flags = GLS_KEEPS_X);
/* clang-format on */

/* ---- what they share ---- */

static gls_real slope_of(const gls_node *node) {
    return node->op->slope ? (gls_real)node->op->slope(node) : 0;
}

void gls_elementwise_forward(gls_exec *x, int i, gls_elementwise_values *values) {
    values(gls_exec_value(x, i), gls_exec_in(x, i, 0), gls_exec_size(x, i), slope_of(gls_exec_node(x, i)));
}

static const gls_real *kept_of(const gls_exec *x, int i) {
    return gls_exec_node(x, i)->op->flags & GLS_OP_KEEPS_INPUT ? gls_exec_in(x, i, 0) : gls_exec_value(x, i);
}

/* Where the gradient is added, it is made a piece at a time. */
static void gradients_of(gls_exec *x, int i, const gls_real *kept, gls_elementwise_gradients *gradients) {
    const gls_real *e = gls_exec_grad(x, i);
    gls_real *to = gls_exec_in_grad(x, i, 0), slope = slope_of(gls_exec_node(x, i));
    int64_t n = gls_exec_size(x, i);
    if (!gls_exec_adds(x, i, 0)) {
        gradients(to, e, kept, n, slope);
        return;
    }
    enum { PIECE = 512 }; /* elements on the stack: 2 KiB of floats */
    gls_real piece[PIECE];
    for (int64_t k = 0; k < n; k += PIECE) {
        int64_t count = gls_least(n - k, PIECE);
        gradients(piece, e + k, kept + k, count, slope);
        gls_add(to + k, piece, count);
    }
}

void gls_elementwise_backward(gls_exec *x, int i, gls_elementwise_gradients *gradients) {
    if (gls_exec_wants(x, i, 0)) gradients_of(x, i, kept_of(x, i), gradients);
}

/* ---- tangents: y' = f'(x) x', d' = e' f'(x) + e f''(x) x' ---- */

void gls_elementwise_forward_tangent(gls_exec *t, int i, gls_elementwise_gradients *gradients) {
    gradients(gls_exec_value(t, i), gls_exec_in(t, i, 0), kept_of(gls_exec_primal(t), i), gls_exec_size(t, i),
              slope_of(gls_exec_node(t, i)));
}

void gls_elementwise_backward_tangent(gls_exec *t, int i, gls_elementwise_gradients *gradients,
                                      gls_elementwise_curvatures *curvatures) {
    const gls_exec *x = gls_exec_primal(t);
    if (!gls_exec_wants(t, i, 0)) return;
    gradients_of(t, i, kept_of(x, i), gradients);
    curvatures(gls_exec_in_grad(t, i, 0), gls_exec_grad(x, i), gls_exec_in(t, i, 0), kept_of(x, i),
               gls_exec_size(t, i));
}
