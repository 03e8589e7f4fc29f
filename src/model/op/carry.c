/* carry: the last output and the last cells of a recurrent layer over the rows of one stream, from the row before. The
 * layer that reads it leaves their successors; no gradient goes back into them. A row that does not follow the one
 * whose state lies in its slot (another order, an evaluation by itself, the beginning of a stream) has zeros. */
#include <string.h>

#include "base/kernels.h"
#include "model/op.h"
#include "model/op/carry.h"

static const gls_option options[] = {
    GLS_INT("units", gls_op_carry_options, units, NULL, 1, 1e6, "outputs of the layer that reads it",
            .flags = GLS_OPTION_REQUIRED),
    {0},
};

enum { HIDDEN, CELL, ROWS, STATES };

/* Rows of a stream are counted in reals. */
enum { MOST_ROWS = 1 << 24 };

gls_status gls_op_carry_check(const gls_graph *g, const gls_node *node) {
    int64_t streams = g->data->streams;
    if (streams < 1)
        return gls_node_fail(g, node,
                             "needs data whose rows go on from one mini-batch to the next (data.streams); transforms "
                             "that pick rows break them up");
    if (g->data->examples / streams >= MOST_ROWS)
        return gls_node_fail(g, node, "%lld rows of %lld streams, expected fewer than %d in each",
                             (long long)g->data->examples, (long long)streams, MOST_ROWS);
    return GLS_OK;
}

static gls_status shape(gls_graph *g, gls_node *node) {
    int64_t h = ((const gls_op_carry_options *)node->options)->units, streams = g->data->streams;
    GLS_TRY(gls_op_carry_check(g, node));
    node->out = (gls_extent){2 * h, 1, 1};
    gls_graph_state_block block = {.suffix = "hidden", .dims = 2, .shape = {streams, h}, .flags = GLS_BLOCK_BY_SLOT};
    GLS_TRY(gls_graph_state(g, node, HIDDEN, &block));
    block.suffix = "cell";
    GLS_TRY(gls_graph_state(g, node, CELL, &block));
    block = (gls_graph_state_block){.suffix = "rows", .dims = 1, .shape = {streams}, .flags = GLS_BLOCK_BY_SLOT};
    return gls_graph_state(g, node, ROWS, &block);
}

int64_t gls_op_carry_place(const gls_exec *x, int64_t row) {
    const gls_batch *batch = x->args->rows;
    int64_t streams = x->graph->data->streams, index = batch->index[row];
    return batch->slot[row] == index % streams ? index / streams : -1;
}

int64_t gls_op_carry_follows(const gls_exec *x, int64_t row, int64_t rows_state) {
    int64_t place = gls_op_carry_place(x, row), slot = x->args->rows->slot[row];
    const gls_real *state = x->args->state;
    return place > 0 && state && state[rows_state + slot] == (gls_real)place ? place : 0;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *state = x->args->state;
    int64_t h = node->out.c / 2;
    for (int64_t r = 0; r < x->rows; r++) {
        gls_real *to = gls_exec_value(x, i) + 2 * r * h;
        int64_t slot = x->args->rows->slot[r];
        if (gls_op_carry_follows(x, r, node->state[ROWS]) > 0) {
            memcpy(to, state + node->state[HIDDEN] + slot * h, (size_t)h * sizeof *to);
            memcpy(to + h, state + node->state[CELL] + slot * h, (size_t)h * sizeof *to);
        } else {
            gls_fill(to, 0, 2 * h);
        }
    }
    return GLS_OK;
}

void gls_op_carry_leave(const gls_exec *x, int i, int64_t row, const gls_real *hidden, const gls_real *cell) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c / 2, slot = x->args->rows->slot[row], place = gls_op_carry_place(x, row);
    gls_real *next = x->args->state_next;
    if (!next || place < 0) return;
    memcpy(next + node->state[HIDDEN] + slot * h, hidden, (size_t)h * sizeof *next);
    memcpy(next + node->state[CELL] + slot * h, cell, (size_t)h * sizeof *next);
    next[node->state[ROWS] + slot] = (gls_real)(place + 1);
}

/* What the row before left does not move with the parameters of this one. */
static gls_status forward_tangent(gls_exec *t, int i) {
    gls_fill(gls_exec_value(t, i), 0, gls_exec_size(t, i));
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    int64_t h = x->graph->node[i].out.c / 2;
    char name[GLS_ONNX_NAME];
    const char *hidden = gls_onnx_input(x->to, gls_export_name(x, i, "hidden", name), GLS_ONNX_FLOAT, 1, &h);
    const char *cell = gls_onnx_input(x->to, gls_export_name(x, i, "cell", name), GLS_ONNX_FLOAT, 1, &h);
    gls_export_out(x, i, GLS_FORM_FEATURES,
                   gls_onnx_node(x->to, "Concat", x->graph->node[i].name, GLS_ONNX_ARGS(hidden, cell),
                                 GLS_ONNX_WITH(GLS_ONNX_INT("axis", 1))));
}

const gls_op gls_op_carry = {
    .member = {.name = "carry",
               .help = "what a recurrent layer left at the end of the row before, for streams of rows",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_carry_options)},
    .formula =
        "y and c of the layer after the last position of the row before in the stream; zeros where there is none",
    .shapes = "tokens [w] -> [2 units]",
    .parameters = "",
    .states = STATES,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_TOKENS | GLS_OP_LINEAR | GLS_OP_STILL,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .forward_tangent = forward_tangent),
    .onnx = onnx,
};
