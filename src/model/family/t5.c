/* t5: an encoder of a row's first tokens and a decoder that continues them (Raffel et al. 2020, prefix language
 * modelling); where examples have one label, the encoder alone reads the row and the mean over its positions is
 * classified. Attention has a relative bias that the layers of a stack share; no layer but a classifier's has a bias.
 */
#include "model/layers.h"
#include "model/network.h"

#include <math.h>

typedef struct t5_options {
    gls_family_options common;
    int64_t dim, heads, head_dim, depth, hidden, buckets, most, source;
    int feed_forward;
    double dropout, eps;
    bool tie;
} t5_options;

enum { FEED_RELU, FEED_GEGLU };

static const gls_option options[] = {
    GLS_INT("dim", t5_options, dim, "128", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", t5_options, heads, "4", 1, 1e6, "heads of attention"),
    GLS_INT("head_dim", t5_options, head_dim, "0", 0, 1e6, "channels of a head; 0: dim / heads"),
    GLS_INT("depth", t5_options, depth, "2", 1, 1e3, "layers of the encoder, and as many of the decoder"),
    GLS_INT("hidden", t5_options, hidden, "0", 0, 1e6,
            "units of a feed-forward layer; 0: 4 dim, of a gated one 8 dim / 3"),
    GLS_ENUM("feed_forward", t5_options, feed_forward, "relu", "relu|geglu",
             "between its two products: relu, or a gate by gelu"),
    GLS_INT("source", t5_options, source, "0", 0, 1e9,
            "tokens of a row that the encoder reads; the decoder begins with the last of them; 0: half of the row"),
    GLS_INT("buckets", t5_options, buckets, "32", 4, 1e6, "buckets of distances"),
    GLS_INT("max_distance", t5_options, most, "128", 1, 1e9, "distances from here on share a bucket"),
    GLS_REAL("eps", t5_options, eps, "1e-6", 0, 1, "of rms_norm", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("dropout", t5_options, dropout, "0", 0, 1,
             "share dropped in training, of the input and output of a stack and in front of every addition",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_BOOL("tie", t5_options, tie, "true",
             "the output layer's weights are the words' vectors, and its input is divided by sqrt(dim)"),
    GLS_FAMILY_OPTIONS(t5_options),
    {0},
};

typedef struct builder {
    gls_graph *g;
    const t5_options *o;
    const char *stack;
    int64_t layer, head_dim;
    int bias, encoded; /* the stack's; what the decoder reads, -1: this is the encoder */
} builder;

static const char *named(const builder *b, char text[128], const char *part) {
    return gls_layer_name(text, "%s.layer%lld.%s", b->stack, (long long)b->layer, part);
}

static int normalise(const builder *b, const char *name, int x) {
    gls_op_layer_norm_options eps = {b->o->eps};
    return gls_graph_add(b->g, "rms_norm", name, &eps, 1, &x);
}

/* Scores are not divided by sqrt(head_dim): the queries' initial weights are. */
static int dense(const builder *b, const char *part, int64_t units, int64_t calm, int x) {
    char name[128];
    gls_op_dense_options o = {.units = units, .calm = calm};
    return gls_graph_add(b->g, "dense", named(b, name, part), &o, 1, &x);
}

static int join(const builder *b, const char *drop, const char *add, int shortcut, int y) {
    char name[128];
    int both[2] = {gls_layer_dropout(b->g, named(b, name, drop), b->o->dropout, y), shortcut};
    return gls_graph_add(b->g, "add", named(b, name, add), NULL, 2, both);
}

static int attend(const builder *b, int x) {
    char name[128];
    int64_t inner = b->o->heads * b->head_dim;
    gls_op_attention_options attention = {.heads = b->o->heads,
                                          .kv_heads = b->o->heads,
                                          .causal = b->encoded >= 0,
                                          .unscaled = true,
                                          .cross = true,
                                          .relative = GLS_RELATIVE_BIAS};
    int y = normalise(b, named(b, name, "norm1"), x);
    int input[3] = {dense(b, "query", inner, b->head_dim, y), dense(b, "key_value", 2 * inner, 1, y), b->bias};
    y = gls_graph_add(b->g, "attention", named(b, name, "attention"), &attention, 3, input);
    return join(b, "drop1", "add1", x, dense(b, "project", b->o->dim, 1, y));
}

/* The decoder's positions look at the encoder's, without a bias. */
static int attend_across(const builder *b, int x) {
    char name[128];
    int64_t inner = b->o->heads * b->head_dim;
    gls_op_attention_options attention = {
        .heads = b->o->heads, .kv_heads = b->o->heads, .unscaled = true, .cross = true};
    int y = normalise(b, named(b, name, "cross_norm"), x);
    int input[2] = {dense(b, "cross_query", inner, b->head_dim, y),
                    dense(b, "cross_key_value", 2 * inner, 1, b->encoded)};
    y = gls_graph_add(b->g, "attention", named(b, name, "cross_attention"), &attention, 2, input);
    return join(b, "cross_drop", "cross_add", x, dense(b, "cross_project", b->o->dim, 1, y));
}

static int feed_forward(const builder *b, int x) {
    char name[128];
    const t5_options *o = b->o;
    bool gated = o->feed_forward == FEED_GEGLU;
    int64_t hidden = o->hidden ? o->hidden : gated ? 8 * o->dim / 3 : 4 * o->dim;
    gls_op_gate_options gate = {GLS_GATE_GELU};
    int y = normalise(b, named(b, name, "norm2"), x);
    y = dense(b, "fc1", gated ? 2 * hidden : hidden, 1, y);
    y = gls_graph_add(b->g, gated ? "gate" : "relu", named(b, name, "act"), gated ? &gate : NULL, 1, &y);
    y = gls_layer_dropout(b->g, named(b, name, "act_drop"), o->dropout, y);
    return join(b, "drop2", "add2", x, dense(b, "fc2", o->dim, 1, y));
}

/* length: its positions. */
static int add_stack(builder *b, int64_t length, int x) {
    char name[128];
    const t5_options *o = b->o;
    gls_op_relative_bias_options bias = {o->heads, length, o->buckets, o->most, b->encoded >= 0};
    int tokens = 0;
    b->bias = gls_graph_add(b->g, "relative_bias", gls_layer_name(name, "%s.bias", b->stack), &bias, 1, &tokens);
    x = gls_layer_dropout(b->g, gls_layer_name(name, "%s.drop", b->stack), o->dropout, x);
    for (b->layer = 1; b->layer <= o->depth; b->layer++) {
        x = attend(b, x);
        if (b->encoded >= 0) x = attend_across(b, x);
        x = feed_forward(b, x);
    }
    x = normalise(b, gls_layer_name(name, "%s.norm", b->stack), x);
    return gls_layer_dropout(b->g, gls_layer_name(name, "%s.drop_out", b->stack), o->dropout, x);
}

static gls_status add_output(const builder *b, int x) {
    gls_op_scale_options scale = {1 / sqrt((double)b->o->dim)};
    gls_op_dense_options output = {.units = gls_family_outputs(b->g, &b->o->common),
                                   .tie = b->o->tie ? "embedding.weight" : NULL};
    gls_family_options common = b->o->common;
    if (b->o->tie) x = gls_graph_add(b->g, "scale", "scale", &scale, 1, &x);
    common.last = gls_family_predicts_words(b->g);
    gls_family_loss(b->g, &common, gls_graph_add(b->g, "dense", "output", &output, 1, &x));
    return b->g->status;
}

static gls_status check(gls_graph *g, const t5_options *o) {
    int64_t length = g->data ? g->data->length : 0;
    bool next = gls_family_predicts_words(g);
    if (next && g->data->documents != GLS_DOCUMENTS_WHOLE)
        gls_graph_fail(g, "t5: rows of lines end anywhere; expected rows that go on (data.rows: text)");
    if (next && g->data->masked)
        gls_graph_fail(g, "t5: it continues a row; expected next words as targets, not hidden ones");
    if (next && (length < 2 || o->source > length))
        gls_graph_fail(g, "t5: source: %lld of %lld tokens; expected at least one for the decoder and no more than all",
                       (long long)o->source, (long long)length);
    if (!next && o->source)
        gls_graph_fail(g, "t5: source: %lld, but the encoder reads all of a labelled text", (long long)o->source);
    if (o->head_dim == 0 && o->dim % o->heads != 0)
        gls_graph_fail(g, "t5: %lld heads do not divide dim %lld; expected that, or head_dim", (long long)o->heads,
                       (long long)o->dim);
    return g->status;
}

static gls_status build(gls_graph *g, const void *given) {
    const t5_options *o = given;
    GLS_TRY(check(g, o));
    bool next = gls_family_predicts_words(g);
    int64_t length = g->data ? g->data->length : 0, source = !next ? length : o->source ? o->source : (length + 1) / 2;
    builder b = {
        .g = g, .o = o, .stack = "encoder", .head_dim = o->head_dim ? o->head_dim : o->dim / o->heads, .encoded = -1};
    gls_op_embedding_options embedding = {.dim = o->dim, .unit = true};
    gls_op_slice_options first = {.count = source}, rest = {.first = source - 1};
    int tokens = gls_graph_input(g), words = gls_graph_add(g, "embedding", "embedding", &embedding, 1, &tokens);
    if (!next) return gls_family_text_output(g, &o->common, false, add_stack(&b, length, words));
    b.encoded = add_stack(&b, source, gls_graph_add(g, "slice", "encoder.words", &first, 1, &words));
    b.stack = "decoder";
    return add_output(&b,
                      add_stack(&b, length - source + 1, gls_graph_add(g, "slice", "decoder.words", &rest, 1, &words)));
}

const gls_family gls_family_t5 = {
    .type = {.member = {.name = "t5",
                        .help = "encoder of a row's beginning and decoder of what follows, or a classifier of texts",
                        .source = "Raffel et al. 2020",
                        .options = options,
                        .options_size = sizeof(t5_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
