/* train.time covers all of a run's work, and final losses of the training set are an option. */
#include "support.h"

#include <time.h>

#include "data/source.h"
#include "patience.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static gls_run *make_run(gls_context *ctx, const char *train, gls_value **config) {
    char text[512];
    snprintf(text, sizeof text,
             "data: {format: gaussians, train_size: 201, test_size: 50}\nmodel: {name: logistic}\n"
             "method: {name: sgd, lr: 0.1}\ntrain: {steps: 6, batch: 20, threads: 1, %s}\n",
             train);
    *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = *config};
    gls_run *run = NULL;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    return run;
}

/* Mean of log(1 + exp(-y z)) over examples floor(i n / count), from the margins z of the whole set. */
static double expected_loss(gls_context *ctx, gls_run *run, int64_t count) {
    const gls_source *set = gls_run_train_set(run);
    int64_t n = gls_source_info(set)->examples;
    gls_loader *loader = NULL;
    gls_stream *rows = NULL;
    gls_real z[256];
    int32_t label[256];
    assert_true(n <= 256);
    assert_ok(ctx, gls_run_loader(run, set, &loader));
    assert_ok(ctx, gls_loader_whole(loader, &rows));
    assert_ok(ctx, gls_pass_outputs(gls_run_pass(run), gls_run_weights(run), rows, z));
    gls_loader_destroy(loader);
    assert_ok(ctx, gls_source_targets(set, ctx, label, NULL));
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = i * n / count;
        sum += log1p(exp(label[at] ? -(double)z[at] : (double)z[at]));
    }
    return sum / (double)count;
}

static void the_training_loss_is_over_what_was_asked(void **state) {
    static const struct {
        const char *key;
        int64_t examples;
    } cases[] = {{"final_train: all", 201}, {"final_train: 7", 7}, {"final_train: 1000", 201}, {"final_train: 0", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gls_context *ctx = make_context(1, 1);
        gls_value *config;
        gls_run *run = make_run(ctx, cases[i].key, &config);
        gls_run_result result;
        assert_ok(ctx, gls_run_train(run, &result));
        assert_int_equal(result.train_examples, cases[i].examples);
        char *json = gls_run_result_json(run, &result);
        if (cases[i].examples) {
            double expected = expected_loss(ctx, run, cases[i].examples);
            if (!(fabs(result.train_loss - expected) < 1e-5 * expected))
                fail_msg("%s: %.9g, expected %.9g", cases[i].key, result.train_loss, expected);
        } else {
            assert_true(isnan(result.train_loss));
            assert_non_null(strstr(json, "\"train_loss\": null"));
        }
        assert_true(isfinite(result.test_loss));
        assert_int_equal(strstr(json, "\"train_examples\": 7") != NULL, cases[i].examples == 7);
        gls_free(ctx, json);
        gls_run_destroy(run);
        gls_value_destroy(ctx, config);
        gls_context_destroy(ctx);
    }
}

/* A network whose training set takes far longer to evaluate than the run may take: 440 GFLOP on one thread. */
static void the_limit_covers_the_end(void **state) {
    const double limit = 5 * patience();
    char top[64], folder[96], text[400];
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    gls_context *ctx = make_context(1, 1);
    snprintf(text, sizeof text,
             "data: {format: gaussians, features: 20, train_size: 50000, test_size: 20}\n"
             "model: {name: mlp, hidden: [2048, 2048]}\nmethod: {name: sgd, lr: 0.001}\n"
             "train: {time: %gs, batch: 4, threads: 1, validate_every: 0}\n",
             limit);
    gls_value *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = config, .folder = folder};
    gls_run *run = NULL;
    gls_run_result result;
    double began = now();
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    assert_ok(ctx, gls_run_train(run, &result));
    double took = now() - began;
    assert_int_equal(result.stopped, GLS_STOP_TIME);
    assert_true(result.steps > 0);
    assert_true(result.train_examples < 50000);
    if (!(took < 1.25 * limit)) fail_msg("%g s of %g s", took, limit);
    if (!(fabs(result.seconds - took) < 0.15 * took)) fail_msg("said %g s, took %g s", result.seconds, took);
    assert_true(isfinite(result.test_loss));
    char path[160];
    snprintf(path, sizeof path, "%s/final.safetensors", folder);
    assert_int_equal(access(path, F_OK), 0);
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    remove_tree(top);
}

/* Seconds add up over sessions, and the time of the end belongs to them. */
static void seconds_are_all_seconds(void **state) {
    gls_context *ctx = make_context(1, 1);
    gls_value *config;
    double began = now();
    gls_run *run = make_run(ctx, "final_train: all", &config);
    usleep(300000); /* the caller's own work before the first step is part of the run */
    gls_run_result result;
    assert_ok(ctx, gls_run_train(run, &result));
    double took = now() - began;
    assert_true(result.seconds > 0.3 && result.seconds <= took && result.seconds > took - 0.2);
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_training_loss_is_over_what_was_asked),
                                       cmocka_unit_test(the_limit_covers_the_end),
                                       cmocka_unit_test(seconds_are_all_seconds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
