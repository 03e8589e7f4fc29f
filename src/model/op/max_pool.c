/* max_pool: the largest value of a window; the first of equal ones takes the gradient. */
#include "base/arith.h"
#include "base/kernels.h"
#include "model/kernels.h"
#include "model/op/pool.h"
#include "model/storage.h"

/* For a backward pass the position of each maximum, [rows, output] in the output's layout. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return backward ? rows * gls_extent_size(node->out) * (int64_t)sizeof(int32_t) : 0;
}

/* Loops over channels are written once, and compiled again for those of the blocked layouts, which then stay in
 * registers. */
#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void larger_of(const gls_real *x, int32_t at, const int64_t inner, gls_real *best, int32_t *where) {
    GLS_LANE_LOOP
    for (int64_t k = 0; k < inner; k++) {
        bool larger = x[k] > best[k] || x[k] != x[k];
        best[k] = larger ? x[k] : best[k];
        where[k] = larger ? at : where[k];
    }
}

/* One window, into best and where. */
ALWAYS void window(const gls_real *x, int64_t width, gls_window win, const int64_t inner, gls_real *best,
                   int32_t *where) {
    int64_t first = win.y0 * width + win.x0;
    for (int64_t k = 0; k < inner; k++) {
        best[k] = x[first * inner + k];
        where[k] = (int32_t)first;
    }
    for (int64_t iy = win.y0; iy < win.y1; iy++)
        for (int64_t at = iy * width + win.x0; at < iy * width + win.x1; at++)
            larger_of(x + at * inner, (int32_t)at, inner, best, where);
}

/* One block of `inner` channels of one row, at most 16; where NULL: nobody asks. */
ALWAYS void plane_of(const gls_node *node, const int64_t inner, const gls_real *x, gls_real *y, int32_t *where) {
    gls_real best[16];
    int32_t at[16];
    for (int64_t oy = 0; oy < node->out.h; oy++)
        for (int64_t ox = 0; ox < node->out.w; ox++, y += inner) {
            window(x, node->in.w, gls_op_pool_window(node, oy, ox), inner, best, at);
            for (int64_t k = 0; k < inner; k++) y[k] = best[k];
            for (int64_t k = 0; k < inner && where; k++) where[k] = at[k];
            if (where) where += inner;
        }
}

/* The same for any number of channels; nobody takes what `spare` [inner] then has. */
static void plane_wide(const gls_node *node, int64_t inner, const gls_real *x, gls_real *y, int32_t *where,
                       int32_t *spare) {
    for (int64_t oy = 0; oy < node->out.h; oy++)
        for (int64_t ox = 0; ox < node->out.w; ox++, y += inner) {
            window(x, node->in.w, gls_op_pool_window(node, oy, ox), inner, y, where ? where : spare);
            if (where) where += inner;
        }
}

GLS_SIMD static void plane(const gls_node *node, int64_t inner, const gls_real *x, gls_real *y, int32_t *where,
                           int32_t *spare) {
    if (inner == 16)
        plane_of(node, 16, x, y, where);
    else if (inner == 8)
        plane_of(node, 8, x, y, where);
    else
        plane_wide(node, inner, x, y, where, spare);
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return node->inner * (int64_t)sizeof(int32_t);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    int32_t *where = gls_exec_aux(x, i);
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++) {
        gls_real *y = gls_exec_value(x, i) + b * out;
        plane(node, inner, gls_exec_in(x, i, 0) + b * in, y, where ? where + b * out : NULL, x->scratch);
        if (node->activation) gls_activation(y, y, out, node->slope);
    }
    return GLS_OK;
}

/* Windows that lie side by side and fill the input. */
static bool tiles(const gls_node *node) {
    const gls_op_pool_options *o = node->options;
    return o->stride == o->kernel && o->pad == 0 && node->out.h * o->stride == node->in.h &&
           node->out.w * o->stride == node->in.w;
}

/* The cells of output position p that lie in row iy. Zero is added for the sign of zeros, which is that of adding to a
 * zero. */
ALWAYS void cover_cells(int64_t first, int64_t kernel, const int64_t inner, const gls_real *e, const int32_t *where,
                        gls_real *dx) {
    for (int64_t at = first; at < first + kernel; at++) {
        GLS_LANE_LOOP
        for (int64_t k = 0; k < inner; k++) dx[at * inner + k] = (where[k] == (int32_t)at ? e[k] : 0) + 0;
    }
}

/* Every cell is written once, in order. */
ALWAYS void cover_of(const gls_node *node, const int64_t inner, const gls_real *e, const int32_t *where, gls_real *dx) {
    int64_t kernel = ((const gls_op_pool_options *)node->options)->kernel, width = node->out.w;
    for (int64_t oy = 0; oy < node->out.h; oy++)
        for (int64_t iy = oy * kernel; iy < (oy + 1) * kernel; iy++)
            for (int64_t ox = 0; ox < width; ox++) {
                int64_t p = (oy * width + ox) * inner;
                cover_cells(iy * node->in.w + ox * kernel, kernel, inner, e + p, where + p, dx);
            }
}

GLS_SIMD static void cover(const gls_node *node, int64_t inner, const gls_real *restrict e,
                           const int32_t *restrict where, gls_real *restrict dx) {
    if (inner == 16)
        cover_of(node, 16, e, where, dx);
    else if (inner == 8)
        cover_of(node, 8, e, where, dx);
    else
        cover_of(node, inner, e, where, dx);
}

static void scatter(int64_t inner, const gls_real *e, const int32_t *where, int64_t out, gls_real *dx) {
    for (int64_t p = 0; p < out; p += inner)
        for (int64_t k = 0; k < inner; k++) dx[where[p + k] * inner + k] += e[p + k];
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    gls_real *dx = gls_exec_in_grad(x, i, 0);
    const gls_real *e = gls_exec_grad(x, i);
    const int32_t *where = gls_exec_aux(x, i);
    bool covers = tiles(node) && !gls_exec_adds(x, i, 0);
    if (!covers && !gls_exec_adds(x, i, 0)) gls_fill(dx, 0, x->rows * gls_extent_size(node->in));
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++, dx += in, e += out, where += out)
        if (covers)
            cover(node, inner, e, where, dx);
        else
            scatter(inner, e, where, out, dx);
    return GLS_OK;
}

/* ---- on bf16 as it is stored: one block of channels of a row at a time is widened ---- */

/* Indices, then a block's input and output. */
static int64_t stored_scratch(const gls_node *node, int64_t rows) {
    int64_t reals = (gls_extent_positions(node->in) + gls_extent_positions(node->out)) * node->inner;
    return gls_align64(scratch(node, rows)) + reals * (int64_t)sizeof(gls_real);
}

static gls_real *wide_room(const gls_exec *x, int i) {
    return (gls_real *)((char *)x->scratch + gls_align64(scratch(gls_exec_node(x, i), x->rows)));
}

static gls_status stored_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    int32_t *where = gls_exec_aux(x, i);
    const uint16_t *from = gls_exec_stored(x, node->input[0]);
    uint16_t *to = gls_exec_stored(x, i);
    gls_real *wide = wide_room(x, i), *y = wide + in;
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++) {
        gls_storage_widen(wide, from + b * in, in);
        plane(node, inner, wide, y, where ? where + b * out : NULL, x->scratch);
        if (node->activation) gls_activation(y, y, out, node->slope);
        gls_storage_narrow(to + b * out, y, out);
    }
    return GLS_OK;
}

static gls_status stored_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    int64_t inner = node->inner, in = gls_extent_positions(node->in) * inner,
            out = gls_extent_positions(node->out) * inner;
    const int32_t *where = gls_exec_aux(x, i);
    const uint16_t *from = gls_exec_stored_grad(x, i);
    uint16_t *to = gls_exec_stored_grad(x, node->input[0]);
    bool adds = gls_exec_adds(x, i, 0), covers = tiles(node) && !adds;
    gls_real *wide = wide_room(x, i), *e = wide + in;
    for (int64_t b = 0; b < x->rows * (node->out.c / inner); b++) {
        gls_storage_widen(e, from + b * out, out);
        if (adds)
            gls_storage_widen(wide, to + b * in, in);
        else if (!covers)
            gls_fill(wide, 0, in);
        if (covers)
            cover(node, inner, e, where + b * out, wide);
        else
            scatter(inner, e, where + b * out, out, wide);
        gls_storage_narrow(to + b * in, wide, in);
    }
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
    gls_exec_activation_tangent(t, i);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_op_pool_onnx(x, i, "MaxPool", false);
}

const gls_op gls_op_max_pool = {
    .member.name = "max_pool",
    .member.help = "largest value of every window",
    .formula = "y = the largest of a kernel x kernel window; the first of equal ones takes the gradient",
    GLS_POOL_OP(GLS_OP_FUSES | GLS_OP_MONOTONE),
    .impl = GLS_OP_PORTABLE(.scratch = scratch, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent),
    .stored = GLS_OP_STORED(.scratch = stored_scratch, .forward = stored_forward, .backward = stored_backward),
    .aux = aux,
    .onnx = onnx,
};
