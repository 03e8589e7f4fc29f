/* lstm as an ONNX graph. Its gates stand in another order there (input, output, forget, new), and time comes first. */
#include "model/export.h"
#include "model/layers.h"

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

void gls_op_lstm_onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t h = node->out.c, order[] = {1, 0, 2}, back[] = {2, 0, 1, 3};
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE), *bias = bias_of(x, i);
    in = gls_onnx_transpose(x->to, gls_export_name(x, i, "by_time", name), in, 3, order);
    const char *w = gates(x, i, 0, "input_gates", node->in.c), *r = gates(x, i, 1, "recurrent_gates", h);
    const char *y =
        gls_onnx_node(x->to, "LSTM", node->name, *bias ? GLS_ONNX_ARGS(in, w, r, bias) : GLS_ONNX_ARGS(in, w, r),
                      GLS_ONNX_WITH(GLS_ONNX_INT("hidden_size", h)));
    /* [time, directions, batch, H] */
    y = gls_onnx_transpose(x->to, gls_export_name(x, i, "by_row", name), y, 4, back);
    y = gls_onnx_reshape(x->to, gls_export_name(x, i, "outputs", name), y, GLS_ONNX_EXTENTS(0, node->out.w, h));
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}
