/* Kinds of parameter use. A kind answers for gradients with respect to one block from a view of the inputs and one of
 * the output gradients, both left by the evaluation. To add one: a file in use/. */
#ifndef GLS_MODEL_USE_H
#define GLS_MODEL_USE_H

#include "model/exec.h"

/* A gradient as a sum of outer products: over a row's positions, left_t right_t^T in the shape [p, q] of the block. */
typedef struct gls_factors {
    const gls_real *left;  /* [rows positions, p]; NULL: the unit vectors of token */
    const int32_t *token;  /* [rows positions] in [0, p) */
    const gls_real *right; /* [rows positions, q] */
    int64_t p, q, positions;
} gls_factors;

typedef struct gls_use_kind {
    const char *name;
    bool views_input; /* reads node `input`'s value */
    /* g [block] += sum of weights[row] times row's gradient; weights NULL: all 1. */
    gls_status (*gradient)(gls_exec *x, const gls_use *use, const double *weights, gls_real *g);
    /* The same for rows [begin, end) of the block's first axis, for tiled blocks; g is the whole block. NULL: never
     * tiled. No scratch: several tiles of one evaluation run at a time. */
    gls_status (*gradient_tile)(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                                gls_real *g);
    /* out[group] += squared norm of the group's summed gradient. */
    gls_status (*norms)(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out);
    /* out[group] += inner product of that sum with v [block] of the point. */
    gls_status (*inner)(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *v,
                        double *out);
    /* The gradient as outer products, from which follow the cross terms with other uses of the block, of this or of
     * another kind; NULL: blocks used in this way are not shared. */
    gls_factors (*factors)(const gls_exec *x, const gls_use *use);
    /* Bytes of scratch for norms and inner products of a slice of that many rows. */
    int64_t (*scratch)(const gls_graph *graph, const gls_use *use, int64_t rows, unsigned want);
} gls_use_kind;

extern const gls_use_kind gls_use_matrix, gls_use_lookup, gls_use_convolution, gls_use_scale_shift;

#endif
