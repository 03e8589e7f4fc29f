/* add: the sum of two inputs of one shape (a residual connection), the first times a factor. */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/kernels.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_REAL("scale", gls_op_add_options, scale, "1", 0, 0, "factor of the first input"),
    {0},
};

static double scale_of(const gls_node *node, int k) {
    return k == 0 ? ((const gls_op_add_options *)node->options)->scale : 1;
}

/* y may be a or b. */
GLS_SIMD static void scaled_sum(gls_real *y, gls_real scale, const gls_real *a, const gls_real *b, int64_t n) {
    GLS_LANE_LOOP
    for (int64_t k = 0; k < n; k++) y[k] = scale * a[k] + b[k];
}

/* y = scale a + b, of values or tangents. */
static void sum(const gls_exec *x, int i) {
    scaled_sum(gls_exec_value(x, i), (gls_real)scale_of(gls_exec_node(x, i), 0), gls_exec_in(x, i, 0),
               gls_exec_in(x, i, 1), gls_exec_size(x, i));
}

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_extent other = g->node[node->input[1]].out;
    node->out = node->in;
    if (gls_extent_equal(other, node->in)) return GLS_OK;
    char a[64], b[64];
    return gls_node_fail(g, node, "its inputs are %s and %s", gls_extent_text(node->in, a), gls_extent_text(other, b));
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t n = x->rows * gls_extent_size(node->out);
    sum(x, i);
    if (node->activation) gls_activation(gls_exec_value(x, i), gls_exec_value(x, i), n, node->slope);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    int64_t n = gls_exec_size(x, i);
    gls_exec_activation_backward(x, i);
    for (int k = 0; k < 2; k++) {
        if (!gls_exec_wants(x, i, k)) continue;
        gls_real *to = gls_exec_in_grad(x, i, k);
        double scale = scale_of(gls_exec_node(x, i), k);
        if (gls_exec_adds(x, i, k) && scale != 1) {
            gls_axpy(to, scale, gls_exec_grad(x, i), n);
        } else if (gls_exec_adds(x, i, k)) {
            gls_add(to, gls_exec_grad(x, i), n);
        } else {
            memcpy(to, gls_exec_grad(x, i), (size_t)n * sizeof *to);
            if (scale != 1) gls_scale(to, scale, n);
        }
    }
    return GLS_OK;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    sum(t, i);
    gls_exec_activation_tangent(t, i);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_form form = gls_export_form(x, i, 0);
    const char *a = gls_export_in(x, i, 0, form), *b = gls_export_in(x, i, 1, form);
    double scale = scale_of(&x->graph->node[i], 0);
    char name[GLS_ONNX_NAME];
    if (scale != 1)
        a = gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "scaled", name),
                          GLS_ONNX_ARGS(a, gls_onnx_real(x->to, gls_export_name(x, i, "scale", name), scale)), NULL);
    gls_export_out(x, i, form, gls_onnx_node(x->to, "Add", x->graph->node[i].name, GLS_ONNX_ARGS(a, b), NULL));
}

const gls_op gls_op_add = {
    .member = {.name = "add",
               .help = "sum of two inputs",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_add_options)},
    .formula = "y = scale a + b",
    .shapes = "[c, h, w] and [c, h, w] -> [c, h, w]",
    .parameters = "",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = GLS_OP_FUSES | GLS_OP_BY_POSITION,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward),
    .onnx = onnx,
};
