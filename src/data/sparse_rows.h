/* Compressed sparse rows that do not fit into memory. */
#ifndef GLS_DATA_SPARSE_ROWS_H
#define GLS_DATA_SPARSE_ROWS_H

#include "data/stored.h"

/* Rows behind those that the scratch file has: row [rows + 1] are their offsets, column and value begin with the first
 * one's. */
gls_status gls_sparse_rows_append(gls_stored *file, const int64_t *row, int64_t rows, const int32_t *column,
                                  const gls_real *value);
/* A source of them; takes the file, also when it fails, and arrays' row [examples + 1], label and y. base is taken off
 * the columns. */
gls_status gls_sparse_rows_own(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_stored *file,
                               int32_t base, gls_source **out);

#endif
