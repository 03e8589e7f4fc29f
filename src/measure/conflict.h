/* Rows of features as a compressed pattern, and the largest degree of the graph that joins examples sharing a feature.
 */
#ifndef GLS_MEASURE_CONFLICT_H
#define GLS_MEASURE_CONFLICT_H

#include <glissade/base.h>

typedef struct gls_pattern {
    int64_t rows, features;
    const int64_t *row;    /* [rows + 1] */
    const int32_t *column; /* distinct inside a row */
} gls_pattern;

/* Upper bound: the largest sum of (examples with the feature - 1) over an example's features; at most rows - 1. */
gls_status gls_conflict_bound(gls_context *ctx, const gls_pattern *pattern, int64_t *degree, double *work);
/* Exactly; costs about *work of gls_conflict_bound word operations. */
gls_status gls_conflict_degree(gls_context *ctx, const gls_pattern *pattern, int64_t *degree);

#endif
