/* `report`: one page about runs, written once, or repeatedly while they run (--watch); or about a result of an
 * experiment. */
#include <glissade/report.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

/* A single file is the result of an experiment; what else it may be is told by whoever reads it. */
static bool of_experiment(const cli_args *args) {
    struct stat info;
    return args->positionals == 1 && stat(args->positional[0], &info) == 0 && S_ISREG(info.st_mode);
}

/* Without --out the page is in the run folder, or in the present one if there is no single one. */
static char *default_path(gls_context *ctx, const cli_args *args) {
    return args->positionals == 1 && !of_experiment(args) ? gls_sprintf(ctx, "%s/report.html", args->positional[0])
                                                          : gls_strdup(ctx, "report.html");
}

/* Rewrites the page every `seconds` until the runs have ended or an interrupt; the last page does not reload itself. */
static gls_status watch(gls_context *ctx, const cli_args *args, gls_report_options options, const char *path) {
    cli_progress silent; /* Ctrl-C is the ordinary end here */
    cli_progress_init(&silent, true);
    cli_signals *signals = cli_signals_start(ctx, &silent);
    gls_status status = GLS_OK;
    double every = options.refresh;
    for (bool ended = false; status == GLS_OK && options.refresh > 0;) {
        if (ended || gls_interrupted(ctx)) options.refresh = 0;
        status = gls_report_ended(ctx, args->positional, args->positionals, &ended);
        if (status == GLS_OK) status = gls_report_write(ctx, args->positional, args->positionals, &options, path);
        if (!(options.refresh > 0)) break;
        /* In tenths of a second, so that an interruption is obeyed at once. */
        for (double waited = 0; status == GLS_OK && waited < every && !gls_interrupted(ctx); waited += 0.1)
            usleep(100000);
    }
    cli_signals_stop(signals);
    return status;
}

static gls_status write_page(gls_context *ctx, const cli_args *args, const gls_report_options *options,
                             const char *path) {
    if (of_experiment(args)) return gls_report_experiment(ctx, args->positional[0], path);
    return gls_report_write(ctx, args->positional, args->positionals, options, path);
}

static int run(const cli_args *args) {
    if (!args->positionals) return cli_bad("report needs at least one folder: a run's, or one that holds runs");
    if (of_experiment(args) && (cli_has(args, "watch") || cli_has(args, "title")))
        return cli_bad("--watch and --title are for runs; %s is a file, the result of an experiment",
                       args->positional[0]);
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return CLI_FAILED;
    gls_report_options options = {.size = sizeof options, .title = cli_get(args, "title")};
    bool watched = cli_has(args, "watch");
    options.refresh = cli_real(args, "watch", 0);
    char *path = cli_has(args, "out") ? gls_strdup(ctx, cli_get(args, "out")) : default_path(ctx, args);
    if (watched && path)
        fprintf(stderr, "writing %s every %g s until the runs end; an open page reloads itself; stop with Ctrl-C\n",
                path, options.refresh);
    gls_status status = !path     ? GLS_ERR_MEMORY
                        : watched ? watch(ctx, args, options, path)
                                  : write_page(ctx, args, &options, path);
    int code = status == GLS_OK ? CLI_DONE : cli_fail(ctx, status, true);
    if (status == GLS_OK && cli_has(args, "json"))
        cli_print_json(json_pack("{s:s, s:i}", "report", path, "runs", args->positionals), 0);
    else if (status == GLS_OK)
        fprintf(stderr, "%s\n", path);
    gls_free(ctx, path);
    gls_context_destroy(ctx);
    return code;
}

static const cli_flag flags[] = {
    {"out", "FILE", "the page; default: report.html, inside the run folder if there is one run"},
    {"title", "TEXT", "heading of the page"},
    {"watch", "SECONDS", "rewrite the page until the runs end; an open page reloads itself and keeps its place",
     CLI_REAL, 1, 86400},
    CLI_FLAG_JSON,
    {NULL}};

const cli_verb cli_report = {
    .name = "report",
    .synopsis = "report FOLDER...|RESULT.json [options]",
    .help = "write one self-contained HTML page that compares runs",
    .details =
        "A folder is that of a run, or any that holds runs (runs/*, a sweep's own): it is walked. Runs that differ in "
        "their seed are one line with a band, trials of a sweep one table by the swept keys. What is no run, or "
        "broken, is named on the page. A file is the result of an experiment: its verdict and figure are drawn again.",
    .flags = flags,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
