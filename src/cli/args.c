#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *flag_at(const void *user, int64_t i) {
    return ((const cli_flag *)user)[i].name;
}

static const cli_flag *find(const cli_verb *verb, const char *name, size_t length) {
    for (const cli_flag *f = verb->flags; f && f->name; f++)
        if (strlen(f->name) == length && !strncmp(f->name, name, length)) return f;
    return NULL;
}

static bool unknown(const cli_verb *verb, const char *given, size_t length) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), given);
    const char *nearest = verb->flags ? gls_nearest(name, flag_at, verb->flags) : NULL;
    if (nearest)
        cli_bad("%s has no option --%s; nearest is --%s", verb->name, name, nearest);
    else
        cli_bad("%s has no option --%s; see `glissade help %s`", verb->name, name, verb->name);
    return false;
}

/* One option at argv[*i]; *i moves past its value. */
static bool read_flag(const cli_verb *verb, int argc, char **argv, int *i, cli_args *out) {
    const char *name = argv[*i] + 2, *equal = strchr(name, '=');
    size_t length = equal ? (size_t)(equal - name) : strlen(name);
    const cli_flag *flag = find(verb, name, length);
    if (!flag) return unknown(verb, name, length);
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
    out->flag[out->flags] = flag;
    out->value[out->flags++] = value;
    return true;
}

bool cli_parse(const cli_verb *verb, int argc, char **argv, cli_args *out) {
    size_t room = (size_t)argc + 1;
    *out = (cli_args){.positional = calloc(room, sizeof(char *)),
                      .flag = calloc(room, sizeof(cli_flag *)),
                      .value = calloc(room, sizeof(char *))};
    bool fine = out->positional && out->flag && out->value, only_positional = false;
    if (!fine) cli_bad("out of memory");
    for (int i = 0; i < argc && fine; i++) {
        bool dashes = !strncmp(argv[i], "--", 2);
        if (dashes && !argv[i][2])
            only_positional = true;
        else if (dashes && !only_positional)
            fine = read_flag(verb, argc, argv, &i, out);
        else if (argv[i][0] == '-' && argv[i][1] && !only_positional)
            fine = unknown(verb, argv[i] + 1, strlen(argv[i] + 1));
        else
            out->positional[out->positionals++] = argv[i];
    }
    if (!fine) cli_args_free(out);
    return fine;
}

void cli_args_free(cli_args *args) {
    free(args->positional);
    free(args->flag);
    free(args->value);
    *args = (cli_args){0};
}

bool cli_has(const cli_args *args, const char *flag) {
    for (int i = 0; i < args->flags; i++)
        if (!strcmp(args->flag[i]->name, flag)) return true;
    return false;
}

const char *cli_get(const cli_args *args, const char *flag) {
    for (int i = args->flags - 1; i >= 0; i--)
        if (!strcmp(args->flag[i]->name, flag)) return args->value[i];
    return NULL;
}

gls_status cli_apply_sets(gls_context *ctx, const cli_args *args, gls_value *config) {
    for (int i = 0; i < args->flags; i++)
        if (!strcmp(args->flag[i]->name, "set")) GLS_TRY(gls_config_set(ctx, config, args->value[i]));
    return GLS_OK;
}
