/* plan.precision: what a run in bf16 says and saves, that it goes on as it was, and what is refused. */
#include "support.h"

#include "base/io.h"
#include "run/loop/run.h"

static char top[64];

static int enter(void **state) {
    (void)state;
    fresh_folder(top);
    return 0;
}

static int leave(void **state) {
    (void)state;
    remove_tree(top);
    return 0;
}

/* A network on gaussians in a folder of `top`; more: further settings. */
static gls_status start(gls_context *ctx, const char *model, const char *plan, const char *name, bool resume,
                        const char *more, gls_run **out) {
    char text[500], folder[96];
    snprintf(text, sizeof text,
             "data: {format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 8}\nmodel: %s\n"
             "method: {name: adam, lr: 0.01}\nestimator: {name: clip_norm, bound: 1}\n"
             "train: {batch: 20, validation: 0.1, checkpoint_every: 3}\n%s",
             model, plan);
    snprintf(folder, sizeof folder, "%s/%s", top, name);
    gls_value *config = config_from(ctx, text);
    if (more) assert_ok(ctx, gls_config_set(ctx, config, more));
    gls_run_options options = {.size = sizeof options, .config = config, .folder = folder, .resume = resume};
    gls_status status = gls_run_create(ctx, &options, out);
    gls_value_destroy(ctx, config);
    return status;
}

static const char *const native = "plan: {precision: bf16}\n";
static const char *const mlp = "{name: mlp, hidden: [16, 8]}", *const bf16 = "plan: {precision: bf16, emulate: true}\n";

static void train(int threads, const char *plan, const char *name, bool resume, const char *more) {
    gls_context *ctx = make_context(1, threads);
    gls_run *run;
    gls_run_result result;
    assert_ok(ctx, start(ctx, mlp, plan, name, resume, more, &run));
    assert_ok(ctx, gls_run_train(run, &result));
    gls_run_destroy(run);
    gls_context_destroy(ctx);
}

static char *content(const char *name, const char *file, int64_t *size) {
    gls_context *ctx = make_context(1, 1);
    char path[160], *text;
    snprintf(path, sizeof path, "%s/%s/%s", top, name, file);
    assert_ok(ctx, gls_read_file(ctx, path, 1 << 20, &text, size));
    char *copy = calloc((size_t)*size + 1, 1);
    memcpy(copy, text, (size_t)*size);
    gls_free(ctx, text);
    gls_context_destroy(ctx);
    return copy;
}

static bool same_file(const char *a, const char *b, const char *file) {
    int64_t size[2];
    char *of[] = {content(a, file, &size[0]), content(b, file, &size[1])};
    bool same = size[0] == size[1] && memcmp(of[0], of[1], (size_t)size[0]) == 0;
    free(of[0]);
    free(of[1]);
    return same;
}

static void goes_on(const char *plan, const char *emulates) {
    train(1, plan, "whole", false, "train.steps=18");
    train(3, plan, "parts", false, "train.steps=7");
    train(2, plan, "parts", true, "train.steps=18");
    train(1, "", "float", false, "train.steps=18");
    assert_true(same_file("whole", "parts", "final.safetensors"));
    assert_false(same_file("whole", "float", "final.safetensors"));
    int64_t size;
    char *config = content("parts", "config.yaml", &size);
    assert_non_null(strstr(config, "precision: bf16"));
    assert_non_null(strstr(config, emulates));
    free(config);
}

/* Where the processor has no products in bf16, a run says so before it has made a folder. */
static void a_resumed_run_goes_on_in_the_processors_bf16(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_run *run = NULL;
    gls_status status = start(ctx, mlp, native, "asked", false, "train.steps=2", &run);
    gls_run_destroy(run);
    if (status != GLS_OK) assert_says(ctx, sizeof(gls_real) == 4 ? "AVX512-BF16" : "this command computes in double");
    gls_context_destroy(ctx);
    if (status != GLS_OK) skip();
    goes_on(native, "emulate: false");
}

static void a_resumed_run_goes_on_in_bf16(void **state) {
    (void)state;
    if (sizeof(gls_real) != 4) skip();
    goes_on(bf16, "emulate: true");
    char *config;
    int64_t size;
    config = content("float", "config.yaml", &size);
    assert_non_null(strstr(config, "precision: float"));
    assert_null(strstr(config, "emulate"));
    free(config);
}

static void the_summary_names_it(void **state) {
    (void)state;
    if (sizeof(gls_real) != 4) skip();
    gls_context *ctx = make_context(1, 1);
    gls_run *run;
    assert_ok(ctx, start(ctx, mlp, bf16, "said", false, "train.steps=2", &run));
    char *text = gls_run_summary(run);
    assert_non_null(strstr(text, "bf16 precision"));
    gls_free(ctx, text);
    gls_run_destroy(run);
    gls_context_destroy(ctx);
}

static void refused(const char *model, const char *plan, const char *name, bool resume, const char *more,
                    const char *words) {
    gls_context *ctx = make_context(1, 1);
    gls_run *run = NULL;
    gls_status status = start(ctx, model, plan, name, resume, more, &run);
    if (status == GLS_OK) status = gls_run_begin(run);
    assert_true(status == GLS_ERR_ARGUMENT || status == GLS_ERR_UNSUPPORTED);
    assert_says(ctx, words);
    gls_run_destroy(run);
    gls_context_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    bool single = sizeof(gls_real) == 4;
    refused(mlp, "plan: {precision: fp16}\n", "no", false, NULL, "expected float, double or bf16, found 'fp16'");
    refused(mlp, bf16, "no", false, "plan.precision=null", "plan.emulate says how to compute in bf16");
    if (!single) {
        refused(mlp, bf16, "no", false, NULL, "this run uses bf16, but this command computes in double; use glissade");
        return;
    }
    setenv("GLS_CPU", "portable", 1); /* no products of the processor's own */
    refused(mlp, native, "no", false, NULL, "plan.emulate: true");
    unsetenv("GLS_CPU");
    refused("softmax", bf16, "no", false, NULL, "bf16 is for networks");
    train(1, bf16, "was", false, "train.steps=4");
    refused(mlp, "plan: {precision: float}\n", "was", true, "train.steps=8", "plan.precision was 'bf16'");
    train(1, "", "other", false, "train.steps=4");
    refused(mlp, bf16, "other", true, "train.steps=8", "plan");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_resumed_run_goes_on_in_bf16, enter, leave),
        cmocka_unit_test_setup_teardown(a_resumed_run_goes_on_in_the_processors_bf16, enter, leave),
        cmocka_unit_test_setup_teardown(the_summary_names_it, enter, leave),
        cmocka_unit_test_setup_teardown(refusals, enter, leave),
    };
    return cmocka_run_group_tests_name("run_precision", tests, NULL, NULL);
}
