/* Rows of a table in memory, one value a column, spread to features as they are fetched: a category takes the room of
 * one value, not of all its features. */
#include "data/csv.h"
#include "base/arith.h"
#include <math.h>
#include <string.h>

static void spread(const gls_csv_source *s, const gls_real *row, gls_real *x) {
    memset(x, 0, (size_t)s->owned.source.info.features * sizeof *x);
    for (int64_t k = 0; k < s->cells; k++) {
        const gls_csv_cell *c = &s->cell[k];
        if (!c->place) {
            x[c->feature] = isnan(row[k]) ? c->fill : row[k];
            continue;
        }
        int64_t at = isnan(row[k]) ? c->feature : c->place[(int32_t)row[k]];
        if (at >= 0) x[at] = 1;
    }
}

static gls_status fetch_csv(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_csv_source *s = (const gls_csv_source *)source;
    gls_real *room = s->file ? gls_alloc(ctx, s->cells, sizeof *room) : NULL;
    gls_status status = s->file && !room ? GLS_ERR_MEMORY : GLS_OK;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++) {
        int64_t j = fetch->index[i], bytes = s->cells * (int64_t)sizeof *room;
        const gls_real *row = s->file ? room : s->block[j / s->rows] + j % s->rows * s->cells;
        if (rows->x && s->file) status = gls_stored_read(s->file, ctx, j * bytes, bytes, room);
        if (rows->x && status == GLS_OK) spread(s, row, rows->x + i * source->info.features);
        if (rows->mass && s->mass) rows->mass[i] = s->mass[j];
    }
    gls_fetch_targets(source, fetch, s->label, s->y, rows);
    gls_free(ctx, room);
    return status;
}

static void expect_csv(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const gls_csv_source *s = (const gls_csv_source *)source;
    int64_t bytes = s->cells * (int64_t)sizeof **s->block;
    if (s->file) gls_stored_expect(s->file, begin * bytes, (end - begin) * bytes, soon);
}

static void destroy_csv(gls_source *source) {
    gls_csv_source *s = (gls_csv_source *)source;
    for (int64_t b = 0; b < s->blocks; b++) gls_free(source->ctx, s->block[b]);
    gls_stored_close(s->file);
    gls_free(source->ctx, s->block);
    gls_free(source->ctx, s->label);
    gls_free(source->ctx, s->y);
    gls_free(source->ctx, s->mass);
    gls_owned_destroy(source);
}

static const gls_source_ops csv_ops = {fetch_csv, destroy_csv, expect_csv};

gls_status gls_csv_source_create(gls_context *ctx, gls_csv_source **out) {
    return gls_owned_create(ctx, sizeof **out, &csv_ops, (void **)out);
}

/* Rows go to a file, block by block; the room of one stays. */
static gls_status write_blocks(gls_csv_source *s, int64_t rows) {
    for (int64_t b = 0; b < s->blocks; b++) {
        int64_t count = gls_least(s->rows, rows - (s->kept + b) * s->rows);
        GLS_TRY(gls_stored_append(s->file, s->block[b], count * s->cells * (int64_t)sizeof **s->block));
    }
    s->kept += s->blocks;
    for (; s->blocks > 1; s->blocks--) {
        gls_free(s->owned.source.ctx, s->block[s->blocks - 1]);
        s->block[s->blocks - 1] = NULL;
    }
    return GLS_OK;
}

static gls_status make_room(gls_csv_source *s) {
    gls_context *ctx = s->owned.source.ctx;
    if (s->blocks == s->room) {
        int64_t room = s->room ? 2 * s->room : 64;
        gls_real **grown = gls_resize(ctx, s->block, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        s->block = grown;
        s->room = room;
    }
    s->block[s->blocks] = gls_alloc(ctx, s->rows * s->cells, sizeof **s->block);
    if (!s->block[s->blocks]) return GLS_ERR_MEMORY;
    s->blocks++;
    return GLS_OK;
}

/* Blocks stay where they are: growing copies their addresses only. */
gls_status gls_csv_source_row(gls_csv_source *s, int64_t row, gls_real **cells) {
    gls_context *ctx = s->owned.source.ctx;
    enum { MOST_ROWS = 4096, MOST_VALUES = 1 << 18 }; /* of a block: 1 MiB of floats */
    if (!s->rows) s->rows = s->cells * MOST_ROWS > MOST_VALUES ? gls_parts(MOST_VALUES, s->cells) : MOST_ROWS;
    int64_t b = row / s->rows - s->kept, block = s->rows * s->cells * (int64_t)sizeof **s->block;
    if (b == s->blocks && b && !s->file && !gls_bound_holds(ctx, (b + 1) * block))
        GLS_TRY(gls_stored_create(ctx, s->path, &s->file));
    if (b == s->blocks && s->file) GLS_TRY(write_blocks(s, row));
    b = row / s->rows - s->kept;
    if (b == s->blocks) GLS_TRY(make_room(s));
    *cells = s->block[b] + row % s->rows * s->cells;
    return GLS_OK;
}

gls_status gls_csv_source_finish(gls_csv_source *s, int64_t rows) {
    int64_t held = s->blocks * s->rows * s->cells * (int64_t)sizeof **s->block;
    s->path = NULL;
    if (!s->file) {
        gls_bound_take(s->owned.source.ctx, held);
        return GLS_OK;
    }
    GLS_TRY(write_blocks(s, rows));
    return gls_stored_finish(s->file);
}
