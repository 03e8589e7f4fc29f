/* segments: adds to every position the vector of its segment: of the first text of a row, of the second one, ... */
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("count", gls_op_segments_options, count, "2", 1, 1e6, "segments; later texts are of the last one"),
    GLS_INT("separator", gls_op_segments_options, separator, "0", 0, INT32_MAX,
            "the token that ends a text; 0: a row is one text"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_segments_options *o = node->options;
    GLS_TRY(gls_op_takes_positions(g, node));
    if (node->in.w != g->data->length)
        return gls_node_fail(g, node, "takes a position for each of %lld tokens, got %lld", (long long)g->data->length,
                             (long long)node->in.w);
    node->out = node->in;
    int64_t size[2] = {o->count, node->in.c};
    gls_parameter how = {GLS_INIT_NORMAL, g->init == GLS_INIT_TORCH ? 1 : node->in.c, node->in.c};
    return gls_graph_parameter(g, node, 0, "weight", 2, size, GLS_BLOCK_NO_DECAY, how);
}

/* Segments [rows, w]. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    (void)backward;
    return rows * node->out.w * (int64_t)sizeof(int32_t);
}

static gls_status uses(gls_graph *g, int i) {
    gls_view segments = gls_view_tokens(g);
    segments.source = GLS_VIEW_AUX_TOKENS;
    segments.node = i;
    return gls_graph_use(g, (gls_use){.kind = &gls_use_lookup,
                                      .node = i,
                                      .block = g->node[i].block[0],
                                      .input = segments,
                                      .grad = gls_view_grad(g, i)});
}

/* The token that ends a text is of it. A document begins with its first segment. */
static void number(const gls_exec *x, const gls_op_segments_options *o, int64_t row, int32_t *segment) {
    const gls_batch *batch = x->args->rows;
    const int32_t *token = batch->token + row * batch->length, *document = gls_exec_document(x, row);
    int32_t at = 0;
    for (int64_t t = 0; t < batch->length; t++) {
        if (gls_exec_place(document, t, 0) == 0) at = 0;
        segment[t] = at;
        if (o->separator && token[t] == o->separator && at + 1 < o->count) at++;
    }
}

/* Positions [from, to). */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *in = gls_exec_in(x, i, 0), *w = gls_exec_weight(x, node->block[0]);
    gls_real *out = gls_exec_value(x, i);
    int32_t *segment = gls_exec_aux(x, i);
    int64_t c = node->out.c, length = node->out.w;
    for (int64_t r = 0; r < x->rows; r++) number(x, node->options, r, segment + r * length);
    for (int64_t p = 0; p < x->rows * length; p++)
        for (int64_t k = 0; p % length >= from && p % length < to && k < c; k++)
            out[p * c + k] = in[p * c + k] + w[segment[p] * c + k];
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->out.w);
}

/* Of every position the separators before it, at most count - 1. */
static const char *segments_onnx(gls_export *x, int i, const gls_op_segments_options *o) {
    enum { FLOATS = 1, WHOLE = 7 }; /* types of ONNX */
    gls_onnx *to = x->to;
    char name[GLS_ONNX_NAME];
    const char *separator = gls_onnx_ints(to, "separator", 1, &o->separator);
    const char *most = gls_onnx_real(to, gls_export_name(x, i, "last", name), (double)o->count - 1);
    const char *axis = gls_onnx_ints(to, "axis", 1, (const int64_t[]){1});
    const char *y = gls_onnx_node(to, "Equal", gls_export_name(x, i, "ends", name),
                                  GLS_ONNX_ARGS(gls_export_rows(x), separator), NULL);
    y = gls_onnx_node(to, "Cast", gls_export_name(x, i, "ones", name), GLS_ONNX_ARGS(y),
                      GLS_ONNX_WITH(GLS_ONNX_INT("to", FLOATS)));
    y = gls_onnx_node(to, "CumSum", gls_export_name(x, i, "before", name), GLS_ONNX_ARGS(y, axis),
                      GLS_ONNX_WITH(GLS_ONNX_INT("exclusive", 1)));
    y = gls_onnx_node(to, "Min", gls_export_name(x, i, "segment", name), GLS_ONNX_ARGS(y, most), NULL);
    return gls_onnx_node(to, "Cast", gls_export_name(x, i, "number", name), GLS_ONNX_ARGS(y),
                         GLS_ONNX_WITH(GLS_ONNX_INT("to", WHOLE)));
}

static void onnx(gls_export *x, int i) {
    const gls_op_segments_options *o = x->graph->node[i].options;
    char name[GLS_ONNX_NAME];
    const char *weight = gls_export_weight(x, i, 0), *shift;
    if (o->separator)
        shift = gls_onnx_node(x->to, "Gather", gls_export_name(x, i, "shift", name),
                              GLS_ONNX_ARGS(weight, segments_onnx(x, i, o)), NULL);
    else
        shift = gls_onnx_slice(x->to, gls_export_name(x, i, "shift", name), weight, 0, 0, 1);
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    gls_export_out(x, i, GLS_FORM_SEQUENCE,
                   gls_onnx_node(x->to, "Add", x->graph->node[i].name, GLS_ONNX_ARGS(in, shift), NULL));
}

const gls_op gls_op_segments = {
    .member = {.name = "segments",
               .help = "a vector for every text of a row, added to its positions",
               .source = "Devlin et al. 2019",
               .options = options,
               .options_size = sizeof(gls_op_segments_options)},
    .formula = "y_t = x_t + weight_s, s the separators before t in its document, at most count - 1",
    .shapes = "[c, 1, w] -> [c, 1, w]",
    .parameters = "weight [count, c] row lookup",
    .blocks = 1,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = gls_exec_pass_grad),
    .uses = uses,
    .aux = aux,
    .growth = &(const gls_op_growth){gls_op_ready_so_far, extend},
    .onnx = onnx,
};
