/* The page carries what the run folders hold, escaped; broken and missing folders are named. */
#include "support.h"

static void page_holds_series_config_and_result(void **state) {
    gls_context *ctx = *state;
    put("a/config.yaml", config);
    put("a/metrics.jsonl", "{\"step\":1,\"epoch\":0.5,\"time\":0.1,\"name\":\"train_loss\",\"value\":2.5}\n"
                           "{\"step\":2,\"epoch\":1,\"time\":0.2,\"name\":\"train_loss\",\"value\":null}\n"
                           "{\"step\":3,\"epo");
    put("a/result.json", "{\"steps\":3,\"test_accuracy\":0.5}");
    put("a/measures.jsonl", "{\"step\":3,\"measure\":\"noise_norm\",\"result\":{\"batch\":4}}\n{\"st");
    char run[512];
    snprintf(run, sizeof run, "%s/a/", folder);
    char *page = NULL;
    write_and_read(ctx, (const char *const[]){run}, 1, &page);
    json_t *data = page_data(page);
    json_t *one = json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "name")), "a");
    assert_string_equal(json_string_value(json_object_get(json_object_get(one, "config"), "method.lr")), "0.5");
    assert_string_equal(json_string_value(json_object_get(json_object_get(one, "config"), "method.groups[0].match")),
                        "x");
    json_t *loss = json_object_get(json_object_get(one, "series"), "train_loss");
    assert_int_equal(json_array_size(json_object_get(loss, "value")), 2);
    assert_true(json_real_value(json_array_get(json_object_get(loss, "value"), 0)) == 2.5);
    assert_true(json_is_null(json_array_get(json_object_get(loss, "value"), 1)));
    assert_int_equal(json_array_size(json_object_get(one, "measures")), 1);
    /* Both files end in the middle of a line, as after a crash. */
    json_t *warnings = json_object_get(one, "warnings");
    assert_int_equal(json_array_size(warnings), 2);
    assert_non_null(
        strstr(json_string_value(json_array_get(warnings, 0)), "metrics.jsonl ends in the middle of line 3"));
    assert_non_null(strstr(json_string_value(json_array_get(warnings, 1)), "measures.jsonl"));
    assert_null(strstr(page, "http://"));
    json_decref(data);
    gls_free(ctx, page);
}

static void markup_in_names_is_escaped(void **state) {
    gls_context *ctx = *state;
    put("<b>&/config.yaml", "model: {name: \"</script><script>alert(1)</script>\"}\n");
    put("<b>&/metrics.jsonl", "");
    char run[512];
    snprintf(run, sizeof run, "%s/<b>&", folder);
    char *page = NULL;
    write_and_read(ctx, (const char *const[]){run}, 1, &page);
    assert_non_null(strstr(page, "&lt;b&gt;&amp;"));
    assert_null(strstr(page, "alert(1)</script>"));
    /* No "<" at all among the data: "<!--" would swallow the page as "</script" would end it. */
    const char *data = strstr(page, "id=\"data\">") + 10;
    assert_int_equal(strcspn(data, "<"), strstr(data, "</script>") - data);
    assert_non_null(strstr(data, "\\u003cb>&"));
    json_decref(page_data(page));
    gls_free(ctx, page);
}

static void seeds_are_one_group(void **state) {
    gls_context *ctx = *state;
    for (int s = 1; s <= 11; s += 5) {
        char name[64];
        snprintf(name, sizeof name, "many/seed-%d/config.yaml", s);
        char parent[512];
        snprintf(parent, sizeof parent, "%s/many", folder);
        mkdir(parent, 0700);
        put(name, config);
        snprintf(name, sizeof name, "many/seed-%d/metrics.jsonl", s);
        put(name, "");
    }
    char run[512];
    snprintf(run, sizeof run, "%s/many", folder);
    char *page = NULL;
    write_and_read(ctx, (const char *const[]){run}, 1, &page);
    json_t *data = page_data(page);
    json_t *runs = json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs");
    assert_int_equal(json_array_size(runs), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(runs, 2), "name")), "many/seed-11");
    json_decref(data);
    gls_free(ctx, page);
}

static void fails_on(gls_context *ctx, const char *name, const char *text) {
    char run[512], path[512];
    snprintf(path, sizeof path, "%s/bad.html", folder);
    snprintf(run, sizeof run, "%s/%s", folder, name);
    assert_int_equal(gls_report_write(ctx, (const char *const[]){run}, 1, NULL, path), GLS_ERR_INPUT);
    if (!strstr(gls_context_message(ctx), text)) fail_msg("%s: %s", text, gls_context_message(ctx));
    assert_int_not_equal(access(path, F_OK), 0);
}

static void broken_folders_are_named(void **state) {
    gls_context *ctx = *state;
    fails_on(ctx, "missing", "missing: expected a run folder, found nothing");
    fails_on(ctx, "a/config.yaml", "found a file");
    put("b/metrics.jsonl", "{\"step\":1,\"name\":\"loss\"}\nnonsense\n{\"step\":2}\n");
    fails_on(ctx, "b", "b: expected a run folder or one that holds runs, found no config.yaml");
    put("b/config.yaml", "");
    fails_on(ctx, "b", "config.yaml: expected the configuration of a run, a map of sections; found nothing");
    put("b/config.yaml", "hello\n");
    fails_on(ctx, "b", "found text");
    put("b/config.yaml", config);
    fails_on(ctx, "b", "metrics.jsonl:2");
    put("b/metrics.jsonl", "{\"step\":\"x\",\"name\":\"loss\"}\n");
    fails_on(ctx, "b", "metrics.jsonl:1: field \"step\": expected a number");
    put("b/metrics.jsonl", "{\"step\":1,\"value\":2}\n");
    fails_on(ctx, "b", "field \"name\"");
    put("b/metrics.jsonl", "5\n{\"step\":1,\"name\":\"loss\"}\n");
    fails_on(ctx, "b", "metrics.jsonl:1: expected a JSON object");
    put("b/metrics.jsonl", "");
    put("b/measures.jsonl", "{\"step\":1,\"measure\":\"loss\",\"result\":{}}\n{\"step\n{\"step\":2}\n");
    fails_on(ctx, "b", "measures.jsonl:2");
    put("b/measures.jsonl", "{\"step\":1,\"measure\":\"loss\",\"result\":[]}\n");
    fails_on(ctx, "b", "measures.jsonl:1: field \"result\": expected an object");
    put("b/measures.jsonl", "{\"step\":1,\"result\":{}}\n");
    fails_on(ctx, "b", "field \"measure\"");
    put("b/measures.jsonl", "");
    put("b/result.json", "[1]");
    fails_on(ctx, "b", "result.json: expected a JSON object");
}

/* Killed before it wrote a figure, or while it wrote its result: the page comes, and says so. */
static void runs_cut_short_are_shown_with_a_warning(void **state) {
    static const char *const results[] = {NULL, "", "{\"steps\": 3"};
    static const char *const words[] = {"no result.json", "truncated", "truncated"};
    gls_context *ctx = *state;
    char run[512];
    put("cut/config.yaml", config);
    snprintf(run, sizeof run, "%s/cut", folder);
    for (int i = 0; i < 3; i++) {
        if (results[i]) put("cut/result.json", results[i]);
        char *page = NULL;
        write_and_read(ctx, (const char *const[]){run}, 1, &page);
        json_t *data = page_data(page);
        json_t *one = json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs"), 0);
        json_t *warnings = json_object_get(one, "warnings");
        assert_int_equal(json_array_size(warnings), 2);
        assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), "metrics.jsonl is missing or empty"));
        assert_non_null(strstr(json_string_value(json_array_get(warnings, 1)), words[i]));
        json_decref(data);
        gls_free(ctx, page);
    }
}

/* Of a thousand results the page keeps a spread of steps, the first and the last among them. */
static void many_results_are_thinned(void **state) {
    gls_context *ctx = *state;
    char run[512], path[600];
    put("long/config.yaml", config);
    snprintf(run, sizeof run, "%s/long", folder);
    snprintf(path, sizeof path, "%s/measures.jsonl", run);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 1; i <= 1000; i++)
        fprintf(file, "{\"step\":%d,\"measure\":\"loss\",\"result\":{\"loss\":%d}}\n", i, -i);
    fclose(file);
    char *page = NULL;
    write_and_read(ctx, (const char *const[]){run}, 1, &page);
    json_t *data = page_data(page);
    json_t *one = json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs"), 0);
    json_t *kept = json_object_get(one, "measures");
    size_t n = json_array_size(kept);
    assert_in_range(n, 8, 17);
    json_int_t before = 0, widest = 0;
    for (size_t i = 0; i < n; i++) {
        json_int_t step = json_integer_value(json_object_get(json_array_get(kept, i), "step"));
        if (!i) assert_int_equal(step, 1);
        if (step - before > widest) widest = step - before;
        assert_true(step > before);
        before = step;
    }
    assert_int_equal(before, 1000);
    assert_true(widest <= 128);
    json_decref(data);
    gls_free(ctx, page);
}

static void a_page_that_cannot_be_written_leaves_nothing(void **state) {
    gls_context *ctx = *state;
    char run[512], path[600];
    snprintf(run, sizeof run, "%s/a", folder);
    snprintf(path, sizeof path, "%s/nowhere/page.html", folder);
    assert_int_equal(gls_report_write(ctx, (const char *const[]){run}, 1, NULL, path), GLS_ERR_FILE);
    snprintf(path, sizeof path, "%s/a", folder); /* a folder stands in the way */
    assert_int_equal(gls_report_write(ctx, (const char *const[]){run}, 1, NULL, path), GLS_ERR_FILE);
    assert_non_null(strstr(gls_context_message(ctx), path));
    assert_int_equal(access(run, F_OK), 0);
}

/* A run of two seeds ends with its second one; a seed whose folder is just being made is left out. */
static void a_run_ends_with_its_last_seed(void **state) {
    gls_context *ctx = *state;
    char run[512], parent[512];
    bool ended;
    const char *const runs[] = {run};
    snprintf(run, sizeof run, "%s/two", folder);
    put("two/config.yaml", "model: {name: softmax}\ntrain: {seeds: 2}\n");
    put("two/seed-1/config.yaml", config);
    put("two/seed-1/metrics.jsonl", "");
    snprintf(parent, sizeof parent, "%s/two/seed-2", folder);
    mkdir(parent, 0700);
    assert_int_equal(gls_report_ended(ctx, runs, 1, &ended), GLS_OK);
    assert_false(ended);
    put("two/seed-1/result.json", "{}");
    assert_int_equal(gls_report_ended(ctx, runs, 1, &ended), GLS_OK);
    assert_false(ended);
    char *page = NULL;
    write_and_read(ctx, runs, 1, &page);
    json_t *data = page_data(page);
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs")), 1);
    json_decref(data);
    gls_free(ctx, page);
    put("two/seed-2/config.yaml", config);
    put("two/seed-2/result.json", "{}");
    assert_int_equal(gls_report_ended(ctx, runs, 1, &ended), GLS_OK);
    assert_true(ended);
}

/* Two folders of one last name are told apart by their paths. */
static void runs_of_one_name_are_told_apart(void **state) {
    gls_context *ctx = *state;
    char first[512], second[512];
    snprintf(first, sizeof first, "%s/x", folder);
    mkdir(first, 0700);
    put("x/same/config.yaml", config);
    snprintf(first, sizeof first, "%s/y", folder);
    mkdir(first, 0700);
    put("y/same/config.yaml", config);
    snprintf(first, sizeof first, "%s/x/same", folder);
    snprintf(second, sizeof second, "%s/y/same", folder);
    char *page = NULL;
    write_and_read(ctx, (const char *const[]){first, second}, 2, &page);
    json_t *data = page_data(page), *groups = json_object_get(data, "groups");
    assert_string_equal(json_string_value(json_object_get(json_array_get(groups, 0), "name")), first);
    assert_string_equal(json_string_value(json_object_get(json_array_get(groups, 1), "name")), second);
    json_decref(data);
    gls_free(ctx, page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_holds_series_config_and_result),
        cmocka_unit_test(markup_in_names_is_escaped),
        cmocka_unit_test(seeds_are_one_group),
        cmocka_unit_test(broken_folders_are_named),
        cmocka_unit_test(runs_cut_short_are_shown_with_a_warning),
        cmocka_unit_test(many_results_are_thinned),
        cmocka_unit_test(a_page_that_cannot_be_written_leaves_nothing),
        cmocka_unit_test(a_run_ends_with_its_last_seed),
        cmocka_unit_test(runs_of_one_name_are_told_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
