/* Decimal numbers as files write them, read exactly and in any locale. */
#include "data/source.h"
#include "base/text.h"
#include <float.h>
#include <math.h>
#include <string.h>

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

/* Correctly rounded, for many digits and large exponents. */
static void slow_number(const char *text, double *value) {
    const char *rest;
    gls_text_to_real(text, value, &rest);
    *value = fabs(*value);
}

static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A mantissa of 64 bits and the power are exact in a long double of 64 bits, whose quotient or product, rounded once,
 * decides the double unless its last 11 bits lie at the middle between two, where a second rounding could go wrong. */
static bool long_number(uint64_t mantissa, int exponent, double *value) {
#if LDBL_MANT_DIG == 64
    long double wide =
        exponent < 0 ? (long double)mantissa / power[-exponent] : (long double)mantissa * power[exponent];
    uint64_t bits;
    memcpy(&bits, &wide, sizeof bits);
    uint64_t last = bits & 2047;
    *value = (double)wide;
    return last < 1023 || last > 1025;
#else
    return false;
#endif
}

/* At most 19 digits and 2^53, and a power of ten up to 10^22, are exact as doubles, so that one operation on them is
 * rounded correctly (Clinger 1990). All else is read slowly. The bounds of 100000 keep exponents from overflowing. */
bool gls_scan_number(const char **text, double *out) {
    const char *p = *text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    uint64_t mantissa = 0;
    int digits = 0, significant = 0, exponent = 0;
    for (; digit(*p); p++, digits++) {
        if (significant || *p != '0') significant++;
        if (significant <= 19) mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    }
    if (*p == '.')
        for (p++; digit(*p); p++, digits++) {
            if (significant || *p != '0') significant++;
            if (significant <= 19) mantissa = mantissa * 10 + (uint64_t)(*p - '0');
            if (exponent > -100000) exponent--;
        }
    if (!digits) return false;
    if (*p == 'e' || *p == 'E') {
        const char *q = p + 1;
        bool down = *q == '-';
        if (*q == '-' || *q == '+') q++;
        if (digit(*q)) {
            int e = 0;
            for (; digit(*q); q++) e = e < 100000 ? e * 10 + (*q - '0') : e;
            exponent += down ? -e : e;
            p = q;
        }
    }
    double value;
    bool short_power = significant <= 19 && exponent >= -22 && exponent <= 22;
    if (short_power && mantissa <= (uint64_t)1 << 53)
        value = exponent < 0 ? (double)mantissa / power[-exponent] : (double)mantissa * power[exponent];
    else if (!short_power || !long_number(mantissa, exponent, &value))
        slow_number(*text, &value);
    *out = negative ? -value : value;
    *text = p;
    return true;
}
