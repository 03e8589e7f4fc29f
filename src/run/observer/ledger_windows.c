/* Windows of the ledger: it is kept as sums since the beginning, and a window is the difference of two of them. */
#include "run/observer/ledger_windows.h"

#include <math.h>
#include <string.h>

static const double *array_of(const gls_ledger *ledger, int which) {
    return which == 0 ? ledger->seen : which == 1 ? ledger->log_factor : ledger->norm;
}

static gls_status check(gls_run *run) {
    const gls_training *t = run->training;
    if (!t->ledger.examples)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "train.ledger_windows: this run keeps no ledger; expected an estimator with ledger: true");
    if (t->total_steps >= 1) return GLS_OK;
    return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                    "train.ledger_windows: the length of this run is not known; expected train.epochs or train.steps");
}

gls_status gls_run_windows_create(gls_run *run, gls_run_windows **out) {
    int64_t count = run->training->train->ledger_windows, n = run->training->ledger.examples;
    *out = NULL;
    if (count < 2) return GLS_OK;
    GLS_TRY(check(run));
    gls_run_windows *w = gls_alloc(run->ctx, 1, sizeof *w);
    if (!w) return GLS_ERR_MEMORY;
    *w = (gls_run_windows){.ctx = run->ctx, .count = count, .examples = n};
    w->begin = gls_alloc(run->ctx, 3 * n, sizeof *w->begin);
    w->sum = gls_alloc(run->ctx, 3 * count * n, sizeof *w->sum);
    if (w->begin && w->sum) {
        *out = w;
        return GLS_OK;
    }
    gls_run_windows_destroy(w);
    return GLS_ERR_MEMORY;
}

void gls_run_windows_destroy(gls_run_windows *w) {
    if (!w) return;
    gls_context *ctx = w->ctx;
    gls_free(ctx, w->begin);
    gls_free(ctx, w->sum);
    gls_free(ctx, w);
}

void gls_run_windows_copy(const gls_run_windows *w, const gls_ledger *ledger, int which, int64_t window, double *out) {
    const double *past = w->sum + (which * w->count + window) * w->examples, *begin = w->begin + which * w->examples;
    for (int64_t i = 0; i < w->examples; i++)
        out[i] = window == w->current ? array_of(ledger, which)[i] - begin[i] : past[i];
}

static void close_window(gls_run_windows *w, const gls_ledger *ledger) {
    for (int which = 0; which < 3; which++) {
        gls_run_windows_copy(w, ledger, which, w->current, w->sum + (which * w->count + w->current) * w->examples);
        memcpy(w->begin + which * w->examples, array_of(ledger, which), (size_t)w->examples * sizeof *w->begin);
    }
    w->current++;
}

/* Window j has the steps from j T / count + 1 to (j + 1) T / count; the last one what comes after T too. */
void gls_run_windows_advance(gls_run_windows *w, const gls_training *t) {
    double done = (double)t->counters.steps * (double)w->count / t->total_steps;
    int64_t now = (int64_t)fmin(floor(done), (double)w->count - 1);
    while (w->current < now) close_window(w, &t->ledger);
}

gls_status gls_run_windows_arrays(gls_run_windows *w, const char *prefix, gls_arrays *list) {
    gls_context *ctx = w->ctx;
    GLS_TRY(gls_arrays_add_state(ctx, list, prefix, "window", GLS_I64, 1, &w->current));
    GLS_TRY(gls_arrays_add_state(ctx, list, prefix, "begin", GLS_F64, 3 * w->examples, w->begin));
    return gls_arrays_add_state(ctx, list, prefix, "windows", GLS_F64, 3 * w->count * w->examples, w->sum);
}
