/* Points (x, y) gathered along a run: the newest ones that fit. Plain data, saved as it is. */
#ifndef GLS_MEASURE_SERIES_H
#define GLS_MEASURE_SERIES_H

#include <glissade/measure.h>

enum { GLS_SERIES_POINTS = 1024 }; /* smoothness sorts the slopes of all pairs: half a million doubles */

typedef struct gls_series {
    double added; /* since the beginning */
    double x[GLS_SERIES_POINTS], y[GLS_SERIES_POINTS];
} gls_series;

void gls_series_add(gls_series *series, double x, double y);
int64_t gls_series_count(const gls_series *series);
double gls_series_last(const gls_series *series); /* the newest y; NaN: there is none */
/* The points, oldest first: x, y [gls_series_count]. */
void gls_series_copy(const gls_series *series, double *x, double *y);
gls_status gls_series_arrays(gls_context *ctx, gls_series *series, const char *prefix, gls_arrays *arrays);

/* Of points (gradient norm, local smoothness): both arrays, the line l0 + l1 x by medians of slopes, and slope and
 * correlation of the logarithms. */
gls_status gls_series_report_smoothness(const gls_series *series, gls_measure_result *out);

#endif
