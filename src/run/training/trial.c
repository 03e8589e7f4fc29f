/* A step of the run's method from where it is, on examples that the run does not use: by a method and an estimator of
 * its own, which take over the state of the run's before every step. Nothing of the run changes. */
#include <string.h>

#include "base/tensors.h"
#include "estimator/estimator.h"
#include "run/training/training.h"

struct gls_trial {
    gls_training *training;
    gls_method *method;
    gls_estimator *estimator;
    gls_loader *loader;
    gls_real *g;
    gls_estimate estimate;
    gls_record record;
};

/* ---- made once ---- */

static gls_status make_loader(gls_trial *trial) {
    gls_training *t = trial->training;
    int64_t group = gls_estimator_group(trial->estimator), coupled = t->problem->coupling_group;
    gls_loader_options options = {.size = sizeof options,
                                  .wave = t->plan.wave,
                                  .align = coupled > group ? coupled : group,
                                  .seed = (uint64_t)t->train->seed,
                                  .augment = true,
                                  .key_column = gls_estimator_key(trial->estimator)};
    return gls_loader_create(t->ctx, t->set.train, &options, &trial->loader);
}

static gls_status set_up(gls_trial *trial) {
    gls_training *t = trial->training;
    GLS_TRY(gls_training_make_method(t, &trial->method));
    GLS_TRY(gls_training_make_estimator(t, &trial->estimator));
    trial->g = gls_alloc(t->ctx, gls_problem_size(t->problem), sizeof *trial->g);
    return trial->g ? make_loader(trial) : GLS_ERR_MEMORY;
}

gls_status gls_trial_create(gls_training *t, gls_trial **out) {
    *out = NULL;
    gls_trial *trial = gls_alloc(t->ctx, 1, sizeof *trial);
    if (!trial) return GLS_ERR_MEMORY;
    trial->training = t;
    gls_status status = set_up(trial);
    if (status == GLS_OK)
        *out = trial;
    else
        gls_trial_destroy(trial);
    return status;
}

void gls_trial_destroy(gls_trial *trial) {
    if (!trial) return;
    gls_context *ctx = trial->training->ctx;
    gls_loader_destroy(trial->loader);
    gls_estimator_destroy(trial->estimator);
    gls_method_destroy(trial->method);
    gls_free(ctx, trial->g);
    gls_free(ctx, trial);
}

/* ---- the step ---- */

static gls_status list_state(gls_method *method, gls_estimator *estimator, gls_arrays *arrays) {
    GLS_TRY(gls_method_arrays(method, "method/", arrays));
    return gls_estimator_arrays(estimator, "estimator/", arrays);
}

/* Both were made from one configuration: their lists have the same arrays. */
static void copy_arrays(const gls_arrays *from, gls_arrays *to) {
    for (int64_t i = 0; i < from->count; i++) {
        const gls_array *a = &from->item[i];
        int64_t bytes = gls_array_bytes(a);
        if (bytes > 0) memcpy(to->item[i].data, a->data, (size_t)bytes);
    }
}

static gls_status take_over(gls_trial *trial) {
    gls_training *t = trial->training;
    gls_arrays from = {0}, to = {0};
    gls_status status = list_state(t->method, t->estimator, &from);
    if (status == GLS_OK) status = list_state(trial->method, trial->estimator, &to);
    if (status == GLS_OK) copy_arrays(&from, &to);
    gls_arrays_clear(t->ctx, &from);
    gls_arrays_clear(t->ctx, &to);
    return status;
}

static gls_status answer(void *user, const gls_query *query, gls_answer *out, bool *given) {
    gls_trial *trial = user;
    gls_training *t = trial->training;
    gls_stream *rows;
    GLS_TRY(gls_loader_front(trial->loader, &rows));
    gls_record_clear(&trial->record);
    GLS_TRY(gls_training_answer(t, t->measure_pass, trial->estimator, query, rows, trial->g, &trial->estimate,
                                &trial->record));
    *out = (gls_answer){.value = trial->estimate.loss,
                        .g = query->kind == GLS_QUERY_VALUE ? NULL : trial->g,
                        .norm2 = trial->estimate.norm2,
                        .epoch = t->epoch};
    return GLS_OK;
}

gls_status gls_trial_step(gls_trial *trial, const int64_t *index, int64_t count, uint64_t draw, gls_real *next) {
    gls_training *t = trial->training;
    gls_step_report report;
    gls_stepper_end end;
    int64_t d = gls_problem_size(t->problem);
    GLS_TRY(take_over(trial));
    memcpy(next, t->w, (size_t)d * sizeof *next);
    GLS_TRY(gls_loader_push(trial->loader, index, count, draw));
    gls_stepper stepper = {.method = trial->method, .w = next, .size = d, .answer = answer, .user = trial};
    gls_status status = gls_training_step(&stepper, &report, &end);
    gls_loader_pop(trial->loader);
    return status;
}
