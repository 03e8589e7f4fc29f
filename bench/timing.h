/* What benchmarks share: clocks, medians, and an end where something fails. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <glissade/base.h>

static inline double clock_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double now(void) {
    return clock_of(CLOCK_MONOTONIC);
}

/* Of one thread the processor's time, which a busy machine disturbs less. */
static inline double now_on(int threads) {
    return clock_of(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC);
}

static inline int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts x [n]. */
static inline double median(double *x, int n) {
    qsort(x, (size_t)n, sizeof *x, ascending);
    return x[n / 2];
}

static inline void need(gls_context *ctx, gls_status status) {
    if (status == GLS_OK) return;
    fprintf(stderr, "%s\n", gls_context_message(ctx));
    exit(1);
}

#endif
