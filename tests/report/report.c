/* The page carries what the run folders hold, escaped; broken and missing folders are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <glissade/report.h>
#include <jansson.h>

#include "base/io.h"

static char folder[] = "/tmp/gls-report-XXXXXX";

static void put(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char config[] = "model: {name: softmax, l2: 1e-4}\nmethod: {name: sgd, lr: 0.5, groups: [{match: x}]}\n";

static json_t *page_data(const char *page) {
    static const char mark[] = "id=\"data\">";
    const char *start = strstr(page, mark);
    assert_non_null(start);
    start += strlen(mark);
    const char *end = strstr(start, "</script>");
    assert_non_null(end);
    json_t *data = json_loadb(start, (size_t)(end - start), 0, NULL);
    assert_non_null(data);
    return data;
}

static void write_and_read(gls_context *ctx, const char *const *runs, int64_t count, char **page) {
    char path[512];
    snprintf(path, sizeof path, "%s/page.html", folder);
    assert_int_equal(gls_report_write(ctx, runs, count, NULL, path), GLS_OK);
    int64_t size;
    assert_int_equal(gls_read_file(ctx, path, 1 << 24, page, &size), GLS_OK);
}

static void page_holds_series_config_and_result(void **state) {
    gls_context *ctx = *state;
    put("a/config.yaml", config);
    put("a/metrics.jsonl", "{\"step\":1,\"epoch\":0.5,\"time\":0.1,\"name\":\"train_loss\",\"value\":2.5}\n"
                           "{\"step\":2,\"epoch\":1,\"time\":0.2,\"name\":\"train_loss\",\"value\":null}\n"
                           "{\"step\":3,\"epo");
    put("a/result.json", "{\"steps\":3,\"test_accuracy\":0.5}");
    put("a/measures.jsonl", "{\"step\":3,\"measure\":\"noise_norm\",\"result\":{\"figures\":{}}}\n");
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

static void broken_folders_are_named(void **state) {
    gls_context *ctx = *state;
    char run[512], path[512];
    snprintf(path, sizeof path, "%s/bad.html", folder);
    snprintf(run, sizeof run, "%s/missing", folder);
    assert_int_equal(gls_report_write(ctx, (const char *const[]){run}, 1, NULL, path), GLS_ERR_FILE);
    assert_non_null(strstr(gls_context_message(ctx), "missing"));
    put("b/config.yaml", config);
    put("b/metrics.jsonl", "{\"step\":1}\nnonsense\n{\"step\":2}\n");
    snprintf(run, sizeof run, "%s/b", folder);
    assert_int_equal(gls_report_write(ctx, (const char *const[]){run}, 1, NULL, path), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "metrics.jsonl:2"));
    assert_int_not_equal(access(path, F_OK), 0);
}

static int setup(void **state) {
    gls_context *ctx = NULL;
    if (!mkdtemp(folder) || gls_context_create(&ctx, NULL) != GLS_OK) return -1;
    *state = ctx;
    return 0;
}

static int teardown(void **state) {
    char command[600];
    gls_context_destroy(*state);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_holds_series_config_and_result),
        cmocka_unit_test(markup_in_names_is_escaped),
        cmocka_unit_test(seeds_are_one_group),
        cmocka_unit_test(broken_folders_are_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
