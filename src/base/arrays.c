#include <glissade/base.h>

#include <stdio.h>
#include <string.h>

size_t gls_dtype_size(gls_dtype dtype) {
    switch (dtype) {
    case GLS_F32:
    case GLS_I32:
        return 4;
    case GLS_F64:
    case GLS_I64:
        return 8;
    case GLS_U8:
        return 1;
    }
    return 0;
}

static gls_status check(gls_context *ctx, const gls_arrays *arrays, const char *name, int dims) {
    if (strlen(name) >= sizeof arrays->item->name)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "array '%s': the name is longer than %zu bytes", name,
                        sizeof arrays->item->name - 1);
    if (dims < 0 || dims > GLS_MAX_DIMS)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "array '%s': expected 0 to %d dimensions, found %d", name, GLS_MAX_DIMS,
                        dims);
    for (int64_t i = 0; i < arrays->count; i++)
        if (strcmp(arrays->item[i].name, name) == 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "array '%s' is there already", name);
    return GLS_OK;
}

gls_status gls_arrays_add(gls_context *ctx, gls_arrays *arrays, const char *name, gls_dtype dtype, int dims,
                          const int64_t *shape, void *data) {
    GLS_TRY(check(ctx, arrays, name, dims));
    if (arrays->count == arrays->capacity) {
        int64_t capacity = arrays->capacity ? 2 * arrays->capacity : 16;
        gls_array *grown = gls_resize(ctx, arrays->item, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        arrays->item = grown;
        arrays->capacity = capacity;
    }
    gls_array *array = &arrays->item[arrays->count++];
    *array = (gls_array){.dtype = dtype, .dims = dims, .data = data};
    memcpy(array->name, name, strlen(name) + 1);
    for (int i = 0; i < dims; i++) array->shape[i] = shape[i];
    return GLS_OK;
}

gls_status gls_arrays_add_vector(gls_context *ctx, gls_arrays *arrays, const char *name, gls_dtype dtype, int64_t size,
                                 void *data) {
    return gls_arrays_add(ctx, arrays, name, dtype, 1, &size, data);
}

gls_status gls_arrays_add_state(gls_context *ctx, gls_arrays *arrays, const char *prefix, const char *name,
                                gls_dtype dtype, int64_t size, void *data) {
    char whole[2 * sizeof arrays->item->name]; /* so long that what is cut here is refused */
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    return gls_arrays_add_vector(ctx, arrays, whole, dtype, size, data);
}

void gls_arrays_clear(gls_context *ctx, gls_arrays *arrays) {
    gls_free(ctx, arrays->item);
    *arrays = (gls_arrays){0};
}
