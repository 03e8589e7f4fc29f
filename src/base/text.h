/* Numbers from and to text, in the C locale whatever the program's is. */
#ifndef GLS_BASE_TEXT_H
#define GLS_BASE_TEXT_H

#include <glissade/options.h>

enum { GLS_REAL_TEXT = 32 }; /* 17 digits, two signs, point and exponent take 25 */

/* Reads a number at the beginning of text; *rest is what follows it. False if there is none, or blanks precede it. */
bool gls_text_to_real(const char *text, double *value, const char **rest);
/* The shortest of 15 to 17 digits that reads back to the same bits; inf, -inf and nan as such. */
void gls_text_from_real(char text[GLS_REAL_TEXT], double value);
/* A whole number that may be written 1000000, 1e6, 64k, 4M or 1G (powers of 1000), exactly. */
bool gls_text_to_int(const char *text, int64_t *value);

enum { GLS_NAMES_TEXT = 512 };
/* "a, b, c": the names that `next` gives until NULL, as many as fit whole; "" for none. */
void gls_text_of_names(char text[GLS_NAMES_TEXT], const char *(*next)(const void *user, int64_t i), const void *user);

/* The same number as readers of YAML 1.1 want it written, such as PyYAML: "1.0e-8" for 1e-8, ".nan", 10 for 010, 16 for
 * 0x10. False for what is no number, and for one that they read as we do. */
bool gls_text_for_yaml(const char *text, char out[GLS_REAL_TEXT]);

#endif
