/* transformer_xl: attention over the row and over what the rows before it left in every layer, by relative positions
 * (Dai et al. 2019): score of query i and key j = (q_i + u) . k_j + (q_i + v) . W_r r_{i-j}. */
#include "model/layer_stack.h"
#include "model/network.h"

typedef struct transformer_xl_options {
    gls_family_options common;
    int64_t dim, heads, depth, hidden, memory;
    int order;
    double dropout;
    bool tie;
} transformer_xl_options;

enum { ORDER_POST, ORDER_PRE };

static const gls_option options[] = {
    GLS_INT("dim", transformer_xl_options, dim, "128", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", transformer_xl_options, heads, "4", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("depth", transformer_xl_options, depth, "2", 1, 1e3, "layers"),
    GLS_INT("hidden", transformer_xl_options, hidden, "0", 0, 1e6, "units of a feed-forward layer; 0: 4 dim"),
    GLS_INT("memory", transformer_xl_options, memory, "0", 0, 1e6,
            "positions of the rows before that every layer sees; from 1 on the data must be streams (data.streams)"),
    GLS_ENUM("order", transformer_xl_options, order, "post", "post|pre",
             "normalise after the shortcut of each part, or in front of it"),
    GLS_REAL("dropout", transformer_xl_options, dropout, "0", 0, 1,
             "share dropped in training, in front of every addition", .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("tie", transformer_xl_options, tie, "false", "the output layer's weights are the words' vectors"),
    GLS_FAMILY_OPTIONS(transformer_xl_options),
    {0},
};

/* What layers read beside the one before them. */
typedef struct reading {
    const transformer_xl_options *o;
    int distances;
} reading;

typedef struct builder {
    gls_graph *g;
    const gls_layer_stack *layers;
    const reading *of;
    int64_t layer;
} builder;

static const char *named(const builder *b, char text[128], const char *part) {
    return gls_layer_name(text, "layer%lld.%s", (long long)b->layer, part);
}

static int plain(const builder *b, const char *part, int64_t units, int x) {
    char name[128];
    gls_op_dense_options o = {.units = units};
    return gls_graph_add(b->g, "dense", named(b, name, part), &o, 1, &x);
}

/* The positions that are seen, and the row's own among them, both normalised where that comes first. */
typedef struct seen {
    int all, own, memory;
} seen;

static seen remember(const builder *b, int x) {
    char name[128];
    bool first = b->layers->order == GLS_LAYER_ORDER_PRE;
    gls_op_memory_options memory = {b->of->o->memory};
    gls_op_slice_options own = {.first = b->of->o->memory};
    seen s = {.all = x};
    if (memory.length) s.all = s.memory = gls_graph_add(b->g, "memory", named(b, name, "memory"), &memory, 1, &x);
    if (first) s.all = gls_layer_stack_norm(b->g, b->layers, named(b, name, "norm1"), s.all);
    s.own = memory.length ? x : s.all;
    if (memory.length && first) s.own = gls_graph_add(b->g, "slice", named(b, name, "own"), &own, 1, &s.all);
    return s;
}

static int attend(gls_graph *g, const gls_layer_stack *layers, int64_t layer, int x) {
    char name[128];
    builder b = {g, layers, layers->own, layer};
    seen s = remember(&b, x);
    gls_op_attention_options attention = {.heads = layers->heads,
                                          .kv_heads = layers->heads,
                                          .causal = layers->causal,
                                          .cross = true,
                                          .relative = GLS_RELATIVE_ROWS,
                                          .memory = s.memory};
    int input[3] = {plain(&b, "query", layers->dim, s.own), plain(&b, "key_value", 2 * layers->dim, s.all),
                    plain(&b, "position", layers->dim, b.of->distances)};
    input[0] = gls_layer(g, "query_biases", named(&b, name, "query_biases"), input[0]);
    int y = gls_graph_add(g, "attention", named(&b, name, "attention"), &attention, 3, input);
    return plain(&b, "project", layers->dim, y);
}

static gls_status check(gls_graph *g, const transformer_xl_options *o) {
    bool next = gls_family_predicts_words(g);
    if (o->tie && !next) gls_graph_fail(g, "transformer_xl: tie needs next words as targets");
    if (o->memory && (!next || g->data->masked))
        gls_graph_fail(g, "transformer_xl: memory %lld needs next words as targets", (long long)o->memory);
    return g->status;
}

static gls_status build(gls_graph *g, const void *given) {
    const transformer_xl_options *o = given;
    reading of = {.o = o};
    gls_layer_stack layers = {.dim = o->dim,
                              .heads = o->heads,
                              .hidden = o->hidden,
                              .order = o->order == ORDER_PRE ? GLS_LAYER_ORDER_PRE : GLS_LAYER_ORDER_POST,
                              .feed_forward = GLS_LAYER_FEED_RELU,
                              .eps = 1e-5, /* the op's default */
                              .dropout = o->dropout,
                              .causal = gls_family_predicts_words(g) && !g->data->masked,
                              .mix = attend,
                              .own = &of};
    GLS_TRY(check(g, o));
    GLS_TRY(gls_layer_stack_check(g, "transformer_xl", &layers));
    gls_op_distances_options distances = {.dim = o->dim, .memory = o->memory, .causal = layers.causal};
    int x = gls_layer_dropout(g, "drop", o->dropout, gls_family_embedding(g, o->dim)), tokens = 0;
    of.distances = gls_graph_add(g, "distances", "distances", &distances, 1, &tokens);
    x = gls_layer_stack_add(g, &layers, o->depth, x);
    if (o->order == ORDER_PRE) x = gls_layer_stack_norm(g, &layers, "norm", x);
    return gls_family_text_output(g, &o->common, o->tie, x);
}

const gls_family gls_family_transformer_xl = {
    .type = {.member = {.name = "transformer_xl",
                        .help = "language model of attention by relative positions over the row and its forerunners, "
                                "or a classifier of texts",
                        .source = "Dai et al. 2019",
                        .options = options,
                        .options_size = sizeof(transformer_xl_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
