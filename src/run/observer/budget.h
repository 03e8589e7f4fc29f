/* What measures with `every: auto` may cost, and how they share it. */
#ifndef GLS_RUN_OBSERVER_BUDGET_H
#define GLS_RUN_OBSERVER_BUDGET_H

#include <glissade/measure.h>

typedef struct gls_budget_entry {
    gls_measure *measure;
    double cost;  /* of an observation, in gradients of single examples; filled */
    double every; /* steps from one to the next; filled */
    bool once;    /* it takes more than its part: one observation; filled */
} gls_budget_entry;

/* The cadence of `count` measures along a run of `steps` steps (0: not known) with mini-batches of `batch`, and how
 * many examples they read where that is left to the run. From the sizes alone: no stopwatch, so that the same
 * configuration measures the same at the same steps everywhere. */
gls_status gls_budget_share(gls_context *ctx, gls_budget_entry *entry, int64_t count, int64_t batch, double steps);

#endif
