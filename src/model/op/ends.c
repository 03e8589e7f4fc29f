/* first, last: one position of a row alone, for what is said of the whole row, or what a recurrent layer has made of
 * it. Padding is no end. */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/op.h"

extern const gls_op gls_op_last; /* the verbs of both ask which of them a node is */

static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_op_takes_positions(g, node));
    node->out = (gls_extent){node->in.c, 1, 1};
    return GLS_OK;
}

/* Reals in front of the position in row r. */
static int64_t place(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t filled = node->op == &gls_op_last ? gls_exec_filled(gls_exec_values(x), row, node->in.w) : 1;
    return row * gls_extent_size(node->in) + (filled > 0 ? filled - 1 : 0) * node->in.c;
}

static gls_status forward(gls_exec *x, int i) {
    int64_t c = gls_exec_node(x, i)->in.c;
    const gls_real *in = gls_exec_in(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++)
        memcpy(gls_exec_value(x, i) + r * c, in + place(x, i, r), (size_t)c * sizeof *in);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c;
    gls_real *d = gls_exec_in_grad(x, i, 0);
    if (!gls_exec_adds(x, i, 0)) gls_fill(d, 0, x->rows * gls_extent_size(node->in));
    for (int64_t r = 0; r < x->rows; r++) gls_add(d + place(x, i, r), gls_exec_grad(x, i) + r * c, c);
    return GLS_OK;
}

/* Of padded rows: position length - 1 of each. */
static const char *take_last(gls_export *x, int i, const char *in) {
    char name[GLS_ONNX_NAME];
    const char *one = gls_onnx_ints(x->to, gls_export_name(x, i, "one", name), 1, (const int64_t[]){1});
    const char *at =
        gls_onnx_node(x->to, "Sub", gls_export_name(x, i, "place", name), GLS_ONNX_ARGS(x->lengths, one), NULL);
    at = gls_onnx_reshape(x->to, gls_export_name(x, i, "places", name), at, GLS_ONNX_EXTENTS(0, 1));
    const char *y = gls_onnx_node(x->to, "GatherND", gls_export_name(x, i, "end", name), GLS_ONNX_ARGS(in, at),
                                  GLS_ONNX_WITH(GLS_ONNX_INT("batch_dims", 1)));
    return gls_onnx_reshape(x->to, x->graph->node[i].name, y, GLS_ONNX_EXTENTS(0, x->graph->node[i].out.c));
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    bool last = node->op == &gls_op_last;
    if (last && gls_export_counted(x, node->in.w)) {
        gls_export_out(x, i, GLS_FORM_FEATURES, take_last(x, i, in));
        return;
    }
    int64_t at = last ? node->in.w - 1 : 0;
    const char *y = gls_onnx_slice(x->to, gls_export_name(x, i, "end", name), in, 1, at, at + 1);
    gls_export_out(x, i, GLS_FORM_FEATURES, gls_onnx_reshape(x->to, node->name, y, GLS_ONNX_EXTENTS(0, node->out.c)));
}

#define ONE_POSITION                                                                \
    .shapes = "[c, 1, w] -> [c]", .parameters = "", GLS_OP_ONE_INPUT,               \
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR | GLS_OP_NO_PADDING, .shape = shape, \
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward), .onnx = onnx

const gls_op gls_op_first = {
    .member = {.name = "first", .help = "the first position alone", .source = "Devlin et al. 2019"},
    .formula = "y = x_0",
    ONE_POSITION,
};

const gls_op gls_op_last = {
    .member = {.name = "last", .help = "the last position alone, padding left out", .source = ""},
    .formula = "y = x_t, t the last position in front of the padding",
    ONE_POSITION,
};
