/* Rows of lines, padded or packed, whose tokens are in a file: a row is a stretch of it, from a line's first token on.
 */
#include "data/token_rows.h"

#include <string.h>

#include "base/arith.h"

typedef struct token_lines {
    gls_owned_source owned;
    gls_token_file file;
    int32_t end;
    int64_t *begin; /* [examples + 1] the first tokens of rows */
} token_lines;

enum { PIECE = 1 << 14 }; /* tokens that are looked at together */

/* ---- fetching ---- */

/* A row on its way into arrays of its own length, each of which may be NULL. */
typedef struct filling {
    int32_t *token, *label, *document;
    int64_t length, used;
    int32_t end, number; /* of the present document */
    bool open;           /* a line has begun */
} filling;

static void put(filling *f, int32_t token) {
    if (f->token) f->token[f->used] = token;
    if (f->document) f->document[f->used] = f->number;
    f->used++;
}

static void close_line(filling *f) {
    if (f->open && f->label) f->label[f->used - 1] = f->end;
    f->open = false;
}

/* false: more than the row holds, so that the file has changed. */
static bool fill(filling *f, const int32_t *from, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        if (from[k] == f->end) {
            close_line(f);
            continue;
        }
        if (f->used + 1 + !f->open > f->length) return false;
        if (!f->open) {
            f->number++;
            put(f, f->end);
        }
        f->open = true;
        if (f->label) f->label[f->used - 1] = from[k];
        put(f, from[k]);
    }
    return true;
}

static gls_status fill_row(const token_lines *s, gls_context *ctx, int64_t j, int32_t *room, filling *f) {
    size_t bytes = (size_t)f->length * sizeof *room;
    if (f->token) memset(f->token, 0, bytes);
    if (f->label) memset(f->label, 0xff, bytes);
    if (f->document) memset(f->document, 0xff, bytes);
    for (int64_t at = s->begin[j], n; at < s->begin[j + 1]; at += n) {
        n = gls_least(f->length + 1, s->begin[j + 1] - at);
        GLS_TRY(gls_token_file_read(&s->file, ctx, at, n, room));
        if (!fill(f, room, n))
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: the file was changed while its rows were in use",
                            gls_stored_path(s->file.stored));
    }
    close_line(f);
    return GLS_OK;
}

static gls_status fetch_lines(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const token_lines *s = (const token_lines *)source;
    int64_t length = source->info.length;
    int32_t *room = gls_alloc(ctx, length + 1, sizeof *room);
    gls_status status = room ? gls_stored_unchanged(s->file.stored, ctx) : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++) {
        filling f = {.token = rows->token ? rows->token + i * length : NULL,
                     .label = rows->label ? rows->label + i * length : NULL,
                     .document = rows->document ? rows->document + i * length : NULL,
                     .length = length,
                     .end = s->end,
                     .number = -1};
        status = fill_row(s, ctx, fetch->index[i], room, &f);
        if (rows->mass && source->has_mass) rows->mass[i] = (double)f.used / (double)length;
    }
    gls_free(ctx, room);
    return status;
}

static void destroy_lines(gls_source *source) {
    token_lines *s = (token_lines *)source;
    gls_token_file_clear(source->ctx, &s->file);
    gls_free(source->ctx, s->begin);
    gls_owned_destroy(source);
}

static void expect_lines(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const token_lines *s = (const token_lines *)source;
    gls_token_file_expect(&s->file, s->begin[begin], s->begin[end], soon);
}

static const gls_source_ops token_lines_ops = {fetch_lines, destroy_lines, expect_lines};

/* ---- where rows begin ---- */

typedef struct indexing {
    token_lines *s;
    gls_token_seat seat;
    int64_t line, room; /* where the present line begins; room of s->begin */
} indexing;

/* A row that its lines do not fill weighs less. */
static gls_status end_line(indexing *x, int64_t tokens) {
    token_lines *s = x->s;
    int64_t at, rows = x->seat.row + 1, used = x->seat.used;
    GLS_TRY(gls_token_seat_take(&x->seat, tokens, &at));
    if (x->seat.row + 1 == rows) return GLS_OK;
    s->owned.source.has_mass |= rows && used < x->seat.length;
    if (rows + 2 > x->room) {
        x->room = 2 * x->room + 256;
        int64_t *begin = gls_resize(x->seat.ctx, s->begin, x->room, sizeof *begin);
        if (!begin) return GLS_ERR_MEMORY;
        s->begin = begin;
    }
    s->begin[rows] = x->line;
    return GLS_OK;
}

static gls_status find_rows(indexing *x, int32_t *piece) {
    const gls_token_file *f = &x->s->file;
    for (int64_t at = 0, n; at < f->tokens; at += n) {
        n = gls_least(PIECE, f->tokens - at);
        GLS_TRY(gls_token_file_read(f, x->seat.ctx, at, n, piece));
        for (int64_t k = 0; k < n; k++) {
            if (piece[k] != x->s->end) continue;
            GLS_TRY(end_line(x, at + k - x->line));
            x->line = at + k + 1;
        }
    }
    if (x->line < f->tokens) GLS_TRY(end_line(x, f->tokens - x->line));
    int64_t rows = x->s->owned.source.info.examples = x->seat.row + 1;
    if (!rows)
        return gls_fail(x->seat.ctx, GLS_ERR_INPUT, "%s: empty, expected at least one line with a token", x->seat.what);
    x->s->begin[rows] = f->tokens;
    x->s->owned.source.has_mass |= x->seat.used < x->seat.length;
    return GLS_OK;
}

gls_status gls_token_lines_own(gls_context *ctx, const char *what, gls_data_info *info, int32_t end, bool packed,
                               gls_token_file *file, gls_owned_source **out) {
    token_lines *s;
    gls_status status = gls_owned_create(ctx, sizeof *s, &token_lines_ops, (void **)&s);
    if (status != GLS_OK) {
        gls_token_file_clear(ctx, file);
        return status;
    }
    s->file = *file;
    s->end = end;
    *file = (gls_token_file){0};
    s->owned.source.info = *info;
    s->owned.source.info.dims = 1;
    s->owned.source.info.shape[0] = info->length;
    s->owned.source.info.classes = info->vocabulary;
    indexing x = {.s = s, .seat = {.ctx = ctx, .what = what, .length = info->length, .packed = packed, .row = -1}};
    int32_t *piece = gls_alloc(ctx, PIECE, sizeof *piece);
    status = piece ? find_rows(&x, piece) : GLS_ERR_MEMORY;
    gls_free(ctx, piece);
    info->examples = s->owned.source.info.examples;
    if (status == GLS_OK)
        *out = &s->owned;
    else
        gls_source_destroy(&s->owned.source);
    return status;
}
