/* Rows of frames in memory: as many values at every position. */
#ifndef GLS_DATA_FRAMES_H
#define GLS_DATA_FRAMES_H

#include "data/source.h"

typedef struct gls_frame_source {
    gls_owned_source owned;
    const gls_real *x;     /* [examples, length, values] */
    const int64_t *frames; /* [examples] that count, the others are padding; NULL: all */
    const int32_t *label;  /* [examples], or by position [examples, length] */
    bool owns;             /* the arrays are from gls_alloc and freed with the source */
} gls_frame_source;

/* GLS_ERR_ARGUMENT in the name of `what`: frames that are not within the rows; labels that are no classes, at padding
 * or behind a gap. */
gls_status gls_frame_check_lengths(gls_context *ctx, const char *what, const gls_frame_source *arrays,
                                   const gls_data_info *info);
gls_status gls_frame_check_labels(gls_context *ctx, const char *what, const gls_frame_source *arrays,
                                  const gls_data_info *info);
/* One over these arrays, which were checked; it owns them, also when it fails, if `owns`. */
gls_status gls_frame_source_create(gls_context *ctx, const gls_frame_source *arrays, const gls_data_info *info,
                                   gls_source **out);

#endif
