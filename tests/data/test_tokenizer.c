/* Sub-words: the ids of the package `tokenizers` on varied text, texts that come back, training, and what is refused.
 */
#include "data/corpus_path.h"
#include "data/text.h"
#include "support.h"
#include "tokenizer_ids.h"

static char *folder;

static int make_folder(void **state) {
    folder = scratch_directory();
    return 0;
}

static int remove_files(void **state) {
    remove_folder(folder);
    return 0;
}

static gls_tokenizer *read_corpus(gls_context *ctx, const char *name) {
    char path[1024];
    gls_tokenizer *t;
    snprintf(path, sizeof path, "%s/tokenizer/%s.json", CORPUS, name);
    if (gls_tokenizer_read(ctx, path, &t) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    return t;
}

static void same_ids(void **state) {
    static const struct {
        const char *name;
        const int *ids;
    } known[] = {{"bytes", ids_bytes},   {"split", ids_split},   {"pieces", ids_pieces},
                 {"blanks", ids_blanks}, {"scores", ids_scores}, {"scored_bytes", ids_scored_bytes}};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        gls_tokenizer *t = read_corpus(ctx, known[k].name);
        gls_token_list list = {0};
        for (int again = 0; again < 2; again++) { /* the second time from what was remembered */
            const int *id = known[k].ids;
            for (size_t i = 0; i < sizeof id_texts / sizeof *id_texts; i++, id++) {
                list.tokens = 0;
                assert_int_equal(gls_tokenizer_encode(t, id_texts[i], (int64_t)strlen(id_texts[i]), &list), GLS_OK);
                for (int64_t j = 0; j < list.tokens; j++, id++)
                    if (*id != list.token[j])
                        fail_msg("%s, text %d, token %d: %d, expected %d", known[k].name, (int)i, (int)j, list.token[j],
                                 *id);
                assert_int_equal(*id, -1);
            }
        }
        gls_free(ctx, list.token);
        gls_tokenizer_destroy(t);
    }
    counting_end(&c, ctx);
}

static void decode(const gls_tokenizer *t, const gls_token_list *list, char *out) {
    for (int64_t k = 0; k < list->tokens; k++) {
        gls_tokenizer_writing w = gls_tokenizer_write(t, list->token[k]);
        if (w.parted && k) *out++ = ' ';
        int64_t skip = !k && w.leads;
        memcpy(out, w.text + skip, (size_t)(w.bytes - skip));
        out += w.bytes - skip;
    }
    *out = 0;
}

/* Of bytes every text; of pieces what the normaliser leaves of it. */
static void texts_come_back(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_token_list list = {0};
    char out[1000];
    gls_tokenizer *t = read_corpus(ctx, "bytes");
    for (size_t i = 0; i < sizeof id_texts / sizeof *id_texts; i++) {
        list.tokens = 0;
        assert_int_equal(gls_tokenizer_encode(t, id_texts[i], (int64_t)strlen(id_texts[i]), &list), GLS_OK);
        decode(t, &list, out);
        assert_string_equal(out, id_texts[i]);
    }
    gls_tokenizer_destroy(t);
    t = read_corpus(ctx, "pieces");
    list.tokens = 0;
    assert_int_equal(gls_tokenizer_encode(t, "The Caf\303\251s, the mat.", 20, &list), GLS_OK);
    decode(t, &list, out);
    assert_string_equal(out, "the cafes, the mat.");
    const gls_tokenizer_frame *pair = gls_tokenizer_frame_of(t, true);
    assert_int_equal(pair->items, 5);
    assert_int_equal(pair->item[0].token, 2);
    assert_int_equal(pair->item[1].token, -1);
    assert_int_equal(pair->item[2].segment, 0);
    assert_int_equal(pair->item[3].token, -2);
    assert_int_equal(pair->item[4].segment, 1);
    gls_tokenizer_destroy(t);
    gls_free(ctx, list.token);
    counting_end(&c, ctx);
}

/* The trainer of `tokenizers` made bytes.json of these lines: the same tokens and the same ids. */
static void trains_the_same(void **state) {
    static const char text[] = "The cat sat on the mat, and the dog didn't.\n"
                               "We've seen 12 cats and 345 dogs; they're the user's own.\n\n"
                               "Caf\303\251s na\303\257vely serve the the theatre  crowd   well.\n"
                               "\346\227\245\346\234\254\350\252\236\343\201\256\343\203\206\343\202\255\343\202\271"
                               "\343\203\210 and \344\270\255\346\226\207 text, emoji \360\237\230\200 too.\n";
    static const char *const special[] = {"<|end|>", NULL}, *const twice[] = {"<a>", "<a>", NULL};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char *json;
    gls_tokenizer *made, *known = read_corpus(ctx, "bytes");
    assert_int_equal(gls_tokenizer_train(ctx, "text", text, sizeof text - 1, 320, special, &json), GLS_OK);
    assert_int_equal(gls_tokenizer_parse(ctx, "made", json, &made), GLS_OK);
    gls_free(ctx, json);
    assert_int_equal(gls_tokenizer_size(made), 320);
    assert_int_equal(gls_tokenizer_size(known), 320);
    for (int k = 0; k < 320; k++) assert_string_equal(gls_tokenizer_names(made)[k], gls_tokenizer_names(known)[k]);
    gls_tokenizer_destroy(made);
    gls_tokenizer_destroy(known);
    assert_int_equal(gls_tokenizer_train(ctx, "text", text, sizeof text - 1, 256, special, &json), GLS_ERR_ARGUMENT);
    assert_says(ctx, "256 tokens, expected at least 257");
    assert_int_equal(gls_tokenizer_train(ctx, "text", text, sizeof text - 1, 300, twice, &json), GLS_ERR_ARGUMENT);
    assert_says(ctx, "two special tokens are the same");
    assert_int_equal(gls_tokenizer_train(ctx, "text", "", 0, 300, special, &json), GLS_ERR_INPUT);
    assert_says(ctx, "text: empty");
    /* A text with few pairs gives fewer tokens. */
    assert_int_equal(gls_tokenizer_train(ctx, "text", "abab", 4, 300, special, &json), GLS_OK);
    assert_int_equal(gls_tokenizer_parse(ctx, "made", json, &made), GLS_OK);
    gls_free(ctx, json);
    assert_int_equal(gls_tokenizer_size(made), 259);
    gls_tokenizer_destroy(made);
    counting_end(&c, ctx);
}

#define BPE(rest) "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}" rest "}"

static void refuses(void **state) {
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "what: tokenizer: not JSON: line "},
        {"[1]", "the file: expected an object"},
        {"{}", "model: expected an object"},
        {"{\"model\":{\"type\":\"CharLevel\",\"vocab\":{}}}", "model.type: 'CharLevel' is not supported"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "model.vocab: expected a list of pieces"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":1}}}", "model.vocab: expected a list of pieces"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0],[\"b\"]]}}",
         "model.vocab[1]: expected a piece and its"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0]]}}", "model.unk_id: expected the number"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}",
         "ByteLevel in front of Unigram"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}", "model.vocab: expected an object"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "model.vocab: the number of 'a'"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "'a' and 'b' have the number 0"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "model.merges: expected a list"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", "model.merges[0]: 'a' and 'a'"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[7]}}", "model.merges[0]: expected two pieces"},
        {"{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}", "model.dropout"},
        {"{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0},\"merges\":[]}}",
         "end_of_word_suffix '</w>' is not supported"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "model.unk_token"},
        {BPE(",\"truncation\":{\"max_length\":8}"), "truncation: is not supported"},
        {BPE(",\"normalizer\":{\"type\":\"Nmt\"}"), "normalizer: 'Nmt' is not supported"},
        {BPE(",\"normalizer\":{\"type\":\"Precompiled\"}"), "precompiled_charsmap: expected SentencePiece's table"},
        {BPE(",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"a!\"}"), "precompiled_charsmap"},
        {BPE(",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/wAAAAEAAAA=\"}"),
         "precompiled_charsmap"},
        {BPE(",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}"), "pre_tokenizer: 'UnicodeScripts' is not supported"},
        {BPE(",\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(\"}}"),
         "what: the pattern '('"},
        {BPE(",\"decoder\":{\"type\":\"CTC\"}"), "decoder: 'CTC' is not supported"},
        {BPE(",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",1],\"sep\":[\"b\",1]}"),
         "'[CLS]' is no token"},
        {BPE(",\"added_tokens\":[{\"id\":1,\"content\":\"x\"}]"), "'x' has the number 1 of 'b'"},
        {BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"single_word\":true}]"), "single_word is not supported"},
        {BPE(",\"added_tokens\":{\"x\":3}"), "what: tokenizer: added_tokens: expected a list"},
        {BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"lstrip\":\"true\"}]"),
         "added_tokens.lstrip: expected true or false"},
        {"{\"model\":{\"type\":\"BPE\",\"dropout\":\"0.1\",\"vocab\":{\"a\":0},\"merges\":[]}}",
         "model.dropout: expected a number"},
        {"{\"model\":{\"type\":\"BPE\",\"unk_token\":0,\"vocab\":{\"a\":0},\"merges\":[]}}",
         "model.unk_token: expected a text"},
        {"{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"max_input_chars_per_word\":-1,\"vocab\":{\"a\":0}}}",
         "model.max_input_chars_per_word: expected a whole number from 0 on"},
        {BPE(",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Strip\",\"strip_left\":1}]}"),
         "normalizers.strip_left: expected true or false"},
        {BPE(",\"pre_tokenizer\":\"Whitespace\""), "pre_tokenizer: expected an object"},
        {BPE(",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":"
             "\"0\"}}],\"pair\":[]}"),
         "Sequence.type_id: expected a whole number from 0 on"},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_tokenizer *t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(gls_tokenizer_parse(ctx, "what", bad[i].json, &t), GLS_ERR_INPUT);
        assert_null(t);
        assert_says(ctx, bad[i].says);
    }
    /* null is as good as nothing, and words of the vocabulary may be called like fields. */
    static const char words[] = "{\"model\":{\"type\":\"BPE\",\"dropout\":null,\"vocab\":{\"type\":0,\"lstrip\":1},"
                                "\"merges\":[]},\"added_tokens\":null}";
    assert_int_equal(gls_tokenizer_parse(ctx, "what", words, &t), GLS_OK);
    gls_tokenizer_destroy(t);
    assert_int_equal(gls_tokenizer_parse(ctx, "what", BPE(""), &t), GLS_OK);
    gls_tokenizer_destroy(t);
    counting_end(&c, ctx);
}

/* As a format: rows of sub-words, the test set by the training set's tokenizer, lines that end with a token. */
static void rows_of_text(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char options[1400];
    gls_rows *rows;
    write_text(in_folder(folder, "text"), "the cat\nthe mat\n");
    snprintf(options, sizeof options, "{unit: subword, tokenizer: '%s/tokenizer/bytes.json', length: 4}", CORPUS);
    gls_source *train = open_ok(ctx, "text", in_folder(folder, "text"), options), *test;
    gls_tokenizer *t = read_corpus(ctx, "bytes");
    gls_token_list list = {0};
    assert_int_equal(train->info.vocabulary, 320);
    assert_non_null(train->info.tokenizer);
    gls_batch b = whole(ctx, train, &rows);
    assert_int_equal(gls_tokenizer_encode(t, "the cat\nthe mat\n", 16, &list), GLS_OK);
    for (int64_t k = 0; k + 1 < list.tokens; k++) {
        assert_int_equal(b.token[k], list.token[k]);
        assert_int_equal(b.label[k], list.token[k + 1]);
    }
    gls_rows_destroy(rows);
    assert_int_equal(gls_source_write(ctx, train, "text", in_folder(folder, "copy"), NULL, NULL), GLS_OK);
    char copy[64] = "";
    FILE *file = fopen(in_folder(folder, "copy"), "r");
    assert_int_equal(fread(copy, 1, sizeof copy, file), 16);
    fclose(file);
    assert_string_equal(copy, "the cat\nthe mat\n");
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "text"), "{unit: subword, length: 4}", GLS_PART_TEST,
                                 &train->info, &test),
                     GLS_OK);
    assert_string_equal(test->info.tokenizer, train->info.tokenizer);
    gls_source_destroy(test);
    gls_source_destroy(train);
    snprintf(options, sizeof options,
             "{unit: subword, tokenizer: '%s/tokenizer/bytes.json', length: 8, rows: lines, end: '<|end|>'}", CORPUS);
    train = open_ok(ctx, "text", in_folder(folder, "text"), options);
    b = whole(ctx, train, &rows);
    assert_int_equal(b.rows, 2);
    assert_int_equal(b.token[0], 0);
    assert_int_equal(b.document[7], -1);
    gls_rows_destroy(rows);
    gls_source_destroy(train);
    gls_tokenizer_destroy(t);
    gls_free(ctx, list.token);
    counting_end(&c, ctx);
}

static void refused_rows(void **state) {
    static const struct {
        const char *file, *options, *says;
        gls_status status;
    } bad[] = {
        {"one", "{unit: subword}", "data.tokenizer: unit: subword needs a file", GLS_ERR_ARGUMENT},
        {"one", "{tokenizer: x}", "data.tokenizer: expected unit: subword", GLS_ERR_ARGUMENT},
        {"one", "{end: x}", "data.end: expected unit: subword", GLS_ERR_ARGUMENT},
        {"one", "{unit: subword, tokenizer: '%s', vocabulary: 7}", "data.vocabulary", GLS_ERR_ARGUMENT},
        {"one", "{unit: subword, tokenizer: '%s', end: '</x>'}", "data.end: '</x>' is no token", GLS_ERR_ARGUMENT},
        {"one", "{unit: subword, tokenizer: '%s', rows: lines}", "data.end: expected the token", GLS_ERR_ARGUMENT},
        {"one", "{unit: subword, tokenizer: /nowhere}", "/nowhere", GLS_ERR_FILE},
        {"latin", "{unit: subword, tokenizer: '%s'}", "latin:2: byte 0xe9 at place 4 is not UTF-8", GLS_ERR_INPUT},
        {"none", "{unit: subword, tokenizer: '%s'}", "none: empty, expected at least two tokens", GLS_ERR_INPUT},
    };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source, *words;
    char options[1400], path[1200];
    write_text(in_folder(folder, "one"), "the cat\n");
    write_text(in_folder(folder, "latin"), "the\ncaf\351\n");
    write_text(in_folder(folder, "none"), "");
    snprintf(path, sizeof path, "%s/tokenizer/bytes.json", CORPUS);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(options, sizeof options, bad[i].options, path);
        assert_int_equal(
            open_status(ctx, "text", in_folder(folder, bad[i].file), options, GLS_PART_TRAIN, NULL, &source),
            bad[i].status);
        assert_says(ctx, bad[i].says);
    }
    words = open_ok(ctx, "text", in_folder(folder, "one"), "{length: 2}");
    assert_int_equal(open_status(ctx, "text", in_folder(folder, "one"), "{unit: subword, length: 2}", GLS_PART_TEST,
                                 &words->info, &source),
                     GLS_ERR_INPUT);
    assert_says(ctx, "the training set has none");
    gls_source_destroy(words);
    counting_end(&c, ctx);
}

/* A model's file must hold a tokenizer of sub-words, whole, and with no token that the model does not have. */
static void model_and_tokenizer_agree(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_value *options = yaml(ctx, "{unit: subword, rows: lines, end: '<|end|>'}");
    gls_tokenizer *t = read_corpus(ctx, "bytes");
    gls_token_language language;
    gls_data_info info = {.vocabulary = 320, .classes = 320};
    assert_int_equal(gls_token_language_create(ctx, "model", options, &info, &language), GLS_ERR_INPUT);
    assert_says(ctx, "model: a model of sub-words without its tokenizer");
    info.tokenizer = "{";
    assert_int_equal(gls_token_language_create(ctx, "model", options, &info, &language), GLS_ERR_INPUT);
    assert_says(ctx, "model: tokenizer: not JSON");
    info.tokenizer = gls_tokenizer_json(t);
    assert_int_equal(gls_token_language_create(ctx, "model", options, &info, &language), GLS_OK);
    assert_int_equal(language.end, 0);
    gls_token_language_clear(&language);
    info.vocabulary = 319;
    assert_int_equal(gls_token_language_create(ctx, "model", options, &info, &language), GLS_ERR_INPUT);
    assert_says(ctx, "model: its tokenizer has 320 tokens, but the model has 319");
    gls_tokenizer_destroy(t);
    gls_value_destroy(ctx, options);
    counting_end(&c, ctx);
}

static gls_status attempt(gls_context *ctx) {
    char path[1024];
    gls_tokenizer *t = NULL;
    gls_token_list list = {0};
    snprintf(path, sizeof path, "%s/tokenizer/pieces.json", CORPUS);
    gls_status status = gls_tokenizer_read(ctx, path, &t);
    if (status == GLS_OK) status = gls_tokenizer_encode(t, "the caf\303\251", 9, &list);
    gls_free(ctx, list.token);
    gls_tokenizer_destroy(t);
    return status;
}

static gls_status attempt_training(gls_context *ctx) {
    static const char *const special[] = {NULL};
    char *json = NULL;
    gls_status status = gls_tokenizer_train(ctx, "text", "abab ab", 7, 258, special, &json);
    gls_free(ctx, json);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt);
    fail_each_allocation(attempt_training);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(same_ids),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(trains_the_same),
        cmocka_unit_test(refuses),
        cmocka_unit_test(rows_of_text),
        cmocka_unit_test(refused_rows),
        cmocka_unit_test(model_and_tokenizer_agree),
        cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, make_folder, remove_files);
}
