/* Statistics on plain arrays of doubles. Nothing here allocates unless it says so. */
#ifndef GLS_MEASURE_STATISTICS_H
#define GLS_MEASURE_STATISTICS_H

#include <glissade/base.h>

typedef struct gls_interval {
    double low, high;
} gls_interval;

/* Quantile p of ascending x by linear interpolation between order statistics; NaN if n is 0. */
double gls_stat_quantile(const double *sorted, int64_t n, double p);
double gls_stat_median(double *x, int64_t n); /* sorts x */
double gls_stat_mean(const double *x, int64_t n);
/* Central moment ratio m4 / m2^2: 3 for a normal distribution; NaN where m2 is 0. */
double gls_stat_kurtosis(const double *x, int64_t n);
double gls_stat_correlation(const double *x, const double *y, int64_t n); /* Pearson; NaN where one is constant */

/* Counts of x in `bins` equal bins from edge[0] to edge[bins]; the edges are made from the smallest and largest finite
 * value. edge [bins + 1], count [bins]. */
void gls_stat_histogram(const double *x, int64_t n, int64_t bins, double *edge, double *count);

/* y = intercept + slope x by medians of pairwise slopes (Theil and Sen); scratch [n (n - 1) / 2 + n]. False if all x
 * are the same. */
bool gls_stat_robust_line(const double *x, const double *y, int64_t n, double *scratch, double *intercept,
                          double *slope);
/* The same by least squares. */
bool gls_stat_least_squares(const double *x, const double *y, int64_t n, double *intercept, double *slope);

/* Quantile 0.975 of Student's t with dof >= 1 degrees of freedom (1.96 for large dof). */
double gls_stat_t975(double dof);

/* Confidence interval of a / b from estimates with variances va, vb and covariance vab (Fieller), t the quantile. It
 * is [-inf, inf] where b is not told from zero on both sides, or neither a nor b from zero; one end is infinite where
 * only b > 0 is in doubt. */
gls_interval gls_stat_ratio_interval(double a, double b, double va, double vb, double vab, double t);

/* Standard error of a statistic by drawing `blocks` blocks with replacement `replicates` times. statistic gets how
 * often each block was drawn; replicates where it is not finite are left out. count [blocks] is scratch. */
double gls_stat_bootstrap(gls_random random, int64_t blocks, int replicates, int32_t *count,
                          double (*statistic)(const void *user, const int32_t *count), const void *user);

#endif
