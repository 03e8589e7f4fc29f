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

/* Derivatives of x s(x), s the sigmoid. */
static inline gls_real silu_slope(gls_real x) {
    gls_real s = gls_elementary_sigmoid(x);
    return s + x * s * (1 - s);
}
static inline gls_real silu_bend(gls_real x) {
    gls_real s = gls_elementary_sigmoid(x);
    return s * (1 - s) * (2 + x * (1 - 2 * s));
}

GLS_ELEMENTWISE_ONNX(relu, "Relu", NULL)
GLS_ELEMENTWISE_ONNX(leaky_relu, "LeakyRelu", GLS_ONNX_WITH(GLS_ONNX_REAL("alpha", leaky_slope(&x->graph->node[i]))))
GLS_ELEMENTWISE_ONNX(tanh, "Tanh", NULL)
GLS_ELEMENTWISE_ONNX(sigmoid, "Sigmoid", NULL)

static void gelu_onnx(gls_export *x, int i) {
    gls_form form = gls_export_form(x, i, 0);
    gls_export_out(x, i, form, gls_export_gelu(x, i, gls_export_in(x, i, 0, form)));
}

static void silu_onnx(gls_export *x, int i) {
    gls_form form = gls_export_form(x, i, 0);
    gls_export_out(x, i, form, gls_export_silu(x, i, gls_export_in(x, i, 0, form)));
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
GLS_ELEMENTWISE(sigmoid, y, gls_elementary_sigmoid(x), e * y * (1 - y), y * (1 - y) * (1 - 2 * y),
                .onnx = sigmoid_onnx, .member.help = "logistic function", .formula = "y = 1 / (1 + e^-x)", .flags = GLS_KEEPS_Y);
/* Phi is the normal distribution function; the exact form, by erf. */
GLS_ELEMENTWISE(gelu, x, x * gls_elementary_normal_below(x), e * gls_elementary_gelu_slope(x),
                (2 - x * x) * gls_elementary_normal_density(x),
                .onnx = gelu_onnx, .member.help = "x times the normal distribution function", .formula = "y = x Phi(x)",
                .flags = GLS_KEEPS_X);
GLS_ELEMENTWISE(silu, x, x * gls_elementary_sigmoid(x), e * silu_slope(x), silu_bend(x),
                .onnx = silu_onnx, .member.help = "x times the logistic function", .formula = "y = x / (1 + e^-x)", .flags = GLS_KEEPS_X);
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
