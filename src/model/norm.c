/* Loops of the normalisations, and what the three ops share: sums kept for the parameters' gradients, shapes. */
#include "model/norm.h"

#include <string.h>

#include "base/kernels.h"
#include "model/kernels.h"
#include "model/use.h"

/* Each loop is written once for any number of channels and compiled again for 8 and 16, those of the blocked layouts,
 * where per-channel figures stay in registers. */

GLS_ALWAYS_INLINE void moments(const gls_real *x, int64_t positions, const int64_t inner, double *sum, double *square) {
    for (int64_t p = 0; p < positions; p++, x += inner)
        for (int64_t k = 0; k < inner; k++) {
            double v = x[k];
            sum[k] += v;
            square[k] += v * v;
        }
}

GLS_ALWAYS_INLINE void moments_together(const gls_real *x, int64_t positions, const int64_t inner, double *sum,
                                        double *square) {
    double s[16] = {0}, q[16] = {0};
    moments(x, positions, inner, s, q);
    for (int64_t k = 0; k < inner; k++) {
        sum[k] += s[k];
        square[k] += q[k];
    }
}

GLS_SIMD void gls_norm_moments(const gls_real *x, int64_t positions, int64_t inner, double *sum, double *square) {
    if (inner == 16)
        moments_together(x, positions, 16, sum, square);
    else if (inner == 8)
        moments_together(x, positions, 8, sum, square);
    else
        moments(x, positions, inner, sum, square);
}

GLS_ALWAYS_INLINE void apply(gls_real *y, const gls_real *x, const gls_real *r, int64_t positions, const int64_t inner,
                             const gls_real *mean, const gls_real *a, const gls_real *shift, bool relu,
                             gls_real slope) {
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = p * inner + k;
            gls_real v = (x[at] - mean[k]) * a[k] + shift[k];
            if (r) v += r[at];
            y[at] = relu && v < 0 ? slope * v : v;
        }
}

GLS_ALWAYS_INLINE void apply_choose(gls_real *y, const gls_real *x, const gls_real *r, int64_t positions,
                                    const int64_t inner, const gls_real *mean, const gls_real *a, const gls_real *shift,
                                    bool relu, gls_real slope) {
    if (r && relu)
        apply(y, x, r, positions, inner, mean, a, shift, true, slope);
    else if (relu)
        apply(y, x, NULL, positions, inner, mean, a, shift, true, slope);
    else
        apply(y, x, r, positions, inner, mean, a, shift, false, slope);
}

GLS_SIMD void gls_norm_apply(gls_real *restrict y, const gls_real *restrict x, const gls_real *restrict r,
                             int64_t positions, int64_t inner, const gls_real *restrict mean,
                             const gls_real *restrict a, const gls_real *restrict shift, bool relu, double slope) {
    gls_real s = (gls_real)slope;
    if (inner == 16)
        apply_choose(y, x, r, positions, 16, mean, a, shift, relu, s);
    else if (inner == 8)
        apply_choose(y, x, r, positions, 8, mean, a, shift, relu, s);
    else
        apply_choose(y, x, r, positions, inner, mean, a, shift, relu, s);
}

/* The gradient behind the activation taken through it, by the sign of its output y, or with `sign` of its input, which
 * is made anew: cheaper than reading y again. */
GLS_ALWAYS_INLINE gls_real through(gls_real v, const gls_real *y, int64_t k, bool sign, gls_real input,
                                   gls_real slope) {
    if (sign) return v * (input > 0 ? 1 : slope);
    if (y) return v * (y[k] > 0 ? 1 : slope);
    return v;
}

/* Channels done together: what is stored may be what is read, so that results wait until all of them are there. */
enum { TOGETHER = 16 };

/* `count` channels, at most TOGETHER, of one position. */
GLS_ALWAYS_INLINE void sums_at(const gls_norm_gradient *g, int64_t at, const gls_real *y, gls_real *r, bool sign,
                               bool keeps, bool adds, const int64_t count, const gls_norm_channels *with,
                               double *moment, double *total) {
    gls_real v[TOGETHER], t[TOGETHER], sum[TOGETHER], slope = (gls_real)g->slope;
    const gls_real *e = g->e + at, *x = g->x + at;
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        t[k] = x[k] - with->mean[k];
        v[k] = through(e[k], y ? y + at : NULL, k, sign, sign ? t[k] * with->a[k] + with->shift[k] : 0, slope);
        if (r) sum[k] = adds ? r[at + k] + v[k] : v[k];
    }
    if (keeps) memcpy(g->e + at, v, (size_t)count * sizeof *v);
    if (r) memcpy(r + at, sum, (size_t)count * sizeof *sum);
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        total[k] += v[k];
        moment[k] += (double)v[k] * t[k];
    }
}

GLS_ALWAYS_INLINE void sums(const gls_norm_gradient *g, const gls_real *y, gls_real *r, bool sign, bool keeps,
                            bool adds, int64_t positions, const int64_t inner, const gls_norm_channels *with,
                            double *moment, double *total) {
    for (int64_t p = 0; p < positions; p++) {
        if (inner == 8 || inner == 16) {
            sums_at(g, p * inner, y, r, sign, keeps, adds, inner, with, moment, total);
            continue;
        }
        for (int64_t k = 0; k < inner; k += TOGETHER) {
            gls_norm_channels own = gls_norm_channels_from(with, k);
            sums_at(g, p * inner + k, y, r, sign, keeps, adds, inner - k < TOGETHER ? inner - k : TOGETHER, &own,
                    moment + k, total + k);
        }
    }
}

GLS_ALWAYS_INLINE void sums_choose(const gls_norm_gradient *g, int64_t positions, const int64_t inner,
                                   const gls_norm_channels *with, double *moment, double *total) {
    if (g->sign)
        sums(g, NULL, NULL, true, false, false, positions, inner, with, moment, total);
    else if (!g->y)
        sums(g, NULL, g->r, false, false, g->adds, positions, inner, with, moment, total);
    else if (!g->keeps)
        sums(g, g->y, g->r, false, false, false, positions, inner, with, moment, total);
    else if (!g->r)
        sums(g, g->y, NULL, false, true, false, positions, inner, with, moment, total);
    else
        sums(g, g->y, g->r, false, true, g->adds, positions, inner, with, moment, total);
}

/* Per-channel figures where the compiler may keep them in registers. */
typedef struct near_channels {
    gls_real mean[16], a[16], shift[16], c1[16], c2[16];
} near_channels;

GLS_ALWAYS_INLINE gls_norm_channels bring_near(near_channels *room, const gls_norm_channels *with, int64_t inner) {
    size_t bytes = (size_t)inner * sizeof(gls_real);
    memcpy(room->mean, with->mean, bytes);
    memcpy(room->a, with->a, bytes);
    memcpy(room->shift, with->shift, bytes);
    memcpy(room->c1, with->c1, bytes);
    memcpy(room->c2, with->c2, bytes);
    return (gls_norm_channels){room->mean, room->a, room->shift, room->c1, room->c2};
}

GLS_ALWAYS_INLINE void sums_together(const gls_norm_gradient *g, int64_t positions, const int64_t inner,
                                     const gls_norm_channels *with, double *moment, double *total) {
    double m[16] = {0}, t[16] = {0};
    near_channels room;
    gls_norm_channels near = bring_near(&room, with, inner);
    sums_choose(g, positions, inner, &near, m, t);
    for (int64_t k = 0; k < inner; k++) {
        moment[k] += m[k];
        total[k] += t[k];
    }
}

GLS_SIMD void gls_norm_sums(const gls_norm_gradient *g, int64_t positions, int64_t inner, const gls_norm_channels *with,
                            double *moment, double *total) {
    if (inner == 16)
        sums_together(g, positions, 16, with, moment, total);
    else if (inner == 8)
        sums_together(g, positions, 8, with, moment, total);
    else
        sums_choose(g, positions, inner, with, moment, total);
}

GLS_ALWAYS_INLINE void backward_at(gls_real *dx, const gls_real *e, const gls_real *x, const int64_t count,
                                   const gls_norm_channels *with, bool sign, gls_real slope, bool adds) {
    gls_real out[TOGETHER];
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        gls_real t = x[k] - with->mean[k];
        gls_real v = through(e[k], NULL, k, sign, sign ? t * with->a[k] + with->shift[k] : 0, slope);
        v = with->a[k] * v - with->c1[k] - t * with->c2[k];
        out[k] = adds ? dx[k] + v : v;
    }
    memcpy(dx, out, (size_t)count * sizeof *out);
}

GLS_ALWAYS_INLINE void backward(gls_real *dx, const gls_real *e, const gls_real *x, int64_t positions,
                                const int64_t inner, const gls_norm_channels *with, bool sign, gls_real slope,
                                bool adds) {
    for (int64_t p = 0; p < positions; p++) {
        int64_t at = p * inner;
        if (inner == 8 || inner == 16) {
            backward_at(dx + at, e + at, x + at, inner, with, sign, slope, adds);
            continue;
        }
        for (int64_t k = 0; k < inner; k += TOGETHER) {
            gls_norm_channels own = gls_norm_channels_from(with, k);
            backward_at(dx + at + k, e + at + k, x + at + k, inner - k < TOGETHER ? inner - k : TOGETHER, &own, sign,
                        slope, adds);
        }
    }
}

GLS_ALWAYS_INLINE void backward_choose(gls_real *dx, const gls_norm_gradient *g, int64_t positions, const int64_t inner,
                                       const gls_norm_channels *with, bool adds) {
    if (g->sign)
        backward(dx, g->e, g->x, positions, inner, with, true, (gls_real)g->slope, adds);
    else
        backward(dx, g->e, g->x, positions, inner, with, false, 0, adds);
}

GLS_ALWAYS_INLINE void backward_together(gls_real *dx, const gls_norm_gradient *g, int64_t positions,
                                         const int64_t inner, const gls_norm_channels *with, bool adds) {
    near_channels room;
    gls_norm_channels near = bring_near(&room, with, inner);
    backward_choose(dx, g, positions, inner, &near, adds);
}

GLS_SIMD void gls_norm_backward(gls_real *dx, const gls_norm_gradient *g, int64_t positions, int64_t inner,
                                const gls_norm_channels *with, bool adds) {
    if (inner == 16)
        backward_together(dx, g, positions, 16, with, adds);
    else if (inner == 8)
        backward_together(dx, g, positions, 8, with, adds);
    else
        backward_choose(dx, g, positions, inner, with, adds);
}

/* ---- as ops ---- */

int64_t gls_norm_sums_bytes(const gls_node *node, int64_t rows, bool backward) {
    return backward ? rows * 2 * node->out.c * (int64_t)sizeof(double) : 0;
}

double *gls_norm_row_aux(const gls_exec *x, int i, int64_t row) {
    return (double *)gls_exec_aux(x, i) + row * 2 * gls_exec_node(x, i)->out.c;
}

double *gls_norm_statistics(const gls_exec *x, int i) {
    int64_t sums = gls_norm_sums_bytes(gls_exec_node(x, i), x->plan->max_rows, x->plan->backward);
    return (double *)((char *)gls_exec_aux(x, i) + sums);
}

gls_status gls_norm_shape(gls_graph *g, gls_node *node) {
    node->out = node->in;
    if (node->inputs > 1 && !gls_extent_equal(g->node[node->input[1]].out, node->in)) {
        char a[64], b[64];
        return gls_node_fail(g, node, "its residual is %s, its input %s",
                             gls_extent_text(g->node[node->input[1]].out, a), gls_extent_text(node->in, b));
    }
    gls_parameter ones = {.init = GLS_INIT_ONES}, zeros = {.init = GLS_INIT_ZEROS};
    GLS_TRY(gls_graph_parameter(g, node, 0, "weight", 1, &node->in.c, GLS_BLOCK_NO_DECAY, ones));
    return gls_graph_parameter(g, node, 1, "bias", 1, &node->in.c, GLS_BLOCK_NO_DECAY, zeros);
}

gls_status gls_norm_uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    int64_t c = node->out.c;
    for (int k = 0; k < 2; k++) {
        gls_view sums = {.source = GLS_VIEW_AUX_DOUBLE,
                         .node = i,
                         .positions = 1,
                         .width = c,
                         .inner = c,
                         .offset = k * c,
                         .stride = c,
                         .row_stride = 2 * c};
        GLS_TRY(gls_graph_use(
            g, (gls_use){.kind = &gls_use_scale_shift, .node = i, .block = node->block[k], .grad = sums}));
    }
    return GLS_OK;
}

const char *gls_norm_onnx_residual(gls_export *x, int i, gls_form form, const char *y) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    if (node->inputs < 2) return y;
    return gls_onnx_node(x->to, "Add", gls_export_name(x, i, "shortcut", name),
                         GLS_ONNX_ARGS(y, gls_export_in(x, i, 1, form)), NULL);
}
