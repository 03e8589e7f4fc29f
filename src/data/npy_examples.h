/* What the formats npy and npz share: arrays as features and targets of examples. */
#ifndef GLS_DATA_NPY_EXAMPLES_H
#define GLS_DATA_NPY_EXAMPLES_H

#include "data/npy.h"
#include "data/source.h"

enum { GLS_NPY_AUTO, GLS_NPY_CLASS, GLS_NPY_REAL }; /* option target */

/* An array [n, ...] becomes info's examples and features, times scale; taken. what names it. */
gls_status gls_npy_features(gls_context *ctx, const char *what, double scale, gls_npy *x, gls_data_info *info,
                            gls_owned_arrays *arrays);
/* An array [n] or [n, t], or texts [n], becomes their targets; taken, the texts too. */
gls_status gls_npy_targets(gls_context *ctx, const char *what, int target, gls_npy *y, const char **texts,
                           const gls_data_info *like, gls_data_info *info, gls_owned_arrays *arrays);

#endif
