/* dense: y = W x + b at every position, W [units, features]. */
#include "base/gemm.h"
#include "model/export.h"
#include "model/kernels.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/storage_product.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("units", gls_op_dense_options, units, "0", 0, 1e9, "number of outputs; may be left out with tie"),
    GLS_BOOL("bias", gls_op_dense_options, bias, "true", "add a bias"),
    GLS_STRING("tie", gls_op_dense_options, tie, NULL, "share the weights of this parameter"),
    GLS_BOOL("transpose", gls_op_dense_options, transpose, "false", "with tie: use the transpose"),
    {0},
};

/* A tied matrix says how many units there are, where `units` does not. */
static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_dense_options *o = node->options;
    if (node->in.h != 1 || (node->in.w != 1 && node->input[0] == 0 && !g->data->length)) {
        char text[64];
        return gls_node_fail(g, node, "takes features, but its input is %s; put a flatten or a pool before it",
                             gls_extent_text(node->in, text));
    }
    if (o->tie) {
        int64_t rows = o->transpose ? node->in.c : o->units, columns = o->transpose ? o->units : node->in.c;
        GLS_TRY(gls_graph_tie(g, node, 0, o->tie, rows, columns));
        o->units = gls_layout_block(g->layout, node->block[0])->shape[o->transpose];
    } else if (o->units == 0) {
        return gls_node_fail(g, node, "units is missing: how many outputs?");
    }
    node->out = (gls_extent){o->units, 1, node->in.w};
    int64_t calm = o->calm ? o->calm : 1;
    gls_parameter how = {g->init, node->in.c * calm, o->units * calm};
    if (!o->tie) {
        int64_t size[2] = {o->units, node->in.c};
        GLS_TRY(gls_graph_parameter(g, node, 0, "weight", 2, size, gls_use_matrix_flags(size), how));
    }
    if (!o->bias) return GLS_OK;
    how.init = g->init == GLS_INIT_TORCH ? GLS_INIT_TORCH : GLS_INIT_ZEROS;
    return gls_graph_parameter(g, node, 1, "bias", 1, &o->units, GLS_BLOCK_NO_DECAY, how);
}

static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    const gls_op_dense_options *o = node->options;
    gls_use use = {.kind = &gls_use_matrix,
                   .node = i,
                   .block = node->block[0],
                   .input = gls_view_value(g, node->input[0]),
                   .grad = gls_view_grad(g, i),
                   .transposed = o->transpose && o->tie};
    GLS_TRY(gls_graph_use(g, use));
    if (node->block[1] < 0) return GLS_OK;
    use.kind = &gls_use_scale_shift;
    use.block = node->block[1];
    return gls_graph_use(g, use);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_dense_options *o = node->options;
    bool transposed = o->tie && o->transpose;
    int64_t rows = x->rows * node->in.w, in = node->in.c, out = node->out.c;
    gls_gemm(x->graph->portable, false, !transposed, rows, out, in, 1, gls_exec_in(x, i, 0), in,
             gls_exec_weight(x, node->block[0]), transposed ? out : in, 0, gls_exec_value(x, i), out);
    gls_bias_activation(gls_exec_value(x, i), rows, out, gls_exec_weight(x, node->block[1]), node->activation,
                        node->slope);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_dense_options *o = node->options;
    bool transposed = o->tie && o->transpose;
    int64_t rows = x->rows * node->in.w, in = node->in.c, out = node->out.c;
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    gls_gemm(x->graph->portable, false, transposed, rows, in, out, 1, gls_exec_grad(x, i), out,
             gls_exec_weight(x, node->block[0]), transposed ? out : in, gls_exec_adds(x, i, 0) ? 1 : 0,
             gls_exec_in_grad(x, i, 0), in);
    return GLS_OK;
}

/* W' x + W x' + b', through the activation. */
static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_dense_options *o = node->options;
    bool transposed = o->tie && o->transpose, portable = t->graph->portable;
    int64_t rows = t->rows * node->in.w, in = node->in.c, out = node->out.c, step = transposed ? out : in;
    gls_real *y = gls_exec_value(t, i);
    gls_gemm(portable, false, !transposed, rows, out, in, 1, gls_exec_in(x, i, 0), in,
             gls_exec_weight(t, node->block[0]), step, 0, y, out);
    if (!gls_exec_still(t, i, 0))
        gls_gemm(portable, false, !transposed, rows, out, in, 1, gls_exec_in(t, i, 0), in,
                 gls_exec_weight(x, node->block[0]), step, 1, y, out);
    gls_bias_activation(y, rows, out, gls_exec_weight(t, node->block[1]), false, 0);
    gls_exec_activation_tangent(t, i);
    return GLS_OK;
}

static gls_status backward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_dense_options *o = node->options;
    bool transposed = o->tie && o->transpose, portable = t->graph->portable;
    int64_t rows = t->rows * node->in.w, in = node->in.c, out = node->out.c, step = transposed ? out : in;
    gls_exec_activation_backward(t, i);
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    gls_gemm(portable, false, transposed, rows, in, out, 1, gls_exec_grad(t, i), out,
             gls_exec_weight(x, node->block[0]), step, gls_exec_adds(t, i, 0) ? 1 : 0, gls_exec_in_grad(t, i, 0), in);
    gls_gemm(portable, false, transposed, rows, in, out, 1, gls_exec_grad(x, i), out,
             gls_exec_weight(t, node->block[0]), step, 1, gls_exec_in_grad(t, i, 0), in);
    return GLS_OK;
}

static double work(const gls_node *node) {
    return (double)node->in.c * (double)node->out.c * (double)node->in.w;
}

static const gls_op_impl gemm = {.name = "gemm",
                                 .forward = forward,
                                 .backward = backward,
                                 .forward_tangent = forward_tangent,
                                 .backward_tangent = backward_tangent};

/* Padding, if there is any, is multiplied too. */
static gls_status stored_setup(const gls_graph *g, gls_node *node, bool *fits) {
    const gls_op_dense_options *o = node->options;
    const gls_conv_shape s = {.in = {node->in.c, 1, 1},
                              .out = {node->out.c, 1, 1},
                              .kernel = 1,
                              .stride = 1,
                              .groups = 1,
                              .bias = node->block[1] >= 0,
                              .relu = node->activation,
                              .slope = node->slope,
                              .input_gradient = node->input[0] > 0,
                              .matrix = true,
                              .transposed = o->tie && o->transpose};
    return gls_storage_product_setup(g, node, &s, fits);
}

static const gls_op_impl stored = {.name = "oneDNN in bf16", .setup = stored_setup, GLS_STORAGE_PRODUCT};

/* Of one position a Gemm; over positions a product with the transposed matrix. */
static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_dense_options *o = node->options;
    bool transposed = o->tie && o->transpose;
    gls_form form = gls_export_by_position(x, i);
    const char *in = gls_export_in(x, i, 0, form), *weight = gls_export_weight(x, i, 0),
               *bias = gls_export_weight(x, i, 1);
    const char *value;
    char name[GLS_ONNX_NAME];
    if (form == GLS_FORM_FEATURES) {
        value = gls_onnx_node(x->to, "Gemm", node->name,
                              *bias ? GLS_ONNX_ARGS(in, weight, bias) : GLS_ONNX_ARGS(in, weight),
                              GLS_ONNX_WITH(GLS_ONNX_INT("transB", !transposed)));
    } else {
        if (!transposed)
            weight = gls_onnx_transpose(x->to, gls_export_name(x, i, "transposed", name), weight, 2,
                                        (const int64_t[]){1, 0});
        value = gls_onnx_node(x->to, "MatMul", node->name, GLS_ONNX_ARGS(in, weight), NULL);
        if (*bias)
            value =
                gls_onnx_node(x->to, "Add", gls_export_name(x, i, "biased", name), GLS_ONNX_ARGS(value, bias), NULL);
    }
    gls_export_out(x, i, form, value);
}

const gls_op gls_op_dense = {
    .member = {.name = "dense",
               .help = "matrix product and bias",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_dense_options)},
    .formula = "y = weight x + bias, at every position",
    .shapes = "[features, 1, w] -> [units, 1, w]",
    .parameters = "weight [units, features] matrix product; bias [units] scale and shift",
    .blocks = 2,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_FUSES | GLS_OP_OWN_LAYOUT | GLS_OP_BY_POSITION,
    .shape = shape,
    .impl = (const gls_op_impl *const[]){&gemm, NULL},
    .stored = &stored,
    .uses = uses,
    .work = work,
    .onnx = onnx,
};
