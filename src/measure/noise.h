/* Gradient noise |g_B - grad F| of a sample, and the null distributions beside it. */
#ifndef GLS_MEASURE_NOISE_H
#define GLS_MEASURE_NOISE_H

#include "measure/sample.h"

/* Squared noise norms of the sample's single examples around their mean gradient: norm2 [count], mean gradient g [d],
 * from norms and inner products (no example's gradient is formed). */
gls_status gls_noise_examples(gls_sample *sample, const gls_real *w, gls_real *g, double *norm2);

/* A sample holds two mini-batches at least: options.sample grows to that. A batch larger than the set becomes half of
 * it, which the note says. */
gls_status gls_noise_batch_for(gls_sample_options *options, int64_t population, int64_t *batch,
                               gls_measure_result *out);

/* Mini-batches drawn without replacement from the sample, their noise brought to what mini-batches of the whole set
 * have: times (1/B - 1/n) / (1/B - 1/m) in squares. */
typedef struct gls_noise_batches {
    int64_t batch, batches;
    double *norm2;    /* [batches] |g_B - g|^2 */
    gls_real *first;  /* [d] the noise of the first one, or NULL: not wanted */
    double effective; /* filled: tr(S)^2 / tr(S^2) of its covariance S, from products of consecutive ones; at least 1 */
} gls_noise_batches;
gls_status gls_noise_of_batches(gls_sample *sample, const gls_real *w, const gls_real *g, gls_noise_batches *noise);

/* Rows of a matrix around their mean: norm2 [n], and the effective dimension as above. */
gls_status gls_noise_matrix(gls_context *ctx, const gls_measure_matrix *matrix, gls_real *mean, double *norm2,
                            double *effective);

/* Norms of sums of squares of `effective` (at most 256) independent draws: of normals (alpha 2), or of alpha-stables;
 * scaled so that the median is `median`. norm [n], ascending. */
void gls_noise_null(gls_random random, double effective, double alpha, double median, int64_t n, double *norm);

#endif
