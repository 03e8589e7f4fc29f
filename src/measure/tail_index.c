/* The tail index alpha of the gradient noise, coordinate by coordinate: 2 where it is as light as a normal's. [A] app.
 * H; the estimator on differences is ours. */
#include <glissade/measure.h>
#include "base/arith.h"
#include "base/sort.h"

#include "measure/sample.h"
#include "measure/statistics.h"
#include "measure/tail.h"

#include <math.h>

/* Ours. Long sums are nearer to their limit but leave few blocks: the longest with ENOUGH_BLOCKS is the answer, and
 * sums with fewer than LEAST_BLOCKS are not used. MOST_SAMPLES bounds what is copied of a matrix, HILL_POINTS a plot.
 */
enum { PAIRS = 5, FIRST_MAIN = 2, MOST_SAMPLES = 65536, HILL_POINTS = 40, ENOUGH_BLOCKS = 32, LEAST_BLOCKS = 4 };

typedef struct options {
    gls_sample_options sample;
    int64_t coordinates, batch;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "4096", "train"),
    GLS_INT("coordinates", options, coordinates, "100", 1, 1e5,
            "coordinates read, drawn from those with at most half exact zeros"),
    GLS_INT("batch", options, batch, "1", 1, 1e9,
            "examples in each gradient; above 1 a sample is a mini-batch, and `sample` counts these"),
    {0},
};

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

/* ---- what is made of [coordinates, samples] ---- */

typedef struct noise {
    double *x; /* [coordinates, samples] */
    int64_t coordinates, samples;
} noise;

/* Each index comes with that of normal noise of the same size (gaussian_...), which shows what the estimator itself
 * makes of light tails. The answer is the longest pair of sums that still has enough blocks. */
static gls_status report_pairs(const noise *z, const noise *gaussian, gls_random random, gls_measure_result *out) {
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
static void norms_of(const noise *z, double *norm) {
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

static gls_status report_norms(const noise *z, const noise *gaussian, gls_measure_result *out) {
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

static void fill_gaussian(gls_random random, const noise *z, noise *gaussian) {
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
static int64_t keep_coordinates(noise *z, int64_t wanted) {
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

/* The normal control has each coordinate's own variance. Sums of fewer than the least number of blocks give no answer.
 */
static gls_status report(const options *o, noise *z, gls_random random, gls_measure_result *out) {
    int64_t dropped = keep_coordinates(z, o->coordinates);
    GLS_TRY(gls_measure_result_number(out, "coordinates", "count", (double)z->coordinates));
    GLS_TRY(gls_measure_result_number(out, "sparse_coordinates", "count", (double)dropped));
    if (z->coordinates < 1) {
        return gls_measure_result_meaningless(out,
                                              "all coordinates examined are zero in more than half of the samples");
    }
    if (!usable(&pairs[0], z->samples)) {
        return gls_measure_result_meaningless(
            out,
            "%lld samples are too few for a tail index: at least %lld are needed, and 512 or more for a usable index",
            (long long)z->samples, (long long)(2 * pairs[0].m2 * LEAST_BLOCKS));
    }
    noise gaussian = {gls_alloc(out->ctx, z->coordinates * z->samples, sizeof *gaussian.x), z->coordinates, z->samples};
    if (!gaussian.x) return GLS_ERR_MEMORY;
    fill_gaussian(random, z, &gaussian);
    gls_status status = report_pairs(z, &gaussian, random, out);
    if (status == GLS_OK) status = report_norms(z, &gaussian, out);
    gls_free(out->ctx, gaussian.x);
    return status;
}

/* ---- where the samples come from ---- */

/* Candidate coordinates: four times as many as wanted, distinct, as a partial shuffle of 0 .. d-1. */
static gls_status candidates(gls_context *ctx, gls_random *random, int64_t wanted, int64_t d, int64_t **out,
                             int64_t *count) {
    int64_t *all = gls_alloc(ctx, d, sizeof *all), n = gls_least(4 * wanted, d);
    if (!all) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < d; i++) all[i] = i;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i + gls_random_below(random, d - i), chosen = all[k];
        all[k] = all[i];
        all[i] = chosen;
    }
    *out = all;
    *count = n;
    return GLS_OK;
}

typedef struct gathered {
    noise z;
    int64_t *coordinate;
} gathered;

static gls_status gather_row(void *user, int64_t i, const gls_real *g) {
    const gathered *to = user;
    for (int64_t c = 0; c < to->z.coordinates; c++) to->z.x[c * to->z.samples + i] = (double)g[to->coordinate[c]];
    return GLS_OK;
}

static gls_status gather_batches(gls_sample *s, int64_t batch, gathered *to) {
    int64_t *index = gls_alloc(s->ctx, batch, sizeof *index);
    gls_real *g = gls_alloc(s->ctx, gls_problem_size(s->in->problem), sizeof *g);
    gls_status status = index && g ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < to->z.samples; i++) {
        status = gls_sample_batch(s, batch, index);
        if (status == GLS_OK)
            status = gls_sample_mean(s, index, batch, gls_sample_draw(s->in, i), s->in->w, g, NULL, NULL);
        if (status == GLS_OK) status = gather_row(to, i, g);
    }
    gls_free(s->ctx, index);
    gls_free(s->ctx, g);
    return status;
}

static gls_status gather(const options *o, gls_sample *s, gathered *to) {
    to->z.x = gls_alloc(s->ctx, to->z.coordinates * to->z.samples, sizeof *to->z.x);
    if (!to->z.x) return GLS_ERR_MEMORY;
    if (o->batch > 1) return gather_batches(s, o->batch, to);
    gls_status status = gls_sample_each(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, gather_row, to);
    return gls_sample_share(s, to->z.x, to->z.coordinates * to->z.samples, status);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    GLS_TRY(gls_sample_create(in, "measure.tail_index", (uint64_t)in->step, o->batch > 1 ? -1 : o->sample.sample,
                              (gls_mode)o->sample.mode, &s));
    gathered to = {.z.samples = s.count};
    if (o->batch > 1) to.z.samples = o->sample.sample > 0 ? o->sample.sample : s.count;
    out->sample = to.z.samples;
    out->population = s.population;
    gls_log(m->ctx, GLS_LOG_INFO, "tail_index: reading %lld gradients of %lld examples", (long long)to.z.samples,
            (long long)o->batch);
    gls_status status =
        candidates(m->ctx, &s.random, o->coordinates, gls_problem_size(in->problem), &to.coordinate, &to.z.coordinates);
    if (status == GLS_OK) status = gather(o, &s, &to);
    if (status == GLS_OK) status = report(o, &to.z, s.random, out);
    gls_free(m->ctx, to.z.x);
    gls_free(m->ctx, to.coordinate);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    const options *o = m->options;
    gls_random random = gls_random_create(matrix->seed, "measure.tail_index", 0, 0);
    gathered to = {.z.samples = matrix->n < MOST_SAMPLES ? matrix->n : MOST_SAMPLES};
    out->sample = to.z.samples;
    gls_status status = candidates(m->ctx, &random, o->coordinates, matrix->d, &to.coordinate, &to.z.coordinates);
    if (status == GLS_OK) {
        to.z.x = gls_alloc(m->ctx, to.z.coordinates * to.z.samples, sizeof *to.z.x);
        if (!to.z.x) status = GLS_ERR_MEMORY;
    }
    for (int64_t i = 0; status == GLS_OK && i < to.z.samples; i++) gather_row(&to, i, matrix->g + i * matrix->d);
    if (status == GLS_OK) status = report(o, &to.z, random, out);
    gls_free(m->ctx, to.z.x);
    gls_free(m->ctx, to.coordinate);
    return status;
}

static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    double size = gls_sample_size(o->sample.sample, examples);
    return o->batch > 1 ? size * (double)o->batch : size * gls_sample_singly(m, false);
}

const gls_measure_type gls_measure_tail_index = {
    .member = {"tail_index", "how heavy the tails of the gradient noise are: 2 as light as a normal's, below 2 heavy",
               "[A] app. H, and an estimator of ours", table, sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 512,
    .problem = on_problem,
    .matrix = on_matrix,
};
