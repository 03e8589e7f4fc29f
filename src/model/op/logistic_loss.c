/* logistic_loss: one input z and two classes, f_i = m_i log(1 + e^{-s z}), s = +1 for class 1 and -1 for class 0. */
#include <math.h>

#include "model/op/loss.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    if (g->data->target != GLS_TARGET_CLASS || g->data->classes != 2)
        return gls_node_fail(g, node, "needs data with two classes");
    if (gls_extent_size(node->in) != 1) {
        char text[64];
        return gls_node_fail(g, node, "takes one input, got %s", gls_extent_text(node->in, text));
    }
    node->out = (gls_extent){1, 1, 1};
    return GLS_OK;
}

static double sign(int32_t label) {
    return label == 1 ? 1 : -1;
}

static double loss_of(double z, int32_t label) {
    double t = -sign(label) * z;
    return t > 0 ? t + log1p(exp(-t)) : log1p(exp(t));
}

static double slope_of(double z, int32_t label) {
    double s = sign(label);
    return -s / (1 + exp(s * z));
}

static double right(double z, int32_t label) {
    return sign(label) * z > 0;
}

/* What a row of one class, or of two, has of a function of the class. */
static double of_row(double (*of)(double z, int32_t label), const gls_batch *batch, int64_t r, double z) {
    double one = of(z, batch->label[r]), share = gls_loss_share(batch, r);
    return share == 1 ? one : share * one + (1 - share) * of(z, batch->other_label[r]);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_batch *batch = x->args->rows;
    const gls_real *z = gls_exec_in(x, i, 0);
    double *loss = gls_exec_aux(x, i);
    for (int64_t r = 0; r < x->rows; r++) loss[r] = of_row(loss_of, batch, r, z[r]) * gls_loss_mass(batch, r);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_batch *batch = x->args->rows;
    const gls_real *z = gls_exec_in(x, i, 0);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++) d[r] = (gls_real)(of_row(slope_of, batch, r, z[r]) * gls_loss_mass(batch, r));
    return GLS_OK;
}

/* With p = 1 / (1 + e^-z): p (1 - p), whatever the class. */
static gls_status backward_tangent(gls_exec *t, int i) {
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    const gls_real *z = gls_exec_in(gls_exec_primal(t), i, 0), *v = gls_exec_in(t, i, 0);
    gls_real *d = gls_exec_in_grad(t, i, 0);
    for (int64_t r = 0; r < t->rows; r++) {
        double a = exp(-fabs((double)z[r]));
        d[r] = (gls_real)(a / ((1 + a) * (1 + a)) * v[r] * gls_loss_mass(t->args->rows, r));
    }
    return GLS_OK;
}

static gls_status scores(gls_exec *x, int i, double *sum) {
    const gls_batch *batch = x->args->rows;
    const gls_real *z = gls_exec_in(x, i, 0);
    *sum = 0;
    for (int64_t r = 0; r < x->rows; r++) *sum += of_row(right, batch, r, z[r]) * gls_loss_mass(batch, r);
    return GLS_OK;
}

static gls_link output_link(const gls_graph *g, const gls_node *node) {
    (void)g, (void)node;
    return GLS_LINK_LOGISTIC;
}

const gls_op gls_op_logistic_loss = {
    .member = {.name = "logistic_loss", .help = "logistic loss of one output and two classes", .source = ""},
    .formula = "f = m log(1 + e^(-s z)), s = 1 for class 1 and -1 for class 0",
    .shapes = "[1] -> a loss",
    GLS_LOSS_OP,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .backward_tangent = backward_tangent),
    .aux = gls_loss_aux,
    .link = output_link,
    .score = "accuracy",
    .scores = scores,
};
