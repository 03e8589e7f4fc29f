/* The inside of NumPy's .npy files; whole arrays are read and written through <glissade/data.h>. */
#ifndef GLS_DATA_NPY_H
#define GLS_DATA_NPY_H

#include <glissade/data.h>

/* gls_npy_read, as double values whatever the file holds; GLS_ERR_INPUT for a value that is not finite. */
gls_status gls_npy_read_double(gls_context *ctx, const char *path, gls_npy *out);

struct gls_reader;
/* gls_npy_read from what is open. texts: where texts of an array of them go, one block from gls_alloc with `count`
 * pointers (UTF-8; bytes as they are), while out->data is NULL; NULL: texts are refused. */
gls_status gls_npy_read_from(gls_context *ctx, struct gls_reader *reader, gls_npy *out, const char ***texts);
/* The values as `dtype`, F32 or F64; GLS_ERR_INPUT naming the first that is not finite or does not fit. */
gls_status gls_npy_convert(gls_context *ctx, const char *what, gls_dtype dtype, gls_npy *array);

struct gls_writer;
/* The header alone, for data that come in pieces. */
gls_status gls_npy_write_header(struct gls_writer *writer, gls_dtype dtype, int dims, const int64_t *shape);

/* ---- types on disk ---- */

typedef struct gls_npy_type {
    char kind;       /* b, i, u, f; S, U: texts */
    bool swapped;    /* big-endian */
    int64_t size;    /* bytes */
    gls_dtype dtype; /* in memory, of numbers */
} gls_npy_type;

/* Of a header's descr; GLS_ERR_INPUT naming what. */
gls_status gls_npy_type_of(gls_context *ctx, const char *what, const char *descr, gls_npy_type *type);
/* What a header says of an array that is not read yet. */
typedef struct gls_npy_layout {
    gls_npy_type type;
    bool fortran;
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    int64_t offset, bytes; /* of the values, in the unpacked file */
} gls_npy_layout;
gls_status gls_npy_read_layout(gls_context *ctx, struct gls_reader *reader, gls_npy_layout *out);

/* From values as on disk to type->dtype, array->data being replaced where their sizes differ. */
gls_status gls_npy_widen(gls_context *ctx, const char *what, const gls_npy_type *type, gls_npy *array);
/* The texts of an array whose data are as on disk. */
gls_status gls_npy_texts(gls_context *ctx, const char *what, const gls_npy_type *type, const gls_npy *array,
                         const char ***out);

#endif
