/* Noise with heavy tails, drawn from a counter-based stream. Each call takes two uniforms, so that a stream's position
 * does not depend on what came out. */
#ifndef GLS_BASE_NOISE_H
#define GLS_BASE_NOISE_H

#include <glissade/base.h>

/* Student's t with dof > 0 degrees of freedom: moments of order < dof exist. */
double gls_draw_student(gls_random *random, double dof);
/* Symmetric Pareto: P(|x| > t) = t^-alpha for t >= 1, alpha > 0. */
double gls_draw_pareto_symmetric(gls_random *random, double alpha);
/* One-sided Pareto on [1, inf) less its mean alpha / (alpha - 1); alpha > 1. */
double gls_draw_pareto_onesided_centred(gls_random *random, double alpha);
/* Symmetric alpha-stable of unit scale, S(alpha, 0, 1, 0): E exp(itx) = exp(-|t|^alpha), alpha in (0, 2]. At 2 it is
 * the normal of variance 2, at 1 Cauchy's. */
double gls_draw_stable(gls_random *random, double alpha);

#endif
