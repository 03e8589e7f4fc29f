/* The noise scale tr(Sigma) / |grad F|^2 = B_S - 1: gradient diversity under its other name, never a second witness. */
#include "measure/members.h"

#include "measure/moments.h"

typedef struct options {
    gls_sample_options sample;
} options;

static const gls_option table[] = {GLS_SAMPLE_OPTIONS(options, "2048", "train"), {.key = NULL}};

static gls_status report(const gls_moments *moments, gls_measure_result *out) {
    double bound;
    gls_interval interval;
    gls_moments_bound(moments, &bound, &interval);
    if (bound != bound) GLS_TRY(gls_measure_result_meaningless(out, "%s", gls_moments_trouble(moments)));
    GLS_TRY(
        gls_measure_result_estimate(out, "noise_scale", "examples", bound - 1, interval.low - 1, interval.high - 1));
    GLS_TRY(gls_measure_result_headline(out, "noise_scale"));
    GLS_TRY(gls_measure_result_number(out, "noise_trace", "gradient^2", moments->m2 - moments->g));
    return gls_measure_result_note(out,
                                   "the batch-size bound less one, from the same quantities: not a second witness");
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_moments moments;
    /* The same examples as gradient_diversity's, so that the two agree. */
    gls_status status = gls_sample_create(in, "measure.gradient_diversity", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = gls_moments_sample(&s, in->w, &moments);
    gls_sample_destroy(&s);
    return status == GLS_OK ? report(&moments, out) : status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    gls_moments moments;
    GLS_TRY(gls_moments_of_matrix(m->ctx, matrix, &moments));
    return report(&moments, out);
}

const gls_measure_type gls_measure_noise_scale = {
    .member = {"noise_scale", "trace of the gradient noise's covariance over the squared gradient norm",
               "[D] definition 5 under its other name", table, sizeof(options)},
    .every = "100s",
    .problem = on_problem,
    .matrix = on_matrix,
};
