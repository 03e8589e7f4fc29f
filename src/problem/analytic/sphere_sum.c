/* f_i(w) = lambda/2 |w - x_i|^2 with |x_i| = 1 and sum x_i = 0: pairs of opposite points. With batch size B, summed
 * gradients and step gamma, E|w|^2 = gamma lambda / (2 - gamma lambda B) at stationarity. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t dim, examples, seed;
    double lambda;
} options;

typedef struct sphere_sum {
    gls_function f;
    double lambda;
    gls_real *point; /* [examples / 2, dim]; example 2k is point k, example 2k + 1 its opposite */
} sphere_sum;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("dim", options, dim, "10", 1, 1e9, "number of parameters"),
    GLS_INT("examples", options, examples, "100", 2, 1e9, "number of points, even"),
    GLS_REAL("lambda", options, lambda, "1", 0, INFINITY, "curvature", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_INT("seed", options, seed, "1", 0, INFINITY, "seed of the points"),
    {0},
};

/* Points come in opposite pairs, which makes their sum exactly 0; one of each pair is stored. */
static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    sphere_sum *s = p->self;
    if (o->examples % 2 != 0)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "sphere_sum: examples = %lld, expected an even number",
                        (long long)o->examples);
    s->f.dim = o->dim;
    s->f.examples = o->examples;
    s->lambda = o->lambda;
    int64_t pairs = o->examples / 2;
    if (pairs > INT64_MAX / o->dim) return gls_fail(p->ctx, GLS_ERR_MEMORY, "sphere_sum: examples * dim overflows");
    s->point = gls_alloc(p->ctx, pairs * o->dim, sizeof *s->point);
    if (!s->point) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < pairs; k++)
        gls_function_direction((uint64_t)o->seed, "sphere", (uint32_t)k, o->dim, s->point + k * o->dim);
    s->f.known.minimum = 0.5 * o->lambda;
    s->f.known.smoothness = s->f.known.l0 = o->lambda;
    s->f.known.convexity = s->f.known.pl = o->lambda;
    s->f.known.l1 = 0;
    return gls_function_minimizer(&s->f, 0);
}

static void dispose(gls_problem *p) {
    gls_free(p->ctx, ((sphere_sum *)p->self)->point);
}

static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const sphere_sum *s = self;
    const gls_real *x = s->point + example / 2 * s->f.dim;
    double sign = example % 2 == 0 ? 1 : -1, square = 0;
    for (int64_t i = 0; i < s->f.dim; i++) {
        double difference = (double)w[i] - sign * (double)x[i];
        square += difference * difference;
        if (g) g[i] = (gls_real)(s->lambda * difference);
    }
    return 0.5 * s->lambda * square;
}

const gls_function_type gls_function_sphere_sum = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"sphere_sum", "mean of lambda/2 |w - x_i|^2 over balanced points of the unit sphere",
                           "[D] thm 8", table, sizeof(options)},
                .self_size = sizeof(sphere_sum)},
    .setup = setup,
    .dispose = dispose,
    .evaluate = evaluate};
