/* F(w) = sum |w_i|^p / p, p >= 2: (L0, L1)-smooth for every L1 > 0 but not smooth for p > 2. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double exponent, l1;
} options;

typedef struct power {
    gls_function f;
    double exponent;
} power;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "1", 1, 1e9, "number of parameters"),
    GLS_REAL("p", options, exponent, "4", 2, INFINITY, "the exponent"),
    GLS_REAL("L1", options, l1, "1", 0, INFINITY, "the constant L1 for which L0 is given",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    power *f = p->self;
    f->f.dim = o->dim;
    f->exponent = o->exponent;
    f->f.known.minimum = 0;
    f->f.known.convexity = o->exponent == 2 ? 1 : 0;
    if (o->exponent == 2) f->f.known.smoothness = f->f.known.pl = 1;
    /* Beyond |x| = (p - 1)/L1 the second derivative (p - 1)|x|^(p-2) is at most L1 |x|^(p-1); L0 is its value there. */
    f->f.known.l1 = o->exponent == 2 ? 0 : o->l1;
    f->f.known.l0 = o->exponent == 2 ? 1 : (o->exponent - 1) * pow((o->exponent - 1) / o->l1, o->exponent - 2);
    return gls_function_minimizer(&f->f, 0);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const power *f = self;
    double value = 0;
    for (int64_t i = 0; i < f->f.dim; i++) {
        double x = fabs((double)w[i]), slope = pow(x, f->exponent - 1);
        value += slope * x / f->exponent;
        if (g) g[i] = (gls_real)copysign(slope, (double)w[i]);
    }
    return value;
}

const gls_function_type gls_function_power = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"power", "sum of |w_i|^p / p: relaxed smooth, not smooth", "[T] lemma 3.2.1", table,
                           sizeof(options)},
                .self_size = sizeof(power)},
    .setup = setup,
    .evaluate = evaluate};
