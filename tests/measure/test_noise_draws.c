/* Heavy-tailed noise against known distribution and characteristic functions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/noise.h"

enum { DRAWS = 200000 };

static double share_below(const double *x, double t) {
    int64_t count = 0;
    for (int i = 0; i < DRAWS; i++) count += x[i] <= t;
    return (double)count / DRAWS;
}

/* |F_n - F| stays below 4 binomial standard deviations at each point. */
static void check_share(const double *x, double t, double expected) {
    double bound = 4 * sqrt(expected * (1 - expected) / DRAWS) + 1e-12, got = share_below(x, t);
    if (fabs(got - expected) > bound) fail_msg("P(x <= %g) = %g, expected %g +- %g", t, got, expected, bound);
}

static double draws[DRAWS];

static void student_has_its_quantiles(void **state) {
    gls_random random = gls_random_create(1, "test", 0, 0);
    for (int i = 0; i < DRAWS; i++) draws[i] = gls_draw_student(&random, 3);
    check_share(draws, 0, 0.5);
    check_share(draws, 0.764892328, 0.75);
    check_share(draws, 2.353363435, 0.95);
    check_share(draws, -4.540702859, 0.01);
    for (int i = 0; i < DRAWS; i++) draws[i] = gls_draw_student(&random, 1);
    check_share(draws, 1, 0.75); /* Cauchy */
    check_share(draws, tan(M_PI * 0.49), 0.99);
}

static void pareto_has_its_tail_and_mean(void **state) {
    gls_random random = gls_random_create(2, "test", 0, 0);
    for (int i = 0; i < DRAWS; i++) draws[i] = gls_draw_pareto_symmetric(&random, 1.5);
    check_share(draws, 0, 0.5);
    check_share(draws, 4, 1 - 0.5 * pow(4, -1.5));
    check_share(draws, -4, 0.5 * pow(4, -1.5));
    for (int i = 0; i < DRAWS; i++) draws[i] = gls_draw_pareto_onesided_centred(&random, 3);
    check_share(draws, 1 - 1.5, 0);
    check_share(draws, 2 - 1.5, 1 - 1.0 / 8);
    double mean = 0;
    for (int i = 0; i < DRAWS; i++) mean += draws[i] / DRAWS;
    assert_true(fabs(mean) < 4 * sqrt(0.75 / DRAWS));
}

/* E cos(tx) = exp(-|t|^alpha), E sin(tx) = 0. */
static void stable_has_its_characteristic_function(void **state) {
    const double alpha[] = {0.8, 1, 1.2, 1.6, 2}, t[] = {0.3, 1, 2};
    for (int a = 0; a < 5; a++) {
        gls_random random = gls_random_create(3, "test", (uint64_t)a, 0);
        for (int i = 0; i < DRAWS; i++) draws[i] = gls_draw_stable(&random, alpha[a]);
        for (int k = 0; k < 3; k++) {
            double re = 0, im = 0, bound = 4 / sqrt(2.0 * DRAWS);
            for (int i = 0; i < DRAWS; i++) {
                re += cos(t[k] * draws[i]) / DRAWS;
                im += sin(t[k] * draws[i]) / DRAWS;
            }
            assert_true(fabs(re - exp(-pow(t[k], alpha[a]))) < bound);
            assert_true(fabs(im) < bound);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student_has_its_quantiles),
        cmocka_unit_test(pareto_has_its_tail_and_mean),
        cmocka_unit_test(stable_has_its_characteristic_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
