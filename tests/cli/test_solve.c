/* `glissade solve`: its JSON, certificate, quantiles, first hit and plot, and what it refuses. */
#include "support.h"

#include <math.h>

static double real(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("no number '%s'", key);
    return json_number_value(value);
}

static void certificate_and_counts(void **state) {
    static said s;
    sh(&s, "$G solve zigzag --set problem.dim=2 --method ingd --set delta=0.05 --set eps=0.2 --init 0.4,-0.3 --steps "
           "100000 "
           "--json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s), *certificate = json_object_get(all, "certificate");
    assert_true(json_is_object(certificate) && json_is_true(json_object_get(all, "ended")));
    assert_true(real(certificate, "norm") <= 0.2);
    assert_true(real(all, "value_calls") > real(all, "gradient_calls"));
    const json_t *points = json_object_get(certificate, "points"), *weights = json_object_get(certificate, "weights");
    assert_true(json_array_size(points) > 0 && json_array_size(points) == json_array_size(weights));
    assert_int_equal(json_array_size(json_object_get(all, "point")), 2);
    double total = 0;
    for (size_t i = 0; i < json_array_size(weights); i++) {
        total += json_number_value(json_array_get(weights, i));
        double square = 0;
        for (size_t k = 0; k < 2; k++)
            square += pow(json_number_value(json_array_get(json_array_get(points, i), k)) -
                              json_number_value(json_array_get(json_object_get(all, "point"), k)),
                          2);
        assert_true(sqrt(square) <= 0.05 * (1 + 1e-4));
    }
    assert_true(fabs(total - 1) < 1e-6);
    json_decref(all);
}

static void repetitions_and_first_hit(void **state) {
    static said s;
    sh(&s, "$G solve sines --method sgd --set lr=0.01 --steps 300 --repeat 40 --epsilon 0.01 --threads 2 --json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s);
    const json_t *values = json_object_get(json_object_get(all, "quantiles"), "value");
    assert_int_equal(json_array_size(values), 7);
    for (size_t i = 0; i < 7; i++) assert_true(fabs(json_number_value(json_array_get(values, i)) + 100) < 1e-3);
    assert_true(real(all, "first_hit") > 0 && real(all, "first_hit") < 300);
    json_decref(all);
    sh(&s, "$G solve sines --method sgd --set lr=0.01 --steps 2 --repeat 4 --epsilon 1e-9 --json");
    all = last_json(&s);
    assert_true(json_is_null(json_object_get(all, "first_hit")));
    json_decref(all);
}

static void noise_estimator_and_average(void **state) {
    static said s;
    sh(&s, "$G solve quadratic --set problem.dim=4 --noise '{name: stable, index: 1.5}' --method gclip --set tau=1 "
           "--batch 8 "
           "--estimator '{name: normalized, microbatch: 4}' --average weighted --steps 50 --repeat 3 --json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s);
    assert_true(isfinite(real(all, "value")) && real(all, "gradient_calls") == 50);
    json_decref(all);
}

static void plots(void **state) {
    static said s;
    static const char *const lines[] = {"$G solve rosenbrock --method adam --set lr=0.02 --steps 200 --plot p.svg",
                                        "$G solve slow_linear --method sgd --init 4 --set lr=3 --plot p.svg"};
    for (int i = 0; i < 2; i++) {
        sh(&s, "%s", lines[i]);
        if (s.code) fail_msg("%s", s.err);
        static char svg[1 << 20];
        slurp("p.svg", svg, sizeof svg);
        assert_true(strncmp(svg, "<svg", 4) == 0 && strstr(svg, "<polyline") && strstr(svg, "</svg>"));
        remove("p.svg");
    }
}

static void says_what_is_wrong(void **state) {
    static said s;
    static const struct {
        const char *line, *words;
    } wrongs[] = {{"$G solve", "needs one problem"},
                  {"$G solve quadratc --method sgd", "did you mean 'quadratic'?"},
                  {"$G solve quadratic", "--method"},
                  {"$G solve quadratic --method sdg", "'sgd'"},
                  {"$G solve quadratic --method sgd --set problem.dmi=3", "did you mean 'dim'?"},
                  {"$G solve quadratic --method sgd --noise gausian", "did you mean 'gaussian'?"},
                  {"$G solve quadratic --method sgd --steps x", "--steps"},
                  {"$G solve quadratic --method sgd --init 1,2", "expected 1 or 10"},
                  {"$G solve quadratic --method sgd --plot p.svg", "expected 1 or 2"},
                  {"$G solve quadratic --method ingd", "'L'"}};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        sh(&s, "%s", wrongs[i].line);
        if (s.code != 2 || !strstr(s.err, wrongs[i].words))
            fail_msg("%s\n  code %d, '%s' in: %s", wrongs[i].line, s.code, wrongs[i].words, s.err);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_and_counts),      cmocka_unit_test(repetitions_and_first_hit),
        cmocka_unit_test(noise_estimator_and_average), cmocka_unit_test(plots),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
