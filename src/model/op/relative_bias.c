/* relative_bias: a number for every distance between a query and a key and every head, the same for distances of one
 * bucket: near ones have buckets of their own, farther ones share them by their logarithm (Raffel et al. 2020). Layers
 * that read one of these share its numbers. */
#include <math.h>
#include <string.h>

#include "model/export.h"
#include "model/op/attention.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("heads", gls_op_relative_bias_options, heads, NULL, 1, 1e6, "heads of attention",
            .flags = GLS_OPTION_REQUIRED),
    GLS_INT("length", gls_op_relative_bias_options, length, "0", 0, 1e9,
            "queries, and as many keys; 0: one for every token of a row"),
    GLS_INT("buckets", gls_op_relative_bias_options, buckets, "32", 2, 1e6,
            "buckets; not causal: half of them for keys behind the query"),
    GLS_INT("most", gls_op_relative_bias_options, most, "128", 1, 1e9, "distances from here on share the last bucket"),
    GLS_BOOL("causal", gls_op_relative_bias_options, causal, "true", "no query sees a key behind its own"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_relative_bias_options *o = node->options;
    int64_t each = o->causal ? o->buckets : o->buckets / 2, size[2] = {o->buckets, o->heads};
    if (o->length == 0) o->length = g->data->length;
    if (o->length < 1) return gls_node_fail(g, node, "needs a length where the data are no tokens");
    if (each < 2 || (!o->causal && o->buckets % 2 != 0))
        return gls_node_fail(g, node, "buckets: %lld, expected an even number from 4 on where keys lie on both sides",
                             (long long)o->buckets);
    if (o->most <= each / 2)
        return gls_node_fail(g, node, "most: %lld, expected more than the %lld distances with buckets of their own",
                             (long long)o->most, (long long)(each / 2));
    node->out = (gls_extent){o->heads, 1, gls_op_distance_count(o->causal, o->length, o->length)};
    return gls_graph_parameter(g, node, 0, "weight", 2, size, GLS_BLOCK_NO_DECAY,
                               (gls_parameter){GLS_INIT_NORMAL, o->heads, o->heads});
}

/* Of a key `ahead` positions behind the query's own; causal: at most 0. */
static int32_t bucket(const gls_op_relative_bias_options *o, int64_t ahead) {
    int64_t each = o->causal ? o->buckets : o->buckets / 2, exact = each / 2;
    int64_t first = !o->causal && ahead > 0 ? each : 0, far = ahead < 0 ? -ahead : ahead;
    if (far < exact) return (int32_t)(first + far);
    double share = log((double)far / (double)exact) / log((double)o->most / (double)exact);
    int64_t place = exact + (int64_t)(share * (double)(each - exact));
    return (int32_t)(first + (place < each ? place : each - 1));
}

/* Buckets of the distances. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    (void)rows, (void)backward;
    return node->out.w * (int64_t)sizeof(int32_t);
}

static gls_status uses(gls_graph *g, int i) {
    int64_t distances = g->node[i].out.w;
    gls_view buckets = {
        .source = GLS_VIEW_AUX_TOKENS, .node = i, .positions = distances, .width = 1, .inner = 1, .stride = 1};
    return gls_graph_use(g, (gls_use){.kind = &gls_use_lookup,
                                      .node = i,
                                      .block = g->node[i].block[0],
                                      .input = buckets,
                                      .grad = gls_view_grad(g, i)});
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_relative_bias_options *o = node->options;
    const gls_real *w = gls_exec_weight(x, node->block[0]);
    int64_t size = gls_extent_size(node->out);
    gls_real *to = gls_exec_value(x, i);
    int32_t *of = gls_exec_aux(x, i);
    for (int64_t j = 0; j < node->out.w; j++) {
        of[j] = bucket(o, j - o->length + 1);
        memcpy(to + j * o->heads, w + of[j] * o->heads, (size_t)o->heads * sizeof *to);
    }
    for (int64_t r = 1; r < x->rows; r++) memcpy(to + r * size, to, (size_t)size * sizeof *to);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_relative_bias_options *o = node->options;
    int64_t shape[3] = {1, node->out.w, node->out.c};
    const gls_real *w = x->w + gls_layout_block(x->graph->layout, node->block[0])->offset;
    gls_real *table = gls_onnx_room(x->to, gls_extent_size(node->out), sizeof *table);
    if (!table) return;
    for (int64_t j = 0; j < node->out.w; j++)
        memcpy(table + j * o->heads, w + bucket(o, j - o->length + 1) * o->heads, (size_t)o->heads * sizeof *table);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_reals(x->to, node->name, false, 3, shape, table));
}

const gls_op gls_op_relative_bias = {
    .member = {.name = "relative_bias",
               .help = "a number for every head and bucket of distances between queries and keys",
               .source = "Raffel et al. 2020",
               .options = options,
               .options_size = sizeof(gls_op_relative_bias_options)},
    .formula = "y_j = weight[bucket(j - length + 1)]; of n buckets (not causal: of each side's n = buckets / 2) the "
               "first n / 2 have one distance each, the others grow with it up to `most`",
    .shapes = "tokens [w] -> [heads, 1, length], not causal [heads, 1, 2 length - 1]",
    .parameters = "weight [buckets, heads] row lookup",
    .blocks = 1,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_TOKENS | GLS_OP_LINEAR | GLS_OP_STILL,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward),
    .uses = uses,
    .aux = aux,
    .onnx = onnx,
};
