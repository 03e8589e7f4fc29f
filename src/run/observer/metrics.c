/* metrics.jsonl: every figure of the run, a line each. */
#include "run/observer/lines.h"
#include "run/observer/table.h"

static void figure(void *user, gls_run *run, const char *name, double value) {
    gls_lines *l = user;
    if (l->trace)
        gls_trace_line(l->trace, run->training->counters.steps, run->training->epoch, gls_run_seconds(run), name,
                       value);
}

gls_status gls_observe_metrics(gls_run *run) {
    return gls_lines_observe(run, &(gls_lines){.file = "metrics.jsonl", .position = "trainer/trace", .wanted = true},
                             (gls_observer){.name = "metrics", .figure = figure});
}
