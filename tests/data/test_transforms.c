/* Transforms: what each does, on dense and sparse data, and that it is a function of the seed alone. */
#include "support.h"

#include <unistd.h>

enum { N = 240 };

static gls_source *dense(gls_context *ctx) {
    return open_ok(ctx, "gaussians", NULL, "{train_size: 240, classes: 4, features: 6}");
}
static gls_source *sparse(gls_context *ctx) {
    return open_ok(ctx, "sparse", NULL, "{train_size: 240, target: classes, degree: 2}");
}

static bool same_row(const gls_batch *a, int64_t i, const gls_batch *b, int64_t j) {
    for (int64_t k = 0; k < a->features; k++)
        if (value_at(a, i, k) != value_at(b, j, k)) return false;
    return true;
}

typedef struct pair {
    gls_source *source[2];
    gls_rows *rows[2];
    gls_batch before, after;
} pair;

/* A fresh source before, and one after the transforms. */
static pair compare(gls_context *ctx, gls_source *(*make)(gls_context *ctx), const char *list) {
    pair p;
    p.source[0] = make(ctx);
    p.source[1] = transformed(ctx, make(ctx), list, 11, NULL);
    p.before = whole(ctx, p.source[0], &p.rows[0]);
    p.after = whole(ctx, p.source[1], &p.rows[1]);
    return p;
}

static void end(pair *p) {
    for (int s = 0; s < 2; s++) {
        gls_rows_destroy(p->rows[s]);
        gls_source_destroy(p->source[s]);
    }
}

/* Every row of the result is the row that column "original" names. */
static void assert_rows_are_original(const pair *p) {
    const int64_t *original = gls_source_column(p->source[1], "original");
    assert_non_null(original);
    for (int64_t i = 0; i < p->after.rows; i++) assert_true(same_row(&p->after, i, &p->before, original[i]));
}

static void replicate_keeps_size_and_counts(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int which = 0; which < 2; which++) {
        pair p = compare(ctx, which ? sparse : dense, "[{replicate: 8}]");
        int times[N] = {0}, kinds = 0;
        const int64_t *original = gls_source_column(p.source[1], "original");
        const int64_t *copy = gls_source_column(p.source[1], "replicate");
        assert_int_equal(p.after.rows, N);
        assert_rows_are_original(&p);
        for (int i = 0; i < N; i++) {
            assert_int_equal(copy[i], times[original[i]]++);
            assert_int_equal(p.after.label[i], p.before.label[original[i]]);
        }
        for (int i = 0; i < N; i++) {
            assert_true(times[i] == 0 || times[i] == 8);
            kinds += times[i] == 8;
        }
        assert_int_equal(kinds, N / 8);
        end(&p);
    }
    counting_end(&c, ctx);
}

static void label_noise_marks_what_it_changed(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int which = 0; which < 2; which++) {
        pair p = compare(ctx, which ? sparse : dense, "[{label_noise: 0.15}]");
        const int64_t *mark = gls_source_column(p.source[1], "label_noise");
        const int64_t *clean = gls_source_column(p.source[1], "clean_label");
        int changed = 0;
        for (int i = 0; i < N; i++) {
            assert_true(same_row(&p.before, i, &p.after, i));
            assert_int_equal(mark[i], p.before.label[i] != p.after.label[i]);
            assert_int_equal(clean[i], p.before.label[i]);
            changed += mark[i] != 0;
            if (which) assert_true(p.after.y[i] == (p.after.label[i] ? 1 : -1)); /* the real target follows */
        }
        assert_int_equal(changed, 36);
        end(&p);
    }
    counting_end(&c, ctx);
}

static void replace_changes_exactly_one(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const list[] = {
        "[{replace: 17}]", "[{replace: {index: 17, with: 200}}]",
        "[{replace: {index: 17, source: {format: gaussians, train_size: 50, classes: 4, features: 6, seed: 9}}}]"};
    for (int k = 0; k < 3; k++) {
        pair p = compare(ctx, dense, list[k]);
        const int64_t *mark = gls_source_column(p.source[1], "replace");
        const int64_t *original = gls_source_column(p.source[1], "original");
        assert_int_equal(p.after.rows, N);
        for (int i = 0; i < N; i++) {
            assert_int_equal(same_row(&p.before, i, &p.after, i), i != 17);
            assert_int_equal(mark[i], i == 17);
            if (i != 17) assert_int_equal(original[i], i);
        }
        if (k == 1) assert_int_equal(original[17], 200);
        if (k == 2) assert_int_equal(original[17], -1);
        if (k < 2) assert_true(same_row(&p.after, 17, &p.before, original[17]));
        if (k == 2) /* fresh: no row of the set */
            for (int i = 0; i < N; i++) assert_false(same_row(&p.after, 17, &p.before, i));
        end(&p);
    }
    counting_end(&c, ctx);
}

static void insert_adds_marked_draggers(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *foreign = "[{insert: {fraction: 0.2, kind: foreign, source: {format: gaussians, train_size: 9, "
                          "classes: 7, features: 6}}}]";
    const char *const list[] = {"[{insert: 0.2}]", "[{insert: {fraction: 0.2, kind: constant}}]", foreign};
    for (int k = 0; k < 3; k++) {
        pair p = compare(ctx, dense, list[k]);
        const int64_t *mark = gls_source_column(p.source[1], "insert");
        const int64_t *original = gls_source_column(p.source[1], "original");
        assert_int_equal(p.after.rows, N + 60);
        for (int i = 0; i < N + 60; i++) {
            assert_int_equal(mark[i], i >= N);
            assert_true(p.after.label[i] >= 0 && p.after.label[i] < 4);
            if (i < N || k == 0) assert_true(same_row(&p.after, i, &p.before, original[i]));
            if (i < N) assert_int_equal(p.after.label[i], p.before.label[i]);
            if (i >= N && k == 0) assert_int_not_equal(p.after.label[i], p.before.label[original[i]]);
            if (i >= N && k) assert_int_equal(original[i], -1);
            for (int j = 1; i >= N && k == 1 && j < 6; j++)
                assert_true(value_at(&p.after, i, j) == value_at(&p.after, i, 0));
        }
        end(&p);
    }
    pair p = compare(ctx, sparse, "[{insert: 0.5}]");
    assert_int_equal(p.after.rows, 2 * N);
    for (int i = 0; i < 2 * N; i++) assert_true(p.after.y[i] == (p.after.label[i] ? 1 : -1));
    end(&p);
    counting_end(&c, ctx);
}

/* A transform applied twice adds to its marks; clean_label stays that before the first noise. */
static void marks_of_repeated_transforms_add_up(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    pair p =
        compare(ctx, dense,
                "[{insert: 0.2}, {insert: {fraction: 0.1, kind: constant}}, {label_noise: 0.3}, {label_noise: 0.3}]");
    const int64_t *mark = gls_source_column(p.source[1], "insert");
    const int64_t *noise = gls_source_column(p.source[1], "label_noise");
    const int64_t *clean = gls_source_column(p.source[1], "clean_label");
    const int64_t *original = gls_source_column(p.source[1], "original");
    int64_t total = N + 60 + 33, noisy = 0;
    assert_int_equal(p.after.rows, total);
    for (int64_t i = 0; i < total; i++) {
        assert_int_equal(mark[i], i >= N);
        if (i < N) assert_int_equal(clean[i], p.before.label[original[i]]);
        if (!noise[i]) assert_int_equal(clean[i], p.after.label[i]);
        noisy += noise[i];
    }
    assert_true(noisy > 0.3 * (double)total + 20); /* 0.51 are expected; one application marks 0.3 */
    end(&p);
    counting_end(&c, ctx);
}

static void subset_and_classes_pick_rows(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    pair p = compare(ctx, sparse, "[{subset: 50}]");
    assert_int_equal(p.after.rows, 50);
    assert_rows_are_original(&p);
    end(&p);
    p = compare(ctx, dense, "[{subset: {size: 50, first: true}}]");
    for (int i = 0; i < 50; i++) assert_true(same_row(&p.after, i, &p.before, i));
    end(&p);
    p = compare(ctx, dense, "[{classes: {keep: [3, 1]}}]");
    assert_int_equal(p.source[1]->info.classes, 2);
    assert_int_equal(p.after.rows, N / 2);
    assert_rows_are_original(&p);
    for (int i = 0; i < N / 2; i++)
        assert_int_equal(p.after.label[i], p.before.label[gls_source_column(p.source[1], "original")[i]] == 3 ? 0 : 1);
    end(&p);
    p = compare(ctx, sparse, "[{classes: {group: [[-1, 1]]}}]"); /* by name */
    assert_int_equal(p.source[1]->info.classes, 1);
    assert_string_equal(p.source[1]->info.class_names[0], "-1+1");
    assert_int_equal(p.after.rows, N);
    end(&p);
    counting_end(&c, ctx);
}

/* Three sources, with sizes and a domain a row; the test part takes the sections' test sets. */
static void mix_numbers_domains(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *list = "[{mix: {size: 100, sources: [{format: gaussians, train_size: 80, test_size: 30, classes: 4, "
                       "features: 6, seed: 5, size: 20}, {format: gaussians, train_size: 40, test_size: 10, "
                       "classes: 4, features: 6, seed: 6}]}}]";
    gls_source *train = transformed(ctx, dense(ctx), list, 3, NULL);
    const int64_t *domain = gls_source_column(train, "domain");
    int64_t count[3] = {0};
    assert_int_equal(train->info.examples, 160);
    for (int i = 0; i < 160; i++) count[domain[i]]++;
    assert_true(count[0] == 100 && count[1] == 20 && count[2] == 40);
    gls_rows *rows, *rows_other;
    gls_batch all = whole(ctx, train, &rows);
    gls_source *other = open_ok(ctx, "gaussians", NULL, "{train_size: 40, classes: 4, features: 6, seed: 6}");
    gls_batch theirs = whole(ctx, other, &rows_other);
    for (int i = 0; i < 40; i++) assert_true(same_row(&all, 120 + i, &theirs, i));
    gls_rows_destroy(rows);
    gls_rows_destroy(rows_other);
    gls_source_destroy(other);
    gls_source *test;
    assert_int_equal(open_status(ctx, "gaussians", NULL, "{test_size: 70, classes: 4, features: 6}", GLS_PART_TEST,
                                 &train->info, &test),
                     GLS_OK);
    test = transformed(ctx, test, list, 3, train);
    assert_int_equal(test->info.examples, 110);
    assert_int_equal(gls_source_column(test, "domain")[109], 2);
    gls_source_destroy(test);
    gls_source_destroy(train);
    gls_value *wrong = yaml(ctx, "[{mix: [{format: gaussians, features: 7, classes: 4}]}]");
    gls_source *none;
    assert_int_equal(gls_transforms_apply(ctx, dense(ctx), wrong, 1, NULL, &none), GLS_ERR_INPUT);
    gls_value_destroy(ctx, wrong);
    counting_end(&c, ctx);
}

/* Statistics in straight double loops; the test set gets the training set's; bits do not depend on threads. */
static void standardize_carries_over(void **state) {
    counting c, c1;
    gls_context *ctx = counting_context(&c, 2), *one = counting_context(&c1, 1);
    gls_source *raw = open_ok(ctx, "gaussians", NULL, "{train_size: 500, features: 6, separation: 9, noise: 2}");
    gls_source *train =
        transformed(ctx, open_ok(ctx, "gaussians", NULL, "{train_size: 500, features: 6, separation: 9, noise: 2}"),
                    "[{label_noise: 0.1}, standardize]", 1, NULL);
    gls_source *test, *raw_test;
    const char *options = "{test_size: 60, features: 6, separation: 9, noise: 2}";
    assert_int_equal(open_status(ctx, "gaussians", NULL, options, GLS_PART_TEST, &raw->info, &raw_test), GLS_OK);
    assert_int_equal(open_status(ctx, "gaussians", NULL, options, GLS_PART_TEST, &raw->info, &test), GLS_OK);
    test = transformed(ctx, test, "[{label_noise: 0.1}, standardize]", 1, train);
    gls_rows *rows[4];
    gls_batch a = whole(ctx, raw, &rows[0]), b = whole(ctx, train, &rows[1]), x = whole(ctx, raw_test, &rows[2]),
              y = whole(ctx, test, &rows[3]);
    for (int j = 0; j < 6; j++) {
        double mean = 0, square = 0, got = 0, got_square = 0;
        for (int i = 0; i < 500; i++) mean += value_at(&a, i, j) / 500;
        for (int i = 0; i < 500; i++) square += pow(value_at(&a, i, j) - mean, 2) / 500;
        for (int i = 0; i < 500; i++) got += value_at(&b, i, j) / 500;
        for (int i = 0; i < 500; i++) got_square += pow(value_at(&b, i, j), 2) / 500;
        assert_true(fabs(got) < 1e-5 && fabs(got_square - 1) < 1e-5);
        for (int i = 0; i < 60; i++)
            assert_true(fabs(value_at(&y, i, j) - (value_at(&x, i, j) - mean) / sqrt(square)) < 1e-5);
    }
    for (int i = 0; i < 60; i++) assert_int_equal(x.label[i], y.label[i]); /* no noise on test labels */
    gls_source *again =
        transformed(one, open_ok(one, "gaussians", NULL, "{train_size: 500, features: 6, separation: 9, noise: 2}"),
                    "[{label_noise: 0.1}, standardize]", 1, NULL);
    assert_same_source(one, train, again);
    gls_source_destroy(again);
    for (int k = 0; k < 4; k++) gls_rows_destroy(rows[k]);
    gls_source_destroy(raw);
    gls_source_destroy(raw_test);
    gls_source_destroy(train);
    gls_source_destroy(test);
    counting_end(&c, ctx);
    counting_end(&c1, one);
}

/* Images by channel; sparse features keep their zeros and get variance 1; constant features stay finite. */
static void standardize_images_and_sparse(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *glyphs = transformed(ctx, open_ok(ctx, "glyphs", NULL, "{train_size: 200}"), "standardize", 1, NULL);
    gls_rows *rows;
    gls_batch b = whole(ctx, glyphs, &rows);
    double sum = 0, square = 0, count = 200.0 * 784;
    for (int64_t i = 0; i < 200 * 784; i++) {
        sum += (double)b.x[i];
        square += (double)b.x[i] * (double)b.x[i];
    }
    assert_true(fabs(sum / count) < 1e-4 && fabs(square / count - 1) < 1e-4);
    gls_rows_destroy(rows);
    gls_source_destroy(glyphs);
    pair p = compare(ctx, sparse, "[standardize]");
    for (int64_t j = 0; j < p.before.features; j++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N; i++) {
            assert_int_equal(value_at(&p.before, i, j) == 0, value_at(&p.after, i, j) == 0);
            mean += value_at(&p.after, i, j) / N;
        }
        for (int i = 0; i < N; i++) variance += pow(value_at(&p.after, i, j) - mean, 2) / N;
        assert_true(fabs(variance - 1) < 1e-4);
    }
    end(&p);
    gls_real constant[] = {1, 0.1f, 2, 0.1f, 4, 0.1f};
    gls_data_info info = {.examples = 3, .features = 2};
    gls_source *source;
    assert_int_equal(gls_source_from_dense(ctx, constant, NULL, NULL, &info, &source), GLS_OK);
    source = transformed(ctx, source, "standardize", 1, NULL);
    b = whole(ctx, source, &rows);
    for (int i = 0; i < 3; i++) assert_true(fabs(value_at(&b, i, 1)) < 1e-6);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

static void augmentation_shifts_and_mirrors(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    enum { H = 5, W = 7, C = 2, IMAGES = 3, F = C * H * W };
    gls_real x[IMAGES * F];
    for (int i = 0; i < IMAGES * F; i++) x[i] = (gls_real)(i + 1);
    gls_data_info info = {.examples = IMAGES, .features = F, .dims = 3, .shape = {C, H, W}};
    gls_source *source;
    assert_int_equal(gls_source_from_dense(ctx, x, NULL, NULL, &info, &source), GLS_OK);
    source = transformed(ctx, source, "[{pad_crop: {pad: 6}}, flip]", 1, NULL);
    gls_rows *rows;
    assert_int_equal(gls_rows_create(ctx, &info, IMAGES, &rows), GLS_OK);
    int mirrored = 0, shifts[13][13] = {0};
    for (uint64_t draw = 0; draw < 300; draw++) {
        int64_t index[] = {2, 0, 1};
        gls_fetch fetch = {.count = 3, .index = index, .draw = draw, .augment = true, .seed = 8};
        gls_batch b;
        assert_int_equal(gls_source_fetch(source, ctx, &fetch, rows, &b), GLS_OK);
        for (int i = 0; i < 3; i++) {
            int found = 0;
            for (int dy = -6; dy <= 6; dy++)
                for (int dx = -6; dx <= 6; dx++)
                    for (int flip = 0; flip < 2; flip++) {
                        bool same = true, zero = true;
                        for (int k = 0; same && k < F; k++) {
                            int ch = k / (H * W), v = k / W % H, u = flip ? W - 1 - k % W : k % W, fy = v + dy,
                                fx = u + dx;
                            double expected = fy < 0 || fy >= H || fx < 0 || fx >= W
                                                  ? 0
                                                  : (double)x[index[i] * F + ch * H * W + fy * W + fx];
                            same = (double)b.x[i * F + k] == expected;
                            zero &= expected == 0;
                        }
                        if (!same) continue;
                        found++;
                        if (zero) continue;
                        mirrored += flip;
                        shifts[dy + 6][dx + 6]++;
                    }
            assert_true(found > 0);
        }
    }
    assert_true(mirrored > 200 && mirrored < 550);
    for (int dy = 2; dy <= 10; dy++)
        for (int dx = 0; dx <= 12; dx++) assert_true(shifts[dy][dx] > 0 || abs(dx - 6) > 4);
    int64_t index[] = {1, 1, 1}, slot[] = {5, 6, 5};
    gls_fetch fetch = {.count = 3, .index = index, .slot = slot, .draw = 3, .augment = true, .seed = 8};
    gls_batch b;
    assert_int_equal(gls_source_fetch(source, ctx, &fetch, rows, &b), GLS_OK);
    assert_memory_equal(b.x, b.x + 2 * F, F * sizeof *b.x);
    assert_memory_not_equal(b.x, b.x + F, F * sizeof *b.x);
    fetch.augment = false;
    assert_int_equal(gls_source_fetch(source, ctx, &fetch, rows, &b), GLS_OK);
    assert_memory_equal(b.x, x + F, F * sizeof *b.x);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Transforms stack: columns travel with their rows, original names the first set's index, seeds decide. */
static void transforms_stack(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *list = "[{label_noise: 0.3}, {subset: 100}, {replicate: 4}, {insert: 0.1}, {subset: 60}]";
    pair p = compare(ctx, dense, list);
    const int64_t *original = gls_source_column(p.source[1], "original");
    const int64_t *noise = gls_source_column(p.source[1], "label_noise");
    const int64_t *inserted = gls_source_column(p.source[1], "insert");
    for (int i = 0; i < 60; i++) {
        assert_true(same_row(&p.after, i, &p.before, original[i]));
        if (!inserted[i]) assert_int_equal(noise[i], p.after.label[i] != p.before.label[original[i]]);
    }
    end(&p);
    gls_source *a = transformed(ctx, dense(ctx), list, 5, NULL), *b = transformed(ctx, dense(ctx), list, 5, NULL);
    assert_same_source(ctx, a, b);
    gls_source_destroy(b);
    b = transformed(ctx, dense(ctx), list, 6, NULL);
    assert_memory_not_equal(gls_source_column(a, "original"), gls_source_column(b, "original"), 60 * sizeof(int64_t));
    gls_source_destroy(a);
    gls_source_destroy(b);
    counting_end(&c, ctx);
}

static void wrong_transforms_are_refused(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const bad[][2] = {
        {"[{label_nois: 0.1}]", "label_noise"},
        {"[{label_noise: 1.5}]", "1.5"},
        {"[{label_noise: }]", "fraction"},
        {"[{label_noise: {fracton: 0.1}}]", "fraction"},
        {"[{replicate: 0}]", "0"},
        {"[{replace: 240}]", "240"},
        {"[{subset: 241}]", "241"},
        {"[flip]", "not images"},
        {"[{pad_crop: 4}]", "not images"},
        {"[{flip: 1}]", "takes no value"},
        {"[{classes: {keep: [7]}}]", "class '7' is not among the 4"},
        {"[{classes: {keep: [1, 1]}}]", "named twice"},
        {"[{classes: }]", "either keep or group"},
        {"[{insert: {fraction: 0.1, kind: foreign}}]", "a source is a map"},
        {"[{mix: [{train: a}]}]", "names no format"},
        {"[{mix: [{format: libsvm}]}]", "needs a file"},
        {"[{standardize: {by: channel}}]", "not images"},
        {"[{a: 1, b: 2}]", "one name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_value *list = yaml(ctx, bad[i][0]);
        gls_source *out;
        if (gls_transforms_apply(ctx, dense(ctx), list, 1, NULL, &out) == GLS_OK) fail_msg("%s", bad[i][0]);
        assert_null(out);
        assert_says(ctx, bad[i][1]);
        gls_value_destroy(ctx, list);
    }
    counting_end(&c, ctx);
}

static gls_value *failing_list;
static gls_status attempt(gls_context *ctx) {
    gls_source *source, *out = NULL;
    GLS_TRY(gls_source_open(ctx, "sparse", NULL, NULL, NULL, GLS_PART_TRAIN, NULL, &source));
    gls_status status = gls_transforms_apply(ctx, source, failing_list, 1, NULL, &out);
    gls_source_destroy(out);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    static const char *const list[] = {
        "[{replicate: 3}]", "[{replace: {index: 3, source: {format: sparse}}}]",
        "[{subset: 10}]",   "[{mix: [{format: sparse, size: 7}, {format: sparse}]}]",
        "[standardize]",
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        gls_context *other;
        assert_int_equal(gls_context_create(&other, NULL), GLS_OK);
        failing_list = yaml(other, list[i]);
        fail_each_allocation(attempt);
        gls_value_destroy(other, failing_list);
        gls_context_destroy(other);
    }
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(replicate_keeps_size_and_counts),
        cmocka_unit_test(label_noise_marks_what_it_changed),
        cmocka_unit_test(replace_changes_exactly_one),
        cmocka_unit_test(insert_adds_marked_draggers),
        cmocka_unit_test(marks_of_repeated_transforms_add_up),
        cmocka_unit_test(subset_and_classes_pick_rows),
        cmocka_unit_test(mix_numbers_domains),
        cmocka_unit_test(standardize_carries_over),
        cmocka_unit_test(standardize_images_and_sparse),
        cmocka_unit_test(augmentation_shifts_and_mirrors),
        cmocka_unit_test(transforms_stack),
        cmocka_unit_test(wrong_transforms_are_refused),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
