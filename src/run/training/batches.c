/* Which mini-batch comes next: the sampler's order cut by the batch schedule, handed to a loader that fetches ahead. A
 * saved position is that of the mini-batch in use, whatever was announced beyond it. */
#include "base/arith.h"
#include "base/value.h"
#include "data/sampler.h"
#include "data/source.h"
#include "estimator/streams.h"
#include "run/training/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The ring. [b] is in use, (c) (d) are announced: drawn from the sampler and handed to the loader, which may fetch
 * them.
 *
 *     created              (empty)         present/   next/
 *     next mini-batch      [a] (b) (c)     before a   before b    announced until 1 + ahead are there
 *     next mini-batch      [b] (c) (d)     before b   before c    a leaves the loader
 *     the same again       [b] (c) (d)     before b   before c
 *     restored             (empty)         before b   before c    the sampler is before c, and number that of c
 *     the same again       [b] (c) (d)     before b   before c    b is drawn once more, from present/
 *
 * present/ and next/ are the sampler's positions that a checkpoint saves then; number counts the mini-batches drawn,
 * and consumed, saved in its place, those up to the one in use. */
enum {
    MAX_AHEAD = 4,        /* mini-batches announced, the present one among them; 1 + `ahead` must fit */
    POSITION_BYTES = 256, /* a sampler's position; checked when it is made */
    MAX_PLANNED = 1 << 25 /* mini-batches that are counted one by one: about a second */
};

/* A mini-batch handed to the loader, with the position of the sampler before it was drawn. */
typedef struct announced {
    unsigned char before[POSITION_BYTES];
    double epoch_after;
    uint64_t draw;
} announced;

struct gls_batches {
    gls_context *ctx;
    gls_sampler *sampler;
    gls_loader *loader;
    gls_schedule *schedule; /* of the batch size; NULL: constant */
    int64_t batch, largest, examples;
    int64_t *index; /* [largest] */
    gls_arrays position;
    int64_t position_bytes;
    int64_t *length; /* [examples] of rows with padding, with train.bucket */

    announced ring[MAX_AHEAD]; /* oldest first; ring[0] is the present mini-batch once one was asked for */
    int count, ahead;
    bool resized;                       /* what is announced beyond the present one is to be drawn anew */
    bool present;                       /* ring[0] is in use */
    unsigned char last[POSITION_BYTES]; /* before the present mini-batch */
    double epoch;
    int64_t number;   /* mini-batches drawn */
    int64_t consumed; /* of these, up to the present one: what is saved of number */
};

void gls_batches_destroy(gls_batches *b) {
    if (!b) return;
    gls_sampler_destroy(b->sampler);
    gls_loader_destroy(b->loader);
    gls_schedule_destroy(b->schedule);
    gls_arrays_clear(b->ctx, &b->position);
    gls_free(b->ctx, b->length);
    gls_free(b->ctx, b->index);
    gls_free(b->ctx, b);
}

static int64_t array_bytes(const gls_array *a) {
    int64_t n = (int64_t)gls_dtype_size(a->dtype);
    for (int i = 0; i < a->dims; i++) n *= a->shape[i];
    return n;
}

/* Copies the sampler's position out of it, or into it. */
static void copy_position(gls_batches *b, unsigned char *bytes, bool into) {
    for (int64_t i = 0; i < b->position.count; i++) {
        gls_array *a = &b->position.item[i];
        int64_t n = array_bytes(a);
        if (into)
            memcpy(a->data, bytes, (size_t)n);
        else
            memcpy(bytes, a->data, (size_t)n);
        bytes += n;
    }
}

static double at_most_all(double rows, double all) {
    return rows < 1 ? 1 : rows > all ? all : floor(rows + 0.5);
}

/* Rows of the mini-batch that begins at this step and epoch. */
static int64_t size_at(const gls_schedule *schedule, int64_t batch, int64_t largest, double step, double epoch) {
    if (!schedule) return batch;
    return (int64_t)at_most_all(gls_schedule_value(schedule, (gls_clock){.step = step, .epoch = epoch}),
                                (double)largest);
}

static gls_status read_maximum(gls_training *training, const gls_value *item, int64_t *largest) {
    char *end = NULL, place[GLS_ORIGIN_TEXT];
    *largest = item->text ? strtoll(item->text, &end, 10) : 0;
    if (end && !*end && *largest > 0) return GLS_OK;
    return gls_fail(training->ctx, GLS_ERR_ARGUMENT,
                    "%strain.batch_schedule.maximum: expected a number of examples, found '%s'",
                    gls_value_origin(item, place), item->text ? item->text : "");
}

const gls_value *gls_batches_spec(const gls_training *training) {
    const gls_value *own = gls_options_schedule(training->train_options, "batch");
    return own ? own : training->train->batch_schedule;
}

/* The schedule of the batch size; its key `maximum` is ours. */
static gls_status make_schedule(gls_training *training, int64_t batch, int64_t examples, int64_t *largest,
                                gls_schedule **out) {
    *out = NULL;
    const gls_value *given = gls_batches_spec(training);
    *largest = batch;
    int64_t limit = gls_batches_rule_limit(training);
    if (limit) *largest = gls_least(limit, examples);
    if (!given || limit) return GLS_OK;
    gls_value *spec = gls_value_clone(training->ctx, given);
    if (!spec) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    int64_t maximum = examples;
    const gls_value *own = gls_value_get(spec, "maximum");
    if (own) status = read_maximum(training, own, &maximum);
    gls_value_remove(training->ctx, spec, "maximum");
    *largest = gls_least(maximum, examples);
    double steps_per_epoch = ceil((double)examples / (double)batch);
    if (status == GLS_OK)
        status = gls_schedule_create(
            training->ctx, "train.batch_schedule", spec, (double)batch, steps_per_epoch,
            training->train->steps ? (double)training->train->steps : training->epochs * steps_per_epoch, out);
    gls_value_destroy(training->ctx, spec);
    if (status == GLS_OK && gls_schedule_watches(*out)) {
        gls_schedule_destroy(*out);
        *out = NULL;
        return gls_fail(training->ctx, GLS_ERR_ARGUMENT,
                        "train.batch_schedule: plateau is for options of methods: mini-batches are fetched ahead of "
                        "validations");
    }
    return status;
}

static int64_t batch_rows(const gls_training *training) {
    int64_t examples = training->set.train->info.examples;
    int64_t batch = training->train->batch < 0 ? examples : training->train->batch;
    return batch > examples && !training->train->replacement ? examples : batch;
}

static gls_sampler_options sampling(const gls_training *training) {
    const gls_config_train *train = training->train;
    return (gls_sampler_options){.size = sizeof(gls_sampler_options),
                                 .examples = training->set.train->info.examples,
                                 .replacement = train->replacement,
                                 .drop_last = train->drop_last,
                                 .shuffle = train->shuffle,
                                 .stretch = train->shuffle_block,
                                 .mixed = train->shuffle_window,
                                 .seed = (uint64_t)train->seed};
}

/* Steps until the epochs asked for are done: those of whole epochs, and in a last one that is cut short as many as
 * reach the cut. */
static double steps_in(const gls_training *training, const gls_sampler_options *options, int64_t batch,
                       double per_epoch) {
    double share = (double)batch / (double)options->examples, epochs = training->epochs;
    if (options->replacement) return ceil((epochs - gls_training_epoch_slack) / share);
    double whole = floor(epochs + gls_training_epoch_slack);
    double rest = ceil((epochs - whole - gls_training_epoch_slack) / share);
    return whole * per_epoch + fmin(fmax(rest, 0), per_epoch);
}

/* With a schedule of the batch size there is no formula: the mini-batches are counted one by one, each cut at the end
 * of its epoch as the sampler will cut it. Nothing is counted beyond train.steps. */
static gls_status count_scheduled(const gls_training *training, const gls_schedule *schedule, int64_t batch,
                                  int64_t largest, double *total) {
    gls_sampler_options options = sampling(training);
    int64_t position[3] = {0}, *done = &position[GLS_SAMPLER_DRAWS], asked = training->train->steps;
    int64_t most = asked && asked < MAX_PLANNED ? asked : MAX_PLANNED;
    double epoch = 0, end = training->epochs - gls_training_epoch_slack;
    while (epoch < end && *done < most) {
        gls_sampler_move(&options, size_at(schedule, batch, largest, (double)*done, epoch), position);
        epoch = gls_sampler_epoch_at(&options, position);
        gls_sampler_skip(&options, size_at(schedule, batch, largest, (double)*done, epoch), position);
        epoch = gls_sampler_epoch_at(&options, position);
    }
    *total = (double)*done;
    if (epoch >= end || *done == asked) return GLS_OK;
    return gls_fail(training->ctx, GLS_ERR_ARGUMENT,
                    "train.epochs: %g epochs with a train.batch_schedule are more than the %d mini-batches that can be "
                    "planned; give fewer, or train.steps",
                    training->epochs, MAX_PLANNED);
}

gls_status gls_batches_plan(gls_training *training, double *steps_per_epoch, double *total_steps) {
    gls_sampler_options options = sampling(training);
    int64_t examples = options.examples, batch = batch_rows(training), largest;
    gls_schedule *schedule;
    GLS_TRY(make_schedule(training, batch, examples, &largest, &schedule));
    *steps_per_epoch = options.replacement ? (double)examples / (double)batch
                       : options.drop_last ? (double)(examples / batch)
                                           : (double)gls_parts(examples, batch);
    bool open = schedule || gls_batches_rule_limit(training); /* a rule's sizes are not known before */
    *total_steps = open ? 0 : steps_in(training, &options, batch, *steps_per_epoch);
    gls_status status = schedule ? count_scheduled(training, schedule, batch, largest, total_steps) : GLS_OK;
    gls_schedule_destroy(schedule);
    GLS_TRY(status);
    if (training->train->steps && (*total_steps == 0 || *total_steps > (double)training->train->steps))
        *total_steps = (double)training->train->steps;
    return GLS_OK;
}

/* State is carried from the row in a slot to the next one there: every mini-batch has a row of each stream, in order.
 */
static gls_status check_streams(const gls_training *t) {
    const gls_data_info *info = &t->set.train->info;
    if (!gls_pass_carries(t->problem, info)) return GLS_OK;
    if (t->train->batch == info->streams && !t->train->shuffle && !t->train->replacement && !gls_batches_spec(t))
        return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                    "data.streams: state is carried from one mini-batch to the next; expected train.batch: %lld (a row "
                    "of each stream), train.shuffle: false, and neither train.replacement nor train.batch_schedule",
                    (long long)info->streams);
}

/* Handing a mini-batch to another thread costs more than copying some ten KiB. The same rows come either way. */
static int workers_for(const gls_training *training, int64_t rows) {
    enum { LEAST = 1 << 16 };
    bool small = (double)rows * gls_source_copied(training->set.train) < LEAST;
    return small ? 0 : (int)training->train->workers;
}

static gls_status create(gls_training *training, gls_batches *b) {
    GLS_TRY(check_streams(training));
    b->examples = training->set.train->info.examples;
    b->batch = batch_rows(training);
    GLS_TRY(make_schedule(training, b->batch, b->examples, &b->largest, &b->schedule));
    int workers = workers_for(training, b->largest);
    b->ahead = workers ? 2 : 0; /* one to be ready, one to be fetched meanwhile */
    b->index = gls_alloc(b->ctx, b->largest, sizeof *b->index);
    if (!b->index) return GLS_ERR_MEMORY;
    int64_t group = gls_estimator_group(training->estimator), coupled = training->problem->coupling_group;
    gls_loader_options loader = {.size = sizeof loader,
                                 .workers = workers,
                                 .wave = training->plan.wave,
                                 .align = coupled > group ? coupled : group,
                                 .seed = (uint64_t)training->train->seed,
                                 .augment = true,
                                 .key_column = gls_estimator_key(training->estimator)};
    GLS_TRY(gls_loader_create(b->ctx, training->set.train, &loader, &b->loader));
    gls_sampler_options options = sampling(training);
    if (training->train->bucket) {
        GLS_TRY(gls_source_lengths(training->set.train, b->ctx, &b->length));
        options.length = b->length;
        options.block = b->batch;
        options.window = gls_least(training->train->bucket, gls_parts(b->examples, b->batch)) * b->batch;
    }
    options.loader = b->loader;
    GLS_TRY(gls_sampler_create(b->ctx, &options, &b->sampler));
    GLS_TRY(gls_sampler_arrays(b->sampler, "", &b->position));
    for (int64_t i = 0; i < b->position.count; i++) b->position_bytes += array_bytes(&b->position.item[i]);
    if (b->position_bytes > POSITION_BYTES)
        return gls_fail(b->ctx, GLS_ERR_INTERNAL, "the sampler's position is larger than %d bytes", POSITION_BYTES);
    return GLS_OK;
}

gls_status gls_batches_create(gls_training *training, gls_batches **out) {
    gls_batches *b = *out = gls_alloc(training->ctx, 1, sizeof *b);
    if (!b) return GLS_ERR_MEMORY;
    b->ctx = training->ctx;
    return create(training, b);
}

/* Of the mini-batch that begins where the sampler is. */
static int64_t next_rows(const gls_batches *b) {
    return size_at(b->schedule, b->batch, b->largest, (double)b->number, gls_sampler_epoch(b->sampler));
}

static gls_status announce(gls_batches *b) {
    announced *a = &b->ring[b->count];
    copy_position(b, a->before, false);
    int64_t count = 0;
    GLS_TRY(gls_sampler_draw(b->sampler, next_rows(b), b->index, &count, &a->draw));
    b->number++;
    gls_sampler_settle(b->sampler, next_rows(b));
    a->epoch_after = gls_sampler_epoch(b->sampler);
    GLS_TRY(gls_loader_push(b->loader, b->index, count, a->draw));
    b->count++;
    return GLS_OK;
}

static void forget_all(gls_batches *b) {
    for (; b->count; b->count--) gls_loader_pop(b->loader);
    b->present = false;
}

void gls_batches_resize(gls_batches *b, int64_t rows) {
    b->batch = gls_least(rows, b->largest);
    b->resized = true;
}

/* The sampler goes back to where the present mini-batch left it: a resumed run, which has announced nothing, draws the
 * same. */
static gls_status announce_anew(gls_batches *b) {
    b->resized = false;
    if (b->count > 1) {
        copy_position(b, b->ring[1].before, true);
        GLS_TRY(gls_sampler_restored(b->sampler));
        b->number -= b->count - 1;
    }
    forget_all(b);
    return GLS_OK;
}

gls_status gls_batches_get(gls_batches *b, bool same, gls_stream **out) {
    if (same && !b->present) {
        /* Resumed in the middle of a method's search on one mini-batch: draw that one again. */
        copy_position(b, b->last, true);
        GLS_TRY(gls_sampler_restored(b->sampler));
        b->number--;
    } else if (!same && b->present && b->resized) {
        GLS_TRY(announce_anew(b));
    } else if (!same && b->present) {
        gls_loader_pop(b->loader);
        memmove(b->ring, b->ring + 1, sizeof *b->ring * (size_t)--b->count);
    }
    while (b->count < 1 + b->ahead) GLS_TRY(announce(b));
    b->present = true;
    b->epoch = b->ring[0].epoch_after;
    return gls_loader_front(b->loader, out);
}

double gls_batches_epoch(const gls_batches *b) {
    return b->present ? b->epoch : gls_sampler_epoch(b->sampler);
}

static gls_status add_position(gls_batches *b, const char *prefix, unsigned char *bytes, gls_arrays *arrays) {
    for (int64_t i = 0; i < b->position.count; i++) {
        gls_array *a = &b->position.item[i];
        char name[sizeof a->name + 32];
        snprintf(name, sizeof name, "%s%s", prefix, a->name);
        GLS_TRY(gls_arrays_add(b->ctx, arrays, name, a->dtype, a->dims, a->shape, bytes ? bytes : a->data));
        if (bytes) bytes += array_bytes(a);
    }
    return GLS_OK;
}

gls_status gls_batches_arrays(gls_batches *b, const char *prefix, gls_arrays *arrays) {
    char last[96], next[96];
    snprintf(last, sizeof last, "%spresent/", prefix);
    snprintf(next, sizeof next, "%snext/", prefix);
    if (b->present) memcpy(b->last, b->ring[0].before, sizeof b->last);
    GLS_TRY(add_position(b, last, b->last, arrays));
    char number[96];
    snprintf(number, sizeof number, "%snumber", prefix);
    b->consumed = b->number - (b->count - (b->present ? 1 : 0));
    GLS_TRY(gls_arrays_add_vector(b->ctx, arrays, number, GLS_I64, 1, &b->consumed));
    /* Mini-batches announced but not used will be drawn again. */
    bool ahead = b->count > (b->present ? 1 : 0);
    return add_position(b, next, ahead ? b->ring[b->present ? 1 : 0].before : NULL, arrays);
}

gls_status gls_batches_restored(gls_batches *b) {
    forget_all(b);
    b->number = b->consumed;
    return gls_sampler_restored(b->sampler);
}
