/* What defines the data is learned from training rows and applied to a run's other sets. */
#include "support.h"

static bool same_row(const gls_batch *a, int64_t i, const gls_batch *b, int64_t j) {
    for (int64_t k = 0; k < a->features; k++)
        if (value_at(a, i, k) != value_at(b, j, k)) return false;
    return true;
}

/* 50 of 240 training rows are a share of 5/24: of 60 others 12.5, so 13, each of them a row of its set; with `sets:
 * train` and for rows from elsewhere all 60. */
static void subset_keeps_the_same_share(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const lists[] = {"[{subset: 50}]", "[{subset: {size: 50, first: true}}]",
                                        "[{subset: {size: 50, sets: train}}]", "[{subset: 1}]", "[{subset: all}]"};
    static const int64_t kept[] = {13, 13, 60, 1, 60};
    static const char set[] = "{train_size: 240, test_size: 60, classes: 4, features: 6}";
    for (int k = 0; k < 5; k++) {
        gls_source *train = transformed(ctx, open_ok(ctx, "gaussians", NULL, set), lists[k], 11, NULL), *test, *all;
        gls_source *plain =
            open_ok(ctx, "gaussians", NULL, "{train_size: 240, test_size: 60, classes: 4, features: 6}");
        assert_int_equal(open_status(ctx, "gaussians", NULL, set, GLS_PART_TEST, &plain->info, &all), GLS_OK);
        assert_int_equal(open_status(ctx, "gaussians", NULL, set, GLS_PART_TEST, &plain->info, &test), GLS_OK);
        test = transformed(ctx, test, lists[k], 11, train);
        assert_int_equal(test->info.examples, kept[k]);
        const int64_t *original = gls_source_column(test, "original");
        gls_rows *rows[2];
        gls_batch some = whole(ctx, test, &rows[0]), every = whole(ctx, all, &rows[1]);
        for (int64_t i = 0; i < kept[k]; i++) {
            int64_t from = original ? original[i] : i;
            assert_true(same_row(&some, i, &every, k == 1 ? i : from) && (!i || !original || original[i - 1] < from));
        }
        gls_value *list = yaml(ctx, lists[k]);
        assert_int_equal(gls_transforms_apply_elsewhere(ctx, all, list, 11, gls_source_fitted(train), &all), GLS_OK);
        assert_int_equal(all->info.examples, 60);
        gls_value_destroy(ctx, list);
        for (int r = 0; r < 2; r++) gls_rows_destroy(rows[r]);
        gls_source_destroy(all);
        gls_source_destroy(test);
        gls_source_destroy(plain);
        gls_source_destroy(train);
    }
    counting_end(&c, ctx);
}

/* Augmented rows are shifted or mirrored images, as brute force finds them; only when asked; keyed by draw and slot. */
/* A column of deviation s needs the scale 1/s: of 1e-30 it is there and the column gets variance 1; below the least
 * that has one it is refused by name, never infinite. */
static void standardize_refuses_what_it_cannot_scale(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const double deviation[] = {1e-30, 2e-39};
    int cases = sizeof(gls_real) == 4 ? 2 : 1; /* in double, squares of what is so small are 0 */
    for (int k = 0; k < cases; k++) {
        gls_real x[8];
        for (int i = 0; i < 4; i++) {
            x[2 * i] = (gls_real)(i % 2);
            x[2 * i + 1] = (gls_real)(deviation[k] * (i % 2 ? 1 : -1));
        }
        gls_data_info info = {.examples = 4, .features = 2, .dims = 1, .shape = {2}};
        gls_source *source, *out = NULL;
        gls_value *list = NULL;
        assert_int_equal(gls_source_from_dense(ctx, x, NULL, NULL, &info, &source), GLS_OK);
        list = yaml(ctx, "[standardize]");
        gls_status status = gls_transforms_apply(ctx, source, list, 1, NULL, &out);
        assert_int_equal(status, k ? GLS_ERR_INPUT : GLS_OK);
        if (k) assert_says(ctx, "feature 1 has the standard deviation");
        if (!k) {
            gls_rows *rows;
            gls_batch batch;
            const int64_t index[] = {0, 1};
            assert_int_equal(gls_rows_create(ctx, &out->info, 2, &rows), GLS_OK);
            assert_int_equal(gls_source_fetch(out, ctx, &(gls_fetch){.count = 2, .index = index}, rows, &batch),
                             GLS_OK);
            assert_true(fabs((double)batch.x[1] + 1) < 1e-6 && fabs((double)batch.x[3] - 1) < 1e-6);
            gls_rows_destroy(rows);
            gls_source_destroy(out);
        }
        gls_value_destroy(ctx, list);
    }
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subset_keeps_the_same_share),
        cmocka_unit_test(standardize_refuses_what_it_cannot_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
