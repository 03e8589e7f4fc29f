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
    sh(&s, "cd e && head -1 b.svm >one.svm && $G evaluate final.safetensors --data one.svm | grep -c nan; $G evaluate "
           "final.safetensors --data one.svm | grep -c '^2   *- '");
    assert_string_equal(s.out, "0\n1\n"); /* of a class without rows there is no recall */
    sh(&s, "cd e && $G predict final.safetensors --data b.svm --out p.txt");
    assert_int_equal(s.code, 2);
    json_decref(own);
    json_decref(found);
}

/* A table of people: the model's file has the columns' names, categories and means, so that a table of the same columns
 * in another order, with a column more and none of the targets, is predicted alike. */
static void tables_go_by_their_names(void **state) {
    static said s;
    FILE *a = fopen("a.csv", "w"), *b = fopen("b.csv", "w");
    static const char *const city[] = {"Rome", "Paris", "\"New York, NY\""};
    fputs("age,city,income,label\n", a);
    fputs("id,income,city,age\n", b);
    for (int i = 0; i < 120; i++) {
        char income[32] = "";
        if (i % 7) snprintf(income, sizeof income, "%.3f", sin(1.3 * i) + i % 3);
        fprintf(a, "%d,%s,%s,%s\n", i * 37 % 61, city[i % 3], income, i % 3 == 1 ? "yes" : "no");
        fprintf(b, "%d,%s,%s,%d\n", i, income, city[i % 3], i * 37 % 61);
    }
    fclose(a);
    fclose(b);
    sh(&s, "$G train --set model=logistic --set method.name=sgd --set method.lr=0.1 --set data.train=a.csv "
           "--set data.target=label --set data.fill=mean --set data.standardize=true --set train.epochs=3 --out rc "
           "--quiet");
    if (s.code) fail_msg("%s", s.err);
    sh(&s, "$G predict rc --data a.csv --out pa.csv && $G predict rc --data b.csv --out pb.csv && cmp pa.csv pb.csv "
           "&& head -1 pa.csv && $G evaluate rc --data a.csv --json >/dev/null");
    if (s.code) fail_msg("%s", s.err);
    assert_string_equal(s.out, "class,p_no,p_yes\n");
    assert_non_null(strstr(s.err, "column 'id' is left out"));
    sh(&s, "sed '2,$s/,[a-z]*$/,/' a.csv >blank.csv && sed 's/yes$/perhaps/' a.csv >new.csv && "
           "for f in blank new; do $G predict rc --data $f.csv --out q.csv && cmp pa.csv q.csv || exit 9; done; "
           "$G evaluate rc --data new.csv");
    assert_int_equal(s.code, 2); /* targets are not looked at, but where they are needed */
    assert_non_null(strstr(s.err, "'perhaps' is not a class of the training set"));
    sh(&s,
       "cp b.csv own.csv && $G predict rc --data own.csv --out ./own.csv; code=$?; cmp b.csv own.csv && exit $code");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "is the file of the rows"));
    sh(&s, "grep -v Paris b.csv | sed 's/Rome/Oslo/' >c.csv; $G predict rc --data c.csv --out pc.csv");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "c.csv:2: column 'city': 'Oslo' is not among"));
}

/* Ages on a line, y = 10 x + 20: least squares finds the line, and regresses classes only where they are asked for. */
static void whole_numbers_are_numbers(void **state) {
    static said s;
    FILE *a = fopen("ages.svm", "w"), *b = fopen("one.svm", "w");
    for (int i = -10; i <= 10; i++) fprintf(a, "%d 1:%.1f\n", i + 20, i / 10.0);
    fputs("1:0.25\n", b);
    fclose(a);
    fclose(b);
    sh(&s, "$G train --set model=least_squares --set method.name=sgd --set method.lr=1 --set data.train=ages.svm "
           "--set train.batch=all --set train.epochs=200 --out ra --quiet --json && "
           "$G predict ra --data one.svm --out age.csv && tail -1 age.csv");
    if (s.code) fail_msg("%s", s.err);
    const char *last = strrchr(s.out, '}');
    assert_non_null(last);
    double age = strtod(last + 1, NULL);
    if (!(fabs(age - 22.5) < 1e-4)) fail_msg("%s", s.out);
    assert_null(strstr(s.out, "accuracy"));
    sh(&s, "$G evaluate ra --data ages.svm --json");
    json_t *scores = last_json(&s);
    assert_true(number(scores, "r2") > 1 - 1e-8 && number(scores, "rmse") < 1e-4);
    json_decref(scores);
    sh(&s, "$G train --set model=least_squares --set method.name=sgd --set method.lr=0.1 --set data.train=ages.svm "
           "--set data.target=class --set train.epochs=1 --out rb --quiet && $G predict rb --data one.svm --out c.csv "
           "&& head -1 c.csv");
    if (s.code) fail_msg("%s", s.err);
    assert_string_equal(s.out, "class\n");
}

/* Whole weights are the same as rows that often: by a table's column, by a file, by class. */
static void a_weight_is_a_repeated_row(void **state) {
    static said s;
    static const char *const runs[] = {
        "ones.csv --set data.weight=w", "twice.csv --set data.ignore=w",
        "ones.csv --set data.ignore=w --set 'data.transforms=[{weigh: {class_weights: {b: 3}}}]'"};
    FILE *one = fopen("ones.csv", "w"), *many = fopen("twice.csv", "w");
    fputs("x1,x2,w,y\n", one);
    fputs("x1,x2,w,y\n", many);
    for (int i = 0; i < 40; i++) {
        int weight = i % 4 == 1 ? 3 : 1;
        for (int k = 0; k <= weight; k++)
            fprintf(k ? many : one, "%.4f,%.4f,%d,%s\n", sin(2.3 * i), cos(1.1 * i), weight, i % 4 == 1 ? "b" : "a");
    }
    fclose(one);
    fclose(many);
    char *first = NULL;
    for (int k = 0; k < 3; k++) {
        sh(&s,
           "rm -rf rw; $G train --set model=logistic --set method.name=sgd --set method.lr=0.5 --set train.batch=all "
           "--set train.epochs=40 --set data.target=y --set data.train=%s --out rw --quiet && $G predict rw --data "
           "ones.csv --out w.csv && head -4 w.csv | cut -c1-8",
           runs[k]);
        if (s.code) fail_msg("%s", s.err);
        if (first && strcmp(first, s.out) != 0) fail_msg("%s: %s, not %s", runs[k], s.out, first);
        if (!first) first = strdup(s.out);
    }
    free(first);
}

/* What says which row is which goes in front: a key as the table has it, a picture's file. */
static void rows_are_known_by_their_keys(void **state) {
    static said s;
    FILE *a = fopen("k.csv", "w");
    fputs("who,x,y\n", a);
    for (int i = 0; i < 30; i++) fprintf(a, "%s,%.3f,%s\n", i % 2 ? "\"Li, Bo\"" : "Ann", sin(i), i % 3 ? "no" : "yes");
    fclose(a);
    sh(&s,
       "$G train --set model=logistic --set 'method={name: sgd, lr: 0.1}' --set 'data={train: k.csv, target: y, key: "
       "who}' --set train.epochs=1 --out rk --quiet && $G predict rk --data k.csv --out k.out.csv && "
       "head -3 k.out.csv | cut -d, -f1,2 && tail -n +2 k.out.csv | grep -c Li");
    if (s.code) fail_msg("%s", s.err);
    assert_non_null(strstr(s.out, "who,class\nAnn,"));
    assert_non_null(strstr(s.out, "\n\"Li, Bo\"\n15\n"));
    sh(&s,
       "$G data make glyphs --set train_size=12 --to images --out pics && $G train --set model=softmax --set "
       "'method={name: sgd, lr: 0.1}' --set data.train=pics --set train.epochs=1 --set train.batch=4 --out rp --quiet "
       "&& $G predict rp --data pics --out p.csv && head -1 p.csv | cut -d, -f1,2 && cut -d, -f1 p.csv | tail -n +2 | "
       "while read f; do test -f pics/$f || echo no $f; done; wc -l <p.csv");
    if (s.code) fail_msg("%s", s.err);
    assert_string_equal(s.out, "file,class\n13\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_alone_gives_the_runs_figures), cmocka_unit_test(tables_go_by_their_names),
        cmocka_unit_test(whole_numbers_are_numbers), cmocka_unit_test(a_weight_is_a_repeated_row),
        cmocka_unit_test(rows_are_known_by_their_keys)};
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
