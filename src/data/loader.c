/* Mini-batches of a source, cut into waves that workers fetch ahead into a bounded ring.
 *
 * Waves are numbered in the order in which they will be read; wave j lives in cell j % cells. A worker may fill wave j
 * once the reader has left wave j - cells. The reader's place only grows; rows that are asked for a second time, or
 * that cross waves, are fetched on demand into the reader's own rows. */
#include <glissade/comm.h>
#include <glissade/data.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/parallel.h"
#include "base/sort.h"
#include "data/loader.h"
#include "data/source.h"

typedef struct mini_batch {
    struct mini_batch *next;
    int64_t *index, rows; /* this rank's examples; index NULL: first, first + 1, ... */
    int64_t room;         /* of index */
    int64_t *slot;        /* of each; NULL: first, first + 1, ... */
    int64_t first, global_rows;
    uint64_t draw;
    int64_t begin_wave, end_wave;
} mini_batch;

typedef struct cell {
    gls_context *ctx; /* a worker's errors end here */
    gls_rows *rows;
    gls_batch batch;
    int64_t wave; /* the wave it holds or is being filled with, or -1 */
    bool ready;
    gls_status status;
} cell;

enum { MOST_EXPECTED = 256 };

typedef struct expected {
    int64_t begin, end;
    bool soon;
} expected;

struct gls_loader {
    gls_stream stream; /* of the front mini-batch */
    gls_context *ctx;
    const gls_source *source;
    gls_loader_options options;
    const int64_t *key;
    mini_batch *front, *back;
    mini_batch *spare; /* of one that is over, for the next; NULL: none */
    int64_t pushed;    /* waves announced */
    cell own;          /* the reader's: waves on demand */

    pid_t process; /* in which the threads are */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t *thread;
    int threads;
    cell *cells;
    int64_t cell_count;
    int64_t taken;   /* waves given to workers */
    int64_t reading; /* waves before this one are over */
    expected expected[MOST_EXPECTED];
    int64_t told, passed_on; /* number k is in place k % MOST_EXPECTED */
    bool stop;
};

/* A process that was forked has none of the threads, and their lock as it happened to be. */
static bool threads_left(const gls_loader *loader) {
    return loader->threads && loader->process != gls_context_process(loader->ctx);
}

static gls_status refuse_forked(const gls_loader *loader) {
    if (!threads_left(loader)) return GLS_OK;
    return gls_fail(
        loader->ctx, GLS_ERR_UNSUPPORTED,
        "loader: the threads that fetch ahead stayed in the process that forked this one: make the loader, or "
        "the run, in this process, or make it without such threads (train.workers: 0)");
}

/* Without threads nobody else looks. */
static void lock_list(gls_loader *loader) {
    if (loader->threads) pthread_mutex_lock(&loader->lock);
}

static void unlock_list(gls_loader *loader) {
    if (loader->threads) pthread_mutex_unlock(&loader->lock);
}

/* Makes room for `rows` rows in a cell. */
static gls_status cell_room(gls_loader *loader, cell *c, int64_t rows) {
    if (c->rows && c->rows->capacity >= rows) return GLS_OK;
    gls_rows_destroy(c->rows);
    c->rows = NULL;
    return gls_rows_create(c->ctx, &loader->source->info, rows, &c->rows);
}

static gls_status fill(gls_loader *loader, cell *c, const mini_batch *mini, int64_t begin, int64_t count) {
    GLS_TRY(cell_room(loader, c, count));
    for (int64_t i = 0; i < count; i++) {
        c->rows->slot[i] = mini->slot ? mini->slot[begin + i] : mini->first + begin + i;
        c->rows->index[i] = mini->index ? mini->index[begin + i] : mini->first + begin + i;
    }
    gls_fetch fetch = {.count = count,
                       .index = c->rows->index,
                       .slot = c->rows->slot,
                       .draw = mini->draw,
                       .seed = loader->options.seed,
                       .augment = loader->options.augment};
    GLS_TRY(gls_source_fetch(loader->source, c->ctx, &fetch, c->rows, &c->batch));
    if (loader->key) {
        for (int64_t i = 0; i < count; i++) c->rows->key[i] = loader->key[c->rows->index[i]];
        c->batch.key = c->rows->key;
    }
    return GLS_OK;
}

static int64_t wave_rows(const gls_loader *loader, const mini_batch *mini, int64_t begin) {
    int64_t left = mini->rows - begin;
    return gls_least(left, loader->options.wave);
}

/* With the lock, which is free meanwhile. */
static void pass_on(gls_loader *loader) {
    expected e = loader->expected[loader->passed_on++ % MOST_EXPECTED];
    pthread_mutex_unlock(&loader->lock);
    gls_source_expect(loader->source, e.begin, e.end, e.soon);
    pthread_mutex_lock(&loader->lock);
}

/* The same with a wave that was announced and whose cell is free. Its mini-batch stays in the list, since
 * gls_loader_pop waits for all of its waves. */
static void fetch_wave(gls_loader *loader) {
    int64_t wave = loader->taken++;
    const mini_batch *mini = loader->front;
    while (wave >= mini->end_wave) mini = mini->next;
    cell *c = &loader->cells[wave % loader->cell_count];
    c->wave = wave;
    c->ready = false;
    pthread_mutex_unlock(&loader->lock);
    int64_t begin = (wave - mini->begin_wave) * loader->options.wave;
    gls_status status = fill(loader, c, mini, begin, wave_rows(loader, mini, begin));
    pthread_mutex_lock(&loader->lock);
    c->status = status;
    c->ready = true;
    pthread_cond_broadcast(&loader->done);
}

/* Between two waves one expectation is passed on, all of them where no wave waits. */
static void *worker(void *user) {
    gls_loader *loader = user;
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop) {
        bool wave = loader->taken < loader->pushed && loader->taken < loader->reading + loader->cell_count;
        if (wave) fetch_wave(loader);
        if (loader->passed_on < loader->told)
            pass_on(loader);
        else if (!wave)
            pthread_cond_wait(&loader->work, &loader->lock);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* The wave fetched ahead, once it is ready. Waves that the reader skipped are waited for, so that no worker still
 * writes into a cell that a later wave needs. */
static gls_status read_ahead(gls_loader *loader, int64_t wave, cell **out) {
    pthread_mutex_lock(&loader->lock);
    cell *c = &loader->cells[wave % loader->cell_count];
    while (loader->reading < wave) {
        cell *passed = &loader->cells[loader->reading % loader->cell_count];
        while (passed->wave != loader->reading || !passed->ready) pthread_cond_wait(&loader->done, &loader->lock);
        loader->reading++;
        pthread_cond_broadcast(&loader->work);
    }
    while (c->wave != wave || !c->ready) pthread_cond_wait(&loader->done, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
    *out = c;
    if (c->status != GLS_OK) return gls_fail(loader->ctx, c->status, "%s", gls_context_message(c->ctx));
    return GLS_OK;
}

static gls_status get_rows(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    gls_loader *loader = (gls_loader *)stream;
    const mini_batch *mini = loader->front;
    if (begin < 0 || count < 0 || begin > mini->rows - count)
        return gls_fail(loader->ctx, GLS_ERR_ARGUMENT, "rows %lld to %lld of a mini-batch share of %lld",
                        (long long)begin, (long long)(begin + count), (long long)mini->rows);
    GLS_TRY(refuse_forked(loader));
    if (loader->threads && count > 0) {
        int64_t wave = mini->begin_wave + begin / loader->options.wave, offset = begin % loader->options.wave;
        if (wave >= loader->reading && offset + count <= wave_rows(loader, mini, begin - offset)) {
            cell *c;
            GLS_TRY(read_ahead(loader, wave, &c));
            *out = gls_batch_view(&c->batch, offset, count);
            return GLS_OK;
        }
    }
    GLS_TRY(fill(loader, &loader->own, mini, begin, count));
    *out = loader->own.batch;
    return GLS_OK;
}

static const gls_stream_ops loader_ops = {get_rows};

static gls_status start_workers(gls_loader *loader) {
    int workers = loader->options.workers;
    loader->cell_count = workers + 2; /* one for each worker, the one being read, and the next one ready */
    loader->cells = gls_alloc(loader->ctx, loader->cell_count, sizeof *loader->cells);
    loader->thread = gls_alloc(loader->ctx, workers, sizeof *loader->thread);
    if (!loader->cells || !loader->thread) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < loader->cell_count; i++) {
        loader->cells[i].wave = -1;
        GLS_TRY(gls_context_create_child(loader->ctx, &loader->cells[i].ctx));
    }
    for (; loader->threads < workers; loader->threads++)
        if (pthread_create(&loader->thread[loader->threads], NULL, worker, loader) != 0)
            return gls_fail(loader->ctx, GLS_ERR_MEMORY, "loader: cannot start worker %d", loader->threads);
    return GLS_OK;
}

/* Without workers nothing is fetched ahead, and the same rows come on demand. */
gls_status gls_loader_create(gls_context *ctx, const gls_source *source, const gls_loader_options *options,
                             gls_loader **out) {
    GLS_GIVEN(ctx, ctx, source, options, out);
    *out = NULL;
    if (options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "loader: options of %zu bytes, expected %zu", options->size,
                        sizeof *options);
    if (options->wave < 1 || options->workers < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "loader: wave %lld, workers %d", (long long)options->wave,
                        options->workers);
    const int64_t *key = options->key_column ? gls_source_column(source, options->key_column) : NULL;
    if (options->key_column && !key)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "loader: the data have no column '%s'", options->key_column);
    gls_loader *loader = gls_alloc(ctx, 1, sizeof *loader);
    if (!loader) return GLS_ERR_MEMORY;
    loader->ctx = loader->own.ctx = ctx;
    loader->source = source;
    loader->options = *options;
    loader->process = gls_context_process(loader->ctx);
    loader->key = key;
    loader->stream.ops = &loader_ops;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->done, NULL);
    gls_status status = options->workers ? start_workers(loader) : GLS_OK;
    if (status != GLS_OK) {
        gls_loader_destroy(loader);
        return status;
    }
    *out = loader;
    return GLS_OK;
}

static void free_mini_batch(gls_loader *loader, mini_batch *mini) {
    if (!mini) return;
    gls_free(loader->ctx, mini->index);
    gls_free(loader->ctx, mini->slot);
    gls_free(loader->ctx, mini);
}

/* The spare one is touched by the reader alone, who pushes and pops. */
static void retire_front(gls_loader *loader) {
    mini_batch *mini = loader->front;
    loader->front = mini->next;
    if (!loader->front) loader->back = NULL;
    free_mini_batch(loader, loader->spare);
    loader->spare = mini;
}

static mini_batch *take_mini_batch(gls_loader *loader) {
    mini_batch *mini = loader->spare;
    loader->spare = NULL;
    if (!mini) return gls_alloc(loader->ctx, 1, sizeof *mini);
    gls_free(loader->ctx, mini->slot);
    *mini = (mini_batch){.index = mini->index, .room = mini->room};
    return mini;
}

static gls_status index_room(const gls_loader *loader, mini_batch *mini) {
    if (mini->index && mini->rows <= mini->room) return GLS_OK;
    gls_free(loader->ctx, mini->index);
    mini->index = gls_alloc(loader->ctx, mini->rows, sizeof *mini->index);
    mini->room = mini->index ? mini->rows : 0;
    return mini->index ? GLS_OK : GLS_ERR_MEMORY;
}

/* Workers stop after the wave they are filling; only then can its memory be freed. */
static void stop_threads(gls_loader *loader) {
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->threads; i++) pthread_join(loader->thread[i], NULL);
    pthread_cond_destroy(&loader->done);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
}

void gls_loader_destroy(gls_loader *loader) {
    if (!loader) return;
    if (!threads_left(loader)) stop_threads(loader);
    for (int64_t i = 0; loader->cells && i < loader->cell_count; i++) {
        gls_rows_destroy(loader->cells[i].rows);
        gls_context_destroy(loader->cells[i].ctx);
    }
    gls_rows_destroy(loader->own.rows);
    while (loader->front) retire_front(loader);
    free_mini_batch(loader, loader->spare);
    gls_free(loader->ctx, loader->cells);
    gls_free(loader->ctx, loader->thread);
    gls_free(loader->ctx, loader);
}

typedef struct keyed {
    int64_t key, slot;
} keyed;

/* Where rank number `rank` begins in rows sorted by key: rows of one key stay together. */
static int64_t key_boundary(const keyed *row, int64_t count, int64_t rank, int64_t ranks) {
    int64_t at = count * rank / ranks;
    while (at > 0 && at < count && row[at].key == row[at - 1].key) at++;
    return at;
}

/* This rank's share of a mini-batch in the order of its keys, so that all rows of a key are with one rank. Slots stay
 * with the rows. */
static gls_status share_by_key(const gls_loader *loader, const int64_t *index, int64_t count, mini_batch *mini) {
    const gls_comm *comm = gls_context_comm(loader->ctx);
    keyed *row = gls_alloc(loader->ctx, count, sizeof *row);
    if (!row) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) row[i] = (keyed){loader->key[index[i]], i};
    qsort(row, (size_t)count, sizeof *row, gls_compare_pairs);
    mini->first = key_boundary(row, count, gls_comm_rank(comm), gls_comm_size(comm));
    mini->rows = key_boundary(row, count, gls_comm_rank(comm) + 1, gls_comm_size(comm)) - mini->first;
    gls_status status = index_room(loader, mini);
    mini->slot = gls_alloc(loader->ctx, mini->rows, sizeof *mini->slot);
    for (int64_t i = 0; status == GLS_OK && mini->slot && i < mini->rows; i++) {
        mini->slot[i] = row[mini->first + i].slot;
        mini->index[i] = index[mini->slot[i]];
    }
    gls_free(loader->ctx, row);
    return mini->slot ? status : GLS_ERR_MEMORY;
}

static gls_status share_by_position(const gls_loader *loader, const int64_t *index, int64_t count, mini_batch *mini) {
    gls_rank_share(loader->ctx, count, loader->options.align, &mini->first, &mini->rows);
    if (!index) {
        gls_free(loader->ctx, mini->index);
        mini->index = NULL;
        mini->room = 0;
        return GLS_OK;
    }
    GLS_TRY(index_room(loader, mini));
    if (mini->rows) memcpy(mini->index, index + mini->first, (size_t)mini->rows * sizeof *mini->index);
    return GLS_OK;
}

/* Shares are computed outside the lock; the mini-batch joins the list together with its waves' numbers. index NULL: all
 * examples in order. */
static gls_status push(gls_loader *loader, const int64_t *index, int64_t count, uint64_t draw) {
    GLS_TRY(refuse_forked(loader));
    mini_batch *mini = take_mini_batch(loader);
    if (!mini) return GLS_ERR_MEMORY;
    mini->global_rows = count;
    mini->draw = draw;
    gls_status status =
        loader->key ? share_by_key(loader, index, count, mini) : share_by_position(loader, index, count, mini);
    if (status != GLS_OK) {
        free_mini_batch(loader, mini);
        return status;
    }
    int64_t waves = gls_parts(mini->rows, loader->options.wave);
    lock_list(loader);
    mini->begin_wave = loader->pushed;
    mini->end_wave = loader->pushed + waves;
    if (loader->back)
        loader->back->next = mini;
    else
        loader->front = mini;
    loader->back = mini;
    loader->pushed += waves;
    if (loader->threads) pthread_cond_broadcast(&loader->work);
    unlock_list(loader);
    return GLS_OK;
}

void gls_loader_expect(gls_loader *loader, int64_t begin, int64_t end, bool soon) {
    if (threads_left(loader)) return;
    lock_list(loader);
    bool later = loader->threads && loader->told - loader->passed_on < MOST_EXPECTED;
    if (later) {
        loader->expected[loader->told++ % MOST_EXPECTED] = (expected){begin, end, soon};
        pthread_cond_signal(&loader->work);
    }
    unlock_list(loader);
    if (!later) gls_source_expect(loader->source, begin, end, soon);
}

gls_status gls_loader_push(gls_loader *loader, const int64_t *index, int64_t count, uint64_t draw) {
    GLS_GIVEN(loader ? loader->ctx : NULL, loader);
    if (count > 0) GLS_GIVEN(loader ? loader->ctx : NULL, index);
    return push(loader, index, count, draw);
}

gls_status gls_loader_front(gls_loader *loader, gls_stream **out) {
    GLS_GIVEN(loader ? loader->ctx : NULL, loader, out);
    const mini_batch *mini = loader->front;
    if (!mini) return gls_fail(loader->ctx, GLS_ERR_ARGUMENT, "loader: no mini-batch was announced");
    loader->stream.rows = mini->rows;
    loader->stream.first = mini->first;
    loader->stream.global_rows = mini->global_rows;
    *out = &loader->stream;
    return GLS_OK;
}

gls_status gls_loader_whole(gls_loader *loader, gls_stream **out) {
    int64_t n = loader->source->info.examples;
    int64_t *index = loader->key ? gls_alloc(loader->ctx, n, sizeof *index) : NULL;
    if (loader->key && !index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; index && i < n; i++) index[i] = i;
    gls_status status = push(loader, index, n, 0);
    gls_free(loader->ctx, index);
    return status == GLS_OK ? gls_loader_front(loader, out) : status;
}

void gls_loader_pop(gls_loader *loader) {
    if (!loader) return;
    if (!loader->front || threads_left(loader)) return;
    lock_list(loader);
    for (; loader->threads && loader->reading < loader->front->end_wave; loader->reading++) {
        cell *passed = &loader->cells[loader->reading % loader->cell_count];
        while (passed->wave != loader->reading || !passed->ready) pthread_cond_wait(&loader->done, &loader->lock);
        pthread_cond_broadcast(&loader->work);
    }
    retire_front(loader);
    unlock_list(loader);
}
