/* glissade advise: what it writes is taken by train, the time is kept, and the rules do what docs/advise.md says. */
#include "support.h"

#include <math.h>

#include "run/search/advise.h"

#define SMALL                                                                                                        \
    "printf 'data: {format: gaussians, train_size: 400, test_size: 80, classes: 3, features: 6}\\nmodel: softmax\\n" \
    "train: {epochs: 5, batch: 16, threads: 1}\\n' > c.yaml; "

static void batch_follows_the_rule(void **state) {
    const char *why;
    assert_int_equal(gls_advise_batch(300, 100000, 1e9, 128, &why), 256);
    assert_non_null(strstr(why, "bound"));
    assert_int_equal(gls_advise_batch(1e6, 4000, 1e9, 128, &why), 256); /* 4000 / 8 = 500 */
    assert_non_null(strstr(why, "eighth"));
    assert_int_equal(gls_advise_batch(1e6, 100000, 72000, 128, &why), 128); /* 72000 / 400 = 180 */
    assert_non_null(strstr(why, "400 steps"));
    assert_int_equal(gls_advise_batch(NAN, 100000, 72000, 77, &why), 77);
    assert_int_equal(gls_advise_batch(3, 100000, 1e9, 128, &why), 16);
    assert_int_equal(gls_advise_batch(3, 10, 1e9, 5, &why), 10);
}

static void threshold_follows_the_tail(void **state) {
    double norm[] = {5, 1, 3, 2, 4, 9, 8, 7, 6, 10, 0}, quantile;
    assert_true(gls_advise_threshold(norm, 11, 1.5, &quantile) == 5);
    assert_true(quantile == 0.5);
    assert_true(gls_advise_threshold(norm, 11, 2.05, &quantile) == 9);
    assert_true(gls_advise_threshold(norm, 11, NAN, &quantile) == 9);
    assert_true(isnan(gls_advise_threshold(norm, 0, 2, &quantile)));
}

static const char *said_of(const json_t *all, const char *what) {
    const json_t *lines = json_object_get(all, "recommendation"), *line;
    for (size_t i = 0; (line = json_array_get(lines, i)); i++)
        if (strcmp(json_string_value(json_object_get(line, "what")), what) == 0)
            return json_string_value(json_object_get(line, "value"));
    fail_msg("no line about %s", what);
    return NULL;
}

static void train_takes_the_advice(void **state) {
    static said s;
    double began = now();
    sh(&s, SMALL "$G advise c.yaml --budget %gs --out a --json", 4 * patience());
    double took = now() - began;
    if (s.code) fail_msg("%s", s.err);
    assert_true(took < 12 * patience()); /* loosely: machines that test are busy */
    json_t *all = last_json(&s);
    assert_true(json_number_value(json_object_get(all, "seconds")) < 10 * patience());
    assert_non_null(strstr("msgd adam sngm clip acclip", said_of(all, "method")));
    assert_int_equal(atoi(said_of(all, "batch")), 16);
    assert_true(atof(said_of(all, "lr")) > 0);
    assert_true(atof(said_of(all, "clip threshold")) > 0);
    said_of(all, "micro-batch");
    assert_true(json_array_size(json_object_get(all, "range_tests")) >= 6);
    assert_true(json_array_size(json_object_get(all, "probes")) >= 5);
    const json_t *along = json_object_get(json_object_get(all, "measures"), "along");
    assert_true(json_is_object(json_object_get(along, "smoothness")));
    json_decref(all);
    sh(&s, "$G train a/advise.yaml --out run --quiet --json");
    if (s.code) fail_msg("%s", s.err);
    all = last_json(&s);
    assert_true(json_number_value(json_object_get(all, "train_loss")) < 0.6); /* ln 3 at the start */
    json_decref(all);
}

static void wrong_calls_are_refused(void **state) {
    static said s;
    sh(&s, SMALL "$G advise c.yaml --budget soon");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "budget"));
    sh(&s, "$G advise");
    assert_int_equal(s.code, 2);
    sh(&s, SMALL "$G advise c.yaml --budget 1s --methods sgdd --out b");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "did you mean 'sgd'?"));
}

/* A signal while probing: exit code 1, and nothing is recommended. */
static void an_interrupt_leaves_no_advice(void **state) {
    static said s;
    sh(&s,
       SMALL "timeout --foreground -s INT %g $G advise c.yaml --budget %gs --out i --set train.epochs=100000; test "
             "$? = 124 && ! "
             "test -e i/advise.yaml",
       2 * patience(), 60 * patience());
    if (s.code) fail_msg("%s", s.err);
    assert_non_null(strstr(s.err, "interrupted"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_follows_the_rule),        cmocka_unit_test(threshold_follows_the_tail),
        cmocka_unit_test(train_takes_the_advice),        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(an_interrupt_leaves_no_advice),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
