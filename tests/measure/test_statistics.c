/* Statistics helpers against values known by hand, and intervals against simulated coverage. */
#include "check.h"
#include "base/sort.h"
#include "measure/statistics.h"

static void quantiles_interpolate_between_order_statistics(void **state) {
    double x[] = {4, 1, 3, 2};
    gls_sort_doubles(x, 4);
    NEAR(gls_stat_quantile(x, 4, 0), 1, 0);
    NEAR(gls_stat_quantile(x, 4, 0.5), 2.5, 1e-15);
    NEAR(gls_stat_quantile(x, 4, 0.9), 3.7, 1e-15);
    NEAR(gls_stat_quantile(x, 4, 1), 4, 0);
    assert_true(isnan(gls_stat_quantile(x, 0, 0.5)));
}

static void kurtosis_is_that_of_the_moments(void **state) {
    double two[] = {-1, 1, -1, 1}, spike[] = {0, 0, 0, 0, 5};
    NEAR(gls_stat_kurtosis(two, 4), 1, 1e-15);
    NEAR(gls_stat_kurtosis(spike, 5), (4 * 1 + 256) / 5.0 / (4.0 * 4.0), 1e-14);
    double same[] = {2, 2};
    assert_true(isnan(gls_stat_kurtosis(same, 2)));
}

static void histogram_counts_every_finite_value_once(void **state) {
    double x[] = {0, 1, 2, 3, 10, NAN, 5, INFINITY}, edge[6], count[5];
    gls_stat_histogram(x, 8, 5, edge, count);
    NEAR_ABS(edge[0], 0, 0);
    NEAR(edge[5], 10, 0);
    const double expected[] = {2, 2, 1, 0, 1};
    for (int k = 0; k < 5; k++) NEAR(count[k], expected[k], 0);
    double same[] = {3, 3, 3};
    gls_stat_histogram(same, 3, 4, edge, count);
    assert_true(edge[0] < 3 && edge[4] > 3);
    NEAR(count[0] + count[1] + count[2] + count[3], 3, 0);
}

static void robust_line_ignores_a_wild_point(void **state) {
    double x[9], y[9], scratch[9 * 8 / 2 + 9], intercept, slope;
    for (int i = 0; i < 9; i++) {
        x[i] = i;
        y[i] = 2 + 3 * i;
    }
    y[4] = 1e6;
    assert_true(gls_stat_robust_line(x, y, 9, scratch, &intercept, &slope));
    NEAR(slope, 3, 1e-12);
    NEAR(intercept, 2, 1e-12);
    for (int i = 0; i < 9; i++) x[i] = 1;
    assert_false(gls_stat_robust_line(x, y, 9, scratch, &intercept, &slope));
}

static void least_squares_and_correlation_by_hand(void **state) {
    double x[] = {0, 1, 2}, y[] = {1, 3, 2}, intercept, slope;
    assert_true(gls_stat_least_squares(x, y, 3, &intercept, &slope));
    NEAR(slope, 0.5, 1e-15);
    NEAR(intercept, 1.5, 1e-15);
    NEAR(gls_stat_correlation(x, y, 3), 0.5, 1e-15);
}

static void student_quantiles_match_tables(void **state) {
    NEAR(gls_stat_t975(1), 12.706, 1e-4);
    NEAR(gls_stat_t975(5), 2.5706, 2e-3);
    NEAR(gls_stat_t975(10), 2.2281, 1e-4);
    NEAR(gls_stat_t975(30), 2.0423, 1e-4);
    NEAR(gls_stat_t975(1e9), 1.95996, 1e-5);
}

/* The ratio of two means lies in the interval in about 95% of 2000 repetitions; intervals open upwards when the
 * denominator is lost in noise. */
static void ratio_interval_covers(void **state) {
    gls_random random = gls_random_create(1, "test", 0, 0);
    int inside = 0, enough = 2000, n = 50;
    for (int r = 0; r < enough; r++) {
        double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
        for (int i = 0; i < n; i++) {
            double z = gls_random_normal(&random), x = 4 + z + gls_random_normal(&random), y = 1 + z;
            a += x / n;
            b += y / n;
            aa += x * x / n;
            bb += y * y / n;
            ab += x * y / n;
        }
        double scale = 1.0 / (n - 1);
        gls_interval i = gls_stat_ratio_interval(a, b, (aa - a * a) * scale, (bb - b * b) * scale, (ab - a * b) * scale,
                                                 gls_stat_t975(n - 1));
        inside += i.low <= 4 && 4 <= i.high;
    }
    assert_in_range(inside, 0.935 * enough, 0.965 * enough);
    gls_interval open = gls_stat_ratio_interval(4, 0.1, 0.01, 0.04, 0, 1.96);
    assert_true(open.low > 4 && isinf(open.high));
    gls_interval none = gls_stat_ratio_interval(0.1, 0.1, 1, 1, 0, 1.96);
    assert_true(isinf(none.low) && isinf(none.high));
}

/* Two and three pairs, which tell neither mean from zero: the set that covers is then two rays, both of which may hold
 * positive ratios. The upper one alone leaves the truth out for one in ten pairs of pairs. */
static void ratio_interval_of_few_pairs_covers(void **state) {
    gls_random random = gls_random_create(3, "test", 0, 0);
    int enough = 4000;
    for (int n = 2; n <= 4; n++) {
        int inside = 0;
        for (int r = 0; r < enough; r++) {
            double x[4], y[4], a = 0, b = 0, aa = 0, bb = 0, ab = 0;
            for (int i = 0; i < n; i++) {
                double z = gls_random_normal(&random);
                x[i] = 2 + z + 0.3 * gls_random_normal(&random);
                y[i] = 1 + z + 0.3 * gls_random_normal(&random);
                a += x[i] / n;
                b += y[i] / n;
            }
            for (int i = 0; i < n; i++) {
                aa += (x[i] - a) * (x[i] - a);
                bb += (y[i] - b) * (y[i] - b);
                ab += (x[i] - a) * (y[i] - b);
            }
            double scale = 1.0 / n / (n - 1);
            gls_interval i = gls_stat_ratio_interval(a, b, aa * scale, bb * scale, ab * scale, gls_stat_t975(n - 1));
            inside += i.low <= 2 && 2 <= i.high;
        }
        assert_in_range(inside, (int)(0.94 * enough), enough);
    }
}

typedef struct values {
    const double *x;
    int64_t n;
} values;

static double resampled_mean(const void *user, const int32_t *count) {
    const values *v = user;
    double sum = 0;
    for (int64_t i = 0; i < v->n; i++) sum += count[i] * v->x[i];
    return sum / (double)v->n;
}

static void bootstrap_finds_the_error_of_a_mean(void **state) {
    double x[400], mean = 0, square = 0;
    int32_t count[400];
    gls_random random = gls_random_create(2, "test", 0, 0);
    for (int i = 0; i < 400; i++) {
        x[i] = gls_random_normal(&random);
        mean += x[i] / 400;
        square += x[i] * x[i] / 400;
    }
    values v = {x, 400};
    double error = gls_stat_bootstrap(random, 400, 2000, count, resampled_mean, &v);
    NEAR(error, sqrt((square - mean * mean) / 400), 0.06);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_interpolate_between_order_statistics),
        cmocka_unit_test(kurtosis_is_that_of_the_moments),
        cmocka_unit_test(histogram_counts_every_finite_value_once),
        cmocka_unit_test(robust_line_ignores_a_wild_point),
        cmocka_unit_test(least_squares_and_correlation_by_hand),
        cmocka_unit_test(student_quantiles_match_tables),
        cmocka_unit_test(ratio_interval_covers),
        cmocka_unit_test(ratio_interval_of_few_pairs_covers),
        cmocka_unit_test(bootstrap_finds_the_error_of_a_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
