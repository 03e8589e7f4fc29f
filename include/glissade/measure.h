/* glissade/measure.h: measures of gradients. Each measure reads a problem at a point, or a matrix of per-example
 * gradients, and answers with named figures; none changes a run. Definitions, costs and sources: docs/measures.md. */
#ifndef GLISSADE_MEASURE_H
#define GLISSADE_MEASURE_H

#include <glissade/options.h>
#include <glissade/data.h>
#include <glissade/estimator.h>
#include <glissade/problem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- measures ---- */

typedef struct gls_measure gls_measure;

/* One named figure: a number, or an array (histogram, quantiles, curve). */
typedef struct gls_figure {
    const char *name; /* constant text: "batch_size_bound" */
    const char *unit; /* constant text, "" where it is a pure number */
    int64_t count;    /* values; arrays may be of length 0 */
    double *value;
    bool array;
    bool headline;     /* also a key of its own at the top of the JSON */
    double low, high;  /* a 95% interval where the figure is an estimate, else NaN */
    const char *edges; /* of the counts of a histogram: the figure of the count + 1 edges of its bins; else NULL */
} gls_figure;

/* What one measure found. meaningless is a sentence where the figures must not be read as what their names say (they
 * may then be absent), else NULL; note is a sentence to be read beside them, or NULL. */
typedef struct gls_measure_result {
    gls_context *ctx;
    const char *measure;
    gls_figure *figure;
    int64_t figures, capacity;
    int64_t sample;     /* m: examples (or matrix rows) read */
    int64_t population; /* n of the set it was drawn from; 0: unknown */
    double seconds;
    char *meaningless, *note;
} gls_measure_result;

/* What a measure is given about a problem. Only what a measure needs must be there; the rest is NULL, 0 or NaN. All
 * vectors are d long and borrowed. */
typedef struct gls_measure_input {
    size_t size; /* sizeof(gls_measure_input) */
    gls_problem *problem;
    gls_pass *pass; /* the measures' own, never the run's; of a coupled problem, made with the run's span */
    const gls_source *source;
    const int64_t *index; /* [examples] the training examples in source; NULL: all of it */
    int64_t examples;
    const gls_real *w;
    const gls_real *w_previous; /* before the step that led to w */
    const gls_real *g;          /* the gradient estimate that this step used, before the method; NULL: not known */
    double lr;                  /* of the run at this step */
    int64_t batch;              /* mini-batch size of the run; 0: 128 */
    int64_t step;
    uint64_t seed;
    double loss, gradient_norm; /* of the run's own mini-batch at this step: time_averages */
    double decay; /* half the method's weight decay times |w|^2, block by block: loss adds it to a second figure; 0 */
    /* Of the run's own mini-batch, where its estimator has them (`mean: {ledger: true}` records second_moment):
     * examples, mean of their squared gradient norms, squared norm of their mean gradient. gradient_diversity then
     * reads nothing. */
    int64_t step_examples; /* 0: not known */
    double step_second_moment, step_norm2;
    const gls_ledger *ledger;      /* of the run's estimator: dragger; NULL: none */
    const gls_real *w_other;       /* of a second run: stability, differential_diversity */
    int64_t exchanged;             /* the example in which that run's set differs; -1: none */
    const gls_source *test_source; /* held-out examples */
    /* The step that the run's own method would take from w on the examples index [count], into next [d], by a copy of
     * its state: momentum, decay, clipping and rate are in it, and the run does not change. draw numbers the
     * randomness of the pass. NULL: plain SGD's step is taken, w - lr g. */
    gls_status (*trial)(void *user, const int64_t *index, int64_t count, uint64_t draw, gls_real *next);
    void *trial_user;
} gls_measure_input;

/* A matrix of per-example gradients [n, d], row-major, from anywhere. */
typedef struct gls_measure_matrix {
    const gls_real *g;
    int64_t n, d;
    bool sample; /* the rows are a sample of a larger set; else they are the whole set */
    uint64_t seed;
} gls_measure_matrix;

/* A measure by name with options as a map (NULL: defaults); the keys in except (NULL-terminated, may be NULL) belong to
 * the caller. GLS_ERR_ARGUMENT for unknown names (the nearest is named) and keys. */
GLS_API gls_status gls_measure_create(gls_context *ctx, const char *name, const gls_value *options,
                                      const char *const *except, int64_t parameters, int64_t examples,
                                      gls_measure **out);
/* Runs it; the result is cleared first. GLS_ERR_ARGUMENT if something it needs is absent, GLS_ERR_UNSUPPORTED if it has
 * no meaning on a problem (a matrix). A question that the problem refuses (batch norm) is GLS_OK with `meaningless`. */
GLS_API gls_status gls_measure_run(gls_measure *measure, const gls_measure_input *input, gls_measure_result *result);
/* GLS_ERR_NONFINITE names the first row and column of a matrix that is not finite. */
GLS_API gls_status gls_measure_run_matrix(gls_measure *measure, const gls_measure_matrix *matrix,
                                          gls_measure_result *result);
/* The arrays that it accumulates along a run, for checkpoints. */
GLS_API gls_status gls_measure_arrays(gls_measure *measure, const char *prefix, gls_arrays *arrays);
GLS_API void gls_measure_destroy(gls_measure *measure);

/* ---- results ---- */

GLS_API void gls_measure_result_init(gls_context *ctx, gls_measure_result *result);
GLS_API const gls_figure *gls_measure_result_find(const gls_measure_result *result, const char *name); /* or NULL */
/* The number of that name, or NaN. */
GLS_API double gls_measure_result_get(const gls_measure_result *result, const char *name);

/* One JSON object for several results, from gls_alloc. The headline figures are at the top under their own
 * names ("gradient_diversity": 0.5), null where they are not finite; "measures" holds everything, one object a measure:
 * {"sample": m, "population": n, "seconds": s, "meaningless": "...", "note": "...", NAME: value or [values],
 * "NAME_interval": [low, high], "units": {NAME: unit}}. */
GLS_API gls_status gls_measure_results_json(gls_context *ctx, const gls_measure_result *results, int64_t count,
                                            char **json);
GLS_API void gls_measure_result_clear(gls_measure_result *result); /* frees what it holds; may be filled again */

/* ---- diversity at every step, from figures that a run has anyway ---- */

/* Running means of the unbiased estimates of M^2 = mean |g_i|^2 and G = |mean g_i|^2, smoothed before the division.
 * Plain data: zero it, set smoothing, and save it with a checkpoint as it is. */
typedef struct gls_diversity {
    double smoothing; /* weight of the past in each update, in [0, 1); 0 forgets at once */
    double weight, weight2;
    double m2, g;            /* weighted means */
    double m2_m2, g_g, m2_g; /* weighted central second moments */
    double updates, examples, refused;
} gls_diversity;

/* One mini-batch of `count` groups of `size` examples each (size 1: single examples): mean squared norm of the groups'
 * mean gradients, and squared norm of the mean over all of them. population: n of the set they were drawn from without
 * replacement, 0 if drawn with replacement or unknown. Updates that are not finite or have count < 2 are refused and
 * counted. Source: [D] definitions 4 and 5, with the correction of docs/measures.md. */
GLS_API void gls_diversity_update(gls_diversity *diversity, int64_t count, int64_t size, double group_norm2,
                                  double mean_norm2, int64_t population);
/* The same from estimates of M^2 and G made elsewhere. */
GLS_API void gls_diversity_update_moments(gls_diversity *diversity, int64_t examples, double m2, double g);
/* Gradient diversity (of a set of n examples), batch-size bound M^2 / G, and the bound's 95% interval. Returns false,
 * with NaN, where G is not positive: then there are too few samples to tell the mean gradient from zero. */
GLS_API bool gls_diversity_read(const gls_diversity *diversity, int64_t n, double *gradient_diversity,
                                double *batch_size_bound, double *low, double *high);

/* ======== for authors: measures of your own ======== */

/* For measures: a number; an array of count values, copied. */
GLS_API gls_status gls_measure_result_number(gls_measure_result *result, const char *name, const char *unit,
                                             double value);
GLS_API gls_status gls_measure_result_estimate(gls_measure_result *result, const char *name, const char *unit,
                                               double value, double low, double high);
GLS_API gls_status gls_measure_result_array(gls_measure_result *result, const char *name, const char *unit,
                                            int64_t count, const double *value);
/* The array of that name holds the counts of a histogram, and the array `edges` (constant text) the edges of its bins.
 * Histograms are mirrored to TensorBoard. */
GLS_API gls_status gls_measure_result_histogram(gls_measure_result *result, const char *name, const char *edges);
GLS_API gls_status gls_measure_result_headline(gls_measure_result *result, const char *name);
GLS_API gls_status gls_measure_result_meaningless(gls_measure_result *result, const char *format, ...) GLS_PRINTF(2, 3);
GLS_API gls_status gls_measure_result_note(gls_measure_result *result, const char *format, ...) GLS_PRINTF(2, 3);

enum {
    GLS_MEASURE_PREVIOUS = 1,   /* needs w_previous */
    GLS_MEASURE_GRADIENT = 2,   /* needs g */
    GLS_MEASURE_OTHER = 4,      /* needs w_other */
    GLS_MEASURE_RUN = 8,        /* needs loss and gradient_norm */
    GLS_MEASURE_LR = 16,        /* needs lr */
    GLS_MEASURE_NORMS = 64,     /* needs step_examples; in gls_measure.needs alone, where an option asks for it */
    GLS_MEASURE_EXPENSIVE = 32, /* needs more than a few passes over its sample; announced before it runs */
    GLS_MEASURE_NAMED = 128     /* a survey runs it where its name is given, never with all others */
};

typedef struct gls_measure_type {
    gls_member member;
    size_t self_size; /* bytes of m->self, zeroed before create */
    unsigned needs;
    /* Cadence with `every: auto`. cost: about what one observation takes, counted in gradients of single examples, on a
     * set of `examples` with the run's batch; the measure then observes seldom enough to stay a small share of the run.
     * cost NULL: `every` instead, "1" an epoch, "500s" steps. */
    double (*cost)(const gls_measure *m, int64_t examples, int64_t batch);
    /* How few examples the option `sample` may come down to in a run whose share does not pay for its default, where
     * the run leaves it at `auto`; 0: it stays. */
    int64_t least_sample;
    const char *every;
    gls_status (*create)(gls_measure *m);
    void (*destroy)(gls_measure *m);                                                                /* may be NULL */
    gls_status (*problem)(gls_measure *m, const gls_measure_input *in, gls_measure_result *out);    /* may be NULL */
    gls_status (*matrix)(gls_measure *m, const gls_measure_matrix *in, gls_measure_result *result); /* may be NULL */
    gls_status (*arrays)(gls_measure *m, const char *prefix, gls_arrays *arrays); /* NULL: keeps nothing */
} gls_measure_type;

/* A measure with its accumulators along a run. */
struct gls_measure {
    const gls_measure_type *type;
    gls_context *ctx;
    const void *options;
    int64_t parameters, examples; /* of the problem; 0: for matrices */
    unsigned needs;               /* the type's, and what its options add in create */
    double breadth; /* parameters over the multiply-adds of one example's forward pass, for `cost`: large where a
                       gradient of its own costs much beside what it takes to compute. 0: not known */
    void *self;
};
GLS_API const gls_measure_type *gls_measure_type_of(const gls_measure *measure);
GLS_API gls_status gls_register_measure(gls_context *ctx, const gls_measure_type *type);
/* Measure i of the built-in and then the registered ones; NULL at the end. */
GLS_API const gls_measure_type *gls_measure_at(gls_context *ctx, int64_t i);

#ifdef __cplusplus
}
#endif
#endif
