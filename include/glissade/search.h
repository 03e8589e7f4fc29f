/* glissade/search.h: many runs for one answer. A sweep compares settings; an exchange trains on sets that differ in one
 * example; advice turns measures and short probes into a
 * recommended configuration, and may be verified at full length. */
#ifndef GLISSADE_SEARCH_H
#define GLISSADE_SEARCH_H

#include <glissade/comm.h>
#include <glissade/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sweeps: a search over settings ---- */

/* One key and the values to try: a list, or with count 0 a range [low, high] to draw from (log-uniform where both
 * are positive and at least tenfold apart, else uniform). */
typedef struct gls_sweep_axis {
    char *key;
    char **text; /* [count] */
    int64_t count;
    double low, high;
} gls_sweep_axis;

/* Reads "method.lr=0.1,0.3,1" or "method.lr=1e-3..1". GLS_ERR_ARGUMENT says what was expected. */
GLS_API gls_status gls_sweep_axis_parse(gls_context *ctx, const char *text, gls_sweep_axis *axis);
GLS_API void gls_sweep_axis_clear(gls_context *ctx, gls_sweep_axis *axis);

typedef struct gls_sweep_options {
    size_t size;
    const gls_value *config;    /* what all runs share */
    const gls_sweep_axis *axis; /* [axes] */
    int64_t axes;
    int64_t trials; /* random search: that many draws; 0: the whole grid */
    int64_t seeds;  /* runs of each trial, with seeds first_seed, first_seed + 1, ... */
    int64_t first_seed;
    bool by_epochs;     /* compare by the epochs in which runs reach train.target_accuracy or train.target_loss */
    bool by_loss;       /* compare by the validation loss (without a validation set the training loss) */
    bool by_score;      /* compare by train.score on the validation set, and by nothing else */
    const char *folder; /* for the run folders: runs finished there are skipped, unfinished ones continue */
    const gls_context_options *context; /* threads, allocator and logger of the runs' own contexts */
    int jobs; /* runs side by side, at most 256, each in a thread of its own; 0: one after the other. Allocator and
                 logger must then be thread-safe, and threads of 0 are a share of the processors */
    /* Before each run (result NULL; not side by side) and after it; result->stopped is GLS_STOP_NONE if the run
     * diverged. From one thread at a time. NULL: none. */
    void (*progress)(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result);
    void *user;
} gls_sweep_options;

typedef struct gls_sweep_stat {
    double mean, deviation; /* over seeds; the deviation of a single run is NaN */
} gls_sweep_stat;

/* One assignment of values to the keys. */
typedef struct gls_sweep_trial {
    char folder[24];      /* its runs are in FOLDER/seed-SEED; the name is made from its configuration */
    char **text;          /* [axes] */
    int64_t runs, failed; /* failed: ended by what was not finite, or at a training loss more than
                             1.5 times that of its initial weights: it counts in no mean */
    int64_t reached;      /* runs that ended at their target */
    int64_t missed;       /* with by_epochs: runs that did not, which selected leaves out */
    gls_sweep_stat selected, test_loss, test_score, train_loss, seconds, epochs;
} gls_sweep_trial;

/* The outcome of a sweep. */
typedef struct gls_sweep {
    gls_context *ctx;
    int64_t axes, trials;
    gls_sweep_axis *axis;   /* [axes] keys */
    gls_sweep_trial *trial; /* [trials] the best first, those that failed last */
    char *selected_by;      /* "validation accuracy", "validation loss", "training loss", "epochs to the target" */
    bool greater_is_better;
    bool score_lower; /* of the trials' scores a smaller one is better */
    bool best;        /* trial[0] is a best one: some trial has a finite figure to be chosen by */
    bool *edge;       /* [axes] the best value is the least or the greatest that was tried */
    bool interrupted;
} gls_sweep;

/* Runs what is missing and compares the runs: by the score on the validation set, without a score the loss there,
 * without a validation set the training loss; or by epochs to a target, whatever the loss there, trials that missed it
 * last. GLS_OK with interrupted set after gls_interrupt. GLS_ERR_ARGUMENT for a
 * grid with a range or too many trials. Own *out: gls_sweep_destroy. */
GLS_API gls_status gls_sweep_run(gls_context *ctx, const gls_sweep_options *options, gls_sweep **out);
GLS_API void gls_sweep_destroy(gls_sweep *sweep);
/* One JSON object; from gls_alloc, NULL without memory. */
GLS_API char *gls_sweep_json(const gls_sweep *sweep);

/* ---- exchange: runs in step on training sets that differ in one example ([D] 5.1, 6.2): `glissade pair` ---- */

/* The runs after an epoch. distance is sqrt(|w - w'|^2 / (|w|^2 + |w'|^2)); eps_stab f(w; z_i) - f(w'; z_i), the loss
 * on the exchanged example where it was trained on less that where it was not; both are means over the exchanged
 * examples, their deviation is over them. Losses and scores are those of the whole set, over training and test sets;
 * NaN where there is none. */
typedef struct gls_exchange_row {
    double epoch;
    int64_t step;
    double train_loss, test_loss, gap; /* gap: test less training loss */
    double train_score, test_score;
    gls_sweep_stat distance, eps_stab;
    double *each; /* [2, examples] distances, then eps_stab of each exchanged example */
} gls_exchange_row;

typedef struct gls_exchange_series {
    int64_t batch;
    bool diverged; /* a step was not finite: the rows end before it */
    gls_exchange_row *row;
    int64_t rows;
} gls_exchange_series;

typedef struct gls_exchange_options {
    size_t size;
    const gls_value *config;
    const int64_t *example; /* [examples] different ones of the training set as it is after all transforms, from 0 */
    int64_t examples;
    const int64_t *batch; /* [batches] mini-batches to compare; NULL: the configuration's */
    int64_t batches;
    const char *folder; /* for run folders: whole and exchanged-I, and series.json, which grows with every epoch; in
                           batch-B where `batch` is given. What is there continues, or is taken as it is */
    const gls_context_options *context; /* as in gls_sweep_options */
    /* After each comparison, those of an earlier call included. NULL: none. */
    void (*progress)(void *user, const gls_exchange_series *series, const gls_exchange_row *row);
    void *user;
} gls_exchange_options;

typedef struct gls_exchange {
    gls_context *ctx;
    int64_t *example; /* [examples] */
    int64_t examples;
    gls_exchange_series *series; /* [batches] */
    int64_t batches;
    bool interrupted;
} gls_exchange;

/* For every batch one run on the training set and one for each exchanged example on the set in which another example,
 * drawn by the seed, takes its place (transform replace): same start, same order, same draws. All advance by an epoch,
 * then they are compared. GLS_OK with interrupted set after gls_interrupt: the next call continues. GLS_ERR_ARGUMENT
 * for examples that are not there, or a folder with other ones. Own *out: gls_exchange_destroy. */
GLS_API gls_status gls_exchange_run(gls_context *ctx, const gls_exchange_options *options, gls_exchange **out);
GLS_API void gls_exchange_destroy(gls_exchange *exchange);
/* One JSON object; from gls_alloc, NULL without memory. */
GLS_API char *gls_exchange_json(const gls_exchange *exchange);

/* ---- advice: measures and short probes, then a recommended configuration (docs/advise.md) ---- */

typedef struct gls_advise_options {
    size_t size;
    const gls_value *config;
    const char *methods;                       /* the candidates; NULL: "msgd,adam,sngm,clip,acclip" */
    double budget;                             /* seconds for measures and probes */
    void (*say)(void *user, const char *line); /* progress messages for people; NULL: none */
    void *user;
} gls_advise_options;

/* One thing that is recommended, and why. */
typedef struct gls_advice_line {
    const char *what, *value; /* "batch", "256" */
    const char *numbers;      /* the evidence */
    const char *rule, *source;
} gls_advice_line;

typedef struct gls_advice {
    gls_context *ctx;
    gls_value *config; /* the recommended configuration */
    gls_advice_line *line;
    int64_t lines;
    /* {"recommendation": [{"what", "value", "numbers", "rule", "source"}], "measures": {...}, "range_tests": [...],
     * "probes": [...], "budget": s, "seconds": s} */
    char *json;
} gls_advice;

/* The context's seed must be the configuration's. GLS_ERR_NONFINITE if every candidate failed its probes,
 * GLS_ERR_INTERRUPTED after gls_interrupt. Own *out: gls_advice_destroy. */
GLS_API gls_status gls_advise(gls_context *ctx, const gls_advise_options *options, gls_advice **out);
GLS_API void gls_advice_destroy(gls_advice *advice);

typedef struct gls_verify_options {
    size_t size;
    const gls_value *config; /* what advice was asked for */
    const gls_advice *advice;
    const char *folder;                          /* runs go to FOLDER/verify/NAME */
    const gls_context_options *context;          /* as in gls_sweep_options */
    void (*begin)(void *user, const char *name); /* before each entrant; NULL: none */
    void (*progress)(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result);
    void *user; /* of both */
} gls_verify_options;

/* The recommendation, tuned msgd or tuned adam, each at its best rate. */
typedef struct gls_entrant {
    const char *name;
    char lr[32];
    double train_loss, test_loss, test_score, selected;
    char selected_by[64];
    bool edge; /* the best rate is on the edge of its grid, which was widened three times */
} gls_entrant;

enum { GLS_ENTRANTS = 3 };

typedef struct gls_verdict {
    gls_entrant entrant[GLS_ENTRANTS]; /* the recommendation first */
    double ratio;                      /* its training loss over the least of the others; NaN: it diverged */
    const char *outcome;               /* "won", "within 1.1 of the best", "lost" */
    bool interrupted;                  /* after gls_interrupt: then nothing else is filled */
} gls_verdict;

/* Trains the recommendation and tuned msgd and adam at full length. All keep the recommendation's schedule; the tuned
 * methods keep the batch that was given. Runs finished in the folder are skipped. */
GLS_API gls_status gls_advice_verify(gls_context *ctx, const gls_verify_options *options, gls_verdict *out);

/* ---- scaling: what more ranks would buy, and which way of exchanging gradients: `glissade scale`; docs/scale.md ----
 */

/* How messages travel. */
typedef enum gls_scaling_network {
    GLS_SCALING_RING, /* as Glissade sends them */
    GLS_SCALING_TREE, /* whole vectors up and down a binary tree */
    GLS_SCALING_HOSTS /* added up inside hosts first, for nothing; then a ring of hosts */
} gls_scaling_network;

enum { GLS_SCALING_MESSAGES = 24, GLS_SCALING_WORKS = 4 };

/* What predictions are made from; plain data. Times in seconds. */
typedef struct gls_scaling_model {
    double examples, parameters;
    double ranks, rows;         /* that measured, and of each */
    double step_time, row_time; /* a step of r rows on one rank takes step_time + row_time r */
    const double *timed; /* [timings, 2] rows and seconds of a step: between the first and the last these count */
    int64_t timings;
    double overlap;            /* share of a step during which parts of a dense gradient are on their way already */
    double latency, bandwidth; /* of a message; bytes a second */
    bool network_measured;
    double message[GLS_SCALING_MESSAGES][2]; /* bytes and seconds of messages from rank to rank, ascending */
    int64_t messages;                        /* measured; 0: all take latency + bytes / bandwidth */
    double sum_bandwidth; /* bytes a second of a sum in parts, of which several are on their way at a time; 0: none */
    gls_scaling_network network;
    double host_ranks;       /* ranks of a host, for GLS_SCALING_HOSTS */
    double bound, low, high; /* B_S with its interval; NaN: not known */
    double quantised;        /* E|Q(v) - v|^2 / |v|^2 of a gradient v under `quant`, by its law */
    double batch, passes;    /* of a run that is known: what it took; NaN: none */
} gls_scaling_model;

/* One way of exchanging gradients. */
typedef struct gls_scaling_way {
    const char *name;
    bool law;                       /* what it costs in passes is known (not for topk) */
    double noise;                   /* E|Q(v) - v|^2 / |v|^2 of a rank's vector */
    double work[GLS_SCALING_WORKS]; /* seconds of its own at 2, 3, 4 and 8 ranks; beyond, in a line */
    double measured; /* that it adds to a step, found whole among the ranks that measured; 0: not known */
    gls_comm_exchange *exchange;
} gls_scaling_way;

/* What is predicted for a number of ranks with so many rows each. */
typedef struct gls_scaling_row {
    double ranks, rows;
    double step_seconds, message_seconds; /* of a step: both; the latter alone */
    double growth;                        /* passes to a loss, over those of mini-batches of one example; NaN: no law */
    double passes;                        /* to the loss that the run of the model reached; NaN: not known */
    double pass_seconds;
    double speedup;    /* over one rank with as many rows */
    double throughput; /* examples a second */
    double efficiency; /* statistical: 1 / growth */
    double goodput;    /* throughput times efficiency */
    double best_batch; /* where goodput is greatest at this number of ranks */
} gls_scaling_row;
GLS_API void gls_scaling_predict(const gls_scaling_model *model, const gls_scaling_way *way, double ranks, double rows,
                                 gls_scaling_row *out);
/* The number of ranks after which twice as many are less than 1.25 times as fast, at most `most`; *bytes: messages are
 * more to blame than diversity. */
GLS_API double gls_scaling_enough(const gls_scaling_model *model, const gls_scaling_way *way, double rows, double most,
                                  bool *bytes);

typedef struct gls_scaling_options {
    size_t size;
    const gls_value *config;
    const char *weights;       /* where it is measured: as gls_run_options.from; NULL: where the configuration begins */
    double latency, bandwidth; /* given; 0: measured between the ranks of the context, or assumed for one process */
    double bound;              /* B_S, where it is known; 0: measured */
    double rows;               /* of a rank; 0: its share of the configuration's mini-batch */
    int64_t most_rows;         /* of the steps that are timed; 0: by itself */
    gls_scaling_network network;
    double host_ranks;
} gls_scaling_options;

typedef struct gls_scaling {
    gls_context *ctx;
    gls_scaling_model model;
    gls_scaling_way *way; /* [ways] one for each exchange, the configuration's own with its options */
    int64_t ways, own;    /* own: the configuration's */
    double *timed;        /* the model's */
} gls_scaling;
/* Measures the parts of the model: collective over the ranks of the context. Own *out. */
GLS_API gls_status gls_scaling_measure(gls_context *ctx, const gls_scaling_options *options, gls_scaling **out);
GLS_API void gls_scaling_destroy(gls_scaling *scaling);

#ifdef __cplusplus
}
#endif
#endif
