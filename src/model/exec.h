/* An evaluation of a network: a plan's memory for one slice, and what the ops see of it. */
#ifndef GLS_MODEL_EXEC_H
#define GLS_MODEL_EXEC_H

#include "model/graph.h"
#include "model/plan.h"

typedef struct gls_network gls_network;

typedef struct gls_exec {
    gls_network *net;
    gls_context *ctx;
    const gls_graph *graph;
    gls_memory_plan *plan;
    const gls_evaluate_args *args;
    int64_t rows;             /* of the present slice, at most plan->max_rows */
    const gls_real *w;        /* [d] */
    void *const *packed;      /* [nodes] prepared weights, NULL entries */
    gls_real **value, **grad; /* [nodes], NULL where not kept */
    void **aux;               /* [nodes] */
    void **object;            /* [nodes] library objects */
    void *scratch;
    char *memory;
    double *seconds; /* [nodes, 3] forward, backward, gradient, with net->profile */
} gls_exec;

/* Whether backward of `node` adds to the gradient of its input k (somebody has written it before) or writes it. */
static inline bool gls_exec_adds(const gls_exec *x, int node, int k) {
    return x->plan->adds[node * GLS_NODE_INPUTS + k];
}
/* Whether anybody wants the gradient of input k. */
static inline bool gls_exec_wants(const gls_exec *x, int node, int k) {
    return x->grad[x->graph->node[node].input[k]] != NULL;
}
static inline const gls_real *gls_exec_weight(const gls_exec *x, int64_t block) {
    return block < 0 ? NULL : x->w + gls_layout_block(x->graph->layout, block)->offset;
}
static inline const gls_node *gls_exec_node(const gls_exec *x, int node) {
    return &x->graph->node[node];
}
static inline const gls_node *gls_exec_input(const gls_exec *x, int node, int k) {
    return &x->graph->node[x->graph->node[node].input[k]];
}
static inline gls_real *gls_exec_in(const gls_exec *x, int node, int k) {
    return x->value[x->graph->node[node].input[k]];
}
static inline gls_real *gls_exec_in_grad(const gls_exec *x, int node, int k) {
    return x->grad[x->graph->node[node].input[k]];
}

#endif
