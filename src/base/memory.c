/* Every block comes from the context's allocator through take(). An allocator wants the size back when a block is
 * released, so the size is kept in front of it. */
#include "base/arith.h"
#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* HEADER bytes in front keep a block aligned to 64. An arena takes ARENA_CHUNK at a time, so that small blocks share
 * one allocation; a larger block gets a chunk of its own. */
enum { HEADER = 64, ARENA_CHUNK = 1 << 20 };

typedef struct header {
    size_t total;
} header;

static header *header_of(void *block) {
    return (header *)((char *)block - HEADER);
}

/* *bytes = count * size; false where that, with the headers around it, overflows. */
static bool checked_product(int64_t count, size_t size, size_t *bytes) {
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, bytes)) return false;
    return *bytes <= (size_t)PTRDIFF_MAX - 2 * HEADER;
}

static void *fail_product(gls_context *ctx, int64_t count, size_t size) {
    gls_fail(ctx, GLS_ERR_MEMORY, "a size overflows: %lld items of %zu bytes", (long long)count, size);
    return NULL;
}

static void *fail_memory(gls_context *ctx, size_t bytes) {
    gls_fail(ctx, GLS_ERR_MEMORY, "out of memory: %zu bytes were asked for", bytes);
    return NULL;
}

/* bytes unzeroed bytes. */
static void *take(gls_context *ctx, size_t bytes) {
    header *h = ctx->allocator.allocate(ctx->allocator.user, bytes + HEADER, 64);
    if (!h) return fail_memory(ctx, bytes);
    h->total = bytes + HEADER;
    return (char *)h + HEADER;
}

void *gls_alloc(gls_context *ctx, int64_t count, size_t size) {
    if (!ctx) return NULL;
    size_t bytes;
    if (!checked_product(count, size, &bytes)) return fail_product(ctx, count, size);
    void *block = take(ctx, bytes);
    if (block && !ctx->allocator.zeroed) memset(block, 0, bytes);
    return block;
}

void *gls_resize(gls_context *ctx, void *block, int64_t count, size_t size) {
    if (!ctx) return NULL;
    if (!block) return gls_alloc(ctx, count, size);
    size_t bytes;
    if (!checked_product(count, size, &bytes)) return fail_product(ctx, count, size);
    size_t before = header_of(block)->total - HEADER;
    char *fresh = take(ctx, bytes);
    if (!fresh) return NULL;
    size_t kept = before < bytes ? before : bytes;
    memcpy(fresh, block, kept);
    if (!ctx->allocator.zeroed) memset(fresh + kept, 0, bytes - kept);
    gls_free(ctx, block);
    return fresh;
}

void gls_free(gls_context *ctx, void *block) {
    if (!block || !ctx) return;
    header *h = header_of(block);
    ctx->allocator.release(ctx->allocator.user, h, h->total);
}

char *gls_strdup(gls_context *ctx, const char *text) {
    if (!ctx || !text) return NULL;
    size_t bytes = strlen(text) + 1;
    char *copy = take(ctx, bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *gls_sprintf(gls_context *ctx, const char *format, ...) {
    if (!ctx || !format) return NULL;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? fail_product(ctx, length, 1) : take(ctx, (size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

/* ---- arena ---- */

typedef struct chunk {
    struct chunk *next;
    size_t room, used; /* of data */
    char *data;
} chunk;

struct gls_arena {
    gls_context *ctx;
    chunk *first, *current;
};

gls_status gls_arena_create(gls_context *ctx, gls_arena **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    gls_arena *arena = gls_alloc(ctx, 1, sizeof *arena);
    if (!arena) return GLS_ERR_MEMORY;
    arena->ctx = ctx;
    *out = arena;
    return GLS_OK;
}

void gls_arena_destroy(gls_arena *arena) {
    if (!arena) return;
    gls_context *ctx = arena->ctx;
    for (chunk *c = arena->first, *next; c; c = next) {
        next = c->next;
        gls_free(ctx, c);
    }
    gls_free(ctx, arena);
}

static chunk *add_chunk(gls_arena *arena, size_t bytes) {
    size_t room = bytes > ARENA_CHUNK ? bytes : ARENA_CHUNK;
    if (room > (size_t)PTRDIFF_MAX - 4 * HEADER) return fail_memory(arena->ctx, room);
    chunk *c = take(arena->ctx, room + HEADER);
    if (!c) return NULL;
    *c = (chunk){.room = room, .data = (char *)c + HEADER};
    if (arena->current) {
        c->next = arena->current->next;
        arena->current->next = c;
    } else {
        c->next = arena->first;
        arena->first = c;
    }
    return c;
}

void *gls_arena_alloc(gls_arena *arena, int64_t count, size_t size) {
    if (!arena) return NULL;
    size_t bytes;
    if (!checked_product(count, size, &bytes)) return fail_product(arena->ctx, count, size);
    bytes = (size_t)gls_align64((int64_t)bytes);
    chunk *c = arena->current;
    while (c && c->room - c->used < bytes) c = c->next;
    if (!c) c = add_chunk(arena, bytes);
    if (!c) return NULL;
    arena->current = c;
    char *block = c->data + c->used;
    c->used += bytes;
#ifdef GLS_POISON
    memset(block, 0xff, bytes); /* NaN in both precisions */
#endif
    return block;
}

void gls_arena_reset(gls_arena *arena) {
    if (!arena) return;
    for (chunk *c = arena->first; c; c = c->next) c->used = 0;
    arena->current = arena->first;
}
