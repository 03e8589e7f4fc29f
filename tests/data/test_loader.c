/* The loader: the same bits whatever the workers, waves, order of reading. */
#include "support.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCHES = 12, SIZE = 50 };

static uint64_t mixed(uint64_t hash, const void *data, size_t size) {
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++) hash = (hash ^ p[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash_rows(uint64_t hash, const gls_batch *b) {
    for (int64_t i = 0; i < b->rows; i++) {
        if (b->x) hash = mixed(hash, b->x + i * b->features, (size_t)b->features * sizeof *b->x);
        if (b->row) {
            size_t n = (size_t)(b->row[i + 1] - b->row[i]);
            hash = mixed(hash, b->column + b->row[i], n * sizeof *b->column);
            hash = mixed(hash, b->value + b->row[i], n * sizeof *b->value);
        }
        if (b->token) hash = mixed(hash, b->token + i * b->length, (size_t)b->length * sizeof *b->token);
        if (b->mass) hash = mixed(hash, &b->mass[i], sizeof *b->mass);
        int64_t labels = gls_batch_labels(b);
        if (b->label) hash = mixed(hash, b->label + i * labels, (size_t)labels * sizeof *b->label);
        hash = mixed(hash, &b->index[i], sizeof *b->index);
        hash = mixed(hash, &b->slot[i], sizeof *b->slot);
        if (b->key) hash = mixed(hash, &b->key[i], sizeof *b->key);
        hash = mixed(hash, &b->draw, sizeof b->draw);
    }
    return hash;
}

/* Reads BATCHES mini-batches, `ahead` of them announced; piece is what get asks for at a time. */
static uint64_t read_all(gls_context *ctx, const gls_source *source, int workers, int64_t wave, int64_t piece,
                         int ahead, const char *key) {
    gls_loader_options o = {sizeof o,  .workers = workers, .wave = wave,     .align = 1,
                            .seed = 3, .augment = true,    .key_column = key};
    gls_loader *loader;
    if (gls_loader_create(ctx, source, &o, &loader) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    int64_t index[SIZE];
    uint64_t hash = 1469598103934665603u;
    for (int k = 0; k < BATCHES + ahead; k++) {
        if (k < BATCHES) {
            for (int64_t i = 0; i < SIZE; i++) index[i] = (k * 37 + i * 11) % source->info.examples;
            assert_int_equal(gls_loader_push(loader, index, k % 5 == 4 ? SIZE - 13 : SIZE, (uint64_t)k), GLS_OK);
        }
        if (k < ahead) continue;
        gls_stream *stream;
        assert_int_equal(gls_loader_front(loader, &stream), GLS_OK);
        for (int64_t begin = 0; begin < stream->rows; begin += piece) {
            gls_batch batch;
            int64_t count = stream->rows - begin < piece ? stream->rows - begin : piece;
            if (stream->ops->get(stream, begin, count, &batch) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
            assert_int_equal(batch.rows, count);
            hash = hash_rows(hash, &batch);
        }
        gls_loader_pop(loader);
    }
    gls_loader_destroy(loader);
    return hash;
}

/* Dense augmented images, sparse rows and tokens: 0 to 3 workers, several waves and pieces, one to three batches ahead.
 */
static void bits_do_not_depend_on_workers(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    int32_t token[300 * 7], next[300 * 7];
    for (int32_t t = 0; t < 300 * 7; t++) {
        token[t] = t * 31 % 50;
        next[t] = t % 13 ? t * 17 % 50 : -1;
    }
    gls_data_info rows = {.examples = 300, .length = 7, .vocabulary = 50, .target = GLS_TARGET_TOKENS};
    gls_source *source[3] = {transformed(ctx, open_ok(ctx, "glyphs", NULL, "{train_size: 300}"),
                                         "[{label_noise: 0.2}, standardize, {pad_crop: 3}, flip]", 4, NULL),
                             open_ok(ctx, "sparse", NULL, "{train_size: 300, target: classes}")};
    assert_int_equal(gls_source_from_tokens(ctx, token, next, &rows, &source[2]), GLS_OK);
    for (int s = 0; s < 3; s++) {
        const char *key = s ? NULL : "label_noise";
        uint64_t expected = read_all(ctx, source[s], 0, SIZE, SIZE, 1, key);
        for (int workers = 0; workers <= 3; workers++)
            for (int64_t wave = 7; wave <= 64; wave += 19)
                for (int64_t piece = 5; piece <= 50; piece += 15)
                    assert_true(read_all(ctx, source[s], workers, wave, piece, 1 + workers, key) == expected);
        gls_source_destroy(source[s]);
    }
    counting_end(&c, ctx);
}

/* Rows asked for again, backwards, or skipped over come out the same; a batch may be dropped unread. */
static void rows_in_any_order(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "gaussians", NULL, "{train_size: 100, features: 3}");
    gls_rows *rows;
    gls_batch all = whole(ctx, source, &rows), batch;
    gls_loader_options o = {sizeof o, .workers = 2, .wave = 10, .align = 1};
    gls_loader *loader;
    int64_t index[60];
    for (int64_t i = 0; i < 60; i++) index[i] = 99 - i;
    assert_int_equal(gls_loader_create(ctx, source, &o, &loader), GLS_OK);
    for (int k = 0; k < 6; k++) assert_int_equal(gls_loader_push(loader, index, 60, (uint64_t)k), GLS_OK);
    const int64_t begin[] = {40, 0, 40, 50, 3, 10, 0}, count[] = {10, 10, 10, 10, 57, 3, 0};
    for (int k = 0; k < 6; k++) {
        gls_stream *stream;
        assert_int_equal(gls_loader_front(loader, &stream), GLS_OK);
        for (int g = 0; k % 2 == 0 && g < 7; g++) {
            assert_int_equal(stream->ops->get(stream, begin[g], count[g], &batch), GLS_OK);
            assert_int_equal(batch.rows, count[g]);
            for (int64_t i = 0; i < count[g]; i++)
                assert_memory_equal(batch.x + 3 * i, all.x + 3 * index[begin[g] + i], 3 * sizeof *all.x);
        }
        assert_int_equal(stream->ops->get(stream, 55, 6, &batch), GLS_ERR_ARGUMENT);
        gls_loader_pop(loader);
    }
    gls_stream *none;
    assert_int_equal(gls_loader_front(loader, &none), GLS_ERR_ARGUMENT);
    gls_loader_destroy(loader);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* A worker's error reaches the reader with its message; the loader still ends. */
static void errors_cross_threads(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "gaussians", NULL, "{train_size: 10, features: 3}");
    for (int workers = 0; workers < 3; workers++) {
        gls_loader_options o = {sizeof o, .workers = workers, .wave = 2, .align = 1};
        gls_loader *loader;
        gls_stream *stream;
        gls_batch batch;
        int64_t index[] = {0, 1, 10, 2, 3, 4};
        assert_int_equal(gls_loader_create(ctx, source, &o, &loader), GLS_OK);
        assert_int_equal(gls_loader_push(loader, index, 6, 0), GLS_OK);
        assert_int_equal(gls_loader_front(loader, &stream), GLS_OK);
        assert_int_equal(stream->ops->get(stream, 0, 2, &batch), GLS_OK);
        assert_int_equal(stream->ops->get(stream, 2, 2, &batch), GLS_ERR_ARGUMENT);
        assert_says(ctx, "example 10");
        assert_int_equal(stream->ops->get(stream, 4, 2, &batch), GLS_OK);
        gls_loader_destroy(loader);
        o.key_column = "user";
        assert_int_equal(gls_loader_create(ctx, source, &o, &loader), GLS_ERR_ARGUMENT);
        assert_says(ctx, "user");
    }
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* In a forked process, where its threads are not, a loader refuses in a sentence and can be destroyed; one without
 * threads goes on. */
static int in_child(gls_context *ctx, gls_loader *loader, bool threads) {
    static const int64_t next[] = {3, 2, 1, 0};
    gls_stream *stream;
    gls_batch batch;
    alarm(60);
    gls_status pushed = gls_loader_push(loader, next, 4, 1);
    bool said = strstr(gls_context_message(ctx), "fork") != NULL;
    if (gls_loader_front(loader, &stream) != GLS_OK) return 1;
    gls_status got = stream->ops->get(stream, 0, 4, &batch);
    gls_loader_pop(loader);
    gls_loader_destroy(loader);
    if (threads) return !(pushed == GLS_ERR_UNSUPPORTED && got == GLS_ERR_UNSUPPORTED && said);
    return !(pushed == GLS_OK && got == GLS_OK && batch.rows == 4);
}

static void forked_processes_refuse_what_needs_threads(void **state) {
    (void)state;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const gls_real x[4] = {1, 2, 3, 4};
    const int32_t label[4] = {0, 1, 0, 1};
    gls_data_info info = {
        .examples = 4, .features = 1, .dims = 1, .shape = {1}, .target = GLS_TARGET_CLASS, .classes = 2};
    gls_source *source = NULL;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &source), GLS_OK);
    for (int workers = 0; workers < 3; workers++) {
        static const int64_t index[] = {0, 1, 2, 3};
        gls_loader_options o = {sizeof o, .workers = workers, .wave = 4, .align = 1};
        gls_loader *loader = NULL;
        int status;
        assert_int_equal(gls_loader_create(ctx, source, &o, &loader), GLS_OK);
        assert_int_equal(gls_loader_push(loader, index, 4, 0), GLS_OK);
        pid_t child = fork();
        if (child == 0) _exit(in_child(ctx, loader, workers > 0));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        gls_loader_destroy(loader);
    }
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

/* Tells what it was told. */
typedef struct listener {
    gls_source base;
    const gls_source *rows;
    atomic_int soon[100], later[100];
    atomic_long told;
} listener;

static gls_status fetch_listener(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_source *inner = ((const listener *)source)->rows;
    return inner->ops->fetch(inner, ctx, fetch, rows);
}

static void expect_listener(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    listener *l = (listener *)source;
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(soon ? &l->soon[i] : &l->later[i], 1);
    atomic_fetch_add(&l->told, end - begin);
}

static void one_epoch(gls_context *ctx, gls_sampler *sampler, gls_loader *loader) {
    int64_t index[8], count;
    uint64_t draw;
    for (int64_t at = 0; at < 100; at += count) {
        gls_stream *stream;
        gls_batch batch;
        assert_int_equal(gls_sampler_next(sampler, 8, index, &count, &draw), GLS_OK);
        assert_int_equal(gls_loader_push(loader, index, count, draw), GLS_OK);
        assert_int_equal(gls_loader_front(loader, &stream), GLS_OK);
        if (stream->ops->get(stream, 0, count, &batch) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
        gls_loader_pop(loader);
    }
}

/* 100 examples in blocks of 5, of which 4 are mixed: in an epoch each is announced once, and given back but for those
 * of the last two windows, by whichever thread. */
static void blocks_are_announced(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = open_ok(ctx, "gaussians", NULL, "{train_size: 100, features: 3}");
    static const gls_source_ops ops = {.fetch = fetch_listener, .expect = expect_listener};
    for (int workers = 0; workers < 3; workers++) {
        listener l = {.base = {.ops = &ops, .info = source->info}, .rows = source};
        gls_loader_options loading = {sizeof loading, .workers = workers, .wave = 8, .align = 1};
        gls_loader *loader;
        assert_int_equal(gls_loader_create(ctx, &l.base, &loading, &loader), GLS_OK);
        gls_sampler_options sampling = {.size = sizeof sampling,
                                        .examples = 100,
                                        .shuffle = true,
                                        .seed = 3,
                                        .stretch = 5,
                                        .mixed = 4,
                                        .loader = loader};
        gls_sampler *sampler;
        assert_int_equal(gls_sampler_create(ctx, &sampling, &sampler), GLS_OK);
        one_epoch(ctx, sampler, loader);
        for (int wait = 0; wait < 500 && atomic_load(&l.told) < 160; wait++) usleep(10000);
        int given_back = 0;
        for (int i = 0; i < 100; i++) {
            assert_int_equal(atomic_load(&l.soon[i]), 1);
            given_back += atomic_load(&l.later[i]);
        }
        assert_int_equal(given_back, 60);
        gls_sampler_destroy(sampler);
        gls_loader_destroy(loader);
    }
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(bits_do_not_depend_on_workers), cmocka_unit_test(rows_in_any_order),
        cmocka_unit_test(errors_cross_threads),          cmocka_unit_test(forked_processes_refuse_what_needs_threads),
        cmocka_unit_test(blocks_are_announced),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
