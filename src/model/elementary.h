/* Elementary functions that compilers vectorise without -ffast-math: plain arithmetic, so that an element's bits do not
 * depend on its place in a vector. Float: relative error about 1e-7; the double build uses the C library. */
#ifndef GLS_MODEL_ELEMENTARY_H
#define GLS_MODEL_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <glissade/base.h>

#ifdef GLS_DOUBLE
static inline double gls_elementary_exp(double x) {
    return exp(x);
}
static inline double gls_elementary_tanh(double x) {
    return tanh(x);
}
static inline double gls_elementary_erf(double x) {
    return erf(x);
}
#else
/* e^x = 2^n e^r, |r| <= ln 2 / 2, e^r by its Taylor polynomial of degree 7; 0 below -87.3, inf-free above 88.7. NaN
 * stays NaN. */
static inline float gls_elementary_exp(float x) {
    float clamped = x < -87.3f ? -87.3f : x;
    clamped = clamped > 88.7f ? 88.7f : clamped;
    float shifted = clamped * 1.44269504f + 12582912.0f; /* 1.5 2^23: rounds to the nearest integer, in the low bits */
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    float n = shifted - 12582912.0f;
    float r = clamped - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    /* Half the exponent at a time keeps n = 128 finite. Unsigned: the bits of a NaN may wrap around. */
    uint32_t whole = bits - 0x4b400000u, first = (uint32_t)((int32_t)(whole << 22) >> 23);
    uint32_t half_bits = (first << 23) + 0x3f800000u;
    uint32_t rest_bits = ((whole - first) << 23) + 0x3f800000u;
    float half, rest;
    memcpy(&half, &half_bits, sizeof half);
    memcpy(&rest, &rest_bits, sizeof rest);
    return p * half * rest;
}
/* Near 0 by its series, elsewhere 1 - 2/(e^2x + 1). */
static inline float gls_elementary_tanh(float x) {
    float a = fabsf(x), s = a * a;
    float series = -1382.0f / 155925;
    series = series * s + 62.0f / 2835;
    series = series * s - 17.0f / 315;
    series = series * s + 2.0f / 15;
    series = series * s - 1.0f / 3;
    series = a + a * s * series;
    float far = 1.0f - 2.0f / (gls_elementary_exp(2.0f * (a > 15.0f ? 15.0f : a)) + 1.0f);
    return copysignf(a < 0.4f ? series : a != a ? a : far, x);
}
/* Abramowitz and Stegun 7.1.26, absolute error 1.5e-7: erf(a) = 1 - tail(a) e^(-a^2), a >= 0. */
static inline float gls_elementary_erf_tail(float a) {
    float t = 1.0f / (1.0f + 0.3275911f * a);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    return p * t;
}
static inline float gls_elementary_erf(float x) {
    float a = fabsf(x);
    return copysignf(1.0f - gls_elementary_erf_tail(a) * gls_elementary_exp(-a * a), x);
}
#endif

/* The normal distribution's function and density; the exact form, by erf. */
static inline gls_real gls_elementary_normal_below(gls_real x) {
    return (gls_real)0.5 * (1 + gls_elementary_erf(x * (gls_real)0.70710678118654752)); /* sqrt(1/2) */
}
static inline gls_real gls_elementary_normal_density(gls_real x) {
    return (gls_real)0.39894228040143268 * gls_elementary_exp((gls_real)-0.5 * x * x); /* 1 / sqrt(2 pi) */
}
/* The derivative of x Phi(x), Phi + x phi. Float: one exponential serves both. */
static inline gls_real gls_elementary_gelu_slope(gls_real x) {
#ifdef GLS_DOUBLE
    return gls_elementary_normal_below(x) + x * gls_elementary_normal_density(x);
#else
    float e = gls_elementary_exp(-0.5f * x * x);
    float below = 0.5f + 0.5f * copysignf(1.0f - gls_elementary_erf_tail(fabsf(x) * 0.70710678f) * e, x);
    return below + x * (0.39894228f * e);
#endif
}
static inline gls_real gls_elementary_sigmoid(gls_real x) {
    return 1 / (1 + gls_elementary_exp(-x));
}

#endif
