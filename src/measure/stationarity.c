/* Whether weights are (delta, epsilon)-stationary: the least norm in the convex hull of gradients at random points of
 * the ball of radius delta around them. Found in fewer points than the ball has, it is an upper bound on that of the
 * whole. [T] definition 5.3.1 */
#include <glissade/measure.h>

#include "base/draws.h"
#include "base/kernels.h"
#include "measure/hull.h"
#include "measure/sample.h"

#include <math.h>

/* Ours: the point is found to 1e-6 of its norm, in about as many rounds as there are points. */
enum { ROUNDS = 100000 };
static const double tolerance = 1e-6;

typedef struct options {
    gls_sample_options sample;
    double delta;
    int64_t points;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "512", "train"),
    GLS_REAL("delta", options, delta, "0.01", 0, INFINITY, "radius of the ball around the weights",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_INT("points", options, points, "16", 1, 1024,
            "places in the ball whose gradients are taken, beside its centre; each is held in memory"),
    {0},
};

/* A uniform point of the ball: a normal direction, and the radius by the volume. */
static void draw_point(const gls_sample *s, int64_t i, double delta, int64_t d, gls_real *to) {
    gls_random random =
        gls_random_create(s->in->seed, "measure.stationarity.point", (uint64_t)s->in->step, (uint32_t)i);
    double radius = delta * pow(gls_random_uniform(&random), 1 / (double)d);
    random = gls_random_create(s->in->seed, "measure.stationarity.direction", (uint64_t)s->in->step, (uint32_t)i);
    gls_team_fill(s->ctx, to, 0, d);
    gls_add_draws(GLS_LAW_NORMAL, 0, &random, 1, d, to);
    gls_team_scale(s->ctx, to, radius / sqrt(gls_team_sum_squares(s->ctx, to, d)), d);
    gls_team_axpy(s->ctx, to, 1, s->in->w, d);
}

/* Gradients at w and at the points: rows of g [points + 1, d], all on the same examples and the same draw. */
static gls_status take_gradients(gls_sample *s, const options *o, gls_real *at, gls_real *g) {
    int64_t d = gls_problem_size(s->in->problem);
    for (int64_t i = 0; i <= o->points; i++) {
        const gls_real *w = s->in->w;
        if (i > 0) {
            draw_point(s, i, o->delta, d, at);
            w = at;
        }
        GLS_TRY(gls_sample_mean(s, s->index, s->count, gls_sample_draw(s->in, 0), w, g + i * d, NULL, NULL));
        if (gls_interrupted(s->ctx)) return gls_fail(s->ctx, GLS_ERR_INTERRUPTED, "measure: interrupted");
    }
    return GLS_OK;
}

static gls_status report(const options *o, double gradient_norm, const gls_hull *hull, gls_measure_result *out) {
    GLS_TRY(gls_measure_result_number(out, "stationarity", "gradient", hull->norm));
    GLS_TRY(gls_measure_result_headline(out, "stationarity"));
    GLS_TRY(gls_measure_result_number(out, "stationarity_of_points", "gradient", hull->least));
    GLS_TRY(gls_measure_result_number(out, "gradient_norm_at_centre", "gradient", gradient_norm));
    GLS_TRY(gls_measure_result_number(out, "delta", "w", o->delta));
    GLS_TRY(gls_measure_result_number(out, "points", "count", (double)o->points + 1));
    if (hull->converged) return GLS_OK;
    return gls_measure_result_note(out,
                                   "the nearest point of the hull was not found within %lld rounds: it lies "
                                   "between stationarity_of_points and stationarity",
                                   (long long)hull->rounds);
}

static gls_status on_gradients(gls_sample *s, const options *o, const gls_real *g, double *gram, double *weight,
                               gls_measure_result *out) {
    int64_t n = o->points + 1, d = gls_problem_size(s->in->problem);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            gram[i * n + j] = gram[j * n + i] = gls_team_dot(s->ctx, g + i * d, g + j * d, d);
    gls_hull hull;
    GLS_TRY(gls_hull_nearest(s->ctx, gram, n, tolerance, ROUNDS, weight, &hull));
    return report(o, sqrt(gram[0]), &hull, out);
}

static gls_status on_sample(gls_sample *s, const options *o, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem), n = o->points + 1;
    double *gram = gls_alloc(s->ctx, n * n, sizeof *gram), *weight = gls_alloc(s->ctx, n, sizeof *weight);
    gls_real *at = gls_alloc(s->ctx, d, sizeof *at), *g = gls_alloc(s->ctx, n * d, sizeof *g);
    gls_status status = gram && weight && at && g ? GLS_OK : GLS_ERR_MEMORY;
    out->sample = s->count;
    out->population = s->population;
    if (status == GLS_OK) status = take_gradients(s, o, at, g);
    if (status == GLS_OK) status = on_gradients(s, o, g, gram, weight, out);
    gls_free(s->ctx, gram);
    gls_free(s->ctx, weight);
    gls_free(s->ctx, at);
    gls_free(s->ctx, g);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_status status = gls_sample_create(in, "measure.stationarity", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(&s, o, out);
    gls_sample_destroy(&s);
    return status;
}

/* Gradients, and for each coordinate of each point a normal and the products with the other gradients. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    const double a_point = 100;
    return (double)(o->points + 1) * (gls_sample_size(o->sample.sample, examples) + a_point * m->breadth);
}

const gls_measure_type gls_measure_stationarity = {
    .member = {"stationarity", "the least norm among mixtures of gradients near the weights", "[T] def. 5.3.1", table,
               sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 128,
    .problem = on_problem,
};
