/* A plan for (rows, want, mode, storage): stages cut at coupling ops, a place for each activation and gradient. */
#ifndef GLS_MODEL_PLAN_H
#define GLS_MODEL_PLAN_H

#include "model/graph.h"

/* How activations and their gradients are stored between ops, and weights where ops multiply by them. Ops, uses and
 * what they leave in aux stay gls_real and double; so do the network's outputs and all parameters. */
typedef enum gls_storage {
    GLS_STORAGE_REAL,
    GLS_STORAGE_BF16 /* the upper half of a float, rounded to the nearest, ties to even */
} gls_storage;

typedef struct gls_memory_plan {
    int64_t max_rows;
    unsigned want;
    gls_mode mode;
    gls_storage storage;
    bool backward;
    bool tangents; /* for Hessian products */
    bool kept;     /* for these, or a row that grows: every value and gradient has its own place to the end, as reals */
    int64_t *value, *grad, *aux;      /* [nodes] byte offsets into the memory; -1: not kept, or not ours (the input) */
    bool *narrow_value, *narrow_grad; /* [nodes] stored in plan->storage rather than as reals */
    bool *adds;                       /* [nodes, inputs] */
    bool loss_in_place;               /* the loss's input is its gradient's memory: GLS_OP_GRAD_OVER_INPUT */
    int64_t scratch;                  /* byte offset */
    int64_t bytes;                    /* of the whole */
    int64_t wide;                     /* reals of a call's copies of narrow buffers, most of all calls; not in bytes */
    int coupled;                      /* coupling ops at which slices exchange sums in this mode */
    int *coupling;                    /* [coupled] their nodes, in order */
    int64_t *sum;                     /* [uses] of what norms leave for gradients, -1: nothing */
} gls_memory_plan;

gls_status gls_memory_plan_create(const gls_graph *graph, int64_t max_rows, unsigned want, gls_mode mode,
                                  gls_storage storage, gls_memory_plan **out);
void gls_memory_plan_destroy(const gls_graph *graph, gls_memory_plan *plan);

/* Whether a node takes what is stored so as it is, and the implementation that runs then. */
static inline bool gls_node_takes(const gls_node *node, gls_storage storage) {
    return storage != GLS_STORAGE_REAL && node->stored;
}
static inline const struct gls_op_impl *gls_node_impl(const gls_node *node, gls_storage storage) {
    return gls_node_takes(node, storage) ? node->stored : node->impl;
}

/* Whether a node is its input's memory in that mode: nothing runs for it. */
bool gls_node_aliased(const gls_node *node, gls_mode mode);
/* Whether its backward reads its own output. */
bool gls_node_keeps_output(const gls_node *node);
/* Whether what a view reads is stored narrow. */
bool gls_memory_plan_narrow(const gls_memory_plan *plan, const gls_view *view);

#endif
