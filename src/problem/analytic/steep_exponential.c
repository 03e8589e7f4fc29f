/* The first function of thesis theorem 3.4.2: a parabola that turns into an exponential at 1/L1. Its L0 is L1. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    double l1;
} options;

typedef struct steep {
    gls_function f;
    double l1;
} steep;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_REAL("L1", options, l1, "2", 0, INFINITY, "both constants of relaxed smoothness",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    steep *s = p->self;
    s->f.dim = 1;
    s->l1 = o->l1;
    s->f.known.minimum = 1 / (2 * o->l1);
    s->f.known.convexity = s->f.known.pl = o->l1;
    s->f.known.l0 = s->f.known.l1 = o->l1;
    return gls_function_minimizer(&s->f, 0);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const steep *s = self;
    double x = (double)w[0], y = s->l1 * fabs(x);
    if (y <= 1) {
        if (g) *g = (gls_real)(s->l1 * x);
        return 0.5 * s->l1 * x * x + 1 / (2 * s->l1);
    }
    if (g) *g = (gls_real)copysign(exp(y - 1), x);
    return exp(y - 1) / s->l1;
}

const gls_function_type gls_function_steep_exponential = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"steep_exponential", "a parabola that turns into an exponential",
                           "[T] thm 3.4.2, first function", table, sizeof(options)},
                .self_size = sizeof(steep)},
    .setup = setup,
    .evaluate = evaluate};
