/* F(w) = sum cosh(a w_i) / a: the second derivative a cosh(a w) is at most a + a |sinh(a w)|, so L0 = L1 = a. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double rate;
} options;

typedef struct exponential {
    gls_function f;
    double rate;
} exponential;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "1", 1, 1e9, "number of parameters"),
    GLS_REAL("a", options, rate, "1", 0, INFINITY, "rate of growth", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    exponential *f = p->self;
    f->f.dim = o->dim;
    f->rate = o->rate;
    f->f.known.minimum = (double)o->dim / o->rate;
    f->f.known.convexity = f->f.known.pl = o->rate;
    f->f.known.l0 = f->f.known.l1 = o->rate;
    return gls_function_minimizer(&f->f, 0);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const exponential *f = self;
    double value = 0;
    for (int64_t i = 0; i < f->f.dim; i++) {
        double x = f->rate * (double)w[i];
        value += cosh(x) / f->rate;
        if (g) g[i] = (gls_real)sinh(x);
    }
    return value;
}

const gls_function_type gls_function_exponential = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"exponential", "sum of cosh(a w_i) / a: relaxed smooth, not smooth", "[T] 3.2", table,
                           sizeof(options)},
                .self_size = sizeof(exponential)},
    .setup = setup,
    .evaluate = evaluate};
