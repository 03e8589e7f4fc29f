/* Shared by this room's tests: a context with its last message, folders that vanish, configurations from text. */
#ifndef TEST_RUN_SUPPORT_H
#define TEST_RUN_SUPPORT_H

#include "base/support.h"

#include <ftw.h>
#include <math.h>

#include <glissade/run.h>

static inline gls_context *make_context(uint64_t seed, int threads) {
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = seed};
    gls_context *ctx = NULL;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

static inline int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static inline void remove_tree(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A fresh folder, to be removed by remove_tree; in memory where there is room for files, as every write is synced. */
static inline char *fresh_folder(char path[64]) {
    snprintf(path, 64, "%s/glissade-test-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline gls_value *config_from(gls_context *ctx, const char *text) {
    gls_value *config = NULL;
    gls_status status = gls_config_parse(ctx, "test.yaml", text, (int64_t)strlen(text), &config);
    if (status != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    return config;
}

#define assert_ok(ctx, call)                                                                 \
    do {                                                                                     \
        gls_status assert_ok_status = (call);                                                \
        if (assert_ok_status != GLS_OK) fail_msg("%s: %s", #call, gls_context_message(ctx)); \
    } while (0)

#endif
