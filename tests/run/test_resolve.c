/* The configuration of a run folder holds every default: it repeats the run to the bit and the configuration to the
 * letter, also where defaults have changed since; and what it names wrongly is said before data are read. */
#include "support.h"

#define DATA "data: {format: glyphs, train_size: 60, test_size: 20}\n"

static const char *const kinds[] = {
    DATA "model: softmax\nmethod: {name: sgd, lr: 0.1}\ntrain: {epochs: 1, batch: 16}\n",
    DATA
    "model: {name: mlp, hidden: [8, 6], dropout: 0.1}\n"
    "estimator: [{name: microbatch, microbatch: 4}, {name: clip_norm, bound: 1}]\n"
    "method: {name: msgd, lr: {name: poly, warmup: 1}, beta: 0.9, groups: [{match: '*bias', lr: {name: cosine}}]}\n"
    "train: {epochs: 2, batch: 8, average: exponential, batch_schedule: {name: step, at: [1], maximum: 16}}\n",
    "data: {train_size: 40, test_size: 10, transforms: [{label_noise: 0.1}, {replicate: 2},\n"
    "  {insert: {fraction: 0.1, kind: foreign, source: {format: glyphs, train_size: 30}}}], standardize: true}\n"
    "model: {name: layers, layers: [{conv: {channels: 3}}, relu, flatten, {dense: {units: 10}}]}\n"
    "estimator: {name: normalized, microbatch: 4}\n"
    "method: {name: nag, from_theory: {theorem: nag, L: 10, mu: 0.1}}\n"
    "train: {epochs: 1, batch: 16}\n"
    "measure: {noise: {every: 2s, sample: 8}, time_averages: }\n",
    DATA "model: {name: softmax, l2: 1e-3}\nmethod: acclip\nschedule: {name: cosine, from: 0.01}\n"
         "train: {epochs: 2, batch: 16, average: none, validation: 0.2}\n",
};

/* A run of a configuration: its final weights [*size], from malloc, and its configuration as a text. */
static gls_real *train(gls_context *ctx, const gls_value *config, const char *folder, bool resume, size_t *size) {
    gls_run_options options = {.size = sizeof options, .config = config, .folder = folder, .resume = resume};
    gls_run *run;
    gls_run_result result;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    assert_ok(ctx, gls_run_train(run, &result));
    *size = sizeof(gls_real) * (size_t)gls_problem_size(gls_run_problem(run));
    gls_real *w = memcpy(malloc(*size), gls_run_weights(run), *size);
    gls_run_destroy(run);
    return w;
}

static char *config_path(const char *folder, char path[200]) {
    snprintf(path, 200, "%s/config.yaml", folder);
    return path;
}

static void repeats_itself(void **state) {
    gls_context *ctx = *state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char first[64], second[64], path[200], again[200];
        size_t size, other;
        gls_value *config = config_from(ctx, kinds[k]), *written, *rewritten;
        gls_real *a = train(ctx, config, fresh_folder(first), false, &size);
        assert_ok(ctx, gls_config_read(ctx, config_path(first, path), &written));
        gls_real *b = train(ctx, written, fresh_folder(second), false, &other);
        assert_int_equal(size, other);
        if (memcmp(a, b, size) != 0) fail_msg("other bits: %s", kinds[k]);
        assert_ok(ctx, gls_config_read(ctx, config_path(second, again), &rewritten));
        char *text = gls_config_text(ctx, written), *more = gls_config_text(ctx, rewritten);
        assert_string_equal(text, more);
        gls_free(ctx, text);
        gls_free(ctx, more);
        gls_value_destroy(ctx, written);
        gls_value_destroy(ctx, rewritten);
        gls_value_destroy(ctx, config);
        free(a);
        free(b);
        remove_tree(first);
        remove_tree(second);
    }
}

/* An estimator whose only option has the default that its second table changes. */
typedef struct shrink_options {
    double factor;
} shrink_options;

static gls_status shrink_create(gls_stage *stage, const void *options) {
    *(double *)stage->self = ((const shrink_options *)options)->factor;
    return GLS_OK;
}

static gls_status shrink(gls_stage *stage, gls_real *g, gls_estimate *out, gls_record *record) {
    (void)record;
    double factor = *(const double *)stage->self;
    for (int64_t i = 0; i < gls_problem_size(stage->problem); i++) g[i] = (gls_real)(factor * (double)g[i]);
    out->norm2 *= factor * factor;
    return GLS_OK;
}

#define SHRINK(table)                                                                                                \
    {                                                                                                                \
        .member = {"shrink", "scales the estimate", "", table, sizeof(shrink_options)}, .self_size = sizeof(double), \
        .place = GLS_PLACE_WHOLE, .create = shrink_create, .whole = shrink                                           \
    }
static const gls_option old_table[] = {{"factor", GLS_OPTION_REAL, 0, "0.5", 0, 0, 0, NULL, "scale"}, {NULL}};
static const gls_option new_table[] = {{"factor", GLS_OPTION_REAL, 0, "0.25", 0, 0, 0, NULL, "scale"}, {NULL}};

static void outlives_changed_defaults(void **state) {
    (void)state;
    static const gls_estimator_type before = SHRINK(old_table), after = SHRINK(new_table);
    static const char text[] = DATA "model: softmax\nestimator: shrink\nmethod: {name: sgd, lr: 0.1}\n"
                                    "train: {epochs: 1, batch: 16, checkpoint_every: 2s}\n";
    char first[64], second[64], third[64], path[200];
    size_t size;
    gls_context *ctx = make_context(1, 1), *later = make_context(1, 1);
    assert_ok(ctx, gls_register_estimator(ctx, &before));
    assert_ok(later, gls_register_estimator(later, &after));
    gls_value *config = config_from(ctx, text), *written;
    gls_real *a = train(ctx, config, fresh_folder(first), false, &size);
    assert_ok(later, gls_config_read(later, config_path(first, path), &written));
    gls_real *b = train(later, written, fresh_folder(second), false, &size);
    gls_real *c = train(later, config, fresh_folder(third), false, &size);
    assert_memory_equal(a, b, size);
    assert_true(memcmp(a, c, size) != 0);
    gls_value_destroy(later, written);
    gls_value_destroy(ctx, config);
    gls_context_destroy(later);
    gls_context_destroy(ctx);
    free(a);
    free(b);
    free(c);
    remove_tree(first);
    remove_tree(second);
    remove_tree(third);
}

/* A folder whose configuration was written before defaults were filled in goes on, and is written anew. */
static void older_folders_go_on(void **state) {
    gls_context *ctx = *state;
    char whole[64], parts[64], path[200];
    size_t size;
    gls_value *config = config_from(ctx, kinds[1]), *old;
    gls_real *a = train(ctx, config, fresh_folder(whole), false, &size);
    fresh_folder(parts);
    gls_run_options options = {.size = sizeof options, .config = config, .folder = parts};
    gls_run *run;
    gls_run_result result;
    bool done;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    for (int i = 0; i < 3; i++) assert_ok(ctx, gls_run_step(run, &done));
    gls_interrupt(ctx);
    assert_ok(ctx, gls_run_train(run, &result));
    gls_interrupt_clear(ctx);
    gls_run_destroy(run);
    write_bytes(config_path(parts, path), kinds[1], strlen(kinds[1]));
    assert_ok(ctx, gls_config_read(ctx, path, &old));
    gls_real *b = train(ctx, old, parts, true, &size);
    assert_memory_equal(a, b, size);
    gls_value_destroy(ctx, old);
    gls_value_destroy(ctx, config);
    free(a);
    free(b);
    remove_tree(whole);
    remove_tree(parts);
}

/* The data file is not there, but something else is said: it was found first. */
static void checks_before_data_are_read(void **state) {
    gls_context *ctx = *state;
    static const char *const bad[][2] = {
        {"model: softmaxx\nmethod: sgd", "unknown model 'softmaxx'; did you mean 'softmax'?"},
        {"model: {name: mlp, hiden: 3}\nmethod: sgd", "did you mean 'hidden'?"},
        {"model: {name: layers, layers: [{conv: {chanels: 3}}]}\nmethod: sgd", "did you mean 'channels'?"},
        {"model: {name: layers, layers: [relo]}\nmethod: sgd", "unknown layer 'relo'; did you mean 'relu'?"},
        {"model: softmax\nmethod: sgdd", "unknown method 'sgdd'; did you mean 'sgd'?"},
        {"model: softmax\nmethod: {name: msgd, lr: -1}", "'lr' of method msgd"},
        {"model: softmax\nmethod: {name: msgd, lr: {name: polly}}", "unknown schedule 'polly'; did you mean 'poly'?"},
        {"model: softmax\nmethod: {name: msgd, lr: {name: poly, pwer: 2}}", "did you mean 'power'?"},
        {"model: softmax\nmethod: {name: msgd, groups: [{match: '*', betta: 0}]}", "did you mean 'beta'?"},
        {"model: softmax\nmethod: {name: msgd, lr: {from: 1}}\nschedule: cosine", "has a schedule already"},
        {"model: softmax\nmethod: sgd\nestimator: [mean, clipnorm]", "unknown estimator 'clipnorm'"},
        {"model: softmax\nmethod: sgd\nestimator: [{microbatch: 3}]", "or a map with `name`"},
        {"model: softmax\nmethod: sgd\nestimator: {name: microbatch, bond: 1}", "did you mean 'bound'?"},
        {"model: softmax\nmethod: sgd\nmeasure: {lss: }", "unknown measure 'lss'; did you mean 'loss'?"},
        {"model: softmax\nmethod: sgd\nmeasure: {noise: {smple: 3}}", "did you mean 'sample'?"},
        {"model: softmax\nmethod: sgd\nmeasure: {noise: {every: soon}}", "'every'"},
        {"model: softmax\nmethod: sgd\nmeasure: {stability: }", "compares two runs"},
        {"model: softmax\nmethod: sgd\nmeasure: [noise]", "expected measures by name"},
        {"model: softmax\nmethod: sgd\ntrain: {average: exponent}", "'name' of average"},
        {"model: softmax\nmethod: [sgd]", "method: expected keys and values, found a list"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_value *config = config_from(ctx, bad[i][0]);
        assert_ok(ctx, gls_config_set(ctx, config, "data={train: not-there}"));
        gls_run_options options = {.size = sizeof options, .config = config};
        gls_run *run;
        if (gls_run_create(ctx, &options, &run) != GLS_ERR_ARGUMENT) fail_msg("%s", bad[i][0]);
        assert_says(ctx, bad[i][1]);
        gls_value_destroy(ctx, config);
    }
    gls_value *config = config_from(ctx, "model: softmax\nmethod: sgd\n"
                                         "data: {train: not-there, transforms: [{label_noise: {fracton: 1}}]}\n");
    gls_run_options options = {.size = sizeof options, .config = config};
    gls_run *run;
    assert_int_equal(gls_run_create(ctx, &options, &run), GLS_ERR_ARGUMENT);
    assert_says(ctx, "did you mean 'fraction'?");
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
        cmocka_unit_test(repeats_itself),
        cmocka_unit_test(outlives_changed_defaults),
        cmocka_unit_test(older_folders_go_on),
        cmocka_unit_test(checks_before_data_are_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
