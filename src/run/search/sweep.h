/* A search over settings: trials (assignments of values to configuration keys), each run with the same seeds on the
 * same budget, compared on the validation set. The protocol of every comparison in the project. */
#ifndef GLS_RUN_SWEEP_H
#define GLS_RUN_SWEEP_H

#include <glissade/run.h>

/* One key and what it may be: listed values, or with count 0 a range [low, high] to draw from (log-uniform where both
 * are positive and at least tenfold apart, else uniform). */
typedef struct gls_sweep_axis {
    char *key;
    char **text;
    int64_t count;
    double low, high;
} gls_sweep_axis;

/* Reads "method.lr=0.1,0.3,1" or "method.lr=1e-3..1". GLS_ERR_ARGUMENT says what was expected. */
gls_status gls_sweep_axis_parse(gls_context *ctx, const char *text, gls_sweep_axis *axis);
void gls_sweep_axis_clear(gls_context *ctx, gls_sweep_axis *axis);

typedef struct gls_sweep_stat {
    double mean, deviation; /* over seeds; the deviation of a single run is NaN */
} gls_sweep_stat;

typedef struct gls_sweep_trial {
    char folder[24]; /* its runs are in FOLDER/seed-SEED; named by the configuration, so that no other is mistaken for
                        it */
    char **text;     /* [axes] */
    int64_t runs, failed; /* failed: ended by a non-finite step */
    gls_sweep_stat selected, test_loss, test_score, train_loss, seconds;
} gls_sweep_trial;

/* What a sweep came to. trial is in order of preference: the best first, trials that failed last. */
typedef struct gls_sweep {
    gls_context *ctx;
    int64_t axes, trials;
    gls_sweep_axis *axis;
    gls_sweep_trial *trial;
    char *selected_by; /* "validation accuracy", "validation loss", "training loss" */
    bool greater_is_better;
    bool *edge; /* [axes] the best lies on the edge of what was tried */
    bool interrupted;
} gls_sweep;

typedef struct gls_sweep_options {
    const gls_value *config; /* borrowed */
    const gls_sweep_axis *axis;
    int64_t axes;
    int64_t trials; /* random search: that many draws; 0: the whole grid */
    int64_t seeds;  /* runs a trial, with seeds first_seed, first_seed + 1, ... */
    int64_t first_seed;
    const char *folder; /* of the run folders; runs finished there are not run again, begun ones go on */
    const gls_context_options *context; /* threads, allocator, logger of the runs' own contexts */
    /* Before each run (result NULL) and after it. */
    void (*progress)(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result);
    void *user;
} gls_sweep_options;

/* Runs what is missing and compares. An interrupted sweep returns GLS_OK with interrupted set. */
gls_status gls_sweep_run(gls_context *ctx, const gls_sweep_options *options, gls_sweep **out);
void gls_sweep_destroy(gls_sweep *sweep);
/* One JSON object, from gls_alloc. */
char *gls_sweep_json(const gls_sweep *sweep);

#endif
