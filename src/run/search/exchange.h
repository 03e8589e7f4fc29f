/* The series of an exchange as JSON and back. */
#ifndef GLS_RUN_EXCHANGE_H
#define GLS_RUN_EXCHANGE_H

#include <glissade/search.h>

/* A new row at the end, `each` of it zeroed; NULL without memory. */
gls_exchange_row *gls_exchange_series_grow(gls_context *ctx, gls_exchange_series *series, int64_t examples);
/* Means and deviations of a row from `each`. */
void gls_exchange_row_close(gls_exchange_row *row, int64_t examples);
void gls_exchange_series_clear(gls_context *ctx, gls_exchange_series *series);

/* Writes the file whole, by rename. */
gls_status gls_exchange_series_write(const gls_exchange *exchange, const gls_exchange_series *series, const char *path);
/* The rows of a former call; none if there is no file. GLS_ERR_ARGUMENT if it is about other examples, GLS_ERR_INPUT if
 * it is damaged. */
gls_status gls_exchange_series_read(const gls_exchange *exchange, const char *path, gls_exchange_series *series);

#endif
