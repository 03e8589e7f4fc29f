/* Estimators of the tail index alpha on plain arrays. x [coordinates, samples]: a coordinate's samples in a row. */
#ifndef GLS_MEASURE_TAIL_H
#define GLS_MEASURE_TAIL_H

#include <glissade/base.h>

typedef struct gls_tail_fit {
    double alpha, low, high; /* NaN where it cannot be told */
    int64_t blocks;          /* independent blocks of samples that the interval is made from */
    int64_t zero_sums;       /* exact zeros left out */
} gls_tail_fit;

/* Ours: D_t = x_{2t} - x_{2t+1}; Y_m = sums of m consecutive D inside a coordinate;
 * 1/alpha = (mean log|Y_m2| - mean log|Y_m1|) / ln(m2/m1), m1 dividing m2. The interval is by bootstrap over blocks of
 * 2 m2 samples with all their coordinates. */
gls_status gls_tail_differences(gls_context *ctx, const double *x, int64_t coordinates, int64_t samples, int64_t m1,
                                int64_t m2, gls_random random, gls_tail_fit *fit);

/* The papers': samples centred by coordinate, sums of K1 = floor(sqrt(samples)) consecutive ones,
 * 1/alpha = (mean log|Y| - mean log|X|) / log K1. NaN for fewer than 4 samples. [A] app. H */
double gls_tail_papers(const double *x, int64_t coordinates, int64_t samples);

/* Hill's estimate from the k largest of `descending` positive values: k / sum log(x_i / x_k). NaN if k is out of range
 * or values are not positive. */
double gls_tail_hill(const double *descending, int64_t n, int64_t k);

#endif
