/* The noise scale tr(Sigma) / |grad F|^2 = B_S - 1: gradient diversity under its other name, never a second witness. */
#include <glissade/measure.h>

#include "measure/moments.h"

#include <stdio.h>

typedef struct options {
    gls_sample_options sample;
    double smoothing;
    int from;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "2048", "train"),
    {"smoothing", GLS_OPTION_REAL, offsetof(options, smoothing), "0.9", 0, 1, 0, NULL,
     "from the step: weight of the past in the running means, which are divided afterwards"},
    GLS_FROM_OPTION(options),
    {.key = NULL},
};

static const char same[] = "the batch-size bound less one, from the same quantities: not a second witness";

static gls_status create(gls_measure *m) {
    gls_diversity *running = m->self;
    const options *o = m->options;
    running->smoothing = o->smoothing;
    if (o->from) m->needs |= GLS_MEASURE_NORMS;
    return GLS_OK;
}

static gls_status report(const gls_moments *moments, gls_measure_result *out) {
    double bound;
    gls_interval interval;
    gls_moments_bound(moments, &bound, &interval);
    if (bound != bound) GLS_TRY(gls_measure_result_meaningless(out, "%s", gls_moments_trouble(moments)));
    GLS_TRY(
        gls_measure_result_estimate(out, "noise_scale", "examples", bound - 1, interval.low - 1, interval.high - 1));
    GLS_TRY(gls_measure_result_headline(out, "noise_scale"));
    GLS_TRY(gls_measure_result_number(out, "noise_trace", "gradient^2", moments->m2 - moments->g));
    return gls_measure_result_note(out, "%s", same);
}

/* The step's own mini-batch, smoothed over the steps. */
static gls_status on_step(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    gls_diversity *running = m->self;
    int64_t n = in->index ? in->examples : gls_source_info(in->source)->examples;
    double diversity, bound, low, high;
    gls_diversity_update(running, in->step_examples, 1, in->step_second_moment, in->step_norm2, n);
    out->sample = in->step_examples;
    out->population = n;
    if (!gls_diversity_read(running, n, &diversity, &bound, &low, &high))
        GLS_TRY(gls_measure_result_meaningless(out, "the smoothed |mean gradient|^2 is not positive yet: more steps, "
                                                    "or more smoothing"));
    GLS_TRY(gls_measure_result_estimate(out, "noise_scale", "examples", bound - 1, low - 1, high - 1));
    GLS_TRY(gls_measure_result_headline(out, "noise_scale"));
    GLS_TRY(gls_measure_result_number(out, "noise_trace", "gradient^2", running->m2 - running->g));
    return gls_measure_result_note(out, "%s", same);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_moments moments;
    if (o->from) return on_step(m, in, out);
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

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    char name[160];
    snprintf(name, sizeof name, "%srunning", prefix);
    return gls_arrays_add_vector(m->ctx, list, name, GLS_F64, sizeof(gls_diversity) / sizeof(double), m->self);
}

static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return o->from ? 0 : 2.6 * gls_sample_size(o->sample.sample, examples);
}

const gls_measure_type gls_measure_noise_scale = {
    .member = {"noise_scale", "trace of the gradient noise's covariance over the squared gradient norm",
               "[D] definition 5 under its other name", table, sizeof(options)},
    .self_size = sizeof(gls_diversity),
    .cost = cost,
    .create = create,
    .problem = on_problem,
    .matrix = on_matrix,
    .arrays = arrays,
};
