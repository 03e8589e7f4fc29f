/* lstm as an ONNX graph. Its gates stand in another order there (input, output, forget, new), and time comes first. */
#include "model/export.h"
#include "model/layers.h"

#include <stdio.h>
#include <string.h>

/* [4 H, columns] with the gates in ONNX's order. */
static const char *gates(gls_export *x, int i, int k, const char *part, int64_t columns) {
    static const int from[] = {0, 3, 1, 2};
    const gls_node *node = &x->graph->node[i];
    const gls_block *block = gls_layout_block(x->graph->layout, node->block[k]);
    int64_t h = node->out.c, shape[3] = {1, 4 * h, columns};
    gls_real *sorted = gls_onnx_room(x->to, block->size, sizeof *sorted);
    char name[GLS_ONNX_NAME];
    if (!sorted) return "";
    for (int g = 0; g < 4; g++)
        memcpy(sorted + g * h * columns, x->w + block->offset + from[g] * h * columns,
               (size_t)(h * columns) * sizeof *sorted);
    return gls_onnx_reals(x->to, gls_export_name(x, i, part, name), false, 3, shape, sorted);
}

/* [1, 8 H]: ours, then zeros for the second bias. */
static const char *bias_of(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    if (node->block[2] < 0) return "";
    const char *one = gls_onnx_reshape(x->to, gls_export_name(x, i, "bias_row", name), gates(x, i, 2, "bias_gates", 1),
                                       GLS_ONNX_EXTENTS(1, 4 * node->out.c));
    const char *pads =
        gls_onnx_ints(x->to, gls_export_name(x, i, "pads", name), 4, (const int64_t[]){0, 0, 0, 4 * node->out.c});
    return gls_onnx_node(x->to, "Pad", gls_export_name(x, i, "biases", name), GLS_ONNX_ARGS(one, pads), NULL);
}

/* Lengths as LSTM takes them; "": all rows are full. */
static const char *lengths_of(gls_export *x, int i) {
    char name[GLS_ONNX_NAME];
    if (!gls_export_counted(x, x->graph->node[i].out.w)) return "";
    return gls_onnx_node(x->to, "Cast", gls_export_name(x, i, "lengths", name), GLS_ONNX_ARGS(x->lengths),
                         GLS_ONNX_WITH(GLS_ONNX_INT("to", GLS_ONNX_TO_INT32)));
}

/* Half k of what a carry has, [1, batch, H]; "" without one. */
static const char *begins_with(gls_export *x, int i, int k) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    int64_t h = node->out.c;
    if (node->inputs < 2) return "";
    const char *half = gls_onnx_slice(x->to, gls_export_name(x, i, k ? "cell_before" : "hidden_before", name),
                                      gls_export_in(x, i, 1, GLS_FORM_FEATURES), 1, k * h, (k + 1) * h);
    return gls_onnx_reshape(x->to, name, half, GLS_ONNX_EXTENTS(1, -1, h));
}

/* The carry's successors, as outputs of the file beside its inputs. */
static void leave(gls_export *x, int i) {
    static const char *const part[] = {"hidden", "cell"};
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    const char *last[2];
    if (node->inputs < 2) return;
    for (int k = 0; k < 2; k++) last[k] = gls_onnx_more(x->to, gls_export_name(x, i, part[k], name));
    for (int k = 0; k < 2; k++) {
        const char *flat =
            gls_onnx_reshape(x->to, gls_export_name(x, i, part[k], name), last[k], GLS_ONNX_EXTENTS(-1, node->out.c));
        snprintf(name, sizeof name, "%s.%s_next", x->graph->node[node->input[1]].name, part[k]);
        gls_onnx_output(x->to, name, flat, GLS_ONNX_FLOAT, 1, &node->out.c);
    }
}

void gls_op_lstm_onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t h = node->out.c, order[] = {1, 0, 2}, back[] = {2, 0, 1, 3};
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE), *bias = bias_of(x, i);
    in = gls_onnx_transpose(x->to, gls_export_name(x, i, "by_time", name), in, 3, order);
    const char *w = gates(x, i, 0, "input_gates", node->in.c), *r = gates(x, i, 1, "recurrent_gates", h);
    const char *lengths = lengths_of(x, i), *hidden = begins_with(x, i, 0), *cell = begins_with(x, i, 1);
    const char *y = gls_onnx_node(x->to, "LSTM", node->name, GLS_ONNX_ARGS(in, w, r, bias, lengths, hidden, cell),
                                  GLS_ONNX_WITH(GLS_ONNX_INT("hidden_size", h)));
    leave(x, i);
    /* [time, directions, batch, H] */
    y = gls_onnx_transpose(x->to, gls_export_name(x, i, "by_row", name), y, 4, back);
    y = gls_onnx_reshape(x->to, gls_export_name(x, i, "outputs", name), y, GLS_ONNX_EXTENTS(0, node->out.w, h));
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}
