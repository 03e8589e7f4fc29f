/* What measures cost, as ratios to the untapped training step, alternating in one process. First norms, diversity,
 * noise scale and norm test of every step, from the norms of the run's own mini-batch: medians over steps. Then all
 * measures that need no second run and need not be named, at their default cadence along a whole run: sums over it, its
 * end included. With one thread it takes the processor's time, which a busy machine disturbs less. Usage: measures
 * [steps, default 60] [epochs of the whole run, default 60; 0: none] [its examples, default 20000] [threads]. Made-up
 * images of 28 x 28, mini-batches of 128, method msgd; nothing is written. */
#include <glissade/glissade.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timing.h"

enum { MOST = 1001, ARMS = 3 };

static const char base[] = "data: {format: glyphs, train_size: %d, test_size: 100}\n"
                           "method: {name: msgd, lr: 0.01}\n"
                           "train: {epochs: %d, batch: 128, seed: 1, threads: %d, validate_every: 1000}\n"
                           "model: %s\n";

static const struct subject {
    const char *name, *model;
    double goal;
} subjects[] = {
    {"mlp 784-512-512-10", "{name: mlp, hidden: [512, 512]}", 1.1},
    {"convnet", "{name: convnet}", 1.3},
};

static const struct arm {
    const char *name, *text;
} arms[ARMS] = {
    {"untapped", ""},
    {"norms", "estimator: {name: mean, ledger: true}\n"},
    {"norms, diversity, noise scale, norm test",
     "estimator: {name: mean, ledger: true}\n"
     "measure: {gradient_diversity: {every: 1s, from: step}, noise_scale: {every: 1s, from: step}, "
     "norm_test: {every: 1s, from: step}}\n"},
};

static const char whole[] =
    "measure: {gradient_diversity: {}, noise_scale: {}, norm_test: {}, dim_bounds: {}, noise_norm: {}, "
    "variance_curve: {}, tail_index: {}, alpha_moments: {}, clip_bias: {}, gradient_norm: {}, loss: {}, sharpness: {}, "
    "stationarity: {}, smoothness: {}, dragger: {}, time_averages: {}, invariance_defect: {}, equilibrium_ratio: {}}\n";

typedef struct runner {
    gls_context *ctx;
    gls_value *config;
    gls_run *run;
    bool done;
    double time[MOST], sum;
} runner;

static void begin(runner *r, const char *model, const char *more, int examples, int epochs, int threads) {
    static char text[4096];
    int n = snprintf(text, sizeof text, base, examples, epochs, threads, model);
    snprintf(text + n, sizeof text - (size_t)n, "%s", more);
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 1};
    if (gls_context_create(&r->ctx, &options) != GLS_OK) exit(1);
    need(r->ctx, gls_config_parse(r->ctx, "bench", text, (int64_t)strlen(text), &r->config));
    gls_run_options run = {.size = sizeof run, .config = r->config};
    need(r->ctx, gls_run_create(r->ctx, &run, &r->run));
    need(r->ctx, gls_run_begin(r->run));
    r->done = false;
    r->sum = 0;
}

static void end(runner *r) {
    gls_run_destroy(r->run);
    gls_value_destroy(r->ctx, r->config);
    gls_context_destroy(r->ctx);
}

static double step(runner *r, int threads) {
    double start = now_on(threads);
    need(r->ctx, gls_run_step(r->run, &r->done));
    double time = now_on(threads) - start;
    r->sum += time;
    return time;
}

static void every_step(const struct subject *s, int steps, int threads) {
    static runner r[ARMS];
    for (int k = 0; k < ARMS; k++) begin(&r[k], s->model, arms[k].text, 128 * 20, 1 + steps / 10, threads);
    for (int i = -2; i < steps; i++)
        for (int k = 0; k < ARMS; k++) {
            double time = step(&r[k], threads);
            if (i >= 0) r[k].time[i] = time;
        }
    printf("%s\n", s->name);
    double plain = 0;
    for (int k = 0; k < ARMS; k++) {
        double m = median(r[k].time, steps);
        if (!k) plain = m;
        printf("  %-42s %8.3f ms  %5.3f%s", arms[k].name, 1e3 * m, m / plain, k == ARMS - 1 ? "" : "\n");
        end(&r[k]);
    }
    printf("  (goal %.1f)\n", s->goal);
}

static void whole_run(const char *name, const char *model, int epochs, int examples, int threads) {
    runner r[2];
    gls_run_result result;
    for (int k = 0; k < 2; k++) begin(&r[k], model, k ? whole : "", examples, epochs, threads);
    while (!r[0].done || !r[1].done)
        for (int k = 0; k < 2; k++)
            if (!r[k].done) step(&r[k], threads);
    for (int k = 0; k < 2; k++) {
        double start = now_on(threads);
        need(r[k].ctx, gls_run_finish(r[k].run, &result));
        r[k].sum += now_on(threads) - start;
    }
    printf("%s, %d examples, %d epochs: all measures at their default cadence\n", name, examples, epochs);
    printf("  without %.2f s, with %.2f s: %.3f  (goal 1.10)\n", r[0].sum, r[1].sum, r[1].sum / r[0].sum);
    for (int k = 0; k < 2; k++) end(&r[k]);
}

int main(int argc, char **argv) {
    int steps = argc > 1 ? atoi(argv[1]) : 60, epochs = argc > 2 ? atoi(argv[2]) : 60;
    int examples = argc > 3 ? atoi(argv[3]) : 20000, threads = argc > 4 ? atoi(argv[4]) : 1;
    if (steps < 1 || steps >= MOST || epochs < 0 || examples < 128 || threads < 1) return 2;
    for (size_t k = 0; k < sizeof subjects / sizeof *subjects; k++) every_step(&subjects[k], steps, threads);
    if (!epochs) return 0;
    whole_run("mlp 784-128-10", "{name: mlp, hidden: [128]}", epochs, examples, threads);
    whole_run("convnet of 8 channels", "{name: convnet, channels: 8, units: 64}", epochs, examples, threads);
    return 0;
}
