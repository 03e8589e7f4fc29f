/* The clock that only goes forward, for durations. */
#ifndef GLS_BASE_CLOCK_H
#define GLS_BASE_CLOCK_H

#include <time.h>

/* Seconds since some moment that stays the same while the process lives. */
static inline double gls_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
