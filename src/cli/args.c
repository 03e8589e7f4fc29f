/* From argv to positional arguments and options, each option checked against its row: its type, its bounds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char *flag_at(const void *user, int64_t i) {
    return ((const cli_flag *)user)[i].name;
}

static const cli_flag *find(const cli_verb *verb, const char *name, size_t length) {
    for (const cli_flag *f = verb->flags; f && f->name; f++)
        if (strlen(f->name) == length && strncmp(f->name, name, length) == 0) return f;
    return NULL;
}

/* The key of the configuration that was meant by --lr and the like; NULL: none, or the verb sets none. */
static const char *key_of(const cli_verb *verb, const char *name, char text[96]) {
    if (!find(verb, "set", 3)) return NULL;
    const char *key = gls_config_key_for(name, text);
    bool of_method = find(verb, "method", 6) != NULL; /* replay and solve: their keys are the method's */
    if (key && of_method) key = strncmp(key, "method.", 7) == 0 ? key + 7 : NULL;
    return key;
}

static bool unknown(const cli_verb *verb, const char *dashes, const char *given, size_t length) {
    char name[64], text[96];
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), given);
    const char *nearest = verb->flags ? gls_nearest(name, flag_at, verb->flags) : NULL;
    const char *key = nearest ? NULL : key_of(verb, name, text);
    if (key)
        cli_bad("unknown option %s%s of %s; did you mean --set %s=VALUE?", dashes, name, verb->name, key);
    else if (nearest)
        cli_bad("unknown option %s%s of %s; did you mean --%s?", dashes, name, verb->name, nearest);
    else
        cli_bad("unknown option %s%s of %s; `glissade help %s` lists its options", dashes, name, verb->name,
                verb->name);
    return false;
}

/* The library's own reader of options does the work, so that numbers and messages are those of a configuration. */
static bool read_typed(const cli_verb *verb, cli_given *given) {
    static const gls_option_type type[] = {[CLI_INT] = GLS_OPTION_INT,
                                           [CLI_REAL] = GLS_OPTION_REAL,
                                           [CLI_TIME] = GLS_OPTION_TIME,
                                           [CLI_CHOICE] = GLS_OPTION_ENUM};
    const cli_flag *flag = given->flag;
    char key[64];
    snprintf(key, sizeof key, "--%s", flag->name);
    const gls_option table[] = {{.key = key,
                                 .type = type[flag->type],
                                 .minimum = flag->minimum,
                                 .maximum = flag->maximum,
                                 .choices = flag->choices},
                                {NULL}};
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return false;
    gls_options *options = NULL;
    gls_status status = gls_options_create(ctx, verb->name, table, sizeof given->value, &options);
    if (status == GLS_OK) status = gls_options_set(options, key, given->text);
    if (status == GLS_OK)
        memcpy(&given->value, gls_options_struct(options), sizeof given->value);
    else
        cli_fail(ctx, status, false);
    gls_options_destroy(options);
    gls_context_destroy(ctx);
    return status == GLS_OK;
}

/* One option at argv[*i]; *i moves past its value. */
static bool read_flag(const cli_verb *verb, int argc, char **argv, int *i, cli_args *out) {
    const char *name = argv[*i] + 2, *equal = strchr(name, '=');
    size_t length = equal ? (size_t)(equal - name) : strlen(name);
    const cli_flag *flag = find(verb, name, length);
    if (!flag) return unknown(verb, "--", name, length);
    const char *value = equal ? equal + 1 : NULL;
    if (!flag->value && value) {
        cli_bad("--%s takes no value", flag->name);
        return false;
    }
    if (flag->value && !value && ++*i < argc) value = argv[*i];
    if (flag->value && !value) {
        cli_bad("--%s needs a value: --%s %s", flag->name, flag->name, flag->value);
        return false;
    }
    if (flag->value && !flag->repeats && cli_has(out, flag->name)) { /* a switch is no other for being said twice */
        cli_bad("--%s is given twice", flag->name);
        return false;
    }
    cli_given *given = &out->given[out->count++];
    *given = (cli_given){.flag = flag, .text = value};
    return flag->type == CLI_TEXT || read_typed(verb, given);
}

bool cli_parse(const cli_verb *verb, int argc, char **argv, cli_args *out) {
    size_t room = (size_t)argc + 1;
    *out = (cli_args){.positional = calloc(room, sizeof(char *)), .given = calloc(room, sizeof *out->given)};
    bool fine = out->positional && out->given, only_positional = false;
    if (!fine) cli_bad("out of memory");
    for (int i = 0; i < argc && fine; i++) {
        bool dashes = strncmp(argv[i], "--", 2) == 0;
        if (dashes && !argv[i][2])
            only_positional = true;
        else if (dashes && !only_positional)
            fine = read_flag(verb, argc, argv, &i, out);
        else if (argv[i][0] == '-' && argv[i][1] && !only_positional)
            fine = unknown(verb, "-", argv[i] + 1, strlen(argv[i] + 1));
        else
            out->positional[out->positionals++] = argv[i];
    }
    if (!fine) cli_args_free(out);
    return fine;
}

void cli_args_free(cli_args *args) {
    free(args->positional);
    free(args->given);
    *args = (cli_args){0};
}

static const cli_given *last(const cli_args *args, const char *flag) {
    for (int i = args->count - 1; i >= 0; i--)
        if (strcmp(args->given[i].flag->name, flag) == 0) return &args->given[i];
    return NULL;
}

bool cli_has(const cli_args *args, const char *flag) {
    return last(args, flag) != NULL;
}

const char *cli_get(const cli_args *args, const char *flag) {
    const cli_given *given = last(args, flag);
    return given ? given->text : NULL;
}

int64_t cli_int(const cli_args *args, const char *flag, int64_t initial) {
    const cli_given *given = last(args, flag);
    return given ? given->value.whole : initial;
}

double cli_real(const cli_args *args, const char *flag, double initial) {
    const cli_given *given = last(args, flag);
    return given ? given->value.real : initial;
}

int cli_threads(const cli_args *args) {
    int threads = (int)cli_int(args, "threads", 0), most = gls_processors();
    if (threads > most)
        fprintf(stderr, "glissade: warning: --threads %d, but this process may use %d processor%s\n", threads, most,
                most == 1 ? "" : "s");
    return threads;
}
