/* window: at every position the features of it and of the size - 1 positions before it, oldest first; zeros before the
 * first position of its document. */
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("size", gls_op_window_options, size, NULL, 1, 1e6, "positions seen, the present one included",
            .flags = GLS_OPTION_REQUIRED),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_window_options *o = node->options;
    node->out = node->in;
    if (__builtin_mul_overflow(node->in.c, o->size, &node->out.c))
        return gls_node_fail(g, node, "%lld positions of %lld features do not fit", (long long)o->size,
                             (long long)node->in.c);
    return GLS_OK;
}

/* Positions of the window at t that are not there: those before the row, or before the document that t is in. */
static int64_t missing(const gls_exec *x, int i, int64_t row, int64_t t) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_exec *of = gls_exec_values(x);
    int64_t size = node->out.c / node->in.c, there = 1;
    const int32_t *document = node->in.w == of->args->rows->length ? gls_exec_document(of, row) : NULL;
    while (there < size && there <= t && (!document || document[t - there] == document[t])) there++;
    return size - there;
}

/* Positions [from, to). */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, size = node->out.c / c, length = node->in.w;
    const gls_real *in = gls_exec_in(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++, in += length * c)
        for (int64_t t = from; t < to; t++) {
            gls_real *out = gls_exec_value(x, i) + (r * length + t) * size * c;
            int64_t before = missing(x, i, r, t);
            gls_fill(out, 0, before * c);
            memcpy(out + before * c, in + (t - size + 1 + before) * c, (size_t)((size - before) * c) * sizeof *out);
        }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->in.w);
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c, size = node->out.c / c, length = node->in.w;
    const gls_real *e = gls_exec_grad(x, i);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    if (!gls_exec_adds(x, i, 0)) gls_fill(d, 0, x->rows * length * c);
    for (int64_t r = 0; r < x->rows; r++, d += length * c)
        for (int64_t t = 0; t < length; t++, e += size * c) {
            int64_t before = missing(x, i, r, t);
            gls_add(d + (t - size + 1 + before) * c, e + before * c, (size - before) * c);
        }
    return GLS_OK;
}

/* Zeros in front, then the sequence once for each place in the window. */
static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_window_options *o = node->options;
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    const char *pads =
        gls_onnx_ints(x->to, gls_export_name(x, i, "pads", name), 6, (const int64_t[]){0, o->size - 1, 0, 0, 0, 0});
    const char *padded =
        gls_onnx_node(x->to, "Pad", gls_export_name(x, i, "padded", name), GLS_ONNX_ARGS(in, pads), NULL);
    const char *y = NULL;
    for (int64_t k = 0; k < o->size; k++) {
        const char *part = gls_onnx_slice(x->to, gls_export_name(x, i, "part", name), padded, 1, k, k + node->in.w);
        y = k == 0 ? part
                   : gls_onnx_node(x->to, "Concat", gls_export_name(x, i, "parts", name), GLS_ONNX_ARGS(y, part),
                                   GLS_ONNX_WITH(GLS_ONNX_INT("axis", 2)));
    }
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}

const gls_op gls_op_window = {
    .member = {.name = "window",
               .help = "features of a position and of those before it, side by side",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_window_options)},
    .formula = "y_t = x_{t-size+1}, ..., x_t side by side, zeros before the document's first position",
    .shapes = "[c, 1, w] -> [size c, 1, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward),
    .growth = &(const gls_op_growth){gls_op_ready_so_far, extend},
    .onnx = onnx,
};
