/* What estimators cost, as ratios to the plain gradient of the same mini-batch (the better of the plan's own slices and
 * half and twice of them), alternating in one process; medians. Usage: estimators [repeats, default 9] [model or all]
 * [threads]. With one thread it takes the processor's time, which a busy machine disturbs less. Gradients of one
 * mini-batch of 128 made-up examples; the method's step is left out, so ratios are upper bounds. */
#include <glissade/glissade.h>
#include <glissade/model.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 128, MOST = 101 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct subject {
    const char *name, *options; /* of the model: key=value ... */
    int dims;
    int64_t shape[3];
} subject;

static const subject subjects[] = {
    {"mlp", "hidden=[512,512]", 1, {784}},
    {"convnet", "", 3, {1, 28, 28}},
    {"resnet", "norm=group", 3, {3, 32, 32}},
};

static const char *const chains[][2] = {
    {"plain", "mean"},
    {"per-example norms (ledger)", "mean ledger=true"},
    {"8 micro-batches of 16, adaptive", "microbatch microbatch=16 ratio_every=0"},
    {"8 micro-batches of 16, streamed", "microbatch microbatch=16 ratio_every=0 way=streamed"},
    {"8 micro-batches of 16, derived", "microbatch microbatch=16 ratio_every=0 way=derived"},
    {"per-example clipping", "microbatch microbatch=1 bound=1 ratio_every=0"},
};
enum { CHAINS = sizeof(chains) / sizeof(*chains) };

static void need(gls_context *ctx, gls_status status) {
    if (status == GLS_OK) return;
    fprintf(stderr, "%s\n", gls_context_message(ctx));
    exit(1);
}

static gls_value *list_or_text(gls_context *ctx, const char *key, char *text) {
    if (text[0] != '[') return gls_value_create(ctx, GLS_VALUE_TEXT, key, text);
    char *rest;
    gls_value *list = gls_value_create(ctx, GLS_VALUE_LIST, key, NULL);
    for (char *item = strtok_r(text + 1, ",]", &rest); item; item = strtok_r(NULL, ",]", &rest))
        need(ctx, gls_value_append(ctx, list, gls_value_create(ctx, GLS_VALUE_TEXT, NULL, item)));
    return list;
}

static gls_value *read_map(gls_context *ctx, const char *text) {
    char copy[300], *rest;
    snprintf(copy, sizeof(copy), "%s", text);
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        if (value) *value++ = '\0';
        need(ctx, gls_value_append(ctx, map, list_or_text(ctx, value ? word : "name", value ? value : word)));
    }
    return map;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n) {
    qsort(x, (size_t)n, sizeof(*x), ascending);
    return x[n / 2];
}

static gls_batch make_batch(gls_data_info *info) {
    static int64_t index[BATCH];
    static int32_t label[BATCH];
    gls_real *x = malloc((size_t)(BATCH * info->features) * sizeof(*x));
    gls_random random = gls_random_create(1, "bench", 0, 0);
    for (int64_t i = 0; i < BATCH * info->features; i++) x[i] = (gls_real)gls_random_normal(&random);
    for (int64_t i = 0; i < BATCH; i++) {
        index[i] = i;
        label[i] = (int32_t)(i % 10);
    }
    return (gls_batch){
        .rows = BATCH, .features = info->features, .x = x, .label = label, .index = index, .slot = index};
}

typedef struct runner {
    gls_estimator *estimator;
    gls_pass *pass;
    double time[MOST];
} runner;

static void run(gls_context *ctx, runner *r, const gls_real *w, gls_stream *rows, gls_real *g, int repeat) {
    gls_estimate out;
    clockid_t clock = gls_context_threads(ctx) == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    double start = now(clock);
    need(ctx, gls_estimator_estimate(r->estimator, r->pass, w, rows, 0, g, &out, NULL));
    r->time[repeat] = now(clock) - start;
}

static void measure(gls_context *ctx, const subject *s, int repeats) {
    gls_data_info info = {.examples = BATCH, .features = 1, .dims = s->dims, .target = GLS_TARGET_CLASS, .classes = 10};
    for (int i = 0; i < s->dims; i++) info.features *= info.shape[i] = s->shape[i];
    gls_value *options = read_map(ctx, s->options);
    gls_problem *p;
    need(ctx, gls_model_create(ctx, s->name, options, &info, &p));
    gls_value_destroy(ctx, options);
    int64_t d = gls_problem_size(p);
    gls_real *w = calloc((size_t)d, sizeof(*w)), *g = calloc((size_t)d, sizeof(*g));
    need(ctx, gls_problem_initialize(p, 1, w));
    gls_batch batch = make_batch(&info);
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &batch);

    static runner runners[CHAINS + 2];
    for (int k = 0; k < CHAINS + 2; k++) {
        gls_pass_options plan = {.size = sizeof(plan)};
        need(ctx, gls_pass_create(p, &plan, &runners[k].pass));
        int64_t slice = gls_pass_plan(runners[k].pass, BATCH).slice;
        if (k >= CHAINS) { /* the plain gradient with other slices */
            gls_pass_destroy(runners[k].pass);
            plan.slice = k == CHAINS ? slice / 2 : 2 * slice;
            need(ctx, gls_pass_create(p, &plan, &runners[k].pass));
        }
        gls_value *map = read_map(ctx, chains[k < CHAINS ? k : 0][1]);
        need(ctx, gls_estimator_create(p, map, 1, &runners[k].estimator));
        gls_value_destroy(ctx, map);
    }
    double multiply_adds = 0, bytes = 0;
    p->type->cost(p, &multiply_adds, &bytes);
    for (int r = -1; r < repeats; r++)
        for (int k = 0; k < CHAINS + 2; k++) run(ctx, &runners[k], w, &stream.stream, g, r < 0 ? 0 : r);
    double best = INFINITY;
    for (int k = 0; k < CHAINS + 2; k++) {
        double m = median(runners[k].time, repeats);
        if ((k == 0 || k >= CHAINS) && m < best) best = m;
    }
    gls_pass_options plan = gls_pass_plan(runners[0].pass, BATCH);
    printf("%s: %lld parameters, %.3g multiply-adds a row, slices of %lld, waves of %lld, %lld lanes\n", s->name,
           (long long)d, multiply_adds, (long long)plan.slice, (long long)plan.wave, (long long)plan.lanes);
    printf("  best plain plan: %.2f ms\n", 1e3 * best);
    for (int k = 0; k < CHAINS; k++)
        printf("  %-34s %8.2f ms  %5.2f\n", chains[k][0], 1e3 * runners[k].time[repeats / 2],
               runners[k].time[repeats / 2] / best);
    for (int k = 0; k < CHAINS + 2; k++) {
        gls_estimator_destroy(runners[k].estimator);
        gls_pass_destroy(runners[k].pass);
    }
    free((void *)batch.x), free(w), free(g);
    gls_problem_destroy(p);
}

int main(int argc, char **argv) {
    int repeats = argc > 1 ? atoi(argv[1]) : 9;
    if (repeats < 1 || repeats > MOST) repeats = 9;
    gls_context *ctx;
    gls_context_options options = {.size = sizeof(options), .threads = argc > 3 ? atoi(argv[3]) : 0};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    for (size_t k = 0; k < sizeof(subjects) / sizeof(*subjects); k++)
        if (argc < 3 || !strcmp(argv[2], "all") || !strcmp(argv[2], subjects[k].name))
            measure(ctx, &subjects[k], repeats);
    gls_context_destroy(ctx);
    return 0;
}
