/* Measures along a run: they change no bit of it, go on where a killed run stopped, and leave their results. */
#include "support.h"

#include <jansson.h>

#define SETTING                                                                            \
    "data: {format: gaussians, train_size: 300, test_size: 60, classes: 3, features: 8}\n" \
    "model: {name: softmax, l2: 1e-3}\n"                                                   \
    "method: {name: msgd, lr: 0.05}\n"                                                     \
    "train: {steps: 60, batch: 20, threads: 1, checkpoint_every: 20s, log_every: 5s, keep: 9}\n"
#define MEASURES                                                                                            \
    "estimator: {name: mean, ledger: true}\n"                                                               \
    "measure: {gradient_diversity: {every: 1s, from: step}, noise_norm: {every: 20s, sample: 100},\n"       \
    "  noise_scale: {every: 7s}, smoothness: {every: 10s, sample: 64}, loss: {every: 1},\n"                 \
    "  equilibrium_ratio: {every: 10s}, time_averages: {every: 1s, window: 10}, sharpness: {every: 30s},\n" \
    "  dragger: {every: 30s, list: 5}, invariance_defect: {every: 10s}, tail_index: {sample: 128, start: true}}\n"

typedef struct setting {
    gls_context *ctx;
    gls_value *config;
    gls_run *run;
    char top[64], folder[96];
} setting;

static void begin(setting *s, const char *text, bool resume) {
    if (!resume) snprintf(s->folder, sizeof s->folder, "%s/run", fresh_folder(s->top));
    s->ctx = make_context(1, 1);
    s->config = config_from(s->ctx, text);
    gls_run_options options = {.size = sizeof options, .config = s->config, .folder = s->folder, .resume = resume};
    assert_ok(s->ctx, gls_run_create(s->ctx, &options, &s->run));
}

static void drop(setting *s) {
    gls_run_destroy(s->run);
    gls_value_destroy(s->ctx, s->config);
    gls_context_destroy(s->ctx);
    s->run = NULL;
}

static gls_real *finish(setting *s, int64_t *d) {
    gls_run_result result;
    assert_ok(s->ctx, gls_run_train(s->run, &result));
    *d = gls_problem_size(gls_run_problem(s->run));
    gls_real *w = malloc(sizeof *w * (size_t)*d);
    memcpy(w, gls_run_weights(s->run), sizeof *w * (size_t)*d);
    drop(s);
    return w;
}

/* The lines of measures.jsonl without what a clock put there. */
static json_t *lines(const setting *s) {
    char path[128], *text = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "%s/measures.jsonl", s->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    json_t *all = json_array();
    while (getline(&text, &room, file) > 0) {
        json_t *line = json_loads(text, 0, NULL);
        assert_non_null(line);
        json_object_del(line, "time");
        json_object_del(json_object_get(line, "result"), "seconds");
        json_array_append_new(all, line);
    }
    free(text);
    fclose(file);
    return all;
}

static int64_t count_of(const json_t *all, const char *measure) {
    int64_t n = 0;
    size_t i;
    json_t *line;
    json_array_foreach(all, i, line) n += strcmp(json_string_value(json_object_get(line, "measure")), measure) == 0;
    return n;
}

static void measures_change_no_bit(void **state) {
    setting with = {0}, without = {0};
    int64_t d, same;
    begin(&without, SETTING "estimator: {name: mean, ledger: true}\n", false);
    gls_real *plain = finish(&without, &d);
    begin(&with, SETTING MEASURES, false);
    gls_real *measured = finish(&with, &same);
    assert_int_equal(d, same);
    assert_memory_equal(plain, measured, sizeof *plain * (size_t)d);
    free(plain);
    free(measured);
    remove_tree(with.top);
    remove_tree(without.top);
}

static void results_come_at_their_cadence(void **state) {
    setting s = {0};
    int64_t d;
    begin(&s, SETTING MEASURES, false);
    free(finish(&s, &d));
    json_t *all = lines(&s);
    assert_int_equal(count_of(all, "noise_norm"), 3);          /* 20, 40, 60 */
    assert_int_equal(count_of(all, "noise_scale"), 9);         /* 7, 14, ..., 56, and the end */
    assert_int_equal(count_of(all, "loss"), 4);                /* an epoch is 15 steps */
    assert_int_equal(count_of(all, "gradient_diversity"), 13); /* read every step, written every 5 and at the end */
    assert_int_equal(count_of(all, "smoothness"), 6);
    const json_t *first = json_array_get(all, 0); /* the only one that asks for the start */
    assert_string_equal(json_string_value(json_object_get(first, "measure")), "tail_index");
    assert_int_equal(json_integer_value(json_object_get(first, "step")), 0);
    const json_t *last = json_array_get(all, json_array_size(all) - 1), *result = json_object_get(last, "result");
    assert_true(json_is_object(result) && json_is_object(json_object_get(result, "units")));
    char path[128], text[512];
    snprintf(path, sizeof path, "%s/metrics.jsonl", s.folder);
    FILE *file = fopen(path, "r");
    int bounds = 0, sharp = 0, losses = 0;
    while (fgets(text, sizeof text, file)) {
        bounds += strstr(text, "\"batch_size_bound\"") != NULL;
        sharp += strstr(text, "\"two_over_lr\"") != NULL;
        losses += strstr(text, "\"full_loss\"") != NULL;
    }
    fclose(file);
    assert_true(bounds > 0);
    assert_int_equal(sharp, 2);
    assert_int_equal(losses, 4);
    json_decref(all);
    remove_tree(s.top);
}

static void a_killed_run_goes_on_measuring(void **state) {
    setting whole = {0}, killed = {0};
    int64_t d;
    begin(&whole, SETTING MEASURES, false);
    gls_real *expected = finish(&whole, &d);
    begin(&killed, SETTING MEASURES, false);
    bool done;
    for (int i = 0; i < 33; i++) assert_ok(killed.ctx, gls_run_step(killed.run, &done));
    drop(&killed); /* its last checkpoint is of step 20 */
    begin(&killed, SETTING MEASURES, true);
    gls_real *found = finish(&killed, &d);
    assert_memory_equal(expected, found, sizeof *found * (size_t)d);
    json_t *a = lines(&whole), *b = lines(&killed);
    assert_int_equal(json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!json_equal(json_array_get(a, i), json_array_get(b, i)))
            fail_msg("line %zu differs:\n%s\n%s", i, json_dumps(json_array_get(a, i), 0),
                     json_dumps(json_array_get(b, i), 0));
    json_decref(a);
    json_decref(b);
    free(expected);
    free(found);
    remove_tree(whole.top);
    remove_tree(killed.top);
}

/* A step size of zero (the end of a schedule) leaves measures of the step out and does not end the run. */
static void no_rate_no_measure(void **state) {
    setting s = {0};
    int64_t d;
    begin(&s, SETTING "schedule: {name: poly, power: 1, length: 50s}\nmeasure: {equilibrium_ratio: {every: 5s}}\n",
          false);
    free(finish(&s, &d));
    json_t *all = lines(&s);
    assert_true(count_of(all, "equilibrium_ratio") >= 9);
    assert_true(count_of(all, "equilibrium_ratio") <= 10);
    json_decref(all);
    remove_tree(s.top);
}

static void refuse(const char *measure, const char *words) {
    char text[1024];
    snprintf(text, sizeof text, "%s%s", SETTING, measure);
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = config};
    gls_run *run = NULL;
    assert_int_equal(gls_run_create(ctx, &options, &run), GLS_ERR_ARGUMENT);
    assert_says(ctx, words);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

static void wrong_entries_are_refused(void **state) {
    refuse("measure: {noise_nrom: {}}\n", "noise_norm");
    refuse("measure: {loss: {smaple: 3}}\n", "sample");
    refuse("measure: {loss: {every: soon}}\n", "every");
    refuse("measure: {loss: {start: soon}}\n", "start");
    refuse("measure: {smoothness: {start: true}}\n", "measure.smoothness: start: it looks at a step");
    refuse("measure: {stability: {}}\n", "two runs");
    refuse("measure: {loss: 5s}\n", "options");
    refuse("measure: [loss]\n", "by name");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_change_no_bit),         cmocka_unit_test(results_come_at_their_cadence),
        cmocka_unit_test(a_killed_run_goes_on_measuring), cmocka_unit_test(no_rate_no_measure),
        cmocka_unit_test(wrong_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
