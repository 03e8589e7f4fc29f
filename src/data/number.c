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

typedef struct decimal {
    uint64_t mantissa; /* of the digits, if no more than 19 are significant */
    int64_t digits, exponent;
} decimal;

static const char *take_digits(const char *p, decimal *d) {
    const char *begin = p;
    for (; digit(*p); p++) d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
    d->digits += p - begin;
    return p;
}

/* Exponents end at 100000, so that none overflows: those of doubles are within 400, and a text of that many digits is
 * read slowly in any case. */
static const char *take_exponent(const char *e, decimal *d) {
    const char *p = e + 1;
    bool down = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (!digit(*p)) return e;
    int value = 0;
    for (; digit(*p); p++) value = value < 100000 ? value * 10 + (*p - '0') : value;
    d->exponent += down ? -value : value;
    return p;
}

static int64_t leading_zeros(const char *digits) {
    int64_t zeros = 0;
    for (; *digits == '0' || *digits == '.'; digits++) zeros += *digits == '0';
    return zeros;
}

/* At most 19 digits and 2^53, and a power of ten up to 10^22, are exact as doubles, so that one operation on them is
 * rounded correctly (Clinger 1990). All else is read slowly. */
bool gls_scan_number(const char **text, double *out) {
    const char *p = *text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    const char *begin = p;
    decimal d = {0};
    p = take_digits(p, &d);
    if (*p == '.') {
        const char *fraction = p + 1;
        p = take_digits(fraction, &d);
        d.exponent = fraction - p;
    }
    if (!d.digits) return false;
    if (*p == 'e' || *p == 'E') p = take_exponent(p, &d);
    if (d.digits > 19) d.digits -= leading_zeros(begin);
    bool exact = d.digits <= 19 && d.exponent >= -22 && d.exponent <= 22;
    double value;
    if (exact && d.mantissa <= (uint64_t)1 << 53)
        value = d.exponent < 0 ? (double)d.mantissa / power[-d.exponent] : (double)d.mantissa * power[d.exponent];
    else if (!exact || !long_number(d.mantissa, (int)d.exponent, &value))
        slow_number(*text, &value);
    *out = negative ? -value : value;
    *text = p;
    return true;
}
