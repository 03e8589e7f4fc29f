/* squared_error: f_i = m_i (1/2) |z - y|^2. With class labels, y is the label itself if there is one output (then the
 * labels count 0, 1, ...), else one-hot. */
#include "model/op/loss.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_target_kind kind = g->data->target;
    bool real = kind == GLS_TARGET_REAL && node->in.c == g->data->targets;
    if (g->data->mixed && g->data->targets)
        return gls_node_fail(g, node, "regresses numbers, and transform mixup mixes classes");
    bool labels = kind == GLS_TARGET_CLASS && (node->in.c == 1 || node->in.c == g->data->classes);
    if (gls_extent_positions(node->in) != 1 || (!real && !labels)) {
        char text[64];
        return gls_node_fail(g, node, "needs as many inputs as the data have targets, got %s",
                             gls_extent_text(node->in, text));
    }
    node->out = (gls_extent){1, 1, 1};
    return GLS_OK;
}

static double class_target(int32_t label, int64_t n, int64_t c) {
    return n == 1 ? label : c == label;
}

/* The gradient of a row of two classes is that of the mixture of their targets. */
static double target(const gls_batch *batch, int64_t r, int64_t n, int64_t c) {
    if (batch->y) return batch->y[r * n + c];
    double one = class_target(batch->label[r], n, c), share = gls_loss_share(batch, r);
    return share == 1 ? one : share * one + (1 - share) * class_target(batch->other_label[r], n, c);
}

/* The loss is more than that of the mixture, by share (1 - share) times half the targets' squared distance. */
static double apart(const gls_batch *batch, int64_t r, int64_t n) {
    double share = gls_loss_share(batch, r), sum = 0;
    for (int64_t c = 0; share < 1 && !batch->y && c < n; c++) {
        double d = class_target(batch->label[r], n, c) - class_target(batch->other_label[r], n, c);
        sum += d * d;
    }
    return share * (1 - share) * sum;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_batch *batch = x->args->rows;
    int64_t n = gls_exec_node(x, i)->in.c;
    const gls_real *z = gls_exec_in(x, i, 0);
    double *loss = gls_exec_aux(x, i);
    for (int64_t r = 0; r < x->rows; r++) {
        double sum = apart(batch, r, n);
        for (int64_t c = 0; c < n; c++) {
            double e = z[r * n + c] - target(batch, r, n, c);
            sum += e * e;
        }
        loss[r] = 0.5 * sum * gls_loss_mass(batch, r);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_batch *batch = x->args->rows;
    int64_t n = gls_exec_node(x, i)->in.c;
    const gls_real *z = gls_exec_in(x, i, 0);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < n; c++)
            d[r * n + c] = (gls_real)((z[r * n + c] - target(batch, r, n, c)) * gls_loss_mass(batch, r));
    return GLS_OK;
}

static gls_status backward_tangent(gls_exec *t, int i) {
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    int64_t n = gls_exec_node(t, i)->in.c;
    const gls_real *v = gls_exec_in(t, i, 0);
    gls_real *d = gls_exec_in_grad(t, i, 0);
    for (int64_t k = 0; k < t->rows * n; k++) d[k] = (gls_real)(v[k] * gls_loss_mass(t->args->rows, k / n));
    return GLS_OK;
}

static gls_link output_link(const gls_graph *g, const gls_node *node) {
    if (g->data->target != GLS_TARGET_CLASS) return GLS_LINK_IDENTITY;
    return node->in.c == 1 ? GLS_LINK_NEAREST : GLS_LINK_LARGEST;
}

const gls_op gls_op_squared_error = {
    .member = {.name = "squared_error", .help = "half the squared distance to the targets", .source = ""},
    .formula = "f = m |z - y|^2 / 2; of class labels y is one-hot, or the label itself where there is one output",
    .shapes = "[targets] -> a loss",
    GLS_LOSS_OP,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .backward_tangent = backward_tangent),
    .aux = gls_loss_aux,
    .link = output_link,
};
