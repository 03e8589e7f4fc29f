/* Two runs on sets that differ in one example: sqrt(|w - w'|^2 / (|w|^2 + |w'|^2)), the loss difference on the
 * exchanged example, and the generalisation gap. [D] 5.1, 6.2 */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/sample.h"
#include "measure/series.h"

#include <math.h>

typedef struct options {
    gls_sample_options sample;
} options;

static const gls_option table[] = {GLS_SAMPLE_OPTIONS(options, "all", "evaluate"), {0}};

static gls_status report_exchanged(gls_sample *s, gls_measure_result *out) {
    const gls_measure_input *in = s->in;
    double here, there;
    gls_sample_figures figures = {.loss = &here};
    GLS_TRY(gls_sample_rows(s, &in->exchanged, 1, 1, in->w, NULL, &figures));
    figures.loss = &there;
    GLS_TRY(gls_sample_rows(s, &in->exchanged, 1, 1, in->w_other, NULL, &figures));
    GLS_TRY(gls_measure_result_number(out, "exchanged_loss", "loss", here));
    return gls_measure_result_number(out, "exchanged_loss_difference", "loss", here - there);
}

static gls_status report_gap(gls_sample *s, gls_sample *test, gls_measure_result *out) {
    const gls_measure_input *in = s->in;
    double train, held;
    GLS_TRY(gls_sample_mean(s, s->index, s->count, 1, in->w, NULL, &train, NULL));
    GLS_TRY(gls_measure_result_number(out, "train_loss", "loss", train));
    if (!in->test_source) return GLS_OK;
    GLS_TRY(gls_sample_of_source(in, in->test_source, -1, s->mode, test));
    GLS_TRY(gls_sample_mean(test, test->index, test->count, 1, in->w, NULL, &held, NULL));
    GLS_TRY(gls_measure_result_number(out, "test_loss", "loss", held));
    return gls_measure_result_number(out, "generalisation_gap", "loss", held - train);
}

static gls_status report_series(const gls_series *series, gls_measure_result *out) {
    int64_t n = gls_series_count(series);
    double *x = gls_alloc(out->ctx, 2 * n, sizeof *x);
    if (!x) return GLS_ERR_MEMORY;
    gls_series_copy(series, x, x + n);
    gls_status status = gls_measure_result_array(out, "distance_steps", "steps", n, x);
    if (status == GLS_OK) status = gls_measure_result_array(out, "distances", "", n, x + n);
    gls_free(out->ctx, x);
    return status;
}

/* The distance covers all weights and needs no sample; the losses behind it do. */
static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    int64_t d = gls_problem_size(in->problem);
    double apart = gls_distance_squares(in->w, in->w_other, d);
    double sizes = gls_sum_squares(in->w, d) + gls_sum_squares(in->w_other, d);
    double distance = sizes > 0 ? sqrt(apart / sizes) : 0;
    gls_series_add(m->self, (double)in->step, distance);
    GLS_TRY(gls_measure_result_number(out, "parameter_distance", "", distance));
    GLS_TRY(gls_measure_result_headline(out, "parameter_distance"));
    GLS_TRY(report_series(m->self, out));
    gls_sample s = {0}, test = {0};
    gls_status status =
        gls_sample_create(in, "measure.stability", (uint64_t)in->step, o->sample.sample, (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK && in->exchanged >= 0) status = report_exchanged(&s, out);
    if (status == GLS_OK) status = report_gap(&s, &test, out);
    gls_sample_destroy(&s);
    gls_sample_destroy(&test);
    return status;
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_series_arrays(m->ctx, m->self, prefix, list);
}

const gls_measure_type gls_measure_stability = {
    .member = {"stability", "how far two runs drift apart that differ in one example", "[D] 5.1, 6.2", table,
               sizeof(options)},
    .self_size = sizeof(gls_series),
    .needs = GLS_MEASURE_OTHER,
    .every = "1",
    .problem = on_problem,
    .arrays = arrays,
};
