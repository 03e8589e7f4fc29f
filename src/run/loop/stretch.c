/* A schedule that ends with the run goes otherwise in a run of another length. A resumed run whose rates so far would
 * have been others is neither the one run nor the other, so that has to be asked for. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "run/loop/run.h"

/* The steps that the configuration saved in the folder plans. */
static gls_status planned_before(gls_run *run, const gls_value *old, double *steps_per_epoch, double *total_steps) {
    gls_options *options = NULL;
    GLS_TRY(gls_config_section_options(run->ctx, old, "train", gls_config_train_table, sizeof(gls_config_train), NULL,
                                       &options));
    gls_training then = *run->training;
    then.train = gls_options_struct(options);
    then.epochs = gls_training_length(then.train);
    gls_status status = gls_batches_plan(&then, steps_per_epoch, total_steps);
    gls_options_destroy(options);
    return status;
}

gls_status gls_stretch_plan(gls_run *run, const gls_value *old) {
    double steps_per_epoch;
    return planned_before(run, old, &steps_per_epoch, &run->planned);
}

/* The rate of the step at the clock in runs of the former and the present length. */
static gls_status rates_at(gls_run *run, double step, double epoch, double rate[2]) {
    const gls_training *now = run->training;
    for (int k = 0; k < 2; k++) {
        gls_training t = *now;
        gls_method *method = NULL;
        t.total_steps = k ? now->total_steps : run->planned;
        GLS_TRY(gls_training_make_method(&t, &method));
        gls_status status = gls_method_rate(method, (gls_clock){.step = step, .epoch = epoch}, &rate[k]);
        gls_method_destroy(method);
        GLS_TRY(status);
    }
    return GLS_OK;
}

/* At the next step, or where that is the same at the last one, whose rate the run has had. */
static gls_status find(gls_run *run, double rate[2]) {
    double steps = (double)gls_method_steps(run->training->method);
    GLS_TRY(rates_at(run, steps, run->training->epoch, rate));
    return rate[0] == rate[1] ? rates_at(run, steps - 1, run->training->epoch_before, rate) : GLS_OK;
}

static gls_status tell(gls_run *run, const double rate[2]) {
    char before[32], after[32];
    snprintf(before, sizeof before, "%.9g", rate[0]);
    snprintf(after, sizeof after, "%.9g", rate[1]);
    gls_log(run->ctx, GLS_LOG_WARNING,
            "the schedule is stretched from %.9g to %.9g steps: the rate at step %lld was %s and is %s", run->planned,
            run->training->total_steps, (long long)run->training->counters.steps, before, after);
    return gls_changes_note(run, "method.lr", before, after);
}

gls_status gls_stretch_check(gls_run *run) {
    double rate[2], total = run->training->total_steps;
    if (run->planned == total || !run->training->counters.steps) return GLS_OK;
    GLS_TRY(find(run, rate));
    if (rate[0] == rate[1]) return GLS_OK;
    if (run->options.stretch) return tell(run, rate);
    return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                    "%s: the run was planned for %.9g steps and would now have %.9g, which stretches its schedule: at "
                    "step %lld the rate was %.6g and would be %.6g, so it would be neither the one run nor the other; "
                    "say so with --stretch, or begin another with --from %s",
                    run->folder, run->planned, total, (long long)run->training->counters.steps, rate[0], rate[1],
                    run->folder);
}
