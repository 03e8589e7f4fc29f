/* What the targets share. */
#ifndef GLS_FUZZ_SHARED_H
#define GLS_FUZZ_SHARED_H

#include <glissade/data.h>

gls_context *fuzz_context(void);
/* For pictures of less than a megapixel: a header that claims more is refused before it costs time. */
gls_context *fuzz_picture_context(void);

typedef struct fuzz_memory {
    int fd;
    char path[64];
} fuzz_memory;
/* A file in memory that holds these bytes; it ends with close(fd). */
fuzz_memory fuzz_file(const void *data, size_t size);
/* A safetensors file. Input that begins with a brace is its header up to the end of the line, and then the data, so
 * that what changes the header's length changes nothing else. */
fuzz_memory fuzz_tensors(const uint8_t *data, size_t size);
/* A copy, from malloc, in which every chunk of a PNG has the right checksum. */
uint8_t *fuzz_png_checksums(const uint8_t *data, size_t size);

/* Fetches every row, unless there are very many: features are finite, labels are classes. */
void fuzz_check_rows(gls_context *ctx, const gls_source *source);

#endif
