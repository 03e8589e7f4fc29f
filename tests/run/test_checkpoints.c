/* Runs that go on from what others left: resumed after any step, begun with the weights of another, and from an older
 * checkpoint where the newest is damaged. */
#include "trained.h"

/* A run stopped after any step and resumed, twice, ends with the bits of the whole one and the same trace, for methods
 * and settings with state. */
static void resumes(void **state) {
    (void)state;
    static const char *const variants[][5] = {
        {"method={name: adam, lr: 0.01}"},
        {"method.lr={from: 0.1, name: cosine, warmup: 5s}"},
        {"train.average=exponential", "train.replacement=true"},
        {"train.average=triggered", "train.validation=0.2", "train.validate_every=3s"},
        {"train.batch_schedule={name: geometric, factor: 2, every: 1}"},
        {"model={name: mlp, hidden: [16], dropout: 0.2}", "estimator={name: microbatch, microbatch: 16}"},
        {"model={name: mlp, hidden: [16], norm: batch}", "train.average=drawn"},
        {"model={name: mlp, hidden: [16], norm: batch, bn_group: 8}", "estimator={name: microbatch, microbatch: 16}",
         "measure={loss: {every: 2s, mode: train, sample: 64}}", "train.threads=2"},
        {"method={name: singd}"},
        {"measure={time_averages: {every: 1s}, gradient_diversity: {every: 3s, sample: 64}, equilibrium_ratio: {every: "
         "2s}}"},
    };
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        char whole[64], parts[64];
        outcome a = train(fresh_folder(whole), false, NULL, variants[v]);
        must_be_ok(&a);
        fresh_folder(parts);
        static const int64_t stops[] = {4, 13, 0};
        outcome b = {0};
        for (int i = 0; i < 3; i++) {
            stopper s = {.at = stops[i]};
            gls_observer observer = {.name = "stopper", .every = {1, true}, .user = &s, .step = stop_at};
            outcome_clear(&b);
            b = train(parts, i > 0, &observer, variants[v]);
            must_be_ok(&b);
            if (stops[i]) assert_int_equal(b.result.stopped, GLS_STOP_INTERRUPTED);
        }
        if (!same_weights(&a, &b)) fail_msg("other bits with %s", variants[v][0]);
        assert_true(a.result.train_loss == b.result.train_loss);
        assert_int_equal(a.result.steps, b.result.steps);
        assert_true(count_lines(whole, true) == count_lines(parts, true));
        outcome_clear(&a);
        outcome_clear(&b);
        remove_tree(whole);
        remove_tree(parts);
    }
}

/* Weights from another run begin where that one ended; of another model those blocks are taken that fit, and nothing is
 * taken where none does. */
static void begins_from_a_run(void **state) {
    (void)state;
    char folder[64];
    outcome a = train(fresh_folder(folder), false, NULL, NULL);
    must_be_ok(&a);
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, small);
    gls_run_options wanted = {.size = sizeof wanted, .config = config, .from = folder};
    gls_run *run;
    assert_ok(ctx, gls_run_create(ctx, &wanted, &run));
    assert_ok(ctx, gls_run_begin(run));
    assert_memory_equal(a.w, gls_run_weights(run), sizeof *a.w * (size_t)a.size);
    assert_int_equal(gls_run_steps(run), 0);
    gls_run_destroy(run);
    assert_ok(ctx, gls_config_set(ctx, config, "model={name: mlp, hidden: [8]}"));
    assert_ok(ctx, gls_run_create(ctx, &wanted, &run));
    assert_int_equal(gls_run_begin(run), GLS_ERR_INPUT);
    assert_says(ctx, "none of its arrays fits a block of this model");
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    outcome_clear(&a);
    remove_tree(folder);
}

static void damage(const char *folder, const char *file) {
    char path[200];
    snprintf(path, sizeof path, "%s/checkpoints/%s", folder, file);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, -5, SEEK_END);
    int c = fgetc(f);
    fseek(f, -5, SEEK_END);
    fputc(c ^ 1, f);
    fclose(f);
}

/* A damaged newest checkpoint is passed over for the one before; with none left the run says so. */
static void falls_back_to_an_older_checkpoint(void **state) {
    (void)state;
    char folder[64];
    const char *const settings[] = {"train.checkpoint_every=10s", "train.validate_every=0", NULL};
    outcome a = train(fresh_folder(folder), false, NULL, settings), b, c;
    must_be_ok(&a);
    damage(folder, "step-000000000030.safetensors");
    b = train(folder, true, NULL, settings);
    must_be_ok(&b);
    assert_true(same_weights(&a, &b));
    damage(folder, "step-000000000020.safetensors");
    damage(folder, "step-000000000030.safetensors");
    c = train(folder, true, NULL, settings);
    assert_int_equal(c.status, GLS_ERR_INPUT);
    assert_non_null(strstr(c.message, "none of its 2 checkpoints can be read"));
    outcome d = train(folder, false, NULL, settings);
    assert_int_equal(d.status, GLS_ERR_ARGUMENT);
    assert_non_null(strstr(d.message, "already holds a run"));
    outcome_clear(&a);
    outcome_clear(&b);
    outcome_clear(&c);
    outcome_clear(&d);
    remove_tree(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(resumes), cmocka_unit_test(begins_from_a_run),
                                       cmocka_unit_test(falls_back_to_an_older_checkpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
