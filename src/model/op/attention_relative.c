/* Terms of attention scores that depend on the distance of a query and a key: a number for each head and distance
 * (Raffel et al. 2020), or the product of a second query with a row for each distance (Dai et al. 2019). Key k and
 * query t have distance number k + queries - 1 - t, so that a query's keys and distances rise together. */
#include "base/gemm.h"
#include "base/kernels.h"
#include "model/op/attention.h"

int64_t gls_op_relative_room(int64_t kind, int64_t keys) {
    return kind == GLS_RELATIVE_ROWS ? GLS_OP_ATTENTION_QUERIES * (keys + GLS_OP_ATTENTION_QUERIES) : 0;
}

/* Keys that the block's query sees. */
static int64_t seen(const gls_op_attention_block *b, int64_t query) {
    return b->causal ? b->before + b->first + query + 1 : b->keys;
}

/* Distances of the block: from the last query and the first key on. */
static int64_t span(const gls_op_attention_block *b) {
    return b->causal ? b->keys : b->keys + b->count - 1;
}

/* The offset of the block's first distance. */
static int64_t first_row(const gls_op_attention_block *b) {
    return b->relative + (b->queries - b->first - b->count) * b->relative_step;
}

static void add_numbers(const gls_op_attention_block *b, const gls_real *relative, gls_real *s) {
    for (int64_t q = 0; q < b->count; q++) {
        const gls_real *from = relative + first_row(b) + (b->count - 1 - q) * b->relative_step;
        for (int64_t k = 0; k < seen(b, q); k++) s[q * b->keys + k] += from[k * b->relative_step];
    }
}

void gls_op_relative_scores(const gls_op_attention_block *b, const gls_real *queries, const gls_real *relative,
                            gls_real *room, gls_real *s) {
    if (b->kind == GLS_RELATIVE_BIAS) add_numbers(b, relative, s);
    if (b->kind != GLS_RELATIVE_ROWS) return;
    int64_t width = span(b);
    gls_gemm(b->portable, false, true, b->count, width, b->dim, b->scale, queries + b->place + b->first * b->query_step,
             b->query_step, relative + first_row(b), b->relative_step, 0, room, width);
    for (int64_t q = 0; q < b->count; q++) gls_add(s + q * b->keys, room + q * width + b->count - 1 - q, seen(b, q));
}

static void numbers_backward(const gls_op_attention_block *b, const gls_real *ds, gls_real *to_relative) {
    for (int64_t q = 0; q < b->count; q++) {
        gls_real *to = to_relative + first_row(b) + (b->count - 1 - q) * b->relative_step;
        for (int64_t k = 0; k < seen(b, q); k++) to[k * b->relative_step] += ds[q * b->keys + k];
    }
}

void gls_op_relative_backward(const gls_op_attention_block *b, const gls_real *ds, const gls_real *queries,
                              const gls_real *relative, gls_real *room, gls_real *to_queries, gls_real *to_relative) {
    if (b->kind == GLS_RELATIVE_BIAS) numbers_backward(b, ds, to_relative);
    if (b->kind != GLS_RELATIVE_ROWS) return;
    int64_t width = span(b), at = b->place + b->first * b->query_step;
    gls_fill(room, 0, b->count * width);
    for (int64_t q = 0; q < b->count; q++) gls_add(room + q * width + b->count - 1 - q, ds + q * b->keys, seen(b, q));
    gls_gemm(b->portable, false, false, b->count, b->dim, width, b->scale, room, width, relative + first_row(b),
             b->relative_step, 1, to_queries + at, b->query_step);
    gls_gemm(b->portable, true, false, width, b->dim, b->count, b->scale, room, width, queries + at, b->query_step, 1,
             to_relative + first_row(b), b->relative_step);
}
