/* A network as a graph: nodes in the order of execution, their shapes, parameters, running statistics and uses.
 *
 * Building is sticky: after the first failure every call returns -1 and does nothing, and gls_graph_finish returns the
 * failure. So a family is written as a plain sequence of calls. */
#ifndef GLS_MODEL_GRAPH_H
#define GLS_MODEL_GRAPH_H

#include <glissade/problem.h>

/* The shape of one example's activations: channels and positions. Plain features are channels at one position. */
typedef struct gls_extent {
    int64_t c, h, w;
} gls_extent;

static inline int64_t gls_extent_positions(gls_extent e) {
    return e.h * e.w;
}
static inline int64_t gls_extent_size(gls_extent e) {
    return e.c * e.h * e.w;
}
static inline bool gls_extent_equal(gls_extent a, gls_extent b) {
    return a.c == b.c && a.h == b.h && a.w == b.w;
}
/* "[3, 32, 32]" or "[512]". */
const char *gls_extent_text(gls_extent e, char text[64]);

typedef enum gls_init {
    GLS_INIT_HE,
    GLS_INIT_GLOROT,
    GLS_INIT_ORTHOGONAL,
    GLS_INIT_TORCH,
    GLS_INIT_NORMAL, /* 1/fan_in; for embeddings */
    GLS_INIT_ZEROS,
    GLS_INIT_ONES
} gls_init;
#define GLS_INIT_CHOICES "he|glorot|orthogonal|torch"
#define GLS_INIT_HELP                                                                                               \
    "initial weights: he (normal, 2/fan_in), glorot (uniform), orthogonal, torch (uniform, 1/sqrt(fan_in), biases " \
    "too)"

struct gls_op;
struct gls_op_impl;
struct gls_use_kind;

enum { GLS_NODE_INPUTS = 3 }; /* the most of any op */

typedef struct gls_node {
    const struct gls_op *op;
    const struct gls_op_impl *impl;
    const char *name;
    void *library;                    /* the implementation's own */
    const struct gls_op_impl *stored; /* in plans that store narrow; NULL: impl, with wide copies */
    void *stored_library;
    void *options; /* op->member.options_size bytes, a copy */
    int inputs, input[GLS_NODE_INPUTS];
    int consumers;
    gls_extent in, out;     /* of input 0, and of the output */
    int64_t inner;          /* channels kept together: the layout is [rows, c / inner, h w, inner] */
    int64_t in_inner;       /* those of input 0 */
    int64_t *block, *state; /* [op->blocks], [op->states]: in the layout, and where it begins in the state; -1: none */
    bool alias;             /* the output is input 0's memory: nothing to do */
    bool activation;        /* a (leaky) relu with this slope was fused into the output */
    double slope;
} gls_node;

/* How block i of the layout starts. */
typedef struct gls_parameter {
    gls_init init;
    int64_t fan_in, fan_out;
} gls_parameter;

/* A block of a network's state: running statistics, or (with GLS_BLOCK_BY_SLOT in flags and slots in shape[0]) what is
 * carried from one mini-batch to the next. */
typedef struct gls_graph_state_block {
    const char *suffix; /* its name is "NODE.suffix" */
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    unsigned flags;
    double start; /* every element's initial value */
} gls_graph_state_block;

typedef enum gls_view_source {
    GLS_VIEW_VALUE,      /* of a node */
    GLS_VIEW_GRAD,       /* the loss's gradient with respect to that value */
    GLS_VIEW_AUX_REAL,   /* reals that the op left in its aux */
    GLS_VIEW_AUX_DOUBLE, /* doubles there */
    GLS_VIEW_AUX_TOKENS, /* numbers of rows there, int32_t */
    GLS_VIEW_TOKENS      /* of the batch */
} gls_view_source;

/* What an evaluation left and a parameter use reads. Channel k of position t of row r is element
 *
 *     offset + r row_stride + k / inner positions stride + (t - lag) stride + k % inner
 *
 * of the source; before position 0 it is zero. inner < width is a blocked layout, where stride is inner. Elements are
 * the source's own: reals, doubles or tokens. gls_view_value and its siblings fill in the whole of a buffer; a part of
 * its channels has another offset and width, a neighbour in time a lag, an op's own figures an aux. */
typedef struct gls_view {
    gls_view_source source;
    int node;
    int64_t positions, width, inner;
    int64_t offset, row_stride, stride, lag;
} gls_view;

/* A parameter use: a block, and views of what it is applied to and of the gradient of what comes out. */
typedef struct gls_use {
    const struct gls_use_kind *kind;
    int node; /* whose op it is */
    int64_t block;
    gls_view input;  /* scale and shift: not read */
    gls_view grad;   /* scale and shift: of the terms whose sums over positions are a row's gradient */
    bool transposed; /* a matrix product with the transpose of the block */
    gls_view factor; /* dropped weights: reals [block], what each weight was multiplied by */
} gls_use;

typedef struct gls_graph {
    gls_context *ctx;
    gls_layout *layout, *state_layout; /* borrowed */
    const gls_data_info *data;
    gls_init init;
    bool portable;
    bool native; /* products of what is stored narrow are not emulated */
    gls_status status;
    gls_node *node;
    int nodes, node_capacity;
    gls_parameter *parameter; /* [blocks] */
    int64_t parameter_capacity;
    double *start; /* [blocks of the state] initial values */
    int64_t start_capacity;
    gls_use *use;
    int uses, use_capacity;
    gls_arena *arena;
    int output, loss;              /* set by finish */
    const struct gls_graph *whole; /* of a graph for shorter rows (model/lengths.h) that for all rows; else NULL */
} gls_graph;

gls_status gls_graph_create(gls_context *ctx, gls_layout *layout, gls_layout *state_layout, const gls_data_info *data,
                            gls_graph **out);
void gls_graph_destroy(gls_graph *graph);

/* Node 0: one example as the data have it. Tokens are not reals: its value is then NULL, and only ops that read the
 * batch's tokens take it. */
int gls_graph_input(gls_graph *graph);
/* Adds a node of the op with that name; options is the op's own struct (NULL: its defaults). Returns its number, or -1.
 */
int gls_graph_add(gls_graph *graph, const char *op, const char *name, const void *options, int inputs,
                  const int *input);
/* The same with one input and options as a map (a key `name` is ignored) or NULL. */
int gls_graph_add_value(gls_graph *graph, const char *op, const char *name, const gls_value *options, int input);
/* Records the first failure; returns -1. */
int gls_graph_fail(gls_graph *graph, const char *format, ...) GLS_PRINTF(2, 3);
/* Ends a graph whose last node is the loss: fuses, chooses implementations and layouts, declares uses. */
gls_status gls_graph_finish(gls_graph *graph);
/* Chooses implementations for plans that store narrow. native: products in that storage are the processor's, not
 * emulated. *any: whether there is such a product. */
gls_status gls_graph_finish_stored(gls_graph *graph, bool native, bool *any);

/* For ops, while their shape is inferred: declares parameter i ("NODE.suffix"), or running statistics. */
gls_status gls_graph_parameter(gls_graph *graph, gls_node *node, int i, const char *suffix, int dims,
                               const int64_t *shape, unsigned flags, gls_parameter parameter);
/* Instead: parameter i is the [rows, columns] matrix of that name of a layer before; 0: any number. */
gls_status gls_graph_tie(gls_graph *graph, gls_node *node, int i, const char *name, int64_t rows, int64_t columns);
gls_status gls_graph_state(gls_graph *graph, gls_node *node, int i, const gls_graph_state_block *block);
/* For ops, at the end: declares a use. */
gls_status gls_graph_use(gls_graph *graph, gls_use use);
/* The whole value, or its gradient, of a node; all tokens. */
gls_view gls_view_value(const gls_graph *graph, int node);
gls_view gls_view_grad(const gls_graph *graph, int node);
gls_view gls_view_tokens(const gls_graph *graph);
/* Fails with "node 'conv1' (conv): ...". */
gls_status gls_node_fail(const gls_graph *graph, const gls_node *node, const char *format, ...) GLS_PRINTF(3, 4);

/* Weights and state as their blocks say. */
gls_status gls_graph_initialize(const gls_graph *graph, uint64_t seed, gls_real *w);
void gls_graph_initialize_state(const gls_graph *graph, gls_real *state);

#endif
