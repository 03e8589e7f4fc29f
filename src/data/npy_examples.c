/* Arrays as features and targets of examples. */
#include "data/npy_examples.h"
#include <string.h>

static bool whole(const double *y, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!(y[i] > -2147483648.0 && y[i] < 2147483648.0) || y[i] != (double)(int32_t)y[i]) return false;
    return true;
}

/* Bytes stay bytes and are scaled as rows are fetched, which keeps images at a quarter of their size. */
static gls_status take_features(gls_context *ctx, const char *what, double scale, gls_npy *x, gls_data_info *info,
                                gls_owned_arrays *arrays) {
    if (x->dims < 1 || x->count < 1)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: expected an array [n, ...], every extent at least 1", what);
    info->examples = x->shape[0];
    info->features = x->count / x->shape[0];
    info->dims = x->dims > 1 ? x->dims - 1 : 1;
    for (int i = 0; i < info->dims; i++) info->shape[i] = x->dims > 1 ? x->shape[i + 1] : 1;
    arrays->scale = (gls_real)scale;
    if (x->dtype != GLS_U8) GLS_TRY(gls_npy_convert(ctx, what, GLS_DTYPE_REAL, x));
    void *data = x->data;
    x->data = NULL;
    if (x->dtype == GLS_U8) {
        arrays->byte = data;
        return GLS_OK;
    }
    arrays->real = data;
    for (int64_t i = 0; scale != 1 && i < x->count; i++) arrays->real[i] *= arrays->scale;
    return gls_source_check_finite(ctx, what, arrays->real, info->examples, info->features);
}

gls_status gls_npy_features(gls_context *ctx, const char *what, double scale, gls_npy *x, gls_data_info *info,
                            gls_owned_arrays *arrays) {
    gls_status status = take_features(ctx, what, scale, x, info, arrays);
    gls_npy_clear(ctx, x);
    return status;
}

/* Classes keep the numbers that they are beside them, unless they were asked for as classes. */
static gls_status number_targets(gls_context *ctx, const char *what, int target, gls_npy *y, const gls_data_info *like,
                                 gls_data_info *info, gls_owned_arrays *arrays) {
    bool integers = y->dtype != GLS_F32 && y->dtype != GLS_F64;
    info->targets = y->dims == 2 ? y->shape[1] : 1;
    info->target = GLS_TARGET_REAL;
    bool classes = target == GLS_NPY_CLASS || (target == GLS_NPY_AUTO && integers && info->targets == 1);
    GLS_TRY(gls_npy_convert(ctx, what, GLS_F64, y));
    double *value = y->data;
    if (classes && (info->targets != 1 || !whole(value, info->examples)))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: classes must be one 32-bit integer per example", what);
    if (classes) GLS_TRY(gls_classes_from_integers(ctx, what, value, info->examples, NULL, like, info, &arrays->label));
    if (target == GLS_NPY_CLASS) {
        info->targets = 0;
        return GLS_OK;
    }
    GLS_TRY(gls_npy_convert(ctx, what, GLS_DTYPE_REAL, y));
    arrays->y = y->data;
    y->data = NULL;
    return GLS_OK;
}

static gls_status take_targets(gls_context *ctx, const char *what, int target, gls_npy *y, const char **texts,
                               const gls_data_info *like, gls_data_info *info, gls_owned_arrays *arrays) {
    if (y->dims < 1 || y->dims > 2 || y->shape[0] != info->examples || (texts && y->count != info->examples))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: %d extents, the first %lld, for %lld examples", what, y->dims,
                        y->dims ? (long long)y->shape[0] : 0, (long long)info->examples);
    if (!texts) return number_targets(ctx, what, target, y, like, info, arrays);
    if (target == GLS_NPY_REAL)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: the targets are texts, expected numbers (target: real)", what);
    return gls_classes_from_names(ctx, what, texts, info->examples, NULL, like, info, &arrays->label);
}

gls_status gls_npy_targets(gls_context *ctx, const char *what, int target, gls_npy *y, const char **texts,
                           const gls_data_info *like, gls_data_info *info, gls_owned_arrays *arrays) {
    gls_status status = take_targets(ctx, what, target, y, texts, like, info, arrays);
    gls_npy_clear(ctx, y);
    gls_free(ctx, texts);
    return status;
}
