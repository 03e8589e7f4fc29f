/* Memory that runs out anywhere in a run, once or from then on: no crash, nothing kept, the status and a message say
 * so, no file is half-written, weights stay finite, and what lies in the folder resumes to the bits of the whole run.
 */
#include "support.h"

#include <dirent.h>
#include <glissade/search.h>

/* The step from one allocation to the next grows by one after so many. */
enum { STRIDE = 10 };

static const char *const variants[] = {
    "data: {format: glyphs, train_size: 24, test_size: 8, transforms: [{label_noise: 0.1}]}\n"
    "model: {name: mlp, hidden: [6], norm: batch}\n"
    "estimator: {name: mean}\n"
    "method: {name: adam, lr: {from: 0.01, name: cosine, warmup: 2s}, groups: [{match: '*bias*', lr: 0.1}]}\n"
    "train: {epochs: 2, batch: 8, threads: 1, workers: 0, checkpoint_every: 2s, validation: 0.2,\n"
    "  average: exponential, tensorboard: true, log_every: 1s, batch_schedule: {name: step, at: [1], factor: 2}}\n",
    "data: {format: gaussians, train_size: 24, test_size: 8}\n"
    "model: {name: softmax, l2: 1e-3}\n"
    "estimator: [{name: microbatch, microbatch: 4, ledger: true}, {name: clip_norm, bound: 1}]\n"
    "method: {name: msgd, lr: 0.05, beta: 0.9}\n"
    "measure: {noise_norm: {every: 2s, sample: 8}, time_averages: {every: 1s}, gradient_diversity: {every: 2s}}\n"
    "train: {epochs: 2, batch: 8, threads: 1, workers: 1, checkpoint_every: 2s}\n",
};

/* Lets memory run out after so many allocations, once or for good. */
static void grant(counting *c, int64_t granted, bool once) {
    c->left = granted;
    c->once = once;
    c->refused = 0;
}

static gls_context *run_context(counting *c) {
    *c = (counting){.left = -1};
    gls_allocator allocator = {counting_allocate, counting_release, c};
    gls_context_options options = {sizeof options, .threads = 1, .seed = 1, .allocator = &allocator};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

static void assert_out_of_memory(const gls_context *ctx, gls_status status, int64_t granted) {
    if (status != GLS_ERR_MEMORY)
        fail_msg("%lld granted: %s: %s", (long long)granted, gls_status_name(status), gls_context_message(ctx));
    if (!*gls_context_message(ctx)) fail_msg("%lld granted: no message", (long long)granted);
}

/* A failed run stays failed; its weights are finite. */
static void check_dead(gls_run *run, gls_status failed) {
    bool done;
    gls_run_result result;
    assert_int_equal(gls_run_step(run, &done), failed);
    assert_true(done);
    assert_int_equal(gls_run_finish(run, &result), failed);
    const gls_real *w = gls_run_weights(run);
    for (int64_t i = 0; i < gls_problem_size(gls_run_problem(run)); i++) assert_true(isfinite(w[i]));
}

typedef struct weights {
    gls_real *w;
    size_t bytes;
} weights;

static void take_weights(const gls_run *run, weights *out) {
    out->bytes = sizeof *out->w * (size_t)gls_problem_size(gls_run_problem(run));
    out->w = memcpy(malloc(out->bytes), gls_run_weights(run), out->bytes);
}

/* A whole run under the grant, and its words; its final weights into *out where it succeeds. */
static gls_status attempt(gls_context *ctx, counting *c, const gls_value *config, const char *folder, bool resume,
                          weights *out) {
    gls_run_options options = {.size = sizeof options, .config = config, .folder = folder, .resume = resume};
    gls_run *run = NULL;
    gls_run_result result;
    gls_status status = gls_run_create(ctx, &options, &run);
    if (status != GLS_OK) return status;
    status = gls_run_train(run, &result);
    if (status == GLS_OK) {
        take_weights(run, out);
        char *text = gls_run_result_json(run, &result), *summary = gls_run_summary(run);
        if (c->refused == 0) assert_true(text && summary);
        gls_free(ctx, text);
        gls_free(ctx, summary);
    } else {
        int64_t refused = c->refused;
        assert_out_of_memory(ctx, status, refused);
        grant(c, -1, false);
        check_dead(run, status);
        c->refused = refused;
    }
    gls_run_destroy(run);
    return status;
}

/* No temporary file lies in a folder. */
static void check_no_temporaries(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));)
        if (strstr(e->d_name, ".tmp") || strcmp(e->d_name, ".best") == 0) fail_msg("%s/%s was left", folder, e->d_name);
    closedir(dir);
}

static void check_folder(const char *folder) {
    char checkpoints[200];
    snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", folder);
    check_no_temporaries(folder);
    check_no_temporaries(checkpoints);
}

/* One allocation count: the run fails cleanly there, or comes through; either way its folder gives the whole run. True
 * once nothing was refused. */
static bool walk_one(gls_context *ctx, counting *c, const gls_value *config, const weights *whole, int64_t granted,
                     bool once) {
    char folder[64];
    fresh_folder(folder);
    weights got = {0};
    int64_t before = c->live;
    grant(c, granted, once);
    gls_status status = attempt(ctx, c, config, folder, false, &got);
    bool spared = c->refused == 0;
    grant(c, -1, false);
    if (c->live != before)
        fail_msg("%lld granted: %lld blocks were kept", (long long)granted, (long long)(c->live - before));
    check_folder(folder);
    if (status != GLS_OK) {
        assert_out_of_memory(ctx, status, granted);
        if (attempt(ctx, c, config, folder, true, &got))
            fail_msg("%lld granted, resumed: %s", (long long)granted, gls_context_message(ctx));
    }
    assert_int_equal(got.bytes, whole->bytes);
    assert_memory_equal(got.w, whole->w, whole->bytes);
    free(got.w);
    remove_tree(folder);
    return spared;
}

static void walk(const char *text, bool once) {
    counting c;
    gls_context *ctx = run_context(&c);
    gls_value *config = config_from(ctx, text);
    weights whole = {0};
    if (attempt(ctx, &c, config, NULL, false, &whole)) fail_msg("%s", gls_context_message(ctx));
    int64_t granted = 0;
    for (int64_t walked = 0; !walk_one(ctx, &c, config, &whole, granted, once); walked++)
        granted += 1 + walked / STRIDE;
    assert_true(granted > 100);
    free(whole.w);
    gls_value_destroy(ctx, config);
    counting_end(&c, ctx);
}

static void a_run_for_good(void **state) {
    (void)state;
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) walk(variants[v], false);
}

static void a_run_once(void **state) {
    (void)state;
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) walk(variants[v], true);
}

/* Reading, overriding, naming and writing a configuration, and an axis of a search. */
static gls_status attempt_config(gls_context *ctx) {
    gls_value *config = NULL;
    gls_sweep_axis axis = {0};
    char *text = NULL, *name = NULL;
    gls_status status = gls_config_preset(ctx, "demo-softmax-msgd", &config);
    if (status == GLS_OK) status = gls_config_set(ctx, config, "method={name: adam, lr: 0.1}");
    if (status == GLS_OK) status = gls_config_set(ctx, config, "schedule.name=cosine");
    if (status == GLS_OK) status = gls_sweep_axis_parse(ctx, "method.lr=0.1,0.3", &axis);
    if (status == GLS_OK && !(text = gls_config_text(ctx, config))) status = GLS_ERR_MEMORY;
    if (status == GLS_OK && !(name = gls_config_name(ctx, config))) status = GLS_ERR_MEMORY;
    gls_free(ctx, text);
    gls_free(ctx, name);
    gls_sweep_axis_clear(ctx, &axis);
    gls_value_destroy(ctx, config);
    return status;
}

static gls_status attempt_replay(gls_context *ctx) {
    const gls_real gradients[2 * 4 * 3] = {1, 2, 3, 4, 5, 6};
    gls_real w[3];
    gls_value *method = NULL, *estimator = NULL;
    gls_status status = gls_config_parse(ctx, "m", "{name: adam, lr: 0.1}", 21, &method);
    if (status == GLS_OK) status = gls_config_parse(ctx, "e", "{name: microbatch, microbatch: 2}", 33, &estimator);
    gls_replay_options options = {.size = sizeof options,
                                  .gradients = gradients,
                                  .steps = 2,
                                  .examples = 4,
                                  .parameters = 3,
                                  .method = method,
                                  .estimator = estimator};
    if (status == GLS_OK) status = gls_replay(ctx, &options, w, NULL);
    gls_value_destroy(ctx, method);
    gls_value_destroy(ctx, estimator);
    return status;
}

static void its_pieces(void **state) {
    (void)state;
    fail_each_allocation(attempt_config);
    fail_each_allocation(attempt_replay);
}

/* A search of two trials in a folder; the best's figure. Its runs take memory from the same place. */
static gls_status attempt_sweep(gls_context *ctx, counting *c, const gls_value *config, const char *folder,
                                double *best) {
    gls_allocator allocator = {counting_allocate, counting_release, c};
    gls_context_options setup = {sizeof setup, .allocator = &allocator};
    gls_sweep_axis axis = {0};
    gls_sweep *sweep = NULL;
    gls_sweep_options options = {.size = sizeof options,
                                 .config = config,
                                 .axis = &axis,
                                 .axes = 1,
                                 .seeds = 1,
                                 .first_seed = 1,
                                 .folder = folder,
                                 .context = &setup};
    gls_status status = gls_sweep_axis_parse(ctx, "method.lr=0.02,0.05", &axis);
    if (status == GLS_OK) status = gls_sweep_run(ctx, &options, &sweep);
    if (status == GLS_OK) *best = sweep->trial[0].selected.mean;
    gls_sweep_destroy(sweep);
    gls_sweep_axis_clear(ctx, &axis);
    return status;
}

static void a_search(void **state) {
    (void)state;
    counting c;
    gls_context *ctx = run_context(&c);
    gls_value *config = config_from(ctx, "data: {format: gaussians, train_size: 20, test_size: 4}\n"
                                         "model: softmax\nmethod: {name: sgd, lr: 0.1}\n"
                                         "train: {epochs: 1, batch: 10, threads: 1, workers: 0}\n");
    char folder[64];
    double whole = NAN, best = NAN;
    assert_ok(ctx, attempt_sweep(ctx, &c, config, fresh_folder(folder), &whole));
    remove_tree(folder);
    int64_t before = c.live, granted = 0;
    for (bool spared = false; !spared; granted += 1 + granted / 12) {
        fresh_folder(folder);
        grant(&c, granted, false);
        gls_status status = attempt_sweep(ctx, &c, config, folder, &best);
        spared = c.refused == 0;
        grant(&c, -1, false);
        assert_int_equal(c.live, before);
        if (status != GLS_OK) {
            assert_out_of_memory(ctx, status, granted);
            assert_ok(ctx, attempt_sweep(ctx, &c, config, folder, &best));
        }
        assert_true(best == whole);
        remove_tree(folder);
    }
    gls_value_destroy(ctx, config);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_for_good),
        cmocka_unit_test(a_run_once),
        cmocka_unit_test(its_pieces),
        cmocka_unit_test(a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
