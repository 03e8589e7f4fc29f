/* glissade/estimator.h: one pass over a batch, and what is made of its gradients before a method sees them. */
#ifndef GLISSADE_ESTIMATOR_H
#define GLISSADE_ESTIMATOR_H

#include "base.h"
#include "data.h"
#include "problem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the pass: the only parallel region over examples ---- */

/* Workspaces for passes over one problem; made once, a pass allocates nothing after its first run of a kind. */
typedef struct gls_pass gls_pass;
typedef struct gls_pass_options {
    size_t size;
    int64_t slice; /* rows evaluated at once; 0: the static cost model */
    int64_t wave;  /* rows held at once; 0: the static cost model */
    int64_t lanes; /* a power of two; 0: the static cost model */
    int64_t span;  /* rows over which a coupled problem's statistics run; 0: the whole mini-batch */
} gls_pass_options;

/* A slice inside a pass: what a per-slice function is given. */
typedef struct gls_slice {
    gls_evaluation *evaluation;
    const gls_batch *rows;
    int64_t number;          /* of the slice in this rank's batch */
    int64_t first;           /* its first row in this rank's batch */
    int64_t group;           /* number of its first group, with request->group > 0 */
    double *weights;         /* [rows], to be filled if request->weighted */
    double *sum, *min, *max; /* this lane's accumulators */
    gls_real *gradient; /* with request->explicit_slices: this slice's own sum of gradients, d long; may be scaled */
} gls_slice;

typedef struct gls_pass_request {
    const gls_real *w;
    const gls_point *direction; /* for Hessian products and oracles */
    gls_stream *rows;
    unsigned want;
    gls_mode mode;
    gls_product product;
    gls_real *g; /* [d] the weighted sum over all slices and ranks; NULL: none is formed */
    /* Called once a slice, in the worker that evaluated it. NULL: nothing. */
    gls_status (*slice)(void *user, gls_slice *slice);
    void *user;
    bool weighted;            /* slice() fills the weights of the gradient; else they are 1 */
    bool explicit_slices;     /* slice() is given the slice's own gradient before it is added to g */
    int64_t group;            /* > 0: slices are cut at multiples of that many slots */
    int64_t sums, mins, maxs; /* how many accumulators of each kind */
    double *sum, *min, *max;  /* results over all slices and ranks, [sums], [mins], [maxs] */
    bool local;               /* do not talk to other ranks */
} gls_pass_request;

typedef struct gls_pass_result {
    double loss; /* sum of f_i over all rows of all ranks */
    double mass;
    int64_t rows;
    double norm2;    /* |g|^2 as accumulated in the last pass over g; finite if and only if g is */
    double score[4]; /* sums, with GLS_WANT_SCORES */
} gls_pass_result;

GLS_API gls_status gls_pass_create(gls_problem *problem, const gls_pass_options *options, gls_pass **out);
GLS_API void gls_pass_destroy(gls_pass *pass);
GLS_API gls_status gls_pass_run(gls_pass *pass, const gls_pass_request *request, gls_pass_result *result);
/* What the plan chose (slice, wave, lanes), to be stored with a run. */
GLS_API gls_pass_options gls_pass_plan(const gls_pass *pass);
/* Successors of the problem's state after the last pass in training mode; NULL where there is no state. */
GLS_API const gls_real *gls_pass_state_next(const gls_pass *pass);
/* g = H(w) v summed over the rows: closed form where the problem has it, else central differences of gradients. */
GLS_API gls_status gls_pass_hessian_vector(gls_pass *pass, const gls_real *w, const gls_real *v, gls_stream *rows,
                                           gls_mode mode, gls_real *g, double *mass);

/* ---- estimators ---- */

typedef struct gls_estimator gls_estimator;

/* What an estimator made of a mini-batch. */
typedef struct gls_estimate {
    double loss; /* mean over mass of the mini-batch: sum f_i / sum m_i */
    double mass;
    int64_t rows;
    double norm2;    /* |g|^2; finite if and only if g is */
    double score[4]; /* sums, if asked for */
} gls_estimate;

typedef struct gls_estimator_type {
    gls_member member;
    size_t self_size;
    gls_status (*create)(gls_estimator *e, const void *options, const gls_value *given);
    void (*destroy)(gls_estimator *e);
    /* g [d] from this mini-batch at w; figures of its own go into record. */
    gls_status (*estimate)(gls_estimator *e, gls_pass *pass, const gls_real *w, gls_stream *rows, unsigned want,
                           gls_real *g, gls_estimate *out, gls_record *record);
    gls_status (*arrays)(gls_estimator *e, const char *prefix, gls_arrays *arrays); /* NULL: no state */
} gls_estimator_type;

struct gls_estimator {
    const gls_estimator_type *type;
    gls_context *ctx;
    gls_problem *problem;
    uint64_t seed;
    void *self;
};

/* spec: a name, a map with `name`, or a list of such (a chain); NULL: mean. */
GLS_API gls_status gls_estimator_create(gls_problem *problem, const gls_value *spec, uint64_t seed,
                                        gls_estimator **out);
GLS_API void gls_estimator_destroy(gls_estimator *estimator);
GLS_API gls_status gls_estimator_estimate(gls_estimator *estimator, gls_pass *pass, const gls_real *w, gls_stream *rows,
                                          unsigned want, gls_real *g, gls_estimate *out, gls_record *record);
GLS_API gls_status gls_estimator_arrays(gls_estimator *estimator, const char *prefix, gls_arrays *arrays);
GLS_API gls_status gls_register_estimator(gls_context *ctx, const gls_estimator_type *type);

#ifdef __cplusplus
}
#endif
#endif
