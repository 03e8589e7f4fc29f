/* Statistics on plain arrays; formulas and edge cases are in statistics.h. */
#include "measure/statistics.h"
#include "base/sort.h"

#include <math.h>
#include <stdlib.h>

double gls_stat_quantile(const double *sorted, int64_t n, double p) {
    if (n < 1) return NAN;
    double place = p * (double)(n - 1), below = floor(place);
    int64_t i = (int64_t)below;
    if (i < 0) return sorted[0];
    if (i >= n - 1) return sorted[n - 1];
    double share = place - below;
    return share == 0 ? sorted[i] : sorted[i] + share * (sorted[i + 1] - sorted[i]);
}

double gls_stat_median(double *x, int64_t n) {
    gls_sort_doubles(x, n);
    return gls_stat_quantile(x, n, 0.5);
}

double gls_stat_mean(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return n > 0 ? sum / (double)n : NAN;
}

double gls_stat_kurtosis(const double *x, int64_t n) {
    double mean = gls_stat_mean(x, n), m2 = 0, m4 = 0;
    for (int64_t i = 0; i < n; i++) {
        double square = (x[i] - mean) * (x[i] - mean);
        m2 += square;
        m4 += square * square;
    }
    return m2 > 0 ? m4 / m2 / m2 * (double)n : NAN;
}

double gls_stat_correlation(const double *x, const double *y, int64_t n) {
    double mx = gls_stat_mean(x, n), my = gls_stat_mean(y, n), xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx) / sqrt(yy) : NAN;
}

/* Values that are all the same get bins half as wide as the value to both sides, so that edges ascend. */
void gls_stat_histogram(const double *x, int64_t n, int64_t bins, double *edge, double *count) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) continue;
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    if (low > high) low = high = 0;
    if (low == high) {
        double room = low == 0 ? 0.5 : 0.5 * fabs(low);
        low -= room;
        high += room;
    }
    for (int64_t k = 0; k <= bins; k++) edge[k] = low + (high - low) * (double)k / (double)bins;
    for (int64_t k = 0; k < bins; k++) count[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) continue;
        int64_t k = (int64_t)((x[i] - low) / (high - low) * (double)bins);
        count[k < 0 ? 0 : k >= bins ? bins - 1 : k] += 1;
    }
}

bool gls_stat_robust_line(const double *x, const double *y, int64_t n, double *scratch, double *intercept,
                          double *slope) {
    int64_t pairs = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = i + 1; j < n; j++)
            if (x[i] != x[j]) scratch[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
    }
    if (pairs == 0) return false;
    *slope = gls_stat_median(scratch, pairs);
    for (int64_t i = 0; i < n; i++) scratch[i] = y[i] - *slope * x[i];
    *intercept = gls_stat_median(scratch, n);
    return true;
}

bool gls_stat_least_squares(const double *x, const double *y, int64_t n, double *intercept, double *slope) {
    double mx = gls_stat_mean(x, n), my = gls_stat_mean(y, n), xx = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        xy += (x[i] - mx) * (y[i] - my);
    }
    if (!(xx > 0)) return false;
    *slope = xy / xx;
    *intercept = my - *slope * mx;
    return true;
}

/* Tabled for one to four degrees of freedom; beyond them the Cornish-Fisher expansion in 1 / dof around the normal
 * quantile (Abramowitz and Stegun 26.7.5). */
double gls_stat_t975(double dof) {
    static const double small[] = {12.7062047, 4.30265273, 3.18244631, 2.77644511};
    if (dof < 5) return small[dof < 2 ? 0 : (int)dof - 1];
    double z = 1.959963985, z2 = z * z;
    double first = z * (z2 + 1) / 4;
    double second = z * (5 * z2 * z2 + 16 * z2 + 3) / 96;
    double third = z * (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / 384;
    return z + first / dof + second / (dof * dof) + third / (dof * dof * dof);
}

gls_interval gls_stat_ratio_interval(double a, double b, double va, double vb, double vab, double t) {
    double t2 = t * t, leading = b * b - t2 * vb, middle = a * b - t2 * vab, last = a * a - t2 * va;
    double under = middle * middle - leading * last;
    if (leading > 0) {
        double root = sqrt(fmax(under, 0));
        return (gls_interval){(middle - root) / leading, (middle + root) / leading};
    }
    /* b may be zero: the set is a ray pair (or everything); keep the ray of positive b. Where a may be zero too, both
     * rays may hold positive ratios: then only both of them cover. */
    if (under <= 0 || a <= 0 || leading == 0) return (gls_interval){-INFINITY, INFINITY};
    double root = sqrt(under), x = (middle - root) / leading, y = (middle + root) / leading;
    return (gls_interval){fmin(x, y) > 0 ? -INFINITY : fmax(x, y), INFINITY};
}

double gls_stat_bootstrap(gls_random random, int64_t blocks, int replicates, int32_t *count,
                          double (*statistic)(const void *user, const int32_t *count), const void *user) {
    double mean = 0, squares = 0;
    int64_t used = 0;
    for (int r = 0; r < replicates; r++) {
        for (int64_t b = 0; b < blocks; b++) count[b] = 0;
        for (int64_t b = 0; b < blocks; b++) count[gls_random_below(&random, blocks)] += 1;
        double value = statistic(user, count);
        if (!isfinite(value)) continue;
        used++;
        double delta = value - mean;
        mean += delta / (double)used;
        squares += delta * (value - mean);
    }
    return used > 1 ? sqrt(squares / (double)(used - 1)) : NAN;
}
