/* Each file format: what is read, and what is refused with which words. */
#include "data/npy.h"
#include "format_files.h"

#include <sys/stat.h>

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
