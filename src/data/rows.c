/* Rows being materialised, views of batches, and the fetch that all rows pass through. */
#include "data/source.h"
#include "base/arith.h"
#include <math.h>
#include <string.h>

enum { SPAN_LABELS = 2 };

static int64_t labels(gls_target_kind target, int64_t length) {
    if (gls_target_by_position(target)) return length;
    return target == GLS_TARGET_SPAN ? SPAN_LABELS : 1;
}

int64_t gls_batch_labels(const gls_batch *batch) {
    return batch ? labels(batch->target, batch->length) : 0;
}

int64_t gls_data_labels(const gls_data_info *info) {
    return info ? labels(info->target, info->length) : 0;
}

gls_batch gls_batch_view(const gls_batch *batch, int64_t begin, int64_t rows) {
    if (!batch) return (gls_batch){0};
    gls_batch view = *batch;
    view.rows = rows;
    if (batch->x) view.x += begin * batch->features;
    if (batch->row) view.row += begin;
    if (batch->token) view.token += begin * batch->length;
    if (batch->document) view.document += begin * batch->length;
    if (batch->label) view.label += begin * gls_batch_labels(batch);
    if (batch->y) view.y += begin * batch->targets;
    if (batch->index) view.index += begin;
    if (batch->slot) view.slot += begin;
    if (batch->mass) view.mass += begin;
    if (batch->key) view.key += begin;
    if (batch->other_label) view.other_label += begin;
    if (batch->label_share) view.label_share += begin;
    return view;
}

double gls_batch_mass(const gls_batch *batch) {
    if (!batch) return NAN;
    if (!batch->mass) return (double)batch->rows;
    double sum = 0;
    for (int64_t i = 0; i < batch->rows; i++) sum += batch->mass[i];
    return sum;
}

/* Exactly the arrays that such examples have; the rest stays NULL, which tells sources what not to fill. */
static gls_status allocate_rows(gls_context *ctx, const gls_data_info *info, int64_t capacity, gls_rows *rows) {
#define ROWS(field, each)                                                                                    \
    do {                                                                                                     \
        int64_t rows_count;                                                                                  \
        if (__builtin_mul_overflow(capacity, (int64_t)(each), &rows_count))                                  \
            return gls_fail(ctx, GLS_ERR_MEMORY, "%lld rows of %lld values do not fit", (long long)capacity, \
                            (long long)(each));                                                              \
        rows->field = gls_alloc(ctx, rows_count, sizeof *rows->field);                                       \
        if (!rows->field) return GLS_ERR_MEMORY;                                                             \
    } while (0)
    if (info->documents) ROWS(document, info->length);
    if (gls_target_by_position(info->target) || info->target == GLS_TARGET_SPAN) ROWS(label, gls_data_labels(info));
    if (info->vocabulary) {
        ROWS(token, info->length);
    } else if (info->sparse) {
        rows->row = gls_alloc(ctx, capacity + 1, sizeof *rows->row);
        if (!rows->row) return GLS_ERR_MEMORY;
        GLS_TRY(gls_rows_reserve(rows, capacity));
    } else if (info->features) {
        ROWS(x, info->features);
    }
    if (info->target == GLS_TARGET_CLASS) ROWS(label, 1);
    if (info->targets) ROWS(y, info->targets);
    if (info->mixed) {
        ROWS(other_label, 1);
        ROWS(label_share, 1);
    }
    ROWS(index, 1);
    ROWS(slot, 1);
    ROWS(key, 1);
    ROWS(mass, 1);
#undef ROWS
    return GLS_OK;
}

gls_status gls_rows_create(gls_context *ctx, const gls_data_info *info, int64_t capacity, gls_rows **out) {
    GLS_GIVEN(ctx, ctx, info, out);
    *out = NULL;
    if (capacity < 0) return gls_fail(ctx, GLS_ERR_ARGUMENT, "rows: negative capacity %lld", (long long)capacity);
    gls_rows *rows = gls_alloc(ctx, 1, sizeof *rows);
    if (!rows) return GLS_ERR_MEMORY;
    rows->ctx = ctx;
    rows->capacity = capacity;
    gls_status status = allocate_rows(ctx, info, capacity, rows);
    if (status != GLS_OK) {
        gls_rows_destroy(rows);
        return status;
    }
    *out = rows;
    return GLS_OK;
}

void gls_rows_destroy(gls_rows *rows) {
    if (!rows) return;
    void *block[] = {rows->x,        rows->value, rows->y,           rows->row,        rows->index,
                     rows->slot,     rows->key,   rows->column,      rows->token,      rows->label,
                     rows->document, rows->mass,  rows->other_label, rows->label_share};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) gls_free(rows->ctx, block[i]);
    gls_free(rows->ctx, rows);
}

gls_status gls_rows_reserve(gls_rows *rows, int64_t nonzeros) {
    GLS_GIVEN(rows ? rows->ctx : NULL, rows);
    if (nonzeros <= rows->nonzeros && rows->value) return GLS_OK;
    int64_t room = nonzeros > rows->nonzeros + rows->nonzeros / 2 ? nonzeros : rows->nonzeros + rows->nonzeros / 2;
    gls_real *value = gls_resize(rows->ctx, rows->value, room, sizeof *value);
    if (!value) return GLS_ERR_MEMORY;
    rows->value = value;
    int32_t *column = gls_resize(rows->ctx, rows->column, room, sizeof *column);
    if (!column) return GLS_ERR_MEMORY;
    rows->column = column;
    rows->nonzeros = room;
    return GLS_OK;
}

gls_rows gls_rows_from(const gls_rows *rows, const gls_data_info *info, int64_t begin) {
    if (!rows || !info) return (gls_rows){0};
    gls_rows part = *rows;
    part.capacity -= begin;
    if (rows->x) part.x += begin * info->features;
    if (rows->y) part.y += begin * info->targets;
    if (rows->row) part.row += begin;
    if (rows->index) part.index += begin;
    if (rows->slot) part.slot += begin;
    if (rows->key) part.key += begin;
    if (rows->mass) part.mass += begin;
    if (rows->other_label) part.other_label += begin;
    if (rows->label_share) part.label_share += begin;
    if (rows->token) part.token += begin * info->length;
    if (rows->document) part.document += begin * info->length;
    if (rows->label) part.label += begin * gls_data_labels(info);
    return part;
}

void gls_rows_merge(gls_rows *rows, const gls_rows *part) {
    if (!rows || !part) return;
    rows->value = part->value;
    rows->column = part->column;
    rows->nonzeros = part->nonzeros;
}

void gls_fetch_targets(const gls_source *source, const gls_fetch *fetch, const int32_t *label, const gls_real *y,
                       gls_rows *rows) {
    int64_t targets = source->info.targets;
    for (int64_t i = 0; rows->label && label && i < fetch->count; i++) rows->label[i] = label[fetch->index[i]];
    for (int64_t i = 0; rows->y && y && i < fetch->count; i++)
        memcpy(rows->y + i * targets, y + fetch->index[i] * targets, (size_t)targets * sizeof *rows->y);
}

gls_status gls_fetch_offsets(const gls_fetch *fetch, const int64_t *row, gls_rows *rows) {
    for (int64_t i = 0; i < fetch->count; i++)
        rows->row[i + 1] = rows->row[i] + row[fetch->index[i] + 1] - row[fetch->index[i]];
    return gls_rows_reserve(rows, rows->row[fetch->count]);
}

/* Indices are checked here once, so that sources need not. They are copied, since a batch outlives the fetch. */
gls_status gls_source_fetch(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows,
                            gls_batch *out) {
    GLS_GIVEN(ctx, source, ctx, fetch, rows, out);
    const gls_data_info *info = &source->info;
    if (fetch->count < 0 || fetch->count > rows->capacity)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "fetch: %lld rows do not fit into room for %lld",
                        (long long)fetch->count, (long long)rows->capacity);
    for (int64_t i = 0; i < fetch->count; i++) {
        if (fetch->index[i] < 0 || fetch->index[i] >= info->examples)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "fetch: example %lld is outside the set of %lld",
                            (long long)fetch->index[i], (long long)info->examples);
        rows->index[i] = fetch->index[i];
        rows->slot[i] = fetch->slot ? fetch->slot[i] : i;
    }
    if (rows->row) rows->row[0] = 0;
    gls_fetch inner = *fetch;
    inner.index = rows->index;
    inner.slot = rows->slot;
    GLS_TRY(source->ops->fetch(source, ctx, &inner, rows));
    bool mixed = info->mixed && fetch->augment;
    *out = (gls_batch){.rows = fetch->count,
                       .features = info->features,
                       .x = rows->x,
                       .row = rows->row,
                       .column = rows->column,
                       .value = rows->value,
                       .token = rows->token,
                       .length = info->length,
                       .document = rows->document,
                       .label = rows->label,
                       .target = info->target,
                       .y = rows->y,
                       .targets = info->targets,
                       .index = rows->index,
                       .slot = rows->slot,
                       .mass = source->has_mass ? rows->mass : NULL,
                       .draw = fetch->draw,
                       .other_label = mixed ? rows->other_label : NULL,
                       .label_share = mixed ? rows->label_share : NULL};
    return GLS_OK;
}

/* Rows with targets only: features are NULL, so no source fills them. */
gls_status gls_source_targets(const gls_source *source, gls_context *ctx, int32_t *label, gls_real *y) {
    GLS_GIVEN(ctx, source, ctx);
    enum { AT_ONCE = 1024 }; /* indices on the stack */
    const gls_data_info *info = &source->info;
    int64_t index[AT_ONCE];
    for (int64_t begin = 0; begin < info->examples; begin += AT_ONCE) {
        int64_t count = gls_least(info->examples - begin, AT_ONCE);
        for (int64_t i = 0; i < count; i++) index[i] = begin + i;
        gls_rows rows = {.ctx = ctx, .capacity = count};
        rows.label = label && info->target == GLS_TARGET_CLASS ? label + begin : NULL;
        rows.y = y && info->targets ? y + begin * info->targets : NULL;
        gls_fetch fetch = {.count = count, .index = index, .slot = index};
        GLS_TRY(source->ops->fetch(source, ctx, &fetch, &rows));
    }
    return GLS_OK;
}

static int64_t filled(const int32_t *document, int64_t length) {
    while (length > 0 && document[length - 1] < 0) length--;
    return length;
}

gls_status gls_source_lengths(const gls_source *source, gls_context *ctx, int64_t **out) {
    const gls_data_info *info = &source->info;
    enum { AT_ONCE = 256 };
    int64_t index[AT_ONCE], *length = *out = gls_alloc(ctx, info->examples, sizeof *length);
    int32_t *document = gls_alloc(ctx, AT_ONCE * info->length, sizeof *document);
    gls_status status = length && document ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t begin = 0; status == GLS_OK && begin < info->examples; begin += AT_ONCE) {
        int64_t count = gls_least(info->examples - begin, AT_ONCE);
        for (int64_t i = 0; i < count; i++) index[i] = begin + i;
        gls_rows rows = {.ctx = ctx, .capacity = count, .document = document};
        gls_fetch fetch = {.count = count, .index = index, .slot = index};
        status = source->ops->fetch(source, ctx, &fetch, &rows);
        for (int64_t i = 0; status == GLS_OK && i < count; i++)
            length[begin + i] = filled(document + i * info->length, info->length);
    }
    gls_free(ctx, document);
    return status;
}
