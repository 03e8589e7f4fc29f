/* Steps are counted as they happen: as many are planned as are made, an epoch ends with its last mini-batch, and a
 * refused step is one in a schedule's length and in its position. */
#include "support.h"

#include "run/loop/run.h"

typedef struct plan {
    const char *train;
    int64_t steps; /* counted by hand */
    double per_epoch;
} plan;

/* 301 rows of which 200 make a mini-batch, and what else divides badly. */
static const plan plans[] = {
    {"epochs: 4, batch: 200, drop_last: true", 4, 1},
    {"epochs: 4, batch: 100, drop_last: true", 12, 3},
    {"epochs: 4, batch: 301, drop_last: true", 4, 1},
    {"epochs: 4, batch: 150, drop_last: true, shuffle: false", 8, 2},
    {"epochs: 4, batch: 200", 8, 2},
    {"epochs: 20, batch: 160, replacement: true", 38, 301.0 / 160},
    {"epochs: 2.5, batch: 100, drop_last: true", 8, 3}, /* 251 of 500 rows of the third epoch: two mini-batches */
    {"epochs: 1.5, batch: 200", 3, 2},                  /* 200 of 301 rows are more than half */
    {"epochs: 0.25, batch: 50", 2, 7},                  /* 75.25 rows */
    {"epochs: 0.5, batch: 200, replacement: true", 1, 301.0 / 200},
    {"epochs: 4, steps: 5, batch: 100", 5, 4},
    /* 100 rows an epoch, then 200: 3 + 3 + 1 + 1 */
    {"epochs: 4, batch: 100, drop_last: true, batch_schedule: {name: step, at: [2], values: [200]}", 8, 3},
    {"epochs: 4, batch: 100, batch_schedule: {name: step, at: [2], values: [200]}", 12, 4},
    /* 60 rows a step at first and 80 from step 4 on: 240 rows leave 61, one fewer than fits */
    {"epochs: 1, batch: 60, drop_last: true, batch_schedule: {name: step, at: [4s], values: [80]}", 4, 5},
    /* it shrinks where the rest was too small for what went before */
    {"epochs: 1, batch: 100, drop_last: true, batch_schedule: {name: step, at: [2s], values: [50]}", 4, 3},
};

static gls_run *start(gls_context *ctx, const char *train, const char *more) {
    char text[600];
    snprintf(text, sizeof text,
             "data: {format: gaussians, train_size: 301, test_size: 10, features: 4, classes: 2}\nmodel: logistic\n"
             "method: {name: sgd, lr: {name: poly, from: 1}}\ntrain: {%s}\n%s",
             train, more);
    gls_value *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = config};
    gls_run *run;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    gls_value_destroy(ctx, config);
    return run;
}

/* Step by step: the rate falls along a straight line from 1 towards 0 and does not reach it; every epoch's end is told
 * at the step that has the last rows of it. */
static void as_many_are_planned_as_are_made(void **state) {
    gls_context *ctx = *state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const plan *p = &plans[i];
        gls_run *run = start(ctx, p->train, "");
        gls_training *t = run->training;
        if (t->total_steps != (double)p->steps || fabs(t->steps_per_epoch - p->per_epoch) > 1e-12)
            fail_msg("%s: %g steps planned, %g an epoch", p->train, t->total_steps, t->steps_per_epoch);
        int64_t made = 0;
        for (bool done;; made++) {
            assert_ok(ctx, gls_run_step(run, &done));
            if (done) break;
            double lr = gls_record_get(gls_run_record(run), "lr");
            if (fabs(lr - (1 - (double)made / (double)p->steps)) > 1e-12)
                fail_msg("%s: step %lld at rate %g", p->train, (long long)made + 1, lr);
        }
        if (made != p->steps) fail_msg("%s: %lld steps made", p->train, (long long)made);
        gls_run_destroy(run);
    }
}

static void epochs_end_with_their_last_whole_mini_batch(void **state) {
    gls_context *ctx = *state;
    static const double expected[] = {100.0 / 301, 200.0 / 301, 1, 1 + 100.0 / 301, 1 + 200.0 / 301, 2};
    gls_run *run = start(ctx, "epochs: 2, batch: 100, drop_last: true", "");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        bool done;
        assert_ok(ctx, gls_run_step(run, &done));
        assert_true(fabs(gls_run_epoch(run) - expected[i]) < 1e-12);
        assert_int_equal(gls_run_due(run, (gls_length){.amount = 1, .steps = false}), i % 3 == 2);
    }
    gls_run_destroy(run);
}

static int setup(void **state) {
    *state = make_context(1, 1);
    return 0;
}

static int teardown(void **state) {
    gls_context_destroy(*state);
    return 0;
}

static int count_threads(void) {
    char line[200];
    int count = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) sscanf(line, "Threads: %d", &count);
    if (f) fclose(f);
    return count;
}

/* 16 rows of 4 reals are not worth a thread that copies them, 301 of 1000 are; nor does it matter for rows that were
 * picked (validation), and what computes as it fetches has one in any case. */
static void small_batches_are_not_fetched_ahead(void **state) {
    gls_context *ctx = *state;
    static const struct {
        const char *features, *train, *more;
        int threads;
    } cases[] = {{"4", "batch: 16", "", 0},
                 {"4", "batch: 16, validation: 0.2", "", 0},
                 {"1000", "batch: 301", "", 1},
                 {"1000", "batch: 200, validation: 0.2, workers: 2", "", 2},
                 {"1000", "batch: 301, workers: 0", "", 0},
                 {"4", "batch: 16", ", transforms: [standardize]", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "data: {format: gaussians, train_size: 301, test_size: 10, features: %s, classes: 2%s}\n"
                 "model: logistic\nmethod: sgd\ntrain: {%s, threads: 1}\n",
                 cases[i].features, cases[i].more, cases[i].train);
        gls_value *config = config_from(ctx, text);
        gls_run_options options = {.size = sizeof options, .config = config};
        gls_run *run;
        int before = count_threads();
        assert_ok(ctx, gls_run_create(ctx, &options, &run));
        if (count_threads() - before != cases[i].threads)
            fail_msg("%s: %d threads more, expected %d", text, count_threads() - before, cases[i].threads);
        gls_run_destroy(run);
        gls_value_destroy(ctx, config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_are_planned_as_are_made),
        cmocka_unit_test(epochs_end_with_their_last_whole_mini_batch),
        cmocka_unit_test(small_batches_are_not_fetched_ahead),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
