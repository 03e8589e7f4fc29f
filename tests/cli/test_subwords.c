/* Sub-words from the text to the sample: a tokenizer is made, a model keeps it, and another one is refused. Labelled
 * texts are predicted by name. */
#include "support.h"

static said s;

#define TEXT                                                                                                           \
    "$G train --set data.format=text --set data.unit=subword --set data.length=8 --set train.batch=8 --set "           \
    "train.epochs=2 --quiet --set \"method={name: adam, lr: 0.01}\" --set \"model={name: nplm, embedding: 8, hidden: " \
    "8, window: 2}\" "

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    sh(&s,
       "for i in 1 2 3 4 5 6 7 8 9; do printf 'the caf\\303\\251 sat on the mat\\nthe dog ran, the dog sat\\n'; done "
       "> t.txt; for i in 1 2 3 4 5 6; do printf 'good\\ta fine day\\nbad\\tso much rain\\n'; done > l.txt; "
       "printf 'a fine fine day\\nrain, rain\\n' > p.txt");
    assert_int_equal(s.code, 0);
    sh(&s, "$G data tokenizer t.txt --size 290 --out a.json && $G data tokenizer t.txt --size 290 --out same.json && "
           "cmp a.json same.json && $G data tokenizer t.txt --size 291 --special '<s>' --special '</s>' --out b.json");
    assert_int_equal(s.code, 0);
    sh(&s, TEXT "--set data.train=t.txt --set data.tokenizer=a.json --out a");
    assert_int_equal(s.code, 0);
    return 0;
}

/* Without the tokenizer's file, in the original case and with characters of several bytes. */
static void model_keeps_its_tokenizer(void **state) {
    sh(&s,
       "mv a.json away.json; $G sample a --prompt \"$(printf 'The caf\\303\\251 \\360\\237\\230\\200')\" --length 5 "
       "--seed 3; mv away.json a.json");
    assert_int_equal(s.code, 0);
    assert_memory_equal(s.out, "The caf\303\251 \360\237\230\200", 14);
    sh(&s,
       "mv a.json away.json; $G evaluate a --data t.txt && $G predict a --data t.txt --out p.csv; mv away.json a.json");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "perplexity"));
    assert_non_null(strstr(s.out, "bits_per_character"));
}

static void characters_are_those_of_the_text(void **state) {
    char *at;
    double loss, bits;
    sh(&s, "printf 'zqx zqx zqx zqx zqx zqx\\n' > z.txt; $G evaluate a --data z.txt");
    assert_int_equal(s.code, 0);
    assert_non_null(at = strstr(s.out, "loss"));
    loss = strtod(at + 4, NULL);
    assert_non_null(at = strstr(s.out, "bits_per_character"));
    bits = strtod(at + 18, NULL);
    /* Every byte is a token of its own: no pair of this text was seen, not even behind a blank. */
    assert_true(bits / (loss / 0.69314718) > 0.999 && bits / (loss / 0.69314718) < 1.001);
}

static void refuses(void **state) {
    static const struct {
        const char *line, *says;
    } bad[] = {
        {TEXT "--set data.train=t.txt --out x", "data.tokenizer: unit: subword needs a file"},
        {TEXT "--set data.train=t.txt --set data.tokenizer=t.txt --out x", "t.txt: tokenizer: not JSON: line 1"},
        {TEXT "--set data.train=t.txt --set data.tokenizer=none.json --out x", "none.json"},
        {"$G sample a --length 3", "prompt: no token"},
        {"$G sample a --prompt \"$(printf 'a\\351')\"", "prompt:1: byte 0xe9 at place 2 is not UTF-8"},
        {"$G data tokenizer t.txt", "`data tokenizer` needs a text and --out PATH"},
        {"$G data tokenizer t.txt --size 256 --out x", "256 tokens, expected at least 257"},
        {"$G data tokenizer t.txt --out x --seed 3", "--seed is no option of `data tokenizer`"},
        {"printf 'a\\351\\n' > latin; $G data tokenizer latin --out x", "latin:1: byte 0xe9 at place 2 is not UTF-8"},
        {": > none; $G data tokenizer none --out x", "none: empty"},
        {"$G data tokenizer nowhere.txt --out x", "nowhere.txt: cannot open"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        sh(&s, "%s", bad[k].line);
        if (s.code != 2 || !strstr(s.err, bad[k].says)) fail_msg("%s: %d: %s", bad[k].line, s.code, s.err);
        assert_int_equal(access("x", F_OK), -1);
    }
}

/* One with the same tokens, which cuts texts otherwise, and one of another size, where blocks without words fit. */
static void another_tokenizer_is_refused(void **state) {
    sh(&s, "sed 's/\"add_prefix_space\": false/\"add_prefix_space\": true/' a.json > c.json; cmp -s a.json c.json");
    assert_int_equal(s.code, 1);
    sh(&s, TEXT "--set data.train=t.txt --set data.tokenizer=c.json --from a --out y");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "a: its tokenizer is another one: expected that of data.tokenizer"));
    sh(&s, TEXT "--set data.train=t.txt --set data.tokenizer=b.json --from a --out y");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "a: its tokenizer is another one: expected that of data.tokenizer"));
    assert_int_equal(access("y", F_OK), -1);
    sh(&s, TEXT "--set data.train=t.txt --set data.tokenizer=a.json --from a --out y");
    assert_int_equal(s.code, 0);
}

/* Words with classes: the model's file has both vocabularies, and rows to be predicted have no label. */
static void labelled_texts(void **state) {
    sh(&s, "$G train --set data.format=text --set data.rows=labelled --set data.length=8 --set data.train=l.txt --set "
           "\"model={name: nplm, embedding: 8, hidden: 8, window: 2}\" --set \"method={name: adam, lr: 0.05}\" --set "
           "train.batch=4 --set train.epochs=30 --out l --quiet && mv l.txt gone.txt && $G predict l --data p.txt "
           "--out q.csv && cat q.csv");
    assert_int_equal(s.code, 0);
    const char *good = strstr(s.out, "\ngood,"), *bad = strstr(s.out, "\nbad,");
    assert_true(good && bad && good < bad);
    sh(&s, "$G evaluate l --data gone.txt; code=$?; mv gone.txt l.txt; exit $code");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "accuracy"));
    sh(&s, "$G export l --onnx l.onnx");
    assert_exported(&s);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(model_keeps_its_tokenizer),
        cmocka_unit_test(characters_are_those_of_the_text),
        cmocka_unit_test(refuses),
        cmocka_unit_test(another_tokenizer_is_refused),
        cmocka_unit_test(labelled_texts),
    };
    return cmocka_run_group_tests(list, prepare, leave_folder);
}
