/* Logistic regression to a given loss, for logistic_peers.py: logistic FILE.libsvm L2 [threads], then lines
 * `BATCH MOST_STEPS BETWEEN TARGET METHOD | AVERAGE` with both in YAML (no average: none). Trains from zero through the
 * C API, data in memory, and looks at the regularised loss over all examples every BETWEEN steps, which is not timed.
 * Answers with the processor time from the making of the problem on, the steps, and the loss then. */
#include <glissade/glissade.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "timing.h"

static gls_context *ctx;

static gls_value *yaml(const char *text) {
    gls_value *value;
    need(ctx, gls_yaml_parse(ctx, "bench", text, (int64_t)strlen(text), &value));
    return value;
}

typedef struct trainer {
    gls_problem *problem;
    gls_pass *pass;
    gls_method *method;
    gls_sampler *sampler;
    gls_loader *loader;
    gls_estimator *estimator;
    gls_average *average; /* NULL: none */
    gls_real *w, *g, *averaged;
    int64_t *index;
} trainer;

static trainer make(const gls_source *data, const char *model, const gls_value *method, const char *average,
                    int64_t batch, double steps) {
    trainer t = {0};
    int64_t examples = gls_source_info(data)->examples;
    gls_value *options = yaml(model);
    need(ctx, gls_problem_create(ctx, "logistic", options, gls_source_info(data), &t.problem));
    gls_value_destroy(ctx, options);
    int64_t d = gls_problem_size(t.problem);
    need(ctx, gls_pass_create(t.problem, NULL, &t.pass));
    need(ctx, gls_estimator_create(t.problem, NULL, 1, &t.estimator));
    gls_method_options how = {.size = sizeof how,
                              .layout = gls_problem_layout(t.problem),
                              .spec = method,
                              .total_steps = steps,
                              .steps_per_epoch = (double)(examples / batch)};
    need(ctx, gls_method_create(ctx, &how, &t.method));
    gls_sampler_options order = {.size = sizeof order, .examples = examples, .shuffle = true, .seed = 1};
    need(ctx, gls_sampler_create(ctx, &order, &t.sampler));
    gls_loader_options rows = {.size = sizeof rows, .wave = batch, .align = 1, .seed = 1};
    need(ctx, gls_loader_create(ctx, data, &rows, &t.loader));
    gls_value *spec = *average ? yaml(average) : NULL;
    if (spec) need(ctx, gls_average_create(ctx, d, spec, 1, &t.average));
    gls_value_destroy(ctx, spec);
    t.w = gls_alloc(ctx, d, sizeof *t.w);
    t.averaged = gls_alloc(ctx, d, sizeof *t.averaged);
    t.g = gls_alloc(ctx, d, sizeof *t.g);
    t.index = gls_alloc(ctx, batch, sizeof *t.index);
    if (!t.w || !t.averaged || !t.g || !t.index) exit(1);
    return t;
}

static void drop(trainer *t) {
    gls_loader_destroy(t->loader);
    gls_sampler_destroy(t->sampler);
    gls_method_destroy(t->method);
    gls_estimator_destroy(t->estimator);
    gls_pass_destroy(t->pass);
    gls_problem_destroy(t->problem);
    gls_average_destroy(t->average);
    gls_free(ctx, t->averaged);
    gls_free(ctx, t->w);
    gls_free(ctx, t->g);
    gls_free(ctx, t->index);
}

static void step(trainer *t, int64_t batch) {
    int64_t count;
    uint64_t draw;
    gls_stream *rows;
    gls_estimate estimate;
    gls_query query;
    need(ctx, gls_sampler_next(t->sampler, batch, t->index, &count, &draw));
    need(ctx, gls_loader_push(t->loader, t->index, count, draw));
    need(ctx, gls_loader_front(t->loader, &rows));
    need(ctx, gls_method_query(t->method, t->w, &query));
    need(ctx, gls_estimator_estimate(t->estimator, t->pass, query.at, rows, 0, t->g, &estimate, NULL));
    if (t->average) need(ctx, gls_average_update(t->average, t->w));
    gls_answer answer = {.value = estimate.loss, .g = t->g, .norm2 = estimate.norm2};
    need(ctx, gls_method_tell(t->method, &answer, t->w, NULL));
    gls_loader_pop(t->loader);
}

static double loss_of(const trainer *t, const gls_batch *all) {
    const gls_real *w = gls_method_output(t->method, t->w);
    if (t->average && gls_average_value(t->average, t->averaged)) w = t->averaged;
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, all);
    gls_pass_request request = {.w = w, .rows = &stream.stream, .mode = GLS_MODE_EVALUATE};
    gls_pass_result result;
    need(ctx, gls_pass_run(t->pass, &request, &result));
    return result.loss / result.mass;
}

typedef struct task {
    int64_t batch, most, between;
    double target;
    const char *method, *average, *model;
} task;

static void answer(const gls_source *data, const gls_batch *all, const task *a) {
    gls_value *method = yaml(a->method);
    double start = clock_of(CLOCK_PROCESS_CPUTIME_ID), spent, loss = 0;
    trainer t = make(data, a->model, method, a->average, a->batch, (double)a->most);
    spent = clock_of(CLOCK_PROCESS_CPUTIME_ID) - start;
    int64_t steps = 0;
    while (steps < a->most) {
        start = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        for (int64_t k = 0; k < a->between && steps < a->most; k++, steps++) step(&t, a->batch);
        spent += clock_of(CLOCK_PROCESS_CPUTIME_ID) - start;
        loss = loss_of(&t, all);
        if (!(loss > a->target)) break;
    }
    printf("%.9f %lld %.9f\n", spent, (long long)steps, loss);
    drop(&t);
    gls_value_destroy(ctx, method);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    gls_context_options options = {.size = sizeof options, .threads = argc > 3 ? atoi(argv[3]) : 1, .seed = 1};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    gls_source *data;
    need(ctx, gls_source_open(ctx, "libsvm", argv[1], NULL, NULL, GLS_PART_TRAIN, NULL, &data));
    int64_t examples = gls_source_info(data)->examples;
    gls_rows *rows;
    gls_batch all;
    int64_t *index = gls_alloc(ctx, examples, sizeof *index);
    for (int64_t i = 0; i < examples; i++) index[i] = i;
    gls_fetch fetch = {.count = examples, .index = index};
    need(ctx, gls_rows_create(ctx, gls_source_info(data), examples, &rows));
    need(ctx, gls_source_fetch(data, ctx, &fetch, rows, &all));
    char line[1000], model[100];
    snprintf(model, sizeof model, "{name: logistic, bias: false, l2: %s}", argv[2]);
    long long batch, most, between;
    double target;
    int at;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%lld %lld %lld %lf %n", &batch, &most, &between, &target, &at) != 4) return 2;
        char *average = strchr(line + at, '|');
        if (average) *average++ = 0;
        answer(data, &all, &(task){batch, most, between, target, line + at, average ? average : "", model});
        fflush(stdout);
    }
    return 0;
}
