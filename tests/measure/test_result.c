/* Results and their JSON. */
#include "check.h"

#include <jansson.h>

static void json_has_headlines_on_top_and_everything_below(void **state) {
    gls_context *ctx = make_context();
    gls_measure_result r[2];
    for (int i = 0; i < 2; i++) gls_measure_result_init(ctx, &r[i]);
    const double curve[] = {1, 0.5, INFINITY};
    r[0].measure = "gradient_diversity";
    r[0].sample = 32;
    r[0].population = 1000;
    r[0].seconds = 0.25;
    GOOD(gls_measure_result_estimate(&r[0], "batch_size_bound", "examples", 743, 100, INFINITY));
    GOOD(gls_measure_result_headline(&r[0], "batch_size_bound"));
    GOOD(gls_measure_result_number(&r[0], "second_moment", "gradient^2", 1.0 / 3));
    r[1].measure = "hill";
    GOOD(gls_measure_result_array(&r[1], "curve", "", 3, curve));
    GOOD(gls_measure_result_meaningless(&r[1], "only %d samples", 3));
    GOOD(gls_measure_result_note(&r[1], "first"));
    GOOD(gls_measure_result_note(&r[1], "second"));
    assert_int_equal(gls_measure_result_number(&r[1], "curve", "", 1), GLS_ERR_INTERNAL);

    char *text;
    GOOD(gls_measure_results_json(ctx, r, 2, &text));
    json_t *top = json_loads(text, 0, NULL);
    assert_non_null(top);
    NEAR(json_real_value(json_object_get(top, "batch_size_bound")), 743, 0);
    json_t *interval = json_object_get(top, "batch_size_bound_interval");
    NEAR(json_real_value(json_array_get(interval, 0)), 100, 0);
    assert_true(json_is_null(json_array_get(interval, 1)));
    assert_null(json_object_get(top, "second_moment"));
    json_t *first = json_object_get(json_object_get(top, "measures"), "gradient_diversity");
    assert_int_equal(json_integer_value(json_object_get(first, "sample")), 32);
    NEAR(json_real_value(json_object_get(first, "second_moment")), 1.0 / 3, 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(first, "units"), "batch_size_bound")),
                        "examples");
    json_t *second = json_object_get(json_object_get(top, "measures"), "hill");
    assert_string_equal(json_string_value(json_object_get(second, "meaningless")), "only 3 samples");
    assert_string_equal(json_string_value(json_object_get(second, "note")), "first; second");
    assert_int_equal(json_array_size(json_object_get(second, "curve")), 3);
    assert_true(json_is_null(json_array_get(json_object_get(second, "curve"), 2)));
    assert_true(json_is_null(json_object_get(second, "population")));
    json_decref(top);
    gls_free(ctx, text);

    NEAR(gls_measure_result_get(&r[0], "batch_size_bound"), 743, 0);
    assert_true(isnan(gls_measure_result_get(&r[1], "curve")));
    assert_true(isnan(gls_measure_result_get(&r[1], "absent")));
    for (int i = 0; i < 2; i++) gls_measure_result_clear(&r[i]);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_has_headlines_on_top_and_everything_below)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
