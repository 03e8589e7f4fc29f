/* Loss, gradient norm, noise and sharpness as samples of growing size show them: each measure at each size, on several
 * samples. [T] figures 6-8, 6-9 */
#include <glissade/measure.h>

#include "base/value.h"
#include "measure/sample.h"
#include "measure/statistics.h"

#include <math.h>
#include <stdio.h>

enum { SIZES = 32 }; /* of a factor 2 at least: more than an int64 has */

typedef struct options {
    int64_t smallest, largest, repeats, products;
    double factor;
} options;

static const gls_option table[] = {
    GLS_INT("smallest", options, smallest, "64", 16, 1e15, "size of the smallest sample"),
    GLS_SIZE("largest", options, largest, "4096", 16, 1e15, "size of the largest; all: the whole set"),
    GLS_REAL("factor", options, factor, "4", 2, 1e6, "each sample is that many times larger than the last"),
    GLS_INT("repeats", options, repeats, "3", 1, 1000, "samples of each size"),
    GLS_INT("products", options, products, "30", 2, 10000, "Hessian products for each sharpness, at most"),
    {0},
};

/* A measure, the figure of it that is wanted, and the names of its mean and deviation over the samples of a size. */
typedef struct curve {
    const char *measure, *figure, *unit, *mean, *deviation;
} curve;
static const curve curves[] = {
    {"loss", "loss", "loss", "loss_by_size", "loss_deviation"},
    {"gradient_norm", "plain_gradient_norm", "gradient", "gradient_norm_by_size", "gradient_norm_deviation"},
    {"noise_norm", "noise_rms", "gradient", "noise_by_size", "noise_deviation"},
    {"sharpness", "lambda_max", "1/lr", "sharpness_by_size", "sharpness_deviation"}};

static gls_status put(gls_context *ctx, gls_value *map, const char *key, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    gls_value *item = gls_value_create(ctx, GLS_VALUE_TEXT, key, text);
    return item ? gls_value_append(ctx, map, item) : GLS_ERR_MEMORY;
}

static gls_status set(gls_context *ctx, const options *o, const curve *c, int64_t size, gls_value *map) {
    GLS_TRY(put(ctx, map, "sample", size));
    if (c == &curves[2]) return put(ctx, map, "batches", 8); /* its mini-batches are not asked for: the fewest */
    return c == &curves[3] ? put(ctx, map, "products", o->products) : GLS_OK;
}

/* The whole set has no bias to be left in, and one name. */
static double figure_of(const gls_measure_result *r, const curve *c) {
    double value = gls_measure_result_get(r, c->figure);
    return isnan(value) && c == &curves[1] ? gls_measure_result_get(r, "gradient_norm") : value;
}

static gls_status measure_once(gls_measure *m, const curve *c, const gls_measure_input *in, int64_t size, double *value,
                               gls_measure_result *out) {
    gls_measure *one = NULL;
    gls_measure_result r;
    gls_value *map = gls_value_create(m->ctx, GLS_VALUE_MAP, NULL, NULL);
    if (!map) return GLS_ERR_MEMORY;
    gls_measure_result_init(m->ctx, &r);
    gls_status status = set(m->ctx, m->options, c, size, map);
    if (status == GLS_OK) status = gls_measure_create(m->ctx, c->measure, map, NULL, m->parameters, m->examples, &one);
    if (status == GLS_OK) status = gls_measure_run(one, in, &r);
    *value = status == GLS_OK ? figure_of(&r, c) : NAN;
    if (status == GLS_OK && isnan(*value) && r.meaningless && !out->note)
        status = gls_measure_result_note(out, "%s: %s", c->measure, r.meaningless);
    gls_measure_destroy(one);
    gls_measure_result_clear(&r);
    gls_value_destroy(m->ctx, map);
    return status;
}

/* Samples of one size: each with a seed of its own; the whole set is one sample. */
static gls_status measure_size(gls_measure *m, const curve *c, const gls_measure_input *in, int64_t size, double *x,
                               double *mean, double *deviation, gls_measure_result *out) {
    const options *o = m->options;
    int64_t repeats = size < gls_sample_population(in) ? o->repeats : 1;
    double square = 0;
    for (int64_t r = 0; r < repeats; r++) {
        gls_measure_input other = *in;
        other.seed = in->seed + (uint64_t)r;
        GLS_TRY(measure_once(m, c, &other, size, &x[r], out));
        if (gls_interrupted(m->ctx)) return gls_fail(m->ctx, GLS_ERR_INTERRUPTED, "measure: interrupted");
    }
    *mean = gls_stat_mean(x, repeats);
    for (int64_t r = 0; r < repeats; r++) square += (x[r] - *mean) * (x[r] - *mean);
    *deviation = repeats > 1 ? sqrt(square / (double)(repeats - 1)) : size < gls_sample_population(in) ? NAN : 0;
    return GLS_OK;
}

/* smallest, smallest factor, ... and the largest itself. */
static int sizes_of(const options *o, int64_t population, double *size) {
    double largest = o->largest < 0 || o->largest > population ? (double)population : (double)o->largest;
    int n = 0;
    for (double next = (double)o->smallest; next < largest && n < SIZES - 1; next = floor(next * o->factor))
        size[n++] = next;
    size[n++] = largest;
    return n;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    double size[SIZES], mean[SIZES], deviation[SIZES], *x = gls_alloc(m->ctx, o->repeats, sizeof *x);
    int n = sizes_of(o, gls_sample_population(in), size);
    gls_status status = x ? gls_measure_result_array(out, "sizes", "examples", n, size) : GLS_ERR_MEMORY;
    for (size_t k = 0; k < sizeof curves / sizeof *curves && status == GLS_OK; k++) {
        const curve *c = &curves[k];
        for (int i = 0; i < n && status == GLS_OK; i++)
            status = measure_size(m, c, in, (int64_t)size[i], x, &mean[i], &deviation[i], out);
        if (status == GLS_OK) status = gls_measure_result_array(out, c->mean, c->unit, n, mean);
        if (status == GLS_OK) status = gls_measure_result_array(out, c->deviation, c->unit, n, deviation);
    }
    gls_free(m->ctx, x);
    out->sample = (int64_t)size[n - 1];
    out->population = gls_sample_population(in);
    return status;
}

/* A loss, a gradient, two passes with norms, and the products. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    double size[SIZES], sum = 0;
    int n = sizes_of(o, examples, size);
    for (int i = 0; i < n; i++) sum += size[i];
    return sum * (double)o->repeats * (4 + GLS_SAMPLE_PRODUCT * (double)o->products);
}

const gls_measure_type gls_measure_sample_curves = {
    .member = {"sample_curves",
               "loss, gradient norm, noise and sharpness against the size of the sample they are read "
               "from",
               "[T] fig. 6-8, 6-9", table, sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE | GLS_MEASURE_NAMED,
    .cost = cost,
    .problem = on_problem,
};
