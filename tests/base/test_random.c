#include "support.h"

#include <math.h>

/* Known answers of Philox4x32-10, from the vectors that come with Random123 (Salmon et al. 2011). */
static void blocks_are_philox(void **state) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        gls_random random = {.key = {known[i].key[0], known[i].key[1]},
                             .slot = known[i].counter[1],
                             .draw = (uint64_t)known[i].counter[3] << 32 | known[i].counter[2]};
        uint32_t out[4];
        gls_random_block(&random, known[i].counter[0], out);
        for (int j = 0; j < 4; j++) assert_int_equal(out[j], known[i].out[j]);
    }
}

/* A stream is its blocks one after another; a block may be asked in any order and moves nothing. */
static void stream_is_its_blocks(void **state) {
    gls_random random = gls_random_create(3, "dropout", 11, 5), again = random;
    for (uint32_t block = 0; block < 5; block++) {
        uint32_t out[4], later[4];
        gls_random_block(&random, 4, later);
        gls_random_block(&again, block, out);
        for (int j = 0; j < 4; j++) assert_int_equal(gls_random_u32(&random), out[j]);
    }
}

/* Seed, purpose, draw and slot each give other numbers. */
static void every_key_counts(void **state) {
    gls_random stream[] = {gls_random_create(1, "a", 0, 0),
                           gls_random_create(2, "a", 0, 0),
                           gls_random_create(1, "b", 0, 0),
                           gls_random_create(1, "a", 1, 0),
                           gls_random_create(1, "a", 0, 1),
                           gls_random_create(1, "a", (uint64_t)1 << 32, 0),
                           gls_random_create((uint64_t)1 << 32, "a", 0, 0)};
    enum { COUNT = sizeof stream / sizeof *stream };
    uint32_t first[COUNT];
    for (int i = 0; i < COUNT; i++) first[i] = gls_random_u32(&stream[i]);
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
}

typedef struct job {
    double value[1000];
} job;

static gls_status draw_task(void *user, int64_t task, int worker) {
    gls_random random = gls_random_create(9, "noise", 4, (uint32_t)task);
    ((job *)user)->value[task] = gls_random_normal(&random);
    return GLS_OK;
}

static void threads_and_order_do_not_matter(void **state) {
    static job one, three;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_parallel(ctx, 1000, draw_task, &one);
    counting_end(&c, ctx);
    ctx = counting_context(&c, 3);
    gls_parallel(ctx, 1000, draw_task, &three);
    counting_end(&c, ctx);
    assert_memory_equal(&one, &three, sizeof one);
}

/* Moments of n draws within five standard errors. */
static void uniform_has_its_moments(void **state) {
    enum { N = 1000000 };
    gls_random random = gls_random_create(1, "test", 0, 0);
    double sum = 0, squares = 0, least = 1, most = 0;
    int decile[10] = {0};
    for (int i = 0; i < N; i++) {
        double u = gls_random_uniform(&random);
        sum += u;
        squares += u * u;
        if (u < least) least = u;
        if (u > most) most = u;
        decile[(int)(u * 10)]++;
    }
    assert_true(least >= 0 && most < 1);
    assert_true(least < 1e-4 && most > 1 - 1e-4);
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    double chi2 = 0;
    for (int i = 0; i < 10; i++) chi2 += (decile[i] - N / 10.0) * (decile[i] - N / 10.0) / (N / 10.0);
    assert_true(chi2 < 33.7); /* 0.9999 quantile, 9 degrees of freedom */
}

static void normal_has_its_moments(void **state) {
    enum { N = 1000000 };
    gls_random random = gls_random_create(2, "test", 0, 0);
    double m[5] = {0};
    int beyond2 = 0;
    for (int i = 0; i < N; i++) {
        double z = gls_random_normal(&random), power = 1;
        assert_true(isfinite(z));
        beyond2 += fabs(z) > 2;
        for (int k = 1; k <= 4; k++) m[k] += power *= z;
    }
    static const double mean[5] = {0, 0, 1, 0, 3}, variance[5] = {0, 1, 2, 15, 96};
    for (int k = 1; k <= 4; k++) assert_true(fabs(m[k] / N - mean[k]) < 5 * sqrt(variance[k] / N));
    double p = 0.045500263896358;
    assert_true(fabs((double)beyond2 / N - p) < 5 * sqrt(p * (1 - p) / N));
}

static void below_is_unbiased(void **state) {
    enum { N = 300000 };
    gls_random random = gls_random_create(3, "test", 0, 0);
    static const int bounds[] = {2, 3, 7, 10};
    for (int b = 0; b < 4; b++) {
        int count[10] = {0};
        for (int i = 0; i < N; i++) {
            int64_t x = gls_random_below(&random, bounds[b]);
            assert_true(x >= 0 && x < bounds[b]);
            count[x]++;
        }
        double each = (double)N / bounds[b], chi2 = 0;
        for (int i = 0; i < bounds[b]; i++) chi2 += (count[i] - each) * (count[i] - each) / each;
        assert_true(chi2 < 33.7);
    }
    /* Three quarters of 2^64 would come twice as often in the lower third if the remainder were taken. */
    int64_t bound = (int64_t)3 << 61;
    int lower = 0;
    for (int i = 0; i < N; i++) lower += gls_random_below(&random, bound) < bound / 3;
    assert_true(fabs((double)lower / N - 1.0 / 3) < 5 * sqrt(2.0 / 9 / N));
    assert_int_equal(gls_random_below(&random, 1), 0);
}

/* The bits of a few numbers, so that a change of the generator is noticed: old runs could not be resumed. */
static void numbers_stay_what_they_are(void **state) {
    gls_random random = gls_random_create(1, "shuffle", 2, 3);
    assert_int_equal(gls_random_u32(&random), 0x3b376b35);
    assert_int_equal(gls_random_below(&random, 1000000), 0xa5fa7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_philox),       cmocka_unit_test(stream_is_its_blocks),
        cmocka_unit_test(every_key_counts),        cmocka_unit_test(threads_and_order_do_not_matter),
        cmocka_unit_test(uniform_has_its_moments), cmocka_unit_test(normal_has_its_moments),
        cmocka_unit_test(below_is_unbiased),       cmocka_unit_test(numbers_stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
