/* F(a, b) = height sin a sin b: smooth with L = height; its minima -height are where sin a = -sin b = +-1. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    double height;
} options;

typedef struct sines {
    gls_function f;
    double height;
} sines;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_REAL("height", options, height, "100", 0, INFINITY, "height, and smoothness constant",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    sines *s = p->self;
    s->f.dim = 2;
    s->height = o->height;
    s->f.known.minimum = -o->height;
    s->f.known.smoothness = s->f.known.l0 = o->height;
    s->f.known.l1 = 0;
    s->f.known.lipschitz = o->height;
    GLS_TRY(gls_function_minimizer(&s->f, asin(1.0)));
    s->f.minimizer[1] = -s->f.minimizer[1];
    return GLS_OK;
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const sines *s = self;
    double a = (double)w[0], b = (double)w[1];
    if (g) {
        g[0] = (gls_real)(s->height * cos(a) * sin(b));
        g[1] = (gls_real)(s->height * sin(a) * cos(b));
    }
    return s->height * sin(a) * sin(b);
}

const gls_function_type gls_function_sines = {
    .problem = {GLS_FUNCTION_VERBS, .member = {"sines", "100 sin a sin b", "[T] 6.3", table, sizeof(options)},
                .self_size = sizeof(sines)},
    .setup = setup,
    .evaluate = evaluate};
