/* The one way to a configuration, for every verb that takes one: a file, a preset, a run's own or --set alone; then
 * every --set on top. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static bool is_folder(const char *path) {
    struct stat info;
    return path && !stat(path, &info) && S_ISDIR(info.st_mode);
}

/* "a file, --preset NAME or --resume DIR": what the verb takes. */
static const char *kinds(unsigned from, char text[160]) {
    snprintf(text, 160, "a file%s%s%s", from & CLI_FROM_RUN ? ", a run folder" : "",
             from & (CLI_FROM_RESUME | CLI_FROM_SETS) ? ", --preset NAME" : " or --preset NAME",
             from & CLI_FROM_RESUME ? ", --resume DIR or --set KEY=VALUE alone" : "");
    return text;
}

static gls_status check_count(gls_context *ctx, const cli_args *args, unsigned from) {
    int given = (args->positionals > 0) + cli_has(args, "preset") + cli_has(args, "resume");
    char text[160];
    if (args->positionals > 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "expected one configuration, found '%s' and '%s'", args->positional[0],
                        args->positional[1]);
    if (given > 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "more than one configuration was given: choose %s", kinds(from, text));
    if (!given && !((from & CLI_FROM_SETS) && cli_has(args, "set")))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "no configuration was given: expected %s", kinds(from, text));
    return GLS_OK;
}

/* Whoever has a table and nothing else gives the table. */
static gls_status tell_data(gls_context *ctx, const char *path, gls_status status) {
    const char *format = gls_format_guess(path);
    if (status != GLS_ERR_INPUT || strcmp(format, "libsvm") == 0)
        return status; /* which is what any name is taken for */
    return gls_fail(ctx, status,
                    "%s: by its name this is data (%s), expected a configuration: a file with sections, or --set "
                    "data.train=%s beside --set model=... and --set method=...",
                    path, format, path);
}

/* What is read from a file borrows its name; a clone keeps the name for itself. */
static gls_status read_file(gls_context *ctx, const char *path, gls_value **config) {
    gls_value *read = NULL;
    gls_status status = gls_config_read(ctx, path, &read);
    if (status != GLS_OK) return tell_data(ctx, path, status);
    *config = gls_value_clone(ctx, read);
    gls_value_destroy(ctx, read);
    return *config ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status load(gls_context *ctx, const cli_args *args, unsigned from, gls_value **config, const char **folder) {
    const char *preset = cli_get(args, "preset"), *file = args->positionals ? args->positional[0] : NULL;
    GLS_TRY(check_count(ctx, args, from));
    *folder = from & CLI_FROM_RUN && is_folder(file) ? file : cli_get(args, "resume");
    if (preset) return gls_config_preset(ctx, preset, config);
    if (*folder) return gls_run_saved_config(ctx, *folder, config);
    return file ? read_file(ctx, file, config) : gls_config_parse(ctx, "--set", "", 0, config);
}

gls_status cli_configure(gls_context *ctx, const cli_args *args, unsigned from, gls_value **config,
                         const char **folder) {
    const char *own;
    *config = NULL;
    GLS_TRY(load(ctx, args, from, config, folder ? folder : &own));
    GLS_TRY(cli_apply_sets(ctx, args, NULL, *config));
    return gls_config_check_sections(ctx, *config);
}

/* The value of "section.key" or of a whole section; NULL where there is none. */
static const gls_value *value_at(const gls_value *config, const char *key) {
    char part[64];
    const gls_value *at = config;
    for (size_t length; at && *key; key += length + (key[length] == '.')) {
        length = strcspn(key, ".");
        if (length >= sizeof part) return NULL;
        snprintf(part, sizeof part, "%.*s", (int)length, key);
        at = gls_value_get(at, part);
    }
    return at;
}

/* An option of the command and a --set of the same key: one of them would win. */
static gls_status check_once(gls_context *ctx, const gls_value *config, const char *origin, const char *key) {
    const gls_value *before = value_at(config, key);
    bool sets = strncmp(origin, "--set", 5) == 0;
    if (!before || !before->file || before->line > 0 || strncmp(before->file, "--", 2) != 0) return GLS_OK;
    if (sets == (strncmp(before->file, "--set", 5) == 0)) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s and %s are about the same key: expected one of the two", before->file,
                    origin);
}

gls_status cli_config_set(gls_context *ctx, gls_value *config, const char *flag, const char *key, const char *value) {
    if (!value) return GLS_OK;
    char *text = gls_sprintf(ctx, "%s=%s", key, value);
    if (!text) return GLS_ERR_MEMORY;
    gls_status status = check_once(ctx, config, flag, key);
    if (status == GLS_OK) status = gls_config_set_from(ctx, config, flag, text);
    gls_free(ctx, text);
    return status;
}

static gls_status apply_set(gls_context *ctx, const char *assignment, gls_value *config) {
    size_t length = strcspn(assignment, "=");
    char *key = gls_sprintf(ctx, "%.*s", (int)length, assignment);
    char *origin = key ? gls_sprintf(ctx, "--set %.60s", key) : NULL;
    gls_status status = origin ? check_once(ctx, config, origin, key) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_config_set(ctx, config, assignment);
    gls_free(ctx, key);
    gls_free(ctx, origin);
    return status;
}

static bool names_section(const char *assignment, const char *const *sections) {
    for (; sections && *sections; sections++) {
        size_t length = strlen(*sections);
        if (strncmp(assignment, *sections, length) == 0 && assignment[length] == '.') return true;
    }
    return false;
}

gls_status cli_apply_sets(gls_context *ctx, const cli_args *args, const char *const *sections, gls_value *config) {
    for (int i = 0; i < args->count; i++) {
        const char *given = args->given[i].text;
        if (strcmp(args->given[i].flag->name, "set") != 0) continue;
        bool whole = !sections || names_section(given, sections);
        char *text = gls_sprintf(ctx, "%s%s%s", whole ? "" : *sections, whole ? "" : ".", given);
        if (!text) return GLS_ERR_MEMORY;
        gls_status status = apply_set(ctx, text, config);
        gls_free(ctx, text);
        GLS_TRY(status);
    }
    return GLS_OK;
}
