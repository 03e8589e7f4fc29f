/* Safe reading (plain, .gz, .xz by content) and temp-and-rename writing. */
#ifndef GLS_BASE_IO_H
#define GLS_BASE_IO_H

#include <glissade/base.h>

typedef struct gls_reader gls_reader;

/* Opens a file and looks at its first bytes: gzip and xz are unpacked on the way. GLS_ERR_FILE, GLS_ERR_MEMORY. */
gls_status gls_reader_open(gls_context *ctx, const char *path, gls_reader **out);
/* A run of `bytes` bytes of a file, packed as raw deflate or not; `name` stands for it in messages. Once all is
 * unpacked, its size and CRC-32 must be these, or GLS_ERR_INPUT. */
typedef struct gls_reader_section {
    const char *name;
    int64_t offset, bytes, size;
    bool deflated;
    uint32_t crc;
} gls_reader_section;
gls_status gls_reader_open_section(gls_context *ctx, const char *path, const gls_reader_section *section,
                                   gls_reader **out);
void gls_reader_close(gls_reader *reader);
/* Up to n bytes; *got < n only at the end. GLS_ERR_INPUT for a corrupt stream. */
gls_status gls_reader_read(gls_reader *reader, void *to, int64_t n, int64_t *got);
/* Exactly n bytes; GLS_ERR_INPUT naming file, offset and what was being read if there are fewer. */
gls_status gls_reader_exact(gls_reader *reader, void *to, int64_t n, const char *what);
/* Everything that is left, at most limit bytes: *data and *size begin as NULL and 0; the block, from gls_alloc, has
 * room for one byte more and is to be freed after an error too. */
gls_status gls_reader_rest(gls_reader *reader, int64_t limit, char **data, int64_t *size);
/* The next line without its end (LF or CRLF), NUL-terminated, valid until the next call; *line is NULL at the end of
 * the file. Lines longer than `limit` bytes are GLS_ERR_INPUT. */
gls_status gls_reader_line(gls_reader *reader, int64_t limit, char **line, int64_t *length);
const char *gls_reader_path(const gls_reader *reader);
int64_t gls_reader_line_number(const gls_reader *reader); /* of the last line read, from 1 */
bool gls_reader_packed(const gls_reader *reader);         /* what was read first began a .gz or .xz */
bool gls_reader_at_end(gls_reader *reader);               /* true if nothing is left to read */

/* What readers took from files, packed ones as they are; hash is a sum over the files, whatever their order. */
typedef struct gls_file_digest {
    int64_t files, bytes;
    uint64_t hash;
} gls_file_digest;
/* Readers of this context that are opened from now on add to *digest when they are closed; NULL: no longer. */
void gls_reader_watch(gls_context *ctx, gls_file_digest *digest);
/* The same of a file that is read in another way; nothing where nobody watches. */
gls_status gls_reader_note(gls_context *ctx, const char *path);

/* A whole file (unpacked), NUL-terminated after its *size bytes, from gls_alloc; at most limit bytes. */
gls_status gls_read_file(gls_context *ctx, const char *path, int64_t limit, char **data, int64_t *size);

/* Writing: into a temporary sibling, renamed by commit after everything reached the disk. */
typedef struct gls_writer gls_writer;
gls_status gls_writer_open(gls_context *ctx, const char *path, gls_writer **out);
gls_status gls_writer_write(gls_writer *writer, const void *data, int64_t n);
gls_status gls_writer_printf(gls_writer *writer, const char *format, ...) GLS_PRINTF(2, 3);
/* Flushes, fsyncs, renames and closes; on failure the temporary is removed. */
gls_status gls_writer_commit(gls_writer *writer);
void gls_writer_abort(gls_writer *writer); /* closes and removes the temporary; NULL is legal */

/* Removes what killed processes left in a folder that is the caller's own: temporaries of gls_writer. */
void gls_writer_clear(gls_context *ctx, const char *folder);

bool gls_file_exists(const char *path);

#endif
