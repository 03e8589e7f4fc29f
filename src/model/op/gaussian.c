/* gaussian: independent normal vectors in place of the words', the same whenever an example is visited: input whose
 * noise is Gaussian, the control of [A] figure 4. Position t of example i is drawn from (seed, "gaussian", i, t). */
#include <math.h>

#include "base/kernels.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("dim", gls_op_gaussian_options, dim, NULL, 1, 1e9, "length of a vector", .flags = GLS_OPTION_REQUIRED),
    GLS_INT("seed", gls_op_gaussian_options, seed, "1", 0, 1e9, "of the random numbers"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    if (!g->data->length) return gls_node_fail(g, node, "takes tokens, but its input is features");
    node->out = (gls_extent){((const gls_op_gaussian_options *)node->options)->dim, 1, g->data->length};
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_gaussian_options *o = node->options;
    gls_real *to = gls_exec_value(x, i);
    double deviation = 1 / sqrt((double)o->dim);
    for (int64_t p = 0; p < x->rows * node->out.w; p++) {
        uint64_t example = (uint64_t)x->args->rows->index[p / node->out.w];
        gls_random random = gls_random_create((uint64_t)o->seed, "gaussian", example, (uint32_t)(p % node->out.w));
        for (int64_t k = 0; k < o->dim; k++) *to++ = (gls_real)(deviation * gls_random_normal(&random));
    }
    return GLS_OK;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    gls_fill(gls_exec_value(t, i), 0, gls_exec_size(t, i));
    return GLS_OK;
}

const gls_op gls_op_gaussian = {
    .member = {.name = "gaussian",
               .help = "normal vectors in place of the tokens', the same whenever an example is visited",
               .source = "[A] section 5.2",
               .options = options,
               .options_size = sizeof(gls_op_gaussian_options)},
    .formula = "y_t independent normal with variance 1 / dim, by example and position",
    .shapes = "tokens [w] -> [dim, 1, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_TOKENS | GLS_OP_LINEAR | GLS_OP_STILL,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .forward_tangent = forward_tangent),
};
