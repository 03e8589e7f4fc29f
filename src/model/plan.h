/* A plan for (rows, want, mode): stages cut at coupling ops, and where every activation and gradient lives. */
#ifndef GLS_MODEL_PLAN_H
#define GLS_MODEL_PLAN_H

#include "model/graph.h"

typedef struct gls_memory_plan {
    int64_t max_rows;
    unsigned want;
    gls_mode mode;
    bool backward;
    int64_t *value, *grad, *aux; /* [nodes] byte offsets into the memory; -1: not kept, or not ours (the input) */
    bool *adds;                  /* [nodes, inputs] */
    int64_t scratch;             /* byte offset */
    int64_t bytes;               /* of the whole */
    int coupled;                 /* coupling ops that meet in this mode */
    int *coupling;               /* [coupled] their nodes, in order */
} gls_memory_plan;

gls_status gls_memory_plan_create(const gls_graph *graph, int64_t max_rows, unsigned want, gls_mode mode,
                                  gls_memory_plan **out);
void gls_memory_plan_destroy(const gls_graph *graph, gls_memory_plan *plan);

#endif
