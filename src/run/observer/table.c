/* A run put together: the loop, and its observers in the order of the table. */
#include "run/observer/table.h"

#include <stddef.h>

enum {
#define PLACE(name) PLACE_##name,
    GLS_OBSERVERS(PLACE)
#undef PLACE
};

static gls_status (*const row[])(gls_run *run) = {
#define ROW(name) gls_observe_##name,
    GLS_OBSERVERS(ROW)
#undef ROW
};

/* Nothing of its own: the place of observers from outside. */
gls_status gls_observe_callers(gls_run *run) {
    (void)run;
    return GLS_OK;
}

static gls_status add_observers(gls_run *run) {
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        run->place = (int64_t)i;
        GLS_TRY(row[i](run));
    }
    run->place = PLACE_callers;
    return GLS_OK;
}

gls_status gls_run_create(gls_context *ctx, const gls_run_options *options, gls_run **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    gls_status status = gls_run_make(ctx, options, out);
    if (status == GLS_OK) status = add_observers(*out);
    status = gls_comm_agree(ctx, status);
    if (status == GLS_OK) return GLS_OK;
    gls_run_destroy(*out);
    *out = NULL;
    return status;
}
