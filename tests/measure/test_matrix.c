/* Measures on a matrix of per-example gradients against their definitions, written out here. */
#include "matrix.h"

#include <jansson.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diversity_is_the_definition),
        cmocka_unit_test(norm_test_is_the_papers),
        cmocka_unit_test(rows_come_in_parts),
        cmocka_unit_test(a_sample_is_corrected_and_says_so),
        cmocka_unit_test(mechanisms_bounds_are_explicit_sums),
        cmocka_unit_test(one_row_outweighs_all_others),
        cmocka_unit_test(bounds_of_a_sample_are_those_of_a_large_set),
        cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(every_measure_survives_degenerate_matrices),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
