/* Two models: byte pairs, merged by rank from a heap, and WordPiece, the longest piece first; and the words seen. */
#include <string.h>

#include "data/tokenizer_parts.h"

/* ---- pairs ---- */

static uint64_t key_of(int32_t a, int32_t b) {
    return (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
}

static int64_t slot_of(const gls_tokenizer_pairs *p, uint64_t key) {
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    int64_t at = (int64_t)((hash ^ hash >> 32) & (uint64_t)(p->slots - 1));
    while (p->slot[at].value >= 0 && p->slot[at].key != key) at = (at + 1) & (p->slots - 1);
    return at;
}

static gls_status make_slots(gls_tokenizer_pairs *p, int64_t slots) {
    p->slot = gls_alloc(p->ctx, slots, sizeof *p->slot);
    if (!p->slot) return GLS_ERR_MEMORY;
    p->slots = slots;
    for (int64_t k = 0; k < slots; k++) p->slot[k].value = -1;
    return GLS_OK;
}

gls_status gls_tokenizer_pairs_create(gls_context *ctx, int64_t expected, gls_tokenizer_pairs *out) {
    int64_t slots = 64;
    while (slots < 2 * expected) slots *= 2;
    *out = (gls_tokenizer_pairs){.ctx = ctx};
    return make_slots(out, slots);
}

void gls_tokenizer_pairs_clear(gls_tokenizer_pairs *p) {
    gls_free(p->ctx, p->slot);
    *p = (gls_tokenizer_pairs){0};
}

int64_t gls_tokenizer_pairs_get(const gls_tokenizer_pairs *p, int32_t a, int32_t b) {
    return p->slots ? p->slot[slot_of(p, key_of(a, b))].value : -1;
}

gls_status gls_tokenizer_pairs_set(gls_tokenizer_pairs *p, int32_t a, int32_t b, int64_t value) {
    if (2 * (p->taken + 1) > p->slots) {
        gls_tokenizer_pairs old = *p;
        GLS_TRY(make_slots(p, 2 * old.slots));
        for (int64_t k = 0; k < old.slots; k++)
            if (old.slot[k].value >= 0) p->slot[slot_of(p, old.slot[k].key)] = old.slot[k];
        gls_free(p->ctx, old.slot);
    }
    int64_t at = slot_of(p, key_of(a, b));
    p->taken += p->slot[at].value < 0;
    p->slot[at].key = key_of(a, b);
    p->slot[at].value = value;
    return GLS_OK;
}

/* ---- pieces ---- */

int32_t gls_tokenizer_piece(const gls_tokenizer *t, const char *text, int64_t bytes) {
    int32_t number = gls_vocabulary_find(t->words, text, bytes);
    return number < 0 ? -1 : t->id[number];
}

/* ---- byte pairs ---- */

typedef gls_tokenizer_symbol symbol;
typedef gls_tokenizer_candidate candidate;

static bool earlier(const candidate *a, const candidate *b) {
    int64_t x = a->rank_token >> 32, y = b->rank_token >> 32;
    return x != y ? x < y : a->at < b->at;
}

static void push(candidate *heap, int64_t *count, candidate c) {
    int64_t at = (*count)++;
    for (; at > 0 && earlier(&c, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = c;
}

static candidate pop(candidate *heap, int64_t *count) {
    candidate top = heap[0], last = heap[--*count];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < *count; at = child) {
        if (child + 1 < *count && earlier(&heap[child + 1], &heap[child])) child++;
        if (!earlier(&heap[child], &last)) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

static void consider(gls_tokenizer *t, int64_t at, int64_t *count) {
    if (at < 0 || t->symbol[at].next < 0) return;
    int64_t merge = gls_tokenizer_pairs_get(&t->merges, t->symbol[at].token, t->symbol[t->symbol[at].next].token);
    if (merge >= 0) push(t->heap, count, (candidate){merge, at});
}

/* A candidate whose pair has changed since is stale. A symbol enters at most two pairs a merge. */
static void merge_all(gls_tokenizer *t, int64_t symbols) {
    symbol *s = t->symbol;
    int64_t count = 0;
    for (int64_t k = 0; k < symbols; k++) consider(t, k, &count);
    while (count) {
        candidate c = pop(t->heap, &count);
        int64_t next = s[c.at].token < 0 ? -1 : s[c.at].next;
        if (next < 0 || gls_tokenizer_pairs_get(&t->merges, s[c.at].token, s[next].token) != c.rank_token) continue;
        s[c.at].token = (int32_t)(c.rank_token & INT32_MAX);
        s[c.at].next = s[next].next;
        s[next].token = -1;
        if (s[c.at].next >= 0) s[s[c.at].next].before = c.at;
        consider(t, s[c.at].before, &count);
        consider(t, c.at, &count);
    }
}

static gls_status make_room(gls_tokenizer *t, int64_t symbols) {
    if (symbols <= t->symbols) return GLS_OK;
    int64_t room = 2 * symbols + 64;
    symbol *grown = gls_resize(t->ctx, t->symbol, room, sizeof *grown);
    if (!grown) return GLS_ERR_MEMORY;
    t->symbol = grown;
    candidate *heap = gls_resize(t->ctx, t->heap, 3 * room, sizeof *heap);
    if (!heap) return GLS_ERR_MEMORY;
    t->heap = heap;
    t->symbols = room;
    return GLS_OK;
}

static void add_symbol(gls_tokenizer *t, int64_t *count, int32_t token) {
    t->symbol[*count] = (symbol){token, *count - 1, *count + 1};
    ++*count;
}

static bool falls_back(const gls_tokenizer *t, const char *text, int64_t bytes) {
    for (int64_t k = 0; k < bytes; k++)
        if (t->byte[(unsigned char)text[k]] < 0) return false;
    return t->fallback;
}

/* A character without a token: its bytes, or the unknown token, or nothing. */
static void add_unknown(gls_tokenizer *t, const char *text, int64_t bytes, int64_t *count, bool *fuse) {
    if (falls_back(t, text, bytes)) {
        for (int64_t k = 0; k < bytes; k++) add_symbol(t, count, t->byte[(unsigned char)text[k]]);
        *fuse = false;
        return;
    }
    if (t->unknown >= 0 && !*fuse) add_symbol(t, count, t->unknown);
    *fuse = t->fuses;
}

static int64_t first_symbols(gls_tokenizer *t, const char *word, int64_t bytes) {
    int64_t count = 0;
    bool fuse = false;
    for (const char *at = word, *end = word + bytes; at < end;) {
        const char *begin = at;
        int32_t token;
        if (t->byte_level) {
            token = t->byte[(unsigned char)*at++];
        } else {
            gls_tokenizer_character(&at);
            token = gls_tokenizer_piece(t, begin, at - begin);
        }
        if (token < 0) {
            add_unknown(t, begin, t->byte_level ? 0 : at - begin, &count, &fuse);
        } else {
            add_symbol(t, &count, token);
            fuse = false;
        }
    }
    if (count) t->symbol[count - 1].next = -1;
    return count;
}

/* The word as the vocabulary writes it. */
static gls_status as_written(const gls_tokenizer *t, const char *word, int64_t bytes, int32_t *token) {
    gls_tokenizer_bytes text = {.ctx = t->ctx};
    gls_status status = GLS_OK;
    for (int64_t k = 0; status == GLS_OK && k < bytes; k++)
        status = t->byte_level
                     ? gls_tokenizer_bytes_add_character(&text, gls_tokenizer_character_of_byte((unsigned char)word[k]))
                     : gls_tokenizer_bytes_add(&text, word + k, 1);
    *token = status == GLS_OK ? gls_tokenizer_piece(t, text.at, text.count) : -1;
    gls_free(t->ctx, text.at);
    return status;
}

gls_status gls_tokenizer_bpe(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to) {
    int32_t token = -1;
    if (t->whole_words) GLS_TRY(as_written(t, word, bytes, &token));
    if (token >= 0) return gls_token_list_add(t->ctx, to, token);
    GLS_TRY(make_room(t, bytes));
    int64_t count = first_symbols(t, word, bytes);
    merge_all(t, count);
    for (int64_t k = count ? 0 : -1; k >= 0; k = t->symbol[k].next)
        GLS_TRY(gls_token_list_add(t->ctx, to, t->symbol[k].token));
    return GLS_OK;
}

/* ---- WordPiece ---- */

/* The longest piece that begins here; *end moves behind it. */
static gls_status longest(gls_tokenizer *t, const char *word, int64_t begin, int64_t bytes, int64_t *end,
                          int32_t *token) {
    gls_tokenizer_bytes text = {.ctx = t->ctx};
    gls_status status = begin ? gls_tokenizer_bytes_add(&text, t->prefix, (int64_t)strlen(t->prefix)) : GLS_OK;
    int64_t prefix = text.count;
    if (status == GLS_OK) status = gls_tokenizer_bytes_add(&text, word + begin, bytes - begin);
    *token = -1;
    for (*end = bytes; status == GLS_OK && *end > begin; --*end) {
        bool inside = *end < bytes && ((unsigned char)word[*end] & 0xc0) == 0x80;
        if (!inside) *token = gls_tokenizer_piece(t, text.at, prefix + *end - begin);
        if (*token >= 0) break;
    }
    gls_free(t->ctx, text.at);
    return status;
}

gls_status gls_tokenizer_wordpiece(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to) {
    int64_t characters = 0, before = to->tokens;
    for (int64_t k = 0; k < bytes; k++) characters += ((unsigned char)word[k] & 0xc0) != 0x80;
    bool known = characters <= t->most_characters;
    for (int64_t begin = 0, end = 0; known && begin < bytes; begin = end) {
        int32_t token;
        GLS_TRY(longest(t, word, begin, bytes, &end, &token));
        known = token >= 0;
        if (known) GLS_TRY(gls_token_list_add(t->ctx, to, token));
    }
    if (known) return GLS_OK;
    to->tokens = before;
    return gls_token_list_add(t->ctx, to, t->unknown);
}

/* ---- words seen ---- */

enum { SEEN = 1 << 18, SEEN_BYTES = 128 }; /* words that are remembered, and the longest */

static gls_status remember(gls_tokenizer *t, const char *word, int64_t bytes, const int32_t *token, int64_t tokens) {
    int32_t number;
    int64_t count = gls_vocabulary_size(t->seen);
    if (count >= SEEN || bytes > SEEN_BYTES) return GLS_OK;
    if (count == t->places) {
        int64_t room = 2 * t->places + 1024;
        void *grown = gls_resize(t->ctx, t->place, room, sizeof *t->place);
        if (!grown) return GLS_ERR_MEMORY;
        t->place = grown;
        t->places = room;
    }
    GLS_TRY(gls_token_list_reserve(t->ctx, &t->store, tokens));
    GLS_TRY(gls_vocabulary_add(t->seen, word, bytes, &number));
    t->place[number].begin = t->store.tokens;
    t->place[number].tokens = tokens;
    if (tokens) memcpy(t->store.token + t->store.tokens, token, (size_t)tokens * sizeof *token);
    t->store.tokens += tokens;
    return GLS_OK;
}

gls_status gls_tokenizer_word(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to) {
    int32_t number = bytes > SEEN_BYTES ? -1 : gls_vocabulary_find(t->seen, word, bytes);
    if (number >= 0) {
        int64_t tokens = t->place[number].tokens;
        GLS_TRY(gls_token_list_reserve(t->ctx, to, tokens));
        for (int64_t k = 0; k < tokens; k++) to->token[to->tokens + k] = t->store.token[t->place[number].begin + k];
        to->tokens += tokens;
        return GLS_OK;
    }
    int64_t before = to->tokens;
    GLS_TRY(t->model == GLS_TOKENIZER_BPE       ? gls_tokenizer_bpe(t, word, bytes, to)
            : t->model == GLS_TOKENIZER_UNIGRAM ? gls_tokenizer_unigram_word(t, word, bytes, to)
                                                : gls_tokenizer_wordpiece(t, word, bytes, to));
    return remember(t, word, bytes, to->token + before, to->tokens - before);
}
