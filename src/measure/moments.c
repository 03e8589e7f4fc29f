/* M^2 and G of a set without bias from groups' norms, with variances by leaving out one group at a time (the
 * jackknife). G is the small difference of large sums, so everything is in double. */
#include "measure/moments.h"

#include <math.h>

/* With A = E|group mean|^2 and U = E<one group mean, another>: A - U = (M^2 - U) / size, and drawing n without
 * replacement E<g_i, g_j> = (n G - M^2) / (n - 1). */
void gls_moments_estimate(int64_t groups, int64_t size, double sum_norm2, double norm2_sum, int64_t population,
                          double *m2, double *g) {
    double j = (double)groups, n = (double)population, a = sum_norm2 / j;
    double u = (norm2_sum - sum_norm2) / (j * (j - 1));
    *m2 = u + (double)size * (a - u);
    *g = population > 0 ? ((n - 1) * u + *m2) / n : u;
}

void gls_moments_rows(int64_t groups, int64_t size, const double *a, const double *c, double norm2_sum,
                      int64_t population, gls_moments *out) {
    double sum = 0;
    for (int64_t i = 0; i < groups; i++) sum += a[i];
    *out = (gls_moments){.rows = groups, .v_m2 = NAN, .v_g = NAN, .v_x = NAN};
    if (population > 0 && groups * size >= population && size == 1) {
        double n = (double)groups;
        *out = (gls_moments){.rows = groups, .exact = true, .m2 = sum / n, .g = norm2_sum / n / n};
        return;
    }
    if (groups < 2) {
        out->m2 = out->g = NAN;
        return;
    }
    gls_moments_estimate(groups, size, sum, norm2_sum, population, &out->m2, &out->g);
    if (groups < 3) return;
    /* Without group i the sum of all has the squared norm norm2_sum - 2 c_i + a_i. First pass means, second deviations.
     */
    double mean_m2 = 0, mean_g = 0, v_m2 = 0, v_g = 0, v_x = 0, n = (double)groups;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < groups; i++) {
            double m2, g;
            gls_moments_estimate(groups - 1, size, sum - a[i], norm2_sum - 2 * c[i] + a[i], population, &m2, &g);
            if (pass == 0) {
                mean_m2 += m2 / n;
                mean_g += g / n;
            } else {
                v_m2 += (m2 - mean_m2) * (m2 - mean_m2);
                v_g += (g - mean_g) * (g - mean_g);
                v_x += (m2 - mean_m2) * (g - mean_g);
            }
        }
    }
    /* Without replacement, variances shrink by the share of the set that was not drawn. */
    double left = population > 0 ? fmax(0, 1 - n * (double)size / (double)population) : 1;
    double scale = (n - 1) / n * left;
    out->v_m2 = v_m2 * scale;
    out->v_g = v_g * scale;
    out->v_x = v_x * scale;
}

/* Two passes over the rows: the sum first, then each row with it. */
void gls_moments_matrix(const gls_measure_matrix *matrix, double *sum, double *a, double *c, double *norm2_sum) {
    int64_t n = matrix->n, d = matrix->d;
    for (int64_t k = 0; k < d; k++) sum[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        const gls_real *row = matrix->g + i * d;
        double square = 0;
        for (int64_t k = 0; k < d; k++) {
            square += (double)row[k] * (double)row[k];
            sum[k] += (double)row[k];
        }
        a[i] = square;
    }
    *norm2_sum = 0;
    for (int64_t k = 0; k < d; k++) *norm2_sum += sum[k] * sum[k];
    for (int64_t i = 0; i < n; i++) {
        const gls_real *row = matrix->g + i * d;
        double inner = 0;
        for (int64_t k = 0; k < d; k++) inner += (double)row[k] * sum[k];
        c[i] = inner;
    }
}

gls_status gls_moments_of_matrix(gls_context *ctx, const gls_measure_matrix *matrix, gls_moments *out) {
    double *sum = gls_alloc(ctx, matrix->d, sizeof *sum), *a = gls_alloc(ctx, matrix->n, sizeof *a);
    double *c = gls_alloc(ctx, matrix->n, sizeof *c), norm2_sum;
    gls_status status = sum && a && c ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        gls_moments_matrix(matrix, sum, a, c, &norm2_sum);
        gls_moments_rows(matrix->n, 1, a, c, norm2_sum, matrix->sample ? 0 : matrix->n, out);
    }
    gls_free(ctx, sum);
    gls_free(ctx, a);
    gls_free(ctx, c);
    return status;
}

void gls_moments_bound(const gls_moments *m, double *bound, gls_interval *interval) {
    *bound = m->g > 0 ? m->m2 / m->g : NAN;
    *interval = (gls_interval){NAN, NAN};
    if (m->exact || !isfinite(m->v_g)) return;
    double t = gls_stat_t975((double)(m->rows - 1));
    *interval = gls_stat_ratio_interval(m->m2, m->g, m->v_m2, m->v_g, m->v_x, t);
    interval->low = fmax(interval->low, 1); /* M^2 >= G */
}

const char *gls_moments_trouble(const gls_moments *m) {
    if (m->rows < 2) return "one gradient says nothing about diversity: at least two examples are needed";
    if (m->m2 == 0) return "every gradient is zero: diversity is not defined";
    if (m->exact) return "the mean gradient is zero: the ratio is infinite";
    return "the estimate of |mean gradient|^2 is not positive: with this sample it cannot be told from zero; only the "
           "lower end of the interval can be read";
}

gls_status gls_moments_report(const gls_moments *m, int64_t n, gls_measure_result *out) {
    double bound, t = gls_stat_t975(fmax(1, (double)(m->rows - 1)));
    gls_interval interval;
    gls_moments_bound(m, &bound, &interval);
    if (!isfinite(bound)) GLS_TRY(gls_measure_result_meaningless(out, "%s", gls_moments_trouble(m)));
    if (n > 0) {
        GLS_TRY(gls_measure_result_estimate(out, "gradient_diversity", "", bound / (double)n, interval.low / (double)n,
                                            interval.high / (double)n));
        GLS_TRY(gls_measure_result_headline(out, "gradient_diversity"));
    }
    GLS_TRY(gls_measure_result_estimate(out, "batch_size_bound", "examples", bound, interval.low, interval.high));
    GLS_TRY(gls_measure_result_headline(out, "batch_size_bound"));
    double e_m2 = t * sqrt(m->v_m2), e_g = t * sqrt(m->v_g);
    if (m->exact) e_m2 = e_g = NAN;
    GLS_TRY(gls_measure_result_estimate(out, "second_moment", "gradient^2", m->m2, m->m2 - e_m2, m->m2 + e_m2));
    return gls_measure_result_estimate(out, "mean_gradient_norm2", "gradient^2", m->g, m->g - e_g, m->g + e_g);
}
