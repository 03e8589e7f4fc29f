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

enum { GLS_NODE_INPUTS = 2, GLS_NODE_BLOCKS = 2 };

typedef struct gls_node {
    const struct gls_op *op;
    const struct gls_op_impl *impl;
    const char *name;
    void *library; /* the implementation's own */
    void *options; /* op->member.options_size bytes, a copy */
    int inputs, input[GLS_NODE_INPUTS];
    int consumers;
    gls_extent in, out;             /* of input 0, and of the output */
    int64_t inner;                  /* channels kept together: the layout is [rows, c / inner, h w, inner] */
    int64_t block[GLS_NODE_BLOCKS]; /* in the layout; -1: none */
    int64_t state[GLS_NODE_BLOCKS]; /* in the state's layout; -1: none */
    bool alias;                     /* the output is input 0's memory: nothing to do */
    bool activation;                /* a (leaky) relu with this slope was fused into the output */
    double slope;
} gls_node;

/* How block i of the layout starts. */
typedef struct gls_parameter {
    gls_init init;
    int64_t fan_in, fan_out;
} gls_parameter;

/* A parameter use: node `node` uses block `block` in the way of its kind. A view of the input is node `input`'s value,
 * of the output's gradient node `node`'s. */
typedef struct gls_use {
    const struct gls_use_kind *kind;
    int node, input;
    int64_t block;
    bool transposed; /* a matrix product with the transpose of the block */
    /* Scale and shift: where row r's c sums stand among the doubles that backward-data left in aux, at sums_row +
     * r * sums_stride; sums_row -1: there are none, the output's gradient is summed. */
    int64_t sums_row, sums_stride;
} gls_use;

typedef struct gls_graph {
    gls_context *ctx;
    gls_layout *layout, *state_layout; /* borrowed */
    const gls_data_info *data;
    gls_init init;
    bool portable;
    gls_status status;
    gls_node *node;
    int nodes, node_capacity;
    gls_parameter *parameter; /* [blocks] */
    int64_t parameter_capacity;
    gls_use *use;
    int uses, use_capacity;
    gls_arena *arena;
    int output, loss; /* set by finish */
} gls_graph;

gls_status gls_graph_create(gls_context *ctx, gls_layout *layout, gls_layout *state_layout, const gls_data_info *data,
                            gls_graph **out);
void gls_graph_destroy(gls_graph *graph);

/* Node 0: one example as the data have it. Tokens are no reals: its value is then NULL, and only ops that read the
 * batch's tokens take it. */
int gls_graph_input(gls_graph *graph);
/* Adds a node of the op with that name; options is the op's own struct (NULL: its defaults). Returns its number, or -1.
 */
int gls_graph_add(gls_graph *graph, const char *op, const char *name, const void *options, int inputs,
                  const int *input);
/* The same with one input and options as a map (a key `name` is passed over) or NULL. */
int gls_graph_add_value(gls_graph *graph, const char *op, const char *name, const gls_value *options, int input);
/* Records the first failure; returns -1. */
int gls_graph_fail(gls_graph *graph, const char *format, ...) GLS_PRINTF(2, 3);
/* Ends a graph whose last node is the loss: fuses, chooses implementations and layouts, declares uses. */
gls_status gls_graph_finish(gls_graph *graph);

/* For ops, while their shape is inferred: declares parameter i ("NODE.suffix"), or running statistics. */
gls_status gls_graph_parameter(gls_graph *graph, gls_node *node, int i, const char *suffix, int dims,
                               const int64_t *shape, unsigned flags, gls_parameter parameter);
/* Instead: parameter i is the [rows, columns] matrix of that name of a layer before; 0: any number. */
gls_status gls_graph_tie(gls_graph *graph, gls_node *node, int i, const char *name, int64_t rows, int64_t columns);
gls_status gls_graph_state(gls_graph *graph, gls_node *node, int i, const char *suffix, int64_t size);
/* For ops, at the end: declares a use. */
gls_status gls_graph_use(gls_graph *graph, gls_use use);
/* Fails with "node 'conv1' (conv): ...". */
gls_status gls_node_fail(const gls_graph *graph, const gls_node *node, const char *format, ...) GLS_PRINTF(3, 4);

/* Weights as their blocks say. */
gls_status gls_graph_initialize(const gls_graph *graph, uint64_t seed, gls_real *w);

#endif
