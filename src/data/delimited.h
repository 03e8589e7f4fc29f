/* Delimited text, field by field: quotes as in RFC 4180, blanks around unquoted fields dropped, empty lines skipped,
 * lines ended by LF, CRLF or CR. A file is cut into chunks of whole records, which may be parsed side by side. */
#ifndef GLS_DATA_DELIMITED_H
#define GLS_DATA_DELIMITED_H

#include <glissade/data.h>

/* Who takes the fields. text is NUL-terminated, holds no other NUL, and is valid during the call only; column counts
 * from 0; line, from 1, is the one where the field or record ends its last unquoted part. */
typedef struct gls_delimited_sink {
    void *user;
    gls_status (*field)(void *user, const char *text, int64_t length, int64_t column, int64_t line);
    gls_status (*record)(void *user, int64_t fields, int64_t line);
    /* May be NULL; else asked first, where a field begins: takes the number there and returns what is behind it, if
     * that is one of `ends`. NULL: it took nothing, and `field` gets the field. */
    const char *(*number)(void *user, const char *text, int64_t column, const bool *ends);
} gls_delimited_sink;

/* A file (plain, .gz, .xz) that is read in order; quote 0: quotes mean nothing. */
typedef struct gls_delimited gls_delimited;
gls_status gls_delimited_open(gls_context *ctx, const char *path, char delimiter, char quote, gls_delimited **out);
void gls_delimited_close(gls_delimited *file);

/* Whole records; begins zeroed, and is used again for the next ones. */
typedef struct gls_delimited_chunk {
    char *text; /* [size] in room for more */
    int64_t size, room;
    bool cut_off; /* no record ended where one should have */
} gls_delimited_chunk;
/* The next records, about `wanted` bytes of them and at least one; size 0: there are no more. */
gls_status gls_delimited_cut(gls_delimited *file, int64_t wanted, gls_delimited_chunk *chunk);
void gls_delimited_chunk_free(const gls_delimited *file, gls_delimited_chunk *chunk);

/* Hands a chunk to the sink; *line, that of its first byte, becomes the one behind it. Several threads may parse
 * several chunks of a file, and a chunk may be parsed again. GLS_ERR_INPUT naming file and line for a NUL byte, a quote
 * out of place, one that is not closed, and a record of more than 16 MiB. */
gls_status gls_delimited_parse(const gls_delimited *file, gls_delimited_chunk *chunk, int64_t *line,
                               const gls_delimited_sink *sink);

/* All records of a file, in order, with memory for one chunk. */
gls_status gls_delimited_read(gls_context *ctx, const char *path, char delimiter, char quote,
                              const gls_delimited_sink *sink);

#endif
