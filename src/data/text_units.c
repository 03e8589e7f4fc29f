/* Words, characters and bytes of a text, and their numbers. */
#include <string.h>

#include "base/io.h"
#include "data/token_rows.h"

/* Longer lines or words mean that the file is not text; `unit: byte` reads any file. */
enum { LINE_LIMIT = 1 << 26, WORD_LIMIT = 4096 };

const char *const gls_token_fixed[GLS_TOKEN_FIXED] = {"<unk>", "<eos>"};

void gls_token_text_clear(gls_token_text *s) {
    gls_vocabulary_destroy(s->vocabulary);
    gls_free(s->ctx, s->list.token);
    gls_stored_close(s->file);
    s->file = NULL;
    s->vocabulary = NULL;
    s->list = (gls_token_list){0};
}

gls_status gls_token_text_begin(gls_token_text *s, const char *const *words, int64_t count) {
    s->fixed = words != NULL;
    GLS_TRY(gls_vocabulary_create(s->ctx, &s->vocabulary));
    for (int64_t k = 0; k < (words ? count : GLS_TOKEN_FIXED); k++) {
        const char *word = words ? words[k] : gls_token_fixed[k];
        int32_t number;
        GLS_TRY(gls_vocabulary_add(s->vocabulary, word, (int64_t)strlen(word), &number));
        if (number != k)
            return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: the training set's vocabulary has '%.60s' twice", s->what,
                            word);
    }
    return GLS_OK;
}

/* ---- one token ---- */

static gls_status unknown_word(gls_token_text *s, const char *word, int64_t length) {
    const char *why = s->refuses ? "the model's vocabulary" : "the training set, whose vocabulary has no <unk>";
    return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: '%.*s' is not a %s of %s", s->what, (long long)s->line,
                    length < 60 ? (int)length : 60, word, s->unit == GLS_TOKEN_WORD ? "word" : "character", why);
}

/* Outside of the training set an unknown word becomes <unk>, and is an error where the vocabulary has none. */
static gls_status add_word(gls_token_text *s, const char *word, int64_t length) {
    int32_t number;
    if (length > WORD_LIMIT)
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: a word of %lld bytes, expected at most %d", s->what,
                        (long long)s->line, (long long)length, WORD_LIMIT);
    if (!s->fixed) {
        GLS_TRY(gls_vocabulary_add(s->vocabulary, word, length, &number));
    } else {
        const char *unknown = gls_token_fixed[GLS_TOKEN_UNKNOWN];
        number = gls_vocabulary_find(s->vocabulary, word, length);
        s->words++;
        s->unknown += number < 0;
        if (number < 0 && !s->refuses) number = gls_vocabulary_find(s->vocabulary, unknown, (int64_t)strlen(unknown));
        if (number < 0) return unknown_word(s, word, length);
    }
    return gls_token_list_add(s->ctx, &s->list, number);
}

static gls_status end_line(gls_token_text *s) {
    const char *end = gls_token_fixed[GLS_TOKEN_END_OF_LINE];
    return add_word(s, end, (int64_t)strlen(end));
}

/* ---- one line ---- */

static bool blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool continues(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the character of UTF-8 that begins here; 0: there is none. Overlong forms and surrogates are none. */
static int64_t character(const char *at) {
    unsigned char a = (unsigned char)at[0], b = a ? (unsigned char)at[1] : 0;
    int64_t n = a < 0x80 ? 1 : a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 0;
    for (int64_t k = 1; k < n; k++)
        if (!continues(at[k])) return 0;
    bool overlong = (a == 0xe0 && b < 0xa0) || (a == 0xf0 && b < 0x90);
    bool beyond = (a == 0xed && b >= 0xa0) || (a == 0xf4 && b >= 0x90);
    return overlong || beyond ? 0 : n;
}

gls_status gls_token_text_check(const gls_token_text *s, const char *line, int64_t length) {
    int64_t step = 1, at = 0;
    for (; at < length && step > 0 && line[at]; at += step) step = character(line + at);
    if (at == length && step > 0) return GLS_OK;
    if (step > 0)
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: a NUL byte, expected %s (unit: byte reads any file)", s->what,
                        (long long)s->line, s->unit == GLS_TOKEN_WORD ? "words" : "characters");
    return gls_fail(s->ctx, GLS_ERR_INPUT,
                    "%s:%lld: byte 0x%02x at place %lld is not UTF-8 (unit: byte reads any file)", s->what,
                    (long long)s->line, (unsigned char)line[at], (long long)at + 1);
}

static gls_status add_line(gls_token_text *s, const char *line, int64_t length) {
    GLS_TRY(gls_token_text_check(s, line, length));
    for (const char *at = line; *at;) {
        const char *word = at;
        if (s->unit == GLS_TOKEN_CHARACTER) {
            at += character(at);
        } else {
            while (blank(*word)) word++;
            for (at = word; *at && !blank(*at);) at++;
        }
        if (at > word) GLS_TRY(add_word(s, word, at - word));
    }
    return GLS_OK;
}

static gls_status add_bytes(gls_token_text *s, const char *from, int64_t count) {
    GLS_TRY(gls_token_list_reserve(s->ctx, &s->list, count));
    for (int64_t k = 0; k < count; k++) s->list.token[s->list.tokens++] = (unsigned char)from[k];
    return GLS_OK;
}

/* ---- a whole text ---- */

gls_status gls_token_text_read(gls_token_text *s, gls_reader *reader) {
    char piece[4096], *line = piece;
    if (s->unit == GLS_TOKEN_SUBWORD) return gls_token_text_read_subwords(s, reader);
    for (int64_t got; s->unit == GLS_TOKEN_BYTE;) {
        GLS_TRY(gls_reader_read(reader, piece, sizeof piece, &got));
        if (!got) return GLS_OK;
        GLS_TRY(add_bytes(s, piece, got));
        GLS_TRY(gls_token_text_spill(s));
    }
    for (int64_t length;;) {
        GLS_TRY(gls_reader_line(reader, LINE_LIMIT, &line, &length));
        if (!line) return GLS_OK;
        s->line = gls_reader_line_number(reader);
        GLS_TRY(add_line(s, line, length));
        GLS_TRY(end_line(s));
        GLS_TRY(gls_token_text_spill(s));
    }
}

gls_status gls_token_text_parse(gls_token_text *s, const char *from) {
    if (s->unit == GLS_TOKEN_BYTE) return add_bytes(s, from, (int64_t)strlen(from));
    if (s->unit == GLS_TOKEN_SUBWORD) return gls_token_text_parse_subwords(s, from, (int64_t)strlen(from));
    for (s->line += !s->line;; s->line++) {
        const char *end = strchr(from, '\n');
        int64_t length = end ? end - from : (int64_t)strlen(from);
        char *line = gls_sprintf(s->ctx, "%.*s", (int)length, from);
        gls_status status = line ? add_line(s, line, length) : GLS_ERR_MEMORY;
        gls_free(s->ctx, line);
        GLS_TRY(status);
        if (!end) return GLS_OK;
        GLS_TRY(end_line(s));
        from = end + 1;
    }
}
