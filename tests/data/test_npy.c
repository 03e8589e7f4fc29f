/* Arrays and archives that NumPy itself writes, where it is there; and archives made by hand that are refused. */
#include "format_files.h"
#include "data/npy.h"
#include "data/zip.h"

#include <unistd.h>
#include <zlib.h>

static bool numpy_has_written;

static int write_files(void **state) {
    char command[1200], script[512];
    make_files(state);
    snprintf(script, sizeof script, "%s", __FILE__);
    snprintf(strrchr(script, '/') ? strrchr(script, '/') + 1 : script, 32, "npy_write.py");
    snprintf(command, sizeof command, "python3 %s %s 2>/dev/null", script, folder);
    numpy_has_written = access(script, R_OK) == 0 && system(command) == 0;
    return 0;
}

static void every_width_and_order(void **state) {
    static const char *const codes[] = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"};
    if (!numpy_has_written) skip();
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int k = 0; k < 12 * 4; k++) {
        char name[64];
        gls_npy a;
        snprintf(name, sizeof name, "%s%s%s.npy", codes[k / 4], k & 1 ? "be" : "le", k & 2 ? "f" : "");
        if (gls_npy_read_double(ctx, in_folder(folder, name), &a)) fail_msg("%s", gls_context_message(ctx));
        assert_int_equal(a.count, 24);
        snprintf(name, sizeof name, "%s%s.txt", codes[k / 4], k & 1 ? "be" : "le");
        FILE *f = fopen(in_folder(folder, name), "r");
        for (int i = 0; i < 24; i++) {
            double value;
            assert_int_equal(fscanf(f, "%la", &value), 1);
            if (((double *)a.data)[i] != value)
                fail_msg("%s: value %d is %a, NumPy has %a", name, i, ((double *)a.data)[i], value);
        }
        fclose(f);
        gls_npy_clear(ctx, &a);
    }
    counting_end(&c, ctx);
}

static void texts_are_classes(void **state) {
    if (!numpy_has_written) skip();
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char option[1200];
    snprintf(option, sizeof option, "{labels: '%s/U.npy'}", folder);
    gls_source *s = open_ok(ctx, "npy", in_folder(folder, "x.npy"), option);
    static const char *const names[] = {"", "Z\xc3\xbcrich \xe7\x8c\xab \xf0\x9f\x90\x88", "cat", "dog"};
    assert_int_equal(s->info.classes, 4);
    for (int k = 0; k < 4; k++) assert_string_equal(s->info.class_names[k], names[k]);
    int32_t label[4];
    assert_int_equal(gls_source_targets(s, ctx, label, NULL), GLS_OK);
    assert_true(label[0] == 3 && label[1] == 0 && label[2] == 1 && label[3] == 2);
    gls_source_destroy(s);
    snprintf(option, sizeof option, "{labels: '%s/S.npy'}", folder);
    s = open_ok(ctx, "npy", in_folder(folder, "x.npy"), option);
    assert_string_equal(s->info.class_names[1], "a longer one");
    gls_source_destroy(s);
    gls_npy a;
    assert_int_equal(gls_npy_read(ctx, in_folder(folder, "U.npy"), &a), GLS_ERR_INPUT);
    assert_says(ctx, "is texts, expected numbers");
    counting_end(&c, ctx);
}

static void archives(void **state) {
    if (!numpy_has_written) skip();
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char option[1200];
    snprintf(option, sizeof option, "{labels: '%s/U.npy'}", folder);
    gls_source *plain = open_ok(ctx, "npy", in_folder(folder, "x.npy"), option), *test;
    gls_source *s = open_ok(ctx, "npz", in_folder(folder, "x.npz"), NULL);
    assert_same_source(ctx, plain, s);
    if (open_status(ctx, "npz", in_folder(folder, "x.npz"), NULL, GLS_PART_TEST, &s->info, &test))
        fail_msg("%s", gls_context_message(ctx));
    assert_int_equal(test->info.examples, 2);
    gls_source_destroy(test);
    gls_source_destroy(s);
    s = open_ok(ctx, "npz", in_folder(folder, "packed.npz"), NULL);
    assert_int_equal(s->info.classes, 3);
    assert_int_equal(s->info.targets, 1);
    gls_rows *rows[2];
    gls_batch a = whole(ctx, plain, &rows[0]), b = whole(ctx, s, &rows[1]);
    assert_memory_equal(a.x, b.x, 12 * sizeof *a.x);
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    gls_source_destroy(s);
    gls_source_destroy(plain);
    assert_int_equal(open_status(ctx, "npz", in_folder(folder, "x.npz"), "{x: none}", GLS_PART_TRAIN, NULL, &s),
                     GLS_ERR_INPUT);
    assert_says(ctx, "option x ('none'); the archive holds x_train.npy, y_train.npy");
    assert_int_equal(open_status(ctx, "npz", in_folder(folder, "x.npz"), "{y: other}", GLS_PART_TRAIN, NULL, &s),
                     GLS_ERR_INPUT);
    assert_says(ctx, "the first 5, for 4 examples");
    counting_end(&c, ctx);
}

/* ---- an archive of one stored member, made here ---- */

static size_t put(unsigned char *to, uint64_t n, int bytes) {
    for (int k = 0; k < bytes; k++) to[k] = (unsigned char)(n >> (8 * k));
    return (size_t)bytes;
}

static size_t make_zip(unsigned char *to, const void *data, size_t size) {
    static const char name[] = "x.npy";
    size_t crc = crc32(0, data, (unsigned)size), at = 0, directory;
    at += put(to + at, 0x04034b50, 4);
    at += put(to + at, 20, 2) + put(to + at + 2, 0, 2) + put(to + at + 4, 0, 2) + put(to + at + 6, 0, 4);
    at += put(to + at, crc, 4) + put(to + at + 4, size, 4) + put(to + at + 8, size, 4);
    at += put(to + at, 5, 2) + put(to + at + 2, 0, 2);
    memcpy(to + at, name, 5);
    memcpy(to + at + 5, data, size);
    directory = at += 5 + size;
    at += put(to + at, 0x02014b50, 4) + put(to + at + 4, 20, 2) + put(to + at + 6, 20, 2);
    at += put(to + at, 0, 2) + put(to + at + 2, 0, 2) + put(to + at + 4, 0, 4);
    at += put(to + at, crc, 4) + put(to + at + 4, size, 4) + put(to + at + 8, size, 4);
    at += put(to + at, 5, 2) + put(to + at + 2, 0, 2) + put(to + at + 4, 0, 2);
    at += put(to + at, 0, 8) + put(to + at + 8, 0, 4); /* disk, attributes, offset */
    memcpy(to + at, name, 5);
    at += 5;
    size_t bytes = at - directory;
    at += put(to + at, 0x06054b50, 4) + put(to + at + 4, 0, 4) + put(to + at + 8, 1, 2) + put(to + at + 10, 1, 2);
    at += put(to + at, bytes, 4) + put(to + at + 4, directory, 4) + put(to + at + 8, 0, 2);
    return at;
}

/* Cut anywhere it is refused; so is one with a byte of the array changed. */
static void broken_archives_are_refused(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    unsigned char file[1024], zip[2048];
    const float x[6] = {1, 2, 3, 4, 5, 6};
    write_npy(in_folder(folder, "one.npy"), "<f4", false, "(2, 3)", x, sizeof x);
    FILE *f = fopen(in_folder(folder, "one.npy"), "rb");
    size_t size = fread(file, 1, sizeof file, f), n = make_zip(zip, file, size);
    fclose(f);
    gls_source *s;
    write_bytes(in_folder(folder, "z.npz"), zip, n);
    s = open_ok(ctx, "npz", in_folder(folder, "z.npz"), NULL);
    assert_int_equal(s->info.features, 3);
    gls_source_destroy(s);
    for (size_t cut = 0; cut < n; cut++) {
        write_bytes(in_folder(folder, "z.npz"), zip, cut);
        assert_int_equal(open_status(ctx, "npz", in_folder(folder, "z.npz"), NULL, GLS_PART_TRAIN, NULL, &s),
                         GLS_ERR_INPUT);
        assert_says(ctx, "z.npz: no zip archive");
    }
    zip[30 + 5 + size - 1] ^= 1;
    write_bytes(in_folder(folder, "z.npz"), zip, n);
    assert_int_equal(open_status(ctx, "npz", in_folder(folder, "z.npz"), NULL, GLS_PART_TRAIN, NULL, &s),
                     GLS_ERR_INPUT);
    assert_says(ctx, "z.npz(x.npy): byte");
    assert_says(ctx, "its checksum is wrong");
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(every_width_and_order),
        cmocka_unit_test(texts_are_classes),
        cmocka_unit_test(archives),
        cmocka_unit_test(broken_archives_are_refused),
    };
    return cmocka_run_group_tests(list, write_files, remove_files);
}
