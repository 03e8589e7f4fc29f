/* max_pool: the largest value of a window; the first of equal ones takes the gradient. */
#include "base/kernels.h"
#include "model/op/pool.h"

/* For a backward pass the position of each maximum, [rows, output] in the output's layout. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return backward ? rows * gls_extent_size(node->out) * (int64_t)sizeof(int32_t) : 0;
}

GLS_SIMD static void take_larger(const gls_real *x, int64_t inner, gls_real *best) {
    for (int64_t k = 0; k < inner; k++) best[k] = x[k] > best[k] || x[k] != x[k] ? x[k] : best[k];
}

GLS_SIMD static void take_larger_at(const gls_real *x, int32_t at, int64_t inner, gls_real *best, int32_t *where) {
    for (int64_t k = 0; k < inner; k++) {
        bool larger = x[k] > best[k] || x[k] != x[k];
        best[k] = larger ? x[k] : best[k];
        where[k] = larger ? at : where[k];
    }
}

/* One window of `inner` channels; where NULL: nobody asks. */
static void window(const gls_node *node, gls_window win, int64_t inner, const gls_real *x, gls_real *y,
                   int32_t *where) {
    int64_t first = win.y0 * node->in.w + win.x0;
    for (int64_t k = 0; k < inner; k++) y[k] = x[first * inner + k];
    for (int64_t k = 0; k < inner && where; k++) where[k] = (int32_t)first;
    for (int64_t iy = win.y0; iy < win.y1; iy++)
        for (int64_t ix = win.x0; ix < win.x1; ix++) {
            int64_t at = iy * node->in.w + ix;
            if (where)
                take_larger_at(x + at * inner, (int32_t)at, inner, y, where);
            else
                take_larger(x + at * inner, inner, y);
        }
}

/* One block of `inner` channels of one row. */
static void plane(const gls_node *node, int64_t inner, const gls_real *x, gls_real *y, int32_t *where) {
    for (int64_t oy = 0; oy < node->out.h; oy++)
        for (int64_t ox = 0; ox < node->out.w; ox++, y += inner) {
            window(node, gls_op_pool_window(node, oy, ox), inner, x, y, where);
            if (where) where += inner;
        }
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    int32_t *where = gls_exec_aux(x, i);
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++)
        plane(node, inner, gls_exec_in(x, i, 0) + b * in, gls_exec_value(x, i) + b * out,
              where ? where + b * out : NULL);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    gls_real *dx = gls_exec_in_grad(x, i, 0);
    const gls_real *e = gls_exec_grad(x, i);
    const int32_t *where = gls_exec_aux(x, i);
    if (!gls_exec_adds(x, i, 0)) gls_fill(dx, 0, x->rows * gls_extent_size(node->in));
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++, dx += in, e += out, where += out)
        for (int64_t p = 0; p < out; p += inner)
            for (int64_t k = 0; k < inner; k++) dx[where[p + k] * inner + k] += e[p + k];
    return GLS_OK;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_node *node = gls_exec_node(t, i);
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    gls_real *y = gls_exec_value(t, i);
    const gls_real *x = gls_exec_in(t, i, 0);
    const int32_t *where = gls_exec_aux(t, i);
    for (int64_t b = 0; b < t->rows * (node->out.c / inner); b++, x += in, y += out, where += out)
        for (int64_t p = 0; p < out; p += inner)
            for (int64_t k = 0; k < inner; k++) y[p + k] = x[where[p + k] * inner + k];
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_op_pool_onnx(x, i, "MaxPool", false);
}

const gls_op gls_op_max_pool = {
    .member.name = "max_pool",
    .member.help = "largest value of every window",
    .formula = "y = the largest of a kernel x kernel window; the first of equal ones takes the gradient",
    GLS_POOL_OP,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .forward_tangent = forward_tangent),
    .aux = aux,
    .onnx = onnx,
};
