/* first: the first position of a row alone, for what is said of the whole row. */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/op.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_op_takes_positions(g, node));
    node->out = (gls_extent){node->in.c, 1, 1};
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c;
    const gls_real *in = gls_exec_in(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++)
        memcpy(gls_exec_value(x, i) + r * c, in + r * c * node->in.w, (size_t)c * sizeof *in);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, size = gls_extent_size(node->in);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    if (!gls_exec_adds(x, i, 0)) gls_fill(d, 0, x->rows * size);
    for (int64_t r = 0; r < x->rows; r++) gls_add(d + r * size, gls_exec_grad(x, i) + r * c, c);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    const char *y = gls_onnx_slice(x->to, gls_export_name(x, i, "front", name), in, 1, 0, 1);
    gls_export_out(x, i, GLS_FORM_FEATURES, gls_onnx_reshape(x->to, node->name, y, GLS_ONNX_EXTENTS(0, node->out.c)));
}

const gls_op gls_op_first = {
    .member = {.name = "first", .help = "the first position alone", .source = "Devlin et al. 2019"},
    .formula = "y = x_0",
    .shapes = "[c, 1, w] -> [c]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR | GLS_OP_NO_PADDING,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward),
    .onnx = onnx,
};
