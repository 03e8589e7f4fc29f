/* What sources are made of: ownership, dense and sparse storage, and the gather that most transforms are. */
#ifndef GLS_DATA_SOURCE_H
#define GLS_DATA_SOURCE_H

#include <glissade/data.h>

#include "onnx/onnx.h"

/* The first member of the room's own sources: what must live as long as the source lives in its arena. */
typedef struct gls_owned_source {
    gls_source source;
    gls_arena *arena;
} gls_owned_source;

/* A zeroed concrete source of `size` bytes that begins with gls_owned_source. */
gls_status gls_owned_create(gls_context *ctx, size_t size, const gls_source_ops *ops, void **out);
/* Frees the source and its arena: the last line of a destroy verb, or the whole of it. */
void gls_owned_destroy(gls_source *source);

/* Copies texts into the arena; and as the source's class names. */
gls_status gls_owned_texts(gls_owned_source *owned, const char *const *names, int64_t count, const char *const **out);
gls_status gls_owned_class_names(gls_owned_source *owned, const char *const *names, int64_t count);
/* A column of info.examples values to write at *value: zeros, or those of the column of that name which it replaces. */
gls_status gls_owned_column(gls_owned_source *owned, const char *name, int64_t **value);
/* What the values of such a column are called, copied. */
gls_status gls_owned_column_texts(gls_owned_source *owned, const char *name, const char *const *text, int64_t count);
/* Copies another source's columns: row i from its row index[i] (NULL: i). index -1 gives 0. Texts are not copied. */
gls_status gls_owned_columns_from(gls_owned_source *owned, const gls_source *from, const int64_t *index);

/* Dense examples. One of real and byte; a byte b means b * scale. label and y may be NULL. The arrays come from
 * gls_alloc and are freed with the source if `owns`. */
typedef struct gls_dense_source {
    gls_owned_source owned;
    const gls_real *real;
    const uint8_t *byte;
    gls_real scale;
    const int32_t *label;
    const gls_real *y;
    bool owns;
} gls_dense_source;
extern const gls_source_ops gls_dense_ops;

/* Arrays from gls_alloc on their way into a source; what is not needed stays NULL. */
typedef struct gls_owned_arrays {
    gls_real *real, *value, *y;
    uint8_t *byte;
    gls_real scale;
    int64_t *row;
    int32_t *column, *label;
} gls_owned_arrays;
void gls_owned_arrays_free(gls_context *ctx, gls_owned_arrays *arrays);
/* A dense or sparse source (by info->sparse) that takes the arrays, also when it fails. Class names are copied. */
gls_status gls_source_own(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_source **out);

/* Compressed sparse rows; the arrays come from gls_alloc and are freed with the source if `owns`. */
typedef struct gls_sparse_source {
    gls_owned_source owned;
    const int64_t *row;
    const int32_t *column;
    const gls_real *value;
    const int32_t *label;
    const gls_real *y;
    bool owns;
} gls_sparse_source;
extern const gls_source_ops gls_sparse_ops;

/* Rows picked from one or more sources, with labels that may differ: row i is row index[i] of source which[i]. */
typedef struct gls_gather {
    gls_owned_source owned;
    const gls_source **part;
    int64_t parts;
    bool *owns;           /* [parts] destroyed with the gather */
    int32_t *which;       /* [examples], or NULL: all from part 0 */
    int64_t *index;       /* [examples], or NULL: row i of part 0 */
    const int32_t *label; /* [examples], or NULL: as in the part */
    gls_real *class_y;    /* [classes] the real target of a class where labels were changed, or NULL */
} gls_gather;

/* A gather over `inner` (taken), with inner's info, columns mapped by index (copied; NULL: all rows in order) and the
 * column "original" if index is given. */
gls_status gls_gather_create(gls_context *ctx, gls_source *inner, const int64_t *index, int64_t count,
                             gls_gather **out);
/* Another source (taken, also on failure), as part number *part. It must have the same features and kind of targets;
 * with `features_only` its targets are not used, and gls_gather_relabel must give all labels. */
gls_status gls_gather_add(gls_gather *gather, gls_source *source, const char *what, bool features_only, int32_t *part);
/* Row i becomes row `index` of a part. */
gls_status gls_gather_put(gls_gather *gather, int64_t i, int32_t part, int64_t index);
/* Undoes gls_gather_create without touching inner: for transforms that fail after it. */
void gls_gather_release(gls_gather *gather);
/* Own copies of the labels, to be changed; *label is where. Real targets beside them follow their class. */
gls_status gls_gather_relabel(gls_gather *gather, int32_t **label);

/* What sources with arrays of targets copy alike: label [examples] and y [examples, targets] of the rows that are
 * fetched, each where it is there and wanted. */
void gls_fetch_targets(const gls_source *source, const gls_fetch *fetch, const int32_t *label, const gls_real *y,
                       gls_rows *rows);
/* Offsets of the sparse rows that are fetched, of row [examples + 1], and room for all of their values at once. */
gls_status gls_fetch_offsets(const gls_fetch *fetch, const int64_t *row, gls_rows *rows);

/* Bytes that fetching an example copies, on average; INFINITY where it computes something too, or reads a file. */
double gls_source_copied(const gls_source *source);

/* Class targets, or GLS_ERR_ARGUMENT in the name of a transform. */
gls_status gls_classes_need(gls_context *ctx, const gls_source *source, const char *who);
/* A class other than `label`, uniformly. */
int32_t gls_classes_other(gls_random *random, int32_t label, int64_t classes);

/* A concrete source of `size` bytes, beginning with gls_owned_source, around source.inner: its info and columns. The
 * verbs of its ops: gls_wrapper_destroy, and a fetch that calls gls_wrapper_fetch first. */
gls_status gls_wrapper_create(gls_context *ctx, size_t size, const gls_source_ops *ops, const gls_source *inner,
                              void **out);
void gls_wrapper_destroy(gls_source *source);
gls_status gls_wrapper_fetch(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows);

/* The mass of a row without a target where the model predicts: so little that it does not count, and that a batch of
 * such rows alone can be divided by its mass. */
static const double gls_mass_of_none = 1e-12;
/* GLS_ERR_INPUT that names what where no row of tokens has a target. last: as in gls_source_last_labels. */
gls_status gls_source_need_targets(gls_context *ctx, const char *what, const gls_source *source, int64_t last);
/* Wraps *source in its place (NULL stays) for a model that predicts the last `last` positions of its rows (0: all of
 * them): masses are then shares of the labels there, so that the mean over masses is that over the labels that count.
 */
gls_status gls_source_last_labels(gls_context *ctx, int64_t last, gls_source **source);

/* An empty one, for gls_transforms_apply to fill. */
gls_status gls_fitted_start(gls_context *ctx, gls_fitted **out);
/* The part of transform number `stage` of a list. */
struct gls_learned {
    gls_fitted *fitted;
    int64_t stage;
    const char *transform;
};

/* What a list of transforms does to the rows to be predicted, in an ONNX graph: *value, [batch, shape of info], becomes
 * another one. GLS_ERR_UNSUPPORTED for a transform that has no form there. */
gls_status gls_transforms_onnx(gls_context *ctx, const gls_value *list, const gls_data_info *info, gls_fitted *fitted,
                               gls_onnx *to, const char **value);

/* Rows [begin, begin + count) in their order; streams go on where begin is a multiple of them. Borrows the source. */
gls_status gls_source_stretch(gls_context *ctx, const gls_source *source, int64_t begin, int64_t count,
                              gls_source **out);
/* `count` distinct random numbers of [0, n), ascending; from gls_alloc. */
gls_status gls_source_draw_distinct(gls_context *ctx, gls_random *random, int64_t n, int64_t count, int64_t **out);

/* ---- what formats share ---- */

/* Sets classes and class_names (from gls_alloc: one block of pointers and texts) of info from n integer labels, in
 * ascending order, or as in `like` where that has classes; then label[i] is a class. GLS_ERR_INPUT for a label that
 * `like` does not have; what names the file, and line [n] where the labels stand (NULL: they are named by number). */
gls_status gls_classes_from_integers(gls_context *ctx, const char *what, const double *value, int64_t n,
                                     const int64_t *line, const gls_data_info *like, gls_data_info *info,
                                     int32_t **label);
/* Whether numbers may be classes: all whole and within 32 bits, and few different ones or a short range of them. */
bool gls_classes_likely(const double *value, int64_t n);
/* The same for names: as integers where all are, else in alphabetical order. */
gls_status gls_classes_from_names(gls_context *ctx, const char *what, const char *const *name, int64_t n,
                                  const int64_t *line, const gls_data_info *like, gls_data_info *info, int32_t **label);
/* Reads a decimal number (no locale, no NaN, infinity or hexadecimal) and moves *text behind it; false if there is
 * none. An overflow gives an infinity. */
bool gls_scan_number(const char **text, double *out);
/* Exactly `bytes` bytes into a fresh block that grows as they arrive, so that a wrong size in a header costs nothing.
 */
struct gls_reader;
gls_status gls_source_read_block(gls_context *ctx, struct gls_reader *reader, int64_t bytes, const char *what,
                                 void **out);
/* The product of extents times size, or GLS_ERR_INPUT naming the file if it overflows or an extent is negative. */
gls_status gls_source_check_extents(gls_context *ctx, const char *path, int dims, const int64_t *shape, int64_t size,
                                    int64_t *out);
/* GLS_ERR_INPUT naming row and feature if one of the [rows, features] values is not finite. */
gls_status gls_source_check_finite(gls_context *ctx, const char *path, const gls_real *x, int64_t rows,
                                   int64_t features);
/* The first of path, path.gz, path.xz that exists, from gls_alloc; NULL without a message if none does. */
char *gls_source_find_packed(gls_context *ctx, const char *path, bool *failed);
/* Warns before a sparse source is written with all its zeros: how large the file becomes at `bytes` a value. */
void gls_source_say_dense(gls_context *ctx, const gls_source *source, const char *path, double bytes);
/* Rows [begin, end) will be fetched soon, in any order: a source whose rows are on disk begins to read them. Or else
 * for a long time not again: what the system has kept of them may go. */
void gls_source_expect(const gls_source *source, int64_t begin, int64_t end, bool soon);

/* Calls fn with consecutive batches of a whole source. */
typedef gls_status (*gls_scan_fn)(void *user, const gls_batch *batch, int64_t begin);
gls_status gls_source_scan(gls_context *ctx, const gls_source *source, gls_scan_fn fn, void *user);

/* Opens {format: ..., train: ..., ...}: a data section inside an option of `owner`; keys in except are the owner's. */
gls_status gls_source_open_section(gls_context *ctx, const gls_value *map, const char *owner, const char *const *except,
                                   gls_part part, const gls_data_info *like, gls_source **out);

/* All examples of the loader's source in order, as one mini-batch of draw 0, announced and made its front. */
gls_status gls_loader_whole(gls_loader *loader, gls_stream **out);

/* Positions of every example in front of its padding, [examples] from gls_alloc; of rows with documents. */
gls_status gls_source_lengths(const gls_source *source, gls_context *ctx, int64_t **out);

#endif
