/* The members of a zip archive, stored or deflated, as sections of its file. */
#ifndef GLS_DATA_ZIP_H
#define GLS_DATA_ZIP_H

#include "base/io.h"

typedef struct gls_zip {
    gls_context *ctx;
    int64_t count;
    gls_reader_section *member; /* [count] their names are owned */
    char *path;
} gls_zip;

/* Reads the directory. GLS_ERR_FILE; GLS_ERR_INPUT for what is no zip archive, is packed otherwise or encrypted. */
gls_status gls_zip_open(gls_context *ctx, const char *path, gls_zip *out);
void gls_zip_close(gls_zip *zip);
/* Opens it; messages call it "ARCHIVE(NAME)". */
gls_status gls_zip_read(const gls_zip *zip, int64_t member, gls_reader **out);

#endif
