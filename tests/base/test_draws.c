/* Vectors of noise: in double each element is the law of noise.h at its own block; in float the law is compared by its
 * distribution function. */
#include "base/draws.h"
#include "base/noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const gls_law laws[] = {GLS_LAW_NORMAL, GLS_LAW_STUDENT, GLS_LAW_PARETO, GLS_LAW_PARETO_CENTRED, GLS_LAW_STABLE};

static double alone(gls_law law, double index, gls_random *random) {
    switch (law) {
    case GLS_LAW_NORMAL:
        return gls_random_normal(random);
    case GLS_LAW_STUDENT:
        return gls_draw_student(random, index);
    case GLS_LAW_PARETO:
        return gls_draw_pareto_symmetric(random, index);
    case GLS_LAW_PARETO_CENTRED:
        return gls_draw_pareto_onesided_centred(random, index);
    case GLS_LAW_STABLE:
        return gls_draw_stable(random, index);
    }
    return NAN;
}

#ifdef GLS_DOUBLE
static void test_element_i_is_the_law_at_block_i(void **state) {
    enum { N = 1000 };
    for (int l = 0; l < 5; l++) {
        gls_random stream = gls_random_create(5, "draws", 9, 3), one = stream;
        gls_real x[N] = {0};
        gls_add_draws(laws[l], 1.7, &stream, 2, N, x);
        for (int i = 0; i < N; i++) {
            double want = 2 * alone(laws[l], 1.7, &one);
            if (fabs(x[i] - want) > 1e-12 * (1 + fabs(want)))
                fail_msg("law %d, element %d: %.17g, expected %.17g", l, i, x[i], want);
        }
    }
}
#endif

/* Shares below each of a few levels, in the body and far out, against as many draws one by one. */
static void test_distribution(void **state) {
    enum { N = 1000, TIMES = 400, LEVELS = 9 };
    static const double level[LEVELS] = {-300, -30, -5, -1.2, -0.3, 0.4, 2, 20, 200};
    for (int l = 0; l < 5; l++) {
        double below[2][LEVELS] = {{0}};
        for (uint64_t k = 0; k < TIMES; k++) {
            gls_random stream = gls_random_create(5, "draws", k, 0), other = gls_random_create(6, "alone", k, 0);
            gls_real x[N] = {0};
            gls_add_draws(laws[l], 1.4, &stream, 1, N, x);
            for (int i = 0; i < N; i++) {
                double y = alone(laws[l], 1.4, &other);
                assert_true(isfinite(x[i]));
                for (int m = 0; m < LEVELS; m++) {
                    below[0][m] += (double)x[i] < level[m];
                    below[1][m] += y < level[m];
                }
            }
        }
        for (int m = 0; m < LEVELS; m++) {
            double mean = (below[0][m] + below[1][m]) / 2, rare = fmin(mean, (double)N * TIMES - mean);
            if (fabs(below[0][m] - below[1][m]) > 4.5 * sqrt(2 * rare) + 5)
                fail_msg("law %d: %g below %g, one by one %g", l, below[0][m], level[m], below[1][m]);
        }
    }
}

static void test_scale_and_length(void **state) {
    gls_random stream = gls_random_create(1, "draws", 2, 3);
    gls_real whole[600] = {0};
    gls_add_draws(GLS_LAW_STABLE, 1.5, &stream, 1, 600, whole);
    for (int64_t n = 0; n < 600; n += 37) {
        gls_real x[600];
        for (int i = 0; i < 600; i++) x[i] = 7;
        gls_add_draws(GLS_LAW_STABLE, 1.5, &stream, 0, n, x);
        for (int i = 0; i < 600; i++) assert_true(x[i] == 7); /* scale 0; nothing past the end */
    }
    gls_real again[600] = {0};
    gls_add_draws(GLS_LAW_STABLE, 1.5, &stream, 1, 600, again);
    assert_memory_equal(whole, again, sizeof whole);
}

static void test_words_are_those_of_single_blocks(void **state) {
    gls_random stream = gls_random_create(3, "words", 0x123456789u, 7);
    for (int64_t n = 0; n < 300; n += 43) {
        uint32_t word[4 * 300 + 1], one[4];
        word[4 * n] = 99;
        gls_draw_words(&stream, 0xfffffff0u, n, word); /* block numbers go round */
        for (int64_t i = 0; i < n; i++) {
            gls_random_block(&stream, 0xfffffff0u + (uint32_t)i, one);
            assert_memory_equal(word + 4 * i, one, sizeof one);
        }
        assert_int_equal(word[4 * n], 99);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#ifdef GLS_DOUBLE
        cmocka_unit_test(test_element_i_is_the_law_at_block_i),
#endif
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_scale_and_length),
        cmocka_unit_test(test_words_are_those_of_single_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
