/* class_token: one more position in front, the same learned vector for every example (Dosovitskiy et al. 2021). */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/op.h"
#include "model/use.h"

/* Documents number the positions that the data have. */
static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_op_takes_positions(g, node));
    if (g->data->documents) return gls_node_fail(g, node, "rows that hold documents or padding have no room for it");
    node->out = (gls_extent){node->in.c, 1, node->in.w + 1};
    gls_parameter how = {GLS_INIT_NORMAL, g->init == GLS_INIT_TORCH ? 1 : node->in.c, node->in.c};
    return gls_graph_parameter(g, node, 0, "weight", 1, &node->in.c, GLS_BLOCK_NO_DECAY, how);
}

/* The block shifts position 0. */
static gls_status uses(gls_graph *g, int i) {
    gls_view front = gls_view_grad(g, i);
    front.positions = 1;
    return gls_graph_use(
        g, (gls_use){.kind = &gls_use_scale_shift, .node = i, .block = g->node[i].block[0], .grad = front});
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, size = gls_extent_size(node->in);
    const gls_real *in = gls_exec_in(x, i, 0), *w = gls_exec_weight(x, node->block[0]);
    gls_real *out = gls_exec_value(x, i);
    for (int64_t r = 0; r < x->rows; r++, in += size, out += c + size) {
        memcpy(out, w, (size_t)c * sizeof *out);
        memcpy(out + c, in, (size_t)size * sizeof *out);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, size = gls_extent_size(node->in);
    const gls_real *e = gls_exec_grad(x, i);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++, e += c + size, d += size) {
        if (gls_exec_adds(x, i, 0))
            gls_add(d, e + c, size);
        else
            memcpy(d, e + c, (size_t)size * sizeof *d);
    }
    return GLS_OK;
}

/* A place of zeros in front of the rows, to which the vector is added. */
static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    gls_onnx *to = x->to;
    char name[GLS_ONNX_NAME];
    gls_real *table = gls_onnx_room(to, gls_extent_size(node->out), sizeof *table);
    if (!table) return;
    int64_t shape[2] = {node->out.w, node->out.c};
    const gls_block *block = gls_layout_block(x->graph->layout, node->block[0]);
    memcpy(table, x->w + block->offset, (size_t)node->out.c * sizeof *table);
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    const char *pads = gls_onnx_ints(to, gls_export_name(x, i, "pads", name), 6, (const int64_t[]){0, 1, 0, 0, 0, 0});
    const char *y = gls_onnx_node(to, "Pad", gls_export_name(x, i, "padded", name), GLS_ONNX_ARGS(in, pads), NULL);
    const char *front = gls_onnx_reals(to, gls_export_name(x, i, "front", name), false, 2, shape, table);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_node(to, "Add", node->name, GLS_ONNX_ARGS(y, front), NULL));
}

const gls_op gls_op_class_token = {
    .member = {.name = "class_token",
               .help = "one more position in front, a learned vector",
               .source = "Dosovitskiy et al. 2021"},
    .formula = "y_0 = weight, y_t = x_{t-1}",
    .shapes = "[c, 1, w] -> [c, 1, w + 1]",
    .parameters = "weight [c] scale and shift",
    .blocks = 1,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward),
    .uses = uses,
    .onnx = onnx,
};
