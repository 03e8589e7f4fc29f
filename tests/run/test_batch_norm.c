/* Batch norm over one row: refused where it is configured; where the last span of a mini-batch is one row, it leaves
 * the running statistics alone, and that is said once. */
#include "support.h"

typedef struct heard {
    int warnings;
    char last[400];
} heard;

static void hear(void *user, gls_log_level level, const char *message) {
    heard *h = user;
    if (level != GLS_LOG_WARNING || !strstr(message, "batch norm")) return;
    h->warnings++;
    snprintf(h->last, sizeof h->last, "%s", message);
}

static gls_context *listening(heard *h) {
    gls_context_options options = {.size = sizeof options, .threads = 1, .seed = 1, .log = hear, .log_user = h};
    gls_context *ctx;
    *h = (heard){0};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

/* `model` on so many rows of 4 features, or of glyphs. */
static gls_status start(gls_context *ctx, int rows, const char *model, const char *train, gls_run **out) {
    char text[600];
    bool glyphs = strstr(model, "conv") != NULL;
    snprintf(text, sizeof text,
             "data: {format: %s, train_size: %d, test_size: 10%s}\nmodel: %s\nmethod: {name: sgd, lr: 0.01}\n"
             "train: {threads: 1, validate_every: 0, %s}\n",
             glyphs ? "glyphs" : "gaussians", rows, glyphs ? "" : ", features: 4, classes: 2", model, train);
    gls_value *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = config};
    gls_status status = gls_run_create(ctx, &options, out);
    gls_value_destroy(ctx, config);
    return status;
}

static void one_row_is_refused_where_it_is_configured(void **state) {
    (void)state;
    static const char *const bad[][3] = {
        {"{name: mlp, hidden: [3], norm: batch}", "batch: 1", "train.batch is 1: batch norm over 1 row"},
        {"{name: mlp, hidden: [3], norm: batch}", "batch: 8, bn_span: 1", "train.bn_span is 1"},
        {"{name: mlp, hidden: [3], norm: batch, bn_group: 1}", "batch: 8", "model.bn_group is 1"},
    };
    heard h;
    gls_context *ctx = listening(&h);
    gls_run *run;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(start(ctx, 20, bad[i][0], bad[i][1], &run), GLS_ERR_ARGUMENT);
        assert_says(ctx, bad[i][2]);
    }
    assert_int_equal(start(ctx, 1, "{name: mlp, hidden: [3], norm: batch}", "batch: all", &run), GLS_ERR_ARGUMENT);
    assert_says(ctx, "train.batch is 1");
    /* Over the positions of one image there is a variance, and layer norm needs no other row. */
    static const char *const good[] = {
        "{name: layers, layers: [{conv: {channels: 2}}, batch_norm, flatten, {dense: {units: 10}}]}",
        "{name: mlp, hidden: [3], norm: layer}"};
    for (int i = 0; i < 2; i++) {
        assert_ok(ctx, start(ctx, 20, good[i], "batch: 1", &run));
        gls_run_destroy(run);
    }
    gls_context_destroy(ctx);
}

/* The state of a network with one batch norm: running mean [3] and variance [3]. */
static void take_state(gls_run *run, gls_real state[6]) {
    const gls_problem *p = gls_run_problem(run);
    assert_int_equal(gls_layout_size(p->state_layout), 6);
    memcpy(state, p->state, 6 * sizeof *state);
}

/* 9 rows: two mini-batches of 4 and one of a single row, which changes nothing, epoch after epoch. */
static void a_last_span_of_one_leaves_the_statistics_alone(void **state) {
    (void)state;
    static const char *const trains[] = {"epochs: 3, batch: 4", "epochs: 3, batch: 9, bn_span: 4"};
    static const int steps[] = {9, 3};
    for (int k = 0; k < 2; k++) {
        heard h;
        gls_context *ctx = listening(&h);
        gls_run *run;
        bool done;
        gls_real before[6], after[6];
        assert_ok(ctx, start(ctx, 9, "{name: mlp, hidden: [3], norm: batch}", trains[k], &run));
        for (int s = 0; s < steps[k]; s++) {
            take_state(run, before);
            assert_ok(ctx, gls_run_step(run, &done));
            take_state(run, after);
            bool moved = memcmp(before, after, sizeof after) != 0;
            assert_int_equal(moved, k == 1 || s % 3 != 2);
            for (int c = 3; c < 6; c++) assert_true(after[c] > 0.01 && after[c] < 100);
        }
        assert_int_equal(h.warnings, 1);
        assert_non_null(strstr(h.last, "ends with 1 row"));
        gls_run_destroy(run);
        gls_context_destroy(ctx);
    }
}

/* What the spans of four rows leave is the same with and without the ninth row: one step at a rate that moves nothing.
 */
static void spans_before_it_count(void **state) {
    (void)state;
    heard h;
    gls_context *ctx = listening(&h);
    gls_real with[6], without[6];
    for (int k = 0; k < 2; k++) {
        gls_run *run;
        bool done;
        assert_ok(ctx, start(ctx, k ? 8 : 9, "{name: mlp, hidden: [3], norm: batch}",
                             "steps: 1, shuffle: false, batch: all, bn_span: 4", &run));
        assert_ok(ctx, gls_run_step(run, &done));
        take_state(run, k ? without : with);
        gls_run_destroy(run);
    }
    assert_memory_equal(with, without, sizeof with);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_is_refused_where_it_is_configured),
        cmocka_unit_test(a_last_span_of_one_leaves_the_statistics_alone),
        cmocka_unit_test(spans_before_it_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
