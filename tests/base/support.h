/* What several tests of base/ share: a context over an allocator that counts, and fails on demand. */
#ifndef TESTS_BASE_SUPPORT_H
#define TESTS_BASE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glissade/options.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct counting {
    int64_t live, bytes; /* blocks and bytes not yet released */
    int64_t left;        /* allocations still granted; negative: all */
    bool once;           /* after the first refusal all are granted again */
    int64_t refused;
} counting;

static inline void *counting_allocate(void *user, size_t size, size_t alignment) {
    counting *c = user;
    if (__atomic_load_n(&c->left, __ATOMIC_SEQ_CST) >= 0 && __atomic_fetch_sub(&c->left, 1, __ATOMIC_SEQ_CST) <= 0) {
        c->left = c->once ? -1 : 0;
        __atomic_add_fetch(&c->refused, 1, __ATOMIC_SEQ_CST);
        return NULL;
    }
    void *block = NULL;
    if (size > ((size_t)1 << 40) || posix_memalign(&block, alignment, size)) return NULL;
    memset(block, 0xa5, size);
    __atomic_add_fetch(&c->live, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&c->bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    return block;
}

static inline void counting_release(void *user, void *block, size_t size) {
    counting *c = user;
    __atomic_sub_fetch(&c->live, 1, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&c->bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    free(block);
}

static inline gls_context *counting_context(counting *c, int threads) {
    *c = (counting){.left = -1};
    gls_allocator allocator = {counting_allocate, counting_release, c};
    gls_context_options options = {sizeof options, .threads = threads, .seed = 7, .allocator = &allocator};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

/* Everything was given back. */
static inline void counting_end(counting *c, gls_context *ctx) {
    gls_context_destroy(ctx);
    assert_int_equal(c->live, 0);
    assert_int_equal(c->bytes, 0);
}

/* Calls attempt with 0, 1, 2, ... allocations granted, each time in a context of its own, until it succeeds: each time
 * before it must say out of memory, and afterwards nothing is held but what goes with the context (names of files).
 * attempt frees what it made. */
static inline void fail_each_allocation(gls_status (*attempt)(gls_context *ctx)) {
    for (int64_t granted = 0; granted < 1000; granted++) {
        counting c;
        gls_context *ctx = counting_context(&c, 1);
        c.left = granted;
        gls_status status = attempt(ctx);
        c.left = -1;
        if (status != GLS_OK) assert_string_not_equal(gls_context_message(ctx), "");
        counting_end(&c, ctx);
        if (status == GLS_OK) {
            assert_true(granted > 0);
            return;
        }
        assert_int_equal(status, GLS_ERR_MEMORY);
    }
    fail_msg("never succeeded");
}

static inline void assert_says(const gls_context *ctx, const char *part) {
    if (!strstr(gls_context_message(ctx), part))
        fail_msg("expected a message with \"%s\", found \"%s\"", part, gls_context_message(ctx));
}

/* A fresh directory of this test's own. */
static inline char *scratch_directory(void) {
    const char *base = getenv("TMPDIR");
    static char path[512];
    snprintf(path, sizeof path, "%s/glissade-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void write_bytes(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

#endif
