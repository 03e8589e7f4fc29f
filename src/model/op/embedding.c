/* embedding: y_t = W[token_t] for the tokens of an example, W [vocabulary, dim]. */
#include <string.h>

#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("dim", gls_op_embedding_options, dim, NULL, 1, 1e9, "length of a token's vector",
            .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("tie", gls_op_embedding_options, tie, NULL, "share the weights of this parameter"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_embedding_options *o = node->options;
    if (node->input[0] != 0 || !g->data->vocabulary)
        return gls_node_fail(g, node, "takes tokens, but its input is %s",
                             node->input[0] != 0 ? "a layer's output" : "features");
    node->out = (gls_extent){o->dim, 1, g->data->length};
    if (o->tie) return gls_graph_tie(g, node, 0, o->tie, g->data->vocabulary, o->dim);
    gls_parameter how = {GLS_INIT_NORMAL, o->unit || g->init == GLS_INIT_TORCH ? 1 : o->dim, o->dim};
    int64_t size[2] = {g->data->vocabulary, o->dim};
    return gls_graph_parameter(g, node, 0, "weight", 2, size, gls_use_matrix_flags(size), how);
}

static gls_status uses(gls_graph *g, int i) {
    return gls_graph_use(g, (gls_use){.kind = &gls_use_lookup,
                                      .node = i,
                                      .block = g->node[i].block[0],
                                      .input = gls_view_tokens(g),
                                      .grad = gls_view_grad(g, i)});
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_batch *batch = x->args->rows;
    const gls_real *w = gls_exec_weight(x, node->block[0]);
    int64_t dim = node->out.c, vocabulary = x->graph->data->vocabulary;
    for (int64_t t = 0; t < x->rows * batch->length; t++) {
        int64_t token = batch->token[t];
        if (token < 0 || token >= vocabulary)
            return gls_fail(x->ctx, GLS_ERR_INPUT, "example %lld has token %lld, expected 0 to %lld",
                            (long long)batch->index[t / batch->length], (long long)token, (long long)vocabulary - 1);
        memcpy(gls_exec_value(x, i) + t * dim, w + token * dim, (size_t)dim * sizeof *w);
    }
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const char *weight = gls_export_weight(x, i, 0);
    gls_export_out(x, i, GLS_FORM_SEQUENCE,
                   gls_onnx_node(x->to, "Gather", x->graph->node[i].name,
                                 GLS_ONNX_ARGS(weight, gls_export_in(x, i, 0, GLS_FORM_SEQUENCE)), NULL));
}

const gls_op gls_op_embedding = {
    .member = {.name = "embedding",
               .help = "a vector for every token",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_embedding_options)},
    .formula = "y_t = weight[token_t]",
    .shapes = "tokens [w] -> [dim, 1, w]",
    .parameters = "weight [vocabulary, dim] row lookup",
    .blocks = 1,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_TOKENS | GLS_OP_LINEAR | GLS_OP_BY_POSITION,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward),
    .uses = uses,
    .onnx = onnx,
};
