/* `data`: sets made by generators, looked at, converted between formats. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct look {
    gls_context *ctx;
    const cli_args *args;
    gls_value *config; /* {data: {...}} */
    gls_source *source;
    bool inspects, missing; /* a table is looked at; some of its values are missing */
} look;

static const char *positional(const look *l, int i) {
    return i < l->args->positionals ? l->args->positional[i] : NULL;
}

/* The data section; keys of --set may go without their `data.`. */
static gls_status set_keys(look *l) {
    static const char *const sections[] = {"data", NULL};
    GLS_TRY(gls_config_parse(l->ctx, "--set", "data: {}", 8, &l->config));
    return cli_apply_sets(l->ctx, l->args, sections, l->config);
}

typedef struct within {
    int64_t memory;
    const char *scratch;
} within;

/* Sets are passed through once: rows beyond this are made, or read, as they are written. */
static const gls_option within_table[] = {
    GLS_INT("memory", within, memory, "256MiB", 1, INFINITY, "bytes that rows may take in memory"),
    GLS_PATH("scratch", within, scratch, NULL, "folder for rows that are not read from their own file"),
    {0},
};

static gls_status open_within(look *l, const char *format, const char *path, gls_part part, gls_source **out) {
    static const char *const except[] = {"transforms", "memory", "scratch", NULL};
    const gls_value *section = gls_value_get(l->config, "data");
    gls_options *options;
    GLS_TRY(gls_options_create(l->ctx, "data", within_table, sizeof(within), &options));
    gls_status status = GLS_OK;
    for (const gls_option *o = within_table; status == GLS_OK && o->key; o++) {
        const gls_value *given = gls_value_get(section, o->key);
        if (given) status = gls_options_set_value(options, given);
    }
    const within *w = gls_options_struct(options);
    gls_bound bound = {.left = w->memory, .scratch = w->scratch, .lenient = !gls_options_given(options, "memory")};
    gls_source_bound(l->ctx, &bound);
    if (status == GLS_OK) status = gls_source_open(l->ctx, format, path, section, except, part, NULL, out);
    gls_source_bound(l->ctx, NULL);
    gls_options_destroy(options);
    return status;
}

static gls_status open_source(look *l, const char *format, const char *path) {
    const gls_value *section = gls_value_get(l->config, "data");
    gls_part part = cli_has(l->args, "test") ? GLS_PART_TEST : GLS_PART_TRAIN;
    gls_source *raw = NULL;
    const char *guessed = format ? NULL : gls_format_guess(path);
    gls_status status = open_within(l, format ? format : guessed, path, part, &raw);
    if (status != GLS_OK) return guessed ? gls_format_guessed(l->ctx, status, guessed) : status;
    return gls_transforms_apply(l->ctx, raw, gls_value_get(section, "transforms"),
                                (uint64_t)cli_int(l->args, "seed", 1), NULL, &l->source);
}

/* ---- info ---- */

/* What training is told of a table only by its refusal. */
static void say(void *user, gls_log_level level, const char *message) {
    look *l = user;
    if (level != GLS_LOG_INFO || !l->inspects) {
        cli_log(NULL, level, message);
        return;
    }
    l->missing = true;
    fprintf(stderr, "glissade: %s\n", message);
}

/* A table is looked at before anybody has decided what to do with missing values and columns of free text; more texts
 * than that would take too long. */
static gls_status take_any_table(look *l) {
    static const char *const keys[] = {"fill", "most_categories"}, *const sets[] = {"data.fill=mean",
                                                                                    "data.most_categories=10000"};
    const char *format = cli_get(l->args, "format"), *path = positional(l, 1);
    if (!format) format = gls_format_guess(path);
    l->inspects = format && strcmp(format, "csv") == 0;
    for (int k = 0; l->inspects && k < 2; k++)
        if (!gls_value_get(gls_value_get(l->config, "data"), keys[k]))
            GLS_TRY(gls_config_set(l->ctx, l->config, sets[k]));
    return GLS_OK;
}

static void print_advice(const look *l, const gls_description *d) {
    enum { MANY = 1000 }; /* most_categories */
    if (l->missing)
        printf("note: training refuses missing values unless data.fill says what stands for them (mean or zero)\n");
    for (int64_t j = 0; l->inspects && j < d->columns; j++)
        if (d->column[j].texts > MANY)
            printf("note: training refuses column '%s' for its many texts unless data.ignore leaves it out, or "
                   "data.most_categories allows them\n",
                   d->column[j].name);
}

static json_t *columns_json(const gls_description *d) {
    json_t *columns = json_array();
    for (int64_t j = 0; j < d->columns; j++) {
        const gls_description_column *c = &d->column[j];
        json_t *name = json_string(c->name);
        if (!name) name = json_integer((json_int_t)j + 1); /* no UTF-8 */
        json_array_append_new(columns, json_pack("{s:o, s:I, s:o, s:o, s:o}", "name", name, "texts",
                                                 (json_int_t)c->texts, "minimum", cli_number(c->minimum), "maximum",
                                                 cli_number(c->maximum), "mean", cli_number(c->mean)));
    }
    return columns;
}

static void print_json(const gls_description *d) {
    json_t *shape = json_array(), *counts = json_array();
    for (int i = 0; i < d->info.dims; i++) json_array_append_new(shape, json_integer(d->info.shape[i]));
    for (int64_t i = 0; d->class_count && i < d->info.classes; i++)
        json_array_append_new(counts, json_integer(d->class_count[i]));
    json_t *object =
        json_pack("{s:I, s:I, s:o, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
                  "examples", (json_int_t)d->info.examples, "features", (json_int_t)d->info.features, "shape", shape,
                  "sparse", d->info.sparse, "classes", (json_int_t)d->info.classes, "class_counts", counts, "minimum",
                  cli_number(d->minimum), "maximum", cli_number(d->maximum), "mean", cli_number(d->mean), "density",
                  cli_number(d->density), "nonfinite", (json_int_t)d->nonfinite, "constant_features",
                  (json_int_t)d->constant_features, "empty_rows", (json_int_t)d->empty_rows, "duplicate_rows",
                  (json_int_t)d->duplicate_rows, "conflicting_rows", (json_int_t)d->conflicting_rows, "missing_classes",
                  (json_int_t)d->missing_classes, "imbalance", cli_number(d->imbalance), "columns", columns_json(d));
    cli_print_json(object, 12);
}

static gls_status info(look *l) {
    gls_description description;
    if (!positional(l, 1) && !cli_get(l->args, "format"))
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT,
                        "`data info` needs a path, or a generator as --format: data info PATH [--format FORMAT]; "
                        "`glissade list data` lists formats and generators");
    GLS_TRY(take_any_table(l));
    GLS_TRY(open_source(l, cli_get(l->args, "format"), positional(l, 1)));
    GLS_TRY(gls_source_describe(l->ctx, l->source, &description));
    if (cli_has(l->args, "json")) {
        print_json(&description);
    } else {
        fputs(description.text, stdout);
        print_advice(l, &description);
    }
    gls_description_clear(l->ctx, &description);
    return GLS_OK;
}

/* ---- make, convert ---- */

/* The format to write is found before anything is read. */
static gls_status format_to_write(look *l, const char **format) {
    *format = cli_get(l->args, "to");
    return *format ? GLS_OK : gls_format_to_write(l->ctx, cli_get(l->args, "out"), format);
}

static gls_status check_out(look *l) {
    const char *out = cli_get(l->args, "out");
    if (!cli_same_file(out, positional(l, 1))) return GLS_OK;
    return gls_fail(l->ctx, GLS_ERR_ARGUMENT, "--out: %s is the file that is read; expected another one", out);
}

static gls_status write_to(look *l, const char *format, bool *writing) {
    const char *out = cli_get(l->args, "out");
    if (l->source->has_mass && !gls_target_by_position(l->source->info.target))
        fprintf(stderr, "glissade: warning: the rows have weights, which no format writes: %s is without them\n", out);
    *writing = true;
    return gls_source_write(l->ctx, l->source, format, out, NULL, NULL);
}

static gls_status make(look *l, bool *writing) {
    const char *generator = positional(l, 1), *to;
    if (!generator || !cli_get(l->args, "out"))
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT,
                        "`data make` needs a generator and --out PATH: data make GENERATOR --out PATH [--to FORMAT]; "
                        "`glissade list data` lists the generators");
    GLS_TRY(format_to_write(l, &to));
    GLS_TRY(open_source(l, generator, NULL));
    return write_to(l, to, writing);
}

static gls_status convert(look *l, bool *writing) {
    const char *to;
    if (!positional(l, 1) || !cli_get(l->args, "out"))
        return gls_fail(
            l->ctx, GLS_ERR_ARGUMENT,
            "`data convert` needs a file and --out PATH: data convert PATH --out PATH [--format FORMAT] [--to FORMAT]");
    GLS_TRY(check_out(l));
    GLS_TRY(format_to_write(l, &to));
    GLS_TRY(open_source(l, cli_get(l->args, "format"), positional(l, 1)));
    return write_to(l, to, writing);
}

/* ---- tokenizer ---- */

static gls_status tokenizer(look *l, bool *writing) {
    enum { MOST = 64 };
    const char *special[MOST + 1] = {"<|endoftext|>"}, *out = cli_get(l->args, "out");
    int count = 0;
    if (!positional(l, 1) || !out)
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT,
                        "`data tokenizer` needs a text and --out PATH: data tokenizer TEXT --out tokenizer.json "
                        "[--size N] [--special TOKEN]");
    GLS_TRY(check_out(l));
    for (int i = 0; i < l->args->count; i++) {
        if (strcmp(l->args->given[i].flag->name, "special") != 0) continue;
        if (count == MOST) return gls_fail(l->ctx, GLS_ERR_ARGUMENT, "--special: more than %d tokens", MOST);
        special[count++] = l->args->given[i].text;
    }
    *writing = true;
    return gls_tokenizer_make(l->ctx, positional(l, 1), cli_int(l->args, "size", 8000), special, out);
}

static const char *const actions[] = {"make", "info", "convert", "tokenizer", "suspects", NULL};
static const char *action_at(const void *user, int64_t i) {
    return ((const char *const *)user)[i];
}

/* The options of each action; another one would be ignored. */
static gls_status check_options(const look *l, const char *action) {
    static const struct {
        const char *action, *options[8];
    } known[] = {{"make", {"to", "out", "set", "seed", "test"}},
                 {"info", {"format", "set", "seed", "test", "json"}},
                 {"convert", {"format", "to", "out", "set", "seed", "test"}},
                 {"tokenizer", {"out", "size", "special"}},
                 {"suspects", {"top", "rank", "by", "window", "out", "json"}}};
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        for (int i = 0; i < l->args->count && strcmp(known[k].action, action) == 0; i++) {
            const char *name = l->args->given[i].flag->name;
            int o = 0;
            while (o < 8 && known[k].options[o] && strcmp(known[k].options[o], name) != 0) o++;
            if (o == 8 || !known[k].options[o])
                return gls_fail(l->ctx, GLS_ERR_ARGUMENT, "--%s is no option of `data %s`", name, action);
        }
    return GLS_OK;
}

static gls_status act(look *l, bool *writing) {
    const char *action = positional(l, 0);
    if (!action)
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT, "`data` needs an action: make, info, convert, tokenizer or suspects");
    if (l->args->positionals > 2)
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT, "`data %s` takes one path or name, found '%s' too", action,
                        positional(l, 2));
    GLS_TRY(check_options(l, action));
    GLS_TRY(set_keys(l));
    if (strcmp(action, "suspects") == 0) return cli_suspects(l->ctx, l->args);
    if (strcmp(action, "info") == 0) return info(l);
    if (strcmp(action, "make") == 0) return make(l, writing);
    if (strcmp(action, "tokenizer") == 0) return tokenizer(l, writing);
    if (strcmp(action, "convert") == 0) return convert(l, writing);
    char text[160];
    return gls_fail(
        l->ctx, GLS_ERR_ARGUMENT, "unknown action '%s' of `data`%s", action,
        cli_nearest(action, action_at, actions, "; expected make, info, convert, tokenizer or suspects", text));
}

static int run(const cli_args *args) {
    look l = {.args = args};
    gls_context_options options = {.size = sizeof options, .threads = 1, .log = say, .log_user = &l};
    if (gls_context_create(&l.ctx, &options) != GLS_OK) return cli_bad("out of memory"), CLI_FAILED;
    bool writing = false;
    gls_status status = act(&l, &writing);
    int code = status == GLS_OK ? CLI_DONE : cli_fail(l.ctx, status, writing);
    gls_source_destroy(l.source);
    gls_value_destroy(l.ctx, l.config);
    gls_context_destroy(l.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"format", "FORMAT", "format of the input; default: told by the file's name"},
    {"to", "FORMAT", "format of the output; default: told by the file's name (.csv, .idx, .npy, .svm, ...)"},
    {"out", "PATH", "the file to write; suspects: FILE.json or FILE.csv instead of the terminal"},
    {"set", "KEY=VALUE", "an option of the format or generator, or transforms=[...]; may be repeated", .repeats = true},
    {"seed", "N", "seed of the transforms (1)", CLI_INT, 0, INFINITY},
    {"size", "N", "tokenizer: how many tokens (8000)", CLI_INT, 256, INT32_MAX},
    {"special", "TOKEN", "tokenizer: a token of its own, never split (<|endoftext|>); may be repeated",
     .repeats = true},
    {"test", NULL, "take the test part of a generator or a folder"},
    {"top", "N", "suspects: how many to list (20)", CLI_INT, 1, 1e9},
    {"rank", "BY", "suspects: the order, factor (default where anything was clipped), norm or loss", CLI_CHOICE, 0, 0,
     "factor|norm|loss"},
    {"by", "COLUMN", "suspects: means over classes (default) or over a column of the data, such as domain"},
    {"window", "N", "suspects: in part N alone, from 1, of the run's train.ledger_windows", CLI_INT, 1, 1000},
    {"json", NULL, "info and suspects: print one JSON object"},
    {NULL}};

const cli_verb cli_data = {
    .name = "data",
    .synopsis = "data make GENERATOR | info PATH | convert PATH | tokenizer TEXT | suspects RUN  [options]",
    .help =
        "make, inspect and convert data sets; make a tokenizer from a text; list the examples that a run clipped most",
    .flags = flags,
    .words = actions,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
