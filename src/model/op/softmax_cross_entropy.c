/* softmax_cross_entropy: f_i = m_i mean over its labels of (log sum_c e^{z_c} - sum_c t_c z_c), t the one-hot label
 * smoothed by s: t_c = (1 - s) [c = label] + s / classes. An example has one label, or both ends of a span, or a token
 * at every position, or at as many of its last ones as there are inputs, where negative ones are left out; with the
 * share of its labels as mass, F is then the mean over all labels. */
#include <math.h>
#include <string.h>

#include "base/kernels.h"
#include "model/layers.h"
#include "model/elementary.h"
#include "model/op/loss.h"
#include "model/storage.h"

static const gls_option options[] = {
    GLS_REAL("label_smoothing", gls_op_cross_entropy_options, label_smoothing, "0", 0, 1,
             "share of the target spread evenly over the classes", .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("last", gls_op_cross_entropy_options, last, "false",
             "the inputs stand for a row's last positions, and the labels of those before do not count"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_cross_entropy_options *o = node->options;
    gls_target_kind target = g->data->target;
    bool by_position = target == GLS_TARGET_TOKENS || target == GLS_TARGET_FRAMES;
    char text[64];
    if (!by_position && target != GLS_TARGET_CLASS && target != GLS_TARGET_SPAN)
        return gls_node_fail(g, node, "needs class labels, which these data do not have");
    int64_t labels = gls_data_labels(g->data), inputs = gls_extent_positions(node->in);
    if (node->in.c != g->data->classes || (by_position && o->last ? inputs > labels : inputs != labels))
        return gls_node_fail(g, node, "needs one input for each of %lld %s, got %s", (long long)g->data->classes,
                             by_position                 ? "classes at every position"
                             : target == GLS_TARGET_SPAN ? "positions, for the first one and the last one"
                                                         : "classes",
                             gls_extent_text(node->in, text));
    node->out = (gls_extent){1, 1, 1};
    return GLS_OK;
}

/* What is kept of a softmax: e^{z_c - most} / sum are the probabilities. */
typedef struct softmax {
    double sum;
    gls_real most;
} softmax;

/* losses [rows]; for a backward pass then softmaxes [rows, labels]. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    int64_t each = backward ? gls_extent_positions(node->in) * (int64_t)sizeof(softmax) : 0;
    return rows * ((int64_t)sizeof(double) + each);
}

static softmax *kept(const gls_exec *x, int i) {
    return (softmax *)((double *)gls_exec_aux(x, i) + x->plan->max_rows);
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return node->in.c * (int64_t)sizeof(gls_real);
}

GLS_SIMD static void exponentials(const gls_real *z, int64_t n, gls_real most, gls_real *p) {
    GLS_LANE_LOOP
    for (int64_t c = 0; c < n; c++) p[c] = gls_elementary_exp(z[c] - most);
}

/* Long rows are summed by lanes. The order of few classes is older than that, and part of their bits. */
enum { LONG_ROW = 4 * GLS_LANES };

static double sum_of(const gls_real *p, int64_t n) {
    if (n >= LONG_ROW) return gls_sum(p, n);
    double sum = 0;
    for (int64_t c = 0; c < n; c++) sum += p[c];
    return sum;
}

/* The classes of one label: one, or two of which the first has the share `share`. */
typedef struct target {
    int64_t label, other;
    double share;
} target;

static target target_at(const gls_batch *batch, int64_t t) {
    double share = gls_loss_share(batch, t);
    return (target){batch->label[t], share < 1 ? batch->other_label[t] : batch->label[t], share};
}

/* e^{z - most} goes to p, which may be z. */
static double label_loss(const gls_real *z, int64_t n, target of, double smooth, gls_real *p, softmax *keep) {
    gls_real most = gls_largest(z, n);
    double mean = 0, own = (double)(z[of.label] - most);
    if (of.share < 1) own = of.share * own + (1 - of.share) * (double)(z[of.other] - most);
    if (smooth > 0)
        for (int64_t c = 0; c < n; c++) mean += (double)(z[c] - most) / (double)n;
    exponentials(z, n, most, p);
    double sum = sum_of(p, n);
    *keep = (softmax){sum, most};
    return log(sum) - (1 - smooth) * own - smooth * mean;
}

/* Where those of row r begin: the last ones that it has. */
static int64_t first_label(const gls_batch *batch, int64_t r, int64_t labels) {
    return (r + 1) * gls_batch_labels(batch) - labels;
}

/* What each of the row's labels weighs: its mass over their number. */
static double label_weight(const gls_batch *batch, int64_t r, int64_t labels) {
    const int32_t *label = batch->label + first_label(batch, r, labels);
    int64_t counted = 0;
    for (int64_t t = 0; t < labels; t++) counted += label[t] >= 0;
    return counted ? gls_loss_mass(batch, r) / (double)counted : 0;
}

/* Without a backward pass nobody needs the softmax: it goes into a variable that is thrown away. In place, backward
 * finds the exponentials where the inputs were. */
static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_cross_entropy_options *o = node->options;
    const gls_batch *batch = x->args->rows;
    double *loss = gls_exec_aux(x, i);
    bool ignores = gls_target_by_position(batch->target);
    softmax *keep = x->plan->backward ? kept(x, i) : NULL, nobody;
    int64_t n = node->in.c, labels = gls_extent_positions(node->in);
    const gls_real *z = gls_exec_in(x, i, 0);
    gls_real *over = x->plan->loss_in_place ? gls_exec_value(x, node->input[0]) : NULL;
    for (int64_t r = 0; r < x->rows; r++) {
        int64_t first = first_label(batch, r, labels) - r * labels;
        double sum = 0;
        for (int64_t t = r * labels; t < (r + 1) * labels; t++) {
            target of = target_at(batch, first + t);
            if (of.label < 0 && ignores) continue;
            if (of.label < 0 || of.label >= n || of.other < 0 || of.other >= n)
                return gls_fail(x->ctx, GLS_ERR_INPUT, "example %lld has label %lld, expected 0 to %lld",
                                (long long)batch->index[r], (long long)of.label, (long long)n - 1);
            sum += label_loss(z + t * n, n, of, o->label_smoothing, over ? over + t * n : x->scratch,
                              keep ? &keep[t] : &nobody);
        }
        loss[r] = label_weight(batch, r, labels) * sum;
    }
    return GLS_OK;
}

/* e^{z - most} become the gradients: the probabilities less the targets, times the label's weight. Long rows are not
 * divided element by element. */
GLS_SIMD static void less_even(gls_real *p, int64_t n, double sum, gls_real even, gls_real weight) {
    gls_real factor = (gls_real)(weight / sum), less = weight * even;
    if (n < LONG_ROW)
        for (int64_t c = 0; c < n; c++) p[c] = weight * ((gls_real)(p[c] / sum) - even);
    else
        for (int64_t c = 0; c < n; c++) p[c] = p[c] * factor - less;
}

static void less_targets(gls_real *p, int64_t n, target of, double sum, gls_real even, gls_real own, gls_real weight) {
    gls_real hit = (gls_real)(p[of.label] / sum), other = (gls_real)(p[of.other] / sum);
    less_even(p, n, sum, even, weight);
    if (of.label == of.other) {
        p[of.label] = weight * (hit - even - own);
        return;
    }
    p[of.label] = weight * (hit - even - own * (gls_real)of.share);
    p[of.other] = weight * (other - even - own * (gls_real)(1 - of.share));
}

/* Not in place, the exponentials are computed again from what forward kept; a label that is ignored has gradient 0. A
 * gradient that is stored narrow is made label by label: in place it lies before what is still to be read. */
static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_cross_entropy_options *o = node->options;
    const gls_batch *batch = x->args->rows;
    int64_t n = node->in.c, labels = gls_extent_positions(node->in);
    const softmax *keep = kept(x, i);
    const gls_real *z = gls_exec_in(x, i, 0);
    bool narrow = gls_node_takes(node, x->plan->storage);
    uint16_t *stored = narrow ? gls_exec_stored_grad(x, node->input[0]) : NULL;
    gls_real *d = gls_exec_in_grad(x, i, 0);
    gls_real even = (gls_real)(o->label_smoothing / (double)n), own = (gls_real)(1 - o->label_smoothing);
    for (int64_t r = 0; r < x->rows; r++) {
        gls_real weight = (gls_real)label_weight(batch, r, labels);
        int64_t first = first_label(batch, r, labels) - r * labels;
        for (int64_t t = r * labels; t < (r + 1) * labels; t++) {
            target of = target_at(batch, first + t);
            gls_real *to = stored ? x->scratch : d + t * n;
            if (of.label < 0) {
                gls_fill(to, 0, n);
            } else {
                if (!x->plan->loss_in_place)
                    exponentials(z + t * n, n, keep[t].most, to);
                else if (stored)
                    memcpy(to, z + t * n, (size_t)n * sizeof *to);
                less_targets(to, n, of, keep[t].sum, even, own, weight);
            }
            if (stored) gls_storage_narrow(stored + t * n, to, n);
        }
    }
    return GLS_OK;
}

/* With the probabilities p: p_c (v_c - <p, v>), times the label's weight; smoothing is linear in z. */
static void label_tangent(const gls_real *z, const gls_real *v, int64_t n, softmax keep, double weight, gls_real *to) {
    double mean = 0;
    exponentials(z, n, keep.most, to);
    for (int64_t c = 0; c < n; c++) mean += (double)to[c] * v[c];
    mean /= keep.sum;
    for (int64_t c = 0; c < n; c++) to[c] = (gls_real)(weight * to[c] / keep.sum * (v[c] - mean));
}

static gls_status backward_tangent(gls_exec *t, int i) {
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    const gls_batch *batch = t->args->rows;
    int64_t n = node->in.c, labels = gls_extent_positions(node->in);
    const gls_real *z = gls_exec_in(x, i, 0), *v = gls_exec_in(t, i, 0);
    gls_real *d = gls_exec_in_grad(t, i, 0);
    for (int64_t r = 0; r < t->rows; r++) {
        double weight = label_weight(batch, r, labels);
        const int32_t *label = batch->label + first_label(batch, r, labels) - r * labels;
        for (int64_t k = r * labels; k < (r + 1) * labels; k++)
            if (label[k] < 0)
                gls_fill(d + k * n, 0, n);
            else
                label_tangent(z + k * n, v + k * n, n, kept(x, i)[k], weight, d + k * n);
    }
    return GLS_OK;
}

/* Ties go to the first class; a row of NaN is never right. */
static bool right(const gls_real *z, int64_t n, int64_t label) {
    int64_t best = 0;
    for (int64_t c = 1; c < n; c++) best = z[c] > z[best] ? c : best;
    return best == label && z[best] == z[best];
}

/* Of a span both ends must be right. */
static gls_status scores(gls_exec *x, int i, double *sum) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t n = node->in.c, labels = gls_extent_positions(node->in);
    const gls_real *z = gls_exec_in(x, i, 0);
    const gls_batch *batch = x->args->rows;
    *sum = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        double correct = 0;
        int64_t first = first_label(batch, r, labels) - r * labels;
        for (int64_t t = r * labels; t < (r + 1) * labels; t++) {
            target of = target_at(batch, first + t);
            correct += of.share * right(z + t * n, n, of.label);
            if (of.share < 1) correct += (1 - of.share) * right(z + t * n, n, of.other);
        }
        if (batch->target == GLS_TARGET_SPAN && correct < (double)labels) correct = 0;
        *sum += label_weight(batch, r, labels) * correct;
    }
    return GLS_OK;
}

static const char *score_name(const gls_graph *g) {
    if (g->data->target == GLS_TARGET_SPAN) return "exact_match";
    return g->data->masked ? "masked_accuracy" : "accuracy";
}

static gls_link output_link(const gls_graph *g, const gls_node *node) {
    (void)g, (void)node;
    return GLS_LINK_SOFTMAX;
}

const gls_op gls_op_softmax_cross_entropy = {
    .member = {.name = "softmax_cross_entropy",
               .help = "softmax and cross-entropy with class labels, next or hidden tokens, or the ends of a span",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_cross_entropy_options)},
    .formula = "f = m mean over labels of (log sum_c e^(z_c) - sum_c t_c z_c), t_c = (1 - s) [c = label] + s / "
               "classes, s = label_smoothing",
    .shapes = "[classes], or [classes, 1, w] for labels of the last w positions, or [w, 1, 2] for spans -> a loss",
    GLS_OP_ONE_INPUT,
    .parameters = "",
    .flags = GLS_OP_LOSS | GLS_OP_NO_PADDING | GLS_OP_GRAD_OVER_INPUT,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.scratch = scratch, .forward = forward, .backward = backward,
                            .backward_tangent = backward_tangent),
    .stored = GLS_OP_STORED(.scratch = scratch, .forward = forward, .backward = backward),
    .aux = aux,
    .link = output_link,
    .score = "accuracy",
    .score_name = score_name,
    .scores = scores,
};
