/* Sub-words of a text: of the whole text at once, as `tokenizers` would, or line by line. */
#include <string.h>

#include "base/io.h"
#include "data/text.h"

enum { LINE_LIMIT = 1 << 26 };

static gls_status encode(gls_token_text *s, const char *text, int64_t bytes) {
    return gls_tokenizer_encode(s->tokenizer, text, bytes, &s->list);
}

static gls_status end_line(gls_token_text *s) {
    return gls_token_list_add(s->ctx, &s->list, s->end);
}

/* Every line of it is UTF-8. */
static gls_status check(gls_token_text *s, const char *text, int64_t bytes) {
    s->line += !s->line; /* of a text that is a whole file or option */
    for (int64_t at = 0, size; at < bytes; at += size + 1, s->line++) {
        const char *end = memchr(text + at, '\n', (size_t)(bytes - at));
        size = end ? end - text - at : bytes - at;
        GLS_TRY(gls_token_text_check(s, text + at, size));
    }
    return GLS_OK;
}

gls_status gls_token_text_parse_subwords(gls_token_text *s, const char *from, int64_t bytes) {
    GLS_TRY(check(s, from, bytes));
    if (s->end < 0) return encode(s, from, bytes);
    for (const char *end; (end = memchr(from, '\n', (size_t)bytes)); bytes -= end + 1 - from, from = end + 1) {
        GLS_TRY(encode(s, from, end - from));
        GLS_TRY(end_line(s));
    }
    return encode(s, from, bytes);
}

static gls_status read_lines(gls_token_text *s, gls_reader *reader) {
    char *line;
    for (int64_t length;;) {
        GLS_TRY(gls_reader_line(reader, LINE_LIMIT, &line, &length));
        if (!line) return GLS_OK;
        s->line = gls_reader_line_number(reader);
        GLS_TRY(gls_token_text_check(s, line, length));
        GLS_TRY(encode(s, line, length));
        GLS_TRY(end_line(s));
    }
}

static gls_status read_whole(gls_context *ctx, gls_reader *reader, char **text, int64_t *bytes) {
    int64_t room = 0;
    *bytes = 0;
    for (int64_t got = 1; got > 0; *bytes += got) {
        if (room - *bytes < 1 << 16) {
            room = 2 * room + (1 << 17);
            char *grown = gls_resize(ctx, *text, room, 1);
            if (!grown) return GLS_ERR_MEMORY;
            *text = grown;
        }
        GLS_TRY(gls_reader_read(reader, *text + *bytes, room - *bytes, &got));
    }
    return GLS_OK;
}

static gls_status make(gls_token_text *s, gls_reader *reader, int64_t size, const char *const *special, char **json) {
    char *text = NULL;
    int64_t bytes;
    gls_status status = read_whole(s->ctx, reader, &text, &bytes);
    if (status == GLS_OK) status = check(s, text, bytes);
    if (status == GLS_OK) status = gls_tokenizer_train(s->ctx, s->what, text, bytes, size, special, json);
    gls_free(s->ctx, text);
    return status;
}

gls_status gls_tokenizer_make(gls_context *ctx, const char *text, int64_t size, const char *const *special,
                              const char *out) {
    GLS_GIVEN(ctx, ctx, text, special, out);
    char *json = NULL;
    gls_reader *reader;
    gls_status status = gls_reader_open(ctx, text, &reader);
    if (status == GLS_OK) {
        gls_token_text s = {.ctx = ctx, .what = gls_reader_path(reader), .unit = GLS_TOKEN_SUBWORD};
        status = make(&s, reader, size, special, &json);
        gls_reader_close(reader);
    }
    if (status == GLS_ERR_FILE) status = GLS_ERR_INPUT; /* ours to read, not to write */
    if (status == GLS_OK) status = gls_write_text(ctx, out, json);
    gls_free(ctx, json);
    return status;
}

gls_status gls_token_text_read_subwords(gls_token_text *s, gls_reader *reader) {
    char *text = NULL;
    int64_t bytes;
    if (s->end >= 0) return read_lines(s, reader);
    gls_status status = read_whole(s->ctx, reader, &text, &bytes);
    if (status == GLS_OK) status = gls_token_text_parse_subwords(s, text, bytes);
    gls_free(s->ctx, text);
    return status;
}
