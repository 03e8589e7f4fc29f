/* The figures of a step (train.log_every): loss, rate, norms, and what estimator and method add, for all who take
 * figures. */
#include "run/observer/table.h"

static gls_status step(void *user, gls_run *run, unsigned why) {
    (void)user, (void)why;
    gls_record *record = &run->training->record;
    gls_method_record(run->training->method, record);
    for (int i = 0; i < record->count; i++) gls_run_trace(run, record->name[i], record->value[i]);
    return GLS_OK;
}

gls_status gls_observe_figures(gls_run *run) {
    return gls_run_observe(run,
                           &(gls_observer){.name = "figures", .every = run->training->train->log_every, .step = step});
}
