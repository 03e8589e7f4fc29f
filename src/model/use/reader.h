/* Reading a view in an evaluation: a matrix of [rows positions, width], whatever its layout and storage. Reals at an
 * even stride are handed out in place; anything else is copied, in pieces, into the caller's room. */
#ifndef GLS_MODEL_USE_READER_H
#define GLS_MODEL_USE_READER_H

#include "model/exec.h"

typedef struct gls_view_reader {
    const char *first;
    gls_storage storage;
    int64_t positions, width, inner; /* of a row */
    int64_t row_stride, stride;      /* elements from row to row, from position to position */
} gls_view_reader;

/* The view's first `lag` positions, which are zero, are left out: positions is view->positions - lag. For sources
 * of reals. */
gls_view_reader gls_view_reader_of(const gls_exec *x, const gls_view *view);
/* Leaves out that many positions at the beginning of each row. */
void gls_view_reader_skip(gls_view_reader *reader, int64_t positions);

/* Positions are numbered through all rows. How many from t on, at most `most`, have an even stride and can be read at
 * once. */
int64_t gls_view_reader_run(const gls_view_reader *reader, int64_t t, int64_t most);
/* Columns [column, column + width) of positions [t, t + count) of one run, *step reals apart. room [count, width] is
 * written if the storage is narrow, else it may be NULL. Not for blocked layouts. */
const gls_real *gls_view_reader_columns(const gls_view_reader *reader, int64_t t, int64_t count, int64_t column,
                                        int64_t width, gls_real *room, int64_t *step);
/* One position, all columns. */
static inline const gls_real *gls_view_reader_position(const gls_view_reader *reader, int64_t t, gls_real *room) {
    int64_t step;
    return gls_view_reader_columns(reader, t, 1, 0, reader->width, room, &step);
}
/* Whole rows [row, row + count), consecutive, in the view's own layout; room as above. For views of whole
 * buffers. */
const gls_real *gls_view_reader_rows(const gls_view_reader *reader, int64_t row, int64_t count, gls_real *room);
/* The first of these as it is stored. */
const void *gls_view_reader_stored(const gls_view_reader *reader, int64_t row);
/* A column of one position as it is stored; in the position's run others follow every reader->stride elements. Not for
 * blocked layouts. */
const void *gls_view_reader_stored_at(const gls_view_reader *reader, int64_t t, int64_t column);
/* Sums over a row's positions, out [width]; room [positions width] is written if the storage is narrow. */
void gls_view_reader_sums(const gls_view_reader *reader, int64_t row, gls_real *room, double *out);

#endif
