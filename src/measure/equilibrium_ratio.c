/* 2 |grad F|^2 / (lr E<g, H g>), time-averaged: 1 where plain SGD neither gains nor loses (docs/measures.md; settled
 * against [T] (6.10)). Beside it the thesis's heuristic |grad F|^2 / (lr Sigma L G). */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/noise.h"

#include <math.h>

typedef struct options {
    gls_sample_options sample;
} options;

static const gls_option table[] = {GLS_SAMPLE_OPTIONS(options, "8192", "train"), {0}};

/* Sums along the run. */
typedef struct sums {
    double count, gradient2, product, curved; /* |grad F|^2, <grad F, g>, lr <g, H g> */
    double noise2, second, curvature;         /* |g - grad F|^2, |g|^2, <g, H g> / |g|^2 */
    double lr;
} sums;

/* g: the gradient that the step from w_previous to w used. */
static gls_status add_step(gls_sample *s, gls_real *full, gls_real *g, gls_real *product, sums *a) {
    const gls_measure_input *in = s->in;
    int64_t d = gls_problem_size(in->problem);
    uint64_t draw = gls_sample_draw(in, 0);
    for (int64_t i = 0; i < d; i++)
        g[i] = in->g ? in->g[i] : (gls_real)(((double)in->w_previous[i] - (double)in->w[i]) / in->lr);
    GLS_TRY(gls_sample_mean(s, s->index, s->count, draw, in->w_previous, full, NULL, NULL));
    GLS_TRY(gls_sample_hessian(s, s->index, s->count, draw, in->w_previous, g, product));
    double second = gls_team_sum_squares(s->ctx, g, d), bent = gls_team_dot(s->ctx, g, product, d);
    if (!isfinite(second) || !isfinite(bent)) return gls_fail(s->ctx, GLS_ERR_NONFINITE, "the step is not finite");
    a->count += 1;
    a->gradient2 += gls_team_sum_squares(s->ctx, full, d);
    a->product += gls_team_dot(s->ctx, full, g, d);
    a->curved += in->lr * bent;
    a->noise2 += gls_distance_squares(g, full, d);
    a->second += second;
    a->curvature += second > 0 ? bent / second : 0;
    a->lr += in->lr;
    return GLS_OK;
}

static gls_status report(const sums *a, gls_measure_result *out) {
    double n = a->count, sigma = sqrt(a->noise2 / n), second = sqrt(a->second / n);
    double heuristic = a->gradient2 / n / (a->lr / n * sigma * fabs(a->curvature / n) * second);
    GLS_TRY(gls_measure_result_number(out, "equilibrium_ratio", "", 2 * a->gradient2 / a->curved));
    GLS_TRY(gls_measure_result_headline(out, "equilibrium_ratio"));
    GLS_TRY(gls_measure_result_number(out, "step_ratio", "", 2 * a->product / a->curved));
    GLS_TRY(gls_measure_result_number(out, "heuristic_ratio", "", heuristic));
    GLS_TRY(gls_measure_result_number(out, "steps_averaged", "count", n));
    if (!(a->curved > 0)) {
        GLS_TRY(gls_measure_result_meaningless(out, "the curvature along the steps is not positive: there is no "
                                                    "equilibrium of this kind"));
    }
    return gls_measure_result_note(out,
                                   "1 is the equilibrium of plain SGD; for other methods read step_ratio, which uses "
                                   "the step really taken%s",
                                   out->sample < out->population ? "; on a sample |grad F|^2 reads too large" : "");
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    int64_t d = gls_problem_size(in->problem);
    gls_sample s;
    gls_status status = gls_sample_create(in, "measure.equilibrium_ratio", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    gls_real *v = gls_alloc(m->ctx, 3 * d, sizeof *v);
    if (status == GLS_OK && !v) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = add_step(&s, v, v + d, v + 2 * d, m->self);
    out->sample = s.count;
    out->population = s.population;
    gls_free(m->ctx, v);
    gls_sample_destroy(&s);
    return status == GLS_OK ? report(m->self, out) : status;
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_arrays_add_state(m->ctx, list, prefix, "sums", GLS_F64, sizeof(sums) / sizeof(double), m->self);
}

/* A gradient, and a Hessian product, which costs two. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return 3 * gls_sample_size(o->sample.sample, examples);
}

const gls_measure_type gls_measure_equilibrium_ratio = {
    .member = {"equilibrium_ratio", "whether descent and curvature balance: 1 at the equilibrium of plain SGD",
               "[T] (6.10), corrected", table, sizeof(options)},
    .self_size = sizeof(sums),
    .needs = GLS_MEASURE_PREVIOUS | GLS_MEASURE_LR | GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .problem = on_problem,
    .arrays = arrays,
};
