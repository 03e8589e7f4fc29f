/* Training with carried state or memory: resumed, on other threads and with validations in between it is the same run,
 * to the bit.
 */
#include "support.h"

#include <math.h>

static said s;

#define LSTM "{name: lstm, embedding: 8, hidden: 12, depth: 2, dropout: 0.1, carry: true}"
#define XL "{name: transformer_xl, dim: 8, heads: 2, depth: 2, dropout: 0.1, memory: 10, tie: true}"
#define TRAIN                                                                                                 \
    "$G train --set data.format=text --set data.train=t.txt --set data.test=v.txt --set data.length=7 --set " \
    "data.streams=4 --set "                                                                                   \
    "\"method={name: adam, lr: 0.01}\" --set train.batch=4 --set train.shuffle=false --quiet "
#define CARRY TRAIN "--set \"model=" LSTM "\" "

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    FILE *f = fopen("t.txt", "w"), *v = fopen("v.txt", "w");
    static const char *const word[] = {"a", "dog", "cat", "ran", "sat", "up", "down", "and", "the", "hill"};
    unsigned x = 1;
    for (int i = 0; i < 700; i++) {
        x = x * 1103515245u + 12345u;
        fprintf(i % 5 ? f : v, "%s%s", word[(x >> 16) % 10 * (i % 3) % 10], i % 11 ? " " : "\n");
    }
    return fclose(f) || fclose(v);
}

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) fail_msg("no figure %s", name);
    return json_number_value(value);
}

static void trained(const char *model, const char *options) {
    sh(&s, TRAIN "--set \"model=%s\" %s", model, options);
    if (s.code) fail_msg("%s: %s", options, s.err);
}

/* 53 steps are two epochs and a half: 21 of them, the last one with fewer rows than streams. */
static void resumed(const char *model, const char *without) {
    sh(&s, "rm -rf whole parts watched bare");
    trained(model, "--set train.steps=53 --set train.threads=1 --out whole --json");
    json_t *own = last_json(&s);
    trained(model, "--set train.steps=17 --set train.checkpoint_every=5s --out parts");
    sh(&s, "$G train --resume parts --set train.steps=31 --quiet && $G train --resume parts --set train.steps=53 --set "
           "train.threads=3 --set train.workers=0 --quiet");
    assert_int_equal(s.code, 0);
    assert_true(same_files("whole/final.safetensors", "parts/final.safetensors"));
    trained(model, "--set train.steps=53 --set train.validate_every=3s --out watched");
    assert_true(same_files("whole/final.safetensors", "watched/final.safetensors"));
    /* What is carried counts: without it another loss. */
    trained(model, without);
    json_t *bare = last_json(&s);
    assert_true(number(bare, "train_loss") != number(own, "train_loss"));
    sh(&s, "$G evaluate whole --data v.txt --json --quiet");
    assert_int_equal(s.code, 0);
    json_t *found = last_json(&s);
    assert_true(fabs(number(found, "loss") / number(own, "test_loss") - 1) < 1e-6);
    assert_true(fabs(number(found, "log_loss") / number(own, "test_loss") - 1) < 1e-5);
    json_decref(own);
    json_decref(bare);
    json_decref(found);
}

static void resumed_bit_for_bit(void **state) {
    resumed(LSTM, "--set model.carry=false --set train.steps=53 --out bare --json");
    resumed(XL, "--set model.memory=0 --set train.steps=53 --out bare --json");
}

/* Of one stream the end is held out: the first steps are those of the whole text, and the loss of what is held out is
 * that of a file with it. Of several streams the ends are, in whole mini-batches. */
static void the_end_is_held_out(void **state) {
    (void)state;
    static const char one[] = "--set data.streams=1 --set train.batch=1 --set train.steps=9 --set train.threads=1 ";
    char options[400];
    sh(&s, "rm -rf whole part ends");
    snprintf(options, sizeof options, "%s--out whole", one);
    trained(LSTM, options);
    snprintf(options, sizeof options, "%s--set train.validation=20 --out part --json", one);
    trained(LSTM, options);
    json_t *part = last_json(&s);
    assert_true(same_files("whole/final.safetensors", "part/final.safetensors"));
    /* The last 20 rows of 7 tokens and the target after them; a line break is a token too. */
    sh(&s, "python3 -c \"w = open('t.txt').read().replace('\\n', ' <eos> ').split(); n = (len(w) - 1 + 6) // 7; "
           "open('end.txt', 'w').write(' '.join(w[7 * (n - 20):]).replace('<eos>', '\\n'))\" && "
           "$G evaluate part --data end.txt --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *end = last_json(&s);
    assert_true(fabs(number(end, "loss") / number(part, "validation_loss") - 1) < 1e-6);
    json_decref(end);
    json_decref(part);
    trained(LSTM, "--set train.steps=9 --set train.validation=0.25 --out ends");
    sh(&s, "$G train --resume ends --set train.steps=40 --quiet");
    assert_int_equal(s.code, 0);
}

/* A few steps tell more than that there are 1000 words, and less than can be known of the text (docs/data.md: zipf). */
static void presets(void **state) {
    static const char *const name[] = {"zipf-transformer_xl-adam", "zipf-t5-adam"};
    for (int i = 0; i < 2; i++) {
        sh(&s,
           "$G train --preset %s --set data.train_size=600 --set data.test_size=100 --set train.epochs=1 --out p%d "
           "--json --quiet",
           name[i], i);
        if (s.code) fail_msg("%s: %s", name[i], s.err);
        json_t *result = last_json(&s);
        double loss = number(result, "test_loss");
        json_decref(result);
        if (loss > log(1000) - 0.1 || loss < 4.1) fail_msg("%s: %g", name[i], loss);
    }
}

static void refuses(void **state) {
    static const struct {
        const char *options, *says;
    } bad[] = {
        {"--set train.batch=8", "expected train.batch: 4 (a row of each stream), train.shuffle: false"},
        {"--set train.shuffle=true", "expected train.batch: 4 (a row of each stream), train.shuffle: false"},
        {"--set train.replacement=true", "train.replacement"},
        {"--set train.validation=0.99", "rows in 4 streams 1 are left to train on; expected a row of each stream"},
        {"--set 'data.transforms=[{subset: 20}]'", "transforms that pick rows break them up"},
        {"--set data.streams=0", "needs data whose rows go on from one mini-batch to the next (data.streams)"},
        {"--set data.rows=lines --set data.length=60", "rows of lines do not go on"},
        {"--set data.streams=50 --set train.batch=50", "expected at least one for each of 50 streams"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sh(&s, CARRY "%s --out bad", bad[i].options);
        assert_int_equal(s.code, 2);
        if (!strstr(s.err, bad[i].says)) fail_msg("%s: %s", bad[i].options, s.err);
        assert_int_equal(access("bad", F_OK), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(resumed_bit_for_bit), cmocka_unit_test(the_end_is_held_out),
                                       cmocka_unit_test(presets), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
