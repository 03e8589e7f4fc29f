/* Which examples make mini-batch number k. Everything follows from (seed, epoch, place) or (seed, draw). */
#include "data/sampler.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "data/loader.h"
#include "data/source.h"

struct gls_sampler {
    gls_context *ctx;
    gls_sampler_options options;
    int64_t position[3]; /* epoch, place in the epoch, mini-batches so far */
    int64_t *order;      /* the present epoch's permutation, of blocks where there are some; NULL with replacement or
                            without shuffling */
    int64_t *room;       /* [window], with lengths; with blocks [stretch * mixed], the examples of window `filled` */
    int64_t blocks, phase, filled; /* of the present epoch; phase: the example with which the first block begins */
    int64_t announced;             /* windows of which the source was told */
};

enum { EPOCH = GLS_SAMPLER_EPOCH, PLACE = GLS_SAMPLER_PLACE, DRAWS = GLS_SAMPLER_DRAWS };

/* ---- windows by length ---- */

/* Stable: merges runs of twice the length each time. */
static void sort_by_length(const int64_t *length, int64_t *order, int64_t n, int64_t *room) {
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t begin = 0; begin < n; begin += 2 * run) {
            int64_t a = begin, middle = gls_least(begin + run, n), b = middle, end = gls_least(begin + 2 * run, n);
            for (int64_t k = begin; k < end; k++) {
                bool left = b >= end || (a < middle && length[order[a]] <= length[order[b]]);
                room[k] = order[left ? a++ : b++];
            }
        }
        memcpy(order, room, (size_t)n * sizeof *order);
    }
}

/* Whole blocks in random order; a rest stays at the end. */
static void shuffle_blocks(gls_random *random, int64_t *order, int64_t n, int64_t block, int64_t *room) {
    for (int64_t i = n / block - 1; i > 0; i--) {
        int64_t j = gls_random_below(random, i + 1);
        if (i == j) continue;
        size_t bytes = (size_t)block * sizeof *order;
        memcpy(room, order + i * block, bytes);
        memcpy(order + i * block, order + j * block, bytes);
        memcpy(order + j * block, room, bytes);
    }
}

static void order_windows(gls_sampler *sampler) {
    const gls_sampler_options *o = &sampler->options;
    gls_random random = gls_random_create(o->seed, "blocks", (uint64_t)sampler->position[EPOCH], 0);
    for (int64_t begin = 0; o->length && begin < o->examples; begin += o->window) {
        int64_t n = gls_least(o->window, o->examples - begin);
        sort_by_length(o->length, sampler->order + begin, n, sampler->room);
        shuffle_blocks(&random, sampler->order + begin, n, o->block, sampler->room);
    }
}

static void permute(gls_random *random, int64_t *order, int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = gls_random_below(random, i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* ---- blocks of examples that follow each other ---- */

/* Block b is the examples [b stretch, (b + 1) stretch) counted from the epoch's phase on, cyclically. The last one may
 * be shorter and stays at the end: since the phase is drawn anew for every epoch, it is other examples each time, and
 * every example is at every place with the same probability. */
static void order_blocks(gls_sampler *s, gls_random *random) {
    int64_t whole = s->options.examples / s->options.stretch;
    s->phase = gls_random_below(random, s->options.examples);
    s->filled = -1;
    s->announced = 0;
    for (int64_t b = 0; b < s->blocks; b++) s->order[b] = b;
    permute(random, s->order, whole);
}

enum { AHEAD = 2 }; /* windows that are announced beyond the present one, so that a slow disk can catch up */

static void expect_window(const gls_sampler *s, int64_t window, bool soon) {
    const gls_sampler_options *o = &s->options;
    int64_t last = gls_least((window + 1) * o->mixed, s->blocks), n = o->examples;
    for (int64_t k = window * o->mixed; o->loader && k < last; k++) {
        int64_t begin = s->order[k] * o->stretch, count = gls_least(o->stretch, n - begin);
        int64_t at = (begin + s->phase) % n, end = gls_least(at + count, n);
        gls_loader_expect(o->loader, at, end, soon);
        if (at + count > n) gls_loader_expect(o->loader, 0, at + count - n, soon);
    }
}

static void fill_window(gls_sampler *s, int64_t window) {
    const gls_sampler_options *o = &s->options;
    int64_t last = gls_least((window + 1) * o->mixed, s->blocks), n = o->examples, filled = 0;
    for (int64_t k = window * o->mixed; k < last; k++) {
        int64_t begin = s->order[k] * o->stretch, end = gls_least(begin + o->stretch, n);
        for (int64_t e = begin; e < end; e++) s->room[filled++] = (e + s->phase) % n;
    }
    gls_random random = gls_random_create(o->seed, "window", (uint64_t)s->position[EPOCH], (uint32_t)window);
    permute(&random, s->room, filled);
    s->filled = window;
    if (s->announced < window) s->announced = window; /* restored in the middle of an epoch */
    for (; s->announced <= window + AHEAD; s->announced++) expect_window(s, s->announced, true);
    /* The window before may still be fetched from: mini-batches are drawn ahead. */
    if (window > 1) expect_window(s, window - 2, false);
}

static int64_t example_at(gls_sampler *s, int64_t place) {
    int64_t size = s->options.stretch * s->options.mixed;
    if (!s->options.stretch) return s->order ? s->order[place] : place;
    if (s->filled != place / size) fill_window(s, place / size);
    return s->room[place % size];
}

/* ---- epochs ---- */

static void shuffle(gls_sampler *sampler) {
    if (!sampler->order) return;
    int64_t n = sampler->options.examples;
    gls_random random = gls_random_create(sampler->options.seed, "shuffle", (uint64_t)sampler->position[EPOCH], 0);
    if (sampler->options.stretch) {
        order_blocks(sampler, &random);
        return;
    }
    for (int64_t i = 0; i < n; i++) sampler->order[i] = i;
    permute(&random, sampler->order, n);
    order_windows(sampler);
}

static bool shuffled(const gls_sampler_options *options) {
    return options->shuffle && !options->replacement;
}

static gls_status check_order(gls_context *ctx, const gls_sampler_options *o) {
    if (o->length && (!shuffled(o) || o->block < 1 || o->window < o->block))
        return gls_fail(
            ctx, GLS_ERR_ARGUMENT,
            "sampler: windows of %lld and blocks of %lld; lengths need shuffling and a block in each window",
            (long long)o->window, (long long)o->block);
    if (!o->stretch || (o->stretch > 0 && o->mixed > 0 && shuffled(o) && !o->length)) return GLS_OK;
    return gls_fail(
        ctx, GLS_ERR_ARGUMENT,
        "sampler: blocks of %lld examples, %lld mixed; expected both above 0, and shuffling without lengths",
        (long long)o->stretch, (long long)o->mixed);
}

/* Only epochs in random order need a permutation in memory. */
gls_status gls_sampler_create(gls_context *ctx, const gls_sampler_options *options, gls_sampler **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    if (options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sampler: options of %zu bytes, expected %zu", options->size,
                        sizeof *options);
    if (options->examples < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sampler: the set has %lld examples; expected at least 1",
                        (long long)options->examples);
    GLS_TRY(check_order(ctx, options));
    gls_sampler *sampler = gls_alloc(ctx, 1, sizeof *sampler);
    if (!sampler) return GLS_ERR_MEMORY;
    *sampler = (gls_sampler){.ctx = ctx, .options = *options, .filled = -1};
    int64_t ordered = options->examples, room = options->length ? options->window : 0;
    if (options->stretch) {
        sampler->options.stretch = gls_least(options->stretch, options->examples);
        ordered = sampler->blocks = gls_parts(options->examples, sampler->options.stretch);
        sampler->options.mixed = gls_least(options->mixed, ordered);
        room = sampler->options.stretch * sampler->options.mixed;
    }
    bool permutes = shuffled(options);
    if (permutes) sampler->order = gls_alloc(ctx, ordered, sizeof *sampler->order);
    if (room) sampler->room = gls_alloc(ctx, room, sizeof *sampler->room);
    if ((permutes && !sampler->order) || (room && !sampler->room)) {
        gls_sampler_destroy(sampler);
        return GLS_ERR_MEMORY;
    }
    shuffle(sampler);
    *out = sampler;
    return GLS_OK;
}

void gls_sampler_destroy(gls_sampler *sampler) {
    if (!sampler) return;
    gls_free(sampler->ctx, sampler->order);
    gls_free(sampler->ctx, sampler->room);
    gls_free(sampler->ctx, sampler);
}

static bool drops(const gls_sampler_options *options) {
    return options->drop_last && !options->replacement;
}

void gls_sampler_skip(const gls_sampler_options *options, int64_t batch, int64_t position[3]) {
    if (!drops(options) || position[PLACE] == 0 || options->examples - position[PLACE] >= batch) return;
    position[EPOCH]++;
    position[PLACE] = 0;
}

int64_t gls_sampler_move(const gls_sampler_options *options, int64_t batch, int64_t position[3]) {
    int64_t n = options->examples, count = options->replacement ? batch : gls_least(n - position[PLACE], batch);
    position[PLACE] += count;
    position[EPOCH] += position[PLACE] / n;
    position[PLACE] %= n;
    position[DRAWS]++;
    return count;
}

double gls_sampler_epoch_at(const gls_sampler_options *options, const int64_t position[3]) {
    return (double)position[EPOCH] + (double)position[PLACE] / (double)options->examples;
}

static void choose(gls_sampler *sampler, int64_t *index, int64_t count) {
    int64_t n = sampler->options.examples, place = sampler->position[PLACE];
    if (!sampler->options.replacement) {
        for (int64_t i = 0; i < count; i++) index[i] = example_at(sampler, place + i);
        return;
    }
    gls_random random = gls_random_create(sampler->options.seed, "replacement", (uint64_t)sampler->position[DRAWS], 0);
    for (int64_t i = 0; i < count; i++) index[i] = gls_random_below(&random, n);
}

void gls_sampler_settle(gls_sampler *sampler, int64_t batch) {
    int64_t epoch = sampler->position[EPOCH];
    gls_sampler_skip(&sampler->options, batch, sampler->position);
    if (sampler->position[EPOCH] != epoch) shuffle(sampler);
}

/* The draw number counts mini-batches over all epochs: it keys every random number of the step. */
gls_status gls_sampler_draw(gls_sampler *sampler, int64_t batch, int64_t *index, int64_t *count, uint64_t *draw) {
    int64_t n = sampler->options.examples, *position = sampler->position;
    if (batch < 1)
        return gls_fail(sampler->ctx, GLS_ERR_ARGUMENT, "sampler: a mini-batch of %lld examples", (long long)batch);
    if (drops(&sampler->options) && batch > n)
        return gls_fail(sampler->ctx, GLS_ERR_ARGUMENT,
                        "sampler: with drop_last a mini-batch of %lld never fits into %lld examples", (long long)batch,
                        (long long)n);
    gls_sampler_settle(sampler, batch);
    int64_t after[3] = {position[EPOCH], position[PLACE], position[DRAWS]};
    *draw = (uint64_t)position[DRAWS];
    *count = gls_sampler_move(&sampler->options, batch, after);
    choose(sampler, index, *count);
    bool ended = after[EPOCH] != position[EPOCH];
    memcpy(position, after, sizeof after);
    if (ended) shuffle(sampler);
    return GLS_OK;
}

gls_status gls_sampler_next(gls_sampler *sampler, int64_t batch, int64_t *index, int64_t *count, uint64_t *draw) {
    GLS_GIVEN(sampler ? sampler->ctx : NULL, sampler, index, count, draw);
    GLS_TRY(gls_sampler_draw(sampler, batch, index, count, draw));
    gls_sampler_settle(sampler, batch);
    return GLS_OK;
}

double gls_sampler_epoch(const gls_sampler *sampler) {
    if (!sampler) return NAN;
    return gls_sampler_epoch_at(&sampler->options, sampler->position);
}

gls_status gls_sampler_arrays(gls_sampler *sampler, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(sampler ? sampler->ctx : NULL, sampler, prefix, arrays);
    return gls_arrays_add_state(sampler->ctx, arrays, prefix, "position", GLS_I64, 3, sampler->position);
}

gls_status gls_sampler_restored(gls_sampler *sampler) {
    GLS_GIVEN(sampler ? sampler->ctx : NULL, sampler);
    const int64_t *position = sampler->position;
    if (position[EPOCH] < 0 || position[DRAWS] < 0 || position[PLACE] < 0 ||
        position[PLACE] >= sampler->options.examples)
        return gls_fail(sampler->ctx, GLS_ERR_INPUT, "sampler: restored to epoch %lld, place %lld of %lld examples",
                        (long long)position[EPOCH], (long long)position[PLACE], (long long)sampler->options.examples);
    shuffle(sampler);
    return GLS_OK;
}
