/* Unigram models (Kudo 2018): of all ways to write a word as pieces the one with the largest sum of scores. A character
 * without a piece of its own is unknown, at 10 less than the lowest score; unknown ones in a row are one token. */
#include <jansson.h>
#include <string.h>

#include "data/tokenizer_parts.h"

/* ---- reading ---- */

/* Of all pieces the prefixes, as nodes: edge (node, byte) -> next node << 32 | piece + 1, where a piece ends. */
static gls_status add_piece(gls_tokenizer *t, const char *piece, int32_t token) {
    gls_tokenizer_unigram *u = &t->unigram;
    int32_t node = 0;
    for (const char *at = piece; *at; at++) {
        int32_t byte = (unsigned char)*at;
        int64_t edge = gls_tokenizer_pairs_get(&u->edges, node, byte);
        if (edge < 0) edge = (int64_t)++u->nodes << 32;
        if (!at[1]) edge = (edge >> 32 << 32) | (token + 1);
        GLS_TRY(gls_tokenizer_pairs_set(&u->edges, node, byte, edge));
        node = (int32_t)(edge >> 32);
    }
    return GLS_OK;
}

static gls_status read_piece(const gls_tokenizer_reading *r, const json_t *one, int64_t number) {
    gls_tokenizer *t = r->t;
    gls_tokenizer_unigram *u = &t->unigram;
    const char *piece = json_string_value(json_array_get(one, 0));
    const json_t *score = json_array_get(one, 1);
    char place[48];
    snprintf(place, sizeof place, "model.vocab[%lld]", (long long)number);
    if (!piece || !json_is_number(score)) return gls_tokenizer_wrong(r, place, "expected a piece and its score");
    u->score[number] = json_number_value(score);
    if (number == 0 || u->score[number] < u->least) u->least = u->score[number];
    if (!(t->names[number] = gls_tokenizer_keep(r, piece))) return GLS_ERR_MEMORY;
    int32_t word;
    GLS_TRY(gls_vocabulary_add(t->words, piece, (int64_t)strlen(piece), &word));
    t->id[word] = (int32_t)number;
    return add_piece(t, piece, (int32_t)number);
}

/* Added tokens may come behind the pieces, whose numbers are their places. */
gls_status gls_tokenizer_read_unigram(const gls_tokenizer_reading *r, const json_t *model) {
    gls_tokenizer *t = r->t;
    const json_t *pieces = json_object_get(model, "vocab"), *unknown = json_object_get(model, "unk_id");
    int64_t count = (int64_t)json_array_size(pieces),
            number = json_is_integer(unknown) ? json_integer_value(unknown) : -1;
    t->model = GLS_TOKENIZER_UNIGRAM;
    t->unknown = (int32_t)number;
    if (unknown && !json_is_null(unknown) && (number < 0 || number >= count))
        return gls_tokenizer_wrong(r, "model.unk_id", "expected the number of a piece, or null");
    t->fallback = gls_tokenizer_bool_of(model, "byte_fallback", false);
    t->unigram.score = gls_arena_alloc(t->arena, count, sizeof *t->unigram.score);
    if (!t->unigram.score) return GLS_ERR_MEMORY;
    GLS_TRY(gls_tokenizer_pairs_create(r->ctx, 4 * count, &t->unigram.edges));
    for (int64_t k = 0; k < count; k++) GLS_TRY(read_piece(r, json_array_get(pieces, (size_t)k), k));
    return GLS_OK;
}

void gls_tokenizer_unigram_clear(gls_tokenizer *t) {
    if (t->unigram.edges.ctx) gls_tokenizer_pairs_clear(&t->unigram.edges);
    gls_free(t->ctx, t->unigram.path);
}

/* ---- writing a word as pieces ---- */

typedef gls_tokenizer_path path;

static void offer(path *to, double score, int64_t begin, int32_t token) {
    if (to->begin < 0 || score > to->score) *to = (path){score, begin, token};
}

static int64_t character_bytes(const char *at) {
    const char *behind = at;
    gls_tokenizer_character(&behind);
    return behind - at;
}

/* Every piece that begins here offers a path to where it ends. */
static void offer_pieces(const gls_tokenizer *t, const char *word, int64_t begin, int64_t bytes) {
    const gls_tokenizer_unigram *u = &t->unigram;
    int64_t single = begin + character_bytes(word + begin);
    bool whole = false;
    int32_t node = 0;
    for (int64_t at = begin; at < bytes; at++) {
        int64_t edge = gls_tokenizer_pairs_get(&u->edges, node, (unsigned char)word[at]);
        if (edge < 0) break;
        int32_t token = (int32_t)(edge & INT32_MAX) - 1;
        node = (int32_t)(edge >> 32);
        if (token < 0) continue;
        offer(&u->path[at + 1], u->path[begin].score + u->score[token], begin, token);
        whole |= at + 1 == single;
    }
    enum { PENALTY = 10 };
    if (!whole) offer(&u->path[single], u->path[begin].score + (u->least - PENALTY), begin, t->unknown);
}

/* The pieces of the best path as tokens, the last first. */
static gls_status make_paths(gls_tokenizer *t, const char *word, int64_t bytes) {
    gls_tokenizer_unigram *u = &t->unigram;
    if (bytes + 1 > u->room) {
        path *grown = gls_resize(t->ctx, u->path, 2 * bytes + 64, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        u->path = grown;
        u->room = 2 * bytes + 64;
    }
    for (int64_t k = 0; k <= bytes; k++) u->path[k] = (path){0, -1, -1};
    for (int64_t at = 0; at < bytes; at += character_bytes(word + at)) offer_pieces(t, word, at, bytes);
    return GLS_OK;
}

/* Unknown characters in a row: the piece that they happen to be together, or their bytes, or the unknown token. */
static gls_status add_unknown(gls_tokenizer *t, const char *text, int64_t bytes, gls_token_list *to) {
    if (t->unknown < 0)
        return gls_fail(t->ctx, GLS_ERR_INPUT, "tokenizer: no piece for '%.*s', and no unknown token (model.unk_id)",
                        bytes < 40 ? (int)bytes : 40, text);
    int32_t token = gls_tokenizer_piece(t, text, bytes);
    bool falls = token < 0 && t->fallback;
    for (int64_t k = 0; falls && k < bytes; k++) falls = t->byte[(unsigned char)text[k]] >= 0;
    for (int64_t k = 0; falls && k < bytes; k++)
        GLS_TRY(gls_token_list_add(t->ctx, to, t->byte[(unsigned char)text[k]]));
    if (falls) return GLS_OK;
    return gls_token_list_add(t->ctx, to, token < 0 ? t->unknown : token);
}

/* Links from the end become links from the beginning: begin of a path is then where it ends. */
static void turn_links(path *p, int64_t bytes) {
    int64_t end = bytes;
    path last = p[bytes];
    while (end > 0) {
        int64_t begin = last.begin;
        path before = p[begin];
        p[begin].begin = end;
        p[begin].token = last.token;
        end = begin;
        last = before;
    }
}

gls_status gls_tokenizer_unigram_word(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to) {
    GLS_TRY(make_paths(t, word, bytes));
    path *p = t->unigram.path;
    turn_links(p, bytes);
    for (int64_t at = 0, end; at < bytes; at = end) {
        end = p[at].begin;
        if (p[at].token != t->unknown) {
            GLS_TRY(gls_token_list_add(t->ctx, to, p[at].token));
            continue;
        }
        while (end < bytes && p[end].token == t->unknown) end = p[end].begin;
        GLS_TRY(add_unknown(t, word + at, end - at, to));
    }
    return GLS_OK;
}
