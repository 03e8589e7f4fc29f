/* group_norm: per example and group of channels, over the group's channels and all positions; inputs x and, if given, a
 * residual that is added before the activation. */
#include <math.h>

#include "model/export.h"
#include "model/layers.h"
#include "model/norm_tangent.h"

static const gls_option options[] = {
    GLS_INT("groups", gls_op_group_norm_options, groups, "8", 1, 1e6, "groups of channels"),
    GLS_REAL("eps", gls_op_group_norm_options, eps, "1e-5", 0, 1, "added to the variance",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_group_norm_options *o = node->options;
    if (node->in.c % o->groups != 0)
        return gls_node_fail(g, node, "%lld groups do not divide %lld channels", (long long)o->groups,
                             (long long)node->in.c);
    return gls_norm_shape(g, node);
}

/* With a backward pass the sums of every row; then mean and 1 / deviation of every row's groups. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    const gls_op_group_norm_options *o = node->options;
    return gls_norm_sums_bytes(node, rows, backward) + rows * 2 * o->groups * (int64_t)sizeof(double);
}

static double *statistics(const gls_exec *x, int i, int64_t row) {
    const gls_op_group_norm_options *o = gls_exec_node(x, i)->options;
    return gls_norm_statistics(x, i) + row * 2 * o->groups;
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_norm_room_bytes(node->out.c) + 64 + 2 * node->out.c * (int64_t)sizeof(double);
}

static double *sums_room(const gls_exec *x, const gls_node *node) {
    return (double *)((char *)x->scratch + ((gls_norm_room_bytes(node->out.c) + 63) & ~(int64_t)63));
}

static void row_statistics(gls_exec *x, int i, int64_t row, double *mean, double *rstd) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_group_norm_options *o = node->options;
    int64_t c = node->out.c, each = c / o->groups;
    double *sum = sums_room(x, node), *square = sum + c;
    for (int64_t k = 0; k < 2 * c; k++) sum[k] = 0;
    gls_norm_row_moments(x, i, row, sum, square);
    double n = (double)(each * gls_extent_positions(node->out));
    for (int64_t g = 0; g < o->groups; g++) {
        double s = 0, q = 0;
        for (int64_t k = g * each; k < (g + 1) * each; k++) {
            s += sum[k];
            q += square[k];
        }
        double variance = q / n - s / n * (s / n);
        mean[g] = s / n;
        rstd[g] = 1 / sqrt((variance < 0 ? 0 : variance) + o->eps);
    }
}

static gls_norm_channels channels(gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_group_norm_options *o = node->options;
    const double *mean = statistics(x, i, row), *rstd = mean + o->groups;
    gls_norm_channels with = gls_norm_room(x->scratch, node->out.c);
    for (int64_t k = 0; k < node->out.c; k++) {
        int64_t g = k / (node->out.c / o->groups);
        gls_norm_set(&with, k, mean[g], rstd[g], gls_exec_weight(x, node->block[0]),
                     gls_exec_weight(x, node->block[1]));
    }
    return with;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_op_group_norm_options *o = gls_exec_node(x, i)->options;
    for (int64_t r = 0; r < x->rows; r++) {
        double *mean = statistics(x, i, r);
        row_statistics(x, i, r, mean, mean + o->groups);
        gls_norm_channels with = channels(x, i, r);
        gls_norm_row_forward(x, i, r, &with);
    }
    return GLS_OK;
}

/* With u = scale e: dx = rstd (u - mean(u) - xhat mean(u xhat)), means over the group. */
static void row_backward(gls_exec *x, int i, int64_t row, gls_norm_channels with, const double *sums) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_group_norm_options *o = node->options;
    const gls_real *scale = gls_exec_weight(x, node->block[0]);
    int64_t each = node->out.c / o->groups;
    const double *rstd = statistics(x, i, row) + o->groups;
    double n = (double)(each * gls_extent_positions(node->out));
    for (int64_t g = 0; g < o->groups; g++) {
        double moment = 0, total = 0;
        for (int64_t k = g * each; k < (g + 1) * each; k++) {
            moment += scale[k] * sums[k];
            total += scale[k] * sums[node->out.c + k];
        }
        for (int64_t k = g * each; k < (g + 1) * each; k++) {
            with.c1[k] = (gls_real)(rstd[g] * total / n);
            with.c2[k] = (gls_real)(rstd[g] * rstd[g] * moment / n);
        }
    }
    gls_norm_row_backward(x, i, row, &with);
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_group_norm_options *o = node->options;
    for (int64_t r = 0; r < x->rows; r++) {
        gls_norm_channels with = channels(x, i, r);
        const double *rstd = statistics(x, i, r) + o->groups;
        double *sums = gls_norm_row_aux(x, i, r);
        gls_norm_row_sums(x, i, r, &with, sums, sums + node->out.c);
        for (int64_t k = 0; k < node->out.c; k++) sums[k] *= rstd[k / (node->out.c / o->groups)];
        row_backward(x, i, r, with, sums);
    }
    return GLS_OK;
}

/* ---- tangents: a group of one row shares its mean ---- */

/* The per-channel figures, then the channels' sums. */
static int64_t tangent_scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_align64(gls_norm_tangent_bytes(node->out.c)) + 2 * node->out.c * (int64_t)sizeof(double);
}

static double *tangent_sums(const gls_exec *t, int i) {
    return (double *)((char *)t->scratch + gls_align64(gls_norm_tangent_bytes(gls_exec_node(t, i)->out.c)));
}

static gls_norm_moments_tangent group_moments(const gls_exec *t, int i, int64_t row, int64_t g) {
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_group_norm_options *o = node->options;
    const double *values = statistics(gls_exec_primal(t), i, row) + g, *tangents = statistics(t, i, row) + g;
    return (gls_norm_moments_tangent){
        .n = (double)(node->out.c / o->groups * gls_extent_positions(node->out)),
        .mean = values[0],
        .rstd = values[o->groups],
        .mean_dot = tangents[0],
        .rstd_dot = tangents[o->groups],
    };
}

static gls_norm_tangent channels_tangent(gls_exec *t, int i, int64_t row) {
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_group_norm_options *o = node->options;
    gls_norm_tangent with = gls_norm_tangent_room(t->scratch, node->out.c);
    for (int64_t k = 0; k < node->out.c; k++) {
        gls_norm_moments_tangent of = group_moments(t, i, row, k / (node->out.c / o->groups));
        gls_norm_tangent_set(&with, t, i, k, &of);
    }
    return with;
}

static void row_statistics_tangent(gls_exec *t, int i, int64_t row) {
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_group_norm_options *o = node->options;
    int64_t c = node->out.c, each = c / o->groups;
    double *first = tangent_sums(t, i), *mixed = first + c, *to = statistics(t, i, row);
    for (int64_t k = 0; k < 2 * c; k++) first[k] = 0;
    gls_norm_row_moments_tangent(t, i, row, first, mixed);
    for (int64_t g = 0; g < o->groups; g++) {
        double f = 0, m = 0;
        for (int64_t k = g * each; k < (g + 1) * each; k++) {
            f += first[k];
            m += mixed[k];
        }
        gls_norm_moments_tangent of = group_moments(t, i, row, g);
        gls_norm_moments_tangent_set(&of, f, m);
        to[g] = of.mean_dot;
        to[o->groups + g] = of.rstd_dot;
    }
}

static gls_status forward_tangent(gls_exec *t, int i) {
    for (int64_t r = 0; r < t->rows; r++) {
        row_statistics_tangent(t, i, r);
        gls_norm_tangent with = channels_tangent(t, i, r);
        gls_norm_row_forward_tangent(t, i, r, &with);
    }
    return GLS_OK;
}

static void group_backward_tangent(gls_exec *t, int i, int64_t row, int64_t g, const gls_norm_tangent *with) {
    const gls_node *node = gls_exec_node(t, i);
    int64_t each = node->out.c / ((const gls_op_group_norm_options *)node->options)->groups;
    gls_norm_moments_tangent of = group_moments(t, i, row, g);
    gls_norm_sums_tangent sums = {0};
    for (int64_t k = g * each; k < (g + 1) * each; k++) {
        gls_norm_sums_tangent add = gls_norm_row_finish_tangent(t, i, row, k, &of);
        sums.total += add.total;
        sums.moment += add.moment;
        sums.total_dot += add.total_dot;
        sums.moment_dot += add.moment_dot;
    }
    gls_norm_tangent_terms(with, g * each, (g + 1) * each, &of, &sums);
}

static gls_status backward_tangent(gls_exec *t, int i) {
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_group_norm_options *o = node->options;
    for (int64_t r = 0; r < t->rows; r++) {
        double *sums = gls_norm_row_aux(t, i, r);
        gls_norm_tangent with = channels_tangent(t, i, r);
        gls_norm_row_through(t, i, r);
        gls_norm_row_sums_tangent(t, i, r, &with, sums, sums + node->out.c);
        for (int64_t g = 0; g < o->groups; g++) group_backward_tangent(t, i, r, g, &with);
        gls_norm_row_backward_tangent(t, i, r, &with);
    }
    return GLS_OK;
}

/* Every group normalised as an instance of one channel; then scale and shift. */
static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_group_norm_options *o = node->options;
    char name[GLS_ONNX_NAME];
    gls_real *ones = gls_onnx_room(x->to, 2 * o->groups, sizeof *ones);
    if (!ones) return;
    for (int64_t g = 0; g < o->groups; g++) ones[g] = 1;
    const char *one = gls_onnx_reals(x->to, gls_export_name(x, i, "ones", name), false, 1, &o->groups, ones);
    const char *zero =
        gls_onnx_reals(x->to, gls_export_name(x, i, "zeros", name), false, 1, &o->groups, ones + o->groups);
    gls_extent e = node->out;
    const char *y = gls_export_in(x, i, 0, GLS_FORM_IMAGE);
    y = gls_onnx_reshape(x->to, gls_export_name(x, i, "groups", name), y, GLS_ONNX_EXTENTS(0, o->groups, -1));
    y = gls_onnx_node(x->to, "InstanceNormalization", gls_export_name(x, i, "normal", name),
                      GLS_ONNX_ARGS(y, one, zero), GLS_ONNX_WITH(GLS_ONNX_REAL("epsilon", o->eps)));
    y = gls_onnx_reshape(x->to, gls_export_name(x, i, "channels", name), y, GLS_ONNX_EXTENTS(0, e.c, e.h, e.w));
    y = gls_export_scale_shift(x, i, GLS_FORM_IMAGE, y);
    gls_export_out(x, i, GLS_FORM_IMAGE, gls_norm_onnx_residual(x, i, GLS_FORM_IMAGE, y));
}

const gls_op gls_op_group_norm = {
    .member = {.name = "group_norm",
               .help = "normalisation of groups of channels inside every example",
               .source = "Wu and He 2018",
               .options = options,
               .options_size = sizeof(gls_op_group_norm_options)},
    .formula = "y = weight (x - mean) / sqrt(variance + eps) + bias, both over an example's group of channels and all "
               "positions",
    GLS_NORM_OP(0),
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.scratch = scratch, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent, .backward_tangent = backward_tangent,
                            .tangent_scratch = tangent_scratch),
    .stored = GLS_OP_STORED(.scratch = scratch, .forward = forward, .backward = backward),
    .aux = aux,
    .onnx = onnx,
};
