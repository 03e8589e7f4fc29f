/* For tests of bf16: every one about emulated products and, where the processor has its own, about those. */
#ifndef GLS_TESTS_MODEL_BF16_H
#define GLS_TESTS_MODEL_BF16_H

#include "check.h"

/* Whether the tests are about products of the processor's own. */
static bool native;

static inline int emulated_ones(void **state) {
    native = false;
    return 0;
}

static inline int native_ones(void **state) {
    native = true;
    return 0;
}

/* Where there are none, a context of portable products says so. */
static inline bool has_native(void) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(4, 32, 0, 0, 3, 0);
    gls_problem *p = check_model(ctx, "mlp", "{hidden: [16]}", &d.info);
    gls_status status = gls_problem_set_precision(p, GLS_PRECISION_BF16, false);
    assert_true(status == GLS_OK || status == GLS_ERR_UNSUPPORTED);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    return status == GLS_OK;
}

static inline void skip_where_there_are_none(void) {
    if (sizeof(gls_real) != 4 || (native && !has_native())) skip();
}

static inline gls_problem *bf16_model(gls_context *ctx, const char *family, const char *options,
                                      const gls_data_info *info) {
    gls_problem *p = check_model(ctx, family, options, info);
    assert_int_equal(gls_problem_set_precision(p, GLS_PRECISION_BF16, !native), GLS_OK);
    return p;
}

#define BOTH(test)                                               \
    {#test, test, emulated_ones, NULL, NULL}, {                  \
#test "_on_the_processor", test, native_ones, NULL, NULL \
    }

#endif
