/* measures.jsonl: whole results of measures, a line each:
 * {"step", "epoch", "time", "measure", "result"}, where result is the measure's own object of gls_measure_results_json.
 */
#include <jansson.h>
#include <stdlib.h>

#include "run/observer/lines.h"
#include "run/observer/table.h"

static char *line_of(gls_run *run, const gls_measure_result *result) {
    char *all = NULL;
    if (gls_measure_results_json(run->ctx, result, 1, &all) != GLS_OK) return NULL;
    json_t *top = json_loads(all, 0, NULL);
    gls_free(run->ctx, all);
    json_t *own = json_object_get(json_object_get(top, "measures"), result->measure);
    json_t *line =
        json_pack("{s:I, s:f, s:f, s:s, s:O}", "step", (json_int_t)run->training->counters.steps, "epoch",
                  run->training->epoch, "time", gls_run_seconds(run), "measure", result->measure, "result", own);
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(line);
    json_decref(top);
    return text;
}

static void measured(void *user, gls_run *run, const gls_measure_result *result) {
    gls_lines *l = user;
    if (!l->trace) return;
    char *text = line_of(run, result);
    gls_trace_text(l->trace, text);
    free(text);
}

gls_status gls_observe_measured(gls_run *run) {
    const gls_value *section = gls_value_get(run->training->config, "measure");
    return gls_lines_observe(
        run,
        &(gls_lines){.file = "measures.jsonl", .position = "trainer/measures", .wanted = section && section->count},
        (gls_observer){.name = "measured", .measured = measured});
}
