/* bert: an encoder of attention layers that see both ways; it tells hidden words, labels of a row or pair of texts, or
 * the ends of a span (Devlin et al. 2019). */
#include "model/layer_stack.h"
#include "model/network.h"

typedef struct bert_options {
    gls_family_options common;
    int64_t dim, heads, depth, hidden, positions, segments;
    int attention, inputs;
    double dropout, eps;
    bool tie;
} bert_options;

enum { ATTENTION_SOFTMAX, ATTENTION_NONE };

static const gls_option options[] = {
    GLS_INT("dim", bert_options, dim, "128", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", bert_options, heads, "2", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("depth", bert_options, depth, "2", 1, 1e3, "layers"),
    GLS_INT("hidden", bert_options, hidden, "0", 0, 1e6, "units of a feed-forward layer; 0: 4 dim"),
    GLS_INT("positions", bert_options, positions, "0", 0, 1e9,
            "learned vectors of positions, at least the rows' length; 0: as many"),
    GLS_INT("segments", bert_options, segments, "2", 0, 1e6,
            "vectors of segments: the texts of a row, parted by the data's separator; 0: none"),
    GLS_ENUM("attention", bert_options, attention, "softmax", "softmax|none",
             "none: every position keeps its own values, so that no position sees another ([A] figure 4)"),
    GLS_ENUM("inputs", bert_options, inputs, "words", GLS_FAMILY_INPUT_CHOICES, GLS_FAMILY_INPUT_HELP),
    GLS_REAL("dropout", bert_options, dropout, "0", 0, 1, "share dropped in training, in front of every addition",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_REAL("eps", bert_options, eps, "1e-12", 0, 1, "added to the variance in normalisations",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_BOOL("tie", bert_options, tie, "true", "hidden words are told by the words' own vectors"),
    GLS_FAMILY_OPTIONS(bert_options),
    {0},
};

static int embed(gls_graph *g, const bert_options *o, const gls_layer_stack *layers) {
    gls_op_segments_options segments = {.count = o->segments, .separator = g->data->separator};
    gls_op_positions_options positions = {.kind = GLS_POSITIONS_LEARNED, .size = o->positions};
    int x = gls_family_input(g, (gls_family_input_choice)o->inputs, o->dim);
    if (o->segments) x = gls_graph_add(g, "segments", "segments", &segments, 1, &x);
    x = gls_graph_add(g, "positions", "positions", &positions, 1, &x);
    return gls_layer_dropout(g, "drop", o->dropout, gls_layer_stack_norm(g, layers, "norm", x));
}

/* A layer of its own between the encoder and the words. */
static gls_status tell_words(gls_graph *g, const bert_options *o, const gls_layer_stack *layers, int x) {
    x = gls_layer(g, "gelu", "head_act", gls_layer_dense(g, "head", o->dim, x));
    return gls_family_text_output(g, &o->common, o->tie, gls_layer_stack_norm(g, layers, "head_norm", x));
}

/* What the first position says of the row, through one more layer. */
static gls_status classify(gls_graph *g, const bert_options *o, int x) {
    x = gls_layer_dense(g, "pooler", o->dim, gls_layer(g, "first", "first", x));
    x = gls_layer_dropout(g, "pooler_drop", o->dropout, gls_layer(g, "tanh", "pooler_act", x));
    gls_family_loss(g, &o->common, gls_layer_dense(g, "output", gls_family_outputs(g, &o->common), x));
    return g->status;
}

static gls_status build(gls_graph *g, const void *given) {
    const bert_options *o = given;
    gls_layer_stack layers = {.dim = o->dim,
                              .heads = o->heads,
                              .hidden = o->hidden,
                              .order = GLS_LAYER_ORDER_POST,
                              .eps = o->eps,
                              .dropout = o->dropout,
                              .alone = o->attention == ATTENTION_NONE};
    bool words = gls_family_predicts_words(g);
    if (words && !g->data->masked)
        return gls_graph_fail(g, "bert: it sees the next words, which are the targets; the transform mask_tokens hides "
                                 "some to be told instead"),
               g->status;
    if (words && o->tie && o->inputs != GLS_FAMILY_WORDS)
        return gls_graph_fail(g, "bert: tie needs words as inputs; expected tie: false"), g->status;
    GLS_TRY(gls_layer_stack_check(g, "bert", &layers));
    int x = gls_layer_stack_add(g, &layers, o->depth, embed(g, o, &layers));
    if (words) return tell_words(g, o, &layers, x);
    return gls_family_finds_spans(g) ? gls_family_span_output(g, &o->common, x) : classify(g, o, x);
}

const gls_family gls_family_bert = {
    .type = {.member = {.name = "bert",
                        .help = "attention both ways: hidden words, labels of texts or pairs of them, spans",
                        .source = "Devlin et al. 2019",
                        .options = options,
                        .options_size = sizeof(bert_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
