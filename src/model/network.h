/* A network is a gls_problem: every model family's problem type has these verbs and its own way of building a graph. */
#ifndef GLS_MODEL_NETWORK_H
#define GLS_MODEL_NETWORK_H

#include <glissade/problem.h>

#include "base/table.h"
#include "model/exec.h"
#include "model/graph.h"
#include "model/storage.h"

/* Rows [begin, end) of a tiled block's first axis. */
typedef struct gls_tile {
    int64_t block, begin, end;
} gls_tile;

typedef struct gls_network_lengths gls_network_lengths;

/* What ops read of weights: w, and what their implementations packed of it. */
typedef struct gls_network_weights {
    const gls_real *w; /* [d] */
    void **packed;     /* [nodes], NULL entries */
} gls_network_weights;

/* A point of a network. rounded: the same with the operands of products as bf16, where the problem computes in that. */
typedef struct gls_network_point {
    gls_network_weights full, rounded;
    gls_real *copy; /* [d] rounded.w; nothing where products of what is stored have the only use of a block */
} gls_network_point;

struct gls_network {
    gls_problem *problem;
    gls_graph *graph;
    gls_network_lengths *shorter; /* graphs for shorter rows, or NULL */
    gls_tile *tile;
    int64_t tiles;
    double work, row_bytes; /* the static cost model's figures for one row */
    gls_storage storage;    /* of activations in evaluations made from now on */
    gls_storage_rooms rooms;
    bool profile;    /* evaluations made while this is set take the time of every node */
    double *seconds; /* [nodes, 3] forward, backward, parameters' gradients; summed over evaluations destroyed */
};

/* A family: a problem type and how its graph is built. Its options begin with gls_family_options. */
typedef struct gls_family {
    gls_problem_type type;
    gls_status (*build)(gls_graph *graph, const void *options);
} gls_family;

extern const gls_member_kind gls_family_kind;

typedef enum gls_loss_choice {
    GLS_LOSS_AUTO,
    GLS_LOSS_CROSS_ENTROPY,
    GLS_LOSS_LOGISTIC,
    GLS_LOSS_SQUARED,
    GLS_LOSS_CTC
} gls_loss_choice;

typedef struct gls_family_options {
    int init, loss;
    double label_smoothing;
    int64_t bn_group;
    bool last;     /* of labels by position: outputs stand for a row's last ones */
    int64_t blank; /* of the loss ctc, as the next one */
    int impossible;
} gls_family_options;

/* Rows of a family's option table. */
#define GLS_FAMILY_OPTIONS(type)                                                                                     \
    GLS_ENUM("init", type, common.init, "he", GLS_INIT_CHOICES, GLS_INIT_HELP),                                      \
        GLS_ENUM("loss", type, common.loss, "auto", "auto|cross_entropy|logistic|squared|ctc",                       \
                 "auto: cross_entropy for classes, ctc for sequences of them, squared for real targets"),            \
        GLS_INT(                                                                                                     \
            "bn_group", type, common.bn_group, "0", 0, 1e9,                                                          \
            "examples that share batch-norm statistics, by their place in the mini-batch; 0: the whole mini-batch"), \
        GLS_REAL("label_smoothing", type, common.label_smoothing, "0", 0, 1,                                         \
                 "share of the target spread evenly over the classes", .flags = GLS_OPTION_BELOW_MAX)

/* Rows of the tables of families that take sequences as targets; needs model/layers.h. */
#define GLS_FAMILY_CTC_OPTIONS(type)                                                                               \
    GLS_INT("blank", type, common.blank, "0", 0, 1e9,                                                              \
            "of the loss ctc: the output that stands for no label; those of the labels are the others, in order"), \
        GLS_ENUM("impossible", type, common.impossible, "error", GLS_CTC_IMPOSSIBLE_CHOICES,                       \
                 "of the loss ctc: " GLS_CTC_IMPOSSIBLE_HELP)

gls_status gls_network_create(gls_problem *p, const void *options, const gls_data_info *data);
void gls_network_destroy(gls_problem *p);
gls_status gls_network_initialize(gls_problem *p, uint64_t seed, gls_real *w);
gls_status gls_network_initialize_state(gls_problem *p, gls_real *state);
gls_status gls_network_point_create(gls_problem *p, void **prepared);
void gls_network_point_destroy(gls_problem *p, void *prepared);
gls_status gls_network_point_set(gls_problem *p, void *prepared, const gls_real *w);
/* GLS_ERR_ARGUMENT where the point was made before the problem's precision was set. */
gls_status gls_network_point_check(const gls_exec *x, const gls_point *point);
gls_status gls_network_evaluation_create(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self);
gls_status gls_network_evaluation_reserve(gls_problem *p, void *self, int64_t rows);
void gls_network_evaluation_destroy(gls_problem *p, void *self);
gls_status gls_network_more(gls_problem *p, void *self, const gls_evaluate_args *args, int64_t from, int64_t to,
                            gls_real *out);
gls_status gls_network_forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                               double *meet);
gls_status gls_network_backward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                                double *meet);
gls_status gls_network_losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses);
gls_status gls_network_scores(gls_problem *p, void *self, const gls_evaluate_args *args, double *sums);
gls_status gls_network_outputs(gls_problem *p, void *self, const gls_evaluate_args *args, gls_real *out);
gls_status gls_network_gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                                const double *weights, gls_sink *sink);
int64_t gls_network_tiles(gls_problem *p);
gls_status gls_network_gradient_tile(gls_problem *p, void *const *self, const gls_evaluate_args *const *args,
                                     int64_t count, gls_product product, const double *const *weights, int64_t tile,
                                     gls_real *g);
void gls_network_tile_range(gls_problem *p, int64_t tile, int64_t *begin, int64_t *end);
gls_status gls_network_norms(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                             double *out);
gls_status gls_network_inner(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                             const gls_point *v, double *out);
void gls_network_cost(gls_problem *p, double *multiply_adds, double *bytes);
gls_status gls_network_onnx(gls_problem *p, const gls_real *w, struct gls_onnx *to, const char *input,
                            const char **output);
void gls_network_advance(gls_problem *p, const double *summary, gls_real *state);
gls_status gls_network_set_precision(gls_problem *p, gls_precision precision, bool emulate);

/* The verbs of a family's problem type. */
#define GLS_NETWORK_VERBS                                                                                          \
    .self_size = sizeof(gls_network), .mixes = true, .create = gls_network_create, .destroy = gls_network_destroy, \
    .initialize = gls_network_initialize, .initialize_state = gls_network_initialize_state,                        \
    .point_create = gls_network_point_create, .point_destroy = gls_network_point_destroy,                          \
    .point_set = gls_network_point_set, .evaluation_create = gls_network_evaluation_create,                        \
    .evaluation_destroy = gls_network_evaluation_destroy, .evaluation_reserve = gls_network_evaluation_reserve,    \
    .forward = gls_network_forward, .backward = gls_network_backward, .losses = gls_network_losses,                \
    .scores = gls_network_scores, .more = gls_network_more, .outputs = gls_network_outputs,                        \
    .gradient = gls_network_gradient, .tiles = gls_network_tiles, .gradient_tile = gls_network_gradient_tile,      \
    .tile_range = gls_network_tile_range, .norms = gls_network_norms, .inner = gls_network_inner,                  \
    .cost = gls_network_cost, .advance = gls_network_advance, .onnx = gls_network_onnx,                            \
    .set_precision = gls_network_set_precision

/* Ends a family's graph with the loss that options and data call for, on the outputs of `node`. */
int gls_family_loss(gls_graph *graph, const gls_family_options *options, int node);
/* The number of outputs that this loss takes. */
int64_t gls_family_outputs(const gls_graph *graph, const gls_family_options *options);

/* Models of texts: they predict a word at every position, or both ends of a span, or else one label an example. */
bool gls_family_predicts_words(const gls_graph *graph);
bool gls_family_finds_spans(const gls_graph *graph);
/* Ends the graph: two outputs at every position, by which the ends of a span are chosen, and the loss. */
gls_status gls_family_span_output(gls_graph *graph, const gls_family_options *options, int x);
/* Whether the output layer's weights may be the words' vectors. */
gls_status gls_family_check_tie(gls_graph *graph, const char *name, bool tie, int64_t hidden, int64_t embedding);
/* The input's words as vectors: the layer "embedding". */
int gls_family_embedding(gls_graph *graph, int64_t dim);
/* What a position's vector is at first: its word's, or noise ([A] figure 4). */
typedef enum gls_family_input_choice { GLS_FAMILY_WORDS, GLS_FAMILY_GAUSSIAN } gls_family_input_choice;
#define GLS_FAMILY_INPUT_CHOICES "words|gaussian"
#define GLS_FAMILY_INPUT_HELP \
    "gaussian: normal vectors in place of the words', the same whenever an example is visited ([A] figure 4)"
int gls_family_input(gls_graph *graph, gls_family_input_choice choice, int64_t dim);
/* Ends the graph: for one label the mean of x over the positions, a layer "output" whose weights are tied to the
 * embedding or not, the loss. */
gls_status gls_family_text_output(gls_graph *graph, const gls_family_options *options, bool tie, int x);

#endif
