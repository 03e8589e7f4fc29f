/* Lists of named arrays: what an object lets others save and restore. */
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
    case GLS_BF16:
        return 2;
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
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "array '%s' exists already", name);
    return GLS_OK;
}

gls_status gls_arrays_add(gls_context *ctx, gls_arrays *arrays, const char *name, gls_dtype dtype, int dims,
                          const int64_t *shape, void *data) {
    GLS_GIVEN(ctx, ctx, arrays, name);
    if (dims > 0) GLS_GIVEN(ctx, shape);
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
    GLS_GIVEN(ctx, ctx, arrays, name);
    if (size > 0) GLS_GIVEN(ctx, data);
    return gls_arrays_add(ctx, arrays, name, dtype, 1, &size, data);
}

gls_status gls_arrays_add_layout(gls_context *ctx, gls_arrays *arrays, const gls_layout *layout, const char *prefix,
                                 gls_real *data) {
    GLS_GIVEN(ctx, ctx, arrays, prefix);
    for (int64_t i = 0; i < gls_layout_count(layout); i++) {
        const gls_block *b = gls_layout_block(layout, i);
        char name[sizeof arrays->item->name];
        if (snprintf(name, sizeof name, "%s%s", prefix, b->name) >= (int)sizeof name)
            return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "block '%s': its name is too long for a file of arrays", b->name);
        GLS_TRY(gls_arrays_add(ctx, arrays, name, GLS_DTYPE_REAL, b->dims, b->shape, data + b->offset));
    }
    return GLS_OK;
}

void gls_arrays_optional(gls_arrays *arrays) {
    if (!arrays) return;
    arrays->item[arrays->count - 1].optional = true;
}

void gls_arrays_resizable(gls_arrays *arrays, gls_status (*resize)(void *owner, gls_array *array, const int64_t *shape),
                          void *owner) {
    if (!arrays || !resize) return;
    arrays->item[arrays->count - 1].resize = resize;
    arrays->item[arrays->count - 1].owner = owner;
}

gls_status gls_arrays_add_state(gls_context *ctx, gls_arrays *arrays, const char *prefix, const char *name,
                                gls_dtype dtype, int64_t size, void *data) {
    GLS_GIVEN(ctx, ctx, arrays, prefix, name);
    if (size > 0) GLS_GIVEN(ctx, data);
    char whole[2 * sizeof arrays->item->name]; /* a name cut to this is still too long, and refused */
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    return gls_arrays_add_vector(ctx, arrays, whole, dtype, size, data);
}

void gls_arrays_clear(gls_context *ctx, gls_arrays *arrays) {
    if (!ctx || !arrays) return;
    gls_free(ctx, arrays->item);
    *arrays = (gls_arrays){0};
}
