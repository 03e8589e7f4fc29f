/* What the tests of measures share. */
#ifndef TESTS_MEASURE_CHECK_H
#define TESTS_MEASURE_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <glissade/measure.h>

#define GOOD(call) assert_int_equal((call), GLS_OK)
#define COUNT(a) ((int64_t)(sizeof(a) / sizeof *(a)))

static inline void check_near(double got, double expected, double relative, double absolute, const char *what,
                              int line) {
    double bound = absolute + relative * fabs(expected);
    if (!(fabs(got - expected) <= bound)) fail_msg("line %d: %s is %.12g, expected %.12g", line, what, got, expected);
}
#define NEAR(got, expected, relative) check_near((got), (expected), (relative), 1e-300, #got, __LINE__)
#define NEAR_ABS(got, expected, absolute) check_near((got), (expected), 0, (absolute), #got, __LINE__)

static inline gls_context *make_context(void) {
    gls_context *ctx = NULL;
    gls_context_options options = {.size = sizeof options, .threads = 2, .seed = 1};
    GOOD(gls_context_create(&ctx, &options));
    return ctx;
}

#endif
