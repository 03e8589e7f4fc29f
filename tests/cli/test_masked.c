/* bert by the command, on hidden characters, marked answers and pairs of texts: what it learns, the same figures from
 * the file alone, and what is refused; vit by its preset. */
#include "support.h"

#include <math.h>

static said s;

/* Letters that follow the alphabet of 20 but for one step in eight: both neighbours tell a hidden one. */
static void write_text(const char *path, unsigned state) {
    enum { LETTERS = 20, LENGTH = 12000 };
    FILE *file = fopen(path, "w");
    unsigned letter = 0;
    for (int t = 0; t < LENGTH; t++) {
        state = 1103515245 * state + 12345;
        letter = (state >> 16) % 8 ? letter + 1 : state >> 20;
        letter %= LETTERS;
        fputc('a' + (int)letter, file);
    }
    fclose(file);
}

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) fail_msg("no figure %s", name);
    return json_number_value(value);
}

#define TRAIN "$G train --set data.format=text --set data.unit=char --set data.train=a.txt --set data.test=b.txt "
#define BERT "--set 'model={name: bert, dim: 32, heads: 2, depth: 1}' --set 'method={name: adam, lr: 0.005}' "

/* The commonest letter is about one in 20. */
static void hidden_letters_are_told(void **state) {
    write_text("a.txt", 1);
    write_text("b.txt", 2);
    sh(&s, TRAIN BERT "--set data.length=24 --set 'data.transforms=[mask_tokens]' --set train.epochs=12 --set "
                      "train.batch=16 --set train.seed=4 --out r --json --quiet");
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s);
    assert_true(number(own, "test_masked_accuracy") > 0.5);
    sh(&s, "cp r/final.safetensors m.safetensors && $G evaluate m.safetensors --data b.txt --json");
    assert_int_equal(s.code, 0);
    json_t *found = last_json(&s);
    assert_true(fabs(number(found, "loss") / number(own, "test_loss") - 1) < 1e-6);
    assert_true(fabs(number(found, "masked_accuracy") - number(own, "test_masked_accuracy")) < 1e-6);
    assert_null(json_object_get(found, "bits_per_character"));
    /* Nothing is hidden in rows to be predicted: 500 rows of 24 letters, 20 and <unk>, <eos> and <mask>. */
    sh(&s, "$G predict m.safetensors --data b.txt --out p.csv && head -1 p.csv | tr ',' '\\n' | wc -l && wc -l <p.csv");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.out, "24\n12001\n");
    json_decref(own);
    json_decref(found);
    sh(&s, "$G sample m.safetensors --length 3");
    assert_int_equal(s.code, 2);
}

static void next_letters_are_refused(void **state) {
    write_text("a.txt", 1);
    write_text("b.txt", 2);
    sh(&s, TRAIN BERT "--out n --quiet; echo $?; test -e n");
    assert_non_null(strstr(s.err, "the transform mask_tokens hides some to be told instead"));
    assert_string_equal(s.out, "2\n");
    assert_int_equal(s.code, 1);
}

/* Marked answers: chance of both ends is about one in 1,000. */
static void marked_answers_are_found(void **state) {
    sh(&s,
       "$G train --preset spans-bert-adamw --set data.train_size=3000 --set data.test_size=300 --set data.length=20 "
       "--set data.keys=4 --set data.stretches=2 --set train.epochs=8 --out r --json --quiet");
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s);
    assert_true(number(own, "test_exact_match") > 0.1);
    json_decref(own);
}

/* Pairs of texts: whether the second begins as the first does, which the separator and the segments tell apart. */
static void pairs_have_labels(void **state) {
    static const char *const pairs[2][2] = {{"a.tsv", "800"}, {"b.tsv", "200"}};
    for (int k = 0; k < 2; k++) {
        FILE *file = fopen(pairs[k][0], "w");
        unsigned random = 5 + (unsigned)k;
        for (int i = 0; i < atoi(pairs[k][1]); i++) {
            random = 1103515245 * random + 12345;
            unsigned word = random >> 28, same = random >> 27 & 1,
                     other = same ? word : (word + 1 + (random >> 20) % 15) % 16;
            fprintf(file, "%s\tw%u x y\tw%u z\n", same ? "same" : "other", word, other);
        }
        fclose(file);
    }
    sh(&s,
       "$G train --set 'data={format: text, rows: labelled, texts: [2, 3], train: a.tsv, test: b.tsv, length: "
       "10}' " BERT
       "--set model.depth=2 --set method.lr=0.003 --set train.epochs=25 --set train.batch=32 --out p --json --quiet");
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s);
    assert_true(number(own, "test_accuracy") > 0.75);
    sh(&s, "$G evaluate p --data b.tsv --json");
    assert_int_equal(s.code, 0);
    json_t *found = last_json(&s);
    assert_true(fabs(number(found, "loss") / number(own, "test_loss") - 1) < 1e-6);
    json_decref(own);
    json_decref(found);
}

static void vit_learns_glyphs(void **state) {
    sh(&s,
       "$G train --preset demo-vit-adamw --set data.train_size=1500 --set data.test_size=300 --out v --json --quiet");
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s);
    assert_true(number(own, "test_accuracy") > 0.4); /* of ten classes */
    json_decref(own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hidden_letters_are_told, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(next_letters_are_refused, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(marked_answers_are_found, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(pairs_have_labels, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(vit_learns_glyphs, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests_name("masked", tests, NULL, NULL);
}
