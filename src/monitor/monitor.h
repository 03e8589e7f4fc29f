/* What a monitor keeps. All of it that changes along a run is plain numbers, which arrays.c lists. */
#ifndef GLS_MONITOR_MONITOR_H
#define GLS_MONITOR_MONITOR_H

#include <glissade/monitor.h>

#include "measure/moments.h"
#include "measure/norm_test.h"
#include "measure/pair.h"
#include "measure/series.h"
#include "measure/suspects.h"

typedef struct gls_monitor_settings {
    double smoothing, theta, share, cost;
    int64_t coordinates, samples, list, every;
} gls_monitor_settings;

/* Running means over looks, as gls_diversity keeps them: of the share of groups that were clipped, and of factors. */
typedef struct gls_monitor_clips {
    double looks, weight, weight2, share, scatter, factor, last;
} gls_monitor_clips;
void gls_monitor_clips_take(gls_monitor_clips *clips, double smoothing, int64_t count, const double *factor);
/* The 95% interval of the share. */
gls_interval gls_monitor_clips_interval(const gls_monitor_clips *clips);

/* The newest rows of gradients, at some coordinates: pairs of rows of one look each, so that differences of neighbours
 * are free of the mean. x [coordinates, samples] is a ring; coordinate [coordinates] are places in a block, block
 * [coordinates] its number. */
typedef struct gls_monitor_tail {
    int64_t coordinates, samples, added;
    int64_t *block, *coordinate;
    double *x;
} gls_monitor_tail;
gls_status gls_monitor_tail_create(gls_monitor *monitor, uint64_t seed);
void gls_monitor_tail_take(gls_monitor *monitor, int64_t count, const gls_real *const *g);
gls_status gls_monitor_tail_report(const gls_monitor *monitor, gls_measure_result *out);

enum { GLS_MONITOR_LAST = 7 }; /* numbers of the last look's own moments */
typedef struct gls_monitor_counters {
    int64_t steps, due /* the last step that was due, from 1 */, looks, refused_looks, refused_moves;
} gls_monitor_counters;

struct gls_monitor {
    gls_context *ctx;
    gls_options *options;
    const gls_monitor_settings *settings;
    int64_t examples, blocks, parameters, largest; /* parameters of all blocks, and of the largest one */
    int64_t *block_size;                           /* [blocks] */
    uint64_t seed;
    gls_monitor_counters counters;
    double cost; /* of settings, until it is set */
    gls_pair pair;
    gls_moments_tests tests;
    gls_moments_test test;
    double last[GLS_MONITOR_LAST]; /* rows (0: none), m2, g, v_m2, v_g, v_x, exact */
    gls_monitor_clips clips;
    gls_series *moves;
    gls_suspicion suspects; /* of no examples where n is not known */
    gls_monitor_tail tail;
};

#endif
