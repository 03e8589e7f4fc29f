/* Sub-words of a text: of the whole text at once, as `tokenizers` would, or line by line. */
#include <string.h>

#include "base/io.h"
#include "data/token_rows.h"

enum { LINE_LIMIT = 1 << 26 };
static const int64_t text_limit = INT64_MAX / 4; /* memory ends before */

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
        GLS_TRY(gls_token_text_spill(s));
    }
}

gls_status gls_tokenizer_make(gls_context *ctx, const char *text, int64_t size, const char *const *special,
                              const char *out) {
    GLS_GIVEN(ctx, ctx, text, special, out);
    gls_token_text s = {.ctx = ctx, .what = text, .unit = GLS_TOKEN_SUBWORD};
    char *read, *json = NULL;
    int64_t bytes;
    gls_status status = gls_read_file(ctx, text, text_limit, &read, &bytes);
    if (status == GLS_OK) status = check(&s, read, bytes);
    if (status == GLS_OK) status = gls_tokenizer_train(ctx, text, read, bytes, size, special, &json);
    gls_free(ctx, read);
    if (status == GLS_ERR_FILE) status = GLS_ERR_INPUT; /* ours to read, not to write */
    if (status == GLS_OK) status = gls_write_text(ctx, out, json);
    gls_free(ctx, json);
    return status;
}

gls_status gls_token_text_read_subwords(gls_token_text *s, gls_reader *reader) {
    char *text = NULL;
    int64_t bytes = 0;
    if (s->end >= 0) return read_lines(s, reader);
    gls_status status = gls_reader_rest(reader, text_limit, &text, &bytes);
    if (status == GLS_OK) status = gls_token_text_parse_subwords(s, text, bytes);
    gls_free(s->ctx, text);
    s->spills = false; /* such a text was in memory already */
    return status == GLS_OK ? gls_token_text_spill(s) : status;
}
