/* Configuration: YAML to values, errors with place and name, overrides, and back to text. */
#include "support.h"

static const char sample[] = "data: {format: glyphs, transforms: [{label_noise: 0.1}, flip]}\n"
                             "model: softmax\n"
                             "method:\n"
                             "  name: msgd\n"
                             "  lr: {from: 0.1, name: poly}\n"
                             "  groups: [{match: '*.bias', weight_decay: 0}]\n"
                             "train: {epochs: 3, average: null, note: \"12\"}\n";

static const char *text_at(const gls_value *config, const char *section, const char *key) {
    const gls_value *value = gls_value_get(gls_value_get(config, section), key);
    assert_non_null(value);
    return value->text;
}

/* Sections, lists, nulls, quotes and lines arrive as written. */
static void reads_values(void **state) {
    gls_context *ctx = *state;
    gls_value *config = config_from(ctx, sample);
    assert_string_equal(text_at(config, "method", "name"), "msgd");
    assert_string_equal(gls_value_get(config, "model")->text, "softmax");
    const gls_value *transforms = gls_value_get(gls_value_get(config, "data"), "transforms");
    assert_int_equal(transforms->kind, GLS_VALUE_LIST);
    assert_int_equal(transforms->count, 2);
    assert_string_equal(transforms->items[1]->text, "flip");
    assert_int_equal(gls_value_get(gls_value_get(config, "train"), "average")->kind, GLS_VALUE_NULL);
    assert_true(gls_value_get(gls_value_get(config, "train"), "note")->quoted);
    assert_int_equal(gls_value_get(gls_value_get(config, "method"), "lr")->line, 5);
    gls_value_destroy(ctx, config);
}

static bool same(const gls_value *a, const gls_value *b) {
    if (a->kind != b->kind || a->count != b->count || a->quoted != b->quoted) return false;
    if ((a->text == NULL) != (b->text == NULL) || (a->text && strcmp(a->text, b->text) != 0)) return false;
    if ((a->key == NULL) != (b->key == NULL) || (a->key && strcmp(a->key, b->key) != 0)) return false;
    for (int64_t i = 0; i < a->count; i++)
        if (!same(a->items[i], b->items[i])) return false;
    return true;
}

/* What is written reads back to the same tree, awkward texts included. */
static void writes_what_it_read(void **state) {
    gls_context *ctx = *state;
    gls_value *config = config_from(ctx, sample);
    assert_ok(ctx, gls_config_set(ctx, config, "name=\"a: b # c\\n\\\"d\\\"\""));
    assert_ok(ctx, gls_config_set(ctx, config, "train.empty=''"));
    assert_ok(ctx, gls_config_set(ctx, config, "train.number='1e-3'"));
    char *text = gls_config_text(ctx, config);
    assert_non_null(text);
    gls_value *again = config_from(ctx, text);
    assert_true(same(config, again));
    gls_free(ctx, text);
    gls_value_destroy(ctx, config);
    gls_value_destroy(ctx, again);
}

/* Overrides: values, braces, places in lists, sections that are missing or were bare names. */
static void overrides(void **state) {
    gls_context *ctx = *state;
    gls_value *config = config_from(ctx, sample);
    assert_ok(ctx, gls_config_set(ctx, config, "method.lr=0.5"));
    assert_string_equal(text_at(config, "method", "lr"), "0.5");
    assert_ok(ctx, gls_config_set(ctx, config, "method.lr={from: 1, name: step}"));
    assert_int_equal(gls_value_get(gls_value_get(config, "method"), "lr")->count, 2);
    assert_ok(ctx, gls_config_set(ctx, config, "method.groups.0.match='*.scale'"));
    assert_string_equal(
        gls_value_get(gls_value_get(gls_value_get(config, "method"), "groups")->items[0], "match")->text, "*.scale");
    assert_ok(ctx, gls_config_set(ctx, config, "model.l2=1e-4"));
    assert_string_equal(text_at(config, "model", "name"), "softmax");
    assert_string_equal(text_at(config, "model", "l2"), "1e-4");
    assert_ok(ctx, gls_config_set(ctx, config, "measure.noise.every=3"));
    assert_ok(ctx, gls_config_set(ctx, config, "train.batch=null"));
    assert_int_equal(gls_config_set(ctx, config, "train.batch="), GLS_ERR_ARGUMENT);
    assert_says(ctx, "nothing follows");
    assert_int_equal(gls_value_get(gls_value_get(config, "train"), "batch")->kind, GLS_VALUE_NULL);
    gls_value_destroy(ctx, config);
}

static void refuses_bad_overrides(void **state) {
    gls_context *ctx = *state;
    static const char *const bad[][2] = {
        {"method.lr", "expected section.key=value"},
        {"=3", "no key before"},
        {"method..lr=3", "empty name"},
        {"train.epochs.x=1", "is a value and has no keys"},
        {"method.groups.7.match=x", "is not a position in a"},
        {"method.lr={from: 1", "not YAML"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_value *config = config_from(ctx, sample);
        assert_int_not_equal(gls_config_set(ctx, config, bad[i][0]), GLS_OK);
        assert_says(ctx, bad[i][1]);
        gls_value_destroy(ctx, config);
    }
}

/* Broken documents: the message has file and line, and nothing is returned. */
static void refuses_bad_documents(void **state) {
    gls_context *ctx = *state;
    static const char *const bad[][2] = {
        {"train: {epochs: 1}\ntrain: {epochs: 2}\n", "x.yaml:2: 'train' is given twice (first in line 1)"},
        {"train: {epochs: 1, epochs: 2}\n", "'epochs' is given twice"},
        {"train: [1, 2\nmodel: x\n", "x.yaml:2"},
        {"- a\n- b\n", "expected sections"},
        {"a: b\n---\nc: d\n", "more than one document"},
        {"{[1]: 2}\n", "a key must be"},
        {"a: \"b\\0c\"\n", "NUL"},
        {"a: &x [*x]\n", "x.yaml:1: nested deeper"},
        {"\xff\xfe\xfa", "x.yaml"},
        {"a: b: c\n", "x.yaml:1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_value *config = NULL;
        gls_status status = gls_config_parse(ctx, "x.yaml", bad[i][0], (int64_t)strlen(bad[i][0]), &config);
        assert_int_equal(status, GLS_ERR_INPUT);
        assert_null(config);
        assert_says(ctx, bad[i][1]);
    }
}

/* Aliases that multiply are stopped by the bound on the number of values, not by memory. */
static void bounds_aliases(void **state) {
    gls_context *ctx = *state;
    char text[2000] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 9; i++) {
        char line[160];
        snprintf(line, sizeof line, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(text, line);
    }
    gls_value *config = NULL;
    assert_int_equal(gls_config_parse(ctx, "x.yaml", text, (int64_t)strlen(text), &config), GLS_ERR_INPUT);
    assert_says(ctx, "more than");
    assert_null(config);
}

/* Unknown sections, keys and values of a run: nearest name, place, and what was expected. */
static void names_what_is_wrong_in_a_run(void **state) {
    gls_context *ctx = *state;
    static const char *const bad[][3] = {
        {"trian: {epochs: 1}", "unknown section 'trian'; did you mean 'train'?", "test.yaml:1"},
        {"model: softmax\ntrain: {epoch: 1}", "did you mean 'epochs'?", "test.yaml:2"},
        {"model: softmax\nmethod: sgd\ntrain:\n  batch: many", "found 'many'", "test.yaml:4"},
        {"model: softmax\nmethod: sgd\ntrain: {validation: -1}", "validation", "test.yaml:3"},
        {"model: softmax\nmethod: {name: sgd, lr: -1}", "'lr'", "test.yaml:2"},
        {"model: softmax\nmethod: {name: sgd, lr: nan}", "'lr'", "test.yaml:2"},
        {"model: softmax\nmethod: {name: sgdd}", "did you mean 'sgd'?", ""},
        {"model: {name: softmax, l3: 1}\nmethod: sgd", "did you mean 'l2'?", "test.yaml:1"},
        {"model: softmax\nmethod: sgd\nestimator: meen", "did you mean 'mean'?", ""},
        {"method: sgd", "model.name is missing", ""},
        {"model: softmax", "method.name is missing", ""},
        {"data: {format: glyfs}\nmodel: softmax\nmethod: sgd", "did you mean 'glyphs'?", ""},
        {"data: {format: libsvm, train: not-there}\nmodel: softmax\nmethod: sgd", "not-there", ""},
        {"model: softmax\nmethod: {name: sgd, lr: {from: 1, name: poly}}\nschedule: {name: step, at: 1}",
         "has a schedule already", ""},
        {"data: {train_size: 100}\nmodel: softmax\nmethod: sgd\ntrain: {validation: 100}", "leaves 100 to validate",
         ""},
        {"model: softmax\nmethod: sgd\ntrain: {monitor: validation}", "train.validation", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_value *config = config_from(ctx, bad[i][0]);
        if (!gls_value_get(config, "data")) assert_ok(ctx, gls_config_set(ctx, config, "data.train_size=50"));
        gls_run_options options = {.size = sizeof options, .config = config};
        gls_run *run = NULL;
        gls_status status = gls_run_create(ctx, &options, &run);
        if (status == GLS_OK) fail_msg("accepted: %s", bad[i][0]);
        assert_null(run);
        assert_says(ctx, bad[i][1]);
        assert_says(ctx, bad[i][2]);
        gls_value_destroy(ctx, config);
    }
}

static void presets_are_sound(void **state) {
    gls_context *ctx = *state;
    const gls_preset *preset;
    for (int64_t i = 0; (preset = gls_preset_at(i)); i++) {
        gls_value *config = NULL;
        assert_ok(ctx, gls_config_preset(ctx, preset->name, &config));
        assert_ok(ctx, gls_config_set(ctx, config, "data.train_size=200"));
        assert_ok(ctx, gls_config_set(ctx, config, "data.test_size=50"));
        gls_run_options options = {.size = sizeof options, .config = config};
        gls_run *run = NULL;
        assert_ok(ctx, gls_run_create(ctx, &options, &run));
        bool done;
        assert_ok(ctx, gls_run_step(run, &done));
        gls_run_destroy(run);
        gls_value_destroy(ctx, config);
    }
    gls_value *config;
    assert_int_equal(gls_config_preset(ctx, "demo-mlp-sg", &config), GLS_ERR_ARGUMENT);
    assert_says(ctx, "demo-mlp-sgd");
}

/* A key of a former version is refused with its present name; in what a run wrote it means what it meant. */
static void former_keys(void **state) {
    gls_context *ctx = *state;
    gls_context_options options = {.size = sizeof options};
    gls_value *config = config_from(ctx, "data: {format: glyphs}\nmodel: softmax\ntrain: {accumulate: 8}\n");
    assert_int_equal(gls_config_context(ctx, config, &options), GLS_ERR_ARGUMENT);
    assert_says(ctx, "test.yaml:3: train.accumulate is now called train.bn_span");
    assert_says(ctx, "not gradient accumulation");
    gls_run_options wanted = {.size = sizeof wanted, .config = config};
    gls_run *run;
    assert_int_equal(gls_run_create(ctx, &wanted, &run), GLS_ERR_ARGUMENT);
    assert_says(ctx, "train.bn_span");
    gls_value_destroy(ctx, config);
    config = config_from(ctx, "train: {accumulate: 8, seed: 3}\nplan: {version: 0.1.0}\n");
    assert_string_equal(gls_value_get(gls_value_get(config, "train"), "bn_span")->text, "8");
    assert_null(gls_value_get(gls_value_get(config, "train"), "accumulate"));
    assert_ok(ctx, gls_config_context(ctx, config, &options));
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
        cmocka_unit_test(reads_values),
        cmocka_unit_test(writes_what_it_read),
        cmocka_unit_test(overrides),
        cmocka_unit_test(refuses_bad_overrides),
        cmocka_unit_test(refuses_bad_documents),
        cmocka_unit_test(bounds_aliases),
        cmocka_unit_test(presets_are_sound),
        cmocka_unit_test(names_what_is_wrong_in_a_run),
        cmocka_unit_test(former_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
