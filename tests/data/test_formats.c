/* Each file format: what is read, and what is refused with which words. */
#include "data/npy.h"
#include "data/source.h"
#include "format_files.h"

#include <sys/stat.h>

static void refused(gls_context *ctx, const char *format, const char *path, const char *options, gls_status expected,
                    const char *says) {
    gls_source *source;
    gls_status status = open_status(ctx, format, path, options, GLS_PART_TRAIN, NULL, &source);
    if (status != expected) fail_msg("%s: status %d, message %s", path, status, gls_context_message(ctx));
    assert_null(source);
    assert_says(ctx, says);
}

/* ---- libsvm ---- */

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
        if (k % 3 == 0)
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
    assert_says(ctx, "label 2");
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

/* ---- idx ---- */

static void idx_reads(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "idx", in_folder(folder, "a-images-idx3-ubyte"), NULL);
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(b.rows, 2);
    assert_int_equal(source->info.dims, 3);
    assert_int_equal(source->info.shape[1], 2);
    assert_int_equal(source->info.shape[2], 3);
    for (int i = 0; i < 12; i++) assert_true(fabs((double)b.x[i] - idx_images[16 + i] / 255.0) < 1e-7);
    assert_int_equal(b.label[0], 1);
    assert_int_equal(b.label[1], 0);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

static void idx_refuses(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *path = "bad-images", *labels = "bad-labels";
    char full[1024], other[1024];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    snprintf(other, sizeof other, "%s/%s", folder, labels);
    unsigned char bytes[sizeof idx_images];
    static const struct {
        int at, value;
        const char *says;
    } change[] = {{0, 1, "not an idx file (magic 01"}, {2, 7, "not an idx file"}, {3, 0, "not an idx file"},
                  {3, 200, "not an idx file"},         {4, 127, "idx array"},     {7, 3, "the idx array"},
                  {7, 1, "more bytes follow"},         {7, 0, "no examples"}};
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        memcpy(bytes, idx_images, sizeof bytes);
        bytes[change[i].at] = (unsigned char)change[i].value;
        write_bytes(full, bytes, sizeof bytes);
        refused(ctx, "idx", full, NULL, GLS_ERR_INPUT, change[i].says);
        assert_says(ctx, "bad-images");
    }
    memcpy(bytes, idx_images, sizeof bytes);
    memset(bytes + 4, 0xff, 12); /* 2^96 bytes */
    write_bytes(full, bytes, sizeof bytes);
    refused(ctx, "idx", full, NULL, GLS_ERR_INPUT, "size is negative or overflows");
    write_bytes(full, idx_images, sizeof idx_images);
    refused(ctx, "idx", full, NULL, GLS_ERR_FILE, "no label file");
    write_bytes(other, "\0\0\10\1\0\0\0\3\1\2\3", 11);
    refused(ctx, "idx", full, NULL, GLS_ERR_INPUT, "3 labels for 2 examples");
    write_bytes(other, "\0\0\14\1\0\0\0\2\xff\xff\xff\xff\0\0\0\0", 16);
    refused(ctx, "idx", full, NULL, GLS_ERR_INPUT, "label -1");
    write_bytes(full, "\0\0\15\1\0\0\0\1\x7f\xc0\0\0", 12); /* a NaN */
    refused(ctx, "idx", full, NULL, GLS_ERR_INPUT, "not finite");
    write_bytes(in_folder(folder, "noname"), idx_images, sizeof idx_images);
    refused(ctx, "idx", in_folder(folder, "noname"), NULL, GLS_ERR_FILE, "option labels");
    counting_end(&c, ctx);
}

/* ---- cifar10 ---- */

static void cifar_reads_files_and_folders(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const struct {
        const char *path, *options;
        bool test;
        int64_t examples;
    } what[] = {{"c.bin", NULL, false, 2},
                {"batches", NULL, false, 5},
                {"batches", NULL, true, 4},
                {"batches", "{files: [test_batch.bin, data_batch_3.bin]}", false, 6},
                {"batches", "{files: data_batch_1.bin}", false, 3}};
    for (int i = 0; i < 5; i++) {
        gls_source *source;
        assert_int_equal(
            open_status(ctx, "cifar10", in_folder(folder, what[i].path), what[i].options, what[i].test, NULL, &source),
            GLS_OK);
        assert_int_equal(source->info.examples, what[i].examples);
        assert_int_equal(source->info.shape[0], 3);
        if (i) assert_string_equal(source->info.class_names[9], "j");
        gls_rows *rows;
        gls_batch b = whole(ctx, source, &rows);
        assert_int_equal(b.label[1], 1);
        assert_true(fabs((double)b.x[3072 + 5] * 255 - (double)(unsigned char)((3073 + 6) * 31)) < 1e-4);
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    refused(ctx, "cifar10", in_folder(folder, "png"), NULL, GLS_ERR_FILE, "data_batch_1.bin");
    refused(ctx, "cifar10", in_folder(folder, "batches"), "{files: [none.bin]}", GLS_ERR_FILE, "none.bin");
    unsigned char record[3074] = {11};
    write_bytes(in_folder(folder, "bad.bin"), record, 3073);
    refused(ctx, "cifar10", in_folder(folder, "bad.bin"), NULL, GLS_ERR_INPUT, "record 0 has label 11");
    record[0] = 1;
    write_bytes(in_folder(folder, "bad.bin"), record, 3074);
    refused(ctx, "cifar10", in_folder(folder, "bad.bin"), NULL, GLS_ERR_INPUT, "pixels of a record");
    counting_end(&c, ctx);
}

/* ---- npy ---- */

static void npy_reads_every_type_and_order(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const float f4[6] = {0, 1, 2, 3, 4, 5};
    const double f8[6] = {0, 1, 2, 3, 4, 5};
    const int32_t i4[6] = {0, 1, 2, 3, 4, 5};
    const int64_t i8[6] = {0, 1, 2, 3, 4, 5};
    const unsigned char u1[6] = {0, 1, 2, 3, 4, 5};
    const struct {
        const char *descr;
        const void *data;
        size_t size;
    } type[] = {{"<f4", f4, sizeof f4},
                {"<f8", f8, sizeof f8},
                {"<i4", i4, sizeof i4},
                {"<i8", i8, sizeof i8},
                {"|u1", u1, sizeof u1}};
    for (int t = 0; t < 5; t++)
        for (int fortran = 0; fortran < 2; fortran++) {
            gls_npy a;
            write_npy(in_folder(folder, "t.npy"), type[t].descr, fortran, "(3, 2)", type[t].data, type[t].size);
            if (gls_npy_read_double(ctx, in_folder(folder, "t.npy"), &a)) fail_msg("%s", gls_context_message(ctx));
            assert_int_equal(a.dims, 2);
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 2; j++)
                    assert_true(((double *)a.data)[i * 2 + j] == (fortran ? i + 3 * j : 2 * i + j));
            gls_npy_clear(ctx, &a);
        }
    gls_npy a;
    write_npy(in_folder(folder, "t.npy"), "<f8", true, "(1, 3, 2)", f8, sizeof f8);
    assert_int_equal(gls_npy_read(ctx, in_folder(folder, "t.npy"), &a), GLS_OK);
    assert_true(((double *)a.data)[3] == 4);
    gls_npy_clear(ctx, &a);
    write_npy(in_folder(folder, "t.npy"), "<f8", false, "()", f8 + 3, 8);
    assert_int_equal(gls_npy_read_real(ctx, in_folder(folder, "t.npy"), &a), GLS_OK);
    assert_true(a.count == 1 && *(gls_real *)a.data == 3);
    gls_npy_clear(ctx, &a);
    int64_t shape[3] = {2, 1, 3};
    assert_int_equal(gls_npy_write(ctx, in_folder(folder, "w.npy"), GLS_F64, 3, shape, f8), GLS_OK);
    assert_int_equal(gls_npy_read(ctx, in_folder(folder, "w.npy"), &a), GLS_OK);
    assert_memory_equal(a.shape, shape, sizeof shape);
    assert_memory_equal(a.data, f8, sizeof f8);
    gls_npy_clear(ctx, &a);
    struct stat size;
    assert_int_equal(stat(in_folder(folder, "w.npy"), &size), 0);
    assert_int_equal((size.st_size - 48) % 64, 0);
    counting_end(&c, ctx);
}

static void npy_refuses(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const double x[4] = {1, NAN, 3, INFINITY};
    static const char *const shape[][2] = {
        {"(4611686018427387904, 4)", "size is negative or overflows"},
        {"(99999999999999999999,)", "the npy header cannot be read"},
        {"(1, 1, 1, 1, 1, 1, 1)", "the npy header cannot be read"},
        {"(-4,)", "the npy header cannot be read"},
        {"(1000000000000,)", "the array"},
        {"(3,)", "more bytes follow"},
        {"(5,)", "the array"},
        {"4", "the npy header cannot be read"},
    };
    char path[1024];
    gls_npy a;
    snprintf(path, sizeof path, "%s/bad.npy", folder);
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        write_npy(path, "<f8", false, shape[i][0], x, sizeof x);
        assert_int_equal(gls_npy_read(ctx, path, &a), GLS_ERR_INPUT);
        assert_says(ctx, shape[i][1]);
        assert_says(ctx, "bad.npy");
    }
    static const char *const type[] = {"<c8", "|O", "<f88", "", "<f3", "<i16", "<f", "f8", "<f-8"};
    for (int i = 0; i < 9; i++) {
        write_npy(path, type[i], false, "(4,)", x, sizeof x);
        assert_int_equal(gls_npy_read(ctx, path, &a), GLS_ERR_INPUT);
        assert_says(ctx, "npy type");
    }
    write_npy(path, "<f8", false, "(4,)", x, sizeof x);
    assert_int_equal(gls_npy_read_real(ctx, path, &a), GLS_ERR_INPUT);
    assert_says(ctx, "the value at [1] is nan, which is not finite");
    write_npy(path, "<f8", false, "(2, 2)", x, sizeof x);
    refused(ctx, "npy", path, NULL, GLS_ERR_INPUT, "not finite");
    write_text(path, "no numpy file");
    refused(ctx, "npy", path, NULL, GLS_ERR_INPUT, "wrong magic");
    write_bytes(path, "\x93NUMPY\7\0\0\0", 10);
    refused(ctx, "npy", path, NULL, GLS_ERR_INPUT, "version 7.0");
    write_npy(path, "<f8", false, "(0, 2)", x, 0);
    refused(ctx, "npy", path, NULL, GLS_ERR_INPUT, "at least 1");
    write_npy(in_folder(folder, "long-labels.npy"), "<i4", false, "(3,)", x, 12);
    refused(ctx, "npy", in_folder(folder, "x.npy"), "{labels: long-labels.npy}", GLS_ERR_FILE, "long-labels.npy");
    char option[1200];
    snprintf(option, sizeof option, "{labels: '%s/long-labels.npy'}", folder);
    refused(ctx, "npy", in_folder(folder, "x.npy"), option, GLS_ERR_INPUT, "2 examples");
    counting_end(&c, ctx);
}

static void npy_targets(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "npy", in_folder(folder, "x.npy"), NULL);
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(source->info.classes, 2);
    assert_string_equal(source->info.class_names[1], "7");
    assert_true(b.label[0] == 1 && b.label[1] == 0 && b.y[0] == 7);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    source = open_ok(ctx, "npy", in_folder(folder, "x.npy"), "{target: real, scale: 2}");
    b = whole(ctx, source, &rows);
    assert_int_equal(source->info.target, GLS_TARGET_REAL);
    assert_true(b.x[5] == 12 && b.y[1] == 3);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* ---- png ---- */

static void png_reads_and_refuses(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "png", in_folder(folder, "png"), NULL);
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(b.rows, 3);
    assert_int_equal(source->info.shape[0], 3);
    assert_int_equal(source->info.shape[1], 3);
    assert_int_equal(source->info.shape[2], 4);
    assert_string_equal(source->info.class_names[0], "cat");
    assert_true(b.label[0] == 1 && b.label[1] == 0 && b.label[2] == 1);
    for (int i = 0; i < 12; i++) /* channel planes of what was written interleaved */
        for (int k = 0; k < 3; k++)
            assert_true(fabs((double)b.x[k * 12 + i] * 255 - (double)(unsigned char)((3 * i + k) * 37 + 1)) < 1e-4);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    static const char *const labels[][2] = {{"one.png dog\n../a dog\n", "labels.txt:2: '../a' is outside the folder"},
                                            {"/etc/passwd dog\n", "is outside the folder"},
                                            {"one.png\n", "labels.txt:1: expected"},
                                            {"\n", "no images"},
                                            {"labels.txt dog\n", "neither a PNG nor a JPEG"},
                                            {"one.png dog\nsmall.png dog\n", "small.png: 2 x 2 pixels"}};
    mkdir(in_folder(folder, "bad"), 0700);
    mkdir(in_folder(folder, "badpng"), 0700);
    write_png(in_folder(folder, "badpng/one.png"), 4, 3, false, 1);
    write_png(in_folder(folder, "badpng/small.png"), 2, 2, false, 1);
    for (int i = 0; i < 6; i++) {
        write_text(in_folder(folder, "badpng/labels.txt"), labels[i][0]);
        refused(ctx, "png", in_folder(folder, "badpng"), NULL, GLS_ERR_INPUT, labels[i][1]);
    }
    write_text(in_folder(folder, "badpng/labels.txt"), "none.png dog\n");
    refused(ctx, "png", in_folder(folder, "badpng"), NULL, GLS_ERR_FILE, "none.png");
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
        cmocka_unit_test(idx_reads),
        cmocka_unit_test(idx_refuses),
        cmocka_unit_test(cifar_reads_files_and_folders),
        cmocka_unit_test(npy_reads_every_type_and_order),
        cmocka_unit_test(npy_refuses),
        cmocka_unit_test(npy_targets),
        cmocka_unit_test(png_reads_and_refuses),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
