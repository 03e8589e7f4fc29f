/* Generators against their definitions, and the description of a set against counts by hand. */
#include "support.h"

/* The same images on any number of threads; test and training sets differ; every class is there. */
static void glyphs_are_reproducible(void **state) {
    counting c, c1;
    gls_context *ctx = counting_context(&c, 2), *one = counting_context(&c1, 1);
    gls_source *a = open_ok(ctx, "glyphs", NULL, "{train_size: 250}"), *test;
    gls_source *b = open_ok(one, "glyphs", NULL, "{train_size: 250}");
    assert_same_source(one, a, b);
    assert_int_equal(open_status(one, "glyphs", NULL, "{test_size: 250}", GLS_PART_TEST, &a->info, &test), GLS_OK);
    gls_rows *rows[2];
    gls_batch x = whole(one, a, &rows[0]), y = whole(one, test, &rows[1]);
    for (int i = 0; i < 250; i++) {
        assert_int_equal(x.label[i], i % 10);
        assert_memory_not_equal(x.x + 784 * i, y.x + 784 * i, 784 * sizeof *x.x);
        for (int j = 0; j < 784; j++) assert_true(x.x[784 * i + j] >= 0 && x.x[784 * i + j] <= 1);
    }
    assert_string_equal(a->info.class_names[0], "ring");
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    gls_source_destroy(a);
    gls_source_destroy(b);
    gls_source_destroy(test);
    counting_end(&c, ctx);
    counting_end(&c1, one);
}

enum { PIXELS = 784, HIDDEN = 64 };

/* w [out, in + 1] a layer's output with its bias. */
static void layer(const float *w, const float *x, int in, int out, float *z) {
    for (int k = 0; k < out; k++) {
        float s = w[k * (in + 1) + in];
        for (int j = 0; j < in; j++) s += w[k * (in + 1) + j] * x[j];
        z[k] = s;
    }
}

static void softmax_error(float *z, int label) {
    float most = z[0], sum = 0;
    for (int k = 1; k < 10; k++) most = fmaxf(most, z[k]);
    for (int k = 0; k < 10; k++) sum += z[k] = expf(z[k] - most);
    for (int k = 0; k < 10; k++) z[k] = z[k] / sum - (float)(k == label);
}

static double linear_accuracy(const float *x, const int32_t *y, int n, const float *t, const int32_t *ty, int m) {
    static float w[10 * (PIXELS + 1)];
    memset(w, 0, sizeof w);
    for (int epoch = 0; epoch < 12; epoch++)
        for (int s = 0; s < n; s++) {
            int i = (int)((int64_t)s * 7919 % n);
            float z[10], rate = 0.02f * (1 - (float)epoch / 12);
            layer(w, x + i * PIXELS, PIXELS, 10, z);
            softmax_error(z, y[i]);
            for (int k = 0; k < 10; k++) {
                for (int j = 0; j < PIXELS; j++) w[k * (PIXELS + 1) + j] -= rate * z[k] * x[i * PIXELS + j];
                w[k * (PIXELS + 1) + PIXELS] -= rate * z[k];
            }
        }
    int right = 0;
    for (int i = 0; i < m; i++) {
        float z[10];
        int best = 0;
        layer(w, t + i * PIXELS, PIXELS, 10, z);
        for (int k = 1; k < 10; k++)
            if (z[k] > z[best]) best = k;
        right += best == ty[i];
    }
    return (double)right / m;
}

/* The default set is between easy and hopeless for a linear model (85% bounds what softmax regression reaches). */
static void glyphs_are_hard_for_a_linear_model(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *train = open_ok(ctx, "glyphs", NULL, "{train_size: 6000}"), *test;
    assert_int_equal(open_status(ctx, "glyphs", NULL, "{test_size: 1000}", GLS_PART_TEST, NULL, &test), GLS_OK);
    gls_rows *rows[2];
    gls_batch x = whole(ctx, train, &rows[0]), y = whole(ctx, test, &rows[1]);
    float *fx = malloc(6000 * PIXELS * sizeof *fx), *fy = malloc(1000 * PIXELS * sizeof *fy);
    for (int i = 0; i < 6000 * PIXELS; i++) fx[i] = (float)x.x[i];
    for (int i = 0; i < 1000 * PIXELS; i++) fy[i] = (float)y.x[i];
    double accuracy = linear_accuracy(fx, x.label, 6000, fy, y.label, 1000);
    if (accuracy < 0.6 || accuracy > 0.88) fail_msg("accuracy %g", accuracy);
    free(fx);
    free(fy);
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    gls_source_destroy(train);
    gls_source_destroy(test);
    counting_end(&c, ctx);
}

/* Class means estimated from the examples lie apart as asked; spread around them is the noise; test shares centres. */
static void gaussians_have_their_moments(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    enum { K = 12, D = 40, N = 12000 };
    const char *options = "{train_size: 12000, test_size: 12000, classes: 12, features: 40, separation: 6, noise: 0.5}";
    double mean[2][K][D] = {{{0}}};
    for (int part = 0; part < 2; part++) {
        gls_source *source;
        assert_int_equal(open_status(ctx, "gaussians", NULL, options, part, NULL, &source), GLS_OK);
        gls_rows *rows;
        gls_batch b = whole(ctx, source, &rows);
        double square = 0, distance = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < D; j++) mean[part][b.label[i]][j] += value_at(&b, i, j) / (N / K);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < D; j++) square += pow(value_at(&b, i, j) - mean[part][b.label[i]][j], 2);
        assert_true(fabs(sqrt(square / (N * (double)D)) - 0.5) < 0.005);
        for (int k = 0; k < K; k++)
            for (int l = 0; l < k; l++)
                for (int j = 0; j < D; j++) distance += pow(mean[part][k][j] - mean[part][l][j], 2);
        assert_true(fabs(sqrt(distance / (K * (K - 1) / 2)) - 6) < 0.6);
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    for (int k = 0; k < K; k++)
        for (int j = 0; j < D; j++) assert_true(fabs(mean[0][k][j] - mean[1][k][j]) < 0.12);
    counting_end(&c, ctx);
}

/* Conflicts counted pair by pair: every row overlaps with exactly `degree` others. */
static void sparse_rows_have_their_degree(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int degree = 0; degree < 6; degree++) {
        char option[100];
        snprintf(option, sizeof option, "{train_size: 60, degree: %d, nonzeros: 3, noise: 0}", degree);
        if (60 % (degree + 1)) continue;
        gls_source *source = open_ok(ctx, "sparse", NULL, option);
        gls_rows *rows;
        gls_batch b = whole(ctx, source, &rows);
        for (int i = 0; i < 60; i++) {
            int conflicts = 0;
            assert_int_equal(b.row[i + 1] - b.row[i], 3);
            for (int j = 0; j < 60; j++) {
                bool shares = false;
                for (int64_t k = b.row[i]; k < b.row[i + 1]; k++) shares |= value_at(&b, j, b.column[k]) != 0;
                conflicts += shares && i != j;
            }
            assert_int_equal(conflicts, degree);
        }
        /* without noise the targets of one clique of more rows than features fit a linear model; here: y is not 0 */
        for (int i = 0; i < 60; i++) assert_true(b.y[i] != 0);
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    gls_source *none;
    assert_int_equal(open_status(ctx, "sparse", NULL, "{train_size: 62, degree: 3}", GLS_PART_TRAIN, NULL, &none),
                     GLS_ERR_ARGUMENT);
    assert_says(ctx, "64");
    counting_end(&c, ctx);
}

/* Dense rows with every kind of trouble, counted by hand; the same as sparse rows. */
static void descriptions_find_trouble(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_real x[] = {1, 0, 5, /**/ 2, 0, 5, /**/ 1, 0, 5, /**/ 0, 0, 0, /**/ 1, 0, 5, /**/ -4, 0, 5};
    int32_t label[] = {0, 0, 0, 2, 2, 0};
    gls_data_info info = {.examples = 6, .features = 3, .target = GLS_TARGET_CLASS, .classes = 4};
    int64_t row[] = {0, 2, 4, 6, 6, 8, 10};
    int32_t column[] = {0, 2, 0, 2, 0, 2, 0, 2, 0, 2};
    gls_real value[] = {1, 5, 2, 5, 1, 5, 1, 5, -4, 5};
    for (int s = 0; s < 2; s++) {
        gls_source *source;
        gls_description d;
        if (s)
            assert_int_equal(gls_source_from_sparse(ctx, row, column, value, label, NULL, &info, &source), GLS_OK);
        else
            assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &source), GLS_OK);
        assert_int_equal(gls_source_describe(ctx, source, &d), GLS_OK);
        assert_int_equal(d.class_count[0], 4);
        assert_int_equal(d.class_count[1], 0);
        assert_int_equal(d.missing_classes, 2);
        assert_true(d.imbalance == 2);
        assert_true(d.minimum == -4 && d.maximum == 5);
        assert_true(fabs(d.mean - 26.0 / 18) < 1e-12);
        assert_true(fabs(d.density - 10.0 / 18) < 1e-12);
        assert_int_equal(d.constant_features, 1);
        assert_int_equal(d.empty_rows, 1);
        assert_int_equal(d.duplicate_rows, 2);
        assert_int_equal(d.conflicting_rows, 1);
        assert_non_null(strstr(d.text, "6 examples of 3 features"));
        assert_non_null(strstr(d.text, "2 rows equal to an earlier one"));
        gls_description_clear(ctx, &d);
        gls_source_destroy(source);
    }
    x[4] = NAN;
    gls_source *source;
    gls_description d;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &source), GLS_OK);
    assert_int_equal(gls_source_describe(ctx, source, &d), GLS_OK);
    assert_int_equal(d.nonfinite, 1);
    gls_description_clear(ctx, &d);
    gls_source_destroy(source);
    source = open_ok(ctx, "glyphs", NULL, "{train_size: 100}");
    assert_int_equal(gls_source_describe(ctx, source, &d), GLS_OK);
    assert_non_null(strstr(d.text, "(1 x 28 x 28)"));
    assert_non_null(strstr(d.text, "ring 10"));
    assert_non_null(strstr(d.text, "no trouble"));
    gls_description_clear(ctx, &d);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

static gls_status attempt(gls_context *ctx) {
    gls_source *source;
    gls_description d = {0};
    GLS_TRY(gls_source_open(ctx, "sparse", NULL, NULL, NULL, GLS_PART_TRAIN, NULL, &source));
    gls_status status = gls_source_describe(ctx, source, &d);
    gls_description_clear(ctx, &d);
    gls_source_destroy(source);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(glyphs_are_reproducible),      cmocka_unit_test(glyphs_are_hard_for_a_linear_model),
        cmocka_unit_test(gaussians_have_their_moments), cmocka_unit_test(sparse_rows_have_their_degree),
        cmocka_unit_test(descriptions_find_trouble),    cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
