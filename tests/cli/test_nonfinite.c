/* NaN is never success: whatever is no number ends with a sentence and exit code 1, is null in JSON, and is in no file.
 */
#include "support.h"

#include <math.h>

static void write_npy(const char *path, const char *type, const char *shape, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    char header[118];
    assert_non_null(f);
    memset(header, ' ', sizeof header);
    int n = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    header[n] = ' ';
    header[117] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(header, 1, sizeof header, f);
    fwrite(data, bytes, 1, f);
    fclose(f);
}

/* The command fails with a sentence that has these words, and leaves no such file. */
static void fails(said *s, const char *line, const char *words, const char *file) {
    sh(s, "%s", line);
    if (s->code != 1 || !strstr(s->err, words)) fail_msg("%s\n  code %d: %s", line, s->code, s->err);
    if (file && access(file, F_OK) == 0) fail_msg("%s\n  left %s", line, file);
}

static void replay_does_not_write_nan(void **state) {
    (void)state;
    static said s;
    const double g[] = {1, 2, 3, -1, 0, 1};
    write_npy("g.npy", "<f8", "2, 3", g, sizeof g);
    fails(&s, "$G replay --method sgd --set lr=2e38 --gradients g.npy --out w.npy --trajectory t.npy --json",
          "step 1 of 2: the gradient is finite, but the weights after the step are not", "w.npy");
    assert_int_not_equal(access("t.npy", F_OK), 0);
    json_t *all = last_json(&s);
    assert_true(json_is_null(json_object_get(all, "norm")) && json_is_null(json_object_get(all, "update_norm")));
    assert_true(json_real_value(json_object_get(all, "lr")) == 2e38);
    json_decref(all);
    const float start[] = {0, NAN, 1};
    write_npy("nan.npy", "<f4", "3,", start, sizeof start);
    sh(&s, "$G replay --method sgd --gradients g.npy --init nan.npy --out w.npy");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "nan.npy"));
    assert_int_not_equal(access("w.npy", F_OK), 0);
}

/* Infinite rates, times, budgets and milestones are no numbers of an option. */
static void infinite_options_are_refused(void **state) {
    (void)state;
    static said s;
    static const char *const lines[] = {
        "$G train --preset demo-softmax-sgd --set method.lr=inf",
        "$G train --preset demo-softmax-sgd --set method.lr=1e400",
        "$G train --preset demo-softmax-sgd --set train.epochs=inf",
        "$G train --preset demo-softmax-sgd --set train.time=1e400",
        "$G train --preset demo-softmax-sgd --set 'schedule={name: step, at: [1e400]}'",
        "$G advise --preset demo-softmax-sgd --budget 1e400",
        "$G solve quadratic --method sgd --epsilon inf",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        sh(&s, "%s", lines[i]);
        if (s.code != 2 || !strstr(s.err, "expected") || !strstr(s.err, "infinite"))
            fail_msg("%s: %s", lines[i], s.err);
        assert_int_not_equal(access("runs", F_OK), 0);
    }
}

static void solve_says_that_all_diverged(void **state) {
    (void)state;
    static said s;
    fails(&s,
          "$G solve quadratic --set problem.dim=2 --method sgd --set lr=1e30 --steps 9 --repeat 3 --plot p.svg --json",
          "all of 3 repetitions diverged", "p.svg");
    json_t *all = last_json(&s);
    assert_int_equal(json_array_size(json_object_get(all, "point")), 2);
    assert_true(json_is_null(json_array_get(json_object_get(all, "point"), 0)));
    assert_true(json_is_null(json_object_get(all, "value")));
    assert_int_equal(json_integer_value(json_object_get(all, "diverged")), 3);
    json_decref(all);
}

/* Twenty rows of y = x0 + 2 x1; `bad` of them are as large as floats can be, so that what is made of them
 * overflows; a file with NaN or infinities is refused as it is read. */
static void write_rows(const char *name, int bad) {
    float x[20][2], y[20];
    char path[64];
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 2; k++) x[i][k] = i < bad ? 3e38f : (float)((i * 7 + k * 3) % 11) / 11;
        y[i] = (float)((i * 7) % 11 + 2 * ((i * 7 + 3) % 11)) / 11;
    }
    snprintf(path, sizeof path, "%s.npy", name);
    write_npy(path, "<f4", "20, 2", x, sizeof x);
    snprintf(path, sizeof path, "%s-labels.npy", name);
    write_npy(path, "<f4", "20,", y, sizeof y);
}

#define LINE \
    "$G train --set model=least_squares --set method='{name: sgd, lr: 0.3}' --set train.epochs=60 --json --quiet "

static void runs_fail_where_nothing_is_a_number(void **state) {
    (void)state;
    static said s;
    write_rows("good", 0);
    write_rows("part", 3);
    write_rows("bad", 20);
    fails(&s, LINE "--set data.train=bad.npy --set train.nonfinite=skip --set train.validate_every=0 --out r1",
          "every one of 60 steps was refused", "r1/final.safetensors");
    assert_int_not_equal(access("r1/result.json", F_OK), 0);
    fails(&s,
          LINE "--set data.train=good.npy --set data.validation=part.npy --set train.validate_every=60 --set "
               "train.patience=1 --out r2",
          "the loss on the validation set is", "r2/final.safetensors");
    fails(&s, LINE "--set data.train=good.npy --set data.test=part.npy --set train.validate_every=0 --out r3",
          "the loss on the test set is", "r3/final.safetensors");
    assert_int_not_equal(access("r3/result.json", F_OK), 0);
}

static void models_say_nothing_of_nan(void **state) {
    (void)state;
    static said s;
    sh(&s, LINE "--set data.train=good.npy --out good");
    if (s.code) fail_msg("%s", s.err);
    fails(&s, "$G evaluate good --data part.npy --json", "the loss on these rows is infinite", NULL);
    json_t *all = last_json(&s);
    assert_true(json_is_null(json_object_get(all, "loss")));
    json_decref(all);
    fails(&s, "$G predict good --data part.npy --out p.csv", "row 1: the model's output is not finite", "p.csv");
    sh(&s, "$G predict good --data good.npy --out p.csv");
    assert_int_equal(s.code, 0);
}

/* Rates of 1e30 and more: the losses may well be finite, 1e29. No trial is best, and nothing beyond is advised. */
static void a_sweep_of_diverged_trials_has_no_best(void **state) {
    (void)state;
    static said s;
    fails(&s,
          "$G sweep --preset demo-softmax-sgd --set data.train_size=100 --set train.epochs=1 --over "
          "method.lr=1e28,1e30 --out sw --json",
          "every trial diverged", NULL);
    assert_null(strstr(s.err, "beyond"));
    assert_null(strstr(s.err, "* 1e"));
    json_t *all = last_json(&s);
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(all, "trials"), i, one) {
        assert_int_equal(json_integer_value(json_object_get(one, "failed")), 1);
        assert_true(json_is_null(json_object_get(json_object_get(one, "selected"), "mean")));
    }
    assert_int_equal(json_array_size(json_object_get(all, "edge")), 0);
    json_decref(all);
    sh(&s, "$G sweep --preset demo-softmax-sgd --set data.train_size=100 --set train.epochs=1 --over "
           "method.lr=0.1,1e30 --out sw --json");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "* 0.1"));
    assert_non_null(strstr(s.err, "1 diverged"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_does_not_write_nan),    cmocka_unit_test(infinite_options_are_refused),
        cmocka_unit_test(solve_says_that_all_diverged), cmocka_unit_test(runs_fail_where_nothing_is_a_number),
        cmocka_unit_test(models_say_nothing_of_nan),    cmocka_unit_test(a_sweep_of_diverged_trials_has_no_best),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
