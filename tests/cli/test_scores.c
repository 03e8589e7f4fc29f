/* Scores of the table along a run: they are evaluate's own on the same rows, and choose checkpoints, ends and trials;
 * and scores by the values of a column. */
#include "support.h"

#include <math.h>

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) fail_msg("no figure %s", name);
    return json_number_value(value);
}

/* Two unequal classes that overlap. user: three of them, the third with one class alone. */
static void write_table(const char *path, int rows, int phase) {
    FILE *f = fopen(path, "w");
    fputs("x,z,user,y\n", f);
    for (int i = phase; i < rows + phase; i++) {
        int user = i % 3, class = user < 2 && i % 5 == 0;
        fprintf(f, "%.4f,%.4f,u%d,%s\n", sin(1.7 * i) + class, cos(0.9 * i * i), user, class ? "yes" : "no");
    }
    fclose(f);
}

static const char train[] =
    "$G train --set data='{format: csv, train: a.csv, test: b.csv, target: y, key: user}' --set "
    "model.name=logistic --set 'method={name: sgd, lr: 0.5}' --set train.epochs=12 --set "
    "train.batch=10 --set train.threads=1 ";

static json_t *run_json(said *s, const char *more, const char *folder) {
    char command[1024];
    snprintf(command, sizeof command, "%s%s --out %s --json --quiet", train, more, folder);
    sh(s, command);
    if (s->code != 0) fail_msg("%s", s->err);
    return last_json(s);
}

/* The largest figure of that name in metrics.jsonl. */
static double largest(const char *path, const char *name) {
    double most = -INFINITY;
    char line[512], key[80];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    snprintf(key, sizeof key, "\"%s\"", name);
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, key) ? strstr(line, "\"value\":") : NULL;
        if (at) most = fmax(most, strtod(at + 8, NULL));
    }
    fclose(f);
    return most;
}

static void a_runs_score_is_that_of_evaluate(void **state) {
    static said s;
    static const char *const names[] = {"balanced_accuracy", "macro_f1", "auc", "log_loss"};
    write_table("a.csv", 200, 0);
    write_table("b.csv", 90, 1000);
    for (int k = 0; k < 4; k++) {
        char more[200], key[64];
        snprintf(more, sizeof more, "--set train.score=%s --set train.best=score", names[k]);
        snprintf(key, sizeof key, "test_%s", names[k]);
        json_t *own = run_json(&s, more, names[k]);
        char command[300];
        snprintf(command, sizeof command, "$G evaluate %s --data b.csv --json --quiet", names[k]);
        sh(&s, command);
        json_t *found = last_json(&s);
        assert_true(fabs(number(found, names[k]) - number(own, key)) < 1e-6);
        assert_true(fabs(number(found, "loss") - number(own, "test_loss")) < 1e-6);
        json_decref(found);
        snprintf(command, sizeof command, "$G evaluate %s --data b.csv --json --quiet --at best", names[k]);
        sh(&s, command);
        found = last_json(&s);
        snprintf(command, sizeof command, "%s/metrics.jsonl", names[k]);
        if (k < 3) assert_true(fabs(number(found, names[k]) - largest(command, key)) < 1e-6);
        json_decref(found);
        json_decref(own);
    }
}

/* Smaller errors are better: a run stops once they are small enough, and not before. */
static void targets_have_a_direction(void **state) {
    static said s;
    FILE *f = fopen("v.csv", "w");
    fputs("x,y\n", f);
    for (int i = 0; i < 100; i++) fprintf(f, "%.5f,%.5f\n", sin(i), 3 * sin(i) + 0.5);
    fclose(f);
    static const char *const given = "$G train --set data='{format: csv, train: v.csv, target: y}' --set "
                                     "model.name=least_squares --set 'method={name: "
                                     "sgd, lr: 0.3}' --set train.batch=all --set train.epochs=200 --set "
                                     "train.score=rmse --set train.target_accuracy=0.1 "
                                     "--out v --json --quiet";
    sh(&s, given);
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s);
    assert_string_equal(json_string_value(json_object_get(own, "stopped")), "target_score");
    double steps = number(own, "steps"), rmse = number(own, "train_rmse");
    assert_true(rmse <= 0.1 && rmse > 0.05 && steps > 3);
    assert_true(fabs(rmse * rmse / 2 - number(own, "train_loss")) < 1e-6);
    json_decref(own);
}

static void sweeps_compare_by_what_is_named(void **state) {
    static said s;
    static const char sweep[] = "echo 'train: {epochs: 3}' >c.yaml; $G sweep c.yaml --set data='{format: csv, train: "
                                "a.csv, target: y, ignore: user}' --set model.name=logistic --set "
                                "method.name=sgd --set train.validation=0.3 --over method.lr=0.001,1 --quiet --json ";
    static const char *const ways[][2] = {
        {"auc", "validation auc"}, {"log_loss", "validation log_loss"}, {"loss", "validation loss"}};
    for (int k = 0; k < 3; k++) {
        char command[700];
        snprintf(command, sizeof command, "%s--by %s --out s%d", sweep, ways[k][0], k);
        sh(&s, command);
        if (s.code != 0) fail_msg("%s", s.err);
        json_t *found = last_json(&s);
        assert_string_equal(json_string_value(json_object_get(found, "selected_by")), ways[k][1]);
        json_t *trials = json_object_get(found, "trials");
        double first = number(json_object_get(json_array_get(trials, 0), "selected"), "mean");
        double second = number(json_object_get(json_array_get(trials, 1), "selected"), "mean");
        assert_true(k == 0 ? first >= second : first <= second);
        json_decref(found);
    }
}

static void what_does_not_apply_is_refused(void **state) {
    static said s;
    static const char *const cases[][2] = {
        {"--set train.score=rmse", "'rmse' is no score of such targets; expected auto or one of accuracy"},
        {"--set train.score=acc", "'acc' is no score; expected auto or one of"},
        {"--set train.best=scores", "scores"},
        {"--set data='{format: csv, train: v.csv, target: y}' --set model.name=least_squares --set train.best=score",
         "train.best is score, but model 'least_squares' has none"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char command[1024];
        snprintf(command, sizeof command, "%s%s --out no --quiet", train, cases[k][0]);
        sh(&s, command);
        assert_int_equal(s.code, 2);
        if (!strstr(s.err, cases[k][1])) fail_msg("%s", s.err);
    }
    sh(&s, "$G sweep c.yaml --over method.lr=1 --by nonsense");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "--by: expected one of figure, loss, epochs, accuracy"));
}

/* AUC needs two classes: a run that waits for it ends with a sentence, one that shows it says so once. */
static void an_undefined_score_is_said(void **state) {
    static said s;
    static const char *const waits[] = {"train.best=score", "train.target_accuracy=0.9"};
    for (int k = 0; k < 2; k++) {
        sh(&s,
           "grep -v yes b.csv >one.csv; %s --set data.validation=one.csv --set train.score=auc --set %s --out no%d "
           "--quiet",
           train, waits[k], k);
        if (s.code != 2 || !strstr(s.err, "auc is not defined on the validation set"))
            fail_msg("%d: %s", s.code, s.err);
        assert_non_null(strstr(s.err, k ? "train.target_accuracy waits for it" : "train.best is score"));
    }
    sh(&s, "%s --set data.validation=one.csv --set train.score=auc --out shown", train);
    if (s.code) fail_msg("%s", s.err);
    const char *note = strstr(s.err, "auc is not defined on the validation set and left out");
    assert_true(note && !strstr(note + strlen("auc is not defined"), "is not defined"));
    sh(&s, "$G sweep shown/config.yaml --over method.lr=0.1,0.2 --by auc --out sw --quiet");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "auc, to be chosen by, is not defined on the validation set"));
}

/* The same figures as of files that have the rows of one user each. */
static void scores_by_a_column(void **state) {
    static said s;
    json_decref(run_json(&s, "", "r"));
    sh(&s, "for u in 0 1 2; do { head -1 b.csv; grep u$u b.csv; } >b$u.csv; done; $G evaluate r --data b.csv --by user "
           "--json");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "\nuser "));
    assert_non_null(strstr(s.out, "\nu1 "));
    json_t *all = last_json(&s), *by = json_object_get(all, "by");
    assert_int_equal(json_array_size(by), 3);
    double examples = 0;
    for (int u = 0; u < 3; u++) {
        /* Texts come in the order of their appearance, which here begins with user 1. */
        json_t *one = json_array_get(by, (u + 2) % 3);
        char command[128], user[16];
        snprintf(user, sizeof user, "u%d", u);
        assert_string_equal(json_string_value(json_object_get(one, "user")), user);
        snprintf(command, sizeof command, "$G evaluate r --data b%d.csv --json --quiet", u);
        sh(&s, command);
        assert_int_equal(s.code, 0);
        json_t *alone = last_json(&s);
        static const char *const figures[] = {"examples", "loss", "accuracy", "macro_f1", "log_loss"};
        for (int k = 0; k < 5; k++) assert_true(fabs(number(one, figures[k]) - number(alone, figures[k])) < 1e-6);
        assert_true(!json_object_get(one, "auc") == (u == 2));
        examples += number(one, "examples");
        json_decref(alone);
    }
    assert_true(examples == number(all, "examples"));
    json_decref(all);
    sh(&s, "$G evaluate r --data b.csv --by city");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "no such column"));
}

/* Those of transform mix are shown without being asked for, and are the run's own. */
static void domains_are_shown(void **state) {
    static said s;
    sh(&s,
       "for k in 1 2; do $G data make gaussians --set train_size=90 --set classes=3 --set seed=$k --out d$k.npy; done; "
       "$G train --set data='{format: npy, train: d1.npy, test: d1.npy, transforms: [{mix: [{format: npy, train: "
       "d2.npy, test: d2.npy}]}]}' --set model.name=softmax --set method.name=sgd --set train.epochs=2 --out m "
       "--quiet --json");
    assert_int_equal(s.code, 0);
    json_t *own = last_json(&s), *domains = json_object_get(own, "domains");
    sh(&s, "$G evaluate m --data d1.npy --json");
    json_t *found = last_json(&s), *by = json_object_get(found, "by");
    assert_non_null(strstr(s.out, "\ndomain "));
    assert_int_equal(json_array_size(by), 2);
    for (size_t d = 0; d < 2; d++) {
        json_t *one = json_array_get(by, d), *same = json_array_get(domains, d);
        assert_true(number(one, "domain") == (double)d && number(one, "examples") == number(same, "examples"));
        assert_true(fabs(number(one, "loss") - number(same, "loss")) < 1e-6);
        assert_true(fabs(number(one, "accuracy") - number(same, "accuracy")) < 1e-6);
    }
    json_decref(found);
    json_decref(own);
}

/* A model of a row's last positions, on texts whose last row ends among them, and before them: each token weighs the
 * same, in a batch of that row alone too. */
static void a_short_row_weighs_by_what_is_predicted(void **state) {
    static said s;
    sh(&s,
       "for i in 1 2 3 4 5 6 7 8 9; do echo a b c d a c b d b a d c; done >t5.txt; "
       "echo a c a b d c a d d b c a b c d a b c a >s19.txt; echo a c a b d c a d d b c a b c d a b c a d d b b c a "
       ">s25.txt; $G train --set data.format=text --set data.train=t5.txt --set data.test=s19.txt --set "
       "data.length=16 --set 'model={name: t5, dim: 8, heads: 2, depth: 1, source: 8}' --set 'method={name: adam, "
       "lr: 0.01}' --set train.batch=1 --set train.epochs=3 --out t5 --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *own = last_json(&s);
    double test_loss = number(own, "test_loss");
    json_decref(own);
    for (int k = 0; k < 2; k++) {
        sh(&s, "$G evaluate t5 --data %s --json --quiet", k ? "s25.txt" : "s19.txt");
        if (s.code) fail_msg("%s", s.err);
        json_t *found = last_json(&s);
        assert_true(fabs(number(found, "loss") / number(found, "log_loss") - 1) < 1e-5);
        if (!k) assert_true(fabs(number(found, "loss") / test_loss - 1) < 1e-5);
        json_decref(found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_short_row_weighs_by_what_is_predicted),
                                       cmocka_unit_test(a_runs_score_is_that_of_evaluate),
                                       cmocka_unit_test(targets_have_a_direction),
                                       cmocka_unit_test(sweeps_compare_by_what_is_named),
                                       cmocka_unit_test(what_does_not_apply_is_refused),
                                       cmocka_unit_test(an_undefined_score_is_said),
                                       cmocka_unit_test(scores_by_a_column),
                                       cmocka_unit_test(domains_are_shown)};
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
