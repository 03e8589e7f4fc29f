/* Arithmetic of sizes, all of them 0 or more. */
#ifndef GLS_BASE_ARITH_H
#define GLS_BASE_ARITH_H

#include <stdint.h>

/* How many parts of at most `part` > 0 hold n. */
static inline int64_t gls_parts(int64_t n, int64_t part) {
    return (n + part - 1) / part;
}

static inline int64_t gls_least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The next multiple of 64, a cache line and the widest vector: where the next block in shared memory begins. */
static inline int64_t gls_align64(int64_t bytes) {
    return (bytes + 63) & ~(int64_t)63;
}

#endif
