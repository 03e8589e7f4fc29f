#include "base/noise.h"

#include <math.h>

/* Uniform on (0, 1]. */
static double positive(gls_random *random) {
    return 1.0 - gls_random_uniform(random);
}

/* The polar form: radius of a t-distributed pair, then its angle. */
double gls_noise_student(gls_random *random, double dof) {
    double u = positive(random), angle = 2 * M_PI * gls_random_uniform(random);
    return sqrt(dof * expm1(-2 / dof * log(u))) * cos(angle);
}

double gls_noise_pareto_symmetric(gls_random *random, double alpha) {
    double size = pow(positive(random), -1 / alpha);
    return gls_random_uniform(random) < 0.5 ? -size : size;
}

double gls_noise_pareto_onesided_centred(gls_random *random, double alpha) {
    double size = pow(positive(random), -1 / alpha);
    gls_random_uniform(random);
    return size - alpha / (alpha - 1);
}

/* Chambers, Mallows and Stuck's transform of an angle and an exponential. */
double gls_noise_stable(gls_random *random, double alpha) {
    double angle = M_PI * (gls_random_uniform(random) - 0.5), wait = -log(positive(random));
    if (alpha == 1) return tan(angle);
    double cosine = cos(angle);
    if (wait == 0 || cosine <= 0) return 0;
    return sin(alpha * angle) / pow(cosine, 1 / alpha) * pow(cos((1 - alpha) * angle) / wait, (1 - alpha) / alpha);
}
