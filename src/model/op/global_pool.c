/* global_pool: the mean over all positions of every channel. */
#include "model/export.h"
#include "model/kernels.h"
#include "model/op.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    (void)g;
    node->out = (gls_extent){node->in.c, 1, 1};
    return GLS_OK;
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return node->in.c * (int64_t)sizeof(double);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, positions = gls_extent_positions(node->in);
    double *sums = x->scratch;
    for (int64_t r = 0; r < x->rows; r++) {
        gls_channel_sums(gls_exec_in(x, i, 0) + r * c * positions, c, positions, node->in_inner, sums);
        for (int64_t k = 0; k < c; k++) gls_exec_value(x, i)[r * c + k] = (gls_real)(sums[k] / (double)positions);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->in_inner, positions = gls_extent_positions(node->in);
    gls_real share = (gls_real)1 / (gls_real)positions, *dx = gls_exec_in_grad(x, i, 0);
    const gls_real *e = gls_exec_grad(x, i);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t b = 0; b < x->rows * (node->in.c / inner); b++, e += inner)
        for (int64_t p = 0; p < positions; p++, dx += inner)
            for (int64_t k = 0; k < inner; k++) dx[k] = (adds ? dx[k] : 0) + share * e[k];
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const char *name = x->graph->node[i].name, *y;
    gls_form form = gls_export_form(x, i, 0);
    const char *in = x->value[x->graph->node[i].input[0]];
    if (form == GLS_FORM_SEQUENCE)
        y = gls_onnx_node(x->to, "ReduceMean", name, GLS_ONNX_ARGS(in),
                          GLS_ONNX_WITH(GLS_ONNX_INTS("axes", 1), GLS_ONNX_INT("keepdims", 0)));
    else if (form == GLS_FORM_IMAGE)
        y = gls_onnx_node(x->to, "ReduceMean", name, GLS_ONNX_ARGS(in),
                          GLS_ONNX_WITH(GLS_ONNX_INTS("axes", 2, 3), GLS_ONNX_INT("keepdims", 0)));
    else
        y = in;
    gls_export_out(x, i, GLS_FORM_FEATURES, y);
}

const gls_op gls_op_global_pool = {
    .member = {.name = "global_pool", .help = "mean over all positions", .source = ""},
    .formula = "y_c = mean of x_c over all positions",
    .shapes = "[c, h, w] -> [c]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.scratch = scratch, .forward = forward, .backward = backward),
    .onnx = onnx,
};
