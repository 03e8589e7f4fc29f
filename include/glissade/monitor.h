/* glissade/monitor.h: the measures in a training loop of your own. A monitor is fed norms or gradients of examples or
 * micro-batches, clip factors and steps, and keeps gradient diversity and noise scale, the norm test, the tail index,
 * clip frequency, smoothness along steps and suspects, with intervals. Definitions and sources: docs/measures.md. */
#ifndef GLISSADE_MONITOR_H
#define GLISSADE_MONITOR_H

#include <glissade/measure.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In a loop:
 *     bool due;
 *     gls_monitor_step(monitor, &due);
 *     ... forward and backward; where due, with the norms of single examples or of micro-batches ...
 *     if (due) gls_monitor_look(monitor, &look);
 * Nothing in it depends on time, threads or the order of other work: a monitor that was saved and restored goes on to
 * the same bits. One thread at a time. */
typedef struct gls_monitor gls_monitor;

typedef struct gls_monitor_options {
    size_t size; /* sizeof(gls_monitor_options) */
    /* A map of options; NULL: defaults. smoothing (0.95): weight of the past in running means, look by look; 1 never
     * forgets. theta (0.9): of the norm test. coordinates (100), samples (1024): read and kept for the tail index. list
     * (20): suspects to name. share (0.1), cost (1), every (0): cadence, see gls_monitor_step. */
    const gls_value *spec;
    const gls_layout *layout; /* blocks of the gradients, read during the call; NULL: only norms can be fed */
    int64_t examples;         /* n of the training set, drawn without replacement; 0: unknown or endless, and then there
                                 is no gradient_diversity, and indices are refused */
    uint64_t seed;            /* of the choice of coordinates, and of controls */
} gls_monitor_options;

/* options may be NULL. GLS_ERR_ARGUMENT for unknown keys (the nearest is named) and values out of bounds. */
GLS_API gls_status gls_monitor_create(gls_context *ctx, const gls_monitor_options *options, gls_monitor **out);
GLS_API void gls_monitor_destroy(gls_monitor *monitor);
/* Sets smoothing, theta, share, cost, every or list from now on. */
GLS_API gls_status gls_monitor_set(gls_monitor *monitor, const char *key, double value);

/* A step begins; *due: whether it is to be looked at. The first step is; then every `every` steps, or, where that is 0,
 * so that looks take at most the `share` of the plain steps, where one takes `cost` plain steps more than a step
 * without. What a step costs is for the caller to count: a stopwatch would give other looks in another run. */
GLS_API gls_status gls_monitor_step(gls_monitor *monitor, bool *due);

/* One mini-batch: groups of equally many examples, all drawn alike. Only what is there is used; all arrays are borrowed
 * during the call. */
typedef struct gls_monitor_batch {
    int64_t count;       /* groups: single examples, micro-batches, ranks */
    int64_t group;       /* examples in each; 0 or 1: single examples */
    const double *norm2; /* [count] squared norms of the groups' mean gradients, or NULL */
    double mean_norm2;   /* with norm2: squared norm of the mean over all groups; NaN: not known, the norms are then for
                            the list of suspects alone */
    /* In the place of norm2: the groups' mean gradients, an array [count, size of the block] for each block of the
     * layout. Norms and inner products come from them, so that one look has an interval of its own; pairs of rows go
     * into the tail index. */
    const gls_real *const *g;
    const double *factor; /* [count] what clipping multiplied each group's gradient by, or NULL; NaN: it was left out */
    const double *loss;   /* [count] mean loss of each group, for the list of suspects, or NULL */
    const int64_t *index; /* [count * group] the examples' places in the training set, for suspects, or NULL */
} gls_monitor_batch;
/* GLS_ERR_ARGUMENT: norms or gradients of fewer than two groups (one mean says nothing about its noise), negative
 * norms, indices out of range, g without a layout. A mini-batch with a norm or gradient that is not finite changes
 * nothing and is counted (refused_looks). */
GLS_API gls_status gls_monitor_look(gls_monitor *monitor, const gls_monitor_batch *batch);

/* A step that was taken, for local smoothness |g(w + s) - g(w)| / |s|. */
typedef struct gls_monitor_move {
    double step_norm2;     /* |s|^2 */
    double change_norm2;   /* |g(w + s) - g(w)|^2 */
    double gradient_norm2; /* |g(w)|^2 */
    /* 0: both gradients are of the same examples. Else they are of different mini-batches of that many examples, and
     * the noise of both, 2 tr(Sigma) / examples by the running mean, is taken off the change, that of one off |g(w)|^2;
     * what is then not positive is counted (refused_moves). */
    int64_t examples;
} gls_monitor_move;
/* GLS_ERR_ARGUMENT for negative norms, and for different mini-batches before the first look with norms. */
GLS_API gls_status gls_monitor_moved(gls_monitor *monitor, const gls_monitor_move *move);
/* The same from vectors [size of the layout]: the weights before and after, and the gradients there. */
GLS_API gls_status gls_monitor_moved_by(gls_monitor *monitor, const gls_real *w, const gls_real *w_next,
                                        const gls_real *g, const gls_real *g_next, int64_t examples);

/* What it knows now, as cheap figures: noise_scale, batch_size_bound (each with _low and _high, 95%),
 * gradient_diversity, norm_test, norm_test_batch, clip_frequency (with _low, _high), smoothness, looks, refused_looks;
 * NaN where not known yet. */
GLS_API void gls_monitor_record(const gls_monitor *monitor, gls_record *record);

/* All results: gradient_diversity and noise_scale (running means over looks, and of the last look where it had
 * gradients), norm_test, tail_index, clip_frequency, smoothness, dragger (suspects: by factor if anything was clipped,
 * else by norm); those that nothing was fed for are absent. For gls_measure_results_json. */
enum { GLS_MONITOR_RESULTS = 7 };
typedef struct gls_monitor_report {
    gls_measure_result result[GLS_MONITOR_RESULTS];
    int64_t count;
} gls_monitor_report;
GLS_API gls_status gls_monitor_read(gls_monitor *monitor, gls_monitor_report *out);
GLS_API void gls_monitor_report_clear(gls_monitor_report *report);

/* Its state, for checkpoints: a monitor made with the same options goes on with it. */
GLS_API gls_status gls_monitor_arrays(gls_monitor *monitor, const char *prefix, gls_arrays *arrays);

#ifdef __cplusplus
}
#endif
#endif
