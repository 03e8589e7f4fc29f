/* glissade experiment: a folder's file in, result and page out; finished runs are taken as they are; slips are named.
 */
#include "support.h"

#define MAKE                                                                                                        \
    "mkdir -p own; printf 'title: A test <of> it\\npaper: X\\nrows: [\"[X] table 1\"]\\nclaim: Momentum helps.\\n"  \
    "here: Three classes.\\nconfig:\\n  data: {format: gaussians, train_size: 200, test_size: 40, classes: 3}\\n"   \
    "  model: softmax\\n  method: {name: msgd, beta: 0.9, lr: 0.01}\\n  train: {epochs: 2, batch: 20, validation: " \
    "0.2}\\n"                                                                                                       \
    "tune: {key: method.lr, widen: 0}\\nscales: [{name: quick, seeds: 2}]\\n"                                       \
    "arms: [{name: momentum, rates: [0.01, 0.02]}, {name: plain, set: [method.beta=0]}]\\nshow: [test_accuracy]\\n" \
    "expect: [{say: lower, figure: test_loss, of: {momentum: 1, plain: -1}, at_most: 0}]\\n"                        \
    "figures: [{title: Held-out loss, draw: curves, x: epoch, y: validation_loss}]\\n"                              \
    "printed: {head: [what, how much], rows: [[loss, 1.5]]}\\n' > own/experiment.yaml; "

static void a_folder_gives_a_result_and_a_page(void **state) {
    said s;
    sh(&s, MAKE "$G experiment own/ --out out --json --threads 1");
    if (s.code) fail_msg("%d: %s", s.code, s.err);
    json_t *result = last_json(&s), *arms = json_object_get(result, "arms");
    assert_string_equal(json_string_value(json_object_get(result, "experiment")), "own");
    assert_int_equal(json_array_size(arms), 2);
    json_t *figure = json_object_get(json_object_get(json_array_get(arms, 1), "figures"), "test_accuracy");
    assert_int_equal(json_array_size(json_object_get(figure, "each")), 2);
    json_decref(result);
    assert_non_null(strstr(s.err, "claimed at most 0"));
    sh(&s, "cp out/result.json first.json; grep -c 'A test &lt;of&gt; it' out/report.html; find out/runs -name "
           "outcome.json "
           "| wc -l; find out/runs -name '*.safetensors' | wc -l");
    assert_string_equal(s.out, "2\n5\n0\n"); /* title and heading; two rates, one more seed, two of the other arm */
    /* Outcomes are kept to the last digit: a rate is chosen alike whether its figure was read or found. */
    sh(&s, "for f in $(find out/runs -name outcome.json); do for g in $f ${f%%/*}/run/result.json; do "
           "tr -d ' ' <$g | grep -o '\"validation_loss\":[0-9.e-]*' | head -1; done; done | sort | uniq -c | "
           "awk '$1 %% 2 { odd++ } END { print NR, odd + 0 }'");
    assert_string_equal(s.out, "5 0\n");
    sh(&s, "find out/runs -name metrics.jsonl -delete; $G experiment own --out out --quiet");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.err, "");
    sh(&s, "find out/runs -name metrics.jsonl | wc -l"); /* no run was made again */
    assert_string_equal(s.out, "0\n");
    assert_true(same_files("first.json", "out/result.json"));
    sh(&s, "$G report first.json"); /* the page again, from the result alone */
    if (s.code) fail_msg("%d: %s", s.code, s.err);
    assert_true(same_files("report.html", "out/report.html"));
    sh(&s, "rm report.html; $G report first.json --watch 1; [ ! -e report.html ] && echo '{}' > none.json && $G report "
           "none.json");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "--watch and --title are for runs; first.json"));
    assert_non_null(strstr(s.err, "none.json: expected the result of an experiment"));
    assert_int_not_equal(access("report.html", F_OK), 0);
}

static void slips_are_named(void **state) {
    said s;
    sh(&s, "$G experiment two_angle");
    assert_int_equal(s.code, 2);
    assert_true(strstr(s.err, "two_angles") || strstr(s.err, "no folder of experiments"));
    sh(&s, "$G experiment");
    assert_int_equal(s.code, 2);
    sh(&s, MAKE "$G experiment own --scale large");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "quick"));
    sh(&s, "mkdir empty; $G experiment ./empty");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "empty/experiment.yaml"));
    sh(&s, "[ ! -e runs ] || find runs");
    assert_string_equal(s.out, ""); /* nothing half made is left behind */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_gives_a_result_and_a_page, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(slips_are_named, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
