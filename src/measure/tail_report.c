/* What is made of [coordinates, samples]: each index beside that of normal noise. [A] app. H; the estimator on
 * differences is ours. */
#include "measure/tail_report.h"

#include "base/sort.h"
#include "measure/statistics.h"
#include "measure/tail.h"

#include <math.h>

/* Ours. Long sums are nearer to their limit but leave few blocks: the longest with ENOUGH_BLOCKS is the answer, and
 * sums with fewer than LEAST_BLOCKS are not used. HILL_POINTS bounds a plot. */
enum { PAIRS = 5, FIRST_MAIN = 2, HILL_POINTS = 40, ENOUGH_BLOCKS = 32, LEAST_BLOCKS = 4 };

/* The sums that are compared. The first two only serve where samples are few. */
typedef struct pair {
    int64_t m1, m2;
    const char *name, *gaussian;
} pair;
static const pair pairs[PAIRS] = {{1, 8, "tail_index_1_8", "gaussian_tail_index_1_8"},
                                  {2, 16, "tail_index_2_16", "gaussian_tail_index_2_16"},
                                  {4, 32, "tail_index_4_32", "gaussian_tail_index_4_32"},
                                  {8, 64, "tail_index_8_64", "gaussian_tail_index_8_64"},
                                  {16, 128, "tail_index_16_128", "gaussian_tail_index_16_128"}};

static bool usable(const pair *p, int64_t samples) {
    return samples / (2 * p->m2) >= LEAST_BLOCKS;
}

/* Each index comes with that of normal noise of the same size (gaussian_...), which shows what the estimator itself
 * makes of light tails. The answer is the longest pair of sums that still has enough blocks. */
static gls_status report_pairs(const gls_tail_samples *z, const gls_tail_samples *gaussian, gls_random random,
                               gls_measure_result *out) {
    gls_tail_fit fit, control, best = {.alpha = NAN, .low = NAN, .high = NAN};
    gls_tail_fit first = best, last = best;
    int begin = usable(&pairs[FIRST_MAIN], z->samples) ? FIRST_MAIN : 0;
    for (int i = begin; i < PAIRS && usable(&pairs[i], z->samples); i++) {
        const pair *p = &pairs[i];
        GLS_TRY(gls_tail_differences(out->ctx, z->x, z->coordinates, z->samples, p->m1, p->m2, random, &fit));
        GLS_TRY(
            gls_tail_differences(out->ctx, gaussian->x, z->coordinates, z->samples, p->m1, p->m2, random, &control));
        GLS_TRY(gls_measure_result_estimate(out, p->name, "", fit.alpha, fit.low, fit.high));
        GLS_TRY(gls_measure_result_estimate(out, p->gaussian, "", control.alpha, control.low, control.high));
        if (i == begin) first = fit;
        if (i == begin || fit.blocks >= ENOUGH_BLOCKS) best = fit;
        last = fit;
    }
    GLS_TRY(gls_measure_result_number(out, "tail_index_rise", "", last.alpha - first.alpha));
    if (last.low > first.high) {
        GLS_TRY(gls_measure_result_note(out, "the index rises with the length of the sums: their limit is not reached, "
                                             "and the tail is lighter than it reads"));
    }
    GLS_TRY(gls_measure_result_number(out, "zero_sums", "count", (double)best.zero_sums));
    GLS_TRY(gls_measure_result_estimate(out, "tail_index", "", best.alpha, best.low, best.high));
    GLS_TRY(gls_measure_result_headline(out, "tail_index"));
    if (isnan(best.alpha)) {
        GLS_TRY(gls_measure_result_meaningless(out, "the sums of the noise do not grow with their length, so that no "
                                                    "index fits (constant or alternating samples)"));
    }
    return GLS_OK;
}

/* Norms over the coordinates of each centred sample, in order. */
static void norms_of(const gls_tail_samples *z, double *norm) {
    for (int64_t i = 0; i < z->samples; i++) norm[i] = 0;
    for (int64_t c = 0; c < z->coordinates; c++) {
        const double *row = z->x + c * z->samples;
        double mean = gls_stat_mean(row, z->samples);
        for (int64_t i = 0; i < z->samples; i++) norm[i] += (row[i] - mean) * (row[i] - mean);
    }
    for (int64_t i = 0; i < z->samples; i++) norm[i] = sqrt(norm[i]);
}

static void descend(double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = -x[i];
    gls_sort_doubles(x, n);
    for (int64_t i = 0; i < n; i++) x[i] = -x[i];
}

/* The index at the 5% largest norms, ten at least; and the plot, at cut-offs from 4 to n / 2 on a log scale. */
static gls_status report_hill(const double *norm, const double *control, int64_t n, gls_measure_result *out) {
    double cut[HILL_POINTS], alpha[HILL_POINTS], gaussian[HILL_POINTS];
    int64_t points = 0, last = 0;
    for (int i = 0; i < HILL_POINTS; i++) {
        int64_t k = llround(4 * pow((double)n / 8, (double)i / (HILL_POINTS - 1)));
        if (k <= last || k >= n) continue;
        cut[points] = (double)k;
        alpha[points] = gls_tail_hill(norm, n, k);
        gaussian[points++] = gls_tail_hill(control, n, k);
        last = k;
    }
    int64_t k = n / 20 > 10 ? n / 20 : 10;
    GLS_TRY(gls_measure_result_number(out, "hill_index", "", gls_tail_hill(norm, n, k)));
    GLS_TRY(gls_measure_result_number(out, "gaussian_hill_index", "", gls_tail_hill(control, n, k)));
    GLS_TRY(gls_measure_result_array(out, "hill_cutoff", "samples", points, cut));
    GLS_TRY(gls_measure_result_array(out, "hill_plot", "", points, alpha));
    return gls_measure_result_array(out, "gaussian_hill_plot", "", points, gaussian);
}

static gls_status report_norms(const gls_tail_samples *z, const gls_tail_samples *gaussian, gls_measure_result *out) {
    double *norm = gls_alloc(out->ctx, 2 * z->samples, sizeof *norm), *control = norm + z->samples;
    if (!norm) return GLS_ERR_MEMORY;
    norms_of(z, norm);
    norms_of(gaussian, control);
    double papers = gls_tail_papers(norm, 1, z->samples), of_control = gls_tail_papers(control, 1, z->samples);
    descend(norm, z->samples);
    descend(control, z->samples);
    gls_status status = report_hill(norm, control, z->samples, out);
    gls_free(out->ctx, norm);
    if (status != GLS_OK) return status;
    GLS_TRY(gls_measure_result_number(out, "papers_norm_tail_index", "", papers));
    GLS_TRY(gls_measure_result_number(out, "gaussian_papers_norm_tail_index", "", of_control));
    GLS_TRY(gls_measure_result_number(out, "papers_tail_index", "", gls_tail_papers(z->x, z->coordinates, z->samples)));
    return gls_measure_result_number(out, "gaussian_papers_tail_index", "",
                                     gls_tail_papers(gaussian->x, z->coordinates, z->samples));
}

static void fill_gaussian(gls_random random, const gls_tail_samples *z, gls_tail_samples *gaussian) {
    for (int64_t c = 0; c < z->coordinates; c++) {
        const double *row = z->x + c * z->samples;
        double mean = gls_stat_mean(row, z->samples), square = 0;
        for (int64_t i = 0; i < z->samples; i++) square += (row[i] - mean) * (row[i] - mean);
        double deviation = sqrt(square / (double)z->samples);
        for (int64_t i = 0; i < z->samples; i++)
            gaussian->x[c * z->samples + i] = deviation * gls_random_normal(&random);
    }
}

/* Keeps at most `wanted` coordinates of z, those with at most half exact zeros. */
static int64_t keep_coordinates(gls_tail_samples *z, int64_t wanted) {
    int64_t kept = 0, dropped = 0;
    for (int64_t c = 0; c < z->coordinates && kept < wanted; c++) {
        const double *row = z->x + c * z->samples;
        int64_t zeros = 0;
        for (int64_t i = 0; i < z->samples; i++) zeros += row[i] == 0;
        if (2 * zeros > z->samples) {
            dropped++;
            continue;
        }
        if (kept < c)
            for (int64_t i = 0; i < z->samples; i++) z->x[kept * z->samples + i] = row[i];
        kept++;
    }
    z->coordinates = kept;
    return dropped;
}

static gls_status too_few(int64_t samples, gls_measure_result *out) {
    return gls_measure_result_meaningless(
        out, "%lld samples are too few for a tail index: at least %lld are needed, and 512 or more for a usable index",
        (long long)samples, (long long)(2 * pairs[0].m2 * LEAST_BLOCKS));
}

/* The normal control has each coordinate's own variance. Sums of fewer than the least number of blocks give no answer.
 */
gls_status gls_tail_report(gls_tail_samples *z, int64_t wanted, bool centred, gls_random random,
                           gls_measure_result *out) {
    int64_t dropped = keep_coordinates(z, wanted);
    GLS_TRY(gls_measure_result_number(out, "coordinates", "count", (double)z->coordinates));
    GLS_TRY(gls_measure_result_number(out, "sparse_coordinates", "count", (double)dropped));
    if (z->coordinates < 1) {
        return gls_measure_result_meaningless(out,
                                              "all coordinates examined are zero in more than half of the samples");
    }
    if (!usable(&pairs[0], z->samples)) return too_few(z->samples, out);
    gls_tail_samples gaussian = {gls_alloc(out->ctx, z->coordinates * z->samples, sizeof *gaussian.x), z->coordinates,
                                 z->samples};
    if (!gaussian.x) return GLS_ERR_MEMORY;
    fill_gaussian(random, z, &gaussian);
    gls_status status = report_pairs(z, &gaussian, random, out);
    if (status == GLS_OK && centred) status = report_norms(z, &gaussian, out);
    gls_free(out->ctx, gaussian.x);
    return status;
}
