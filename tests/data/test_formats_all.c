/* All file formats alike: packed files, truncation, corruption, failing allocations, round trips. */
#include "format_files.h"

static const struct {
    const char *format, *path;
} all_formats[] = {
    {"libsvm", "a"},         {"idx", "a-images-idx3-ubyte"}, {"idx", "a-labels-idx1-ubyte"}, {"npy", "x.npy"},
    {"npy", "x-labels.npy"}, {"cifar10", "c.bin"},           {"png", "png/one.png"},         {"csv", "t.csv"}};
enum { ALL_FORMATS = 8 };

/* Opens what file `which` belongs to, with that file at another path. */
static gls_status open_variant(gls_context *ctx, int which, const char *path, gls_source **out) {
    char option[1200] = "";
    const char *main = path;
    if (which == 1) snprintf(option, sizeof option, "{labels: '%s/a-labels-idx1-ubyte'}", folder);
    if (which == 2 || which == 4) {
        snprintf(option, sizeof option, "{labels: '%s'}", path);
        main = in_folder(folder, which == 2 ? "a-images-idx3-ubyte" : "x.npy");
    }
    if (which == 6) {
        snprintf(option, sizeof option, "{labels: '%s/variant.txt'}", folder);
        write_text(in_folder(folder, "variant.txt"), "variant dog\n");
        main = folder;
    }
    return open_status(ctx, all_formats[which].format, main, *option ? option : NULL, false, NULL, out);
}

static size_t read_bytes(const char *path, unsigned char *to, size_t room) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(to, 1, room, f);
    fclose(f);
    return n;
}

/* Every format in .gz and .xz gives what the plain file gives. */
static void packed_files_read_in_place(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int w = 0; w < ALL_FORMATS; w++) {
        gls_source *plain, *packed;
        char path[1100];
        pack(in_folder(folder, all_formats[w].path));
        if (open_variant(ctx, w, in_folder(folder, all_formats[w].path), &plain) && w != 6)
            fail_msg("%s", gls_context_message(ctx));
        if (w == 6) { /* a label file packed */
            pack(in_folder(folder, "png/labels.txt"));
            char option[1200];
            snprintf(option, sizeof option, "{labels: '%s/png/labels.txt.xz'}", folder);
            plain = open_ok(ctx, "png", in_folder(folder, "png"), option);
        }
        for (int x = 0; x < 2 && w != 6; x++) {
            snprintf(path, sizeof path, "%s/%s%s", folder, all_formats[w].path, x ? ".xz" : ".gz");
            if (open_variant(ctx, w, path, &packed)) fail_msg("%s", gls_context_message(ctx));
            assert_same_source(ctx, plain, packed);
            gls_source_destroy(packed);
        }
        gls_source_destroy(plain);
    }
    counting_end(&c, ctx);
}

/* What values read from text point at is kept by the context from the first on. */
static void keep_names(gls_context *ctx) {
    gls_value_destroy(ctx, yaml(ctx, "{a: 1}"));
}

/* Cut anywhere, a binary file is refused with its name; nothing leaks. Text may lose whole lines. */
static void truncated_files_are_refused(void **state) {
    static unsigned char data[1 << 14];
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    keep_names(ctx);
    for (int w = 0; w < ALL_FORMATS; w++) {
        size_t n = read_bytes(in_folder(folder, all_formats[w].path), data, sizeof data);
        for (size_t cut = 0; cut < n; cut += 1 + n / 60) {
            gls_source *source;
            write_bytes(in_folder(folder, "variant"), data, cut);
            int64_t before = c.live;
            gls_status status = open_variant(ctx, w, in_folder(folder, "variant"), &source);
            bool complete = (w == 5 && cut == 3073) || (w == 6 && cut + 12 >= n); /* a record; all but PNG's end mark */
            if (w == 0 || w == 7 || complete) {
                gls_source_destroy(source);
            } else if (status != GLS_ERR_INPUT) {
                fail_msg("%s cut at %d of %d: %d", all_formats[w].path, (int)cut, (int)n, status);
            } else {
                assert_says(ctx, "variant");
            }
            assert_int_equal(c.live, before);
        }
    }
    counting_end(&c, ctx);
}

/* Any byte changed: an answer or an error, never a crash, a leak or a non-finite feature. */
static void corrupted_files_do_no_harm(void **state) {
    static unsigned char data[1 << 14];
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_random random = gls_random_create(1, "corrupt", 0, 0);
    keep_names(ctx);
    for (int w = 0; w < ALL_FORMATS; w++) {
        size_t n = read_bytes(in_folder(folder, all_formats[w].path), data, sizeof data);
        for (int k = 0; k < 100; k++) {
            gls_source *source;
            size_t at = (size_t)gls_random_below(&random, (int64_t)(n < 200 ? n : 200));
            unsigned char kept = data[at];
            data[at] = (unsigned char)gls_random_u32(&random);
            write_bytes(in_folder(folder, "variant"), data, n);
            data[at] = kept;
            int64_t before = c.live;
            if (open_variant(ctx, w, in_folder(folder, "variant"), &source) == GLS_OK &&
                source->info.examples * source->info.features < 1 << 20) {
                gls_rows *rows;
                gls_batch b = whole(ctx, source, &rows);
                for (int64_t i = 0; b.x && i < b.rows * b.features; i++) assert_true(isfinite(b.x[i]));
                gls_rows_destroy(rows);
            }
            gls_source_destroy(source);
            assert_int_equal(c.live, before);
        }
    }
    counting_end(&c, ctx);
}

static int failing;
static gls_status attempt_open(gls_context *ctx) {
    gls_source *source = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, failing == 6 ? "png" : all_formats[failing].path);
    gls_status status =
        failing == 2 || failing == 4
            ? gls_source_open(ctx, "idx", in_folder(folder, "a-images-idx3-ubyte"), NULL, NULL, GLS_PART_TRAIN, NULL,
                              &source)
            : gls_source_open(ctx, all_formats[failing].format, path, NULL, NULL, GLS_PART_TRAIN, NULL, &source);
    gls_source_destroy(source);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    for (failing = 0; failing < ALL_FORMATS; failing++) fail_each_allocation(attempt_open);
}

/* Writing and reading back gives the same set, for every pair that fits. */
static void round_trips(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const struct {
        const char *format, *options, *to, *name;
    } pair[] = {{"glyphs", "{train_size: 60}", "idx", "w-images-idx3-ubyte"},
                {"glyphs", "{train_size: 60}", "npy", "w.npy"},
                {"glyphs", "{train_size: 60}", "libsvm", "w.libsvm"},
                {"gaussians", "{train_size: 60, classes: 3}", "libsvm", "g.libsvm"},
                {"gaussians", "{train_size: 60, classes: 3}", "npy", "g.npy"},
                {"gaussians", "{train_size: 60, classes: 3}", "idx", "g-images-idx2"},
                {"sparse", "{train_size: 60}", "libsvm", "s.libsvm"},
                {"gaussians", "{train_size: 60, classes: 3}", "csv", "g.csv"},
                {"sparse", "{train_size: 60, target: classes}", "libsvm", "s2.libsvm"},
                {"sparse", "{train_size: 60}", "npy", "s.npy"},
                {"glyphs", "{train_size: 60}", "idx", "w.idx"}};
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        gls_source *from = open_ok(ctx, pair[i].format, NULL, pair[i].options), *back;
        if (gls_source_write(ctx, from, pair[i].to, in_folder(folder, pair[i].name), NULL, NULL))
            fail_msg("%s", gls_context_message(ctx));
        char option[64] = "";
        if (strcmp(pair[i].to, "libsvm") == 0)
            snprintf(option, sizeof option, "{features: %d}", (int)from->info.features);
        if (strcmp(pair[i].to, "csv") == 0) strcpy(option, "{target: class}");
        back = open_ok(ctx, pair[i].to, in_folder(folder, pair[i].name), *option ? option : NULL);
        assert_same_source(ctx, from, back);
        gls_source_destroy(from);
        gls_source_destroy(back);
    }
    gls_source *cifar = open_ok(ctx, "cifar10", in_folder(folder, "batches"), NULL), *back;
    assert_int_equal(gls_source_write(ctx, cifar, "cifar10", in_folder(folder, "w.bin"), NULL, NULL), GLS_OK);
    back = open_ok(ctx, "cifar10", in_folder(folder, "w.bin"), NULL);
    assert_same_source(ctx, cifar, back);
    gls_source_destroy(back);
    assert_int_equal(gls_source_write(ctx, cifar, "png", in_folder(folder, "wpng"), NULL, NULL), GLS_OK);
    back = open_ok(ctx, "png", in_folder(folder, "wpng"), NULL);
    assert_int_equal(back->info.shape[0], 3);
    gls_rows *rows[2];
    gls_batch x = whole(ctx, cifar, &rows[0]), y = whole(ctx, back, &rows[1]);
    assert_memory_equal(x.x, y.x, (size_t)(x.rows * x.features) * sizeof *x.x); /* classes without examples are lost */
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    gls_source_destroy(back);
    gls_source_destroy(cifar);
    gls_source *glyphs = open_ok(ctx, "glyphs", NULL, "{train_size: 20}");
    assert_int_equal(gls_source_write(ctx, glyphs, "png", in_folder(folder, "wgrey"), NULL, NULL), GLS_OK);
    back = open_ok(ctx, "png", in_folder(folder, "wgrey"), NULL);
    assert_int_equal(back->info.shape[0], 1);
    assert_int_equal(back->info.classes, 10);
    gls_source_destroy(back);
    assert_int_equal(gls_source_write(ctx, glyphs, "cifar10", in_folder(folder, "no.bin"), NULL, NULL),
                     GLS_ERR_UNSUPPORTED);
    assert_int_equal(gls_source_write(ctx, glyphs, "glyphs", in_folder(folder, "no"), NULL, NULL), GLS_ERR_UNSUPPORTED);
    assert_int_equal(gls_source_write(ctx, glyphs, "npy", "/nowhere/at/all.npy", NULL, NULL), GLS_ERR_FILE);
    assert_int_equal(access(in_folder(folder, "no.bin"), F_OK), -1);
    gls_source_destroy(glyphs);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(packed_files_read_in_place),
        cmocka_unit_test(truncated_files_are_refused),
        cmocka_unit_test(corrupted_files_do_no_harm),
        cmocka_unit_test(out_of_memory_anywhere),
        cmocka_unit_test(round_trips),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
