/* What gradient_diversity and noise_scale share: they are one quantity under two names, so both take the same examples,
 * the same moments and the same running means, and each only says them in its own words. */
#ifndef GLS_MEASURE_PAIR_H
#define GLS_MEASURE_PAIR_H

#include "measure/moments.h"

typedef struct gls_pair_options {
    gls_sample_options sample;
    double smoothing;
    int from;
} gls_pair_options;

#define GLS_PAIR_OPTIONS(smoothing_help)                                                 \
    GLS_SAMPLE_OPTIONS(gls_pair_options, "2048", "train"),                               \
        GLS_REAL("smoothing", gls_pair_options, smoothing, "0.9", 0, 1, smoothing_help), \
        GLS_FROM_OPTION(gls_pair_options)

/* The running means as gls_diversity_read gives them. */
typedef struct gls_pair_reading {
    const gls_diversity *running;
    double diversity, bound, low, high;
    double least, least_step; /* of all bounds read so far; NaN: none yet */
    int64_t population;
} gls_pair_reading;

typedef struct gls_pair_words {
    gls_status (*sample)(const gls_moments *moments, int64_t population, gls_measure_result *out);
    gls_status (*step)(const gls_pair_reading *reading, gls_measure_result *out);
    /* After a sample, which then moves the running means too; NULL: samples do not. */
    gls_status (*smoothed)(const gls_pair_reading *reading, gls_measure_result *out);
} gls_pair_words;

/* The smallest bound so far: all zero at first. */
typedef struct gls_pair_least {
    double looks, bound, step;
} gls_pair_least;

/* A member's memory; words are not saved. */
typedef struct gls_pair {
    gls_diversity running;
    gls_pair_least least;
    const gls_pair_words *words;
} gls_pair;

extern const gls_pair_words gls_pair_diversity_words, gls_pair_scale_words;

/* One mini-batch of `count` groups of `size` examples, as gls_diversity_update takes it, at this step. */
void gls_pair_take(gls_pair *pair, int64_t count, int64_t size, double group_norm2, double mean_norm2,
                   int64_t population, int64_t step);
/* The running means in the words of either. */
gls_status gls_pair_report(const gls_pair *pair, const gls_pair_words *words, int64_t population,
                           gls_measure_result *out);

/* For a member's create. */
gls_status gls_pair_create(gls_measure *m, const gls_pair_words *words);
gls_status gls_pair_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out);
gls_status gls_pair_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out);
gls_status gls_pair_arrays(gls_measure *m, const char *prefix, gls_arrays *list);
double gls_pair_cost(const gls_measure *m, int64_t examples, int64_t batch);
#define GLS_PAIR_VERBS                                                                                      \
    .self_size = sizeof(gls_pair), .cost = gls_pair_cost, .least_sample = 256, .problem = gls_pair_problem, \
    .matrix = gls_pair_matrix, .arrays = gls_pair_arrays

#endif
