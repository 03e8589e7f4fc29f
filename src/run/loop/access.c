/* Read access to the parts of a run, for observers and for a caller's own loop. */
#include <math.h>

#include "run/loop/run.h"

gls_context *gls_run_context(const gls_run *run) {
    if (!run) return NULL;
    return run->ctx;
}
const char *gls_run_folder(const gls_run *run) {
    if (!run) return NULL;
    return run->folder;
}
gls_problem *gls_run_problem(const gls_run *run) {
    if (!run) return NULL;
    return run->training->problem;
}
gls_pass *gls_run_pass(const gls_run *run) {
    if (!run) return NULL;
    return run->training->pass;
}
gls_method *gls_run_method(const gls_run *run) {
    if (!run) return NULL;
    return run->training->method;
}
gls_estimator *gls_run_estimator(const gls_run *run) {
    if (!run) return NULL;
    return run->training->estimator;
}
const gls_source *gls_run_train_set(const gls_run *run) {
    if (!run) return NULL;
    return run->training->set.train;
}
const gls_source *gls_run_validation_set(const gls_run *run) {
    if (!run) return NULL;
    return run->training->set.validation;
}
const gls_source *gls_run_test_set(const gls_run *run) {
    if (!run) return NULL;
    return run->training->set.test;
}
const gls_real *gls_run_weights(const gls_run *run) {
    if (!run) return NULL;
    return run->training->w;
}
const gls_real *gls_run_output(const gls_run *run) {
    if (!run) return NULL;
    return gls_training_output(run->training);
}
const gls_record *gls_run_record(const gls_run *run) {
    if (!run) return NULL;
    return &run->training->record;
}
int64_t gls_run_steps(const gls_run *run) {
    if (!run) return 0;
    return run->training->counters.steps;
}
double gls_run_epoch(const gls_run *run) {
    if (!run) return NAN;
    return run->training->epoch;
}
bool gls_run_due(const gls_run *run, gls_length every) {
    if (!run) return false;
    return gls_training_due(run->training, every);
}
gls_status gls_run_loader(gls_run *run, const gls_source *source, gls_loader **out) {
    GLS_GIVEN(NULL, run, source, out);
    return gls_training_loader(run->training, source, out);
}
gls_status gls_run_measure_input(gls_run *run, gls_measure_input *in) {
    GLS_GIVEN(NULL, run, in);
    return gls_training_measure_input(run->training, in);
}
gls_status gls_run_keep_previous(gls_run *run) {
    GLS_GIVEN(NULL, run);
    return gls_training_keep_previous(run->training, (gls_length){0});
}
