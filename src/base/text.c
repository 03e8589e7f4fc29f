/* Numbers are read and written in the C locale, so that files are the same in a program that writes a decimal comma. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool gls_text_to_real(const char *text, double *value, const char **rest) {
    if (isspace((unsigned char)text[0])) return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *end = NULL;
    *value = c ? strtod_l(text, &end, c) : strtod(text, &end);
    if (c) freelocale(c);
    *rest = end;
    return end != text;
}

void gls_text_from_real(char text[GLS_REAL_TEXT], double value) {
    if (isnan(value) || isinf(value)) {
        strcpy(text, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    char digits[GLS_REAL_TEXT];
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    /* 15 digits are never wrong, 17 always identify a double. */
    for (int count = 15; count <= 17; count++) {
        snprintf(digits, sizeof digits, "%.*g", count, value);
        if (strtod(digits, NULL) == value) break;
    }
    if (c) {
        uselocale(before);
        freelocale(c);
    }
    memcpy(text, digits, sizeof digits);
}

/* Digits alone are read as an integer, so that all 64 bits survive; 1e6 and 64k pass through a double, which is exact
 * up to 2^53. */
bool gls_text_to_int(const char *text, int64_t *value) {
    if (isspace((unsigned char)text[0])) return false;
    char *end;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (end != text && *end == '\0') {
        *value = whole;
        return errno == 0;
    }
    double real;
    const char *rest;
    if (!gls_text_to_real(text, &real, &rest)) return false;
    static const struct {
        char letter;
        double factor;
    } suffix[] = {{'k', 1e3}, {'M', 1e6}, {'G', 1e9}};
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++)
        if (*rest == suffix[i].letter) {
            real *= suffix[i].factor;
            rest++;
            break;
        }
    if (*rest != '\0' || !(fabs(real) <= 0x1p53) || real != floor(real)) return false;
    *value = (int64_t)real;
    return true;
}
