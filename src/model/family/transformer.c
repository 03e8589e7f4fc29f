/* transformer: a decoder of attention and feed-forward layers with shortcuts; where examples have one label, attention
 * sees both ways and the mean over the positions is classified. */
#include "model/layers.h"
#include "model/network.h"

typedef struct transformer_options {
    gls_family_options common;
    int64_t dim, heads, kv_heads, depth, hidden;
    int positions, norm, order, attention, feed_forward, inputs;
    double dropout;
    bool tie;
} transformer_options;

enum { ORDER_PRE, ORDER_POST };
enum { POSITIONS_LEARNED, POSITIONS_SINUSOIDAL, POSITIONS_ROTARY, POSITIONS_NONE };
enum { ATTENTION_SOFTMAX, ATTENTION_NONE };
enum { FEED_GELU, FEED_GEGLU, FEED_SWIGLU };

static const gls_option options[] = {
    GLS_INT("dim", transformer_options, dim, "128", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", transformer_options, heads, "4", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("kv_heads", transformer_options, kv_heads, "0", 0, 1e6, "heads of keys and values; 0: as many as heads"),
    GLS_INT("depth", transformer_options, depth, "2", 1, 1e3, "layers"),
    GLS_INT("hidden", transformer_options, hidden, "0", 0, 1e6,
            "units of a feed-forward layer; 0: 4 dim, of a gated one 8 dim / 3"),
    GLS_ENUM("feed_forward", transformer_options, feed_forward, "gelu", "gelu|geglu|swiglu",
             "between its two products: gelu, or a gate by gelu or silu (Shazeer 2020)"),
    GLS_ENUM("attention", transformer_options, attention, "softmax", "softmax|none",
             "none: every position keeps its own values, so that no position sees another ([A] figure 4)"),
    GLS_ENUM("inputs", transformer_options, inputs, "words", GLS_FAMILY_INPUT_CHOICES, GLS_FAMILY_INPUT_HELP),
    GLS_ENUM("positions", transformer_options, positions, "learned", GLS_POSITIONS_CHOICES "|rotary|none",
             "vectors that are added to the words', or angles of queries and keys"),
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

static int project(const builder *b, int shortcut, int y) {
    char name[128];
    return join(b, "drop1", "add1", "norm1", shortcut, gls_layer_dense(b->g, named(b, name, "project"), b->o->dim, y));
}

/* What is left of attention where every position takes its own values alone. */
static int keep_values(const builder *b, int x) {
    char name[128];
    int y = b->o->order == ORDER_PRE ? normalise(b, named(b, name, "norm1"), x) : x;
    return project(b, x, gls_layer_dense(b->g, named(b, name, "value"), b->o->dim, y));
}

static int attend(const builder *b, int x) {
    char name[128];
    const transformer_options *o = b->o;
    int64_t kv_heads = o->kv_heads ? o->kv_heads : o->heads;
    gls_op_attention_options attention = {.heads = o->heads, .kv_heads = kv_heads, .causal = b->causal};
    gls_op_rotary_options rotary = {.heads = o->heads, .kv_heads = kv_heads, .base = 1e4}; /* the op's default */
    int y = o->order == ORDER_PRE ? normalise(b, named(b, name, "norm1"), x) : x;
    y = gls_layer_dense(b->g, named(b, name, "qkv"), o->dim / o->heads * (o->heads + 2 * kv_heads), y);
    if (o->positions == POSITIONS_ROTARY) y = gls_graph_add(b->g, "rotary", named(b, name, "rotary"), &rotary, 1, &y);
    y = gls_graph_add(b->g, "attention", named(b, name, "attention"), &attention, 1, &y);
    return project(b, x, y);
}

static int feed_forward(const builder *b, int x) {
    char name[128];
    const transformer_options *o = b->o;
    int y = o->order == ORDER_PRE ? normalise(b, named(b, name, "norm2"), x) : x;
    bool gated = o->feed_forward != FEED_GELU;
    int64_t hidden = o->hidden ? o->hidden : gated ? 8 * o->dim / 3 : 4 * o->dim;
    y = gls_layer_dense(b->g, named(b, name, "fc1"), gated ? 2 * hidden : hidden, y);
    gls_op_gate_options gate = {o->feed_forward == FEED_SWIGLU ? GLS_GATE_SILU : GLS_GATE_GELU};
    y = gls_graph_add(b->g, gated ? "gate" : "gelu", named(b, name, "act"), gated ? &gate : NULL, 1, &y);
    y = gls_layer_dense(b->g, named(b, name, "fc2"), o->dim, y);
    return join(b, "drop2", "add2", "norm2", x, y);
}

static gls_status build(gls_graph *g, const void *given) {
    const transformer_options *o = given;
    bool next = gls_family_predicts_words(g);
    if (o->tie && o->inputs != GLS_FAMILY_WORDS)
        return gls_graph_fail(g, "transformer: tie needs words as inputs"), g->status;
    if (o->tie && !next) return gls_graph_fail(g, "transformer: tie needs next words as targets"), g->status;
    if (o->attention == ATTENTION_NONE && o->positions == POSITIONS_ROTARY)
        return gls_graph_fail(g, "transformer: rotary positions turn queries and keys, and attention is none"),
               g->status;
    if (o->attention == ATTENTION_SOFTMAX && o->dim % o->heads != 0)
        return gls_graph_fail(g, "transformer: %lld heads do not divide dim %lld", (long long)o->heads,
                              (long long)o->dim),
               g->status;
    builder b = {.g = g, .o = o, .causal = next};
    gls_op_positions_options positions = {.kind = o->positions};
    int x = gls_family_input(g, (gls_family_input_choice)o->inputs, o->dim);
    if (o->positions <= POSITIONS_SINUSOIDAL) x = gls_graph_add(g, "positions", "positions", &positions, 1, &x);
    x = gls_layer_dropout(g, "drop", o->dropout, x);
    for (b.layer = 1; b.layer <= o->depth; b.layer++)
        x = feed_forward(&b, o->attention == ATTENTION_NONE ? keep_values(&b, x) : attend(&b, x));
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
