/* Format libsvm: what is read, and what is refused with which words; numbers; descriptions of wide rows. */
#include "data/source.h"
#include "format_files.h"

static void libsvm_reads(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "libsvm", in_folder(folder, "a"), NULL);
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(b.rows, 4);
    assert_int_equal(b.features, 4);
    assert_int_equal(source->info.classes, 2);
    assert_string_equal(source->info.class_names[0], "-1");
    assert_string_equal(source->info.class_names[1], "1");
    const int32_t label[] = {1, 0, 0, 1};
    assert_memory_equal(b.label, label, sizeof label);
    assert_true(b.y[0] == 1 && b.y[1] == -1);
    assert_true(value_at(&b, 0, 0) == 0.5 && value_at(&b, 0, 2) == (double)(gls_real)-0.2 && value_at(&b, 2, 3) == 7);
    assert_int_equal(b.row[4], 5);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Numbers of all shapes are read to the nearest double, as strtod does. */
static void libsvm_numbers_are_exact(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const number[] = {"0.1",
                                         "-.5",
                                         "3.",
                                         "1e22",
                                         "1e23",
                                         "123456789012345678901",
                                         "1e-5",
                                         "4.9e-30",
                                         "0.000000001",
                                         "9007199254740993",
                                         "2.5E+3",
                                         "-0",
                                         "1e-400",
                                         "0.30000000000000004",
                                         "179769313486231570000e-10"};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        char line[100];
        snprintf(line, sizeof line, "0 1:%s\n", number[i]);
        write_text(in_folder(folder, "number"), line);
        gls_source *source = open_ok(ctx, "libsvm", in_folder(folder, "number"), NULL);
        gls_rows *rows;
        gls_batch b = whole(ctx, source, &rows);
        if ((double)b.value[0] != (double)(gls_real)strtod(number[i], NULL))
            fail_msg("%s became %.17g", number[i], (double)b.value[0]);
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    counting_end(&c, ctx);
}

/* Long mantissas with powers of ten around the exact ones, and digits at the middle between two doubles. */
static void numbers_of_all_lengths_are_exact(void **state) {
    gls_random random = gls_random_create(3, "numbers", 0, 0);
    for (int k = 0; k < 300000; k++) {
        char text[80];
        double u = gls_random_uniform(&random), found;
        int digits = (int)gls_random_below(&random, 20), power = (int)gls_random_below(&random, 60) - 30;
        if (k % 21 == 0) /* zeros in front are no digits */
            snprintf(text, sizeof text, "%0*d.%0*llu", digits, 0, 8 + digits, (unsigned long long)(u * 1e15));
        else if (k % 3 == 0)
            snprintf(text, sizeof text, "%.*e", digits, u * pow(10, power));
        else if (k % 3 == 1)
            snprintf(text, sizeof text, "%.*f", digits, u);
        else /* 2^53 + an odd number of halves of the last place */
            snprintf(text, sizeof text, "%llu", ((1ULL << 53) + (unsigned)gls_random_below(&random, 1 << 20)) * 2 + 1);
        const char *rest = text;
        assert_true(gls_scan_number(&rest, &found) && !*rest);
        if (found != strtod(text, NULL)) fail_msg("%s became %.17g", text, found);
    }
}

static void libsvm_refuses(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const bad[][2] = {
        {"1 1:1\n1 0:5\n", "bad:2: index 0"},
        {"1 1:1 1:2\n", "bad:1: index 1 after 1"},
        {"1 3:1 2:2\n", "bad:1: index 2 after 3"},
        {"1 2147483648:1\n", "bad:1: index '2147483648:1' is too large"},
        {"1 99999999999999999999:1\n", "too large"},
        {"1 -1:1\n", "expected index:value"},
        {"1 1:nan\n", "expected a number"},
        {"1 1:inf\n", "expected a number"},
        {"1 1:1e999\n", "not finite"},
        {"1 1:0x10\n", "expected a number"},
        {"nan 1:1\n", "expected a number as label"},
        {"1e999 1:1\n", "the label is not finite"},
        {"x 1:1\n", "'x': expected a number as label"},
        {"1,2 1:1\n", "expected a number as label"},
        {"1 1\n", "expected index:value"},
        {"1 1:\n", "expected a number"},
        {"1 1:2x\n", "expected a number"},
        {"1 1:2\n1 qid:3 1:2\n", "bad:2: a qid, but the rows above have none"},
        {"1 qid:3 1:2\n1 1:2\n", "bad:2: no qid, but the rows above have one"},
        {"1 qid:3.5 1:2\n", "'qid:3.5': expected a whole number"},
        {"1 qid: 1:2\n", "expected a whole number after qid:"},
        {"\n \n", "no examples"},
        {"", "no examples"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(in_folder(folder, "bad"), bad[i][0]);
        refused(ctx, "libsvm", in_folder(folder, "bad"), NULL, GLS_ERR_INPUT, bad[i][1]);
        assert_says(ctx, "bad");
    }
    write_bytes(in_folder(folder, "bad"), "1 1:2\0 2:3\n", 11);
    refused(ctx, "libsvm", in_folder(folder, "bad"), NULL, GLS_ERR_INPUT, "NUL");
    refused(ctx, "libsvm", in_folder(folder, "a"), "{features: 3}", GLS_ERR_INPUT, "a:5: index 4");
    refused(ctx, "libsvm", in_folder(folder, "a"), "{featurs: 3}", GLS_ERR_ARGUMENT, "features");
    refused(ctx, "libsvm", in_folder(folder, "missing"), NULL, GLS_ERR_FILE, "missing");
    refused(ctx, "libsvm", NULL, NULL, GLS_ERR_ARGUMENT, "needs a file");
    refused(ctx, "libsmv", in_folder(folder, "a"), NULL, GLS_ERR_ARGUMENT, "libsvm");
    counting_end(&c, ctx);
}

/* Indices from 0 or 1, stated or found; a file whose base cannot be told is refused. Query numbers are a column, and
 * are written again. */
static void libsvm_bases_and_queries(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const struct {
        const char *text, *options;
        int features;
        double first, last; /* of row 0 */
    } set[] = {{"1 0:5 3:7\n2 1:1\n", "{base: 0}", 4, 5, 7},
               {"1 0:5 3:7\n2 1:1\n", "{base: auto}", 4, 5, 7},
               {"2 1:1\n1 0:5 3:7\n", "{base: auto}", 4, 0, 0},
               {"1 1:5 3:7\n2 1:1\n", "{base: auto}", 3, 5, 7},
               {"1 1:5 3:7\n2 1:1\n", "{base: 0}", 4, 0, 7}};
    gls_rows *rows;
    for (int k = 0; k < 5; k++) {
        write_text(in_folder(folder, "base"), set[k].text);
        gls_source *s = open_ok(ctx, "libsvm", in_folder(folder, "base"), set[k].options);
        assert_int_equal(s->info.features, set[k].features);
        gls_batch b = whole(ctx, s, &rows);
        assert_true(value_at(&b, 0, 0) == set[k].first && value_at(&b, 0, set[k].features - 1) == set[k].last);
        gls_rows_destroy(rows);
        gls_source_destroy(s);
    }
    gls_source *train = open_ok(ctx, "libsvm", in_folder(folder, "a"), "{base: auto}"), *test; /* 4 features */
    write_text(in_folder(folder, "base"), "1 1:1 4:2\n");
    assert_int_equal(
        open_status(ctx, "libsvm", in_folder(folder, "base"), "{base: auto}", GLS_PART_TEST, &train->info, &test),
        GLS_OK);
    gls_source_destroy(test);
    write_text(in_folder(folder, "base"), "1 1:1 3:2\n");
    assert_int_equal(
        open_status(ctx, "libsvm", in_folder(folder, "base"), "{base: auto}", GLS_PART_TEST, &train->info, &test),
        GLS_ERR_INPUT);
    assert_says(ctx, "neither index 0 nor 4 occurs");
    write_text(in_folder(folder, "base"), "1 4:2\n1 0:1\n");
    assert_int_equal(
        open_status(ctx, "libsvm", in_folder(folder, "base"), "{base: auto}", GLS_PART_TEST, &train->info, &test),
        GLS_ERR_INPUT);
    assert_says(ctx, "indices from 0 to 4, but there are 4 features");
    gls_source_destroy(train);
    write_text(in_folder(folder, "query"), "1 qid:7 1:1\n0 qid:7 2:1\n1 qid:-3 # none\n");
    train = open_ok(ctx, "libsvm", in_folder(folder, "query"), NULL);
    const int64_t *query = gls_source_column(train, "qid");
    assert_true(query && query[0] == 7 && query[1] == 7 && query[2] == -3);
    assert_int_equal(gls_source_write(ctx, train, "libsvm", in_folder(folder, "again"), NULL, NULL), GLS_OK);
    test = open_ok(ctx, "libsvm", in_folder(folder, "again"), NULL);
    assert_same_source(ctx, train, test);
    query = gls_source_column(test, "qid");
    assert_true(query && query[2] == -3);
    gls_source_destroy(test);
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

/* A description needs memory for the features that occur. */
static void wide_rows_are_described(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    write_text(in_folder(folder, "wide"), "1 5:2 2147483647:1\n2 5:4\n");
    gls_source *s = open_ok(ctx, "libsvm", in_folder(folder, "wide"), NULL);
    gls_description d;
    assert_int_equal(gls_source_describe(ctx, s, &d), GLS_OK);
    assert_int_equal(d.info.features, 2147483647);
    assert_int_equal(d.constant_features, 2147483645);
    assert_true(d.minimum == 0 && d.maximum == 4);
    assert_true(fabs(d.mean - 7 / (2 * 2147483647.0)) < 1e-20);
    gls_description_clear(ctx, &d);
    gls_source_destroy(s);
    write_text(in_folder(folder, "wide"), "1 1:2 2:1\n2 1:4 2:1\n");
    s = open_ok(ctx, "libsvm", in_folder(folder, "wide"), NULL);
    assert_int_equal(gls_source_describe(ctx, s, &d), GLS_OK);
    assert_int_equal(d.constant_features, 1);
    assert_true(d.minimum == 1 && d.maximum == 4 && d.mean == 2);
    gls_description_clear(ctx, &d);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

/* A test file takes the training set's width and classes; labels or indices it does not know are errors. */
static void libsvm_test_follows_training(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *train = open_ok(ctx, "libsvm", in_folder(folder, "a"), NULL), *test;
    write_text(in_folder(folder, "t"), "1 1:1\n1 2:1\n");
    assert_int_equal(open_status(ctx, "libsvm", in_folder(folder, "t"), NULL, GLS_PART_TEST, &train->info, &test),
                     GLS_OK);
    assert_int_equal(test->info.features, 4);
    assert_int_equal(test->info.classes, 2);
    int32_t label[2];
    assert_int_equal(gls_source_targets(test, ctx, label, NULL), GLS_OK);
    assert_int_equal(label[0], 1);
    gls_source_destroy(test);
    write_text(in_folder(folder, "t"), "1 1:1\n2 2:1\n");
    assert_int_equal(open_status(ctx, "libsvm", in_folder(folder, "t"), NULL, GLS_PART_TEST, &train->info, &test),
                     GLS_ERR_INPUT);
    assert_says(ctx, "t:2: label '2' is not a class of the training set");
    write_text(in_folder(folder, "t"), "1 1:1\n1 5:1\n");
    assert_int_equal(open_status(ctx, "libsvm", in_folder(folder, "t"), NULL, GLS_PART_TEST, &train->info, &test),
                     GLS_ERR_INPUT);
    assert_says(ctx, "t:2: index 5");
    gls_source_destroy(train);
    write_text(in_folder(folder, "t"), "0.5 1:1\n2 2:1\n");
    train = open_ok(ctx, "libsvm", in_folder(folder, "t"), NULL);
    assert_int_equal(train->info.target, GLS_TARGET_REAL);
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(libsvm_reads),
        cmocka_unit_test(libsvm_numbers_are_exact),
        cmocka_unit_test(numbers_of_all_lengths_are_exact),
        cmocka_unit_test(libsvm_refuses),
        cmocka_unit_test(libsvm_test_follows_training),
        cmocka_unit_test(libsvm_bases_and_queries),
        cmocka_unit_test(wide_rows_are_described),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
