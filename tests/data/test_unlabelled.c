/* Rows to be predicted, of every format: with labels left out where the format can, dropped where it cannot; the
 * features are those of the labelled rows, no row has room for a label, and training on them is refused. */
#include "format_files.h"

static gls_source *open_part(gls_context *ctx, const char *format, const char *path, const char *options, gls_part part,
                             const gls_data_info *like) {
    gls_source *source;
    if (open_status(ctx, format, path, options, part, like, &source) != GLS_OK)
        fail_msg("%s: %s", format, gls_context_message(ctx));
    return source;
}

/* The same rows, one set with its targets and one without. */
static void assert_bare_copy(gls_context *ctx, const gls_source *labelled, const gls_source *bare) {
    gls_rows *rows[2];
    assert_true(gls_source_has_targets(labelled));
    assert_false(gls_source_has_targets(bare));
    assert_int_equal(bare->info.classes, 0);
    assert_int_equal(bare->info.targets, 0);
    gls_batch a = whole(ctx, labelled, &rows[0]), b = whole(ctx, bare, &rows[1]);
    assert_int_equal(a.rows, b.rows);
    assert_int_equal(a.features, b.features);
    assert_null(rows[1]->label);
    assert_null(rows[1]->y);
    assert_true(!b.label && !b.y && !b.mass && b.target == GLS_TARGET_NONE);
    for (int64_t i = 0; i < a.rows; i++)
        for (int64_t j = 0; j < a.features; j++) assert_true(value_at(&a, i, j) == value_at(&b, i, j));
    if (a.token) assert_memory_equal(a.token, b.token, (size_t)(a.rows * a.length) * sizeof *a.token);
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
}

static void every_format_has_rows_alone(void **state) {
    static const struct {
        const char *format, *path, *options;
    } sets[] = {
        {"libsvm", "a", NULL},
        {"idx", "a-images-idx3-ubyte", NULL},
        {"npy", "x.npy", NULL},
        {"csv", "t.csv", "{target: y}"},
        {"cifar10", "c.bin", NULL},
        {"png", "png", NULL},
        {"text", "words", "{length: 3}"},
        {"glyphs", NULL, "{test_size: 20}"},
        {"gaussians", NULL, "{test_size: 20}"},
        {"sparse", NULL, "{test_size: 20}"},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    write_text(in_folder(folder, "words"), "the cat sat\non the mat\n");
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const char *path = sets[i].path ? in_folder(folder, sets[i].path) : NULL;
        gls_source *train = open_part(ctx, sets[i].format, path, sets[i].options, GLS_PART_TRAIN, NULL);
        gls_source *test = open_part(ctx, sets[i].format, path, sets[i].options, GLS_PART_TEST, &train->info);
        gls_source *rows = open_part(ctx, sets[i].format, path, sets[i].options, GLS_PART_ROWS, &train->info);
        assert_bare_copy(ctx, test, rows);
        gls_source_destroy(train);
        gls_source_destroy(test);
        gls_source_destroy(rows);
    }
    counting_end(&c, ctx);
}

/* Files that hold no labels at all: rows to be predicted, and nothing to train on. */
static void files_without_labels(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *train = open_part(ctx, "libsvm", in_folder(folder, "a"), NULL, GLS_PART_TRAIN, NULL), *none;
    write_text(in_folder(folder, "bare"), "1:0.5 3:-2e-1\n2:1\n# a remark\n1:3 4:7\n1:0\n");
    gls_source *bare = open_part(ctx, "libsvm", in_folder(folder, "bare"), NULL, GLS_PART_ROWS, &train->info);
    assert_bare_copy(ctx, train, bare);
    gls_source_destroy(bare);
    assert_int_equal(open_status(ctx, "libsvm", in_folder(folder, "bare"), NULL, GLS_PART_TRAIN, NULL, &none),
                     GLS_ERR_INPUT);
    assert_says(ctx, "bare:1: '1:0.5': expected a number as label");
    write_text(in_folder(folder, "bare"), "1:0.5\n9:1\n");
    assert_int_equal(open_status(ctx, "libsvm", in_folder(folder, "bare"), NULL, GLS_PART_ROWS, &train->info, &none),
                     GLS_ERR_INPUT);
    assert_says(ctx, "bare:2: index 9, but there are 4 features");
    gls_source_destroy(train);
    const float x[6] = {1, 2, 3, 4, 5, 6};
    write_npy(in_folder(folder, "rows.npy"), "<f4", false, "(2, 3)", x, sizeof x);
    write_bytes(in_folder(folder, "b-images-idx3-ubyte"), idx_images, sizeof idx_images);
    static const char *const files[][3] = {{"npy", "x.npy", "rows.npy"},
                                           {"idx", "a-images-idx3-ubyte", "b-images-idx3-ubyte"}};
    for (int i = 0; i < 2; i++) {
        train = open_part(ctx, files[i][0], in_folder(folder, files[i][1]), NULL, GLS_PART_TRAIN, NULL);
        bare = open_part(ctx, files[i][0], in_folder(folder, files[i][2]), NULL, GLS_PART_ROWS, &train->info);
        assert_bare_copy(ctx, train, bare);
        assert_int_equal(
            open_status(ctx, files[i][0], in_folder(folder, files[i][2]), NULL, GLS_PART_TEST, &train->info, &none),
            i ? GLS_ERR_FILE : GLS_ERR_INPUT);
        assert_says(ctx, i ? "no label file" : "other targets");
        gls_source_destroy(bare);
        gls_source_destroy(train);
    }
    counting_end(&c, ctx);
}

/* Rows without labels are written without: nothing is made up, and no row of zeros gets lost. */
static void libsvm_writes_no_labels(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const gls_real x[6] = {0, 2, 0, 0, 0, 0};
    gls_data_info info = {.examples = 3, .features = 2, .dims = 1, .shape = {2}};
    gls_source *source;
    char text[100] = "";
    assert_int_equal(gls_source_from_dense(ctx, x, NULL, NULL, &info, &source), GLS_OK);
    assert_int_equal(gls_source_write(ctx, source, "libsvm", in_folder(folder, "out"), NULL, NULL), GLS_OK);
    FILE *f = fopen(in_folder(folder, "out"), "rb");
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    assert_string_equal(text, " 2:2\n 1:0\n 1:0\n");
    gls_source *back = open_part(ctx, "libsvm", in_folder(folder, "out"), NULL, GLS_PART_ROWS, NULL);
    assert_int_equal(back->info.examples, 3);
    gls_source_destroy(back);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* A transform that picks or adds examples leaves the rows as they are; the others do to them what they did in training.
 */
static void transforms_of_rows(void **state) {
    static const char *const lists[] = {
        "[{classes: {keep: [1, 2]}}]",
        "[{mix: [{format: gaussians, classes: 4, features: 6}]}]",
        "[{subset: 10}, {label_noise: 0.2}, {insert: {fraction: 0.2}}]",
    };
    const char *options = "{train_size: 50, test_size: 20, classes: 4, features: 6}";
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        gls_source *raw = open_part(ctx, "gaussians", NULL, options, GLS_PART_TRAIN, NULL);
        gls_data_info like = raw->info;
        gls_source *train = transformed(ctx, raw, lists[i], 1, NULL);
        gls_source *test = open_part(ctx, "gaussians", NULL, options, GLS_PART_TEST, &like);
        gls_source *rows = open_part(ctx, "gaussians", NULL, options, GLS_PART_ROWS, &like);
        rows = transformed(ctx, rows, lists[i], 1, train);
        assert_bare_copy(ctx, test, rows);
        gls_source_destroy(train);
        gls_source_destroy(test);
        gls_source_destroy(rows);
    }
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(every_format_has_rows_alone),
        cmocka_unit_test(files_without_labels),
        cmocka_unit_test(libsvm_writes_no_labels),
        cmocka_unit_test(transforms_of_rows),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
