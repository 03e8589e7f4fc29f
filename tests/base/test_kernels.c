#include "support.h"

#include "base/kernels.h"

#include <float.h>
#include <math.h>

/* 0, 1, primes, around vector widths and around chunks. */
static const int64_t lengths[] = {0,
                                  1,
                                  2,
                                  3,
                                  7,
                                  8,
                                  9,
                                  15,
                                  16,
                                  17,
                                  31,
                                  33,
                                  64,
                                  65,
                                  127,
                                  1009,
                                  GLS_CHUNK - 1,
                                  GLS_CHUNK,
                                  GLS_CHUNK + 1,
                                  3 * GLS_CHUNK + 17,
                                  20 * GLS_CHUNK + 5};
enum { COUNT = sizeof lengths / sizeof *lengths, GUARD = 8, MOST = 20 * GLS_CHUNK + 5 + 2 * GUARD + 4 };
static gls_real x_room[MOST], y_room[MOST], before[MOST];

/* x and y at an offset of `shift` elements behind guards; the values have a few bits, so that float products are not
 * exact by luck. */
static void prepare(int64_t n, int shift, gls_real **x, gls_real **y) {
    gls_random random = gls_random_create((uint64_t)n, "kernels", (uint64_t)shift, 0);
    for (int64_t i = 0; i < n + 2 * GUARD + shift; i++) {
        x_room[i] = (gls_real)(gls_random_normal(&random));
        y_room[i] = (gls_real)(gls_random_normal(&random));
    }
    *x = x_room + GUARD + shift;
    *y = y_room + GUARD + shift;
    memcpy(before, y_room, sizeof *before * (size_t)(n + 2 * GUARD + shift));
}

/* Nothing around y was touched. */
static void check_guards(int64_t n, int shift) {
    assert_memory_equal(y_room, before, sizeof *before * (size_t)(GUARD + shift));
    assert_memory_equal(y_room + GUARD + shift + n, before + GUARD + shift + n, sizeof *before * GUARD);
}

/* A sum with its rounding errors kept apart (Neumaier 1974): an exact reference without wider numbers. */
typedef struct exact {
    double sum, lost;
} exact;

static void put(exact *e, double x) {
    double sum = e->sum + x;
    e->lost += fabs(e->sum) >= fabs(x) ? (e->sum - sum) + x : (x - sum) + e->sum;
    e->sum = sum;
}

static double total(const exact *e) {
    return e->sum + e->lost;
}

static void assert_near(double found, double expected, double scale) {
    if (!(fabs(found - expected) <= 1e-14 * scale)) fail_msg("expected %.17g, found %.17g", expected, found);
}

static void reductions_are_their_sums(void **state) {
    for (int l = 0; l < COUNT; l++)
        for (int shift = 0; shift < 4; shift++) {
            int64_t n = lengths[l];
            gls_real *x, *y;
            prepare(n, shift, &x, &y);
            exact squares = {0}, dot = {0}, sum = {0}, absolute = {0}, distance = {0}, dot_scale = {0};
            for (int64_t i = 0; i < n; i++) {
                double a = x[i], b = y[i];
                put(&squares, a * a);
                put(&dot, a * b);
                put(&dot_scale, fabs(a * b));
                put(&sum, a);
                put(&absolute, fabs(a));
                put(&distance, (a - b) * (a - b));
            }
            assert_near(gls_sum_squares(x, n), total(&squares), total(&squares));
            assert_near(gls_dot(x, y, n), total(&dot), total(&dot_scale));
            assert_near(gls_sum(x, n), total(&sum), total(&absolute));
            assert_near(gls_sum_absolute(x, n), total(&absolute), total(&absolute));
            assert_near(gls_distance_squares(x, y, n), total(&distance), total(&distance));
            assert_int_equal(gls_count_nonfinite(x, n), 0);
        }
}

/* At every place, past NaN everywhere but at the first. */
static void largest(void **state) {
    for (int l = 1; l < COUNT; l++) {
        int64_t n = lengths[l];
        gls_real *x, *y;
        prepare(n, 1, &x, &y);
        for (int64_t at = 0; at < n; at += 1 + n / 40) {
            gls_real kept = x[at], after = x[n - 1];
            x[at] = 1000;
            assert_true(gls_largest(x, n) == 1000);
            if (at < n - 1) x[n - 1] = NAN;
            assert_true(gls_largest(x, n) == 1000);
            x[n - 1] = after;
            x[at] = kept;
        }
        x[0] = NAN;
        assert_true(isnan(gls_largest(x, n)));
    }
}

static void maps_are_exact_and_stay_inside(void **state) {
    for (int l = 0; l < COUNT; l++)
        for (int shift = 0; shift < 4; shift++) {
            int64_t n = lengths[l];
            gls_real *x, *y;
            const gls_real a = (gls_real)0.7, *old = before + GUARD + shift;
            prepare(n, shift, &x, &y);
            gls_axpy(y, a, x, n);
            for (int64_t i = 0; i < n; i++) {
                volatile gls_real product = a * x[i]; /* rounded by itself: no fused multiply-add */
                if (y[i] != old[i] + product) fail_msg("axpy %d of %d", (int)i, (int)n);
            }
            check_guards(n, shift);
            prepare(n, shift, &x, &y);
            gls_add(y, x, n);
            for (int64_t i = 0; i < n; i++)
                if (y[i] != old[i] + x[i]) fail_msg("add %d of %d", (int)i, (int)n);
            gls_scale(y, a, n);
            for (int64_t i = 0; i < n; i++)
                if (y[i] != (gls_real)(old[i] + x[i]) * a) fail_msg("scale %d of %d", (int)i, (int)n);
            gls_fill(y, a, n);
            for (int64_t i = 0; i < n; i++)
                if (y[i] != a) fail_msg("fill %d of %d", (int)i, (int)n);
            check_guards(n, shift);
        }
}

static void nonfinite_values_come_through(void **state) {
    const gls_real odd[] = {NAN, INFINITY, -INFINITY};
    for (int l = 1; l < COUNT; l++)
        for (int which = 0; which < 3; which++) {
            int64_t n = lengths[l];
            gls_real *x, *y;
            prepare(n, 1, &x, &y);
            int64_t at[] = {0, n / 2, n - 1};
            for (int k = 0; k < 3; k++) {
                gls_real kept = x[at[k]];
                x[at[k]] = odd[which];
                assert_false(isfinite(gls_sum_squares(x, n)));
                assert_false(isfinite(gls_dot(x, y, n)));
                assert_false(isfinite(gls_sum(x, n)));
                assert_false(isfinite(gls_sum_absolute(x, n)));
                assert_false(isfinite(gls_distance_squares(y, x, n)));
                assert_int_equal(gls_count_nonfinite(x, n), 1);
                x[at[k]] = kept;
            }
            x[0] = x[n - 1] = odd[which];
            assert_int_equal(gls_count_nonfinite(x, n), n == 1 ? 1 : 2);
        }
}

/* The largest floats do not overflow a double sum: a finite gradient has a finite norm. */
static void float_squares_do_not_overflow(void **state) {
    if (sizeof(gls_real) == sizeof(double)) return;
    static gls_real x[100];
    for (int i = 0; i < 100; i++) x[i] = (gls_real)FLT_MAX;
    assert_near(gls_sum_squares(x, 100) / (100.0 * FLT_MAX * FLT_MAX), 1, 1);
}

static uint64_t mix_bits(uint64_t hash, const void *data, size_t size) {
    const unsigned char *byte = data;
    for (size_t i = 0; i < size; i++) hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

/* One constant for every instruction set, compiler and machine: the promise about bits. */
static void bits_are_the_same_everywhere(void **state) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (int l = 0; l < COUNT; l++) {
        int64_t n = lengths[l];
        gls_random random = gls_random_create((uint64_t)n, "bits", 0, 0);
        for (int64_t i = 0; i < n; i++) {
            x_room[i] = (gls_real)(gls_random_uniform(&random) - 0.3);
            y_room[i] = (gls_real)(gls_random_uniform(&random) - 0.6);
        }
        gls_axpy(y_room, 0.3, x_room, n);
        gls_scale(x_room, 1.7, n);
        gls_add(x_room, y_room, n);
        double r[] = {gls_sum_squares(x_room, n), gls_dot(x_room, y_room, n), gls_sum(x_room, n),
                      gls_sum_absolute(x_room, n), gls_distance_squares(x_room, y_room, n)};
        hash = mix_bits(hash, r, sizeof r);
        hash = mix_bits(hash, x_room, sizeof *x_room * (size_t)n);
    }
    assert_int_equal(hash, sizeof(gls_real) == 4 ? 0xe0212a3e62dd349du : 0x9584d5c7508afb26u);
}

/* The team gives the bits of the plain kernels with any number of threads, twice. */
static void team_gives_the_same_bits(void **state) {
    int64_t n = 20 * GLS_CHUNK + 5;
    gls_real *x, *y;
    for (int threads = 1; threads <= 3; threads++) {
        counting c;
        gls_context *ctx = counting_context(&c, threads);
        int64_t live = c.live;
        prepare(n, 1, &x, &y);
        for (int round = 0; round < 2; round++) {
            assert_true(gls_team_sum_squares(ctx, x, n) == gls_sum_squares(x, n));
            assert_true(gls_team_dot(ctx, x, y, n) == gls_dot(x, y, n));
        }
        gls_team_axpy(ctx, y, 0.7, x, n);
        gls_axpy(before + GUARD + 1, 0.7, x, n);
        assert_memory_equal(y, before + GUARD + 1, sizeof *y * (size_t)n);
        gls_team_scale(ctx, y, 0.7, n);
        gls_scale(before + GUARD + 1, 0.7, n);
        check_guards(n, 1);
        assert_memory_equal(y, before + GUARD + 1, sizeof *y * (size_t)n);
        gls_team_fill(ctx, y, 3, n);
        for (int64_t i = 0; i < n; i++)
            if (y[i] != 3) fail_msg("fill %d", (int)i);
        check_guards(n, 1);
        assert_int_equal(c.live, live); /* and allocates nothing */
        counting_end(&c, ctx);
    }
}

/* More chunks than are summed at once. */
static void team_takes_very_long_vectors(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    int64_t n = (int64_t)257 * GLS_CHUNK + 3;
    gls_real *x = gls_alloc(ctx, n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (gls_real)(i % 1000) / 1000;
    assert_true(gls_team_sum_squares(ctx, x, n) == gls_sum_squares(x, n));
    gls_free(ctx, x);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_are_their_sums),      cmocka_unit_test(largest),
        cmocka_unit_test(maps_are_exact_and_stay_inside), cmocka_unit_test(nonfinite_values_come_through),
        cmocka_unit_test(float_squares_do_not_overflow),  cmocka_unit_test(bits_are_the_same_everywhere),
        cmocka_unit_test(team_gives_the_same_bits),       cmocka_unit_test(team_takes_very_long_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
