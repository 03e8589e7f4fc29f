/* What attention and its relative terms share: one head of one row, and a block of its queries. */
#ifndef GLS_MODEL_OP_ATTENTION_H
#define GLS_MODEL_OP_ATTENTION_H

#include "model/layers.h"
#include "model/op.h"

enum { GLS_OP_ATTENTION_QUERIES = 32 }; /* in a block */

typedef struct gls_op_attention_block {
    bool portable, causal;
    int64_t first, count, keys;             /* queries; keys that one of them sees */
    int64_t queries, before;                /* of the row; causal: keys in front of the first query's own */
    int64_t hidden;                         /* keys at the beginning that nobody sees */
    int64_t dim;                            /* of a head */
    int64_t query_step, key_step, out_step; /* from one position to the next */
    int64_t query, key, value, output;      /* offsets in the inputs' and the output's reals */
    int64_t place, relative, relative_step; /* of the queries of positions, of the relative input */
    int kind;                               /* gls_op_attention_relative */
    gls_real scale;
    gls_real *sums;          /* [queries], NULL: not kept */
    const int32_t *document; /* [queries] of the row, NULL: it is one */
} gls_op_attention_block;

/* Distances of a query from keys, in rising order of the keys: the last is 0, or if a query sees keys behind it, the
 * number of keys is followed by one less than that many further ones. */
static inline int64_t gls_op_distance_count(bool causal, int64_t queries, int64_t keys) {
    return causal ? keys : queries + keys - 1;
}

/* Reals of room that the two below take. */
int64_t gls_op_relative_room(int64_t kind, int64_t keys);
/* s [count, keys] += what the relative input says of every query and key: numbers, or products with the rows of the
 * queries of positions. */
void gls_op_relative_scores(const gls_op_attention_block *b, const gls_real *queries, const gls_real *relative,
                            gls_real *room, gls_real *s);
/* From the gradient of scores, ds [count, keys], adds to that of the queries of positions and of the relative input. */
void gls_op_relative_backward(const gls_op_attention_block *b, const gls_real *ds, const gls_real *queries,
                              const gls_real *relative, gls_real *room, gls_real *to_queries, gls_real *to_relative);

#endif
