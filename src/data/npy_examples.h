/* What the formats npy and npz share: arrays as features and targets of examples. */
#ifndef GLS_DATA_NPY_EXAMPLES_H
#define GLS_DATA_NPY_EXAMPLES_H

#include "data/npy.h"
#include "data/stored.h"

enum { GLS_NPY_AUTO, GLS_NPY_CLASS, GLS_NPY_REAL }; /* option target */

/* An array [n, ...] becomes info's examples and features, times scale; taken. what names it. */
gls_status gls_npy_features(gls_context *ctx, const char *what, double scale, gls_npy *x, gls_data_info *info,
                            gls_owned_arrays *arrays);
/* An array [n] or [n, t], or texts [n], becomes their targets; taken, the texts too. */
gls_status gls_npy_targets(gls_context *ctx, const char *what, int target, gls_npy *y, const char **texts,
                           const gls_data_info *like, gls_data_info *info, gls_owned_arrays *arrays);

/* With a bound that the features do not fit into, a source that leaves them in the file, and its info; else NULL. Its
 * targets follow. GLS_ERR_INPUT for a file whose rows cannot be read one by one. */
gls_status gls_npy_rows_open(gls_context *ctx, const char *path, double scale, gls_data_info *info, gls_source **out);
/* A source of the rows that a scratch file holds, as bytes or reals; takes the file, also when it fails, and the
 * arrays' targets. */
gls_status gls_npy_rows_own(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_stored *file,
                            bool bytes, gls_source **out);
/* Takes info and the arrays' targets. */
gls_status gls_npy_rows_complete(gls_source *source, const gls_data_info *info, gls_owned_arrays *arrays);

#endif
