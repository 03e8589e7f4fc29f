/* glissade sample: against what predict says of the same text, frequencies of draws, and what is refused. */
#include "support.h"

#include <math.h>

#include <glissade/run.h>

#include "predict/predictor.h"

static said s;

/* Two sentences, in an order that a model of one word before cannot foresee. */
static void write_texts(void) {
    sh(&s,
       "for i in 1 2 3 4 5 6 7 8 9; do echo the cat sat on the mat; echo a dog ran; echo the dog sat; done > t.txt; "
       "printf 'caf\\303\\251 \\342\\202\\254\\nna\\303\\257ve\\n%%.0s' 1 2 3 4 5 6 > u.txt");
    assert_int_equal(s.code, 0);
}

static void train_all(void) {
    sh(&s, "$G train --set data.format=text --set data.train=t.txt --set data.length=12 --set \"model={name: lstm, "
           "embedding: 16, hidden: 24}\" --set \"method={name: adam, lr: 0.01}\" --set train.batch=8 --set "
           "train.epochs=6 --out words --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "$G train --set data.format=text --set data.train=t.txt --set data.rows=lines --set data.length=9 --set "
           "\"model={name: transformer, dim: 16, heads: 2}\" --set \"method={name: adam, lr: 0.01}\" --set "
           "train.batch=8 --set train.epochs=6 --out lines --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "$G train --set data.format=text --set data.train=u.txt --set data.unit=char --set data.length=8 --set "
           "\"model={name: transformer, dim: 16, heads: 2}\" --set \"method={name: adam, lr: 0.01}\" --set "
           "train.batch=8 --set train.epochs=30 --out chars --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "$G train --set data.format=text --set data.train=u.txt --set data.unit=byte --set data.length=8 --set "
           "\"model={name: t5, dim: 16, heads: 2, source: 4}\" --set \"method={name: adam, lr: 0.01}\" --set "
           "train.batch=8 --set train.epochs=10 --out ahead --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "$G train --set data.format=text --set data.train=u.txt --set data.unit=byte --set data.length=8 --set "
           "\"model={name: nplm, embedding: 8, hidden: 16}\" --set \"method={name: adam, lr: 0.01}\" --set "
           "train.batch=8 --set train.epochs=2 --out bytes --quiet");
    assert_int_equal(s.code, 0);
    sh(&s,
       "$G train --set data.format=text --set data.train=t.txt --set data.length=4 --set data.streams=3 --set "
       "\"model={name: lstm, embedding: 16, hidden: 24, carry: true}\" --set \"method={name: adam, lr: 0.01}\" --set "
       "train.batch=3 --set train.shuffle=false --set train.epochs=6 --out carried --quiet");
    assert_int_equal(s.code, 0);
    sh(&s,
       "$G train --set data.format=text --set data.train=t.txt --set data.length=4 --set data.streams=3 --set "
       "\"model={name: transformer_xl, dim: 16, heads: 2, memory: 40}\" --set \"method={name: adam, lr: 0.01}\" --set "
       "train.batch=3 --set train.shuffle=false --set train.epochs=6 --out remembered --quiet");
    assert_int_equal(s.code, 0);
}

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    write_texts();
    train_all();
    return 0;
}

static gls_context *context(int threads) {
    gls_context_options options = {.size = sizeof options, .threads = threads};
    gls_context *ctx = NULL;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

static gls_predictor *opened(gls_context *ctx, const char *folder) {
    char path[200];
    gls_predictor *p = NULL;
    snprintf(path, sizeof path, "%s/final.safetensors", folder);
    if (gls_predictor_open(ctx, path, &p) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    return p;
}

/* Outputs after `count` tokens, as the pass over a set of one row gives them; z [vocabulary]. */
static void outputs(gls_context *ctx, gls_predictor *p, const int32_t *given, int64_t count, gls_real *z) {
    gls_data_info info = *gls_predictor_file_info(p);
    int64_t v = info.vocabulary, length = info.length;
    int32_t token[64] = {0}, document[64];
    assert_true(length <= 64 && count <= length);
    for (int64_t t = 0; t < length; t++) document[t] = t < count ? 0 : -1;
    memcpy(token, given, (size_t)count * sizeof *token);
    info.examples = 1;
    info.target = GLS_TARGET_NONE;
    gls_source *rows = NULL;
    gls_status status = info.documents ? gls_source_from_documents(ctx, token, NULL, document, &info, &rows)
                                       : gls_source_from_tokens(ctx, token, NULL, &info, &rows);
    assert_int_equal(status, GLS_OK);
    gls_real *all = calloc((size_t)(length * v), sizeof *all);
    assert_int_equal(gls_predictor_run(p, rows, all), GLS_OK);
    int64_t unsaid =
        length - gls_problem_prediction(p->problem).positions; /* of t5 the encoder's positions but the last */
    memcpy(z, all + (count - 1 - unsaid) * v, (size_t)v * sizeof *z);
    free(all);
    gls_source_destroy(rows);
}

/* At temperature 0 every token is the one with the largest output, also where the text has outgrown a row: then the
 * next one begins with the last `keep` tokens, or with all but one. Rows of lines begin with <eos>, number 1, and again
 * after each. */
static void greedy_with(int64_t keep) {
    static const char *const folder[] = {"words", "chars", "lines", "ahead"};
    static const char *const prompt[] = {"the dog", "na\xc3\xaf", "the cat", "na\xc3\xafve"};
    static const int64_t tokens[] = {2, 3, 2, 6};
    for (int i = 0; i < 4; i++) {
        gls_context *ctx = context(1);
        gls_predictor *p = opened(ctx, folder[i]);
        const gls_data_info *info = gls_predictor_input_info(p);
        gls_predictor_sampling options = {.size = sizeof options, .prompt = prompt[i], .length = 20, .keep = keep};
        gls_predictor_text text;
        assert_int_equal(gls_predictor_sample(p, &options, &text), GLS_OK);
        assert_int_equal(text.prompt, tokens[i]);
        assert_int_equal(text.tokens, text.prompt + 20);
        assert_memory_equal(text.text, prompt[i], strlen(prompt[i]));
        int32_t shown[64];
        int64_t count = 0;
        if (info->documents) shown[count++] = 1;
        for (int64_t t = 0; t < text.tokens; t++) {
            if (t >= text.prompt) {
                gls_real z[256];
                outputs(ctx, p, shown, count, z);
                int32_t best = 0;
                for (int32_t c = 1; c < info->vocabulary; c++) best = z[c] > z[best] ? c : best;
                assert_int_equal(text.token[t], best);
            }
            if (info->documents && text.token[t] == 1) count = 0;
            if (count == info->length) {
                count = keep ? keep : info->length - 1;
                memmove(shown, shown + info->length - count, (size_t)count * sizeof *shown);
            }
            shown[count++] = text.token[t];
        }
        gls_predictor_text_clear(ctx, &text);
        gls_predictor_destroy(p);
        gls_context_destroy(ctx);
    }
}

static void greedy(void **state) {
    greedy_with(0);
    greedy_with(3);
}

/* A model that carries its state, or remembers enough, sees all of the text, the prompt of 9 tokens too: the same
 * weights over one row of 40 say the same. */
static void sees_all(const char *folder, const char *name, const char *section) {
    enum { LONG = 40 };
    gls_context *ctx = context(1);
    gls_predictor *p = opened(ctx, folder);
    gls_data_info info = *gls_predictor_input_info(p);
    gls_predictor_sampling options = {
        .size = sizeof options, .prompt = "the cat sat on the mat\na dog", .length = LONG - 9};
    gls_predictor_text text;
    assert_int_equal(info.length, 4);
    if (gls_predictor_sample(p, &options, &text) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    assert_int_equal(text.tokens, LONG);
    info.examples = 1;
    info.length = LONG;
    info.streams = 0;
    info.target = GLS_TARGET_TOKENS;
    gls_source *rows = NULL;
    gls_problem *whole = NULL;
    gls_pass *pass = NULL;
    gls_value *model = NULL;
    assert_int_equal(gls_source_from_tokens(ctx, text.token, text.token, &info, &rows), GLS_OK);
    assert_int_equal(gls_config_parse(ctx, "test", section, (int64_t)strlen(section), &model), GLS_OK);
    assert_int_equal(gls_model_create(ctx, name, model, gls_source_info(rows), &whole), GLS_OK);
    assert_int_equal(gls_problem_size(whole), gls_problem_size(p->problem));
    assert_int_equal(gls_pass_create(whole, NULL, &pass), GLS_OK);
    gls_loader *loader = NULL;
    gls_loader_options how = {.size = sizeof how, .wave = 1, .align = 1};
    gls_stream *stream = NULL;
    assert_int_equal(gls_loader_create(ctx, rows, &how, &loader), GLS_OK);
    assert_int_equal(gls_loader_push(loader, (int64_t[]){0}, 1, 0), GLS_OK);
    assert_int_equal(gls_loader_front(loader, &stream), GLS_OK);
    gls_real *z = calloc((size_t)(LONG * info.vocabulary), sizeof *z);
    assert_int_equal(gls_pass_outputs(pass, p->w, stream, z), GLS_OK);
    for (int64_t t = text.prompt; t < LONG; t++) {
        const gls_real *at = z + (t - 1) * info.vocabulary;
        for (int64_t c = 0; c < info.vocabulary; c++) assert_true(at[c] <= at[text.token[t]] + 1e-4f);
    }
    free(z);
    gls_loader_destroy(loader);
    gls_pass_destroy(pass);
    gls_problem_destroy(whole);
    gls_value_destroy(ctx, model);
    gls_source_destroy(rows);
    gls_predictor_text_clear(ctx, &text);
    gls_predictor_destroy(p);
    gls_context_destroy(ctx);
}

static void carries(void **state) {
    sees_all("carried", "lstm", "{embedding: 16, hidden: 24}");
    sees_all("remembered", "transformer_xl", "{dim: 16, heads: 2}");
}

/* 4,000 draws of one token: chi-squared of the k likeliest at that temperature stays below its 99.9% point. */
static void frequencies(void **state) {
    static const struct {
        double temperature;
        int64_t top_k, kept;
    } cases[] = {{1, 0, 10}, {2, 4, 4}};
    enum { DRAWS = 4000, WORDS = 10 };
    gls_context *ctx = context(1);
    gls_predictor *p = opened(ctx, "words");
    const gls_data_info *info = gls_predictor_input_info(p);
    assert_int_equal(info->vocabulary, WORDS);
    assert_string_equal(info->class_names[2], "the");
    for (int i = 0; i < 2; i++) {
        gls_real z[WORDS];
        double share[WORDS], total = 0, chi2 = 0, count[WORDS] = {0};
        outputs(ctx, p, (int32_t[]){2}, 1, z);
        for (int c = 0; c < WORDS; c++) {
            int larger = 0;
            for (int other = 0; other < WORDS; other++) larger += z[other] > z[c];
            share[c] = larger < cases[i].kept ? exp(z[c] / cases[i].temperature) : 0;
            total += share[c];
        }
        gls_predictor_sampling options = {.size = sizeof options,
                                          .prompt = "the",
                                          .length = 1,
                                          .temperature = cases[i].temperature,
                                          .top_k = cases[i].top_k};
        for (int n = 0; n < DRAWS; n++) {
            gls_predictor_text text;
            options.seed = (uint64_t)n;
            assert_int_equal(gls_predictor_sample(p, &options, &text), GLS_OK);
            count[text.token[1]]++;
            gls_predictor_text_clear(ctx, &text);
        }
        for (int c = 0; c < WORDS; c++) {
            double expected = DRAWS * share[c] / total;
            if (share[c] == 0) assert_true(count[c] == 0);
            if (share[c] > 0) chi2 += (count[c] - expected) * (count[c] - expected) / expected;
        }
        assert_true(chi2 < (cases[i].kept == WORDS ? 27.9 : 16.3));
    }
    gls_predictor_destroy(p);
    gls_context_destroy(ctx);
}

static void one_seed_one_text(void **state) {
    sh(&s,
       "$G sample words --prompt the --length 40 --seed 5 --threads 1 >a && $G sample words --prompt the --length 40 "
       "--seed 5 --threads 3 >b && $G sample words/final.safetensors --prompt the --length 40 --seed 6 >c && $G "
       "sample words --prompt the --length 40 --top-k 1 >d && $G sample words --prompt the --length 40 "
       "--temperature 0 >e && $G sample words --length 5 >f");
    assert_int_equal(s.code, 0);
    assert_true(same_files("a", "b"));
    assert_false(same_files("a", "c"));
    assert_true(same_files("d", "e"));
    sh(&s, "$G sample chars --prompt caf --length 10 --temperature 0 --json");
    assert_int_equal(s.code, 0);
    json_t *object = last_json(&s);
    assert_string_equal(json_string_value(json_object_get(object, "text")), "caf\xc3\xa9 \xe2\x82\xac\nna\xc3\xafve\n");
    assert_int_equal(json_array_size(json_object_get(object, "tokens")), 13);
    assert_int_equal(json_integer_value(json_object_get(object, "prompt_tokens")), 3);
    json_decref(object);
    sh(&s, "$G sample bytes --prompt 'c' --length 9 --quiet --json");
    assert_int_equal(s.code, 0);
    object = last_json(&s);
    assert_int_equal(json_array_size(json_object_get(object, "tokens")), 10);
    json_decref(object);
}

/* e to the log loss, and its bits over the characters of all tokens but the first: of words "t.txt" without "the ",
 * of characters and bytes alike the text without its first one. */
static void scores(void **state) {
    static const struct {
        const char *folder, *text;
        double tokens, characters;
    } cases[] = {{"words", "t.txt", 9 * 15 - 1, 9 * 45 - 4},
                 {"chars", "u.txt", 6 * 13 - 1, 6 * 13 - 1},
                 {"bytes", "u.txt", 6 * 17 - 1, 6 * 13 - 1}};
    for (int i = 0; i < 3; i++) {
        sh(&s, "$G evaluate %s --data %s --json --quiet", cases[i].folder, cases[i].text);
        assert_int_equal(s.code, 0);
        json_t *object = last_json(&s);
        double loss = json_number_value(json_object_get(object, "log_loss"));
        double bits = json_number_value(json_object_get(object, "bits_per_character"));
        double perplexity = json_number_value(json_object_get(object, "perplexity"));
        assert_true(loss > 0 && fabs(perplexity / exp(loss) - 1) < 1e-12);
        assert_true(fabs(bits / (loss * cases[i].tokens / log(2) / cases[i].characters) - 1) < 1e-12);
        json_decref(object);
    }
}

static void refuses(void **state) {
    static const struct {
        const char *arguments, *says;
    } bad[] = {
        {"words --prompt 'the zebra'", "prompt:1: 'zebra' is not a word of the model's vocabulary"},
        {"chars --prompt 'caf#'", "prompt:1: '#' is not a character of the model's vocabulary"},
        {"chars --prompt \"$(printf 'caf\\351')\"", "prompt:1: byte 0xe9 at place 4 is not UTF-8"},
        {"words --prompt 'the the the the the the the the the the the the the'",
         "prompt: 13 tokens, but this model sees 12"},
        {"ahead --prompt ca", "prompt: 2 tokens, but this model continues rows of at least 4"},
        {"lines --prompt 'the the the the the the the the the'", "prompt: 10 tokens, but this model sees 9"},
        {"words --temperature -1", "temperature"},
        {"words --length 0", "length"},
        {"", "expected one model"},
        {"words --keep 13", "keep 13, expected 0 or 1 to 12 tokens of a row"},
        {"ahead --prompt abcdef --keep 2", "keep 2, expected 0 or 3 to 8 tokens of a row"},
        {"missing", "missing"},
        {"mlp", "model 'mlp' was not trained to predict the next token of a text"},
    };
    sh(&s,
       "$G train --set data.format=glyphs --set data.train_size=50 --set data.test_size=5 --set model.name=mlp --set "
       "method.name=sgd --set method.lr=0.1 --set train.steps=1 --out mlp --quiet");
    assert_int_equal(s.code, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sh(&s, "$G sample %s", bad[i].arguments);
        assert_int_equal(s.code, 2);
        if (!strstr(s.err, bad[i].says)) fail_msg("%s: %s", bad[i].arguments, s.err);
        assert_string_equal(s.out, "");
    }
    /* A prompt of several lines has to fit by its last one. */
    sh(&s, "$G sample lines --length 3 --prompt \"$(printf 'the the the the\\nthe the the the\\nthe')\"");
    assert_int_equal(s.code, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy),      cmocka_unit_test(carries),
        cmocka_unit_test(frequencies), cmocka_unit_test(one_seed_one_text),
        cmocka_unit_test(scores),      cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
