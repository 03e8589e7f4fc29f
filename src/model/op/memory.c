/* memory: in front of a row's positions the last ones of the rows before it in its stream (Dai et al. 2019). They are
 * constants: no gradient goes back into them. A row that does not follow the one whose positions lie in its slot finds
 * zeros, and its aux says how many of the first positions are not there, which attention then does not see. */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/op.h"
#include "model/op/carry.h"

static const gls_option options[] = {
    GLS_INT("length", gls_op_memory_options, length, NULL, 1, 1e6, "positions remembered",
            .flags = GLS_OPTION_REQUIRED),
    {0},
};

enum { HIDDEN, ROWS, STATES };

static gls_status shape(gls_graph *g, gls_node *node) {
    int64_t length = ((const gls_op_memory_options *)node->options)->length, streams = g->data->streams;
    GLS_TRY(gls_op_takes_one_document(g, node));
    GLS_TRY(gls_op_carry_check(g, node));
    node->out = (gls_extent){node->in.c, 1, length + node->in.w};
    gls_graph_state_block block = {
        .suffix = "hidden", .dims = 3, .shape = {streams, length, node->in.c}, .flags = GLS_BLOCK_BY_SLOT};
    GLS_TRY(gls_graph_state(g, node, HIDDEN, &block));
    block = (gls_graph_state_block){.suffix = "rows", .dims = 1, .shape = {streams}, .flags = GLS_BLOCK_BY_SLOT};
    return gls_graph_state(g, node, ROWS, &block);
}

/* Positions at the beginning that are not there, of every row. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    (void)node, (void)backward;
    return rows * (int64_t)sizeof(int32_t);
}

/* Reals of the remembered positions, and of the row's own. */
static int64_t remembered(const gls_node *node) {
    return (node->out.w - node->in.w) * node->in.c;
}

/* The row's last positions are its successor's memory. */
static void leave(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = remembered(node), slot = x->args->rows->slot[row], place = gls_op_carry_place(x, row);
    gls_real *next = x->args->state_next;
    if (!next || place < 0) return;
    const gls_real *end = gls_exec_value(x, i) + (row + 1) * gls_extent_size(node->out);
    memcpy(next + node->state[HIDDEN] + slot * size, end - size, (size_t)size * sizeof *next);
    next[node->state[ROWS] + slot] = (gls_real)(place + 1);
}

/* What row r remembers, and how much of it is not there. */
static void recall(const gls_exec *x, int i, int64_t r) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *state = x->args->state;
    int64_t size = remembered(node), length = node->out.w - node->in.w;
    gls_real *to = gls_exec_value(x, i) + r * gls_extent_size(node->out);
    int64_t before = gls_op_carry_follows(x, r, node->state[ROWS]) * node->in.w;
    if (before > 0)
        memcpy(to, state + node->state[HIDDEN] + x->args->rows->slot[r] * size, (size_t)size * sizeof *to);
    else
        gls_fill(to, 0, size);
    ((int32_t *)gls_exec_aux(x, i))[r] = before < length ? (int32_t)(length - before) : 0;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *in = gls_exec_in(x, i, 0);
    int64_t size = remembered(node), own = gls_extent_size(node->in);
    for (int64_t r = 0; r < x->rows; r++) {
        recall(x, i, r);
        memcpy(gls_exec_value(x, i) + r * (size + own) + size, in + r * own, (size_t)own * sizeof *in);
        leave(x, i, r);
    }
    return GLS_OK;
}

static int64_t ready(const gls_graph *g, const gls_node *node, const int64_t *of) {
    (void)g;
    return node->out.w - node->in.w + of[node->input[0]];
}

static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, length = node->out.w - node->in.w;
    if (from == 0) recall(x, i, 0);
    if (from < length) from = length;
    memcpy(gls_exec_value(x, i) + from * c, gls_exec_in(x, i, 0) + (from - length) * c,
           (size_t)((to - from) * c) * sizeof(gls_real));
    if (to == node->out.w) leave(x, i, 0);
    return GLS_OK;
}

/* What the rows before left does not move with the parameters of this one. */
static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_node *node = gls_exec_node(t, i);
    int64_t size = remembered(node), own = gls_extent_size(node->in);
    for (int64_t r = 0; r < t->rows; r++) {
        gls_real *to = gls_exec_value(t, i) + r * (size + own);
        gls_fill(to, 0, size);
        memcpy(to + size, gls_exec_in(t, i, 0) + r * own, (size_t)own * sizeof *to);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = remembered(node), own = gls_extent_size(node->in);
    for (int64_t r = 0; r < x->rows; r++) {
        const gls_real *e = gls_exec_grad(x, i) + r * (size + own) + size;
        gls_real *d = gls_exec_in_grad(x, i, 0) + r * own;
        if (gls_exec_adds(x, i, 0))
            gls_add(d, e, own);
        else
            memcpy(d, e, (size_t)own * sizeof *d);
    }
    return GLS_OK;
}

/* What is remembered comes in beside the rows, and its successor goes out. */
static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t length = node->out.w - node->in.w, shape[2] = {length, node->in.c};
    char name[GLS_ONNX_NAME];
    const char *before = gls_onnx_input(x->to, gls_export_name(x, i, "hidden", name), GLS_ONNX_FLOAT, 2, shape);
    const char *y =
        gls_onnx_node(x->to, "Concat", node->name, GLS_ONNX_ARGS(before, gls_export_in(x, i, 0, GLS_FORM_SEQUENCE)),
                      GLS_ONNX_WITH(GLS_ONNX_INT("axis", 1)));
    const char *end = gls_onnx_slice(x->to, gls_export_name(x, i, "end", name), y, 1, node->in.w, node->out.w);
    gls_onnx_output(x->to, gls_export_name(x, i, "hidden_next", name), end, GLS_ONNX_FLOAT, 2, shape);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}

const gls_op gls_op_memory = {
    .member = {.name = "memory",
               .help = "in front of a row the last positions of the rows before it, for streams of rows",
               .source = "Dai et al. 2019",
               .options = options,
               .options_size = sizeof(gls_op_memory_options)},
    .formula = "y = the last `length` positions of the rows before in the stream, as constants, then x",
    .shapes = "[c, 1, w] -> [c, 1, length + w]",
    .parameters = "",
    .states = STATES,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent),
    .aux = aux,
    .onnx = onnx,
    .growth = &(const gls_op_growth){ready, extend},
};
