/* Loops that several ops share: bias and fused activation, sums over positions. */
#include "model/kernels.h"

#include "base/kernels.h"

GLS_SIMD void gls_bias_activation(gls_real *x, int64_t rows, int64_t n, const gls_real *bias, bool relu, double slope) {
    gls_real s = (gls_real)slope;
    for (int64_t r = 0; r < rows; r++, x += n) {
        if (bias)
            for (int64_t i = 0; i < n; i++) x[i] += bias[i];
        if (relu)
            for (int64_t i = 0; i < n; i++) x[i] = x[i] < 0 ? s * x[i] : x[i];
    }
}

GLS_SIMD void gls_activation_grad(gls_real *d, const gls_real *e, const gls_real *y, int64_t n, double slope,
                                  bool adds) {
    gls_real s = (gls_real)slope;
    if (adds)
        for (int64_t i = 0; i < n; i++) d[i] += y[i] > 0 ? e[i] : s * e[i];
    else
        for (int64_t i = 0; i < n; i++) d[i] = y[i] > 0 ? e[i] : s * e[i];
}

GLS_SIMD void gls_activation(gls_real *y, const gls_real *x, int64_t n, double slope) {
    gls_real s = (gls_real)slope;
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? s * x[i] : x[i];
}

GLS_ALWAYS_INLINE void sums_of(const gls_real *x, int64_t positions, const int64_t inner, double *out) {
    for (int64_t p = 0; p < positions; p++, x += inner)
        for (int64_t i = 0; i < inner; i++) out[i] += x[i];
}

/* Channels of the blocked layouts, whose sums stay in registers. */
GLS_ALWAYS_INLINE void sums_near(const gls_real *x, int64_t positions, const int64_t inner, double *out) {
    double sum[16] = {0};
    sums_of(x, positions, inner, sum);
    for (int64_t i = 0; i < inner; i++) out[i] = sum[i];
}

GLS_SIMD static void sums_wide(const gls_real *x, int64_t positions, int64_t inner, double *out) {
    if (inner == 16)
        sums_near(x, positions, 16, out);
    else if (inner == 8)
        sums_near(x, positions, 8, out);
    else
        sums_of(x, positions, inner, out);
}

/* One channel's positions are contiguous: 16 partial sums in fixed order, so that the bits do not depend on the vector
 * width. */
GLS_SIMD static double sum_run(const gls_real *x, int64_t n) {
    double part[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) part[k] += x[i + k];
    for (int k = 0; i < n; i++, k++) part[k] += x[i];
    double sum = 0;
    for (int k = 0; k < 16; k++) sum += part[k];
    return sum;
}

void gls_channel_sums(const gls_real *x, int64_t c, int64_t positions, int64_t inner, double *out) {
    for (int64_t i = 0; i < c; i++) out[i] = 0;
    for (int64_t b = 0; b < c / inner; b++, x += positions * inner, out += inner) {
        if (inner == 1)
            out[0] = sum_run(x, positions);
        else
            sums_wide(x, positions, inner, out);
    }
}
