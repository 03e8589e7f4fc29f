/* distances: a sinusoidal vector for every distance between a query and a key, in attention's order: rising with the
 * keys (Dai et al. 2019). It depends on nothing, and is the same for every row. */
#include <math.h>
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/op/attention.h"

static const gls_option options[] = {
    GLS_INT("dim", gls_op_distances_options, dim, NULL, 1, 1e6, "length of a vector", .flags = GLS_OPTION_REQUIRED),
    GLS_INT("length", gls_op_distances_options, length, "0", 0, 1e9, "queries; 0: one for every token of a row"),
    GLS_INT("memory", gls_op_distances_options, memory, "0", 0, 1e9, "keys in front of the first query's own"),
    GLS_BOOL("causal", gls_op_distances_options, causal, "true", "no query sees a key behind its own"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_distances_options *o = node->options;
    if (o->length == 0) o->length = g->data->length;
    if (o->length < 1) return gls_node_fail(g, node, "needs a length where the data are no tokens");
    node->out = (gls_extent){o->dim, 1, gls_op_distance_count(o->causal, o->length, o->length + o->memory)};
    return GLS_OK;
}

/* First half sin(d / 10000^(2 k / dim)), second half cos, distance d falling to 0 and, not causal, below. */
static void sinusoids(const gls_node *node, gls_real *to) {
    const gls_op_distances_options *o = node->options;
    int64_t farthest = o->length + o->memory - 1, half = (o->dim + 1) / 2;
    for (int64_t j = 0; j < node->out.w; j++)
        for (int64_t k = 0; k < o->dim; k++) {
            double angle = (double)(farthest - j) * pow(10000, -2 * (double)(k % half) / (double)o->dim);
            to[j * o->dim + k] = (gls_real)(k < half ? sin(angle) : cos(angle));
        }
}

/* They are computed once. */
static gls_status setup(const gls_graph *g, gls_node *node, bool *fits) {
    (void)fits;
    node->library = gls_arena_alloc(g->arena, gls_extent_size(node->out), sizeof(gls_real));
    if (!node->library) return GLS_ERR_MEMORY;
    sinusoids(node, node->library);
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    int64_t size = gls_extent_size(gls_exec_node(x, i)->out);
    gls_real *to = gls_exec_value(x, i);
    for (int64_t r = 0; r < x->rows; r++)
        memcpy(to + r * size, gls_exec_node(x, i)->library, (size_t)size * sizeof *to);
    return GLS_OK;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    gls_fill(gls_exec_value(t, i), 0, gls_exec_size(t, i));
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t shape[3] = {1, node->out.w, node->out.c};
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_reals(x->to, node->name, false, 3, shape, node->library));
}

const gls_op gls_op_distances = {
    .member = {.name = "distances",
               .help = "sinusoidal vectors of the distances between queries and keys",
               .source = "Dai et al. 2019",
               .options = options,
               .options_size = sizeof(gls_op_distances_options)},
    .formula = "y_j = sin(d / 10000^(2 k / dim)) for the first half of the channels, cos for the second; distance d = "
               "memory + length - 1 - j",
    .shapes = "tokens [w] -> [dim, 1, memory + length], not causal [dim, 1, memory + 2 length - 1]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_TOKENS | GLS_OP_LINEAR | GLS_OP_STILL,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = setup, .forward = forward, .forward_tangent = forward_tangent),
    .onnx = onnx,
};
