/* f_0(w) = steep w and f_i(w) = -w for the others, on [-1, 1] (the method projects onto the box). Visited in order,
 * Adam with beta1 = 0, beta2 = 1/(1 + steep^2) ends at the worst point 1; AMSGrad and SGD reach -1. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t examples;
    double steep;
} options;

typedef struct divergence {
    gls_function f;
    double steep;
} divergence;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("examples", options, examples, "3", 2, 1e9, "length of a period"),
    GLS_REAL("steep", options, steep, "4", 0, INFINITY, "slope of the first example; above examples - 1",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    divergence *a = p->self;
    a->f.dim = 1;
    a->f.examples = o->examples;
    a->steep = o->steep;
    double slope = (o->steep - (double)(o->examples - 1)) / (double)o->examples;
    if (slope <= 0)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "adam_divergence: steep = %g, expected more than examples - 1 = %lld",
                        o->steep, (long long)o->examples - 1);
    a->f.known.minimum = -slope;
    a->f.known.convexity = 0;
    a->f.known.smoothness = a->f.known.l0 = a->f.known.l1 = 0;
    a->f.known.lipschitz = slope;
    a->f.known.radius = 1;
    return gls_function_minimizer(&a->f, -1);
}

static void start(const void *self, uint64_t seed, gls_real *w) {
    w[0] = 0;
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    double slope = example == 0 ? ((const divergence *)self)->steep : -1;
    if (g) *g = (gls_real)slope;
    return slope * (double)w[0];
}

const gls_function_type gls_function_adam_divergence = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"adam_divergence", "linear losses on which Adam goes to the worst point of [-1, 1]",
                           "[T] 2.2.2", table, sizeof(options)},
                .self_size = sizeof(divergence)},
    .setup = setup,
    .evaluate = evaluate,
    .start = start};
