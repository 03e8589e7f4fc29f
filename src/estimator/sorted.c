/* The rows of a mini-batch in the order of their keys, so that the groups of a key are runs of rows. Slots go with the
 * rows: randomness stays theirs. */
#include "estimator/estimator.h"
#include "estimator/pass.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

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
        memcpy(column + row[i], from->column + at, (size_t)n * sizeof(*column));
        memcpy(value + row[i], from->value + at, (size_t)n * sizeof(*value));
        row[i + 1] = row[i] + n;
    }
    sorted->batch.row = row;
    sorted->batch.column = column;
    sorted->batch.value = value;
    return GLS_OK;
}

static gls_status take_all(gls_context *ctx, gls_sorted *sorted, const gls_batch *from) {
    gls_batch *to = &sorted->batch;
    int64_t n = from->rows, labels = from->token ? from->length : 1;
    *to = *from;
    to->key = NULL;
    GLS_TRY(take(ctx, sorted, 0, from->x, n, from->features, sizeof(gls_real), &to->x));
    GLS_TRY(take(ctx, sorted, 1, from->token, n, from->length, sizeof(int32_t), &to->token));
    GLS_TRY(take(ctx, sorted, 2, from->label, n, labels, sizeof(int32_t), &to->label));
    GLS_TRY(take(ctx, sorted, 3, from->y, n, from->targets, sizeof(gls_real), &to->y));
    GLS_TRY(take(ctx, sorted, 4, from->index, n, 1, sizeof(int64_t), &to->index));
    GLS_TRY(take(ctx, sorted, 5, from->slot, n, 1, sizeof(int64_t), &to->slot));
    GLS_TRY(take(ctx, sorted, 6, from->mass, n, 1, sizeof(double), &to->mass));
    return from->row ? take_sparse(ctx, sorted, from) : GLS_OK;
}

gls_status gls_sorted_set(gls_context *ctx, gls_sorted *sorted, gls_stream *rows, const char *key) {
    gls_batch batch;
    if (rows->rows != rows->global_rows)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "micro-batches by key ('%s') on several ranks: the rows of one key may lie on different ranks; "
                        "use one process, or micro-batches by position",
                        key);
    GLS_TRY(rows->ops->get(rows, 0, rows->rows, &batch));
    if (!batch.key)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "micro-batches by key: the rows carry no key column '%s'", key);
    int64_t n = batch.rows, room = sorted->room[4];
    if (n > room || !sorted->order) {
        gls_free(ctx, sorted->order);
        gls_free(ctx, sorted->cut);
        sorted->order = gls_alloc(ctx, 2 * n, sizeof(int64_t));
        sorted->cut = gls_alloc(ctx, n + 1, sizeof(int64_t));
        if (!sorted->order || !sorted->cut) return GLS_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        sorted->order[2 * i] = batch.key[i];
        sorted->order[2 * i + 1] = i;
    }
    qsort(sorted->order, (size_t)n, 2 * sizeof(int64_t), by_key);
    sorted->cuts = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || sorted->order[2 * i] != sorted->order[2 * i - 2]) sorted->cut[sorted->cuts++] = i;
    sorted->cut[sorted->cuts] = n;
    GLS_TRY(take_all(ctx, sorted, &batch));
    gls_batch_stream_init(&sorted->stream, &sorted->batch);
    return GLS_OK;
}

void gls_sorted_destroy(gls_context *ctx, gls_sorted *sorted) {
    gls_free(ctx, sorted->order);
    gls_free(ctx, sorted->cut);
    for (size_t i = 0; i < sizeof(sorted->block) / sizeof(*sorted->block); i++) gls_free(ctx, sorted->block[i]);
}
