/* positions: adds to every position a vector of its own, learned or sinusoidal (Vaswani et al. 2017). */
#include <math.h>
#include <string.h>

#include "base/kernels.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_ENUM("kind", gls_op_positions_options, kind, "learned", GLS_POSITIONS_CHOICES, "where the vectors come from"),
    GLS_INT("size", gls_op_positions_options, size, "0", 0, 1e9,
            "learned vectors, at least as many as a row has positions; 0: as many"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_positions_options *o = node->options;
    GLS_TRY(gls_op_takes_positions(g, node));
    node->out = node->in;
    if (o->size && o->kind != GLS_POSITIONS_LEARNED)
        return gls_node_fail(g, node, "size: %lld vectors are learned, but the kind is sinusoidal", (long long)o->size);
    if (o->size && o->size < node->in.w)
        return gls_node_fail(g, node, "rows of %lld positions, but it has vectors for %lld", (long long)node->in.w,
                             (long long)o->size);
    int64_t longest = g->whole ? g->whole->node[g->nodes].in.w : node->in.w;
    int64_t size[2] = {o->size ? o->size : longest, node->in.c};
    o->by_place = g->data->documents == GLS_DOCUMENTS_PACKED || size[0] > node->in.w;
    if (o->kind != GLS_POSITIONS_LEARNED) return GLS_OK;
    gls_parameter how = {GLS_INIT_NORMAL, g->init == GLS_INIT_TORCH ? 1 : node->in.c, node->in.c};
    return gls_graph_parameter(g, node, 0, "weight", 2, size, GLS_BLOCK_NO_DECAY, how);
}

/* Places in documents, [rows, w], where the rows of the block are looked up. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    const gls_op_positions_options *o = node->options;
    (void)backward;
    return o->by_place ? rows * node->out.w * (int64_t)sizeof(int32_t) : 0;
}

/* The whole of an example is shifted by the whole of the block; or every position by its place's row of it. */
static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    if (node->block[0] < 0) return GLS_OK;
    if (((const gls_op_positions_options *)node->options)->by_place) {
        gls_view places = gls_view_tokens(g);
        places.source = GLS_VIEW_AUX_TOKENS;
        places.node = i;
        return gls_graph_use(g, (gls_use){.kind = &gls_use_lookup,
                                          .node = i,
                                          .block = node->block[0],
                                          .input = places,
                                          .grad = gls_view_grad(g, i)});
    }
    gls_view all = gls_view_grad(g, i);
    all.positions = 1;
    all.width = all.inner = all.stride = all.row_stride;
    return gls_graph_use(g, (gls_use){.kind = &gls_use_scale_shift, .node = i, .block = node->block[0], .grad = all});
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_extent_size(node->out) * (int64_t)sizeof(gls_real);
}

/* Pairs of channels: sin and cos of t / 10000^(2 k / c). */
static void sinusoids(const gls_node *node, gls_real *to) {
    int64_t c = node->out.c;
    for (int64_t t = 0; t < node->out.w; t++)
        for (int64_t k = 0; k < c; k++) {
            double angle = (double)t * pow(10000, -(double)(k - k % 2) / (double)c);
            to[t * c + k] = (gls_real)(k % 2 ? cos(angle) : sin(angle));
        }
}

/* Positions [from, to) of every row. */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *in = gls_exec_in(x, i, 0), *shift = gls_exec_weight(x, node->block[0]);
    gls_real *out = gls_exec_value(x, i);
    int64_t c = node->out.c;
    int32_t *places = gls_exec_aux(x, i);
    if (!shift) {
        sinusoids(node, x->scratch);
        shift = x->scratch;
    }
    for (int64_t p = 0, place = 0; p < x->rows * node->out.w; p++, in += c, out += c) {
        int64_t t = p % node->out.w;
        place = gls_exec_place(gls_exec_document(x, p / node->out.w), t, place);
        if (t < from || t >= to) continue;
        for (int64_t k = 0; k < c; k++) out[k] = in[k] + shift[place * c + k];
        if (places) places[p] = (int32_t)place;
    }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->out.w);
}

/* The sinusoids do not move. */
static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_op_positions_options *o = gls_exec_node(t, i)->options;
    if (o->kind == GLS_POSITIONS_LEARNED) return forward(t, i);
    memcpy(gls_exec_value(t, i), gls_exec_in(t, i, 0), (size_t)gls_exec_size(t, i) * sizeof(gls_real));
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    const char *shift = gls_export_weight(x, i, 0);
    if (!*shift) {
        int64_t shape[2] = {node->out.w, node->out.c};
        gls_real *table = gls_onnx_room(x->to, gls_extent_size(node->out), sizeof *table);
        if (!table) return;
        sinusoids(node, table);
        shift = gls_onnx_reals(x->to, gls_export_name(x, i, "table", name), false, 2, shape, table);
    }
    const gls_op_positions_options *o = node->options;
    if (o->size > node->in.w)
        shift = gls_onnx_slice(x->to, gls_export_name(x, i, "places", name), shift, 0, 0, node->in.w);
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_node(x->to, "Add", node->name, GLS_ONNX_ARGS(in, shift), NULL));
}

const gls_op gls_op_positions = {
    .member = {.name = "positions",
               .help = "a vector for every position, added",
               .source = "Vaswani et al. 2017",
               .options = options,
               .options_size = sizeof(gls_op_positions_options)},
    .formula = "y_t = x_t + weight_t; sinusoidal: + sin(t / 10000^(2 k / c)), cos(t / 10000^(2 k / c)) for pairs k of "
               "channels; t counts from the beginning of a document",
    .shapes = "[c, 1, w] -> [c, 1, w]",
    .parameters = "weight [w or size, c] scale and shift, of packed documents or with size row lookup",
    .blocks = 1,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .scratch = scratch, .forward = forward,
                            .backward = gls_exec_pass_grad, .forward_tangent = forward_tangent),
    .uses = uses,
    .aux = aux,
    .growth = &(const gls_op_growth){gls_op_ready_so_far, extend},
    .onnx = onnx,
};
