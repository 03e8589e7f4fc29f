/* Every plain method's step against plain in-place loops over the same streams, alternating in one process.
 * Usage: methods [parameters, default 64 Mi] [repeats, default 7] [method]. A step of several passes is held against as
 * many loops, one with narrow state against those of float's. Medians; bandwidth counts what the rule must read and
 * write. */
#include <glissade/method.h>
#include "base/kernels.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timing.h"

enum { VECTORS = 6, MOST_REPEATS = 101, MOST_PASSES = 3 };

/* ---- plain loops: r vectors read, u vectors updated in place ---- */

typedef struct streams {
    int read, updated;
} streams;

GLS_SIMD static float read1(const float *restrict a, int64_t n) {
    float part[16] = {0};
    for (int64_t i = 0; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) part[j] += a[i + j];
    for (int j = 1; j < 16; j++) part[0] += part[j];
    return part[0];
}

GLS_SIMD static float read2(const float *restrict a, const float *restrict b, int64_t n) {
    float part[16] = {0};
    for (int64_t i = 0; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) part[j] += a[i + j] * b[i + j];
    for (int j = 1; j < 16; j++) part[0] += part[j];
    return part[0];
}

GLS_SIMD static void read1_update1(const float *restrict a, float *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] -= 1e-6f * a[i];
}

GLS_SIMD static void read1_update2(const float *restrict a, float *restrict x, float *restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0.9f * y[i] + a[i];
        x[i] -= 1e-6f * y[i];
    }
}

GLS_SIMD static void read1_update3(const float *restrict a, float *restrict x, float *restrict y, float *restrict z,
                                   int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0.9f * y[i] + a[i];
        z[i] = 0.9f * z[i] + a[i];
        x[i] -= 1e-6f * (y[i] + z[i]);
    }
}

GLS_SIMD static void read1_update4(const float *restrict a, float *restrict x, float *restrict y, float *restrict z,
                                   float *restrict v, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0.9f * y[i] + a[i];
        z[i] = 0.9f * z[i] + a[i];
        v[i] = 0.9f * v[i] + z[i];
        x[i] -= 1e-6f * (y[i] + v[i]);
    }
}

GLS_SIMD static void read2_update1(const float *restrict a, const float *restrict b, float *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] -= 1e-6f * (a[i] + b[i]);
}

GLS_SIMD static void read2_update2(const float *restrict a, const float *restrict b, float *restrict x,
                                   float *restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0.9f * y[i] + a[i];
        x[i] -= 1e-6f * (y[i] + b[i]);
    }
}

/* One loop over the vectors v, cut evenly among the threads. Returns something that depends on what was read. */
static double plain_loop(streams s, float *const v[VECTORS], int64_t d, int threads) {
    double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
        int64_t part = d / threads, b = part * omp_get_thread_num();
        int64_t n = omp_get_thread_num() == threads - 1 ? d - b : part;
        int key = 10 * s.read + s.updated;
        if (key == 10) sum += (double)read1(v[0] + b, n);
        if (key == 20) sum += (double)read2(v[0] + b, v[1] + b, n);
        if (key == 11) read1_update1(v[0] + b, v[1] + b, n);
        if (key == 12) read1_update2(v[0] + b, v[1] + b, v[2] + b, n);
        if (key == 13) read1_update3(v[0] + b, v[1] + b, v[2] + b, v[3] + b, n);
        if (key == 14) read1_update4(v[0] + b, v[1] + b, v[2] + b, v[3] + b, v[4] + b, n);
        if (key == 21) read2_update1(v[0] + b, v[1] + b, v[2] + b, n);
        if (key == 22) read2_update2(v[0] + b, v[1] + b, v[2] + b, v[3] + b, n);
    }
    return sum;
}

/* ---- methods and the passes that their formulas need ---- */

typedef struct bench_case {
    const char *name; /* clip_RULE: gradients are cut before the rule; bf16_RULE, q8_RULE: state kept narrow */
    streams pass[MOST_PASSES];
    int vectors; /* of state, where it is narrow */
} bench_case;

static const bench_case cases[] = {{"sgd", {{1, 1}}},          {"msgd", {{1, 2}}},         {"nag", {{1, 2}}},
                                   {"adagrad", {{1, 2}}},      {"rmsprop", {{1, 2}}},      {"adam", {{1, 3}}},
                                   {"adamw", {{1, 3}}},        {"amsgrad", {{1, 4}}},      {"lars", {{2, 0}, {1, 2}}},
                                   {"lamb", {{2, 2}, {2, 1}}}, {"sngd", {{1, 1}}},         {"sngm", {{1, 2}}},
                                   {"clip", {{1, 1}}},         {"ngd", {{1, 1}}},          {"gclip", {{1, 1}, {1, 1}}},
                                   {"cclip", {{1, 2}}},        {"acclip", {{1, 3}}},       {"clip_adam", {{1, 3}}},
                                   {"bf16_msgd", {{1, 2}}, 1}, {"bf16_adam", {{1, 3}}, 2}, {"bf16_acclip", {{1, 3}}, 2},
                                   {"q8_msgd", {{1, 2}}, 1},   {"q8_adam", {{1, 3}}, 2},   {"q8_acclip", {{1, 3}}, 2}};

static double vectors_moved(const bench_case *c, bool handed) {
    double moved = handed ? 0 : 1;
    for (int p = 0; p < MOST_PASSES; p++) moved += c->pass[p].read + 2 * c->pass[p].updated;
    double width = strncmp(c->name, "q8_", 3) == 0 ? 0.25 : 0.5; /* of float's */
    return moved - 2 * c->vectors * (1 - width);
}

static void measure(const bench_case *c, float *const v[VECTORS], int64_t d, int threads, int repeats) {
    gls_context_options options = {.size = sizeof options, .threads = threads};
    gls_context *ctx;
    gls_method *method;
    bool cut = strncmp(c->name, "clip_", 5) == 0;
    const char *rule = cut || c->vectors ? strchr(c->name, '_') + 1 : c->name;
    if (gls_context_create(&ctx, &options) != GLS_OK || gls_method_create_named(ctx, rule, d, &method) != GLS_OK ||
        (cut && gls_method_set(method, "clip_norm", 1e-3) != GLS_OK) ||
        (c->vectors && gls_method_set_text(method, "state", c->name[0] == 'q' ? "q8" : "bf16") != GLS_OK))
        exit(1);
    double plain[MOST_REPEATS], read[MOST_REPEATS], handed[MOST_REPEATS], bare[MOST_REPEATS], sink = 0;
    for (int i = -1; i < repeats; i++) {
        double t0 = now();
        for (int p = 0; p < MOST_PASSES && c->pass[p].read; p++) sink += plain_loop(c->pass[p], v, d, threads);
        double t1 = now();
        gls_answer answer = {.g = v[0], .norm2 = 1, .value = NAN, .epoch = NAN};
        if (gls_method_tell(method, &answer, v[VECTORS - 1], NULL) != GLS_OK) exit(1);
        double t2 = now();
        sink += plain_loop((streams){1, 0}, v, d, threads);
        double t3 = now();
        if (gls_method_step(method, v[VECTORS - 1], v[0], NULL) != GLS_OK) exit(1);
        double t4 = now();
        if (i < 0) continue;
        plain[i] = t1 - t0;
        handed[i] = t2 - t1;
        read[i] = t3 - t2;
        bare[i] = t4 - t3;
    }
    double p = median(plain, repeats), h = median(handed, repeats), r = median(read, repeats),
           b = median(bare, repeats);
    double bytes = (double)d * sizeof(float);
    printf("%-11s %d  %8.1f %8.1f %6.1f %6.2f   %8.1f %6.2f%s\n", c->name, threads, 1e3 * p, 1e3 * h,
           vectors_moved(c, true) * bytes / h * 1e-9, p / h, 1e3 * b, (p + r) / b, isnan(sink) ? " ?" : "");
    fflush(stdout);
    gls_method_destroy(method);
    gls_context_destroy(ctx);
}

int main(int argc, char **argv) {
    int64_t d = argc > 1 ? strtoll(argv[1], NULL, 10) : (int64_t)64 << 20;
    int repeats = argc > 2 ? atoi(argv[2]) : 7;
    if (d < 1 || repeats < 1 || repeats > MOST_REPEATS) return 2;
    float *v[VECTORS];
    for (int i = 0; i < VECTORS; i++) {
        v[i] = aligned_alloc(64, ((size_t)d * sizeof(float) + 63) / 64 * 64);
        if (!v[i]) return 1;
#pragma omp parallel for
        for (int64_t j = 0; j < d; j++) v[i][j] = 1e-3f * (float)((j * 2654435761) % 1000 - 500);
    }
    printf("# %lld parameters, median of %d. plain: loops over the same streams; handed: the norm is known; ratio: "
           "plain/method\n",
           (long long)d, repeats);
    printf("%-11s %s  %8s %8s %6s %6s   %8s %6s\n", "method", "t", "plain ms", "handed", "GB/s", "ratio", "no norm",
           "ratio");
    for (int threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            if (argc < 4 || strcmp(argv[3], cases[i].name) == 0) measure(&cases[i], v, d, threads, repeats);
    for (int i = 0; i < VECTORS; i++) free(v[i]);
    return 0;
}
