/* Both ends of a symmetric operator's spectrum, by Lanczos with full reorthogonalisation and thick restarts. */
#ifndef GLS_MEASURE_LANCZOS_H
#define GLS_MEASURE_LANCZOS_H

#include <glissade/base.h>

typedef struct gls_lanczos {
    /* y = A x, both [n]. */
    gls_status (*apply)(void *user, const gls_real *x, gls_real *y);
    void *user;
    int64_t n;
    int basis;        /* vectors held at once, at least 8; fewer if n is smaller */
    int64_t products; /* at most that many applications */
    double tolerance; /* residual of the largest over the largest absolute eigenvalue; ten times it for the smallest */
    bool top_only;    /* the smallest end need not converge */
    gls_random random;
} gls_lanczos;

typedef struct gls_spectrum {
    double largest, smallest;                   /* algebraic */
    double largest_residual, smallest_residual; /* |A x - lambda x|, |x| = 1, as the recurrence gives it */
    int64_t products;
    bool converged;
} gls_spectrum;

/* GLS_ERR_NONFINITE if the operator returns something that is not finite. */
gls_status gls_lanczos_ends(gls_context *ctx, const gls_lanczos *options, gls_spectrum *spectrum);

#endif
