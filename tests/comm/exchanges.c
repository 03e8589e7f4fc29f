/* Run by mpirun on 1, 2, 3, 4 ranks: every exchange against sums and laws that are worked out here. Prints nothing
 * unless something is wrong. */
#include <glissade/comm.h>

#include "base/bf16.h"
#include "comm/exchange.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, size, wrong;

#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "rank %d: line %d: %s\n", rank, __LINE__, #condition); \
            wrong = 1;                                                             \
        }                                                                          \
    } while (0)

static gls_real element(int of, int64_t i) {
    gls_random random = gls_random_create(5, "exchanges", (uint64_t)of, (uint32_t)i);
    return (gls_real)gls_random_normal(&random);
}

/* "name key=value ...". */
static gls_comm_exchange *make(gls_context *ctx, const char *words, int64_t n, uint64_t seed) {
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    char copy[100], *rest, *word;
    snprintf(copy, sizeof copy, "name=%s", words);
    for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value++ = 0;
        CHECK(gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, word, value)) == GLS_OK);
    }
    gls_comm_exchange *x = NULL;
    if (gls_comm_exchange_create(ctx, map, n, seed, &x) != GLS_OK) {
        fprintf(stderr, "%s: %s\n", words, gls_context_message(ctx));
        exit(1);
    }
    gls_value_destroy(ctx, map);
    return x;
}

static void check_same_everywhere(gls_context *ctx, const gls_real *g, int64_t n) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < (size_t)n * sizeof *g; i++) hash = (hash ^ ((const unsigned char *)g)[i]) * 0x100000001b3u;
    int64_t least = (int64_t)(hash >> 1), most = least;
    CHECK(gls_comm_reduce_int64(ctx, GLS_MIN, &least, 1, GLS_OK) == GLS_OK);
    CHECK(gls_comm_reduce_int64(ctx, GLS_MAX, &most, 1, GLS_OK) == GLS_OK);
    CHECK(least == most);
}

static void fill(gls_real *g, int64_t n) {
    for (int64_t i = 0; i < n; i++) g[i] = element(rank, i);
}

static double exact(int64_t i) {
    double sum = 0;
    for (int r = 0; r < size; r++) sum += element(r, i);
    return sum;
}

/* Near the exact sum by so much of the ranks' norms; what it sends is what it says, beside an agreement. */
static void check_near(gls_context *ctx, const char *words, int64_t n, double tolerance) {
    gls_real *g = malloc((size_t)n * sizeof *g);
    gls_comm_exchange *x = make(ctx, words, n, 1);
    double error = 0, norm2 = 0, said = gls_comm_exchange_cost(x, size).bytes;
    fill(g, n);
    double sent = (double)gls_comm_bytes(gls_context_comm(ctx));
    CHECK(gls_comm_exchange_sum(x, g, GLS_OK) == GLS_OK);
    sent = (double)gls_comm_bytes(gls_context_comm(ctx)) - sent - 8 * (size - 1);
    if (strcmp(words, "dense") == 0) sent -= size > 1 && n * (int64_t)sizeof *g > 4096 ? 8 * (size - 1) : 0;
    for (int64_t i = 0; i < n; i++) {
        error += pow(g[i] - exact(i), 2);
        for (int r = 0; r < size; r++) norm2 += pow(element(r, i), 2);
    }
    if (!(error <= tolerance * tolerance * norm2)) fprintf(stderr, "%s: %g\n", words, sqrt(error / norm2));
    CHECK(error <= tolerance * tolerance * norm2);
    if (size > 1 && n > 4096 && !(fabs(sent - said) <= 0.02 * said)) {
        fprintf(stderr, "%s: sent %g, said %g\n", words, sent, said);
        wrong = 1;
    }
    check_same_everywhere(ctx, g, n);
    gls_comm_exchange_destroy(x);
    free(g);
}

/* E|Q(v) - v|^2 of one block of n values with s levels: |v|^2 / s^2 sum p (1 - p), p the part of s |v_i| / |v| above a
 * level; for s = 1 that is |v| |v|_1 - |v|^2 ([D] 4.4). */
static double variance(int of, int64_t begin, int64_t n, int s) {
    double norm2 = 0, sum = 0;
    for (int64_t i = begin; i < begin + n; i++) norm2 += pow(element(of, i), 2);
    for (int64_t i = begin; i < begin + n; i++) {
        double share = s * fabs((double)element(of, i)) / sqrt(norm2), p = share - floor(share);
        sum += p * (1 - p);
    }
    return norm2 / s / s * sum;
}

/* Unbiased, and of the variance that the law says, over many draws. */
static void check_law(gls_context *ctx, const char *words, int64_t n, int64_t block, int levels, bool twice,
                      int draws) {
    gls_real *g = malloc((size_t)n * sizeof *g);
    double *mean = calloc((size_t)n, sizeof *mean), spread = 0, expected = 0, bias = 0;
    gls_comm_exchange *x = make(ctx, words, n, 3);
    for (int k = 0; k < draws; k++) {
        fill(g, n);
        CHECK(gls_comm_exchange_sum(x, g, GLS_OK) == GLS_OK);
        for (int64_t i = 0; i < n; i++) {
            mean[i] += g[i] / (double)draws;
            spread += pow(g[i] - exact(i), 2) / draws;
        }
    }
    for (int64_t i = 0; i < n; i++) bias += pow(mean[i] - exact(i), 2);
    for (int r = 0; r < size; r++)
        for (int64_t b = 0; b < n; b += block) expected += variance(r, b, b + block < n ? block : n - b, levels);
    /* A mean over draws is off by spread / draws; and a requantised sum adds to the variance. */
    CHECK(bias < 2.5 * spread / draws + 1e-12);
    if (twice ? !(spread > 1.02 * expected) : !(fabs(spread - expected) < 0.05 * expected)) {
        fprintf(stderr, "%s: variance %g, by the law %g\n", words, spread, expected);
        wrong = 1;
    }
    gls_comm_exchange_destroy(x);
    free(g), free(mean);
}

/* The n-th sum takes other numbers than the first, the same ones in another run, others for another seed. */
static void check_draws(gls_context *ctx, const char *words) {
    enum { N = 300 };
    static gls_real g[4][N];
    gls_comm_exchange *x[3] = {make(ctx, words, N, 1), make(ctx, words, N, 1), make(ctx, words, N, 2)};
    for (int k = 0; k < 4; k++) {
        fill(g[k], N);
        CHECK(gls_comm_exchange_sum(x[k < 3 ? k : 0], g[k], GLS_OK) == GLS_OK);
    }
    CHECK(memcmp(g[0], g[1], sizeof g[0]) == 0);
    CHECK(size == 1 || memcmp(g[0], g[2], sizeof g[0]) != 0);
    CHECK(size == 1 || memcmp(g[0], g[3], sizeof g[0]) != 0);
    for (int k = 0; k < 3; k++) gls_comm_exchange_destroy(x[k]);
}

static void check_nearest(gls_context *ctx) {
    enum { N = 1003 };
    static gls_real g[N];
    gls_comm_exchange *x = make(ctx, "bf16 rounding=nearest", N, 1);
    fill(g, N);
    CHECK(gls_comm_exchange_sum(x, g, GLS_OK) == GLS_OK);
    for (int64_t i = 0; i < N && size > 1; i++) {
        gls_real sum = 0;
        for (int r = 0; r < size; r++) sum += gls_bf16_widen(gls_bf16_narrow((float)element(r, i)));
        CHECK(g[i] == gls_bf16_widen(gls_bf16_narrow((float)sum)));
    }
    gls_comm_exchange_destroy(x);
}

/* What came out in all and what is kept back add up to what went in; of each rank's values the greatest go. */
static void check_topk(gls_context *ctx) {
    enum { N = 203, K = 11, SUMS = 9 };
    static gls_real g[N];
    static double in[N], out[N];
    gls_comm_exchange *x = make(ctx, "topk fraction=0.05", N, 1);
    for (int k = 0; k < SUMS && size > 1; k++) {
        for (int64_t i = 0; i < N; i++) g[i] = element(100 * k + rank, i);
        for (int64_t i = 0; i < N; i++)
            for (int r = 0; r < size; r++) in[i] += element(100 * k + r, i);
        CHECK(gls_comm_exchange_sum(x, g, GLS_OK) == GLS_OK);
        int sent = 0;
        for (int64_t i = 0; i < N; i++) {
            sent += g[i] != 0;
            out[i] += g[i];
        }
        CHECK(sent >= K && sent <= K * size);
        check_same_everywhere(ctx, g, N);
        if (k != 4) continue;
        /* A rank without a number: nobody has a step, and nothing is lost. */
        fill(g, N);
        if (rank == size - 1) g[7] = (gls_real)NAN;
        CHECK(gls_comm_exchange_sum(x, g, GLS_OK) == GLS_OK);
        for (int64_t i = 0; i < N; i++) CHECK(isnan(g[i]));
    }
    gls_arrays arrays = {0};
    CHECK(gls_comm_exchange_gather(x) == GLS_OK);
    CHECK(gls_comm_exchange_arrays(x, "e/", &arrays) == GLS_OK);
    CHECK(arrays.count == 2 && strcmp(arrays.item[1].name, "e/memory") == 0 && arrays.item[1].shape[0] == size);
    const gls_real *memory = arrays.item[1].data;
    for (int64_t i = 0; i < N; i++) {
        double kept = 0;
        for (int r = 0; r < size; r++) kept += memory[r * N + i];
        CHECK(fabs(in[i] - out[i] - kept) < 1e-4);
    }
    gls_arrays_clear(ctx, &arrays);
    gls_comm_exchange_destroy(x);
}

/* Memories of another number of ranks: their sum stays. */
static void check_shared_memory(gls_context *ctx) {
    enum { N = 50, BEFORE = 5 };
    gls_comm_exchange *x = make(ctx, "topk fraction=0.1", N, 1);
    gls_arrays arrays = {0};
    CHECK(gls_comm_exchange_arrays(x, "", &arrays) == GLS_OK);
    gls_array *memory = &arrays.item[1];
    CHECK(memory->resize && memory->resize(memory->owner, memory, (const int64_t[]){BEFORE, N + 1}) == GLS_ERR_INPUT);
    CHECK(memory->resize(memory->owner, memory, (const int64_t[]){BEFORE, N}) == GLS_OK);
    for (int r = 0; r < BEFORE; r++)
        for (int64_t i = 0; i < N; i++) ((gls_real *)memory->data)[r * N + i] = (gls_real)(r + 1);
    CHECK(gls_comm_exchange_restored(x) == GLS_OK);
    gls_arrays_clear(ctx, &arrays);
    CHECK(gls_comm_exchange_gather(x) == GLS_OK);
    CHECK(gls_comm_exchange_arrays(x, "", &arrays) == GLS_OK);
    double sum = 0;
    for (int r = 0; r < size; r++) sum += ((const gls_real *)arrays.item[1].data)[r * N + 3];
    CHECK(fabs(sum - 15) < 1e-5);
    gls_arrays_clear(ctx, &arrays);
    gls_comm_exchange_destroy(x);
}

/* A long vector goes in parts, with the bits of a sum at once, draw by draw. */
static void check_long_vectors(gls_context *ctx) {
    static const char *const words[][2] = {{"dense", "dense overlap=false"},
                                           {"bf16", "bf16 overlap=false"},
                                           {"bf16 rounding=nearest", "bf16 rounding=nearest overlap=false"}};
    enum { N = 300007 };
    gls_real *g[2];
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        gls_comm_exchange *x[2];
        for (int way = 0; way < 2; way++) {
            x[way] = make(ctx, words[k][way], N, 1);
            g[way] = malloc(N * sizeof *g[way]);
            CHECK((x[way]->part != NULL) == (way == 0 && size > 1));
        }
        for (int draw = 0; draw < 2; draw++) {
            for (int way = 0; way < 2; way++) {
                fill(g[way], N);
                CHECK(gls_comm_exchange_sum(x[way], g[way], GLS_OK) == GLS_OK);
            }
            CHECK(memcmp(g[0], g[1], N * sizeof *g[0]) == 0);
            CHECK(size == 1 || fabs((double)g[0][N - 1] - exact(N - 1)) < 0.02 * size);
        }
        for (int way = 0; way < 2; way++) {
            gls_comm_exchange_destroy(x[way]);
            free(g[way]);
        }
    }
}

/* One value that is no number, on one rank, is seen by all. */
static void check_nonfinite(gls_context *ctx) {
    static const char *const words[] = {"dense", "bf16", "bf16 rounding=nearest", "quant",
                                        "quant way=scatter block=16"};
    enum { N = 100 };
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        for (int bad = 0; bad < 2; bad++) {
            gls_real g[N];
            gls_comm_exchange *x = make(ctx, words[k], N, 1);
            fill(g, N);
            if (rank == size / 2) g[41] = (gls_real)(bad ? INFINITY : NAN);
            CHECK(gls_comm_exchange_sum(x, g, GLS_OK) == GLS_OK);
            CHECK(!isfinite(g[41]));
            gls_comm_exchange_destroy(x);
        }
}

static void check_mistakes(gls_context *ctx) {
    gls_comm_exchange *x = NULL;
    gls_value name = {.kind = GLS_VALUE_TEXT, .text = "qant"};
    CHECK(gls_comm_exchange_create(ctx, &name, 5, 1, &x) == GLS_ERR_ARGUMENT && !x);
    CHECK(strstr(gls_context_message(ctx), "did you mean 'quant'"));
    gls_value list = {.kind = GLS_VALUE_LIST};
    CHECK(gls_comm_exchange_create(ctx, &list, 5, 1, &x) == GLS_ERR_ARGUMENT);
    /* A rank that failed: all leave together. */
    gls_real g[5] = {0};
    x = make(ctx, "quant", 5, 1);
    gls_status mine = rank == 0 ? GLS_ERR_NONFINITE : GLS_OK;
    CHECK(gls_comm_exchange_sum(x, g, mine) == (rank == 0 ? GLS_ERR_NONFINITE : GLS_ERR_COMM));
    gls_comm_exchange_destroy(x);
}

int main(int argc, char **argv) {
    gls_comm *comm;
    if (gls_comm_create(&comm) != GLS_OK) return 1;
    rank = gls_comm_rank(comm);
    size = gls_comm_size(comm);
    CHECK(argc == 2 && size == atoi(argv[1]));
    gls_context_options options = {sizeof options, .threads = 1, .comm = comm};
    gls_context *ctx;
    CHECK(gls_context_create(&ctx, &options) == GLS_OK);
    double rounding = sizeof(gls_real) == 4 ? 1e-6 : 1e-15;
    static const int64_t lengths[] = {1, 5, 37, 1000, 20011};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        check_near(ctx, "dense", lengths[i], rounding);
        check_near(ctx, "bf16 rounding=nearest", lengths[i], 0.005 * size);
        check_near(ctx, "bf16", lengths[i], 0.01 * size);
        check_near(ctx, "quant levels=127 block=16", lengths[i], 0.05 * size);
        check_near(ctx, "quant levels=100 block=48 way=scatter", lengths[i], 0.1 * size);
        check_near(ctx, "topk fraction=1", lengths[i], rounding);
    }
    check_long_vectors(ctx);
    int draws = size == 2 ? 10000 : 1500;
    if (size > 1) {
        check_law(ctx, "quant levels=1 block=0 way=gather", 37, 37, 1, false, draws);
        check_law(ctx, "quant levels=5 block=16 way=gather", 37, 16, 5, false, draws);
        check_law(ctx, "quant levels=3 block=8 way=scatter", 37, 8, 3, true, draws);
    }
    check_draws(ctx, "quant");
    check_draws(ctx, "bf16");
    check_nearest(ctx);
    check_topk(ctx);
    check_shared_memory(ctx);
    check_nonfinite(ctx);
    check_mistakes(ctx);
    gls_context_destroy(ctx);
    gls_comm_destroy(comm);
    return wrong;
}
