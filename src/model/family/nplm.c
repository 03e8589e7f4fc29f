/* nplm: the neural probabilistic language model of Bengio et al. (JMLR 2003): the vectors of the last words side by
 * side, one tanh layer, a softmax over the vocabulary. Where examples have one label, the mean of the hidden units over
 * the positions is classified instead. */
#include "model/layers.h"
#include "model/network.h"

typedef struct nplm_options {
    gls_family_options common;
    int64_t embedding, window, hidden;
    double dropout;
    bool tie;
} nplm_options;

static const gls_option options[] = {
    GLS_INT("embedding", nplm_options, embedding, "64", 1, 1e6, "length of a word's vector"),
    GLS_INT("window", nplm_options, window, "4", 1, 1e4, "words seen, the present one included, to predict the next"),
    GLS_INT("hidden", nplm_options, hidden, "128", 1, 1e6, "units of the hidden layer"),
    GLS_REAL("dropout", nplm_options, dropout, "0", 0, 1, "share of hidden units dropped in training",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("tie", nplm_options, tie, "false",
             "the output layer's weights are the words' vectors; hidden must equal embedding"),
    GLS_FAMILY_OPTIONS(nplm_options),
    {0},
};

/* Tied, the output layer reads the embedding's matrix: words in, words out, in one space. */
static gls_status build(gls_graph *g, const void *given) {
    const nplm_options *o = given;
    GLS_TRY(gls_family_check_tie(g, "nplm", o->tie, o->hidden, o->embedding));
    gls_op_window_options window = {o->window};
    int x = gls_family_embedding(g, o->embedding);
    x = gls_graph_add(g, "window", "window", &window, 1, &x);
    x = gls_layer_dense(g, "hidden", o->hidden, x);
    x = gls_layer(g, "tanh", "act", x);
    x = gls_layer_dropout(g, "drop", o->dropout, x);
    return gls_family_text_output(g, &o->common, o->tie, x);
}

const gls_family gls_family_nplm = {
    .type = {.member = {.name = "nplm",
                        .help = "language model on a window of words, or a classifier of texts",
                        .source = "Bengio et al. 2003",
                        .options = options,
                        .options_size = sizeof(nplm_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
