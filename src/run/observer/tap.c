#include "run/loop/trainer.h"

#include <stdio.h>
#include <string.h>

gls_status gls_run_add_tap(gls_run *run, const gls_tap *tap) {
    gls_status status = GLS_OK;
    gls_tap *grown = NULL;
    if (run->begun)
        status = gls_fail(run->ctx, GLS_ERR_ARGUMENT, "tap '%s': taps are added before the first step", tap->name);
    for (int64_t i = 0; i < run->taps && status == GLS_OK; i++)
        if (!strcmp(run->tap[i].name, tap->name))
            status = gls_fail(run->ctx, GLS_ERR_ARGUMENT, "tap '%s' is there already", tap->name);
    if (status == GLS_OK && !(grown = gls_resize(run->ctx, run->tap, run->taps + 1, sizeof *grown)))
        status = GLS_ERR_MEMORY;
    if (status != GLS_OK) {
        if (tap->destroy) tap->destroy(tap->user);
        return status;
    }
    run->tap = grown;
    run->tap[run->taps++] = *tap;
    return GLS_OK;
}

gls_status gls_taps_observe(gls_run *run, bool end) {
    for (int64_t i = 0; i < run->taps; i++)
        if (end || gls_run_due(run, run->tap[i].every)) GLS_TRY(run->tap[i].observe(run->tap[i].user, run));
    return GLS_OK;
}

gls_status gls_taps_arrays(gls_run *run, gls_arrays *arrays) {
    for (int64_t i = 0; i < run->taps; i++) {
        char prefix[128];
        snprintf(prefix, sizeof prefix, "tap/%.100s/", run->tap[i].name);
        if (run->tap[i].arrays) GLS_TRY(run->tap[i].arrays(run->tap[i].user, prefix, arrays));
    }
    return GLS_OK;
}

void gls_taps_destroy(gls_run *run) {
    for (int64_t i = 0; i < run->taps; i++)
        if (run->tap[i].destroy) run->tap[i].destroy(run->tap[i].user);
    gls_free(run->ctx, run->tap);
}
