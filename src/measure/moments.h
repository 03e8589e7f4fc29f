/* M^2 = mean |g_i|^2 and G = |mean g_i|^2 of a set, exactly or from a sample, with their covariance. */
#ifndef GLS_MEASURE_MOMENTS_H
#define GLS_MEASURE_MOMENTS_H

#include "measure/sample.h"
#include "measure/statistics.h"

typedef struct gls_moments {
    int64_t rows;          /* groups that the estimate is made from */
    bool exact;            /* the rows are the whole set: the definition itself */
    double m2, g;          /* unbiased; g may be negative */
    double v_m2, v_g, v_x; /* variances and covariance of the two, by the jackknife */
} gls_moments;

/* From the sum over `groups` groups (of `size` examples) of their mean gradients' squared norms, and the squared norm
 * of the sum of those means. population n: drawn from n without replacement; 0: unknown, drawn independently. */
void gls_moments_estimate(int64_t groups, int64_t size, double sum_norm2, double norm2_sum, int64_t population,
                          double *m2, double *g);
/* From each group's squared norm a [groups] and inner product c [groups] with the sum of all group means. */
void gls_moments_rows(int64_t groups, int64_t size, const double *a, const double *c, double norm2_sum,
                      int64_t population, gls_moments *out);
/* A matrix [n, d]: a_i = |g_i|^2, c_i = <g_i, sum>, |sum|^2; sum [d] in double is scratch. */
void gls_moments_matrix(const gls_measure_matrix *matrix, double *sum, double *a, double *c, double *norm2_sum);

/* Of a sample of single examples at w: a pass with norms, and one with inner products unless the sample is whole. */
gls_status gls_moments_sample(gls_sample *sample, const gls_real *w, gls_moments *out);
/* Of all rows of a matrix. */
gls_status gls_moments_of_matrix(gls_context *ctx, const gls_measure_matrix *matrix, gls_moments *out);

/* Where the moments come from: 0, examples of its own; 1, the norms of the run's own mini-batch. */
#define GLS_FROM_OPTION(type)                             \
    GLS_ENUM("from", type, from, "sample", "sample|step", \
             "examples of its own, or the norms that the run's estimator keeps (its `ledger: true`), at no cost")

/* The bound M^2 / G (NaN where G is not positive) and its 95% interval. */
void gls_moments_bound(const gls_moments *moments, double *bound, gls_interval *interval);
/* A sentence for a bound that is NaN. */
const char *gls_moments_trouble(const gls_moments *moments);
/* Figures gradient_diversity (with n, the size of the set, known), batch_size_bound, second_moment, mean_gradient_norm2
 * with intervals. */
gls_status gls_moments_report(const gls_moments *moments, int64_t n, gls_measure_result *out);

#endif
