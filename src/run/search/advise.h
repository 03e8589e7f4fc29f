/* The rules of advise without a run: docs/advise.md. */
#ifndef GLS_RUN_ADVISE_H
#define GLS_RUN_ADVISE_H

#include <glissade/run.h>

/* Largest power of two not above the bound, that leaves eight mini-batches in an epoch of n and 400 steps in the run
 * (at least 16, at most n); `given` where there is no bound (NaN). why gets the number that decided. */
int64_t gls_advise_batch(double bound, int64_t n, double run_examples, int64_t given, const char **why);
/* Clip threshold: the median of the norms where the tail is heavy (the interval of the index lies below 1.9), else
 * their 0.9-quantile; sorts norm. */
double gls_advise_threshold(double *norm, int64_t count, double tail_high, double *quantile);
/* Rates to probe around a range test: a tenth of, a third of, and the rate of the least smoothed loss. */
void gls_advise_rates(double least_at, double rates[3]);

#endif
