/* pointer: every channel becomes a choice among the row's positions, padding left out (Vinyals et al. 2015). */
#include "model/export.h"
#include "model/op.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_op_takes_positions(g, node));
    node->out = (gls_extent){node->in.w, 1, node->in.c};
    return GLS_OK;
}

/* Finite, and far below any other: e to it is 0 beside them. */
static const gls_real OF_PADDING = (gls_real)-1e9;

/* What padding has: a constant, whose tangent is 0. */
static gls_status across(gls_exec *x, int i, gls_real of_padding) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, w = node->in.w;
    const gls_real *in = gls_exec_in(x, i, 0);
    gls_real *out = gls_exec_value(x, i);
    for (int64_t r = 0; r < x->rows; r++, in += c * w, out += c * w) {
        const int32_t *document = gls_exec_document(x, r);
        for (int64_t t = 0; t < w; t++)
            for (int64_t k = 0; k < c; k++) out[k * w + t] = document && document[t] < 0 ? of_padding : in[t * c + k];
    }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return across(x, i, OF_PADDING);
}

static gls_status forward_tangent(gls_exec *t, int i) {
    return across(t, i, 0);
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, w = node->in.w;
    const gls_real *e = gls_exec_grad(x, i);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++, e += c * w, d += c * w) {
        const int32_t *document = gls_exec_document(x, r);
        for (int64_t t = 0; t < w; t++)
            for (int64_t k = 0; k < c; k++)
                d[t * c + k] = (adds ? d[t * c + k] : 0) + (document && document[t] < 0 ? 0 : e[k * w + t]);
    }
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE),
               *counted = gls_export_counted(x, x->graph->node[i].in.w);
    char name[GLS_ONNX_NAME];
    if (counted) {
        counted = gls_onnx_reshape(x->to, gls_export_name(x, i, "counted", name), counted,
                                   GLS_ONNX_EXTENTS(0, x->graph->node[i].in.w, 1));
        const char *far = gls_onnx_real(x->to, gls_export_name(x, i, "padding", name), (double)OF_PADDING);
        in = gls_onnx_node(x->to, "Where", gls_export_name(x, i, "choices", name), GLS_ONNX_ARGS(counted, in, far),
                           NULL);
    }
    gls_export_out(x, i, GLS_FORM_SEQUENCE,
                   gls_onnx_transpose(x->to, x->graph->node[i].name, in, 3, (const int64_t[]){0, 2, 1}));
}

const gls_op gls_op_pointer = {
    .member = {.name = "pointer", .help = "every channel chooses a position", .source = "Vinyals et al. 2015"},
    .formula = "y_k = x_0k, x_1k, ...: one output for each position, -1e9 for padding",
    .shapes = "[c, 1, w] -> [w, 1, c]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR | GLS_OP_NO_PADDING,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent),
    .onnx = onnx,
};
