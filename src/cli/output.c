/* What the command prints: messages and their exit codes, JSON, numbers for people. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

/* In one piece, as other ranks may write to the same place at the same time. */
int cli_bad(const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "glissade: %s\n", text);
    return CLI_BAD;
}

bool cli_same_file(const char *a, const char *b) {
    struct stat one, two;
    return a && b && stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

const char *cli_nearest(const char *name, const char *(*next)(const void *user, int64_t i), const void *user,
                        const char *otherwise, char text[160]) {
    const char *nearest = gls_nearest(name, next, user);
    snprintf(text, 160, nearest ? "; did you mean '%.100s'?" : "%.150s", nearest ? nearest : otherwise);
    return text;
}

int cli_exit_code(gls_status status, bool writing) {
    if (status == GLS_ERR_FILE) return writing ? CLI_FAILED : CLI_BAD;
    return status == GLS_ERR_ARGUMENT || status == GLS_ERR_INPUT || status == GLS_ERR_UNSUPPORTED ? CLI_BAD
                                                                                                  : CLI_FAILED;
}

int cli_fail(gls_context *ctx, gls_status status, bool writing) {
    const char *message = gls_context_message(ctx);
    cli_bad("%s", *message ? message : gls_status_name(status));
    return cli_exit_code(status, writing);
}

int cli_fail_together(gls_context *ctx, gls_status status, bool writing) {
    const gls_comm *comm = gls_context_comm(ctx);
    int64_t rank = gls_comm_rank(comm), code = cli_exit_code(status, writing), nobody = 1 << 20;
    int64_t speaker = (status == GLS_ERR_COMM ? nobody : rank) * 4 + code;
    int missing;
    if (gls_comm_size(comm) > 1 && gls_comm_reduce_int64(ctx, GLS_MIN, &speaker, 1, GLS_OK) != GLS_OK)
        speaker = rank * 4 + code;
    /* Who is left knows nothing of the others, but who is gone. */
    if (gls_comm_lost(comm, &missing) && missing >= 0) speaker = (missing == 0 ? 1 : 0) * 4 + code;
    if (speaker / 4 == rank || (speaker / 4 == nobody && rank == 0)) cli_fail(ctx, status, writing);
    return (int)(speaker % 4);
}

void cli_log(void *user, gls_log_level level, const char *message) {
    const cli_progress *progress = user;
    bool watched = progress && progress->terminal && !progress->quiet;
    if (level > (watched ? GLS_LOG_INFO : GLS_LOG_WARNING)) return;
    if (user) cli_progress_clear(user);
    fprintf(stderr, "glissade: %s%s\n", level == GLS_LOG_WARNING ? "warning: " : "", message);
}

gls_context *cli_context(gls_comm *comm) {
    gls_context_options options = {.size = sizeof options, .threads = 1, .comm = comm};
    if (gls_comm_rank(comm) == 0) options.log = cli_log;
    gls_context *ctx = NULL;
    if (gls_context_create(&ctx, &options) != GLS_OK) cli_bad("out of memory");
    return ctx;
}

int cli_begin_work(gls_context *reading, gls_status status, const gls_value *config, gls_context_options *options,
                   gls_context **work) {
    if (status == GLS_OK && config) status = gls_config_context(reading, config, options);
    if (status == GLS_OK) status = gls_context_create(work, options);
    status = gls_comm_agree(reading, status);
    if (status == GLS_OK) return CLI_DONE;
    gls_context_destroy(*work); /* another rank may have none */
    *work = NULL;
    return cli_fail_together(reading, status, false);
}

int cli_print_json(json_t *object, int digits) {
    char *text = object ? json_dumps(object, JSON_COMPACT | (digits ? JSON_REAL_PRECISION(digits) : 0)) : NULL;
    json_decref(object);
    if (!text) return cli_bad("out of memory while writing JSON"), CLI_FAILED;
    puts(text);
    free(text);
    return CLI_DONE;
}

gls_status cli_keep_json(gls_context *ctx, const cli_args *args, const char *folder, const char *file, char *json) {
    char *path = gls_sprintf(ctx, "%s/%s", folder, file), *line = json ? gls_sprintf(ctx, "%s\n", json) : NULL;
    gls_status status = line && path ? gls_write_text(ctx, path, line) : GLS_ERR_MEMORY;
    if (status == GLS_OK && cli_has(args, "json")) fputs(line, stdout);
    gls_free(ctx, line);
    gls_free(ctx, json);
    gls_free(ctx, path);
    return status;
}

json_t *cli_number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

char *cli_thousands(int64_t number, char text[32]) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)number), to = 0;
    for (int i = 0; i < n; i++) {
        text[to++] = digits[i];
        if (digits[i] != '-' && i + 1 < n && (n - 1 - i) % 3 == 0) text[to++] = ',';
    }
    text[to] = 0;
    return text;
}

/* 9.95 would be printed as 10.0; beyond 1e9 s (30 years) it is no duration. */
char *cli_duration(double seconds, char text[32]) {
    if (!(seconds < 1e9))
        snprintf(text, 32, "?");
    else if (seconds < 9.95)
        snprintf(text, 32, "%.1f s", seconds);
    else if (seconds < 60)
        snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 3600)
        snprintf(text, 32, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, 32, "%d:%02d:%02d", (int)(seconds / 3600), (int)seconds / 60 % 60, (int)seconds % 60);
    return text;
}
