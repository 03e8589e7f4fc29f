/* The rows of a mini-batch in the order of their keys, so that the groups of a key are runs of rows. Slots go with the
 * rows: randomness stays theirs. */
#include "estimator/estimator.h"
#include "base/sort.h"
#include "estimator/pass.h"

#include <stdlib.h>
#include <string.h>

/* Rows of `width` elements of `size` bytes, reordered into copy number `field`. */
static gls_status take(gls_context *ctx, gls_sorted *sorted, int field, const void *from, int64_t rows, int64_t width,
                       size_t size, const void *to) {
    if (!from) return GLS_OK;
    size_t bytes = (size_t)width * size;
    GLS_TRY(gls_pass_room(ctx, &sorted->block[field], &sorted->room[field], rows * width, size));
    for (int64_t i = 0; i < rows; i++)
        memcpy((char *)sorted->block[field] + (size_t)i * bytes,
               (const char *)from + (size_t)sorted->order[2 * i + 1] * bytes, bytes);
    memcpy((void *)to, &sorted->block[field], sizeof(void *));
    return GLS_OK;
}

static gls_status take_sparse(gls_context *ctx, gls_sorted *sorted, const gls_batch *from) {
    int64_t rows = from->rows, stored = from->row[rows] - from->row[0];
    GLS_TRY(gls_pass_room(ctx, &sorted->block[7], &sorted->room[7], rows + 1, sizeof(int64_t)));
    GLS_TRY(gls_pass_room(ctx, &sorted->block[8], &sorted->room[8], stored, sizeof(int32_t)));
    GLS_TRY(gls_pass_room(ctx, &sorted->block[9], &sorted->room[9], stored, sizeof(gls_real)));
    int64_t *row = sorted->block[7];
    int32_t *column = sorted->block[8];
    gls_real *value = sorted->block[9];
    row[0] = 0;
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = from->row[sorted->order[2 * i + 1]], n = from->row[sorted->order[2 * i + 1] + 1] - at;
        memcpy(column + row[i], from->column + at, (size_t)n * sizeof *column);
        memcpy(value + row[i], from->value + at, (size_t)n * sizeof *value);
        row[i + 1] = row[i] + n;
    }
    sorted->batch.row = row;
    sorted->batch.column = column;
    sorted->batch.value = value;
    return GLS_OK;
}

static gls_status take_all(gls_context *ctx, gls_sorted *sorted, const gls_batch *from) {
    gls_batch *to = &sorted->batch;
    int64_t n = from->rows, labels = gls_batch_labels(from);
    *to = *from;
    to->key = NULL;
    GLS_TRY(take(ctx, sorted, 0, from->x, n, from->features, sizeof(gls_real), &to->x));
    GLS_TRY(take(ctx, sorted, 1, from->token, n, from->length, sizeof(int32_t), &to->token));
    GLS_TRY(take(ctx, sorted, 2, from->label, n, labels, sizeof(int32_t), &to->label));
    GLS_TRY(take(ctx, sorted, 3, from->y, n, from->targets, sizeof(gls_real), &to->y));
    GLS_TRY(take(ctx, sorted, 4, from->index, n, 1, sizeof(int64_t), &to->index));
    GLS_TRY(take(ctx, sorted, 5, from->slot, n, 1, sizeof(int64_t), &to->slot));
    GLS_TRY(take(ctx, sorted, 6, from->mass, n, 1, sizeof(double), &to->mass));
    GLS_TRY(take(ctx, sorted, 11, from->other_label, n, 1, sizeof(int32_t), &to->other_label));
    GLS_TRY(take(ctx, sorted, 12, from->label_share, n, 1, sizeof(double), &to->label_share));
    GLS_TRY(take(ctx, sorted, 10, from->document, n, from->length, sizeof(int32_t), &to->document));
    return from->row ? take_sparse(ctx, sorted, from) : GLS_OK;
}

static gls_status sort(gls_context *ctx, gls_sorted *sorted, gls_stream *rows, const char *key) {
    gls_batch batch;
    GLS_TRY(rows->ops->get(rows, 0, rows->rows, &batch));
    if (!batch.key && rows->rows > 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "micro-batches by key: the rows have no key column '%s'", key);
    int64_t n = batch.rows;
    if (n > sorted->order_room || !sorted->order) {
        gls_free(ctx, sorted->order);
        gls_free(ctx, sorted->cut);
        sorted->order = gls_alloc(ctx, 2 * n, sizeof(int64_t));
        sorted->cut = gls_alloc(ctx, n + 1, sizeof(int64_t));
        sorted->order_room = sorted->order && sorted->cut ? n : -1;
        if (sorted->order_room < 0) return GLS_ERR_MEMORY;
    }
    bool ordered = true; /* as a loader with a key column hands rows out: nothing to copy */
    for (int64_t i = 0; i < n; i++) {
        sorted->order[2 * i] = batch.key[i];
        sorted->order[2 * i + 1] = i;
        ordered &= i == 0 || batch.key[i] >= batch.key[i - 1];
    }
    if (!ordered) qsort(sorted->order, (size_t)n, 2 * sizeof(int64_t), gls_compare_pairs);
    sorted->cuts = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || sorted->order[2 * i] != sorted->order[2 * i - 2]) sorted->cut[sorted->cuts++] = i;
    sorted->cut[sorted->cuts] = n;
    if (!ordered) return take_all(ctx, sorted, &batch);
    sorted->batch = batch;
    sorted->batch.key = NULL;
    return GLS_OK;
}

/* What the ranks tell each other: groups, and the range of keys. */
enum { TOLD_CUTS, TOLD_LOWEST, TOLD_HIGHEST, TOLD };

/* A key on two ranks would be two groups: ranks whose ranges of keys overlap are refused. */
static gls_status check_ranges(gls_context *ctx, const int64_t *told, int ranks, const char *key) {
    for (int a = 0; a < ranks; a++)
        for (int b = a + 1; b < ranks; b++) {
            const int64_t *x = told + TOLD * a, *y = told + TOLD * b;
            if (x[TOLD_CUTS] == 0 || y[TOLD_CUTS] == 0 || x[TOLD_HIGHEST] < y[TOLD_LOWEST] ||
                y[TOLD_HIGHEST] < x[TOLD_LOWEST])
                continue;
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "micro-batches by key: ranks %d and %d both hold keys '%s' between %lld and %lld; hand out "
                            "rows by ascending key, as a loader with a key column does",
                            a, b, key, (long long)(x[TOLD_LOWEST] > y[TOLD_LOWEST] ? x[TOLD_LOWEST] : y[TOLD_LOWEST]),
                            (long long)(x[TOLD_HIGHEST] < y[TOLD_HIGHEST] ? x[TOLD_HIGHEST] : y[TOLD_HIGHEST]));
        }
    return GLS_OK;
}

static gls_status tell_ranks(gls_context *ctx, gls_sorted *sorted, int64_t rows, const char *key, gls_status status) {
    int ranks = gls_comm_size(gls_context_comm(ctx)), rank = gls_comm_rank(gls_context_comm(ctx));
    int64_t alone[TOLD] = {0}, *told = ranks == 1 ? alone : gls_alloc(ctx, TOLD * ranks, sizeof *told);
    if (!told) return gls_comm_agree(ctx, GLS_ERR_MEMORY); /* the others meet this in their reduction */
    if (status == GLS_OK && rows > 0) {
        told[TOLD * rank + TOLD_CUTS] = sorted->cuts;
        told[TOLD * rank + TOLD_LOWEST] = sorted->order[0];
        told[TOLD * rank + TOLD_HIGHEST] = sorted->order[2 * rows - 2];
    }
    status = gls_comm_reduce_int64(ctx, GLS_SUM, told, TOLD * ranks, status);
    sorted->first_cut = sorted->all_cuts = 0;
    for (int r = 0; r < ranks && status == GLS_OK; r++) {
        if (r < rank) sorted->first_cut += told[TOLD * r + TOLD_CUTS];
        sorted->all_cuts += told[TOLD * r + TOLD_CUTS];
    }
    if (status == GLS_OK) status = check_ranges(ctx, told, ranks, key);
    if (told != alone) gls_free(ctx, told);
    return status;
}

gls_status gls_sorted_set(gls_context *ctx, gls_sorted *sorted, gls_stream *rows, const char *key) {
    GLS_TRY(tell_ranks(ctx, sorted, rows->rows, key, sort(ctx, sorted, rows, key)));
    gls_batch_stream_init(&sorted->stream, &sorted->batch);
    sorted->stream.stream.first = rows->first;
    sorted->stream.stream.global_rows = rows->global_rows;
    return GLS_OK;
}

void gls_sorted_destroy(gls_context *ctx, gls_sorted *sorted) {
    gls_free(ctx, sorted->order);
    gls_free(ctx, sorted->cut);
    for (size_t i = 0; i < sizeof(sorted->block) / sizeof *sorted->block; i++) gls_free(ctx, sorted->block[i]);
}
