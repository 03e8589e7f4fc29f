/* add: the sum of two inputs of one shape (a residual connection). */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/kernels.h"
#include "model/op.h"

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
    memcpy(gls_exec_value(x, i), gls_exec_in(x, i, 0), (size_t)n * sizeof(gls_real));
    gls_add(gls_exec_value(x, i), gls_exec_in(x, i, 1), n);
    if (node->activation) gls_activation(gls_exec_value(x, i), gls_exec_value(x, i), n, node->slope);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    int64_t n = gls_exec_size(x, i);
    gls_exec_activation_backward(x, i);
    for (int k = 0; k < 2; k++) {
        if (!gls_exec_wants(x, i, k)) continue;
        gls_real *to = gls_exec_in_grad(x, i, k);
        if (gls_exec_adds(x, i, k))
            gls_add(to, gls_exec_grad(x, i), n);
        else
            memcpy(to, gls_exec_grad(x, i), (size_t)n * sizeof *to);
    }
    return GLS_OK;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    gls_real *y = gls_exec_value(t, i);
    int64_t n = gls_exec_size(t, i);
    memcpy(y, gls_exec_in(t, i, 0), (size_t)n * sizeof *y);
    gls_add(y, gls_exec_in(t, i, 1), n);
    gls_exec_activation_tangent(t, i);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_form form = gls_export_form(x, i, 0);
    const char *a = gls_export_in(x, i, 0, form), *b = gls_export_in(x, i, 1, form);
    gls_export_out(x, i, form, gls_onnx_node(x->to, "Add", x->graph->node[i].name, GLS_ONNX_ARGS(a, b), NULL));
}

const gls_op gls_op_add = {
    .member = {.name = "add", .help = "sum of two inputs", .source = ""},
    .formula = "y = a + b",
    .shapes = "[c, h, w] and [c, h, w] -> [c, h, w]",
    .parameters = "",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = GLS_OP_FUSES,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward),
    .onnx = onnx,
};
