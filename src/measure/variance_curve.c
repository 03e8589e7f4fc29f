/* The running mean of |g_B - grad F|^2 as the number of samples grows: it settles for light tails and keeps jumping for
 * heavy ones. [A] figure 2, [T] 6.6.2. */
#include <glissade/measure.h>

#include "base/arith.h"
#include "measure/noise.h"
#include "measure/statistics.h"

#include <math.h>

enum { CURVE = 200 }; /* points of the curve: as many as a plot shows */

typedef struct options {
    gls_sample_options sample;
    int64_t batches, batch;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "2048", "train"),
    GLS_INT("batches", options, batches, "64", 2, 1e7,
            "number of mini-batches drawn; with batch 1 every example of the sample is used instead"),
    GLS_INT("batch", options, batch, "0", 0, 1e9,
            "size of these mini-batches; 0: the run's; 1: single examples, from norms alone"),
    {0},
};

/* Running means of x at up to CURVE places, evenly spaced. */
static int64_t running_mean(const double *x, int64_t n, double *place, double *mean) {
    int64_t points = gls_least(n, CURVE), next = 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        if ((i + 1) * points < (next + 1) * n) continue;
        place[next] = (double)(i + 1);
        mean[next++] = sum / (double)(i + 1);
    }
    return next;
}

static gls_status report(const double *noise2, int64_t n, double effective, gls_random random,
                         gls_measure_result *out) {
    double place[CURVE], mean[CURVE], sum = 0, largest = 0;
    int64_t points = running_mean(noise2, n, place, mean);
    GLS_TRY(gls_measure_result_array(out, "variance_samples", "samples", points, place));
    GLS_TRY(gls_measure_result_array(out, "variance_running_mean", "gradient^2", points, mean));
    double *null = gls_alloc(out->ctx, n, sizeof *null);
    if (!null) return GLS_ERR_MEMORY;
    gls_noise_null(random, effective, 2, 1, n, null);
    /* The null comes sorted: draw from it, and bring it to the same mean square. */
    for (int64_t i = 0; i < n; i++) {
        int64_t k = i + gls_random_below(&random, n - i);
        double chosen = null[k];
        null[k] = null[i];
        null[i] = chosen * chosen;
    }
    double scale = gls_stat_mean(noise2, n) / gls_stat_mean(null, n);
    for (int64_t i = 0; i < n; i++) null[i] *= scale;
    points = running_mean(null, n, place, mean);
    gls_status status = gls_measure_result_array(out, "gaussian_running_mean", "gradient^2", points, mean);
    gls_free(out->ctx, null);
    GLS_TRY(status);
    for (int64_t i = 0; i < n; i++) {
        sum += noise2[i];
        largest = fmax(largest, noise2[i]);
    }
    double half = gls_stat_mean(noise2, n / 2), whole = sum / (double)n;
    GLS_TRY(gls_measure_result_number(out, "variance", "gradient^2", whole));
    GLS_TRY(gls_measure_result_number(out, "largest_share", "", sum > 0 ? largest / sum : NAN));
    GLS_TRY(gls_measure_result_number(out, "change_in_second_half", "", whole > 0 ? (whole - half) / whole : NAN));
    return n < 16 ? gls_measure_result_meaningless(out, "%lld samples are too few for a curve", (long long)n) : GLS_OK;
}

static gls_status on_examples(gls_sample *s, gls_real *g, gls_measure_result *out) {
    double *norm2 = gls_alloc(s->ctx, s->count, sizeof *norm2);
    if (!norm2) return GLS_ERR_MEMORY;
    gls_noise_batches some = {.batch = 1, .batches = gls_least(s->count, 32)};
    some.norm2 = gls_alloc(s->ctx, some.batches, sizeof *some.norm2);
    gls_status status = some.norm2 ? gls_noise_examples(s, s->in->w, g, norm2) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_noise_of_batches(s, s->in->w, g, &some); /* for the null's dimension */
    if (status == GLS_OK) status = report(norm2, s->count, some.effective, s->random, out);
    gls_free(s->ctx, norm2);
    gls_free(s->ctx, some.norm2);
    return status;
}

static gls_status on_batches(gls_sample *s, int64_t batches, int64_t batch, gls_real *g, gls_measure_result *out) {
    gls_noise_batches noise = {.batch = batch, .batches = batches};
    noise.norm2 = gls_alloc(s->ctx, batches, sizeof *noise.norm2);
    if (!noise.norm2) return GLS_ERR_MEMORY;
    gls_status status = gls_sample_mean(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, g, NULL, NULL);
    if (status == GLS_OK) status = gls_noise_of_batches(s, s->in->w, g, &noise);
    if (status == GLS_OK) status = report(noise.norm2, batches, noise.effective, s->random, out);
    gls_free(s->ctx, noise.norm2);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    int64_t batch = o->batch > 0 ? o->batch : in->batch > 0 ? in->batch : 128;
    gls_sample_options sample = o->sample;
    GLS_TRY(gls_noise_batch_for(&sample, gls_sample_population(in), &batch, out));
    gls_sample s;
    GLS_TRY(
        gls_sample_create(in, "measure.variance_curve", (uint64_t)in->step, sample.sample, (gls_mode)sample.mode, &s));
    out->sample = s.count;
    out->population = s.population;
    gls_real *g = gls_alloc(m->ctx, gls_problem_size(in->problem), sizeof *g);
    gls_status status = g ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        bool single = batch == 1 || s.count < 4;
        status = single ? on_examples(&s, g, out) : on_batches(&s, o->batches, batch, g, out);
    }
    gls_free(m->ctx, g);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    gls_real *mean = gls_alloc(m->ctx, matrix->d, sizeof *mean);
    double *norm2 = gls_alloc(m->ctx, matrix->n, sizeof *norm2), effective;
    gls_status status = mean && norm2 ? gls_noise_matrix(m->ctx, matrix, mean, norm2, &effective) : GLS_ERR_MEMORY;
    gls_random random = gls_random_create(matrix->seed, "measure.variance_curve", 0, 0);
    if (status == GLS_OK) status = report(norm2, matrix->n, effective, random, out);
    gls_free(m->ctx, mean);
    gls_free(m->ctx, norm2);
    return status;
}

static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return gls_sample_size(o->sample.sample, examples) + (double)o->batches * gls_sample_batch_or(o->batch, batch);
}

const gls_measure_type gls_measure_variance_curve = {
    .member = {"variance_curve", "the noise variance against the number of samples it is estimated from",
               "[A] fig. 2, [T] 6.6.2", table, sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 512,
    .problem = on_problem,
    .matrix = on_matrix,
};
