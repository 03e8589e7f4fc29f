/* Loops of the normalisations, and what the three ops share: rows, sums kept for the parameters' gradients, shapes. */
#include "model/norm.h"

#include <string.h>

#include "base/bf16.h"
#include "base/kernels.h"
#include "model/kernels.h"
#include "model/use.h"

/* Each loop is written once for any number of channels and either storage, and compiled again for 8 and 16 channels,
 * those of the blocked layouts, where per-channel figures stay in registers. */
#define ALWAYS static inline __attribute__((always_inline))

ALWAYS gls_real get(const void *from, int64_t at, const bool narrow) {
    return narrow ? gls_bf16_widen(((const uint16_t *)from)[at]) : ((const gls_real *)from)[at];
}

ALWAYS void put(void *to, int64_t at, gls_real v, const bool narrow) {
    if (narrow)
        ((uint16_t *)to)[at] = gls_bf16_narrow((float)v);
    else
        ((gls_real *)to)[at] = v;
}

ALWAYS void moments(const void *x, const bool narrow, int64_t positions, const int64_t inner, double *sum,
                    double *square) {
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            double v = get(x, p * inner + k, narrow);
            sum[k] += v;
            square[k] += v * v;
        }
}

ALWAYS void moments_together(const void *x, const bool narrow, int64_t positions, const int64_t inner, double *sum,
                             double *square) {
    double s[16] = {0}, q[16] = {0};
    moments(x, narrow, positions, inner, s, q);
    for (int64_t k = 0; k < inner; k++) {
        sum[k] += s[k];
        square[k] += q[k];
    }
}

ALWAYS void moments_choose(const void *x, const bool narrow, int64_t positions, int64_t inner, double *sum,
                           double *square) {
    if (inner == 16)
        moments_together(x, narrow, positions, 16, sum, square);
    else if (inner == 8)
        moments_together(x, narrow, positions, 8, sum, square);
    else
        moments(x, narrow, positions, inner, sum, square);
}

GLS_SIMD void gls_norm_moments(const void *x, bool narrow, int64_t positions, int64_t inner, double *sum,
                               double *square) {
    if (narrow)
        moments_choose(x, true, positions, inner, sum, square);
    else
        moments_choose(x, false, positions, inner, sum, square);
}

/* Per-channel figures where the compiler may keep them in registers. */
typedef struct near_channels {
    gls_real mean[16], a[16], shift[16], c1[16], c2[16];
} near_channels;

ALWAYS gls_norm_channels bring_near(near_channels *room, const gls_norm_channels *with, int64_t inner) {
    size_t bytes = (size_t)inner * sizeof(gls_real);
    memcpy(room->mean, with->mean, bytes);
    memcpy(room->a, with->a, bytes);
    memcpy(room->shift, with->shift, bytes);
    memcpy(room->c1, with->c1, bytes);
    memcpy(room->c2, with->c2, bytes);
    return (gls_norm_channels){room->mean, room->a, room->shift, room->c1, room->c2};
}

ALWAYS void apply(void *restrict y, const void *restrict x, const void *restrict r, const bool narrow,
                  int64_t positions, const int64_t inner, const gls_norm_channels *with, bool relu, gls_real slope) {
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = p * inner + k;
            gls_real v = (get(x, at, narrow) - with->mean[k]) * with->a[k] + with->shift[k];
            if (r) v += get(r, at, narrow);
            put(y, at, relu && v < 0 ? slope * v : v, narrow);
        }
}

ALWAYS void apply_choose(void *y, const void *x, const void *r, const bool narrow, int64_t positions,
                         const int64_t inner, const gls_norm_channels *with, bool relu, gls_real slope) {
    if (r && relu)
        apply(y, x, r, narrow, positions, inner, with, true, slope);
    else if (relu)
        apply(y, x, NULL, narrow, positions, inner, with, true, slope);
    else
        apply(y, x, r, narrow, positions, inner, with, false, slope);
}

ALWAYS void apply_together(void *y, const void *x, const void *r, const bool narrow, int64_t positions,
                           const int64_t inner, const gls_norm_channels *with, bool relu, gls_real slope) {
    near_channels room;
    gls_norm_channels near = bring_near(&room, with, inner);
    apply_choose(y, x, r, narrow, positions, inner, &near, relu, slope);
}

ALWAYS void apply_stored(void *y, const void *x, const void *r, const bool narrow, int64_t positions, int64_t inner,
                         const gls_norm_channels *with, bool relu, gls_real slope) {
    if (inner == 16)
        apply_together(y, x, r, narrow, positions, 16, with, relu, slope);
    else if (inner == 8)
        apply_together(y, x, r, narrow, positions, 8, with, relu, slope);
    else
        apply_choose(y, x, r, narrow, positions, inner, with, relu, slope);
}

GLS_SIMD void gls_norm_apply(void *y, const void *x, const void *r, bool narrow, int64_t positions, int64_t inner,
                             const gls_norm_channels *with, bool relu, double slope) {
    if (narrow)
        apply_stored(y, x, r, true, positions, inner, with, relu, (gls_real)slope);
    else
        apply_stored(y, x, r, false, positions, inner, with, relu, (gls_real)slope);
}

/* The gradient behind the activation taken through it, by the sign of its output y, or with `sign` of its input, which
 * is made anew: cheaper than reading y again. */
ALWAYS gls_real through(gls_real v, const void *y, int64_t at, const bool narrow, bool sign, gls_real input,
                        gls_real slope) {
    if (sign) return v * (input > 0 ? 1 : slope);
    if (y) return v * (get(y, at, narrow) > 0 ? 1 : slope);
    return v;
}

/* Channels done together: what is stored may be what is read, so that results wait until all of them are there. */
enum { TOGETHER = 16 };

ALWAYS void store(void *to, int64_t at, const gls_real *v, const int64_t count, const bool narrow) {
    if (!narrow) {
        memcpy((gls_real *)to + at, v, (size_t)count * sizeof *v);
        return;
    }
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) ((uint16_t *)to)[at + k] = gls_bf16_narrow((float)v[k]);
}

/* `count` channels, at most TOGETHER, of one position. */
ALWAYS void sums_at(const gls_norm_gradient *g, const bool narrow, int64_t at, const void *y, void *r, bool sign,
                    bool keeps, bool adds, const int64_t count, const gls_norm_channels *with, double *moment,
                    double *total) {
    gls_real v[TOGETHER], t[TOGETHER], sum[TOGETHER], slope = (gls_real)g->slope;
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        t[k] = get(g->x, at + k, narrow) - with->mean[k];
        v[k] = through(get(g->e, at + k, narrow), y, at + k, narrow, sign,
                       sign ? t[k] * with->a[k] + with->shift[k] : 0, slope);
        if (r) sum[k] = adds ? get(r, at + k, narrow) + v[k] : v[k];
    }
    if (keeps) store(g->e, at, v, count, narrow);
    if (r) store(r, at, sum, count, narrow);
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        total[k] += v[k];
        moment[k] += (double)v[k] * t[k];
    }
}

ALWAYS void sums(const gls_norm_gradient *g, const bool narrow, const void *y, void *r, bool sign, bool keeps,
                 bool adds, int64_t positions, const int64_t inner, const gls_norm_channels *with, double *moment,
                 double *total) {
    for (int64_t p = 0; p < positions; p++) {
        if (inner == 8 || inner == 16) {
            sums_at(g, narrow, p * inner, y, r, sign, keeps, adds, inner, with, moment, total);
            continue;
        }
        for (int64_t k = 0; k < inner; k += TOGETHER) {
            gls_norm_channels own = gls_norm_channels_from(with, k);
            sums_at(g, narrow, p * inner + k, y, r, sign, keeps, adds, inner - k < TOGETHER ? inner - k : TOGETHER,
                    &own, moment + k, total + k);
        }
    }
}

ALWAYS void sums_choose(const gls_norm_gradient *g, const bool narrow, int64_t positions, const int64_t inner,
                        const gls_norm_channels *with, double *moment, double *total) {
    if (g->sign)
        sums(g, narrow, NULL, NULL, true, false, false, positions, inner, with, moment, total);
    else if (!g->y)
        sums(g, narrow, NULL, g->r, false, false, g->adds, positions, inner, with, moment, total);
    else if (!g->keeps)
        sums(g, narrow, g->y, g->r, false, false, false, positions, inner, with, moment, total);
    else if (!g->r)
        sums(g, narrow, g->y, NULL, false, true, false, positions, inner, with, moment, total);
    else
        sums(g, narrow, g->y, g->r, false, true, g->adds, positions, inner, with, moment, total);
}

ALWAYS void sums_together(const gls_norm_gradient *g, const bool narrow, int64_t positions, const int64_t inner,
                          const gls_norm_channels *with, double *moment, double *total) {
    double m[16] = {0}, t[16] = {0};
    near_channels room;
    gls_norm_channels near = bring_near(&room, with, inner);
    sums_choose(g, narrow, positions, inner, &near, m, t);
    for (int64_t k = 0; k < inner; k++) {
        moment[k] += m[k];
        total[k] += t[k];
    }
}

ALWAYS void sums_stored(const gls_norm_gradient *g, const bool narrow, int64_t positions, int64_t inner,
                        const gls_norm_channels *with, double *moment, double *total) {
    if (inner == 16)
        sums_together(g, narrow, positions, 16, with, moment, total);
    else if (inner == 8)
        sums_together(g, narrow, positions, 8, with, moment, total);
    else
        sums_choose(g, narrow, positions, inner, with, moment, total);
}

GLS_SIMD void gls_norm_sums(const gls_norm_gradient *g, int64_t positions, int64_t inner, const gls_norm_channels *with,
                            double *moment, double *total) {
    if (g->narrow)
        sums_stored(g, true, positions, inner, with, moment, total);
    else
        sums_stored(g, false, positions, inner, with, moment, total);
}

ALWAYS void backward_at(void *dx, const gls_norm_gradient *g, const bool narrow, int64_t at, const int64_t count,
                        const gls_norm_channels *with, bool sign, gls_real slope, bool adds) {
    gls_real out[TOGETHER];
    GLS_LANE_LOOP
    for (int64_t k = 0; k < count; k++) {
        gls_real t = get(g->x, at + k, narrow) - with->mean[k];
        gls_real v = through(get(g->e, at + k, narrow), NULL, at + k, narrow, sign,
                             sign ? t * with->a[k] + with->shift[k] : 0, slope);
        v = with->a[k] * v - with->c1[k] - t * with->c2[k];
        out[k] = adds ? get(dx, at + k, narrow) + v : v;
    }
    store(dx, at, out, count, narrow);
}

ALWAYS void backward(void *dx, const gls_norm_gradient *g, const bool narrow, int64_t positions, const int64_t inner,
                     const gls_norm_channels *with, bool sign, gls_real slope, bool adds) {
    for (int64_t p = 0; p < positions; p++) {
        int64_t at = p * inner;
        if (inner == 8 || inner == 16) {
            backward_at(dx, g, narrow, at, inner, with, sign, slope, adds);
            continue;
        }
        for (int64_t k = 0; k < inner; k += TOGETHER) {
            gls_norm_channels own = gls_norm_channels_from(with, k);
            backward_at(dx, g, narrow, at + k, inner - k < TOGETHER ? inner - k : TOGETHER, &own, sign, slope, adds);
        }
    }
}

ALWAYS void backward_choose(void *dx, const gls_norm_gradient *g, const bool narrow, int64_t positions,
                            const int64_t inner, const gls_norm_channels *with, bool adds) {
    if (g->sign)
        backward(dx, g, narrow, positions, inner, with, true, (gls_real)g->slope, adds);
    else
        backward(dx, g, narrow, positions, inner, with, false, 0, adds);
}

ALWAYS void backward_together(void *dx, const gls_norm_gradient *g, const bool narrow, int64_t positions,
                              const int64_t inner, const gls_norm_channels *with, bool adds) {
    near_channels room;
    gls_norm_channels near = bring_near(&room, with, inner);
    backward_choose(dx, g, narrow, positions, inner, &near, adds);
}

ALWAYS void backward_stored(void *dx, const gls_norm_gradient *g, const bool narrow, int64_t positions, int64_t inner,
                            const gls_norm_channels *with, bool adds) {
    if (inner == 16)
        backward_together(dx, g, narrow, positions, 16, with, adds);
    else if (inner == 8)
        backward_together(dx, g, narrow, positions, 8, with, adds);
    else
        backward_choose(dx, g, narrow, positions, inner, with, adds);
}

GLS_SIMD void gls_norm_backward(void *dx, const gls_norm_gradient *g, int64_t positions, int64_t inner,
                                const gls_norm_channels *with, bool adds) {
    if (g->narrow)
        backward_stored(dx, g, true, positions, inner, with, adds);
    else
        backward_stored(dx, g, false, positions, inner, with, adds);
}

/* ---- rows ---- */

gls_norm_channels gls_norm_room(void *scratch, int64_t c) {
    gls_real *at = scratch;
    return (gls_norm_channels){at, at + c, at + 2 * c, at + 3 * c, at + 4 * c};
}

int64_t gls_norm_room_bytes(int64_t c) {
    return 5 * c * (int64_t)sizeof(gls_real);
}

void gls_norm_set(const gls_norm_channels *to, int64_t k, double mean, double rstd, const gls_real *scale,
                  const gls_real *shift) {
    to->mean[k] = (gls_real)mean;
    to->a[k] = (gls_real)(rstd * scale[k]);
    to->shift[k] = shift[k];
}

int64_t gls_norm_row_positions(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t positions = gls_extent_positions(node->out), count = 0;
    const int32_t *document = gls_exec_document(x, row);
    if (!node->op->coupling || !document || positions != x->graph->data->length) return positions;
    while (count < positions && document[count] >= 0) count++;
    return count;
}

static bool narrow(const gls_exec *x, int i) {
    return gls_memory_plan_stored(x->plan, gls_exec_node(x, i));
}

/* Element `at` of a value or gradient that node i reads or writes. */
static void *value_at(const gls_exec *x, int i, int of, int64_t at) {
    return narrow(x, i) ? (void *)((uint16_t *)gls_exec_stored(x, of) + at) : (void *)(gls_exec_value(x, of) + at);
}
static void *grad_at(const gls_exec *x, int i, int of, int64_t at) {
    return narrow(x, i) ? (void *)((uint16_t *)gls_exec_stored_grad(x, of) + at) : (void *)(gls_exec_grad(x, of) + at);
}

void gls_norm_row_moments(const gls_exec *x, int i, int64_t row, double *sum, double *square) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    for (int64_t c = 0; c < node->out.c; c += inner)
        gls_norm_moments(value_at(x, i, node->input[0], first + c * positions), narrow(x, i),
                         gls_norm_row_positions(x, i, row), inner, sum + c, square + c);
}

/* Zero bits are zeros in every storage. */
static void clear_padding(const gls_exec *x, int i, int64_t row, void *first) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t counted = gls_norm_row_positions(x, i, row) * node->out.c, size = gls_extent_size(node->out);
    size_t element = narrow(x, i) ? sizeof(uint16_t) : sizeof(gls_real);
    if (gls_norm_row_positions(x, i, row) < gls_extent_positions(node->out))
        memset((char *)first + (size_t)counted * element, 0, (size_t)(size - counted) * element);
}

void gls_norm_clear_padding(const gls_exec *x, int i, int64_t row, gls_real *of) {
    clear_padding(x, i, row, of + row * gls_extent_size(gls_exec_node(x, i)->out));
}

void gls_norm_row_forward(gls_exec *x, int i, int64_t row, const gls_norm_channels *with) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    for (int64_t c = 0; c < node->out.c; c += inner) {
        int64_t at = first + c * positions;
        gls_norm_channels own = gls_norm_channels_from(with, c);
        gls_norm_apply(value_at(x, i, i, at), value_at(x, i, node->input[0], at),
                       node->inputs > 1 ? value_at(x, i, node->input[1], at) : NULL, narrow(x, i),
                       gls_norm_row_positions(x, i, row), inner, &own, node->activation, node->slope);
    }
    clear_padding(x, i, row, value_at(x, i, i, first));
}

void gls_norm_row_through(gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->out);
    gls_real *e = gls_exec_grad(x, i) + row * size;
    if (node->activation)
        gls_activation_grad(e, e, gls_exec_value(gls_exec_values(x), i) + row * size, size, node->slope, false);
    if (node->inputs < 2 || !gls_exec_wants(x, i, 1)) return;
    gls_real *to = gls_exec_in_grad(x, i, 1) + row * size;
    if (gls_exec_adds(x, i, 1))
        gls_add(to, e, size);
    else
        memcpy(to, e, (size_t)size * sizeof *to);
}

/* One block of channels of a row, `at` reals behind the first one. Without a residual the activation's sign follows
 * from the input; with one the masked gradient is the residual's, where nothing else is added to that. Else, and where
 * tangents will read it, the output's gradient is taken through the activation in place. */
static gls_norm_gradient gradient_of(const gls_exec *x, int i, int64_t at) {
    const gls_node *node = gls_exec_node(x, i);
    bool residual = node->inputs > 1 && gls_exec_wants(x, i, 1), adds = residual && gls_exec_adds(x, i, 1);
    gls_norm_gradient g = {.narrow = narrow(x, i),
                           .e = grad_at(x, i, i, at),
                           .x = value_at(x, i, node->input[0], at),
                           .r = residual ? grad_at(x, i, node->input[1], at) : NULL,
                           .adds = adds,
                           .slope = node->slope};
    if (!node->activation) return g;
    g.sign = node->inputs < 2 && !x->plan->kept && node->slope >= 0;
    if (!g.sign) g.y = value_at(x, i, i, at);
    g.keeps = !g.sign && (!residual || adds || x->plan->kept);
    return g;
}

void gls_norm_row_sums(gls_exec *x, int i, int64_t row, const gls_norm_channels *with, double *moment, double *total) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    for (int64_t c = 0; c < node->out.c; c++) moment[c] = total[c] = 0;
    for (int64_t c = 0; c < node->out.c; c += inner) {
        gls_norm_gradient g = gradient_of(x, i, first + c * positions);
        gls_norm_channels own = gls_norm_channels_from(with, c);
        gls_norm_sums(&g, gls_norm_row_positions(x, i, row), inner, &own, moment + c, total + c);
    }
}

void gls_norm_row_backward(gls_exec *x, int i, int64_t row, const gls_norm_channels *with) {
    const gls_node *node = gls_exec_node(x, i);
    if (!gls_exec_wants(x, i, 0)) return;
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    for (int64_t c = 0; c < node->out.c; c += inner) {
        int64_t at = first + c * positions;
        gls_norm_gradient g = gradient_of(x, i, at);
        if (g.y && !g.keeps) g.e = g.r;
        gls_norm_channels own = gls_norm_channels_from(with, c);
        gls_norm_backward(grad_at(x, i, node->input[0], at), &g, gls_norm_row_positions(x, i, row), inner, &own,
                          gls_exec_adds(x, i, 0));
    }
    if (!gls_exec_adds(x, i, 0)) clear_padding(x, i, row, grad_at(x, i, node->input[0], first));
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
