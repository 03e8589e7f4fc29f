/* batch_norm: per channel, over all rows of a coupling span and all positions; inputs x and, if given, a residual
 * that is added before the activation. In evaluation the running statistics are used. As in PyTorch the running
 * variance is the unbiased one.
 *
 * meet, forward: sums of x and of x^2 in double (exact enough: the rounding of x itself is 1e8 times larger); backward:
 * sums of e xhat and of e. */
#include <math.h>

#include "model/layers.h"
#include "model/norm.h"

static const gls_option options[] = {
    {"momentum", GLS_OPTION_REAL, offsetof(gls_batch_norm_options, momentum), "0.1", 0, 1, 0, NULL,
     "weight of the present mini-batch in the running statistics"},
    {"eps", GLS_OPTION_REAL, offsetof(gls_batch_norm_options, eps), "1e-5", 0, 1, GLS_OPTION_ABOVE_MIN, NULL,
     "added to the variance"},
    {NULL},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_norm_shape(g, node));
    GLS_TRY(gls_graph_state(g, node, 0, "running_mean", node->in.c));
    return gls_graph_state(g, node, 1, "running_var", node->in.c);
}

/* Sums of every row, then mean and 1 / deviation of every span. */
static int64_t aux(const gls_graph *g, const gls_node *node, int64_t rows) {
    return 2 * rows * 2 * node->out.c * (int64_t)sizeof(double);
}

static double *statistics(const gls_exec *x, int i, int64_t span) {
    return gls_norm_row_aux(x, i, x->plan->max_rows + span);
}

static int64_t meet_size(const gls_graph *g, const gls_node *node) {
    return 2 * node->out.c;
}

static int64_t scratch(const gls_graph *g, const gls_node *node, int64_t rows) {
    return gls_norm_room_bytes(node->out.c);
}

static double span_size(const gls_node *node, gls_span span) {
    return (double)span.rows * (double)gls_extent_positions(node->out);
}

static void moments(gls_exec *x, int i, gls_span span, double *meet) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->out.c;
    for (int64_t k = 0; k < 2 * c; k++) meet[k] = 0;
    for (int64_t r = span.begin; r < span.end; r++)
        gls_norm_row_moments(node, gls_exec_in(x, i, 0) + r * gls_extent_size(node->out), meet, meet + c);
}

static void batch_statistics(gls_exec *x, int i, int64_t number, const double *met) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_batch_norm_options *o = node->options;
    double *summary = x->args->summary && x->args->leader
                          ? x->args->summary + number * gls_layout_size(x->graph->state_layout)
                          : NULL;
    double *mean = statistics(x, i, number), *rstd = mean + node->out.c;
    double n = span_size(node, gls_span_at(x->args, number)), unbiased = n > 1 ? n / (n - 1) : 1;
    for (int64_t k = 0; k < node->out.c; k++) {
        mean[k] = met[k] / n;
        double variance = met[node->out.c + k] / n - mean[k] * mean[k];
        if (variance < 0) variance = 0;
        rstd[k] = 1 / sqrt(variance + o->eps);
        if (!summary) continue;
        summary[node->state[0] + k] = mean[k];
        summary[node->state[1] + k] = unbiased * variance;
    }
}

static void advance(const gls_node *node, const double *summary, gls_real *state) {
    const gls_batch_norm_options *o = node->options;
    for (int s = 0; s < 2; s++)
        for (int64_t k = node->state[s]; k < node->state[s] + node->out.c; k++)
            state[k] = (gls_real)((1 - o->momentum) * state[k] + o->momentum * summary[k]);
}

static void running_statistics(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_batch_norm_options *o = node->options;
    double *mean = statistics(x, i, 0), *rstd = mean + node->out.c;
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

static gls_status forward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    bool training = x->plan->mode == GLS_MODE_TRAIN;
    int64_t sums = 2 * gls_exec_node(x, i)->out.c;
    for (int64_t s = 0; s < gls_span_count(x->args); s++) {
        gls_span span = gls_span_at(x->args, s);
        if (training && phase == 0) {
            moments(x, i, span, meet + s * sums);
            continue;
        }
        if (training)
            batch_statistics(x, i, s, met + s * sums);
        else
            running_statistics(x, i);
        gls_norm_channels with = channels(x, i, s);
        for (int64_t r = span.begin; r < span.end; r++) gls_norm_row_forward(x, i, r, &with);
    }
    return GLS_OK;
}

/* Each row's sums; all of them into meet, unless that is NULL. */
static void row_sums(gls_exec *x, int i, gls_span span, const gls_norm_channels *with, const double *rstd,
                     double *meet) {
    int64_t c = gls_exec_node(x, i)->out.c;
    for (int64_t k = 0; k < 2 * c && meet; k++) meet[k] = 0;
    for (int64_t r = span.begin; r < span.end; r++) {
        double *sums = gls_norm_row_aux(x, i, r);
        gls_norm_row_sums(x, i, r, with, sums, sums + c);
        for (int64_t k = 0; k < c; k++) sums[k] *= rstd[k];
        for (int64_t k = 0; k < 2 * c && meet; k++) meet[k] += sums[k];
    }
}

static void backward_span(gls_exec *x, int i, int64_t number, int phase, const double *met, double *meet) {
    const gls_node *node = gls_exec_node(x, i);
    bool training = x->plan->mode == GLS_MODE_TRAIN;
    gls_span span = gls_span_at(x->args, number);
    gls_norm_channels with = channels(x, i, number);
    const double *rstd = statistics(x, i, number) + node->out.c;
    if (phase == 0) row_sums(x, i, span, &with, rstd, meet);
    if (training && phase == 0) return;
    double n = span_size(node, span);
    for (int64_t k = 0; k < node->out.c; k++) {
        with.c1[k] = training ? (gls_real)(with.a[k] * met[node->out.c + k] / n) : 0;
        with.c2[k] = training ? (gls_real)(with.a[k] * rstd[k] * met[k] / n) : 0;
    }
    for (int64_t r = span.begin; r < span.end; r++) gls_norm_row_backward(x, i, r, &with);
}

static gls_status backward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    int64_t sums = 2 * gls_exec_node(x, i)->out.c;
    for (int64_t s = 0; s < gls_span_count(x->args); s++)
        backward_span(x, i, s, phase, met ? met + s * sums : NULL, meet ? meet + s * sums : NULL);
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .scratch = scratch, .forward = forward, .backward = backward};

const gls_op gls_op_batch_norm = {
    .member = {.name = "batch_norm",
               .help = "normalisation of every channel over the mini-batch",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_batch_norm_options)},
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = GLS_OP_KEEPS_INPUT | GLS_OP_FUSES | GLS_OP_GRAD_IN_PLACE,
    .shape = shape,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
    .uses = gls_norm_uses,
    .aux = aux,
    .meet = meet_size,
    .advance = advance,
};
