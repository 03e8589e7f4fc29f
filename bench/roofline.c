/* The least that a training step of a sequence model must do, for sequences_torch.py: reads lines `CASE STEPS` and
 * answers each with seconds, seconds of all processors, and the shares of both parts in seconds: the products of the
 * step's shapes, by the library at hand, and the passes over memory that cannot be left out. Both on all threads, of
 * which each has its share of the rows; nothing else is done.
 *
 * Passes in reals, beyond what products read and write: AdamW 7 a parameter (w, g and both moments read, w and both
 * moments written); logits 2 (the softmax, read and written in place); layer norm 2 forward, 3 backward; gelu 2 and 3;
 * an LSTM's gates 2 and 2. Sums of two layers can be left to products. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <glissade/glissade.h>

#include "base/gemm.h"

enum { ROWS = 16, LENGTH = 128, TOKENS = ROWS * LENGTH, VOCABULARY = 8000 };

/* C [m, n] from A and B over k, `count` times; m (by_rows) or n is cut among the threads. */
typedef struct product {
    int64_t count, m, n, k;
    bool transpose_a, transpose_b, by_rows;
} product;

static gls_context *ctx;
static int threads;
static gls_real *room[3];

enum { ROOM = TOKENS * VOCABULARY };

static double clock_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) {
    return clock_of(CLOCK_MONOTONIC);
}

static gls_status multiply(void *user, int64_t task, int worker) {
    const product *p = user;
    int64_t m = p->by_rows ? p->m / threads : p->m, n = p->by_rows ? p->n : p->n / threads;
    int64_t lda = p->transpose_a ? p->m : p->k, ldb = p->transpose_b ? p->k : p->n;
    const gls_real *a = room[0] + (p->by_rows ? task * m * (p->transpose_a ? 1 : lda) : 0);
    const gls_real *b = room[1] + (p->by_rows ? 0 : task * n * (p->transpose_b ? ldb : 1));
    gls_real *c = room[2] + task * (p->by_rows ? m * p->n : n);
    for (int64_t k = 0; k < p->count; k++)
        gls_gemm(false, p->transpose_a, p->transpose_b, m, n, p->k, 1, a, lda, b, ldb, 0, c, p->n);
    return GLS_OK;
}

static double seconds_of(product p) {
    double start = now();
    if (gls_parallel(ctx, threads, multiply, &p) != GLS_OK) exit(1);
    return now() - start;
}

/* y = W x over all tokens, the gradient of x, and that of W. */
static double dense(int64_t count, int64_t out, int64_t in) {
    return seconds_of((product){count, TOKENS, out, in, false, true, true}) +
           seconds_of((product){count, TOKENS, in, out, false, false, true}) +
           seconds_of((product){count, out, in, TOKENS, true, false, true});
}

/* Two products forward and four backward, by row and head. */
static double attention(int64_t depth, int64_t heads, int64_t dim) {
    int64_t count = depth * ROWS * heads / threads;
    return 3 * seconds_of((product){count, LENGTH * threads, LENGTH, dim, false, true, true}) +
           3 * seconds_of((product){count, LENGTH * threads, dim, LENGTH, false, false, true});
}

/* The recurrent products of a layer: position by position, forward without the first one's, backward likewise. Rows are
 * cut among the threads; weights lie as many rows of them best read. */
static double recurrent(int64_t depth, int64_t h) {
    return seconds_of((product){depth * (LENGTH - 1), ROWS, 4 * h, h, false, false, true}) +
           seconds_of((product){depth * (LENGTH - 1), ROWS, h, 4 * h, false, false, true}) +
           seconds_of((product){depth, 4 * h, h, TOKENS - ROWS, true, false, true});
}

typedef struct share {
    int64_t reals;
} share;

/* As many reals read as written. */
static gls_status copy(void *user, int64_t task, int worker) {
    int64_t left = ((share *)user)->reals / threads / 2, half = ROOM / threads / 2;
    for (int64_t n; left > 0; left -= n) {
        n = left < half ? left : half;
        memcpy(room[task % 3] + task * half, room[2 - task % 3] + (threads + task) * half, (size_t)n * sizeof *room[0]);
    }
    return GLS_OK;
}

static double passes(int64_t reals) {
    share s = {reals};
    double start = now();
    if (gls_parallel(ctx, threads, copy, &s) != GLS_OK) exit(1);
    return now() - start;
}

/* Products, passes. */
static void decoder(double seconds[2]) {
    int64_t d = 256, depth = 4, parameters = VOCABULARY * d + LENGTH * d + depth * (12 * d * d + 13 * d) + 2 * d;
    seconds[0] += dense(depth, 3 * d, d) + dense(depth, d, d) + dense(depth, 4 * d, d) + dense(depth, d, 4 * d) +
                  dense(1, VOCABULARY, d) + attention(depth, 4, d / 4);
    seconds[1] += passes(7 * parameters + TOKENS * (2 * VOCABULARY + (2 * depth + 1) * 5 * d + depth * 5 * 4 * d));
}

static void lstm(double seconds[2]) {
    int64_t h = 400, depth = 2, parameters = VOCABULARY * h + depth * (8 * h * h + 4 * h);
    seconds[0] += dense(depth, 4 * h, h) + recurrent(depth, h) + dense(1, VOCABULARY, h);
    seconds[1] += passes(7 * parameters + TOKENS * (2 * VOCABULARY + depth * 4 * 4 * h));
}

int main(int argc, char **argv) {
    threads = argc > 1 ? atoi(argv[1]) : 2;
    if (threads < 1 || ROWS % threads) return 2;
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 1};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    for (int i = 0; i < 3; i++) {
        room[i] = gls_alloc(ctx, ROOM, sizeof *room[i]);
        if (!room[i]) return 1;
        for (int64_t k = 0; k < ROOM; k++) room[i][k] = (gls_real)(k % 97) / 97;
    }
    char line[128], name[64];
    int count;
    while (fgets(line, sizeof line, stdin)) {
        double seconds[2] = {0}, cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        if (sscanf(line, "%63s %d", name, &count) != 2) return 2;
        for (int k = 0; k < count; k++) (strncmp(name, "lstm", 4) == 0 ? lstm : decoder)(seconds);
        printf("%.9f %.9f %.9f %.9f\n", seconds[0] + seconds[1], clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds[0],
               seconds[1]);
        fflush(stdout);
    }
    return 0;
}
