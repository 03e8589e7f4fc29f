/* An op of a network: a few verbs. To add one: a file in op/, a row in ops.c (docs/howto-add-an-op.md). */
#ifndef GLS_MODEL_OP_H
#define GLS_MODEL_OP_H

#include "base/table.h"
#include "model/exec.h"
#include "model/export.h"
#include "model/graph.h"

/* What backward reads in addition to the output's gradient, and what may share memory. */
enum {
    GLS_OP_KEEPS_INPUT = 1,
    GLS_OP_KEEPS_OUTPUT = 2,
    GLS_OP_IN_PLACE = 4,         /* forward may write over input 0 if nobody else needs it */
    GLS_OP_GRAD_IN_PLACE = 8,    /* backward may turn the output's gradient into input 0's in place */
    GLS_OP_FUSES = 16,           /* applies node->activation to its output */
    GLS_OP_ACTIVATION = 32,      /* a (leaky) relu: fused into a producer that fuses */
    GLS_OP_VIEW = 64,            /* the output is the input's memory wherever the layout allows */
    GLS_OP_OWN_LAYOUT = 128,     /* the output's layout is the implementation's choice, not input 0's */
    GLS_OP_LOSS = 256,           /* ends a graph: value is one loss a row */
    GLS_OP_EVALUATE_ALIAS = 512, /* nothing to do in evaluation mode (dropout) */
    GLS_OP_TOKENS = 1024,        /* reads the batch's tokens where others read reals */
    GLS_OP_LINEAR = 2048,        /* jointly in input and parameters, given the aux of forward: run with tangents in
                                    place of values, forward and backward give tangents */
    GLS_OP_PENALTY = 4096,       /* where it runs, its aux begins with a double a row, which is added to the loss */
    GLS_OP_BY_POSITION = 8192,   /* position t of the output follows from the inputs' position t, wherever t is: forward
                                    runs on a part of the positions too */
    GLS_OP_STILL = 16384,        /* the output does not depend on the row's tokens */
    GLS_OP_NO_PADDING = 32768, /* what it makes of a row does not depend on how much padding lies behind it; nor does it
                                  of ops that say BY_POSITION or STILL, or have a growth */
    GLS_OP_GRAD_OVER_INPUT = 65536, /* a loss: with plan->loss_in_place forward and backward may write over input 0,
                                       which nobody else reads, and its gradient is to lie there */
    GLS_OP_MONOTONE = 131072 /* chooses among values of its input: an activation may be applied behind it instead */
};

/* One way to execute an op. The first of the op's list that fits is taken. */
typedef struct gls_op_impl {
    const char *name;
    bool full_output; /* of op->stored: makes the network's outputs too, which are reals */
    /* Says whether it fits, and may leave its library's objects in node->library; NULL: it always fits. */
    gls_status (*setup)(const gls_graph *graph, gls_node *node, bool *fits);
    void (*teardown)(const gls_graph *graph, gls_node *node);
    /* Prepared weights in a point: bytes, and filling them from w. NULL: none. */
    int64_t (*pack_bytes)(const gls_node *node);
    gls_status (*pack)(const gls_graph *graph, const gls_node *node, const gls_real *w, void *packed);
    /* Library objects of an evaluation; NULL: none. */
    gls_status (*object_create)(gls_exec *x, int node, void **object);
    void (*object_destroy)(void *object);
    /* What they need for that many rows, which would else be made at the first of them; NULL: nothing. */
    gls_status (*object_reserve)(gls_exec *x, int node, int64_t rows);
    /* Bytes of scratch for forward or backward of that many rows; NULL: none. */
    int64_t (*scratch)(const gls_node *node, int64_t rows);
    /* The node's value from its inputs' values. */
    gls_status (*forward)(gls_exec *x, int node);
    /* The gradients of the inputs from that of the output: added where gls_exec_adds says so, else written. It never
     * touches parameters' gradients. NULL: its inputs have none. */
    gls_status (*backward)(gls_exec *x, int node);
    /* For Hessian products, on the execution t of the tangents along a direction (gls_exec_primal(t) has the values):
     * the tangent of the output from those of the inputs and parameters; and after the gradients of the inputs, their
     * tangents, added or written like them. What is not given of an op that is GLS_OP_LINEAR is forward or backward; a
     * loss needs no forward_tangent. The output's gradient is then as backward left it: through a fused activation. */
    gls_status (*forward_tangent)(gls_exec *t, int node);
    gls_status (*backward_tangent)(gls_exec *t, int node);
    /* Bytes of scratch for these; NULL: as for forward and backward. */
    int64_t (*tangent_scratch)(const gls_node *node, int64_t rows);
} gls_op_impl;

/* What an op that couples examples does in training instead of forward and backward. Each is in two halves: the first
 * leaves this slice's terms for each of its spans (gls_span_at), the second continues from their totals over all
 * slices; both are [spans, size]. */
typedef struct gls_op_coupling {
    int64_t (*size)(const gls_node *node);       /* doubles a span leaves, forward and backward alike */
    int64_t (*least_rows)(const gls_node *node); /* that a span needs to have statistics; NULL: one */
    gls_status (*forward_partial)(gls_exec *x, int node, double *partial);
    gls_status (*forward_reduced)(gls_exec *x, int node, const double *reduced);
    gls_status (*backward_partial)(gls_exec *x, int node, double *partial);
    gls_status (*backward_reduced)(gls_exec *x, int node, const double *reduced);
    /* The same halves for tangents. Partial and reduced are of the tangents; values has the totals of backward_partial.
     * NULL: no Hessian products in training. */
    gls_status (*forward_tangent_partial)(gls_exec *t, int node, double *partial);
    gls_status (*forward_tangent_reduced)(gls_exec *t, int node, const double *reduced);
    gls_status (*backward_tangent_partial)(gls_exec *t, int node, double *partial);
    gls_status (*backward_tangent_reduced)(gls_exec *t, int node, const double *values, const double *reduced);
    /* Updates the state from one span: summary, which the span's leader left in args->summary, has the state's layout.
     * NULL: no state. */
    void (*advance)(const gls_node *node, const double *summary, gls_real *state);
} gls_op_coupling;

/* What an op whose positions see each other does in a row whose tokens come one after the other (model/grow.h). */
typedef struct gls_op_growth {
    /* How many positions of the output follow from the first ready[input] of every input. */
    int64_t (*ready)(const gls_graph *graph, const gls_node *node, const int64_t *ready);
    /* Positions [from, to) of the output of the one row, those before being there; as forward leaves them. */
    gls_status (*extend)(gls_exec *x, int node, int64_t from, int64_t to);
} gls_op_growth;

typedef struct gls_op {
    gls_member member;
    /* For docs/layers.md: what it computes; input -> output; "NAME [shape] kind of use" of every parameter, "" if it
     * has none. */
    const char *formula, *shapes, *parameters;
    int inputs_min, inputs_max;
    int blocks, states; /* most parameters and blocks of state of a node */
    unsigned flags;
    /* node->out from node->in (and the other inputs' out), the parameters and the state. */
    gls_status (*shape)(gls_graph *graph, gls_node *node);
    const gls_op_impl *const *impl; /* ends with NULL; fastest first, portable last */
    /* In plans that store narrow, in place of that: reads and writes what is stored as it is (gls_exec_stored). Its
     * setup leaves library objects in node->stored_library. NULL, or where it does not fit: the op gets wide copies. */
    const gls_op_impl *stored;
    gls_status (*uses)(gls_graph *graph, int node); /* NULL: no parameters */
    /* Bytes kept from forward on, and where there is a backward pass, to the last question; NULL: none. */
    int64_t (*aux)(const gls_node *node, int64_t rows, bool backward);
    double (*work)(const gls_node *node);  /* multiply-adds a row; NULL: none */
    double (*slope)(const gls_node *node); /* of an activation; NULL: 0 */
    const gls_op_coupling *coupling;       /* NULL: examples do not couple */
    const gls_op_growth *growth; /* NULL: by the flags, or else positions wait until all of the inputs' are there */
    gls_link (*link)(const gls_graph *graph, const gls_node *node); /* a loss: what its inputs mean */
    /* A loss: what a row's outputs z [channels of its input] are at a position of padding; NULL: whatever they are. */
    void (*padding)(const gls_node *node, gls_real *z);
    /* A loss: adds this op's scores (named once) over the rows; NULL: none. */
    const char *score;
    const char *(*score_name)(const gls_graph *graph); /* where it depends on the data; NULL: score */
    gls_status (*scores)(gls_exec *x, int node, double *sum);
    /* A composed layer, several ops by one name, has this in place of all verbs above: adds them to the graph, named
     * "NAME.something", and returns the last one. */
    int (*compose)(gls_graph *graph, const char *name, const void *options, const int *input);
    /* Its nodes in an ONNX graph, as in evaluation mode, ended by gls_export_out (model/export.h); NULL: none. */
    void (*onnx)(gls_export *x, int node);
} gls_op;

extern const gls_op gls_op_input;
extern const gls_member_kind gls_op_kind;

gls_status gls_op_register(gls_context *ctx, const gls_op *op);
const gls_op *gls_op_find(gls_context *ctx, const char *name);

/* For ops whose output has the shape of their input. */
gls_status gls_op_same_shape(gls_graph *graph, gls_node *node);

/* For ops over the positions [c, 1, w] of an example, in shape; and as their setup: every position's channels lie side
 * by side. */
gls_status gls_op_takes_positions(const gls_graph *graph, const gls_node *node);
/* For ops that see positions before their own in whatever document: refuses packed ones. */
gls_status gls_op_takes_one_document(const gls_graph *graph, const gls_node *node);
/* As gls_op_growth's `ready`, for ops whose positions see those before them: as many as of the first input. */
int64_t gls_op_ready_so_far(const gls_graph *graph, const gls_node *node, const int64_t *ready);
gls_status gls_op_keeps_positions(const gls_graph *graph, gls_node *node, bool *fits);

/* Repeats of descriptors. The list of implementations of an op that has one. */
#define GLS_OP_PORTABLE(...)                                        \
    (const gls_op_impl *const[]) {                                  \
        &(const gls_op_impl){.name = "portable", __VA_ARGS__}, NULL \
    }
/* One that reads and writes what is stored, whichever way it is. */
#define GLS_OP_STORED(...)                      \
    &(const gls_op_impl) {                      \
        .name = "portable in bf16", __VA_ARGS__ \
    }
#define GLS_OP_ONE_INPUT .inputs_min = 1, .inputs_max = 1

#endif
