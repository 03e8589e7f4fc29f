/* Denormal numbers count as zero between gls_flush_begin and gls_flush_end, in the calling thread. A state that decays
 * towards zero ends among them after some hundred steps, where processors compute many times slower, and for good: a
 * float of 0.9^k is denormal from k = 830 to 980 and then stays at the smallest one. Where the processor is not known,
 * nothing changes: the same numbers, slower. */
#ifndef GLS_BASE_FLUSH_H
#define GLS_BASE_FLUSH_H

#include <stdint.h>

/* The mode found is given back to the bit, so that a caller's own rounding and exceptions stay as they are. The memory
 * clobbers keep loads and stores, and with them the arithmetic, on their side. */
#if defined(__x86_64__)
enum { GLS_FLUSH_BITS = 0x8040 }; /* results and operands: FTZ and DAZ of MXCSR */

static inline uint64_t gls_flush_begin(void) {
    uint32_t before, within;
    __asm__ volatile("stmxcsr %0" : "=m"(before) : : "memory");
    within = before | GLS_FLUSH_BITS;
    __asm__ volatile("ldmxcsr %0" : : "m"(within) : "memory");
    return before;
}

static inline void gls_flush_end(uint64_t before) {
    uint32_t mode = (uint32_t)before;
    __asm__ volatile("ldmxcsr %0" : : "m"(mode) : "memory");
}
#elif defined(__aarch64__)
enum { GLS_FLUSH_BITS = 1 << 24 }; /* FZ of FPCR */

static inline uint64_t gls_flush_begin(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before) : : "memory");
    __asm__ volatile("msr fpcr, %0" : : "r"(before | GLS_FLUSH_BITS) : "memory");
    return before;
}

static inline void gls_flush_end(uint64_t before) {
    __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}
#else
static inline uint64_t gls_flush_begin(void) {
    return 0;
}

static inline void gls_flush_end(uint64_t before) {
    (void)before;
}
#endif

#endif
