/* flatten: [c, h, w] as features in the order c, h, w. Blocked layouts are permuted, plain ones stay where they are. */
#include "model/export.h"
#include "model/op.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    (void)g;
    node->out = (gls_extent){gls_extent_size(node->in), 1, 1};
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->in_inner, positions = gls_extent_positions(node->in);
    const gls_real *from = gls_exec_in(x, i, 0);
    gls_real *to = gls_exec_value(x, i);
    for (int64_t b = 0; b < x->rows * (node->in.c / inner); b++, from += positions * inner, to += positions * inner)
        for (int64_t k = 0; k < inner; k++)
            for (int64_t p = 0; p < positions; p++) to[k * positions + p] = from[p * inner + k];
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->in_inner, positions = gls_extent_positions(node->in);
    const gls_real *from = gls_exec_grad(x, i);
    gls_real *to = gls_exec_in_grad(x, i, 0);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t b = 0; b < x->rows * (node->in.c / inner); b++, from += positions * inner, to += positions * inner)
        for (int64_t p = 0; p < positions; p++)
            for (int64_t k = 0; k < inner; k++)
                to[p * inner + k] = (adds ? to[p * inner + k] : 0) + from[k * positions + p];
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_export_out(x, i, GLS_FORM_FEATURES, gls_export_in(x, i, 0, GLS_FORM_FEATURES));
}

const gls_op gls_op_flatten = {
    .member = {.name = "flatten", .help = "an image as features", .source = ""},
    .formula = "y = x, in the order c, h, w",
    .shapes = "[c, h, w] -> [c h w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_VIEW | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .onnx = onnx,
};
