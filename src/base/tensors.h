/* Named arrays in a safetensors file: an eight-byte length, a JSON header, raw little-endian data. */
#ifndef GLS_BASE_TENSORS_H
#define GLS_BASE_TENSORS_H

#include <glissade/base.h>

/* Of its data. */
int64_t gls_array_bytes(const gls_array *array);

/* Texts beside the arrays, in the header's __metadata__. */
typedef struct gls_note {
    const char *key, *text;
} gls_note;

/* Writes all arrays to a temporary file, renamed when it is whole; a checksum of the data (XXH3) is among the notes. */
gls_status gls_tensors_write(gls_context *ctx, const char *path, const gls_arrays *arrays, const gls_note *notes,
                             int note_count);

typedef struct gls_tensors gls_tensors;
/* Opens and believes nothing: sizes, offsets, names, shapes and the checksum (where there is one) are verified.
 * GLS_ERR_FILE, GLS_ERR_INPUT with the reason. */
gls_status gls_tensors_open(gls_context *ctx, const char *path, gls_tensors **out);
void gls_tensors_close(gls_tensors *tensors);
const char *gls_tensors_note(const gls_tensors *tensors, const char *key); /* NULL if absent */
bool gls_tensors_has(const gls_tensors *tensors, const char *name);
/* Fills every array of the list that the file holds; first all names, types and shapes are compared, so that nothing is
 * filled if one does not fit or one that is not optional is absent. */
gls_status gls_tensors_restore(gls_tensors *tensors, const gls_arrays *arrays);
/* The same for every block of a layout, by prefix and name, into data [gls_layout_size]. */
gls_status gls_tensors_restore_layout(gls_tensors *tensors, const gls_layout *layout, const char *prefix,
                                      gls_real *data);
/* The same from F64, F32, F16 or BF16, whatever this build computes in; GLS_ERR_NONFINITE for a value that is not
 * finite or does not fit. */
/* The same of one array: whether it is there with the block's shape and such a type, else what is there in text; and
 * reading it. */
bool gls_tensors_fits(gls_tensors *tensors, const char *name, const gls_block *block, char found[160]);
gls_status gls_tensors_read_block(gls_tensors *tensors, const char *name, const gls_block *block, gls_real *data);
gls_status gls_tensors_read_layout(gls_tensors *tensors, const gls_layout *layout, const char *prefix, gls_real *data);
/* Adds every array of the file whose name begins with prefix to the list, with the shape it has there; its data are in
 * the arena. */
gls_status gls_tensors_load(gls_tensors *tensors, const char *prefix, gls_arena *arena, gls_arrays *arrays);

#endif
