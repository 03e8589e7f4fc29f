/* Rows of a text whose tokens are in a file. */
#include "data/token_rows.h"

#include <string.h>

#include "base/arith.h"
#include "base/context.h"
#include "base/io.h"
#include "data/tokens.h"

typedef struct token_rows {
    gls_owned_source owned;
    gls_token_file file;
} token_rows;

void gls_token_file_clear(gls_context *ctx, gls_token_file *file) {
    gls_stored_close(file->stored);
    gls_free(ctx, file->to);
    *file = (gls_token_file){0};
}

/* Bytes are spread out in their place, from the last one on. */
gls_status gls_token_file_read(const gls_token_file *f, gls_context *ctx, int64_t begin, int64_t count, int32_t *to) {
    GLS_TRY(gls_stored_read(f->stored, ctx, begin * f->width, count * f->width, to));
    for (int64_t k = count - 1; f->width == 1 && k >= 0; k--) {
        int32_t token = ((unsigned char *)to)[k];
        memcpy(&to[k], &token, sizeof token);
    }
    for (int64_t k = 0; f->to && k < count; k++) to[k] = f->to[to[k]];
    return GLS_OK;
}

void gls_token_file_expect(const gls_token_file *f, int64_t begin, int64_t end, bool soon) {
    gls_stored_expect(f->stored, begin * f->width, (end - begin) * f->width, soon);
}

/* ---- the source ---- */

/* As in memory: a last row that the text does not fill is padded with token 0 and label -1. */
static gls_status fetch_row(const token_rows *s, gls_context *ctx, int64_t j, int32_t *room, int32_t *token,
                            int32_t *label) {
    int64_t length = s->owned.source.info.length, n = gls_least(length, s->file.tokens - 1 - j * length);
    GLS_TRY(gls_token_file_read(&s->file, ctx, j * length, n + 1, room));
    if (token) {
        memcpy(token, room, (size_t)n * sizeof *token);
        memset(token + n, 0, (size_t)(length - n) * sizeof *token);
    }
    if (label) {
        memcpy(label, room + 1, (size_t)n * sizeof *label);
        memset(label + n, 0xff, (size_t)(length - n) * sizeof *label);
    }
    return GLS_OK;
}

static gls_status fetch_rows(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const token_rows *s = (const token_rows *)source;
    int64_t length = source->info.length;
    int32_t *room = gls_alloc(ctx, length + 1, sizeof *room);
    gls_status status = room ? gls_stored_unchanged(s->file.stored, ctx) : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++) {
        int64_t j = gls_token_row_of(&source->info, fetch->index[i]);
        if (rows->token || rows->label)
            status = fetch_row(s, ctx, j, room, rows->token ? rows->token + i * length : NULL,
                               rows->label ? rows->label + i * length : NULL);
        int64_t n = gls_least(length, s->file.tokens - 1 - j * length);
        if (rows->mass && source->has_mass) rows->mass[i] = (double)n / (double)length;
    }
    gls_free(ctx, room);
    return status;
}

static void destroy_rows(gls_source *source) {
    gls_token_file_clear(source->ctx, &((token_rows *)source)->file);
    gls_owned_destroy(source);
}

static void expect_rows(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const token_rows *s = (const token_rows *)source;
    int64_t length = source->info.length;
    if (!source->info.streams) gls_token_file_expect(&s->file, begin * length, end * length, soon);
}

static const gls_source_ops token_rows_ops = {fetch_rows, destroy_rows, expect_rows};

gls_status gls_token_rows_own(gls_context *ctx, const gls_data_info *info, gls_token_file *file,
                              gls_owned_source **out) {
    token_rows *s;
    gls_status status = gls_owned_create(ctx, sizeof *s, &token_rows_ops, (void **)&s);
    if (status != GLS_OK) {
        gls_token_file_clear(ctx, file);
        return status;
    }
    s->file = *file;
    *file = (gls_token_file){0};
    s->owned.source.info = *info;
    s->owned.source.info.dims = 1;
    s->owned.source.info.shape[0] = info->length;
    s->owned.source.info.classes = info->vocabulary;
    s->owned.source.has_mass = (s->file.tokens - 1) % info->length != 0;
    *out = &s->owned;
    return GLS_OK;
}

/* ---- reading ---- */

enum { WAITING = 1 << 16 }; /* tokens in memory where there is a file */

static gls_status append(gls_token_text *s) {
    const gls_token_list *list = &s->list;
    s->stored += list->tokens;
    if (s->unit != GLS_TOKEN_BYTE)
        return gls_stored_append(s->file, list->token, list->tokens * (int64_t)sizeof *list->token);
    for (int64_t k = 0; k < list->tokens; k++) {
        unsigned char byte = (unsigned char)list->token[k];
        GLS_TRY(gls_stored_append(s->file, &byte, 1));
    }
    return GLS_OK;
}

gls_status gls_token_text_spill(gls_token_text *s) {
    int64_t held = s->list.room * (int64_t)sizeof *s->list.token;
    if (!s->file && gls_bound_holds(s->ctx, held)) return GLS_OK;
    if (!s->spills && s->ctx->bound->lenient) return GLS_OK;
    if (!s->spills)
        return gls_fail(s->ctx, GLS_ERR_INPUT,
                        "%s: its tokens do not fit into data.memory (%lld bytes are left of it), and sub-words stay on "
                        "disk only with `end`: a text without it is cut into them as a whole",
                        s->what, (long long)s->ctx->bound->left);
    if (!s->file) GLS_TRY(gls_stored_create(s->ctx, s->what, &s->file));
    if (s->list.tokens < WAITING && s->stored) return GLS_OK;
    GLS_TRY(append(s));
    s->list.tokens = 0;
    return GLS_OK;
}

gls_status gls_token_text_spilled(gls_token_text *s, gls_token_file *file) {
    *file = (gls_token_file){.width = s->unit == GLS_TOKEN_BYTE ? 1 : sizeof(int32_t)};
    if (!s->file) return GLS_OK;
    GLS_TRY(append(s));
    s->list.tokens = 0;
    file->stored = s->file;
    file->tokens = s->stored;
    s->file = NULL;
    return gls_stored_finish(file->stored);
}

gls_status gls_token_text_move(gls_token_text *s, gls_token_file *file) {
    if (!s->file) GLS_TRY(gls_stored_create(s->ctx, s->what, &s->file));
    return gls_token_text_spilled(s, file);
}

/* Looked at without a note, which is made when it is opened to stay. */
static gls_status look(gls_context *ctx, const char *path, int64_t *bytes, bool *packed) {
    gls_file_digest *watched = ctx->digest;
    gls_reader *reader;
    gls_stored *stored = NULL;
    gls_reader_watch(ctx, NULL);
    gls_status status = gls_reader_open(ctx, path, &reader);
    if (status == GLS_OK) {
        gls_reader_at_end(reader); /* the first bytes say how it is packed */
        *packed = gls_reader_packed(reader);
        gls_reader_close(reader);
        status = gls_stored_open(ctx, path, &stored);
    }
    *bytes = status == GLS_OK ? gls_stored_bytes(stored) : 0;
    gls_stored_close(stored);
    gls_reader_watch(ctx, watched);
    return status;
}

gls_status gls_token_file_of_bytes(gls_context *ctx, const char *path, gls_token_file *file) {
    int64_t bytes = 0;
    bool packed = false;
    *file = (gls_token_file){.width = 1};
    if (!ctx->bound) return GLS_OK;
    GLS_TRY(look(ctx, path, &bytes, &packed));
    if (packed || bytes < 2 || gls_bound_holds(ctx, bytes * (int64_t)sizeof(int32_t))) return GLS_OK;
    file->tokens = bytes;
    return gls_stored_open(ctx, path, &file->stored);
}
