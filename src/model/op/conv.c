/* conv: 2-D convolution, weights [channels, in / groups, kernel, kernel]. */
#include "model/conv.h"

#include "base/kernels.h"
#include "model/dnnl.h"
#include "model/export.h"
#include "model/kernels.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/storage_product.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("channels", gls_op_conv_options, channels, NULL, 1, 1e6, "output channels", .flags = GLS_OPTION_REQUIRED),
    GLS_INT("kernel", gls_op_conv_options, kernel, "3", 1, 1e4, "height and width"),
    GLS_INT("stride", gls_op_conv_options, stride, "1", 1, 1e4, "step"),
    GLS_INT("pad", gls_op_conv_options, pad, "0", 0, 1e4, "zeros around the input"),
    GLS_INT("groups", gls_op_conv_options, groups, "1", 1, 1e6, "groups of channels, convolved separately"),
    GLS_BOOL("bias", gls_op_conv_options, bias, "true", "add a bias"),
    {0},
};

/* A pad of the kernel's size would add outputs that see zeros alone. */
static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_conv_options *o = node->options;
    char text[64];
    if (node->in.c % o->groups != 0 || o->channels % o->groups != 0)
        return gls_node_fail(g, node, "%lld groups do not divide %lld input and %lld output channels",
                             (long long)o->groups, (long long)node->in.c, (long long)o->channels);
    if (o->pad >= o->kernel)
        return gls_node_fail(g, node, "pad %lld must be less than the kernel's %lld", (long long)o->pad,
                             (long long)o->kernel);
    int64_t h = node->in.h + 2 * o->pad - o->kernel, w = node->in.w + 2 * o->pad - o->kernel;
    if (h < 0 || w < 0)
        return gls_node_fail(g, node, "a kernel of %lld does not fit into %s with pad %lld", (long long)o->kernel,
                             gls_extent_text(node->in, text), (long long)o->pad);
    node->out = (gls_extent){o->channels, h / o->stride + 1, w / o->stride + 1};
    int64_t in = node->in.c / o->groups, cells = o->kernel * o->kernel;
    gls_parameter how = {g->init, in * cells, o->channels / o->groups * cells};
    GLS_TRY(
        gls_graph_parameter(g, node, 0, "weight", 4, (const int64_t[]){o->channels, in, o->kernel, o->kernel}, 0, how));
    if (!o->bias) return GLS_OK;
    how.init = g->init == GLS_INIT_TORCH ? GLS_INIT_TORCH : GLS_INIT_ZEROS;
    return gls_graph_parameter(g, node, 1, "bias", 1, &o->channels, GLS_BLOCK_NO_DECAY, how);
}

static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    gls_use use = {.kind = &gls_use_convolution,
                   .node = i,
                   .block = node->block[0],
                   .input = gls_view_value(g, node->input[0]),
                   .grad = gls_view_grad(g, i)};
    GLS_TRY(gls_graph_use(g, use));
    if (node->block[1] < 0) return GLS_OK;
    use.kind = &gls_use_scale_shift;
    use.block = node->block[1];
    return gls_graph_use(g, use);
}

static double work(const gls_node *node) {
    gls_conv_shape s = gls_conv_shape_of(node);
    return (double)gls_conv_weights(&s) * (double)gls_extent_positions(node->out);
}

/* The tangent of the output from that of the convolution: bias, activation. */
static void finish_tangent(gls_exec *t, int i) {
    const gls_node *node = gls_exec_node(t, i);
    const gls_real *bias = gls_exec_weight(t, node->block[1]);
    gls_real *y = gls_exec_value(t, i);
    int64_t positions = gls_extent_positions(node->out), inner = node->inner;
    for (int64_t r = 0; r < t->rows && bias; r++)
        for (int64_t c = 0; c < node->out.c; c += inner)
            gls_bias_activation(y + (r * node->out.c + c) * positions, positions, inner, bias + c, false, 0);
    gls_exec_activation_tangent(t, i);
}

/* ---- portable ---- */

static int64_t portable_scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    gls_conv_shape s = gls_conv_shape_of(node);
    return gls_conv_scratch(&s) * (int64_t)sizeof(gls_real);
}

static gls_status portable_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_conv_shape s = gls_conv_shape_of(node);
    const gls_real *w = gls_exec_weight(x, node->block[0]), *bias = gls_exec_weight(x, node->block[1]);
    int64_t positions = gls_extent_positions(s.out), blocks = s.out.c / s.out_inner;
    for (int64_t r = 0; r < x->rows; r++) {
        gls_real *y = gls_exec_value(x, i) + r * gls_extent_size(s.out);
        gls_conv_forward(x->graph->portable, &s, gls_exec_in(x, i, 0) + r * gls_extent_size(s.in), w, y, x->scratch);
        for (int64_t b = 0; b < blocks; b++)
            gls_bias_activation(y + b * positions * s.out_inner, positions, s.out_inner,
                                bias ? bias + b * s.out_inner : NULL, s.relu, s.slope);
    }
    return GLS_OK;
}

static gls_status portable_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_conv_shape s = gls_conv_shape_of(node);
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    gls_real *dx = gls_exec_in_grad(x, i, 0);
    if (!gls_exec_adds(x, i, 0)) gls_fill(dx, 0, x->rows * gls_extent_size(s.in));
    for (int64_t r = 0; r < x->rows; r++)
        gls_conv_backward(x->graph->portable, &s, gls_exec_grad(x, i) + r * gls_extent_size(s.out),
                          gls_exec_weight(x, node->block[0]), dx + r * gls_extent_size(s.in), x->scratch);
    return GLS_OK;
}

/* Patches, then one row's output. */
static int64_t portable_tangent_scratch(const gls_node *node, int64_t rows) {
    return portable_scratch(node, rows) + gls_extent_size(node->out) * (int64_t)sizeof(gls_real);
}

static gls_status portable_forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    gls_conv_shape s = gls_conv_shape_of(node);
    int64_t in = gls_extent_size(s.in), out = gls_extent_size(s.out);
    gls_real *other = (gls_real *)t->scratch + gls_conv_scratch(&s);
    for (int64_t r = 0; r < t->rows; r++) {
        gls_real *y = gls_exec_value(t, i) + r * out;
        gls_conv_forward(t->graph->portable, &s, gls_exec_in(x, i, 0) + r * in, gls_exec_weight(t, node->block[0]), y,
                         t->scratch);
        if (gls_exec_still(t, i, 0)) continue;
        gls_conv_forward(t->graph->portable, &s, gls_exec_in(t, i, 0) + r * in, gls_exec_weight(x, node->block[0]),
                         other, t->scratch);
        gls_add(y, other, out);
    }
    finish_tangent(t, i);
    return GLS_OK;
}

static gls_status portable_backward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    gls_conv_shape s = gls_conv_shape_of(node);
    int64_t in = gls_extent_size(s.in), out = gls_extent_size(s.out);
    gls_exec_activation_backward(t, i);
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    gls_real *dx = gls_exec_in_grad(t, i, 0);
    if (!gls_exec_adds(t, i, 0)) gls_fill(dx, 0, t->rows * in);
    for (int64_t r = 0; r < t->rows; r++) {
        gls_conv_backward(t->graph->portable, &s, gls_exec_grad(t, i) + r * out, gls_exec_weight(x, node->block[0]),
                          dx + r * in, t->scratch);
        gls_conv_backward(t->graph->portable, &s, gls_exec_grad(x, i) + r * out, gls_exec_weight(t, node->block[0]),
                          dx + r * in, t->scratch);
    }
    return GLS_OK;
}

static const gls_op_impl portable = {
    .name = "im2col",
    .scratch = portable_scratch,
    .forward = portable_forward,
    .backward = portable_backward,
    .forward_tangent = portable_forward_tangent,
    .backward_tangent = portable_backward_tangent,
    .tangent_scratch = portable_tangent_scratch,
};

/* ---- oneDNN ---- */

static gls_status library_setup(const gls_graph *g, gls_node *node, bool *fits) {
    gls_dnnl_weights *weights = NULL;
    if (!g->portable) {
        gls_conv_shape s = gls_conv_shape_of(node);
        GLS_TRY(gls_dnnl_weights_create(g->ctx, &s, GLS_STORAGE_REAL, &weights));
    }
    node->library = weights;
    *fits = weights != NULL;
    return GLS_OK;
}

static void library_teardown(const gls_graph *g, gls_node *node) {
    gls_dnnl_weights_destroy(g->ctx, node->library);
}

static int64_t library_pack_bytes(const gls_node *node) {
    return gls_dnnl_packed_bytes(node->library);
}

static gls_status library_pack(const gls_graph *g, const gls_node *node, const gls_real *w, void *packed) {
    return gls_dnnl_pack(node->library, w + gls_layout_block(g->layout, node->block[0])->offset, packed);
}

static int64_t library_scratch(const gls_node *node, int64_t rows) {
    return gls_dnnl_scratch(node->library, rows) + gls_dnnl_added_bytes(node->library, rows);
}

static gls_status library_object_create(gls_exec *x, int i, void **object) {
    gls_dnnl_conv_plan plan = {.rows = x->plan->max_rows,
                               .backward = x->plan->backward,
                               .single = (x->plan->want & (GLS_WANT_NORMS | GLS_WANT_INNER)) != 0,
                               .linear = gls_exec_primal(x) != NULL,
                               .adds = !gls_exec_primal(x) && gls_exec_adds(x, i, 0)};
    gls_dnnl_conv *conv = NULL;
    gls_status status = gls_dnnl_conv_create(x->ctx, gls_exec_node(x, i)->library, &plan, x->scratch, &conv);
    *object = conv;
    return status;
}

static gls_status library_object_reserve(gls_exec *x, int i, int64_t rows) {
    return gls_dnnl_conv_reserve(x->object[i], rows, x->plan->backward);
}

static void library_object_destroy(void *object) {
    gls_dnnl_conv_destroy(object);
}

static gls_status library_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return gls_dnnl_conv_forward(x->object[i], x->rows, gls_exec_in(x, i, 0), x->packed[i],
                                 gls_exec_weight(x, node->block[1]), gls_exec_value(x, i));
}

static gls_status library_backward(gls_exec *x, int i) {
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    return gls_dnnl_conv_backward(x->object[i], x->rows, gls_exec_grad(x, i), x->packed[i], gls_exec_in_grad(x, i, 0));
}

/* The library's own, then what is to be added to the output or to the input's gradient. */
static int64_t library_tangent_scratch(const gls_node *node, int64_t rows) {
    int64_t in = gls_extent_size(node->in), out = gls_extent_size(node->out);
    return gls_dnnl_scratch(node->library, rows) + rows * (in > out ? in : out) * (int64_t)sizeof(gls_real);
}

static gls_status library_forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    gls_real *y = gls_exec_value(t, i), *other = (gls_real *)((char *)t->scratch + gls_dnnl_conv_scratch(t->object[i]));
    GLS_TRY(gls_dnnl_conv_forward(t->object[i], t->rows, gls_exec_in(x, i, 0), t->packed[i], NULL, y));
    if (!gls_exec_still(t, i, 0)) {
        GLS_TRY(gls_dnnl_conv_forward(t->object[i], t->rows, gls_exec_in(t, i, 0), x->packed[i], NULL, other));
        gls_add(y, other, gls_exec_size(t, i));
    }
    finish_tangent(t, i);
    return GLS_OK;
}

static gls_status library_backward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    int64_t n = t->rows * gls_extent_size(gls_exec_node(t, i)->in);
    gls_exec_activation_backward(t, i);
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    gls_real *dx = gls_exec_in_grad(t, i, 0);
    gls_real *other = (gls_real *)((char *)t->scratch + gls_dnnl_conv_scratch(t->object[i]));
    bool adds = gls_exec_adds(t, i, 0);
    GLS_TRY(gls_dnnl_conv_backward(t->object[i], t->rows, gls_exec_grad(t, i), x->packed[i], adds ? other : dx));
    if (adds) gls_add(dx, other, n);
    GLS_TRY(gls_dnnl_conv_backward(t->object[i], t->rows, gls_exec_grad(x, i), t->packed[i], other));
    gls_add(dx, other, n);
    return GLS_OK;
}

static const gls_op_impl library = {
    .name = "oneDNN",
    .setup = library_setup,
    .teardown = library_teardown,
    .pack_bytes = library_pack_bytes,
    .pack = library_pack,
    .object_create = library_object_create,
    .object_reserve = library_object_reserve,
    .object_destroy = library_object_destroy,
    .scratch = library_scratch,
    .forward = library_forward,
    .backward = library_backward,
    .forward_tangent = library_forward_tangent,
    .backward_tangent = library_backward_tangent,
    .tangent_scratch = library_tangent_scratch,
};

/* ---- oneDNN, on bf16 as it is stored ---- */

static gls_status stored_setup(const gls_graph *g, gls_node *node, bool *fits) {
    gls_conv_shape s = gls_conv_shape_of(node);
    return gls_storage_product_setup(g, node, &s, fits);
}

static const gls_op_impl stored = {.name = "oneDNN in bf16", .setup = stored_setup, GLS_STORAGE_PRODUCT};

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_conv_options *o = node->options;
    const char *in = gls_export_in(x, i, 0, GLS_FORM_IMAGE), *weight = gls_export_weight(x, i, 0),
               *bias = gls_export_weight(x, i, 1);
    const char *y = gls_onnx_node(
        x->to, "Conv", node->name, *bias ? GLS_ONNX_ARGS(in, weight, bias) : GLS_ONNX_ARGS(in, weight),
        GLS_ONNX_WITH(GLS_ONNX_INTS("kernel_shape", o->kernel, o->kernel),
                      GLS_ONNX_INTS("strides", o->stride, o->stride),
                      GLS_ONNX_INTS("pads", o->pad, o->pad, o->pad, o->pad), GLS_ONNX_INT("group", o->groups)));
    gls_export_out(x, i, GLS_FORM_IMAGE, y);
}

const gls_op gls_op_conv = {
    .member = {.name = "conv",
               .help = "2-D convolution",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_conv_options)},
    .formula = "y_k = sum over channels c of a group of weight[k, c] * x_c, + bias_k",
    .shapes = "[c, h, w] -> [channels, (h + 2 pad - kernel) / stride + 1, and the same for w]",
    .parameters = "weight [channels, c / groups, kernel, kernel] convolution; bias [channels] scale and shift",
    .blocks = 2,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_FUSES | GLS_OP_OWN_LAYOUT,
    .shape = shape,
    .impl = (const gls_op_impl *const[]){&library, &portable, NULL},
    .stored = &stored,
    .uses = uses,
    .work = work,
    .onnx = onnx,
};
