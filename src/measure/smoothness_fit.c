/* The line L = L0 + L1 |grad F| through the points of a run, and the slope on log axes. [T] 3.5; the formula is ours.
 */
#include "measure/series.h"
#include "measure/statistics.h"

#include <math.h>

/* Slope and correlation of the logarithms of the positive points; x and y are changed. */
static gls_status report_logs(double *x, double *y, int64_t n, gls_measure_result *out) {
    int64_t kept = 0;
    double intercept, slope = NAN;
    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] > 0) || !(y[i] > 0)) continue;
        x[kept] = log(x[i]);
        y[kept++] = log(y[i]);
    }
    if (kept < 3 || !gls_stat_least_squares(x, y, kept, &intercept, &slope)) slope = NAN;
    GLS_TRY(gls_measure_result_number(out, "log_slope", "", slope));
    return gls_measure_result_number(out, "log_correlation", "", kept < 3 ? NAN : gls_stat_correlation(x, y, kept));
}

gls_status gls_series_report_smoothness(const gls_series *series, gls_measure_result *out) {
    int64_t n = gls_series_count(series);
    double *x = gls_alloc(out->ctx, 2 * n + n * (n + 1) / 2, sizeof *x), *y = x + n, l0 = NAN, l1 = NAN;
    if (!x) return GLS_ERR_MEMORY;
    gls_series_copy(series, x, y);
    if (n < 3 || !gls_stat_robust_line(x, y, n, y + n, &l0, &l1)) l0 = l1 = NAN;
    gls_status status = gls_measure_result_array(out, "gradient_norms", "gradient", n, x);
    if (status == GLS_OK) status = gls_measure_result_array(out, "smoothness_values", "1/lr", n, y);
    if (status == GLS_OK) status = gls_measure_result_number(out, "l0", "1/lr", l0);
    if (status == GLS_OK) status = gls_measure_result_number(out, "l1", "1/(lr gradient)", l1);
    if (status == GLS_OK) status = report_logs(x, y, n, out);
    gls_free(out->ctx, x);
    return status;
}
