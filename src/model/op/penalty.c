/* penalty: passes its input on, and in training adds to an example's loss the mean squares of its elements and of their
 * changes from one position to the next (activation and temporal activation regularisation, Merity et al. 2017). */
#include <string.h>

#include "model/layers.h"
#include "model/op.h"
#include "model/op/loss.h"

static const gls_option options[] = {
    GLS_REAL("square", gls_op_penalty_options, square, "0", 0, 1e9, "times the mean square of the elements"),
    GLS_REAL("change", gls_op_penalty_options, change, "0", 0, 1e9,
             "times the mean square of the changes from one position to the next"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    node->out = node->in;
    if (((const gls_op_penalty_options *)node->options)->change > 0) GLS_TRY(gls_op_takes_one_document(g, node));
    return gls_op_takes_positions(g, node);
}

/* A row's elements in front of its padding, and what they and their changes weigh: the example's mass over their
 * number. */
typedef struct weights {
    int64_t size;
    double square, change;
} weights;

static weights weights_of(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_penalty_options *o = node->options;
    int64_t size = gls_exec_filled(x, row, node->out.w) * node->out.c, changes = size - node->out.c;
    double mass = gls_loss_mass(x->args->rows, row);
    return (weights){size, size ? mass * o->square / (double)size : 0,
                     changes > 0 ? mass * o->change / (double)changes : 0};
}

static double penalty(weights of, const gls_real *v, int64_t c) {
    double square = 0, change = 0;
    for (int64_t k = 0; k < of.size; k++) square += (double)v[k] * v[k];
    for (int64_t k = c; k < of.size; k++) change += ((double)v[k] - v[k - c]) * ((double)v[k] - v[k - c]);
    return of.square * square + of.change * change;
}

static void pass_on(gls_exec *x, int i) {
    const gls_real *in = gls_exec_in(x, i, 0);
    gls_real *out = gls_exec_value(x, i);
    if (out != in) memcpy(out, in, (size_t)gls_exec_size(x, i) * sizeof *out);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->out);
    double *losses = gls_exec_aux(x, i);
    pass_on(x, i);
    for (int64_t r = 0; r < x->rows; r++)
        losses[r] = penalty(weights_of(x, i, r), gls_exec_value(x, i) + r * size, node->out.c);
    return GLS_OK;
}

/* Linear in what comes back and in the values: the same for tangents. */
static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->out), c = node->out.c;
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t r = 0; r < x->rows; r++) {
        const gls_real *v = gls_exec_value(x, i) + r * size, *e = gls_exec_grad(x, i) + r * size;
        gls_real *d = gls_exec_in_grad(x, i, 0) + r * size;
        weights of = weights_of(x, i, r);
        for (int64_t k = 0; k < size; k++) {
            bool counts = k < of.size;
            double turn = (k >= c ? (double)v[k] - v[k - c] : 0) + (k + c < of.size ? (double)v[k] - v[k + c] : 0);
            double sum = e[k] + (counts ? 2 * (of.square * v[k] + of.change * turn) : 0);
            d[k] = (gls_real)(adds ? d[k] + sum : sum);
        }
    }
    return GLS_OK;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    pass_on(t, i);
    return GLS_OK;
}

const gls_op gls_op_penalty = {
    .member = {.name = "penalty",
               .help = "adds to the loss, in training, squares of what passes and of its changes over the positions",
               .source = "Merity et al. 2017",
               .options = options,
               .options_size = sizeof(gls_op_penalty_options)},
    .formula =
        "y = x; in training f = f + m (square mean x_t^2 + change mean (x_t - x_{t-1})^2), means without padding",
    .shapes = "[c, 1, w] -> [c, 1, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_KEEPS_OUTPUT | GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE | GLS_OP_EVALUATE_ALIAS | GLS_OP_LINEAR |
             GLS_OP_PENALTY | GLS_OP_NO_PADDING,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward,
                            .forward_tangent = forward_tangent),
    .aux = gls_loss_aux,
};
