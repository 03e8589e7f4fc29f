/* f_i(w) = rho(<a_i, w - w*>), rho(r) = r^2 / (2 (1 + r^2)), |a_i| = scale: a smooth non-convex sum with minimum 0 at
 * w*. rho'' is in [-1/4, 1]; |rho'| is at most 3 sqrt(3)/16. */
#include "problem/analytic/analytic.h"

#include "base/kernels.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim, examples, seed;
    double scale, center;
    bool whole;
} options;

typedef struct robust {
    gls_function f;
    int64_t terms;
    double center;
    gls_real *row; /* [terms, dim] */
} robust;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "10", 1, 1e6, "number of parameters"),
    GLS_INT("examples", options, examples, "100", 2, 1e7, "number of terms"),
    GLS_REAL("scale", options, scale, "1", 0, INFINITY, "length of every a_i", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("center", options, center, "0", 0, 0, "every coordinate of w*"),
    GLS_BOOL("whole", options, whole, "false", "one example, F itself; noise then models an oracle for F"),
    GLS_INT("seed", options, seed, "1", 0, INFINITY, "seed of the a_i"),
    {0},
};

/* Largest eigenvalue of mean a_i a_i' by power iteration. 200 steps come close from below; one percent more makes it an
 * upper bound in practice. */
static gls_status curvature(gls_context *ctx, const robust *r, double *out) {
    int64_t d = r->f.dim, n = r->terms;
    gls_real *x = gls_alloc(ctx, d, sizeof *x), *y = gls_alloc(ctx, d, sizeof *y);
    gls_status status = x && y ? GLS_OK : GLS_ERR_MEMORY;
    *out = 0;
    if (status == GLS_OK) {
        gls_function_direction(1, "power", 0, d, x);
        for (int step = 0; step < 200; step++) {
            gls_fill(y, 0, d);
            for (int64_t i = 0; i < n; i++) gls_axpy(y, gls_dot(r->row + i * d, x, d) / (double)n, r->row + i * d, d);
            *out = gls_dot(x, y, d);
            double norm = sqrt(gls_sum_squares(y, d));
            gls_fill(x, 0, d);
            gls_axpy(x, 1 / norm, y, d);
        }
        *out *= 1.01;
    }
    gls_free(ctx, x);
    gls_free(ctx, y);
    return status;
}

/* rho'' is at most 1, so that F curves at most as the mean of <a_i, w>^2 / 2 does. */
static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    robust *r = p->self;
    r->f.dim = o->dim;
    r->terms = o->examples;
    r->f.examples = o->whole ? 1 : o->examples;
    r->center = o->center;
    r->row = gls_alloc(p->ctx, o->examples * o->dim, sizeof *r->row);
    if (!r->row) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < o->examples; i++) {
        gls_function_direction((uint64_t)o->seed, "terms", (uint32_t)i, o->dim, r->row + i * o->dim);
        gls_scale(r->row + i * o->dim, o->scale, o->dim);
    }
    GLS_TRY(curvature(p->ctx, r, &r->f.known.smoothness));
    r->f.known.minimum = 0;
    r->f.known.l0 = r->f.known.smoothness;
    r->f.known.l1 = 0;
    r->f.known.lipschitz = o->scale * 3 * sqrt(3.0) / 16;
    return gls_function_minimizer(&r->f, o->center);
}

static void dispose(gls_problem *p) {
    gls_free(p->ctx, ((robust *)p->self)->row);
}

/* Adds share times the gradient of one term to g. */
static double term(const robust *r, int64_t i, const gls_real *w, double share, gls_real *g) {
    const gls_real *a = r->row + i * r->f.dim;
    double residual = 0;
    for (int64_t k = 0; k < r->f.dim; k++) residual += (double)a[k] * ((double)w[k] - r->center);
    double weight = 1 / (1 + residual * residual);
    if (g) gls_axpy(g, share * residual * weight * weight, a, r->f.dim);
    return 0.5 * share * residual * residual * weight;
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const robust *r = self;
    if (g) gls_fill(g, 0, r->f.dim);
    if (r->f.examples > 1) return term(r, example, w, 1, g);
    double value = 0;
    for (int64_t i = 0; i < r->terms; i++) value += term(r, i, w, 1 / (double)r->terms, g);
    return value;
}

const gls_function_type gls_function_geman_mcclure = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"geman_mcclure", "a smooth non-convex sum of saturating residuals", "", table,
                           sizeof(options)},
                .self_size = sizeof(robust)},
    .setup = setup,
    .dispose = dispose,
    .evaluate = evaluate};
