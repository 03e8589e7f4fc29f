/* Vectors of noise against the same laws drawn one by one from the same blocks (noise.h, gls_random_normal). */
#include "base/draws.h"
#include "base/noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const gls_law laws[] = {GLS_LAW_NORMAL, GLS_LAW_STUDENT, GLS_LAW_PARETO, GLS_LAW_PARETO_CENTRED, GLS_LAW_STABLE};

static double alone(gls_law law, double index, gls_random *random) {
    switch (law) {
    case GLS_LAW_NORMAL:
        return gls_random_normal(random);
    case GLS_LAW_STUDENT:
        return gls_noise_student(random, index);
    case GLS_LAW_PARETO:
        return gls_noise_pareto_symmetric(random, index);
    case GLS_LAW_PARETO_CENTRED:
        return gls_noise_pareto_onesided_centred(random, index);
    case GLS_LAW_STABLE:
        return gls_noise_stable(random, index);
    }
    return NAN;
}

static void test_element_i_is_the_law_at_block_i(void **state) {
    enum { N = 1000 };
    for (int l = 0; l < 5; l++) {
        gls_random stream = gls_random_create(5, "draws", 9, 3), one = stream;
        double tolerance = sizeof(gls_real) == sizeof(float) ? 1e-6 : 1e-12;
        gls_real x[N] = {0};
        gls_add_draws(laws[l], 1.7, &stream, 2, N, x);
        for (int i = 0; i < N; i++) {
            double want = 2 * alone(laws[l], 1.7, &one);
            if (fabs((double)x[i] - want) > tolerance * (1 + fabs(want)))
                fail_msg("law %d, element %d: %.17g, expected %.17g", l, i, (double)x[i], want);
        }
    }
}

static void test_uniforms_are_those_of_the_stream(void **state) {
    for (int64_t n = 0; n < 40; n += 13) {
        gls_random stream = gls_random_create(1, "pairs", 1ull << 40, 77), one = stream;
        double u[64], v[64];
        gls_uniform_pairs(&stream, 0, n, u, v);
        for (int64_t i = 0; i < n; i++) {
            assert_true(u[i] == gls_random_uniform(&one));
            assert_true(v[i] == gls_random_uniform(&one));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_element_i_is_the_law_at_block_i),
        cmocka_unit_test(test_uniforms_are_those_of_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
