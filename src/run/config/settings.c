/* Option tables of the sections train, data and plan, and what is read from a configuration before there is a run. */
#include "run/config/settings.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "glissade/comm.h"
#include "glissade/run.h"

#define AT(field) offsetof(gls_train, field)
const gls_option gls_train_table[] = {
    {"epochs", GLS_OPTION_REAL, AT(epochs), "0", 0, INFINITY, 0, NULL,
     "passes over the training set; 0: until steps, time or a target end the run (10 if nothing is given)"},
    {"steps", GLS_OPTION_INT, AT(steps), "0", 0, INFINITY, 0, NULL, "steps at most; 0: no limit"},
    {"batch", GLS_OPTION_SIZE, AT(batch), "128", 1, INFINITY, 0, NULL,
     "examples a mini-batch, over all ranks; all: the whole set"},
    {"batch_schedule", GLS_OPTION_VALUE, AT(batch_schedule), NULL, 0, 0, 0, "schedule",
     "batch as any schedule: {name: step, at: [10, 20], factor: 2}, with maximum: N"},
    {"seed", GLS_OPTION_INT, AT(seed), "1", 0, INFINITY, 0, NULL, "of everything random in the run"},
    {"seeds", GLS_OPTION_INT, AT(seeds), "1", 1, 10000, 0, NULL,
     "so many runs with seeds seed, seed + 1, ..., in folders seed-1, seed-2, ..."},
    {"threads", GLS_OPTION_INT, AT(threads), "0", 0, 1024, 0, NULL,
     "0: all processors at hand (one a rank with several ranks)"},
    {"workers", GLS_OPTION_INT, AT(workers), "1", 0, 64, 0, NULL, "threads that prepare mini-batches ahead; 0: none"},
    {"checkpoint_every", GLS_OPTION_LENGTH, AT(checkpoint_every), "1", 0, 0, 0, NULL,
     "epochs between checkpoints, or steps: 500s; 0: only at the end"},
    {"validate_every", GLS_OPTION_LENGTH, AT(validate_every), "1", 0, 0, 0, NULL,
     "epochs between validations, or steps: 500s; 0: never"},
    {"log_every", GLS_OPTION_LENGTH, AT(log_every), "10s", 0, 0, 0, NULL,
     "epochs or steps (10s) between the step's figures in metrics.jsonl; 0: never"},
    {"keep", GLS_OPTION_INT, AT(keep), "2", 1, 1e6, 0, NULL, "checkpoints kept, beside the best"},
    {"validation", GLS_OPTION_REAL, AT(validation), "0", 0, INFINITY, 0, NULL,
     "examples taken out of the training set to validate on: a share below 1, or a number"},
    {"monitor", GLS_OPTION_ENUM, AT(monitor), "auto", 0, 0, 0, "auto|train|validation|test",
     "the set for targets, patience and the best checkpoint; auto: validation, else test, else train"},
    {"patience", GLS_OPTION_INT, AT(patience), "0", 0, INFINITY, 0, NULL,
     "stop after so many validations without a lower loss; 0: never"},
    {"target_loss", GLS_OPTION_REAL, AT(target_loss), "nan", 0, 0, 0, NULL, "stop at this loss on the monitored set"},
    {"target_accuracy", GLS_OPTION_REAL, AT(target_score), "nan", 0, 0, 0, NULL,
     "stop at this accuracy (or the model's own score) on the monitored set"},
    {"time", GLS_OPTION_TIME, AT(time), "0", 0, INFINITY, 0, NULL, "stop after so much time: 90s, 2m, 1h; 0: no limit"},
    {"bn_span", GLS_OPTION_INT, AT(bn_span), "0", 0, INFINITY, 0, NULL,
     "examples that share batch-norm statistics; 0: the model's bn_group, or the whole mini-batch"},
    {"replacement", GLS_OPTION_BOOL, AT(replacement), "false", 0, 0, 0, NULL,
     "draw every example independently, not by epochs"},
    {"shuffle", GLS_OPTION_BOOL, AT(shuffle), "true", 0, 0, 0, NULL, "a fresh order every epoch"},
    {"drop_last", GLS_OPTION_BOOL, AT(drop_last), "false", 0, 0, 0, NULL,
     "leave out the shorter mini-batch at the end of an epoch"},
    {"nonfinite", GLS_OPTION_ENUM, AT(nonfinite), "stop", 0, 0, 0, "stop|skip",
     "what to do when a gradient is not finite; the step is refused in any case"},
    {"average", GLS_OPTION_VALUE, AT(average), NULL, 0, 0, 0, "average",
     "average of the iterates for validation and result: none, uniform, weighted, exponential, triggered, drawn; "
     "{name: exponential, decay: 0.999}"},
    {"tensorboard", GLS_OPTION_BOOL, AT(tensorboard), "false", 0, 0, 0, NULL,
     "the trace as TensorBoard event files too, in the run folder"},
    {NULL}};
#undef AT

#define AT(field) offsetof(gls_data_section, field)
const gls_option gls_data_table[] = {
    {"format", GLS_OPTION_STRING, AT(format), NULL, 0, 0, 0, NULL,
     "file format or generator; without it a guess by the file's name, glyphs without a file"},
    {"name", GLS_OPTION_STRING, AT(name), NULL, 0, 0, GLS_OPTION_HIDDEN, NULL, "the same as format"},
    {"train", GLS_OPTION_PATH, AT(train), NULL, 0, 0, 0, NULL, "training set, relative to the configuration file"},
    {"test", GLS_OPTION_PATH, AT(test), NULL, 0, 0, 0, NULL, "test set; generators bring their own"},
    {"transforms", GLS_OPTION_VALUE, AT(transforms), NULL, 0, 0, 0, "transforms",
     "list of transforms, in order: [{label_noise: 0.1}, flip]"},
    {"standardize", GLS_OPTION_BOOL, AT(standardize), "false", 0, 0, 0, NULL,
     "features to mean 0 and variance 1 over the training set, before the transforms"},
    {NULL}};
const char *const gls_data_keys[] = {"format", "name", "train", "test", "transforms", "standardize", NULL};
#undef AT

#define AT(field) offsetof(gls_plan_options, field)
const gls_option gls_plan_table[] = {
    {"slice", GLS_OPTION_INT, AT(slice), "0", 0, INFINITY, 0, NULL, "rows evaluated at once; 0: by the cost model"},
    {"wave", GLS_OPTION_INT, AT(wave), "0", 0, INFINITY, 0, NULL, "rows held at once; 0: by the cost model"},
    {"lanes", GLS_OPTION_INT, AT(lanes), "0", 0, INFINITY, 0, NULL, "a power of two; 0: by the cost model"},
    {"precision", GLS_OPTION_STRING, AT(precision), NULL, 0, 0, 0, NULL, "float or double"},
    {"libraries", GLS_OPTION_STRING, AT(libraries), NULL, 0, 0, 0, NULL, "for information"},
    {"version", GLS_OPTION_STRING, AT(version), NULL, 0, 0, 0, NULL, "for information"},
    {NULL}};
#undef AT

const char *gls_origin(const gls_value *value, char text[256]) {
    text[0] = 0;
    if (value->file && value->line > 0)
        snprintf(text, 256, "%s:%d: ", value->file, value->line);
    else if (value->file)
        snprintf(text, 256, "%s: ", value->file);
    return text;
}

static const char *const sections[] = {"name",     "data",  "model",   "estimator", "method",
                                       "schedule", "train", "measure", "plan",      NULL};

static const char *section_at(const void *user, int64_t i) {
    return ((const char *const *)user)[i];
}

gls_status gls_config_check_sections(gls_context *ctx, const gls_value *config) {
    for (int64_t i = 0; i < config->count; i++) {
        const gls_value *v = config->items[i];
        int known = 0;
        while (sections[known] && strcmp(sections[known], v->key)) known++;
        if (sections[known]) continue;
        const char *nearest = gls_nearest(v->key, section_at, sections);
        char place[256];
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sunknown section '%s'%s%s%s", gls_origin(v, place), v->key,
                        nearest ? "; nearest is '"
                                : "; known are data, model, estimator, method, schedule, "
                                  "train, measure, name",
                        nearest ? nearest : "", nearest ? "'" : "");
    }
    return gls_config_check_renamed(ctx, config);
}

gls_status gls_config_section(gls_context *ctx, const gls_value *config, const char *name, const gls_value **section,
                              gls_value **made) {
    *made = NULL;
    *section = gls_value_get(config, name);
    if (!*section || (*section)->kind == GLS_VALUE_MAP || (*section)->kind == GLS_VALUE_LIST) return GLS_OK;
    if ((*section)->kind == GLS_VALUE_NULL) {
        *section = NULL;
        return GLS_OK;
    }
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, name, NULL);
    gls_value *text = gls_value_create(ctx, GLS_VALUE_TEXT, "name", (*section)->text);
    if (!map || !text) {
        gls_value_destroy(ctx, map);
        gls_value_destroy(ctx, text);
        return GLS_ERR_MEMORY;
    }
    map->file = text->file = (*section)->file;
    map->line = text->line = (*section)->line;
    gls_status status = gls_value_append(ctx, map, text);
    if (status != GLS_OK) {
        gls_value_destroy(ctx, map);
        return status;
    }
    *section = *made = map;
    return GLS_OK;
}

gls_status gls_config_section_options(gls_context *ctx, const gls_value *config, const char *name,
                                      const gls_option *table, size_t struct_size, const char *const *except,
                                      gls_options **out) {
    const gls_value *section;
    gls_value *made;
    GLS_TRY(gls_config_section(ctx, config, name, &section, &made));
    char place[256];
    gls_status status = gls_options_create(ctx, name, table, struct_size, out);
    if (status == GLS_OK && section && section->kind == GLS_VALUE_LIST)
        status = gls_fail(ctx, GLS_ERR_ARGUMENT, "%s%s: expected keys and values, found a list",
                          gls_origin(section, place), name);
    if (status == GLS_OK && section) status = gls_options_apply(*out, section, except);
    gls_value_destroy(ctx, made);
    if (status != GLS_OK) {
        gls_options_destroy(*out);
        *out = NULL;
    }
    return status;
}

gls_status gls_data_options(gls_context *ctx, const gls_value *section, gls_options **out) {
    GLS_TRY(gls_options_create(ctx, "data", gls_data_table, sizeof(gls_data_section), out));
    for (const char *const *key = gls_data_keys; *key; key++) {
        const gls_value *value = gls_value_get(section, *key);
        gls_status status = value ? gls_options_set_value(*out, value) : GLS_OK;
        if (status == GLS_OK) continue;
        gls_options_destroy(*out);
        *out = NULL;
        return status;
    }
    return GLS_OK;
}

const gls_option *gls_config_section_table(const char *section) {
    static const struct {
        const char *name;
        const gls_option *table;
    } known[] = {{"train", gls_train_table}, {"data", gls_data_table}, {"plan", gls_plan_table}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, section)) return known[i].table;
    return NULL;
}

static gls_status train_options(gls_context *ctx, const gls_value *config, gls_options **out) {
    GLS_TRY(gls_config_check_renamed(ctx, config));
    return gls_config_section_options(ctx, config, "train", gls_train_table, sizeof(gls_train), NULL, out);
}

gls_status gls_config_context(gls_context *ctx, const gls_value *config, gls_context_options *options) {
    gls_options *filled = NULL;
    GLS_TRY(train_options(ctx, config, &filled));
    const gls_train *train = gls_options_struct(filled);
    options->seed = (uint64_t)train->seed;
    options->threads = train->threads ? (int)train->threads : gls_comm_size(options->comm) > 1 ? 1 : 0;
    gls_options_destroy(filled);
    return GLS_OK;
}

gls_status gls_config_seeds(gls_context *ctx, const gls_value *config, int64_t *seeds) {
    gls_options *filled = NULL;
    GLS_TRY(train_options(ctx, config, &filled));
    *seeds = ((const gls_train *)gls_options_struct(filled))->seeds;
    gls_options_destroy(filled);
    return GLS_OK;
}

static const char *text_of(const gls_value *config, const char *section, const char *fallback) {
    const gls_value *value = gls_value_get(config, section);
    if (value && value->kind == GLS_VALUE_MAP) value = gls_value_get(value, "name");
    return value && value->kind == GLS_VALUE_TEXT ? value->text : fallback;
}

char *gls_config_name(gls_context *ctx, const gls_value *config) {
    const char *name = text_of(config, "name", NULL);
    char *word = name
                     ? gls_strdup(ctx, name)
                     : gls_sprintf(ctx, "%s-%s", text_of(config, "model", "run"), text_of(config, "method", "default"));
    /* It becomes a folder's name. */
    for (char *c = word; c && *c; c++)
        if (*c == '/' || (unsigned char)*c <= ' ') *c = '-';
    return word;
}
