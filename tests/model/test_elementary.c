/* The elementary functions against the C library, and at the ends of their range. */
#include "base/support.h"

#include "model/elementary.h"

static void close_to_the_library(void **state) {
    double worst[3] = {0};
    for (int i = -870000; i <= 870000; i++) {
        gls_real x = (gls_real)(i * 1e-4);
        double right = exp((double)x);
        worst[0] = fmax(worst[0], fabs((double)gls_elementary_exp(x) - right) / right);
        worst[1] = fmax(worst[1], fabs((double)gls_elementary_tanh(x) - tanh((double)x)));
        worst[2] = fmax(worst[2], fabs((double)gls_elementary_erf(x) - erf((double)x)));
    }
    for (int k = 0; k < 3; k++) assert_true(worst[k] < 6e-7);
}

/* Plain arithmetic on the bits of a NaN must be defined too: the sanitizer of undefined behaviour runs this. */
static void nan_stays_nan(void **state) {
    const gls_real odd[] = {(gls_real)NAN, -(gls_real)NAN, (gls_real)nan("0x3fffff"), (gls_real)nan("1")};
    for (int i = 0; i < 4; i++) {
        assert_true(isnan(gls_elementary_exp(odd[i])));
        assert_true(isnan(gls_elementary_tanh(odd[i])));
        assert_true(isnan(gls_elementary_erf(odd[i])));
    }
    assert_true((double)gls_elementary_exp(-(gls_real)INFINITY) < 1e-37);
    assert_true((double)gls_elementary_exp((gls_real)INFINITY) > 3e38);
    assert_true(gls_elementary_tanh((gls_real)INFINITY) == 1 && gls_elementary_erf(-(gls_real)INFINITY) == -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_to_the_library),
        cmocka_unit_test(nan_stays_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
