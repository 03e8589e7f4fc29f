/* A trained model and rows for it, as `predict` and `evaluate` are given them. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

static gls_status open_model(cli_model *m, const cli_args *args) {
    if (args->positionals != 1)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "expected one model: a run folder or a .safetensors file, found %d",
                        args->positionals);
    const char *given = args->positional[0], *at = cli_get(args, "at");
    char *path = NULL;
    struct stat info;
    if (stat(given, &info) == 0 && S_ISDIR(info.st_mode)) {
        GLS_TRY(gls_run_saved_weights(m->ctx, given, at ? at : "final", &path, NULL));
    } else if (at) {
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "--at needs a run folder; %s is not one", given);
    }
    gls_status status = gls_predictor_open(m->ctx, path ? path : given, &m->predictor);
    gls_free(m->ctx, path);
    return status;
}

/* What a path's name suggests; an array's name does not say that its rows are frames, but the model does. */
static const char *guessed(const cli_model *m, const char *path) {
    const gls_data_info *rows = gls_predictor_file_info(m->predictor);
    const char *format = gls_format_guess(path);
    bool frames = rows->length > 0 && rows->vocabulary == 0;
    return frames && strcmp(format, "npy") == 0 ? "frames" : format;
}

/* A model that was trained from a generator has no format of files: then it is guessed. */
static const char *rows_format(const cli_model *m, const cli_args *args, const char *path) {
    const char *format = cli_get(args, "format"), *trained = gls_predictor_format(m->predictor);
    if (format) return format;
    const gls_format *member;
    for (int64_t i = 0; (member = (const gls_format *)gls_members_at(m->ctx, GLS_KIND_FORMAT, i)); i++)
        if (strcmp(member->member.name, trained) == 0) return member->generator ? guessed(m, path) : NULL;
    return NULL;
}

static gls_status open_all(cli_model *m, const cli_args *args, gls_part part) {
    const char *path = cli_get(args, "data");
    if (!path && args->positionals == 1) return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "--data FILE is missing: the rows");
    if (!path && args->positionals == 2)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT,
                        "--data FILE is missing, the rows: expected --data %s after the model", args->positional[1]);
    GLS_TRY(open_model(m, args));
    const char *format = rows_format(m, args, path);
    gls_status status = gls_predictor_rows(m->predictor, format, path, part, &m->rows);
    return format && !cli_get(args, "format") ? gls_format_guessed(m->ctx, status, format) : status;
}

static gls_status begin(cli_model *m, const cli_args *args, int threads) {
    gls_context_options options = {
        .size = sizeof options, .threads = threads, .comm = args->comm, .log = args->first ? cli_log : NULL};
    *m = (cli_model){0};
    return gls_context_create(&m->ctx, &options);
}

gls_status cli_model_load(cli_model *m, const cli_args *args) {
    gls_status status = begin(m, args, cli_threads(args));
    return status == GLS_OK ? open_model(m, args) : status;
}

gls_status cli_model_open(cli_model *m, const cli_args *args, gls_part part) {
    int several = gls_comm_size(args->comm) > 1; /* as in train: then each process has one thread */
    gls_status status = begin(m, args, cli_has(args, "threads") ? cli_threads(args) : several);
    return status == GLS_OK ? gls_comm_agree(m->ctx, open_all(m, args, part)) : status;
}

const char *cli_class_name(const gls_data_info *info, int64_t c, char text[24]) {
    if (c >= 0 && info->class_names && c < info->classes) return info->class_names[c];
    snprintf(text, 24, "%lld", (long long)c);
    return text;
}

void cli_model_close(cli_model *m) {
    gls_source_destroy(m->rows);
    gls_predictor_destroy(m->predictor);
    gls_context_destroy(m->ctx);
}
