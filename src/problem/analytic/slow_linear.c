/* The second function of thesis theorem 3.4.2: slope 2 epsilon outside [-1, 1], and value 5 epsilon / 4 at its ends. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    double epsilon;
} options;

typedef struct slow {
    gls_function f;
    double epsilon;
} slow;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_REAL("epsilon", options, epsilon, "0.1", 0, INFINITY, "half of the slope outside",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    slow *s = p->self;
    s->f.dim = 1;
    s->epsilon = o->epsilon;
    s->f.known.minimum = 0;
    s->f.known.convexity = 0;
    s->f.known.smoothness = s->f.known.l0 = 3 * o->epsilon;
    s->f.known.l1 = 0;
    s->f.known.lipschitz = 2 * o->epsilon;
    return gls_function_minimizer(&s->f, 0);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const slow *s = self;
    double x = (double)w[0], e = s->epsilon;
    if (fabs(x) <= 1) {
        if (g) *g = (gls_real)(e * x * (3 - x * x));
        return 0.25 * e * x * x * (6 - x * x);
    }
    if (g) *g = (gls_real)copysign(2 * e, x);
    return 2 * e * (fabs(x) - 1) + 1.25 * e;
}

const gls_function_type gls_function_slow_linear = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"slow_linear", "a smooth function with a small constant slope far out",
                           "[T] thm 3.4.2, second function", table, sizeof(options)},
                .self_size = sizeof(slow)},
    .setup = setup,
    .evaluate = evaluate};
