/* Bytes, characters and patterns of tokenizers. Patterns and classes of Unicode are PCRE2's. */
#include "data/tokenizer_parts.h"

#include <string.h>

gls_status gls_tokenizer_bytes_add(gls_tokenizer_bytes *b, const char *from, int64_t count) {
    if (b->count + count > b->room) {
        int64_t room = 2 * (b->count + count) + 64;
        char *grown = gls_resize(b->ctx, b->at, room, 1);
        if (!grown) return GLS_ERR_MEMORY;
        b->at = grown;
        b->room = room;
    }
    if (count) memcpy(b->at + b->count, from, (size_t)count);
    b->count += count;
    return GLS_OK;
}

gls_status gls_tokenizer_bytes_add_character(gls_tokenizer_bytes *b, uint32_t c) {
    char text[4];
    int64_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char mark[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int64_t k = n - 1; k > 0; k--, c >>= 6) text[k] = (char)(0x80 | (c & 0x3f));
    text[0] = (char)(mark[n] | c);
    return gls_tokenizer_bytes_add(b, text, n);
}

uint32_t gls_tokenizer_character(const char **at) {
    const unsigned char *s = (const unsigned char *)*at;
    int n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (int k = 1; k < n; k++) c = c << 6 | (s[k] & 0x3f);
    *at += n;
    return c;
}

static bool prints(int byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* Bytes that print are themselves; the others follow from 256 on. */
uint32_t gls_tokenizer_character_of_byte(int byte) {
    if (prints(byte)) return (uint32_t)byte;
    uint32_t c = 256;
    for (int b = 0; b < byte; b++) c += !prints(b);
    return c;
}

int gls_tokenizer_byte_of_character(uint32_t character) {
    if (character < 256) return prints((int)character) ? (int)character : -1;
    for (int b = 0; b < 256; b++)
        if (!prints(b) && gls_tokenizer_character_of_byte(b) == character) return b;
    return -1;
}

gls_status gls_tokenizer_pattern_create(gls_context *ctx, const char *what, const char *pattern, bool literal,
                                        gls_tokenizer_pattern *out) {
    enum { STEPS = 10000000 }; /* of one match; a pattern that needs more would take for ever */
    int error;
    size_t place;
    PCRE2_UCHAR message[200];
    *out = (gls_tokenizer_pattern){0};
    uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | (literal ? PCRE2_LITERAL : PCRE2_UCP);
    out->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &place, NULL);
    if (!out->code) {
        pcre2_get_error_message(error, message, sizeof message);
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: the pattern '%.100s' at place %zu: %s", what, pattern, place + 1,
                        (const char *)message);
    }
    pcre2_jit_compile(out->code, PCRE2_JIT_COMPLETE); /* where there is none, matching is slower */
    out->data = pcre2_match_data_create(1, NULL);
    out->limits = pcre2_match_context_create(NULL);
    if (!out->data || !out->limits) {
        gls_tokenizer_pattern_clear(out);
        return gls_fail(ctx, GLS_ERR_MEMORY, "out of memory");
    }
    pcre2_set_match_limit(out->limits, STEPS);
    return GLS_OK;
}

void gls_tokenizer_pattern_clear(gls_tokenizer_pattern *pattern) {
    pcre2_match_context_free(pattern->limits);
    pcre2_match_data_free(pattern->data);
    pcre2_code_free(pattern->code);
    *pattern = (gls_tokenizer_pattern){0};
}

gls_status gls_tokenizer_pattern_next(gls_context *ctx, const gls_tokenizer_pattern *p, const char *text, int64_t bytes,
                                      int64_t *begin, int64_t *end) {
    int64_t from = *begin;
    int found = pcre2_match(p->code, (PCRE2_SPTR)text, (size_t)bytes, (size_t)from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                            p->data, p->limits);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR message[200];
        pcre2_get_error_message(found, message, sizeof message);
        return gls_fail(ctx, GLS_ERR_INPUT, "a pattern of the tokenizer fails on this text: %s", (const char *)message);
    }
    const size_t *place = pcre2_get_ovector_pointer(p->data);
    *begin = found < 0 ? -1 : (int64_t)place[0];
    *end = found < 0 ? -1 : (int64_t)place[1];
    /* \K moves the beginning. */
    if (found >= 0 && (*begin < from || *begin > *end || *end <= from))
        return gls_fail(ctx, GLS_ERR_INPUT, "a pattern of the tokenizer matches backwards");
    return GLS_OK;
}
