/* Orders that several rooms sort in. */
#ifndef GLS_BASE_SORT_H
#define GLS_BASE_SORT_H

#include <stdint.h>
#include <stdlib.h>

/* For qsort: doubles ascending. NaN compares equal to everything, so leave it out first. */
static inline int gls_compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* For qsort: items that begin with two int64_t, ascending by the first and then by the second. */
static inline int gls_compare_pairs(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

static inline void gls_sort_doubles(double *x, int64_t n) {
    if (n > 1) qsort(x, (size_t)n, sizeof *x, gls_compare_doubles);
}

#endif
