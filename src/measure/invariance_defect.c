/* The mean over a run of phi(w_t) - phi(F(w_t)), phi the loss on a fixed sample and F the step that the run's method
 * would take from its own state on a fresh mini-batch, which the run does not use: under an invariant measure it goes
 * to zero like 1 / sqrt(n). [T] 6.4 */
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

enum { BLOCKS = 64 };

/* Consecutive changes are not independent: they are kept as means over blocks, all of one length, which doubles when
 * the room is full. The interval is that of the blocks' means. Plain doubles, saved as they are. */
typedef struct defect {
    double count, sum;
    double length, blocks, filled; /* changes a block; whole blocks; changes in the one after them */
    double block[BLOCKS + 1];      /* sums */
} defect;

static void add(defect *a, double change) {
    if (a->length < 1) a->length = 1;
    a->count += 1;
    a->sum += change;
    int64_t last = (int64_t)a->blocks;
    a->block[last] = a->filled > 0 ? a->block[last] + change : change;
    a->filled += 1;
    if (a->filled < a->length) return;
    a->filled = 0;
    a->blocks += 1;
    if (a->blocks < BLOCKS) return;
    for (int i = 0; i < BLOCKS / 2; i++) a->block[i] = a->block[2 * i] + a->block[2 * i + 1];
    a->blocks = BLOCKS / 2;
    a->length *= 2;
}

/* Half the width of the mean's 95% interval. */
static double reach_of(const defect *a) {
    double mean = 0, squares = 0, n = a->blocks;
    if (n < 2) return NAN;
    for (int64_t i = 0; i < (int64_t)n; i++) mean += a->block[i] / a->length / n;
    for (int64_t i = 0; i < (int64_t)n; i++) squares += pow(a->block[i] / a->length - mean, 2);
    return gls_stat_t975(n - 1) * sqrt(squares / (n - 1) / n);
}

/* Where there is no method to try: the step of plain SGD. */
static gls_status plain_step(gls_sample *fresh, const int64_t *index, int64_t batch, gls_real *next) {
    const gls_measure_input *in = fresh->in;
    int64_t d = gls_problem_size(in->problem);
    GLS_TRY(gls_sample_mean(fresh, index, batch, gls_sample_draw(in, 1), in->w, next, NULL, NULL));
    for (int64_t i = 0; i < d; i++) next[i] = (gls_real)((double)in->w[i] - in->lr * (double)next[i]);
    return GLS_OK;
}

static gls_status one_change(gls_sample *fixed, gls_sample *fresh, int64_t *index, int64_t batch, gls_real *next,
                             double *change) {
    const gls_measure_input *in = fixed->in;
    double before, after;
    GLS_TRY(gls_sample_batch(fresh, batch, index));
    GLS_TRY(in->trial ? in->trial(in->trial_user, index, batch, gls_sample_draw(in, 1), next)
                      : plain_step(fresh, index, batch, next));
    GLS_TRY(gls_sample_mean(fixed, fixed->index, fixed->count, 1, in->w, NULL, &before, NULL));
    GLS_TRY(gls_sample_mean(fixed, fixed->index, fixed->count, 1, next, NULL, &after, NULL));
    *change = before - after;
    return GLS_OK;
}

static gls_status report(const defect *a, double change, gls_measure_result *out) {
    double mean = a->count > 0 ? a->sum / a->count : NAN, reach = reach_of(a);
    GLS_TRY(gls_measure_result_estimate(out, "invariance_defect", "loss", mean, mean - reach, mean + reach));
    GLS_TRY(gls_measure_result_headline(out, "invariance_defect"));
    GLS_TRY(gls_measure_result_number(out, "change", "loss", change));
    GLS_TRY(gls_measure_result_number(out, "changes", "count", a->count));
    return gls_measure_result_number(out, "scaled_defect", "loss", fabs(mean) * sqrt(a->count));
}

/* The fixed sample has draw 0, so it is the same at every step; the fresh mini-batch's draw is the step. */
static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
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
    gls_real *next = gls_alloc(m->ctx, gls_problem_size(in->problem), sizeof *next);
    if (status == GLS_OK && !(index && next)) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = one_change(&fixed, &fresh, index, batch, next, &change);
    out->sample = fixed.count;
    out->population = fixed.population;
    gls_free(m->ctx, index);
    gls_free(m->ctx, next);
    gls_sample_destroy(&fixed);
    gls_sample_destroy(&fresh);
    GLS_TRY(status);
    if (isfinite(change)) add(m->self, change);
    return report(m->self, change, out);
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    GLS_TRY(gls_arrays_add_state(m->ctx, list, prefix, "changes", GLS_F64, sizeof(defect) / sizeof(double), m->self));
    gls_arrays_optional(list); /* checkpoints of former versions had a mean of plain SGD's changes: begun anew */
    return GLS_OK;
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
    .least_sample = 512,
    .problem = on_problem,
    .arrays = arrays,
};
