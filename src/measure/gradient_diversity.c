/* Gradient diversity: sum |g_i|^2 / |sum g_i|^2, and the batch-size bound B_S = n times it. [D] definitions 4, 5. */
#include "measure/members.h"

#include "measure/moments.h"

#include <stdio.h>

typedef struct options {
    gls_sample_options sample;
    double smoothing;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "2048", "train"),
    {"smoothing", GLS_OPTION_REAL, offsetof(options, smoothing), "0.9", 0, 1, 0, NULL,
     "weight of the past in the running means of M^2 and G, which are divided afterwards"},
    {.key = NULL},
};

static gls_status create(gls_measure *m) {
    gls_diversity *running = m->self;
    running->smoothing = ((const options *)m->options)->smoothing;
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

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
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

const gls_measure_type gls_measure_gradient_diversity = {
    .member = {"gradient_diversity", "how many examples a mini-batch may have before they stop paying off",
               "[D] definitions 4 and 5", table, sizeof(options)},
    .self_size = sizeof(gls_diversity),
    .every = "100s",
    .create = create,
    .problem = on_problem,
    .matrix = on_matrix,
    .arrays = arrays,
};
