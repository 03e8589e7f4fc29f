/* Mini-batches that follow a measurement: sizes, rates, resuming, refusals. */
#include "support.h"

#include <math.h>

#define DATA "--set 'data={format: gaussians, train_size: 600, test_size: 20, classes: 3, features: 6, separation: 1}' "
#define TRAIN "train " DATA "--set model=softmax --set 'method={name: msgd, lr: 0.1}' "

static void fine(said *s, const char *what) {
    if (s->code) fail_msg("%s: %s%s", what, s->out, s->err);
}

/* The values of a figure in metrics.jsonl by step (0: none), and how many there are. */
static int figures(const char *folder, const char *name, double *value, int most) {
    char path[200], line[4096];
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int count = 0;
    while (fgets(line, sizeof line, f)) {
        json_t *object = json_loads(line, 0, NULL);
        int step = (int)json_integer_value(json_object_get(object, "step"));
        const char *of = json_string_value(json_object_get(object, "name"));
        if (of && strcmp(of, name) == 0 && step < most) {
            value[step] = json_number_value(json_object_get(object, "value"));
            count++;
        }
        json_decref(object);
    }
    fclose(f);
    return count;
}

enum { STEPS = 40 };

/* The same measure beside the run finds the bound that the rule follows: with one interval after the other, a batch is
 * floor(fraction * low), between its bounds, from the next mini-batch on. */
static void it_follows_the_lower_end_of_the_bound(void **state) {
    (void)state;
    static said s;
    double batch[STEPS + 1] = {0}, bound[STEPS + 1] = {0}, lr[STEPS + 1] = {0};
    sh(&s,
       "$G " TRAIN
       "--set 'train={steps: 40, epochs: 0, log_every: 1s, workers: 2, batch: {name: diversity, from: 8, limit: 50, "
       "every: 3s, fraction: 0.5, sample: 200, rate: linear}}' "
       "--set 'measure={gradient_diversity: {every: 3s, sample: 200}}' --out follows --quiet");
    fine(&s, "follows");
    assert_int_equal(figures("follows", "batch", batch, STEPS + 1), STEPS);
    assert_true(figures("follows", "batch_bound", bound, STEPS + 1) > 25);
    figures("follows", "lr", lr, STEPS + 1);
    char line[1 << 15];
    FILE *f = fopen("follows/measures.jsonl", "r");
    assert_non_null(f);
    int compared = 0, changed = 0;
    while (fgets(line, sizeof line, f)) {
        json_t *object = json_loads(line, 0, NULL);
        int step = (int)json_integer_value(json_object_get(object, "step"));
        const json_t *interval =
            json_object_get(json_object_get(object, "result"), "smoothed_batch_size_bound_interval");
        double low = json_number_value(json_array_get(interval, 0));
        if (step < STEPS && bound[step] > 0) {
            assert_true(fabs(low - bound[step]) < 1e-6 * low);
            compared++;
        }
        json_decref(object);
    }
    fclose(f);
    assert_true(compared >= 10);
    for (int step = 1; step < STEPS; step++) {
        double wanted = bound[step] > 0 ? fmin(fmax(floor(0.5 * bound[step]), 8), 50) : 8;
        bool ends = false; /* the last mini-batch of an epoch has what is left */
        double epoch = 0;
        for (int k = 1; k <= step + 1; k++) {
            epoch += batch[k];
            ends = fmod(epoch, 600) == 0;
        }
        if (!ends && batch[step + 1] != wanted) fail_msg("step %d: %g, expected %g", step, batch[step + 1], wanted);
        if (fabs(lr[step + 1] - 0.1 * wanted / 8) > 1e-9) fail_msg("step %d: rate %g", step, lr[step + 1]);
        changed += wanted != 8;
    }
    assert_true(changed > 5);
}

/* Interrupted between and after measurements, with mini-batches announced at a size that is no longer theirs. */
static void a_resumed_run_is_the_same(void **state) {
    (void)state;
    static said s;
    static const char *const rule[] = {"name: diversity, every: 5s", "name: norm_test, every: 4s, theta: 0.5"};
    for (int k = 0; k < 2; k++) {
        for (int part = 0; part < 2; part++) {
            sh(&s,
               "$G " TRAIN "--set 'train={steps: %d, epochs: 0, workers: 2, drop_last: %s, checkpoint_every: 0, batch: "
               "{%s, from: 8, sample: 100, rate: root}}' --out %s%d --quiet",
               part ? 20 : 33, k ? "true" : "false", rule[k], part ? "parts" : "whole", k);
            fine(&s, "train");
        }
        sh(&s,
           "$G train --resume parts%d --set train.steps=25 --quiet && $G train --resume parts%d --set train.steps=33 "
           "--quiet && cmp whole%d/final.safetensors parts%d/final.safetensors",
           k, k, k, k);
        fine(&s, "resume");
    }
}

/* B* = sqrt(a (B_S - 1) / b). */
static void goodput_takes_the_best_batch(void **state) {
    (void)state;
    static said s;
    double batch[STEPS + 1] = {0}, bound[STEPS + 1] = {0};
    sh(&s, "$G " TRAIN "--set 'train={steps: 12, epochs: 0, log_every: 1s, batch: {name: goodput, from: 4, every: 2s, "
           "sample: 200, step_time: 0.004, row_time: 1e-4}}' --out goodput --quiet");
    fine(&s, "goodput");
    figures("goodput", "batch", batch, STEPS + 1);
    figures("goodput", "batch_bound", bound, STEPS + 1);
    assert_true(bound[6] > 1);
    for (int step = 6; step < 12; step++)
        assert_true(batch[step + 1] == fmax(floor(sqrt(0.004 * (bound[step] - 1) / 1e-4)), 4));
}

static void mistakes_are_named(void **state) {
    (void)state;
    static said s;
    static const char *const wrong[][2] = {
        {"{name: diversity, from: 100, limit: 50}", "limit is 50"},
        {"{name: diversit, from: 100}", "unknown batch rule or schedule 'diversit'; did you mean 'diversity'?"},
        {"{name: cosin, from: 100}", "unknown batch rule or schedule 'cosin'; did you mean 'cosine'?"},
        {"{name: diversity, from: 10, every: 0}", "every: expected more than 0"},
        {"{name: diversty}", "diversty"},
        {"{name: diversity, fraction: 0}", "fraction"},
        {"{name: goodput}", "step_time"},
        {"{name: diversity}, batch_schedule: {name: step, at: [1], factor: 2}", "batch_schedule"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sh(&s, "$G " TRAIN "--set 'train={steps: 2, batch: %s}' --out wrong --quiet", wrong[i][0]);
        if (s.code != 2 || !strstr(s.err, wrong[i][1])) fail_msg("%s: %d: %s", wrong[i][0], s.code, s.err);
        assert_int_equal(access("wrong", F_OK), -1);
    }
    /* Steps are not known before: a schedule that needs its end must be told one. */
    sh(&s, "$G " TRAIN "--set schedule=poly --set 'train={epochs: 2, batch: {name: diversity}}' --out wrong --quiet");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "length"));
    sh(&s,
       "$G " TRAIN "--set 'schedule={name: poly, length: 2}' --set 'train={epochs: 2, batch: {name: diversity, from: "
       "50}}' --out fine --quiet");
    fine(&s, "length in epochs");
}

/* A schedule under `batch` is the one under `batch_schedule`. */
static void a_schedule_is_the_same_in_both_places(void **state) {
    (void)state;
    static said s;
    sh(&s,
       "$G " TRAIN "--set 'train={epochs: 3, batch: {name: step, from: 20, at: [1, 2], factor: 2}}' --out a --quiet && "
       "$G " TRAIN "--set 'train={epochs: 3, batch: 20, batch_schedule: {name: step, at: [1, 2], factor: 2}}' "
       "--out b --quiet && cmp a/final.safetensors b/final.safetensors && $G train --resume a --set train.epochs=3 "
       "--quiet");
    fine(&s, "both");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_follows_the_lower_end_of_the_bound), cmocka_unit_test(a_resumed_run_is_the_same),
        cmocka_unit_test(goodput_takes_the_best_batch),          cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_schedule_is_the_same_in_both_places),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
