/* transformer: a decoder of attention and feed-forward layers with shortcuts; where examples have one label, attention
 * sees both ways and the mean over the positions is classified. */
#include "model/layer_stack.h"
#include "model/network.h"

typedef struct transformer_options {
    gls_family_options common;
    int64_t dim, heads, kv_heads, depth, hidden;
    int positions, norm, order, attention, feed_forward, inputs;
    double dropout;
    bool tie;
} transformer_options;

enum { POSITIONS_LEARNED, POSITIONS_SINUSOIDAL, POSITIONS_ROTARY, POSITIONS_NONE };
enum { ATTENTION_SOFTMAX, ATTENTION_NONE };

static const gls_option options[] = {
    GLS_INT("dim", transformer_options, dim, "128", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", transformer_options, heads, "4", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("kv_heads", transformer_options, kv_heads, "0", 0, 1e6, "heads of keys and values; 0: as many as heads"),
    GLS_INT("depth", transformer_options, depth, "2", 1, 1e3, "layers"),
    GLS_INT("hidden", transformer_options, hidden, "0", 0, 1e6,
            "units of a feed-forward layer; 0: 4 dim, of a gated one 8 dim / 3"),
    GLS_ENUM("feed_forward", transformer_options, feed_forward, "gelu", GLS_LAYER_FEED_CHOICES,
             "between its two products: gelu, or a gate by gelu or silu (Shazeer 2020)"),
    GLS_ENUM("attention", transformer_options, attention, "softmax", "softmax|none",
             "none: every position keeps its own values, so that no position sees another ([A] figure 4)"),
    GLS_ENUM("inputs", transformer_options, inputs, "words", GLS_FAMILY_INPUT_CHOICES, GLS_FAMILY_INPUT_HELP),
    GLS_ENUM("positions", transformer_options, positions, "learned", GLS_POSITIONS_CHOICES "|rotary|none",
             "vectors that are added to the words', or angles of queries and keys"),
    GLS_ENUM("norm", transformer_options, norm, "layer", GLS_LAYER_NORM_CHOICES, "normalisation"),
    GLS_ENUM("order", transformer_options, order, "pre", GLS_LAYER_ORDER_CHOICES,
             "normalise in front of each part, or after its shortcut"),
    GLS_REAL("dropout", transformer_options, dropout, "0", 0, 1,
             "share dropped in training, in front of every addition", .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("tie", transformer_options, tie, "false", "the output layer's weights are the words' vectors"),
    GLS_FAMILY_OPTIONS(transformer_options),
    {0},
};

static gls_status build(gls_graph *g, const void *given) {
    const transformer_options *o = given;
    bool next = gls_family_predicts_words(g);
    if (o->tie && o->inputs != GLS_FAMILY_WORDS)
        return gls_graph_fail(g, "transformer: tie needs words as inputs"), g->status;
    if (o->tie && !next) return gls_graph_fail(g, "transformer: tie needs next words as targets"), g->status;
    if (o->attention == ATTENTION_NONE && o->positions == POSITIONS_ROTARY)
        return gls_graph_fail(g, "transformer: rotary positions turn queries and keys, and attention is none"),
               g->status;
    /* A hidden word may be told by those behind it. */
    gls_layer_stack layers = {.dim = o->dim,
                              .heads = o->heads,
                              .kv_heads = o->kv_heads,
                              .hidden = o->hidden,
                              .norm = o->norm,
                              .order = o->order,
                              .feed_forward = o->feed_forward,
                              .eps = 1e-5, /* the ops' default */
                              .dropout = o->dropout,
                              .causal = next && !g->data->masked,
                              .rotary = o->positions == POSITIONS_ROTARY,
                              .alone = o->attention == ATTENTION_NONE};
    GLS_TRY(gls_layer_stack_check(g, "transformer", &layers));
    gls_op_positions_options positions = {.kind = o->positions};
    int x = gls_family_input(g, (gls_family_input_choice)o->inputs, o->dim);
    if (o->positions <= POSITIONS_SINUSOIDAL) x = gls_graph_add(g, "positions", "positions", &positions, 1, &x);
    x = gls_layer_dropout(g, "drop", o->dropout, x);
    x = gls_layer_stack_add(g, &layers, o->depth, x);
    if (o->order == GLS_LAYER_ORDER_PRE) x = gls_layer_stack_norm(g, &layers, "norm", x);
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
