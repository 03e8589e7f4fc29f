/* Lines of a text as rows: padded one by one, or packed. */
#include "data/text.h"

#include "base/arith.h"
#include <string.h>

/* Where the next line goes. */
typedef struct place {
    const gls_token_text *text;
    int32_t end;
    int64_t length;
    bool packed;
    int64_t line, row, used; /* used: positions of the row */
    int32_t document;
} place;

/* The line of `tokens` tokens at *at, its end not counted; *at moves behind its end. */
static int64_t next_line(place *p, int64_t *at) {
    int64_t begin = *at, tokens = 0;
    while (begin + tokens < p->text->list.tokens && p->text->list.token[begin + tokens] != p->end) tokens++;
    *at = begin + tokens + 1;
    p->line++;
    return tokens;
}

/* A line in the present row, if it fits behind what is there, or in the next one. */
static gls_status seat(place *p, int64_t tokens) {
    int64_t needed = tokens + 1;
    if (needed > p->length)
        return gls_fail(p->text->ctx, GLS_ERR_INPUT,
                        "%s:%lld: a line of %lld tokens and its end, expected at most %lld (length); rows: text cuts "
                        "anywhere",
                        p->text->what, (long long)p->line, (long long)tokens, (long long)p->length);
    bool fits = p->row >= 0 && p->packed && needed <= p->length - p->used;
    p->document = fits ? p->document + 1 : 0;
    p->row += !fits;
    p->used = fits ? p->used : 0;
    return GLS_OK;
}

static void write_line(const place *p, int64_t begin, int64_t tokens, gls_token_rows *to) {
    int64_t at = p->row * p->length + p->used;
    to->token[at] = p->end;
    memcpy(to->token + at + 1, p->text->list.token + begin, (size_t)tokens * sizeof *to->token);
    memcpy(to->label + at, p->text->list.token + begin, (size_t)tokens * sizeof *to->label);
    to->label[at + tokens] = p->end;
    for (int64_t k = 0; k <= tokens; k++) to->document[at + k] = p->document;
}

/* NULL: only counts. */
static gls_status go_through(place p, gls_token_rows *to, int64_t *rows) {
    p.row = -1;
    p.line = 0;
    for (int64_t at = 0; at < p.text->list.tokens;) {
        int64_t begin = at, tokens = next_line(&p, &at);
        if (!tokens) continue;
        GLS_TRY(seat(&p, tokens));
        if (to) write_line(&p, begin, tokens, to);
        p.used += tokens + 1;
    }
    *rows = p.row + 1;
    return GLS_OK;
}

gls_status gls_token_rows_of_lines(const gls_token_text *text, int32_t end, int64_t length, bool packed,
                                   gls_token_rows *out) {
    place p = {.text = text, .end = end, .length = length, .packed = packed};
    int64_t size = 0;
    *out = (gls_token_rows){0};
    GLS_TRY(go_through(p, NULL, &out->rows));
    if (!out->rows)
        return gls_fail(text->ctx, GLS_ERR_INPUT, "%s: empty, expected at least one line with a token", text->what);
    if (__builtin_mul_overflow(out->rows, length, &size) || size > INT64_MAX / 3)
        return gls_fail(text->ctx, GLS_ERR_MEMORY, "%s: %lld rows of %lld tokens do not fit", text->what,
                        (long long)out->rows, (long long)length);
    out->token = gls_alloc(text->ctx, 3 * size, sizeof *out->token);
    if (!out->token) return GLS_ERR_MEMORY;
    out->label = out->token + size;
    out->document = out->label + size;
    memset(out->label, 0xff, (size_t)(2 * size) * sizeof *out->label);
    return go_through(p, out, &out->rows);
}
