/* Heavy-tailed laws as functions of two uniforms. Every draw takes exactly two, even where one would do, so that
 * streams of different laws stay in step. */
#include "base/noise.h"

#include <math.h>

/* Uniform on (0, 1]. */
static double positive(gls_random *random) {
    return 1.0 - gls_random_uniform(random);
}

/* The polar form (Bailey 1994): radius of a t-distributed pair, then its angle. */
double gls_draw_student(gls_random *random, double dof) {
    double u = positive(random), angle = 2 * M_PI * gls_random_uniform(random);
    return sqrt(dof * expm1(-2 / dof * log(u))) * cos(angle);
}

double gls_draw_pareto_symmetric(gls_random *random, double alpha) {
    double size = pow(positive(random), -1 / alpha);
    return gls_random_uniform(random) < 0.5 ? -size : size;
}

double gls_draw_pareto_onesided_centred(gls_random *random, double alpha) {
    double size = pow(positive(random), -1 / alpha);
    gls_random_uniform(random);
    return size - alpha / (alpha - 1);
}

/* Chambers, Mallows and Stuck (1976): a transform of an angle and an exponential. The formula has no value where
 * rounding leaves an exponential of 0 or an angle of 90 degrees. */
double gls_draw_stable(gls_random *random, double alpha) {
    double angle = M_PI * (gls_random_uniform(random) - 0.5), wait = -log(positive(random));
    if (alpha == 1) return tan(angle);
    double cosine = cos(angle);
    if (wait == 0 || cosine <= 0) return 0;
    return sin(alpha * angle) / pow(cosine, 1 / alpha) * pow(cos((1 - alpha) * angle) / wait, (1 - alpha) / alpha);
}
