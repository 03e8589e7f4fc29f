/* Run by mpirun on 1, 2, 3, 4 ranks: each rank checks all results against sums that it makes for itself, and prints
 * nothing unless something is wrong. The hashes of rank 0 and of the others are compared through reductions. */
#include <glissade/comm.h>

#include "comm/comm.h"
#include "run/search/scaling.h"

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

static double element(int of, int64_t i) {
    gls_random random = gls_random_create(1, "ranks", (uint64_t)of, (uint32_t)i);
    return gls_random_uniform(&random) - 0.5;
}

static uint64_t hash_of(const void *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash >> 1;
}

/* The same bits on every rank: least and greatest hash agree. */
static void check_same_everywhere(gls_context *ctx, const void *data, size_t bytes) {
    int64_t least = (int64_t)hash_of(data, bytes), most = least;
    CHECK(gls_comm_reduce_int64(ctx, GLS_MIN, &least, 1, GLS_OK) == GLS_OK);
    CHECK(gls_comm_reduce_int64(ctx, GLS_MAX, &most, 1, GLS_OK) == GLS_OK);
    CHECK(least == most);
}

static void check_reals(gls_context *ctx, int64_t n) {
    size_t bytes = sizeof(gls_real) * (size_t)n;
    gls_real *x = malloc(bytes + 1), *again = malloc(bytes + 1), *expected = malloc(bytes + 1);
    for (int64_t i = 0; i < n; i++) {
        x[i] = again[i] = (gls_real)element(rank, i);
        expected[i] = (gls_real)element(0, i);
        for (int r = 1; r < size; r++) expected[i] += (gls_real)element(r, i);
    }
    CHECK(gls_comm_reduce_real(ctx, GLS_SUM, x, n, GLS_OK) == GLS_OK);
    CHECK(gls_comm_reduce_real(ctx, GLS_SUM, again, n, GLS_OK) == GLS_OK);
    CHECK(memcmp(x, again, bytes) == 0);
    CHECK(memcmp(x, expected, bytes) == 0); /* added in the order of the ranks */
    check_same_everywhere(ctx, x, bytes);
    free(x);
    free(again);
    free(expected);
}

static void check_operations(gls_context *ctx, int64_t n) {
    double *x = malloc(sizeof *x * (size_t)n);
    int64_t *k = malloc(sizeof *k * (size_t)n);
    for (int op = GLS_SUM; op <= GLS_MAX; op++) {
        for (int64_t i = 0; i < n; i++) {
            k[i] = (rank + 1) * ((i % 7) - 3);
            x[i] = (double)k[i] / 4;
        }
        if (rank == size - 1) x[n - 1] = NAN;
        CHECK(gls_comm_reduce_double(ctx, (gls_reduce)op, x, n, GLS_OK) == GLS_OK);
        CHECK(gls_comm_reduce_int64(ctx, (gls_reduce)op, k, n, GLS_OK) == GLS_OK);
        for (int64_t i = 0; i < n; i++) {
            int64_t value = i % 7 - 3, sum = value * size * (size + 1) / 2, least = value < 0 ? value * size : value,
                    most = value < 0 ? value : value * size;
            int64_t expected = op == GLS_SUM ? sum : op == GLS_MIN ? least : most;
            CHECK(k[i] == expected);
            CHECK(i == n - 1 ? isnan(x[i]) : x[i] == (double)expected / 4);
        }
    }
    free(x);
    free(k);
}

/* A sum and a least value in one message, short and long. */
static void check_pairs(gls_context *ctx, int64_t n) {
    gls_comm_pair *x = malloc(sizeof *x * (size_t)n);
    for (int64_t i = 0; i < n; i++) x[i] = (gls_comm_pair){rank + (double)i, i % 2 ? -rank : rank};
    if (rank == 0) x[n - 1].least = NAN;
    CHECK(gls_comm_reduce_pairs(ctx, x, n, GLS_OK) == GLS_OK);
    for (int64_t i = 0; i < n; i++) {
        CHECK(x[i].sum == size * (size - 1) / 2 + size * (double)i);
        CHECK(i == n - 1 ? isnan(x[i].least) : x[i].least == (i % 2 ? 1 - size : 0));
    }
    free(x);
}

static void check_broadcast(gls_context *ctx, int64_t bytes) {
    unsigned char *data = malloc((size_t)bytes);
    for (int root = 0; root < size; root++) {
        for (int64_t i = 0; i < bytes; i++) data[i] = (unsigned char)(rank == root ? i * 7 + root : 255);
        CHECK(gls_comm_broadcast(ctx, data, bytes, root, GLS_OK) == GLS_OK);
        for (int64_t i = 0; i < bytes; i++)
            if (data[i] != (unsigned char)(i * 7 + root)) {
                CHECK(!"broadcast");
                break;
            }
    }
    free(data);
}

/* Whichever rank fails, in whichever verb, all leave together: it with its own status, the others with GLS_ERR_COMM
 * and its name; afterwards the next call works. */
static void check_failures(gls_context *ctx) {
    static gls_real x[3000];
    for (int bad = 0; bad < size; bad++)
        for (int verb = 0; verb < 5; verb++) {
            gls_status mine = rank == bad ? GLS_ERR_NONFINITE : GLS_OK, found = GLS_OK;
            double d = rank;
            int64_t k = rank;
            switch (verb) {
            case 0:
                found = gls_comm_reduce_real(ctx, GLS_SUM, x, 3000, mine);
                break;
            case 1:
                found = gls_comm_reduce_double(ctx, GLS_SUM, &d, 1, mine);
                break;
            case 2:
                found = gls_comm_reduce_int64(ctx, GLS_SUM, &k, 1, mine);
                break;
            case 3:
                found = gls_comm_broadcast(ctx, x, sizeof x, 0, mine);
                break;
            case 4:
                found = gls_comm_agree(ctx, mine);
                break;
            }
            CHECK(found == (rank == bad ? GLS_ERR_NONFINITE : GLS_ERR_COMM));
            char expected[32];
            snprintf(expected, sizeof expected, "rank %d failed", bad);
            if (rank != bad) CHECK(strstr(gls_context_message(ctx), expected));
            CHECK(gls_comm_agree(ctx, GLS_OK) == GLS_OK);
        }
}

/* As MPI's own verb, but there is no memory on one rank. */
static int without_memory = -1;
static const gls_comm_ops *true_ops;
static bool room_but_for_one(gls_comm *comm, const gls_comm_code *code, const gls_comm_part *part, int64_t parts,
                             bool *more) {
    if (rank != without_memory || !part) return true_ops->parts_room(comm, code, part, parts, more);
    *more = true;
    return false;
}

static gls_status no_step(void *user, double *seconds) {
    (void)user;
    *seconds = 0;
    return GLS_OK;
}

/* Memory that runs out on one rank when a sum in parts begins: all ranks leave together, in training as where `scale`
 * measures such sums; and once there is memory the sum is made. */
static void check_memory_of_parts(gls_context *ctx, gls_comm *comm) {
    enum { N = 150000 };
    static gls_real x[N];
    static const gls_comm_part part[] = {{0, 70000}, {70000, N}};
    if (size == 1) return;
    true_ops = comm->ops;
    gls_comm_ops ops = *true_ops;
    ops.parts_room = room_but_for_one;
    comm->ops = &ops;
    for (int bad = 0; bad < size; bad++) {
        gls_status expected = rank == bad ? GLS_ERR_MEMORY : GLS_ERR_COMM;
        bool more;
        comm->ops->parts_room(comm, NULL, NULL, 0, &more);
        without_memory = bad;
        CHECK(gls_comm_parts_begin(ctx, NULL, x, part, 2) == expected);
        gls_scaling_options options = {.size = sizeof options};
        gls_scaling_model model = {.parameters = N, .overlap = 0.5};
        gls_scaling_meter meter = {.ctx = ctx, .step = no_step};
        CHECK(gls_scaling_network_measure(&meter, &options, &model) == expected);
        CHECK(meter.failed);
        without_memory = -1;
        for (int64_t i = 0; i < N; i++) x[i] = (gls_real)(rank + i % 7);
        CHECK(gls_comm_parts_begin(ctx, NULL, x, part, 2) == GLS_OK);
        CHECK(gls_comm_parts_finish(ctx) == GLS_OK);
        for (int64_t i = 0; i < N; i++)
            if (x[i] != (gls_real)(size * (i % 7) + size * (size - 1) / 2)) {
                CHECK(!"sum in parts");
                break;
            }
        meter.failed = false;
        CHECK(gls_scaling_network_measure(&meter, &options, &model) == GLS_OK);
        CHECK(!meter.failed && model.sum_bandwidth > 0);
    }
    comm->ops = true_ops;
}

int main(int argc, char **argv) {
    gls_comm *comm;
    if (gls_comm_create(&comm) != GLS_OK) {
        fprintf(stderr, "no communicator\n");
        return 1;
    }
    rank = gls_comm_rank(comm);
    size = gls_comm_size(comm);
    CHECK(argc == 2 && size == atoi(argv[1]));
    gls_context_options options = {sizeof options, .threads = 1, .comm = comm};
    gls_context *ctx;
    CHECK(gls_context_create(&ctx, &options) == GLS_OK);
    /* one element, a short message, around the border, uneven segments, more than a bucket */
    static const int64_t lengths[] = {0, 1, 5, 512, 513, 1024, 1025, 30011, 1200007};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) check_reals(ctx, lengths[i]);
    check_operations(ctx, 3);
    check_operations(ctx, 2001);
    check_pairs(ctx, 5);
    check_pairs(ctx, 3001);
    check_broadcast(ctx, 1);
    check_broadcast(ctx, 5000001);
    check_failures(ctx);
    check_memory_of_parts(ctx, comm);
    gls_context_destroy(ctx);
    gls_comm_destroy(comm);
    return wrong;
}
