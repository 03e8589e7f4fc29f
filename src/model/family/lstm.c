/* lstm: a language model of LSTM layers; where examples have one label, the mean over the positions or the last one is
 * classified. */
#include "model/layers.h"
#include "model/network.h"

typedef struct lstm_options {
    gls_family_options common;
    int64_t embedding, hidden, depth;
    double dropout, word_dropout, weight_drop, activity, change;
    int pool;
    bool locked, tie, carry;
} lstm_options;

enum { POOL_MEAN, POOL_LAST };

static const gls_option options[] = {
    GLS_INT("embedding", lstm_options, embedding, "128", 1, 1e6, "length of a word's vector"),
    GLS_INT("hidden", lstm_options, hidden, "128", 1, 1e6, "units of a layer"),
    GLS_INT("depth", lstm_options, depth, "1", 1, 1e3, "layers"),
    GLS_REAL("dropout", lstm_options, dropout, "0", 0, 1, "share of a layer's inputs and outputs dropped in training",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("locked", lstm_options, locked, "false", "dropout drops the same units at all positions of an example"),
    GLS_REAL("word_dropout", lstm_options, word_dropout, "0", 0, 1, "share of words whose vectors are dropped",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_REAL("weight_drop", lstm_options, weight_drop, "0", 0, 1, "share of recurrent weights dropped",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_REAL("activity", lstm_options, activity, "0", 0, 1e9,
             "in training, times the mean square of the last layer's outputs after dropout, added to the loss"),
    GLS_REAL("change", lstm_options, change, "0", 0, 1e9,
             "in training, times the mean square of their changes over time before it, added to the loss"),
    GLS_BOOL("tie", lstm_options, tie, "false",
             "the output layer's weights are the words' vectors; hidden must equal embedding"),
    GLS_BOOL("carry", lstm_options, carry, "false",
             "a row of a stream (data.streams) begins with the state that the row before it ended with"),
    GLS_ENUM("pool", lstm_options, pool, "mean", "mean|last",
             "what of a text with one label is classified: the mean over its positions, or the last one; padding left "
             "out"),
    GLS_FAMILY_OPTIONS(lstm_options),
    {0},
};

/* Without a carry the layer has one input. */
static int add_layer(gls_graph *g, const lstm_options *o, int64_t k, int x) {
    char name[128];
    gls_op_lstm_options layer = {.units = o->hidden, .bias = true, .weight_drop = o->weight_drop};
    gls_op_carry_options carry = {o->hidden};
    int input[2] = {x, 0};
    if (o->carry)
        input[1] = gls_graph_add(g, "carry", gls_layer_name(name, "carry%lld", (long long)k), &carry, 1, input + 1);
    return gls_graph_add(g, "lstm", gls_layer_name(name, "lstm%lld", (long long)k), &layer, o->carry ? 2 : 1, input);
}

static gls_status build(gls_graph *g, const void *given) {
    const lstm_options *o = given;
    bool one_label = g->data && g->data->target == GLS_TARGET_CLASS;
    if (o->pool == POOL_LAST && !one_label)
        return gls_graph_fail(g, "lstm: pool: last classifies texts; expected rows with one label each"), g->status;
    GLS_TRY(gls_family_check_tie(g, "lstm", o->tie, o->hidden, o->embedding));
    char name[128];
    gls_op_dropout_options drop = {o->dropout, o->locked ? GLS_DROPOUT_CHANNELS : GLS_DROPOUT_ELEMENTS};
    int x = gls_family_embedding(g, o->embedding);
    x = gls_layer_dropout_of(g, "drop_words", (gls_op_dropout_options){o->word_dropout, GLS_DROPOUT_WORDS}, x);
    x = gls_layer_dropout_of(g, "drop", drop, x);
    for (int64_t k = 1; k <= o->depth; k++) {
        x = add_layer(g, o, k, x);
        if (k == o->depth) x = gls_layer_penalty(g, "change", (gls_op_penalty_options){.change = o->change}, x);
        x = gls_layer_dropout_of(g, gls_layer_name(name, "drop%lld", (long long)k), drop, x);
    }
    x = gls_layer_penalty(g, "activity", (gls_op_penalty_options){.square = o->activity}, x);
    if (o->pool == POOL_LAST) x = gls_layer(g, "last", "last", x);
    return gls_family_text_output(g, &o->common, o->tie, x);
}

const gls_family gls_family_lstm = {
    .type = {.member = {.name = "lstm",
                        .help = "recurrent language model, or a classifier of texts",
                        .source = "Hochreiter and Schmidhuber 1997",
                        .options = options,
                        .options_size = sizeof(lstm_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
