/* layer_norm: per example and position, over the channels; inputs x and, if given, a residual that is added before the
 * activation. */
#include <math.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/kernels.h"
#include "model/layers.h"
#include "model/norm_tangent.h"

static const gls_option options[] = {
    GLS_REAL("eps", gls_op_layer_norm_options, eps, "1e-5", 0, 1, "added to the variance",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

/* With a backward pass the sums of every row; then mean and 1 / deviation of every row's positions. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return gls_norm_sums_bytes(node, rows, backward) +
           rows * 2 * gls_extent_positions(node->out) * (int64_t)sizeof(double);
}

static double *statistics(const gls_exec *x, int i, int64_t row) {
    return gls_norm_statistics(x, i) + row * 2 * gls_extent_positions(gls_exec_node(x, i)->out);
}

/* Where channel block b of position p begins in one row. */
static int64_t block_at(const gls_node *node, int64_t b, int64_t p) {
    return (b * gls_extent_positions(node->out) + p) * node->inner;
}

GLS_SIMD static void block_moments(const gls_real *x, int64_t n, double *sum, double *square) {
    double s[GLS_LANES] = {0}, q[GLS_LANES] = {0};
    int64_t k = 0;
    for (; k + GLS_LANES <= n; k += GLS_LANES) {
        GLS_LANE_LOOP
        for (int64_t j = 0; j < GLS_LANES; j++) {
            double v = x[k + j];
            s[j] += v;
            q[j] += v * v;
        }
    }
    for (int64_t j = 0; k + j < n; j++) {
        double v = x[k + j];
        s[j] += v;
        q[j] += v * v;
    }
    for (int j = 0; j < GLS_LANES; j++) {
        *sum += s[j];
        *square += q[j];
    }
}

GLS_SIMD static void block_apply(gls_real *restrict y, const gls_real *restrict x, int64_t n, gls_real mean,
                                 gls_real rstd, const gls_real *restrict scale, const gls_real *restrict shift) {
    for (int64_t k = 0; k < n; k++) y[k] = (x[k] - mean) * rstd * scale[k] + shift[k];
}

/* A position's channels may be spread over blocks of the layout; its statistics run over all of them. */
static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_layer_norm_options *o = node->options;
    const gls_real *scale = gls_exec_weight(x, node->block[0]), *shift = gls_exec_weight(x, node->block[1]);
    int64_t size = gls_extent_size(node->out), positions = gls_extent_positions(node->out), c = node->out.c;
    for (int64_t r = 0; r < x->rows; r++) {
        const gls_real *in = gls_exec_in(x, i, 0) + r * size;
        const gls_real *residual = node->inputs > 1 ? gls_exec_in(x, i, 1) + r * size : NULL;
        gls_real *out = gls_exec_value(x, i) + r * size;
        double *stat = statistics(x, i, r);
        for (int64_t p = 0; p < positions; p++) {
            double sum = 0, square = 0;
            for (int64_t b = 0; b < c / node->inner; b++)
                block_moments(in + block_at(node, b, p), node->inner, &sum, &square);
            double mean = sum / (double)c, variance = square / (double)c - mean * mean;
            double rstd = 1 / sqrt((variance < 0 ? 0 : variance) + o->eps);
            stat[2 * p] = mean;
            stat[2 * p + 1] = rstd;
            for (int64_t b = 0; b < c / node->inner; b++)
                block_apply(out + block_at(node, b, p), in + block_at(node, b, p), node->inner, (gls_real)mean,
                            (gls_real)rstd, scale + b * node->inner, shift + b * node->inner);
        }
        if (residual) gls_add(out, residual, size);
        if (node->activation) gls_activation(out, out, size, node->slope);
    }
    return GLS_OK;
}

/* Sums over channels that backward needs, by lanes. */
typedef struct lane_sums {
    double moment[GLS_LANES], total[GLS_LANES];
} lane_sums;

/* Channels of one position: into the row's sums over positions, weight's and bias's, and those over channels. */
GLS_SIMD static void block_sums(const gls_real *restrict x, const gls_real *restrict e, const gls_real *restrict scale,
                                int64_t n, gls_real mean, gls_real rstd, double *restrict weight, double *restrict bias,
                                lane_sums *restrict of) {
    int64_t k = 0;
    for (; k + GLS_LANES <= n; k += GLS_LANES) {
        GLS_LANE_LOOP
        for (int64_t j = 0; j < GLS_LANES; j++) {
            double xhat = (x[k + j] - mean) * rstd, each = e[k + j], scaled = scale[k + j] * e[k + j];
            weight[k + j] += each * xhat;
            bias[k + j] += each;
            of->moment[j] += scaled * xhat;
            of->total[j] += scaled;
        }
    }
    for (int64_t j = 0; k + j < n; j++) {
        double xhat = (x[k + j] - mean) * rstd, each = e[k + j], scaled = scale[k + j] * e[k + j];
        weight[k + j] += each * xhat;
        bias[k + j] += each;
        of->moment[j] += scaled * xhat;
        of->total[j] += scaled;
    }
}

/* dx = rstd (scale e - t - xhat m), or that added; dx may be e. */
GLS_SIMD static void block_gradient(gls_real *dx, const gls_real *x, const gls_real *e, const gls_real *scale,
                                    int64_t n, gls_real mean, gls_real rstd, gls_real t, gls_real m, bool adds) {
    GLS_LANE_LOOP
    for (int64_t k = 0; k < n; k++) {
        gls_real v = rstd * (scale[k] * e[k] - t - (x[k] - mean) * rstd * m);
        dx[k] = adds ? dx[k] + v : v;
    }
}

/* One position: into the row's sums, and the input's gradient. */
static void position_backward(gls_exec *x, int i, int64_t row, int64_t p) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *scale = gls_exec_weight(x, node->block[0]);
    int64_t first = row * gls_extent_size(node->out), c = node->out.c, inner = node->inner;
    const gls_real *in = gls_exec_in(x, i, 0) + first, *e = gls_exec_grad(x, i) + first;
    const double *stat = statistics(x, i, row) + 2 * p;
    double *sums = gls_norm_row_aux(x, i, row);
    gls_real mean = (gls_real)stat[0], rstd = (gls_real)stat[1];
    lane_sums of = {{0}, {0}};
    for (int64_t b = 0; b < c / inner; b++) {
        int64_t at = block_at(node, b, p), channel = b * inner;
        block_sums(in + at, e + at, scale + channel, inner, mean, rstd, sums + channel, sums + c + channel, &of);
    }
    if (!gls_exec_wants(x, i, 0)) return;
    gls_real *dx = gls_exec_in_grad(x, i, 0) + first;
    gls_real m = (gls_real)(gls_combine_lanes(of.moment) / (double)c),
             t = (gls_real)(gls_combine_lanes(of.total) / (double)c);
    for (int64_t b = 0; b < c / inner; b++) {
        int64_t at = block_at(node, b, p);
        block_gradient(dx + at, in + at, e + at, scale + b * inner, inner, mean, rstd, t, m, gls_exec_adds(x, i, 0));
    }
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    for (int64_t r = 0; r < x->rows; r++) {
        gls_norm_row_through(x, i, r);
        double *sums = gls_norm_row_aux(x, i, r);
        for (int64_t k = 0; k < 2 * node->out.c; k++) sums[k] = 0;
        for (int64_t p = 0; p < gls_extent_positions(node->out); p++) position_backward(x, i, r, p);
    }
    return GLS_OK;
}

/* ---- tangents: the channels of a position share their mean ---- */

/* One position of one row: where its channels lie, and its statistics. */
typedef struct position {
    const gls_node *node;
    int64_t first, p;
    gls_norm_moments_tangent of;
} position;

static position position_at(const gls_exec *t, int i, int64_t row, int64_t p) {
    const gls_node *node = gls_exec_node(t, i);
    const double *values = statistics(gls_exec_primal(t), i, row) + 2 * p, *tangents = statistics(t, i, row) + 2 * p;
    return (position){.node = node,
                      .first = row * gls_extent_size(node->out),
                      .p = p,
                      .of = {.n = (double)node->out.c,
                             .mean = values[0],
                             .rstd = values[1],
                             .mean_dot = tangents[0],
                             .rstd_dot = tangents[1]}};
}

static int64_t channel_at(const position *at, int64_t k) {
    return at->first + gls_norm_place(at->node, k, at->p);
}

static void position_forward_tangent(gls_exec *t, int i, int64_t row, int64_t p) {
    const gls_exec *x = gls_exec_primal(t);
    position at = position_at(t, i, row, p);
    const gls_real *scale = gls_exec_weight(x, at.node->block[0]), *scale_dot = gls_exec_weight(t, at.node->block[0]);
    const gls_real *shift_dot = gls_exec_weight(t, at.node->block[1]);
    const gls_real *in = gls_exec_in(x, i, 0), *dx = gls_exec_in(t, i, 0);
    double first = 0, mixed = 0;
    for (int64_t k = 0; k < at.node->out.c; k++) {
        int64_t e = channel_at(&at, k);
        first += dx[e];
        mixed += (double)dx[e] * in[e];
    }
    gls_norm_moments_tangent_set(&at.of, first, mixed);
    double *to = statistics(t, i, row) + 2 * p;
    to[0] = at.of.mean_dot;
    to[1] = at.of.rstd_dot;
    for (int64_t k = 0; k < at.node->out.c; k++) {
        int64_t e = channel_at(&at, k);
        double b = scale[k] * at.of.rstd_dot + scale_dot[k] * at.of.rstd;
        double v = scale[k] * at.of.rstd * (dx[e] - at.of.mean_dot) + b * (in[e] - at.of.mean) + shift_dot[k];
        gls_exec_value(t, i)[e] = (gls_real)v;
    }
}

static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_node *node = gls_exec_node(t, i);
    int64_t n = gls_exec_size(t, i);
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t p = 0; p < gls_extent_positions(node->out); p++) position_forward_tangent(t, i, r, p);
    gls_real *y = gls_exec_value(t, i);
    if (node->inputs > 1) gls_add(y, gls_exec_in(t, i, 1), n);
    gls_exec_activation_tangent(t, i);
    return GLS_OK;
}

/* Into the parameters' sums of the row, and those that the input's gradient takes. */
static gls_norm_sums_tangent position_sums_tangent(gls_exec *t, int i, int64_t row, const position *at) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_real *scale = gls_exec_weight(x, at->node->block[0]), *scale_dot = gls_exec_weight(t, at->node->block[0]);
    const gls_norm_moments_tangent *of = &at->of;
    double *sums = gls_norm_row_aux(t, i, row);
    gls_norm_sums_tangent out = {0};
    for (int64_t k = 0; k < at->node->out.c; k++) {
        int64_t at_k = channel_at(at, k);
        double e = gls_exec_grad(x, i)[at_k], de = gls_exec_grad(t, i)[at_k];
        double centred = gls_exec_in(x, i, 0)[at_k] - of->mean, moved = gls_exec_in(t, i, 0)[at_k] - of->mean_dot;
        double moment = e * centred, moment_dot = de * centred + e * moved;
        sums[k] += moment_dot * of->rstd + moment * of->rstd_dot;
        sums[at->node->out.c + k] += de;
        out.total += scale[k] * e;
        out.moment += scale[k] * moment;
        out.total_dot += scale_dot[k] * e + scale[k] * de;
        out.moment_dot += scale_dot[k] * moment + scale[k] * moment_dot;
    }
    return out;
}

static void position_backward_tangent(gls_exec *t, int i, int64_t row, int64_t p) {
    const gls_exec *x = gls_exec_primal(t);
    position at = position_at(t, i, row, p);
    const gls_real *scale = gls_exec_weight(x, at.node->block[0]), *scale_dot = gls_exec_weight(t, at.node->block[0]);
    gls_norm_sums_tangent sums = position_sums_tangent(t, i, row, &at);
    if (!gls_exec_wants(t, i, 0)) return;
    gls_norm_terms terms = gls_norm_terms_of(&at.of, &sums);
    gls_real *d = gls_exec_in_grad(t, i, 0);
    bool adds = gls_exec_adds(t, i, 0);
    for (int64_t k = 0; k < at.node->out.c; k++) {
        int64_t e = channel_at(&at, k);
        double b = scale[k] * at.of.rstd_dot + scale_dot[k] * at.of.rstd;
        double v = scale[k] * at.of.rstd * gls_exec_grad(t, i)[e] + b * gls_exec_grad(x, i)[e] - terms.u -
                   terms.v * gls_exec_in(t, i, 0)[e] - terms.w * (gls_exec_in(x, i, 0)[e] - at.of.mean);
        d[e] = adds ? d[e] + (gls_real)v : (gls_real)v;
    }
}

static gls_status backward_tangent(gls_exec *t, int i) {
    const gls_node *node = gls_exec_node(t, i);
    for (int64_t r = 0; r < t->rows; r++) {
        double *sums = gls_norm_row_aux(t, i, r);
        gls_norm_row_through(t, i, r);
        for (int64_t k = 0; k < 2 * node->out.c; k++) sums[k] = 0;
        for (int64_t p = 0; p < gls_extent_positions(node->out); p++) position_backward_tangent(t, i, r, p);
    }
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_layer_norm_options *o = node->options;
    gls_form form = gls_export_by_position(x, i);
    bool image = node->in.h > 1;
    char name[GLS_ONNX_NAME];
    const char *y = gls_export_in(x, i, 0, image ? GLS_FORM_IMAGE : form);
    const int64_t last[] = {0, 2, 3, 1}, first[] = {0, 3, 1, 2};
    if (image) y = gls_onnx_transpose(x->to, gls_export_name(x, i, "last", name), y, 4, last);
    y = gls_onnx_node(x->to, "LayerNormalization", node->name,
                      GLS_ONNX_ARGS(y, gls_export_weight(x, i, 0), gls_export_weight(x, i, 1)),
                      GLS_ONNX_WITH(GLS_ONNX_INT("axis", -1), GLS_ONNX_REAL("epsilon", o->eps)));
    if (image) y = gls_onnx_transpose(x->to, gls_export_name(x, i, "first", name), y, 4, first);
    form = image ? GLS_FORM_IMAGE : form;
    gls_export_out(x, i, form, gls_norm_onnx_residual(x, i, form, y));
}

const gls_op gls_op_layer_norm = {
    .member = {.name = "layer_norm",
               .help = "normalisation over the channels of every position",
               .source = "Ba et al. 2016",
               .options = options,
               .options_size = sizeof(gls_op_layer_norm_options)},
    .formula = "y = weight (x - mean) / sqrt(variance + eps) + bias, both over the channels of a position",
    GLS_NORM_OP(GLS_OP_BY_POSITION),
    .shape = gls_norm_shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward_tangent),
    .aux = aux,
    .onnx = onnx,
};
