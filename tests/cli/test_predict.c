/* glissade evaluate and predict: a moved file alone gives the run's own figures on its test file. */
#include "support.h"

#include <math.h>

static void write_rows(const char *path, int rows, double shift) {
    FILE *f = fopen(path, "w");
    static const char *const label[] = {"1", "2", "7"};
    for (int i = 0; i < rows; i++) {
        fprintf(f, "%s", label[i % 3]);
        for (int k = 0; k < 4; k++)
            fprintf(f, " %d:%.5f", k + 1, 5 * k + (1 + 3 * k) * sin(1.7 * i + 3.1 * k) + (i % 3 == k ? 2 : 0) + shift);
        fputc('\n', f);
    }
    fclose(f);
}

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) fail_msg("no figure %s", name);
    return json_number_value(value);
}

/* The test rows are shifted: standardised by themselves they would give another loss. */
static void the_file_alone_gives_the_runs_figures(void **state) {
    static said s;
    write_rows("a.svm", 150, 0);
    write_rows("b.svm", 61, 1);
    sh(&s, "$G train --set model.name=mlp --set 'model.hidden=[8]' --set method.name=sgd --set method.lr=0.1 "
           "--set data.train=a.svm --set data.test=b.svm --set data.standardize=true --set train.epochs=5 --out r "
           "--json --quiet");
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s);
    sh(&s, "mkdir e && mv r/final.safetensors b.svm e/ && cd e && $G evaluate final.safetensors --data b.svm --json");
    assert_int_equal(s.code, 0);
    json_t *found = last_json(&s);
    assert_true(fabs(number(found, "loss") / number(own, "test_loss") - 1) < 1e-10);
    assert_true(fabs(number(found, "accuracy") - number(own, "test_accuracy")) < 1e-10);
    assert_int_equal(json_array_size(json_object_get(found, "confusion")), 3);
    sh(&s, "cd e && $G predict final.safetensors --data b.svm --out p.csv && head -1 p.csv && wc -l <p.csv");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.out, "class,p_1,p_2,p_7\n62\n");
    sh(&s, "cd e && $G predict final.safetensors --data b.svm --out p.txt");
    assert_int_equal(s.code, 2);
    json_decref(own);
    json_decref(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_file_alone_gives_the_runs_figures)};
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
