/* Whole runs of a small configuration, and what came out of them. */
#ifndef TEST_RUN_TRAINED_H
#define TEST_RUN_TRAINED_H

#include "support.h"

static const char small[] = "data: {format: glyphs, train_size: 600, test_size: 100}\n"
                            "model: {name: softmax, l2: 1e-4}\n"
                            "method: {name: msgd, lr: 0.05, beta: 0.9}\n"
                            "train: {epochs: 3, batch: 64, threads: 1}\n";

typedef struct outcome {
    gls_run_result result;
    gls_status status;
    gls_real *w;
    int64_t size;
    char message[512];
} outcome;

static inline void outcome_clear(outcome *o) {
    free(o->w);
}

static inline bool same_weights(const outcome *a, const outcome *b) {
    return a->size == b->size && memcmp(a->w, b->w, sizeof *a->w * (size_t)a->size) == 0;
}

/* A whole run of `small` with overrides (ended by NULL), in its own context. */
static inline outcome train(const char *folder, bool resume, const gls_observer *observer,
                            const char *const *overrides) {
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, small);
    for (; overrides && *overrides; overrides++) assert_ok(ctx, gls_config_set(ctx, config, *overrides));
    gls_context_options options = {.size = sizeof options};
    assert_ok(ctx, gls_config_context(ctx, config, &options));
    gls_context *own = NULL;
    assert_int_equal(gls_context_create(&own, &options), GLS_OK);
    gls_run_options wanted = {.size = sizeof wanted, .config = config, .folder = folder, .resume = resume};
    gls_run *run = NULL;
    outcome o = {.status = gls_run_create(own, &wanted, &run)};
    if (o.status == GLS_OK && observer) o.status = gls_run_observe(run, observer);
    if (o.status == GLS_OK) o.status = gls_run_train(run, &o.result);
    snprintf(o.message, sizeof o.message, "%s", gls_context_message(own));
    if (run) {
        o.size = gls_problem_size(gls_run_problem(run));
        o.w = malloc(sizeof *o.w * (size_t)o.size);
        memcpy(o.w, gls_run_weights(run), sizeof *o.w * (size_t)o.size);
    }
    gls_run_destroy(run);
    gls_context_destroy(own);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    return o;
}

#define TRAIN(...) train(NULL, false, NULL, (const char *const[]){__VA_ARGS__, NULL})

static inline void must_be_ok(const outcome *o) {
    if (o->status != GLS_OK) fail_msg("%s", o->message);
}

/* Lines of a run's trace; each step must have each name once. */
static inline int count_lines(const char *folder, bool unique) {
    char path[200], last[4096] = "", line[1024];
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int count = 0;
    long long before = -1;
    while (fgets(line, sizeof line, f)) {
        long long step;
        char name[256], key[300];
        char *at = strstr(line, "\"name\":\"");
        assert_non_null(at);
        assert_int_equal(sscanf(line, "{\"step\":%lld", &step), 1);
        assert_int_equal(sscanf(at, "\"name\":\"%255[^\"]", name), 1);
        assert_true(step >= before);
        if (step > before) last[0] = 0;
        before = step;
        snprintf(key, sizeof key, "[%s]", name);
        if (unique && strstr(last, key)) fail_msg("twice at step %lld: %s", step, name);
        strncat(last, key, sizeof last - strlen(last) - 1);
        count++;
    }
    fclose(f);
    return count;
}

/* An observer that asks the run to stop after a step. */
typedef struct stopper {
    int64_t at;
    int64_t seen;
} stopper;

static inline gls_status stop_at(void *user, gls_run *run, unsigned why) {
    stopper *s = user;
    s->seen++;
    if (gls_run_steps(run) == s->at) gls_interrupt(gls_run_context(run));
    return GLS_OK;
}

#endif
