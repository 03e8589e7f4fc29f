/* The normaliser Precompiled: SentencePiece's table of what characters become, in base64: bytes of a double array, the
 * array by UTF-8, then texts that end with NUL. As in `tokenizers` a cluster of less than 6 bytes that begins with an
 * entry becomes that entry's text, the shortest entry's; else every character for itself. */
#include <string.h>
#include <unigbrk.h>

#include "data/tokenizer_parts.h"

enum { CLUSTER_BYTES = 6 };

/* ---- reading ---- */

static int sextet(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Bytes, or -1: not base64. */
static int64_t decode(const char *text, unsigned char *to) {
    int64_t count = 0, size = (int64_t)strlen(text);
    uint32_t bits = 0;
    while (size > 0 && text[size - 1] == '=') size--;
    for (int64_t k = 0; k < size; k++) {
        int digit = sextet(text[k]);
        if (digit < 0) return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (k % 4) to[count++] = (unsigned char)(bits >> (6 - 2 * (k % 4)) & 0xff);
    }
    return count;
}

static uint32_t word_at(const unsigned char *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

gls_status gls_tokenizer_read_charsmap(const gls_tokenizer_reading *r, const char *text, gls_tokenizer_normal *n) {
    unsigned char *bytes = text ? gls_arena_alloc(r->t->arena, (int64_t)strlen(text) + 1, 1) : NULL;
    if (text && !bytes) return GLS_ERR_MEMORY;
    int64_t count = text ? decode(text, bytes) : -1, units = count >= 4 ? word_at(bytes) / 4 : 0;
    if (units < 1 || 4 + 4 * units >= count || bytes[count - 1] != 0)
        return gls_tokenizer_wrong(r, "normalizer", "precompiled_charsmap: expected SentencePiece's table in base64");
    n->unit = bytes + 4;
    n->units = units;
    n->text = (const char *)bytes + 4 + 4 * units;
    n->text_bytes = count - 4 - 4 * units;
    return GLS_OK;
}

/* ---- looking up ---- */

/* A unit: the label of its byte, whether a value follows, and where its children lie. */
static uint32_t label_of(uint32_t unit) {
    return unit & (1u << 31 | 0xff);
}
static bool has_value(uint32_t unit) {
    return unit >> 8 & 1;
}
static int64_t offset_of(uint32_t unit) {
    return (int64_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

static bool unit_at(const gls_tokenizer_normal *n, int64_t place, uint32_t *unit) {
    if (place >= n->units) return false; /* a table that is damaged */
    *unit = word_at(n->unit + 4 * place);
    return true;
}

/* The text of the shortest entry that `key` begins with, or NULL. */
static const char *find(const gls_tokenizer_normal *n, const char *key, int64_t bytes) {
    uint32_t unit;
    int64_t place = 0;
    if (!unit_at(n, place, &unit)) return NULL;
    place ^= offset_of(unit);
    for (int64_t k = 0; k < bytes && key[k]; k++) {
        place ^= (unsigned char)key[k];
        if (!unit_at(n, place, &unit) || label_of(unit) != (unsigned char)key[k]) return NULL;
        place ^= offset_of(unit);
        if (!has_value(unit)) continue;
        uint32_t value;
        if (!unit_at(n, place, &value) || (int64_t)(value & INT32_MAX) >= n->text_bytes) return NULL;
        return n->text + (value & INT32_MAX);
    }
    return NULL;
}

static gls_status add_text(gls_tokenizer_bytes *to, const char *text) {
    return gls_tokenizer_bytes_add(to, text, (int64_t)strlen(text));
}

static gls_status add_cluster(const gls_tokenizer_normal *n, const char *at, int64_t bytes, gls_tokenizer_bytes *to) {
    const char *whole = bytes < CLUSTER_BYTES ? find(n, at, bytes) : NULL;
    if (whole) return add_text(to, whole);
    for (const char *end = at + bytes; at < end;) {
        const char *begin = at;
        gls_tokenizer_character(&at);
        const char *made = find(n, begin, at - begin);
        GLS_TRY(made ? add_text(to, made) : gls_tokenizer_bytes_add(to, begin, at - begin));
    }
    return GLS_OK;
}

gls_status gls_tokenizer_map_characters(const gls_tokenizer_normal *n, const char *text, int64_t bytes,
                                        gls_tokenizer_bytes *to) {
    const uint8_t *at = (const uint8_t *)text, *end = at + bytes;
    while (at < end) {
        const uint8_t *behind = u8_grapheme_next(at, end);
        GLS_TRY(add_cluster(n, (const char *)at, behind - at, to));
        at = behind;
    }
    return GLS_OK;
}
