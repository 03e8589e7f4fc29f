/* The logistic loss of a network with one hidden layer of rectifiers on points of the plane labelled by their quadrant
 * (an exclusive or). f_i(w) = log(1 + exp(-y_i (v' relu(W x_i + b) + c))). At a kink a unit counts as open if the
 * direction opens it, which makes <g, direction> the directional derivative. */
#include "problem/analytic/analytic.h"

#include <math.h>

typedef struct options {
    gls_function_options common;
    int64_t hidden, examples, seed;
    double radius;
} options;

typedef struct net {
    gls_function f;
    int64_t hidden;
    double (*point)[2];
    double *label;
} net;

static const gls_option table[] = {
    GLS_FUNCTION_OPTIONS,
    GLS_INT("hidden", options, hidden, "4", 1, 1e6, "hidden units"),
    GLS_INT("examples", options, examples, "40", 4, 1e7, "points"),
    GLS_REAL("radius", options, radius, "10", 0, INFINITY, "radius of the ball where the Lipschitz constant holds",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_INT("seed", options, seed, "1", 0, INFINITY, "seed of the points"),
    {0},
};

static gls_status setup(gls_problem *p, const void *given) {
    const options *o = given;
    net *n = p->self;
    n->hidden = o->hidden;
    n->f.examples = o->examples;
    n->f.dim = 4 * o->hidden + 1;
    n->point = gls_alloc(p->ctx, o->examples, sizeof *n->point);
    n->label = gls_alloc(p->ctx, o->examples, sizeof *n->label);
    if (!n->point || !n->label) return GLS_ERR_MEMORY;
    gls_random random = gls_random_create((uint64_t)o->seed, "points", 0, 0);
    double longest = 0;
    for (int64_t i = 0; i < o->examples; i++) {
        for (int k = 0; k < 2; k++) n->point[i][k] = 2 * gls_random_uniform(&random) - 1;
        n->label[i] = n->point[i][0] * n->point[i][1] > 0 ? 1 : -1;
        longest = fmax(longest, n->point[i][0] * n->point[i][0] + n->point[i][1] * n->point[i][1]);
    }
    /* |d out/d(W, b)| <= |v| sqrt(1 + |x|^2), |d out/d(v, c)| <= sqrt((|W| |x| + |b|)^2 + 1), both with |w| <= radius.
     */
    n->f.known.lipschitz = sqrt(2 * o->radius * o->radius * (1 + longest) + 1);
    n->f.known.radius = o->radius;
    const int64_t weight[] = {o->hidden, 2};
    GLS_TRY(gls_layout_add(p->layout, "hidden.weight", 2, weight, 0));
    GLS_TRY(gls_layout_add(p->layout, "hidden.bias", 1, weight, GLS_BLOCK_NO_DECAY));
    GLS_TRY(gls_layout_add(p->layout, "out.weight", 1, weight, 0));
    return gls_layout_add(p->layout, "out.bias", 0, NULL, GLS_BLOCK_NO_DECAY);
}

static void dispose(gls_problem *p) {
    net *n = p->self;
    gls_free(p->ctx, n->point);
    gls_free(p->ctx, n->label);
}

/* The gradient of v at a kink is 0 whichever way the unit opens, as the unit's output is. */
static double evaluate(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g) {
    const net *n = self;
    int64_t h = n->hidden;
    const double *x = n->point[example];
    const gls_real *bias = w + 2 * h, *v = w + 3 * h;
    double out = (double)w[4 * h];
    for (int64_t j = 0; j < h; j++) {
        double z = (double)w[2 * j] * x[0] + (double)w[2 * j + 1] * x[1] + (double)bias[j];
        if (z > 0) out += (double)v[j] * z;
    }
    double margin = n->label[example] * out;
    double loss = margin > 0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin;
    if (!g) return loss;
    double slope = -n->label[example] / (1 + exp(margin));
    for (int64_t j = 0; j < h; j++) {
        double z = (double)w[2 * j] * x[0] + (double)w[2 * j + 1] * x[1] + (double)bias[j], move = 0;
        if (z == 0 && direction)
            move = (double)direction[2 * j] * x[0] + (double)direction[2 * j + 1] * x[1] + (double)direction[2 * h + j];
        double back = z > 0 || (z == 0 && move > 0) ? slope * (double)v[j] : 0;
        g[2 * j] = (gls_real)(back * x[0]);
        g[2 * j + 1] = (gls_real)(back * x[1]);
        g[2 * h + j] = (gls_real)back;
        g[3 * h + j] = (gls_real)(z > 0 ? slope * z : 0);
    }
    g[4 * h] = (gls_real)slope;
    return loss;
}

const gls_function_type gls_function_relu_net = {
    .problem = {GLS_FUNCTION_VERBS,
                .member = {"relu_net", "loss of a small network of rectifiers on an exclusive or", "[T] 5.2", table,
                           sizeof(options)},
                .self_size = sizeof(net)},
    .setup = setup,
    .dispose = dispose,
    .evaluate = evaluate};
