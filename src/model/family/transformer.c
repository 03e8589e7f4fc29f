/* transformer: a decoder of attention and feed-forward layers with shortcuts; where examples have one label, attention
 * sees both ways and the mean over the positions is classified. */
#include "model/layers.h"
#include "model/network.h"

typedef struct transformer_options {
    gls_family_options common;
    int64_t dim, heads, kv_heads, depth, hidden;
    int positions, norm, order;
    double dropout;
    bool tie;
} transformer_options;

enum { ORDER_PRE, ORDER_POST };

static const gls_option options[] = {
    GLS_INT("dim", transformer_options, dim, "128", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", transformer_options, heads, "4", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("kv_heads", transformer_options, kv_heads, "0", 0, 1e6, "heads of keys and values; 0: as many as heads"),
    GLS_INT("depth", transformer_options, depth, "2", 1, 1e3, "layers"),
    GLS_INT("hidden", transformer_options, hidden, "0", 0, 1e6, "units of a feed-forward layer; 0: 4 dim"),
    GLS_ENUM("positions", transformer_options, positions, "learned", GLS_POSITIONS_CHOICES, "vectors of the positions"),
    GLS_ENUM("norm", transformer_options, norm, "layer", "layer|rms", "normalisation"),
    GLS_ENUM("order", transformer_options, order, "pre", "pre|post",
             "normalise in front of each part, or after its shortcut"),
    GLS_REAL("dropout", transformer_options, dropout, "0", 0, 1,
             "share dropped in training, in front of every addition", .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("tie", transformer_options, tie, "false", "the output layer's weights are the words' vectors"),
    GLS_FAMILY_OPTIONS(transformer_options),
    {0},
};

typedef struct builder {
    gls_graph *g;
    const transformer_options *o;
    int64_t layer;
    bool causal;
} builder;

static const char *named(const builder *b, char text[128], const char *part) {
    return gls_layer_name(text, "layer%lld.%s", (long long)b->layer, part);
}

static int normalise(const builder *b, const char *name, int x) {
    return gls_layer(b->g, b->o->norm ? "rms_norm" : "layer_norm", name, x);
}

/* Drops, adds the shortcut, and normalises if that comes last. */
static int join(const builder *b, const char *drop, const char *add, const char *norm, int shortcut, int y) {
    char name[128];
    int both[2] = {gls_layer_dropout(b->g, named(b, name, drop), b->o->dropout, y), shortcut};
    int x = gls_graph_add(b->g, "add", named(b, name, add), NULL, 2, both);
    return b->o->order == ORDER_POST ? normalise(b, named(b, name, norm), x) : x;
}

static int attend(const builder *b, int x) {
    char name[128];
    const transformer_options *o = b->o;
    int64_t kv_heads = o->kv_heads ? o->kv_heads : o->heads;
    gls_op_attention_options attention = {.heads = o->heads, .kv_heads = kv_heads, .causal = b->causal};
    int y = o->order == ORDER_PRE ? normalise(b, named(b, name, "norm1"), x) : x;
    y = gls_layer_dense(b->g, named(b, name, "qkv"), o->dim / o->heads * (o->heads + 2 * kv_heads), y);
    y = gls_graph_add(b->g, "attention", named(b, name, "attention"), &attention, 1, &y);
    y = gls_layer_dense(b->g, named(b, name, "project"), o->dim, y);
    return join(b, "drop1", "add1", "norm1", x, y);
}

static int feed_forward(const builder *b, int x) {
    char name[128];
    const transformer_options *o = b->o;
    int y = o->order == ORDER_PRE ? normalise(b, named(b, name, "norm2"), x) : x;
    y = gls_layer_dense(b->g, named(b, name, "fc1"), o->hidden ? o->hidden : 4 * o->dim, y);
    y = gls_layer(b->g, "gelu", named(b, name, "act"), y);
    y = gls_layer_dense(b->g, named(b, name, "fc2"), o->dim, y);
    return join(b, "drop2", "add2", "norm2", x, y);
}

static gls_status build(gls_graph *g, const void *given) {
    const transformer_options *o = given;
    bool next = gls_family_predicts_words(g);
    if (o->tie && !next) return gls_graph_fail(g, "transformer: tie needs next words as targets"), g->status;
    if (o->dim % o->heads != 0)
        return gls_graph_fail(g, "transformer: %lld heads do not divide dim %lld", (long long)o->heads,
                              (long long)o->dim),
               g->status;
    builder b = {.g = g, .o = o, .causal = next};
    gls_op_positions_options positions = {.kind = o->positions};
    int x = gls_family_embedding(g, o->dim);
    x = gls_graph_add(g, "positions", "positions", &positions, 1, &x);
    x = gls_layer_dropout(g, "drop", o->dropout, x);
    for (b.layer = 1; b.layer <= o->depth; b.layer++) x = feed_forward(&b, attend(&b, x));
    if (o->order == ORDER_PRE) x = normalise(&b, "norm", x);
    return gls_family_text_output(g, &o->common, o->tie, x);
}

const gls_family gls_family_transformer = {
    .type = {.member = {.name = "transformer",
                        .help = "language model of attention layers, or a classifier of texts",
                        .source = "Vaswani et al. 2017",
                        .options = options,
                        .options_size = sizeof(transformer_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
