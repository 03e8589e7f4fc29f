/* Vectors of noise, an element from each Philox block: element i is made of block i of the stream, so that it does not
 * depend on where a vector is cut. The laws are those of noise.h, evaluated side by side. */
#ifndef GLS_BASE_DRAWS_H
#define GLS_BASE_DRAWS_H

#include <glissade/base.h>

typedef enum gls_law {
    GLS_LAW_NORMAL,         /* variance 1 */
    GLS_LAW_STUDENT,        /* index: degrees of freedom */
    GLS_LAW_PARETO,         /* symmetric, P(|x| > t) = t^-index for t >= 1 */
    GLS_LAW_PARETO_CENTRED, /* one-sided on [1, inf), less its mean; index > 1 */
    GLS_LAW_STABLE          /* symmetric, E exp(itx) = exp(-|t|^index), index in (0, 2] */
} gls_law;

/* x[i] += scale * (a draw from block i of random), for i in [0, n), n < 2^32. The stream's own position is not read. */
void gls_add_draws(gls_law law, double index, const gls_random *random, double scale, int64_t n, gls_real *x);
/* The two uniforms on [0, 1) of blocks first .. first + n - 1. */
void gls_uniform_pairs(const gls_random *random, uint32_t first, int64_t n, double *u, double *v);

#endif
