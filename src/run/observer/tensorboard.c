/* The same figures as TensorBoard event files (train.tensorboard), with the histograms that measures leave. */
#include <math.h>
#include <stdio.h>

#include "run/observer/events.h"
#include "run/observer/table.h"

typedef struct board {
    gls_context *ctx;
    gls_events *events; /* NULL: not the first rank */
} board;

static gls_status begin(void *user, gls_run *run) {
    board *b = user;
    return run->rank == 0 ? gls_events_create(run->ctx, run->folder, &b->events) : GLS_OK;
}

static void figure(void *user, gls_run *run, const char *name, double value) {
    const board *b = user;
    if (b->events && isfinite(value)) gls_events_scalar(b->events, run->training->counters.steps, name, value);
}

static void histogram(const board *b, const gls_run *run, const gls_measure_result *result, const char *kind) {
    char name[100];
    snprintf(name, sizeof name, "%s_histogram_edges", kind);
    const gls_figure *edges = gls_measure_result_find(result, name);
    snprintf(name, sizeof name, "%s_histogram_counts", kind);
    const gls_figure *counts = gls_measure_result_find(result, name);
    if (!edges || !counts || edges->count != counts->count + 1 || !counts->count) return;
    snprintf(name, sizeof name, "%s/%s", result->measure, kind);
    gls_events_histogram(b->events, run->training->counters.steps, name, counts->count, edges->value + 1,
                         counts->value);
}

static void measured(void *user, gls_run *run, const gls_measure_result *result) {
    static const char *const kinds[] = {"batch", "example", "coordinate"};
    const board *b = user;
    for (int i = 0; i < 3 && b->events; i++) histogram(b, run, result, kinds[i]);
}

static gls_status flush(void *user, gls_run *run) {
    const board *b = user;
    (void)run;
    return b->events ? gls_events_flush(b->events) : GLS_OK;
}

static void destroy(void *user) {
    board *b = user;
    gls_events_destroy(b->events);
    gls_free(b->ctx, b);
}

gls_status gls_observe_tensorboard(gls_run *run) {
    if (!run->folder || !run->training->train->tensorboard) return GLS_OK;
    board *b = gls_alloc(run->ctx, 1, sizeof *b);
    if (!b) return GLS_ERR_MEMORY;
    b->ctx = run->ctx;
    return gls_run_observe(run, &(gls_observer){.name = "tensorboard",
                                                .user = b,
                                                .begin = begin,
                                                .figure = figure,
                                                .measured = measured,
                                                .flush = flush,
                                                .destroy = destroy});
}
