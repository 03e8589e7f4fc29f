/* Sweeps, advice and its verification as a C program asks for them. */
#include "support.h"

#include <glissade/search.h>

#include "patience.h"

static const char text[] = "data: {format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 5}\n"
                           "model: softmax\n"
                           "method: {name: msgd, lr: 0.05}\n"
                           "train: {epochs: 2, batch: 20, threads: 1}\n";

static void count_runs(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result) {
    int *counts = user;
    assert_true(run < runs && name);
    counts[result ? 1 : 0]++;
}

static void axes_are_read_from_text(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_sweep_axis axis;
    assert_ok(ctx, gls_sweep_axis_parse(ctx, "method=[a,b],{name: sgd, lr: 1}", &axis));
    assert_string_equal(axis.key, "method");
    assert_int_equal(axis.count, 2);
    assert_string_equal(axis.text[1], "{name: sgd, lr: 1}");
    gls_sweep_axis_clear(ctx, &axis);
    assert_ok(ctx, gls_sweep_axis_parse(ctx, "method.lr=1e-3..1", &axis));
    assert_true(axis.count == 0 && axis.low == 1e-3 && axis.high == 1);
    gls_sweep_axis_clear(ctx, &axis);
    assert_ok(ctx, gls_sweep_axis_parse(ctx, "train.batch=8..128", &axis));
    assert_true(axis.count == 0 && axis.low == 8 && axis.high == 128);
    gls_sweep_axis_clear(ctx, &axis);
    static const char *const wrong[] = {"method.lr", "=1", "method.lr=", "method.lr=1,,2", "method.lr=2..1"};
    for (int i = 0; i < 5; i++) assert_int_equal(gls_sweep_axis_parse(ctx, wrong[i], &axis), GLS_ERR_ARGUMENT);
    gls_context_destroy(ctx);
}

/* A grid of three rates, two seeds each; the worst diverges nowhere, the best comes first and lies inside. */
static void a_sweep_orders_its_trials(void **state) {
    (void)state;
    char folder[64];
    int counts[2] = {0};
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, text);
    gls_context_options runs = {.size = sizeof runs};
    gls_sweep_axis axis;
    gls_sweep *sweep;
    assert_ok(ctx, gls_sweep_axis_parse(ctx, "method.lr=1e-6,0.03,1e-5", &axis));
    gls_sweep_options options = {.size = sizeof options,
                                 .config = config,
                                 .axis = &axis,
                                 .axes = 1,
                                 .seeds = 2,
                                 .first_seed = 5,
                                 .folder = fresh_folder(folder),
                                 .context = &runs,
                                 .progress = count_runs,
                                 .user = counts};
    assert_ok(ctx, gls_sweep_run(ctx, &options, &sweep));
    assert_true(counts[0] == 6 && counts[1] == 6);
    assert_string_equal(sweep->trial[0].text[0], "0.03");
    assert_string_equal(sweep->selected_by, "training loss");
    assert_true(sweep->edge[0] && !sweep->interrupted);
    for (int64_t t = 0; t < 3; t++) {
        assert_int_equal(sweep->trial[t].runs, 2);
        assert_true(t == 0 || sweep->trial[t - 1].selected.mean <= sweep->trial[t].selected.mean);
    }
    char *json = gls_sweep_json(sweep);
    assert_non_null(strstr(json, "\"selected_by\":\"training loss\""));
    gls_free(ctx, json);
    gls_sweep_destroy(sweep);
    options.size = 0;
    assert_int_equal(gls_sweep_run(ctx, &options, &sweep), GLS_ERR_ARGUMENT);
    gls_sweep_axis_clear(ctx, &axis);
    remove_tree(folder);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

typedef struct told {
    gls_context *ctx;
    int ends, after;
} told;

static void count_ends(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result) {
    told *t = user;
    assert_true(run >= 0 && run < runs && name);
    t->ends += result != NULL;
    if (t->after && t->ends == t->after) gls_interrupt(t->ctx);
}

static gls_sweep *sweep_beside(gls_context *ctx, const char *folder, int jobs, told *t) {
    gls_value *config =
        config_from(ctx, "{data: {format: gaussians, train_size: 200, test_size: 20}, model: softmax, method: {name: "
                         "sgd, lr: 0.1}, train: {epochs: 2, batch: 20, validation: 0.2}}");
    gls_context_options setup = {.size = sizeof setup, .threads = 1};
    gls_sweep_axis axis;
    gls_sweep *sweep = NULL;
    assert_ok(ctx, gls_sweep_axis_parse(ctx, "method.lr=0.001,0.01,0.1", &axis));
    gls_sweep_options options = {.size = sizeof options,
                                 .config = config,
                                 .axis = &axis,
                                 .axes = 1,
                                 .seeds = 2,
                                 .first_seed = 3,
                                 .folder = folder,
                                 .context = &setup,
                                 .jobs = jobs,
                                 .progress = count_ends,
                                 .user = t};
    assert_ok(ctx, gls_sweep_run(ctx, &options, &sweep));
    options.jobs = 257;
    gls_sweep *none;
    assert_int_equal(gls_sweep_run(ctx, &options, &none), GLS_ERR_ARGUMENT);
    gls_sweep_axis_clear(ctx, &axis);
    gls_value_destroy(ctx, config);
    return sweep;
}

/* The same trials in the same order with the same figures, each end told once; an interruption leaves the rest. */
static void a_sweep_is_the_same_side_by_side(void **state) {
    (void)state;
    char folder[64], one[100], three[100];
    gls_context *ctx = make_context(1, 1);
    told t = {.ctx = ctx}, u = {.ctx = ctx}, v = {.ctx = ctx, .after = 2};
    snprintf(one, sizeof one, "%s/one", fresh_folder(folder));
    snprintf(three, sizeof three, "%s/three", folder);
    gls_sweep *a = sweep_beside(ctx, one, 0, &t), *stopped = sweep_beside(ctx, three, 3, &v);
    assert_true(stopped->interrupted && v.ends < 6);
    gls_sweep_destroy(stopped);
    gls_interrupt_clear(ctx);
    gls_sweep *b = sweep_beside(ctx, three, 3, &u);
    assert_int_equal(t.ends, 6);
    assert_int_equal(u.ends, 6);
    assert_string_equal(a->selected_by, b->selected_by);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(a->trial[i].folder, b->trial[i].folder);
        assert_int_equal(b->trial[i].runs, 2);
        assert_true(a->trial[i].selected.mean == b->trial[i].selected.mean);
        assert_true(a->trial[i].test_loss.mean == b->trial[i].test_loss.mean);
        assert_true(a->trial[i].test_loss.deviation == b->trial[i].test_loss.deviation);
    }
    gls_sweep_destroy(a);
    gls_sweep_destroy(b);
    gls_context_destroy(ctx);
    remove_tree(folder);
}

/* Gradient descent on (w - 3/2)^2/2 from 0: loss 9/8 (1 - lr)^(2t), at most 0.011 of that first at t = 4 for rate 0.5,
 * 1 for 0.9, 11 for 0.2, beyond the end for 0.05. By the loss there, 0.5 overshoots most and would come first. */
static void by_epochs_the_soonest_at_its_target_wins(void **state) {
    (void)state;
    static const char *const order[] = {"0.9", "0.5", "0.2", "0.05"};
    static const double epochs[] = {1, 4, 11, 20};
    char folder[64], path[96], given[512];
    gls_context *ctx = make_context(1, 1);
    fresh_folder(folder);
    snprintf(path, sizeof path, "%s/one.svm", folder);
    FILE *f = fopen(path, "w");
    fputs("1.5 1:1\n1.5 1:1\n", f);
    fclose(f);
    snprintf(given, sizeof given,
             "data: {train: %s}\nmodel: {name: least_squares, bias: false}\nmethod: sgd\n"
             "train: {epochs: 20, batch: all, monitor: train, threads: 1}\n",
             path);
    gls_value *config = config_from(ctx, given);
    gls_context_options runs = {.size = sizeof runs};
    gls_sweep_axis axis;
    gls_sweep *sweep;
    assert_ok(ctx, gls_sweep_axis_parse(ctx, "method.lr=0.05,0.2,0.5,0.9", &axis));
    gls_sweep_options options = {.size = sizeof options,
                                 .config = config,
                                 .axis = &axis,
                                 .axes = 1,
                                 .seeds = 1,
                                 .first_seed = 1,
                                 .by_epochs = true,
                                 .folder = folder,
                                 .context = &runs};
    assert_int_equal(gls_sweep_run(ctx, &options, &sweep), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "expected train.target_accuracy or train.target_loss"));
    assert_ok(ctx, gls_config_set(ctx, config, "train.target_loss=0.012375"));
    assert_ok(ctx, gls_sweep_run(ctx, &options, &sweep));
    assert_string_equal(sweep->selected_by, "epochs to the target");
    for (int t = 0; t < 4; t++) {
        const gls_sweep_trial *trial = &sweep->trial[t];
        assert_string_equal(trial->text[0], order[t]);
        assert_true(trial->epochs.mean == epochs[t]);
        assert_true(trial->reached == (t < 3) && trial->missed == (t == 3));
        assert_true(t == 3 ? isnan(trial->selected.mean) : trial->selected.mean == epochs[t]);
    }
    assert_true(sweep->trial[1].train_loss.mean < sweep->trial[0].train_loss.mean);
    char *json = gls_sweep_json(sweep);
    assert_non_null(strstr(json, "\"epochs\":{\"mean\":1.0,\"deviation\":null},\"reached\":1"));
    gls_free(ctx, json);
    gls_sweep_destroy(sweep);
    gls_sweep_axis_clear(ctx, &axis);
    remove_tree(folder);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

static void count_lines(void *user, const char *line) {
    assert_non_null(line);
    ++*(int *)user;
}

static void count_entrant(void *user, const char *name) {
    assert_non_null(name);
    ((int *)user)[2]++;
}

static void check_lines(const gls_advice *advice) {
    static const char *const wanted[] = {"method", "lr", "batch", "micro-batch", "clip threshold"};
    for (int i = 0; i < 5; i++) {
        bool found = false;
        for (int64_t k = 0; k < advice->lines; k++) {
            const gls_advice_line *line = &advice->line[k];
            assert_true(line->value && line->numbers && line->rule && line->source);
            found |= strcmp(line->what, wanted[i]) == 0;
        }
        if (!found) fail_msg("no line about %s", wanted[i]);
    }
    assert_non_null(strstr(advice->json, "\"range_tests\""));
}

/* The recommendation is a configuration that runs; verification trains it and two tuned methods. */
static void advice_is_given_and_verified(void **state) {
    (void)state;
    char folder[64];
    int said = 0, counts[3] = {0};
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, text);
    gls_advise_options options = {.size = sizeof options,
                                  .config = config,
                                  .methods = "msgd,sngm",
                                  .budget = 1.5 * patience(),
                                  .say = count_lines,
                                  .user = &said};
    gls_advice *advice;
    assert_ok(ctx, gls_advise(ctx, &options, &advice));
    assert_true(said > 3);
    check_lines(advice);
    gls_context_options runs = {.size = sizeof runs};
    gls_verify_options verify = {.size = sizeof verify,
                                 .config = config,
                                 .advice = advice,
                                 .folder = fresh_folder(folder),
                                 .context = &runs,
                                 .begin = count_entrant,
                                 .progress = count_runs,
                                 .user = counts};
    gls_verdict verdict;
    assert_ok(ctx, gls_advice_verify(ctx, &verify, &verdict));
    assert_true(counts[2] == GLS_ENTRANTS && counts[1] >= 11);
    assert_string_equal(verdict.entrant[0].name, "recommendation");
    double least = fmin(verdict.entrant[1].train_loss, verdict.entrant[2].train_loss);
    assert_true(verdict.ratio == verdict.entrant[0].train_loss / least);
    assert_string_equal(verdict.outcome, verdict.ratio <= 1     ? "won"
                                         : verdict.ratio <= 1.1 ? "within 1.1 of the best"
                                                                : "lost");
    gls_advice_destroy(advice);
    options.methods = "msgdd";
    assert_int_equal(gls_advise(ctx, &options, &advice), GLS_ERR_ARGUMENT);
    assert_null(advice);
    gls_interrupt(ctx);
    options.methods = NULL;
    assert_int_equal(gls_advise(ctx, &options, &advice), GLS_ERR_INTERRUPTED);
    remove_tree(folder);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_read_from_text),          cmocka_unit_test(a_sweep_orders_its_trials),
        cmocka_unit_test(a_sweep_is_the_same_side_by_side), cmocka_unit_test(by_epochs_the_soonest_at_its_target_wins),
        cmocka_unit_test(advice_is_given_and_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
