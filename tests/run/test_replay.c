/* Replay against the method's own step, and against estimators written out here. */
#include "support.h"

enum { STEPS = 40, BATCH = 12, SIZE = 17 };

static void fill(gls_real *x, int64_t n, uint64_t seed) {
    gls_random random = gls_random_create(seed, "test", 0, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (gls_real)gls_random_normal(&random);
}

static gls_real gradients[STEPS * BATCH * SIZE], w[SIZE], trajectory[(STEPS + 1) * SIZE], init[SIZE];

/* Without an estimator: step by step the same bits as gls_method_step in a loop, for several methods. */
static void equals_steps(void **state) {
    gls_context *ctx = *state;
    static const char *const methods[] = {"sgd", "msgd", "nag", "adam", "sngm", "acclip", "gclip", "lamb"};
    fill(gradients, STEPS * SIZE, 1);
    fill(init, SIZE, 2);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        char text[64];
        snprintf(text, sizeof text, "method: {name: %s, lr: 0.03}", methods[m]);
        gls_value *config = config_from(ctx, text);
        gls_replay_options options = {.size = sizeof options,
                                      .gradients = gradients,
                                      .steps = STEPS,
                                      .examples = 1,
                                      .parameters = SIZE,
                                      .method = gls_value_get(config, "method"),
                                      .init = init,
                                      .trajectory = trajectory};
        assert_ok(ctx, gls_replay(ctx, &options, w, NULL));
        gls_real own[SIZE];
        memcpy(own, init, sizeof own);
        gls_method *method;
        assert_ok(ctx, gls_method_create_named(ctx, methods[m], SIZE, &method));
        assert_ok(ctx, gls_method_set(method, "lr", 0.03));
        for (int t = 0; t < STEPS; t++) {
            assert_memory_equal(own, trajectory + t * SIZE, sizeof own);
            assert_ok(ctx, gls_method_step(method, own, gradients + t * SIZE, NULL));
        }
        assert_memory_equal(own, w, sizeof own);
        assert_memory_equal(own, trajectory + STEPS * SIZE, sizeof own);
        gls_method_destroy(method);
        gls_value_destroy(ctx, config);
    }
}

/* [M] algorithm 1 written out in double: each micro-batch's mean scaled to the smallest norm, then the mean. */
static void reference_microbatch(const gls_real *g, int b, double out[SIZE]) {
    double mean[BATCH][SIZE] = {{0}}, norm[BATCH] = {0}, rho = INFINITY;
    int count = BATCH / b;
    for (int j = 0; j < count; j++) {
        for (int i = 0; i < b; i++)
            for (int k = 0; k < SIZE; k++) mean[j][k] += (double)g[(j * b + i) * SIZE + k] / b;
        for (int k = 0; k < SIZE; k++) norm[j] += mean[j][k] * mean[j][k];
        norm[j] = sqrt(norm[j]);
        rho = norm[j] < rho ? norm[j] : rho;
    }
    for (int k = 0; k < SIZE; k++) {
        out[k] = 0;
        for (int j = 0; j < count; j++) out[k] += rho / norm[j] * mean[j][k] / count;
    }
}

static void equals_microbatch_clipping(void **state) {
    gls_context *ctx = *state;
    fill(gradients, STEPS * BATCH * SIZE, 3);
    gls_value *config = config_from(ctx, "method: {name: sgd, lr: 1}\nestimator: {name: microbatch, microbatch: 4}");
    gls_replay_options options = {.size = sizeof options,
                                  .gradients = gradients,
                                  .steps = STEPS,
                                  .examples = BATCH,
                                  .parameters = SIZE,
                                  .method = gls_value_get(config, "method"),
                                  .estimator = gls_value_get(config, "estimator")};
    assert_ok(ctx, gls_replay(ctx, &options, w, NULL));
    double expected[SIZE] = {0}, g[SIZE];
    for (int t = 0; t < STEPS; t++) {
        reference_microbatch(gradients + t * BATCH * SIZE, 4, g);
        for (int k = 0; k < SIZE; k++) expected[k] -= g[k];
    }
    for (int k = 0; k < SIZE; k++)
        assert_true(fabs(expected[k] - (double)w[k]) < (sizeof(gls_real) == 4 ? 2e-5 : 1e-12));
    gls_value_destroy(ctx, config);
}

/* What cannot be played is refused with a sentence. */
static void refuses(void **state) {
    gls_context *ctx = *state;
    fill(gradients, STEPS * SIZE, 1);
    gls_value *config = config_from(ctx, "method: sgd\nbad: {name: sgd, lr: -1}\ngood: {name: sgd, lr: 1}");
    gls_replay_options options = {.size = sizeof options,
                                  .gradients = gradients,
                                  .steps = STEPS,
                                  .examples = 3,
                                  .parameters = SIZE,
                                  .method = gls_value_get(config, "good")};
    assert_int_equal(gls_replay(ctx, &options, w, NULL), GLS_ERR_ARGUMENT);
    assert_says(ctx, "estimator");
    options.examples = 1;
    options.method = gls_value_get(config, "bad");
    assert_int_equal(gls_replay(ctx, &options, w, NULL), GLS_ERR_ARGUMENT);
    assert_says(ctx, "lr");
    options.method = gls_value_get(config, "good");
    gradients[5 * SIZE + 2] = NAN;
    assert_int_equal(gls_replay(ctx, &options, w, NULL), GLS_ERR_NONFINITE);
    assert_says(ctx, "gradient 6 of 40");
    gls_value_destroy(ctx, config);
}

static int setup(void **state) {
    *state = make_context(1, 1);
    return 0;
}

static int teardown(void **state) {
    gls_context_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_steps),
        cmocka_unit_test(equals_microbatch_clipping),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
