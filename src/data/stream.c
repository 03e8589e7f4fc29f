/* A rank's share of a mini-batch, and a batch in memory as a stream. */
#include <glissade/data.h>
#include "base/arith.h"
#include <glissade/comm.h>

void gls_rank_share(const gls_context *ctx, int64_t rows, int64_t align, int64_t *first, int64_t *count) {
    if (!ctx || !first || !count) return;
    int64_t ranks = gls_comm_size(gls_context_comm(ctx)), rank = gls_comm_rank(gls_context_comm(ctx));
    if (align < 1) align = 1;
    int64_t units = gls_parts(rows, align);
    int64_t begin = units * rank / ranks * align, end = units * (rank + 1) / ranks * align;
    *first = gls_least(begin, rows);
    *count = gls_least(end, rows) - *first;
}

static gls_status get_batch(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    *out = gls_batch_view(((gls_batch_stream *)stream)->batch, begin, count);
    return GLS_OK;
}

static const gls_stream_ops batch_stream_ops = {get_batch};

void gls_batch_stream_init(gls_batch_stream *stream, const gls_batch *batch) {
    if (!stream || !batch) return;
    *stream = (gls_batch_stream){
        .stream = {.ops = &batch_stream_ops, .rows = batch->rows, .first = 0, .global_rows = batch->rows},
        .batch = batch};
}
