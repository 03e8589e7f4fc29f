/* glissade/estimator.h: one pass over a batch, and what is made of its gradients before a method sees them. */
#ifndef GLISSADE_ESTIMATOR_H
#define GLISSADE_ESTIMATOR_H

#include <glissade/options.h>
#include <glissade/comm.h>
#include <glissade/data.h>
#include <glissade/problem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the pass: the only parallel region over examples ---- */

/* Workspaces for passes over one problem. A pass is made once; after its first run of a kind it allocates nothing. */
typedef struct gls_pass gls_pass;
typedef struct gls_pass_options {
    size_t size;
    int64_t slice; /* rows evaluated at once; 0: the static cost model */
    int64_t wave;  /* rows held at once; 0: the static cost model */
    int64_t lanes; /* a power of two; 0: the static cost model */
    int64_t span;  /* rows over which a coupled problem's statistics run; 0: the problem's own groups, else the whole
                      mini-batch. Spans follow each other, and the state advances over them in order */
} gls_pass_options;

GLS_API gls_status gls_pass_create(gls_problem *problem, const gls_pass_options *options, gls_pass **out);
/* What the plan chooses for mini-batches of `rows` over all ranks (slice, wave, lanes), to be stored with a run. */
GLS_API gls_pass_options gls_pass_plan(const gls_pass *pass, int64_t rows);
/* That plan as a line of text for people; from gls_alloc. */
GLS_API char *gls_pass_view(const gls_pass *pass, int64_t rows);
/* Successors of the problem's state after the last pass in training mode; NULL where there is no state. */
GLS_API const gls_real *gls_pass_state_next(const gls_pass *pass);

/* Outputs at w of all rows of all ranks, in order of their slots: out [rows->global_rows, k], the same on every rank;
 * k: the problem's `outputs`, how many numbers a row has (struct gls_problem). Evaluation mode; the rows need no
 * labels. A row's bits depend on w and on its slot, not on threads, the plan's slices and waves, or the ranks' shares.
 * For a long set, hand in one part after the other. gls_problem_predict says what the outputs mean, gls_run_begin where
 * the weights of a trained run are. GLS_ERR_UNSUPPORTED for a problem without outputs. */
GLS_API gls_status gls_pass_outputs(gls_pass *pass, const gls_real *w, gls_stream *rows, gls_real *out);
GLS_API void gls_pass_destroy(gls_pass *pass);

/* ---- estimators ---- */

/* A chain of stages: what happens to a mini-batch before the method sees g. In order: stages over groups of examples,
 * at growing group size, each making one vector of a group's gradient; the sum of those, divided (mean) or not (sum);
 * stages over the whole estimate. */
typedef struct gls_estimator gls_estimator;

/* spec: a name, a map with `name`, or a list of such (a chain); NULL: mean. GLS_ERR_ARGUMENT for stages out of order,
 * GLS_ERR_UNSUPPORTED for groups finer than the problem's coupling. */
GLS_API gls_status gls_estimator_create(gls_problem *problem, const gls_value *spec, uint64_t seed,
                                        gls_estimator **out);

/* What an estimator made of a mini-batch. */
typedef struct gls_estimate {
    double loss; /* mean over mass of the mini-batch: sum f_i / sum m_i */
    double mass;
    int64_t rows;
    double norm2;                 /* |g|^2; finite if and only if g is */
    double score[GLS_MAX_SCORES]; /* sums, if asked for */
} gls_estimate;
/* g [d] from this mini-batch at w; figures go into record (may be NULL). */
GLS_API gls_status gls_estimator_estimate(gls_estimator *estimator, gls_pass *pass, const gls_real *w, gls_stream *rows,
                                          unsigned want, gls_real *g, gls_estimate *out, gls_record *record);
/* The chain as text for people, one line per stage; from gls_alloc. */
GLS_API char *gls_estimator_view(const gls_estimator *estimator);
/* Its state, for checkpoints: the step counter and the ledger. */
GLS_API gls_status gls_estimator_arrays(gls_estimator *estimator, const char *prefix, gls_arrays *arrays);
/* How the estimates' vectors are added up over ranks from now on; norms and clip factors stay exact. Borrowed; NULL:
 * every value as it is. */
GLS_API void gls_estimator_use_exchange(gls_estimator *estimator, gls_comm_exchange *exchange);
/* The rows that must stay together on a rank: the alignment of a loader. 1: none; -1: the whole mini-batch. */
GLS_API int64_t gls_estimator_group(const gls_estimator *estimator);
/* The key column that batches must carry, or NULL. Groups by key: a rank's share of the mini-batch is then materialised
 * at once; GLS_ERR_ARGUMENT if the ranks' ranges of keys overlap (a loader with a key column keeps them apart). */
GLS_API const char *gls_estimator_key(const gls_estimator *estimator);

/* How every example of the set fared in training: sums by index, the same on all ranks. [examples] each. */
typedef struct gls_ledger {
    int64_t examples;
    const double *seen;       /* times drawn */
    const double *log_factor; /* sum of log of the factor applied to the example's group */
    const double *norm;       /* sum of the norm of the example's own gradient */
} gls_ledger;
/* The ledger of an estimator with `ledger: true`; examples 0 without. */
GLS_API gls_ledger gls_estimator_ledger(const gls_estimator *estimator);
GLS_API void gls_estimator_destroy(gls_estimator *estimator);

/* ---- gradients that are in memory already ---- */

/* Gradients of a mini-batch, one row an example [n, d], row-major, from anywhere; the counterpart for measures is
 * gls_measure_matrix. All arrays are borrowed during the call. */
typedef struct gls_estimator_matrix {
    const gls_real *g;
    int64_t n, d;
    const double *mass; /* [n] >= 0, what rows count for: a mean is their sum over the sum of masses; NULL: all 1 */
    const int64_t *key; /* [n] for stages that make groups by key, whatever that key is called there; else NULL */
    uint64_t draw;      /* number of the mini-batch: stages that draw take other numbers for another one */
} gls_estimator_matrix;
/* What a chain makes of them, in one call: g [d], as gls_estimator_estimate gives it on a problem whose examples have
 * these gradients; out->loss is NaN. spec as in gls_estimator_create; the seed is the context's. out and record may be
 * NULL. A row that is not finite does what the chain's `nonfinite` says. GLS_ERR_ARGUMENT for an empty matrix, negative
 * masses, and keys where the chain has no use for them or none where it needs them; GLS_ERR_UNSUPPORTED in a context of
 * several ranks. */
GLS_API gls_status gls_estimator_run_matrix(gls_context *ctx, const gls_value *spec, const gls_estimator_matrix *matrix,
                                            gls_real *g, gls_estimate *out, gls_record *record);

/* ======== for authors: passes of your own, over which you ask each slice yourself ======== */

/* A slice inside a pass, as request->slice() is given it. */
typedef struct gls_slice {
    gls_evaluation *evaluation;
    const gls_batch *rows;
    int64_t number;          /* of the slice in this rank's batch */
    int64_t first;           /* its first row in this rank's batch */
    int64_t group;           /* number of its first group in this rank's batch, with request->group or cuts */
    gls_partition groups;    /* of its rows into those groups */
    double mass;             /* of its rows */
    double *weights;         /* [rows], to be filled if request->weighted */
    double *sum, *min, *max; /* this lane's accumulators */
    gls_real *gradient;      /* with request->explicit_slices: this slice's own sum of gradients, [d]; may be changed */
    double scale;      /* with request->explicit_slices: what it is multiplied by when added to g; 1; 0: left out */
    gls_real *scratch; /* [d], with request->scratch */
} gls_slice;

typedef struct gls_pass_result gls_pass_result;

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
    bool weighted;        /* slice() fills the weights of the gradient; else they are 1 */
    bool explicit_slices; /* slice() is given the slice's own gradient before it is added to g; with groups, a slice
                             is then one group */
    bool divisible;       /* with explicit_slices, of a slice() that asks nothing of the evaluation: one that is longer
                             than the plan's slices may be evaluated in parts, and takes no more memory than they do */
    /* With divisible: called with each part (the whole, where it is not divided) while it is evaluated. NULL: nothing
     */
    gls_status (*part)(void *user, gls_slice *part);
    bool scratch;       /* slice() is given a vector to work in */
    int64_t slice_rows; /* > 0: rows of a slice in this run, in place of the plan's; the last one may be smaller */
    int64_t group;      /* > 0: slices are cut at multiples of that many slots */
    const int64_t *cut; /* [cuts + 1] ascending rows of this rank, 0 first: groups of unequal size, in place of
                           group */
    int64_t cuts;
    /* What g is multiplied by in the last pass over it; sums over all slices and ranks are known by then. NULL: 1. */
    double (*factor)(void *user, const gls_pass_result *sums);
    /* What this rank's g is multiplied by before it is added to the others', in place of factor(); own: its loss, mass,
     * rows and |g|^2. Every rank is called, once all got so far, and may meet the others in it. NULL: nothing. */
    gls_status (*share)(void *user, const gls_pass_result *own, double *factor);
    int64_t sums, mins, maxs; /* how many accumulators of each kind */
    double *sum, *min, *max;  /* results over all slices and ranks, [sums], [mins], [maxs] */
    /* Evaluation mode: a state (of the problem's state_layout) that is read in place of the problem's own, and in which
     * blocks by slot advance. NULL: the problem's, which a pass never changes. */
    gls_real *state;
    bool local; /* no exchange with other ranks: sums and g are this rank's */
    /* How g is added up over ranks, after it was multiplied by factor(); sums, mins and maxs stay exact. NULL: every
     * value as it is. */
    gls_comm_exchange *exchange;
} gls_pass_request;

struct gls_pass_result {
    double loss; /* sum of f_i over all rows of all ranks; NaN where outputs alone were wanted */
    double mass;
    int64_t rows;
    double norm2;                 /* |g|^2 as accumulated in the last pass over g; finite if and only if g is */
    double score[GLS_MAX_SCORES]; /* sums, with GLS_WANT_SCORES */
};
GLS_API gls_status gls_pass_run(gls_pass *pass, const gls_pass_request *request, gls_pass_result *result);
/* g = H(w) v summed over the rows: exact where the problem says so (GLMs, networks of built-in ops), at a price of at
 * most three gradients; else central differences of gradients at two widths, at that of four. */
GLS_API gls_status gls_pass_hessian_vector(gls_pass *pass, const gls_real *w, const gls_real *v, gls_stream *rows,
                                           gls_mode mode, gls_real *g, double *mass);
/* How far apart the last product's differences at two widths were, relative to it: near 0 where gradients are smooth,
 * large across a kink. 0: it was exact. */
GLS_API double gls_pass_hessian_doubt(const gls_pass *pass);

/* ======== for authors: estimators of your own; docs/howto-add-an-estimator.md ======== */

typedef struct gls_stage gls_stage;

/* A group whose gradient a stage works on. */
typedef struct gls_group {
    const gls_batch *rows; /* the group's own rows */
    int64_t slot;          /* of its first row */
    double mass;
} gls_group;

typedef enum gls_place {
    GLS_PLACE_GROUP, /* makes one vector of each group's gradient */
    GLS_PLACE_SUM,   /* how those are summed up */
    GLS_PLACE_WHOLE  /* the estimate as a whole */
} gls_place;

typedef struct gls_estimator_type {
    gls_member member;
    size_t self_size;
    gls_place place;
    gls_status (*create)(gls_stage *stage, const void *options);
    void (*destroy)(gls_stage *stage);

    /* GLS_PLACE_GROUP. mean [d] is the group's mean gradient; the stage changes it in place. May run on several threads
     * at once, for different groups. */
    gls_status (*transform)(gls_stage *stage, const gls_group *group, gls_real *mean);
    /* Instead of transform, if the stage only multiplies: the factor for a mean gradient of this finite, non-zero norm.
     */
    double (*factor)(const gls_stage *stage, double norm);

    /* GLS_PLACE_WHOLE: changes g [d] and brings out->norm2 up to date. */
    gls_status (*whole)(gls_stage *stage, gls_real *g, gls_estimate *out, gls_record *record);
} gls_estimator_type;

/* What a group without a finite gradient does to the step. */
typedef enum gls_nonfinite {
    GLS_NONFINITE_SKIP_STEP,  /* g is then not finite, and methods refuse it */
    GLS_NONFINITE_SKIP_GROUP, /* its gradient is left out; the mean is over the other groups */
    GLS_NONFINITE_STOP        /* GLS_ERR_NONFINITE */
} gls_nonfinite;

/* Two ways to the same numbers: every group is a slice with a gradient of its own; or slices are larger, norms come
 * from the problem and the gradient is weighted row by row. */
typedef enum gls_way { GLS_WAY_AUTO, GLS_WAY_STREAMED, GLS_WAY_DERIVED } gls_way;

/* One member of a chain. create() sets self and what follows it. */
struct gls_stage {
    const gls_estimator_type *type;
    gls_context *ctx;
    gls_problem *problem;
    uint64_t seed;
    void *self;
    int64_t group; /* GLS_PLACE_GROUP: rows of a group; -1: the mini-batch, or given by key; -2: those of a rank */
    char *key;     /* the key column that makes the groups, or NULL; from gls_alloc, freed with the stage */
    bool smallest; /* the sum is multiplied by the smallest norm that factor() has seen */
    double bound;  /* where a norm above it means "clipped"; 0: nowhere */
    bool sum;      /* vectors are summed up, not averaged */
    double noise;  /* deviation of the normal noise added to the sum */
    gls_nonfinite nonfinite;
    gls_way way;
    bool ledger;         /* keep the ledger */
    int64_t ratio_every; /* estimates between two figures of |g| / |mean gradient|; 0: never */
};
GLS_API gls_status gls_register_estimator(gls_context *ctx, const gls_estimator_type *type);

#ifdef __cplusplus
}
#endif
#endif
