/* What max and average pooling share: options, the output's shape, and windows clipped to the input. */
#include "model/op/pool.h"

const gls_option gls_op_pool_option_table[] = {
    GLS_INT("kernel", gls_op_pool_options, kernel, "2", 1, 1e4, "height and width"),
    GLS_INT("stride", gls_op_pool_options, stride, "0", 0, 1e4, "step; 0: the kernel"),
    GLS_INT("pad", gls_op_pool_options, pad, "0", 0, 1e4, "cells around the input"),
    {0},
};

gls_status gls_op_pool_shape(gls_graph *g, gls_node *node) {
    gls_op_pool_options *o = node->options;
    char text[64];
    if (o->stride == 0) o->stride = o->kernel;
    if (o->pad > o->kernel / 2)
        return gls_node_fail(g, node, "pad %lld must be at most half the kernel's %lld", (long long)o->pad,
                             (long long)o->kernel);
    int64_t h = node->in.h + 2 * o->pad - o->kernel, w = node->in.w + 2 * o->pad - o->kernel;
    if (h < 0 || w < 0)
        return gls_node_fail(g, node, "a kernel of %lld does not fit into %s with pad %lld", (long long)o->kernel,
                             gls_extent_text(node->in, text), (long long)o->pad);
    node->out = (gls_extent){node->in.c, h / o->stride + 1, w / o->stride + 1};
    return GLS_OK;
}

void gls_op_pool_onnx(gls_export *x, int i, const char *type, bool counts) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_pool_options *o = node->options;
    const gls_onnx_attribute with[] = {GLS_ONNX_INTS("kernel_shape", o->kernel, o->kernel),
                                       GLS_ONNX_INTS("strides", o->stride, o->stride),
                                       GLS_ONNX_INTS("pads", o->pad, o->pad, o->pad, o->pad),
                                       GLS_ONNX_INT(counts ? "count_include_pad" : NULL, 1),
                                       {0}};
    const char *in = gls_export_in(x, i, 0, GLS_FORM_IMAGE);
    gls_export_out(x, i, GLS_FORM_IMAGE, gls_onnx_node(x->to, type, node->name, GLS_ONNX_ARGS(in), with));
}
