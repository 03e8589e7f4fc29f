/* max_pool: the largest value of a window; the first of equal ones takes the gradient. */
#include "base/arith.h"
#include "base/bf16.h"
#include "base/kernels.h"
#include "model/kernels.h"
#include "model/op/pool.h"
#include "model/storage.h"

/* For a backward pass the position of each maximum, [rows, output] in the output's layout. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return backward ? rows * gls_extent_size(node->out) * (int64_t)sizeof(int32_t) : 0;
}

/* Loops are written once for reals and for what is stored in bf16, and compiled again for the channels of the blocked
 * layouts, which then stay in registers. */

GLS_ALWAYS_INLINE gls_real get(const void *from, int64_t at, const bool narrow) {
    return narrow ? (gls_real)gls_bf16_widen(((const uint16_t *)from)[at]) : ((const gls_real *)from)[at];
}

GLS_ALWAYS_INLINE void put(void *to, int64_t at, gls_real v, const bool narrow) {
    if (narrow)
        ((uint16_t *)to)[at] = gls_bf16_narrow((float)v);
    else
        ((gls_real *)to)[at] = v;
}

/* Channels done together, at most. */
enum { TOGETHER = 16 };

GLS_ALWAYS_INLINE void larger_of(const void *x, int64_t first, int32_t at, const int64_t count, gls_real *best,
                                 int32_t *where, const bool narrow) {
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        gls_real v = get(x, first + k, narrow);
        bool larger = v > best[k] || v != v;
        best[k] = larger ? v : best[k];
        where[k] = larger ? at : where[k];
    }
}

/* Output position p, `count` channels from c on; where NULL: nobody asks. */
GLS_ALWAYS_INLINE void window(const gls_node *node, gls_window win, int64_t p, const int64_t inner, int64_t c,
                              const int64_t count, const void *x, void *y, int32_t *where, const bool narrow) {
    gls_real best[TOGETHER], slope = node->activation ? (gls_real)node->slope : 1;
    int32_t found[TOGETHER];
    int64_t width = node->in.w, first = win.y0 * width + win.x0;
    for (int64_t k = 0; k < count; k++) {
        best[k] = get(x, first * inner + c + k, narrow);
        found[k] = (int32_t)first;
    }
    for (int64_t iy = win.y0; iy < win.y1; iy++)
        for (int64_t at = iy * width + win.x0; at < iy * width + win.x1; at++)
            larger_of(x, at * inner + c, (int32_t)at, count, best, found, narrow);
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) put(y, p * inner + c + k, best[k] < 0 ? slope * best[k] : best[k], narrow);
    for (int64_t k = 0; k < count && where; k++) where[p * inner + c + k] = found[k];
}

/* One block of `inner` channels of one row. */
GLS_ALWAYS_INLINE void plane_of(const gls_node *node, const int64_t inner, const void *x, void *y, int32_t *where,
                                const bool narrow) {
    int64_t p = 0;
    for (int64_t oy = 0; oy < node->out.h; oy++)
        for (int64_t ox = 0; ox < node->out.w; ox++, p++) {
            gls_window win = gls_op_pool_window(node, oy, ox);
            if (inner == 8 || inner == 16) {
                window(node, win, p, inner, 0, inner, x, y, where, narrow);
                continue;
            }
            for (int64_t c = 0; c < inner; c += TOGETHER)
                window(node, win, p, inner, c, gls_least(inner - c, TOGETHER), x, y, where, narrow);
        }
}

GLS_SIMD static void plane(const gls_node *node, int64_t inner, const void *x, void *y, int32_t *where, bool narrow) {
    if (inner == 16 && narrow)
        plane_of(node, 16, x, y, where, true);
    else if (inner == 16)
        plane_of(node, 16, x, y, where, false);
    else if (inner == 8 && !narrow)
        plane_of(node, 8, x, y, where, false);
    else
        plane_of(node, inner, x, y, where, narrow);
}

/* Blocks of channels of all rows: how many, and elements of one on either side. */
typedef struct blocks {
    int64_t count, in, out;
} blocks;

static blocks blocks_of(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return (blocks){x->rows * (node->out.c / node->inner), gls_extent_positions(node->in) * node->inner,
                    gls_extent_positions(node->out) * node->inner};
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_sides s = gls_exec_sides_of(x, i, false);
    blocks all = blocks_of(x, i);
    int32_t *where = gls_exec_aux(x, i);
    for (int64_t b = 0; b < all.count; b++)
        plane(node, node->inner, s.in + b * all.in * s.element, s.out + b * all.out * s.element,
              where ? where + b * all.out : NULL, s.narrow);
    return GLS_OK;
}

/* Windows that lie side by side and fill the input. */
static bool tiles(const gls_node *node) {
    const gls_op_pool_options *o = node->options;
    return o->stride == o->kernel && o->pad == 0 && node->out.h * o->stride == node->in.h &&
           node->out.w * o->stride == node->in.w;
}

/* The cells of one output position that lie in one row. The sign of a zero is that of adding to a zero. */
GLS_ALWAYS_INLINE void cover_cells(int64_t first, int64_t kernel, const int64_t inner, const void *e,
                                   const int32_t *where, void *dx, const bool narrow) {
    for (int64_t at = first; at < first + kernel; at++)
        if (narrow) {
            uint16_t *to = (uint16_t *)dx + at * inner;
            const uint16_t *from = e;
            GLS_LANE_LOOP
            for (int64_t k = 0; k < inner; k++) to[k] = where[k] == (int32_t)at && from[k] != 0x8000 ? from[k] : 0;
        } else {
            gls_real *to = (gls_real *)dx + at * inner;
            const gls_real *from = e;
            GLS_LANE_LOOP
            for (int64_t k = 0; k < inner; k++) to[k] = (where[k] == (int32_t)at ? from[k] : 0) + 0;
        }
}

/* Every cell is written once, in order. */
GLS_ALWAYS_INLINE void cover_of(const gls_node *node, const int64_t inner, const void *e, const int32_t *where,
                                void *dx, const bool narrow) {
    const int64_t element = narrow ? sizeof(uint16_t) : sizeof(gls_real);
    int64_t kernel = ((const gls_op_pool_options *)node->options)->kernel, width = node->out.w;
    for (int64_t oy = 0; oy < node->out.h; oy++)
        for (int64_t iy = oy * kernel; iy < (oy + 1) * kernel; iy++)
            for (int64_t ox = 0; ox < width; ox++) {
                int64_t p = (oy * width + ox) * inner;
                cover_cells(iy * node->in.w + ox * kernel, kernel, inner, (const char *)e + p * element, where + p, dx,
                            narrow);
            }
}

GLS_SIMD static void cover(const gls_node *node, int64_t inner, const void *restrict e, const int32_t *restrict where,
                           void *restrict dx, bool narrow) {
    if (inner == 16 && narrow)
        cover_of(node, 16, e, where, dx, true);
    else if (inner == 16)
        cover_of(node, 16, e, where, dx, false);
    else if (inner == 8 && !narrow)
        cover_of(node, 8, e, where, dx, false);
    else
        cover_of(node, inner, e, where, dx, narrow);
}

static void scatter(int64_t inner, const void *e, const int32_t *where, int64_t out, gls_real *dx, bool narrow) {
    for (int64_t p = 0; p < out; p += inner)
        for (int64_t k = 0; k < inner; k++) dx[where[p + k] * inner + k] += get(e, p + k, narrow);
}

/* One block of input gradients, that sums are rounded once. */
static int64_t stored_scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_extent_positions(node->in) * node->inner * (int64_t)sizeof(gls_real);
}

/* Into one block of input gradients dx; wide: room for one, where they are narrow. */
static void add_block(const gls_node *node, const blocks *all, const char *e, const int32_t *where, char *dx, bool adds,
                      gls_real *wide) {
    gls_real *sum = wide ? wide : (gls_real *)dx;
    if (!adds)
        gls_fill(sum, 0, all->in);
    else if (wide)
        gls_storage_widen(sum, dx, all->in);
    scatter(node->inner, e, where, all->out, sum, wide != NULL);
    if (wide) gls_storage_narrow(dx, sum, all->in);
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    gls_exec_sides s = gls_exec_sides_of(x, i, true);
    blocks all = blocks_of(x, i);
    const int32_t *where = gls_exec_aux(x, i);
    bool adds = gls_exec_adds(x, i, 0), covers = tiles(node) && !adds;
    for (int64_t b = 0; b < all.count; b++, where += all.out) {
        const char *e = s.out + b * all.out * s.element;
        char *dx = s.in + b * all.in * s.element;
        if (covers)
            cover(node, node->inner, e, where, dx, s.narrow);
        else
            add_block(node, &all, e, where, dx, adds, s.narrow ? x->scratch : NULL);
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
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .forward_tangent = forward_tangent),
    .stored = GLS_OP_STORED(.scratch = stored_scratch, .forward = forward, .backward = backward),
    .aux = aux,
    .onnx = onnx,
};
