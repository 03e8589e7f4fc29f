/* softmax_cross_entropy: f_i = m_i (log sum_c e^{z_c} - sum_c t_c z_c), t the one-hot label smoothed by s:
 * t_c = (1 - s) [c = label] + s / classes. */
#include <math.h>

#include "base/kernels.h"
#include "model/layers.h"
#include "model/math.h"
#include "model/op.h"

static const gls_option options[] = {
    {"label_smoothing", GLS_OPTION_REAL, offsetof(gls_cross_entropy_options, label_smoothing), "0", 0, 1,
     GLS_OPTION_BELOW_MAX, NULL, "share of the target spread evenly over the classes"},
    {NULL},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    if (g->data->target != GLS_TARGET_CLASS)
        return gls_node_fail(g, node, "needs class labels, which these data do not have");
    if (gls_extent_positions(node->in) != 1 || node->in.c != g->data->classes) {
        char text[64];
        return gls_node_fail(g, node, "needs one input for each of %lld classes, got %s", (long long)g->data->classes,
                             gls_extent_text(node->in, text));
    }
    node->out = (gls_extent){1, 1, 1};
    return GLS_OK;
}

/* losses [rows] double, then probabilities [rows, classes]. */
static int64_t aux(const gls_graph *g, const gls_node *node, int64_t rows) {
    return rows * (int64_t)(sizeof(double) + (size_t)node->in.c * sizeof(gls_real));
}

GLS_SIMD static void exponentials(const gls_real *z, int64_t n, gls_real most, gls_real *p) {
    for (int64_t c = 0; c < n; c++) p[c] = gls_real_exp(z[c] - most);
}

static double row_loss(const gls_real *z, int64_t n, int64_t label, double smooth, gls_real *p) {
    gls_real most = z[0];
    for (int64_t c = 1; c < n; c++) most = z[c] > most ? z[c] : most;
    exponentials(z, n, most, p);
    double sum = 0, mean = 0;
    for (int64_t c = 0; c < n; c++) sum += p[c];
    for (int64_t c = 0; c < n; c++) p[c] = (gls_real)(p[c] / sum);
    if (smooth > 0)
        for (int64_t c = 0; c < n; c++) mean += (double)(z[c] - most) / (double)n;
    return log(sum) - (1 - smooth) * (double)(z[label] - most) - smooth * mean;
}

static gls_status forward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_cross_entropy_options *o = node->options;
    const gls_batch *batch = x->args->rows;
    double *loss = x->aux[i];
    int64_t n = node->in.c;
    gls_real *p = (gls_real *)(loss + x->plan->max_rows);
    const gls_real *z = gls_exec_in(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++) {
        int64_t label = batch->label[r];
        if (label < 0 || label >= n)
            return gls_fail(x->ctx, GLS_ERR_INPUT, "example %lld has label %lld, expected 0 to %lld",
                            (long long)batch->index[r], (long long)label, (long long)n - 1);
        double mass = batch->mass ? batch->mass[r] : 1;
        loss[r] = mass * row_loss(z + r * n, n, label, o->label_smoothing, p + r * n);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    const gls_cross_entropy_options *o = node->options;
    const gls_batch *batch = x->args->rows;
    int64_t n = node->in.c;
    const gls_real *p = (const gls_real *)((const double *)x->aux[i] + x->plan->max_rows);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    gls_real even = (gls_real)(o->label_smoothing / (double)n), own = (gls_real)(1 - o->label_smoothing);
    for (int64_t r = 0; r < x->rows; r++) {
        gls_real mass = (gls_real)(batch->mass ? batch->mass[r] : 1);
        for (int64_t c = 0; c < n; c++) d[r * n + c] = mass * (p[r * n + c] - even - (c == batch->label[r] ? own : 0));
    }
    return GLS_OK;
}

/* Ties go to the first class; a row of NaN is never right. */
static gls_status scores(gls_exec *x, int i, double *sum) {
    int64_t n = gls_exec_node(x, i)->in.c;
    const gls_real *z = gls_exec_in(x, i, 0);
    const gls_batch *batch = x->args->rows;
    *sum = 0;
    for (int64_t r = 0; r < x->rows; r++, z += n) {
        int64_t best = 0;
        for (int64_t c = 1; c < n; c++) best = z[c] > z[best] ? c : best;
        if (best == batch->label[r] && z[best] == z[best]) *sum += batch->mass ? batch->mass[r] : 1;
    }
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .forward = forward, .backward = backward};

const gls_op gls_op_softmax_cross_entropy = {
    .member = {.name = "softmax_cross_entropy",
               .help = "softmax and cross-entropy with class labels",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_cross_entropy_options)},
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = GLS_OP_LOSS,
    .shape = shape,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
    .aux = aux,
    .score = "accuracy",
    .scores = scores,
};
