/* What max and average pooling share. */
#ifndef GLS_MODEL_OP_POOL_H
#define GLS_MODEL_OP_POOL_H

#include "base/arith.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

extern const gls_option gls_op_pool_option_table[];
gls_status gls_op_pool_shape(gls_graph *graph, gls_node *node);

/* The part of the input that output position (oy, ox) covers. */
typedef struct gls_window {
    int64_t y0, y1, x0, x1;
} gls_window;
static inline gls_window gls_op_pool_window(const gls_node *node, int64_t oy, int64_t ox) {
    const gls_op_pool_options *o = node->options;
    int64_t y = oy * o->stride - o->pad, x = ox * o->stride - o->pad;
    return (gls_window){.y0 = y > 0 ? y : 0,
                        .y1 = gls_least(y + o->kernel, node->in.h),
                        .x0 = x > 0 ? x : 0,
                        .x1 = gls_least(x + o->kernel, node->in.w)};
}

/* The pool as ONNX's operator of that type; counts: padding counts as cells of an average. */
void gls_op_pool_onnx(gls_export *x, int node, const char *type, bool counts);

/* What their descriptors have in common. */
#define GLS_POOL_OP(also)                                                                                  \
    .member.source = "", .member.options = gls_op_pool_option_table,                                       \
    .member.options_size = sizeof(gls_op_pool_options),                                                    \
    .shapes = "[c, h, w] -> [c, (h + 2 pad - kernel) / stride + 1, and the same for w]", .parameters = "", \
    GLS_OP_ONE_INPUT, .flags = GLS_OP_LINEAR | (also), .shape = gls_op_pool_shape

#endif
