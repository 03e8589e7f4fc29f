/* What transforms learn from training data: one flat list of vectors, named by stage, transform and array, so that a
 * file can hold it and another process can apply it. The data are in the object's arena. */
#include "data/source.h"
#include <stdio.h>
#include <string.h>

struct gls_fitted {
    gls_context *ctx;
    gls_arena *arena;
    gls_arrays arrays; /* "STAGE/TRANSFORM/NAME" */
};

gls_status gls_fitted_start(gls_context *ctx, gls_fitted **out) {
    gls_fitted *fitted = *out = gls_alloc(ctx, 1, sizeof *fitted);
    if (!fitted) return GLS_ERR_MEMORY;
    fitted->ctx = ctx;
    gls_status status = gls_arena_create(ctx, &fitted->arena);
    if (status == GLS_OK) return GLS_OK;
    gls_free(ctx, fitted);
    *out = NULL;
    return status;
}

void gls_fitted_destroy(gls_fitted *fitted) {
    if (!fitted) return;
    gls_arrays_clear(fitted->ctx, &fitted->arrays);
    gls_arena_destroy(fitted->arena);
    gls_free(fitted->ctx, fitted);
}

const gls_fitted *gls_source_fitted(const gls_source *source) {
    if (!source) return NULL;
    return source->fitted;
}

static gls_status add(gls_fitted *fitted, const char *name, gls_dtype dtype, int64_t size, void **data) {
    *data = gls_arena_alloc(fitted->arena, size, gls_dtype_size(dtype));
    if (!*data) return GLS_ERR_MEMORY;
    memset(*data, 0, (size_t)size * gls_dtype_size(dtype));
    return gls_arrays_add_vector(fitted->ctx, &fitted->arrays, name, dtype, size, *data);
}

/* The arrays are copied, so that the file or run they come from may be closed. */
gls_status gls_fitted_create(gls_context *ctx, const char *prefix, const gls_arrays *arrays, gls_fitted **out) {
    GLS_GIVEN(ctx, ctx, prefix, arrays, out);
    gls_fitted *fitted;
    *out = NULL;
    GLS_TRY(gls_fitted_start(ctx, &fitted));
    gls_status status = GLS_OK;
    for (int64_t i = 0; status == GLS_OK && i < arrays->count; i++) {
        const gls_array *array = &arrays->item[i];
        if (strncmp(array->name, prefix, strlen(prefix)) != 0) continue;
        void *data = NULL;
        if (array->dims != 1)
            status = gls_fail(ctx, GLS_ERR_INPUT, "array '%s' has %d dimensions; transforms keep vectors", array->name,
                              array->dims);
        else
            status = add(fitted, array->name + strlen(prefix), array->dtype, array->shape[0], &data);
        if (status == GLS_OK) memcpy(data, array->data, (size_t)array->shape[0] * gls_dtype_size(array->dtype));
    }
    if (status != GLS_OK)
        gls_fitted_destroy(fitted);
    else
        *out = fitted;
    return status;
}

gls_status gls_fitted_arrays(const gls_fitted *fitted, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(fitted ? fitted->ctx : NULL, fitted, prefix, arrays);
    for (int64_t i = 0; i < fitted->arrays.count; i++) {
        const gls_array *array = &fitted->arrays.item[i];
        char name[sizeof array->name];
        if (snprintf(name, sizeof name, "%s%s", prefix, array->name) >= (int)sizeof name)
            return gls_fail(fitted->ctx, GLS_ERR_ARGUMENT, "array '%s%s': the name is too long", prefix, array->name);
        GLS_TRY(gls_arrays_add_vector(fitted->ctx, arrays, name, array->dtype, array->shape[0], array->data));
    }
    return GLS_OK;
}

/* ---- one transform's part ---- */

static void full_name(const gls_learned *learned, const char *name, char text[160]) {
    snprintf(text, 160, "%lld/%s/%s", (long long)learned->stage, learned->transform, name);
}

gls_status gls_learned_add(gls_learned *learned, const char *name, gls_dtype dtype, int64_t size, void *data) {
    GLS_GIVEN(NULL, learned, name);
    if (size > 0) GLS_GIVEN(NULL, data);
    char text[160];
    full_name(learned, name, text);
    return add(learned->fitted, text, dtype, size, data);
}

/* Type and length are compared with what these data need: the arrays may come from a file of another set. */
gls_status gls_learned_get(const gls_learned *learned, const char *name, gls_dtype dtype, int64_t *size, void *data) {
    GLS_GIVEN(NULL, learned, name, size, data);
    static const char *const dtypes[] = {[GLS_F32] = "F32", [GLS_F64] = "F64", [GLS_I32] = "I32",
                                         [GLS_I64] = "I64", [GLS_U8] = "U8",   [GLS_BF16] = "BF16"};
    const gls_arrays *arrays = &learned->fitted->arrays;
    gls_context *ctx = learned->fitted->ctx;
    char text[160];
    full_name(learned, name, text);
    int64_t i = 0;
    while (i < arrays->count && strcmp(arrays->item[i].name, text) != 0) i++;
    if (i == arrays->count)
        return gls_fail(ctx, GLS_ERR_INPUT, "transform %s: its fitted arrays do not contain '%s'", learned->transform,
                        text);
    const gls_array *found = &arrays->item[i];
    if (found->dtype != dtype || (*size >= 0 && found->shape[0] != *size))
        return gls_fail(ctx, GLS_ERR_INPUT, "transform %s: '%s' is %s [%lld], these data need %s [%lld]",
                        learned->transform, text, dtypes[found->dtype], (long long)found->shape[0], dtypes[dtype],
                        (long long)(*size >= 0 ? *size : found->shape[0]));
    *size = found->shape[0];
    *(const void **)data = found->data;
    return GLS_OK;
}
