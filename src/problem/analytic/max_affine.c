/* F(w) = max_j |<a_j, w>| over unit vectors a_j: convex, with kinks through every point of many hyperplanes. */
#include "problem/analytic/analytic.h"

#include "base/kernels.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim, pieces, seed;
} options;

typedef struct max_affine {
    gls_function f;
    int64_t pieces;
    gls_real *row; /* [pieces, dim] */
} max_affine;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "5", 1, 1e6, "number of parameters"),
    GLS_INT("pieces", options, pieces, "20", 1, 1e6, "number of pairs of affine pieces"),
    GLS_INT("seed", options, seed, "1", 0, INFINITY, "seed of the pieces"),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    max_affine *m = p->self;
    m->f.dim = o->dim;
    m->pieces = o->pieces;
    m->row = gls_alloc(p->ctx, o->pieces * o->dim, sizeof *m->row);
    if (!m->row) return GLS_ERR_MEMORY;
    for (int64_t j = 0; j < o->pieces; j++)
        gls_function_direction((uint64_t)o->seed, "pieces", (uint32_t)j, o->dim, m->row + j * o->dim);
    m->f.known.minimum = 0;
    m->f.known.convexity = 0;
    m->f.known.lipschitz = 1;
    return gls_function_minimizer(&m->f, 0);
}

static void dispose(gls_problem *p) {
    gls_free(p->ctx, ((max_affine *)p->self)->row);
}

/* Of several largest pieces the one that rises most along the direction gives the directional derivative. */
static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const max_affine *m = self;
    int64_t d = m->f.dim, best = 0;
    double value = -1, best_rise = 0, best_sign = 1;
    for (int64_t j = 0; j < m->pieces; j++) {
        const gls_real *a = m->row + j * d;
        double product = gls_dot(a, w, d);
        if (fabs(product) < value) continue;
        double slope = direction ? gls_dot(a, direction, d) : 0;
        double sign = product > 0 || (product == 0 && slope >= 0) ? 1 : -1, rise = sign * slope;
        if (fabs(product) == value && rise <= best_rise) continue;
        value = fabs(product);
        best = j;
        best_sign = sign;
        best_rise = rise;
    }
    if (g) {
        gls_fill(g, 0, d);
        gls_axpy(g, best_sign, m->row + best * d, d);
    }
    return value;
}

const gls_function_type gls_function_max_affine = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"max_affine", "largest of affine pieces: max_j |<a_j, w>|", "", table, sizeof(options)},
                .self_size = sizeof(max_affine)},
    .setup = setup,
    .dispose = dispose,
    .evaluate = evaluate};
