/* global_pool: the mean over all positions of every channel; padding behind a document is none. */
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

/* Positions of a row that are not padding, at least 1. */
static int64_t counted(const gls_exec *x, int64_t row, int64_t positions) {
    const int32_t *document = gls_exec_document(x, row);
    int64_t count = 0;
    for (int64_t p = 0; document && p < positions; p++) count += document[p] >= 0;
    return !document ? positions : count > 0 ? count : 1;
}

static bool pads(const gls_exec *x, int64_t row, int64_t position) {
    const int32_t *document = gls_exec_document(x, row);
    return document && document[position] < 0;
}

/* Channels of a position lie side by side where rows have documents (gls_op_keeps_positions). */
static void sum_documents(const gls_exec *x, int i, int64_t row, double *sums) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, positions = gls_extent_positions(node->in);
    for (int64_t k = 0; k < c; k++) sums[k] = 0;
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < c && !pads(x, row, p); k++)
            sums[k] += gls_exec_in(x, i, 0)[(row * positions + p) * c + k];
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, positions = gls_extent_positions(node->in);
    double *sums = x->scratch;
    for (int64_t r = 0; r < x->rows; r++) {
        if (gls_exec_document(x, r))
            sum_documents(x, i, r, sums);
        else
            gls_channel_sums(gls_exec_in(x, i, 0) + r * c * positions, c, positions, node->in_inner, sums);
        double count = (double)counted(x, r, positions);
        for (int64_t k = 0; k < c; k++) gls_exec_value(x, i)[r * c + k] = (gls_real)(sums[k] / count);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->in_inner, parts = node->in.c / inner, positions = gls_extent_positions(node->in);
    gls_real *dx = gls_exec_in_grad(x, i, 0);
    const gls_real *e = gls_exec_grad(x, i);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t b = 0; b < x->rows * parts; b++, e += inner) {
        gls_real share = (gls_real)1 / (gls_real)counted(x, b / parts, positions);
        for (int64_t p = 0; p < positions; p++, dx += inner) {
            gls_real of = pads(x, b / parts, p) ? 0 : share;
            for (int64_t k = 0; k < inner; k++) dx[k] = (adds ? dx[k] : 0) + of * e[k];
        }
    }
    return GLS_OK;
}

/* Without padding. */
static const char *counted_mean(gls_export *x, int i, const char *in) {
    char name[GLS_ONNX_NAME];
    const char *ones = gls_export_ones(x, i, x->graph->node[i].in.w),
               *axis = gls_onnx_ints(x->to, "axis", 1, (const int64_t[]){1});
    const char *sum =
        gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "counted", name), GLS_ONNX_ARGS(in, ones), NULL);
    sum = gls_onnx_node(x->to, "ReduceSum", gls_export_name(x, i, "sum", name), GLS_ONNX_ARGS(sum, axis),
                        GLS_ONNX_WITH(GLS_ONNX_INT("keepdims", 0)));
    const char *count = gls_onnx_node(x->to, "ReduceSum", gls_export_name(x, i, "count", name),
                                      GLS_ONNX_ARGS(ones, axis), GLS_ONNX_WITH(GLS_ONNX_INT("keepdims", 0)));
    return gls_onnx_node(x->to, "Div", x->graph->node[i].name, GLS_ONNX_ARGS(sum, count), NULL);
}

static void onnx(gls_export *x, int i) {
    const char *name = x->graph->node[i].name, *y;
    gls_form form = gls_export_form(x, i, 0);
    const char *in = gls_export_in(x, i, 0, form);
    if (form == GLS_FORM_SEQUENCE && gls_export_counted(x, x->graph->node[i].in.w))
        y = counted_mean(x, i, in);
    else if (form == GLS_FORM_SEQUENCE)
        y = gls_onnx_node(x->to, "ReduceMean", name, GLS_ONNX_ARGS(in),
                          GLS_ONNX_WITH(GLS_ONNX_INTS("axes", 1), GLS_ONNX_INT("keepdims", 0)));
    else if (form == GLS_FORM_IMAGE)
        y = gls_onnx_node(x->to, "ReduceMean", name, GLS_ONNX_ARGS(in),
                          GLS_ONNX_WITH(GLS_ONNX_INTS("axes", 2, 3), GLS_ONNX_INT("keepdims", 0)));
    else
        y = in;
    gls_export_out(x, i, GLS_FORM_FEATURES, y);
}

/* Padding is left out position by position. */
static gls_status setup(const gls_graph *g, gls_node *node, bool *fits) {
    return g->data->documents ? gls_op_keeps_positions(g, node, fits) : GLS_OK;
}

const gls_op gls_op_global_pool = {
    .member = {.name = "global_pool", .help = "mean over all positions", .source = ""},
    .formula = "y_c = mean of x_c over all positions but padding",
    .shapes = "[c, h, w] -> [c]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_LINEAR | GLS_OP_NO_PADDING,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = setup, .scratch = scratch, .forward = forward, .backward = backward),
    .onnx = onnx,
};
