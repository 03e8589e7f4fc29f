/* Moments of gradients below the second: G = (E|g|^alpha)^(1/alpha), B_k = (E|g_k|^alpha)^(1/alpha) by coordinate, and
 * the noise's. [A] assumptions 1, 2 */
#ifndef GLS_MEASURE_ALPHA_H
#define GLS_MEASURE_ALPHA_H

#include "measure/sample.h"

enum { GLS_ALPHA_PARTS = 8 }; /* of the rows, for the intervals: each costs d values */
/* For costs: what is done once for every coordinate, in gradients of as many multiply-adds as there are coordinates. */
enum { GLS_ALPHA_COST = 3000 };

/* Means over the rows of each part, and of all. */
typedef struct gls_alpha {
    gls_context *ctx;
    double alpha;
    int64_t d, rows, parts;
    double left;                   /* share of the set that was not read: 1 from an unknown or endless one */
    double size[GLS_ALPHA_PARTS];  /* rows of each part */
    double whole[GLS_ALPHA_PARTS]; /* sums of |g_i|^alpha */
    double noise[GLS_ALPHA_PARTS]; /* sums of |g_i - mean|^alpha */
    gls_real *coordinate;          /* [parts, d] sums of |g_ik|^alpha */
    gls_real *mean;                /* [d] the mean gradient */
} gls_alpha;

/* Of a sample of single examples at w: a pass with norms, one with inner products, one with every gradient formed. */
gls_status gls_alpha_sample(gls_sample *sample, double alpha, gls_alpha *out);
/* Of the rows of a matrix. */
gls_status gls_alpha_matrix(gls_context *ctx, const gls_measure_matrix *matrix, double alpha, gls_alpha *out);
void gls_alpha_clear(gls_alpha *alpha); /* a zeroed one is legal */

/* G; the noise's; |B|_2; |B|_alpha. */
typedef enum gls_alpha_kind { GLS_ALPHA_WHOLE, GLS_ALPHA_NOISE, GLS_ALPHA_TWO, GLS_ALPHA_OWN } gls_alpha_kind;
/* Without part `without` (-1: of all rows). */
double gls_alpha_value(const gls_alpha *alpha, gls_alpha_kind kind, int64_t without);
double gls_alpha_coordinate(const gls_alpha *alpha, int64_t k); /* B_k */

#endif
