/* conformer: layers of half a feed-forward, attention both ways, a convolution over time, and another half of a
 * feed-forward, for frames (or tokens) with a sequence of labels, a label at every position, or one label. */
#include "model/layers.h"
#include "model/network.h"

typedef struct conformer_options {
    gls_family_options common;
    int64_t dim, heads, depth, hidden, kernel;
    int positions, norm;
    double dropout;
} conformer_options;

enum { POSITIONS_LEARNED, POSITIONS_SINUSOIDAL, POSITIONS_ROTARY, POSITIONS_NONE };
enum { NORM_BATCH, NORM_LAYER };

static const gls_option options[] = {
    GLS_INT("dim", conformer_options, dim, "144", 1, 1e6, "length of a position's vector"),
    GLS_INT("heads", conformer_options, heads, "4", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("depth", conformer_options, depth, "4", 1, 1e3, "layers"),
    GLS_INT("hidden", conformer_options, hidden, "0", 0, 1e6, "units of a feed-forward part; 0: 4 dim"),
    GLS_INT("kernel", conformer_options, kernel, "15", 1, 9999,
            "positions that the convolution over time sees, an odd number"),
    GLS_ENUM("norm", conformer_options, norm, "batch", "batch|layer",
             "normalisation behind the convolution; batch: over the mini-batch or bn_group examples, without padding"),
    GLS_ENUM("positions", conformer_options, positions, "rotary", GLS_POSITIONS_CHOICES "|rotary|none",
             "vectors that are added to the input's, or angles of queries and keys, which see distances"),
    GLS_REAL("dropout", conformer_options, dropout, "0", 0, 1, "share dropped in training, in front of every addition",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_FAMILY_OPTIONS(conformer_options),
    GLS_FAMILY_CTC_OPTIONS(conformer_options),
    {0},
};

typedef struct builder {
    gls_graph *g;
    const conformer_options *o;
    int64_t layer;
} builder;

/* text holds "layerN.PART.NAME". */
static const char *named(const builder *b, char text[128], const char *part, const char *name) {
    return gls_layer_name(text, "layer%lld.%s.%s", (long long)b->layer, part, name);
}

static int plain(const builder *b, const char *op, const char *part, const char *name, int x) {
    char text[128];
    return gls_layer(b->g, op, named(b, text, part, name), x);
}

static int dense(const builder *b, const char *part, const char *name, int64_t units, int x) {
    char text[128];
    return gls_layer_dense(b->g, named(b, text, part, name), units, x);
}

/* The shortcut plus `scale` times what the part has made. */
static int join(const builder *b, const char *part, double scale, int shortcut, int y) {
    char text[128];
    gls_op_add_options add = {scale};
    int both[2] = {gls_layer_dropout(b->g, named(b, text, part, "drop"), b->o->dropout, y), shortcut};
    return gls_graph_add(b->g, "add", named(b, text, part, "add"), &add, 2, both);
}

static int half_feed_forward(const builder *b, const char *part, int x) {
    int64_t hidden = b->o->hidden ? b->o->hidden : 4 * b->o->dim;
    int y = plain(b, "layer_norm", part, "norm", x);
    y = dense(b, part, "fc1", hidden, y);
    y = plain(b, "silu", part, "act", y);
    return join(b, part, 0.5, x, dense(b, part, "fc2", b->o->dim, y));
}

static int attend(const builder *b, int x) {
    static const char part[] = "attend";
    char text[128];
    const conformer_options *o = b->o;
    gls_op_attention_options attention = {.heads = o->heads, .kv_heads = o->heads};
    gls_op_rotary_options rotary = {.heads = o->heads, .kv_heads = o->heads, .base = 1e4}; /* the op's default */
    int y = plain(b, "layer_norm", part, "norm", x);
    y = dense(b, part, "qkv", 3 * o->dim, y);
    if (o->positions == POSITIONS_ROTARY)
        y = gls_graph_add(b->g, "rotary", named(b, text, part, "rotary"), &rotary, 1, &y);
    y = gls_graph_add(b->g, "attention", named(b, text, part, "attention"), &attention, 1, &y);
    return join(b, part, 1, x, dense(b, part, "project", o->dim, y));
}

/* A gate of two halves, each channel's own filter over time, a normalisation. */
static int convolve(const builder *b, int x) {
    static const char part[] = "conv";
    char text[128];
    const conformer_options *o = b->o;
    gls_op_gate_options gate = {GLS_GATE_SIGMOID};
    gls_op_time_conv_options time = {.kernel = o->kernel, .bias = true};
    int y = plain(b, "layer_norm", part, "norm", x);
    y = dense(b, part, "expand", 2 * o->dim, y);
    y = gls_graph_add(b->g, "gate", named(b, text, part, "gate"), &gate, 1, &y);
    y = gls_graph_add(b->g, "time_conv", named(b, text, part, "time"), &time, 1, &y);
    y = plain(b, o->norm == NORM_BATCH ? "batch_norm" : "layer_norm", part, "norm2", y);
    y = plain(b, "silu", part, "act", y);
    return join(b, part, 1, x, dense(b, part, "project", o->dim, y));
}

static int layer(const builder *b, int x) {
    char text[128];
    x = half_feed_forward(b, "feed1", x);
    x = attend(b, x);
    x = convolve(b, x);
    x = half_feed_forward(b, "feed2", x);
    return gls_layer(b->g, "layer_norm", gls_layer_name(text, "layer%lld.norm", (long long)b->layer), x);
}

/* The data's rows as vectors of length dim. */
static int embed(gls_graph *g, const conformer_options *o) {
    gls_op_positions_options positions = {.kind = o->positions};
    int x = g->data && g->data->vocabulary ? gls_family_embedding(g, o->dim)
                                           : gls_layer_dense(g, "embedding", o->dim, gls_graph_input(g));
    if (o->positions <= POSITIONS_SINUSOIDAL) x = gls_graph_add(g, "positions", "positions", &positions, 1, &x);
    return gls_layer_dropout(g, "drop", o->dropout, x);
}

static gls_status build(gls_graph *g, const void *given) {
    const conformer_options *o = given;
    if (!g->data || !g->data->length || g->data->target == GLS_TARGET_TOKENS)
        return gls_graph_fail(g, "conformer: takes rows of frames, or tokens that are not to be predicted themselves"),
               g->status;
    if (o->dim % o->heads != 0)
        return gls_graph_fail(g, "conformer: %lld heads do not divide dim %lld", (long long)o->heads,
                              (long long)o->dim),
               g->status;
    builder b = {.g = g, .o = o};
    int x = embed(g, o);
    for (b.layer = 1; b.layer <= o->depth; b.layer++) x = layer(&b, x);
    return gls_family_text_output(g, &o->common, false, x);
}

const gls_family gls_family_conformer = {
    .type = {.member = {.name = "conformer",
                        .help = "layers of attention and convolution over time, for labels of frames or sequences",
                        .source = "Gulati et al. 2020",
                        .options = options,
                        .options_size = sizeof(conformer_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
