/* Gradient noise. No example's gradient is formed: |g_i - g|^2 = |g_i|^2 - 2 <g_i, g> + |g|^2, from norms and inner
 * products. */
#include "measure/noise.h"

#include "base/kernels.h"
#include "base/noise.h"
#include "measure/statistics.h"

#include <math.h>

static gls_status example_noise(gls_sample *s, const gls_real *w, gls_real *g, double *norm2, double *inner) {
    int64_t d = gls_problem_size(s->in->problem);
    uint64_t draw = gls_sample_draw(s->in, 0);
    gls_sample_figures figures = {.norm2 = norm2, .g = g};
    GLS_TRY(gls_sample_rows(s, s->index, s->count, draw, w, NULL, &figures));
    double mass = figures.mass / (double)s->count;
    if (!(mass > 0)) return gls_fail(s->ctx, GLS_ERR_INPUT, "measure: the sample has no mass");
    for (int64_t k = 0; k < d; k++) g[k] = (gls_real)((double)g[k] / figures.mass);
    figures = (gls_sample_figures){.inner = inner};
    GLS_TRY(gls_sample_rows(s, s->index, s->count, draw, w, g, &figures));
    double mean2 = gls_team_sum_squares(s->ctx, g, d);
    for (int64_t i = 0; i < s->count; i++) norm2[i] = fmax(0, norm2[i] / (mass * mass) - 2 * inner[i] / mass + mean2);
    return GLS_OK;
}

gls_status gls_noise_examples(gls_sample *s, const gls_real *w, gls_real *g, double *norm2) {
    double *inner = gls_alloc(s->ctx, s->count, sizeof *inner);
    if (!inner) return GLS_ERR_MEMORY;
    gls_status status = example_noise(s, w, g, norm2, inner);
    gls_free(s->ctx, inner);
    return status;
}

/* tr(S)^2 / tr(S^2): E|e|^2 = tr S, and E<e, e'>^2 = tr S^2 for independent e, e'. */
static double effective_dimension(const double *norm2, int64_t n, double square, int64_t d) {
    double trace = gls_stat_mean(norm2, n);
    if (!(square > 0)) return 1;
    return fmin((double)d, fmax(1, trace * trace / square));
}

/* Mini-batches of B of the sample's m scatter around its mean by S (1/B - 1/m), those of a set of n by S (1/B - 1/n),
 * S the covariance of examples: what brings squares from the one to the other. */
static double to_the_set(const gls_sample *s, int64_t batch) {
    double b = 1 / (double)batch, m = 1 / (double)s->count, n = 1 / (double)s->population;
    return s->whole || !(b > m) ? 1 : (b - n) / (b - m);
}

gls_status gls_noise_batch_for(gls_sample_options *options, int64_t population, int64_t *batch,
                               gls_measure_result *out) {
    int64_t asked = *batch, least;
    if (asked > population) *batch = population > 1 ? population / 2 : 1;
    least = 2 * *batch;
    if (options->sample >= 0 && options->sample < least) options->sample = least;
    if (*batch == asked) return GLS_OK;
    return gls_measure_result_note(
        out, "the set has no mini-batch of %lld: its %lld examples were read in mini-batches of %lld", (long long)asked,
        (long long)population, (long long)*batch);
}

static gls_status batch_noise(gls_sample *s, const gls_real *w, const gls_real *g, gls_noise_batches *noise,
                              int64_t *index, gls_real *this, gls_real *last) {
    int64_t d = gls_problem_size(s->in->problem);
    double products2 = 0, scale = to_the_set(s, noise->batch);
    for (int64_t k = 0; k < noise->batches; k++) {
        GLS_TRY(gls_sample_batch(s, noise->batch, index));
        GLS_TRY(gls_sample_mean(s, index, noise->batch, gls_sample_draw(s->in, 1 + k), w, this, NULL, NULL));
        gls_team_axpy(s->ctx, this, -1, g, d);
        if (scale != 1) gls_team_scale(s->ctx, this, sqrt(scale), d);
        noise->norm2[k] = gls_team_sum_squares(s->ctx, this, d);
        if (k > 0) {
            double product = gls_team_dot(s->ctx, this, last, d);
            products2 += product * product;
        }
        if (k == 0 && noise->first)
            for (int64_t i = 0; i < d; i++) noise->first[i] = this[i];
        gls_real *swap = this;
        this = last;
        last = swap;
        if (gls_interrupted(s->ctx)) return gls_fail(s->ctx, GLS_ERR_INTERRUPTED, "measure: interrupted");
    }
    noise->effective =
        effective_dimension(noise->norm2, noise->batches, products2 / fmax(1, (double)noise->batches - 1), d);
    return GLS_OK;
}

gls_status gls_noise_of_batches(gls_sample *s, const gls_real *w, const gls_real *g, gls_noise_batches *noise) {
    int64_t d = gls_problem_size(s->in->problem), *index = gls_alloc(s->ctx, noise->batch, sizeof *index);
    gls_real *this = gls_alloc(s->ctx, d, sizeof *this), *last = gls_alloc(s->ctx, d, sizeof *last);
    gls_status status = index && this && last ? batch_noise(s, w, g, noise, index, this, last) : GLS_ERR_MEMORY;
    gls_free(s->ctx, index);
    gls_free(s->ctx, this);
    gls_free(s->ctx, last);
    return status;
}

/* <e_i, e_j> of two rows around the mean. */
static double row_product(const gls_measure_matrix *m, const double *mean, int64_t i, int64_t j) {
    const gls_real *a = m->g + i * m->d, *b = m->g + j * m->d;
    double sum = 0;
    for (int64_t k = 0; k < m->d; k++) sum += ((double)a[k] - mean[k]) * ((double)b[k] - mean[k]);
    return sum;
}

/* tr(S^2) is the mean of <e_i, e_j>^2 over all pairs, i = j included: a row that outweighs all others is its own
 * direction. Of very large matrices every row meets `reach` others that follow it. */
static double pair_square(const gls_measure_matrix *m, const double *mean, const double *norm2) {
    const double most_work = 4e9;
    double n = (double)m->n, own = 0, cross = 0, count = 0;
    int64_t reach = (int64_t)fmin(n - 1, fmax(1, most_work / (n * (double)m->d)));
    for (int64_t i = 0; i < m->n; i++) {
        own += norm2[i] * norm2[i];
        for (int64_t j = i + 1; j < m->n && j <= i + reach; j++, count += 1) {
            double product = row_product(m, mean, i, j);
            cross += product * product;
        }
    }
    return own / n / n + (count > 0 ? cross / count * (n - 1) / n : 0);
}

gls_status gls_noise_matrix(gls_context *ctx, const gls_measure_matrix *matrix, gls_real *mean, double *norm2,
                            double *effective) {
    int64_t n = matrix->n, d = matrix->d;
    double *sum = gls_alloc(ctx, d, sizeof *sum);
    if (!sum) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < d; k++) sum[k] += (double)matrix->g[i * d + k];
    for (int64_t k = 0; k < d; k++) {
        sum[k] /= (double)n;
        mean[k] = (gls_real)sum[k];
    }
    for (int64_t i = 0; i < n; i++) norm2[i] = row_product(matrix, sum, i, i);
    *effective = effective_dimension(norm2, n, pair_square(matrix, sum, norm2), d);
    gls_free(ctx, sum);
    return GLS_OK;
}

void gls_noise_null(gls_random random, double effective, double alpha, double median, int64_t n, double *norm) {
    /* A norm of 256 normals already varies by only 1 / sqrt(512), 4%: more terms would cost time and change nothing. */
    int64_t terms = effective < 1.5 ? 1 : effective > 256 ? 256 : (int64_t)llround(effective);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < terms; k++) {
            double x = alpha == 2 ? gls_random_normal(&random) : gls_draw_stable(&random, alpha);
            sum += x * x;
        }
        norm[i] = sqrt(sum);
    }
    double scale = median / gls_stat_median(norm, n);
    for (int64_t i = 0; i < n; i++) norm[i] *= scale;
}
