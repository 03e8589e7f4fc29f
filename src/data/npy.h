/* NumPy's .npy files as arrays: what recorded gradients, initial weights and results are kept in. */
#ifndef GLS_DATA_NPY_H
#define GLS_DATA_NPY_H

#include <glissade/base.h>

/* An array of a file, in C order. data is from gls_alloc. */
typedef struct gls_npy {
    gls_dtype dtype;
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    int64_t count; /* product of shape; 1 for a scalar */
    void *data;
} gls_npy;

/* Reads f4, f8, u1, i4, i8 (little-endian; |b1 as u1), C or Fortran order, versions 1 to 3, packed or not.
 * GLS_ERR_FILE, GLS_ERR_INPUT naming the file for anything else, and for bytes behind the array. */
gls_status gls_npy_read(gls_context *ctx, const char *path, gls_npy *out);
/* The same as double or gls_real values, whatever the file holds; GLS_ERR_INPUT for a value that is not finite. */
gls_status gls_npy_read_double(gls_context *ctx, const char *path, gls_npy *out);
gls_status gls_npy_read_real(gls_context *ctx, const char *path, gls_npy *out);
void gls_npy_clear(gls_context *ctx, gls_npy *array);
/* Writes in C order, through a temporary file. */
gls_status gls_npy_write(gls_context *ctx, const char *path, gls_dtype dtype, int dims, const int64_t *shape,
                         const void *data);

struct gls_writer;
/* The header alone, for data that come in pieces. */
gls_status gls_npy_write_header(struct gls_writer *writer, gls_dtype dtype, int dims, const int64_t *shape);

#endif
