/* Time and interruption. Each rank sees them at its own moment; a reduction before each step makes all ranks end at the
 * same one. */
#include "run/observer/table.h"

enum { GOES_ON, OUT_OF_TIME, INTERRUPTED };

static gls_status before(void *user, gls_run *run) {
    (void)user;
    double limit = run->training->train->time;
    bool over = limit > 0 && gls_run_seconds(run) + gls_pace_reserve(run, limit) >= limit;
    int64_t why = gls_interrupted(run->ctx) ? INTERRUPTED : over ? OUT_OF_TIME : GOES_ON;
    if (run->ranks > 1) GLS_TRY(gls_comm_reduce_int64(run->ctx, GLS_MAX, &why, 1, GLS_OK));
    if (why != GOES_ON) gls_run_stop(run, why == INTERRUPTED ? GLS_STOP_INTERRUPTED : GLS_STOP_TIME);
    return GLS_OK;
}

gls_status gls_observe_clock(gls_run *run) {
    return gls_run_observe(run, &(gls_observer){.name = "clock", .before = before});
}
