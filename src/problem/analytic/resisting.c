/* The functions that a resisting oracle leaves possible. `resisting` is f_theta of thesis lemma 5.7.1: value 0 and
 * slope L at all queried points, its minima at a distance of theta delta before them. `resisting_gradient` is that of
 * theorem 5.5.2: slope 1 at all queried points, extrema at least 2 delta away, the whole moved by `shift`. */
#include "problem/analytic/analytic.h"
#include "base/sort.h"
#include "problem/analytic/piecewise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    gls_function_options common;
    gls_reals points;
    double theta, lipschitz, delta, shift;
} options;

typedef struct resisting {
    gls_function f;
    gls_piecewise shape;
} resisting;

#define POINTS                                                                            \
    GLS_LIST("points", options, points, "[0]", 1, INFINITY,                               \
             GLS_ITEM(.type = GLS_OPTION_REAL, .minimum = -INFINITY, .maximum = INFINITY, \
                      .flags = GLS_OPTION_ABOVE_MIN | GLS_OPTION_BELOW_MAX),              \
             "queried points")

static const gls_option value_table[] = {
    GLS_FUNCTION_OPTIONS,
    POINTS,
    GLS_REAL("theta", options, theta, "0.25", 0, 0.5, "parameter that selects a function of the family",
             .flags = GLS_OPTION_ABOVE_MIN | GLS_OPTION_BELOW_MAX),
    GLS_REAL("L", options, lipschitz, "1", 0, INFINITY, "slope", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("delta", options, delta, "1", 0, INFINITY, "greatest distance of a minimum before a point: Delta/L",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static const gls_option gradient_table[] = {
    GLS_FUNCTION_OPTIONS,
    POINTS,
    GLS_REAL("delta", options, delta, "0.1", 0, INFINITY, "radius of stationarity", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("shift", options, shift, "0", 0, 0, "distance by which the function is moved"),
    {0},
};

/* The queried points, sorted, each once. */
static gls_status distinct(gls_problem *p, const options *o, double **points, int64_t *count) {
    *count = o->points.count;
    *points = gls_alloc(p->ctx, *count, sizeof **points);
    if (!*points) return GLS_ERR_MEMORY;
    memcpy(*points, o->points.item, (size_t)*count * sizeof **points);
    gls_sort_doubles(*points, *count);
    int64_t kept = 1;
    for (int64_t i = 1; i < *count; i++)
        if ((*points)[i] > (*points)[kept - 1]) (*points)[kept++] = (*points)[i];
    *count = kept;
    return GLS_OK;
}

static gls_status finish(resisting *r, double zero, double lipschitz) {
    gls_piecewise_integrate(&r->shape, zero);
    r->f.known.lipschitz = lipschitz;
    r->f.known.minimum = INFINITY;
    GLS_TRY(gls_function_minimizer(&r->f, 0));
    for (int64_t i = 0; i < r->shape.count; i++) {
        if (r->shape.value[i] >= r->f.known.minimum) continue;
        r->f.known.minimum = r->shape.value[i];
        r->f.minimizer[0] = (gls_real)r->shape.knot[i];
    }
    return GLS_OK;
}

/* Minima theta delta before the points, maxima halfway between minima: with slopes +-L all points have the same value,
 * which finish() makes 0. */
static gls_status setup_value(gls_problem *p, const void *given) {
    const options *o = given;
    resisting *r = p->self;
    r->f.dim = 1;
    double *x;
    int64_t n;
    gls_status status = distinct(p, o, &x, &n);
    if (status == GLS_OK) status = gls_piecewise_create(p->ctx, 2 * n - 1, &r->shape);
    if (status == GLS_OK) {
        double delta = o->delta;
        for (int64_t i = 1; i < n; i++) delta = fmin(delta, x[i] - x[i - 1]);
        for (int64_t i = 0; i < n; i++) {
            r->shape.knot[2 * i] = x[i] - o->theta * delta;
            if (i + 1 < n) r->shape.knot[2 * i + 1] = 0.5 * (x[i] + x[i + 1]) - o->theta * delta;
            r->shape.slope[2 * i] = -o->lipschitz;
            r->shape.slope[2 * i + 1] = o->lipschitz;
        }
        status = finish(r, x[0], o->lipschitz);
    }
    gls_free(p->ctx, x);
    return status;
}

/* Between two points more than 4 delta apart the slope is -1 from 2 delta behind the one to the middle, then 1: the
 * printed construction, which rises by what the two neighbourhoods of radius 2 delta give. */
static gls_status setup_gradient(gls_problem *p, const void *given) {
    const options *o = given;
    resisting *r = p->self;
    r->f.dim = 1;
    double *x;
    int64_t n, knots = 0;
    gls_status status = distinct(p, o, &x, &n);
    if (status == GLS_OK) status = gls_piecewise_create(p->ctx, 2 * n - 1, &r->shape);
    if (status == GLS_OK) {
        r->shape.knot[knots] = x[0] - 2 * o->delta;
        r->shape.slope[knots++] = -1;
        for (int64_t i = 0; i + 1 < n; i++) {
            if (x[i + 1] - x[i] <= 4 * o->delta) continue;
            r->shape.knot[knots] = x[i] + 2 * o->delta;
            r->shape.slope[knots++] = 1;
            r->shape.knot[knots] = 0.5 * (x[i] + x[i + 1]);
            r->shape.slope[knots++] = -1;
        }
        r->shape.count = knots;
        r->shape.slope[knots] = 1;
        for (int64_t i = 0; i < knots; i++) r->shape.knot[i] += o->shift;
        status = finish(r, x[0] + o->shift, 1);
    }
    gls_free(p->ctx, x);
    return status;
}

static void dispose(gls_problem *p) {
    gls_piecewise_destroy(p->ctx, &((resisting *)p->self)->shape);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const resisting *r = self;
    double slope, value = gls_piecewise_evaluate(&r->shape, (double)w[0], direction ? (double)direction[0] : 0, &slope);
    if (g) *g = (gls_real)slope;
    return value;
}

const gls_function_type gls_function_resisting = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"resisting", "a function consistent with an oracle that always answers (0, L)",
                           "[T] thm 5.3.1, lemma 5.7.1", value_table, sizeof(options)},
                .self_size = sizeof(resisting)},
    .setup = setup_value,
    .dispose = dispose,
    .evaluate = evaluate};

const gls_function_type gls_function_resisting_gradient = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"resisting_gradient", "a function consistent with an oracle that always answers slope 1",
                           "[T] thm 5.5.2", gradient_table, sizeof(options)},
                .self_size = sizeof(resisting)},
    .setup = setup_gradient,
    .dispose = dispose,
    .evaluate = evaluate};
