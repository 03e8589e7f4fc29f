/* Rows that stay on disk: how much a set may hold in memory, and bytes that are read where they are wanted. */
#ifndef GLS_DATA_STORED_H
#define GLS_DATA_STORED_H

#include "data/source.h"

/* Whether so many bytes more may be held; always without a bound. */
bool gls_bound_holds(const gls_context *ctx, int64_t bytes);
void gls_bound_take(gls_context *ctx, int64_t bytes);

/* A file that is read piece by piece, by several threads at once if they like. */
typedef struct gls_stored gls_stored;
/* A file that is there, as it is; reading it is noted for whoever watches (gls_reader_watch), by its size and samples
 * of its bytes. GLS_ERR_FILE. */
gls_status gls_stored_open(gls_context *ctx, const char *path, gls_stored **out);
/* A scratch file without a name, which ends with the process; `what` has not fitted into memory. */
gls_status gls_stored_create(gls_context *ctx, const char *what, gls_stored **out);
void gls_stored_close(gls_stored *stored); /* NULL is legal */
gls_status gls_stored_append(gls_stored *stored, const void *bytes, int64_t count);
gls_status gls_stored_finish(gls_stored *stored); /* nothing more comes; only then it may be read */
gls_status gls_stored_read(const gls_stored *stored, gls_context *ctx, int64_t offset, int64_t bytes, void *to);
/* GLS_ERR_INPUT if the file is another one than it was when it was opened. */
gls_status gls_stored_unchanged(const gls_stored *stored, gls_context *ctx);
/* These bytes will be asked for soon, and the system may begin to read them; or else not again, and it may forget them.
 */
void gls_stored_expect(const gls_stored *stored, int64_t offset, int64_t bytes, bool soon);
int64_t gls_stored_bytes(const gls_stored *stored);
const char *gls_stored_path(const gls_stored *stored);

#endif
