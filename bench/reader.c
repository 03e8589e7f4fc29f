/* A file read: for every line on standard input, the seconds of opening it, the bytes that stay and the most that were
 * taken meanwhile. Usage: reader FILE THREADS FORMAT [TARGET]. bench/csv_pandas.py runs it beside pandas,
 * bench/libsvm_sklearn.py beside scikit-learn. */
#include <glissade/glissade.h>

#include <stdio.h>
#include <stdlib.h>

#include "timing.h"

typedef struct counted {
    int64_t bytes, most;
} counted;

static void *take(void *user, size_t size, size_t alignment) {
    counted *c = user;
    void *block = NULL;
    if (posix_memalign(&block, alignment, size) != 0) return NULL;
    int64_t bytes = __atomic_add_fetch(&c->bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    if (bytes > c->most) c->most = bytes;
    return block;
}

static void give(void *user, void *block, size_t size) {
    __atomic_sub_fetch(&((counted *)user)->bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    free(block);
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    counted memory = {0};
    gls_allocator allocator = {take, give, &memory};
    gls_context *ctx;
    gls_context_options options = {.size = sizeof options, .threads = atoi(argv[2]), .allocator = &allocator};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (argc > 4) need(ctx, gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, "target", argv[4])));
    for (int c; (c = getchar()) != EOF;) {
        if (c != '\n') continue;
        gls_source *rows;
        int64_t before = memory.most = memory.bytes;
        double start = now();
        need(ctx, gls_source_open(ctx, argv[3], argv[1], map, NULL, GLS_PART_TRAIN, NULL, &rows));
        printf("%.9g %lld %lld\n", now() - start, (long long)(memory.bytes - before),
               (long long)(memory.most - before));
        fflush(stdout);
        gls_source_destroy(rows);
    }
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
    return 0;
}
