/* A rate cut at plateaus: gradient descent on (w - 3/2)^2/2 from 0 at rate 2 jumps between 0 and 3 with a loss that
 * never improves; cut to 0.2 after two validations in a row without improvement, it settles. */
#include "support.h"

static double train(gls_context *ctx, const char *folder, const char *name, int epochs, bool resume) {
    char text[512], out[96];
    gls_run *run;
    gls_run_result result;
    snprintf(text, sizeof text,
             "data: {train: %s/one.svm}\nmodel: {name: least_squares, bias: false}\n"
             "method: {name: sgd, lr: {name: plateau, from: 2, factor: 0.1, patience: 2}}\n"
             "train: {epochs: %d, batch: all, monitor: train, threads: 1}\n",
             folder, epochs);
    gls_value *config = config_from(ctx, text);
    snprintf(out, sizeof out, "%s/%s", folder, name);
    gls_run_options options = {.size = sizeof options, .config = config, .folder = out, .resume = resume};
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    assert_ok(ctx, gls_run_train(run, &result));
    double w = (double)gls_run_weights(run)[0];
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    return w;
}

/* Steps 1 to 3 at rate 2: w = 3, 0, 3, validations best, stale, stale; then w = 1.5 + 1.5 0.8^k. */
static void cuts_and_remembers_over_a_resumption(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/one.svm", fresh_folder(folder));
    FILE *f = fopen(path, "w");
    fputs("1.5 1:1\n1.5 1:1\n", f);
    fclose(f);
    assert_true(fabs(train(ctx, folder, "a", 3, false) - 3) < 1e-6);
    double whole = train(ctx, folder, "b", 8, false);
    assert_true(fabs(whole - (1.5 + 1.5 * pow(0.8, 5))) < 1e-6);
    assert_true(fabs(train(ctx, folder, "c", 2, false)) < 1e-6); /* between the two stale ones */
    assert_true(train(ctx, folder, "c", 8, true) == whole);
    remove_tree(folder);
    gls_context_destroy(ctx);
}

static void refuses_without_validations(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"method: {name: sgd, lr: {name: plateau, from: 1}}\ntrain: {validate_every: 0}\n", "validate_every is 0"},
        {"method: sgd\ntrain: {batch_schedule: {name: plateau, from: 8}}\n", "fetched ahead"}};
    gls_context *ctx = make_context(1, 1);
    for (int i = 0; i < 2; i++) {
        char text[256];
        gls_run *run;
        snprintf(text, sizeof text, "data: {format: gaussians, train_size: 50}\nmodel: softmax\n%s", wrong[i][0]);
        gls_value *config = config_from(ctx, text);
        gls_run_options options = {.size = sizeof options, .config = config};
        assert_int_equal(gls_run_create(ctx, &options, &run), GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), wrong[i][1])) fail_msg("%s", gls_context_message(ctx));
        gls_value_destroy(ctx, config);
    }
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_and_remembers_over_a_resumption),
                                       cmocka_unit_test(refuses_without_validations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
