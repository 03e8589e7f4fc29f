/* Loops that several ops share. */
#ifndef GLS_MODEL_KERNELS_H
#define GLS_MODEL_KERNELS_H

#include <glissade/base.h>

/* x [rows, n]: adds bias [n] (NULL: none) to every row, and with relu applies max(x, slope x). */
void gls_bias_activation(gls_real *x, int64_t rows, int64_t n, const gls_real *bias, bool relu, double slope);
/* d = (y > 0 ? e : slope e), or d += that; d may be e. */
void gls_activation_grad(gls_real *d, const gls_real *e, const gls_real *y, int64_t n, double slope, bool adds);
/* y = max(x, slope x), slope in [0, 1]. */
void gls_activation(gls_real *y, const gls_real *x, int64_t n, double slope);
/* Sums over positions: out[c] = sum over p of x at channel c of one row in layout [c / inner, positions, inner]. */
void gls_channel_sums(const gls_real *x, int64_t c, int64_t positions, int64_t inner, double *out);

#endif
