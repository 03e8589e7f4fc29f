/* data.tests: sets by name, scored along the run, at its end and where the monitored loss was lowest. Gradient descent
 * on (w - 3/2)^2/2 from 0 at rate 1/5: w_t = 1.5 (1 - 0.8^t). On `clean` (y = 3/2) the loss falls, on `other` (y = 0)
 * it is w^2/2 and rises from the first validation on, at w_1 = 0.3. */
#include "support.h"

#include <jansson.h>

static void write_set(const char *folder, const char *name, double y) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s.svm", folder, name);
    FILE *f = fopen(path, "w");
    fprintf(f, "%g 1:1\n%g 1:1\n", y, y);
    fclose(f);
}

/* Paths are relative to the configuration's file. */
static gls_value *read_config(gls_context *ctx, const char *folder, const char *monitor) {
    char path[128];
    gls_value *config;
    snprintf(path, sizeof path, "%s/c.yaml", folder);
    FILE *f = fopen(path, "w");
    fprintf(f,
            "data: {train: train.svm, tests: {clean: clean.svm, other: other.svm}}\n"
            "model: {name: least_squares, bias: false}\nmethod: {name: sgd, lr: 0.2}\n"
            "train: {epochs: 6, batch: all, monitor: %s, threads: 1}\n",
            monitor);
    fclose(f);
    gls_value *read;
    assert_ok(ctx, gls_config_read(ctx, path, &read));
    config = gls_value_clone(ctx, read);
    gls_value_destroy(ctx, read);
    return config;
}

static void check(const json_t *tests, const char *name, double y, double best_w) {
    const json_t *one = json_object_get(tests, name);
    double w = 1.5 * (1 - pow(0.8, 6));
    assert_true(fabs(json_number_value(json_object_get(one, "loss")) - (w - y) * (w - y) / 2) < 1e-6);
    assert_true(fabs(json_number_value(json_object_get(one, "best_loss")) - (best_w - y) * (best_w - y) / 2) < 1e-6);
}

static void scored_at_the_end_and_at_best(void **state) {
    (void)state;
    static const char *const monitors[] = {"other", "clean", "train"};
    const double best[] = {0.3, 1.5 * (1 - pow(0.8, 6)), 1.5 * (1 - pow(0.8, 6))};
    gls_context *ctx = make_context(1, 1);
    char folder[64], out[128], path[160];
    fresh_folder(folder);
    write_set(folder, "train", 1.5);
    write_set(folder, "clean", 1.5);
    write_set(folder, "other", 0);
    for (int i = 0; i < 3; i++) {
        gls_value *config = read_config(ctx, folder, monitors[i]);
        gls_run *run;
        gls_run_result result;
        double figure;
        snprintf(out, sizeof out, "%s/%s-out", folder, monitors[i]);
        gls_run_options options = {.size = sizeof options, .config = config, .folder = out};
        assert_ok(ctx, gls_run_create(ctx, &options, &run));
        assert_ok(ctx, gls_run_train(run, &result));
        gls_run_destroy(run);
        gls_value_destroy(ctx, config);
        snprintf(path, sizeof path, "%s/result.json", out);
        json_t *all = json_load_file(path, 0, NULL);
        check(json_object_get(all, "tests"), "clean", 1.5, best[i]);
        check(json_object_get(all, "tests"), "other", 0, best[i]);
        json_decref(all);
        assert_ok(ctx, gls_run_saved_figure(ctx, out, "other_loss", 2, &figure));
        assert_true(fabs(figure - pow(1.5 * (1 - 0.64), 2) / 2) < 1e-6);
    }
    remove_tree(folder);
    gls_context_destroy(ctx);
}

static void refuses_names(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"data: {format: gaussians, train_size: 9, tests: {test: a.npy}}\n", "not one of the run's own"},
        {"data: {format: gaussians, train_size: 9, tests: {full: a.npy}}\n", "found 'full'"},
        {"data: {format: gaussians, train_size: 9, tests: {final_test: a.npy}}\n", "found 'final_test'"},
        {"data: {format: gaussians, train_size: 9, tests: {a b: a.npy}}\n", "found 'a b'"},
        {"data: {format: gaussians, train_size: 9, tests: [a.npy]}\n", "expected a map"},
        {"data: {format: gaussians, train_size: 9}\ntrain: {monitor: clean}\n", "found 'clean'"},
        {"data: {format: gaussians, train_size: 9, tests: {clean: a.npy}}\n", "reads no file"}};
    gls_context *ctx = make_context(1, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[256];
        gls_run *run;
        snprintf(text, sizeof text, "%smodel: softmax\nmethod: sgd\n", wrong[i][0]);
        gls_value *config = config_from(ctx, text);
        gls_run_options options = {.size = sizeof options, .config = config};
        assert_int_equal(gls_run_create(ctx, &options, &run), GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), wrong[i][1])) fail_msg("%s", gls_context_message(ctx));
        gls_value_destroy(ctx, config);
    }
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scored_at_the_end_and_at_best),
                                       cmocka_unit_test(refuses_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
