/* The ledger's file, ledger.safetensors in a run folder: how much each example was suppressed, with its label, loss and
 * marks. An observer writes it at the end of a run. */
#ifndef GLS_RUN_LEDGER_H
#define GLS_RUN_LEDGER_H

#include <glissade/run.h>

#include "measure/suspects.h"

/* A ledger read back. loss is that at the final weights. */
typedef struct gls_run_ledger {
    gls_context *ctx;
    int64_t examples, classes; /* classes 0: labels mean nothing */
    int64_t windows;           /* that the file has, where one was asked for */
    gls_suspicion suspects;    /* sums: loss[i] is seen[i] times the loss */
    int64_t *index;            /* [examples] in the data file, before splits and subsets */
    int64_t *label;            /* [examples] */
    gls_column *column;        /* the source's own, NULL-name terminated: domain, label_noise, ... */
    char *names;
    char *class_names; /* of all classes, each behind a GLS_LEDGER_MARK, or NULL */
} gls_run_ledger;
enum { GLS_LEDGER_MARK = 31 }; /* ASCII's unit separator */

/* window: from 1; 0: the whole run. GLS_ERR_FILE if the run kept no ledger, with the option that keeps one;
 * GLS_ERR_ARGUMENT if it has no such window. */
gls_status gls_run_ledger_open(gls_context *ctx, const char *run_folder, int64_t window, gls_run_ledger *out);
void gls_run_ledger_close(gls_run_ledger *ledger);

#endif
