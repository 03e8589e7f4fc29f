/* Parts of the matrix product's answers that products with dropped weights share. */
#ifndef GLS_MODEL_USE_MATRIX_H
#define GLS_MODEL_USE_MATRIX_H

#include "model/use/factors.h"

/* Rows [begin, end) and columns [column, column + columns) of a block; at most GLS_USE_MATRIX_ROWS rows, unless nothing
 * has to be copied: no weights, and both factors reals, or both as the processor multiplies them. */
typedef struct gls_use_matrix_part {
    int64_t begin, end, column, columns;
} gls_use_matrix_part;
enum { GLS_USE_MATRIX_ROWS = 64 };

/* to [rows, columns], `step` from row to row, += that part of the gradient. */
void gls_use_matrix_add(const gls_exec *x, const gls_factors *v, const double *weights, gls_use_matrix_part part,
                        gls_real *to, int64_t step);
/* The squared norm of a group's gradient made whole, a piece at a time, in `made` [gls_use_matrix_piece, q]; factor
 * [p, q], or NULL: what each element is multiplied by first. */
double gls_use_matrix_norm(bool portable, const gls_factors *v, gls_factors_group of, const gls_real *factor,
                           gls_real *made);
/* Rows of a [p, q] block that are made at a time. */
int64_t gls_use_matrix_piece(int64_t p, int64_t q);
/* out[group] += inner product with w [p, q]. */
void gls_use_matrix_inner(const gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_real *w,
                          gls_room room, double *out);

#endif
