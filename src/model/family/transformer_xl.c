/* transformer_xl: attention over the row and over what the rows before it left in every layer, by relative positions
 * (Dai et al. 2019): score of query i and key j = (q_i + u) . k_j + (q_i + v) . W_r r_{i-j}. */
#include "model/layers.h"
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

typedef struct builder {
    gls_graph *g;
    const transformer_xl_options *o;
    int64_t layer;
    int distances;
    bool causal;
} builder;

static const char *named(const builder *b, char text[128], const char *part) {
    return gls_layer_name(text, "layer%lld.%s", (long long)b->layer, part);
}

static int plain(const builder *b, const char *part, int64_t units, int x) {
    char name[128];
    gls_op_dense_options o = {.units = units};
    return gls_graph_add(b->g, "dense", named(b, name, part), &o, 1, &x);
}

static int join(const builder *b, int part, int shortcut, int y) {
    char name[128];
    const char *const drop[] = {"drop1", "drop2"}, *const add[] = {"add1", "add2"};
    int both[2] = {gls_layer_dropout(b->g, named(b, name, drop[part]), b->o->dropout, y), shortcut};
    int x = gls_graph_add(b->g, "add", named(b, name, add[part]), NULL, 2, both);
    return b->o->order == ORDER_POST ? gls_layer(b->g, "layer_norm", named(b, name, part ? "norm2" : "norm1"), x) : x;
}

/* The positions that are seen, and the row's own among them, both normalised where that comes first. */
typedef struct seen {
    int all, own, memory;
} seen;

static seen remember(const builder *b, int x) {
    char name[128];
    seen s = {.all = x};
    gls_op_memory_options memory = {b->o->memory};
    gls_op_slice_options own = {.first = b->o->memory};
    if (memory.length) s.all = s.memory = gls_graph_add(b->g, "memory", named(b, name, "memory"), &memory, 1, &x);
    if (b->o->order == ORDER_PRE) s.all = gls_layer(b->g, "layer_norm", named(b, name, "norm1"), s.all);
    s.own = s.all;
    if (memory.length)
        s.own = b->o->order == ORDER_PRE ? gls_graph_add(b->g, "slice", named(b, name, "own"), &own, 1, &s.all) : x;
    return s;
}

static int attend(const builder *b, int x) {
    char name[128];
    const transformer_xl_options *o = b->o;
    seen s = remember(b, x);
    gls_op_attention_options attention = {.heads = o->heads,
                                          .kv_heads = o->heads,
                                          .causal = b->causal,
                                          .cross = true,
                                          .relative = GLS_RELATIVE_ROWS,
                                          .memory = s.memory};
    int input[3] = {plain(b, "query", o->dim, s.own), plain(b, "key_value", 2 * o->dim, s.all),
                    plain(b, "position", o->dim, b->distances)};
    input[0] = gls_layer(b->g, "query_biases", named(b, name, "query_biases"), input[0]);
    int y = gls_graph_add(b->g, "attention", named(b, name, "attention"), &attention, 3, input);
    return join(b, 0, x, plain(b, "project", o->dim, y));
}

static int feed_forward(const builder *b, int x) {
    char name[128];
    int y = b->o->order == ORDER_PRE ? gls_layer(b->g, "layer_norm", named(b, name, "norm2"), x) : x;
    y = gls_layer_dense(b->g, named(b, name, "fc1"), b->o->hidden ? b->o->hidden : 4 * b->o->dim, y);
    y = gls_layer(b->g, "relu", named(b, name, "act"), y);
    return join(b, 1, x, gls_layer_dense(b->g, named(b, name, "fc2"), b->o->dim, y));
}

static gls_status check(gls_graph *g, const transformer_xl_options *o, bool next) {
    if (o->tie && !next) gls_graph_fail(g, "transformer_xl: tie needs next words as targets");
    if (o->memory && (!next || g->data->masked))
        gls_graph_fail(g, "transformer_xl: memory %lld needs next words as targets", (long long)o->memory);
    if (o->dim % o->heads != 0)
        gls_graph_fail(g, "transformer_xl: %lld heads do not divide dim %lld", (long long)o->heads, (long long)o->dim);
    return g->status;
}

static gls_status build(gls_graph *g, const void *given) {
    const transformer_xl_options *o = given;
    bool next = gls_family_predicts_words(g);
    builder b = {.g = g, .o = o, .causal = next && !g->data->masked};
    GLS_TRY(check(g, o, next));
    gls_op_distances_options distances = {.dim = o->dim, .memory = o->memory, .causal = b.causal};
    int x = gls_layer_dropout(g, "drop", o->dropout, gls_family_embedding(g, o->dim)), tokens = 0;
    b.distances = gls_graph_add(g, "distances", "distances", &distances, 1, &tokens);
    for (b.layer = 1; b.layer <= o->depth; b.layer++) x = feed_forward(&b, attend(&b, x));
    if (o->order == ORDER_PRE) x = gls_layer(g, "layer_norm", "norm", x);
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
