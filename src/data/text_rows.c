/* Lines of a text as rows: padded one by one, or packed. */
#include "data/text.h"

#include "data/stored.h"
#include <string.h>

gls_status gls_token_seat_take(gls_token_seat *p, int64_t tokens, int64_t *at) {
    int64_t needed = tokens + 1;
    p->line++;
    *at = -1;
    if (!tokens) return GLS_OK;
    if (needed > p->length)
        return gls_fail(p->ctx, GLS_ERR_INPUT,
                        "%s:%lld: a line of %lld tokens and its end, expected at most %lld (length); rows: text cuts "
                        "anywhere",
                        p->what, (long long)p->line, (long long)tokens, (long long)p->length);
    bool fits = p->row >= 0 && p->packed && needed <= p->length - p->used;
    p->document = fits ? p->document + 1 : 0;
    p->row += !fits;
    p->used = fits ? p->used : 0;
    *at = p->row * p->length + p->used;
    p->used += needed;
    return GLS_OK;
}

/* The line of `tokens` tokens at *at, its end not counted; *at moves behind its end. */
static int64_t next_line(const gls_token_list *list, int32_t end, int64_t *at) {
    int64_t begin = *at, tokens = 0;
    while (begin + tokens < list->tokens && list->token[begin + tokens] != end) tokens++;
    *at = begin + tokens + 1;
    return tokens;
}

static void write_line(const int32_t *line, int64_t tokens, int32_t end, int32_t document, int64_t at,
                       gls_token_rows *to) {
    to->token[at] = end;
    memcpy(to->token + at + 1, line, (size_t)tokens * sizeof *to->token);
    memcpy(to->label + at, line, (size_t)tokens * sizeof *to->label);
    to->label[at + tokens] = end;
    for (int64_t k = 0; k <= tokens; k++) to->document[at + k] = document;
}

/* NULL: only counts. */
static gls_status go_through(const gls_token_list *list, int32_t end, gls_token_seat seat, gls_token_rows *to,
                             int64_t *rows) {
    for (int64_t at = 0; at < list->tokens;) {
        int64_t begin = at, place, tokens = next_line(list, end, &at);
        GLS_TRY(gls_token_seat_take(&seat, tokens, &place));
        if (to && tokens) write_line(list->token + begin, tokens, end, seat.document, place, to);
    }
    *rows = seat.row + 1;
    return GLS_OK;
}

gls_status gls_token_rows_of_lines(const gls_token_text *text, int32_t end, int64_t length, bool packed,
                                   gls_token_rows *out) {
    gls_token_seat seat = {.ctx = text->ctx, .what = text->what, .length = length, .packed = packed, .row = -1};
    int64_t size = 0;
    *out = (gls_token_rows){0};
    GLS_TRY(go_through(&text->list, end, seat, NULL, &out->rows));
    if (!out->rows)
        return gls_fail(text->ctx, GLS_ERR_INPUT, "%s: empty, expected at least one line with a token", text->what);
    if (__builtin_mul_overflow(out->rows, length, &size) || size > INT64_MAX / 12)
        return gls_fail(text->ctx, GLS_ERR_MEMORY, "%s: %lld rows of %lld tokens do not fit", text->what,
                        (long long)out->rows, (long long)length);
    if (!gls_bound_holds(text->ctx, 3 * size * (int64_t)sizeof *out->token)) return GLS_OK;
    out->token = gls_alloc(text->ctx, 3 * size, sizeof *out->token);
    if (!out->token) return GLS_ERR_MEMORY;
    gls_bound_take(text->ctx, 3 * size * (int64_t)sizeof *out->token);
    out->label = out->token + size;
    out->document = out->label + size;
    memset(out->label, 0xff, (size_t)(2 * size) * sizeof *out->label);
    return go_through(&text->list, end, seat, out, &out->rows);
}
