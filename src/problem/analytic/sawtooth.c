/* Thesis (6.11): slopes -1/(n+1) and n/(n+1) meeting at 0. With step size 1 the iterates from 0.2/(n+1) have period
 * n + 1. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t window;
} options;

typedef struct sawtooth {
    gls_function f;
    double window;
} sawtooth;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("n", options, window, "10", 1, 1e9, "the window; slopes -1/(n+1), n/(n+1)"),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    sawtooth *s = p->self;
    s->f.dim = 1;
    s->window = (double)((const options *)given)->window;
    s->f.known.minimum = 0;
    s->f.known.convexity = 0;
    s->f.known.lipschitz = s->window / (s->window + 1);
    return gls_function_minimizer(&s->f, 0);
}

static void start(const void *self, uint64_t seed, gls_real *w) {
    w[0] = (gls_real)(0.2 / (((const sawtooth *)self)->window + 1));
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const sawtooth *s = self;
    double x = (double)w[0];
    bool right = x > 0 || (x == 0 && direction && direction[0] > 0);
    double slope = (right ? s->window : -1) / (s->window + 1);
    if (g) *g = (gls_real)slope;
    return slope * x;
}

const gls_function_type gls_function_sawtooth = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"sawtooth", "two slopes whose descent is periodic", "[T] lemma 6.4.2", table,
                           sizeof(options)},
                .self_size = sizeof(sawtooth)},
    .setup = setup,
    .evaluate = evaluate,
    .start = start};
