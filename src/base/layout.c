/* Layouts: named blocks of a flat vector, each beginning where the one before ends. */
#include <glissade/base.h>

#include <string.h>

#include "base/printout.h"

struct gls_layout {
    gls_context *ctx;
    int64_t size, count, capacity;
    gls_block **block; /* allocated one by one, so that borrowed blocks keep their addresses */
};

gls_status gls_layout_create(gls_context *ctx, gls_layout **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = gls_alloc(ctx, 1, sizeof **out);
    if (!*out) return GLS_ERR_MEMORY;
    (*out)->ctx = ctx;
    return GLS_OK;
}

void gls_layout_destroy(gls_layout *layout) {
    if (!layout) return;
    for (int64_t i = 0; i < layout->count; i++) gls_free(layout->ctx, layout->block[i]);
    gls_free(layout->ctx, layout->block);
    gls_free(layout->ctx, layout);
}

static gls_status extent(gls_context *ctx, const char *name, int dims, const int64_t *shape, int64_t *size) {
    if (dims < 0 || dims > GLS_MAX_DIMS)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "block '%s': expected 0 to %d dimensions, found %d", name, GLS_MAX_DIMS,
                        dims);
    *size = 1;
    for (int i = 0; i < dims; i++) {
        if (shape[i] < 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "block '%s': extent %d is negative: %lld", name, i,
                            (long long)shape[i]);
        if (__builtin_mul_overflow(*size, shape[i], size))
            return gls_fail(ctx, GLS_ERR_MEMORY, "block '%s': its size overflows", name);
    }
    return GLS_OK;
}

gls_status gls_layout_add(gls_layout *layout, const char *name, int dims, const int64_t *shape, unsigned flags) {
    GLS_GIVEN(layout ? layout->ctx : NULL, layout, name);
    if (dims > 0) GLS_GIVEN(layout ? layout->ctx : NULL, shape);
    gls_context *ctx = layout->ctx;
    int64_t size = 0, end;
    GLS_TRY(extent(ctx, name, dims, shape, &size));
    if (gls_layout_find(layout, name)) return gls_fail(ctx, GLS_ERR_ARGUMENT, "block '%s' exists already", name);
    if (__builtin_add_overflow(layout->size, size, &end) || end > INT64_MAX / (int64_t)sizeof(double))
        return gls_fail(ctx, GLS_ERR_MEMORY, "block '%s': the size of the layout overflows", name);
    if (layout->count == layout->capacity) {
        int64_t capacity = layout->capacity ? 2 * layout->capacity : 16;
        gls_block **grown = gls_resize(ctx, layout->block, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        layout->block = grown;
        layout->capacity = capacity;
    }
    /* The name is stored behind its block. */
    size_t bytes = strlen(name) + 1;
    gls_block *block = gls_alloc(ctx, 1, sizeof *block + bytes);
    if (!block) return GLS_ERR_MEMORY;
    block->name = memcpy(block + 1, name, bytes);
    block->offset = layout->size;
    block->size = size;
    block->dims = dims;
    for (int i = 0; i < dims; i++) block->shape[i] = shape[i];
    block->flags = flags;
    layout->block[layout->count++] = block;
    layout->size = end;
    return GLS_OK;
}

int64_t gls_layout_size(const gls_layout *layout) {
    if (!layout) return 0;
    return layout->size;
}
int64_t gls_layout_count(const gls_layout *layout) {
    if (!layout) return 0;
    return layout->count;
}

const gls_block *gls_layout_block(const gls_layout *layout, int64_t i) {
    if (!layout) return NULL;
    return i >= 0 && i < layout->count ? layout->block[i] : NULL;
}

const gls_block *gls_layout_find(const gls_layout *layout, const char *name) {
    if (!layout || !name) return NULL;
    for (int64_t i = 0; i < layout->count; i++)
        if (strcmp(layout->block[i]->name, name) == 0) return layout->block[i];
    return NULL;
}

char *gls_layout_view(const gls_layout *layout) {
    if (!layout) return NULL;
    gls_printout lines = {.ctx = layout->ctx};
    gls_printout_add(&lines, "%lld values in %lld block%s\n", (long long)layout->size, (long long)layout->count,
                     layout->count == 1 ? "" : "s");
    for (int64_t i = 0; i < layout->count; i++) {
        const gls_block *b = layout->block[i];
        gls_printout_add(&lines, "  %-32s %12lld  ", b->name, (long long)b->size);
        gls_printout_add_shape(&lines, b->dims, b->shape);
        gls_printout_add(&lines, "%s%s%s\n", b->flags & GLS_BLOCK_NO_DECAY ? "  no weight decay" : "",
                         b->flags & GLS_BLOCK_TILED ? "  tiled" : "", b->flags & GLS_BLOCK_BY_SLOT ? "  by slot" : "");
    }
    return gls_printout_end(&lines);
}
