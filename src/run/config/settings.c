/* Option tables of the sections train, data and plan, and what is read from a configuration before there is a run. */
#include "run/config/resolve.h"
#include "run/config/settings.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include <glissade/comm.h>
#include <glissade/run.h>

#define AT(field) offsetof(gls_config_train, field)
const gls_option gls_config_train_table[] = {
    GLS_REAL("epochs", gls_config_train, epochs, "0", 0, INFINITY,
             "passes over the training set; 0: until steps, time or a target end the run (10 if nothing is given)"),
    GLS_INT("steps", gls_config_train, steps, "0", 0, INFINITY, "greatest number of steps; 0: no limit"),
    GLS_SIZE(
        "batch", gls_config_train, batch, "128", 1, INFINITY,
        "examples per mini-batch, summed over all ranks; all: the whole training set; a schedule of it; or a rule: "
        "{name: diversity, from: 128, limit: 8192} (`glissade list batch_rules`)",
        .flags = GLS_OPTION_SCHEDULABLE),
    GLS_VALUE(
        "batch_schedule", gls_config_train, batch_schedule,
        "the same as a map under batch, which it begins at: {name: step, at: [10, 20], factor: 2}, with maximum: N",
        .choices = "schedule"),
    GLS_INT("seed", gls_config_train, seed, "1", 0, INFINITY, "seed of all random numbers in the run"),
    GLS_INT("seeds", gls_config_train, seeds, "1", 1, 10000,
            "number of runs to train, with seeds seed, seed + 1, ...; each in its own folder seed-1, seed-2, ..."),
    GLS_INT("threads", gls_config_train, threads, "0", 0, 1024,
            "threads that compute; 0: all available processors (one per rank with several ranks)"),
    GLS_INT("workers", gls_config_train, workers, "1", 0, 64, "threads that prepare mini-batches ahead; 0: none"),
    GLS_LENGTH("checkpoint_every", gls_config_train, checkpoint_every, "1",
               "epochs between checkpoints, or steps: 500s; 0: only at the end"),
    GLS_LENGTH("validate_every", gls_config_train, validate_every, "1",
               "epochs between validations, or steps: 500s; 0: never"),
    GLS_LENGTH("log_every", gls_config_train, log_every, "10s",
               "epochs, or steps (10s), between lines of step figures in metrics.jsonl; 0: never"),
    GLS_INT("keep", gls_config_train, keep, "2", 1, 1e6, "number of checkpoints to keep, besides the best"),
    GLS_REAL("validation", gls_config_train, validation, "0", 0, INFINITY,
             "examples to hold out of the training set for validation: a share below 1, or a number"),
    GLS_STRING("monitor", gls_config_train, monitor, "auto",
               "auto, train, validation, test, or a name of data.tests: the set that decides targets, patience and the "
               "best checkpoint; auto: validation, else test, else train"),
    GLS_INT("patience", gls_config_train, patience, "0", 0, INFINITY,
            "stop after this many validations without improvement; 0: never"),
    GLS_REAL("target_loss", gls_config_train, target_loss, "nan", 0, 0, "stop at this loss on the monitored set"),
    GLS_STRING(
        "score", gls_config_train, score, "auto",
        "score of the sets: auto (the model's own, accuracy of classes), or one of evaluate's: balanced_accuracy, "
        "macro_f1, auc, log_loss, r2, rmse, mae, ... (which costs a second pass over a set)"),
    GLS_ENUM("best", gls_config_train, best, "loss", "loss|score",
             "what on the monitored set decides the best checkpoint, patience and the schedule plateau"),
    GLS_REAL("target_accuracy", gls_config_train, target_score, "nan", 0, 0,
             "stop at this accuracy (or what train.score names) on the monitored set"),
    GLS_TIME("time", gls_config_train, time, "0",
             "all of the run's time, reading data, final evaluation and last checkpoint included: 90s, 2m, 1h; 0: no "
             "limit",
             .maximum = INFINITY),
    GLS_SIZE(
        "final_train", gls_config_train, final_train, "all", 0, INFINITY,
        "examples of the training set that are evaluated at the end, evenly spread over it: all, a number, or 0 for "
        "none"),
    GLS_INT("bn_span", gls_config_train, bn_span, "0", 0, INFINITY,
            "examples that share batch-norm statistics; 0: the model's bn_group, or the whole mini-batch"),
    GLS_BOOL("replacement", gls_config_train, replacement, "false",
             "draw every example independently, with replacement, instead of by epochs"),
    GLS_BOOL("shuffle", gls_config_train, shuffle, "true", "reshuffle the examples every epoch"),
    GLS_INT("bucket", gls_config_train, bucket, "0", 0, 1e9,
            "of padded rows: so many shuffled mini-batches are made anew of rows of like length; 0: none"),
    GLS_INT("shuffle_block", gls_config_train, shuffle_block, "0", 0, 1e9,
            "examples that follow each other in the file and are read together: an epoch takes such blocks in random "
            "order; 0: every example by itself"),
    GLS_INT("shuffle_window", gls_config_train, shuffle_window, "32", 1, 1e6,
            "of train.shuffle_block: so many blocks are read at a time, and their examples shuffled"),
    GLS_BOOL("drop_last", gls_config_train, drop_last, "false",
             "leave out the shorter mini-batch at the end of an epoch"),
    GLS_ENUM("nonfinite", gls_config_train, nonfinite, "stop", "stop|skip",
             "what to do when a gradient is not finite; the step is refused in any case"),
    GLS_VALUE(
        "average", gls_config_train, average,
        "average of the iterates for validation and result: none, uniform, weighted, exponential, triggered, drawn; "
        "{name: exponential, decay: 0.999}",
        .choices = "average"),
    GLS_TIME("watchdog", gls_config_train, watchdog, "0",
             "how long a rank is waited for before the others give up: 60s, 5m; 0: as long as its process is there",
             .maximum = INFINITY),
    GLS_VALUE("exchange", gls_config_train, exchange,
              "how ranks add their gradients up: dense, bf16, quant, topk; {name: quant, levels: 3}; without ranks "
              "nothing is exchanged",
              .choices = "exchange"),
    GLS_BOOL("shard_state", gls_config_train, shard_state, "false",
             "each of several ranks keeps and steps its share of the method's state alone, and writes it into a piece "
             "of the checkpoint"),
    GLS_BOOL("tensorboard", gls_config_train, tensorboard, "false",
             "also write the metrics as TensorBoard event files in the run folder"),
    GLS_INT("ledger_windows", gls_config_train, ledger_windows, "1", 1, 1000,
            "equal parts of the run for which an estimator's ledger is also kept each by itself"),
    {0},
};
#undef AT

#define AT(field) offsetof(gls_config_data, field)
const gls_option gls_config_data_table[] = {
    GLS_STRING("format", gls_config_data, format, NULL,
               "file format or generator; default: guessed from the file's name; glyphs without a file"),
    GLS_STRING("name", gls_config_data, name, NULL, "the same as format", .flags = GLS_OPTION_HIDDEN),
    GLS_PATH("train", gls_config_data, train, NULL, "training set, relative to the configuration file"),
    GLS_PATH("validation", gls_config_data, validation, NULL,
             "validation set in a file of its own; else train.validation holds rows of the training set out"),
    GLS_PATH("test", gls_config_data, test, NULL, "test set; generators bring their own"),
    GLS_VALUE("tests", gls_config_data, tests,
              "further test sets by name, scored along the run and at the end: {clean: a.npy, other: b.npy}"),
    GLS_VALUE("transforms", gls_config_data, transforms, "list of transforms, in order: [{label_noise: 0.1}, flip]",
              .choices = "transforms"),
    GLS_BOOL("standardize", gls_config_data, standardize, "false",
             "scale features to mean 0 and variance 1 over the training set, before the transforms"),
    GLS_INT("memory", gls_config_data, memory, "0", 0, INFINITY,
            "bytes that rows of all sets may take in memory (512MiB); sets that do not fit stay on disk; 0: no bound"),
    GLS_PATH("scratch", gls_config_data, scratch, NULL,
             "of data.memory: folder for rows that are not read from their own file; default: $TMPDIR, else /tmp"),
    {0},
};
const char *gls_config_data_format(const gls_config_data *data) {
    return data->format ? data->format : data->name ? data->name : gls_format_guess(data->train);
}

const char *const gls_config_data_keys[] = {"format",     "name",        "train",  "validation", "test", "tests",
                                            "transforms", "standardize", "memory", "scratch",    NULL};
#undef AT

#define AT(field) offsetof(gls_config_plan, field)
const gls_option gls_config_plan_table[] = {
    GLS_INT("slice", gls_config_plan, slice, "0", 0, INFINITY, "rows evaluated at once; 0: by the cost model"),
    GLS_INT("wave", gls_config_plan, wave, "0", 0, INFINITY, "rows held at once; 0: by the cost model"),
    GLS_INT("lanes", gls_config_plan, lanes, "0", 0, INFINITY,
            "accumulators of the gradient's sum, a power of two; 0: by the cost model"),
    GLS_STRING("precision", gls_config_plan, precision, NULL,
               "float or double, which the command decides, or bf16: networks' products and activations in that"),
    GLS_BOOL("emulate", gls_config_plan, emulate, "false",
             "bf16 by rounding and multiplying in float, on any processor: saves memory of activations, no time"),
    GLS_STRING("libraries", gls_config_plan, libraries, NULL, "for information"),
    GLS_STRING("version", gls_config_plan, version, NULL, "for information"),
    {0},
};
#undef AT

static const char *const sections[] = {"name",     "data",  "model",   "estimator", "method",
                                       "schedule", "train", "measure", "plan",      NULL};

static const char *section_at(const void *user, int64_t i) {
    return ((const char *const *)user)[i];
}

gls_status gls_config_check_sections(gls_context *ctx, const gls_value *config) {
    GLS_GIVEN(ctx, ctx, config);
    for (int64_t i = 0; i < config->count; i++) {
        const gls_value *v = config->items[i];
        int known = 0;
        while (sections[known] && strcmp(sections[known], v->key) != 0) known++;
        if (sections[known]) continue;
        char place[GLS_ORIGIN_TEXT], key[96];
        const char *nearest = gls_nearest(v->key, section_at, sections);
        if (!nearest) nearest = gls_config_key_for(v->key, key);
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sunknown section '%s'%s%s%s", gls_value_origin(v, place), v->key,
                        nearest ? "; did you mean '"
                                : "; expected data, model, estimator, method, schedule, train, measure, name",
                        nearest ? nearest : "", nearest ? "'?" : "");
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
    char place[GLS_ORIGIN_TEXT];
    gls_status status = gls_options_create(ctx, name, table, struct_size, out);
    if (status == GLS_OK && section && section->kind == GLS_VALUE_LIST)
        status = gls_fail(ctx, GLS_ERR_ARGUMENT, "%s%s: expected keys and values, found a list",
                          gls_value_origin(section, place), name);
    if (status == GLS_OK && section) status = gls_options_apply(*out, section, except);
    gls_value_destroy(ctx, made);
    if (status != GLS_OK) {
        gls_options_destroy(*out);
        *out = NULL;
    }
    return status;
}

gls_status gls_config_data_options(gls_context *ctx, const gls_value *section, gls_options **out) {
    GLS_TRY(gls_options_create(ctx, "data", gls_config_data_table, sizeof(gls_config_data), out));
    for (const char *const *key = gls_config_data_keys; *key; key++) {
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
    if (!section) return NULL;
    static const struct {
        const char *name;
        const gls_option *table;
    } known[] = {{"train", gls_config_train_table}, {"data", gls_config_data_table}, {"plan", gls_config_plan_table}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, section) == 0) return known[i].table;
    return NULL;
}

static gls_status train_options(gls_context *ctx, const gls_value *config, gls_options **out) {
    GLS_TRY(gls_config_check_renamed(ctx, config));
    GLS_TRY(gls_config_check_places(ctx, config));
    return gls_config_section_options(ctx, config, "train", gls_config_train_table, sizeof(gls_config_train), NULL,
                                      out);
}

gls_status gls_config_context(gls_context *ctx, const gls_value *config, gls_context_options *options) {
    GLS_GIVEN(ctx, ctx, config, options);
    gls_options *filled = NULL;
    GLS_TRY(train_options(ctx, config, &filled));
    const gls_config_train *train = gls_options_struct(filled);
    options->seed = (uint64_t)train->seed;
    if (train->threads > gls_processors())
        gls_log_once(
            ctx, GLS_LOG_WARNING,
            "train.threads is %lld, but this process may use %d processor%s: more threads than that are slower",
            (long long)train->threads, gls_processors(), gls_processors() == 1 ? "" : "s");
    options->threads = train->threads ? (int)train->threads : gls_comm_size(options->comm) > 1 ? 1 : 0;
    gls_options_destroy(filled);
    return GLS_OK;
}

gls_status gls_config_seeds(gls_context *ctx, const gls_value *config, int64_t *seeds) {
    GLS_GIVEN(ctx, ctx, config, seeds);
    gls_options *filled = NULL;
    GLS_TRY(train_options(ctx, config, &filled));
    *seeds = ((const gls_config_train *)gls_options_struct(filled))->seeds;
    gls_options_destroy(filled);
    return GLS_OK;
}

static const char *text_of(const gls_value *config, const char *section, const char *fallback) {
    const gls_value *value = gls_value_get(config, section);
    if (value && value->kind == GLS_VALUE_MAP) value = gls_value_get(value, "name");
    return value && value->kind == GLS_VALUE_TEXT ? value->text : fallback;
}

char *gls_config_name(gls_context *ctx, const gls_value *config) {
    if (!ctx || !config) return NULL;
    const char *name = text_of(config, "name", NULL);
    char *word = name
                     ? gls_strdup(ctx, name)
                     : gls_sprintf(ctx, "%s-%s", text_of(config, "model", "run"), text_of(config, "method", "default"));
    /* It becomes a folder's name. */
    for (char *c = word; c && *c; c++)
        if (*c == '/' || (unsigned char)*c <= ' ') *c = '-';
    return word;
}
