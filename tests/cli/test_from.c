/* train --from another run: blocks that fit are taken, the others are named; groups that are not trained; another
 * vocabulary. */
#include "support.h"

static said s;

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    sh(&s, "for i in 1 2 3 4 5 6 7 8; do echo the cat sat on the mat; echo a dog ran up; done > a.txt; "
           "tr 'd' 'f' < a.txt > b.txt; sed 's/ mat//' a.txt > c.txt");
    return s.code;
}

#define GLYPHS                                                                                                      \
    "$G train --set data.format=glyphs --set data.train_size=200 --set data.test_size=20 --set train.seed=4 --set " \
    "\"method={name: adam, lr: 0.01, weight_decay: 0.01}\" --quiet "
#define LSTM                                                                                                           \
    "$G train --set data.format=text --set data.length=8 --set \"model={name: lstm, embedding: 8, hidden: 8}\" --set " \
    "\"method={name: adam, lr: 0.01}\" --set train.batch=4 --set train.steps=3 --quiet "

/* The bytes of an array of a file: its data_offsets in the header say where. */
static char *bytes_of(const char *folder, const char *name, size_t *size) {
    char path[300];
    uint64_t length = 0;
    snprintf(path, sizeof path, "%s/final.safetensors", folder);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(&length, 8, 1, f), 1);
    char *text = calloc(length + 1, 1);
    assert_int_equal(fread(text, 1, length, f), length);
    json_t *header = json_loads(text, 0, NULL),
           *offsets = json_object_get(json_object_get(header, name), "data_offsets");
    if (!offsets) fail_msg("%s: no array %s", path, name);
    long begin = (long)json_integer_value(json_array_get(offsets, 0));
    *size = (size_t)(json_integer_value(json_array_get(offsets, 1)) - begin);
    char *data = malloc(*size);
    fseek(f, 8 + (long)length + begin, SEEK_SET);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    free(text);
    json_decref(header);
    return data;
}

static bool same_array(const char *a, const char *b, const char *name) {
    size_t n, m;
    char *x = bytes_of(a, name, &n), *y = bytes_of(b, name, &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

/* Ten classes first, then four: the output layer is another one. What is not trained keeps the bits that it was given.
 */
static void another_head(void **state) {
    sh(&s, GLYPHS "--set \"model={name: mlp, hidden: [12]}\" --set train.steps=20 --out ten");
    assert_int_equal(s.code, 0);
    sh(&s,
       GLYPHS "--set \"model={name: mlp, hidden: [12]}\" --set \"data.transforms=[{classes: {keep: [0, 1, 2, 3]}}]\" "
              "--set \"method.groups=[{match: 'fc1.*', train: false}]\" --set train.steps=20 --from ten --out four");
    if (s.code) fail_msg("%s", s.err);
    assert_non_null(strstr(s.err, "ten: 2 blocks taken, 2 left as they were initialised: fc2.weight (F32 [10, 12]), "
                                  "fc2.bias (F32 [10])"));
    assert_true(same_array("ten", "four", "fc1.weight"));
    assert_true(same_array("ten", "four", "fc1.bias"));
    /* Without the group the same blocks move. */
    sh(&s, GLYPHS "--set \"model={name: mlp, hidden: [12]}\" --set train.steps=20 --from ten --out again");
    assert_int_equal(s.code, 0);
    assert_null(strstr(s.err, "blocks taken"));
    assert_false(same_array("ten", "again", "fc1.weight"));
    /* A resumed run keeps what is not trained. */
    sh(&s, "$G train --resume four --set train.steps=30 --quiet");
    if (s.code) fail_msg("%s", s.err);
    assert_true(same_array("ten", "four", "fc1.weight"));
}

static void vocabularies(void **state) {
    sh(&s, LSTM "--set data.train=a.txt --out a && " LSTM "--set data.train=a.txt --from a --out a2");
    assert_int_equal(s.code, 0);
    sh(&s, LSTM "--set data.train=b.txt --from a --out b");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "a: its vocabulary is another one: token"));
    assert_int_equal(access("b", F_OK), -1);
    /* With another number of words the blocks of words do not fit; the recurrent ones do. */
    sh(&s, LSTM "--set data.train=c.txt --from a --out c");
    if (s.code) fail_msg("%s", s.err);
    assert_non_null(strstr(s.err, "a: 3 blocks taken, 3 left as they were initialised: embedding.weight (F32 ["));
    sh(&s, "$G evaluate a --data b.txt --json --quiet"); /* its words are those of the model, the others <unk> */
    assert_int_equal(s.code, 0);
    sh(&s, GLYPHS "--set \"model={name: mlp, hidden: [12]}\" --set train.steps=1 --from a --out none");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "a: none of its arrays fits a block of this model: "));
    assert_int_equal(access("none", F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(another_head), cmocka_unit_test(vocabularies)};
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
