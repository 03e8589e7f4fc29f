/* Steps that normalise a text before it is cut: forms of Unicode and letter cases are libunistring's. */
#include "data/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

static bool is_space(uint32_t c) {
    return uc_is_property_white_space(c);
}

static bool is_chinese(uint32_t c) {
    static const uint32_t range[][2] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
                                        {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
    for (size_t k = 0; k < sizeof range / sizeof *range; k++)
        if (c >= range[k][0] && c <= range[k][1]) return true;
    return false;
}

/* Control characters, format characters and those of private use, but for white space. */
static bool is_dropped(uint32_t c) {
    if (c == 0 || c == 0xfffd) return true;
    if (c == '\t' || c == '\n' || c == '\r') return false;
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Co);
}

/* Only the capital I with a dot becomes two characters. */
static gls_status add_lower(gls_tokenizer_bytes *to, uint32_t c) {
    if (c != 0x130) return gls_tokenizer_bytes_add_character(to, uc_tolower(c));
    return gls_tokenizer_bytes_add(to, "i\xcc\x87", 3);
}

static gls_status take_form(gls_context *ctx, uninorm_t form, const char *text, int64_t bytes,
                            gls_tokenizer_bytes *to) {
    size_t size = 0;
    if (!bytes) return GLS_OK;
    uint8_t *made = u8_normalize(form, (const uint8_t *)text, (size_t)bytes, NULL, &size);
    if (!made) return gls_fail(ctx, GLS_ERR_MEMORY, "out of memory");
    gls_status status = gls_tokenizer_bytes_add(to, (const char *)made, (int64_t)size);
    free(made);
    return status;
}

/* ---- BERT ---- */

static gls_status clean(const gls_tokenizer_normal *step, const char *text, int64_t bytes, gls_tokenizer_bytes *to) {
    for (const char *at = text, *end = text + bytes; at < end;) {
        uint32_t c = gls_tokenizer_character(&at);
        if (step->clean && is_dropped(c)) continue;
        if (step->clean && is_space(c)) c = ' ';
        bool apart = step->chinese && is_chinese(c);
        if (apart) GLS_TRY(gls_tokenizer_bytes_add(to, " ", 1));
        GLS_TRY(gls_tokenizer_bytes_add_character(to, c));
        if (apart) GLS_TRY(gls_tokenizer_bytes_add(to, " ", 1));
    }
    return GLS_OK;
}

static gls_status drop_and_lower(const char *text, int64_t bytes, uint32_t marks, bool lower, gls_tokenizer_bytes *to) {
    for (const char *at = text, *end = text + bytes; at < end;) {
        uint32_t c = gls_tokenizer_character(&at);
        if (c >= 0x80 && marks && uc_is_general_category_withtable(c, marks)) continue;
        GLS_TRY(lower ? add_lower(to, c) : gls_tokenizer_bytes_add_character(to, c));
    }
    return GLS_OK;
}

static bool plain(const char *text, int64_t bytes) {
    for (int64_t k = 0; k < bytes; k++)
        if ((unsigned char)text[k] >= 0x80) return false;
    return true;
}

static gls_status bert(gls_context *ctx, const gls_tokenizer_normal *step, const char *text, int64_t bytes,
                       gls_tokenizer_bytes *to) {
    gls_tokenizer_bytes cleaned = {.ctx = ctx}, apart = {.ctx = ctx};
    gls_status status = clean(step, text, bytes, &cleaned);
    const gls_tokenizer_bytes *last = &cleaned;
    bool unaccent = step->unaccent && !plain(cleaned.at, cleaned.count);
    if (status == GLS_OK && unaccent) {
        status = take_form(ctx, UNINORM_NFD, cleaned.at, cleaned.count, &apart);
        last = &apart;
    }
    uint32_t marks = unaccent ? UC_CATEGORY_MASK_Mn : 0;
    if (status == GLS_OK) status = drop_and_lower(last->at, last->count, marks, step->lower, to);
    gls_free(ctx, cleaned.at);
    gls_free(ctx, apart.at);
    return status;
}

/* ---- others ---- */

static gls_status replace(gls_context *ctx, const gls_tokenizer_normal *step, const char *text, int64_t bytes,
                          gls_tokenizer_bytes *to) {
    int64_t done = 0;
    for (int64_t begin = 0, end = 0; done < bytes;) {
        begin = done;
        GLS_TRY(gls_tokenizer_pattern_next(ctx, &step->pattern, text, bytes, &begin, &end));
        if (begin < 0) break;
        GLS_TRY(gls_tokenizer_bytes_add(to, text + done, begin - done));
        GLS_TRY(gls_tokenizer_bytes_add(to, step->text, (int64_t)strlen(step->text)));
        done = end;
    }
    return gls_tokenizer_bytes_add(to, text + done, bytes - done);
}

static gls_status strip(const gls_tokenizer_normal *step, const char *text, int64_t bytes, gls_tokenizer_bytes *to) {
    const char *begin = text, *last = text;
    for (const char *at = text, *end = text + bytes; at < end;) {
        bool space = is_space(gls_tokenizer_character(&at));
        if (space && step->left && begin == last) begin = last = at;
        if (!space || !step->right) last = at;
    }
    return last > begin ? gls_tokenizer_bytes_add(to, begin, last - begin) : GLS_OK;
}

gls_status gls_tokenizer_normalize(gls_context *ctx, const gls_tokenizer_normal *step, const char *text, int64_t bytes,
                                   gls_tokenizer_bytes *to) {
    to->count = 0;
    switch (step->kind) {
    case GLS_TOKENIZER_BERT:
        return bert(ctx, step, text, bytes, to);
    case GLS_TOKENIZER_FORM:
        return take_form(ctx, step->form, text, bytes, to);
    case GLS_TOKENIZER_LOWER:
        return drop_and_lower(text, bytes, 0, true, to);
    case GLS_TOKENIZER_UNMARK:
        return drop_and_lower(text, bytes, UC_CATEGORY_MASK_M, false, to);
    case GLS_TOKENIZER_STRIP:
        return strip(step, text, bytes, to);
    case GLS_TOKENIZER_REPLACE:
        return replace(ctx, step, text, bytes, to);
    case GLS_TOKENIZER_PREPEND:
        if (bytes) GLS_TRY(gls_tokenizer_bytes_add(to, step->text, (int64_t)strlen(step->text)));
        return gls_tokenizer_bytes_add(to, text, bytes);
    case GLS_TOKENIZER_CHARSMAP:
        return gls_tokenizer_map_characters(step, text, bytes, to);
    }
    return GLS_OK;
}
