/* Words and their numbers, in the order of their first appearance, with counts. */
#ifndef GLS_DATA_VOCABULARY_H
#define GLS_DATA_VOCABULARY_H

#include <glissade/data.h>

typedef struct gls_vocabulary gls_vocabulary;
gls_status gls_vocabulary_create(gls_context *ctx, gls_vocabulary **out);
void gls_vocabulary_destroy(gls_vocabulary *vocabulary);
int64_t gls_vocabulary_size(const gls_vocabulary *vocabulary);
/* Counts the word; *number is the word's own, or the next free one if it is new. */
gls_status gls_vocabulary_add(gls_vocabulary *vocabulary, const char *word, int64_t length, int32_t *number);
/* Its number, or -1. */
int32_t gls_vocabulary_find(const gls_vocabulary *vocabulary, const char *word, int64_t length);
/* The word of that number; valid until the next one is added. */
const char *gls_vocabulary_word(const gls_vocabulary *vocabulary, int64_t number);
/* Numbers by falling count, ties by text, behind the first `fixed` words, which keep theirs. Words seen less than
 * min_count times or beyond the `most` words kept (-1: all) get number 0. to [size] is the new number of each old one;
 * names (from gls_alloc, borrowing the vocabulary's texts) are those of the *kept numbers. */
gls_status gls_vocabulary_rank(const gls_vocabulary *vocabulary, int64_t fixed, int64_t most, int64_t min_count,
                               int32_t *to, const char ***names, int64_t *kept);

#endif
