/* Sources over arrays in memory: the caller's, borrowed, or the room's own. */
#include "data/source.h"

static gls_status check_info(gls_context *ctx, const gls_data_info *info, const int32_t *label, const gls_real *y) {
    if (info->examples < 0 || info->features < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: negative number of examples or features");
    if (info->target == GLS_TARGET_CLASS && (!label || info->classes < 1))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: class targets need labels and a number of classes");
    if (info->targets && !y) return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: real targets without y");
    for (int64_t i = 0; info->target == GLS_TARGET_CLASS && i < info->examples; i++)
        if (label[i] < 0 || label[i] >= info->classes)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: label %d of example %lld is outside [0, %lld)",
                            (int)label[i], (long long)i, (long long)info->classes);
    return GLS_OK;
}

static void complete_info(gls_data_info *info) {
    if (info->dims == 0) {
        info->dims = 1;
        info->shape[0] = info->features;
    }
}

gls_status gls_source_from_dense(gls_context *ctx, const gls_real *x, const int32_t *label, const gls_real *y,
                                 const gls_data_info *info, gls_source **out) {
    GLS_GIVEN(ctx, ctx, x, info, out);
    *out = NULL;
    GLS_TRY(check_info(ctx, info, label, y));
    gls_dense_source *dense;
    GLS_TRY(gls_owned_create(ctx, sizeof *dense, &gls_dense_ops, (void **)&dense));
    dense->owned.source.info = *info;
    dense->owned.source.info.sparse = false;
    complete_info(&dense->owned.source.info);
    dense->real = x;
    dense->label = label;
    dense->y = y;
    *out = &dense->owned.source;
    return GLS_OK;
}

/* Row offsets and columns are checked here once: products and norms rely on ascending columns. */
gls_status gls_source_from_sparse(gls_context *ctx, const int64_t *row, const int32_t *column, const gls_real *value,
                                  const int32_t *label, const gls_real *y, const gls_data_info *info,
                                  gls_source **out) {
    GLS_GIVEN(ctx, ctx, row, info, out);
    *out = NULL;
    GLS_TRY(check_info(ctx, info, label, y));
    for (int64_t i = 0; i < info->examples; i++) {
        if (row[i + 1] < row[i])
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: row offsets descend at %lld", (long long)i);
        for (int64_t k = row[i]; k < row[i + 1]; k++)
            if (column[k] < 0 || column[k] >= info->features || (k > row[i] && column[k] <= column[k - 1]))
                return gls_fail(ctx, GLS_ERR_ARGUMENT,
                                "source: column %d of example %lld: columns must ascend inside [0, %lld)",
                                (int)column[k], (long long)i, (long long)info->features);
    }
    gls_sparse_source *sparse;
    GLS_TRY(gls_owned_create(ctx, sizeof *sparse, &gls_sparse_ops, (void **)&sparse));
    sparse->owned.source.info = *info;
    sparse->owned.source.info.sparse = true;
    complete_info(&sparse->owned.source.info);
    sparse->row = row;
    sparse->column = column;
    sparse->value = value;
    sparse->label = label;
    sparse->y = y;
    *out = &sparse->owned.source;
    return GLS_OK;
}

void gls_owned_arrays_free(gls_context *ctx, gls_owned_arrays *arrays) {
    void *block[] = {arrays->real, arrays->value, arrays->y, arrays->byte, arrays->row, arrays->column, arrays->label};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) gls_free(ctx, block[i]);
    *arrays = (gls_owned_arrays){0};
}

/* Once there is a source, the arrays are its own, also where a later step fails. */
static gls_status own_arrays(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_source **out) {
    gls_owned_source *owned;
    if (info->sparse) {
        gls_sparse_source *sparse;
        GLS_TRY(gls_owned_create(ctx, sizeof *sparse, &gls_sparse_ops, (void **)&sparse));
        sparse->row = arrays->row;
        sparse->column = arrays->column;
        sparse->value = arrays->value;
        sparse->label = arrays->label;
        sparse->y = arrays->y;
        sparse->owns = true;
        owned = &sparse->owned;
    } else {
        gls_dense_source *dense;
        GLS_TRY(gls_owned_create(ctx, sizeof *dense, &gls_dense_ops, (void **)&dense));
        dense->real = arrays->real;
        dense->byte = arrays->byte;
        dense->scale = arrays->scale;
        dense->label = arrays->label;
        dense->y = arrays->y;
        dense->owns = true;
        owned = &dense->owned;
    }
    *arrays = (gls_owned_arrays){0};
    owned->source.info = *info;
    complete_info(&owned->source.info);
    gls_status status = info->class_names ? gls_owned_class_names(owned, info->class_names, info->classes) : GLS_OK;
    if (status != GLS_OK)
        gls_source_destroy(&owned->source);
    else
        *out = &owned->source;
    return status;
}

gls_status gls_source_own(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_source **out) {
    *out = NULL;
    gls_status status = own_arrays(ctx, info, arrays, out);
    gls_owned_arrays_free(ctx, arrays);
    return status;
}
