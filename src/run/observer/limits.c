/* Ends a run after train.steps or train.epochs, whichever comes first. */
#include "run/observer/table.h"

static gls_status before(void *user, gls_run *run) {
    (void)user;
    const gls_training *t = run->training;
    if (t->train->steps && t->counters.steps >= t->train->steps)
        gls_run_stop(run, GLS_STOP_STEPS);
    else if (gls_training_epochs_done(t))
        gls_run_stop(run, GLS_STOP_EPOCHS);
    return GLS_OK;
}

gls_status gls_observe_limits(gls_run *run) {
    return gls_run_observe(run, &(gls_observer){.name = "limits", .before = before});
}
