/* The rules of docs/advise.md that need no run: plain functions of numbers, so that tests can state them. */
#include <math.h>

#include "base/arith.h"
#include "base/sort.h"
#include "run/search/advise.h"

/* The limits are ours (docs/advise.md): the bound says when larger batches stop paying, not that they are good. An
 * epoch keeps 8 mini-batches and the run 400 steps, so that a method has time to act; below 16 the work per example
 * grows. Powers of two, as batches are usually given. */
int64_t gls_advise_batch(double bound, int64_t n, double run_examples, int64_t given, const char **why) {
    if (!(bound >= 1)) {
        *why = "the bound cannot be told from the sample, so the batch stays as configured";
        return given;
    }
    double most = bound;
    *why = "the batch-size bound decides";
    if ((double)n / 8 < most) {
        most = (double)n / 8;
        *why = "an eighth of the training set decides";
    }
    if (run_examples / 400 < most) {
        most = run_examples / 400;
        *why = "400 steps in the length of the run decide";
    }
    int64_t batch = 1;
    while (2.0 * (double)batch <= most) batch *= 2;
    if (batch < 16) {
        batch = 16;
        *why = "16 is the least that is recommended";
    }
    return gls_least(batch, n);
}

/* Light tails have index 2; an interval below 1.9 excludes that with room for the estimator's own bias. Heavy tails are
 * clipped at the median, others rarely: every tenth step. The quantiles are ours. */
double gls_advise_threshold(double *norm, int64_t count, double tail_high, double *quantile) {
    *quantile = tail_high < 1.9 ? 0.5 : 0.9;
    if (count < 1) return NAN;
    gls_sort_doubles(norm, count);
    return norm[(int64_t)(*quantile * (double)(count - 1) + 0.5)];
}

void gls_advise_rates(double least_at, double rates[3]) {
    rates[0] = least_at / 10;
    rates[1] = least_at / sqrt(10);
    rates[2] = least_at;
}
