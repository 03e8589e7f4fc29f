/* Convolution by patches: each row's patches become a matrix, and products do the rest. Output channels of a blocked
 * layout are written in segments that are contiguous. */
#include "model/conv.h"

#include <string.h>

#include "base/arith.h"
#include "base/gemm.h"
#include "model/layers.h"

gls_conv_shape gls_conv_shape_of(const gls_node *node) {
    const gls_op_conv_options *o = node->options;
    return (gls_conv_shape){.in = node->in,
                            .out = node->out,
                            .in_inner = node->in_inner,
                            .out_inner = node->inner,
                            .kernel = o->kernel,
                            .stride = o->stride,
                            .pad = o->pad,
                            .groups = o->groups,
                            .bias = node->block[1] >= 0,
                            .relu = node->activation,
                            .input_gradient = node->input[0] != 0,
                            .slope = node->slope};
}

int64_t gls_conv_scratch(const gls_conv_shape *s) {
    return gls_extent_positions(s->out) * gls_conv_patch(s);
}

/* The input position under kernel cell k of output position o along one axis, or -1 in the padding. */
static int64_t under(const gls_conv_shape *s, int64_t o, int64_t k, int64_t size) {
    int64_t i = o * s->stride + k - s->pad;
    return i >= 0 && i < size ? i : -1;
}

/* Patches of channel group `group`: cols [positions of y, (channel, ky, kx)]. */
static void gather(const gls_conv_shape *s, int64_t group, const gls_real *x, gls_real *cols) {
    int64_t channels = s->in.c / s->groups, positions = gls_extent_positions(s->in), inner = s->in_inner;
    for (int64_t oy = 0; oy < s->out.h; oy++)
        for (int64_t ox = 0; ox < s->out.w; ox++)
            for (int64_t c = group * channels; c < (group + 1) * channels; c++) {
                const gls_real *plane = x + c / inner * positions * inner + c % inner;
                for (int64_t ky = 0; ky < s->kernel; ky++) {
                    int64_t iy = under(s, oy, ky, s->in.h);
                    for (int64_t kx = 0; kx < s->kernel; kx++) {
                        int64_t ix = under(s, ox, kx, s->in.w);
                        *cols++ = iy < 0 || ix < 0 ? 0 : plane[(iy * s->in.w + ix) * inner];
                    }
                }
            }
}

/* The transpose of gather: positions that several patches cover receive the sum. */
static void scatter(const gls_conv_shape *s, int64_t group, const gls_real *cols, gls_real *dx) {
    int64_t channels = s->in.c / s->groups, positions = gls_extent_positions(s->in), inner = s->in_inner;
    for (int64_t oy = 0; oy < s->out.h; oy++)
        for (int64_t ox = 0; ox < s->out.w; ox++)
            for (int64_t c = group * channels; c < (group + 1) * channels; c++) {
                gls_real *plane = dx + c / inner * positions * inner + c % inner;
                for (int64_t ky = 0; ky < s->kernel; ky++) {
                    int64_t iy = under(s, oy, ky, s->in.h);
                    for (int64_t kx = 0; kx < s->kernel; kx++, cols++) {
                        int64_t ix = under(s, ox, kx, s->in.w);
                        if (iy >= 0 && ix >= 0) plane[(iy * s->in.w + ix) * inner] += *cols;
                    }
                }
            }
}

/* Output channels [begin, end) that are contiguous in memory and belong to one group. */
typedef struct segment {
    int64_t begin, end;
} segment;

static bool next_segment(const gls_conv_shape *s, int64_t group, segment *at) {
    int64_t last = (group + 1) * (s->out.c / s->groups);
    at->begin = at->end;
    if (at->begin >= last) return false;
    int64_t block_end = (at->begin / s->out_inner + 1) * s->out_inner;
    at->end = gls_least(block_end, last);
    return true;
}

static int64_t segment_offset(const gls_conv_shape *s, segment at) {
    return at.begin / s->out_inner * gls_extent_positions(s->out) * s->out_inner + at.begin % s->out_inner;
}

void gls_conv_forward(bool portable, const gls_conv_shape *s, const gls_real *x, const gls_real *w, gls_real *y,
                      gls_real *cols) {
    int64_t patch = gls_conv_patch(s), positions = gls_extent_positions(s->out);
    for (int64_t group = 0; group < s->groups; group++) {
        gather(s, group, x, cols);
        for (segment at = {.end = group * (s->out.c / s->groups)}; next_segment(s, group, &at);)
            gls_gemm(portable, false, true, positions, at.end - at.begin, patch, 1, cols, patch, w + at.begin * patch,
                     patch, 0, y + segment_offset(s, at), s->out_inner);
    }
}

void gls_conv_backward(bool portable, const gls_conv_shape *s, const gls_real *e, const gls_real *w, gls_real *dx,
                       gls_real *cols) {
    int64_t patch = gls_conv_patch(s), positions = gls_extent_positions(s->out);
    for (int64_t group = 0; group < s->groups; group++) {
        int64_t first = group * (s->out.c / s->groups);
        for (segment at = {.end = first}; next_segment(s, group, &at);)
            gls_gemm(portable, false, false, positions, patch, at.end - at.begin, 1, e + segment_offset(s, at),
                     s->out_inner, w + at.begin * patch, patch, at.begin == first ? 0 : 1, cols, patch);
        scatter(s, group, cols, dx);
    }
}

void gls_conv_weights_add(bool portable, const gls_conv_shape *s, const gls_real *x, const gls_real *e, gls_real *dw,
                          gls_real *cols) {
    int64_t patch = gls_conv_patch(s), positions = gls_extent_positions(s->out);
    for (int64_t group = 0; group < s->groups; group++) {
        gather(s, group, x, cols);
        for (segment at = {.end = group * (s->out.c / s->groups)}; next_segment(s, group, &at);)
            gls_gemm(portable, true, false, at.end - at.begin, patch, positions, 1, e + segment_offset(s, at),
                     s->out_inner, cols, patch, 1, dw + at.begin * patch, patch);
    }
}
