/* Format text and rows of tokens: what is read, what is refused, and what else touches rows. */
#include "support.h"

static char *folder;

static int make_files(void **state) {
    folder = scratch_directory();
    write_text(in_folder(folder, "train"), "the cat sat on the mat\n\n the dog\tsat\r\non a hill");
    write_text(in_folder(folder, "test"), "the cat saw a dog\n");
    write_bytes(in_folder(folder, "nul"), "one\ntwo\0three\n", 14);
    write_text(in_folder(folder, "empty"), "");
    write_text(in_folder(folder, "line"), "\n");
    return 0;
}

static int remove_files(void **state) {
    remove_folder(folder);
    return 0;
}

/* The tokens that count, by name, and behind them the last label. */
static void spell(gls_context *ctx, const gls_source *source, char *out, size_t room) {
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    int32_t last = -1, before = -1;
    *out = 0;
    for (int64_t t = 0; t < b.rows * b.length; t++) {
        if (b.label[t] >= 0) {
            if (before >= 0) assert_int_equal(b.token[t], before); /* the label before is this token */
            snprintf(out + strlen(out), room - strlen(out), "%s ", source->info.class_names[b.token[t]]);
        } else {
            assert_int_equal(b.token[t], 0);
        }
        before = b.label[t];
        if (b.label[t] >= 0) last = b.label[t];
    }
    snprintf(out + strlen(out), room - strlen(out), "%s", source->info.class_names[last]);
    gls_rows_destroy(rows);
}

static const char whole_text[] = "the cat sat on the mat <eos> <eos> the dog sat <eos> on a hill <eos>";

static void reads_words(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[400];
    for (int length = 1; length < 20; length++) {
        char option[40];
        snprintf(option, sizeof option, "{length: %d}", length);
        gls_source *source = open_ok(ctx, "text", in_folder(folder, "train"), option);
        const gls_data_info *info = &source->info;
        assert_int_equal(info->examples, (15 + length - 1) / length);
        assert_int_equal(info->length, length);
        assert_int_equal(info->vocabulary, 10);
        assert_int_equal(info->classes, 10);
        assert_int_equal(info->target, GLS_TARGET_TOKENS);
        assert_int_equal(source->has_mass, 15 % length != 0);
        spell(ctx, source, text, sizeof text);
        assert_string_equal(text, whole_text);
        gls_rows *rows;
        gls_batch b = whole(ctx, source, &rows);
        assert_true(fabs(gls_batch_mass(&b) - 15.0 / length) < 1e-12);
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    /* Falling count, then the alphabet, behind the two that always come first. */
    static const char *const order[] = {"<unk>", "<eos>", "the", "on", "sat", "a", "cat", "dog", "hill", "mat"};
    gls_source *source = open_ok(ctx, "text", in_folder(folder, "train"), NULL);
    for (int k = 0; k < 10; k++) assert_string_equal(source->info.class_names[k], order[k]);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* 15 tokens, targets of 15 in rows of 2: eight rows. Three streams have rows 0-2, 3-5, 6-7; example j is row j / 3 of
 * stream j % 3, and the text's last row, of one token, ends the last stream. */
static void streams(void **state) {
    static const int row[] = {0, 3, 6, 1, 4, 7, 2, 5};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *plain = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 2}");
    gls_source *split = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 2, streams: 3}");
    assert_int_equal(plain->info.streams, 0);
    assert_int_equal(split->info.streams, 3);
    assert_int_equal(split->info.examples, 8);
    gls_rows *rows[2];
    gls_batch a = whole(ctx, plain, &rows[0]), b = whole(ctx, split, &rows[1]);
    for (int j = 0; j < 8; j++) {
        assert_memory_equal(b.token + 2 * j, a.token + 2 * row[j], 2 * sizeof *a.token);
        assert_memory_equal(b.label + 2 * j, a.label + 2 * row[j], 2 * sizeof *a.label);
        assert_true(b.mass[j] == a.mass[row[j]]);
        /* The first target of the next row of the stream is what follows this row's last one. */
        if (j + 3 < 8) assert_int_equal(b.label[2 * j + 1], b.token[2 * (j + 3)]);
    }
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    assert_int_equal(gls_source_write(ctx, split, "text", in_folder(folder, "copy"), NULL, NULL), GLS_ERR_UNSUPPORTED);
    gls_source_destroy(plain);
    gls_source_destroy(split);
    counting_end(&c, ctx);
}

static void limits_the_vocabulary(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[400];
    static const char *const expected =
        "the <unk> sat on the <unk> <eos> <eos> the <unk> sat <eos> on <unk> <unk> <eos>";
    static const char *const options[] = {"{length: 4, min_count: 2}", "{length: 4, vocabulary: 5}"};
    for (int k = 0; k < 2; k++) {
        gls_source *source = open_ok(ctx, "text", in_folder(folder, "train"), options[k]);
        assert_int_equal(source->info.vocabulary, 5);
        spell(ctx, source, text, sizeof text);
        assert_string_equal(text, expected);
        gls_source_destroy(source);
    }
    counting_end(&c, ctx);
}

/* A test file has the training file's words; others are unknown. */
static void test_follows_training(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[400];
    gls_source *train = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 3}"), *test;
    assert_int_equal(
        open_status(ctx, "text", in_folder(folder, "test"), "{length: 3}", GLS_PART_TEST, &train->info, &test), GLS_OK);
    assert_int_equal(test->info.vocabulary, 10);
    spell(ctx, test, text, sizeof text);
    assert_string_equal(text, "the cat <unk> a dog <eos>");
    gls_source_destroy(test);
    assert_int_equal(
        open_status(ctx, "text", in_folder(folder, "test"), "{length: 4}", GLS_PART_TEST, &train->info, &test),
        GLS_ERR_INPUT);
    assert_says(ctx, "rows of 4 tokens out of 10, but the training set has rows of 3 out of 10");
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "test"), "{unit: byte, length: 3}", GLS_PART_TEST,
                                 &train->info, &test),
                     GLS_ERR_INPUT);
    assert_says(ctx, "bytes, but the training set has 10 kinds of tokens");
    gls_source *glyphs = open_ok(ctx, "glyphs", NULL, "{train_size: 5}");
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "test"), NULL, GLS_PART_TEST, &glyphs->info, &test),
                     GLS_ERR_INPUT);
    assert_says(ctx, "the training set has no words");
    gls_source_destroy(glyphs);
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

static void reads_bytes(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "text", in_folder(folder, "nul"), "{unit: byte, length: 5}");
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    static const char content[] = "one\ntwo\0three\n";
    assert_int_equal(source->info.vocabulary, 256);
    assert_int_equal(b.rows, 3);
    for (int t = 0; t < 13; t++) {
        assert_int_equal(b.token[t], content[t]);
        assert_int_equal(b.label[t], content[t + 1]);
    }
    assert_int_equal(b.label[13], -1);
    assert_string_equal(source->info.class_names['a'], "a");
    assert_string_equal(source->info.class_names['\n'], "0x0a");
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

static void refuses(void **state) {
    static char long_word[6000];
    memset(long_word, 'x', 5000);
    long_word[5000] = '\n';
    write_text(in_folder(folder, "long"), long_word);
    static const struct {
        const char *file, *options, *says;
        gls_status status;
    } bad[] = {
        {"nul", NULL, "nul:2: a NUL byte, expected words (unit: byte reads any file)", GLS_ERR_INPUT},
        {"empty", NULL, "empty: empty, expected at least two tokens", GLS_ERR_INPUT},
        {"empty", "{unit: byte}", "empty: empty, expected at least two tokens", GLS_ERR_INPUT},
        {"line", NULL, "line: one token, expected at least two", GLS_ERR_INPUT},
        {"long", NULL, "long:1: a word of 5000 bytes, expected at most 4096", GLS_ERR_INPUT},
        {"train", "{length: 0}", "length", GLS_ERR_ARGUMENT},
        {"train", "{vocabulary: 1}", "vocabulary", GLS_ERR_ARGUMENT},
        {"train", "{unit: letter}", "letter", GLS_ERR_ARGUMENT},
        {"missing", NULL, "missing", GLS_ERR_FILE},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_source *source;
        assert_int_equal(
            open_status(ctx, "text", in_folder(folder, bad[i].file), bad[i].options, GLS_PART_TRAIN, NULL, &source),
            bad[i].status);
        assert_null(source);
        assert_says(ctx, bad[i].says);
    }
    counting_end(&c, ctx);
}

/* Written and read again, words and bytes are the same; formats of features refuse tokens. */
static void writes(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[400];
    gls_source *source = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 4}");
    assert_int_equal(gls_source_write(ctx, source, "text", in_folder(folder, "copy"), NULL, NULL), GLS_OK);
    gls_source *back = open_ok(ctx, "text", in_folder(folder, "copy"), "{length: 7}");
    spell(ctx, back, text, sizeof text);
    assert_string_equal(text, whole_text);
    gls_source_destroy(back);
    static const char *const others[] = {"libsvm", "idx", "npy", "images", "cifar10"};
    for (int k = 0; k < 5; k++)
        assert_int_equal(gls_source_write(ctx, source, others[k], in_folder(folder, "no-images"), NULL, NULL),
                         GLS_ERR_UNSUPPORTED);
    gls_source_destroy(source);
    source = open_ok(ctx, "text", in_folder(folder, "nul"), "{unit: byte, length: 4}");
    gls_value *byte = yaml(ctx, "{unit: byte}");
    assert_int_equal(gls_source_write(ctx, source, "text", in_folder(folder, "copy"), byte, NULL), GLS_OK);
    gls_value_destroy(ctx, byte);
    back = open_ok(ctx, "text", in_folder(folder, "copy"), "{unit: byte, length: 13}");
    gls_rows *rows;
    gls_batch b = whole(ctx, back, &rows);
    for (int t = 0; t < 13; t++) assert_int_equal(b.label[t], "one\ntwo\0three\n"[t + 1]);
    gls_rows_destroy(rows);
    gls_source_destroy(back);
    gls_source_destroy(source);
    source = open_ok(ctx, "glyphs", NULL, "{train_size: 5}");
    assert_int_equal(gls_source_write(ctx, source, "text", in_folder(folder, "no"), NULL, NULL), GLS_ERR_UNSUPPORTED);
    assert_says(ctx, "text holds rows of tokens");
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Gathers move whole rows with their labels and masses; what needs features or classes refuses. */
static void transforms(void **state) {
    static const struct {
        const char *list, *says;
    } bad[] = {{"[standardize]", "no features"},
               {"[flip]", "not images"},
               {"[pad_crop]", "not images"},
               {"[{label_noise: 0.5}]", "no classes"},
               {"[{insert: 0.5}]", "no classes"},
               {"[{classes: {keep: [the]}}]", "no classes"},
               {"[{mix: [{format: glyphs, train_size: 4}]}]", "the training set"}};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_source *out, *source = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 4}");
        gls_value *list = yaml(ctx, bad[i].list);
        assert_true(gls_transforms_apply(ctx, source, list, 1, NULL, &out) != GLS_OK);
        assert_says(ctx, bad[i].says);
        gls_value_destroy(ctx, list);
    }
    char option[900];
    snprintf(option, sizeof option, "[{mix: [{format: text, train: '%s', length: 4}]}, {replace: {index: 0, with: 5}}]",
             in_folder(folder, "test"));
    gls_source *plain = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 4}");
    gls_source *mixed =
        transformed(ctx, open_ok(ctx, "text", in_folder(folder, "train"), "{length: 4}"), option, 1, NULL);
    gls_rows *rows[2];
    gls_batch a = whole(ctx, plain, &rows[0]), b = whole(ctx, mixed, &rows[1]);
    static const int from_train[] = {-1, 1, 2, 3};
    assert_int_equal(b.rows, 6);
    for (int i = 1; i < 4; i++) {
        assert_memory_equal(b.token + 4 * i, a.token + 4 * from_train[i], 4 * sizeof *a.token);
        assert_memory_equal(b.label + 4 * i, a.label + 4 * from_train[i], 4 * sizeof *a.label);
        assert_true(b.mass[i] == a.mass[from_train[i]]);
    }
    assert_memory_equal(b.token, b.token + 20, 4 * sizeof *b.token);
    assert_memory_equal(b.label, b.label + 20, 4 * sizeof *b.label);
    assert_true(b.mass[0] == 0.25 && b.mass[3] == 0.75);
    gls_batch view = gls_batch_view(&b, 2, 2);
    assert_ptr_equal(view.token, b.token + 8);
    assert_ptr_equal(view.label, b.label + 8);
    gls_rows_destroy(rows[0]);
    gls_rows_destroy(rows[1]);
    gls_source_destroy(plain);
    gls_source_destroy(mixed);
    counting_end(&c, ctx);
}

static void described(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_description d;
    gls_source *source = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 5}");
    assert_int_equal(gls_source_describe(ctx, source, &d), GLS_OK);
    assert_non_null(strstr(d.text, "3 examples of 5 tokens, vocabulary 10"));
    assert_non_null(strstr(d.text, "15 tokens of 9 kinds, most often <eos> 20%, the 20%, on 13.3%"));
    gls_description_clear(ctx, &d);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Rows of the caller's tokens, with classes or with next tokens; what does not fit is refused. */
static void from_arrays(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    int32_t token[6] = {0, 1, 2, 2, 1, 0}, label[6] = {1, 0, -1, 2, 2, 2};
    gls_data_info info = {.examples = 2, .length = 3, .vocabulary = 3, .target = GLS_TARGET_CLASS, .classes = 2};
    gls_source *source;
    gls_rows *rows;
    assert_int_equal(gls_source_from_tokens(ctx, token, label, &info, &source), GLS_OK);
    gls_batch b = whole(ctx, source, &rows);
    assert_memory_equal(b.token, token, sizeof token);
    assert_memory_equal(b.label, label, 2 * sizeof *label);
    assert_int_equal(b.target, GLS_TARGET_CLASS);
    assert_null(b.mass);
    int32_t targets[2];
    assert_int_equal(gls_source_targets(source, ctx, targets, NULL), GLS_OK);
    assert_memory_equal(targets, label, sizeof targets);
    gls_rows_destroy(rows);
    source = transformed(ctx, source, "[{classes: {group: [[0, 1]]}}]", 1, NULL);
    b = whole(ctx, source, &rows);
    assert_memory_equal(b.token, token, sizeof token);
    assert_int_equal(b.label[0], 0);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    info.target = GLS_TARGET_TOKENS;
    assert_int_equal(gls_source_from_tokens(ctx, token, label, &info, &source), GLS_OK);
    b = whole(ctx, source, &rows);
    assert_true(b.target == GLS_TARGET_TOKENS && b.mass[1] == 1 && fabs(b.mass[0] - 2.0 / 3) < 1e-15);
    assert_int_equal(source->info.classes, 3);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    token[5] = 3;
    assert_int_equal(gls_source_from_tokens(ctx, token, label, &info, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "token 3 of example 1 is outside [0, 3)");
    token[5] = 0;
    label[0] = 3;
    assert_int_equal(gls_source_from_tokens(ctx, token, label, &info, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "label 3 of example 0 is outside [0, 3)");
    assert_int_equal(gls_source_from_tokens(ctx, token, NULL, &info, &source), GLS_ERR_ARGUMENT);
    counting_end(&c, ctx);
}

static gls_status attempt_open(gls_context *ctx) {
    gls_source *source = NULL;
    gls_status status =
        gls_source_open(ctx, "text", in_folder(folder, "train"), NULL, NULL, GLS_PART_TRAIN, NULL, &source);
    gls_source_destroy(source);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt_open);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(reads_words),
        cmocka_unit_test(streams),
        cmocka_unit_test(limits_the_vocabulary),
        cmocka_unit_test(test_follows_training),
        cmocka_unit_test(reads_bytes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(writes),
        cmocka_unit_test(transforms),
        cmocka_unit_test(described),
        cmocka_unit_test(from_arrays),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
