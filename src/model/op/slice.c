/* slice: some of a row's positions. */
#include <string.h>

#include "base/arith.h"
#include "base/kernels.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("first", gls_op_slice_options, first, "0", 0, 1e9, "the first position taken; the row's first is 0"),
    GLS_INT("count", gls_op_slice_options, count, "0", 0, 1e9, "positions taken; 0: all from there on"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_slice_options *o = node->options;
    GLS_TRY(gls_op_takes_one_document(g, node));
    int64_t left = node->in.w - o->first;
    if (left < 1 || o->count > left)
        return gls_node_fail(g, node, "positions %lld to %lld of %lld", (long long)o->first,
                             (long long)(o->first + (o->count ? o->count : 1) - 1), (long long)node->in.w);
    node->out = (gls_extent){node->in.c, 1, o->count ? o->count : left};
    return GLS_OK;
}

/* Positions [from, to) of the output. */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->out), all = gls_extent_size(node->in), c = node->in.c;
    int64_t first = ((const gls_op_slice_options *)node->options)->first;
    for (int64_t r = 0; r < x->rows; r++)
        memcpy(gls_exec_value(x, i) + r * size + from * c, gls_exec_in(x, i, 0) + r * all + (first + from) * c,
               (size_t)((to - from) * c) * sizeof(gls_real));
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->out.w);
}

static int64_t ready(const gls_graph *g, const gls_node *node, const int64_t *of) {
    (void)g;
    int64_t there = of[node->input[0]] - ((const gls_op_slice_options *)node->options)->first;
    return there < 0 ? 0 : gls_least(there, node->out.w);
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->out), all = gls_extent_size(node->in);
    int64_t first = ((const gls_op_slice_options *)node->options)->first * node->in.c;
    gls_real *d = gls_exec_in_grad(x, i, 0);
    if (!gls_exec_adds(x, i, 0)) gls_fill(d, 0, x->rows * all);
    for (int64_t r = 0; r < x->rows; r++) gls_add(d + r * all + first, gls_exec_grad(x, i) + r * size, size);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t first = ((const gls_op_slice_options *)node->options)->first;
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_slice(x->to, node->name, in, 1, first, first + node->out.w));
}

const gls_op gls_op_slice = {
    .member = {.name = "slice",
               .help = "some of the positions",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_slice_options)},
    .formula = "y_t = x_{first + t}",
    .shapes = "[c, 1, w] -> [c, 1, count]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward),
    .growth = &(const gls_op_growth){ready, extend},
    .onnx = onnx,
};
