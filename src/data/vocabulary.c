/* Words and how often they occur, numbered in the order of their first appearance, then ranked by frequency. */
#include "data/vocabulary.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct word {
    int64_t at, length; /* in text */
    int64_t count;
} word;

/* Open addressing: slot[hash] is a word's number plus 1, 0 where there is none; at most half of the slots are taken. */
struct gls_vocabulary {
    gls_context *ctx;
    word *word;
    int64_t words, room;
    char *text;
    int64_t used, text_room;
    int32_t *slot;
    int64_t slots;
};

gls_status gls_vocabulary_create(gls_context *ctx, gls_vocabulary **out) {
    enum { FIRST_SLOTS = 1024 }; /* a power of 2, as are all later sizes: a mask then takes the remainder */
    gls_vocabulary *v = *out = gls_alloc(ctx, 1, sizeof *v);
    if (!v) return GLS_ERR_MEMORY;
    v->ctx = ctx;
    v->slots = FIRST_SLOTS;
    v->slot = gls_alloc(ctx, v->slots, sizeof *v->slot);
    if (v->slot) return GLS_OK;
    gls_vocabulary_destroy(v);
    *out = NULL;
    return GLS_ERR_MEMORY;
}

void gls_vocabulary_destroy(gls_vocabulary *v) {
    if (!v) return;
    gls_free(v->ctx, v->word);
    gls_free(v->ctx, v->text);
    gls_free(v->ctx, v->slot);
    gls_free(v->ctx, v);
}

int64_t gls_vocabulary_size(const gls_vocabulary *v) {
    return v->words;
}

const char *gls_vocabulary_word(const gls_vocabulary *v, int64_t number) {
    return v->text + v->word[number].at;
}

/* The word's slot, or the one that it would take. */
static int64_t slot_of(const gls_vocabulary *v, const char *text, int64_t length) {
    int64_t at = (int64_t)(XXH3_64bits(text, (size_t)length) & (uint64_t)(v->slots - 1));
    for (; v->slot[at]; at = (at + 1) & (v->slots - 1)) {
        const word *w = &v->word[v->slot[at] - 1];
        if (w->length == length && memcmp(v->text + w->at, text, (size_t)length) == 0) break;
    }
    return at;
}

int32_t gls_vocabulary_find(const gls_vocabulary *v, const char *text, int64_t length) {
    return v->slot[slot_of(v, text, length)] - 1;
}

/* Room for one more word. Words of a doubled table are put in again by their hashes; nothing else refers to slots. */
static gls_status grow(gls_vocabulary *v, int64_t length) {
    if (v->words == INT32_MAX - 1)
        return gls_fail(v->ctx, GLS_ERR_INPUT, "more than %d different words", INT32_MAX - 1);
    if (v->words == v->room) {
        int64_t room = v->room ? 2 * v->room : 1024;
        word *grown = gls_resize(v->ctx, v->word, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        v->word = grown;
        v->room = room;
    }
    if (v->used + length + 1 > v->text_room) {
        int64_t room = 2 * (v->used + length + 1) + 4096;
        char *grown = gls_resize(v->ctx, v->text, room, 1);
        if (!grown) return GLS_ERR_MEMORY;
        v->text = grown;
        v->text_room = room;
    }
    if (2 * (v->words + 1) <= v->slots) return GLS_OK;
    int32_t *slot = gls_alloc(v->ctx, 2 * v->slots, sizeof *slot);
    if (!slot) return GLS_ERR_MEMORY;
    gls_free(v->ctx, v->slot);
    v->slot = slot;
    v->slots *= 2;
    for (int64_t k = 0; k < v->words; k++)
        slot[slot_of(v, v->text + v->word[k].at, v->word[k].length)] = (int32_t)(k + 1);
    return GLS_OK;
}

gls_status gls_vocabulary_add(gls_vocabulary *v, const char *text, int64_t length, int32_t *number) {
    *number = gls_vocabulary_find(v, text, length);
    if (*number < 0) {
        GLS_TRY(grow(v, length));
        *number = (int32_t)v->words;
        v->slot[slot_of(v, text, length)] = *number + 1;
        v->word[v->words++] = (word){v->used, length, 0};
        memcpy(v->text + v->used, text, (size_t)length);
        v->text[v->used + length] = 0;
        v->used += length + 1;
    }
    v->word[*number].count++;
    return GLS_OK;
}

typedef struct ranked {
    const char *text;
    int64_t count;
    int32_t number;
} ranked;

static int by_count(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* Words of equal frequency are ordered by their text, so that the numbers do not depend on the sort. */
gls_status gls_vocabulary_rank(const gls_vocabulary *v, int64_t fixed, int64_t most, int64_t min_count, int32_t *to,
                               const char ***names, int64_t *kept) {
    *names = gls_alloc(v->ctx, v->words, sizeof **names);
    ranked *order = gls_alloc(v->ctx, v->words, sizeof *order);
    gls_status status = *names && order ? GLS_OK : GLS_ERR_MEMORY;
    *kept = 0;
    for (int64_t k = 0; status == GLS_OK && k < v->words; k++)
        order[k] = (ranked){v->text + v->word[k].at, v->word[k].count, (int32_t)k};
    if (status == GLS_OK && v->words > fixed) qsort(order + fixed, (size_t)(v->words - fixed), sizeof *order, by_count);
    for (int64_t k = 0; status == GLS_OK && k < v->words; k++) {
        bool keep = k < fixed || (order[k].count >= min_count && (most < 0 || *kept < most));
        to[order[k].number] = keep ? (int32_t)*kept : 0;
        if (keep) (*names)[(*kept)++] = order[k].text;
    }
    gls_free(v->ctx, order);
    return status;
}
