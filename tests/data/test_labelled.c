/* Format text with rows: labelled: texts and pairs of texts with classes, of words and of sub-words. */
#include "data/corpus_path.h"
#include "data/tokenizer.h"
#include "support.h"

static char *folder;

static int make_files(void **state) {
    folder = scratch_directory();
    write_text(in_folder(folder, "train"), "pos\tthe cat sat\nneg\tthe \"dog\npos\ta cat\n");
    write_text(in_folder(folder, "test"), "neg\tthe bird sat\n");
    write_text(in_folder(folder, "bare"), "the bird sat\n");
    return 0;
}

static int remove_files(void **state) {
    remove_folder(folder);
    return 0;
}

static void expect_row(const gls_batch *b, int64_t i, const int32_t *token, int64_t tokens) {
    for (int64_t t = 0; t < b->length; t++) {
        assert_int_equal(b->token[i * b->length + t], t < tokens ? token[t] : 0);
        assert_int_equal(b->document[i * b->length + t], t < tokens ? 0 : -1);
    }
}

static void words_with_classes(void **state) {
    static const char *const words[] = {"<unk>", "<eos>", "<cls>", "<sep>", "cat", "the", "\"dog", "a", "sat"};
    static const int32_t rows_of[3][5] = {{2, 5, 4, 8, 3}, {2, 5, 6, 3}, {2, 7, 4, 3}}, unknown[] = {2, 5, 0, 8, 3};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_rows *rows;
    gls_source *train = open_ok(ctx, "text", in_folder(folder, "train"), "{rows: labelled, length: 6}"), *test;
    gls_batch b = whole(ctx, train, &rows);
    assert_int_equal(train->info.target, GLS_TARGET_CLASS);
    assert_int_equal(train->info.classes, 2);
    assert_string_equal(train->info.class_names[0], "neg");
    assert_int_equal(train->info.vocabulary, 9);
    assert_int_equal(train->info.separator, 0);
    assert_int_equal(train->info.documents, GLS_DOCUMENTS_PADDED);
    for (int k = 0; k < 9; k++) assert_string_equal(train->info.token_names[k], words[k]);
    expect_row(&b, 0, rows_of[0], 5);
    expect_row(&b, 1, rows_of[1], 4);
    expect_row(&b, 2, rows_of[2], 4);
    assert_true(b.label[0] == 1 && b.label[1] == 0 && b.label[2] == 1);
    gls_rows_destroy(rows);
    /* A test file, and rows to be predicted with a label in front or without. */
    static const struct {
        const char *file;
        gls_part part;
    } other[] = {{"test", GLS_PART_TEST}, {"test", GLS_PART_ROWS}, {"bare", GLS_PART_ROWS}};
    for (int k = 0; k < 3; k++) {
        if (open_status(ctx, "text", in_folder(folder, other[k].file), "{rows: labelled, length: 6}", other[k].part,
                        &train->info, &test) != GLS_OK)
            fail_msg("%s", gls_context_message(ctx));
        b = whole(ctx, test, &rows);
        assert_int_equal(b.rows, 1);
        expect_row(&b, 0, unknown, 5);
        if (!k) assert_int_equal(b.label[0], 0);
        assert_int_equal(test->info.target, k ? GLS_TARGET_NONE : GLS_TARGET_CLASS);
        gls_rows_destroy(rows);
        gls_source_destroy(test);
    }
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

/* Columns by name, quotes as in tables, the longer text cut first. */
static void pairs_of_texts(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_rows *rows;
    write_text(in_folder(folder, "pairs.csv"),
               "id,first,gold,second\n1,\"b, b\",yes,b\n2,dog,no,\"dog \"\"dog\"\" dog dog\"\n");
    gls_source *source =
        open_ok(ctx, "text", in_folder(folder, "pairs.csv"),
                "{rows: labelled, length: 6, label: gold, texts: [first, second], long: cut, vocabulary: all}");
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(source->info.separator, 3);
    assert_string_equal(source->info.class_names[1], "yes");
    assert_string_equal(source->info.token_names[4], "dog");
    assert_string_equal(source->info.token_names[6], "\"dog\"");
    assert_string_equal(source->info.token_names[5], "b");
    static const int32_t first[] = {2, 7, 5, 3, 5, 3}, second[] = {2, 4, 3, 4, 6, 3};
    assert_string_equal(source->info.token_names[7], "b,");
    expect_row(&b, 0, first, 6);
    expect_row(&b, 1, second, 6);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "pairs.csv"),
                                 "{rows: labelled, length: 6, label: gold, texts: [first, second]}", GLS_PART_TRAIN,
                                 NULL, &source),
                     GLS_ERR_INPUT);
    assert_says(ctx, "pairs.csv:3: 8 tokens, 3 of them around the text, expected at most 6 (length); long: cut");
    counting_end(&c, ctx);
}

/* The frame is that of the tokenizer: [CLS] first [SEP] second [SEP]. */
static void pairs_of_subwords(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char options[1400];
    gls_rows *rows;
    write_text(in_folder(folder, "pairs.tsv"), "0\tThe cat\tthe mat.\n1\tthe\tthe the\n");
    snprintf(options, sizeof options,
             "{rows: labelled, unit: subword, tokenizer: '%s/tokenizer/pieces.json', texts: [2, 3], length: 12}",
             CORPUS);
    gls_source *source = open_ok(ctx, "text", in_folder(folder, "pairs.tsv"), options);
    gls_batch b = whole(ctx, source, &rows);
    const char *const *names = source->info.token_names;
    assert_int_equal(source->info.separator, 3);
    assert_non_null(source->info.tokenizer);
    assert_string_equal(names[b.token[0]], "[CLS]");
    assert_string_equal(names[b.token[1]], "the");
    const int32_t *row = b.token + 12, the = row[1];
    const int32_t expected[] = {2, the, 3, the, the, 3};
    expect_row(&b, 1, expected, 6);
    assert_int_equal(b.label[1], 1);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Of words the answer has whole ones, also where it is a part of them; of sub-words the tokens that it touches. */
static void answers(void **state) {
    static const struct {
        const char *line;
        int32_t first, last; /* of words */
    } known[] = {
        {"the mat\twhere is it\tIt is on the mat, says he.\n", 8, 9},
        {"It\twhere\tIt is.\n", 3, 3},
        {"caf\303\251 x\twhat\tthe old caf\303\251 x!\n", 5, 6},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char options[1400];
    gls_rows *rows;
    gls_source *source;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        write_text(in_folder(folder, "answers"), known[i].line);
        source = open_ok(ctx, "text", in_folder(folder, "answers"), "{rows: spans, texts: [2, 3], length: 16}");
        gls_batch b = whole(ctx, source, &rows);
        assert_int_equal(b.target, GLS_TARGET_SPAN);
        assert_int_equal(b.label[0], known[i].first);
        assert_int_equal(b.label[1], known[i].last);
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    /* In sub-words: the marked tokens, written one after the other, are the answer. */
    gls_tokenizer *t;
    snprintf(options, sizeof options, "%s/tokenizer/bytes.json", CORPUS);
    assert_int_equal(gls_tokenizer_read(ctx, options, &t), GLS_OK);
    snprintf(options, sizeof options,
             "{rows: spans, unit: subword, tokenizer: '%s/tokenizer/bytes.json', texts: [2, 3], length: 64}", CORPUS);
    write_text(in_folder(folder, "answers"), "the dog\twho\tWe saw the cat and the dog, then left.\n");
    source = open_ok(ctx, "text", in_folder(folder, "answers"), options);
    gls_batch b = whole(ctx, source, &rows);
    char said[200] = "";
    for (int32_t k = b.label[0]; k <= b.label[1]; k++) {
        gls_tokenizer_writing w = gls_tokenizer_write(t, b.token[k]);
        strncat(said, w.text, (size_t)w.bytes);
    }
    assert_string_equal(said, " the dog");
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    gls_tokenizer_destroy(t);
    counting_end(&c, ctx);
}

static void refuses(void **state) {
    static const struct {
        const char *text, *options, *says;
        gls_status status;
    } bad[] = {
        {"", "{rows: labelled}", "empty, expected at least one text", GLS_ERR_INPUT},
        {"a\tb\n\nc\n", "{rows: labelled}", ":3: 1 column, expected a text in column 2", GLS_ERR_INPUT},
        {"\tb\n", "{rows: labelled}", ":1: an empty label", GLS_ERR_INPUT},
        {"x\ty\na\tb\n", "{rows: labelled, label: z, texts: [y]}", ":1: no column 'z'", GLS_ERR_INPUT},
        {"a\tb\nc\td\351\n", "{rows: labelled}", ":2: byte 0xe9 at place 2 is not UTF-8", GLS_ERR_INPUT},
        {"a\tb b b b\n", "{rows: labelled, length: 4}", ":1: 6 tokens, 2 of them around the text, expected at most 4",
         GLS_ERR_INPUT},
        {"a\tb\n", "{rows: labelled, length: 1, long: cut}",
         ":1: 3 tokens, 2 of them around the text, expected at most 1 (length)", GLS_ERR_INPUT},
        {"a\tb\n", "{rows: labelled, unit: byte}", "data.unit: rows: labelled and spans take", GLS_ERR_ARGUMENT},
        {"a\tb\n", "{rows: labelled, streams: 2}", "data.streams: of no use", GLS_ERR_ARGUMENT},
        {"a\tb\n", "{texts: [2, 3]}", "data.texts: expected rows: labelled or spans", GLS_ERR_ARGUMENT},
        {"a\tb\n", "{long: cut}", "data.long: expected rows: labelled or spans", GLS_ERR_ARGUMENT},
        {"a\tb\n", "{rows: labelled, texts: [2, 3, 4]}", "texts", GLS_ERR_ARGUMENT},
        {"a\tb\n", "{rows: labelled, texts: [1]}", "data.texts: column '1' is that of the label", GLS_ERR_ARGUMENT},
        {"a\tb\n", "{rows: labelled, texts: [2, '02']}", "data.texts: column '02' is named twice", GLS_ERR_ARGUMENT},
        {"x\ty\na\tb\n", "{rows: labelled, label: y, texts: [x, y]}", "data.texts: column 'y' is that of the label",
         GLS_ERR_ARGUMENT},
        {"x\ty\ty\na\tb\tc\n", "{rows: labelled, label: x, texts: [y]}", ":1: columns 2 and 3 are both called 'y'",
         GLS_ERR_INPUT},
        {"a\tb\n", "{rows: spans}", "data.texts: rows: spans takes two columns", GLS_ERR_ARGUMENT},
        {"a\tb\tc d\n", "{rows: spans, texts: [2, 3]}", ":1: the answer 'a' is not in the second text", GLS_ERR_INPUT},
        {"d\tb\tc c c c d\n", "{rows: spans, texts: [2, 3], length: 6, long: cut}",
         ":1: the answer is in the part that does not fit into 6 tokens", GLS_ERR_INPUT},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(in_folder(folder, "bad"), bad[i].text);
        assert_int_equal(
            open_status(ctx, "text", in_folder(folder, "bad"), bad[i].options, GLS_PART_TRAIN, NULL, &source),
            bad[i].status);
        assert_null(source);
        assert_says(ctx, bad[i].says);
    }
    gls_source *train = open_ok(ctx, "text", in_folder(folder, "train"), "{rows: labelled, length: 6}");
    write_text(in_folder(folder, "bad"), "pos\tthe cat\nother\tthe cat\n");
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "bad"), "{rows: labelled, length: 6}", GLS_PART_TEST,
                                 &train->info, &source),
                     GLS_ERR_INPUT);
    assert_says(ctx, "bad:2: label 'other' is not a class of the training set");
    gls_source_destroy(train);
    train = open_ok(ctx, "text", in_folder(folder, "train"), "{length: 6}");
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "bad"), "{rows: labelled, length: 6}", GLS_PART_TEST,
                                 &train->info, &source),
                     GLS_ERR_INPUT);
    assert_says(ctx, "has no <cls>");
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

static gls_status attempt(gls_context *ctx) {
    gls_source *source = NULL;
    gls_value *options = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_value *rows = options ? gls_value_create(ctx, GLS_VALUE_TEXT, "rows", "labelled") : NULL;
    gls_status status = rows ? gls_value_append(ctx, options, rows) : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = gls_source_open(ctx, "text", in_folder(folder, "train"), options, NULL, GLS_PART_TRAIN, NULL, &source);
    gls_source_destroy(source);
    gls_value_destroy(ctx, options);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(words_with_classes),
        cmocka_unit_test(pairs_of_texts),
        cmocka_unit_test(pairs_of_subwords),
        cmocka_unit_test(answers),
        cmocka_unit_test(refuses),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
