/* What a small step costs beyond its arithmetic: whole steps of a run (mini-batch, forward, backward, mean, method, the
 * trace of every tenth), against the same products and passes alone, in plain loops over the same sizes. Usage: small
 * [rounds, default 15] [case or all]. Alternating, medians, microseconds a step; with one thread of processor time. */
#include <glissade/glissade.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/gemm.h"
#include "base/kernels.h"
#include "timing.h"

enum { MOST = 101, EXAMPLES = 4096 };

typedef struct small {
    const char *name, *config;
    int64_t rows, in, hidden, out; /* hidden 0: logistic regression */
    int steps;                     /* a round */
} small;

static const small cases[] = {
    {"logistic, 100 features, batch 32",
     "data: {format: gaussians, train_size: 4096, test_size: 1, features: 100, classes: 2}\n"
     "model: logistic\n"
     "method: {name: sgd, lr: 0.01}\n"
     "train: {batch: 32, ",
     32, 100, 0, 1, 4000},
    {"mlp 784-64-10, batch 64",
     "data: {format: gaussians, train_size: 4096, test_size: 1, features: 784, classes: 10}\n"
     "model: {name: mlp, hidden: [64]}\n"
     "method: {name: msgd, lr: 0.01, beta: 0.9}\n"
     "train: {batch: 64, ",
     64, 784, 64, 10, 400},
};
static const char *const settings =
    "epochs: 1000000, validate_every: 0, checkpoint_every: 0, final_train: 0, threads: %d%s}\n";

/* ---- whole steps ---- */

typedef struct trained {
    gls_context *ctx;
    gls_value *config;
    gls_run *run;
} trained;

static trained begin(const small *c, int threads, const char *more, const char *folder) {
    trained t = {0};
    char text[1000];
    snprintf(text, sizeof text, "%s", c->config);
    snprintf(text + strlen(text), sizeof text - strlen(text), settings, threads, more);
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 1};
    if (gls_context_create(&t.ctx, &options) != GLS_OK) exit(1);
    need(t.ctx, gls_config_parse(t.ctx, "small", text, (int64_t)strlen(text), &t.config));
    gls_run_options how = {.size = sizeof how, .config = t.config, .folder = folder};
    need(t.ctx, gls_run_create(t.ctx, &how, &t.run));
    return t;
}

static double steps_of(trained *t, int count) {
    int threads = gls_context_threads(t->ctx);
    double start = now_on(threads);
    bool done = false;
    for (int k = 0; k < count && !done; k++) need(t->ctx, gls_run_step(t->run, &done));
    return (now_on(threads) - start) / count;
}

static void end(trained *t) {
    gls_run_destroy(t->run);
    gls_value_destroy(t->ctx, t->config);
    gls_context_destroy(t->ctx);
}

/* ---- the arithmetic alone ---- */

typedef struct plain {
    const small *c;
    gls_real *data, *x, *w, *v, *g, *hidden, *z, *e; /* e: of hidden outputs */
    int64_t size, at;
    double loss, norm2;
} plain;

static gls_real *reals(int64_t n) {
    gls_real *x = aligned_alloc(64, (size_t)((n + 16) / 16 * 64) * sizeof(gls_real) / 4);
    if (!x) exit(1);
    for (int64_t i = 0; i < n; i++) x[i] = (gls_real)((i * 7919) % 997) / 997 - (gls_real)0.5;
    return x;
}

static plain make_plain(const small *c) {
    int64_t size = c->hidden ? c->hidden * (c->in + 1) + c->out * (c->hidden + 1) : c->in + 1;
    return (plain){.c = c,
                   .data = reals(EXAMPLES * c->in),
                   .x = reals(c->rows * c->in),
                   .w = reals(size),
                   .v = reals(size),
                   .g = reals(size),
                   .hidden = reals(c->rows * (c->hidden + 1)),
                   .z = reals(c->rows * c->out),
                   .e = reals(c->rows * (c->hidden + 1)),
                   .size = size};
}

/* Rows from all over the set, as a shuffled epoch has them. */
static void take_rows(plain *p) {
    for (int64_t i = 0; i < p->c->rows; i++) {
        p->at = (p->at + 1597) % EXAMPLES;
        memcpy(p->x + i * p->c->in, p->data + p->at * p->c->in, (size_t)p->c->in * sizeof *p->x);
    }
}

static void move(plain *p, bool momentum) {
    p->norm2 = gls_sum_squares(p->g, p->size);
    for (int64_t i = 0; i < p->size; i++) {
        gls_real step = p->g[i];
        if (momentum) step = p->v[i] = (gls_real)0.9 * p->v[i] + step;
        p->w[i] -= (gls_real)1e-9 * step;
    }
}

static void logistic(plain *p) {
    const small *c = p->c;
    for (int64_t i = 0; i < c->rows; i++) p->z[i] = (gls_real)gls_dot(p->x + i * c->in, p->w, c->in);
    double residual = 0;
    p->loss = 0;
    for (int64_t i = 0; i < c->rows; i++) {
        double margin = (double)(i % 2 ? p->z[i] + p->w[c->in] : -p->z[i] - p->w[c->in]), less = exp(-fabs(margin));
        p->loss += log1p(less) + (margin > 0 ? 0 : -margin);
        p->z[i] = (gls_real)((i % 2 ? -1 : 1) * (margin > 0 ? less : 1) / (1 + less));
        residual += (double)p->z[i];
    }
    gls_fill(p->g, 0, c->in);
    for (int64_t i = 0; i < c->rows; i++) gls_axpy(p->g, (double)p->z[i], p->x + i * c->in, c->in);
    p->g[c->in] = (gls_real)residual;
    gls_scale(p->g, 1.0 / (double)c->rows, p->size);
    move(p, false);
}

static void softmax_rows(plain *p) {
    int64_t n = p->c->out;
    p->loss = 0;
    for (int64_t i = 0; i < p->c->rows; i++) {
        gls_real *z = p->z + i * n, most = gls_largest(z, n), sum = 0;
        p->loss -= (double)(z[i % n] - most);
        for (int64_t k = 0; k < n; k++) sum += z[k] = (gls_real)exp((double)(z[k] - most));
        p->loss += log((double)sum);
        for (int64_t k = 0; k < n; k++) z[k] /= sum;
        z[i % n] -= 1;
    }
}

static void add_bias(gls_real *y, const gls_real *bias, int64_t rows, int64_t n, bool relu) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < n; k++) {
            gls_real v = y[i * n + k] + bias[k];
            y[i * n + k] = relu && v < 0 ? 0 : v;
        }
}

static void bias_gradient(const gls_real *e, int64_t rows, int64_t n, gls_real *g) {
    for (int64_t k = 0; k < n; k++) g[k] = 0;
    for (int64_t i = 0; i < rows; i++) gls_add(g, e + i * n, n);
}

static void mlp(plain *p) {
    int64_t rows = p->c->rows, in = p->c->in, h = p->c->hidden, out = p->c->out, second = h * (in + 1);
    gls_real *w2 = p->w + second, *g2 = p->g + second;
    gls_gemm(false, false, true, rows, h, in, 1, p->x, in, p->w, in, 0, p->hidden, h);
    add_bias(p->hidden, p->w + h * in, rows, h, true);
    gls_gemm(false, false, true, rows, out, h, 1, p->hidden, h, w2, h, 0, p->z, out);
    add_bias(p->z, w2 + out * h, rows, out, false);
    softmax_rows(p);
    gls_gemm(false, false, false, rows, h, out, 1, p->z, out, w2, h, 0, p->e, h);
    for (int64_t i = 0; i < rows * h; i++) p->e[i] = p->hidden[i] > 0 ? p->e[i] : 0;
    gls_gemm(false, true, false, h, in, rows, 1, p->e, h, p->x, in, 0, p->g, in);
    gls_gemm(false, true, false, out, h, rows, 1, p->z, out, p->hidden, h, 0, g2, h);
    bias_gradient(p->e, rows, h, p->g + h * in);
    bias_gradient(p->z, rows, out, g2 + out * h);
    gls_scale(p->g, 1.0 / (double)rows, p->size);
    move(p, true);
}

static double alone(plain *p, int count) {
    double start = now_on(1);
    for (int k = 0; k < count; k++) {
        take_rows(p);
        (p->c->hidden ? mlp : logistic)(p);
    }
    return (now_on(1) - start) / count;
}

/* ---- */

typedef struct way {
    const char *name;
    int threads;
    const char *more;
    bool folder;
} way;

static const way ways[] = {
    {"one thread", 1, ", workers: 0", false},
    {"and a folder, traced", 1, ", workers: 0", true},
    {"one thread, a worker", 1, "", false},
    {"two threads, a worker", 2, "", false},
};
enum { WAYS = sizeof ways / sizeof *ways };

static void measure(const small *c, int rounds) {
    static double time[WAYS + 1][MOST];
    trained t[WAYS];
    plain p = make_plain(c);
    char folder[] = "/tmp/glissade-small-XXXXXX";
    if (!mkdtemp(folder)) exit(1);
    for (int k = 0; k < WAYS; k++) t[k] = begin(c, ways[k].threads, ways[k].more, ways[k].folder ? folder : NULL);
    for (int r = -1; r < rounds; r++) {
        int at = r < 0 ? 0 : r;
        time[WAYS][at] = alone(&p, c->steps);
        for (int k = 0; k < WAYS; k++) time[k][at] = steps_of(&t[k], c->steps);
    }
    double least = 1e6 * median(time[WAYS], rounds);
    printf("%s: products and passes alone %.2f us (one thread)\n", c->name, least);
    for (int k = 0; k < WAYS; k++) {
        double step = 1e6 * median(time[k], rounds);
        printf("  %-24s %8.2f us a step, %6.2f more\n", ways[k].name, step, step - least);
        end(&t[k]);
    }
    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (system(command)) fprintf(stderr, "%s is left\n", folder);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    if (rounds < 1 || rounds > MOST) rounds = 15;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 3 || strcmp(argv[2], "all") == 0 || strncmp(cases[i].name, argv[2], strlen(argv[2])) == 0)
            measure(&cases[i], rounds);
    return 0;
}
