/* Numbers of a state in less memory than gls_real: bf16, or codes of 8 bits with a scale for every 256 of them. Kernels
 * over one range; bits say how each number is rounded. */
#ifndef GLS_METHOD_NARROW_H
#define GLS_METHOD_NARROW_H

#include <glissade/method.h>

enum { GLS_METHOD_SCALED = 256 }; /* codes that share a scale */

/* Sixteen random bits for every number of a range. */
typedef union gls_method_bits {
    uint32_t pair[GLS_METHOD_RANGE / 2];
    uint16_t each[GLS_METHOD_RANGE];
} gls_method_bits;

/* The bits of n numbers. They depend on the key and on `first`, a number that no two numbers of a vector share. */
void gls_method_bits_draw(gls_method_bits *bits, const uint32_t key[2], uint32_t first, int64_t n);
/* Other bits from them for a second vector, with which they have next to nothing in common: halves exchanged. */
void gls_method_bits_turn(gls_method_bits *bits, int64_t n);

void gls_method_bf16_widen(gls_real *x, const uint16_t *narrow, int64_t n);
/* Up or down at random, so that the mean is x. What is finite stays so; 0, infinities and NaN stay what they are. */
void gls_method_bf16_narrow(uint16_t *narrow, const gls_real *x, const gls_method_bits *bits, int64_t n);

/* How 8 bits are spent: a sign, 4 of exponent and 3 of fraction; or, where nothing is negative, 5 of exponent. */
typedef enum gls_method_code { GLS_METHOD_CODE_SIGNED, GLS_METHOD_CODE_POSITIVE } gls_method_code;

/* n numbers and gls_parts(n, GLS_METHOD_SCALED) scales. */
void gls_method_q8_widen(gls_real *x, const uint8_t *code, const gls_real *scale, gls_method_code kind, int64_t n);
/* Up or down at random likewise; the largest of those that share a scale stays as it is. Where nothing is negative,
 * what is above 0 stays above 0, as roots of it will be divided by. An infinity or NaN spoils those it shares with. */
void gls_method_q8_narrow(uint8_t *code, gls_real *scale, const gls_real *x, gls_method_code kind,
                          const gls_method_bits *bits, int64_t n);

#endif
