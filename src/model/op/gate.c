/* gate: half of the channels, through a function, times the other half (gated linear units, Shazeer 2020). */
#include "base/kernels.h"
#include "model/elementary.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_ENUM("kind", gls_op_gate_options, kind, "silu", GLS_GATE_CHOICES, "the function of the first half"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_op_takes_positions(g, node));
    if (node->in.c % 2 != 0)
        return gls_node_fail(g, node, "takes an even number of channels, got %lld", (long long)node->in.c);
    node->out = (gls_extent){node->in.c / 2, 1, node->in.w};
    return GLS_OK;
}

/* A function at one place, and its first two derivatives. */
typedef struct curve {
    gls_real value, slope, bend;
} curve;

static inline curve silu(gls_real x) {
    gls_real s = gls_elementary_sigmoid(x), rest = s * (1 - s);
    return (curve){x * s, s + x * rest, rest * (2 + x * (1 - 2 * s))};
}

static inline curve gelu(gls_real x) {
    gls_real below = gls_elementary_normal_below(x), density = gls_elementary_normal_density(x);
    return (curve){x * below, below + x * density, (2 - x * x) * density};
}

static inline curve sigmoid(gls_real x) {
    gls_real s = gls_elementary_sigmoid(x), rest = s * (1 - s);
    return (curve){s, rest, rest * (1 - 2 * s)};
}

/* One position: the halves a and b of the input, and what tangents and gradients there are of all, n of each. */
typedef struct halves {
    const gls_real *in, *in_dot, *e, *e_dot;
    gls_real *to;
    int64_t n;
    bool adds;
} halves;

static inline void put(const halves *h, int64_t k, gls_real v) {
    h->to[k] = h->adds ? h->to[k] + v : v;
}

/* y = f(a) b; the gradients e f'(a) b and e f(a); and the tangents of all three. */
#define LOOPS(NAME)                                                                                  \
    GLS_SIMD static void NAME##_forward(const halves *h) {                                           \
        for (int64_t k = 0; k < h->n; k++) h->to[k] = NAME(h->in[k]).value * h->in[h->n + k];        \
    }                                                                                                \
    GLS_SIMD static void NAME##_backward(const halves *h) {                                          \
        for (int64_t k = 0; k < h->n; k++) {                                                         \
            curve f = NAME(h->in[k]);                                                                \
            put(h, k, h->e[k] * h->in[h->n + k] * f.slope);                                          \
            put(h, h->n + k, h->e[k] * f.value);                                                     \
        }                                                                                            \
    }                                                                                                \
    GLS_SIMD static void NAME##_forward_tangent(const halves *h) {                                   \
        for (int64_t k = 0; k < h->n; k++) {                                                         \
            curve f = NAME(h->in[k]);                                                                \
            h->to[k] = f.slope * h->in_dot[k] * h->in[h->n + k] + f.value * h->in_dot[h->n + k];     \
        }                                                                                            \
    }                                                                                                \
    GLS_SIMD static void NAME##_backward_tangent(const halves *h) {                                  \
        for (int64_t k = 0; k < h->n; k++) {                                                         \
            curve f = NAME(h->in[k]);                                                                \
            gls_real b = h->in[h->n + k], a_dot = h->in_dot[k], b_dot = h->in_dot[h->n + k];         \
            put(h, k, (h->e_dot[k] * b + h->e[k] * b_dot) * f.slope + h->e[k] * b * f.bend * a_dot); \
            put(h, h->n + k, h->e_dot[k] * f.value + h->e[k] * f.slope * a_dot);                     \
        }                                                                                            \
    }

LOOPS(silu)
LOOPS(gelu)
LOOPS(sigmoid)

#define ROW(NAME) \
    { NAME##_forward, NAME##_backward, NAME##_forward_tangent, NAME##_backward_tangent }
enum { FORWARD, BACKWARD, FORWARD_TANGENT, BACKWARD_TANGENT, WAYS };
static void (*const loop[][WAYS])(const halves *) = {
    [GLS_GATE_SILU] = ROW(silu), [GLS_GATE_GELU] = ROW(gelu), [GLS_GATE_SIGMOID] = ROW(sigmoid)};

/* All positions; x has the values, t is x or has the tangents. */
static gls_status run(const gls_exec *x, gls_exec *t, int i, int way) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_gate_options *o = node->options;
    bool back = way == BACKWARD || way == BACKWARD_TANGENT;
    if (back && !gls_exec_wants(t, i, 0)) return GLS_OK;
    gls_real *to = back ? gls_exec_in_grad(t, i, 0) : gls_exec_value(t, i);
    int64_t n = node->out.c;
    for (int64_t p = 0; p < x->rows * node->out.w; p++) {
        halves h = {.in = gls_exec_in(x, i, 0) + 2 * p * n,
                    .in_dot = gls_exec_in(t, i, 0) + 2 * p * n,
                    .e = back ? gls_exec_grad(x, i) + p * n : NULL,
                    .e_dot = back ? gls_exec_grad(t, i) + p * n : NULL,
                    .to = to + (back ? 2 : 1) * p * n,
                    .n = n,
                    .adds = back && gls_exec_adds(t, i, 0)};
        loop[o->kind][way](&h);
    }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return run(x, x, i, FORWARD);
}
static gls_status backward(gls_exec *x, int i) {
    return run(x, x, i, BACKWARD);
}
static gls_status forward_tangent(gls_exec *t, int i) {
    return run(gls_exec_primal(t), t, i, FORWARD_TANGENT);
}
static gls_status backward_tangent(gls_exec *t, int i) {
    return run(gls_exec_primal(t), t, i, BACKWARD_TANGENT);
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_gate_options *o = node->options;
    int64_t c = node->out.c;
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    const char *a = gls_onnx_slice(x->to, gls_export_name(x, i, "gate", name), in, 2, 0, c);
    const char *b = gls_onnx_slice(x->to, gls_export_name(x, i, "gated", name), in, 2, c, 2 * c);
    if (o->kind == GLS_GATE_SILU) a = gls_export_silu(x, i, a);
    if (o->kind == GLS_GATE_GELU) a = gls_export_gelu(x, i, a);
    if (o->kind == GLS_GATE_SIGMOID)
        a = gls_onnx_node(x->to, "Sigmoid", gls_export_name(x, i, "sigmoid", name), GLS_ONNX_ARGS(a), NULL);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_node(x->to, "Mul", node->name, GLS_ONNX_ARGS(a, b), NULL));
}

const gls_op gls_op_gate = {
    .member = {.name = "gate",
               .help = "half of the channels, through a function, times the other half",
               .source = "Shazeer 2020",
               .options = options,
               .options_size = sizeof(gls_op_gate_options)},
    .formula = "y = f(a) b, a and b the halves of the channels, f(a) = a s(a), a Phi(a) or s(a), s the sigmoid",
    .shapes = "[2 c, 1, w] -> [c, 1, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_KEEPS_INPUT | GLS_OP_BY_POSITION,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent, .backward_tangent = backward_tangent),
    .onnx = onnx,
};
