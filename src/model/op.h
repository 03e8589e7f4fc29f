/* An op of a network: a few verbs. To add one: a file in op/, a row in ops.c (docs/howto-add-an-op.md). */
#ifndef GLS_MODEL_OP_H
#define GLS_MODEL_OP_H

#include "base/table.h"
#include "model/exec.h"
#include "model/graph.h"

/* What backward reads besides the output's gradient, and what may share memory. */
enum {
    GLS_OP_KEEPS_INPUT = 1,
    GLS_OP_KEEPS_OUTPUT = 2,
    GLS_OP_IN_PLACE = 4,         /* forward may write over input 0 if nobody else needs it */
    GLS_OP_GRAD_IN_PLACE = 8,    /* backward may turn the output's gradient into input 0's where it lies */
    GLS_OP_FUSES = 16,           /* applies node->activation to its output */
    GLS_OP_ACTIVATION = 32,      /* a (leaky) relu: fused into a producer that fuses */
    GLS_OP_VIEW = 64,            /* the output is the input's memory wherever the layout allows */
    GLS_OP_OWN_LAYOUT = 128,     /* the output's layout is the implementation's choice, not input 0's */
    GLS_OP_LOSS = 256,           /* ends a graph: value is one loss a row */
    GLS_OP_EVALUATE_ALIAS = 512, /* nothing to do in evaluation mode (dropout) */
    GLS_OP_TOKENS = 1024         /* reads the batch's tokens where others read reals */
};

/* One way to execute an op. The first of the op's list that fits is taken. */
typedef struct gls_op_impl {
    const char *name;
    /* Says whether it fits, and may leave its library's objects in node->library; NULL: it always fits. */
    gls_status (*setup)(const gls_graph *graph, gls_node *node, bool *fits);
    void (*teardown)(const gls_graph *graph, gls_node *node);
    /* Prepared weights in a point: bytes, and filling them from w. NULL: none. */
    int64_t (*pack_bytes)(const gls_graph *graph, const gls_node *node);
    gls_status (*pack)(const gls_graph *graph, const gls_node *node, const gls_real *w, void *packed);
    /* Library objects of an evaluation; NULL: none. */
    gls_status (*object_create)(gls_exec *x, int node, void **object);
    void (*object_destroy)(gls_exec *x, int node, void *object);
    /* Bytes of scratch for forward or backward of that many rows; NULL: none. */
    int64_t (*scratch)(const gls_graph *graph, const gls_node *node, int64_t rows);
    /* value[node] from its inputs' values. A coupling op has phase 0 (leave `meet`) and phase 1 (read `met`), for each
     * of the slice's spans (gls_span_at). */
    gls_status (*forward)(gls_exec *x, int node, int phase, const double *met, double *meet);
    /* grad of the inputs from grad[node]: added where gls_exec_adds says so, else written. It never touches parameters'
     * gradients. */
    gls_status (*backward)(gls_exec *x, int node, int phase, const double *met, double *meet);
} gls_op_impl;

typedef struct gls_op {
    gls_member member;
    int inputs_min, inputs_max;
    unsigned flags;
    /* node->out from node->in (and the other inputs' out), and the parameters. */
    gls_status (*shape)(gls_graph *graph, gls_node *node);
    const gls_op_impl *const *impl;                 /* ends with NULL; fastest first, portable last */
    gls_status (*uses)(gls_graph *graph, int node); /* NULL: no parameters */
    int64_t (*aux)(const gls_graph *graph, const gls_node *node, int64_t rows); /* bytes; NULL: none */
    double (*work)(const gls_graph *graph, const gls_node *node);               /* multiply-adds a row; NULL: none */
    int64_t (*meet)(const gls_graph *graph, const gls_node *node);              /* doubles exchanged; NULL: uncoupled */
    /* The state moves on over a span; summary and state are laid out alike. NULL: no state. */
    void (*advance)(const gls_node *node, const double *summary, gls_real *state);
    /* A loss: adds this op's scores (named once) over the rows; NULL: none. */
    const char *score;
    gls_status (*scores)(gls_exec *x, int node, double *sum);
} gls_op;

extern const gls_op gls_op_input;
extern const gls_member_kind gls_op_kind;

gls_status gls_register_op(gls_context *ctx, const gls_op *op);
const gls_op *gls_op_find(gls_context *ctx, const char *name);

/* What many ops share. */
gls_status gls_shape_same(gls_graph *graph, gls_node *node);
/* Backward of an element-wise op: the input's gradient d = gradients(e, kept), written or added; kept is the input's or
 * the output's value. */
void gls_elementwise_backward(gls_exec *x, int node, const gls_real *kept,
                              void (*gradients)(gls_real *d, const gls_real *e, const gls_real *kept, int64_t n));

#endif
