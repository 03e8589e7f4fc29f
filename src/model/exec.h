/* An evaluation of a network: a plan's memory for one slice, and what the ops see of it. Ops and uses reach values,
 * gradients and aux through the calls below only: where a buffer is stored narrower than gls_real, they see a copy that
 * lives as long as their call. */
#ifndef GLS_MODEL_EXEC_H
#define GLS_MODEL_EXEC_H

#include "model/graph.h"
#include "model/plan.h"

typedef struct gls_network gls_network;
typedef struct gls_growth gls_growth;
typedef struct gls_exec_lengths gls_exec_lengths;

/* A narrow buffer's wide copy for the present call. */
typedef struct gls_storage_staged {
    void *stored;
    gls_real *wide;
    int64_t count;
    bool written; /* the call may change it */
} gls_storage_staged;
enum { GLS_MOST_STAGED = 2 * (GLS_NODE_INPUTS + 1) }; /* value and gradient of all inputs and of the output */

typedef struct gls_exec {
    gls_network *net;
    gls_context *ctx;
    const gls_graph *graph;
    gls_memory_plan *plan;
    const gls_evaluate_args *args;
    int64_t rows;             /* of the present slice, at most plan->max_rows */
    const gls_real *w;        /* [d]; operands of products are rounded where they are to be */
    void *const *packed;      /* [nodes] prepared weights, NULL entries */
    gls_real **value, **grad; /* [nodes], NULL where not kept, or narrow and not staged */
    void **aux;               /* [nodes] */
    void **object;            /* [nodes] library objects */
    void *scratch;
    char *memory;
    double *seconds;               /* [nodes, 3] forward, backward, gradient, with net->profile */
    gls_real *zeros;               /* of an execution of tangents: that of the network's input */
    struct gls_exec *tangent;      /* for Hessian products: the same plan with tangents in all buffers, or NULL */
    const struct gls_exec *primal; /* of an execution of tangents: that of the values */
    const struct gls_exec *inputs_of, *grads_of; /* where a use reads its views, if not here */
    gls_growth *growth;                          /* of a row that grows, else NULL */
    gls_exec_lengths *shorter;                   /* executions for shorter rows, else NULL */
    bool *summed;                                /* [uses] plan->sum has the gradient of the present slice */
    bool borrows;                                /* memory is another execution's */
    struct gls_storage_room *room;               /* of the wide copies of the present call, else NULL */
    int staged;
    gls_storage_staged stage[GLS_MOST_STAGED];
} gls_exec;

enum { GLS_EXEC_TIMES = 3 }; /* of a node: forward, backward, gradients of its parameters */

/* ---- for the network ---- */

/* lender: NULL, or one whose memory it takes where that is large enough, since both never run at once. */
gls_status gls_exec_create(gls_network *net, const gls_graph *graph, gls_exec *lender, int64_t max_rows, unsigned want,
                           gls_mode mode, gls_exec **out);
/* The library objects of slices of that many rows. */
gls_status gls_exec_reserve(gls_exec *x, int64_t rows);
void gls_exec_destroy(gls_exec *x);
/* Whether all ops of a finished graph have tangents, so that evaluations answer Hessian products. */
bool gls_exec_has_tangents(const gls_graph *graph);
/* The first stage of a slice. */
void gls_exec_begin(gls_exec *x, const gls_evaluate_args *args);
/* One node. Where the node is only an alias, its gradient is still passed to its input. */
gls_status gls_exec_forward(gls_exec *x, int node);
gls_status gls_exec_backward(gls_exec *x, int node);
/* The halves of one that couples, see gls_op_coupling. With tangents, partial and reduced hold `sums` doubles of the
 * values, and then as many of the tangents. */
gls_status gls_exec_forward_partial(gls_exec *x, int node, double *partial);
gls_status gls_exec_forward_reduced(gls_exec *x, int node, const double *reduced);
gls_status gls_exec_backward_partial(gls_exec *x, int node, double *partial);
gls_status gls_exec_backward_reduced(gls_exec *x, int node, const double *reduced);
/* Whether Hessian products are asked of the present slice. */
static inline bool gls_exec_tangents(const gls_exec *x) {
    return x->tangent && (x->args->want & GLS_WANT_HESSIAN);
}
/* Processor time of the calling thread in seconds, which other processes do not change. */
double gls_exec_clock(void);

/* ---- for ops and uses ---- */

static inline const gls_node *gls_exec_node(const gls_exec *x, int node) {
    return &x->graph->node[node];
}
static inline const gls_node *gls_exec_input(const gls_exec *x, int node, int k) {
    return &x->graph->node[x->graph->node[node].input[k]];
}
/* Reals of the node's output over the slice. */
static inline int64_t gls_exec_size(const gls_exec *x, int node) {
    return x->rows * gls_extent_size(x->graph->node[node].out);
}
/* Numbers of the documents at a row's positions, NULL: it is one. */
static inline const int32_t *gls_exec_document(const gls_exec *x, int64_t row) {
    const gls_batch *batch = x->args->rows;
    return batch->document ? batch->document + row * batch->length : NULL;
}
/* Positions of a row in front of its padding, of `positions` that are the batch's; others have none. */
static inline int64_t gls_exec_filled(const gls_exec *x, int64_t row, int64_t positions) {
    const int32_t *document = positions == x->args->rows->length ? gls_exec_document(x, row) : NULL;
    while (document && positions > 0 && document[positions - 1] < 0) positions--;
    return positions;
}
/* The place of position t in its document, from that of the position before. */
static inline int64_t gls_exec_place(const int32_t *document, int64_t t, int64_t before) {
    return t > 0 && (!document || document[t] == document[t - 1]) ? before + 1 : 0;
}
/* The node's output, the loss's gradient with respect to it, and its aux. */
static inline gls_real *gls_exec_value(const gls_exec *x, int node) {
    return x->value[node];
}
static inline gls_real *gls_exec_grad(const gls_exec *x, int node) {
    return x->grad[node];
}
static inline void *gls_exec_aux(const gls_exec *x, int node) {
    return x->aux[node];
}
/* For implementations that take what is stored as it is, the same in plan->storage. */
static inline void *gls_exec_stored(const gls_exec *x, int node) {
    return x->memory + x->plan->value[node];
}
static inline void *gls_exec_stored_grad(const gls_exec *x, int node) {
    return x->memory + x->plan->grad[node];
}
/* Input k, and the gradient with respect to it. */
static inline const gls_real *gls_exec_in(const gls_exec *x, int node, int k) {
    return x->value[x->graph->node[node].input[k]];
}
static inline gls_real *gls_exec_in_grad(const gls_exec *x, int node, int k) {
    return x->grad[x->graph->node[node].input[k]];
}
/* The first input and the output, or with `backward` their gradients, as an op takes them that has one code for both:
 * as they are stored, or gls_real. */
typedef struct gls_exec_sides {
    char *in, *out;
    bool narrow;     /* bf16 */
    int64_t element; /* bytes */
} gls_exec_sides;
gls_exec_sides gls_exec_sides_of(const gls_exec *x, int node, bool backward);
/* Whether the gradient of input k is needed. */
static inline bool gls_exec_wants(const gls_exec *x, int node, int k) {
    return x->plan->grad[x->graph->node[node].input[k]] >= 0;
}
/* Whether backward of `node` adds to the gradient of its input k (somebody has written it before) or writes it. */
static inline bool gls_exec_adds(const gls_exec *x, int node, int k) {
    return x->plan->adds[node * GLS_NODE_INPUTS + k];
}
/* Of an execution of tangents: that of the values (else NULL), and whether input k does not depend on the parameters at
 * all. */
static inline const gls_exec *gls_exec_primal(const gls_exec *t) {
    return t->primal;
}
/* Whichever the execution is: that of the values. */
static inline const gls_exec *gls_exec_values(const gls_exec *x) {
    return x->primal ? x->primal : x;
}
static inline bool gls_exec_still(const gls_exec *t, int node, int k) {
    return gls_exec_in(t, node, k) == t->value[0];
}
/* Takes the output's gradient, or on an execution of tangents that gradient's tangent, through the activation that is
 * fused into the node, in place; and there the output's tangent. Nothing to do without one. */
void gls_exec_activation_backward(gls_exec *x, int node);
void gls_exec_activation_tangent(gls_exec *t, int node);
/* Backward of a node whose gradient is its first input's as well. Where both are the same memory there is nothing to
 * do, unless the input has other readers. */
gls_status gls_exec_pass_grad(gls_exec *x, int node);
/* For what an op makes and multiplies before its call ends, [n] in place: to what it would be stored as. */
void gls_exec_round(const gls_exec *x, gls_real *v, int64_t n);
/* For uses: where the views of inputs and of gradients are read. */
static inline const gls_exec *gls_exec_inputs(const gls_exec *x) {
    return x->inputs_of ? x->inputs_of : x;
}
static inline const gls_exec *gls_exec_grads(const gls_exec *x) {
    return x->grads_of ? x->grads_of : x;
}
/* For kinds of use with `summed`: room for the sum of all rows' gradients, NULL: it is not wanted; whether it was made;
 * and what was made, NULL: nothing, or another product than the gradient is asked. */
gls_real *gls_exec_sum_begin(gls_exec *x, const gls_use *use);
void gls_exec_sum_end(gls_exec *x, const gls_use *use, bool made);
const gls_real *gls_exec_sum(const gls_exec *x, const gls_use *use);
static inline const gls_real *gls_exec_weight(const gls_exec *x, int64_t block) {
    return block < 0 ? NULL : x->w + gls_layout_block(x->graph->layout, block)->offset;
}

#endif
