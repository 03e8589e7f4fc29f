/* Real data, where it is (environment GLISSADE_DATA): counts and moments as published. Skips what is absent. */
#include "support.h"

/* Tests run in the build folder, mostly. */
static const char *data_folder(void) {
    static const char *const near[] = {"../shared/data", "../../shared/data"};
    const char *folder = getenv("GLISSADE_DATA");
    for (int i = 0; !folder && i < 2; i++)
        if (access(near[i], R_OK) == 0) folder = near[i];
    return folder ? folder : near[0];
}

/* Opens FOLDER/path, or skips the test. */
static gls_source *open_or_skip(gls_context *ctx, counting *c, const char *format, const char *path, bool test,
                                const gls_data_info *like) {
    const char *full = in_folder(data_folder(), path);
    if (access(full, R_OK)) {
        counting_end(c, ctx);
        skip();
    }
    gls_source *source;
    if (open_status(ctx, format, full, NULL, test, like, &source)) fail_msg("%s", gls_context_message(ctx));
    return source;
}

static void a9a(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *train = open_or_skip(ctx, &c, "libsvm", "libsvm/a9a.xz", false, NULL), *test;
    test = open_or_skip(ctx, &c, "libsvm", "libsvm/a9a.t.xz", true, &train->info);
    gls_description d;
    assert_int_equal(gls_source_describe(ctx, train, &d), GLS_OK);
    assert_int_equal(train->info.examples, 32561);
    assert_int_equal(train->info.features, 123);
    assert_int_equal(d.class_count[0], 24720);
    assert_int_equal(d.class_count[1], 7841);
    assert_true(d.minimum == 0 && d.maximum == 1);
    gls_description_clear(ctx, &d);
    assert_int_equal(gls_source_describe(ctx, test, &d), GLS_OK);
    assert_int_equal(test->info.examples, 16281);
    assert_int_equal(test->info.features, 123);
    assert_int_equal(d.class_count[1], 3846);
    gls_description_clear(ctx, &d);
    gls_source_destroy(train);
    gls_source_destroy(test);
    counting_end(&c, ctx);
}

/* 62,061 sparse features: memory stays with the 1,272,569 values, far from 15,935 x 62,061 dense ones. */
static void news20_stays_sparse(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *source = open_or_skip(ctx, &c, "libsvm", "libsvm/news20.xz", false, NULL);
    assert_int_equal(source->info.examples, 15935);
    assert_int_equal(source->info.features, 62061);
    assert_int_equal(source->info.classes, 20);
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(b.row[15935], 1272569);
    assert_null(b.x);
    assert_true(c.bytes < 100 << 20);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

static void fashion_mnist(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *train = open_or_skip(ctx, &c, "idx", "fashion-mnist/train-images-idx3-ubyte.gz", false, NULL);
    gls_source *test = open_or_skip(ctx, &c, "idx", "fashion-mnist/t10k-images-idx3-ubyte.gz", true, &train->info);
    gls_description d;
    assert_int_equal(train->info.examples, 60000);
    assert_true(c.bytes < 70 << 20); /* bytes stay bytes */
    assert_int_equal(gls_source_describe(ctx, test, &d), GLS_OK);
    for (int k = 0; k < 10; k++) assert_int_equal(d.class_count[k], 1000);
    gls_description_clear(ctx, &d);
    gls_source_destroy(train);
    gls_source_destroy(test);
    counting_end(&c, ctx);
}

/* Means of the channels as published for the training images; the test images' are close. */
static void check_cifar(gls_context *ctx, const gls_source *source, double tolerance) {
    const double published[3] = {0.4914, 0.4822, 0.4465};
    double sum[3] = {0};
    gls_rows *rows;
    int64_t index[500], count[10] = {0}, n = source->info.examples;
    gls_fetch fetch = {.count = 500, .index = index};
    assert_int_equal(gls_rows_create(ctx, &source->info, 500, &rows), GLS_OK);
    for (int64_t begin = 0; begin < n; begin += 500) {
        gls_batch b;
        for (int i = 0; i < 500; i++) index[i] = begin + i;
        assert_int_equal(gls_source_fetch(source, ctx, &fetch, rows, &b), GLS_OK);
        for (int i = 0; i < 500; i++) {
            count[b.label[i]]++;
            for (int j = 0; j < 3072; j++) sum[j / 1024] += (double)b.x[i * 3072 + j];
        }
    }
    for (int k = 0; k < 3; k++) assert_true(fabs(sum[k] / ((double)n * 1024) - published[k]) < tolerance);
    for (int k = 0; k < 10; k++) assert_int_equal(count[k], n / 10);
    gls_rows_destroy(rows);
}

static void cifar10(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
#ifdef SLOW
    gls_source *source = open_or_skip(ctx, &c, "cifar10", "cifar10", false, NULL);
    assert_int_equal(source->info.examples, 50000);
    check_cifar(ctx, source, 1e-4);
#else
    gls_source *source = open_or_skip(ctx, &c, "cifar10", "cifar10", true, NULL);
    assert_int_equal(source->info.examples, 10000);
    check_cifar(ctx, source, 5e-3);
#endif
    assert_string_equal(source->info.class_names[0], "airplane");
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* WikiText-2 as published: 2,088,628 and 245,569 tokens with the ends of lines, 33,278 words. */
static void wikitext_2(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *train = open_or_skip(ctx, &c, "text", "wikitext-2/wiki.train.tokens.xz", false, NULL), *test;
    assert_int_equal(train->info.vocabulary, 33278);
    assert_int_equal(train->info.examples, (2088628 - 1 + 34) / 35);
    gls_description d;
    test = open_or_skip(ctx, &c, "text", "wikitext-2/wiki.test.tokens.xz", true, &train->info);
    assert_int_equal(test->info.vocabulary, 33278);
    assert_int_equal(gls_source_describe(ctx, test, &d), GLS_OK);
    assert_non_null(strstr(d.text, "245568 tokens"));
    gls_description_clear(ctx, &d);
    gls_source_destroy(train);
    gls_source_destroy(test);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(a9a),     cmocka_unit_test(news20_stays_sparse), cmocka_unit_test(fashion_mnist),
        cmocka_unit_test(cifar10), cmocka_unit_test(wikitext_2),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
