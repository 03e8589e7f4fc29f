/* Tangents of the normalisations, for Hessian products. With y = scale (x - mean) rstd + shift and a dash for tangents,
 *
 *     y' = a x' + b (x - mean) + c,   a = scale rstd, b = scale rstd' + scale' rstd, c = shift' - a mean',
 *     dx' = a e' + b e - u - v x' - w (x - mean),
 *
 * where u, v, w come from sums over the n elements that share a mean. */
#ifndef GLS_MODEL_NORM_TANGENT_H
#define GLS_MODEL_NORM_TANGENT_H

#include "model/norm.h"

/* Per-channel figures of one row, [c] each. */
typedef struct gls_norm_tangent {
    gls_real *mean, *a, *b, *c, *u, *v, *w;
} gls_norm_tangent;
/* In scratch, for c channels. */
gls_norm_tangent gls_norm_tangent_room(void *scratch, int64_t c);
int64_t gls_norm_tangent_bytes(int64_t c);

/* Of n elements: mean and 1 / deviation, and their tangents. */
typedef struct gls_norm_moments_tangent {
    double n, mean, rstd, mean_dot, rstd_dot;
} gls_norm_moments_tangent;
/* The tangents from mean, rstd, and the sums of x' and of x x'. */
void gls_norm_moments_tangent_set(gls_norm_moments_tangent *of, double first, double mixed);

/* Sums of scale e and of scale e (x - mean), and their tangents. */
typedef struct gls_norm_sums_tangent {
    double total, moment, total_dot, moment_dot;
} gls_norm_sums_tangent;
/* u, v, w. */
typedef struct gls_norm_terms {
    double u, v, w;
} gls_norm_terms;
gls_norm_terms gls_norm_terms_of(const gls_norm_moments_tangent *of, const gls_norm_sums_tangent *sums);

/* mean, a, b, c of channel k of node; u, v, w are 0. */
void gls_norm_tangent_set(const gls_norm_tangent *to, const gls_exec *t, int node, int64_t k,
                          const gls_norm_moments_tangent *of);
/* u, v, w of channels [begin, end), which share a mean and those sums. */
void gls_norm_tangent_terms(const gls_norm_tangent *to, int64_t begin, int64_t end, const gls_norm_moments_tangent *of,
                            const gls_norm_sums_tangent *sums);
/* first += x', mixed += x x' over the row's positions, [c]. */
void gls_norm_row_moments_tangent(const gls_exec *t, int node, int64_t row, double *first, double *mixed);
void gls_norm_row_forward_tangent(gls_exec *t, int node, int64_t row, const gls_norm_tangent *with);
/* After gls_norm_row_through: moment = sum of e' (x - mean) + e x', total = sum of e' over the row's positions, [c]. */
void gls_norm_row_sums_tangent(const gls_exec *t, int node, int64_t row, const gls_norm_tangent *with, double *moment,
                               double *total);
void gls_norm_row_backward_tangent(gls_exec *t, int node, int64_t row, const gls_norm_tangent *with);

/* From a row's sums to what its parameters' uses read: of channel k, sums [2, c] that gls_norm_row_sums_tangent left,
 * become the tangents of the sums of e xhat and of e. Returns what the channel adds to its set's sums. */
gls_norm_sums_tangent gls_norm_row_finish_tangent(gls_exec *t, int node, int64_t row, int64_t k,
                                                  const gls_norm_moments_tangent *of);
/* What the totals of a channel add: of e xhat and of e in values, and of their tangents, [2, c] each. */
gls_norm_sums_tangent gls_norm_channel_sums(const gls_exec *t, int node, int64_t k, const gls_norm_moments_tangent *of,
                                            const double *values, const double *tangents);

#endif
