/* Tokens as texts: how they are written behind one another, how many characters they are, which one ends a line. */
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "data/text.h"

static bool continues(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

static bool ends_line(const char *name) {
    return strcmp(name, gls_token_fixed[GLS_TOKEN_END_OF_LINE]) == 0;
}

int32_t gls_token_end_of_line(gls_token_unit unit, const char *const *names, int64_t count) {
    if (unit == GLS_TOKEN_BYTE) return '\n';
    for (int64_t k = 0; k < count; k++)
        if (ends_line(names[k])) return (int32_t)k;
    return -1;
}

gls_status gls_token_end_of_subwords(gls_context *ctx, const gls_tokenizer *tokenizer, const char *name, bool needed,
                                     int32_t *end) {
    static const char *const known[] = {"<|endoftext|>", "<eos>", "</s>", "[SEP]"};
    bool named = name && *name;
    *end = named ? gls_tokenizer_find(tokenizer, name) : -1;
    for (size_t k = 0; !named && needed && *end < 0 && k < sizeof known / sizeof *known; k++)
        *end = gls_tokenizer_find(tokenizer, known[k]);
    if (*end >= 0 || (!named && !needed)) return GLS_OK;
    if (named) return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.end: '%.60s' is no token of the tokenizer", name);
    return gls_fail(ctx, GLS_ERR_ARGUMENT,
                    "data.end: expected the token that ends a line, since the tokenizer has none of <|endoftext|>, "
                    "<eos>, </s> and [SEP]");
}

/* ---- languages ---- */

static const char *given(const gls_value *options, const char *key, const char *otherwise) {
    const gls_value *value = gls_value_get(options, key);
    return value && value->text ? value->text : otherwise;
}

static gls_token_unit unit_of(const gls_value *options) {
    static const char *const names[] = {"word", "char", "byte", "subword"};
    const char *unit = given(options, "unit", "word");
    for (int k = GLS_TOKEN_SUBWORD; k > 0; k--)
        if (strcmp(names[k], unit) == 0) return (gls_token_unit)k;
    return GLS_TOKEN_WORD;
}

gls_status gls_token_language_create(gls_context *ctx, const char *what, const gls_value *options,
                                     const gls_data_info *info, gls_token_language *out) {
    *out =
        (gls_token_language){.unit = unit_of(options), .names = info->class_names, .count = info->classes, .end = -1};
    if (out->unit != GLS_TOKEN_SUBWORD) {
        out->end = gls_token_end_of_line(out->unit, out->names, out->names ? out->count : 0);
        return GLS_OK;
    }
    if (!info->tokenizer) return gls_fail(ctx, GLS_ERR_INPUT, "%s: a model of sub-words without its tokenizer", what);
    GLS_TRY(gls_tokenizer_parse(ctx, what, info->tokenizer, &out->tokenizer));
    int64_t size = gls_tokenizer_size(out->tokenizer);
    if (size > info->vocabulary) {
        gls_token_language_clear(out);
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: its tokenizer has %lld tokens, but the model has %lld", what,
                        (long long)size, (long long)info->vocabulary);
    }
    const char *rows = given(options, "rows", "text");
    bool lines = strcmp(rows, "lines") == 0 || strcmp(rows, "packed") == 0;
    gls_status status = gls_token_end_of_subwords(ctx, out->tokenizer, given(options, "end", ""), lines, &out->end);
    if (status != GLS_OK) gls_token_language_clear(out);
    return status;
}

void gls_token_language_clear(gls_token_language *language) {
    gls_tokenizer_destroy(language->tokenizer);
    *language = (gls_token_language){0};
}

/* ---- tokens ---- */

/* Of sub-words blanks belong to the tokens, but where tokens are parted by them: then as of words. */
static int64_t subword_characters(const gls_token_language *l, int32_t token, int32_t before) {
    gls_tokenizer_writing w = gls_tokenizer_write(l->tokenizer, token);
    int64_t count = w.parted;
    if (token == l->end) return before < 0 || before == l->end || !gls_tokenizer_write(l->tokenizer, before).parted;
    for (int64_t k = 0; k < w.bytes; k++) count += !continues(w.text[k]);
    return count;
}

int64_t gls_token_characters(const gls_token_language *l, int32_t token, int32_t before) {
    if (l->unit == GLS_TOKEN_SUBWORD) return subword_characters(l, token, before);
    if (l->unit == GLS_TOKEN_BYTE) return !continues((char)token);
    if (l->unit == GLS_TOKEN_CHARACTER) return 1;
    if (ends_line(l->names[token])) return before >= 0 && ends_line(l->names[before]);
    int64_t count = 1;
    for (const char *c = l->names[token]; *c; c++) count += !continues(*c);
    return count;
}

static gls_token_spelling spell_subword(const gls_token_language *l, int32_t token, bool *line_begins) {
    gls_tokenizer_writing w = gls_tokenizer_write(l->tokenizer, token);
    bool begins = *line_begins;
    *line_begins = token == l->end;
    if (token == l->end) return (gls_token_spelling){false, "\n", 1};
    bool skips = begins && w.leads;
    return (gls_token_spelling){w.parted && !begins, w.text + skips, w.bytes - skips};
}

gls_token_spelling gls_token_spell(const gls_token_language *l, int32_t token, bool *line_begins, char *byte) {
    *byte = (char)token;
    if (l->unit == GLS_TOKEN_SUBWORD) return spell_subword(l, token, line_begins);
    if (l->unit == GLS_TOKEN_BYTE) return (gls_token_spelling){false, byte, 1};
    const char *name = l->names[token];
    bool ends = ends_line(name), parted = l->unit == GLS_TOKEN_WORD && !ends && !*line_begins;
    *line_begins = ends;
    return (gls_token_spelling){parted, ends ? "\n" : name, ends ? 1 : (int64_t)strlen(name)};
}

void gls_token_byte_name(int byte, char text[8]) {
    snprintf(text, 8, byte > ' ' && byte < 127 ? "%c" : "0x%02x", byte);
}
