/* glissade/method.h: step rules. A method is a machine with two verbs: query says what it wants next, tell takes the
 * answer and may move w. It knows no model and no data. Formulas: docs/methods.md. */
#ifndef GLISSADE_METHOD_H
#define GLISSADE_METHOD_H

#include <glissade/options.h>
#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- methods ---- */

typedef struct gls_method gls_method;

/* State divided over processes that step together, with the same w and gradients: each keeps that of consecutive
 * parameters, about as many as the others, and moves w there; then parts of w are exchanged. The bits are those of one
 * process that keeps all. */
typedef struct gls_method_share {
    int rank, ranks;
    /* all + at[r] up to at[r + 1], in bytes, is rank r's part, and then everybody's. */
    gls_status (*gather)(void *user, void *all, const int64_t *at);
    void *user;
} gls_method_share;

typedef struct gls_method_options {
    size_t size;
    const gls_layout *layout; /* of w; borrowed for the method's life */
    const gls_value *spec;    /* the method section: {name: msgd, lr: 0.1, groups: [...]}; borrowed during create */
    double steps_per_epoch;   /* turns lengths in epochs into steps; 0: unknown */
    double total_steps;       /* T of poly and cosine schedules; 0: unknown */
    uint64_t seed;            /* for methods that draw */
    /* NULL: one process keeps all. Copied. GLS_ERR_UNSUPPORTED for a method whose steps are no passes over parameters;
     * gls_method_arrays then has all but the state vectors, and gls_method_step_blocks is refused. */
    const gls_method_share *share;
} gls_method_options;

/* A method by the name in spec. GLS_ERR_ARGUMENT for unknown names and keys, negative or NaN rates and thresholds. */
GLS_API gls_status gls_method_create(gls_context *ctx, const gls_method_options *options, gls_method **out);
/* A method by name alone, one block "w" of that many parameters; then gls_method_set before the first step. */
GLS_API gls_status gls_method_create_named(gls_context *ctx, const char *name, int64_t parameters, gls_method **out);
/* Sets an option of the parameters that no group matches. After the first step only schedulable ones may be set. */
GLS_API gls_status gls_method_set(gls_method *method, const char *key, double value);
/* The same for the blocks of one group, counted from 0 as in the spec's `groups`. GLS_ERR_ARGUMENT for options of the
 * whole method, and for a group that is not trained. */
GLS_API gls_status gls_method_set_group(gls_method *method, int64_t group, const char *key, double value);
/* The same from text, for words, lists ("[0.9, 0.99]") and schedules ("{name: poly, from: 0.1}"). */
GLS_API gls_status gls_method_set_text(gls_method *method, const char *key, const char *text);
/* Gives an option one value a coordinate: `values` [d] > 0 is copied (cclip: "tau"). Not part of gls_method_arrays. */
GLS_API gls_status gls_method_set_vector(gls_method *method, const char *key, const gls_real *values);

/* What a step did; it costs no pass of its own. */
typedef struct gls_step_report {
    bool moved;             /* w was changed */
    bool refused;           /* the gradient was not finite: nothing was changed */
    double lr;              /* learning rate of this step */
    double gradient_norm;   /* |g| as handed in: before clipping, without coupled weight decay */
    double factor;          /* the factor a clipped or normalised method applied to its direction, and clip_norm to the
                               gradient; 1 where none */
    double clipped;         /* fraction of coordinates clipped (cclip, acclip); 0 elsewhere */
    double update_norm;     /* |w_new - w_old| */
    int64_t nonfinite;      /* coordinates of g that are not finite, when refused */
    int64_t zero_gradients; /* steps so far whose gradient was zero where the method divides by its norm */
} gls_step_report;
/* The whole interface of someone's own loop, for methods that ask for the gradient at w: w [d] moves by g [d]; report
 * may be NULL. A gradient that is not finite is no error: the step is refused (report->refused, gls_method_refused),
 * and w and the state stay as they are. GLS_ERR_UNSUPPORTED for methods that ask elsewhere. */
GLS_API gls_status gls_method_step(gls_method *method, gls_real *w, const gls_real *g, gls_step_report *report);
/* The same for weights in pieces: w[b] and g[b] are block b of the layout, and may be NULL where it is empty. The same
 * bits as for one vector, and nothing is copied. norm2: |g|^2 over the blocks that are trained where the caller knows
 * it, which saves reading g; NAN: it is read. GLS_ERR_ARGUMENT for one below 0. */
GLS_API gls_status gls_method_step_blocks(gls_method *method, gls_real *const *w, const gls_real *const *g,
                                          double norm2, gls_step_report *report);
GLS_API const char *gls_method_name(const gls_method *method);
/* Its options with their schedules, its parameter groups and state vectors as text for people; from gls_alloc. */
GLS_API char *gls_method_view(const gls_method *method);
GLS_API int64_t gls_method_steps(const gls_method *method); /* told so far, refused ones left out */
/* Steps so far that were refused since the gradient was not finite: who gives no report sees by it that one was. */
GLS_API int64_t gls_method_refused(const gls_method *method);
/* Memory of the state vectors, scales included; 0 before the first step where options follow creation. */
GLS_API int64_t gls_method_state_bytes(const gls_method *method);
/* Half of weight_decay times |w|^2 at this step's value, over blocks that are decayed, coupled or not: what a loss with
 * the decay in it has more. */
GLS_API double gls_method_decay(const gls_method *method, const gls_real *w);
/* Further figures by name, some of which read a state vector (u_norm, tau_median, eps_share, ...). */
GLS_API void gls_method_record(const gls_method *method, gls_record *record);
/* The vector [d] the method gives as its result: w, but for singd with `output: theory`. NULL as long as there is none.
 */
GLS_API const gls_real *gls_method_output(const gls_method *method, const gls_real *w);
/* Whether a schedule of an option watches validations; then gls_method_validated after each. */
GLS_API bool gls_method_watches(const gls_method *method);
GLS_API void gls_method_validated(gls_method *method, bool better);
/* Its named state, whole: everything a checkpoint needs. */
GLS_API gls_status gls_method_arrays(gls_method *method, const char *prefix, gls_arrays *arrays);
GLS_API void gls_method_destroy(gls_method *method);

/* ---- query and tell: methods that ask for more than the gradient at w ---- */

typedef enum gls_query_kind {
    GLS_QUERY_GRADIENT, /* an estimate of the gradient at `at` */
    GLS_QUERY_VALUE,    /* the value there */
    GLS_QUERY_ORACLE,   /* value, and a generalised gradient g with <g, direction> = f'(at; direction) */
    GLS_QUERY_DONE      /* the method has ended; see gls_method_certificate (methods that give one) */
} gls_query_kind;

typedef struct gls_query {
    gls_query_kind kind;
    const gls_real *at;        /* [d]; w itself, or the method's own vector */
    const gls_real *direction; /* [d] or NULL: no direction */
    bool same_batch;           /* on the mini-batch of the previous answer, else on the next one */
} gls_query;

typedef struct gls_answer {
    double value;      /* of the objective, or NaN */
    const gls_real *g; /* [d], or NULL to a value query */
    double norm2;      /* |g|^2 from the estimator's last pass: finite if and only if g is; NaN: not known (g is then
                          read once more) */
    const double *block_norm2; /* per block, or NULL */
    double epoch;              /* for schedules in epochs */
} gls_answer;
/* True if the method asks for the gradient at w, once a step. */
GLS_API bool gls_method_plain(const gls_method *method);

GLS_API gls_status gls_method_query(gls_method *method, const gls_real *w, gls_query *query);
/* A non-finite answer is refused: GLS_OK, report->refused is true, w and the method's state are as before, but for the
 * count of such steps, by which schedules go on. */
GLS_API gls_status gls_method_tell(gls_method *method, const gls_answer *answer, gls_real *w, gls_step_report *report);

/* That w is (delta, eps)-stationary: |sum_j weight_j g_j| = norm <= eps, where g_j is the generalised gradient at
 * point j, which lies within delta of w. */
typedef struct gls_certificate {
    double delta, eps, norm;
    int64_t count;
    const gls_real *points;  /* [count, d] */
    const double *weights;   /* [count], sum 1 */
    const gls_real *minus_m; /* [d] the combination with its sign changed, as it was formed */
} gls_certificate;

/* The certificate of an ended ingd, borrowed until the next call. GLS_ERR_UNSUPPORTED if there is none: the method
 * gives none, has not ended, or the search took more points than it keeps. */
GLS_API gls_status gls_method_certificate(const gls_method *method, gls_certificate *out);

/* ---- averages of iterates ---- */

typedef struct gls_average gls_average;

/* spec: a name or {name: exponential, decay: 0.999}; names: uniform (sum w_j / k), weighted (sum j w_{j-1} / sum j, [A]
 * theorem 1), exponential, triggered (uniform from the first non-improving validation on), drawn (one of the iterates,
 * uniformly, [A] algorithm 1). Held in double: 8 bytes a parameter. */
GLS_API gls_status gls_average_create(gls_context *ctx, int64_t parameters, const gls_value *spec, uint64_t seed,
                                      gls_average **out);
GLS_API void gls_average_destroy(gls_average *average);
/* Takes the next iterate w [d]. The theorems average the points at which gradients were taken: update before a step. */
GLS_API gls_status gls_average_update(gls_average *average, const gls_real *w);
/* Tells a validation loss: the first that is not below the best so far starts a triggered average. */
GLS_API void gls_average_validated(gls_average *average, double loss);
/* The average so far into out [d]; false (out as before) while nothing has been averaged. */
GLS_API bool gls_average_value(const gls_average *average, gls_real *out);
GLS_API int64_t gls_average_count(const gls_average *average);
GLS_API gls_status gls_average_arrays(gls_average *average, const char *prefix, gls_arrays *arrays);

/* ---- schedules: a value over the steps ---- */

typedef struct gls_schedule gls_schedule;

/* Where a run is. epoch NaN: steps over the steps per epoch. */
typedef struct gls_clock {
    double step; /* steps done before this one, from 0; refused ones count */
    double epoch;
} gls_clock;

/* spec: {name: poly, from: 0.1, power: 1.1, warmup: 5}; without a name: constant. from: the value where the spec has
 * none. Any schedule may begin with a linear warm-up from warmup_from, whose last step has the value with which
 * the schedule itself goes on; poly, cosine and inverse then run over the rest, the milestones of step and geometric
 * count from the start of the run. steps_per_epoch and total_steps as in gls_method_options. what names the option in
 * messages. */
GLS_API gls_status gls_schedule_create(gls_context *ctx, const char *what, const gls_value *spec, double from,
                                       double steps_per_epoch, double total_steps, gls_schedule **out);
GLS_API double gls_schedule_value(const gls_schedule *schedule, gls_clock clock);
/* Whether it wants to hear of validations (plateau). */
GLS_API bool gls_schedule_watches(const gls_schedule *schedule);
/* A validation; better: its loss is the lowest so far. Nothing for schedules that do not watch. */
GLS_API void gls_schedule_validated(gls_schedule *schedule, bool better);
/* What it remembers of validations, for checkpoints. */
GLS_API gls_status gls_schedule_arrays(gls_schedule *schedule, const char *prefix, gls_arrays *arrays);
GLS_API void gls_schedule_destroy(gls_schedule *schedule);
/* The learning rate of a method's step at this clock. GLS_ERR_ARGUMENT if a schedule leaves its option's bounds. */
GLS_API gls_status gls_method_rate(gls_method *method, gls_clock clock, double *lr);

/* ---- values that theorems give ---- */

/* What a value is: kind is "rate", "batch", "steps", "bound" and the like, help ends with the unit in brackets. */
typedef struct gls_theorem_output {
    const char *name, *kind, *help;
} gls_theorem_output;

/* A condition holds where side[0] <= side[1] (strict: <). */
typedef struct gls_theorem_condition {
    const char *text;
    void (*sides)(const void *inputs, const gls_record *values, double side[2]);
    bool strict;
} gls_theorem_condition;

/* A theorem's formulas: inputs are an options table of reals, with the unit in brackets at the end of its help; results
 * are named doubles (lr, beta, tau, batch, steps, bound, ...). */
typedef struct gls_theorem {
    gls_member member;
    void (*compute)(const void *inputs, gls_record *out);
    const gls_theorem_output *outputs;       /* ends with name NULL */
    const gls_theorem_condition *conditions; /* ends with text NULL; NULL: none */
    const char *not_for; /* a method that has a theorem of its own: refused as from_theory, or NULL */
} gls_theorem;

GLS_API const gls_theorem *gls_theorem_at(int64_t i); /* NULL at the end */
/* The values of {theorem: nag, L: 10, mu: 0.1}. GLS_ERR_ARGUMENT for unknown theorems, missing inputs and a condition
 * that is violated: the message has the condition and both its sides. */
GLS_API gls_status gls_theory_values(gls_context *ctx, const gls_value *given, gls_record *out);

/* ======== for authors: schedules of your own ======== */

/* What a schedule computes with. now, start and end are in one unit, steps or epochs. */
typedef struct gls_schedule_time {
    double now;      /* position, from 0 */
    double start;    /* end of the warm-up */
    double end;      /* end of the schedule; 0: unknown */
    double step;     /* steps done since the end of the warm-up */
    gls_clock clock; /* both positions, epoch known */
} gls_schedule_time;

typedef struct gls_schedule_type {
    gls_member member; /* its options struct begins with gls_schedule_common */
    bool needs_end;
    /* Checks what the table cannot, and may prepare numbers in self; NULL: nothing to do. */
    gls_status (*create)(gls_context *ctx, void *self, const void *options);
    size_t self_size;
    double (*value)(const void *self, const void *options, const gls_schedule_time *time);
    void (*validated)(void *self, const void *options, bool better); /* NULL: it does not watch */
    gls_status (*arrays)(gls_context *ctx, void *self, const char *prefix, gls_arrays *list); /* NULL: keeps nothing */
} gls_schedule_type;

typedef struct gls_schedule_common {
    double from, warmup_from;
    gls_length warmup, length;
} gls_schedule_common;

/* Rows of a schedule's options table. */
#define GLS_SCHEDULE_OPTIONS                                                                  \
    GLS_REAL("from", gls_schedule_common, from, NULL, 0, 0, "value at the start"),            \
        GLS_LENGTH("warmup", gls_schedule_common, warmup, "0", "length of a linear warm-up"), \
        GLS_REAL("warmup_from", gls_schedule_common, warmup_from, "0", 0, 0, "value at the start of the warm-up")
#define GLS_SCHEDULE_LENGTH                                \
    GLS_LENGTH("length", gls_schedule_common, length, "0", \
               "end of the schedule, from the start of the run; 0: the end of the run")

GLS_API gls_status gls_register_schedule(gls_context *ctx, const gls_schedule_type *type);
/* Built-in and registered schedules in order; NULL at the end. */
GLS_API const gls_schedule_type *gls_schedule_at(gls_context *ctx, int64_t i);

/* ======== for authors: methods of your own; docs/howto-add-a-method.md ======== */

enum {
    GLS_METHOD_VECTORS = 4,      /* state vectors at most */
    GLS_METHOD_COEFFICIENTS = 8, /* numbers a group's rule may prepare once a step */
    GLS_METHOD_SUMS = 4,         /* sums a rule may gather over coordinates in one pass */
    GLS_METHOD_RANGE = 512       /* coordinates handed to a rule at once, at most; more to one that moves w itself */
};

enum {
    GLS_METHOD_NEEDS_NORM = 1,        /* update->norm2 */
    GLS_METHOD_NEEDS_BLOCK_NORMS = 2, /* range->g_norm2, range->w_norm2 */
    GLS_METHOD_OWN_DECAY = 4,         /* the rule itself applies range->decay; else weight_decay is added to g */
    GLS_METHOD_DECOUPLED = 8,         /* weight_decay is the decoupled one */
    GLS_METHOD_SQUARES = 16,     /* its state holds squares of g: a |g| whose square overflows gls_real is an error */
    GLS_METHOD_MOVES = 32,       /* main moves w itself, by range->target, in the loop that makes the step */
    GLS_METHOD_STATE_FIRST = 64, /* first does what is done to the state; main only reads it */
    GLS_METHOD_NARROW = 128      /* main takes narrow state as it is, in range->narrow */
};

/* project: {ball: r} around zero, or {box: [lo, hi]} for every coordinate. */
typedef struct gls_method_projection {
    double ball;   /* 0: none */
    gls_reals box; /* none or two */
} gls_method_projection;

/* How the state vectors of a rule are kept between steps (option `state`). bf16: half of a float's memory; q8: a
 * quarter, with a scale for every 256 coordinates of a block. Both are rounded up or down at random, by numbers that
 * depend on the seed, the step and the coordinate, so that the mean is exact and small changes are not lost. */
enum { GLS_STATE_FLOAT, GLS_STATE_BF16, GLS_STATE_Q8 };

/* The options of every method; its own struct begins with them. Rows for the table: GLS_METHOD_OPTIONS below. */
typedef struct gls_method_common {
    double lr, weight_decay, decoupled_weight_decay, clip_norm;
    const gls_value *groups, *from_theory;
    const gls_method_projection *project;
    int state; /* GLS_STATE_... */
} gls_method_common;

/* One step under way. */
typedef struct gls_update {
    void *self;                    /* the method's own memory */
    const void *options;           /* of the parameters that no group matches, at this step */
    int64_t k;                     /* number of the step, from 1 */
    unsigned needs;                /* begin may add to the type's */
    double norm2;                  /* |g|^2, clipped and coupled decay included, where needed */
    double lr, factor, clipped;    /* reported; lr is set, factor is 1 and clipped 0 at first */
    bool zero;                     /* the gradient counts as zero: counted in the report */
    double first[GLS_METHOD_SUMS]; /* sums of the first pass over all of w */
    double sums[GLS_METHOD_SUMS];  /* and of the main pass */
    int64_t parameters;            /* d */
    int64_t trained;               /* those of them that are not in groups with train: false */
    gls_context *ctx;
} gls_update;

/* How a range of w is to move: by -rate along. */
typedef struct gls_move {
    const gls_real *along;
    double rate;
} gls_move;

/* The same for a rule that writes w itself: w -= rate along + shrink w, then into [low, high]. */
typedef struct gls_move_target {
    gls_real *w;
    gls_real rate; /* the rule's own, as shrink and the bounds are the library's */
    gls_real gain; /* of g: the rule sees gain g[k]; 1 but where clip_norm cuts */
    gls_real shrink, low, high;
    double moved2; /* |w_new - w_old|^2, to be added to */
    bool coarse;   /* sums of it may be made in gls_real over up to GLS_METHOD_RANGE coordinates, as many as a range
                      has unless the rule takes narrow state */
} gls_move_target;

/* Consecutive coordinates of one block and one parameter group: what a rule works on. All pointers are at its first
 * coordinate. */
typedef struct gls_range {
    const gls_update *update;
    const void *options;       /* of the group, at this step */
    const double *coefficient; /* what `coefficients` prepared for the group */
    int64_t size, offset;      /* offset: of its first coordinate in w */
    const gls_real *w;         /* before the step */
    const gls_real *g;         /* the gradient, clipped and coupled decay included */
    gls_real *state[GLS_METHOD_VECTORS];
    const struct gls_method_narrow *narrow; /* the state in place of that, where the rule takes it so; else NULL */
    double decay;                           /* weight_decay of these coordinates, with GLS_METHOD_OWN_DECAY */
    double g_norm2, w_norm2;                /* of the whole block, with GLS_METHOD_NEEDS_BLOCK_NORMS */
    const double *block_first;              /* sums of the first pass over the whole block */
    double *sums;                           /* to be added to */
    gls_real *step; /* room for a step: where the move goes along at first, with rate 1. In the first pass: scratch */
    gls_move *move; /* a rule may point it at a vector that it has anyway */
    gls_move_target *target; /* in main, with GLS_METHOD_MOVES; step and move are not looked at then, and a range may be
                                longer than GLS_METHOD_RANGE */
} gls_range;

/* What `create` may look at. */
typedef struct gls_method_setup {
    gls_context *ctx;
    const gls_layout *layout;
    int64_t parameters;
    const void *options;
    uint64_t seed;
    double total_steps, steps_per_epoch; /* 0: unknown */
    gls_real *const *state;              /* the state vectors, zero at first; NULL where `state` is not float */
    const gls_method *method;            /* for gls_method_state_read */
} gls_method_setup;

/* A step rule. A step is: schedules; refusal if g is not finite; begin; norms if needed; coefficients for every group;
 * first over all ranges (rules that need a sum before w can move); between; main over all ranges; projection; finish.
 * Everything but member and main may be NULL or 0. Rules are called in several threads at once, on disjoint ranges.
 * Blocks that are not trained are left out of all passes. finish gets no w (NULL) from gls_method_step_blocks. */
typedef struct gls_method_type {
    gls_member member;
    size_t self_size;           /* memory of its own, zero at the start */
    const char *const *vectors; /* names of its state vectors [d], zero at the start; ends with NULL */
    unsigned not_negative;      /* bit i: vector i has no negative numbers, as mean squares */
    unsigned needs;
    gls_status (*create)(void *self, const gls_method_setup *setup);
    void (*destroy)(gls_context *ctx, void *self);
    void (*coefficients)(const gls_update *update, const void *options, double *out);
    void (*begin)(gls_update *update);
    void (*first)(const gls_range *range);
    void (*between)(gls_update *update);
    void (*main)(const gls_range *range);
    void (*finish)(gls_update *update, const gls_real *w);
    /* For rules that ask for something other than the gradient at w. A rule with tell makes the whole step itself. */
    void (*query)(const void *self, const gls_real *w, gls_query *query);
    gls_status (*tell)(void *self, const gls_answer *answer, gls_real *w, gls_step_report *report);
    gls_status (*arrays)(void *self, const gls_method_setup *setup, const char *prefix, gls_arrays *arrays);
    void (*record)(const void *self, const gls_method_setup *setup, gls_record *record);
    const gls_real *(*output)(const void *self, const gls_real *w);
    gls_status (*certificate)(const void *self, gls_context *ctx, gls_certificate *out);
    /* One value a coordinate for an option: takes values [d]. */
    gls_status (*set_vector)(void *self, const gls_method_setup *setup, const char *key, const gls_real *values);
} gls_method_type;

/* n coordinates of a state vector from `offset` on, however it is kept: for `record` and the like. */
GLS_API void gls_method_state_read(const gls_method_setup *setup, int vector, int64_t offset, int64_t n, gls_real *out);
GLS_API double gls_method_state_squares(const gls_method_setup *setup, int vector); /* the sum of its squares */

GLS_API gls_status gls_register_method(gls_context *ctx, const gls_method_type *type);
/* Built-in and registered methods in order; NULL at the end. */
GLS_API const gls_method_type *gls_method_at(gls_context *ctx, int64_t i);

#ifndef __cplusplus
/* The rows of a projection. They are no literals inside GLS_METHOD_PROJECT, because a table may be local to a function,
 * and its literals would end with it. */
GLS_UNUSED static const gls_option gls_projection_box = {.type = GLS_OPTION_REAL};
GLS_UNUSED static const gls_option gls_method_projection_options[] = {
    GLS_REAL("ball", gls_method_projection, ball, NULL, 0, INFINITY, "radius around zero",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_LIST("box", gls_method_projection, box, NULL, 2, 2, &gls_projection_box, "least and greatest value"),
    {0},
};
#endif

/* Rows of an options table whose struct begins with gls_method_common. lr and decay are the defaults as text. */
#define GLS_METHOD_LR(lr_text)                                                   \
    GLS_REAL("lr", gls_method_common, lr, lr_text, 0, INFINITY, "learning rate", \
             .flags = GLS_OPTION_SCHEDULABLE | GLS_OPTION_ABOVE_MIN)
#define GLS_METHOD_DECAY(decay_text, help_text)                                                   \
    GLS_REAL("weight_decay", gls_method_common, weight_decay, decay_text, 0, INFINITY, help_text, \
             .flags = GLS_OPTION_SCHEDULABLE)
#define GLS_METHOD_COUPLED GLS_METHOD_DECAY("0", "coupled weight decay: lambda w is added to the gradient")
#define GLS_METHOD_DECOUPLED_ROW                                                                    \
    GLS_REAL("decoupled_weight_decay", gls_method_common, decoupled_weight_decay, "0", 0, INFINITY, \
             "decoupled weight decay: w -= lr lambda w beside the step", .flags = GLS_OPTION_SCHEDULABLE)
#define GLS_METHOD_PROJECT                                                                               \
    GLS_MAP("project", gls_method_common, project, gls_method_projection_options, gls_method_projection, \
            "projection after the step: {ball: r} or {box: [lo, hi]}", .flags = GLS_OPTION_WHOLE)
/* For rules that see their state through ranges alone. */
#define GLS_METHOD_STATE                                                                                       \
    GLS_ENUM("state", gls_method_common, state, "float", "float|bf16|q8",                                      \
             "how the state is kept: q8 in 8 bits with a scale for 256 of them; both narrow ones are rounded " \
             "at random",                                                                                      \
             .flags = GLS_OPTION_WHOLE)
#define GLS_METHOD_THEORY(help_text) \
    GLS_VALUE("from_theory", gls_method_common, from_theory, help_text, .flags = GLS_OPTION_WHOLE)
#define GLS_METHOD_REST                                                                                  \
    GLS_VALUE("groups", gls_method_common, groups,                                                       \
              "options of blocks by name: [{match: \"*.bias\", weight_decay: 0}]; the first match wins", \
              .flags = GLS_OPTION_WHOLE),                                                                \
        GLS_REAL("clip_norm", gls_method_common, clip_norm, "0", 0, INFINITY,                            \
                 "gradients longer than this are cut to it on their way into the step; 0: they are not", \
                 .flags = GLS_OPTION_WHOLE | GLS_OPTION_SCHEDULABLE),                                    \
        GLS_METHOD_PROJECT, GLS_METHOD_THEORY("values a theorem gives: {theorem: nag, L: 10, mu: 0.1}")

#ifdef __cplusplus
}
#endif
#endif
