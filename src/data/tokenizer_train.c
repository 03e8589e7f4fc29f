/* Trains byte pairs: words with their counts, and the commonest pair merged again and again. The same text gives the
 * same tokenizer, the one that the trainer of the package `tokenizers` makes. */
#include "data/tokenizer_parts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A pair, how often it occurs, and the words in which it may. */
typedef struct pair {
    int32_t a, b;
    int64_t count;
    int32_t *word;
    int64_t words, room;
} pair;

/* What the heap holds of a pair; stale once the pair's count has changed. */
typedef struct entry {
    int64_t count, pair;
} entry;

typedef struct training {
    gls_context *ctx;
    gls_vocabulary *text; /* the words as bytes */
    int64_t *count;       /* [words] */
    int64_t *begin;       /* [words + 1] of each in symbol; merged words become shorter */
    int64_t *length;      /* [words] */
    int32_t *symbol;
    int64_t words;
    gls_tokenizer_pairs index; /* of a pair in pair */
    pair *pair;
    int64_t pairs, pair_room;
    entry *heap;
    int64_t entries, heap_room;
    json_t *names, *merges;
    char **name; /* [size] */
    int64_t size;
} training;

/* ---- words ---- */

static gls_status count_word(training *t, const char *text, int64_t bytes, int64_t *room) {
    int32_t number;
    GLS_TRY(gls_vocabulary_add(t->text, text, bytes, &number));
    if (number >= *room) {
        *room = 2 * *room + 4096;
        int64_t *grown = gls_resize(t->ctx, t->count, *room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        t->count = grown;
    }
    t->count[number] = number < t->words ? t->count[number] + 1 : 1;
    t->words = gls_vocabulary_size(t->text);
    return GLS_OK;
}

/* Line by line, each with its line break. */
static gls_status count_words(training *t, const gls_tokenizer_pattern *pattern, const char *text, int64_t bytes) {
    int64_t room = 0;
    for (int64_t at = 0, size; at < bytes; at += size) {
        const char *end = memchr(text + at, '\n', (size_t)(bytes - at));
        size = end ? end + 1 - text - at : bytes - at;
        for (int64_t begin = 0, next = 0; begin < size; begin = next) {
            GLS_TRY(gls_tokenizer_pattern_next(t->ctx, pattern, text + at, size, &begin, &next));
            if (begin < 0) break;
            GLS_TRY(count_word(t, text + at + begin, next - begin, &room));
        }
    }
    return GLS_OK;
}

static gls_status read_words(training *t, const char *text, int64_t bytes) {
    gls_tokenizer_pattern pattern;
    GLS_TRY(gls_tokenizer_pattern_create(t->ctx, "training", GLS_TOKENIZER_WORDS, false, &pattern));
    gls_status status = count_words(t, &pattern, text, bytes);
    gls_tokenizer_pattern_clear(&pattern);
    return status;
}

/* Every byte is a symbol; byte b is token first + its place among the sorted characters. */
static gls_status make_symbols(training *t, const int32_t byte[256]) {
    int64_t total = 0;
    t->begin = gls_alloc(t->ctx, t->words + 1, sizeof *t->begin);
    t->length = gls_alloc(t->ctx, t->words, sizeof *t->length);
    if (!t->begin || !t->length) return GLS_ERR_MEMORY;
    for (int64_t w = 0; w < t->words; w++) {
        t->begin[w] = total;
        total += t->length[w] = (int64_t)strlen(gls_vocabulary_word(t->text, w));
    }
    t->symbol = gls_alloc(t->ctx, total, sizeof *t->symbol);
    if (!t->symbol) return GLS_ERR_MEMORY;
    for (int64_t w = 0; w < t->words; w++) {
        const char *text = gls_vocabulary_word(t->text, w);
        for (int64_t k = 0; k < t->length[w]; k++) t->symbol[t->begin[w] + k] = byte[(unsigned char)text[k]];
    }
    return GLS_OK;
}

/* ---- the heap ---- */

/* The commoner pair; of equally common ones that of the lower numbers. */
static bool comes_first(const training *t, const entry *x, const entry *y) {
    if (x->count != y->count) return x->count > y->count;
    const pair *p = &t->pair[x->pair], *q = &t->pair[y->pair];
    return p->a != q->a ? p->a < q->a : p->b < q->b;
}

static gls_status push(training *t, entry e) {
    if (t->entries == t->heap_room) {
        int64_t room = 2 * t->heap_room + 1024;
        entry *grown = gls_resize(t->ctx, t->heap, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        t->heap = grown;
        t->heap_room = room;
    }
    int64_t at = t->entries++;
    for (; at > 0 && comes_first(t, &e, &t->heap[(at - 1) / 2]); at = (at - 1) / 2) t->heap[at] = t->heap[(at - 1) / 2];
    t->heap[at] = e;
    return GLS_OK;
}

static entry pop(training *t) {
    entry top = t->heap[0], last = t->heap[--t->entries];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < t->entries; at = child) {
        if (child + 1 < t->entries && comes_first(t, &t->heap[child + 1], &t->heap[child])) child++;
        if (!comes_first(t, &t->heap[child], &last)) break;
        t->heap[at] = t->heap[child];
    }
    t->heap[at] = last;
    return top;
}

/* ---- pairs ---- */

static gls_status find_pair(training *t, int32_t a, int32_t b, int64_t *place) {
    *place = gls_tokenizer_pairs_get(&t->index, a, b);
    if (*place >= 0) return GLS_OK;
    if (t->pairs == t->pair_room) {
        int64_t room = 2 * t->pair_room + 1024;
        pair *grown = gls_resize(t->ctx, t->pair, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        t->pair = grown;
        t->pair_room = room;
    }
    *place = t->pairs++;
    t->pair[*place] = (pair){.a = a, .b = b};
    return gls_tokenizer_pairs_set(&t->index, a, b, *place);
}

/* Changes the count of the pair by that of the word, and remembers the word where it is more. */
static gls_status change(training *t, int32_t a, int32_t b, int64_t word, int sign) {
    int64_t place;
    GLS_TRY(find_pair(t, a, b, &place));
    pair *p = &t->pair[place];
    p->count += sign * t->count[word];
    if (sign < 0 || (p->words && p->word[p->words - 1] == word)) return GLS_OK;
    if (p->words == p->room) {
        int64_t room = 2 * p->room + 4;
        int32_t *grown = gls_resize(t->ctx, p->word, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        p->word = grown;
        p->room = room;
    }
    p->word[p->words++] = (int32_t)word;
    return GLS_OK;
}

static gls_status count_pairs(training *t) {
    for (int64_t w = 0; w < t->words; w++)
        for (int64_t k = 1; k < t->length[w]; k++)
            GLS_TRY(change(t, t->symbol[t->begin[w] + k - 1], t->symbol[t->begin[w] + k], w, 1));
    for (int64_t k = 0; k < t->pairs; k++) GLS_TRY(push(t, (entry){t->pair[k].count, k}));
    return GLS_OK;
}

/* The pair becomes one symbol wherever the word has it; its neighbours are other pairs then. */
static gls_status merge_in_word(training *t, int64_t w, int32_t a, int32_t b, int32_t made) {
    int32_t *s = t->symbol + t->begin[w];
    int64_t to = 0, n = t->length[w];
    for (int64_t k = 0; k < n; k++) {
        if (k + 1 == n || s[k] != a || s[k + 1] != b) {
            s[to++] = s[k];
            continue;
        }
        if (to) GLS_TRY(change(t, s[to - 1], a, w, -1));
        if (to) GLS_TRY(change(t, s[to - 1], made, w, 1));
        if (k + 2 < n) GLS_TRY(change(t, b, s[k + 2], w, -1));
        if (k + 2 < n) GLS_TRY(change(t, made, s[k + 2], w, 1));
        s[to++] = made;
        k++;
    }
    t->length[w] = to;
    return GLS_OK;
}

/* ---- tokens ---- */

static gls_status add_name(training *t, char *name) {
    if (!name) return GLS_ERR_MEMORY;
    t->name[t->size] = name;
    if (json_object_set_new(t->names, name, json_integer(t->size++)) == 0) return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_MEMORY, "out of memory");
}

/* Bytes come in the order of the characters by which they are written. */
static gls_status add_bytes(training *t, int32_t byte[256]) {
    for (uint32_t c = 0; c < 512; c++) {
        int b = gls_tokenizer_byte_of_character(c);
        if (b < 0) continue;
        gls_tokenizer_bytes text = {.ctx = t->ctx};
        byte[b] = (int32_t)t->size;
        gls_status status = gls_tokenizer_bytes_add_character(&text, c);
        if (status == GLS_OK) status = gls_tokenizer_bytes_add(&text, "", 1);
        if (status != GLS_OK) {
            gls_free(t->ctx, text.at);
            return status;
        }
        GLS_TRY(add_name(t, text.at));
    }
    return GLS_OK;
}

static gls_status add_merge(training *t, const pair *p, int32_t *made) {
    const char *a = t->name[p->a], *b = t->name[p->b];
    char *name = gls_sprintf(t->ctx, "%s%s", a, b);
    if (!name) return GLS_ERR_MEMORY;
    const json_t *before = json_object_get(t->names, name);
    *made = before ? (int32_t)json_integer_value(before) : (int32_t)t->size;
    json_array_append_new(t->merges, json_pack("[s, s]", a, b));
    if (!before) return add_name(t, name);
    gls_free(t->ctx, name);
    return GLS_OK;
}

/* A pair whose count has fallen goes back with what it has now. */
static gls_status merge_pairs(training *t, int64_t size) {
    while (t->size < size && t->entries) {
        entry top = pop(t);
        pair best = t->pair[top.pair];
        if (best.count != top.count) {
            if (best.count > 0) GLS_TRY(push(t, (entry){best.count, top.pair}));
            continue;
        }
        if (best.count < 1) continue;
        int32_t made;
        int64_t before = t->pairs;
        GLS_TRY(add_merge(t, &best, &made));
        t->pair[top.pair].word = NULL;
        t->pair[top.pair].words = t->pair[top.pair].room = 0;
        gls_status status = GLS_OK;
        for (int64_t k = 0; status == GLS_OK && k < best.words; k++)
            status = merge_in_word(t, best.word[k], best.a, best.b, made);
        gls_free(t->ctx, best.word);
        t->pair[top.pair].count = 0;
        for (int64_t k = before; status == GLS_OK && k < t->pairs; k++) status = push(t, (entry){t->pair[k].count, k});
        GLS_TRY(status);
        if (gls_interrupted(t->ctx)) return gls_fail(t->ctx, GLS_ERR_INTERRUPTED, "interrupted");
    }
    return GLS_OK;
}

/* ---- all of it ---- */

static gls_status write_json(training *t, const char *const *special, char **json) {
    json_t *added = json_array();
    for (int64_t k = 0; special[k]; k++)
        json_array_append_new(added, json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)k, "content",
                                               special[k], "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0,
                                               "special", 1));
    json_t *model = json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:O, s:O}", "type", "BPE", "dropout",
                              "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                              "byte_fallback", 0, "ignore_merges", 0, "vocab", t->names, "merges", t->merges);
    json_t *steps = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1,
                              "use_regex", 1);
    json_t *root = json_pack("{s:s, s:n, s:n, s:o, s:n, s:O, s:n, s:o, s:o}", "version", "1.0", "truncation", "padding",
                             "added_tokens", added, "normalizer", "pre_tokenizer", steps, "post_processor", "decoder",
                             steps, "model", model);
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    *json = text ? gls_strdup(t->ctx, text) : NULL;
    free(text);
    json_decref(root);
    return *json ? GLS_OK : gls_fail(t->ctx, GLS_ERR_MEMORY, "out of memory");
}

static gls_status train(training *t, const char *what, const char *text, int64_t bytes, int64_t size,
                        const char *const *special) {
    int32_t byte[256];
    int64_t specials = 0;
    while (special[specials]) specials++;
    if (size < 256 + specials || size > INT32_MAX)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "tokenizer: %lld tokens, expected at least %lld: the bytes%s",
                        (long long)size, (long long)(256 + specials), specials ? " and the special tokens" : "");
    t->name = gls_alloc(t->ctx, size, sizeof *t->name);
    t->names = json_object();
    t->merges = json_array();
    if (!t->name || !t->names || !t->merges) return gls_fail(t->ctx, GLS_ERR_MEMORY, "out of memory");
    for (int64_t k = 0; k < specials; k++)
        if (!*special[k]) return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "tokenizer: an empty special token");
    for (int64_t k = 0; k < specials; k++) GLS_TRY(add_name(t, gls_strdup(t->ctx, special[k])));
    GLS_TRY(add_bytes(t, byte));
    if (json_object_size(t->names) != (size_t)t->size)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "tokenizer: two special tokens are the same, or one is a byte");
    GLS_TRY(gls_vocabulary_create(t->ctx, &t->text));
    GLS_TRY(read_words(t, text, bytes));
    if (!t->words) return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: empty, expected a text", what);
    GLS_TRY(make_symbols(t, byte));
    GLS_TRY(gls_tokenizer_pairs_create(t->ctx, 4096, &t->index));
    GLS_TRY(count_pairs(t));
    return merge_pairs(t, size);
}

static void clear(training *t) {
    for (int64_t k = 0; k < t->pairs; k++) gls_free(t->ctx, t->pair[k].word);
    for (int64_t k = 0; k < t->size; k++) gls_free(t->ctx, t->name[k]);
    if (t->index.ctx) gls_tokenizer_pairs_clear(&t->index);
    gls_vocabulary_destroy(t->text);
    json_decref(t->names);
    json_decref(t->merges);
    gls_free(t->ctx, t->name);
    gls_free(t->ctx, t->count);
    gls_free(t->ctx, t->begin);
    gls_free(t->ctx, t->length);
    gls_free(t->ctx, t->symbol);
    gls_free(t->ctx, t->pair);
    gls_free(t->ctx, t->heap);
}

gls_status gls_tokenizer_train(gls_context *ctx, const char *what, const char *text, int64_t bytes, int64_t size,
                               const char *const *special, char **json) {
    training t = {.ctx = ctx};
    *json = NULL;
    gls_status status = train(&t, what, text, bytes, size, special);
    if (status == GLS_OK) status = write_json(&t, special, json);
    clear(&t);
    return status;
}
