/* Answers from outer products: what a matrix product and a row lookup share. methods.md section 4. */
#ifndef GLS_MODEL_USE_FACTORS_H
#define GLS_MODEL_USE_FACTORS_H

#include "model/use.h"

/* The rows of one group in order. */
typedef struct gls_group_rows {
    int64_t rows;
    const int64_t *row;
} gls_group_rows;

/* Scratch begins with room for the rows of a group; what comes behind it is free. */
static inline int64_t gls_group_bytes(int64_t rows) {
    return (rows * (int64_t)sizeof(int64_t) + 63) & ~(int64_t)63;
}
static inline gls_real *gls_group_room(const gls_exec *x) {
    return (gls_real *)((char *)x->scratch + gls_group_bytes(x->rows));
}

/* row [x->rows] holds them. */
gls_group_rows gls_group_rows_of(const gls_exec *x, const gls_partition *partition, int64_t group, int64_t *row);
/* <G_a, G_b> of the group's sums: sum_{t,s} (l_t . l'_s)(r_t . r'_s), blocks of positions at a time. */
double gls_factors_dot(bool portable, const gls_factors *a, const gls_factors *b, gls_group_rows group);
/* out[group] += twice that, for two uses of one block. */
gls_status gls_factors_cross(gls_exec *x, const gls_use *a, const gls_use *b, const gls_partition *partition,
                             double *out);

#endif
