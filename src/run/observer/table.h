/* Built-in observers: one file and one row each. A row's function adds what the configuration asks for, by
 * gls_run_observe. */
#ifndef GLS_RUN_OBSERVER_TABLE_H
#define GLS_RUN_OBSERVER_TABLE_H

#include "run/loop/run.h"

/* The order in which every verb is called, stated here and nowhere else:
 * - limits before all that end a run for other reasons, clock (time and interruption) after all of them;
 * - figures of the step before what is measured at it, and both before the validation;
 * - callers: what gls_run_observe adds from outside;
 * - average and checkpoint after the validation, of which they are told; the checkpoint after all that observe, so
 *   that it holds what they found at this step and, at the end, at the end (files of figures are flushed for it);
 * - final losses and files after the last checkpoint, as a resumed run has an end of its own;
 * - result.json behind all that may fail: it tells that the run is whole. */
#define GLS_OBSERVERS(X) \
    X(limits)            \
    X(figures)           \
    X(measures)          \
    X(callers)           \
    X(validation)        \
    X(named)             \
    X(average)           \
    X(checkpoint)        \
    X(final)             \
    X(domains)           \
    X(weights)           \
    X(certificate)       \
    X(ledger)            \
    X(metrics)           \
    X(measured)          \
    X(tensorboard)       \
    X(result)            \
    X(progress)          \
    X(clock)

#define GLS_OBSERVER_ROW(name) gls_status gls_observe_##name(gls_run *run);
GLS_OBSERVERS(GLS_OBSERVER_ROW)
#undef GLS_OBSERVER_ROW

/* The cadence of observers that see every step. */
#define GLS_EACH_STEP              \
    (gls_length) {                 \
        .amount = 1, .steps = true \
    }

#endif
