/* The accumulator of gradient diversity that a run feeds every step. */
#include <glissade/measure.h>

#include "measure/moments.h"
#include "measure/statistics.h"

#include <math.h>

void gls_diversity_update(gls_diversity *d, int64_t count, int64_t size, double group_norm2, double mean_norm2,
                          int64_t population) {
    if (!d) return;
    if (count < 2 || size < 1 || !isfinite(group_norm2) || !isfinite(mean_norm2)) {
        d->refused += 1;
        return;
    }
    double m2, g, n = (double)count;
    gls_moments_estimate(count, size, n * group_norm2, n * n * mean_norm2, population, &m2, &g);
    gls_diversity_update_moments(d, count * size, m2, g);
}

void gls_diversity_update_moments(gls_diversity *d, int64_t examples, double m2, double g) {
    if (!d) return;
    if (!isfinite(m2) || !isfinite(g)) {
        d->refused += 1;
        return;
    }
    double past = d->smoothing;
    d->weight = past * d->weight + 1;
    d->weight2 = past * past * d->weight2 + 1;
    double share = 1 / d->weight, dm = m2 - d->m2, dg = g - d->g;
    d->m2 += share * dm;
    d->g += share * dg;
    d->m2_m2 = (1 - share) * (d->m2_m2 + share * dm * dm);
    d->g_g = (1 - share) * (d->g_g + share * dg * dg);
    d->m2_g = (1 - share) * (d->m2_g + share * dm * dg);
    d->updates += 1;
    d->examples += (double)examples;
}

bool gls_diversity_read(const gls_diversity *d, int64_t n, double *gradient_diversity, double *batch_size_bound,
                        double *low, double *high) {
    if (!d || !gradient_diversity || !batch_size_bound || !low || !high) return false;
    *gradient_diversity = *batch_size_bound = *low = *high = NAN;
    if (!(d->weight > 0)) return false;
    double effective = d->weight * d->weight / d->weight2;
    if (effective > 1.5) { /* fewer updates, as the weights count them, have no variance */
        double scale = 1 / (effective - 1);
        gls_interval bound = gls_stat_ratio_interval(d->m2, d->g, d->m2_m2 * scale, d->g_g * scale, d->m2_g * scale,
                                                     gls_stat_t975(effective - 1));
        *low = fmax(bound.low, 1);
        *high = bound.high;
    }
    if (!(d->g > 0)) return false;
    *batch_size_bound = d->m2 / d->g;
    if (n > 0) *gradient_diversity = *batch_size_bound / (double)n;
    return true;
}
