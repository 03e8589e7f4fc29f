/* Experiments from their files to their verdicts, against values worked out by hand. */
#include "support.h"

#include <glob.h>

#include "experiment/experiment.h"

#define HEAD "title: T\npaper: X\nrows: ['[X] table 1']\nclaim: C\nhere: H\n"

/* F = w^2/2 from 1: after three steps at rate r, F = (1 - r)^6 / 2. The grid 0.25, 0.5 is widened to 1 (F = 0, the
 * least) and 2 (F = 1/2 again), so that the least lies inside. */
static const char exact[] =
    HEAD "kind: solve\n"
         "config:\n"
         "  problem: {name: quadratic, dim: 1, L: 1, mu: 1}\n"
         "  method: {name: sgd, lr: 0.5}\n"
         "  solve: {steps: 3, init: [1]}\n"
         "tune: {key: method.lr, by: value}\n"
         "scales: [{name: quick, seeds: 2}]\n"
         "arms:\n"
         "  - {name: tuned, rates: [0.25, 0.5]}\n"
         "  - {name: half, x: 0.5, line: fixed}\n"
         "  - {name: quarter, x: 0.25, line: fixed, set: [method.lr=0.25]}\n"
         "show: [value]\n"
         "expect:\n"
         "  - {say: less, figure: value, of: {half: 1, quarter: -1}, at_most: 0}\n"
         "  - {say: ratio, figure: value, of: {quarter: 1, half: -1}, log: true, at_least: 11}\n"
         "  - {say: first, of: {'half/value:first': 1}, at_least: 0.4999}\n"
         "  - {say: slope, figure: 'value:last', slope: [quarter, half], at_most: -3}\n"
         "figures:\n"
         "  - {title: F, draw: curves, y: value}\n"
         "  - {title: P, draw: points, y: value}\n";

static json_t *run_text(gls_context *ctx, const char *text, gls_status expected, gls_experiment_verdict *verdict) {
    char folder[64], path[160], out[160];
    fresh_folder(folder);
    write_experiment(ctx, folder, "one", text, path);
    snprintf(out, sizeof out, "%s/out", folder);
    gls_experiment *experiment = NULL;
    gls_experiment_options options = {.size = sizeof options, .folder = out, .threads = 1};
    char *json = NULL;
    gls_status status = gls_experiment_open(ctx, path, &experiment);
    if (status == GLS_OK) status = gls_experiment_run(experiment, &options, verdict, &json);
    if (status != expected) fail_msg("status %d: %s", status, gls_context_message(ctx));
    json_t *result = json ? json_loads(json, 0, NULL) : NULL;
    gls_free(ctx, json);
    gls_experiment_destroy(experiment);
    remove_tree(folder);
    return result;
}

static double mean_of(const json_t *result, size_t i) {
    return json_number_value(json_object_get(json_array_get(json_object_get(result, "expect"), i), "mean"));
}

static void near(double found, double expected) {
    if (!(fabs(found - expected) <= 1e-5 * fmax(1, fabs(expected)))) fail_msg("%.9g, expected %.9g", found, expected);
}

static void exact_values_give_exact_effects(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_experiment_verdict verdict;
    json_t *result = run_text(ctx, exact, GLS_OK, &verdict);
    assert_int_equal(verdict, GLS_EXPERIMENT_SHOWS);
    double half = pow(0.5, 6) / 2, quarter = pow(0.75, 6) / 2;
    near(mean_of(result, 0), half - quarter);
    near(mean_of(result, 1), pow(1.5, 6));
    near(mean_of(result, 2), 0.5);
    near(mean_of(result, 3), log(half / quarter) / log(2));
    json_t *tuned = json_array_get(json_object_get(result, "arms"), 0);
    assert_string_equal(json_string_value(json_object_get(tuned, "value")), "1");
    assert_int_equal(json_array_size(json_object_get(tuned, "tried")), 4);
    assert_true(json_is_false(json_object_get(tuned, "edge")));
    json_t *figures = json_object_get(result, "figures");
    json_t *curve = json_object_get(json_array_get(json_object_get(json_array_get(figures, 0), "lines"), 1), "points");
    assert_int_equal(json_array_size(curve), 4); /* steps 0, 1, 2, 3 */
    near(json_number_value(json_array_get(json_array_get(curve, 1), 1)), 0.125);
    json_t *points = json_array_get(json_object_get(json_array_get(figures, 1), "lines"), 1);
    assert_string_equal(json_string_value(json_object_get(points, "label")), "fixed");
    points = json_object_get(points, "points");
    assert_int_equal(json_array_size(points), 2); /* from the least x on */
    near(json_number_value(json_array_get(json_array_get(points, 0), 0)), 0.25);
    near(json_number_value(json_array_get(json_array_get(points, 1), 0)), 0.5);
    json_decref(result);
    gls_context_destroy(ctx);
}

/* The rule by hand: noise makes seeds differ, so that an interval decides. */
static void the_rule_has_three_answers(void **state) {
    (void)state;
    static const struct {
        const char *bound;
        int seeds;
        gls_experiment_verdict verdict;
    } table[] = {{"at_least: -1", 3, GLS_EXPERIMENT_SHOWS},    {"at_least: 1", 3, GLS_EXPERIMENT_SHOWS_NOT},
                 {"at_most: 1", 3, GLS_EXPERIMENT_SHOWS},      {"at_most: -1", 3, GLS_EXPERIMENT_SHOWS_NOT},
                 {"at_least: 0", 3, GLS_EXPERIMENT_UNDECIDED}, {"at_least: -1", 1, GLS_EXPERIMENT_UNDECIDED}};
    gls_context *ctx = make_context(1, 1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[2000];
        gls_experiment_verdict verdict;
        snprintf(text, sizeof text,
                 HEAD "kind: solve\n"
                      "config:\n"
                      "  problem: {name: quadratic, dim: 4, noise: {name: gaussian, scale: 0.1}}\n"
                      "  method: {name: sgd, lr: 0.1}\n"
                      "  solve: {steps: 50, init: [0.1]}\n"
                      "scales: [{name: quick, seeds: %d}]\n"
                      "arms: [{name: a}, {name: b, set: ['method={name: msgd, lr: 0.01, beta: 0.9}']}]\n"
                      "expect: [{say: s, figure: value, of: {a: 1, b: -1}, %s}]\n",
                 table[i].seeds, table[i].bound);
        json_decref(run_text(ctx, text, GLS_OK, &verdict));
        assert_int_equal(verdict, table[i].verdict);
    }
    gls_context_destroy(ctx);
}

/* Tables of Student's t: 12.706, 4.303, 2.0423 (30 degrees of freedom), 2.0211 (40), 1.9840 (100). */
static void intervals_are_students(void **state) {
    (void)state;
    static const struct {
        int64_t n;
        double t;
    } table[] = {{2, 12.7062047}, {3, 4.30265273}, {31, 2.04227246}, {41, 2.02107539}, {101, 1.98397152}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(fabs(gls_experiment_half_width(table[i].n, sqrt((double)table[i].n)) - table[i].t) < 2e-5);
    assert_true(isnan(gls_experiment_half_width(1, 1)));
}

/* ---- training runs ---- */

static const char trained[] =
    HEAD "config:\n"
         "  data: {format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 5}\n"
         "  model: softmax\n"
         "  method: {name: msgd, lr: 0.05}\n"
         "  train: {epochs: 2, batch: 20, validation: 0.2}\n"
         "tune: {key: method.lr}\n"
         "scales: [{name: quick, seeds: 2}]\n"
         "arms: [{name: a, rates: [0.05, 0.1]}, {name: b, set: [train.batch=40]}]\n"
         "show: [test_accuracy]\n"
         "expect: [{say: s, figure: test_loss, of: {a: 1, b: -1}, at_most: 0}]\n"
         "figures: [{title: L, draw: curves, y: validation_loss, x: epoch}]\n";

typedef struct killer {
    gls_context *ctx;
    int64_t after; /* runs; below 0: never */
    int64_t most;
} killer;

static void kill_after(void *user, const gls_experiment_progress *p) {
    killer *k = user;
    assert_true(p->share >= 0 && p->share <= 1 && p->done <= p->runs);
    if (p->runs > k->most) k->most = p->runs;
    if (k->after >= 0 && p->done >= k->after) gls_interrupt(k->ctx);
}

static char *run_killed(const char *path, const char *out, int jobs, int64_t after, gls_status expected) {
    gls_context *ctx = make_context(1, 1);
    killer k = {ctx, after, 0};
    gls_experiment *experiment;
    gls_experiment_options options = {.size = sizeof options,
                                      .folder = out,
                                      .threads = after >= 0 ? 2 : 1,
                                      .jobs = jobs,
                                      .progress = kill_after,
                                      .user = &k};
    gls_experiment_verdict verdict;
    char *json = NULL, *copy = NULL;
    assert_ok(ctx, gls_experiment_open(ctx, path, &experiment));
    gls_status status = gls_experiment_run(experiment, &options, &verdict, &json);
    if (status != expected) fail_msg("status %d: %s", status, gls_context_message(ctx));
    if (json) {
        json_t *result = json_loads(json, 0, NULL), *arm;
        size_t i;
        json_object_del(result, "seconds");
        json_array_foreach(json_object_get(result, "arms"), i, arm) json_object_del(arm, "seconds");
        copy = json_dumps(result, JSON_SORT_KEYS);
        json_decref(result);
    }
    gls_free(ctx, json);
    gls_experiment_destroy(experiment);
    gls_context_destroy(ctx);
    return copy;
}

/* Interrupted twice, on other threads and side by side it comes to the same numbers as in one go. */
static void a_killed_experiment_continues(void **state) {
    (void)state;
    char folder[64], path[160], once[160], beside[160], thrice[160];
    gls_context *ctx = make_context(1, 1);
    fresh_folder(folder);
    write_experiment(ctx, folder, "one", trained, path);
    gls_context_destroy(ctx);
    snprintf(once, sizeof once, "%s/once", folder);
    snprintf(beside, sizeof beside, "%s/beside", folder);
    snprintf(thrice, sizeof thrice, "%s/thrice", folder);
    char *whole = run_killed(path, once, 1, -1, GLS_OK), *all = run_killed(path, beside, 3, -1, GLS_OK);
    assert_string_equal(whole, all);
    assert_null(run_killed(path, thrice, 1, 0, GLS_ERR_INTERRUPTED));
    assert_null(run_killed(path, thrice, 2, 3, GLS_ERR_INTERRUPTED));
    char *parts = run_killed(path, thrice, 2, -1, GLS_OK);
    assert_string_equal(whole, parts);
    free(whole);
    free(all);
    free(parts);
    remove_tree(folder);
}

/* What fails in one lane is told by its own sentence, and ends the others. */
static void a_failure_side_by_side_is_named(void **state) {
    (void)state;
    char folder[64], path[160], out[160];
    gls_context *ctx = make_context(1, 1);
    fresh_folder(folder);
    write_experiment(ctx, folder, "one",
                     HEAD "config:\n"
                          "  data: {format: gaussians, train_size: 200, test_size: 40}\n"
                          "  model: softmax\n"
                          "  method: {name: msgd, lr: 0.05}\n"
                          "  train: {epochs: 2, batch: 20}\n"
                          "scales: [{name: quick, seeds: 3, first_seed: 7}]\n"
                          "arms: [{name: a}, {name: b, set: [method.beta=3]}]\n"
                          "expect: [{say: s, figure: test_loss, of: {a: 1}, at_most: 0}]\n",
                     path);
    snprintf(out, sizeof out, "%s/out", folder);
    gls_experiment *experiment;
    gls_experiment_options options = {.size = sizeof options, .folder = out, .threads = 1, .jobs = 3};
    gls_experiment_verdict verdict;
    assert_ok(ctx, gls_experiment_open(ctx, path, &experiment));
    assert_int_equal(gls_experiment_run(experiment, &options, &verdict, NULL), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "one: arm 'b': option 'beta'"));
    options.jobs = 257;
    assert_int_equal(gls_experiment_run(experiment, &options, &verdict, NULL), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "jobs"));
    gls_experiment_destroy(experiment);
    gls_context_destroy(ctx);
    remove_tree(folder);
}

/* Folders of runs are named by their seeds. */
static void seeds_begin_where_the_scale_says(void **state) {
    (void)state;
    char folder[64], path[160], out[160], text[sizeof exact + 40], seed[400];
    gls_context *ctx = make_context(1, 1);
    fresh_folder(folder);
    const char *at = strstr(exact, "seeds: 2");
    snprintf(text, sizeof text, "%.*sseeds: 2, first_seed: 101%s", (int)(at - exact), exact, at + strlen("seeds: 2"));
    write_experiment(ctx, folder, "one", text, path);
    snprintf(out, sizeof out, "%s/out", folder);
    gls_experiment *experiment;
    gls_experiment_options options = {.size = sizeof options, .folder = out, .threads = 1};
    gls_experiment_verdict verdict;
    char *json = NULL;
    assert_ok(ctx, gls_experiment_open(ctx, path, &experiment));
    assert_ok(ctx, gls_experiment_run(experiment, &options, &verdict, &json));
    assert_non_null(strstr(json, "\"first_seed\":101"));
    gls_free(ctx, json);
    for (int s = 100; s <= 103; s++) {
        glob_t found = {0};
        snprintf(seed, sizeof seed, "%s/runs/half/*/seed-%d", out, s);
        assert_int_equal(glob(seed, 0, NULL, &found) == 0, s == 101 || s == 102);
        globfree(&found);
    }
    gls_experiment_destroy(experiment);
    gls_context_destroy(ctx);
    remove_tree(folder);
}

/* Losses of a zero network are log 2, whatever the sample: the curve's first and last place, and its steps, are known.
 */
static void curves_of_a_survey_are_series(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_experiment_verdict verdict;
    json_t *result =
        run_text(ctx,
                 HEAD "kind: survey\n"
                      "config:\n"
                      "  data: {format: gaussians, train_size: 128, test_size: 10, classes: 2, features: 4}\n"
                      "  model: softmax\n"
                      "  method: sgd\n"
                      "  survey: {only: sample_curves}\n"
                      "  measure: {sample_curves: {smallest: 32, largest: 128, factor: 2, repeats: 2, products: 4}}\n"
                      "scales: [{name: quick, seeds: 2}]\n"
                      "arms: [{name: a}]\n"
                      "expect:\n"
                      "  - {say: first, of: {'a/sample_curves.loss_by_size:first': 1}, at_least: 0.69}\n"
                      "  - {say: last, of: {'a/sample_curves.loss_by_size:last': 1}, at_most: 0.7}\n"
                      "figures: [{title: L, draw: curves, y: sample_curves.loss_by_size}]\n",
                 GLS_OK, &verdict);
    near(mean_of(result, 0), log(2));
    near(mean_of(result, 1), log(2));
    json_t *lines = json_object_get(json_array_get(json_object_get(result, "figures"), 0), "lines");
    json_t *points = json_object_get(json_array_get(lines, 0), "points");
    assert_int_equal(json_array_size(points), 3);
    near(json_number_value(json_array_get(json_array_get(points, 1), 0)), 64);
    json_decref(result);
    gls_context_destroy(ctx);
}

/* Two domains of 40 test rows each: the whole accuracy is the mean of theirs. */
static void domains_have_figures(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_experiment_verdict verdict;
    json_t *result = run_text(
        ctx,
        HEAD
        "config:\n"
        "  data: {format: gaussians, train_size: 100, test_size: 40, classes: 2, features: 4, transforms:\n"
        "    [{mix: {sources: [{format: gaussians, train_size: 50, test_size: 40, classes: 2, features: 4}]}}]}\n"
        "  model: softmax\n"
        "  method: {name: sgd, lr: 0.1}\n"
        "  train: {epochs: 1, batch: 10}\n"
        "scales: [{name: quick, seeds: 2}]\n"
        "arms: [{name: a}]\n"
        "expect:\n"
        "  - {say: s, of: {a/domains.0.accuracy: 0.5, a/domains.1.accuracy: 0.5, a/test_accuracy: -1}, at_most: 1}\n"
        "  - {say: t, of: {a/domains.1.examples: 1}, at_most: 41}\n",
        GLS_OK, &verdict);
    near(mean_of(result, 0), 0);
    near(mean_of(result, 1), 40);
    json_decref(result);
    gls_context_destroy(ctx);
}

/* ---- what is refused ---- */

#define SOLVED                                                                                                     \
    "kind: solve\nconfig: {problem: {name: quadratic}, method: sgd, solve: {steps: 1}}\nscales: [{name: quick}]\n" \
    "arms: [{name: a}]\n"

static void slips_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } table[] = {
        {"title: T\n", "paper"},
        {HEAD "arm: 3\n", "arms"},
        {HEAD "config: {method: sgd}\nscales: [{name: quick}]\narms: [{name: a}, {name: a}]\n"
              "expect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
         "twice"},
        {HEAD "config: {method: sgd}\nscales: [{name: quick}]\narms: [{name: a}]\n"
              "expect: [{say: s, figure: f, of: {b: 1}, at_least: 0}]\n",
         "no arm 'b'"},
        {HEAD "config: {method: sgd}\nscales: [{name: quick}]\narms: [{name: a}]\n"
              "expect: [{say: s, figure: f, of: {a: 1}}]\n",
         "at_least or at_most"},
        {HEAD "config: {method: sgd}\nscales: [{name: quick}]\narms: [{name: a}]\n"
              "expect: [{say: s, of: {a: 1}, at_least: 0}]\n",
         "names no figure"},
        {HEAD "config: {method: sgd}\nscales: [{name: quick}]\narms: [{name: a, rates: [1, 2]}]\n"
              "expect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
         "tune"},
        {HEAD "kind: survey\nconfig: {model: softmax, method: sgd}\nscales: [{name: quick}]\n"
              "arms: [{name: a}]\nexpect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
         "'survey'"},
        {HEAD
         "kind: solve\nconfig: {problem: {name: quadrati}, method: sgd, solve: {steps: 1}}\nscales: [{name: quick}]\n"
         "arms: [{name: a}]\nexpect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
         "quadratic"},
        {HEAD
         "kind: solve\nconfig: {problem: {name: quadratic}, method: sgd, solve: {steps: 1}}\nscales: [{name: small}]\n"
         "arms: [{name: a}]\nexpect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
         "no scale 'quick'"},
        {HEAD SOLVED "expect: [{say: s, figure: value, of: {}, at_least: 0}]\n", "weights of arms"},
        {HEAD SOLVED "expect: [{say: s, figure: value, of: {a: 0}, at_least: 0}]\n", "other than 0"},
        {HEAD SOLVED "expect: [{say: s, figure: 'value:lst', of: {a: 1}, at_least: 0}]\n", "behind the colon"},
        {HEAD SOLVED "expect: [{say: s, figure: valu, of: {a: 1}, at_least: 0}]\n", "did you mean 'value'?"},
        {HEAD SOLVED "expect: [{say: s, figure: 'exces:last', of: {a: 1}, at_least: 0}]\n",
         "no run has a series 'exces'; did you mean 'excess'?"},
        {HEAD SOLVED "expect: [{say: s, figure: value, of: {a: 1}, at_least: 0}]\nfigures: [{title: F, draw: curves, "
                     "x: epoc, y: value}]\n",
         "expected step or epoch"},
        {HEAD SOLVED "expect: [{say: s, figure: value, of: {a: 1}, at_least: 0}]\nshow: ['value:end']\n",
         "behind the colon"},
        {HEAD "config: {method: sgd}\nscales: [{name: quick}, {name: quick}]\narms: [{name: a}]\n"
              "expect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
         "scales: 'quick' is there twice"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gls_context *ctx = make_context(1, 1);
        gls_experiment_verdict verdict;
        assert_null(run_text(ctx, table[i].text, GLS_ERR_ARGUMENT, &verdict));
        if (!strstr(gls_context_message(ctx), table[i].says))
            fail_msg("%zu: '%s' does not say '%s'", i, gls_context_message(ctx), table[i].says);
        gls_context_destroy(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_values_give_exact_effects),
        cmocka_unit_test(the_rule_has_three_answers),
        cmocka_unit_test(intervals_are_students),
        cmocka_unit_test(a_killed_experiment_continues),
        cmocka_unit_test(a_failure_side_by_side_is_named),
        cmocka_unit_test(seeds_begin_where_the_scale_says),
        cmocka_unit_test(curves_of_a_survey_are_series),
        cmocka_unit_test(domains_have_figures),
        cmocka_unit_test(slips_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
