/* F(w) = -min(|w|, depth): in one dimension a clipped -|x|. A concave kink at 0, convex ones on the sphere |w| = depth,
 * stationary outside. */
#include "problem/analytic/analytic.h"

#include "base/kernels.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double depth;
} options;

typedef struct clipped {
    gls_function f;
    double depth;
} clipped;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "1", 1, 1e9, "number of parameters"),
    GLS_REAL("depth", options, depth, "1", 0, INFINITY, "where it becomes flat", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    clipped *c = p->self;
    c->f.dim = o->dim;
    c->depth = o->depth;
    c->f.known.minimum = -o->depth;
    c->f.known.lipschitz = 1;
    GLS_TRY(gls_function_minimizer(&c->f, 0));
    c->f.minimizer[0] = (gls_real)(2 * o->depth);
    return GLS_OK;
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const clipped *c = self;
    int64_t d = c->f.dim;
    double norm = sqrt(gls_sum_squares(w, d));
    if (!g) return -fmin(norm, c->depth);
    gls_fill(g, 0, d);
    double inward = direction ? -gls_dot(w, direction, d) : 0;
    if (norm > 0 && (norm < c->depth || (norm == c->depth && inward > 0))) gls_axpy(g, -1 / norm, w, d);
    if (norm == 0 && direction) {
        double length = sqrt(gls_sum_squares(direction, d));
        if (length > 0) gls_axpy(g, -1 / length, direction, d);
    }
    return -fmin(norm, c->depth);
}

const gls_function_type gls_function_clipped_norm = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"clipped_norm", "-min(|w|, depth): non-smooth and non-convex", "", table, sizeof(options)},
                .self_size = sizeof(clipped)},
    .setup = setup,
    .dispose = NULL,
    .evaluate = evaluate};
