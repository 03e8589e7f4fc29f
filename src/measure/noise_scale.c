/* The noise scale tr(Sigma) / |grad F|^2 = B_S - 1: gradient diversity under its other name, never a second witness. */
#include <glissade/measure.h>

#include "measure/pair.h"

static const gls_option table[] = {
    GLS_PAIR_OPTIONS("from the step: weight of the past in the running means, which are divided afterwards"),
    {0},
};

static gls_status say(gls_measure_result *out, double bound, double low, double high, double trace) {
    GLS_TRY(gls_measure_result_estimate(out, "noise_scale", "examples", bound - 1, low - 1, high - 1));
    GLS_TRY(gls_measure_result_headline(out, "noise_scale"));
    GLS_TRY(gls_measure_result_number(out, "noise_trace", "gradient^2", trace));
    return gls_measure_result_note(out,
                                   "the batch-size bound minus one, from the same numbers, so it confirms nothing");
}

static gls_status sample(const gls_moments *moments, int64_t population, gls_measure_result *out) {
    double bound;
    gls_interval interval;
    gls_moments_bound(moments, &bound, &interval);
    if (bound != bound) GLS_TRY(gls_measure_result_meaningless(out, "%s", gls_moments_trouble(moments)));
    return say(out, bound, interval.low, interval.high, moments->m2 - moments->g);
}

static gls_status step(const gls_pair_reading *r, gls_measure_result *out) {
    return say(out, r->bound, r->low, r->high, r->running->m2 - r->running->g);
}

const gls_pair_words gls_pair_scale_words = {.sample = sample, .step = step};

static gls_status create(gls_measure *m) {
    return gls_pair_create(m, &gls_pair_scale_words);
}

const gls_measure_type gls_measure_noise_scale = {
    .member = {"noise_scale", "trace of the gradient noise's covariance over the squared gradient norm", "[D] def. 5",
               table, sizeof(gls_pair_options)},
    .create = create,
    GLS_PAIR_VERBS,
};
