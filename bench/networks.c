/* Training steps of networks, for networks_torch.py and sequences_torch.py to alternate with PyTorch's: reads lines
 * `CASE STEPS` or `profile CASE STEPS` and answers each with seconds, or with a table of time by layer; `norms CASE
 * STEPS` takes the steps with the norm of every example's gradient (as estimators with a ledger do), `hessian CASE
 * STEPS` says what a Hessian product costs in gradients. A case is NAME-BATCH, in single precision, or with ",bf16" or
 * ",emulated" behind it in bf16.
 *
 *   mlp       784-512-512-10
 *   convnet   3x32x32, two 5x5 convolutions with 32 and 64 channels, 128 hidden units
 *   resnet20  3x32x32, batch norm
 *   decoder   4 layers of attention, 256 wide, 128 positions, vocabulary 8000, tied
 *   lstm      2 layers of 400 units, the same text */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glissade/glissade.h>

#include "base/gemm.h"
#include "base/yaml.h"
#include "model/network.h"
#include "model/op.h"
#include "timing.h"

typedef struct shape {
    const char *name, *family, *options, *method;
    int64_t c, h, w; /* w = 0: texts of h tokens from a vocabulary of c */
} shape;

#define MOMENTUM "{name: msgd, lr: 0.01, beta: 0.9}"
#define ADAMW "{name: adamw, lr: 0.001, weight_decay: 0.01, clip_norm: 1}"

static const shape shapes[] = {
    {"mlp", "mlp", "{hidden: [512, 512]}", MOMENTUM, 784, 1, 1},
    {"convnet", "convnet", "{channels: 32, units: 128}", MOMENTUM, 3, 32, 32},
    {"resnet20", "resnet", "{depth: 20}", MOMENTUM, 3, 32, 32},
    {"resnet20gn", "resnet", "{depth: 20, norm: group}", MOMENTUM, 3, 32, 32},
    {"decoder", "transformer", "{dim: 256, heads: 4, depth: 4, tie: true}", ADAMW, 8000, 128, 0},
    {"lstm", "lstm", "{embedding: 400, hidden: 400, depth: 2, tie: true}", ADAMW, 8000, 128, 0},
};

typedef struct run {
    char name[64];
    int64_t rows;
    gls_problem *problem;
    gls_pass *pass;
    gls_method *method;
    gls_batch batch;
    gls_real *w, *g;
    struct run *next;
} run;

static gls_context *ctx;

static void check(gls_status status) {
    if (status == GLS_OK) return;
    fprintf(stderr, "%s\n", gls_context_message(ctx));
    exit(1);
}

static double resident(void) {
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &size, &pages) != 2) pages = 0;
    fclose(file);
    return (double)pages * 4096 / 1048576;
}

static void make_text(run *r, const shape *s) {
    int64_t tokens = r->rows * s->h;
    int32_t *token = gls_alloc(ctx, tokens, sizeof *token), *label = gls_alloc(ctx, tokens, sizeof *label);
    int64_t *number = gls_alloc(ctx, r->rows, sizeof *number);
    gls_random random = gls_random_create(1, "bench", 0, 0);
    for (int64_t i = 0; i < tokens; i++) {
        token[i] = (int32_t)gls_random_below(&random, s->c);
        label[i] = (int32_t)gls_random_below(&random, s->c);
    }
    for (int64_t i = 0; i < r->rows; i++) number[i] = i;
    r->batch = (gls_batch){.rows = r->rows,
                           .token = token,
                           .length = s->h,
                           .label = label,
                           .target = GLS_TARGET_TOKENS,
                           .index = number,
                           .slot = number,
                           .draw = 1};
}

static void make_batch(run *r, const shape *s) {
    int64_t features = s->c * s->h * s->w;
    gls_real *x = gls_alloc(ctx, r->rows * features, sizeof *x);
    int32_t *label = gls_alloc(ctx, r->rows, sizeof *label);
    int64_t *number = gls_alloc(ctx, r->rows, sizeof *number);
    gls_random random = gls_random_create(1, "bench", 0, 0);
    for (int64_t i = 0; i < r->rows * features; i++) x[i] = (gls_real)gls_random_normal(&random);
    for (int64_t i = 0; i < r->rows; i++) {
        label[i] = (int32_t)gls_random_below(&random, 10);
        number[i] = i;
    }
    r->batch = (gls_batch){
        .rows = r->rows, .features = features, .x = x, .label = label, .index = number, .slot = number, .draw = 1};
}

static void make_pass(run *r, bool profile) {
    gls_pass_destroy(r->pass);
    ((gls_network *)r->problem->self)->profile = profile;
    check(gls_pass_create(r->problem, NULL, &r->pass));
}

static run *make(const char *name) {
    run *r = calloc(1, sizeof *r);
    const char *dash = strrchr(name, '-'), *narrow = strchr(name, ',');
    const shape *s = NULL;
    snprintf(r->name, sizeof r->name, "%s", name);
    r->rows = dash ? atol(dash + 1) : 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (dash && strlen(shapes[i].name) == (size_t)(dash - name) &&
            strncmp(shapes[i].name, name, (size_t)(dash - name)) == 0)
            s = &shapes[i];
    bool emulated = narrow && strcmp(narrow, ",emulated") == 0;
    if (!s || r->rows < 1 || (narrow && !emulated && strcmp(narrow, ",bf16") != 0)) {
        fprintf(stderr, "unknown case '%s'\n", name);
        exit(2);
    }
    gls_data_info image = {.examples = r->rows,
                           .features = s->c * s->h * s->w,
                           .dims = 3,
                           .shape = {s->c, s->h, s->w},
                           .target = GLS_TARGET_CLASS,
                           .classes = 10};
    gls_data_info text = {
        .examples = r->rows, .length = s->h, .vocabulary = s->c, .target = GLS_TARGET_TOKENS, .classes = s->c};
    const gls_data_info *info = s->w ? &image : &text;
    gls_value *options = NULL, *spec = NULL;
    check(gls_yaml_parse(ctx, "bench", s->options, (int64_t)strlen(s->options), &options));
    check(gls_yaml_parse(ctx, "bench", s->method, (int64_t)strlen(s->method), &spec));
    check(gls_model_create(ctx, s->family, options, info, &r->problem));
    if (narrow) check(gls_problem_set_precision(r->problem, GLS_PRECISION_BF16, emulated));
    if (s->w)
        make_batch(r, s);
    else
        make_text(r, s);
    make_pass(r, false);
    gls_method_options how = {.size = sizeof how, .layout = gls_problem_layout(r->problem), .spec = spec};
    check(gls_method_create(ctx, &how, &r->method));
    r->w = gls_alloc(ctx, gls_problem_size(r->problem), sizeof *r->w);
    r->g = gls_alloc(ctx, gls_problem_size(r->problem), sizeof *r->g);
    check(gls_problem_initialize(r->problem, 1, r->w));
    gls_value_destroy(ctx, options);
    gls_value_destroy(ctx, spec);
    return r;
}

static double mean(void *user, const gls_pass_result *sums) {
    (void)user;
    return 1 / sums->mass;
}

/* Nobody reads the norms: what they cost is asked. */
static gls_status ask_norms(void *user, gls_slice *slice) {
    (void)user;
    return gls_ask_norms(slice->evaluation, &slice->groups, slice->weights);
}

static void step(run *r, bool norms) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &r->batch);
    gls_pass_request request = {.w = r->w,
                                .rows = &stream.stream,
                                .want = GLS_WANT_GRADIENT | (norms ? GLS_WANT_NORMS | GLS_WANT_SHARED : 0),
                                .mode = GLS_MODE_TRAIN,
                                .g = r->g,
                                .group = norms,
                                .slice = norms ? ask_norms : NULL,
                                .factor = mean};
    gls_pass_result result;
    check(gls_pass_run(r->pass, &request, &result));
    gls_answer answer = {.value = result.loss / result.mass, .g = r->g, .norm2 = result.norm2};
    gls_step_report report;
    check(gls_method_tell(r->method, &answer, r->w, &report));
    gls_problem_commit(r->problem, gls_pass_state_next(r->pass));
}

static double steps(run *r, int count, bool norms) {
    double start = now();
    for (int k = 0; k < count; k++) step(r, norms);
    return now() - start;
}

/* GFLOP/s of a product that stays in cache, on one thread. */
static gls_status gemm_task(void *user, int64_t task, int worker) {
    enum { N = 256 };
    double *peak = user;
    gls_real *a = gls_alloc(ctx, 3 * N * N, sizeof *a);
    for (int k = 0; a && k < 40; k++) {
        double start = now();
        gls_gemm(false, false, false, N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
        double rate = 2e-9 * N * N * N / (now() - start);
        if (rate > *peak) *peak = rate;
    }
    gls_free(ctx, a);
    return GLS_OK;
}

static void profile(run *r, int count) {
    gls_network *net = r->problem->self;
    memset(net->seconds, 0, (size_t)net->graph->nodes * 3 * sizeof(double));
    make_pass(r, true);
    step(r, false); /* makes the evaluations */
    double wall = steps(r, count, false), sum = 0, peak = 0;
    make_pass(r, false);
    check(gls_parallel(ctx, 1, gemm_task, &peak));
    double step_ms = 1e3 * wall / count;
    count++; /* layers count the first step too */
    printf("%-28s %-22s %8s %8s %8s  GFLOP/s of one thread (gemm %.0f)\n", "layer", "op", "fwd ms", "bwd ms", "par ms",
           peak);
    for (int i = 0; i < net->graph->nodes; i++) {
        const gls_node *node = &net->graph->node[i];
        const double *t = net->seconds + 3 * i;
        double work = node->op->work ? 2e-9 * node->op->work(node) * (double)r->rows * count : 0;
        sum += t[0] + t[1] + t[2];
        if (t[0] + t[1] + t[2] < 1e-6 * count) continue;
        printf("%-28s %-22s %8.3f %8.3f %8.3f", node->name, node->op->member.name, 1e3 * t[0] / count,
               1e3 * t[1] / count, 1e3 * t[2] / count);
        if (work > 0) printf("  %5.0f %5.0f %5.0f", work / t[0], t[1] > 0 ? work / t[1] : 0, work / t[2]);
        printf("\n");
    }
    gls_pass_options plan = gls_pass_plan(r->pass, r->rows);
    printf("a step: %.3f ms, in layers %.3f ms over all threads; slice %lld, wave %lld, lanes %lld\n", step_ms,
           1e3 * sum / count, (long long)plan.slice, (long long)plan.wave, (long long)plan.lanes);
}

/* Processor time of a product over that of a gradient, alternating. */
static void hessian(run *r, int count) {
    enum { GRADIENT, PRODUCT, KINDS };
    double seconds[KINDS] = {0}, mass;
    gls_real *v = gls_alloc(ctx, gls_problem_size(r->problem), sizeof *v);
    if (!v) check(GLS_ERR_MEMORY);
    for (int64_t i = 0; i < gls_problem_size(r->problem); i++) v[i] = 1;
    for (int k = -1; k < count; k++)
        for (int kind = 0; kind < KINDS; kind++) {
            gls_batch_stream stream;
            gls_batch_stream_init(&stream, &r->batch);
            gls_pass_request request = {
                .w = r->w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .mode = GLS_MODE_TRAIN, .g = r->g};
            gls_pass_result result;
            double start = clock_of(CLOCK_PROCESS_CPUTIME_ID);
            if (kind == GRADIENT)
                check(gls_pass_run(r->pass, &request, &result));
            else
                check(gls_pass_hessian_vector(r->pass, r->w, v, &stream.stream, GLS_MODE_TRAIN, r->g, &mass));
            if (k >= 0) seconds[kind] += clock_of(CLOCK_PROCESS_CPUTIME_ID) - start;
        }
    printf("gradient %.3f ms, product %.3f ms, ratio %.2f\n", 1e3 * seconds[GRADIENT] / count,
           1e3 * seconds[PRODUCT] / count, seconds[PRODUCT] / seconds[GRADIENT]);
    gls_free(ctx, v);
}

/* Seconds, seconds of all processors, MiB that the process has grown. */
static void report(run *r, int count, bool norms, double base) {
    double cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID), wall = steps(r, count, norms);
    printf("%.9f %.9f %.1f\n", wall, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, resident() - base);
}

int main(int argc, char **argv) {
    gls_context_options options = {.size = sizeof options, .threads = argc > 1 ? atoi(argv[1]) : 2, .seed = 1};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    fprintf(stderr, "%s\n", gls_gemm_describe(ctx));
    run *all = NULL;
    char line[128], word[3][64];
    double base = resident();
    while (fgets(line, sizeof line, stdin)) {
        int words = sscanf(line, "%63s %63s %63s", word[0], word[1], word[2]);
        if (words < 2) continue;
        const char *name = words == 3 ? word[1] : word[0];
        run *r = all;
        while (r && strcmp(r->name, name) != 0) r = r->next;
        if (!r) {
            r = make(name);
            r->next = all;
            all = r;
        }
        if (words == 3 && strcmp(word[0], "profile") == 0)
            profile(r, atoi(word[2]));
        else if (words == 3 && strcmp(word[0], "norms") == 0)
            report(r, atoi(word[2]), true, base);
        else if (words == 3)
            hessian(r, atoi(word[2]));
        else
            report(r, atoi(word[1]), false, base);
        fflush(stdout);
    }
    return 0;
}
