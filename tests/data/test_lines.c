/* Lines of a text as rows, padded or packed; characters; what is refused. */
#include "support.h"

static char *folder;

static int make_files(void **state) {
    folder = scratch_directory();
    write_text(in_folder(folder, "train"), "the cat sat\n\n  \na dog\nthe\nthe dog sat on");
    write_text(in_folder(folder, "test"), "a cat\nunheard of\n");
    write_text(in_folder(folder, "char"), "na\xc3\xafve \xe2\x82\xac\n\nb\xf0\x9f\x98\x80\n");
    write_bytes(in_folder(folder, "latin1"), "one\nna\xefve\n", 10);
    write_bytes(in_folder(folder, "cut"), "one \xe2\x82", 6);
    write_bytes(in_folder(folder, "surrogate"), "\xed\xa0\x80\n", 4);
    write_bytes(in_folder(folder, "overlong"), "\xc0\xaf\n", 3);
    write_text(in_folder(folder, "empty"), "");
    write_text(in_folder(folder, "blank"), "\n \n");
    return 0;
}

static int remove_files(void **state) {
    remove_folder(folder);
    return 0;
}

/* Rows as "token>label ..." with document numbers in front of the first token of each. */
static void spell(gls_context *ctx, const gls_source *source, char *out, size_t room) {
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    const char *const *name = source->info.class_names;
    *out = 0;
    for (int64_t t = 0; t < b.rows * b.length; t++) {
        bool first = t % b.length == 0, begins = first || b.document[t] != b.document[t - 1];
        if (first) snprintf(out + strlen(out), room - strlen(out), t ? "/" : "");
        if (begins) snprintf(out + strlen(out), room - strlen(out), " %d:", (int)b.document[t]);
        if (b.document[t] < 0) {
            assert_int_equal(b.label[t], -1);
            continue;
        }
        snprintf(out + strlen(out), room - strlen(out), " %s>%s", name[b.token[t]], name[b.label[t]]);
    }
    gls_rows_destroy(rows);
}

static void reads_lines(void **state) {
    static const struct {
        const char *options, *rows;
        gls_documents documents;
    } cases[] = {
        {"{rows: lines, length: 5}",
         " 0: <eos>>the the>cat cat>sat sat><eos> -1:/ 0: <eos>>a a>dog dog><eos> -1:/ 0: <eos>>the the><eos> -1:/ 0: "
         "<eos>>the the>dog dog>sat sat>on on><eos>",
         GLS_DOCUMENTS_PADDED},
        {"{rows: packed, length: 7}",
         " 0: <eos>>the the>cat cat>sat sat><eos> 1: <eos>>a a>dog dog><eos>/ 0: <eos>>the the><eos> 1: <eos>>the "
         "the>dog dog>sat sat>on on><eos>",
         GLS_DOCUMENTS_PACKED},
        {"{rows: packed, length: 6, min_count: 2}",
         " 0: <eos>>the the><unk> <unk>>sat sat><eos> -1:/ 0: <eos>><unk> <unk>>dog dog><eos> 1: <eos>>the the><eos> "
         "-1:/ 0: <eos>>the the>dog dog>sat sat><unk> <unk>><eos> -1:",
         GLS_DOCUMENTS_PACKED},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[600];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gls_source *source = open_ok(ctx, "text", in_folder(folder, "train"), cases[i].options);
        assert_int_equal(source->info.documents, cases[i].documents);
        spell(ctx, source, text, sizeof text);
        assert_string_equal(text, cases[i].rows);
        gls_source_destroy(source);
    }
    gls_source *train = open_ok(ctx, "text", in_folder(folder, "train"), cases[0].options), *test;
    assert_true(train->has_mass);
    assert_int_equal(
        open_status(ctx, "text", in_folder(folder, "test"), cases[0].options, GLS_PART_TEST, &train->info, &test),
        GLS_OK);
    spell(ctx, test, text, sizeof text);
    assert_string_equal(text, " 0: <eos>>a a>cat cat><eos> -1:/ 0: <eos>><unk> <unk>><unk> <unk>><eos> -1:");
    gls_rows *rows;
    gls_batch b = whole(ctx, test, &rows);
    assert_true(b.mass[0] == 0.6 && b.mass[1] == 0.6);
    gls_batch view = gls_batch_view(&b, 1, 1);
    assert_ptr_equal(view.document, b.document + 5);
    gls_rows_destroy(rows);
    gls_source_destroy(test);
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "test"), "{rows: packed, length: 5}", GLS_PART_TEST,
                                 &train->info, &test),
                     GLS_ERR_INPUT);
    assert_says(ctx, "hold documents or streams in another way");
    gls_source_destroy(train);
    counting_end(&c, ctx);
}

static void reads_characters(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[600];
    gls_source *source = open_ok(ctx, "text", in_folder(folder, "char"), "{unit: char, rows: lines, length: 8}");
    assert_int_equal(source->info.vocabulary, 2 + 9);
    spell(ctx, source, text, sizeof text);
    assert_string_equal(text, " 0: <eos>>n n>a a>\xc3\xaf \xc3\xaf>v v>e e>   >\xe2\x82\xac \xe2\x82\xac><eos>/ 0: "
                              "<eos>>b b>\xf0\x9f\x98\x80 \xf0\x9f\x98\x80><eos> -1:");
    gls_source_destroy(source);
    source = open_ok(ctx, "text", in_folder(folder, "char"), "{unit: byte, rows: packed, length: 12}");
    assert_int_equal(source->info.examples, 2);
    gls_rows *rows;
    gls_batch b = whole(ctx, source, &rows);
    assert_int_equal(b.token[0], '\n');
    assert_memory_equal(((int32_t[]){b.label[0], b.label[2], b.label[3], b.label[10]}),
                        ((int32_t[]){'n', 0xc3, 0xaf, '\n'}), 4 * sizeof(int32_t));
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Written, a row of documents is its lines again. */
static void writes(void **state) {
    static const char *const options[] = {"{rows: lines, length: 6}", "{rows: packed, length: 9}",
                                          "{unit: char, rows: packed, length: 20}"};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[2][1200];
    for (int i = 0; i < 3; i++) {
        gls_value *given = yaml(ctx, options[i]);
        for (int k = 0; k < 2; k++) {
            gls_source *source = open_ok(ctx, "text", in_folder(folder, k ? "copy" : "train"), options[i]);
            spell(ctx, source, text[k], sizeof text[k]);
            assert_int_equal(gls_source_write(ctx, source, "text", in_folder(folder, "copy"), given, NULL), GLS_OK);
            gls_source_destroy(source);
        }
        assert_string_equal(text[0], text[1]);
        gls_value_destroy(ctx, given);
    }
    counting_end(&c, ctx);
}

static void refuses(void **state) {
    static const struct {
        const char *file, *options, *says;
    } bad[] = {
        {"train", "{rows: lines, length: 4}", "train:6: a line of 4 tokens and its end, expected at most 4 (length)"},
        {"latin1", NULL, "latin1:2: byte 0xef at place 3 is not UTF-8 (unit: byte reads any file)"},
        {"latin1", "{unit: char}", "latin1:2: byte 0xef at place 3 is not UTF-8"},
        {"cut", "{unit: char}", "cut:1: byte 0xe2 at place 5 is not UTF-8"},
        {"surrogate", NULL, "surrogate:1: byte 0xed at place 1 is not UTF-8"},
        {"overlong", NULL, "overlong:1: byte 0xc0 at place 1 is not UTF-8"},
        {"empty", "{rows: lines}", "empty: empty, expected at least two tokens"},
        {"empty", "{unit: char}", "empty: empty, expected at least two tokens"},
        {"blank", "{rows: packed}", "blank: empty, expected at least one line with a token"},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_source *source;
        assert_int_equal(
            open_status(ctx, "text", in_folder(folder, bad[i].file), bad[i].options, GLS_PART_TRAIN, NULL, &source),
            GLS_ERR_INPUT);
        assert_null(source);
        assert_says(ctx, bad[i].says);
    }
    counting_end(&c, ctx);
}

/* Subsets move documents with their rows; sources of another kind do not mix. */
static void transforms(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char text[600];
    gls_source *source = transformed(ctx, open_ok(ctx, "text", in_folder(folder, "train"), "{rows: packed, length: 7}"),
                                     "[{replace: {index: 0, with: 1}}]", 1, NULL);
    spell(ctx, source, text, sizeof text);
    static const char half[] = " 0: <eos>>the the><eos> 1: <eos>>the the>dog dog>sat sat>on on><eos>";
    char expected[600];
    snprintf(expected, sizeof expected, "%s/%s", half, half);
    assert_string_equal(text, expected);
    gls_source_destroy(source);
    char option[900];
    snprintf(option, sizeof option, "[{mix: [{format: text, train: '%s', length: 7}]}]", in_folder(folder, "train"));
    gls_value *list = yaml(ctx, option);
    source = open_ok(ctx, "text", in_folder(folder, "train"), "{rows: lines, length: 7}");
    gls_source *out;
    assert_true(gls_transforms_apply(ctx, source, list, 1, NULL, &out) != GLS_OK);
    assert_says(ctx, "documents or streams in another way");
    gls_value_destroy(ctx, list);
    counting_end(&c, ctx);
}

static void from_arrays(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    int32_t token[6] = {0, 1, 2, 2, 1, 0}, label[6] = {1, 2, -1, 2, 1, 0}, document[6] = {0, 0, -1, 0, 0, 0};
    gls_data_info info = {.examples = 2, .length = 3, .vocabulary = 3, .target = GLS_TARGET_TOKENS};
    gls_source *source;
    assert_int_equal(gls_source_from_documents(ctx, token, label, document, &info, &source), GLS_OK);
    assert_int_equal(source->info.documents, GLS_DOCUMENTS_PADDED);
    gls_source_destroy(source);
    document[5] = 1;
    assert_int_equal(gls_source_from_documents(ctx, token, label, document, &info, &source), GLS_OK);
    assert_int_equal(source->info.documents, GLS_DOCUMENTS_PACKED);
    gls_source_destroy(source);
    document[3] = 1;
    document[4] = 0;
    assert_int_equal(gls_source_from_documents(ctx, token, label, document, &info, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "document 0 of example 1 follows 1, expected numbers that rise");
    document[4] = -1;
    assert_int_equal(gls_source_from_documents(ctx, token, label, document, &info, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "label 1 of example 1 is at a position of padding");
    assert_int_equal(gls_source_from_documents(ctx, token, label, NULL, &info, &source), GLS_ERR_ARGUMENT);
    counting_end(&c, ctx);
}

static gls_status attempt_open(gls_context *ctx) {
    gls_source *source = NULL;
    gls_value *options = NULL;
    static const char text[] = "{rows: packed, length: 7}";
    gls_status status = gls_yaml_parse(ctx, "test", text, (int64_t)strlen(text), &options);
    if (status == GLS_OK)
        status = gls_source_open(ctx, "text", in_folder(folder, "train"), options, NULL, GLS_PART_TRAIN, NULL, &source);
    gls_source_destroy(source);
    gls_value_destroy(ctx, options);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt_open);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(reads_lines),
        cmocka_unit_test(reads_characters),
        cmocka_unit_test(writes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(transforms),
        cmocka_unit_test(from_arrays),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
