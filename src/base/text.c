/* Numbers are read and written in the C locale, so that files are the same in a program that writes a decimal comma. */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* YAML's own words, as config.yaml has them: .nan, .inf, -.inf */
static bool read_special(const char *text, double *value, const char **rest) {
    bool minus = *text == '-';
    if (minus || *text == '+') text++;
    bool nan = strncasecmp(text, ".nan", 4) == 0;
    if (!nan && strncasecmp(text, ".inf", 4) != 0) return false;
    *value = nan ? (double)NAN : minus ? -(double)INFINITY : (double)INFINITY;
    *rest = text + 4;
    return true;
}

bool gls_text_to_real(const char *text, double *value, const char **rest) {
    if (isspace((unsigned char)text[0])) return false;
    if (read_special(text, value, rest)) return true;
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

/* "1e-08" as "1.0e-8"; what has a point or no exponent stays. */
static void point_before_exponent(char text[GLS_REAL_TEXT]) {
    char *e = strchr(text, 'e'), exponent[16];
    if (!e) return;
    snprintf(exponent, sizeof exponent, "%+d", atoi(e + 1));
    bool point = memchr(text, '.', (size_t)(e - text)) != NULL;
    snprintf(e, GLS_REAL_TEXT - (size_t)(e - text), "%se%s", point ? "" : ".0", exponent);
}

/* Digits alone, with a sign perhaps. */
static bool is_whole(const char *text) {
    text += *text == '-' || *text == '+';
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* Infinity, NaN and the like; nan and inf are what we write ourselves, .nan and .inf are YAML's. */
static bool is_word(const char *text) {
    text += *text == '-' || *text == '+';
    return isalpha((unsigned char)*text) && strcmp(text, "nan") != 0 && strcmp(text, "inf") != 0;
}

bool gls_text_for_yaml(const char *text, char out[GLS_REAL_TEXT]) {
    const char *rest;
    double value;
    if (is_whole(text)) {
        const char *digits = text + (*text == '-' || *text == '+');
        while (digits[0] == '0' && digits[1]) digits++;
        return (size_t)snprintf(out, GLS_REAL_TEXT, "%s%s", *text == '-' ? "-" : "", digits) < GLS_REAL_TEXT;
    }
    if (!gls_text_to_real(text, &value, &rest) || *rest) return false;
    if (isnan(value) || isinf(value)) {
        if (is_word(text)) return false;
        strcpy(out, isnan(value) ? ".nan" : value > 0 ? ".inf" : "-.inf");
        return true;
    }
    if (strspn(text, "-.0123456789") == strlen(text) && strncmp(text, "-.", 2) != 0) return false;
    gls_text_from_real(out, value);
    point_before_exponent(out);
    return true;
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
        if (*rest == suffix[i].letter || (*rest == 'K' && rest[1] == 'i' && !i)) {
            bool binary = rest[1] == 'i'; /* powers of 1024: Ki, Mi, Gi, MiB */
            real *= binary ? ldexp(1, 10 * (int)(i + 1)) : suffix[i].factor;
            rest += binary ? 2 : 1;
            rest += *rest == 'B';
            break;
        }
    if (*rest != '\0' || !(fabs(real) <= 0x1p53) || real != floor(real)) return false;
    *value = (int64_t)real;
    return true;
}

void gls_text_of_names(char text[GLS_NAMES_TEXT], const char *(*next)(const void *user, int64_t i), const void *user) {
    const char *name;
    size_t used = 0;
    *text = 0;
    for (int64_t i = 0; (name = next(user, i)) && used + strlen(name) + 3 < GLS_NAMES_TEXT; i++)
        used += (size_t)snprintf(text + used, GLS_NAMES_TEXT - used, "%s%s", i ? ", " : "", name);
}
