/* The point of least norm in the convex hull of given vectors. */
#ifndef GLS_MEASURE_HULL_H
#define GLS_MEASURE_HULL_H

#include <glissade/base.h>

/* |point|, and a lower bound on the least norm: by the gap |p|^2 - min <p, v_i>, whatever the rounds were. */
typedef struct gls_hull {
    double norm, least;
    int64_t rounds;
    bool converged; /* the gap is below tolerance |p|^2, or what rounding leaves of it */
} gls_hull;

/* From the vectors' inner products, gram [n, n]; at most that many rounds. weight [n], filled: the point is
 * sum weight_i v_i. Wolfe, Finding the nearest point in a polytope, Math. Program. 11 (1976). */
gls_status gls_hull_nearest(gls_context *ctx, const double *gram, int64_t n, double tolerance, int64_t rounds,
                            double *weight, gls_hull *out);

#endif
