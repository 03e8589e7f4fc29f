/* Options of the layers that families build with, and short calls that add them. */
#ifndef GLS_MODEL_LAYERS_H
#define GLS_MODEL_LAYERS_H

#include "base/arith.h"
#include "model/graph.h"

typedef struct gls_op_dense_options {
    int64_t units;
    bool bias;
    const char *tie; /* name of a weight matrix to use instead of an own one */
    bool transpose;  /* with tie: its transpose */
    int64_t calm;    /* not an option: initial weights have this many times less variance; 0: 1 */
} gls_op_dense_options;

/* Weight matrices at least this large have their gradients formed over tiles of the wave: private copies of them, and
 * adding the copies up, would cost more than the product. */
static inline unsigned gls_use_matrix_flags(const int64_t shape[2]) {
    enum { TILED_SIZE = 32768 };
    return shape[0] >= gls_parts(TILED_SIZE, shape[1]) ? GLS_BLOCK_TILED : 0;
}

typedef struct gls_op_embedding_options {
    int64_t dim;
    const char *tie; /* name of a matrix to use instead of an own one */
    bool unit;       /* not an option: initial vectors have variance 1, not 1 / dim */
} gls_op_embedding_options;

typedef struct gls_op_window_options {
    int64_t size;
} gls_op_window_options;

typedef struct gls_op_conv_options {
    int64_t channels, kernel, stride, pad, groups;
    bool bias;
} gls_op_conv_options;

typedef struct gls_op_pool_options {
    int64_t kernel, stride, pad;
} gls_op_pool_options;

typedef struct gls_op_batch_norm_options {
    double momentum, eps;
    bool padded; /* not an option: rows may end with padding, which is left out */
} gls_op_batch_norm_options;

typedef struct gls_op_group_norm_options {
    int64_t groups;
    double eps;
} gls_op_group_norm_options;

typedef struct gls_op_layer_norm_options {
    double eps;
} gls_op_layer_norm_options;

typedef enum gls_norm_kind { GLS_NORM_BATCH, GLS_NORM_GROUP } gls_norm_kind;
#define GLS_NORM_CHOICES "batch|group"

/* A normalisation to choose: its kind, and the groups of group norm. */
typedef struct gls_norm_choice {
    int kind;
    int64_t groups;
} gls_norm_choice;

typedef struct gls_op_residual_options {
    int64_t channels, stride;
    bool bottleneck, project;
    gls_norm_choice norm;
    double dropout;
} gls_op_residual_options;

typedef struct gls_op_pad_channels_options {
    int64_t channels, stride;
} gls_op_pad_channels_options;

typedef enum gls_op_dropout_of { GLS_DROPOUT_ELEMENTS, GLS_DROPOUT_CHANNELS, GLS_DROPOUT_WORDS } gls_op_dropout_of;

typedef struct gls_op_dropout_options {
    double p;
    int of;
} gls_op_dropout_options;

typedef enum gls_op_gate_kind { GLS_GATE_SILU, GLS_GATE_GELU, GLS_GATE_SIGMOID } gls_op_gate_kind;
#define GLS_GATE_CHOICES "silu|gelu|sigmoid"

typedef struct gls_op_gate_options {
    int kind;
} gls_op_gate_options;

typedef struct gls_op_penalty_options {
    double square, change;
} gls_op_penalty_options;

typedef struct gls_op_lstm_options {
    int64_t units;
    bool bias;
    double weight_drop;
    bool packed; /* filled in by the op itself: rows hold several documents */
} gls_op_lstm_options;

typedef struct gls_op_carry_options {
    int64_t units;
} gls_op_carry_options;

/* What depends on the distance of a query and a key: nothing; a number for each head; a row for each head. */
typedef enum gls_op_attention_relative {
    GLS_RELATIVE_NONE,
    GLS_RELATIVE_BIAS,
    GLS_RELATIVE_ROWS
} gls_op_attention_relative;

typedef struct gls_op_attention_options {
    int64_t heads, kv_heads;
    bool causal, unscaled;
    /* Not options: */
    bool cross;   /* keys and values are an input of their own, the second */
    int relative; /* gls_op_attention_relative: the last input, by distance; rows: with queries of their own, behind
                     the others */
    int memory;   /* number of the memory in front of the keys, 0: none */
    int64_t keys; /* positions of them, found by shape */
} gls_op_attention_options;

typedef struct gls_op_memory_options {
    int64_t length;
} gls_op_memory_options;

typedef struct gls_op_slice_options {
    int64_t first, count;
} gls_op_slice_options;

typedef struct gls_op_distances_options {
    int64_t dim, length, memory;
    bool causal;
} gls_op_distances_options;

typedef struct gls_op_relative_bias_options {
    int64_t heads, length, buckets, most;
    bool causal;
} gls_op_relative_bias_options;

typedef struct gls_op_scale_options {
    double by;
} gls_op_scale_options;

typedef struct gls_op_gaussian_options {
    int64_t dim, seed;
} gls_op_gaussian_options;

typedef struct gls_op_rotary_options {
    int64_t heads, kv_heads;
    double base;
} gls_op_rotary_options;

typedef enum gls_op_positions_kind { GLS_POSITIONS_LEARNED, GLS_POSITIONS_SINUSOIDAL } gls_op_positions_kind;
#define GLS_POSITIONS_CHOICES "learned|sinusoidal"

typedef struct gls_op_add_options {
    double scale; /* of the first input */
} gls_op_add_options;

typedef struct gls_op_time_conv_options {
    int64_t kernel;
    bool bias;
} gls_op_time_conv_options;

typedef enum gls_op_ctc_impossible { GLS_CTC_ERROR, GLS_CTC_SKIP } gls_op_ctc_impossible;
#define GLS_CTC_IMPOSSIBLE_CHOICES "error|skip"
#define GLS_CTC_IMPOSSIBLE_HELP                                                                                      \
    "a row with fewer frames than its labels need (one each, and a blank between equal ones); skip: its loss is 0, " \
    "and "                                                                                                           \
    "it teaches nothing"

typedef struct gls_op_ctc_options {
    int64_t blank;
    int impossible;
} gls_op_ctc_options;

typedef struct gls_op_positions_options {
    int kind;
    int64_t size;  /* vectors; 0: one for each position of a row */
    bool by_place; /* not an option: not every vector is used once by every row */
} gls_op_positions_options;

typedef struct gls_op_segments_options {
    int64_t count, separator;
} gls_op_segments_options;

typedef struct gls_op_patches_options {
    int64_t size;
} gls_op_patches_options;

typedef struct gls_op_cross_entropy_options {
    double label_smoothing;
    bool last;
} gls_op_cross_entropy_options;

static inline int gls_layer_dense(gls_graph *g, const char *name, int64_t units, int x) {
    gls_op_dense_options o = {.units = units, .bias = true};
    return gls_graph_add(g, "dense", name, &o, 1, &x);
}

static inline int gls_layer_conv(gls_graph *g, const char *name, gls_op_conv_options o, int x) {
    if (o.groups == 0) o.groups = 1;
    if (o.stride == 0) o.stride = 1;
    return gls_graph_add(g, "conv", name, &o, 1, &x);
}

static inline int gls_layer_pool(gls_graph *g, const char *op, const char *name, gls_op_pool_options o, int x) {
    return gls_graph_add(g, op, name, &o, 1, &x);
}

/* One without options of its own choice: the defaults. */
static inline int gls_layer(gls_graph *g, const char *op, const char *name, int x) {
    return gls_graph_add(g, op, name, NULL, 1, &x);
}

static inline int gls_layer_dropout_of(gls_graph *g, const char *name, gls_op_dropout_options o, int x) {
    return o.p > 0 ? gls_graph_add(g, "dropout", name, &o, 1, &x) : x;
}
static inline int gls_layer_dropout(gls_graph *g, const char *name, double p, int x) {
    return gls_layer_dropout_of(g, name, (gls_op_dropout_options){.p = p}, x);
}

static inline int gls_layer_penalty(gls_graph *g, const char *name, gls_op_penalty_options o, int x) {
    return o.square > 0 || o.change > 0 ? gls_graph_add(g, "penalty", name, &o, 1, &x) : x;
}

/* residual, which is added, -1: none. */
int gls_layer_normalise(gls_graph *g, gls_norm_choice norm, const char *name, int x, int residual);

/* NAME%d of numbered layers; text holds it. */
const char *gls_layer_name(char text[128], const char *format, ...) GLS_PRINTF(2, 3);

#endif
