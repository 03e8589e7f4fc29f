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
    if (run->rank) return GLS_OK;
    return gls_events_create(run->ctx, run->folder, run->training->counters.steps + 1, &b->events);
}

static void figure(void *user, gls_run *run, const char *name, double value) {
    const board *b = user;
    if (b->events && isfinite(value)) gls_events_scalar(b->events, run->training->counters.steps, name, value);
}

/* Every figure that counts a histogram, under the measure's name and its own. */
static void measured(void *user, gls_run *run, const gls_measure_result *result) {
    const board *b = user;
    for (int64_t i = 0; i < result->figures && b->events; i++) {
        const gls_figure *counts = &result->figure[i];
        const gls_figure *edges = counts->edges ? gls_measure_result_find(result, counts->edges) : NULL;
        char name[200];
        if (!edges || edges->count != counts->count + 1) continue;
        snprintf(name, sizeof name, "%s/%s", result->measure, counts->name);
        gls_events_histogram(b->events, run->training->counters.steps, name, counts->count, edges->value + 1,
                             counts->value);
    }
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
