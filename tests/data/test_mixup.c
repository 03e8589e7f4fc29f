/* Transform mixup: every augmented row is the mixture it says it is, of a row of the set that has the class it names;
 * the law of the shares; and what stays as it is. */
#include "support.h"

enum { N = 40, F = 6 };

static gls_source *numbered(gls_context *ctx, gls_real *x, int32_t *label) {
    gls_data_info info = {
        .examples = N, .features = F, .dims = 3, .shape = {1, 2, 3}, .target = GLS_TARGET_CLASS, .classes = 5};
    gls_random random = gls_random_create(3, "test", 0, 0);
    for (int i = 0; i < N * F; i++) x[i] = (gls_real)gls_random_normal(&random);
    for (int i = 0; i < N; i++) label[i] = i % 5;
    gls_source *source;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &source), GLS_OK);
    return source;
}

static gls_batch fetch_all(gls_context *ctx, const gls_source *source, uint64_t draw, bool augment, gls_rows *rows) {
    int64_t index[N];
    gls_batch batch;
    for (int i = 0; i < N; i++) index[i] = i;
    gls_fetch fetch = {.count = N, .index = index, .draw = draw, .seed = 8, .augment = augment};
    assert_int_equal(gls_source_fetch(source, ctx, &fetch, rows, &batch), GLS_OK);
    return batch;
}

static bool is_mixture(const gls_batch *b, int i, const gls_real *own, const gls_real *other) {
    double share = b->label_share[i];
    for (int k = 0; k < F; k++)
        if (fabs(share * own[k] + (1 - share) * other[k] - b->x[i * F + k]) > 1e-5) return false;
    return true;
}

/* How many rows, mirrored or not, of the named class row i may be mixed with. */
static int partners(const gls_batch *b, int i, const gls_real *x, const int32_t *label, bool mirrors) {
    int found = 0;
    gls_real own[F], other[F];
    for (int j = 0; j < N; j++)
        for (int m = 0; m < (mirrors ? 4 : 1); m++) {
            for (int k = 0; k < F; k++) {
                int mirrored = k / 3 * 3 + 2 - k % 3;
                own[k] = x[i * F + (m & 1 ? mirrored : k)];
                other[k] = x[j * F + (m & 2 ? mirrored : k)];
            }
            found += label[j] == b->other_label[i] && is_mixture(b, i, own, other);
        }
    return found;
}

static void rows_are_the_mixtures_they_say(void **state) {
    static const char *const lists[] = {"[{mixup: 1}]", "[flip, {mixup: 1}]"};
    for (int which = 0; which < 2; which++) {
        counting c;
        gls_context *ctx = counting_context(&c, 1);
        gls_real x[N * F];
        int32_t label[N];
        gls_source *source = transformed(ctx, numbered(ctx, x, label), lists[which], 1, NULL);
        gls_rows *rows, *again;
        assert_true(source->info.mixed);
        assert_int_equal(gls_rows_create(ctx, &source->info, N, &rows), GLS_OK);
        assert_int_equal(gls_rows_create(ctx, &source->info, N, &again), GLS_OK);
        gls_batch b = fetch_all(ctx, source, 4, true, rows);
        for (int i = 0; i < N; i++) {
            assert_int_equal(b.label[i], label[i]);
            assert_true(b.label_share[i] >= 0 && b.label_share[i] <= 1);
            assert_true(partners(&b, i, x, label, which == 1) >= 1);
        }
        gls_batch same = fetch_all(ctx, source, 4, true, again);
        assert_memory_equal(same.x, b.x, N * F * sizeof *b.x);
        gls_batch view = gls_batch_view(&b, 7, 3);
        assert_true(view.other_label == b.other_label + 7 && view.label_share == b.label_share + 7);
        same = fetch_all(ctx, source, 5, true, again);
        for (int i = 0; i < N; i++) assert_true(same.label_share[i] != b.label_share[i]);
        same = fetch_all(ctx, source, 4, false, again);
        assert_null(same.other_label);
        assert_memory_equal(same.x, x, N * F * sizeof *b.x);
        gls_rows_destroy(rows);
        gls_rows_destroy(again);
        gls_source_destroy(source);
        counting_end(&c, ctx);
    }
}

/* Mean 1/2 and variance 1 / (4 (2 alpha + 1)), and every row of the set as a partner equally often: 20,000 draws, whose
 * means lie within five deviations. */
static void shares_are_of_beta_and_partners_uniform(void **state) {
    static const double alphas[] = {0.02, 0.2, 1, 7};
    for (int k = 0; k < 4; k++) {
        counting c;
        gls_context *ctx = counting_context(&c, 1);
        gls_real x[N * F];
        int32_t label[N];
        char list[40];
        snprintf(list, sizeof list, "[{mixup: %g}]", alphas[k]);
        gls_source *source = transformed(ctx, numbered(ctx, x, label), list, 1, NULL);
        gls_rows *rows;
        assert_int_equal(gls_rows_create(ctx, &source->info, N, &rows), GLS_OK);
        enum { DRAWS = 500 };
        double sum = 0, squares = 0, n = DRAWS * N, variance = 1 / (4 * (2 * alphas[k] + 1));
        int classes[5] = {0};
        for (uint64_t draw = 0; draw < DRAWS; draw++) {
            gls_batch b = fetch_all(ctx, source, draw, true, rows);
            for (int i = 0; i < N; i++) {
                sum += b.label_share[i] - 0.5;
                squares += pow(b.label_share[i] - 0.5, 2);
                classes[b.other_label[i]]++;
            }
        }
        assert_true(fabs(sum / n) < 5 * sqrt(variance / n));
        assert_true(fabs(squares / n / variance - 1) < 5 * sqrt(2 / n)); /* kurtosis below the normal one's */
        for (int j = 0; j < 5; j++) assert_true(fabs(classes[j] - n / 5) < 5 * sqrt(n * 0.16));
        gls_rows_destroy(rows);
        gls_source_destroy(source);
        counting_end(&c, ctx);
    }
}

static void what_cannot_be_mixed_is_refused(void **state) {
    static const char *const bad[][3] = {
        {"gaussians", "[{mixup: 0}]", "alpha"},
        {"gaussians", "[mixup, mixup]", "in the list already"},
        {"gaussians", "[mixup, {label_noise: 0.1}]", "label_noise picks or relabels rows"},
        {"gaussians", "[mixup, {subset: 10}]", "in front of mixup"},
        {"gaussians", "[mixup, {replicate: 2}]", "in front of mixup"},
        {"sparse", "[mixup]", "classes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        counting c;
        gls_context *ctx = counting_context(&c, 1);
        gls_value *list = yaml(ctx, bad[i][1]);
        gls_source *out, *source = open_ok(ctx, bad[i][0], NULL, "{train_size: 60}");
        if (gls_transforms_apply(ctx, source, list, 1, NULL, &out) == GLS_OK) fail_msg("%s", bad[i][1]);
        assert_null(out);
        if (!strstr(gls_context_message(ctx), bad[i][2])) fail_msg("%s: %s", bad[i][1], gls_context_message(ctx));
        gls_value_destroy(ctx, list);
        counting_end(&c, ctx);
    }
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = transformed(ctx, open_ok(ctx, "gaussians", NULL, "{train_size: 60}"),
                                     "[{label_noise: 0.1}, mixup, standardize, {weigh: balanced}]", 1, NULL);
    assert_true(source->info.mixed && source->has_mass);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_the_mixtures_they_say),
                                       cmocka_unit_test(shares_are_of_beta_and_partners_uniform),
                                       cmocka_unit_test(what_cannot_be_mixed_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
