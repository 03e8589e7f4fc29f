/* |g|^2 where g is in blocks. Cut and summed as one vector is, so that the bits are those of gls_sum_squares. */
#include "method/method.h"
#include "base/arith.h"

#include <math.h>

typedef struct reading {
    gls_method *method;
    const gls_real *const *g;
    int64_t task; /* chunks of one */
} reading;

int64_t gls_method_piece_at(const gls_method *method, int64_t offset) {
    int64_t low = 0, high = method->pieces;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (method->piece[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Coordinates that are not trained count as zeros. */
static double chunk_squares(const reading *job, int64_t begin, int64_t end) {
    const gls_method *method = job->method;
    double part[GLS_LANES] = {0};
    for (int64_t i = gls_method_piece_at(method, begin), at = begin; at < end; i++) {
        const gls_method_piece *piece = &method->piece[i];
        int64_t skip = at - piece->offset, size = gls_least(piece->size - skip, end - at);
        if (!method->group[piece->group].frozen)
            gls_add_squares(part, at - begin, job->g[piece->block] + piece->begin + skip, size);
        at += size;
    }
    return gls_combine_lanes(part);
}

static gls_status read_chunks(void *user, int64_t task, int worker) {
    const reading *job = user;
    int64_t d = job->method->parameters, end = gls_least((task + 1) * job->task, gls_parts(d, GLS_CHUNK));
    for (int64_t i = task * job->task; i < end; i++)
        job->method->chunk_norm2[i] = chunk_squares(job, i * GLS_CHUNK, gls_least((i + 1) * GLS_CHUNK, d));
    return GLS_OK;
}

double gls_method_norm2(gls_method *method, const gls_answer *answer, const gls_method_blocks *blocks) {
    if (!isnan(answer->norm2) && !method->frozen) return answer->norm2; /* else it is of all blocks */
    reading job = {method, blocks->g, gls_method_task_size(method) / GLS_CHUNK};
    int64_t chunks = gls_parts(method->parameters, GLS_CHUNK);
    double norm2 = 0;
    gls_parallel(method->ctx, gls_parts(chunks, job.task), read_chunks, &job);
    for (int64_t i = 0; i < chunks; i++) norm2 += method->chunk_norm2[i];
    return norm2;
}

int64_t gls_method_nonfinite(const gls_method *method, const gls_method_blocks *blocks) {
    int64_t count = 0;
    for (int64_t i = 0; i < method->pieces; i++) {
        const gls_method_piece *piece = &method->piece[i];
        if (!method->group[piece->group].frozen)
            count += gls_count_nonfinite(blocks->g[piece->block] + piece->begin, piece->size);
    }
    return count;
}
