/* Rows of frames: the generator tones, sources over arrays with their checks, files, and what does not fit. */
#include "support.h"

#define SMALL "train_size: 150, test_size: 40, classes: 5, features: 12, max_labels: 4"

static int64_t frames_of(const gls_batch *b, int64_t i) {
    int64_t n = 0;
    while (n < b->length && (!b->document || b->document[i * b->length + n] >= 0)) n++;
    return n;
}

/* The same rows on any number of threads, other ones for the test; every label occurs; labels fit their frames. */
static void sequences(void **state) {
    counting c, c1;
    gls_context *ctx = counting_context(&c, 2), *one = counting_context(&c1, 1);
    gls_source *a = open_ok(ctx, "tones", NULL, "{" SMALL "}"), *b = open_ok(one, "tones", NULL, "{" SMALL "}"), *test;
    assert_same_source(one, a, b);
    assert_int_equal(open_status(one, "tones", NULL, "{" SMALL "}", GLS_PART_TEST, &a->info, &test), GLS_OK);
    assert_int_equal(a->info.target, GLS_TARGET_SEQUENCE);
    assert_int_equal(a->info.documents, GLS_DOCUMENTS_PADDED);
    assert_int_equal(a->info.length, 4 * 9);
    assert_int_equal(a->info.features, 4 * 9 * 12);
    assert_int_equal(a->info.classes, 5);
    assert_string_equal(a->info.class_names[4], "t5");
    gls_description d;
    assert_int_equal(gls_source_describe(one, a, &d), GLS_OK);
    assert_non_null(strstr(d.text, "150 examples of at most 36 frames of 12 values\nlabels: sequences of 5 classes\n"));
    gls_description_clear(one, &d);
    gls_rows *rows[2];
    gls_batch x = whole(one, a, &rows[0]), y = whole(one, test, &rows[1]);
    bool seen[5] = {0}, shorter = false;
    for (int64_t i = 0; i < 150; i++) {
        int64_t labels = 0, needed = 0, frames = frames_of(&x, i), length = x.length;
        const int32_t *label = x.label + i * length;
        while (labels < length && label[labels] >= 0) seen[label[labels++]] = true;
        needed = labels;
        for (int64_t k = 1; k < labels; k++) needed += label[k] == label[k - 1];
        for (int64_t k = labels; k < length; k++) assert_int_equal(label[k], -1);
        assert_true(labels >= 2 && labels <= 4 && needed <= frames && frames >= 3 * labels);
        assert_true(fabs(x.mass[i] - (double)labels / (double)length) < 1e-15);
        for (int64_t k = frames * 12; k < length * 12; k++) assert_true((double)x.x[i * x.features + k] == 0);
        shorter |= frames < length;
    }
    for (int k = 0; k < 5; k++) assert_true(seen[k]);
    assert_true(shorter);
    assert_memory_not_equal(x.x, y.x, (size_t)x.features * sizeof *x.x);
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    gls_source_destroy(a);
    gls_source_destroy(b);
    gls_source_destroy(test);
    counting_end(&c, ctx);
    counting_end(&c1, one);
}

/* Labels by frame are the same tones in the same rows; without noise, frames of silence are 0 and others are not. */
static void frames(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *a = open_ok(ctx, "tones", NULL, "{" SMALL ", noise: 0}"),
               *b = open_ok(ctx, "tones", NULL, "{" SMALL ", noise: 0, target: frames}"),
               *d = open_ok(ctx, "tones", NULL, "{" SMALL ", noise: 0, target: frames, padded: false}");
    gls_rows *rows[3];
    gls_batch x = whole(ctx, a, &rows[0]), y = whole(ctx, b, &rows[1]), z = whole(ctx, d, &rows[2]);
    assert_int_equal(b->info.target, GLS_TARGET_FRAMES);
    assert_int_equal(b->info.classes, 6);
    assert_string_equal(b->info.class_names[0], "silence");
    assert_string_equal(b->info.class_names[1], "t1");
    assert_int_equal(d->info.documents, GLS_DOCUMENTS_WHOLE);
    assert_null(z.document);
    assert_memory_equal(x.x, y.x, (size_t)(150 * x.features) * sizeof *x.x);
    for (int64_t i = 0; i < 150; i++) {
        int64_t frames = frames_of(&y, i), count = 0, length = y.length;
        const int32_t *label = y.label + i * length;
        for (int64_t t = 0; t < length; t++) {
            bool silent = true;
            for (int64_t k = 0; k < 12; k++) silent &= (double)y.x[i * y.features + t * 12 + k] == 0;
            assert_int_equal(label[t] > 0, !silent);
            assert_int_equal(label[t] < 0, t >= frames);
            assert_int_equal(z.label[i * length + t], label[t] < 0 ? 0 : label[t]);
            if (label[t] <= 0 || (t > 0 && label[t] == label[t - 1])) continue;
            count++;
        }
        int64_t labels = 0;
        while (labels < length && x.label[i * length + labels] >= 0) labels++;
        assert_true(count <= labels && count >= 1); /* neighbours without silence between them differ */
        assert_int_equal(count, labels);
    }
    for (int k = 0; k < 3; k++) gls_rows_destroy(rows[k]);
    gls_source_destroy(a);
    gls_source_destroy(b);
    gls_source_destroy(d);
    counting_end(&c, ctx);
}

/* Written as three files and read again: the same rows. */
static void files(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const kinds[] = {"{" SMALL "}", "{" SMALL ", target: frames}", "{" SMALL ", padded: false}"};
    static const char *const options[] = {"{classes: 5}", "{target: frames, classes: 6}", "{classes: 5}"};
    char folder[] = "/tmp/glissade_frames_XXXXXX", path[64], labels[64], counts[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.npy", folder);
    snprintf(labels, sizeof labels, "%s/x-labels.npy", folder);
    snprintf(counts, sizeof counts, "%s/x-frames.npy", folder);
    for (int k = 0; k < 3; k++) {
        gls_source *a = open_ok(ctx, "tones", NULL, kinds[k]), *rows;
        assert_int_equal(gls_source_write(ctx, a, "frames", path, NULL, NULL), GLS_OK);
        gls_source *b = open_ok(ctx, "frames", path, options[k]);
        a->info.class_names = NULL;
        assert_same_source(ctx, a, b);
        assert_int_equal(open_status(ctx, "frames", path, NULL, GLS_PART_ROWS, &a->info, &rows), GLS_OK);
        assert_int_equal(rows->info.target, GLS_TARGET_NONE);
        gls_source_destroy(rows);
        gls_source_destroy(a);
        gls_source_destroy(b);
        remove(counts);
    }
    gls_source *none;
    assert_int_equal(open_status(ctx, "frames", path, "{classes: 2}", GLS_PART_TRAIN, NULL, &none), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "x-labels.npy: label "));
    assert_non_null(strstr(gls_context_message(ctx), "is outside [0, 2)"));
    int64_t extent = 150;
    int32_t length[150] = {99};
    assert_int_equal(gls_npy_write(ctx, counts, GLS_I32, 1, &extent, length), GLS_OK);
    assert_int_equal(open_status(ctx, "frames", path, NULL, GLS_PART_TRAIN, NULL, &none), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "x-frames.npy: 99 frames in example 0, expected 1 to 36"));
    remove(counts);
    assert_int_equal(open_status(ctx, "frames", labels, NULL, GLS_PART_TRAIN, NULL, &none), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "expected frames [n, length, values]"));
    remove(path);
    remove(labels);
    rmdir(folder);
    counting_end(&c, ctx);
}

static void refuses(const gls_real *x, const int32_t *label, const int64_t *frames, gls_target_kind target,
                    const char *message) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_data_info info = {.examples = 2, .length = 3, .features = 6, .target = target, .classes = 2};
    gls_source *source;
    assert_int_equal(gls_source_from_frames(ctx, x, label, frames, &info, &source), GLS_ERR_ARGUMENT);
    assert_null(source);
    if (!strstr(gls_context_message(ctx), message)) fail_msg("%s", gls_context_message(ctx));
    counting_end(&c, ctx);
}

static void refusals(void **state) {
    gls_real x[12] = {0};
    refuses(x, (int32_t[]){0, 1, -1, 0, -1, 1}, NULL, GLS_TARGET_SEQUENCE,
            "label 1 of example 1 stands behind a negative");
    refuses(x, (int32_t[]){0, 1, -1, 0, 2, 1}, NULL, GLS_TARGET_SEQUENCE, "label 2 of example 1 is outside [0, 2)");
    refuses(x, (int32_t[]){0, 1, 1, 0, 0, 1}, (int64_t[]){3, 2}, GLS_TARGET_FRAMES,
            "label 1 of example 1 is at a frame");
    refuses(x, (int32_t[]){0, 1, 1, 0, 0, 1}, (int64_t[]){4, 2}, GLS_TARGET_SEQUENCE, "4 frames in example 0");
    refuses(x, NULL, NULL, GLS_TARGET_SEQUENCE, "need labels");
    refuses(x, (int32_t[]){0, 5}, NULL, GLS_TARGET_CLASS, "label 5 of example 1");
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source;
    assert_int_equal(open_status(ctx, "tones", NULL, "{min_labels: 6}", GLS_PART_TRAIN, NULL, &source),
                     GLS_ERR_ARGUMENT);
    assert_string_equal(gls_context_message(ctx), "data.min_labels: 6 is more than max_labels, 5");
    assert_int_equal(open_status(ctx, "tones", NULL, "{min_frames: 8}", GLS_PART_TRAIN, NULL, &source),
                     GLS_ERR_ARGUMENT);
    gls_source *a = open_ok(ctx, "tones", NULL, "{train_size: 3}"), *out;
    gls_value *list = yaml(ctx, "[standardize]");
    assert_int_equal(gls_transforms_apply(ctx, a, list, 1, NULL, &out), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "rows of frames may have padding"));
    gls_value_destroy(ctx, list);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sequences), cmocka_unit_test(frames), cmocka_unit_test(files),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests_name("tones", tests, NULL, NULL);
}
