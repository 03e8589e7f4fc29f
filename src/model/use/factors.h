/* Answers from outer products: what a matrix product and a row lookup share. methods.md section 4. */
#ifndef GLS_MODEL_USE_FACTORS_H
#define GLS_MODEL_USE_FACTORS_H

#include "model/use.h"
#include "model/use/reader.h"

/* A gradient as a sum of outer products: over a row's positions, left_t right_t^T in the shape [p, q] of the block. */
typedef struct gls_factors {
    gls_view_reader left;             /* [rows positions, p]; not read with token */
    const int32_t *token;             /* left is the unit vectors of these, in [0, p) */
    int64_t token_row;                /* from one row's to the next one's */
    gls_view_reader right;            /* [rows positions, q] */
    gls_real *left_room, *right_room; /* for GLS_FACTOR_PIECE positions, or NULL where the reader needs none */
    int64_t p, q, positions;
} gls_factors;

/* Positions that are read, and multiplied with each other, at a time: 64 x 64 products fit the stack. */
enum { GLS_FACTOR_PIECE = 64 };

static inline int64_t gls_factors_token(const gls_factors *f, int64_t t) {
    return f->token[t / f->positions * f->token_row + t % f->positions];
}
static inline const gls_real *gls_factors_left(const gls_factors *f, int64_t t) {
    return gls_view_reader_position(&f->left, t, f->left_room);
}
static inline const gls_real *gls_factors_right(const gls_factors *f, int64_t t) {
    return gls_view_reader_position(&f->right, t, f->right_room);
}
/* How many positions from t on can be read at once from both sides. */
int64_t gls_factors_run(const gls_factors *f, int64_t t, int64_t most);

/* Scratch, taken piece by piece; pieces begin at multiples of 64 bytes. */
typedef struct gls_room {
    char *next;
} gls_room;
static inline gls_room gls_room_of(const gls_exec *x) {
    return (gls_room){x->scratch};
}
void *gls_room_take(gls_room *room, int64_t count, size_t size);
/* What that takes. */
int64_t gls_room_bytes(int64_t count, size_t size);

/* The use's factors with room for reading them, and what that takes. */
gls_factors gls_factors_of(const gls_exec *x, const gls_use *use, gls_room *room);
int64_t gls_factors_bytes(const gls_memory_plan *plan, const gls_use *use);

/* The rows of one group in order. */
typedef struct gls_factors_group {
    int64_t rows;
    const int64_t *row;
} gls_factors_group;

/* row [x->rows] holds them. */
gls_factors_group gls_factors_group_of(const gls_exec *x, const gls_partition *partition, int64_t group, int64_t *row);
/* <G_a, G_b> of the group's sums: sum_{t,s} (l_t . l'_s)(r_t . r'_s), blocks of positions at a time. */
double gls_factors_dot(bool portable, const gls_factors *a, const gls_factors *b, gls_factors_group group);
/* <G, G> of a matrix product's; again: the same factors with room of their own. */
double gls_factors_square(bool portable, const gls_factors *a, const gls_factors *again, gls_factors_group group);
/* out[group] += twice the inner product, for two uses of one block. Both uses' scratch is enough for each. */
gls_status gls_factors_cross(gls_exec *x, const gls_use *a, const gls_use *b, const gls_partition *partition,
                             double *out);

#endif
