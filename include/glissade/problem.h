/* glissade/problem.h: the contract in the middle. A slice of a batch is evaluated at a point, and then asked.
 *
 * An objective is F(w) = sum f_i(w) / sum m_i over examples with masses m_i. The problem sums, the estimator divides.
 * A problem's own l2 term is part of every f_i. */
#ifndef GLISSADE_PROBLEM_H
#define GLISSADE_PROBLEM_H

#include <glissade/options.h>
#include <glissade/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- problems by name ---- */

typedef struct gls_problem gls_problem;

/* Makes a problem by name ("logistic", "mlp") with options as a map (the model section) or NULL. */
GLS_API gls_status gls_problem_create(gls_context *ctx, const char *name, const gls_value *options,
                                      const gls_data_info *data, gls_problem **out);
GLS_API const gls_layout *gls_problem_layout(const gls_problem *problem);
GLS_API int64_t gls_problem_size(const gls_problem *problem); /* d */
GLS_API gls_status gls_problem_initialize(gls_problem *problem, uint64_t seed, gls_real *w);
GLS_API void gls_problem_destroy(gls_problem *problem);

/* In what a problem computes gradients. */
typedef enum gls_precision {
    GLS_PRECISION_REAL, /* gls_real */
    GLS_PRECISION_BF16  /* mixed: operands of matrix products and convolutions, activations and their gradients are
                           rounded to bf16 (8 bits of fraction, to the nearest, ties to even), products added up in
                           float; weights, statistics, norms, losses and sums stay as they are (Micikevicius et al.
                           2018; Kalamkar et al. 2019) */
} gls_precision;
/* Sets it, before the problem's first point or evaluation. bf16 is for networks in single precision
 * (GLS_ERR_UNSUPPORTED elsewhere) on processors that multiply it (AVX512-BF16, through oneDNN): layers conv and dense
 * do; products of other layers round their operands and multiply in float. With emulate all products do that, on any
 * processor, which saves memory of activations and no time; without it a network none of whose products is the
 * processor's is GLS_ERR_UNSUPPORTED.
 * Evaluations in GLS_MODE_EVALUATE without gradients, for GLS_WANT_HESSIAN and for GLS_WANT_NEXT compute in gls_real
 * all the same: what is predicted is in float, and the rounding has no derivative. */
GLS_API gls_status gls_problem_set_precision(gls_problem *problem, gls_precision precision, bool emulate);

enum { GLS_MAX_SCORES = 4 }; /* of a problem */

/* ---- a user's objective, and recorded gradients ---- */

/* What the outputs z of an example mean. */
typedef enum gls_link {
    GLS_LINK_NONE,     /* not known here */
    GLS_LINK_IDENTITY, /* values: they are z */
    GLS_LINK_LOGISTIC, /* two classes, one z: class 1 has probability 1 / (1 + e^-z) */
    GLS_LINK_SOFTMAX,  /* one z for each class: class c has probability e^(z_c) / sum e^z */
    GLS_LINK_SIGN,     /* two classes, one z: class 1 where z > 0; no probabilities */
    GLS_LINK_LARGEST,  /* one z for each class: that of the largest z, the first of equal ones; no probabilities */
    GLS_LINK_NEAREST,  /* one z: the class of the nearest number 0, 1, ...; no probabilities */
    GLS_LINK_SEQUENCE  /* a row's classes in order: at every position one z for each and one for none, problem->blank;
                          the  largest ones, runs of equal ones once */
} gls_link;

/* Adds up over `count` examples: *value = sum c_i f_i(w), and unless gradient is NULL, gradient[d] += sum c_i grad
 * f_i(w); weight NULL: all 1. Returns 0, or a code of its own: the step is then not taken and the status is
 * GLS_ERR_CALLBACK. A plain training step calls it once a slice. Other questions cost further calls: losses one for
 * each row; norms and inner products one for each group, over the rows from the group's first to its last; a weighted
 * gradient one. */
typedef int (*gls_objective_fn)(void *user, const gls_real *w, int64_t count, const int64_t *example,
                                const double *weight, double *value, gls_real *gradient);
/* out [count, outputs] = the outputs of `count` examples at w, for predictions. Returns as gls_objective_fn. */
typedef int (*gls_output_fn)(void *user, const gls_real *w, int64_t count, const int64_t *example, gls_real *out);
typedef struct gls_objective {
    size_t size;
    int64_t parameters; /* d */
    int64_t examples;
    gls_objective_fn evaluate;
    void *user;
    bool serial;              /* the callbacks must not run on two threads at once */
    const gls_layout *layout; /* copied; NULL: one block "w" */
    gls_output_fn output;     /* NULL: nothing can be predicted */
    int64_t outputs;          /* an example, with output */
    gls_link link;            /* what those outputs mean */
} gls_objective;
/* Masses of the examples come with the batch (gls_source_indices); f_i is what the callback says, mass included. */
GLS_API gls_status gls_problem_create_objective(gls_context *ctx, const gls_objective *objective, gls_problem **out);

/* Recorded per-example gradients G [steps, examples, d] (steps 1: the same at every draw): f_i(w) = <g_i, w>. G is
 * borrowed. The draw of a batch picks the step, modulo steps. */
GLS_API gls_status gls_problem_create_recorded(gls_context *ctx, const gls_real *gradients, int64_t steps,
                                               int64_t examples, int64_t parameters, gls_problem **out);
/* A source of examples without features, for objectives and recorded gradients. */
GLS_API gls_status gls_source_indices(gls_context *ctx, int64_t examples, const double *mass, gls_source **out);

/* ---- analytic problems ---- */

/* What is known of an analytic problem without its noise. NaN: not known, or no such constant. */
typedef struct gls_constants {
    double minimum;            /* inf F, over the ball of that radius */
    const gls_real *minimizer; /* [d] a point where F is minimum, or NULL */
    double smoothness;         /* L: |grad F(x) - grad F(y)| <= L |x - y| */
    double convexity;          /* F - convexity/2 |w|^2 is convex */
    double pl;                 /* |grad F|^2 >= 2 pl (F - minimum) */
    double l0, l1;             /* |Hessian| <= l0 + l1 |grad F| */
    double lipschitz;          /* |F(x) - F(y)| <= lipschitz |x - y| */
    double radius;             /* all of this holds where |w| <= radius */
} gls_constants;
/* Borrowed from the problem; NULL if it is not an analytic one. */
GLS_API const gls_constants *gls_analytic_constants(const gls_problem *problem);

/* ---- predictions: what outputs say ---- */

typedef struct gls_prediction {
    const char *link;  /* "identity", "softmax", ...; "none": nothing can be predicted */
    int64_t positions; /* predictions a row: 1, or one for each of its tokens */
    int64_t classes;   /* 0: values are predicted, not classes */
    int64_t values; /* what gls_problem_predict gives for each: probabilities of the classes, or values; 0: nothing */
    bool sequence;  /* classes in order, at most one a position; values: the blank has a probability too */
} gls_prediction;
GLS_API gls_prediction gls_problem_prediction(const gls_problem *problem);
/* From outputs z [rows, k]: out [rows, positions, values], the probabilities of the classes or the values.
 * GLS_ERR_UNSUPPORTED with a sentence where there are none. */
GLS_API gls_status gls_problem_predict(const gls_problem *problem, int64_t rows, const gls_real *z, gls_real *out);
/* The same for classes: out [rows, positions] in [0, classes), -1 where z is not a number. A sequence stands in front,
 * -1 behind it. */
GLS_API gls_status gls_problem_classify(const gls_problem *problem, int64_t rows, const gls_real *z, int32_t *out);

/* ---- points, evaluations and questions: for someone who looks into a problem without a pass ---- */

/* w, prepared for a problem. */
typedef struct gls_point gls_point;
GLS_API gls_status gls_point_create(gls_problem *problem, gls_point **out);
GLS_API void gls_point_destroy(gls_point *point);
GLS_API gls_status gls_point_set(gls_point *point, const gls_real *w); /* w is borrowed until the next set */
GLS_API const gls_real *gls_point_w(const gls_point *point);
GLS_API void *gls_point_prepared(const gls_point *point);

/* A slice evaluated at a point. */
typedef struct gls_evaluation gls_evaluation;

typedef enum gls_mode { GLS_MODE_TRAIN, GLS_MODE_EVALUATE } gls_mode;

/* What will be asked of an evaluation. The loss may be asked too, except where outputs are the only thing wanted. The
 * bits of the plain gradient, and of the outputs, do not depend on what else is wanted but for GLS_WANT_SHARED. */
enum {
    GLS_WANT_GRADIENT = 1,
    GLS_WANT_LOSSES = 2,
    GLS_WANT_SCORES = 4,
    GLS_WANT_OUTPUTS = 8, /* alone: the rows need neither labels, targets nor masses, and no loss is computed */
    GLS_WANT_NORMS = 16,
    GLS_WANT_INNER = 32,
    GLS_WANT_HESSIAN = 64, /* Hessian-vector product with args->direction */
    GLS_WANT_ORACLE = 128, /* the gradient is a generalised one with <g, direction> = f'(w; direction) */
    GLS_WANT_NEXT = 256,   /* alone: outputs of one row whose tokens come one after the other (gls_evaluate_more) */
    GLS_WANT_SHARED = 512  /* beside gradient and norms: the gradient may be made of what norms are made of, where that
                              saves work; its last bits may then be others */
};

static inline bool gls_want_loss(unsigned want) {
    return want != GLS_WANT_OUTPUTS && want != GLS_WANT_NEXT;
}

/* A partition of a slice's rows into groups: group[row] in [0, groups), or -1 for a row in none. */
typedef struct gls_partition {
    int64_t groups;
    const int32_t *group;
} gls_partition;

/* One evaluation's arguments; borrowed until the evaluation's last question. */
typedef struct gls_evaluate_args {
    const gls_point *point;
    const gls_batch *rows;
    unsigned want;
    gls_mode mode;
    const gls_point *direction; /* with GLS_WANT_HESSIAN or GLS_WANT_ORACLE */
    const gls_real *state;      /* the committed running statistics and carried state, read */
    gls_real *state_next; /* successors of the blocks by slot, or NULL where nobody will commit them: a slice writes
                             the slots of its own rows */
    double *summary;      /* [spans of this slice, p->summary] what the other blocks' successors need to know of
                             each span, or NULL; written by its leader */
    bool leader;          /* this slice holds the span's first row */
    int64_t span;         /* > 0: this slice holds whole spans of this many rows (the last one may be smaller), each
                             of which exchanges sums with itself only; 0: it is one span, or a part of one */
    double batch_mass;    /* of a slice that is a part of a coupling span: mass of the span over all ranks; else 0 */
    int64_t batch_rows;   /* rows of that span; else of the whole mini-batch, over all ranks */
    uint64_t seed;
} gls_evaluate_args;

typedef enum gls_product { GLS_PRODUCT_GRADIENT, GLS_PRODUCT_HESSIAN } gls_product;

GLS_API gls_status gls_evaluation_create(gls_problem *problem, int64_t max_rows, unsigned want, gls_mode mode,
                                         gls_evaluation **out);
GLS_API void gls_evaluation_destroy(gls_evaluation *evaluation);
GLS_API const gls_evaluate_args *gls_evaluation_args(const gls_evaluation *evaluation);
/* All stages of one slice, which is then a coupling span of its own (with GLS_COUPLING_GROUPS: whole spans). A pass
 * runs the stages itself. */
GLS_API gls_status gls_evaluate(gls_evaluation *evaluation, const gls_evaluate_args *args);

/* For an evaluation of one row made for GLS_WANT_NEXT: the row's tokens [from, to) are new, those before are known from
 * the calls before, where `to` was what is now `from`; from 0: another row. out [k / positions]: what gls_ask_outputs
 * would give at position to - 1 (k / positions: see gls_prediction). Work grows with the new tokens; those behind them
 * are not read. GLS_ERR_UNSUPPORTED where outputs of a position depend on later ones. */
GLS_API gls_status gls_evaluate_more(gls_evaluation *evaluation, const gls_evaluate_args *args, int64_t from,
                                     int64_t to, gls_real *out);

/* Questions. Each may be asked again; none changes anything. GLS_ERR_ARGUMENT for what was not declared in want. A
 * partition of NULL makes every row a group of its own. */
GLS_API gls_status gls_ask_loss(gls_evaluation *evaluation, double *sum);
GLS_API gls_status gls_ask_losses(gls_evaluation *evaluation, double *losses);
GLS_API gls_status gls_ask_scores(gls_evaluation *evaluation, double *sums);
GLS_API gls_status gls_ask_outputs(gls_evaluation *evaluation, gls_real *outputs); /* [rows, k] */
/* g += sum weights[i] grad f_i, d long, tiles included; weights NULL: all 1. GLS_ERR_UNSUPPORTED for weights finer than
 * the coupling, with a sentence that says why. */
GLS_API gls_status gls_ask_gradient(gls_evaluation *evaluation, gls_product product, const double *weights,
                                    gls_real *g);
GLS_API gls_status gls_ask_norms(gls_evaluation *evaluation, const gls_partition *partition, double *out);
GLS_API gls_status gls_ask_inner(gls_evaluation *evaluation, const gls_partition *partition, const gls_point *v,
                                 double *out);
/* Makes the successors the state; the trainer calls it after a step was accepted. */
GLS_API void gls_problem_commit(gls_problem *problem, const gls_real *state_next);

/* ======== for authors: problem types of your own; docs/howto-add-a-problem.md ======== */

/* How examples of a mini-batch depend on each other in training. In GLS_MODE_EVALUATE they never do: each slice
 * runs all its stages alone; the exchanged sums it receives are its own and may be ignored. */
typedef enum gls_coupling {
    GLS_COUPLING_NONE,
    GLS_COUPLING_GROUPS, /* inside fixed runs of coupling_group consecutive slots; the last one may be smaller */
    GLS_COUPLING_BATCH   /* through the whole mini-batch, or through spans of it (gls_evaluate_args) */
} gls_coupling;

/* Span k of a slice: its rows [begin, end) of the slice, and how many it has over all slices and ranks. */
typedef struct gls_span {
    int64_t begin, end, rows;
} gls_span;
static inline int64_t gls_span_count(const gls_evaluate_args *args) {
    return args->span > 0 ? (args->rows->rows + args->span - 1) / args->span : 1;
}
static inline gls_span gls_span_at(const gls_evaluate_args *args, int64_t k) {
    int64_t rows = args->rows->rows, begin = k * args->span;
    int64_t end = args->span > 0 && args->span < rows - begin ? begin + args->span : rows;
    gls_span span = {begin, end, args->span > 0 ? end - begin : args->batch_rows};
    return span;
}

/* Where a slice adds its gradient: one place for each block that is not tiled. */
typedef struct gls_sink gls_sink;
GLS_API gls_real *gls_sink_block(gls_sink *sink, int64_t block); /* NULL for a tiled block */
typedef struct gls_problem_type gls_problem_type;
struct gls_onnx;

/* A problem type: which questions are answered in closed form. NULL verbs are answered generically.
 *
 * Two ways to write one. The short way is `value_gradient` alone: sums over rows; everything else is generic. The full
 * way is an evaluation: forward and backward stages, then questions. All verbs but create, destroy and point_set may
 * run on several threads at once, each with its own evaluation. */
struct gls_problem_type {
    gls_member member;
    size_t self_size; /* bytes of p->self, zeroed before create */
    bool mixes; /* its loss knows rows of two classes (gls_batch.other_label); else data that have some are refused */

    /* Fills p->self, p->layout (and p->state_layout, p->coupling, p->scores, ...) for these data. data may be NULL for
     * a problem without examples: it then has one example of mass 1. */
    gls_status (*create)(gls_problem *p, const void *options, const gls_data_info *data);
    void (*destroy)(gls_problem *p); /* self's own memory, also after a failed create; may be NULL */
    gls_status (*initialize)(gls_problem *p, uint64_t seed, gls_real *w); /* NULL: zeros */
    gls_status (*initialize_state)(gls_problem *p, gls_real *state);      /* NULL: zeros */

    /* The short way: *value = sum of c_i f_i over the rows, and where g is not NULL, g += sum of c_i grad f_i (d long);
     * weights NULL: all 1. */
    gls_status (*value_gradient)(gls_problem *p, const gls_evaluate_args *args, const gls_real *w,
                                 const double *weights, double *value, gls_real *g);

    /* A point: w prepared once (packed, reordered). NULL verbs: the point is w itself. */
    gls_status (*point_create)(gls_problem *p, void **prepared);
    void (*point_destroy)(gls_problem *p, void *prepared);
    gls_status (*point_set)(gls_problem *p, void *prepared, const gls_real *w);

    /* The full way. An evaluation for at most max_rows rows. forward runs in p->forward_meets + 1 stages (the
     * glossary's phases); after each but the last, slices exchange sums. want and mode are the most that will be asked.
     */
    gls_status (*evaluation_create)(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self);
    void (*evaluation_destroy)(gls_problem *p, void *self);
    /* Makes what slices of that many rows (at most max_rows) need, so that evaluating them allocates nothing. Optional.
     */
    gls_status (*evaluation_reserve)(gls_problem *p, void *self, int64_t rows);
    /* Stage k in [0, p->forward_meets]: `met` holds the totals of exchange k-1 over all slices and ranks (NULL for
     * k = 0); `meet` receives this slice's terms for exchange k (NULL in the last stage). With args->span each is
     * [spans of this slice, p->forward_meet[k]]. With GLS_WANT_HESSIAN in args->want, as many doubles follow them:
     * those of the tangents. */
    gls_status (*forward)(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                          double *meet);
    /* As forward, with p->backward_meets; NULL: nothing to do. Called only if a gradient, norms, inner products or a
     * Hessian product are wanted. */
    gls_status (*backward)(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                           double *meet);

    /* [rows] f_i; required of the full way. It and scores are not called where gls_want_loss(args->want) is false. */
    gls_status (*losses)(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses);
    gls_status (*scores)(gls_problem *p, void *self, const gls_evaluate_args *args,
                         double *sums); /* [p->score_count] */
    gls_status (*outputs)(gls_problem *p, void *self, const gls_evaluate_args *args, gls_real *out); /* [rows, k] */
    /* gls_evaluate_more; required where p->grows. */
    gls_status (*more)(gls_problem *p, void *self, const gls_evaluate_args *args, int64_t from, int64_t to,
                       gls_real *out);
    /* Adds sum_i weights[i] grad f_i (or times Hessian direction) into the sink's blocks; weights [rows] or NULL. */
    gls_status (*gradient)(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                           const double *weights, gls_sink *sink);
    /* Tiled blocks: adds the same over all `count` evaluations of a wave for tile `tile` into g (d long, shared); tiles
     * write disjoint parts of g. weights[e] belongs to evaluation e, NULL entries are all ones; weights may be NULL. */
    int64_t (*tiles)(gls_problem *p);
    gls_status (*gradient_tile)(gls_problem *p, void *const *self, const gls_evaluate_args *const *args, int64_t count,
                                gls_product product, const double *const *weights, int64_t tile, gls_real *g);
    /* The one stretch [*begin, *end) of g that this tile alone writes; those of later tiles come later, and together
     * they are the tiled blocks. So it can be on its way to other ranks while they are made. NULL: tiles write here and
     * there. */
    void (*tile_range)(gls_problem *p, int64_t tile, int64_t *begin, int64_t *end);
    /* out[g] = squared norm of the SUM of grad f_i over group g. */
    gls_status (*norms)(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                        double *out);
    /* out[g] = inner product of that sum with v. */
    gls_status (*inner)(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                        const gls_point *v, double *out);
    /* The static cost model: work of one row's forward pass in multiply-adds, bytes an evaluation holds for one row.
     * NULL: d and 8 d.
     */
    void (*cost)(gls_problem *p, double *multiply_adds, double *bytes);
    /* Updates the state, except its blocks by slot, from the summary [p->summary] that a span left. Called for one span
     * after the other. NULL: only blocks by slot ever change. */
    void (*advance)(gls_problem *p, const double *summary, gls_real *state);
    /* Its outputs at w in an ONNX graph: *output [batch, k], or [batch, positions, k / positions] of next words, from
     * input [batch, shape of an example] or tokens [batch, length]. Of the library's own; NULL: none. */
    gls_status (*onnx)(gls_problem *p, const gls_real *w, struct gls_onnx *to, const char *input, const char **output);
    /* Takes another precision than GLS_PRECISION_REAL, before the first point or evaluation; where it would be
     * emulated, only with `emulate`. NULL: there is none. */
    gls_status (*set_precision)(gls_problem *p, gls_precision precision, bool emulate);
};

struct gls_problem {
    const gls_problem_type *type;
    gls_context *ctx;
    void *self;
    gls_data_info data;
    gls_layout *layout;       /* of w; made before create, filled by it */
    gls_layout *state_layout; /* may stay empty */
    gls_real *state;          /* the committed state; only gls_problem_commit writes it */
    gls_coupling coupling;
    int64_t coupling_group;
    int64_t coupling_least; /* rows that a coupling span needs to have statistics; below: it leaves the state alone */
    int64_t summary;        /* doubles that a span leaves for advance */
    int forward_meets, backward_meets;     /* exchanges between slices of coupled examples: gls_problem_add_meet */
    int64_t *forward_meet, *backward_meet; /* [exchanges] doubles in each, for one span */
    int score_count;                       /* at most GLS_MAX_SCORES */
    const char *score[GLS_MAX_SCORES];     /* sums over rows, to be divided by the mass: "accuracy" */
    int64_t outputs;                       /* k; 0: none */
    gls_link link;                         /* from the outputs to predictions */
    int64_t positions;                     /* predictions of a row, k / positions outputs each; 0: one */
    int64_t blank;                         /* GLS_LINK_SEQUENCE: the output that stands for no class */
    bool serial;                           /* must not be called from two threads */
    bool oracle_exact;                     /* answers GLS_WANT_ORACLE exactly */
    bool hessian_exact;                    /* answers GLS_WANT_HESSIAN in closed form */
    bool grows;                            /* answers GLS_WANT_NEXT */
    gls_precision precision;               /* gls_problem_set_precision writes it */
    bool emulated;                         /* and whether that was asked to be emulated */
    bool shortens;                         /* padding behind the longest row of a slice costs nothing */
};
GLS_API gls_status gls_problem_create_type(gls_context *ctx, const gls_problem_type *type, const void *options,
                                           const gls_data_info *data, gls_problem **out);
/* For create verbs: adds one exchange of this many doubles after those already added. */
GLS_API gls_status gls_problem_add_meet(gls_problem *problem, bool backward, int64_t doubles);
GLS_API gls_status gls_register_problem(gls_context *ctx, const gls_problem_type *type);

#ifdef __cplusplus
}
#endif
#endif
