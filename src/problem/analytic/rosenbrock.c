/* F(w) = sum_i steep (w_{i+1} - w_i^2)^2 + (1 - w_i)^2. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double steep;
} options;

typedef struct rosenbrock {
    gls_function f;
    double steep;
} rosenbrock;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "2", 2, 1e9, "number of parameters"),
    GLS_REAL("steep", options, steep, "100", 0, INFINITY, "steepness of the valley", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    rosenbrock *r = p->self;
    r->f.dim = o->dim;
    r->steep = o->steep;
    r->f.known.minimum = 0;
    return gls_function_minimizer(&r->f, 1);
}

static void start(const void *self, uint64_t seed, gls_real *w) {
    for (int64_t i = 0; i < ((const rosenbrock *)self)->f.dim; i++) w[i] = i % 2 == 0 ? (gls_real)-1.2 : 1;
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const rosenbrock *r = self;
    double value = 0;
    if (g)
        for (int64_t i = 0; i < r->f.dim; i++) g[i] = 0;
    for (int64_t i = 0; i + 1 < r->f.dim; i++) {
        double x = (double)w[i], bend = (double)w[i + 1] - x * x, away = 1 - x;
        value += r->steep * bend * bend + away * away;
        if (!g) continue;
        g[i] += (gls_real)(-4 * r->steep * x * bend - 2 * away);
        g[i + 1] += (gls_real)(2 * r->steep * bend);
    }
    return value;
}

const gls_function_type gls_function_rosenbrock = {
    .problem = {GLS_FUNCTION_VERBS, .member = {"rosenbrock", "the bent valley", "", table, sizeof(options)},
                .self_size = sizeof(rosenbrock)},
    .setup = setup,
    .evaluate = evaluate,
    .start = start};
