/* Transform weigh: masses of classes and of examples, and what is refused. */
#include "support.h"

/* ---- weigh ---- */

static void check_masses(gls_context *ctx, const char *list, const double *expected) {
    static const gls_real x[6] = {1, 2, 3, 4, 5, 6};
    static const int32_t label[6] = {0, 1, 1, 1, 0, 1};
    static const char *const names[] = {"cat", "dog", "emu"};
    gls_data_info info = {.examples = 6, .features = 1, .target = GLS_TARGET_CLASS, .classes = 3, .class_names = names};
    gls_source *raw, *s;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &raw), GLS_OK);
    s = transformed(ctx, raw, list, 1, NULL);
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    for (int i = 0; i < (int)b.rows; i++)
        if (!b.mass || fabs(b.mass[i] - expected[i]) > 1e-15)
            fail_msg("%s: mass %d is %g, not %g", list, i, b.mass ? b.mass[i] : 1, expected[i]);
    gls_rows_destroy(rows);
    gls_source_destroy(s);
}

static void weights_of_classes_and_examples(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const double w[6] = {1, 2, 0.5, 4, 5, 6};
    const int64_t shape[1] = {6};
    char path[600], list[800];
    snprintf(path, sizeof path, "%s", scratch_directory());
    snprintf(path + strlen(path), 16, "/w.npy");
    assert_int_equal(gls_npy_write(ctx, path, GLS_F64, 1, shape, w), GLS_OK);
    check_masses(ctx, "[{weigh: balanced}]", (double[]){1.5, 0.75, 0.75, 0.75, 1.5, 0.75});
    check_masses(ctx, "[{weigh: {class_weights: {dog: 2.5}}}]", (double[]){1, 2.5, 2.5, 2.5, 1, 2.5});
    snprintf(list, sizeof list, "[{weigh: {example_weights: '%s'}}]", path);
    check_masses(ctx, list, w);
    snprintf(list, sizeof list, "[{weigh: {class_weights: {cat: 2}}}, {weigh: {example_weights: '%s'}}]", path);
    check_masses(ctx, list, (double[]){2, 2, 0.5, 4, 10, 6});
    snprintf(list, sizeof list, "[{subset: {size: 3, first: true}}, {weigh: {example_weights: '%s'}}]", path);
    check_masses(ctx, list, w);
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
    static const char *const bad[][2] = {{"[{weigh: {}}]", "expected class_weights or example_weights"},
                                         {"[{weigh: {class_weights: {cow: 1}}}]", "there is no class 'cow'"},
                                         {"[{weigh: {class_weights: {2: 0}}}]", "class '2': expected a number above 0"},
                                         {"[{weigh: even}]", "expected balanced, or a map"},
                                         {"[{weigh: {example_weights: /none.npy}}]", "/none.npy"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        gls_source *raw = open_ok(ctx, "gaussians", NULL, "{train_size: 9, classes: 3}"), *out;
        gls_value *value = yaml(ctx, bad[k][0]);
        assert_int_not_equal(gls_transforms_apply(ctx, raw, value, 1, NULL, &out), GLS_OK);
        assert_says(ctx, bad[k][1]);
        assert_null(out);
        gls_value_destroy(ctx, value);
    }
    counting_end(&c, ctx);
}

static gls_source *six_rows(gls_context *ctx) {
    static const gls_real x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {0};
    gls_data_info info = {.examples = 6, .features = 1, .target = GLS_TARGET_REAL, .targets = 1};
    gls_source *raw;
    assert_int_equal(gls_source_from_dense(ctx, x, NULL, y, &info, &raw), GLS_OK);
    return raw;
}

static void weights_from_memory(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const double once[6] = {1, 2, 0.5, 4, 5, 6}, twice[6] = {3, 1, 1, 1, 1, 0.5};
    gls_source *s;
    assert_int_equal(gls_source_weigh(ctx, six_rows(ctx), once, &s), GLS_OK);
    assert_int_equal(gls_source_weigh(ctx, s, twice, &s), GLS_OK);
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    for (int i = 0; i < 6; i++) assert_true(b.mass && b.mass[i] == once[i] * twice[i]);
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    const double bad[][6] = {{1, 1, 1, 0, 1, 1}, {1, -1, 1, 1, 1, 1}, {1, 1, NAN, 1, 1, 1}, {INFINITY, 1, 1, 1, 1, 1}};
    const char *const says[] = {"weight 3 is 0;", "weight 1 is -1;", "weight 2 is nan;", "weight 0 is inf;"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(gls_source_weigh(ctx, six_rows(ctx), bad[k], &s), GLS_ERR_INPUT);
        assert_says(ctx, says[k]);
        assert_null(s);
    }
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_of_classes_and_examples),
                                       cmocka_unit_test(weights_from_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
