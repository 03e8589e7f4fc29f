/* Kinds of parameter use. A kind answers for gradients with respect to one block from views of what the block is
 * applied to and of the gradient of what comes out, both left by the evaluation. To add one: a file in use/. */
#ifndef GLS_MODEL_USE_H
#define GLS_MODEL_USE_H

#include "model/exec.h"

struct gls_factors;

/* A use in one of several evaluations; weights NULL: all 1. */
typedef struct gls_use_at {
    gls_exec *x;
    const gls_use *use;
    const double *weights;
} gls_use_at;
enum { GLS_USES_AT_ONCE = 64 }; /* at most */

typedef struct gls_use_kind {
    const char *name;
    bool views_input; /* reads use->input */
    bool product;     /* the block is an operand of products, which may be in bf16 */
    /* g [block] += sum of weights[row] times row's gradient; weights NULL: all 1. */
    gls_status (*gradient)(gls_exec *x, const gls_use *use, const double *weights, gls_real *g);
    /* The same for rows [begin, end) of the block's first axis, for tiled blocks; g is the whole block. NULL: never
     * tiled. No scratch: several tiles of one evaluation run at a time. */
    gls_status (*gradient_tile)(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                                gls_real *g);
    /* The same for several evaluations together. NULL: it gains nothing by that. */
    gls_status (*gradient_tiles)(const gls_use_at *at, int64_t count, int64_t begin, int64_t end, gls_real *g);
    /* out[group] += squared norm of the group's summed gradient. */
    gls_status (*norms)(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out);
    /* out[group] += inner product of that sum with v [block] of the point. */
    gls_status (*inner)(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *v,
                        double *out);
    /* out[group] += twice the inner product of the sums that this use and another one of the kind, of the same block,
     * give. NULL: it follows from their factors. */
    gls_status (*cross)(gls_exec *x, const gls_use *use, const gls_use *other, const gls_partition *partition,
                        double *out);
    /* The gradient as outer products (use/factors.h), from which follow the cross terms with other uses of the block,
     * of this or of another kind; NULL: blocks used in this way are not shared. */
    struct gls_factors (*factors)(const gls_exec *x, const gls_use *use);
    /* With GLS_WANT_SHARED: reals of the sum of all rows' gradients, which norms leave on their
     * way, and gradient takes. NULL: none. */
    int64_t (*summed)(const gls_graph *graph, const gls_use *use);
    /* Reals of its copies of narrow buffers, which lie in gls_storage_wide. NULL: none there. */
    int64_t (*wide)(const gls_graph *graph, const gls_memory_plan *plan, const gls_use *use);
    /* Bytes of scratch for the questions that the plan is made for. */
    int64_t (*scratch)(const gls_graph *graph, const gls_memory_plan *plan, const gls_use *use);
} gls_use_kind;

extern const gls_use_kind gls_use_matrix, gls_use_dropped, gls_use_lookup, gls_use_convolution, gls_use_scale_shift;

#endif
