/* Delimited text, field by field, by libcsv: quotes as in RFC 4180, blanks around unquoted fields dropped, empty lines
 * skipped, lines ended by LF, CRLF or CR. */
#ifndef GLS_DATA_DELIMITED_H
#define GLS_DATA_DELIMITED_H

#include <glissade/data.h>

/* Who takes the fields. text is NUL-terminated, holds no other NUL, and is valid during the call only; column counts
 * from 0; line, from 1, is the one where the field or record ends its last unquoted part. */
typedef struct gls_delimited_sink {
    void *user;
    gls_status (*field)(void *user, const char *text, int64_t length, int64_t column, int64_t line);
    gls_status (*record)(void *user, int64_t fields, int64_t line);
} gls_delimited_sink;

/* Reads a file (plain, .gz, .xz) through the sink, with memory for one block and one field; quote 0: quotes mean
 * nothing. GLS_ERR_INPUT naming file and line for a NUL byte, a quote out of place, one that is not closed, and a field
 * of more than 16 MiB. */
gls_status gls_delimited_read(gls_context *ctx, const char *path, char delimiter, char quote,
                              const gls_delimited_sink *sink);

#endif
