/* patches: an image as a row of squares, line by line; each is a position with all of its pixels as channels, in the
 * order of a convolution's weights. */
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("size", gls_op_patches_options, size, NULL, 1, 1e4, "pixels of each side; they divide height and width",
            .flags = GLS_OPTION_REQUIRED),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_patches_options *o = node->options;
    char text[64];
    if (node->in.h % o->size != 0 || node->in.w % o->size != 0)
        return gls_node_fail(g, node, "size: patches of %lld pixels a side do not divide %s", (long long)o->size,
                             gls_extent_text(node->in, text));
    node->out = (gls_extent){node->in.c * o->size * o->size, 1, node->in.h / o->size * (node->in.w / o->size)};
    return GLS_OK;
}

/* Where a channel's pixel lies in an image of the input's layout. */
static int64_t pixel(const gls_node *node, int64_t c, int64_t y, int64_t x) {
    int64_t inner = node->in_inner;
    return (c / inner * gls_extent_positions(node->in) + y * node->in.w + x) * inner + c % inner;
}

/* The number in the image of channel k of position t. */
static int64_t source_of(const gls_node *node, int64_t t, int64_t k) {
    int64_t size = ((const gls_op_patches_options *)node->options)->size, across = node->in.w / size;
    int64_t inside = k % (size * size);
    return pixel(node, k / (size * size), t / across * size + inside / size, t % across * size + inside % size);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->in);
    gls_real *out = gls_exec_value(x, i);
    for (int64_t t = 0; t < node->out.w; t++)
        for (int64_t k = 0; k < node->out.c; k++) {
            const gls_real *in = gls_exec_in(x, i, 0) + source_of(node, t, k);
            for (int64_t r = 0; r < x->rows; r++) out[r * size + t * node->out.c + k] = in[r * size];
        }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->in);
    const gls_real *e = gls_exec_grad(x, i);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t t = 0; t < node->out.w; t++)
        for (int64_t k = 0; k < node->out.c; k++) {
            gls_real *d = gls_exec_in_grad(x, i, 0) + source_of(node, t, k);
            for (int64_t r = 0; r < x->rows; r++)
                d[r * size] = (adds ? d[r * size] : 0) + e[r * size + t * node->out.c + k];
        }
    return GLS_OK;
}

/* Heights and widths as axes of their own, which then change places. */
static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t size = ((const gls_op_patches_options *)node->options)->size, down = node->in.h / size;
    char name[GLS_ONNX_NAME];
    const char *y = gls_export_in(x, i, 0, GLS_FORM_IMAGE);
    y = gls_onnx_reshape(x->to, gls_export_name(x, i, "squares", name), y,
                         GLS_ONNX_EXTENTS(0, node->in.c, down, size, node->in.w / size, size));
    y = gls_onnx_transpose(x->to, name, y, 6, (const int64_t[]){0, 2, 4, 1, 3, 5});
    y = gls_onnx_reshape(x->to, node->name, y, GLS_ONNX_EXTENTS(0, node->out.w, node->out.c));
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}

const gls_op gls_op_patches = {
    .member = {.name = "patches",
               .help = "an image as a row of squares",
               .source = "Dosovitskiy et al. 2021",
               .options = options,
               .options_size = sizeof(gls_op_patches_options)},
    .formula = "y_t = the pixels of square t in the order c, h, w; squares line by line",
    .shapes = "[c, h, w] -> [c size^2, 1, h w / size^2]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .onnx = onnx,
};
