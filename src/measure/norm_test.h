/* The norm test as it goes on along a run. */
#ifndef GLS_MEASURE_NORM_TEST_H
#define GLS_MEASURE_NORM_TEST_H

#include <glissade/measure.h>

/* Running means of the noise trace and of |g_S|^2, undivided sums of weights, and how often the test was passed. Plain
 * data, saved as it is. */
typedef struct gls_moments_tests {
    double weight, trace, norm2, tests, passed;
} gls_moments_tests;

/* One mini-batch under test; all doubles, saved as it is. */
typedef struct gls_moments_test {
    double batch; /* examples; 0: none yet */
    double trace; /* of the covariance of single examples' gradients */
    double norm2; /* |g_S|^2 */
    double left;  /* (n - B) / (n - 1) */
    double passed;
} gls_moments_test;

/* A mini-batch S of `groups` groups of `size` examples: group_norm2, the mean over groups of their mean gradients'
 * squared norms; norm2, |g_S|^2; population n, 0 if unknown. A mini-batch that cannot be tested (one group, a gradient
 * of zero) leaves the running means as they are. */
gls_moments_test gls_moments_test_take(gls_moments_tests *tests, double smoothing, double theta, int64_t groups,
                                       int64_t size, double group_norm2, double norm2, int64_t population);
/* Figures norm_test (of this mini-batch), norm_test_passed, norm_test_share, norm_test_batch, norm_test_smoothed. */
gls_status gls_moments_test_report(const gls_moments_tests *tests, const gls_moments_test *test, double theta,
                                   gls_measure_result *out);

#endif
