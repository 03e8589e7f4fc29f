/* pad_channels: every stride-th position, with zero channels added at the end (ResNet's shortcut without parameters,
 * type A). */
#include <string.h>

#include "base/bf16.h"
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

/* Where a run is at the output's positions: bytes from one to the next, and from line to line. */
typedef struct places {
    char *first;
    int64_t x, y;
} places;

static places in_places(const gls_node *node, const runs *at, const gls_exec_sides *s, int64_t row) {
    int64_t step = ((const gls_op_pad_channels_options *)node->options)->stride * at->in_step * s->element;
    return (places){s->in + (row * gls_extent_size(node->in) + at->in) * s->element, step, node->in.w * step};
}

static places out_places(const gls_node *node, const runs *at, const gls_exec_sides *s, int64_t row) {
    int64_t step = at->out_step * s->element;
    return (places){s->out + (row * gls_extent_size(node->out) + at->out) * s->element, step, node->out.w * step};
}

GLS_ALWAYS_INLINE void copy_bytes(gls_extent out, places to, places from, const int64_t bytes) {
    for (int64_t y = 0; y < out.h; y++)
        for (int64_t x = 0; x < out.w; x++)
            memcpy(to.first + y * to.y + x * to.x, from.first + y * from.y + x * from.x, (size_t)bytes);
}

/* Compiled again for 16 channels, a run of the blocked layouts. */
static void copy_run(gls_extent out, places to, places from, int64_t bytes) {
    if (bytes == 16 * sizeof(gls_real))
        copy_bytes(out, to, from, 16 * sizeof(gls_real));
    else if (bytes == 16 * sizeof(uint16_t))
        copy_bytes(out, to, from, 16 * sizeof(uint16_t));
    else
        copy_bytes(out, to, from, bytes);
}

static void add(char *to, const char *from, int64_t n, bool narrow) {
    if (!narrow) {
        gls_add((gls_real *)to, (const gls_real *)from, n);
        return;
    }
    uint16_t *sum = (uint16_t *)to;
    const uint16_t *e = (const uint16_t *)from;
    for (int64_t k = 0; k < n; k++) sum[k] = gls_bf16_sum(sum[k], e[k]);
}

static void add_run(gls_extent out, places to, places from, int64_t length, bool narrow) {
    for (int64_t y = 0; y < out.h; y++)
        for (int64_t x = 0; x < out.w; x++)
            add(to.first + y * to.y + x * to.x, from.first + y * from.y + x * from.x, length, narrow);
}

/* A row is 0 first; then the input's channels are copied in runs that both layouts keep together. */
static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    runs at = runs_of(x, i);
    gls_exec_sides s = gls_exec_sides_of(x, i, false);
    int64_t bytes = gls_extent_size(node->out) * s.element;
    for (int64_t r = 0; r < x->rows; r++) {
        memset(s.out + r * bytes, 0, (size_t)bytes);
        for (int64_t c = 0; c < node->in.c; c += at.length) {
            run_at(node, &at, c);
            copy_run(node->out, out_places(node, &at, &s, r), in_places(node, &at, &s, r), at.length * s.element);
        }
    }
    return GLS_OK;
}

/* The transpose of forward: positions between strides and added channels have no part in it. */
static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    runs at = runs_of(x, i);
    gls_exec_sides s = gls_exec_sides_of(x, i, true);
    bool adds = gls_exec_adds(x, i, 0);
    int64_t bytes = gls_extent_size(node->in) * s.element;
    for (int64_t r = 0; r < x->rows; r++) {
        if (!adds) memset(s.in + r * bytes, 0, (size_t)bytes);
        for (int64_t c = 0; c < node->in.c; c += at.length) {
            run_at(node, &at, c);
            places to = in_places(node, &at, &s, r), from = out_places(node, &at, &s, r);
            if (adds)
                add_run(node->out, to, from, at.length, s.narrow);
            else
                copy_run(node->out, to, from, at.length * s.element);
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
    .stored = GLS_OP_STORED(.forward = forward, .backward = backward),
    .onnx = onnx,
};
