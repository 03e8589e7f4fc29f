/* Generator tones: sequences of noisy tones. A row is a stretch of time as frames of energies in bands; which tones
 * sound, in order, are its labels: as a sequence, or frame by frame, where silence is a class of its own. */
#include "data/frames.h"

#include <math.h>
#include <stdio.h>

#include "base/arith.h"
#include "data/table.h"

typedef struct tone_options {
    int64_t train_size, test_size, classes, features, min_labels, max_labels, min_frames, max_frames, gap, seed;
    double noise;
    int target;
    bool padded;
} tone_options;

enum { TARGET_SEQUENCE, TARGET_FRAMES };
enum { CHUNK = 64, NAME = 24, MOST_CLASSES = 1000 };

static const gls_option tone_table[] = {
    GLS_INT("train_size", tone_options, train_size, "2000", 1, 1e9, "training examples"),
    GLS_INT("test_size", tone_options, test_size, "500", 1, 1e9, "test examples"),
    GLS_INT("classes", tone_options, classes, "6", 1, MOST_CLASSES, "different tones: t1, t2, ..."),
    GLS_INT("features", tone_options, features, "16", 1, 1e4, "bands, the values of a frame"),
    GLS_INT("min_labels", tone_options, min_labels, "2", 1, 1e4, "fewest tones of a row"),
    GLS_INT("max_labels", tone_options, max_labels, "5", 1, 1e4, "most tones of a row"),
    GLS_INT("min_frames", tone_options, min_frames, "3", 1, 1e4, "shortest tone, in frames"),
    GLS_INT("max_frames", tone_options, max_frames, "7", 1, 1e4, "longest tone"),
    GLS_INT("gap", tone_options, gap, "2", 1, 1e4,
            "longest silence in front of a tone; between two equal ones there is one frame at least"),
    GLS_REAL("noise", tone_options, noise, "0.5", 0, INFINITY,
             "standard deviation of what is added to every value; a tone's own band has about 1"),
    GLS_ENUM("target", tone_options, target, "sequence", "sequence|frames",
             "sequence: the tones in order; frames: a class at every frame, the first class is silence"),
    GLS_BOOL("padded", tone_options, padded, "true",
             "what is behind the last tone is padding, so that rows have their own lengths; false: silence"),
    GLS_INT("seed", tone_options, seed, "1", 0, INFINITY, "seed of the rows"),
    {0},
};

typedef struct tone_job {
    const tone_options *options;
    const char *purpose;
    int64_t examples, length;
    gls_real *x;
    int32_t *label;
    int64_t *frames;
} tone_job;

static int64_t within(gls_random *random, int64_t least, int64_t most) {
    return least + gls_random_below(random, most - least + 1);
}

/* One tone's part of a frame: a band and, weaker, the one at twice its height; both spread over their neighbours. */
static void add_tone(const tone_options *o, int32_t tone, double loud, double off, gls_real *x) {
    double width = (double)o->features / (double)o->classes, at = ((double)tone + 0.5 + off) * width - 0.5;
    double spread = width > 2 ? width / 2 : 1;
    for (int64_t k = 0; k < o->features; k++) {
        double own = ((double)k - at) / spread, above = ((double)k - 2 * at - 0.5) / spread;
        x[k] += (gls_real)(loud * (exp(-own * own / 2) + 0.5 * exp(-above * above / 2)));
    }
}

/* Frames [begin, begin + count) of a row: loudest in the middle. */
static void sound(const tone_options *o, gls_random *random, int32_t tone, int64_t begin, int64_t count, gls_real *x) {
    double loud = 0.7 + 0.6 * gls_random_uniform(random), off = 0.3 * (gls_random_uniform(random) - 0.5);
    for (int64_t t = 0; t < count; t++) {
        double place = ((double)t + 0.5) / (double)count, shape = 0.5 + 0.5 * sin(acos(-1.0) * place);
        add_tone(o, tone, loud * shape, off, x + (begin + t) * o->features);
    }
}

static void put_label(const tone_job *job, int64_t row, int64_t number, int32_t tone, int64_t begin, int64_t count) {
    int32_t *label = job->label + row * job->length;
    if (job->options->target == TARGET_SEQUENCE) {
        label[number] = tone;
        return;
    }
    for (int64_t t = begin; t < begin + count; t++) label[t] = tone + 1;
}

/* Silence is class 0 of frames, but for padding. */
static void finish_labels(const tone_job *job, int64_t row, int64_t frames) {
    for (int64_t t = 0; job->options->target == TARGET_FRAMES && t < frames; t++)
        if (job->label[row * job->length + t] < 0) job->label[row * job->length + t] = 0;
}

static void draw_row(const tone_job *job, int64_t i) {
    const tone_options *o = job->options;
    gls_random random = gls_random_create((uint64_t)o->seed, job->purpose, (uint64_t)i, 0);
    gls_random grain = gls_random_create((uint64_t)o->seed, job->purpose, (uint64_t)i, 1);
    gls_real *x = job->x + i * job->length * o->features;
    int64_t labels = within(&random, o->min_labels, o->max_labels), at = 0;
    int32_t before = -1;
    for (int64_t t = 0; t < job->length; t++) job->label[i * job->length + t] = -1;
    for (int64_t number = 0; number < labels; number++) {
        int32_t tone = (int32_t)gls_random_below(&random, o->classes);
        int64_t gap = within(&random, tone == before, o->gap), count = within(&random, o->min_frames, o->max_frames);
        at += gap;
        sound(o, &random, tone, at, count, x);
        put_label(job, i, number, tone, at, count);
        at += count;
        before = tone;
    }
    int64_t frames = o->padded ? at : job->length;
    for (int64_t k = 0; k < frames * o->features; k++) x[k] += (gls_real)(o->noise * gls_random_normal(&grain));
    finish_labels(job, i, frames);
    if (job->frames) job->frames[i] = frames;
}

static gls_status draw_chunk(void *user, int64_t task, int worker) {
    const tone_job *job = user;
    (void)worker;
    for (int64_t i = task * CHUNK; i < (task + 1) * CHUNK && i < job->examples; i++) draw_row(job, i);
    return GLS_OK;
}

static gls_status check_options(gls_context *ctx, const tone_options *o) {
    if (o->min_labels > o->max_labels)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.min_labels: %lld is more than max_labels, %lld",
                        (long long)o->min_labels, (long long)o->max_labels);
    if (o->min_frames > o->max_frames)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.min_frames: %lld is more than max_frames, %lld",
                        (long long)o->min_frames, (long long)o->max_frames);
    return GLS_OK;
}

static gls_status draw_all(gls_context *ctx, tone_job *job, int64_t values) {
    job->x = gls_alloc(ctx, values, sizeof *job->x);
    job->label = gls_alloc(ctx, job->examples * job->length, sizeof *job->label);
    if (job->options->padded) job->frames = gls_alloc(ctx, job->examples, sizeof *job->frames);
    if (!job->x || !job->label || (job->options->padded && !job->frames)) return GLS_ERR_MEMORY;
    return gls_parallel(ctx, gls_parts(job->examples, CHUNK), draw_chunk, job);
}

/* Takes the job's arrays. */
static gls_status own_arrays(gls_context *ctx, tone_job *job, const char *const *names, gls_source **out) {
    bool frames = job->options->target == TARGET_FRAMES;
    gls_data_info info = {.examples = job->examples,
                          .features = job->length * job->options->features,
                          .length = job->length,
                          .target = frames ? GLS_TARGET_FRAMES : GLS_TARGET_SEQUENCE,
                          .classes = job->options->classes + frames,
                          .class_names = names};
    gls_frame_source arrays = {.x = job->x, .frames = job->frames, .label = job->label, .owns = true};
    job->x = NULL;
    job->label = NULL;
    job->frames = NULL;
    return gls_frame_source_create(ctx, &arrays, &info, out);
}

typedef struct tone_names {
    char text[MOST_CLASSES][NAME];
    const char *name[MOST_CLASSES + 1];
} tone_names;

static gls_status make_source(gls_context *ctx, tone_job *job, gls_source **out) {
    tone_names *names = gls_alloc(ctx, 1, sizeof *names);
    if (!names) return GLS_ERR_MEMORY;
    bool frames = job->options->target == TARGET_FRAMES;
    names->name[0] = "silence";
    for (int64_t k = 0; k < job->options->classes; k++) {
        snprintf(names->text[k], NAME, "t%lld", (long long)k + 1);
        names->name[k + frames] = names->text[k];
    }
    gls_status status = own_arrays(ctx, job, names->name, out);
    gls_free(ctx, names);
    return status;
}

/* Every row has a random stream of its own, so that rows do not depend on threads or on how many are drawn. */
static gls_status open_tones(gls_context *ctx, const char *path, const void *options, gls_part part,
                             const gls_data_info *like, gls_source **out) {
    const tone_options *o = options;
    bool test = part != GLS_PART_TRAIN;
    int64_t values,
        shape[3] = {test ? o->test_size : o->train_size, o->max_labels * (o->max_frames + o->gap), o->features};
    (void)path, (void)like;
    GLS_TRY(check_options(ctx, o));
    GLS_TRY(gls_source_check_extents(ctx, "tones", 3, shape, 1, &values));
    tone_job job = {
        .options = o, .purpose = test ? "tones test" : "tones train", .examples = shape[0], .length = shape[1]};
    gls_status status = draw_all(ctx, &job, values);
    if (status == GLS_OK) status = make_source(ctx, &job, out);
    gls_free(ctx, job.x);
    gls_free(ctx, job.label);
    gls_free(ctx, job.frames);
    return status;
}

const gls_format gls_format_tones = {
    .member = {"tones", "sequences of noisy tones as frames, to recognise with or without their times", "", tone_table,
               sizeof(tone_options)},
    .generator = true,
    .open = open_tones,
};
