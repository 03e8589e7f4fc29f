/* F(w) = sum_i z(w_i) / sqrt(d), z a triangle wave of slope +-1, minima 0 at multiples of the period: the norm of the
 * gradient is 1 wherever there is one. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double period;
} options;

typedef struct zigzag {
    gls_function f;
    double period;
} zigzag;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "1", 1, 1e9, "number of parameters"),
    GLS_REAL("period", options, period, "1", 0, INFINITY, "distance between minima", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    zigzag *z = p->self;
    z->f.dim = o->dim;
    z->period = o->period;
    z->f.known.minimum = 0;
    z->f.known.lipschitz = 1;
    return gls_function_minimizer(&z->f, 0);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const zigzag *z = self;
    double root = 1 / sqrt((double)z->f.dim), value = 0;
    for (int64_t i = 0; i < z->f.dim; i++) {
        double offset = remainder((double)w[i], z->period); /* in [-period/2, period/2] */
        double move = direction ? (double)direction[i] : 0;
        double slope = offset > 0 ? 1 : -1;
        if (offset == 0) slope = move >= 0 ? 1 : -1;
        if (2 * fabs(offset) == z->period) slope = move >= 0 ? -1 : 1;
        value += fabs(offset);
        if (g) g[i] = (gls_real)(root * slope);
    }
    return root * value;
}

const gls_function_type gls_function_zigzag = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"zigzag", "a triangle wave in every coordinate", "[T] 5.3.1", table, sizeof(options)},
                .self_size = sizeof(zigzag)},
    .setup = setup,
    .evaluate = evaluate};
