/* How often gradients are clipped: running means over looks with an interval. */
#include "monitor/monitor.h"

#include <math.h>

void gls_monitor_clips_take(gls_monitor_clips *c, double smoothing, int64_t count, const double *factor) {
    double clipped = 0, sum = 0, known = 0;
    for (int64_t j = 0; j < count; j++) {
        if (isnan(factor[j])) continue;
        clipped += factor[j] < 1;
        sum += factor[j];
        known += 1;
    }
    if (!(known > 0)) return;
    c->last = clipped / known;
    c->weight = smoothing * c->weight + 1;
    c->weight2 = smoothing * smoothing * c->weight2 + 1;
    double part = 1 / c->weight, off = c->last - c->share;
    c->share += part * off;
    c->scatter = (1 - part) * (c->scatter + part * off * off);
    c->factor += part * (sum / known - c->factor);
    c->looks += 1;
}

/* Wilson's interval of a share, with as many independent looks as the scatter of looks shows: a share that was 0 or 1
 * in every look has scattered nowhere, and counts them as they are. */
gls_interval gls_monitor_clips_interval(const gls_monitor_clips *c) {
    double looks = c->weight > 0 ? c->weight * c->weight / c->weight2 : 0, p = c->share;
    if (!(looks > 1.5)) return (gls_interval){NAN, NAN};
    double n = looks, t = gls_stat_t975(looks - 1), t2 = t * t;
    if (p > 0 && p < 1) n = c->scatter > 0 ? p * (1 - p) * (looks - 1) / c->scatter : INFINITY;
    if (isinf(n)) return (gls_interval){p, p};
    double middle = (p + t2 / (2 * n)) / (1 + t2 / n);
    double reach = t / (1 + t2 / n) * sqrt(p * (1 - p) / n + t2 / (4 * n * n));
    return (gls_interval){fmax(0, middle - reach), fmin(1, middle + reach)};
}
