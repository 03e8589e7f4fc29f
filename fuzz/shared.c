/* What the targets share: memory with a limit, files in memory, and what a source that opens must hold. */
#include "shared.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

/* No block over a limit and no more than 512 MiB of them: a parser that trusts a size meets "out of memory", not the
 * machine's end. */
static size_t held;

static void *limited_allocate(void *user, size_t size, size_t alignment) {
    void *block = NULL;
    bool fits = size <= *(const size_t *)user && held + size <= (size_t)512 << 20;
    if (!fits || posix_memalign(&block, alignment, size) != 0) return NULL;
    held += size;
    return block;
}

static void limited_release(void *user, void *block, size_t size) {
    held -= size;
    free(block);
}

static gls_context *context_within(const size_t *block) {
    gls_allocator allocator = {limited_allocate, limited_release, (void *)block};
    gls_context_options options = {.size = sizeof options, .threads = 1, .allocator = &allocator};
    gls_context *ctx;
    if (gls_context_create(&ctx, &options) != GLS_OK) abort();
    return ctx;
}

gls_context *fuzz_context(void) {
    static const size_t block = (size_t)64 << 20;
    return context_within(&block);
}

gls_context *fuzz_picture_context(void) {
    static const size_t block = (size_t)1 << 20;
    return context_within(&block);
}

fuzz_memory fuzz_file(const void *data, size_t size) {
    fuzz_memory file = {.fd = memfd_create("fuzz", 0)};
    if (file.fd < 0 || (size && write(file.fd, data, size) != (ssize_t)size)) abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

fuzz_memory fuzz_tensors(const uint8_t *data, size_t size) {
    const uint8_t *line = size && data[0] == '{' ? memchr(data, '\n', size) : NULL;
    if (!line) return fuzz_file(data, size);
    uint64_t header = (uint64_t)(line - data);
    size_t rest = size - (size_t)header - 1;
    uint8_t *whole = malloc(8 + size);
    if (!whole) abort();
    memcpy(whole, &header, 8);
    memcpy(whole + 8, data, (size_t)header);
    memcpy(whole + 8 + header, line + 1, rest);
    fuzz_memory file = fuzz_file(whole, 8 + (size_t)header + rest);
    free(whole);
    return file;
}

uint8_t *fuzz_png_checksums(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size + 1);
    if (!copy) abort();
    memcpy(copy, data, size);
    for (size_t at = 8; at + 12 <= size;) {
        size_t length = (size_t)copy[at] << 24 | (size_t)copy[at + 1] << 16 | (size_t)copy[at + 2] << 8 | copy[at + 3];
        if (length > size - at - 12) break;
        uint32_t sum = (uint32_t)crc32_z(0, copy + at + 4, length + 4);
        for (int k = 0; k < 4; k++) copy[at + 8 + length + (size_t)k] = (uint8_t)(sum >> (24 - 8 * k));
        at += length + 12;
    }
    return copy;
}

void fuzz_check_rows(gls_context *ctx, const gls_source *source) {
    const gls_data_info *info = &source->info;
    int64_t values = info->examples * (info->sparse ? 1 : info->features + info->length);
    if (values > 1 << 20) return;
    gls_rows *rows;
    if (gls_rows_create(ctx, info, 1, &rows) != GLS_OK) return;
    for (int64_t i = 0; i < info->examples; i++) {
        gls_fetch fetch = {.count = 1, .index = &i};
        gls_batch b;
        if (gls_source_fetch(source, ctx, &fetch, rows, &b) != GLS_OK) abort();
        for (int64_t j = 0; b.x && j < info->features; j++)
            if (!isfinite(b.x[j])) abort();
        for (int64_t k = 0; b.row && k < b.row[1]; k++)
            if (!isfinite(b.value[k]) || b.column[k] < 0 || b.column[k] >= info->features) abort();
        for (int64_t t = 0; b.token && t < info->length; t++)
            if (b.token[t] < 0 || b.token[t] >= info->vocabulary ||
                (gls_target_by_position(b.target) && b.label[t] >= info->vocabulary))
                abort();
        for (int64_t t = 0; b.label && !b.token && gls_target_by_position(info->target) && t < info->length; t++)
            if (b.label[t] >= info->classes) abort();
        if (b.target == GLS_TARGET_SPAN && (b.label[0] < 0 || b.label[1] < b.label[0] || b.label[1] >= info->length))
            abort();
        if (info->target == GLS_TARGET_CLASS && (b.label[0] < 0 || b.label[0] >= info->classes)) abort();
    }
    gls_rows_destroy(rows);
}
