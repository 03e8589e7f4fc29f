/* The mean over a run of phi(w_t) - phi(w_t - lr g), phi the loss on a fixed sample and g the gradient of a fresh
 * mini-batch that the run does not use: under an invariant measure it goes to zero like 1 / sqrt(n). [T] 6.4 */
#include <glissade/measure.h>

#include "measure/sample.h"
#include "measure/statistics.h"

#include <math.h>

typedef struct options {
    gls_sample_options sample;
    int64_t batch;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "2048", "train"),
    GLS_INT("batch", options, batch, "0", 0, 1e9, "examples of the fresh mini-batch; 0: the run's"),
    {0},
};

typedef struct defect {
    double count, mean, squares; /* running mean and sum of squared deviations */
} defect;

static gls_status one_change(gls_sample *fixed, gls_sample *fresh, int64_t *index, int64_t batch, gls_real *g,
                             double *change) {
    const gls_measure_input *in = fixed->in;
    int64_t d = gls_problem_size(in->problem);
    double before, after;
    GLS_TRY(gls_sample_batch(fresh, batch, index));
    GLS_TRY(gls_sample_mean(fresh, index, batch, gls_sample_draw(in, 1), in->w, g, NULL, NULL));
    for (int64_t i = 0; i < d; i++) g[i] = (gls_real)((double)in->w[i] - in->lr * (double)g[i]);
    GLS_TRY(gls_sample_mean(fixed, fixed->index, fixed->count, 1, in->w, NULL, &before, NULL));
    GLS_TRY(gls_sample_mean(fixed, fixed->index, fixed->count, 1, g, NULL, &after, NULL));
    *change = before - after;
    return GLS_OK;
}

static gls_status report(const defect *a, double change, gls_measure_result *out) {
    double error = a->count > 1 ? sqrt(a->squares / (a->count - 1) / a->count) : NAN;
    double reach = a->count > 1 ? gls_stat_t975(a->count - 1) * error : NAN;
    GLS_TRY(gls_measure_result_estimate(out, "invariance_defect", "loss", a->mean, a->mean - reach, a->mean + reach));
    GLS_TRY(gls_measure_result_headline(out, "invariance_defect"));
    GLS_TRY(gls_measure_result_number(out, "change", "loss", change));
    GLS_TRY(gls_measure_result_number(out, "changes", "count", a->count));
    return gls_measure_result_number(out, "scaled_defect", "loss", fabs(a->mean) * sqrt(a->count));
}

/* The fixed sample has draw 0, so it is the same at every step; the fresh mini-batch's draw is the step. The mean and
 * its squares are kept as Welford's recurrences. */
static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    defect *a = m->self;
    gls_sample fixed = {0}, fresh = {0};
    double change = NAN;
    int64_t batch = o->batch > 0 ? o->batch : in->batch > 0 ? in->batch : 128;
    gls_status status =
        gls_sample_create(in, "measure.invariance_defect", 0, o->sample.sample, (gls_mode)o->sample.mode, &fixed);
    if (status == GLS_OK) {
        status =
            gls_sample_create(in, "measure.invariance_batch", (uint64_t)in->step, -1, (gls_mode)o->sample.mode, &fresh);
    }
    if (batch > fresh.count) batch = fresh.count;
    int64_t *index = gls_alloc(m->ctx, batch, sizeof *index);
    gls_real *g = gls_alloc(m->ctx, gls_problem_size(in->problem), sizeof *g);
    if (status == GLS_OK && !(index && g)) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = one_change(&fixed, &fresh, index, batch, g, &change);
    out->sample = fixed.count;
    out->population = fixed.population;
    gls_free(m->ctx, index);
    gls_free(m->ctx, g);
    gls_sample_destroy(&fixed);
    gls_sample_destroy(&fresh);
    GLS_TRY(status);
    if (isfinite(change)) {
        a->count += 1;
        double off = change - a->mean;
        a->mean += off / a->count;
        a->squares += off * (change - a->mean);
    }
    return report(a, change, out);
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_arrays_add_state(m->ctx, list, prefix, "defect", GLS_F64, sizeof(defect) / sizeof(double), m->self);
}

/* Two passes of losses, a third each, and a mini-batch's gradient. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return 0.7 * gls_sample_size(o->sample.sample, examples) + gls_sample_batch_or(o->batch, batch);
}

const gls_measure_type gls_measure_invariance_defect = {
    .member = {"invariance_defect", "whether the iterates' distribution has stopped changing the loss", "[T] 6.4",
               table, sizeof(options)},
    .self_size = sizeof(defect),
    .needs = GLS_MEASURE_LR,
    .cost = cost,
    .problem = on_problem,
    .arrays = arrays,
};
