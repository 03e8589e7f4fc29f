/* What max and average pooling share. */
#ifndef GLS_MODEL_OP_POOL_H
#define GLS_MODEL_OP_POOL_H

#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

extern const gls_option gls_op_pool_option_table[];
gls_status gls_op_pool_shape(gls_graph *graph, gls_node *node);

/* The part of the input that output position (oy, ox) covers. */
typedef struct gls_window {
    int64_t y0, y1, x0, x1;
} gls_window;
gls_window gls_op_pool_window(const gls_node *node, int64_t oy, int64_t ox);

/* The pool as ONNX's operator of that type; counts: padding counts as cells of an average. */
void gls_op_pool_onnx(gls_export *x, int node, const char *type, bool counts);

/* What their descriptors have in common. */
#define GLS_POOL_OP                                                                                        \
    .member.source = "", .member.options = gls_op_pool_option_table,                                       \
    .member.options_size = sizeof(gls_op_pool_options),                                                    \
    .shapes = "[c, h, w] -> [c, (h + 2 pad - kernel) / stride + 1, and the same for w]", .parameters = "", \
    GLS_OP_ONE_INPUT, .flags = GLS_OP_LINEAR, .shape = gls_op_pool_shape

#endif
