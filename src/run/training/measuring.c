/* Fills a measure's input from a training: the present point, and the last step of this session if there was one. */
#include <math.h>

#include "estimator/estimator.h"
#include "run/training/training.h"

static gls_status make_pass(gls_training *t) {
    gls_pass_options options = {.size = sizeof options, .span = t->train->bn_span};
    /* What couples a mini-batch in training couples as many examples here, not the whole sample. */
    if (!options.span && t->problem->coupling == GLS_COUPLING_BATCH && t->train->batch > 0)
        options.span = t->train->batch;
    return t->measure_pass ? GLS_OK : gls_pass_create(t->problem, &options, &t->measure_pass);
}

gls_status gls_training_keep_previous(gls_training *t, gls_length every) {
    if (!t->previous) t->previous = gls_alloc(t->ctx, gls_problem_size(t->problem), sizeof *t->previous);
    int64_t *grown = gls_resize(t->ctx, t->previous_every, t->previous_count + 1, sizeof *grown);
    if (grown) t->previous_every = grown;
    if (!t->previous || !grown) return GLS_ERR_MEMORY;
    grown[t->previous_count++] = every.steps ? (int64_t)every.amount : 0;
    return GLS_OK;
}

/* A copy of w costs as much as a light method's step: none that nobody looks at. */
bool gls_training_wants_previous(const gls_training *t) {
    int64_t step = t->counters.steps + 1;
    for (int64_t i = 0; i < t->previous_count; i++)
        if (t->previous_every[i] < 1 || step % t->previous_every[i] == 0) return true;
    return false;
}

/* The trial's own method and estimator are made when a measure first asks. */
static gls_status try_step(void *user, const int64_t *index, int64_t count, uint64_t draw, gls_real *next) {
    gls_training *t = user;
    if (!t->trial) GLS_TRY(gls_trial_create(t, &t->trial));
    return gls_trial_step(t->trial, index, count, draw, next);
}

/* What belongs to a step is left out before the first one of a session, resumed ones included: only w is known then. */
gls_status gls_training_measure_input(gls_training *t, gls_measure_input *in) {
    GLS_TRY(make_pass(t));
    int64_t examples = t->set.train->info.examples;
    *in = (gls_measure_input){.size = sizeof *in,
                              .problem = t->problem,
                              .pass = t->measure_pass,
                              .source = t->set.train,
                              .examples = examples,
                              .w = t->w,
                              .lr = NAN,
                              .batch = t->train->batch < 0 ? examples : t->train->batch,
                              .step = t->counters.steps,
                              .seed = (uint64_t)t->train->seed,
                              .loss = NAN,
                              .gradient_norm = NAN,
                              .decay = gls_method_decay(t->method, t->w),
                              .exchanged = -1,
                              .trial = try_step,
                              .trial_user = t,
                              .test_source = t->set.test};
    if (t->ledger.examples) in->ledger = &t->ledger;
    if (!t->stepped) return GLS_OK;
    in->w_previous = t->previous_kept ? t->previous : NULL;
    in->g = t->previous_kept ? t->g : NULL;
    in->lr = gls_record_get(&t->record, "lr");
    in->loss = t->estimate.loss;
    in->gradient_norm = sqrt(t->estimate.norm2);
    in->batch = t->estimate.rows;
    in->step_second_moment = gls_record_get(&t->record, "second_moment");
    if (gls_estimator_is_mean(t->estimator) && isfinite(in->step_second_moment)) {
        in->step_examples = t->estimate.rows;
        in->step_norm2 = t->estimate.norm2;
    }
    return GLS_OK;
}
