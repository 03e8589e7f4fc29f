/* pad_channels: every stride-th position, with zero channels added at the end (ResNet's shortcut without parameters,
 * type A). */
#include "base/kernels.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("channels", gls_op_pad_channels_options, channels, NULL, 1, 1e6, "channels of the output",
            .flags = GLS_OPTION_REQUIRED),
    GLS_INT("stride", gls_op_pad_channels_options, stride, "1", 1, 1e4, "step"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_pad_channels_options *o = node->options;
    if (o->channels < node->in.c)
        return gls_node_fail(g, node, "%lld channels are fewer than the input's %lld", (long long)o->channels,
                             (long long)node->in.c);
    node->out = (gls_extent){o->channels, (node->in.h - 1) / o->stride + 1, (node->in.w - 1) / o->stride + 1};
    return GLS_OK;
}

/* Runs of channels that are contiguous in both input and output, and where they begin in a row. */
typedef struct runs {
    int64_t length, in_step, out_step; /* from position to position */
    int64_t in, out;                   /* of the present run */
} runs;

static runs runs_of(const gls_exec *x, int i) {
    runs r = {.in_step = gls_exec_input(x, i, 0)->inner, .out_step = gls_exec_node(x, i)->inner};
    int64_t a = r.in_step, b = r.out_step;
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    r.length = a; /* the greatest common divisor */
    return r;
}

static void run_at(const gls_node *node, runs *r, int64_t c) {
    r->in = c / r->in_step * gls_extent_positions(node->in) * r->in_step + c % r->in_step;
    r->out = c / r->out_step * gls_extent_positions(node->out) * r->out_step + c % r->out_step;
}

/* Everything is 0 first; then the input's channels are copied in runs that both layouts keep together. */
static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_pad_channels_options *o = node->options;
    int64_t in = gls_extent_size(node->in), out = gls_extent_size(node->out);
    runs at = runs_of(x, i);
    gls_fill(gls_exec_value(x, i), 0, x->rows * out);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < node->in.c; c += at.length) {
            run_at(node, &at, c);
            gls_real *to = gls_exec_value(x, i) + r * out + at.out;
            for (int64_t oy = 0; oy < node->out.h; oy++) {
                const gls_real *from = gls_exec_in(x, i, 0) + r * in + at.in + oy * o->stride * node->in.w * at.in_step;
                for (int64_t ox = 0; ox < node->out.w; ox++, to += at.out_step, from += o->stride * at.in_step)
                    for (int64_t k = 0; k < at.length; k++) to[k] = from[k];
            }
        }
    return GLS_OK;
}

/* The transpose of forward: positions between strides and added channels have no part in it. */
static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_pad_channels_options *o = node->options;
    int64_t in = gls_extent_size(node->in), out = gls_extent_size(node->out);
    gls_real *dx = gls_exec_in_grad(x, i, 0);
    runs at = runs_of(x, i);
    if (!gls_exec_adds(x, i, 0)) gls_fill(dx, 0, x->rows * in);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < node->in.c; c += at.length) {
            run_at(node, &at, c);
            const gls_real *from = gls_exec_grad(x, i) + r * out + at.out;
            for (int64_t oy = 0; oy < node->out.h; oy++) {
                gls_real *to = dx + r * in + at.in + oy * o->stride * node->in.w * at.in_step;
                for (int64_t ox = 0; ox < node->out.w; ox++, from += at.out_step, to += o->stride * at.in_step)
                    for (int64_t k = 0; k < at.length; k++) to[k] += from[k];
            }
        }
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_pad_channels_options *o = node->options;
    char name[GLS_ONNX_NAME];
    const char *y = gls_export_in(x, i, 0, GLS_FORM_IMAGE);
    if (o->stride > 1) {
        const char *from = gls_onnx_ints(x->to, gls_export_name(x, i, "from", name), 2, (const int64_t[]){0, 0});
        const char *to =
            gls_onnx_ints(x->to, gls_export_name(x, i, "to", name), 2, (const int64_t[]){node->in.h, node->in.w});
        const char *axes = gls_onnx_ints(x->to, gls_export_name(x, i, "axes", name), 2, (const int64_t[]){2, 3});
        const char *steps =
            gls_onnx_ints(x->to, gls_export_name(x, i, "steps", name), 2, (const int64_t[]){o->stride, o->stride});
        y = gls_onnx_node(x->to, "Slice", gls_export_name(x, i, "strided", name),
                          GLS_ONNX_ARGS(y, from, to, axes, steps), NULL);
    }
    const char *pads = gls_onnx_ints(x->to, gls_export_name(x, i, "pads", name), 8,
                                     (const int64_t[]){0, 0, 0, 0, 0, o->channels - node->in.c, 0, 0});
    gls_export_out(x, i, GLS_FORM_IMAGE, gls_onnx_node(x->to, "Pad", node->name, GLS_ONNX_ARGS(y, pads), NULL));
}

const gls_op gls_op_pad_channels = {
    .member = {.name = "pad_channels",
               .help = "strided copy with zero channels added",
               .source = "He et al. 2016, shortcut type A",
               .options = options,
               .options_size = sizeof(gls_op_pad_channels_options)},
    .formula = "y_c = every stride-th position of x_c, 0 for c beyond the input",
    .shapes = "[c, h, w] -> [channels, (h - 1) / stride + 1, (w - 1) / stride + 1]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .onnx = onnx,
};
