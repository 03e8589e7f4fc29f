/* Opening and writing by name, and lists of transforms. */
#include "data/stored.h"
#include "data/table.h"
#include "base/context.h"
#include "base/table.h"
#include "base/value.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

gls_status gls_register_format(gls_context *ctx, const gls_format *format) {
    GLS_GIVEN(ctx, ctx, format);
    return gls_member_register(ctx, &gls_format_kind, &format->member);
}

gls_status gls_register_transform(gls_context *ctx, const gls_transform *transform) {
    GLS_GIVEN(ctx, ctx, transform);
    return gls_member_register(ctx, &gls_transform_kind, &transform->member);
}

/* Rows to be predicted have no targets, also where the format reads some: no row then has room for one. */
static void drop_targets(gls_source *source) {
    source->info.target = GLS_TARGET_NONE;
    source->info.targets = source->info.classes = 0;
    source->info.class_names = NULL;
    source->has_mass = false;
}

/* Another set must look like its training set; it may have fewer classes. */
static gls_status fit_like(gls_context *ctx, const char *what, gls_part part, gls_source *source,
                           const gls_data_info *like) {
    gls_data_info *info = &source->info;
    if (info->length != like->length && !info->vocabulary && !like->vocabulary)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: rows of %lld frames, but the training set has rows of %lld", what,
                        (long long)info->length, (long long)like->length);
    if (info->length != like->length || info->vocabulary > like->vocabulary)
        return gls_fail(ctx, GLS_ERR_INPUT,
                        "%s: rows of %lld tokens out of %lld, but the training set has rows of %lld out of %lld", what,
                        (long long)info->length, (long long)info->vocabulary, (long long)like->length,
                        (long long)like->vocabulary);
    if (info->documents != like->documents || info->streams != like->streams)
        return gls_fail(ctx, GLS_ERR_INPUT,
                        "%s: its rows hold documents or streams in another way than those of the training set", what);
    info->vocabulary = like->vocabulary;
    bool bare = part == GLS_PART_ROWS, targets = info->target == like->target && info->targets == like->targets;
    if (info->features != like->features || info->sparse != like->sparse || (!bare && !targets))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld %s features, but the training set has %lld %s, or other targets",
                        what, (long long)info->features, info->sparse ? "sparse" : "dense", (long long)like->features,
                        like->sparse ? "sparse" : "dense");
    if (info->classes > like->classes)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld classes, but the training set has %lld", what,
                        (long long)info->classes, (long long)like->classes);
    if (!bare && info->classes < like->classes) {
        info->classes = like->classes;
        info->class_names = NULL;
    }
    return GLS_OK;
}

/* ---- formats that hold all rows in memory, where there is a bound ---- */

static gls_status too_large(gls_context *ctx, const char *what, const char *fault) {
    return gls_fail(ctx, GLS_ERR_INPUT,
                    "%s: %s, and data.memory leaves %lld bytes; `glissade data convert` makes a .npy of it, whose rows "
                    "stay on disk",
                    what, fault, (long long)ctx->bound->left);
}

static gls_status hold_file(gls_context *ctx, const gls_format *format, const char *path) {
    struct stat file;
    char fault[160];
    if (!path || !ctx->bound || ctx->bound->lenient || stat(path, &file) || !S_ISREG(file.st_mode)) return GLS_OK;
    size_t n = strlen(path);
    const char *packed =
        n > 3 && (strcmp(path + n - 3, ".gz") == 0 || strcmp(path + n - 3, ".xz") == 0) ? ", packed" : "";
    snprintf(fault, sizeof fault, "rows of format %s are held in memory (%lld bytes%s)", format->member.name,
             (long long)file.st_size, packed);
    /* What packed bytes become is not known before: eight times as many, as of texts. */
    int64_t bytes = *packed ? 8 * file.st_size : file.st_size;
    if (!gls_bound_holds(ctx, bytes)) return too_large(ctx, path, fault);
    gls_bound_take(ctx, bytes);
    return GLS_OK;
}

static gls_status hold_made(gls_context *ctx, const gls_format *format, gls_source **made) {
    const gls_data_info *info = &(*made)->info;
    int64_t values = info->sparse ? 1 : info->features > info->length ? info->features : info->length;
    if (!ctx->bound || ctx->bound->lenient) return GLS_OK;
    if (gls_bound_holds(ctx, info->examples * values * (int64_t)sizeof(gls_real))) {
        gls_bound_take(ctx, info->examples * values * (int64_t)sizeof(gls_real));
        return GLS_OK;
    }
    gls_source_destroy(*made);
    *made = NULL;
    return too_large(ctx, format->member.name, "its rows are made in memory");
}

/* A file may be of any shape; what it must have in common with the training set is checked after it was read. */
gls_status gls_source_open(gls_context *ctx, const char *format, const char *path, const gls_value *options,
                           const char *const *except, gls_part part, const gls_data_info *like, gls_source **out) {
    GLS_GIVEN(ctx, ctx, format, out);
    *out = NULL;
    const gls_format *found = (const gls_format *)gls_member_find(ctx, &gls_format_kind, format);
    if (!found) return GLS_ERR_ARGUMENT;
    if (!path && !found->generator) return gls_fail(ctx, GLS_ERR_ARGUMENT, "data: format %s needs a file", format);
    gls_options *filled;
    GLS_TRY(gls_member_options(ctx, &found->member, found->member.name, options, except, &filled));
    gls_status status = found->bounded ? GLS_OK : hold_file(ctx, found, path);
    if (status == GLS_OK) status = found->open(ctx, path, gls_options_struct(filled), part, like, out);
    gls_options_destroy(filled);
    if (status == GLS_OK && !path && !found->bounded) status = hold_made(ctx, found, out);
    if (status == GLS_OK && part == GLS_PART_ROWS) drop_targets(*out);
    if (status == GLS_OK && like) {
        status = fit_like(ctx, path ? path : format, part, *out, like);
        if (status != GLS_OK) {
            gls_source_destroy(*out);
            *out = NULL;
        }
    }
    return status;
}

gls_status gls_source_write(gls_context *ctx, const gls_source *source, const char *format, const char *path,
                            const gls_value *options, const char *const *except) {
    GLS_GIVEN(ctx, ctx, source, format, path);
    const gls_format *found = (const gls_format *)gls_member_find(ctx, &gls_format_kind, format);
    if (!found) return GLS_ERR_ARGUMENT;
    if (!found->write) return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "data: nothing can be written as %s", format);
    gls_options *filled;
    GLS_TRY(gls_member_options(ctx, &found->member, found->member.name, options, except, &filled));
    gls_status status = found->write(ctx, source, path, gls_options_struct(filled));
    gls_options_destroy(filled);
    return status;
}

/* ---- a data section inside an option ---- */

typedef struct section {
    const char *format, *train, *test;
} section;

static const gls_option section_table[] = {
    GLS_STRING("format", section, format, NULL, "data format", .flags = GLS_OPTION_REQUIRED),
    GLS_PATH("train", section, train, NULL, "training file"),
    GLS_PATH("test", section, test, NULL, "test file"),
    {0},
};

static gls_status section_options(gls_context *ctx, const gls_value *map, const char *owner, gls_options **out) {
    GLS_TRY(gls_options_create(ctx, owner, section_table, sizeof(section), out));
    gls_status status = GLS_OK;
    for (const gls_option *o = section_table; status == GLS_OK && o->key; o++) {
        const gls_value *given = gls_value_get(map, o->key);
        if (given) status = gls_options_set_value(*out, given);
    }
    if (status == GLS_OK && !((const section *)gls_options_struct(*out))->format)
        status = gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: its source names no format", owner);
    if (status != GLS_OK) gls_options_destroy(*out);
    return status;
}

gls_status gls_source_open_section(gls_context *ctx, const gls_value *map, const char *owner, const char *const *except,
                                   gls_part part, const gls_data_info *like, gls_source **out) {
    /* Three keys of the section, at most twelve of its owner, and NULL; no owner has more than a few. */
    const char *own[16] = {"format", "train", "test"};
    int count = 3;
    for (; except && *except && count < 15; except++) own[count++] = *except;
    gls_options *options;
    *out = NULL;
    if (!map || map->kind != GLS_VALUE_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: a source is a map {format: ..., train: ...}", owner);
    GLS_TRY(section_options(ctx, map, owner, &options));
    const section *s = gls_options_struct(options);
    gls_status status =
        gls_source_open(ctx, s->format, part == GLS_PART_TRAIN ? s->train : s->test, map, own, part, like, out);
    gls_options_destroy(options);
    return status;
}

/* ---- transforms ---- */

/* `flip`, `{flip: }`, `{label_noise: 0.1}` or `{pad_crop: {pad: 4}}`: the name and what was given (NULL: nothing). */
static gls_status split_item(gls_context *ctx, const gls_value *item, const char **name, const gls_value **given) {
    *given = NULL;
    if (item->kind == GLS_VALUE_TEXT) {
        *name = item->text;
        return GLS_OK;
    }
    if (item->kind != GLS_VALUE_MAP || item->count != 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transforms: each is one name, or {name: options}");
    *name = item->items[0]->key;
    if (item->items[0]->kind != GLS_VALUE_NULL) *given = item->items[0];
    return GLS_OK;
}

/* The options of a transform; a value that is not a map belongs to the table's first option. */
static gls_status transform_options(gls_context *ctx, const gls_transform *transform, const gls_value *given,
                                    gls_options **out) {
    const gls_member *member = &transform->member;
    if (!given || given->kind == GLS_VALUE_MAP) return gls_member_options(ctx, member, member->name, given, NULL, out);
    if (!member->options) return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform %s takes no value", member->name);
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_value *first = map ? gls_value_clone_as(ctx, given, member->options[0].key) : NULL;
    gls_status status = first ? gls_value_append(ctx, map, first) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_member_options(ctx, member, member->name, map, NULL, out);
    gls_value_destroy(ctx, map);
    return status;
}

typedef struct list_job {
    gls_context *ctx;
    gls_fitted *fitted;
    uint64_t seed;
    bool train, elsewhere;
} list_job;

static bool leaves_alone(const list_job *job, const gls_transform *transform, const gls_source *source) {
    bool bare = transform->changes_rows && !gls_source_has_targets(source);
    return !job->train && (transform->train_only || bare || (job->elsewhere && transform->own_sets));
}

/* Fits where that is wanted, and applies; *source becomes the new one. */
static gls_status apply_transform(const list_job *job, const gls_transform *transform, const void *options,
                                  int64_t stage, gls_source **source) {
    gls_learned learned = {job->fitted, stage, transform->member.name};
    gls_random random = gls_random_create(job->seed, "transform", (uint64_t)stage, 0);
    uint64_t own = (uint64_t)gls_random_u32(&random) << 32;
    own |= gls_random_u32(&random);
    if (job->train && transform->fit) GLS_TRY(transform->fit(job->ctx, *source, options, &learned));
    return transform->apply(job->ctx, *source, options, own, job->train, &learned, source);
}

static gls_status apply_item(const list_job *job, const gls_value *item, int64_t stage, gls_source **source) {
    const char *name = NULL;
    const gls_value *given;
    gls_context *ctx = job->ctx;
    GLS_TRY(split_item(ctx, item, &name, &given));
    const gls_transform *transform = (const gls_transform *)gls_member_find(ctx, &gls_transform_kind, name);
    if (!transform) return GLS_ERR_ARGUMENT;
    if (leaves_alone(job, transform, *source)) return GLS_OK;
    gls_options *filled;
    GLS_TRY(transform_options(ctx, transform, given, &filled));
    gls_source *made = *source;
    gls_status status = apply_transform(job, transform, gls_options_struct(filled), stage, &made);
    gls_options_destroy(filled);
    if (status != GLS_OK) return status;
    /* Behind mixup rows stay where they are: what is not a wrapper picks rows or gives them labels. */
    bool moved = (*source)->info.mixed && made->inner != *source;
    *source = made;
    return moved ? gls_fail(ctx, GLS_ERR_ARGUMENT, "transforms: %s picks or relabels rows; put it in front of mixup",
                            name)
                 : GLS_OK;
}

static gls_status apply_list(const list_job *job, const gls_value *list, gls_source **source) {
    if (!list || list->kind == GLS_VALUE_NULL) return GLS_OK;
    if (list->kind != GLS_VALUE_LIST) return apply_item(job, list, 1, source);
    for (int64_t i = 0; i < list->count; i++) GLS_TRY(apply_item(job, list->items[i], i + 1, source));
    return GLS_OK;
}

/* Takes source, also on failure. */
static gls_status run_list(list_job *job, gls_source *source, const gls_value *list, gls_source **out) {
    *out = NULL;
    gls_status status = job->train ? gls_fitted_start(job->ctx, &job->fitted) : GLS_OK;
    if (status == GLS_OK) status = apply_list(job, list, &source);
    if (status == GLS_OK && job->train && !source->fitted) {
        source->fitted = job->fitted;
        job->fitted = NULL;
    }
    if (job->train) gls_fitted_destroy(job->fitted);
    if (status != GLS_OK)
        gls_source_destroy(source);
    else
        *out = source;
    return status;
}

gls_status gls_transforms_apply(gls_context *ctx, gls_source *source, const gls_value *list, uint64_t seed,
                                const gls_fitted *fitted, gls_source **out) {
    GLS_GIVEN(ctx, ctx, source, out);
    list_job job = {.ctx = ctx, .fitted = (gls_fitted *)fitted, .seed = seed, .train = fitted == NULL};
    return run_list(&job, source, list, out);
}

gls_status gls_transforms_apply_elsewhere(gls_context *ctx, gls_source *source, const gls_value *list, uint64_t seed,
                                          const gls_fitted *fitted, gls_source **out) {
    GLS_GIVEN(ctx, ctx, source, out);
    list_job job = {.ctx = ctx, .fitted = (gls_fitted *)fitted, .seed = seed, .elsewhere = true};
    return run_list(&job, source, list, out);
}

/* ---- the same in an ONNX graph ---- */

static gls_status write_item(gls_context *ctx, const gls_value *item, const gls_data_info *info, gls_learned *learned,
                             gls_onnx *to, const char **value) {
    const gls_value *given;
    GLS_TRY(split_item(ctx, item, &learned->transform, &given));
    const gls_transform *transform =
        (const gls_transform *)gls_member_find(ctx, &gls_transform_kind, learned->transform);
    if (!transform) return GLS_ERR_ARGUMENT;
    if (transform->train_only || transform->changes_rows) return GLS_OK;
    if (!transform->onnx)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "transform %s has no form in ONNX", transform->member.name);
    gls_options *filled;
    GLS_TRY(transform_options(ctx, transform, given, &filled));
    *value = transform->onnx(to, info, gls_options_struct(filled), learned, *value);
    gls_options_destroy(filled);
    return gls_onnx_status(to);
}

gls_status gls_transforms_onnx(gls_context *ctx, const gls_value *list, const gls_data_info *info, gls_fitted *fitted,
                               gls_onnx *to, const char **value) {
    if (!list || list->kind == GLS_VALUE_NULL) return GLS_OK;
    bool many = list->kind == GLS_VALUE_LIST;
    for (int64_t i = 0; i < (many ? list->count : 1); i++) {
        gls_learned learned = {.fitted = fitted, .stage = i + 1};
        GLS_TRY(write_item(ctx, many ? list->items[i] : list, info, &learned, to, value));
    }
    return GLS_OK;
}
