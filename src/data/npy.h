/* The inside of NumPy's .npy files; whole arrays are read and written through <glissade/data.h>. */
#ifndef GLS_DATA_NPY_H
#define GLS_DATA_NPY_H

#include <glissade/data.h>

/* gls_npy_read, as double values whatever the file holds; GLS_ERR_INPUT for a value that is not finite. */
gls_status gls_npy_read_double(gls_context *ctx, const char *path, gls_npy *out);

struct gls_writer;
/* The header alone, for data that come in pieces. */
gls_status gls_npy_write_header(struct gls_writer *writer, gls_dtype dtype, int dims, const int64_t *shape);

#endif
