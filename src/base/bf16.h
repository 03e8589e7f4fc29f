/* bf16: the upper half of a float. */
#ifndef GLS_BASE_BF16_H
#define GLS_BASE_BF16_H

#include <stdint.h>
#include <string.h>

static inline float gls_bf16_widen(uint16_t narrow) {
    uint32_t bits = (uint32_t)narrow << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/* To the nearest, ties to even; NaN stays NaN. */
static inline uint16_t gls_bf16_narrow(float wide) {
    uint32_t bits;
    memcpy(&bits, &wide, sizeof bits);
    uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1); /* a tie is rounded up if it was odd */
    uint32_t quiet = bits | 0x400000; /* rounding could carry a NaN into infinity, or drop its last bit */
    return (uint16_t)((wide != wide ? quiet : rounded) >> 16);
}

/* Rounded once. */
static inline uint16_t gls_bf16_sum(uint16_t a, uint16_t b) {
    return gls_bf16_narrow(gls_bf16_widen(a) + gls_bf16_widen(b));
}

#endif
