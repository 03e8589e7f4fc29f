/* What people do with runs once they are there: sweep, report, suspects, scores by domain. */
#include "support.h"

#include <math.h>

#define GAUSSIANS                                                                                                \
    "data: {format: gaussians, train_size: 600, test_size: 200, features: 8, classes: 3%s}\nmodel: {name: %s}\n" \
    "method: {name: msgd, lr: 0.05}\nestimator: %s\ntrain: {epochs: 3, batch: 60, validation: 0.2}\n"

static void write_config(const char *name, const char *data, const char *model, const char *estimator) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fprintf(file, GAUSSIANS, data, model, estimator);
    fclose(file);
}

static void sweep_compares_on_validation_and_goes_on(void **state) {
    static said s;
    (void)state;
    write_config("s.yaml", "", "softmax", "mean");
    sh(&s, "$G sweep s.yaml --over method.lr=1e-9,0.05 --seeds 2 --out sweep --json");
    assert_int_equal(s.code, 0);
    json_t *result = last_json(&s);
    assert_string_equal(json_string_value(json_object_get(result, "selected_by")), "validation accuracy");
    json_t *trials = json_object_get(result, "trials"), *best = json_array_get(trials, 0);
    assert_int_equal(json_array_size(trials), 2);
    assert_string_equal(json_string_value(json_object_get(json_object_get(best, "set"), "method.lr")), "0.05");
    const char *folder = json_string_value(json_object_get(best, "folder"));
    assert_int_equal(json_integer_value(json_object_get(best, "runs")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(result, "edge"), 0)), "method.lr");
    assert_non_null(strstr(s.err, "edge of method.lr"));
    /* Mean of the two runs' own results. */
    double sum = 0;
    for (int seed = 1; seed <= 2; seed++) {
        char path[100];
        snprintf(path, sizeof path, "sweep/%s/seed-%d/result.json", folder, seed);
        json_t *one = json_load_file(path, 0, NULL);
        assert_non_null(one);
        sum += json_number_value(json_object_get(one, "test_loss"));
        json_decref(one);
    }
    double mean = json_number_value(json_object_get(json_object_get(best, "test_loss"), "mean"));
    assert_true(fabs(mean - sum / 2) < 1e-9);
    /* The same command again finds all runs finished and says the same. */
    sh(&s, "$G sweep s.yaml --over method.lr=1e-9,0.05 --seeds 2 --out sweep --json --quiet");
    json_t *again = last_json(&s);
    assert_true(json_equal(json_object_get(json_array_get(json_object_get(again, "trials"), 0), "test_loss"),
                           json_object_get(best, "test_loss")));
    json_decref(again);
    /* So does a search of other values, and it takes no run of another setting for its own. */
    sh(&s, "$G sweep s.yaml --over method.lr=0.05,1e-9,0.01 --seeds 2 --out sweep --json --quiet");
    again = last_json(&s);
    json_t *others = json_object_get(again, "trials");
    assert_int_equal(json_array_size(others), 3);
    for (size_t t = 0; t < 3; t++) {
        json_t *other = json_array_get(others, t);
        const char *lr = json_string_value(json_object_get(json_object_get(other, "set"), "method.lr"));
        bool same = json_equal(json_object_get(other, "train_loss"), json_object_get(best, "train_loss"));
        assert_true(same == (strcmp(lr, "0.05") == 0));
    }
    json_decref(again);
    sh(&s, "$G sweep s.yaml --over method.lr=1e-9,0.05 --set train.epochs=1 --seeds 2 --out sweep --json --quiet");
    again = last_json(&s);
    best = json_array_get(trials, 0);
    assert_false(json_equal(json_object_get(json_array_get(json_object_get(again, "trials"), 0), "train_loss"),
                            json_object_get(best, "train_loss")));
    json_decref(again);
    json_decref(result);
}

/* pair: a folder with the runs, a table, JSON that a second call gives again without training. */
static void pair_compares_by_epochs(void **state) {
    (void)state;
    static said s, again;
    const char *line =
        "$G pair --preset demo-softmax-sgd --set data.train_size=200 --set train.epochs=2 --exchange 3,7 "
        "--batch 20,50 --out pair --json";
    sh(&s, "%s", line);
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s), *series = json_object_get(all, "series");
    assert_int_equal(json_array_size(series), 2);
    const json_t *rows = json_object_get(json_array_get(series, 1), "rows"), *last = json_array_get(rows, 1);
    assert_int_equal(json_array_size(rows), 2);
    assert_int_equal(json_integer_value(json_object_get(last, "step")), 8);
    assert_true(json_number_value(json_object_get(json_object_get(last, "distance"), "mean")) > 0);
    json_decref(all);
    assert_non_null(strstr(s.err, "batch 50"));
    assert_int_equal(access("pair/batch-20/exchanged-7/final.safetensors", F_OK), 0);
    assert_int_equal(access("pair/pair.json", F_OK), 0);
    sh(&again, "%s --quiet", line);
    assert_string_equal(again.out, s.out);
    sh(&s, "rm -r pair");
}

/* Without a test set there is no test loss and no gap: dashes with a reason, null in JSON. */
static void pair_without_a_test_set(void **state) {
    (void)state;
    static said s;
    sh(&s, "seq 40 | awk '{print $1 % 2, \"1:\" $1, \"2:\" $1 % 7}' > fit.svm");
    sh(&s, "printf 'data: {format: libsvm, train: fit.svm}\\nmodel: softmax\\nmethod: {name: sgd, lr: 0.001}\\ntrain: "
           "{epochs: 1, batch: 10}\\n' > untested.yaml; $G pair untested.yaml --exchange 3 --out pair --json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s), *series = json_object_get(all, "series");
    const json_t *row = json_array_get(json_object_get(json_array_get(series, 0), "rows"), 0);
    assert_true(json_is_null(json_object_get(row, "test_loss")) && json_is_null(json_object_get(row, "gap")));
    assert_true(json_is_real(json_object_get(row, "train_loss")));
    json_decref(all);
    assert_null(strstr(s.err, "nan"));
    assert_non_null(strstr(s.err, "           -             -\n"));
    assert_non_null(strstr(s.err, "there is no test set"));
    sh(&s, "rm -r pair");
}

/* What a pair cannot do is said before anything is written. */
static void pair_refuses(void **state) {
    static said s;
    (void)state;
    write_config("q.yaml", "", "softmax", "mean");
    static const char *const wrong[][2] = {{"--exchange 100000", "the training set has"},
                                           {"--exchange 1 --set train.seeds=2", "pairs are of one seed"},
                                           {"", "--exchange I,..."}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sh(&s, "$G pair q.yaml %s --out never", wrong[i][0]);
        assert_int_equal(s.code, 2);
        if (!strstr(s.err, wrong[i][1])) fail_msg("%s: %s", wrong[i][0], s.err);
        sh(&s, "ls never/whole");
        assert_int_not_equal(s.code, 0);
    }
}

static void sweep_refuses(void **state) {
    static said s;
    (void)state;
    write_config("s.yaml", "", "softmax", "mean");
    sh(&s, "$G sweep s.yaml");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "--over"));
    sh(&s, "$G sweep s.yaml --over method.lr=1..0");
    assert_int_equal(s.code, 2);
    sh(&s, "$G sweep s.yaml --over method.lr=0.1..1");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "--trials"));
    sh(&s, "$G sweep s.yaml --over method.lrr=0.1,1 --out x");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "'lr'"));
}

static void report_holds_the_runs(void **state) {
    static said s;
    (void)state;
    write_config("r.yaml", "", "softmax", "mean");
    sh(&s, "$G train r.yaml --out one --quiet && $G train r.yaml --set method.name=adam --out two --quiet && "
           "$G report one two --out page.html");
    assert_int_equal(s.code, 0);
    sh(&s, "grep -c '\"method.name\":\"adam\"' page.html");
    assert_true(s.out[0] != '0');
    sh(&s, "$G report nowhere");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "nowhere"));
    sh(&s, "mkdir bare; $G report bare");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "bare: expected a run folder or one that holds runs, found no config.yaml"));
    /* A page that cannot be written is a failure while running, not bad input. */
    sh(&s, "$G report one --out bare");
    assert_int_equal(s.code, 1);
    sh(&s, "$G report one --out nowhere/page.html");
    assert_int_equal(s.code, 1);
    sh(&s, "ls bare; ls | grep page; echo old >page.html; $G report one --out page.html && head -c 9 page.html");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.out, "page.html\n<!doctype");
    /* A crashed run reports, and says so. */
    sh(&s, "rm two/result.json; printf '{\"step\":9,' >>two/metrics.jsonl; $G report two --out cut.html");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "metrics.jsonl ends in the middle of line"));
    assert_non_null(strstr(s.err, "it has not ended"));
}

/* The page is written anew until the run is over or somebody has had enough; the last one does not reload itself. */
static void watching_ends_with_the_run(void **state) {
    static said s;
    (void)state;
    sh(&s, "timeout 20 $G report one --watch 1 --out w.html --json && grep -c '\"refresh\":0.0' w.html");
    assert_int_equal(s.code, 0);
    sh(&s, "$G report two --watch 1 --out w.html & sleep 1.5; grep -c '\"refresh\":1.0' w.html; kill -INT $!; wait $!; "
           "echo code $?; grep -c '\"refresh\":0.0' w.html");
    assert_string_equal(s.out, "1\ncode 0\n1\n");
    sh(&s, "$G report one --watch 0");
    assert_int_equal(s.code, 2);
    sh(&s, "$G report one --watch soon");
    assert_int_equal(s.code, 2);
}

static void suspects_are_the_mislabelled(void **state) {
    static said s;
    (void)state;
    write_config("l.yaml", ", transforms: [{label_noise: 0.1}]", "softmax",
                 "{name: microbatch, microbatch: 2, ledger: true}");
    sh(&s, "$G train l.yaml --out led --quiet --set method.lr=0.5 && $G data suspects led --top 5 --json");
    assert_int_equal(s.code, 0);
    json_t *result = last_json(&s);
    assert_int_equal(json_array_size(json_object_get(result, "suspects")), 5);
    assert_int_equal(json_array_size(json_object_get(result, "means")), 3);
    /* 10% are planted: chance would be 0.1. */
    assert_true(json_number_value(json_object_get(result, "precision_by_factor")) > 0.3);
    json_decref(result);
    /* Classes are called as in the file, on the terminal and in files. */
    sh(&s,
       "$G data suspects led --top 5 --out s.csv && head -1 s.csv && wc -l <s.csv && $G data suspects led --out s.json "
       "&& grep -c ranked_by s.json");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.out, "example,label,factor,norm,loss,planted\n6\n1\n");
    sh(&s, "$G data suspects led --out s.txt");
    assert_int_equal(s.code, 2);
    sh(&s, "for i in 1 2 3 4 5 6; do for k in cat dog emu; do echo $i.$((i*7%5)),$((i*3%4)),$k; done; done >n.csv; $G "
           "train "
           "--set model=softmax --set method.name=sgd --set method.lr=0.1 --set 'estimator={name: microbatch, "
           "microbatch: 2, "
           "ledger: true}' --set data.train=n.csv --set data.header=false --set data.target=3 --set train.epochs=1 "
           "--out named "
           "--quiet && $G data suspects named --top 3 --json");
    if (s.code) fail_msg("%s", s.err);
    result = last_json(&s);
    const char *label =
        json_string_value(json_object_get(json_array_get(json_object_get(result, "suspects"), 0), "label"));
    assert_true(label && (strcmp(label, "cat") == 0 || strcmp(label, "dog") == 0 || strcmp(label, "emu") == 0));
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(result, "means"), 2), "class")), "emu");
    json_decref(result);
    sh(&s, "$G data suspects led --by user");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "label_noise"));
    /* A run that clipped nothing ranks by norm; any of the three can be asked for, nothing else. */
    write_config("n.yaml", ", transforms: [{insert: {fraction: 0.1, kind: constant}}]", "softmax",
                 "{name: mean, ledger: true}");
    static const char *const ranks[][2] = {{"", "norm"}, {"--rank norm", "norm"}, {"--rank loss", "loss"}};
    for (int k = 0; k < 3; k++) {
        sh(&s,
           k ? "$G data suspects mean --json %s"
             : "$G train n.yaml --out mean --quiet && $G data suspects mean --json %s",
           ranks[k][0]);
        assert_int_equal(s.code, 0);
        result = last_json(&s);
        assert_string_equal(json_string_value(json_object_get(result, "ranked_by")), ranks[k][1]);
        double before = INFINITY;
        const json_t *list = json_object_get(result, "suspects");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *one = json_array_get(list, i);
            double now = json_number_value(json_object_get(one, ranks[k][1]));
            assert_true(now <= before);
            before = now;
            assert_int_equal(json_is_null(json_object_get(one, "index")),
                             json_is_true(json_object_get(one, "planted")));
        }
        json_decref(result);
    }
    sh(&s, "$G data suspects mean --rank size");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "expected one of factor, norm, loss"));
    write_config("p.yaml", "", "softmax", "mean");
    sh(&s, "$G train p.yaml --out plain --quiet && $G data suspects plain");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "ledger"));
}

static void mixed_sources_score_by_domain(void **state) {
    static said s;
    (void)state;
    write_config("m.yaml",
                 ", transforms: [{mix: {sources: [{format: gaussians, train_size: 300, test_size: 100, features: 8, "
                 "classes: 3, seed: 7}, {format: gaussians, train_size: 100, test_size: 50, features: 8, classes: 3, "
                 "seed: 8}]}}]",
                 "softmax", "mean");
    sh(&s, "$G train m.yaml --out mix --json");
    assert_int_equal(s.code, 0);
    json_t *result = last_json(&s), *domains = json_object_get(result, "domains");
    assert_int_equal(json_array_size(domains), 3);
    double loss = 0, examples = 0;
    for (size_t d = 0; d < 3; d++) {
        json_t *one = json_array_get(domains, d);
        double n = json_number_value(json_object_get(one, "examples"));
        loss += n * json_number_value(json_object_get(one, "loss"));
        examples += n;
    }
    assert_true(examples == 350);
    assert_true(fabs(loss / examples - json_number_value(json_object_get(result, "test_loss"))) < 1e-6);
    assert_non_null(strstr(s.err, "domain 2: 50 examples"));
    json_decref(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep_compares_on_validation_and_goes_on),
        cmocka_unit_test(pair_compares_by_epochs),
        cmocka_unit_test(sweep_refuses),
        cmocka_unit_test(pair_without_a_test_set),
        cmocka_unit_test(pair_refuses),
        cmocka_unit_test(report_holds_the_runs),
        cmocka_unit_test(watching_ends_with_the_run),
        cmocka_unit_test(suspects_are_the_mislabelled),
        cmocka_unit_test(mixed_sources_score_by_domain),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
