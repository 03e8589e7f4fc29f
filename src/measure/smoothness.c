/* Local smoothness along a step, max_t |grad F(w_k + t delta) - grad F(w_k)| / (t |delta|) on the same examples,
 * against |grad F(w_k)|: the line L = L0 + L1 |grad F| by medians of slopes, and the slope on log axes. [T] 3.2, 3.5;
 * the formula is ours. */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/sample.h"
#include "measure/series.h"

#include <float.h>
#include <math.h>

/* A piece of a step shorter than this many roundings of the weights says more about the rounding than about the slope:
 * such a quotient is left out. */
enum { ROUNDINGS = 16 };

typedef struct options {
    gls_sample_options sample;
    int64_t points;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "512", "train"),
    GLS_INT("points", options, points, "4", 1, 100, "places on the segment from w_k to w_{k+1}, its end included"),
    {0},
};

typedef struct vectors {
    gls_real *begin, *g, *w; /* gradient at w_k, gradient at w, w on the segment */
} vectors;

/* The largest quotient over `points` places of the segment, its end included: all on the same examples and the same
 * draw, so that the difference of two gradients is that of the weights alone. */
static gls_status along(gls_sample *s, int64_t points, vectors *v, double *norm, double *smoothness) {
    const gls_measure_input *in = s->in;
    int64_t d = gls_problem_size(in->problem);
    uint64_t draw = gls_sample_draw(in, 0);
    double step = sqrt(gls_distance_squares(in->w, in->w_previous, d));
    double rounding = sizeof(gls_real) == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
    rounding *= sqrt(gls_team_sum_squares(s->ctx, in->w_previous, d));
    if (step < (double)points * ROUNDINGS * rounding) step = 0;
    GLS_TRY(gls_sample_mean(s, s->index, s->count, draw, in->w_previous, v->begin, NULL, NULL));
    *norm = sqrt(gls_team_sum_squares(s->ctx, v->begin, d));
    *smoothness = step > 0 ? 0 : NAN;
    for (int64_t k = 1; step > 0 && k <= points; k++) {
        double t = (double)k / (double)points;
        for (int64_t i = 0; i < d; i++) {
            double from = (double)in->w_previous[i];
            v->w[i] = k == points ? in->w[i] : (gls_real)(from + t * ((double)in->w[i] - from));
        }
        GLS_TRY(gls_sample_mean(s, s->index, s->count, draw, v->w, v->g, NULL, NULL));
        *smoothness = fmax(*smoothness, sqrt(gls_distance_squares(v->g, v->begin, d)) / (t * step));
    }
    return GLS_OK;
}

static gls_status on_sample(gls_measure *m, gls_sample *s, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem);
    double norm = NAN, smoothness = NAN;
    vectors v = {.begin = gls_alloc(s->ctx, 3 * d, sizeof(gls_real))};
    if (!v.begin) return GLS_ERR_MEMORY;
    v.g = v.begin + d;
    v.w = v.begin + 2 * d;
    gls_status status = along(s, ((const options *)m->options)->points, &v, &norm, &smoothness);
    gls_free(s->ctx, v.begin);
    GLS_TRY(status);
    out->sample = s->count;
    out->population = s->population;
    if (isfinite(smoothness) && isfinite(norm)) gls_series_add(m->self, norm, smoothness);
    GLS_TRY(gls_measure_result_number(out, "smoothness", "1/lr", smoothness));
    GLS_TRY(gls_measure_result_headline(out, "smoothness"));
    GLS_TRY(gls_measure_result_number(out, "gradient_norm_before", "gradient", norm));
    if (isnan(smoothness))
        GLS_TRY(gls_measure_result_meaningless(out, "the step did not move the weights beyond their rounding"));
    return gls_series_report_smoothness(m->self, out);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_status status =
        gls_sample_create(in, "measure.smoothness", (uint64_t)in->step, o->sample.sample, (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(m, &s, out);
    gls_sample_destroy(&s);
    return status;
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_series_arrays(m->ctx, m->self, prefix, list);
}

static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return (double)(o->points + 1) * gls_sample_size(o->sample.sample, examples);
}

const gls_measure_type gls_measure_smoothness = {
    .member = {"smoothness", "how fast the gradient turns along a step, against its norm", "[T] 3.2, 3.5", table,
               sizeof(options)},
    .self_size = sizeof(gls_series),
    .needs = GLS_MEASURE_PREVIOUS | GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 256,
    .problem = on_problem,
    .arrays = arrays,
};
