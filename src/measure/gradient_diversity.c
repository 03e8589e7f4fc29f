/* Gradient diversity: sum |g_i|^2 / |sum g_i|^2, and the batch-size bound B_S = n times it. [D] definitions 4, 5. */
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
     "weight of the past in the running means of M^2 and G, which are divided afterwards"},
    GLS_FROM_OPTION(options),
    {.key = NULL},
};

static gls_status create(gls_measure *m) {
    gls_diversity *running = m->self;
    const options *o = m->options;
    running->smoothing = o->smoothing;
    if (o->from) m->needs |= GLS_MEASURE_NORMS;
    return GLS_OK;
}

static gls_status report_running(const gls_diversity *running, int64_t n, gls_measure_result *out) {
    double diversity, bound, low, high;
    gls_diversity_read(running, n, &diversity, &bound, &low, &high);
    GLS_TRY(gls_measure_result_estimate(out, "smoothed_batch_size_bound", "examples", bound, low, high));
    return gls_measure_result_number(out, "smoothed_over", "measurements", running->updates);
}

static gls_status on_sample(gls_measure *m, gls_sample *s, gls_measure_result *out) {
    gls_moments moments;
    gls_diversity *running = m->self;
    out->sample = s->count;
    out->population = s->population;
    GLS_TRY(gls_moments_sample(s, s->in->w, &moments));
    gls_diversity_update_moments(running, s->count, moments.m2, moments.g);
    GLS_TRY(gls_moments_report(&moments, s->population, out));
    return report_running(running, s->population, out);
}

/* The step's own mini-batch, smoothed over the steps: alone it says at most its own size. */
static gls_status on_step(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    gls_diversity *running = m->self;
    int64_t n = in->index ? in->examples : gls_source_info(in->source)->examples;
    gls_diversity_update(running, in->step_examples, 1, in->step_second_moment, in->step_norm2, n);
    double diversity, bound, low, high;
    out->sample = in->step_examples;
    out->population = n;
    if (!gls_diversity_read(running, n, &diversity, &bound, &low, &high)) {
        GLS_TRY(gls_measure_result_meaningless(out,
                                               "the smoothed |mean gradient|^2 is not positive yet: more steps, or "
                                               "more smoothing"));
    }
    GLS_TRY(gls_measure_result_estimate(out, "gradient_diversity", "", diversity, low / (double)n, high / (double)n));
    GLS_TRY(gls_measure_result_headline(out, "gradient_diversity"));
    GLS_TRY(gls_measure_result_estimate(out, "batch_size_bound", "examples", bound, low, high));
    GLS_TRY(gls_measure_result_headline(out, "batch_size_bound"));
    GLS_TRY(gls_measure_result_number(out, "second_moment", "gradient^2", running->m2));
    GLS_TRY(gls_measure_result_number(out, "mean_gradient_norm2", "gradient^2", running->g));
    return gls_measure_result_number(out, "smoothed_over", "measurements", running->updates);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    if (o->from) return on_step(m, in, out);
    gls_status status = gls_sample_create(in, "measure.gradient_diversity", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(m, &s, out);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    gls_moments moments;
    GLS_TRY(gls_moments_of_matrix(m->ctx, matrix, &moments));
    return gls_moments_report(&moments, matrix->sample ? 0 : matrix->n, out);
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

const gls_measure_type gls_measure_gradient_diversity = {
    .member = {"gradient_diversity", "how many examples a mini-batch may have before they stop paying off",
               "[D] definitions 4 and 5", table, sizeof(options)},
    .self_size = sizeof(gls_diversity),
    .cost = cost,
    .create = create,
    .problem = on_problem,
    .matrix = on_matrix,
    .arrays = arrays,
};
