/* Measures on a matrix of per-example gradients against their definitions, written out here. */
#include "check.h"
#include "base/noise.h"

#include <jansson.h>

static gls_context *ctx;
static const double precision = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;

enum { N = 37, D = 11 };
static gls_real g[N * D];

static void fill(double shift) {
    gls_random random = gls_random_create(1, "matrix", 0, 0);
    for (int i = 0; i < N * D; i++)
        g[i] = (gls_real)(gls_random_normal(&random) * (1 + i % D) + (i % D == 2 ? shift : 0));
}

static gls_measure_matrix matrix(bool sample) {
    return (gls_measure_matrix){g, N, D, sample, 3};
}

/* Runs a measure with one option (or none) on a matrix; clear the result afterwards. */
static gls_measure_result run(const char *name, const char *key, const char *text, const gls_measure_matrix *m) {
    gls_value *options = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (key) GOOD(gls_value_append(ctx, options, gls_value_create(ctx, GLS_VALUE_TEXT, key, text)));
    gls_measure *measure;
    gls_measure_result result;
    gls_measure_result_init(ctx, &result);
    GOOD(gls_measure_create(ctx, name, options, NULL, 0, 0, &measure));
    gls_value_destroy(ctx, options);
    GOOD(gls_measure_run_matrix(measure, m, &result));
    gls_measure_destroy(measure);
    return result;
}

/* Sums over the rows, in double. */
typedef struct sums {
    double norms2, sum2, cross, product; /* sum |g_i|^2, |sum g_i|^2, sum_{i != k} <g_i, g_k>, sum |g_i| |g_i|_1 */
} sums;

static sums brute(void) {
    sums s = {0};
    for (int i = 0; i < N; i++) {
        double square = 0, one = 0;
        for (int k = 0; k < D; k++) {
            square += (double)g[i * D + k] * (double)g[i * D + k];
            one += fabs((double)g[i * D + k]);
        }
        s.norms2 += square;
        s.product += sqrt(square) * one;
        for (int j = 0; j < N; j++)
            for (int k = 0; k < D && j != i; k++) s.cross += (double)g[i * D + k] * (double)g[j * D + k];
    }
    s.sum2 = s.norms2 + s.cross;
    return s;
}

static void diversity_is_the_definition(void **state) {
    fill(3);
    sums s = brute();
    gls_measure_matrix m = matrix(false);
    gls_measure_result r = run("gradient_diversity", NULL, NULL, &m), scale = run("noise_scale", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&r, "gradient_diversity"), s.norms2 / s.sum2, precision);
    NEAR(gls_measure_result_get(&r, "batch_size_bound"), N * s.norms2 / s.sum2, precision);
    NEAR(gls_measure_result_get(&scale, "noise_scale"), N * s.norms2 / s.sum2 - 1, precision);
    assert_int_equal(r.sample, N);
    assert_int_equal(r.population, N);
    assert_null(r.meaningless);
    gls_measure_result_clear(&r);
    gls_measure_result_clear(&scale);
}

/* The test of the paper, written out: the examples' variances summed over coordinates, against theta^2 |g_S|^2. */
static void norm_test_is_the_papers(void **state) {
    const char *const thetas[] = {"0.9", "0.3", "0.02"};
    for (int t = 0; t < 3; t++) {
        double theta = atof(thetas[t]), variance = 0, norm2 = 0;
        fill(3);
        for (int k = 0; k < D; k++) {
            double mean = 0, square = 0;
            for (int i = 0; i < N; i++) mean += (double)g[i * D + k] / N;
            for (int i = 0; i < N; i++) square += pow((double)g[i * D + k] - mean, 2);
            variance += square / (N - 1);
            norm2 += mean * mean;
        }
        gls_measure_matrix m = matrix(true);
        gls_measure_result r = run("norm_test", "theta", thetas[t], &m);
        NEAR(gls_measure_result_get(&r, "norm_test"), sqrt(variance / N / norm2) / theta, precision);
        NEAR(gls_measure_result_get(&r, "norm_test_batch"), variance / (theta * theta * norm2), precision);
        bool passed = variance / N <= theta * theta * norm2;
        assert_true(gls_measure_result_get(&r, "norm_test_passed") == passed);
        assert_true(gls_measure_result_get(&r, "norm_test_share") == passed);
        assert_true(passed == (t < 1)); /* both outcomes are met */
        gls_measure_result_clear(&r);
        m.n = 1;
        r = run("norm_test", "theta", thetas[t], &m);
        assert_non_null(r.meaningless);
        gls_measure_result_clear(&r);
    }
}

/* Row by row, in parts of several rows, and in blocks of columns. */
static void rows_come_in_parts(void **state) {
    enum { FIRST = 4 };
    static gls_real first[N * FIRST], second[N * (D - FIRST)];
    fill(3);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < D; k++) {
            if (k < FIRST) first[i * FIRST + k] = g[i * D + k];
            if (k >= FIRST) second[i * (D - FIRST) + k - FIRST] = g[i * D + k];
        }
    const int64_t sizes[2] = {FIRST, D - FIRST};
    gls_layout *layout;
    gls_matrix *rows;
    GOOD(gls_layout_create(ctx, &layout));
    for (int b = 0; b < 2; b++) GOOD(gls_layout_add(layout, b ? "b" : "a", 1, &sizes[b], 0));
    GOOD(gls_matrix_create(ctx, D, &rows));
    for (int way = 0; way < 2; way++) {
        gls_matrix_clear(rows);
        assert_int_equal(gls_matrix_rows(rows), 0);
        for (int i = 0; i < N; i += i < 5 ? 1 : 16) {
            int64_t n = i < 5 ? 1 : i + 16 > N ? N - i : 16;
            const gls_real *const blocks[2] = {first + i * FIRST, second + i * (D - FIRST)};
            GOOD(way ? gls_matrix_add_blocks(rows, layout, n, blocks) : gls_matrix_add(rows, n, g + i * D));
        }
        assert_int_equal(gls_matrix_rows(rows), N);
        assert_memory_equal(gls_matrix_data(rows), g, sizeof g);
    }
    assert_int_equal(gls_layout_add(layout, "c", 1, sizes, 0), GLS_OK);
    const gls_real *const blocks[3] = {first, second, first};
    assert_int_equal(gls_matrix_add_blocks(rows, layout, 1, blocks), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_matrix_add(rows, -1, g), GLS_ERR_ARGUMENT);
    gls_measure_matrix m = {gls_matrix_data(rows), gls_matrix_rows(rows), D, false, 3};
    gls_measure_result r = run("gradient_diversity", NULL, NULL, &m);
    sums s = brute();
    NEAR(gls_measure_result_get(&r, "gradient_diversity"), s.norms2 / s.sum2, precision);
    gls_measure_result_clear(&r);
    gls_matrix_destroy(rows);
    gls_layout_destroy(layout);
    assert_int_equal(gls_matrix_create(ctx, 0, &rows), GLS_ERR_ARGUMENT);
}

static void a_sample_is_corrected_and_says_so(void **state) {
    fill(3);
    sums s = brute();
    double m2 = s.norms2 / N, mean2 = s.sum2 / N / N, corrected = mean2 - (m2 - mean2) / (N - 1);
    gls_measure_matrix m = matrix(true);
    gls_measure_result r = run("gradient_diversity", NULL, NULL, &m), norm = run("gradient_norm", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&r, "batch_size_bound"), m2 / corrected, precision);
    assert_null(gls_measure_result_find(&r, "gradient_diversity")); /* n is not known */
    const gls_figure *bound = gls_measure_result_find(&r, "batch_size_bound");
    assert_true(bound->low < bound->value[0] && bound->value[0] < bound->high);
    NEAR(gls_measure_result_get(&norm, "gradient_norm"), sqrt(corrected), precision);
    gls_measure_result_clear(&r);
    gls_measure_result_clear(&norm);
    /* Rows and their opposites: the mean is zero, the estimate negative, and the result says that it is meaningless. */
    for (int i = 0; i + 1 < N - 1; i += 2)
        for (int k = 0; k < D; k++) g[(i + 1) * D + k] = -g[i * D + k];
    m.n = N - 1;
    r = run("gradient_diversity", NULL, NULL, &m);
    assert_non_null(r.meaningless);
    assert_true(isnan(gls_measure_result_get(&r, "batch_size_bound")));
    gls_measure_result_clear(&r);
}

static void mechanisms_bounds_are_explicit_sums(void **state) {
    fill(2);
    sums s = brute();
    gls_measure_matrix m = matrix(false);
    gls_measure_result r = run("dim_bounds", "drop", "0.3", &m);
    double keep = 0.7, noise = N * D * 0.01 * 0.01;
    NEAR(gls_measure_result_get(&r, "drop_bound"), N * keep * s.norms2 / (keep * s.norms2 + keep * keep * s.cross),
         precision);
    NEAR(gls_measure_result_get(&r, "sgld_bound"), N * (s.norms2 + noise) / (s.sum2 + noise), precision);
    NEAR(gls_measure_result_get(&r, "quant_bound"), N * s.product / (s.product + s.cross), precision);
    NEAR(gls_measure_result_get(&r, "plain_bound"), N * s.norms2 / s.sum2, precision);
    /* "At least B_S where B_S <= n". */
    assert_true(gls_measure_result_get(&r, "plain_bound") <= N);
    assert_true(gls_measure_result_get(&r, "drop_bound") >= gls_measure_result_get(&r, "plain_bound"));
    assert_true(gls_measure_result_get(&r, "quant_bound") >= gls_measure_result_get(&r, "plain_bound"));
    gls_measure_result_clear(&r);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Unit vectors of five dimensions, and one row a hundred times as long: tr(S)^2 / tr(S^2) by the covariance itself. */
static void one_row_outweighs_all_others(void **state) {
    enum { ROWS = 60, WIDTH = 5 };
    gls_real rows[ROWS * WIDTH] = {0};
    double mean[WIDTH] = {0}, s[WIDTH][WIDTH] = {{0}}, trace = 0, square = 0;
    for (int i = 0; i < ROWS; i++) rows[i * WIDTH + i % WIDTH] = i == 7 ? 100 : i % 2 ? 1 : -1;
    for (int i = 0; i < ROWS * WIDTH; i++) mean[i % WIDTH] += (double)rows[i] / ROWS;
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; k < WIDTH; k++)
            for (int l = 0; l < WIDTH; l++)
                s[k][l] += ((double)rows[i * WIDTH + k] - mean[k]) * ((double)rows[i * WIDTH + l] - mean[l]) / ROWS;
    for (int k = 0; k < WIDTH; k++) {
        trace += s[k][k];
        for (int l = 0; l < WIDTH; l++) square += s[k][l] * s[k][l];
    }
    gls_measure_matrix m = {.g = rows, .n = ROWS, .d = WIDTH, .seed = 1};
    gls_measure_result r = run("noise_norm", NULL, NULL, &m);
    NEAR(gls_measure_result_get(&r, "effective_dimension"), trace * trace / square, 1e-6);
    gls_measure_result_clear(&r);
}

/* [D] theorem 9: more diverse gradients never have the smaller bound, here where that of the rows is far above m. */
static void bounds_of_a_sample_are_those_of_a_large_set(void **state) {
    enum { ROWS = 10, WIDTH = 3 };
    gls_real rows[ROWS * WIDTH];
    gls_random random = gls_random_create(5, "sample", 0, 0);
    for (int i = 0; i < ROWS * WIDTH; i++) rows[i] = (gls_real)(1 + 3 * gls_random_normal(&random));
    gls_measure_matrix m = {.g = rows, .n = ROWS, .d = WIDTH, .sample = true, .seed = 1};
    gls_measure_result r = run("dim_bounds", "drop", "0.5", &m);
    double plain = gls_measure_result_get(&r, "plain_bound");
    assert_true(plain > 0);
    NEAR(gls_measure_result_get(&r, "drop_bound"), 2 * plain, 1e-6);
    assert_true(gls_measure_result_get(&r, "quant_bound") >= plain);
    assert_true(gls_measure_result_get(&r, "sgld_bound") >= plain);
    gls_measure_result_clear(&r);
}

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

static void bad_input_is_named(void **state) {
    gls_measure *measure;
    gls_measure_result result;
    gls_measure_result_init(ctx, &result);
    assert_int_equal(gls_measure_create(ctx, "gradient_diversty", NULL, NULL, 0, 0, &measure), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "gradient_diversity"));
    gls_value *options = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    GOOD(gls_value_append(ctx, options, gls_value_create(ctx, GLS_VALUE_TEXT, "smothing", "1")));
    assert_int_equal(gls_measure_create(ctx, "gradient_diversity", options, NULL, 0, 0, &measure), GLS_ERR_ARGUMENT);
    GOOD(gls_measure_create(ctx, "noise", NULL, NULL, 0, 0, &measure));
    assert_string_equal(gls_measure_type_of(measure)->member.name, "noise_norm");
    gls_measure_destroy(measure);
    const char *const except[] = {"smothing", NULL};
    GOOD(gls_measure_create(ctx, "gradient_diversity", options, except, 0, 0, &measure));
    gls_value_destroy(ctx, options);
    fill(1);
    g[5 * D + 7] = (gls_real)NAN;
    gls_measure_matrix m = matrix(false);
    assert_int_equal(gls_measure_run_matrix(measure, &m, &result), GLS_ERR_NONFINITE);
    assert_non_null(strstr(gls_context_message(ctx), "row 5, column 7"));
    m.n = 0;
    assert_int_equal(gls_measure_run_matrix(measure, &m, &result), GLS_ERR_ARGUMENT);
    gls_measure_destroy(measure);
    GOOD(gls_measure_create(ctx, "sharpness", NULL, NULL, 0, 0, &measure));
    m = matrix(false);
    assert_int_equal(gls_measure_run_matrix(measure, &m, &result), GLS_ERR_UNSUPPORTED);
    gls_measure_destroy(measure);
    gls_measure_result_clear(&result);
}

/* One row, equal rows, zero rows: an answer or a sentence from every measure, and JSON that reads back. */
static void every_measure_survives_degenerate_matrices(void **state) {
    for (int kind = 0; kind < 3; kind++) {
        for (int i = 0; i < N * D; i++) g[i] = (gls_real)(kind == 2 ? 0 : 1 + i % D);
        gls_measure_matrix m = {g, kind == 0 ? 1 : N, D, false, 3};
        const gls_measure_type *type;
        for (int64_t t = 0; (type = gls_measure_at(ctx, t)); t++) {
            assert_true(type->member.help[0] && (type->cost || type->every[0]) && (type->problem || type->matrix));
            for (int sample = 0; sample < 2 && type->matrix; sample++) {
                m.sample = sample;
                gls_measure_result r = run(type->member.name, NULL, NULL, &m);
                char *text;
                GOOD(gls_measure_results_json(ctx, &r, 1, &text));
                json_t *json = json_loads(text, 0, NULL);
                assert_non_null(json);
                json_decref(json);
                gls_free(ctx, text);
                gls_measure_result_clear(&r);
            }
        }
    }
}

static int set_up(void **state) {
    ctx = make_context();
    return 0;
}
static int tear_down(void **state) {
    gls_context_destroy(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diversity_is_the_definition),
        cmocka_unit_test(norm_test_is_the_papers),
        cmocka_unit_test(rows_come_in_parts),
        cmocka_unit_test(a_sample_is_corrected_and_says_so),
        cmocka_unit_test(mechanisms_bounds_are_explicit_sums),
        cmocka_unit_test(noise_norms_are_distances_to_the_mean),
        cmocka_unit_test(one_row_outweighs_all_others),
        cmocka_unit_test(bounds_of_a_sample_are_those_of_a_large_set),
        cmocka_unit_test(gaussian_noise_looks_gaussian),
        cmocka_unit_test(tail_index_of_stable_rows),
        cmocka_unit_test(stable_counts_are_those_of_the_law),
        cmocka_unit_test(papers_index_of_norms),
        cmocka_unit_test(a_rising_index_is_said),
        cmocka_unit_test(sparse_coordinates_are_left_out),
        cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(every_measure_survives_degenerate_matrices),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
