/* The ledger by windows: what it gathered in each of a number of equal parts of a run. */
#ifndef GLS_RUN_LEDGER_WINDOWS_H
#define GLS_RUN_LEDGER_WINDOWS_H

#include "run/loop/run.h"

/* Three arrays at a time, in the ledger's order: seen, log_factor, norm. */
typedef struct gls_run_windows {
    gls_context *ctx;
    int64_t count, examples;
    int64_t current; /* the window of the next step, from 0 */
    double *begin;   /* [3, examples] the ledger where it began */
    double *sum;     /* [3, count, examples] what came in before it, window by window */
} gls_run_windows;

/* By train.ledger_windows: NULL where there is only one. GLS_ERR_ARGUMENT without a ledger, or where the run's length
 * is not known. */
gls_status gls_run_windows_create(gls_run *run, gls_run_windows **out);
void gls_run_windows_destroy(gls_run_windows *windows); /* NULL is legal */
/* Before a step: closes the windows that are over. A checkpoint taken there holds them, or they close on going on. */
void gls_run_windows_advance(gls_run_windows *windows, const gls_training *training);
/* What came in in a window, the present one included: one of the three arrays, [examples]. */
void gls_run_windows_copy(const gls_run_windows *windows, const gls_ledger *ledger, int which, int64_t window,
                          double *out);
gls_status gls_run_windows_arrays(gls_run_windows *windows, const char *prefix, gls_arrays *list);

#endif
