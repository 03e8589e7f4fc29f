/* What estimators, and Hessian products, cost on one mini-batch of 128 made-up examples. Usage: estimators [repeats,
 * default 9] [model or all] [threads] [time: memory and other slices are left out].
 *
 * Time: alternating in one process, medians; with one thread the processor's time, which a busy machine disturbs less.
 * Ratios are to the plain gradient of the same mini-batch (the best of the plan's own slices and half and twice of
 * them), and the same with a step of msgd in both. Memory: how far the resident set of a process of its own rises above
 * what model, weights, gradient and data take; to be held against what per-example gradients would take. */
#include <glissade/glissade.h>
#include <glissade/model.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

enum { BATCH = 128, MOST = 101 };

typedef struct subject {
    const char *label, *name, *options; /* of the model: key=value ... */
    int dims;
    int64_t shape[3];
    int64_t length, vocabulary; /* of tokens, in place of the shape */
} subject;

static const subject subjects[] = {
    {"mlp", "mlp", "hidden=[512,512]", 1, {784}},
    {"convnet", "convnet", "", 3, {1, 28, 28}},
    {"resnet", "resnet", "norm=group", 3, {3, 32, 32}},
    {"resnet, batch norm over 16", "resnet", "norm=batch bn_group=16", 3, {3, 32, 32}},
    {"lstm", "lstm", "embedding=64 hidden=64 depth=2", .length = 16, .vocabulary = 500},
    {"transformer", "transformer", "dim=64 heads=4 depth=2", .length = 16, .vocabulary = 500},
};

static const char *const chains[][2] = {
    {"plain", "mean"},
    {"per-example norms (ledger)", "mean ledger=true"},
    {"8 micro-batches of 16, adaptive", "microbatch microbatch=16 ratio_every=0"},
    {"8 micro-batches of 16, streamed", "microbatch microbatch=16 ratio_every=0 way=streamed"},
    {"8 micro-batches of 16, derived", "microbatch microbatch=16 ratio_every=0 way=derived"},
    {"per-example clipping", "microbatch microbatch=1 bound=1 ratio_every=0"},
};
enum { CHAINS = sizeof(chains) / sizeof *chains };

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

static int64_t row_number[BATCH];

/* The next token is the target. */
static gls_batch make_tokens(const gls_data_info *info) {
    int64_t n = BATCH * info->length;
    int32_t *token = malloc((size_t)(n + 1) * sizeof *token);
    gls_random random = gls_random_create(1, "bench", 0, 0);
    for (int64_t i = 0; i <= n; i++) token[i] = (int32_t)gls_random_below(&random, info->vocabulary);
    for (int64_t i = 0; i < BATCH; i++) row_number[i] = i;
    return (gls_batch){.rows = BATCH,
                       .features = 1,
                       .token = token,
                       .label = token + 1,
                       .length = info->length,
                       .target = GLS_TARGET_TOKENS,
                       .index = row_number,
                       .slot = row_number};
}

static gls_batch make_batch(gls_data_info *info) {
    static int32_t label[BATCH];
    gls_real *x = malloc((size_t)(BATCH * info->features) * sizeof *x);
    gls_random random = gls_random_create(1, "bench", 0, 0);
    for (int64_t i = 0; i < BATCH * info->features; i++) x[i] = (gls_real)gls_random_normal(&random);
    for (int64_t i = 0; i < BATCH; i++) {
        row_number[i] = i;
        label[i] = (int32_t)(i % 10);
    }
    return (gls_batch){
        .rows = BATCH, .features = info->features, .x = x, .label = label, .index = row_number, .slot = row_number};
}

/* A model with its weights and a mini-batch. */
typedef struct setting {
    gls_problem *problem;
    gls_data_info info;
    gls_batch batch;
    gls_real *w, *g;
    int64_t d;
} setting;

static setting make_setting(gls_context *ctx, const subject *s) {
    setting m = {.info = {.examples = BATCH, .features = 1, .target = GLS_TARGET_CLASS, .classes = 10}};
    m.info.dims = s->dims;
    for (int i = 0; i < s->dims; i++) m.info.features *= m.info.shape[i] = s->shape[i];
    if (s->vocabulary) {
        m.info.target = GLS_TARGET_TOKENS;
        m.info.classes = m.info.vocabulary = s->vocabulary;
        m.info.length = s->length;
    }
    gls_value *options = read_map(ctx, s->options);
    need(ctx, gls_model_create(ctx, s->name, options, &m.info, &m.problem));
    gls_value_destroy(ctx, options);
    m.d = gls_problem_size(m.problem);
    m.w = malloc((size_t)m.d * sizeof *m.w);
    m.g = malloc((size_t)m.d * sizeof *m.g);
    memset(m.g, 0, (size_t)m.d * sizeof *m.g);
    need(ctx, gls_problem_initialize(m.problem, 1, m.w));
    m.batch = s->vocabulary ? make_tokens(&m.info) : make_batch(&m.info);
    return m;
}

static void drop_setting(setting *m) {
    gls_problem_destroy(m->problem);
    free((void *)(uintptr_t)m->batch.x), free((void *)(uintptr_t)m->batch.token), free(m->w), free(m->g);
}

typedef struct runner {
    gls_estimator *estimator; /* NULL: refused */
    gls_pass *pass;
    gls_method *method;
    double time[MOST], step[MOST];
} runner;

/* slice 0: the plan's own. */
static void make_runner(gls_context *ctx, runner *r, const setting *m, const char *chain, int64_t slice) {
    gls_pass_options plan = {.size = sizeof(plan), .slice = slice};
    need(ctx, gls_pass_create(m->problem, &plan, &r->pass));
    gls_value *map = read_map(ctx, chain), *spec = read_map(ctx, "msgd lr=1e-6");
    gls_status status = gls_estimator_create(m->problem, map, 1, &r->estimator);
    if (status != GLS_ERR_UNSUPPORTED) need(ctx, status);
    gls_method_options how = {.size = sizeof(how), .layout = gls_problem_layout(m->problem), .spec = spec};
    need(ctx, gls_method_create(ctx, &how, &r->method));
    gls_value_destroy(ctx, map);
    gls_value_destroy(ctx, spec);
}

static void drop_runner(runner *r) {
    gls_estimator_destroy(r->estimator);
    gls_pass_destroy(r->pass);
    gls_method_destroy(r->method);
}

static void run(gls_context *ctx, runner *r, setting *m, int repeat) {
    if (!r->estimator) return;
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &m->batch);
    gls_estimate out;
    gls_step_report report;
    clockid_t clock = gls_context_threads(ctx) == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    double start = clock_of(clock);
    need(ctx, gls_estimator_estimate(r->estimator, r->pass, m->w, &stream.stream, 0, m->g, &out, NULL));
    double middle = clock_of(clock);
    gls_answer answer = {.value = out.loss, .g = m->g, .norm2 = out.norm2};
    need(ctx, gls_method_tell(r->method, &answer, m->w, &report));
    r->time[repeat] = middle - start;
    r->step[repeat] = clock_of(clock) - middle;
}

/* One product along w itself; v and g may be any, so the gradient's room takes it. */
static double time_product(gls_context *ctx, gls_pass *pass, setting *m) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &m->batch);
    clockid_t clock = gls_context_threads(ctx) == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    double start = clock_of(clock), mass = 0;
    need(ctx, gls_pass_hessian_vector(pass, m->w, m->w, &stream.stream, GLS_MODE_TRAIN, m->g, &mass));
    return clock_of(clock) - start;
}

/* ---- memory ---- */

/* MiB of a line of /proc/self/status; 0 where there is none. */
static double status_of(const char *key) {
    char line[200];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0) sscanf(line + strlen(key), ": %ld", &kib);
    fclose(file);
    return (double)kib / 1024;
}

static double peak_here(const subject *s, const char *chain, int threads) {
    gls_context *ctx;
    gls_context_options options = {.size = sizeof(options), .threads = threads};
    if (gls_context_create(&ctx, &options) != GLS_OK) exit(1);
    setting m = make_setting(ctx, s);
    runner r = {0};
    double before = status_of("VmRSS");
    make_runner(ctx, &r, &m, chain, 0);
    for (int k = 0; k < 3; k++) run(ctx, &r, &m, 0);
    return r.estimator ? status_of("VmHWM") - before : NAN;
}

/* In a process of its own, so that nothing that was freed before is used again. Called before threads are begun. */
static double peak_of(const subject *s, const char *chain, int threads) {
    int ends[2];
    double peak = NAN;
    if (pipe(ends)) return NAN;
    pid_t child = fork();
    if (child == 0) {
        peak = peak_here(s, chain, threads);
        _exit(write(ends[1], &peak, sizeof(peak)) != sizeof(peak));
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &peak, sizeof(peak)) != sizeof(peak)) peak = NAN;
    close(ends[0]);
    if (child > 0) waitpid(child, NULL, 0);
    return peak;
}

/* ---- time ---- */

static void print_head(const subject *s, const setting *m, const gls_pass *pass) {
    double multiply_adds = 0, bytes = 0;
    m->problem->type->cost(m->problem, &multiply_adds, &bytes);
    gls_pass_options plan = gls_pass_plan(pass, BATCH);
    printf("%s: %lld parameters, %.3g multiply-adds a row, slices of %lld, waves of %lld, %lld lanes\n", s->label,
           (long long)m->d, multiply_adds, (long long)plan.slice, (long long)plan.wave, (long long)plan.lanes);
    printf("  per-example gradients would take %.0f MiB\n", (double)(m->d * BATCH) * sizeof(gls_real) / 1048576);
}

static void measure(gls_context *ctx, const subject *s, int repeats, const double *peak, bool all) {
    setting m = make_setting(ctx, s);
    static runner runners[CHAINS + 2];
    memset(runners, 0, sizeof(runners));
    for (int k = 0; k < (all ? CHAINS + 2 : CHAINS); k++) { /* the last two: the plain gradient with other slices */
        int64_t slice = k < CHAINS ? 0 : gls_pass_plan(runners[0].pass, BATCH).slice;
        make_runner(ctx, &runners[k], &m, chains[k < CHAINS ? k : 0][1], k == CHAINS ? slice / 2 : 2 * slice);
    }
    static double product[MOST];
    for (int r = -1; r < repeats; r++) {
        for (int k = 0; k < CHAINS + 2; k++) run(ctx, &runners[k], &m, r < 0 ? 0 : r);
        product[r < 0 ? 0 : r] = time_product(ctx, runners[0].pass, &m);
    }
    double best = INFINITY, time[CHAINS + 2], step = median(runners[0].step, repeats);
    for (int k = 0; k < CHAINS + 2; k++) {
        time[k] = runners[k].estimator ? median(runners[k].time, repeats) : NAN;
        if ((k == 0 || k >= CHAINS) && time[k] < best) best = time[k];
    }
    print_head(s, &m, runners[0].pass);
    if (all)
        printf("  plain with half, the plan's own and twice the slices: %.2f, %.2f, %.2f ms; a step of msgd %.2f ms\n",
               1e3 * time[CHAINS], 1e3 * time[0], 1e3 * time[CHAINS + 1], 1e3 * step);
    printf("  %-34s %11s  %5s  %5s  %9s\n", "", "gradient", "ratio", "step", "peak");
    for (int k = 0; k < CHAINS; k++)
        if (runners[k].estimator)
            printf("  %-34s %8.2f ms  %5.2f  %5.2f  %5.0f MiB\n", chains[k][0], 1e3 * time[k], time[k] / best,
                   (time[k] + step) / (best + step), peak[k]);
        else
            printf("  %-34s     refused: its examples couple\n", chains[k][0]);
    double hessian = median(product, repeats);
    printf("  %-34s %8.2f ms  %5.2f\n", "Hessian times a vector", 1e3 * hessian, hessian / best);
    for (int k = 0; k < CHAINS + 2; k++)
        if (runners[k].method) drop_runner(&runners[k]);
    drop_setting(&m);
}

int main(int argc, char **argv) {
    enum { SUBJECTS = sizeof(subjects) / sizeof *subjects };
    int repeats = argc > 1 ? atoi(argv[1]) : 9, threads = argc > 3 ? atoi(argv[3]) : 0;
    if (repeats < 1 || repeats > MOST) repeats = 9;
    static double peak[SUBJECTS][CHAINS];
    bool chosen[SUBJECTS], all = argc < 5 || strcmp(argv[4], "time") != 0;
    for (int k = 0; k < SUBJECTS; k++) {
        chosen[k] = argc < 3 || strcmp(argv[2], "all") == 0 || strcmp(argv[2], subjects[k].name) == 0;
        for (int c = 0; c < CHAINS && chosen[k] && all; c++) peak[k][c] = peak_of(&subjects[k], chains[c][1], threads);
    }
    gls_context *ctx;
    gls_context_options options = {.size = sizeof(options), .threads = threads};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    for (int k = 0; k < SUBJECTS; k++)
        if (chosen[k]) measure(ctx, &subjects[k], repeats, peak[k], all);
    gls_context_destroy(ctx);
    return 0;
}
