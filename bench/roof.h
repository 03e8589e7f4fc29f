/* What the rooflines share: rooms of memory, products by the library at hand cut among the threads, and passes over
 * memory. A program has one context and its own rooms. */
#ifndef BENCH_ROOF_H
#define BENCH_ROOF_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glissade/glissade.h>

#include "base/gemm.h"
#include "timing.h"

static gls_context *ctx;
static int threads;
static gls_real *room[3];
static int64_t room_size; /* reals each */

static inline void make_rooms(int wanted_threads, int64_t reals) {
    gls_context_options options = {.size = sizeof options, .threads = wanted_threads, .seed = 1};
    if (gls_context_create(&ctx, &options) != GLS_OK) exit(1);
    threads = gls_context_threads(ctx);
    room_size = reals;
    for (int i = 0; i < 3; i++) {
        room[i] = gls_alloc(ctx, reals, sizeof *room[i]);
        if (!room[i]) exit(1);
        for (int64_t k = 0; k < reals; k++) room[i][k] = (gls_real)(k % 97) / 97;
    }
}

/* C [m, n] from A and B over k, `count` times; m (by_rows) or n is cut among the threads. */
typedef struct product {
    int64_t count, m, n, k;
    bool transpose_a, transpose_b, by_rows;
} product;

static inline gls_status multiply(void *user, int64_t task, int worker) {
    (void)worker;
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

static inline double seconds_of(product p) {
    double start = now();
    if (gls_parallel(ctx, threads, multiply, &p) != GLS_OK) exit(1);
    return now() - start;
}

/* y = W x over all rows, the gradient of x if it is asked, and that of W. */
static inline double dense(int64_t count, int64_t rows, int64_t out, int64_t in, bool input) {
    return seconds_of((product){count, rows, out, in, false, true, true}) +
           (input ? seconds_of((product){count, rows, in, out, false, false, true}) : 0) +
           seconds_of((product){count, out, in, rows, true, false, true});
}

typedef struct share {
    int64_t reals, extent;
} share;

/* As many reals read as written, in two regions of `extent` reals that the threads have in parts. */
static inline gls_status copy(void *user, int64_t task, int worker) {
    (void)worker;
    const share *s = user;
    int64_t left = s->reals / threads / 2, part = s->extent / threads;
    for (int64_t n; left > 0; left -= n) {
        n = left < part ? left : part;
        memcpy(room[1] + task * part, room[0] + task * part, (size_t)n * sizeof *room[0]);
    }
    return GLS_OK;
}

/* Passes over arrays of `extent` reals that read and write `reals` together. */
static inline double passes(int64_t reals, int64_t extent) {
    share s = {reals, extent < room_size ? extent : room_size};
    double start = now();
    if (gls_parallel(ctx, threads, copy, &s) != GLS_OK) exit(1);
    return now() - start;
}

/* Answers lines `CASE STEPS`: seconds, seconds of all processors, and those in products and in passes. */
static inline int answer(void (*step)(const char *name, double seconds[2])) {
    char line[128], name[64];
    int count;
    while (fgets(line, sizeof line, stdin)) {
        double seconds[2] = {0}, cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        if (sscanf(line, "%63s %d", name, &count) != 2) return 2;
        for (int k = 0; k < count; k++) step(name, seconds);
        printf("%.9f %.9f %.9f %.9f\n", seconds[0] + seconds[1], clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds[0],
               seconds[1]);
        fflush(stdout);
    }
    return 0;
}

#endif
