/* Moments and the diversity accumulator: exact on whole sets, unbiased from samples where the plug-in is not, intervals
 * that cover. */
#include "check.h"
#include "measure/moments.h"

enum { N = 2000, D = 30 };
static double g[N][D], truth_m2, truth_g;

/* A set with a small mean, so that its bound n Delta is large (about 743). */
static void make_set(void) {
    gls_random random = gls_random_create(4, "set", 0, 0);
    double mean[D] = {0};
    truth_m2 = 0;
    for (int i = 0; i < N; i++) {
        double size = exp(0.5 * gls_random_normal(&random)), square = 0;
        for (int k = 0; k < D; k++) {
            g[i][k] = size * gls_random_normal(&random) + (k == 0 ? 0.2 : 0);
            mean[k] += g[i][k] / N;
            square += g[i][k] * g[i][k];
        }
        truth_m2 += square / N;
    }
    truth_g = 0;
    for (int k = 0; k < D; k++) truth_g += mean[k] * mean[k];
}

/* Norms, products with the sum and the sum's norm of chosen rows, in groups of size. */
static double sums_of(const int *row, int groups, int size, double *a, double *c) {
    double sum[D] = {0}, part[D], norm2 = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int j = 0; j < groups; j++) {
            memset(part, 0, sizeof part);
            for (int i = 0; i < size; i++)
                for (int k = 0; k < D; k++) part[k] += g[row[j * size + i]][k] / size;
            double square = 0, inner = 0;
            for (int k = 0; k < D; k++) {
                if (pass == 0) sum[k] += part[k];
                square += part[k] * part[k];
                inner += part[k] * sum[k];
            }
            a[j] = square;
            c[j] = inner;
        }
    }
    for (int k = 0; k < D; k++) norm2 += sum[k] * sum[k];
    return norm2;
}

static void draw_rows(gls_random *random, int *row, int count) {
    static int all[N];
    for (int i = 0; i < N; i++) all[i] = i;
    for (int i = 0; i < count; i++) {
        int k = i + (int)gls_random_below(random, N - i), swap = all[k];
        all[k] = all[i];
        row[i] = all[i] = swap;
    }
}

static void whole_set_is_the_definition(void **state) {
    static int row[N];
    static double a[N], c[N];
    for (int i = 0; i < N; i++) row[i] = i;
    double norm2 = sums_of(row, N, 1, a, c);
    gls_moments m;
    gls_moments_rows(N, 1, a, c, norm2, N, &m);
    assert_true(m.exact);
    NEAR(m.m2, truth_m2, 1e-12);
    NEAR(m.g, truth_g, 1e-9);
    double bound;
    gls_interval interval;
    gls_moments_bound(&m, &bound, &interval);
    NEAR(bound, truth_m2 / truth_g, 1e-9);
    assert_true(isnan(interval.low));
}

/* The sample estimate with all rows but the sample's size left out of the formula gives the definition too. */
static void correction_ends_at_the_definition(void **state) {
    static int row[N];
    static double a[N], c[N];
    for (int i = 0; i < N; i++) row[i] = i;
    double norm2 = sums_of(row, N, 1, a, c), sum = 0, m2, g_hat;
    for (int i = 0; i < N; i++) sum += a[i];
    gls_moments_estimate(N, 1, sum, norm2, N, &m2, &g_hat);
    NEAR(m2, truth_m2, 1e-12);
    NEAR(g_hat, truth_g, 1e-9);
}

/* Mean over many samples of size m, as single examples and as groups: M2 and G are unbiased, the plug-in ratio is not:
 * it cannot exceed m by much. */
static void samples_are_unbiased(void **state) {
    const int sizes[][2] = {{32, 1}, {128, 1}, {16, 4}, {8, 32}};
    for (int t = 0; t < 4; t++) {
        int groups = sizes[t][0], size = sizes[t][1], row[512], repeats = 3000;
        double a[128], c[128], m2 = 0, gg = 0, square_m2 = 0, square_g = 0, plug = 0;
        gls_random random = gls_random_create(5, "sample", (uint64_t)t, 0);
        for (int r = 0; r < repeats; r++) {
            draw_rows(&random, row, groups * size);
            double norm2 = sums_of(row, groups, size, a, c), sum = 0, x, y;
            for (int j = 0; j < groups; j++) sum += a[j];
            gls_moments_estimate(groups, size, sum, norm2, N, &x, &y);
            m2 += x / repeats;
            gg += y / repeats;
            square_m2 += x * x / repeats;
            square_g += y * y / repeats;
            plug += sum / groups / (norm2 / groups / groups) / repeats;
        }
        NEAR_ABS(m2, truth_m2, 4 * sqrt((square_m2 - m2 * m2) / repeats));
        NEAR_ABS(gg, truth_g, 4 * sqrt((square_g - gg * gg) / repeats));
        if (size == 1) assert_true(plug < 1.2 * groups && truth_m2 / truth_g > 500);
    }
}

/* Intervals of single samples of 512 of 2000 hold the truth at least 90 times in 100. */
static void intervals_cover(void **state) {
    int inside = 0, repeats = 200, row[512];
    double a[512], c[512], truth = truth_m2 / truth_g;
    gls_random random = gls_random_create(6, "cover", 0, 0);
    for (int r = 0; r < repeats; r++) {
        draw_rows(&random, row, 512);
        double norm2 = sums_of(row, 512, 1, a, c), bound;
        gls_moments m;
        gls_interval interval;
        gls_moments_rows(512, 1, a, c, norm2, N, &m);
        gls_moments_bound(&m, &bound, &interval);
        inside += interval.low <= truth && truth <= interval.high;
    }
    assert_in_range(inside, (int)(0.9 * repeats), repeats);
}

/* Samples of 32 to 8192 of 16384 rows whose sizes differ (a log-normal factor): intervals hold the whole set's bound 95
 * times in 100; measured here are 0.95 to 0.99. The smallest samples can seldom tell the mean gradient from zero: their
 * intervals are open upwards, and hold the truth. */
static void intervals_cover_from_32_to_8192(void **state) {
    enum { ROWS = 16384, WIDTH = 16, REPEATS = 200, LARGEST = 8192 };
    static double x[ROWS][WIDTH], a[LARGEST], c[LARGEST];
    static int order[ROWS];
    gls_random random = gls_random_create(9, "wide", 0, 0);
    double m2 = 0, full = 0, mean[WIDTH] = {0};
    for (int i = 0; i < ROWS; i++) {
        double size = exp(0.5 * gls_random_normal(&random));
        order[i] = i;
        for (int k = 0; k < WIDTH; k++) {
            x[i][k] = size * (0.15 + gls_random_normal(&random));
            mean[k] += x[i][k] / ROWS;
            m2 += x[i][k] * x[i][k] / ROWS;
        }
    }
    for (int k = 0; k < WIDTH; k++) full += mean[k] * mean[k];
    for (int m = 32; m <= LARGEST; m *= 4) {
        int inside = 0, closed = 0;
        for (int r = 0; r < REPEATS; r++) {
            double sum[WIDTH] = {0}, norm2 = 0;
            for (int i = 0; i < m; i++) {
                int other = i + (int)gls_random_below(&random, ROWS - i), chosen = order[other];
                order[other] = order[i];
                order[i] = chosen;
                a[i] = 0;
                for (int k = 0; k < WIDTH; k++) {
                    sum[k] += x[chosen][k];
                    a[i] += x[chosen][k] * x[chosen][k];
                }
            }
            for (int k = 0; k < WIDTH; k++) norm2 += sum[k] * sum[k];
            for (int i = 0; i < m; i++) {
                c[i] = 0;
                for (int k = 0; k < WIDTH; k++) c[i] += x[order[i]][k] * sum[k];
            }
            gls_moments moments;
            gls_interval interval;
            double bound;
            gls_moments_rows(m, 1, a, c, norm2, ROWS, &moments);
            gls_moments_bound(&moments, &bound, &interval);
            inside += interval.low <= m2 / full && m2 / full <= interval.high;
            closed += isfinite(interval.high);
        }
        print_message("# samples of %d: %d of %d intervals hold the truth, %d are closed\n", m, inside, REPEATS,
                      closed);
        assert_in_range(inside, (int)(0.9 * REPEATS), REPEATS);
        if (m >= 2048) assert_true(closed == REPEATS);
    }
}

/* Fed with mini-batches of 32 for 2000 steps, the accumulator nears the truth that no mini-batch could show; its
 * interval holds it. */
static void accumulator_smooths_before_dividing(void **state) {
    gls_diversity running = {.smoothing = 1};
    gls_random random = gls_random_create(7, "running", 0, 0);
    int row[32];
    double a[32], c[32], diversity, bound, low, high, truth = truth_m2 / truth_g;
    assert_false(gls_diversity_read(&running, N, &diversity, &bound, &low, &high));
    for (int r = 0; r < 2000; r++) {
        draw_rows(&random, row, 32);
        double norm2 = sums_of(row, 32, 1, a, c), sum = 0;
        for (int j = 0; j < 32; j++) sum += a[j];
        gls_diversity_update(&running, 32, 1, sum / 32, norm2 / 32 / 32, N);
    }
    assert_true(gls_diversity_read(&running, N, &diversity, &bound, &low, &high));
    NEAR(diversity, bound / N, 1e-15);
    assert_true(low <= truth && truth <= high);
    NEAR(bound, truth, 0.4); /* a single mini-batch says at most about 32 */
    gls_diversity before = running;
    gls_diversity_update(&running, 1, 1, 1, 1, N);
    gls_diversity_update(&running, 32, 1, NAN, 1, N);
    NEAR(running.refused, 2, 0);
    NEAR(running.m2, before.m2, 0);
    NEAR(running.examples, 32 * 2000, 0);
}

/* Smoothing 0.5 weighs the last update as much as all before it. */
static void smoothing_forgets(void **state) {
    gls_diversity running = {.smoothing = 0.5};
    gls_diversity_update_moments(&running, 1, 4, 2);
    gls_diversity_update_moments(&running, 1, 1, 1);
    NEAR(running.m2, (0.5 * 4 + 1) / 1.5, 1e-15);
    NEAR(running.g, (0.5 * 2 + 1) / 1.5, 1e-15);
}

static int set_up(void **state) {
    make_set();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_set_is_the_definition),
        cmocka_unit_test(correction_ends_at_the_definition),
        cmocka_unit_test(samples_are_unbiased),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(intervals_cover_from_32_to_8192),
        cmocka_unit_test(accumulator_smooths_before_dividing),
        cmocka_unit_test(smoothing_forgets),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
