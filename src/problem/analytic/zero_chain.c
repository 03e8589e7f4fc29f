/* F(x) = L l^2/152 f_d(x/l), l = 304 epsilon/L: the chain of thesis 4.7.7, in which a coordinate shows a gradient only
 * after the one before it has left [-1/2, 1/2] (in units of l). |grad F| >= 2 epsilon while |x_d| <= l. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double smoothness, epsilon;
} options;

typedef struct chain {
    gls_function f;
    double unit, value_scale; /* l and L l^2/152 */
} chain;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "20", 1, 1e9, "length of the chain"),
    GLS_REAL("L", options, smoothness, "152", 0, INFINITY, "smoothness", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("epsilon", options, epsilon, "0.5", 0, INFINITY,
             "half of the gradient norm that remains until the chain's end is reached", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    chain *c = p->self;
    c->f.dim = o->dim;
    c->unit = 304 * o->epsilon / o->smoothness;
    c->value_scale = o->smoothness * c->unit * c->unit / 152;
    c->f.known.smoothness = c->f.known.l0 = o->smoothness;
    c->f.known.l1 = 0;
    return GLS_OK;
}

static void start(const void *self, uint64_t seed, gls_real *w) {
    for (int64_t i = 0; i < ((const chain *)self)->f.dim; i++) w[i] = 0;
}

/* Psi and Phi with their derivatives. */
static double psi(double x, double *slope) {
    double t = 2 * x - 1;
    if (t <= 0) return *slope = 0;
    double value = exp(1 - 1 / (t * t));
    *slope = value > 0 ? value * 4 / (t * t * t) : 0;
    return value;
}

static double phi(double x, double *slope) {
    const double root_e = sqrt(exp(1.0)), half_turn = acos(-1.0) / 2;
    *slope = root_e * exp(-0.5 * x * x);
    return root_e * sqrt(half_turn) * erfc(-x / sqrt(2.0));
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const chain *c = self;
    double value = 0, scale = c->value_scale / c->unit;
    if (g)
        for (int64_t i = 0; i < c->f.dim; i++) g[i] = 0;
    for (int64_t i = 0; i < c->f.dim; i++) {
        double x = (double)w[i] / c->unit, before = i > 0 ? (double)w[i - 1] / c->unit : 1;
        double phi_slope, phi_minus_slope, psi_slope, psi_minus_slope = 0, psi_minus = 0;
        double phi_value = phi(x, &phi_slope), phi_minus = phi(-x, &phi_minus_slope);
        double psi_value = psi(before, &psi_slope);
        if (i > 0) psi_minus = psi(-before, &psi_minus_slope);
        value += psi_minus * phi_minus - psi_value * phi_value;
        if (!g) continue;
        g[i] += (gls_real)(scale * (-psi_minus * phi_minus_slope - psi_value * phi_slope));
        if (i > 0) g[i - 1] += (gls_real)(scale * (-psi_minus_slope * phi_minus - psi_slope * phi_value));
    }
    return c->value_scale * value;
}

const gls_function_type gls_function_zero_chain = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"zero_chain", "a chain whose coordinates become visible one after the other", "[T] 4.7.7",
                           table, sizeof(options)},
                .self_size = sizeof(chain)},
    .setup = setup,
    .evaluate = evaluate,
    .start = start};
