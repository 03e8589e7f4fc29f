/* A tokenizer at work: added tokens are taken out first, what is between them is normalised and cut into words. */
#include "data/tokenizer_parts.h"

#include <string.h>
#include <unictype.h>

gls_status gls_token_list_reserve(gls_context *ctx, gls_token_list *list, int64_t more) {
    if (list->tokens + more <= list->room) return GLS_OK;
    int64_t room = 2 * list->room > list->tokens + more ? 2 * list->room : list->tokens + more + 4096;
    int32_t *grown = gls_resize(ctx, list->token, room, sizeof *grown);
    if (!grown) return GLS_ERR_MEMORY;
    list->token = grown;
    list->room = room;
    return GLS_OK;
}

gls_status gls_token_list_add(gls_context *ctx, gls_token_list *list, int32_t token) {
    GLS_TRY(gls_token_list_reserve(ctx, list, 1));
    list->token[list->tokens++] = token;
    return GLS_OK;
}

void gls_tokenizer_destroy(gls_tokenizer *t) {
    if (!t) return;
    gls_context *ctx = t->ctx;
    for (int k = 0; k < GLS_TOKENIZER_STEPS; k++) {
        gls_tokenizer_pattern_clear(&t->normal[k].pattern);
        gls_tokenizer_pattern_clear(&t->cut[k].pattern);
        gls_free(ctx, t->cut[k].made.at);
    }
    gls_free(ctx, t->made[0].at);
    gls_free(ctx, t->made[1].at);
    gls_vocabulary_destroy(t->words);
    gls_vocabulary_destroy(t->seen);
    if (t->merges.ctx) gls_tokenizer_pairs_clear(&t->merges);
    gls_tokenizer_unigram_clear(t);
    gls_free(ctx, t->place);
    gls_free(ctx, t->store.token);
    gls_free(ctx, t->symbol);
    gls_free(ctx, t->heap);
    gls_arena_destroy(t->arena);
    gls_free(ctx, t);
}

const char *gls_tokenizer_json(const gls_tokenizer *t) {
    return t->json;
}

int64_t gls_tokenizer_size(const gls_tokenizer *t) {
    return t->size;
}

const char *const *gls_tokenizer_names(const gls_tokenizer *t) {
    return t->names;
}

int32_t gls_tokenizer_find(const gls_tokenizer *t, const char *name) {
    for (int64_t k = 0; k < t->added_count; k++)
        if (strcmp(t->added[k].text, name) == 0) return t->added[k].token;
    return gls_tokenizer_piece(t, name, (int64_t)strlen(name));
}

const gls_tokenizer_frame *gls_tokenizer_frame_of(const gls_tokenizer *t, bool pair) {
    return pair ? &t->pair : &t->single;
}

gls_tokenizer_writing gls_tokenizer_write(const gls_tokenizer *t, int32_t token) {
    return t->writing[token];
}

/* ---- encoding ---- */

/* Of the added tokens that begin here the longest. */
static const gls_tokenizer_added *added_at(const gls_tokenizer *t, bool normalized, const char *at, int64_t left) {
    const gls_tokenizer_added *best = NULL;
    if (!t->begins[(unsigned char)*at]) return NULL;
    for (int64_t k = 0; k < t->added_count; k++) {
        const gls_tokenizer_added *a = &t->added[k];
        if (a->normalized != normalized || a->bytes > left || (best && best->bytes >= a->bytes)) continue;
        if (memcmp(a->normal, at, (size_t)a->bytes) == 0) best = a;
    }
    return best;
}

static int64_t space_before(const char *text, int64_t from, int64_t to) {
    int64_t begin = to;
    for (const char *at = text + from; at < text + to;) {
        const char *here = at;
        if (!uc_is_property_white_space(gls_tokenizer_character(&at)))
            begin = to;
        else if (begin == to)
            begin = here - text;
    }
    return begin;
}

static int64_t space_behind(const char *text, int64_t from, int64_t to) {
    for (const char *at = text + from; at < text + to;) {
        const char *here = at;
        if (!uc_is_property_white_space(gls_tokenizer_character(&at))) return here - text;
    }
    return to;
}

typedef gls_status (*piece_fn)(gls_tokenizer *t, const char *text, int64_t bytes, bool first, gls_token_list *to);

/* Calls fn with what lies between the added tokens of one kind. */
static gls_status between(gls_tokenizer *t, bool normalized, const char *text, int64_t bytes, bool first, piece_fn fn,
                          gls_token_list *to) {
    int64_t done = 0;
    for (int64_t at = 0; at < bytes && t->added_count;) {
        const gls_tokenizer_added *a = added_at(t, normalized, text + at, bytes - at);
        if (!a) {
            at++;
            continue;
        }
        int64_t begin = a->before ? space_before(text, done, at) : at;
        if (begin > done) GLS_TRY(fn(t, text + done, begin - done, first && !done, to));
        at += a->bytes;
        done = a->behind ? space_behind(text, at, bytes) : at;
        if (done > at) at = done;
        GLS_TRY(gls_token_list_add(t->ctx, to, a->token));
    }
    return done < bytes ? fn(t, text + done, bytes - done, first && !done, to) : GLS_OK;
}

static gls_status cut_words(gls_tokenizer *t, const char *text, int64_t bytes, bool first, gls_token_list *to) {
    return gls_tokenizer_cut_words(t, 0, text, bytes, first, to);
}

/* As in `tokenizers`, what stands behind stripped blanks is not the beginning. */
static gls_status normalize(gls_tokenizer *t, const char *text, int64_t bytes, bool first, gls_token_list *to) {
    for (int k = 0; k < t->normals; k++) {
        gls_tokenizer_bytes *made = &t->made[k % 2];
        first =
            first && !(t->normal[k].kind == GLS_TOKENIZER_STRIP && t->normal[k].left && space_behind(text, 0, bytes));
        GLS_TRY(gls_tokenizer_normalize(t->ctx, &t->normal[k], text, bytes, made));
        text = made->at;
        bytes = made->count;
    }
    return between(t, true, text, bytes, first, cut_words, to);
}

gls_status gls_tokenizer_encode(gls_tokenizer *t, const char *text, int64_t bytes, gls_token_list *to) {
    return between(t, false, text, bytes, true, normalize, to);
}

/* ---- writing ---- */

/* Tokens of bytes: what each character of the name stands for. Added tokens are written as they are. */
static gls_status spell_bytes(const char *name, gls_tokenizer_bytes *to) {
    for (const char *at = name; *at;) {
        uint32_t c = gls_tokenizer_character(&at);
        int byte = gls_tokenizer_byte_of_character(c);
        char one = (char)byte;
        GLS_TRY(byte >= 0 ? gls_tokenizer_bytes_add(to, &one, 1) : gls_tokenizer_bytes_add_character(to, c));
    }
    return GLS_OK;
}

static gls_status spell_blanks(const char *name, const char *blank, gls_tokenizer_bytes *to) {
    size_t size = strlen(blank);
    for (const char *at = name; *at;) {
        bool here = strncmp(at, blank, size) == 0;
        GLS_TRY(gls_tokenizer_bytes_add(to, here ? " " : at, 1));
        at += here ? size : 1;
    }
    return GLS_OK;
}

/* A blank in front is taken away as the clean-up of WordPiece does. */
static bool stands_close(const char *name) {
    static const char *const close[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t k = 0; k < sizeof close / sizeof *close; k++)
        if (strncmp(name, close[k], strlen(close[k])) == 0) return true;
    return false;
}

static gls_status spell(const gls_tokenizer *t, const char *name, bool added, gls_tokenizer_bytes *to,
                        gls_tokenizer_writing *out) {
    size_t prefix = t->prefix ? strlen(t->prefix) : 0;
    bool goes_on = t->spelling == GLS_TOKENIZER_SPELL_PIECES && prefix && strncmp(name, t->prefix, prefix) == 0;
    *out = (gls_tokenizer_writing){0};
    if (!added && t->spelling == GLS_TOKENIZER_SPELL_BYTES) return spell_bytes(name, to);
    if (!added && t->spelling == GLS_TOKENIZER_SPELL_BLANKS) {
        out->leads = strncmp(name, t->blank, strlen(t->blank)) == 0;
        return spell_blanks(name, t->blank, to);
    }
    bool words = t->spelling == GLS_TOKENIZER_SPELL_PIECES || t->spelling == GLS_TOKENIZER_SPELL_PARTED;
    out->parted = words && !goes_on && !(t->tidy && stands_close(name));
    return gls_tokenizer_bytes_add(to, name + (goes_on ? prefix : 0), (int64_t)strlen(name + (goes_on ? prefix : 0)));
}

gls_status gls_tokenizer_spell_all(gls_tokenizer *t) {
    gls_tokenizer_bytes text = {.ctx = t->ctx};
    gls_status status = GLS_OK;
    bool *added = gls_alloc(t->ctx, t->size, sizeof *added);
    t->writing = gls_arena_alloc(t->arena, t->size, sizeof *t->writing);
    if (!added || !t->writing) status = GLS_ERR_MEMORY;
    for (int64_t k = 0; added && k < t->added_count; k++) added[t->added[k].token] = true;
    for (int64_t k = 0; status == GLS_OK && k < t->size; k++) {
        text.count = 0;
        status = spell(t, t->names[k], added[k], &text, &t->writing[k]);
        char *copy = status == GLS_OK ? gls_arena_alloc(t->arena, text.count + 1, 1) : NULL;
        if (!copy) status = GLS_ERR_MEMORY;
        if (copy && text.count) memcpy(copy, text.at, (size_t)text.count);
        t->writing[k].text = copy;
        t->writing[k].bytes = text.count;
    }
    gls_free(t->ctx, text.at);
    gls_free(t->ctx, added);
    return status;
}
