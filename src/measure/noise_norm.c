/* The distribution of gradient noise: |g_B - grad F| over mini-batches and over single examples, and the coordinates of
 * one mini-batch's noise; beside it what sums of squared normals and of squared alpha-stables would give, and how far
 * the shape has moved since the first measurement. [A] section 2 and appendix H, [T] (6.2). */
#include <glissade/measure.h>
#include "base/arith.h"
#include "base/sort.h"

#include "measure/noise.h"
#include "measure/statistics.h"
#include "measure/tail.h"

#include <math.h>
#include <string.h>

enum {
    POINTS = 19,          /* quantiles 0.05, 0.1, ..., 0.95 */
    NULL_DRAWS = 2000,    /* of each null: its quantiles are then known to about 1% of probability */
    COORDINATES = 1 << 20 /* of a mini-batch's noise that are sorted at most, evenly spread */
};

typedef struct options {
    gls_sample_options sample;
    int64_t batches, batch, bins;
    double alpha;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "2048", "train"),
    GLS_INT("batches", options, batches, "64", 8, 1e6, "number of mini-batches drawn"),
    GLS_INT("batch", options, batch, "0", 0, 1e9, "size of these mini-batches; 0: the run's"),
    GLS_INT("bins", options, bins, "40", 2, 10000, "number of bins of the histograms"),
    GLS_REAL("alpha", options, alpha, "1.5", 0, 2, "index of the heavy-tailed null", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

/* Quantiles of the first measurement over their median, for mini-batches and examples. */
typedef struct first_shape {
    double known[2];
    double shape[2][POINTS];
} first_shape;

/* Names of one distribution's figures. */
typedef struct labels {
    const char *edges, *counts, *gaussian_counts, *stable_counts, *quantiles, *mean, *kurtosis;
    const char *gaussian, *gaussian_kurtosis, *stable, *drift, *expected, *papers; /* of norms alone */
    const char *gaussian_distance, *stable_distance;
} labels;
static const labels batch_labels = {"batch_histogram_edges",
                                    "batch_histogram_counts",
                                    "batch_gaussian_histogram_counts",
                                    "batch_stable_histogram_counts",
                                    "batch_quantiles",
                                    "batch_mean",
                                    "batch_kurtosis",
                                    "batch_gaussian_quantiles",
                                    "batch_gaussian_kurtosis",
                                    "batch_stable_quantiles",
                                    "batch_shape_drift",
                                    "batch_shape_drift_expected",
                                    "batch_papers_tail_index",
                                    "batch_gaussian_distance",
                                    "batch_stable_distance"};
static const labels example_labels = {"example_histogram_edges",
                                      "example_histogram_counts",
                                      "example_gaussian_histogram_counts",
                                      "example_stable_histogram_counts",
                                      "example_quantiles",
                                      "example_mean",
                                      "example_kurtosis",
                                      "example_gaussian_quantiles",
                                      "example_gaussian_kurtosis",
                                      "example_stable_quantiles",
                                      "example_shape_drift",
                                      "example_shape_drift_expected",
                                      "example_papers_tail_index",
                                      "example_gaussian_distance",
                                      "example_stable_distance"};
static const labels coordinate_labels = {.edges = "coordinate_histogram_edges",
                                         .counts = "coordinate_histogram_counts",
                                         .gaussian_counts = "coordinate_gaussian_histogram_counts",
                                         .stable_counts = "coordinate_stable_histogram_counts",
                                         .quantiles = "coordinate_quantiles",
                                         .mean = "coordinate_mean",
                                         .kurtosis = "coordinate_kurtosis"};

static double probability(int k) {
    return 0.05 * (k + 1);
}

static void quantiles(const double *sorted, int64_t n, double *out) {
    for (int k = 0; k < POINTS; k++) out[k] = gls_stat_quantile(sorted, n, probability(k));
}

static gls_status report_values(const options *o, const labels *l, double *x, int64_t n, gls_measure_result *out) {
    double *edge = gls_alloc(out->ctx, 2 * o->bins + 1, sizeof *edge), q[POINTS];
    if (!edge) return GLS_ERR_MEMORY;
    gls_sort_doubles(x, n);
    gls_stat_histogram(x, n, o->bins, edge, edge + o->bins + 1);
    quantiles(x, n, q);
    gls_status status = gls_measure_result_array(out, l->edges, "gradient", o->bins + 1, edge);
    if (status == GLS_OK) status = gls_measure_result_array(out, l->counts, "count", o->bins, edge + o->bins + 1);
    if (status == GLS_OK) status = gls_measure_result_histogram(out, l->counts, l->edges);
    if (status == GLS_OK) status = gls_measure_result_array(out, l->quantiles, "gradient", POINTS, q);
    if (status == GLS_OK) status = gls_measure_result_number(out, l->mean, "gradient", gls_stat_mean(x, n));
    if (status == GLS_OK) status = gls_measure_result_number(out, l->kurtosis, "", gls_stat_kurtosis(x, n));
    gls_free(out->ctx, edge);
    return status;
}

/* How many of n values a null with these ascending draws would put into each bin. */
static gls_status report_null_counts(const labels *l, const char *name, const double *draw, int64_t draws, int64_t n,
                                     gls_measure_result *out) {
    const gls_figure *edges = gls_measure_result_find(out, l->edges);
    int64_t bins = edges->count - 1, k = 0;
    double *count = gls_alloc(out->ctx, bins, sizeof *count);
    if (!count) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < draws; i++) {
        if (draw[i] < edges->value[0]) continue;
        while (k < bins && draw[i] > edges->value[k + 1]) k++;
        if (k == bins) break;
        count[k] += (double)n / (double)draws;
    }
    gls_status status = gls_measure_result_array(out, name, "count", bins, count);
    gls_free(out->ctx, count);
    return status;
}

/* What stable values about the values' mean, whose distances from it have the same median, would put into the bins: a
 * variance, to be matched as a normal's is, they do not have. */
static gls_status report_stable_counts(const options *o, const labels *l, gls_random random, const double *x, int64_t n,
                                       gls_measure_result *out) {
    double *draw = gls_alloc(out->ctx, NULL_DRAWS, sizeof *draw), *apart = gls_alloc(out->ctx, n, sizeof *apart);
    gls_status status = draw && apart ? GLS_OK : GLS_ERR_MEMORY;
    double mean = gls_stat_mean(x, n);
    for (int64_t i = 0; apart && i < n; i++) apart[i] = fabs(x[i] - mean);
    if (status == GLS_OK) {
        gls_noise_null(random, 1, o->alpha, gls_stat_median(apart, n), NULL_DRAWS, draw);
        for (int64_t i = 0; i < NULL_DRAWS; i++)
            draw[i] = mean + (gls_random_uniform(&random) < 0.5 ? -1 : 1) * draw[i];
        gls_sort_doubles(draw, NULL_DRAWS);
        status = report_null_counts(l, l->stable_counts, draw, NULL_DRAWS, n, out);
    }
    gls_free(out->ctx, draw);
    gls_free(out->ctx, apart);
    return status;
}

/* The same for a normal of the values' own mean and variance. */
static gls_status report_normal_counts(const labels *l, const double *x, int64_t n, gls_measure_result *out) {
    const gls_figure *edges = gls_measure_result_find(out, l->edges);
    int64_t bins = edges->count - 1;
    double mean = gls_stat_mean(x, n), variance = 0, *count = gls_alloc(out->ctx, bins, sizeof *count);
    if (!count) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    double scale = variance > 0 ? 1 / sqrt(2 * variance) : 0;
    for (int64_t k = 0; k < bins; k++) {
        double low = erf((edges->value[k] - mean) * scale), high = erf((edges->value[k + 1] - mean) * scale);
        count[k] = 0.5 * (double)n * (high - low);
    }
    gls_status status = gls_measure_result_array(out, l->gaussian_counts, "count", bins, count);
    gls_free(out->ctx, count);
    return status;
}

/* Mean distance between two quantile curves, each over its own median. */
static double shape_distance(const double *a, const double *b) {
    double sum = 0;
    for (int k = 0; k < POINTS; k++) sum += fabs(a[k] - b[k]) / POINTS;
    return sum;
}

static void shape_of(const double *sorted, int64_t n, double *shape) {
    double median = gls_stat_quantile(sorted, n, 0.5);
    quantiles(sorted, n, shape);
    for (int k = 0; k < POINTS; k++) shape[k] = median > 0 ? shape[k] / median : 0;
}

/* A null of sorted draws beside the sorted values x [n]: its quantiles, its counts in their bins, and how far the two
 * shapes are apart. */
static gls_status report_null(const labels *l, bool stable, const double *draws, const double *x, int64_t n,
                              gls_measure_result *out) {
    double q[POINTS], shape[2][POINTS];
    quantiles(draws, NULL_DRAWS, q);
    shape_of(draws, NULL_DRAWS, shape[0]);
    shape_of(x, n, shape[1]);
    GLS_TRY(gls_measure_result_array(out, stable ? l->stable : l->gaussian, "gradient", POINTS, q));
    GLS_TRY(gls_measure_result_number(out, stable ? l->stable_distance : l->gaussian_distance, "medians",
                                      shape_distance(shape[0], shape[1])));
    return report_null_counts(l, stable ? l->stable_counts : l->gaussian_counts, draws, NULL_DRAWS, n, out);
}

static gls_status report_nulls(const options *o, const labels *l, gls_random random, double effective, const double *x,
                               int64_t n, gls_measure_result *out) {
    double *draws = gls_alloc(out->ctx, NULL_DRAWS, sizeof *draws), median = gls_stat_quantile(x, n, 0.5);
    if (!draws) return GLS_ERR_MEMORY;
    gls_noise_null(random, effective, 2, median, NULL_DRAWS, draws);
    gls_status status = gls_measure_result_number(out, l->gaussian_kurtosis, "", gls_stat_kurtosis(draws, NULL_DRAWS));
    if (status == GLS_OK) status = report_null(l, false, draws, x, n, out);
    gls_noise_null(random, effective, o->alpha, median, NULL_DRAWS, draws);
    if (status == GLS_OK) status = report_null(l, true, draws, x, n, out);
    gls_free(out->ctx, draws);
    return status;
}

/* How far apart two samples of this size from the same distribution are, by drawing from the sorted x itself. */
static gls_status expected_distance(gls_context *ctx, gls_random random, const double *x, int64_t n, double *out) {
    enum { REPEATS = 10 }; /* a rough figure to compare with is enough */
    double *draw = gls_alloc(ctx, n, sizeof *draw), shape[2][POINTS];
    if (!draw) return GLS_ERR_MEMORY;
    *out = 0;
    for (int r = 0; r < REPEATS; r++) {
        for (int k = 0; k < 2; k++) {
            for (int64_t i = 0; i < n; i++) draw[i] = x[gls_random_below(&random, n)];
            gls_sort_doubles(draw, n);
            shape_of(draw, n, shape[k]);
        }
        *out += shape_distance(shape[0], shape[1]) / REPEATS;
    }
    gls_free(ctx, draw);
    return GLS_OK;
}

static gls_status report_drift(first_shape *first, int which, const labels *l, gls_random random, const double *x,
                               int64_t n, gls_measure_result *out) {
    double shape[POINTS], expected;
    shape_of(x, n, shape);
    if (!(first->known[which] > 0)) {
        first->known[which] = 1;
        memcpy(first->shape[which], shape, sizeof shape);
    }
    GLS_TRY(expected_distance(out->ctx, random, x, n, &expected));
    GLS_TRY(gls_measure_result_number(out, l->drift, "medians", shape_distance(shape, first->shape[which])));
    return gls_measure_result_number(out, l->expected, "medians", expected);
}

/* Turns norm2 [n], in the order drawn, into norms and sorts them. */
static gls_status report_norms(gls_measure *m, int which, const labels *l, gls_random random, double *norm2, int64_t n,
                               double effective, gls_measure_result *out) {
    for (int64_t i = 0; i < n; i++) norm2[i] = sqrt(norm2[i]);
    GLS_TRY(gls_measure_result_number(out, l->papers, "", gls_tail_papers(norm2, 1, n)));
    GLS_TRY(report_values(m->options, l, norm2, n, out));
    GLS_TRY(report_nulls(m->options, l, random, effective, norm2, n, out));
    return report_drift(m->self, which, l, random, norm2, n, out);
}

static gls_status report_coordinates(gls_measure *m, gls_random random, const gls_real *noise, int64_t d,
                                     gls_measure_result *out) {
    int64_t stride = gls_parts(d, COORDINATES), n = gls_parts(d, stride);
    double *x = gls_alloc(m->ctx, n, sizeof *x);
    if (!x) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) x[i] = (double)noise[i * stride];
    gls_status status = report_values(m->options, &coordinate_labels, x, n, out);
    if (status == GLS_OK) status = report_normal_counts(&coordinate_labels, x, n, out);
    if (status == GLS_OK) status = report_stable_counts(m->options, &coordinate_labels, random, x, n, out);
    gls_free(m->ctx, x);
    return status;
}

static gls_status report_frame(double sigma, double effective, gls_measure_result *out) {
    double p[POINTS];
    for (int k = 0; k < POINTS; k++) p[k] = probability(k);
    GLS_TRY(gls_measure_result_array(out, "probabilities", "", POINTS, p));
    GLS_TRY(gls_measure_result_number(out, "noise_rms", "gradient", sigma));
    GLS_TRY(gls_measure_result_headline(out, "noise_rms"));
    return gls_measure_result_number(out, "effective_dimension", "", effective);
}

static double rms(const double *norm2, int64_t n, bool whole) {
    double mean = gls_stat_mean(norm2, n);
    return sqrt(whole || n < 2 ? mean : mean * (double)n / (double)(n - 1));
}

static gls_status on_sample(gls_measure *m, gls_sample *s, gls_real *g, gls_noise_batches *noise, double *norm2,
                            gls_measure_result *out) {
    const gls_measure_input *in = s->in;
    bool single = true;
    gls_status status = gls_noise_examples(s, in->w, g, norm2);
    if (status == GLS_ERR_UNSUPPORTED) {
        single = false;
        GLS_TRY(gls_measure_result_note(out, "no figures of single examples: %s", gls_context_message(m->ctx)));
        status = gls_sample_mean(s, s->index, s->count, gls_sample_draw(in, 0), in->w, g, NULL, NULL);
    }
    GLS_TRY(status);
    GLS_TRY(gls_noise_of_batches(s, in->w, g, noise));
    GLS_TRY(report_frame(single ? rms(norm2, s->count, s->whole) : NAN, noise->effective, out));
    GLS_TRY(gls_measure_result_number(out, "batch", "examples", (double)noise->batch));
    GLS_TRY(gls_measure_result_number(out, "batch_noise_rms", "gradient", rms(noise->norm2, noise->batches, true)));
    GLS_TRY(report_norms(m, 0, &batch_labels, s->random, noise->norm2, noise->batches, noise->effective, out));
    if (single) GLS_TRY(report_norms(m, 1, &example_labels, s->random, norm2, s->count, noise->effective, out));
    return report_coordinates(m, s->random, noise->first, gls_problem_size(in->problem), out);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    int64_t d = gls_problem_size(in->problem);
    gls_sample_options sample = o->sample;
    gls_noise_batches noise = {.batch = o->batch > 0    ? o->batch
                                        : in->batch > 0 ? in->batch
                                                        : 128,
                               .batches = o->batches};
    GLS_TRY(gls_noise_batch_for(&sample, gls_sample_population(in), &noise.batch, out));
    gls_sample s;
    GLS_TRY(gls_sample_create(in, "measure.noise_norm", (uint64_t)in->step, sample.sample, (gls_mode)sample.mode, &s));
    gls_real *g = gls_alloc(m->ctx, d, sizeof *g);
    double *norm2 = gls_alloc(m->ctx, s.count, sizeof *norm2);
    noise.norm2 = gls_alloc(m->ctx, noise.batches, sizeof *noise.norm2);
    noise.first = gls_alloc(m->ctx, d, sizeof *noise.first);
    out->sample = s.count;
    out->population = s.population;
    gls_status status = GLS_ERR_MEMORY;
    if (g && norm2 && noise.norm2 && noise.first) status = on_sample(m, &s, g, &noise, norm2, out);
    gls_free(m->ctx, g);
    gls_free(m->ctx, norm2);
    gls_free(m->ctx, noise.norm2);
    gls_free(m->ctx, noise.first);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_rows(gls_measure *m, const gls_measure_matrix *matrix, gls_real *mean, double *norm2,
                          gls_measure_result *out) {
    double effective;
    GLS_TRY(gls_noise_matrix(m->ctx, matrix, mean, norm2, &effective));
    GLS_TRY(report_frame(rms(norm2, matrix->n, !matrix->sample), effective, out));
    gls_random random = gls_random_create(matrix->seed, "measure.noise_norm", 0, 0);
    GLS_TRY(report_norms(m, 1, &example_labels, random, norm2, matrix->n, effective, out));
    for (int64_t k = 0; k < matrix->d; k++) mean[k] = matrix->g[k] - mean[k];
    return report_coordinates(m, random, mean, matrix->d, out);
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    gls_real *mean = gls_alloc(m->ctx, matrix->d, sizeof *mean);
    double *norm2 = gls_alloc(m->ctx, matrix->n, sizeof *norm2);
    gls_status status = mean && norm2 ? on_rows(m, matrix, mean, norm2, out) : GLS_ERR_MEMORY;
    gls_free(m->ctx, mean);
    gls_free(m->ctx, norm2);
    return status;
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_arrays_add_state(m->ctx, list, prefix, "first_shape", GLS_F64, sizeof(first_shape) / sizeof(double),
                                m->self);
}

/* A pass with norms, 1.3, one with inner products, and the mini-batches. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return 2.3 * gls_sample_size(o->sample.sample, examples) +
           (double)o->batches * gls_sample_batch_or(o->batch, batch);
}

const gls_measure_type gls_measure_noise_norm = {
    .member = {"noise_norm", "distribution of the gradient noise beside light- and heavy-tailed nulls",
               "[A] 2, [T] (6.2)", table, sizeof(options)},
    .self_size = sizeof(first_shape),
    .cost = cost,
    .least_sample = 512,
    .problem = on_problem,
    .matrix = on_matrix,
    .arrays = arrays,
};
