/* Texts, prompts and tokenizers that are not what a model of sequences can take: every family and verb says which file
 * or field it is and what was expected, in three lines at most, with exit code 2 and nothing left behind. */
#include "support.h"

static said s;

/* Runs of two steps, by the names of their folders. */
static const struct {
    const char *name, *data, *model, *train;
} runs[] = {
    {"tr", "{format: text, train: t.txt, test: v.txt, length: 8}", "{name: transformer, dim: 8, heads: 2, depth: 1}",
     "{steps: 2, batch: 4}"},
    {"bert", "{format: text, train: t.txt, test: v.txt, length: 8, transforms: [mask_tokens]}",
     "{name: bert, dim: 8, heads: 2, depth: 1}", "{steps: 2, batch: 4}"},
    {"t5", "{format: text, train: t.txt, test: v.txt, length: 8}", "{name: t5, dim: 8, heads: 2, depth: 1, source: 5}",
     "{steps: 2, batch: 4}"},
    {"xl", "{format: text, train: t.txt, test: v.txt, length: 8, streams: 2}",
     "{name: transformer_xl, dim: 8, heads: 2, depth: 1, memory: 8}", "{steps: 2, batch: 2, shuffle: false}"},
    {"labels", "{format: text, rows: labelled, train: t.tsv, test: t.tsv, length: 8}",
     "{name: bert, dim: 8, heads: 2, depth: 1}", "{steps: 2, batch: 4}"},
    {"tones", "{format: tones, train_size: 20, test_size: 4}",
     "{name: conformer, dim: 8, heads: 2, depth: 1, kernel: 3}", "{steps: 2, batch: 4}"},
};

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    sh(&s, "for i in 1 2 3 4 5 6 7 8; do echo the cat sat on a mat; echo a dog ran to the house and saw the sun; done "
           "> t.txt; head -6 t.txt > v.txt; sed 's/^/x\\t/; s/the.*$/the cat/' t.txt > t.tsv; printf 'y\\ta dog\\n' >> "
           "t.tsv; sed 's/.*/un deux trois quatre/' t.txt > other.txt; printf 'the caf\\351\\n' > latin.txt; printf "
           "'x\\tcaf\\351\\n' > latin.tsv; : > empty.txt; echo the cat > short.txt; printf 'x\\tthe cat the cat the "
           "cat the cat the cat\\n' > long.tsv; echo '{\"model\": {\"type\": \"BPE\"' > broken.json; echo "
           "'{\"model\": {\"type\": \"BPE\", \"vocab\": 3}}' > wrong.json; mkdir folder");
    assert_int_equal(s.code, 0);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        sh(&s,
           "printf 'data: %s\\nmodel: %s\\nmethod: {name: adam, lr: 0.01}\\ntrain: %s\\n' > %s.yaml && $G train "
           "%s.yaml --out %s --quiet",
           runs[i].data, runs[i].model, runs[i].train, runs[i].name, runs[i].name, runs[i].name);
        if (s.code) fail_msg("%s: %s", runs[i].name, s.err);
    }
    return 0;
}

typedef struct bad {
    const char *line, *words;
} bad;

static void refuses(const bad *all, size_t count) {
    for (size_t i = 0; i < count; i++) {
        sh(&s, "%s", all[i].line);
        int lines = 0;
        for (const char *c = s.err; *c; c++) lines += *c == '\n';
        if (s.code != 2 || !strstr(s.err, all[i].words) || lines > 3)
            fail_msg("%s\n  code %d, expected '%s' in: %s", all[i].line, s.code, all[i].words, s.err);
        sh(&s, "ls -d out* 2>/dev/null");
        if (s.out[0]) fail_msg("%s left %s", all[i].line, s.out);
    }
}
#define REFUSES(table) refuses(table, sizeof(table) / sizeof *(table))

static void not_utf_8(void **state) {
    (void)state;
    static const bad all[] = {
        {"$G train tr.yaml --set data.train=latin.txt --out out", "latin.txt:1: byte 0xe9 at place 8 is not UTF-8"},
        {"$G train tr.yaml --set data.test=latin.txt --out out", "latin.txt:1: byte 0xe9 at place 8 is not UTF-8"},
        {"$G train bert.yaml --set data.validation=latin.txt --out out", "latin.txt:1: byte 0xe9"},
        {"$G train xl.yaml --set data.train=latin.txt --out out", "latin.txt:1: byte 0xe9"},
        {"$G train labels.yaml --set data.train=latin.tsv --out out", "latin.tsv:1: byte 0xe9 at place 4"},
        {"$G evaluate t5 --data latin.txt", "latin.txt:1: byte 0xe9"},
        {"$G evaluate labels --data latin.tsv", "latin.tsv:1: byte 0xe9"},
        {"$G predict bert --data latin.txt --out out.csv", "latin.txt:1: byte 0xe9"},
        {"$G sample xl --prompt \"$(printf 'caf\\351')\"", "prompt:1: byte 0xe9 at place 4 is not UTF-8"},
        {"$G data tokenizer latin.txt --out out.json", "latin.txt:1: byte 0xe9"},
    };
    REFUSES(all);
}

static void nothing_to_read(void **state) {
    (void)state;
    static const bad all[] = {
        {"$G train tr.yaml --set data.train=empty.txt --out out", "empty.txt: empty, expected at least two tokens"},
        {"$G train t5.yaml --set data.test=empty.txt --out out", "empty.txt: empty, expected at least two tokens"},
        {"$G train labels.yaml --set data.train=empty.txt --out out", "empty.txt: empty, expected at least one text"},
        {"$G train xl.yaml --set data.train=short.txt --out out", "expected at least one for each of 2 streams"},
        {"$G evaluate bert --data empty.txt", "empty.txt: empty, expected at least two tokens"},
        {"$G predict tr --data empty.txt --out out.csv", "empty.txt: empty, expected at least two tokens"},
        {"$G data tokenizer empty.txt --out out.json", "empty.txt: empty, expected a text"},
        {"$G evaluate tr --data folder", "folder: expected a file, found a directory"},
    };
    REFUSES(all);
}

/* A set of which nothing is to be predicted has no loss: it is said by the file's name before the first step. */
static void nothing_to_predict(void **state) {
    (void)state;
    static const bad all[] = {
        {"$G train t5.yaml --set data.train=short.txt --out out",
         "short.txt: no row has a target: expected one of more tokens, since the model predicts the last 4 of a row's "
         "8"},
        {"$G train t5.yaml --set data.test=short.txt --out out", "short.txt: no row has a target"},
        {"$G evaluate t5 --data short.txt", "short.txt: no row has a target"},
        {"$G train bert.yaml --set data.test=other.txt --out out",
         "other.txt: there is no token to hide (mask_tokens): expected words other than <unk>, <eos> and the like"},
        {"$G evaluate bert --data other.txt", "other.txt: there is no token to hide"},
    };
    REFUSES(all);
    /* Rows of unknown words among others change nothing that is not a number. */
    sh(&s,
       "cat other.txt t.txt > both.txt; $G train bert.yaml --set data.test=both.txt --set train.batch=1 --out mixed "
       "--quiet");
    if (s.code) fail_msg("%s", s.err);
}

static void another_vocabulary(void **state) {
    (void)state;
    static const bad all[] = {
        {"sed 's/cat/cow/' t.txt > cow.txt; $G train tr.yaml --set data.train=cow.txt --from tr --out out",
         "tr: its vocabulary is another one: token"},
        {"$G train bert.yaml --set data.train=cow.txt --from bert --out out", "bert: its vocabulary is another one"},
        {"$G train t5.yaml --set data.train=cow.txt --from t5 --out out", "t5: its vocabulary is another one"},
        {"$G train xl.yaml --set data.train=cow.txt --from xl --out out", "xl: its vocabulary is another one"},
        {"cp t.txt keep.txt; cp cow.txt t.txt; $G train --resume tr --set train.steps=4; c=$?; cp keep.txt t.txt; exit "
         "$c",
         "tr: data.train: the run began with"},
        {"$G train tr.yaml --from tones --out out", "tones: none of its arrays fits a block of this model"},
        {"printf 'z\\tthe cat\\n' > z.tsv; $G evaluate labels --data z.tsv",
         "z.tsv:1: label 'z' is not a class of the training set"},
        {"$G sample tr --prompt 'the zebra'", "prompt:1: 'zebra' is not a word of the model's vocabulary"},
        {"$G sample t5 --prompt 'the cat'", "prompt: 2 tokens, but this model continues rows of at least 5"},
        {"$G sample bert --prompt 'the cat'", "model 'bert' was not trained to predict the next token"},
        {"$G sample tones --prompt 'the cat'", "model 'conformer' was not trained to predict the next token"},
    };
    REFUSES(all);
    sh(&s, "$G evaluate tr --data other.txt --quiet");
    assert_int_equal(s.code, 0);
    if (!strstr(s.err, "warning: other.txt: 64 of 80 tokens are not in the training set's vocabulary"))
        fail_msg("%s", s.err);
    sh(&s, "$G evaluate tr --data v.txt --quiet");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.err, "");
}

static void longer_than_the_positions(void **state) {
    (void)state;
    static const bad all[] = {
        {"$G train bert.yaml --set model.positions=4 --out out", "rows of 8 positions, but it has vectors for 4"},
        {"$G train labels.yaml --set data.train=long.tsv --out out",
         "long.tsv:1: 12 tokens, 2 of them around the text"},
        {"$G evaluate labels --data long.tsv", "expected at most 8 (length); long: cut cuts them"},
        {"$G predict labels --data long.tsv --out out.csv", "expected at most 8 (length); long: cut cuts them"},
        {"$G train t5.yaml --set model.source=9 --out out", "source: 9 of 8 tokens"},
        {"$G train tr.yaml --set data.rows=lines --out out",
         "t.txt:2: a line of 10 tokens and its end, expected at most 8"},
        {"$G sample tr --prompt 'a a a a a a a a a a'", "prompt: 10 tokens, but this model sees 8 (data.length)"},
        {"$G train xl.yaml --set model.memory=8 --set data.streams=0 --out out", "needs data whose rows go on"},
    };
    REFUSES(all);
}

static void broken_tokenizers(void **state) {
    (void)state;
#define SUB "$G train tr.yaml --out out --set data.unit=subword "
    static const bad all[] = {
        {SUB "--set data.tokenizer=broken.json", "broken.json: tokenizer: not JSON: line 2"},
        {SUB "--set data.tokenizer=wrong.json", "wrong.json: tokenizer: model.vocab: expected an object"},
        {SUB "--set data.tokenizer=empty.txt", "empty.txt: tokenizer: not JSON: line 1"},
        {SUB "--set data.tokenizer=none.json", "none.json: cannot open"},
        {SUB "--set data.tokenizer=folder", "folder: expected a file, found a directory"},
        {SUB, "data.tokenizer: unit: subword needs a file tokenizer.json"},
        {"head -c 600 tr/final.safetensors > cut.safetensors; $G sample cut.safetensors --prompt 'the cat'",
         "cut.safetensors: not a safetensors file, or a truncated one"},
        {"$G export cut.safetensors --onnx out.onnx", "cut.safetensors: not a safetensors file, or a truncated one"},
    };
    REFUSES(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_utf_8),          cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(nothing_to_predict), cmocka_unit_test(another_vocabulary),
        cmocka_unit_test(broken_tokenizers),  cmocka_unit_test(longer_than_the_positions),
    };
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
