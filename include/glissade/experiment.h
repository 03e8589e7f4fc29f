/* glissade/experiment.h: a paper's claim as a folder with one YAML file, what it comes to at a stated scale, and a
 * verdict by the rule in its file. */
#ifndef GLISSADE_EXPERIMENT_H
#define GLISSADE_EXPERIMENT_H

#include <glissade/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gls_experiment gls_experiment;

/* Reads FOLDER/experiment.yaml; docs/experiments.md says what may stand in it. GLS_ERR_INPUT and GLS_ERR_ARGUMENT name
 * file, line and key. Own *out: gls_experiment_destroy. */
GLS_API gls_status gls_experiment_open(gls_context *ctx, const char *folder, gls_experiment **out);
GLS_API void gls_experiment_destroy(gls_experiment *experiment);
GLS_API const char *gls_experiment_name(const gls_experiment *experiment); /* the folder's own name */
/* Scale i, "quick" or another; NULL at the end. */
GLS_API const char *gls_experiment_scale_at(const gls_experiment *experiment, int64_t i);

/* How far all runs have come, for display. The number of runs grows where a grid of rates is widened. */
typedef struct gls_experiment_progress {
    int64_t done, runs;
    double share; /* of all work, in [0, 1] */
    double seconds, seconds_left;
    const char *arm, *what; /* "b16", "rate 0.4" or "seed 2" */
} gls_experiment_progress;

typedef struct gls_experiment_options {
    size_t size;
    const char *scale;  /* NULL: "quick" */
    const char *folder; /* for its runs, result.json; what is finished there is taken as it is, the rest continues */
    int threads; /* of each run; 0: the processors this process may use, or their share where runs go side by side */
    int jobs;    /* runs side by side, at most 256, each in a thread of its own; 0: one after the other */
    /* Seldom more than ten times a second; NULL: none. From one thread at a time, not always the caller's. */
    void (*progress)(void *user, const gls_experiment_progress *progress);
    void *user;
} gls_experiment_options;

typedef enum gls_experiment_verdict {
    GLS_EXPERIMENT_SHOWS,
    GLS_EXPERIMENT_SHOWS_NOT,
    GLS_EXPERIMENT_UNDECIDED /* cannot be told at this scale */
} gls_experiment_verdict;
/* "shows", "does not show", "cannot be told at this scale". */
GLS_API const char *gls_experiment_verdict_name(gls_experiment_verdict verdict);

/* Chooses every arm's rate on held-out rows, trains it with every seed, compares, and writes FOLDER/result.json, whose
 * text is *json (from gls_alloc; may be NULL). Numbers depend on the file, the seeds, the version and what a run's bits
 * depend on, not on threads or interruptions. GLS_ERR_INTERRUPTED after gls_interrupt: the next call continues.
 * GLS_ERR_ARGUMENT for a scale that it has not, GLS_ERR_NONFINITE where every rate of an arm diverged. */
GLS_API gls_status gls_experiment_run(gls_experiment *experiment, const gls_experiment_options *options,
                                      gls_experiment_verdict *verdict, char **json);

/* ---- what there is ---- */

/* One table, figure or theorem of a paper. */
typedef struct gls_experiment_row {
    const char *place;      /* "[M] table 2" */
    const char *experiment; /* which shows it; NULL: none does yet */
    const char *about;  /* the experiment's title; "waiting: " and what the row waits for; "elsewhere: " and where */
    const char *scales; /* "quick small"; NULL without an experiment */
} gls_experiment_row;

typedef struct gls_experiment_rows {
    gls_context *ctx;
    gls_experiment_row *row;
    int64_t rows;
} gls_experiment_rows;

/* All experiments in a folder (each in a folder of its own), and what FOLDER/rows.yaml says of rows that have none; in
 * the order of their places. Clear *out in any case. */
GLS_API gls_status gls_experiments_list(gls_context *ctx, const char *folder, gls_experiment_rows *out);
GLS_API void gls_experiment_rows_clear(gls_experiment_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
