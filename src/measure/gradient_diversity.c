/* Gradient diversity: sum |g_i|^2 / |sum g_i|^2, and the batch-size bound B_S = n times it. [D] definitions 4, 5. */
#include <glissade/measure.h>

#include "measure/pair.h"

#include <math.h>

static const gls_option table[] = {
    GLS_PAIR_OPTIONS("weight of the past in the running means of M^2 and G, which are divided afterwards"),
    {0},
};

/* What the theorems ask for: the smallest bound along the path so far. */
static gls_status least(const gls_pair_reading *r, gls_measure_result *out) {
    if (isnan(r->least)) return GLS_OK;
    GLS_TRY(gls_measure_result_number(out, "least_batch_size_bound", "examples", r->least));
    return gls_measure_result_number(out, "least_batch_size_bound_step", "step", r->least_step);
}

static gls_status smoothed(const gls_pair_reading *r, gls_measure_result *out) {
    GLS_TRY(gls_measure_result_estimate(out, "smoothed_batch_size_bound", "examples", r->bound, r->low, r->high));
    GLS_TRY(least(r, out));
    return gls_measure_result_number(out, "smoothed_over", "measurements", r->running->updates);
}

static gls_status step(const gls_pair_reading *r, gls_measure_result *out) {
    double n = (double)r->population;
    if (r->population > 0) {
        GLS_TRY(gls_measure_result_estimate(out, "gradient_diversity", "", r->diversity, r->low / n, r->high / n));
        GLS_TRY(gls_measure_result_headline(out, "gradient_diversity"));
    }
    GLS_TRY(gls_measure_result_estimate(out, "batch_size_bound", "examples", r->bound, r->low, r->high));
    GLS_TRY(gls_measure_result_headline(out, "batch_size_bound"));
    GLS_TRY(gls_measure_result_number(out, "second_moment", "gradient^2", r->running->m2));
    GLS_TRY(gls_measure_result_number(out, "mean_gradient_norm2", "gradient^2", r->running->g));
    GLS_TRY(least(r, out));
    return gls_measure_result_number(out, "smoothed_over", "measurements", r->running->updates);
}

const gls_pair_words gls_pair_diversity_words = {.sample = gls_moments_report, .step = step, .smoothed = smoothed};

static gls_status create(gls_measure *m) {
    return gls_pair_create(m, &gls_pair_diversity_words);
}

const gls_measure_type gls_measure_gradient_diversity = {
    .member = {"gradient_diversity", "how many examples a mini-batch may have before they stop paying off",
               "[D] def. 4, 5", table, sizeof(gls_pair_options)},
    .create = create,
    GLS_PAIR_VERBS,
};
