/* What transforms learn goes through a file into another process's context, and does there to new rows what it did
 * beside the training set, to the bit; what does not fit is refused. */
#include "support.h"

#include "base/tensors.h"

static char path[600];

typedef struct sample {
    const char *format, *options, *list;
    int arrays;
} sample;

static const sample samples[] = {
    {"gaussians", "{train_size: 200, test_size: 40, features: 6, separation: 9}", "[standardize]", 2},
    {"gaussians", "{train_size: 200, test_size: 40, features: 6, classes: 4}",
     "[{label_noise: 0.1}, {classes: {group: [[3, 0], [1]]}}, {standardize: {center: false}}]", 4},
    {"glyphs", "{train_size: 60, test_size: 30}", "[standardize, flip, {classes: {keep: [ring, cross]}}]", 4},
    {"sparse", "{train_size: 60, test_size: 30, degree: 2, target: classes}", "[standardize]", 2},
    {"gaussians", "{train_size: 50, test_size: 10}", "[{subset: 20}]", 1},
};

static gls_source *open_part(gls_context *ctx, const sample *s, gls_part part, const gls_data_info *like) {
    gls_source *source;
    if (open_status(ctx, s->format, NULL, s->options, part, like, &source) != GLS_OK)
        fail_msg("%s", gls_context_message(ctx));
    return source;
}

static void write_fitted(gls_context *ctx, const gls_fitted *fitted, int64_t arrays) {
    gls_arrays list = {0};
    assert_int_equal(gls_fitted_arrays(fitted, "transform/", &list), GLS_OK);
    assert_int_equal(list.count, arrays);
    assert_int_equal(gls_tensors_write(ctx, path, &list, NULL, 0), GLS_OK);
    gls_arrays_clear(ctx, &list);
}

static gls_fitted *read_fitted(gls_context *ctx) {
    gls_tensors *tensors;
    gls_arena *arena;
    gls_arrays list = {0};
    gls_fitted *fitted;
    assert_int_equal(gls_tensors_open(ctx, path, &tensors), GLS_OK);
    assert_int_equal(gls_arena_create(ctx, &arena), GLS_OK);
    assert_int_equal(gls_tensors_load(tensors, "transform/", arena, &list), GLS_OK);
    assert_int_equal(gls_fitted_create(ctx, "transform/", &list, &fitted), GLS_OK);
    gls_arrays_clear(ctx, &list);
    gls_arena_destroy(arena);
    gls_tensors_close(tensors);
    return fitted;
}

static gls_status apply(gls_context *ctx, gls_source *source, const char *text, const gls_fitted *fitted,
                        gls_source **out) {
    gls_value *list = yaml(ctx, text);
    gls_status status = gls_transforms_apply(ctx, source, list, 1, fitted, out);
    gls_value_destroy(ctx, list);
    return status;
}

static void a_file_carries_it_over(void **state) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        counting c, c2;
        gls_context *ctx = counting_context(&c, 2), *fresh = counting_context(&c2, 1);
        gls_source *train = open_part(ctx, &samples[i], GLS_PART_TRAIN, NULL), *got, *rows;
        gls_data_info like = train->info;
        gls_source *wanted = open_part(ctx, &samples[i], GLS_PART_TEST, &like);
        train = transformed(ctx, train, samples[i].list, 1, NULL);
        wanted = transformed(ctx, wanted, samples[i].list, 1, train);
        write_fitted(ctx, gls_source_fitted(train), samples[i].arrays);

        gls_source *raw = open_part(fresh, &samples[i], GLS_PART_TRAIN, NULL);
        got = open_part(fresh, &samples[i], GLS_PART_TEST, &raw->info);
        rows = open_part(fresh, &samples[i], GLS_PART_ROWS, &raw->info);
        gls_fitted *fitted = read_fitted(fresh);
        assert_int_equal(apply(fresh, got, samples[i].list, fitted, &got), GLS_OK);
        assert_int_equal(apply(fresh, rows, samples[i].list, fitted, &rows), GLS_OK);
        gls_fitted_destroy(fitted); /* the sources keep what they need */
        assert_same_source(fresh, wanted, got);
        assert_int_equal(wanted->info.classes, got->info.classes);
        for (int64_t k = 0; wanted->info.class_names && k < got->info.classes; k++)
            assert_string_equal(wanted->info.class_names[k], got->info.class_names[k]);
        gls_rows *all;
        gls_batch b = whole(fresh, rows, &all);
        assert_null(b.label);
        if (rows->info.examples == got->info.examples) {
            gls_rows *labelled;
            gls_batch a = whole(fresh, got, &labelled);
            for (int64_t r = 0; r < a.rows; r++)
                for (int64_t j = 0; j < a.features; j++) assert_true(value_at(&a, r, j) == value_at(&b, r, j));
            gls_rows_destroy(labelled);
        }
        gls_rows_destroy(all);
        gls_source_destroy(rows);
        gls_source_destroy(got);
        gls_source_destroy(raw);
        gls_source_destroy(wanted);
        gls_source_destroy(train);
        counting_end(&c, ctx);
        counting_end(&c2, fresh);
    }
}

/* A test set that has but some of the classes lacks their names; the training set's are known. */
static void classes_are_those_of_training(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static gls_real x[4] = {1, 2, 3, 4};
    static int32_t label[4] = {0, 1, 2, 2};
    static const char *const names[] = {"cat", "dog", "emu"};
    gls_data_info info = {.examples = 4,
                          .features = 1,
                          .dims = 1,
                          .shape = {1},
                          .target = GLS_TARGET_CLASS,
                          .classes = 3,
                          .class_names = names};
    gls_source *train, *test;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &train), GLS_OK);
    const char *list = "[{classes: {keep: [emu, cat]}}]";
    train = transformed(ctx, train, list, 1, NULL);
    info.class_names = NULL;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &test), GLS_OK);
    test = transformed(ctx, test, list, 1, train);
    assert_int_equal(test->info.examples, 3);
    assert_string_equal(test->info.class_names[0], "emu");
    gls_source_destroy(test);
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

typedef struct vector {
    const char *name;
    gls_dtype dtype;
    int64_t size;
    const void *data;
} vector;

/* Arrays that do not fit these rows, or are no such thing: one sentence each. */
static void what_does_not_fit_is_refused(void **state) {
    static const gls_real six[6] = {1, 1, 1, 1, 1, 1};
    static const int32_t map[4] = {0, -1, 1, 0}, wide[4] = {0, 2, 1, 0};
    const gls_dtype other = GLS_DTYPE_REAL == GLS_F32 ? GLS_F64 : GLS_F32;
    const struct {
        const char *list;
        vector a, b;
        const char *says;
    } bad[] = {
        {"[standardize]", {"1/standardize/mean", GLS_DTYPE_REAL, 5, six}, {0}, "mean' is"},
        {"[standardize]", {"1/standardize/mean", other, 3, six}, {0}, "these data need"},
        {"[standardize]", {"1/standardize/mean", GLS_DTYPE_REAL, 6, six}, {0}, "do not contain '1/standardize/scale'"},
        {"[standardize]", {"2/standardize/mean", GLS_DTYPE_REAL, 6, six}, {0}, "do not contain '1/standardize/mean'"},
        {"[{classes: {keep: [0, 2]}}]",
         {"1/classes/map", GLS_I32, 3, map},
         {"1/classes/names", GLS_U8, 4, "a\0b"},
         "map' is I32 [3], these data need I32 [4]"},
        {"[{classes: {keep: [0, 2]}}]",
         {"1/classes/map", GLS_I32, 4, wide},
         {"1/classes/names", GLS_U8, 4, "a\0b"},
         "not a map of classes"},
        {"[{classes: {keep: [0, 2]}}]",
         {"1/classes/map", GLS_I32, 4, map},
         {"1/classes/names", GLS_U8, 3, "a\0b"},
         "not a map of classes"},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_arrays list = {0};
        gls_fitted *fitted;
        gls_source *out, *test = open_part(ctx, &samples[1], GLS_PART_TEST, NULL);
        const vector *v[] = {&bad[i].a, &bad[i].b};
        for (int k = 0; k < 2 && v[k]->name; k++)
            assert_int_equal(gls_arrays_add_vector(ctx, &list, v[k]->name, v[k]->dtype, v[k]->size, (void *)v[k]->data),
                             GLS_OK);
        assert_int_equal(gls_fitted_create(ctx, "", &list, &fitted), GLS_OK);
        assert_int_equal(apply(ctx, test, bad[i].list, fitted, &out), GLS_ERR_INPUT);
        assert_null(out);
        assert_says(ctx, bad[i].says);
        gls_fitted_destroy(fitted);
        gls_arrays_clear(ctx, &list);
    }
    gls_arrays list = {0};
    gls_fitted *fitted;
    int64_t shape[2] = {2, 3};
    assert_int_equal(gls_arrays_add(ctx, &list, "1/standardize/mean", GLS_DTYPE_REAL, 2, shape, (void *)six), GLS_OK);
    assert_int_equal(gls_fitted_create(ctx, "", &list, &fitted), GLS_ERR_INPUT);
    assert_says(ctx, "2 dimensions");
    gls_arrays_clear(ctx, &list);
    counting_end(&c, ctx);
}

static gls_status attempt(gls_context *ctx) {
    gls_source *train, *test;
    gls_fitted *fitted = NULL;
    gls_arrays list = {0};
    gls_value *text;
    const char *list_text = "[standardize, {classes: {keep: [1]}}]";
    GLS_TRY(gls_yaml_parse(ctx, "test", list_text, (int64_t)strlen(list_text), &text));
    gls_status status = gls_source_open(ctx, "gaussians", NULL, NULL, NULL, GLS_PART_TRAIN, NULL, &train);
    if (status == GLS_OK) status = gls_transforms_apply(ctx, train, text, 1, NULL, &train);
    if (status == GLS_OK) status = gls_fitted_arrays(gls_source_fitted(train), "a/", &list);
    if (status == GLS_OK) status = gls_fitted_create(ctx, "a/", &list, &fitted);
    if (status == GLS_OK) status = gls_source_open(ctx, "gaussians", NULL, NULL, NULL, GLS_PART_TEST, NULL, &test);
    if (status == GLS_OK) {
        status = gls_transforms_apply(ctx, test, text, 1, fitted, &test);
        if (status == GLS_OK) gls_source_destroy(test);
    }
    gls_fitted_destroy(fitted);
    gls_arrays_clear(ctx, &list);
    gls_source_destroy(train);
    gls_value_destroy(ctx, text);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt);
}

int main(void) {
    const char *folder = scratch_directory();
    snprintf(path, sizeof path, "%s/fitted.safetensors", folder);
    const struct CMUnitTest list[] = {
        cmocka_unit_test(a_file_carries_it_over),
        cmocka_unit_test(classes_are_those_of_training),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    int failed = cmocka_run_group_tests(list, NULL, NULL);
    remove_folder(folder);
    return failed;
}
