/* Vectors of noise from a stream's Philox blocks, side by side: the laws of noise.h. In double an element has a block
 * of its own and is what the functions of noise.h make of it; in float two elements share one. The same key and
 * counters give the same vector. */
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

/* x[i] += scale * draw i, for i in [0, n), n < 2^32. The stream's own position is not read. */
void gls_add_draws(gls_law law, double index, const gls_random *random, double scale, int64_t n, gls_real *x);

/* word [4 count]: what gls_random_block makes of blocks first, first + 1, ..., many at a time. */
void gls_draw_words(const gls_random *random, uint32_t first, int64_t count, uint32_t *word);

#endif
