/* average_pool: the mean of a window, padding counted as zeros (divided by kernel squared). */
#include "base/kernels.h"
#include "model/op/pool.h"

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_pool_options *o = node->options;
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner;
    gls_real share = (gls_real)1 / (gls_real)(o->kernel * o->kernel), *y = gls_exec_value(x, i);
    const gls_real *from = gls_exec_in(x, i, 0);
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++, from += in)
        for (int64_t oy = 0; oy < node->out.h; oy++)
            for (int64_t ox = 0; ox < node->out.w; ox++, y += inner) {
                gls_window win = gls_op_pool_window(node, oy, ox);
                for (int64_t k = 0; k < inner; k++) y[k] = 0;
                for (int64_t iy = win.y0; iy < win.y1; iy++)
                    for (int64_t ix = win.x0; ix < win.x1; ix++)
                        for (int64_t k = 0; k < inner; k++) y[k] += from[(iy * node->in.w + ix) * inner + k];
                for (int64_t k = 0; k < inner; k++) y[k] *= share;
            }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_pool_options *o = node->options;
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner;
    gls_real share = (gls_real)1 / (gls_real)(o->kernel * o->kernel), *dx = gls_exec_in_grad(x, i, 0);
    const gls_real *e = gls_exec_grad(x, i);
    if (!gls_exec_adds(x, i, 0)) gls_fill(dx, 0, x->rows * gls_extent_size(node->in));
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++, dx += in)
        for (int64_t oy = 0; oy < node->out.h; oy++)
            for (int64_t ox = 0; ox < node->out.w; ox++, e += inner) {
                gls_window win = gls_op_pool_window(node, oy, ox);
                for (int64_t iy = win.y0; iy < win.y1; iy++)
                    for (int64_t ix = win.x0; ix < win.x1; ix++)
                        for (int64_t k = 0; k < inner; k++) dx[(iy * node->in.w + ix) * inner + k] += share * e[k];
            }
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_op_pool_onnx(x, i, "AveragePool", true);
}

const gls_op gls_op_average_pool = {
    .member.name = "average_pool",
    .member.help = "mean of every window",
    .formula = "y = sum of a kernel x kernel window / kernel^2, zeros in the padding",
    GLS_POOL_OP(0),
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .onnx = onnx,
};
