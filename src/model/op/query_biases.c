/* query_biases: every position twice, once shifted for what keys hold and once for where they are: the queries of
 * attention with relative positions (Dai et al. 2019, u and v). */
#include "model/export.h"
#include "model/op.h"
#include "model/use.h"

enum { CONTENT, PLACE, BLOCKS };

static gls_status shape(gls_graph *g, gls_node *node) {
    GLS_TRY(gls_op_takes_positions(g, node));
    node->out = (gls_extent){2 * node->in.c, 1, node->in.w};
    gls_parameter how = {.init = GLS_INIT_ZEROS};
    GLS_TRY(gls_graph_parameter(g, node, CONTENT, "content", 1, &node->in.c, GLS_BLOCK_NO_DECAY, how));
    return gls_graph_parameter(g, node, PLACE, "position", 1, &node->in.c, GLS_BLOCK_NO_DECAY, how);
}

static gls_status uses(gls_graph *g, int i) {
    for (int k = 0; k < BLOCKS; k++) {
        gls_use use = {
            .kind = &gls_use_scale_shift, .node = i, .block = g->node[i].block[k], .grad = gls_view_grad(g, i)};
        use.grad.width = use.grad.inner = g->node[i].in.c;
        use.grad.offset = k * g->node[i].in.c;
        GLS_TRY(gls_graph_use(g, use));
    }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c;
    for (int k = 0; k < BLOCKS; k++) {
        const gls_real *in = gls_exec_in(x, i, 0), *shift = gls_exec_weight(x, node->block[k]);
        gls_real *out = gls_exec_value(x, i) + k * c;
        for (int64_t p = 0; p < x->rows * node->in.w; p++, in += c, out += BLOCKS * c)
            for (int64_t j = 0; j < c; j++) out[j] = in[j] + shift[j];
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_real *e = gls_exec_grad(x, i);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    int64_t c = gls_exec_node(x, i)->in.c;
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t p = 0; p < x->rows * gls_exec_node(x, i)->in.w; p++, e += BLOCKS * c, d += c)
        for (int64_t j = 0; j < c; j++) d[j] = adds ? d[j] + e[j] + e[c + j] : e[j] + e[c + j];
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE), *part[BLOCKS];
    for (int k = 0; k < BLOCKS; k++)
        part[k] = gls_onnx_node(x->to, "Add", gls_export_name(x, i, k == CONTENT ? "content" : "position", name),
                                GLS_ONNX_ARGS(in, gls_export_weight(x, i, k)), NULL);
    gls_export_out(x, i, GLS_FORM_SEQUENCE,
                   gls_onnx_node(x->to, "Concat", x->graph->node[i].name, GLS_ONNX_ARGS(part[CONTENT], part[PLACE]),
                                 GLS_ONNX_WITH(GLS_ONNX_INT("axis", 2))));
}

const gls_op gls_op_query_biases = {
    .member = {.name = "query_biases",
               .help = "every position twice, each with a shift of its own: queries for content and for position",
               .source = "Dai et al. 2019"},
    .formula = "y = (x + content, x + position) side by side",
    .shapes = "[c, 1, w] -> [2 c, 1, w]",
    .parameters = "content [c] scale and shift; position [c] scale and shift",
    .blocks = BLOCKS,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR | GLS_OP_BY_POSITION,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward),
    .uses = uses,
    .onnx = onnx,
};
