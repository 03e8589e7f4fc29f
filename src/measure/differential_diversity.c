/* Differential gradient diversity, of g_i(w) - g_i(w') along two runs that differ in one example, and the step size
 * that theorem 12 allows. [D] definition 6, (9) */
#include <glissade/measure.h>

#include <glissade/comm.h>

#include "base/kernels.h"
#include "base/arith.h"
#include "measure/moments.h"

#include <math.h>
#include <string.h>

typedef struct options {
    gls_sample_options sample;
    double beta;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "1024", "train"),
    GLS_REAL("beta", options, beta, "0", 0, INFINITY, "smoothness of every f_i, for the step bound; 0: unknown"),
    {0},
};

typedef struct chunk {
    gls_real *g; /* [rows, d] */
    int64_t d;
    bool subtract;
} chunk;

static gls_status take(void *user, int64_t i, const gls_real *g) {
    const chunk *c = user;
    gls_real *row = c->g + i * c->d;
    if (c->subtract)
        gls_axpy(row, -1, g, c->d);
    else
        memcpy(row, g, (size_t)c->d * sizeof *row);
    return GLS_OK;
}

/* a[i] = |g_i(w) - g_i(w')|^2, and the sum of the differences. */
static gls_status differences(gls_sample *s, chunk *c, int64_t rows, double *a, gls_real *sum) {
    const gls_measure_input *in = s->in;
    for (int64_t begin = 0; begin < s->count; begin += rows) {
        int64_t n = gls_least(s->count - begin, rows);
        uint64_t draw = gls_sample_draw(in, begin / rows);
        memset(c->g, 0, (size_t)(n * c->d) * sizeof *c->g);
        c->subtract = false;
        GLS_TRY(gls_sample_each(s, s->index + begin, n, draw, in->w, take, c));
        c->subtract = true;
        GLS_TRY(gls_sample_each(s, s->index + begin, n, draw, in->w_other, take, c));
        for (int64_t i = 0; i < n; i++) {
            a[begin + i] = gls_sum_squares(c->g + i * c->d, c->d);
            gls_add(sum, c->g + i * c->d, c->d);
        }
    }
    gls_status status = gls_sample_share(s, a, s->count, GLS_OK);
    if (status == GLS_OK) status = gls_comm_reduce_real(s->ctx, GLS_SUM, sum, c->d, GLS_OK);
    return status;
}

/* c[i] = <g_i(w) - g_i(w'), sum>, without forming the gradients again. */
static gls_status products(gls_sample *s, int64_t rows, const gls_real *sum, double *c, double *other) {
    const gls_measure_input *in = s->in;
    for (int64_t begin = 0; begin < s->count; begin += rows) {
        int64_t n = gls_least(s->count - begin, rows);
        uint64_t draw = gls_sample_draw(in, begin / rows);
        gls_sample_figures figures = {.inner = c + begin};
        GLS_TRY(gls_sample_rows(s, s->index + begin, n, draw, in->w, sum, &figures));
        figures.inner = other;
        GLS_TRY(gls_sample_rows(s, s->index + begin, n, draw, in->w_other, sum, &figures));
        for (int64_t i = 0; i < n; i++) c[begin + i] -= other[i];
    }
    return GLS_OK;
}

static gls_status report(const options *o, gls_sample *s, const gls_moments *moments, gls_measure_result *out) {
    double n = (double)s->population, b = (double)(s->in->batch > 0 ? s->in->batch : 128), bound;
    gls_interval interval;
    gls_moments_bound(moments, &bound, &interval);
    if (isnan(bound)) {
        GLS_TRY(gls_measure_result_meaningless(
            out, "%s", moments->m2 == 0 ? "the two runs have the same gradients" : gls_moments_trouble(moments)));
    }
    GLS_TRY(
        gls_measure_result_estimate(out, "differential_diversity", "", bound / n, interval.low / n, interval.high / n));
    GLS_TRY(gls_measure_result_headline(out, "differential_diversity"));
    GLS_TRY(gls_measure_result_estimate(out, "differential_batch_size_bound", "examples", bound, interval.low,
                                        interval.high));
    double allowed = 2 / (1 + (b > 1 ? 1 / (n - 1) + (b - 1) / bound : 0));
    GLS_TRY(gls_measure_result_number(out, "step_bound_times_beta", "", allowed));
    if (o->beta > 0) GLS_TRY(gls_measure_result_number(out, "step_bound", "lr", allowed / o->beta));
    return gls_measure_result_note(out,
                                   "the step bound is that of a step along the sum of a mini-batch's gradients, of "
                                   "the run's size; along their mean it is that size times larger");
}

/* Differences are formed in chunks of 64 MB of gradients, a row an example. */
static gls_status on_sample(gls_measure *m, gls_sample *s, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem), rows = ((int64_t)1 << 26) / (d * (int64_t)sizeof(gls_real));
    rows = rows < 1 ? 1 : rows > s->count ? s->count : rows;
    chunk c = {gls_alloc(s->ctx, rows * d, sizeof(gls_real)), d, false};
    gls_real *sum = gls_alloc(s->ctx, d, sizeof *sum);
    double *a = gls_alloc(s->ctx, 3 * s->count, sizeof *a), *inner = a + s->count;
    gls_moments moments;
    gls_status status = c.g && sum && a ? differences(s, &c, rows, a, sum) : GLS_ERR_MEMORY;
    if (status == GLS_OK && !s->whole) status = products(s, rows, sum, inner, inner + s->count);
    if (status == GLS_OK) {
        gls_moments_rows(s->count, 1, a, inner, gls_sum_squares(sum, d), s->population, &moments);
        status = report(m->options, s, &moments, out);
    }
    gls_free(s->ctx, c.g);
    gls_free(s->ctx, sum);
    gls_free(s->ctx, a);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_status status = gls_sample_create(in, "measure.differential_diversity", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = on_sample(m, &s, out);
    gls_sample_destroy(&s);
    return status;
}

const gls_measure_type gls_measure_differential_diversity = {
    .member = {"differential_diversity", "diversity of the gradient differences between two runs", "[D] def. 6, thm 12",
               table, sizeof(options)},
    .needs = GLS_MEASURE_OTHER | GLS_MEASURE_EXPENSIVE,
    .every = "1",
    .problem = on_problem,
};
