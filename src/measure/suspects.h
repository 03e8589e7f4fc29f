/* How single examples fare in training: sums by example along a run, and what is read from them. */
#ifndef GLS_MEASURE_SUSPECTS_H
#define GLS_MEASURE_SUSPECTS_H

#include <glissade/measure.h>

/* Sums over the times an example was seen, each [examples]. */
typedef struct gls_suspicion {
    int64_t examples;
    double *seen, *log_factor, *norm, *loss;
} gls_suspicion;

gls_status gls_suspicion_create(gls_context *ctx, int64_t examples, gls_suspicion *suspects);
void gls_suspicion_destroy(gls_context *ctx, gls_suspicion *suspects);
gls_status gls_suspicion_arrays(gls_context *ctx, gls_suspicion *suspects, const char *prefix, gls_arrays *arrays);

typedef enum gls_suspicion_by { GLS_BY_FACTOR, GLS_BY_NORM, GLS_BY_LOSS } gls_suspicion_by;
/* By factor if any example was ever suppressed, else by norm. */
gls_suspicion_by gls_suspicion_best(const gls_suspicion *suspects);
/* Lists the `list` examples with the smallest mean log factor (largest mean norm, loss) with all three; planted
 * [examples] or NULL marks the known ones. */
gls_status gls_suspicion_report_list(const gls_suspicion *suspects, gls_suspicion_by by, int64_t list,
                                     const int64_t *planted, gls_measure_result *out);
/* Share of known ones among as many examples as are known, by each of the three. */
gls_status gls_suspicion_report_precision(const gls_suspicion *suspects, const int64_t *planted,
                                          gls_measure_result *out);
/* Names of the means by class or domain. */
typedef struct gls_suspicion_names {
    const char *seen, *log_factor, *norm, *loss;
} gls_suspicion_names;
/* Means over the examples of each key 0 .. keys-1. */
gls_status gls_suspicion_report_means(const gls_suspicion *suspects, const int64_t *key, int64_t keys,
                                      const gls_suspicion_names *names, gls_measure_result *out);

#endif
