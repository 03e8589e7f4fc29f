/* The verbs of gradient_diversity and noise_scale. */
#include "measure/pair.h"

#include <math.h>

gls_status gls_pair_create(gls_measure *m, const gls_pair_words *words) {
    const gls_pair_options *o = m->options;
    gls_pair *pair = m->self;
    pair->words = words;
    pair->running.smoothing = o->smoothing;
    if (o->from) m->needs |= GLS_MEASURE_NORMS;
    return GLS_OK;
}

/* A bound that is not told from infinity is not the smallest. */
static void keep_least(gls_pair_least *least, double bound, int64_t step) {
    if (!isfinite(bound) || (least->looks > 0 && bound >= least->bound)) return;
    *least = (gls_pair_least){.looks = 1, .bound = bound, .step = (double)step};
}

/* False as long as the running means say nothing. */
static bool read(const gls_pair *pair, int64_t population, gls_pair_reading *to) {
    const gls_pair_least *least = &pair->least;
    *to = (gls_pair_reading){.running = &pair->running,
                             .population = population,
                             .least = least->looks > 0 ? least->bound : NAN,
                             .least_step = least->looks > 0 ? least->step : NAN};
    return gls_diversity_read(&pair->running, population, &to->diversity, &to->bound, &to->low, &to->high);
}

void gls_pair_take(gls_pair *pair, int64_t count, int64_t size, double group_norm2, double mean_norm2,
                   int64_t population, int64_t step) {
    gls_pair_reading reading;
    gls_diversity_update(&pair->running, count, size, group_norm2, mean_norm2, population);
    read(pair, population, &reading);
    keep_least(&pair->least, reading.bound, step);
}

gls_status gls_pair_report(const gls_pair *pair, const gls_pair_words *words, int64_t population,
                           gls_measure_result *out) {
    gls_pair_reading reading;
    if (!read(pair, population, &reading))
        GLS_TRY(gls_measure_result_meaningless(out, "the smoothed |mean gradient|^2 is not positive yet: more steps, "
                                                    "or more smoothing"));
    return words->step(&reading, out);
}

/* The step's own mini-batch, smoothed over the steps: alone it says at most its own size. */
static gls_status on_step(gls_pair *pair, const gls_measure_input *in, gls_measure_result *out) {
    int64_t n = in->index ? in->examples : gls_source_info(in->source)->examples;
    gls_pair_take(pair, in->step_examples, 1, in->step_second_moment, in->step_norm2, n, in->step);
    out->sample = in->step_examples;
    out->population = n;
    return gls_pair_report(pair, pair->words, n, out);
}

static gls_status on_sample(gls_pair *pair, gls_sample *s, gls_measure_result *out) {
    gls_moments moments;
    gls_pair_reading reading;
    out->sample = s->count;
    out->population = s->population;
    GLS_TRY(gls_moments_sample(s, s->in->w, &moments));
    GLS_TRY(pair->words->sample(&moments, s->population, out));
    if (!pair->words->smoothed) return GLS_OK;
    double bound;
    gls_interval interval;
    gls_moments_bound(&moments, &bound, &interval);
    keep_least(&pair->least, bound, s->in->step);
    gls_diversity_update_moments(&pair->running, s->count, moments.m2, moments.g);
    read(pair, s->population, &reading);
    return pair->words->smoothed(&reading, out);
}

gls_status gls_pair_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const gls_pair_options *o = m->options;
    gls_sample s;
    if (o->from) return on_step(m->self, in, out);
    /* Both draw under one name: the same examples, so that the two agree. */
    gls_status status = gls_sample_create(in, "measure.gradient_diversity", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(m->self, &s, out);
    gls_sample_destroy(&s);
    return status;
}

gls_status gls_pair_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    const gls_pair *pair = m->self;
    gls_moments moments;
    GLS_TRY(gls_moments_of_matrix(m->ctx, matrix, &moments));
    return pair->words->sample(&moments, matrix->sample ? 0 : matrix->n, out);
}

gls_status gls_pair_arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    gls_pair *pair = m->self;
    GLS_TRY(gls_arrays_add_state(m->ctx, list, prefix, "running", GLS_F64, sizeof pair->running / sizeof(double),
                                 &pair->running));
    GLS_TRY(gls_arrays_add_state(m->ctx, list, prefix, "least", GLS_F64, sizeof pair->least / sizeof(double),
                                 &pair->least));
    gls_arrays_optional(list); /* checkpoints of former versions have none */
    return GLS_OK;
}

double gls_pair_cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const gls_pair_options *o = m->options;
    static const double each = 2.6; /* a pass with norms and one with inner products, 1.3 each */
    return o->from ? 0 : each * gls_sample_size(o->sample.sample, examples);
}
