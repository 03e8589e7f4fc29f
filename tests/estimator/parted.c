/* Under mpirun: sums whose parts travel while others are computed have the bits of sums at once, whatever rows the
 * ranks have, threads, waves and estimators; and when a rank fails in between, all leave together. Prints and returns 1
 * on the first difference. */
#include <glissade/glissade.h>

#include "estimator/pass.h"
#include "problem/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct some_rows {
    gls_stream stream;
    gls_batch rows;
    bool fails;
} some_rows;

static gls_status get(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    const some_rows *s = (const some_rows *)stream;
    *out = gls_batch_view(&s->rows, begin, count);
    return s->fails ? GLS_ERR_FILE : GLS_OK;
}

static const gls_stream_ops ops = {get};
static int rank, size, wrong;

static void need(gls_context *ctx, gls_status status, const char *what) {
    if (status == GLS_OK) return;
    fprintf(stderr, "%s: %s\n", what, gls_context_message(ctx));
    exit(1);
}

static gls_value *put(gls_context *ctx, gls_value *map, gls_value_kind kind, const char *key, const char *text) {
    gls_value *value = gls_value_create(ctx, kind, key, text);
    need(ctx, value ? gls_value_append(ctx, map, value) : GLS_ERR_MEMORY, "value");
    return value;
}

/* Two matrices of 140,000 and 105,000 values, each of several parts; biases and a small matrix between and behind. */
static gls_problem *network(gls_context *ctx, const made_rows *rows) {
    gls_problem *p = NULL;
    gls_value *options = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_value *hidden = put(ctx, options, GLS_VALUE_LIST, "hidden", NULL);
    put(ctx, hidden, GLS_VALUE_TEXT, NULL, "700");
    put(ctx, hidden, GLS_VALUE_TEXT, NULL, "150");
    need(ctx, gls_model_create(ctx, "mlp", options, &rows->info, &p), "mlp");
    gls_value_destroy(ctx, options);
    return p;
}

typedef struct estimator_case {
    const char *name, *key, *value;
    const char *exchange; /* NULL: dense */
    int64_t rows, wave;
    bool fails; /* on the last rank */
} estimator_case;

/* The estimate at fixed weights, of which the first rows are this rank's share. */
static gls_status estimate(gls_context *ctx, const made_rows *rows, const estimator_case *c, bool overlap,
                           gls_real **g) {
    gls_problem *p = network(ctx, rows);
    gls_pass *pass;
    gls_estimator *e;
    gls_pass_options plan = {.size = sizeof plan, .wave = c->wave};
    need(ctx, gls_pass_create(p, &plan, &pass), "pass");
    if (pass->parts.early < 3) wrong = 1, fprintf(stderr, "%d parts\n", (int)pass->parts.early);
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    put(ctx, map, GLS_VALUE_TEXT, "name", c->name);
    if (c->key) put(ctx, map, GLS_VALUE_TEXT, c->key, c->value);
    need(ctx, gls_estimator_create(p, map, 3, &e), "estimator");
    gls_value_destroy(ctx, map);
    int64_t d = gls_problem_size(p);
    gls_comm_exchange *exchange = NULL;
    const gls_value way = {.kind = GLS_VALUE_TEXT, .text = c->exchange};
    if (c->exchange) need(ctx, gls_comm_exchange_create(ctx, &way, d, 8, &exchange), c->exchange);
    gls_estimator_use_exchange(e, exchange);
    gls_real *w = calloc((size_t)d, sizeof *w);
    *g = calloc((size_t)d, sizeof **g);
    need(ctx, gls_problem_initialize(p, 1, w), "initialize");
    some_rows s = {.stream = {.ops = &ops, .global_rows = c->rows}, .fails = c->fails && rank == size - 1};
    gls_rank_share(ctx, c->rows, gls_estimator_group(e), &s.stream.first, &s.stream.rows);
    s.rows = gls_batch_view(&rows->batch, s.stream.first, s.stream.rows);
    gls_comm_overlap(gls_context_comm(ctx), overlap);
    gls_estimate out;
    gls_status status = gls_estimator_estimate(e, pass, w, &s.stream, 0, *g, &out, NULL);
    free(w);
    gls_estimator_destroy(e);
    gls_comm_exchange_destroy(exchange);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    return status;
}

static void compare(gls_context *ctx, const made_rows *rows, const estimator_case *c) {
    gls_real *g[2];
    int64_t before = gls_comm_bytes(gls_context_comm(ctx)), sent[2];
    for (int overlap = 0; overlap < 2; overlap++) {
        need(ctx, estimate(ctx, rows, c, overlap, &g[overlap]), c->name);
        sent[overlap] = gls_comm_bytes(gls_context_comm(ctx)) - before;
        before += sent[overlap];
    }
    const int64_t d = 200 * 700 + 700 + 700 * 150 + 150 + 150 * 7 + 7;
    double size2 = 0;
    for (int64_t i = 0; i < d; i++) size2 += (double)g[0][i] * g[0][i];
    if (!(size2 > 0) || memcmp(g[0], g[1], (size_t)d * sizeof *g[0]) != 0) {
        int64_t i = 0;
        while (i < d && memcmp(&g[0][i], &g[1][i], sizeof *g[0]) == 0) i++;
        fprintf(stderr, "rank %d: %s of %d rows: other bits, at %lld: %g, at once %g\n", rank, c->name, (int)c->rows,
                (long long)i, i < d ? (double)g[1][i] : 0, i < d ? (double)g[0][i] : 0);
        wrong = 1;
    }
    /* As many bytes, up to a status here and there. */
    if (llabs((long long)(sent[0] - sent[1])) > 512 * size) {
        fprintf(stderr, "%s: %lld bytes, at once %lld\n", c->name, (long long)sent[1], (long long)sent[0]);
        wrong = 1;
    }
    free(g[0]), free(g[1]);
}

static void all_leave_together(gls_context *ctx, const made_rows *rows) {
    const estimator_case c = {.name = "mean", .rows = 101, .fails = true};
    gls_real *g;
    gls_status status = estimate(ctx, rows, &c, true, &g), wanted = rank == size - 1 ? GLS_ERR_FILE : GLS_ERR_COMM;
    if (status != wanted) fprintf(stderr, "rank %d: %s\n", rank, gls_status_name(status)), wrong = 1;
    free(g);
    /* And nothing is left over that would disturb the next sum. */
    const estimator_case next = {.name = "mean", .rows = 101};
    compare(ctx, rows, &next);
}

int main(void) {
    gls_comm *comm;
    if (gls_comm_create(&comm) != GLS_OK) return 1;
    rank = gls_comm_rank(comm);
    size = gls_comm_size(comm);
    made_rows rows;
    rows_make(&rows, 101, 200, false, 7, 0, true);
    static const estimator_case cases[] = {
        {.name = "mean", .rows = 101},
        {.name = "mean", .rows = 3}, /* some ranks have none */
        {.name = "mean", .rows = 101, .wave = 8},
        {.name = "sum", .rows = 60},
        {.name = "mean", .rows = 101, .exchange = "bf16"},
        {.name = "mean", .rows = 1, .exchange = "bf16"},
        {.name = "mean", .rows = 101, .exchange = "quant"}, /* does not: the same twice */
        {.name = "microbatch", .key = "microbatch", .value = "4", .rows = 96},
        {.name = "microbatch", .key = "microbatch", .value = "rank", .rows = 96},
        {.name = "drop", .key = "p", .value = "0.5", .rows = 20},
        {.name = "clip_norm", .key = "bound", .value = "0.1", .rows = 50}};
    for (int threads = 1; threads <= 2; threads++) {
        gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 4, .comm = comm};
        gls_context *ctx;
        if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) compare(ctx, &rows, &cases[i]);
        all_leave_together(ctx, &rows);
        gls_context_destroy(ctx);
    }
    rows_free(&rows);
    gls_comm_destroy(comm);
    return wrong;
}
