/* Measures share a tenth of a run's gradients: each as often as its part pays for, the last time at the end of the run.
 * One whose part does not pay for a single observation reads fewer examples, down to the least it may; one that is
 * still too dear observes once, at the cost of the others. */
#include "run/observer/budget.h"

#include <math.h>

#include "measure/members.h"

/* What all of them may take together, as a share of the gradients of the run's steps: seen in the bill, but not in when
 * a run ends. */
static const double share_of_run = 0.1;

/* Without a known end: the part of every observation's stretch of steps. */
static gls_status share_endless(gls_budget_entry *entry, int64_t count, int64_t batch) {
    for (int64_t i = 0; i < count; i++) {
        GLS_TRY(gls_measure_shrink(entry[i].measure, INFINITY, batch, &entry[i].cost));
        entry[i].every = fmax(1, ceil(entry[i].cost * (double)count / (share_of_run * (double)batch)));
    }
    return GLS_OK;
}

/* Until what is left pays for one observation at least of each measure that is left. */
static gls_status find_parts(gls_budget_entry *entry, int64_t count, int64_t batch, double left, double *part) {
    for (int64_t free = count, before = -1; free != before && free > 0;) {
        before = free;
        *part = left / (double)free;
        for (int64_t i = 0; i < count; i++) {
            if (entry[i].once) continue;
            GLS_TRY(gls_measure_shrink(entry[i].measure, *part, batch, &entry[i].cost));
            if (entry[i].cost <= *part) continue;
            entry[i].once = true;
            left -= entry[i].cost;
            free--;
        }
    }
    return GLS_OK;
}

gls_status gls_budget_share(gls_context *ctx, gls_budget_entry *entry, int64_t count, int64_t batch, double steps) {
    double part = 0, sum = 0, gradients = steps * (double)batch;
    if (!(steps >= 1)) return share_endless(entry, count, batch);
    GLS_TRY(find_parts(entry, count, batch, share_of_run * gradients, &part));
    for (int64_t i = 0; i < count; i++) {
        gls_budget_entry *e = &entry[i];
        double looks = e->once ? 1 : fmin(steps, fmax(1, floor(part / e->cost)));
        e->every = fmax(1, floor(steps / looks));
        sum += looks * e->cost;
    }
    if (sum > share_of_run * gradients * (1 + 1e-9))
        gls_log(ctx, GLS_LOG_INFO,
                "one observation of each measure takes about %.0f%% of the run's gradients; `every` chooses otherwise",
                100 * sum / gradients);
    return GLS_OK;
}
