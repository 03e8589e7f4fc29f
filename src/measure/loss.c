/* The objective on the whole set or a sample. [T] (6.2) */
#include <glissade/measure.h>

#include "measure/sample.h"
#include "measure/statistics.h"

#include <math.h>

typedef struct options {
    gls_sample_options sample;
} options;

static const gls_option table[] = {GLS_SAMPLE_OPTIONS(options, "8192", "evaluate"), {0}};

/* The interval of a mean over a sample drawn without replacement, for examples of like mass. */
static gls_status report_sample(gls_sample *s, double *losses, gls_measure_result *out) {
    gls_sample_figures figures = {.loss = losses};
    GLS_TRY(gls_sample_rows(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, NULL, &figures));
    double n = (double)s->count, mean = gls_stat_mean(losses, s->count), square = 0;
    for (int64_t i = 0; i < s->count; i++) square += (losses[i] - mean) * (losses[i] - mean);
    double left = fmax(0, 1 - n / (double)s->population), scale = n / figures.mass;
    double reach = s->count > 1 ? gls_stat_t975(n - 1) * sqrt(square / (n - 1) / n * left) * scale : NAN;
    double loss = mean * scale;
    return gls_measure_result_estimate(out, "loss", "loss", loss, loss - reach, loss + reach);
}

static gls_status on_sample(gls_sample *s, gls_measure_result *out) {
    out->sample = s->count;
    out->population = s->population;
    double loss;
    bool coupled = s->mode == GLS_MODE_TRAIN && s->in->problem->coupling != GLS_COUPLING_NONE;
    if (s->whole || coupled) {
        GLS_TRY(gls_sample_mean(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, NULL, &loss, NULL));
        GLS_TRY(gls_measure_result_number(out, "loss", "loss", loss));
    } else {
        double *losses = gls_alloc(s->ctx, s->count, sizeof *losses);
        gls_status status = losses ? report_sample(s, losses, out) : GLS_ERR_MEMORY;
        gls_free(s->ctx, losses);
        GLS_TRY(status);
    }
    GLS_TRY(gls_measure_result_headline(out, "loss"));
    if (!(s->in->decay > 0)) return GLS_OK;
    loss = gls_measure_result_get(out, "loss") + s->in->decay;
    GLS_TRY(gls_measure_result_number(out, "decayed_loss", "loss", loss));
    return gls_measure_result_headline(out, "decayed_loss");
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_status status =
        gls_sample_create(in, "measure.loss", (uint64_t)in->step, o->sample.sample, (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(&s, out);
    gls_sample_destroy(&s);
    return status;
}

/* A forward pass is a third of a gradient. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return gls_sample_size(o->sample.sample, examples) / 3;
}

const gls_measure_type gls_measure_loss = {
    .member = {"loss", "the objective, its own l2 term included", "[T] (6.2)", table, sizeof(options)},
    .cost = cost,
    .least_sample = 1024,
    .problem = on_problem,
};
