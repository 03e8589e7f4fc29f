/* F(w) = 1/2 (w - c)' Q (w - c), Q = H diag(spectrum) H with H a reflection, or the identity. */
#include "problem/analytic/analytic.h"

#include "base/kernels.h"

#include <math.h>
#include <string.h>

typedef struct options {
    gls_function_options common;
    int64_t dim;
    double smoothness, convexity, center;
    int spacing;
    gls_reals spectrum;
    bool rotate;
    int64_t seed;
} options;

typedef struct quadratic {
    gls_function f;
    double *spectrum;    /* [dim] */
    gls_real *reflector; /* [dim] unit vector of H = I - 2 v v', or NULL */
    double center;
} quadratic;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "10", 1, 1e9, "number of parameters"),
    GLS_REAL("L", options, smoothness, "1", 0, INFINITY, "largest eigenvalue"),
    GLS_REAL("mu", options, convexity, "0.1", 0, INFINITY, "smallest eigenvalue"),
    GLS_ENUM("spacing", options, spacing, "log", "log|linear", "spacing of the eigenvalues between mu and L"),
    GLS_LIST("spectrum", options, spectrum, NULL, 1, INFINITY,
             GLS_ITEM(.type = GLS_OPTION_REAL, .maximum = INFINITY, .flags = GLS_OPTION_BELOW_MAX),
             "the eigenvalues, in place of dim, mu and L"),
    GLS_REAL("center", options, center, "0", 0, 0, "every coordinate of the minimiser"),
    GLS_BOOL("rotate", options, rotate, "false", "mix the coordinates by a random reflection"),
    GLS_INT("seed", options, seed, "1", 0, INFINITY, "seed of the reflection"),
    {0},
};

static gls_status spread(quadratic *q, const options *o) {
    int64_t d = q->f.dim = o->dim;
    double low = o->convexity, high = o->smoothness;
    if (low > high) return gls_fail(q->f.ctx, GLS_ERR_ARGUMENT, "quadratic: mu = %g is above L = %g", low, high);
    if (o->spacing == 0 && low <= 0)
        return gls_fail(q->f.ctx, GLS_ERR_ARGUMENT, "quadratic: log spacing needs mu > 0 (found %g)", low);
    q->spectrum = gls_alloc(q->f.ctx, d, sizeof *q->spectrum);
    if (!q->spectrum) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < d; i++) {
        double t = d > 1 ? (double)i / (double)(d - 1) : 1;
        q->spectrum[i] = o->spacing == 0 ? low * pow(high / low, t) : low + t * (high - low);
    }
    return GLS_OK;
}

static gls_status copy(quadratic *q, gls_reals spectrum) {
    q->f.dim = spectrum.count;
    q->spectrum = gls_alloc(q->f.ctx, spectrum.count, sizeof *q->spectrum);
    if (!q->spectrum) return GLS_ERR_MEMORY;
    memcpy(q->spectrum, spectrum.item, (size_t)spectrum.count * sizeof *q->spectrum);
    return GLS_OK;
}

/* A reflection keeps the spectrum, so that the constants are those of the diagonal. */
static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    quadratic *q = p->self;
    GLS_TRY(o->spectrum.count > 0 ? copy(q, o->spectrum) : spread(q, o));
    double low = INFINITY, high = 0;
    for (int64_t i = 0; i < q->f.dim; i++) {
        low = fmin(low, q->spectrum[i]);
        high = fmax(high, q->spectrum[i]);
    }
    if (o->rotate) {
        q->reflector = gls_alloc(p->ctx, q->f.dim, sizeof *q->reflector);
        if (!q->reflector) return GLS_ERR_MEMORY;
        gls_function_direction((uint64_t)o->seed, "reflection", 0, q->f.dim, q->reflector);
    }
    q->center = o->center;
    q->f.known.minimum = 0;
    q->f.known.smoothness = q->f.known.l0 = high;
    q->f.known.convexity = q->f.known.pl = low;
    q->f.known.l1 = 0;
    return gls_function_minimizer(&q->f, o->center);
}

static void dispose(gls_problem *p) {
    quadratic *q = p->self;
    gls_free(p->ctx, q->spectrum);
    gls_free(p->ctx, q->reflector);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const quadratic *q = self;
    int64_t d = q->f.dim;
    const gls_real *v = q->reflector;
    double along = 0, back = 0, value = 0; /* <v, w - c> and <v, Lambda H (w - c)> */
    if (v)
        for (int64_t i = 0; i < d; i++) along += (double)v[i] * ((double)w[i] - q->center);
    for (int64_t i = 0; i < d; i++) {
        double x = (double)w[i] - q->center - (v ? 2 * along * (double)v[i] : 0);
        double slope = q->spectrum[i] * x;
        value += 0.5 * slope * x;
        if (v) back += (double)v[i] * slope;
        if (g) g[i] = (gls_real)slope;
    }
    if (g && v) gls_axpy(g, -2 * back, v, d);
    return value;
}

const gls_function_type gls_function_quadratic = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"quadratic", "quadratic with a given spectrum", "", table, sizeof(options)},
                .self_size = sizeof(quadratic)},
    .setup = setup,
    .dispose = dispose,
    .evaluate = evaluate};
