/* batch_norm: per channel, over all rows of a coupling span and all positions; inputs x and, if given, a residual
 * that is added before the activation. In evaluation the running statistics are used. As in PyTorch the running
 * variance is the unbiased one.
 *
 * Slices exchange, forward: sums of x and of x^2 in double (exact enough: the rounding of x itself is 1e8 times
 * larger); backward: sums of e xhat and of e. */
#include <math.h>

#include "model/export.h"
#include "model/layers.h"
#include "model/norm_tangent.h"

static const gls_option options[] = {
    GLS_REAL("momentum", gls_op_batch_norm_options, momentum, "0.1", 0, 1,
             "weight of one span in the running statistics"),
    GLS_REAL("eps", gls_op_batch_norm_options, eps, "1e-5", 0, 1, "added to the variance",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_batch_norm_options *o = node->options;
    o->padded = g->data->documents && gls_extent_positions(node->in) == g->data->length;
    if (o->padded && node->inputs > 1) return gls_node_fail(g, node, "takes no residual where rows have padding");
    GLS_TRY(gls_norm_shape(g, node));
    gls_graph_state_block mean = {.suffix = "running_mean", .dims = 1, .shape = {node->in.c}, .start = 0};
    gls_graph_state_block variance = {.suffix = "running_var", .dims = 1, .shape = {node->in.c}, .start = 1};
    GLS_TRY(gls_graph_state(g, node, 0, &mean));
    return gls_graph_state(g, node, 1, &variance);
}

/* Padding is left out position by position. */
static gls_status setup(const gls_graph *g, gls_node *node, bool *fits) {
    const gls_op_batch_norm_options *o = node->options;
    return o->padded ? gls_op_keeps_positions(g, node, fits) : GLS_OK;
}

static int64_t statistics_size(const gls_node *node) {
    return 2 * node->out.c + 1;
}

/* With a backward pass the sums of every row; then mean, 1 / deviation and the number of values of every span, of which
 * each row may be one. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return gls_norm_sums_bytes(node, rows, backward) + rows * statistics_size(node) * (int64_t)sizeof(double);
}

static double *statistics(const gls_exec *x, int i, int64_t span) {
    return gls_norm_statistics(x, i) + span * statistics_size(gls_exec_node(x, i));
}

static double *span_size(const gls_exec *x, int i, int64_t span) {
    return statistics(x, i, span) + 2 * gls_exec_node(x, i)->out.c;
}

/* Where rows have padding, the number of values too: it does not follow from that of the rows. */
static int64_t coupled_size(const gls_node *node) {
    const gls_op_batch_norm_options *o = node->options;
    return 2 * node->out.c + o->padded;
}

/* One number has no variance. */
static int64_t least_rows(const gls_node *node) {
    return gls_extent_positions(node->out) > 1 ? 1 : 2;
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_norm_room_bytes(node->out.c);
}

static void moments(gls_exec *x, int i, gls_span span, double *partial) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->out.c;
    for (int64_t k = 0; k < coupled_size(node); k++) partial[k] = 0;
    for (int64_t r = span.begin; r < span.end; r++) {
        gls_norm_row_moments(x, i, r, partial, partial + c);
        if (coupled_size(node) > 2 * c) partial[2 * c] += (double)gls_norm_row_positions(x, i, r);
    }
}

/* Only the span's leader leaves a summary, so that a span counts once; NaN where there are no statistics. The variance
 * is E x^2 - mean^2, which rounding may leave below 0. */
static void batch_statistics(gls_exec *x, int i, int64_t number, const double *sums) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_batch_norm_options *o = node->options;
    double *summary = x->args->summary && x->args->leader
                          ? x->args->summary + number * gls_layout_size(x->graph->state_layout)
                          : NULL;
    double *mean = statistics(x, i, number), *rstd = mean + node->out.c;
    double n = o->padded ? sums[2 * node->out.c]
                         : (double)gls_span_at(x->args, number).rows * (double)gls_extent_positions(node->out);
    double unbiased = n / (n - 1);
    *span_size(x, i, number) = n;
    for (int64_t k = 0; k < node->out.c; k++) {
        mean[k] = sums[k] / n;
        double variance = sums[node->out.c + k] / n - mean[k] * mean[k];
        if (variance < 0) variance = 0;
        rstd[k] = 1 / sqrt(variance + o->eps);
        if (!summary) continue;
        summary[node->state[0] + k] = n > 1 ? mean[k] : NAN;
        summary[node->state[1] + k] = n > 1 ? unbiased * variance : NAN;
    }
}

static void advance(const gls_node *node, const double *summary, gls_real *state) {
    const gls_op_batch_norm_options *o = node->options;
    for (int s = 0; s < 2; s++)
        for (int64_t k = node->state[s]; k < node->state[s] + node->out.c; k++)
            if (!isnan(summary[k])) state[k] = (gls_real)((1 - o->momentum) * state[k] + o->momentum * summary[k]);
}

static void running_statistics(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_batch_norm_options *o = node->options;
    double *mean = statistics(x, i, 0), *rstd = mean + node->out.c;
    *span_size(x, i, 0) = 1; /* nothing is averaged over it */
    for (int64_t k = 0; k < node->out.c; k++) {
        mean[k] = x->args->state[node->state[0] + k];
        rstd[k] = 1 / sqrt(x->args->state[node->state[1] + k] + o->eps);
    }
}

static gls_norm_channels channels(gls_exec *x, int i, int64_t span) {
    const gls_node *node = gls_exec_node(x, i);
    const double *mean = statistics(x, i, span), *rstd = mean + node->out.c;
    gls_norm_channels with = gls_norm_room(x->scratch, node->out.c);
    for (int64_t k = 0; k < node->out.c; k++)
        gls_norm_set(&with, k, mean[k], rstd[k], gls_exec_weight(x, node->block[0]),
                     gls_exec_weight(x, node->block[1]));
    return with;
}

static void normalise(gls_exec *x, int i, int64_t number) {
    gls_span span = gls_span_at(x->args, number);
    gls_norm_channels with = channels(x, i, number);
    for (int64_t r = span.begin; r < span.end; r++) gls_norm_row_forward(x, i, r, &with);
}

static gls_status forward_partial(gls_exec *x, int i, double *partial) {
    int64_t sums = coupled_size(gls_exec_node(x, i));
    for (int64_t s = 0; s < gls_span_count(x->args); s++) moments(x, i, gls_span_at(x->args, s), partial + s * sums);
    return GLS_OK;
}

static gls_status forward_reduced(gls_exec *x, int i, const double *reduced) {
    int64_t sums = coupled_size(gls_exec_node(x, i));
    for (int64_t s = 0; s < gls_span_count(x->args); s++) {
        batch_statistics(x, i, s, reduced + s * sums);
        normalise(x, i, s);
    }
    return GLS_OK;
}

/* In evaluation a slice is one span, and nothing couples. */
static gls_status forward(gls_exec *x, int i) {
    running_statistics(x, i);
    gls_norm_channels with = channels(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++) gls_norm_row_forward(x, i, r, &with);
    return GLS_OK;
}

/* Each row's sums of e xhat and of e. */
static void row_sums(gls_exec *x, int i, int64_t begin, int64_t end, const gls_norm_channels *with,
                     const double *rstd) {
    int64_t c = gls_exec_node(x, i)->out.c;
    for (int64_t r = begin; r < end; r++) {
        double *sums = gls_norm_row_aux(x, i, r);
        gls_norm_row_sums(x, i, r, with, sums, sums + c);
        for (int64_t k = 0; k < c; k++) sums[k] *= rstd[k];
    }
}

static gls_status backward_partial(gls_exec *x, int i, double *partial) {
    int64_t sums = coupled_size(gls_exec_node(x, i)), c = gls_exec_node(x, i)->out.c;
    for (int64_t s = 0; s < gls_span_count(x->args); s++, partial += sums) {
        gls_span span = gls_span_at(x->args, s);
        gls_norm_channels with = channels(x, i, s);
        row_sums(x, i, span.begin, span.end, &with, statistics(x, i, s) + c);
        for (int64_t k = 0; k < sums; k++) partial[k] = 0;
        for (int64_t r = span.begin; r < span.end; r++)
            for (int64_t k = 0; k < 2 * c; k++) partial[k] += gls_norm_row_aux(x, i, r)[k];
    }
    return GLS_OK;
}

static void rows_backward(gls_exec *x, int i, int64_t begin, int64_t end, const gls_norm_channels *with) {
    for (int64_t r = begin; r < end; r++) gls_norm_row_backward(x, i, r, with);
}

static gls_status backward_reduced(gls_exec *x, int i, const double *reduced) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->out.c;
    for (int64_t s = 0; s < gls_span_count(x->args); s++, reduced += coupled_size(node)) {
        gls_span span = gls_span_at(x->args, s);
        gls_norm_channels with = channels(x, i, s);
        const double *rstd = statistics(x, i, s) + c;
        double n = *span_size(x, i, s);
        for (int64_t k = 0; k < c; k++) {
            with.c1[k] = (gls_real)(with.a[k] * reduced[c + k] / n);
            with.c2[k] = (gls_real)(with.a[k] * rstd[k] * reduced[k] / n);
        }
        rows_backward(x, i, span.begin, span.end, &with);
    }
    return GLS_OK;
}

/* Running statistics do not depend on x. */
static gls_status backward(gls_exec *x, int i) {
    int64_t c = gls_exec_node(x, i)->out.c;
    gls_norm_channels with = channels(x, i, 0);
    row_sums(x, i, 0, x->rows, &with, statistics(x, i, 0) + c);
    for (int64_t k = 0; k < c; k++) with.c1[k] = with.c2[k] = 0;
    rows_backward(x, i, 0, x->rows, &with);
    return GLS_OK;
}

/* ---- tangents: a channel of a span shares its mean ---- */

static int64_t tangent_scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_norm_tangent_bytes(node->out.c);
}

static gls_norm_moments_tangent channel_moments(const gls_exec *t, int i, int64_t number, int64_t k) {
    const gls_node *node = gls_exec_node(t, i);
    const double *values = statistics(gls_exec_primal(t), i, number) + k, *tangents = statistics(t, i, number) + k;
    return (gls_norm_moments_tangent){.n = *span_size(gls_exec_primal(t), i, number),
                                      .mean = values[0],
                                      .rstd = values[node->out.c],
                                      .mean_dot = tangents[0],
                                      .rstd_dot = tangents[node->out.c]};
}

static gls_norm_tangent channels_tangent(gls_exec *t, int i, int64_t number) {
    gls_norm_tangent with = gls_norm_tangent_room(t->scratch, gls_exec_node(t, i)->out.c);
    for (int64_t k = 0; k < gls_exec_node(t, i)->out.c; k++) {
        gls_norm_moments_tangent of = channel_moments(t, i, number, k);
        gls_norm_tangent_set(&with, t, i, k, &of);
    }
    return with;
}

static gls_status forward_tangent_partial(gls_exec *t, int i, double *partial) {
    int64_t sums = coupled_size(gls_exec_node(t, i));
    for (int64_t s = 0; s < gls_span_count(t->args); s++, partial += sums) {
        gls_span span = gls_span_at(t->args, s);
        for (int64_t k = 0; k < sums; k++) partial[k] = 0;
        for (int64_t r = span.begin; r < span.end; r++)
            gls_norm_row_moments_tangent(t, i, r, partial, partial + gls_exec_node(t, i)->out.c);
    }
    return GLS_OK;
}

static gls_status forward_tangent_reduced(gls_exec *t, int i, const double *reduced) {
    int64_t c = gls_exec_node(t, i)->out.c, each = coupled_size(gls_exec_node(t, i));
    for (int64_t s = 0; s < gls_span_count(t->args); s++, reduced += each) {
        gls_span span = gls_span_at(t->args, s);
        double *tangents = statistics(t, i, s);
        for (int64_t k = 0; k < c; k++) {
            gls_norm_moments_tangent of = channel_moments(t, i, s, k);
            gls_norm_moments_tangent_set(&of, reduced[k], reduced[c + k]);
            tangents[k] = of.mean_dot;
            tangents[c + k] = of.rstd_dot;
        }
        gls_norm_tangent with = channels_tangent(t, i, s);
        for (int64_t r = span.begin; r < span.end; r++) gls_norm_row_forward_tangent(t, i, r, &with);
    }
    return GLS_OK;
}

static void row_sums_tangent(gls_exec *t, int i, gls_span span, int64_t number, const gls_norm_tangent *with) {
    int64_t c = gls_exec_node(t, i)->out.c;
    for (int64_t r = span.begin; r < span.end; r++) {
        double *sums = gls_norm_row_aux(t, i, r);
        gls_norm_row_through(t, i, r);
        gls_norm_row_sums_tangent(t, i, r, with, sums, sums + c);
        for (int64_t k = 0; k < c; k++) {
            gls_norm_moments_tangent of = channel_moments(t, i, number, k);
            gls_norm_row_finish_tangent(t, i, r, k, &of);
        }
    }
}

static gls_status backward_tangent_partial(gls_exec *t, int i, double *partial) {
    int64_t sums = coupled_size(gls_exec_node(t, i)), c = gls_exec_node(t, i)->out.c;
    for (int64_t s = 0; s < gls_span_count(t->args); s++, partial += sums) {
        gls_span span = gls_span_at(t->args, s);
        gls_norm_tangent with = channels_tangent(t, i, s);
        row_sums_tangent(t, i, span, s, &with);
        for (int64_t k = 0; k < sums; k++) partial[k] = 0;
        for (int64_t r = span.begin; r < span.end; r++)
            for (int64_t k = 0; k < 2 * c; k++) partial[k] += gls_norm_row_aux(t, i, r)[k];
    }
    return GLS_OK;
}

static gls_status backward_tangent_reduced(gls_exec *t, int i, const double *values, const double *reduced) {
    int64_t c = gls_exec_node(t, i)->out.c, each = coupled_size(gls_exec_node(t, i));
    for (int64_t s = 0; s < gls_span_count(t->args); s++, values += each, reduced += each) {
        gls_span span = gls_span_at(t->args, s);
        gls_norm_tangent with = channels_tangent(t, i, s);
        for (int64_t k = 0; k < c; k++) {
            gls_norm_moments_tangent of = channel_moments(t, i, s, k);
            gls_norm_sums_tangent sums = gls_norm_channel_sums(t, i, k, &of, values, reduced);
            gls_norm_tangent_terms(&with, k, k + 1, &of, &sums);
        }
        for (int64_t r = span.begin; r < span.end; r++) gls_norm_row_backward_tangent(t, i, r, &with);
    }
    return GLS_OK;
}

/* In evaluation the statistics do not move. */
static gls_status forward_tangent(gls_exec *t, int i) {
    double *tangents = statistics(t, i, 0);
    for (int64_t k = 0; k < 2 * gls_exec_node(t, i)->out.c; k++) tangents[k] = 0;
    gls_norm_tangent with = channels_tangent(t, i, 0);
    for (int64_t r = 0; r < t->rows; r++) gls_norm_row_forward_tangent(t, i, r, &with);
    return GLS_OK;
}

static gls_status backward_tangent(gls_exec *t, int i) {
    gls_norm_tangent with = channels_tangent(t, i, 0);
    row_sums_tangent(t, i, (gls_span){.end = t->rows}, 0, &with);
    for (int64_t r = 0; r < t->rows; r++) gls_norm_row_backward_tangent(t, i, r, &with);
    return GLS_OK;
}

static const gls_op_coupling coupling = {
    .size = coupled_size,
    .least_rows = least_rows,
    .forward_partial = forward_partial,
    .forward_reduced = forward_reduced,
    .backward_partial = backward_partial,
    .backward_reduced = backward_reduced,
    .forward_tangent_partial = forward_tangent_partial,
    .forward_tangent_reduced = forward_tangent_reduced,
    .backward_tangent_partial = backward_tangent_partial,
    .backward_tangent_reduced = backward_tangent_reduced,
    .advance = advance,
};

static const char *running(gls_export *x, int i, int k, const char *part) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    return gls_onnx_reals(x->to, gls_export_name(x, i, part, name), false, 1, &node->out.c, x->state + node->state[k]);
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_batch_norm_options *o = node->options;
    gls_form form = gls_extent_positions(node->in) == 1 ? GLS_FORM_FEATURES : GLS_FORM_IMAGE;
    const char *y =
        gls_onnx_node(x->to, "BatchNormalization", node->name,
                      GLS_ONNX_ARGS(gls_export_in(x, i, 0, form), gls_export_weight(x, i, 0),
                                    gls_export_weight(x, i, 1), running(x, i, 0, "mean"), running(x, i, 1, "variance")),
                      GLS_ONNX_WITH(GLS_ONNX_REAL("epsilon", o->eps)));
    gls_export_out(x, i, form, gls_norm_onnx_residual(x, i, form, y));
}

const gls_op gls_op_batch_norm = {
    .member = {.name = "batch_norm",
               .help = "normalisation of every channel over a span: the mini-batch, or bn_group examples of it",
               .source = "Ioffe and Szegedy 2015",
               .options = options,
               .options_size = sizeof(gls_op_batch_norm_options)},
    .formula = "y = weight (x - mean) / sqrt(variance + eps) + bias, both over a span's examples and positions; in "
               "evaluation the running ones",
    GLS_NORM_OP(GLS_OP_NO_PADDING),
    .states = 2,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = setup, .scratch = scratch, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent, .backward_tangent = backward_tangent,
                            .tangent_scratch = tangent_scratch),
    .stored = GLS_OP_STORED(.setup = setup, .scratch = scratch, .forward = forward, .backward = backward),
    .aux = aux,
    .coupling = &coupling,
    .onnx = onnx,
};
