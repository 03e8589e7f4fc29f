/* A strongly convex function of one number that is quadratic in pieces: its slope rises by L, between 1 and 2 by mu.
 * With the rate and momentum that are best for quadratics heavy ball goes in circles on it (L = 25, mu = 1, from 3.3).
 * Lessard, Recht, Packard: Analysis and design of optimization algorithms via integral quadratic constraints, SIAM J.
 * Optim. 26 (2016), 4.6. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    double L, mu;
} options;

typedef struct bent {
    gls_function f;
    double L, mu;
} bent;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_REAL("L", options, L, "25", 0, INFINITY, "second derivative below 1 and from 2 on",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("mu", options, mu, "1", 0, INFINITY, "between 1 and 2; at most L", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    bent *b = p->self;
    if (o->mu > o->L)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "bent_quadratic: mu is %g: expected at most L, %g", o->mu, o->L);
    b->f.dim = 1;
    b->L = o->L;
    b->mu = o->mu;
    b->f.known.minimum = 0;
    b->f.known.smoothness = o->L;
    b->f.known.convexity = b->f.known.pl = o->mu;
    return gls_function_minimizer(&b->f, 0);
}

static void start(const void *self, uint64_t seed, gls_real *w) {
    w[0] = (gls_real)3.3;
}

/* Each piece goes on from where the last one ends. */
static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const bent *b = self;
    double x = (double)w[0], first = fmin(x, 1), middle = fmin(fmax(x - 1, 0), 1), last = fmax(x - 2, 0);
    double slope = b->L * first + b->mu * middle + b->L * last;
    if (g) *g = (gls_real)slope;
    return b->L * first * first / 2 + (b->L + b->mu * middle / 2) * middle + (b->L + b->mu + b->L * last / 2) * last;
}

const gls_function_type gls_function_bent_quadratic = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"bent_quadratic", "strongly convex, on which heavy ball need not converge",
                           "Lessard et al. 2016, 4.6; [T] fig. 2-1", table, sizeof(options)},
                .self_size = sizeof(bent)},
    .setup = setup,
    .evaluate = evaluate,
    .start = start};
