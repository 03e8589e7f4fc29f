/* Batch-size bounds under diversity-inducing mechanisms. [D] (22) to (24), in terms of M^2 = mean |g_i|^2,
 * G = |mean g_i|^2 and the mean of |g_i| |g_i|_1, so that a sample gives estimates for the whole set. */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/moments.h"

#include <math.h>

typedef struct options {
    gls_sample_options sample;
    double drop, sigma;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "1024", "train"),
    GLS_REAL("drop", options, drop, "0.5", 0, 1, "probability of a coordinate to be dropped",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_REAL("sigma", options, sigma, "0.01", 0, INFINITY, "deviation of Langevin noise per coordinate"),
    {0},
};

typedef struct bounds {
    double drop, sgld, quant;
} bounds;

/* n infinite: of a set much larger than the bounds. */
static bounds bounds_of(const options *o, double n, double d, double m2, double g, double product) {
    double noise = d * o->sigma * o->sigma, cross = g - m2 / n;
    return (bounds){.drop = m2 / (m2 / n + (1 - o->drop) * cross),
                    .sgld = (m2 + noise) / (g + noise / n),
                    .quant = product / (product / n + cross)};
}

static gls_status report(const options *o, double n, double d, const gls_moments *m, double product,
                         gls_measure_result *out) {
    bounds b = bounds_of(o, n, d, m->m2, m->g, product);
    double plain;
    gls_interval interval;
    gls_moments_bound(m, &plain, &interval);
    if (isnan(plain)) GLS_TRY(gls_measure_result_meaningless(out, "%s", gls_moments_trouble(m)));
    GLS_TRY(gls_measure_result_number(out, "plain_bound", "examples", plain));
    GLS_TRY(gls_measure_result_number(out, "drop_bound", "examples", b.drop > 0 ? b.drop : INFINITY));
    GLS_TRY(gls_measure_result_number(out, "sgld_bound", "examples", b.sgld > 0 ? b.sgld : INFINITY));
    GLS_TRY(gls_measure_result_number(out, "quant_bound", "examples", b.quant > 0 ? b.quant : INFINITY));
    GLS_TRY(gls_measure_result_headline(out, "drop_bound"));
    GLS_TRY(gls_measure_result_headline(out, "sgld_bound"));
    GLS_TRY(gls_measure_result_headline(out, "quant_bound"));
    if (plain > n) {
        GLS_TRY(gls_measure_result_note(out, "the plain bound is above n: the mechanisms' bounds then need only be "
                                             "above n, not above the plain one"));
    }
    return GLS_OK;
}

typedef struct products {
    double *value; /* [count] |g_i| |g_i|_1 */
    int64_t d;
} products;

static gls_status row_product(void *user, int64_t i, const gls_real *g) {
    const products *p = user;
    p->value[i] = sqrt(gls_sum_squares(g, p->d)) * gls_sum_absolute(g, p->d);
    return GLS_OK;
}

static gls_status on_sample(gls_measure *m, gls_sample *s, gls_measure_result *out) {
    gls_moments moments;
    GLS_TRY(gls_moments_sample(s, s->in->w, &moments));
    products p = {gls_alloc(m->ctx, s->count, sizeof *p.value), gls_problem_size(s->in->problem)};
    if (!p.value) return GLS_ERR_MEMORY;
    gls_status status = gls_sample_each(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, row_product, &p);
    status = gls_sample_share(s, p.value, s->count, status);
    double product = 0;
    for (int64_t i = 0; i < s->count; i++) product += p.value[i] / (double)s->count;
    gls_free(m->ctx, p.value);
    GLS_TRY(status);
    out->sample = s->count;
    out->population = s->population;
    return report(m->options, (double)s->population, (double)p.d, &moments, product, out);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_status status =
        gls_sample_create(in, "measure.dim_bounds", (uint64_t)in->step, o->sample.sample, (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(m, &s, out);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    gls_moments moments;
    GLS_TRY(gls_moments_of_matrix(m->ctx, matrix, &moments));
    double product = 0;
    for (int64_t i = 0; i < matrix->n; i++) {
        const gls_real *g = matrix->g + i * matrix->d;
        product += sqrt(gls_sum_squares(g, matrix->d)) * gls_sum_absolute(g, matrix->d) / (double)matrix->n;
    }
    double n = matrix->sample ? INFINITY : (double)matrix->n;
    GLS_TRY(report(m->options, n, (double)matrix->d, &moments, product, out));
    return matrix->sample ? gls_measure_result_note(out, "the rows are a sample of a set of unknown size: the bounds "
                                                         "are those of a set much larger than they are")
                          : GLS_OK;
}

/* Two passes with norms or inner products, 1.3 each, and one that forms every gradient. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return (2.6 + gls_sample_singly(m, false)) * gls_sample_size(o->sample.sample, examples);
}

const gls_measure_type gls_measure_dim_bounds = {
    .member = {"dim_bounds", "batch-size bounds with dropped coordinates, Langevin noise and quantisation",
               "[D] (22) to (24)", table, sizeof(options)},
    .cost = cost,
    .least_sample = 256,
    .problem = on_problem,
    .matrix = on_matrix,
};
