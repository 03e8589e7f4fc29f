/* lstm: a language model of LSTM layers; where examples have one label, the mean over the positions is classified. */
#include "model/layers.h"
#include "model/network.h"

typedef struct lstm_options {
    gls_family_options common;
    int64_t embedding, hidden, depth;
    double dropout;
    bool tie, carry;
} lstm_options;

static const gls_option options[] = {
    GLS_INT("embedding", lstm_options, embedding, "128", 1, 1e6, "length of a word's vector"),
    GLS_INT("hidden", lstm_options, hidden, "128", 1, 1e6, "units of a layer"),
    GLS_INT("depth", lstm_options, depth, "1", 1, 1e3, "layers"),
    GLS_REAL("dropout", lstm_options, dropout, "0", 0, 1, "share of a layer's inputs and outputs dropped in training",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("tie", lstm_options, tie, "false",
             "the output layer's weights are the words' vectors; hidden must equal embedding"),
    GLS_BOOL("carry", lstm_options, carry, "false",
             "a row of a stream (data.streams) begins with the state that the row before it ended with"),
    GLS_FAMILY_OPTIONS(lstm_options),
    {0},
};

/* Without a carry the layer has one input. */
static int add_layer(gls_graph *g, const lstm_options *o, int64_t k, int x) {
    char name[128];
    gls_op_lstm_options layer = {.units = o->hidden, .bias = true};
    gls_op_carry_options carry = {o->hidden};
    int input[2] = {x, 0};
    if (o->carry)
        input[1] = gls_graph_add(g, "carry", gls_layer_name(name, "carry%lld", (long long)k), &carry, 1, input + 1);
    return gls_graph_add(g, "lstm", gls_layer_name(name, "lstm%lld", (long long)k), &layer, o->carry ? 2 : 1, input);
}

static gls_status build(gls_graph *g, const void *given) {
    const lstm_options *o = given;
    GLS_TRY(gls_family_check_tie(g, "lstm", o->tie, o->hidden, o->embedding));
    char name[128];
    int x = gls_family_embedding(g, o->embedding);
    x = gls_layer_dropout(g, "drop", o->dropout, x);
    for (int64_t k = 1; k <= o->depth; k++) {
        x = add_layer(g, o, k, x);
        x = gls_layer_dropout(g, gls_layer_name(name, "drop%lld", (long long)k), o->dropout, x);
    }
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
