/* Measures of the noise on matrices of per-example gradients: norms beside their nulls, and tail indices. */
#include "matrix.h"

#include <stdio.h>

static void noise_norms_are_distances_to_the_mean(void **state) {
    fill(3);
    double mean[D] = {0}, norm[N], square = 0, m2 = 0, m4 = 0, average = 0;
    for (int i = 0; i < N * D; i++) mean[i % D] += (double)g[i] / N;
    for (int i = 0; i < N; i++) {
        double e2 = 0;
        for (int k = 0; k < D; k++) e2 += pow((double)g[i * D + k] - mean[k], 2);
        norm[i] = sqrt(e2);
        square += e2 / N;
        average += norm[i] / N;
    }
    for (int i = 0; i < N; i++) {
        m2 += pow(norm[i] - average, 2) / N;
        m4 += pow(norm[i] - average, 4) / N;
    }
    qsort(norm, N, sizeof *norm, ascending);
    gls_measure_matrix m = matrix(false);
    gls_measure_result r = run("noise_norm", NULL, NULL, &m), curve = run("variance_curve", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&r, "noise_rms"), sqrt(square), precision);
    NEAR(gls_measure_result_get(&r, "example_mean"), average, precision);
    NEAR(gls_measure_result_get(&r, "example_kurtosis"), m4 / m2 / m2, 10 * precision);
    NEAR(gls_measure_result_find(&r, "example_quantiles")->value[9], norm[N / 2], precision);
    NEAR_ABS(gls_measure_result_get(&r, "example_shape_drift"), 0, 0);
    const gls_figure *counts = gls_measure_result_find(&r, "example_histogram_counts");
    double total = 0;
    for (int64_t k = 0; k < counts->count; k++) total += counts->value[k];
    NEAR(total, N, 0);
    NEAR(gls_measure_result_get(&curve, "variance"), square, precision);
    const gls_figure *running = gls_measure_result_find(&curve, "variance_running_mean");
    NEAR(running->value[running->count - 1], square, precision);
    gls_measure_result_clear(&r);
    gls_measure_result_clear(&curve);
}

/* From the arrays of the same result: each curve over its median, the mean of what they differ by. */
static void distances_are_those_of_the_quantiles(const gls_measure_result *r) {
    static const char *const null[] = {"gaussian", "stable"};
    const gls_figure *x = gls_measure_result_find(r, "example_quantiles");
    double found[2], mean[2] = {0};
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "example_%s_quantiles", null[i]);
        const gls_figure *q = gls_measure_result_find(r, name);
        for (int k = 0; k < 19; k++) mean[i] += fabs(q->value[k] / q->value[9] - x->value[k] / x->value[9]) / 19;
        snprintf(name, sizeof name, "example_%s_distance", null[i]);
        found[i] = gls_measure_result_get(r, name);
        NEAR(found[i], mean[i], 1e-12);
    }
    assert_true(found[0] < 0.02 && found[1] > 0.1);
}

/* The Gaussian null of Gaussian data has their spread, and its dimension is found. */
static void gaussian_noise_looks_gaussian(void **state) {
    enum { ROWS = 3000, COLUMNS = 40 };
    gls_real *x = malloc(sizeof(gls_real) * ROWS * COLUMNS);
    gls_random random = gls_random_create(5, "gaussian", 0, 0);
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (gls_real)gls_random_normal(&random);
    gls_measure_matrix m = {x, ROWS, COLUMNS, true, 4};
    gls_measure_result r = run("noise_norm", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&r, "effective_dimension"), COLUMNS, 0.15);
    const gls_figure *data = gls_measure_result_find(&r, "example_quantiles");
    const gls_figure *null = gls_measure_result_find(&r, "example_gaussian_quantiles");
    const gls_figure *stable = gls_measure_result_find(&r, "example_stable_quantiles");
    for (int64_t k = 0; k < data->count; k++) NEAR(null->value[k], data->value[k], 0.03);
    assert_true(stable->value[18] > 2 * data->value[18]);
    distances_are_those_of_the_quantiles(&r);
    /* The counts of the nulls: about as many in each bin, all in all as many as there are values. */
    const char *const kinds[] = {"example", "coordinate"};
    const double values[] = {ROWS, COLUMNS};
    for (int which = 0; which < 2; which++) {
        char name[64];
        double sum = 0, off = 0;
        snprintf(name, sizeof name, "%s_histogram_counts", kinds[which]);
        const gls_figure *counts = gls_measure_result_find(&r, name);
        snprintf(name, sizeof name, "%s_gaussian_histogram_counts", kinds[which]);
        const gls_figure *nulls = gls_measure_result_find(&r, name);
        assert_int_equal(nulls->count, counts->count);
        for (int64_t k = 0; k < nulls->count; k++) {
            sum += nulls->value[k];
            off += fabs(nulls->value[k] - counts->value[k]);
        }
        assert_true(sum <= values[which] * (1 + 1e-9) && sum > 0.95 * values[which] - 1);
        if (which == 0) assert_true(off < 0.2 * values[which]);
    }
    gls_measure_result_clear(&r);
    free(x);
}

static double tail_of(gls_real *x, int64_t rows, int64_t columns, double alpha, double *low, double *high) {
    gls_random random = gls_random_create(6, "stable", (uint64_t)(alpha * 10), 0);
    for (int64_t i = 0; i < rows * columns; i++) x[i] = (gls_real)gls_draw_stable(&random, alpha);
    gls_measure_matrix m = {x, rows, columns, true, 4};
    gls_measure_result r = run("tail_index", NULL, NULL, &m);
    const gls_figure *index = gls_measure_result_find(&r, "tail_index");
    double value = index->value[0];
    *low = index->low;
    *high = index->high;
    assert_null(r.meaningless);
    double control = gls_measure_result_get(&r, "gaussian_tail_index_4_32");
    NEAR_ABS(control, 2, 0.3);
    assert_true(gls_measure_result_find(&r, "hill_plot")->count > 10);
    gls_measure_result_clear(&r);
    return value;
}

static void tail_index_of_stable_rows(void **state) {
    gls_real *x = malloc(sizeof(gls_real) * 2048 * 60);
    double low, high;
    NEAR_ABS(tail_of(x, 2048, 60, 2, &low, &high), 2, 0.2);
    assert_true(low < 2 && 2 < high);
    NEAR_ABS(tail_of(x, 2048, 60, 1.6, &low, &high), 1.6, 0.12);
    NEAR_ABS(tail_of(x, 2048, 60, 1.2, &low, &high), 1.2, 0.1);
    gls_measure_matrix m = {x, 40, 60, true, 4};
    gls_measure_result r = run("tail_index", NULL, NULL, &m);
    assert_non_null(strstr(r.meaningless, "too few"));
    gls_measure_result_clear(&r);
    memset(x, 0, sizeof(gls_real) * 2048 * 60);
    m.n = 2048;
    r = run("tail_index", NULL, NULL, &m);
    assert_non_null(strstr(r.meaningless, "zero"));
    gls_measure_result_clear(&r);
    free(x);
}

/* Products of normals look heavy in short sums and do not in long ones: the result says that it rises. */
/* With alpha 1 the stable null is Cauchy's: its counts by the closed form, for norms of one dimension and for the
 * coordinates of one noise vector. */
static void stable_counts_are_those_of_the_law(void **state) {
    enum { WIDE = 5000 };
    static gls_real x[2 * WIDE];
    gls_random random = gls_random_create(8, "stable", 0, 0);
    for (int i = 0; i < 2 * WIDE; i++) x[i] = (gls_real)(gls_random_normal(&random) + 0.1 * (i % WIDE % 3));
    const struct {
        const char *edges, *counts;
        int64_t n, d;
        double turns; /* a half turn covers norms, a whole one coordinates */
    } cases[] = {{"example_histogram_edges", "example_stable_histogram_counts", WIDE, 1, 2},
                 {"coordinate_histogram_edges", "coordinate_stable_histogram_counts", 2, WIDE, 1}};
    for (int c = 0; c < 2; c++) {
        gls_measure_matrix m = {x, cases[c].n, cases[c].d, false, 3};
        gls_measure_result r = run("noise_norm", "alpha", "1", &m);
        const gls_figure *edge = gls_measure_result_find(&r, cases[c].edges);
        const gls_figure *count = gls_measure_result_find(&r, cases[c].counts);
        static double apart[WIDE];
        double mean = 0, centre = 0, got = 0, worst = 0;
        for (int i = 0; i < WIDE; i++) mean += (double)x[i] / WIDE;
        for (int i = 0; i < WIDE; i++)
            apart[i] = c == 0 ? (double)x[i] - mean : ((double)x[i] - (double)x[WIDE + i]) / 2;
        for (int i = 0; i < WIDE && c == 1; i++) centre += apart[i] / WIDE;
        for (int i = 0; i < WIDE; i++) apart[i] = fabs(apart[i] - centre);
        for (int i = 1; i < WIDE; i++) /* in order, for the median */
            for (int k = i; k > 0 && apart[k] < apart[k - 1]; k--) {
                double swap = apart[k];
                apart[k] = apart[k - 1];
                apart[k - 1] = swap;
            }
        double median = (apart[WIDE / 2 - 1] + apart[WIDE / 2]) / 2;
        for (int64_t b = 0; b < count->count; b++) { /* the law below each edge, against the counts so far */
            double low = atan((edge->value[0] - centre) / median), high = atan((edge->value[b + 1] - centre) / median);
            got += count->value[b] / WIDE;
            worst = fmax(worst, fabs(got - cases[c].turns * (high - low) / acos(-1)));
        }
        assert_true(worst < 1.63 / sqrt(2000)); /* of 2000 draws, one in a hundred sets strays farther */
        gls_measure_result_clear(&r);
    }
}

/* [A] app. H on norms of noise, by its formula: sums of K1 consecutive ones, centred. */
static void papers_index_of_norms(void **state) {
    enum { ROWS = 400, WIDTH = 5, K1 = 20 };
    static gls_real x[ROWS * WIDTH];
    gls_random random = gls_random_create(9, "papers", 0, 0);
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = (gls_real)(gls_random_normal(&random) * pow(gls_random_uniform(&random), -0.6));
    double mean[WIDTH] = {0}, norm[ROWS], centre = 0, log_one = 0, log_sum = 0;
    for (int i = 0; i < ROWS * WIDTH; i++) mean[i % WIDTH] += (double)x[i] / ROWS;
    for (int i = 0; i < ROWS; i++) {
        norm[i] = 0;
        for (int k = 0; k < WIDTH; k++) norm[i] += pow((double)x[i * WIDTH + k] - mean[k], 2);
        norm[i] = sqrt(norm[i]);
        centre += norm[i] / ROWS;
    }
    for (int b = 0; b < ROWS / K1; b++) {
        double sum = 0;
        for (int i = b * K1; i < (b + 1) * K1; i++) {
            sum += norm[i] - centre;
            log_one += log(fabs(norm[i] - centre)) / ROWS;
        }
        log_sum += log(fabs(sum)) / (ROWS / K1);
    }
    double expected = log(K1) / (log_sum - log_one);
    gls_measure_matrix m = {x, ROWS, WIDTH, false, 3};
    gls_measure_result index = run("tail_index", NULL, NULL, &m), noise = run("noise_norm", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&index, "papers_norm_tail_index"), expected, 100 * precision);
    NEAR(gls_measure_result_get(&noise, "example_papers_tail_index"), expected, 100 * precision);
    gls_measure_result_clear(&index);
    gls_measure_result_clear(&noise);
}

static void a_rising_index_is_said(void **state) {
    gls_real *x = malloc(sizeof(gls_real) * 4096 * 60);
    gls_random random = gls_random_create(8, "products", 0, 0);
    for (int i = 0; i < 4096 * 60; i++) {
        double a = gls_random_normal(&random), b = gls_random_normal(&random), c = gls_random_normal(&random);
        x[i] = (gls_real)(a * b * b * b * c * c);
    }
    gls_measure_matrix m = {x, 4096, 60, true, 4};
    gls_measure_result r = run("tail_index", NULL, NULL, &m);
    assert_true(gls_measure_result_get(&r, "tail_index_rise") > 0.1);
    assert_non_null(strstr(r.note, "rises"));
    gls_measure_result_clear(&r);
    free(x);
}

/* Half of the coordinates almost always zero: they are left out, the others give the index. */
static void sparse_coordinates_are_left_out(void **state) {
    gls_real *x = malloc(sizeof(gls_real) * 2048 * 40);
    gls_random random = gls_random_create(7, "sparse", 0, 0);
    for (int i = 0; i < 2048 * 40; i++) {
        bool zero = i % 2 && gls_random_uniform(&random) < 0.9;
        x[i] = zero ? 0 : (gls_real)gls_draw_stable(&random, 1.5);
    }
    gls_measure_matrix m = {x, 2048, 40, true, 4};
    gls_measure_result r = run("tail_index", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&r, "coordinates"), 20, 0);
    NEAR(gls_measure_result_get(&r, "sparse_coordinates"), 20, 0);
    NEAR_ABS(gls_measure_result_get(&r, "tail_index"), 1.5, 0.2);
    gls_measure_result_clear(&r);
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_norms_are_distances_to_the_mean),
        cmocka_unit_test(gaussian_noise_looks_gaussian),
        cmocka_unit_test(tail_index_of_stable_rows),
        cmocka_unit_test(stable_counts_are_those_of_the_law),
        cmocka_unit_test(papers_index_of_norms),
        cmocka_unit_test(a_rising_index_is_said),
        cmocka_unit_test(sparse_coordinates_are_left_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
