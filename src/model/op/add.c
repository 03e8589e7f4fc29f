/* add: the sum of two inputs of one shape (a residual connection). */
#include <string.h>

#include "base/kernels.h"
#include "model/kernels.h"
#include "model/op.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_extent other = g->node[node->input[1]].out;
    node->out = node->in;
    if (gls_extent_equal(other, node->in)) return GLS_OK;
    char a[64], b[64];
    return gls_node_fail(g, node, "its inputs are %s and %s", gls_extent_text(node->in, a), gls_extent_text(other, b));
}

static gls_status forward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t n = x->rows * gls_extent_size(node->out);
    memcpy(x->value[i], gls_exec_in(x, i, 0), (size_t)n * sizeof(gls_real));
    gls_add(x->value[i], gls_exec_in(x, i, 1), n);
    if (node->activation) gls_activation(x->value[i], x->value[i], n, node->slope);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i, int phase, const double *met, double *meet) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t n = x->rows * gls_extent_size(node->out);
    if (node->activation) gls_activation_grad(x->grad[i], x->grad[i], x->value[i], n, node->slope, false);
    for (int k = 0; k < 2; k++) {
        if (!gls_exec_wants(x, i, k)) continue;
        gls_real *to = gls_exec_in_grad(x, i, k);
        if (gls_exec_adds(x, i, k))
            gls_add(to, x->grad[i], n);
        else
            memcpy(to, x->grad[i], (size_t)n * sizeof *to);
    }
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .forward = forward, .backward = backward};

const gls_op gls_op_add = {
    .member = {.name = "add", .help = "sum of two inputs", .source = ""},
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = GLS_OP_FUSES,
    .shape = shape,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
};
