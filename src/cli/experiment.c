/* `experiment`: a paper's claim at a stated scale, its figure and its verdict; and the list of them. */
#include <glissade/experiment.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include <glissade/report.h>

typedef struct job {
    const cli_args *args;
    gls_context *ctx;
    gls_experiment *experiment;
    cli_progress bar;
    char *folder; /* of results */
} job;

/* ---- where experiments are ---- */

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Beside the executable's build folder, or where its installation keeps data; else here. NULL if nowhere. */
static char *experiments_folder(gls_context *ctx) {
    static const char *const places[] = {"../experiments", "../share/glissade/experiments"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
    for (int i = 0; slash && i < 2; i++) {
        char *near = gls_sprintf(ctx, "%.*s/%s", (int)(slash - self), self, places[i]);
        char *real = near && is_folder(near) ? realpath(near, NULL) : NULL;
        char *found = real ? gls_strdup(ctx, real) : NULL;
        free(real);
        gls_free(ctx, near);
        if (found) return found;
    }
    return is_folder("experiments") ? gls_strdup(ctx, "experiments") : NULL;
}

static gls_status no_folder(gls_context *ctx) {
    return gls_fail(ctx, GLS_ERR_ARGUMENT,
                    "no folder of experiments was found, neither beside the command nor here: give the path of one");
}

static const char *name_at(const void *user, int64_t i) {
    const gls_experiment_rows *rows = user;
    while (i < rows->rows && !rows->row[i].experiment) i++;
    return i < rows->rows ? rows->row[i].experiment : NULL;
}

static gls_status no_name(job *j, const char *all, const char *name) {
    char text[160];
    gls_experiment_rows rows = {0};
    gls_status status = gls_experiments_list(j->ctx, all, &rows);
    if (status == GLS_OK)
        status = gls_fail(j->ctx, GLS_ERR_ARGUMENT, "unknown experiment '%s'%s", name,
                          cli_nearest(name, name_at, &rows, "; `glissade list experiments` lists them", text));
    gls_experiment_rows_clear(&rows);
    return status;
}

/* Only its own folder is read, so that another one's mistake does not stand in the way. */
static gls_status open_named(job *j, const char *name) {
    char *all = experiments_folder(j->ctx), *folder = all ? gls_sprintf(j->ctx, "%s/%s", all, name) : NULL;
    char *file = folder ? gls_sprintf(j->ctx, "%s/experiment.yaml", folder) : NULL;
    gls_status status = !all ? no_folder(j->ctx) : file ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && (!*name || *name == '.' || access(file, F_OK))) status = no_name(j, all, name);
    if (status == GLS_OK) status = gls_experiment_open(j->ctx, folder, &j->experiment);
    gls_free(j->ctx, file);
    gls_free(j->ctx, folder);
    gls_free(j->ctx, all);
    return status;
}

/* ---- one experiment ---- */

static void progress(void *user, const gls_experiment_progress *p) {
    job *j = user;
    char text[160];
    snprintf(text, sizeof text, "run %lld/%lld  %s  %s", (long long)(p->done < p->runs ? p->done + 1 : p->runs),
             (long long)p->runs, p->arm ? p->arm : "", p->what ? p->what : "");
    cli_progress_work(&j->bar, text, p->share, p->seconds_left);
}

static void print_effect(json_t *one) {
    bool least = json_object_get(one, "at_least") != NULL;
    const json_t *low = json_object_get(one, "low"), *high = json_object_get(one, "high");
    const char *why = json_string_value(json_object_get(one, "why"));
    fprintf(stderr, "  %s\n    claimed %s %g%s; ", json_string_value(json_object_get(one, "say")),
            least ? "at least" : "at most", json_number_value(json_object_get(one, least ? "at_least" : "at_most")),
            json_is_true(json_object_get(one, "ratio")) ? " (a ratio)" : "");
    if (json_is_number(json_object_get(one, "mean")))
        fprintf(stderr, "found %.4g", json_number_value(json_object_get(one, "mean")));
    if (json_is_number(low) && json_is_number(high))
        fprintf(stderr, " (95%%: %.4g to %.4g)", json_number_value(low), json_number_value(high));
    fputs(json_is_number(json_object_get(one, "mean")) ? "; " : "", stderr);
    fprintf(stderr, "%s%s%s\n", json_string_value(json_object_get(one, "verdict")), why ? ": " : "", why ? why : "");
}

static void print_result(const json_t *result) {
    size_t i;
    json_t *one;
    fprintf(stderr, "%s\n", json_string_value(json_object_get(result, "claim")));
    json_array_foreach(json_object_get(result, "expect"), i, one) print_effect(one);
    json_array_foreach(json_object_get(result, "arms"), i, one) {
        if (json_is_true(json_object_get(one, "edge")))
            fprintf(stderr, "warning: %s: the best %s lies on the edge of what was tried\n",
                    json_string_value(json_object_get(one, "name")), json_string_value(json_object_get(one, "key")));
    }
    fprintf(stderr, "%s\n", json_string_value(json_object_get(result, "verdict")));
}

static gls_status configure(job *j) {
    const char *given = j->args->positional[0], *scale = cli_get(j->args, "scale");
    gls_status status = strchr(given, '/') || is_folder(given) ? gls_experiment_open(j->ctx, given, &j->experiment)
                                                               : open_named(j, given);
    GLS_TRY(status);
    j->folder = cli_has(j->args, "out") ? gls_strdup(j->ctx, cli_get(j->args, "out"))
                                        : gls_sprintf(j->ctx, "runs/experiment-%s-%s",
                                                      gls_experiment_name(j->experiment), scale ? scale : "quick");
    return j->folder ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status write_page(job *j, char **page) {
    char *result = gls_sprintf(j->ctx, "%s/result.json", j->folder);
    *page = gls_sprintf(j->ctx, "%s/report.html", j->folder);
    gls_status status = result && *page ? gls_report_experiment(j->ctx, result, *page) : GLS_ERR_MEMORY;
    gls_free(j->ctx, result);
    return status;
}

static gls_status work(job *j, char **json, char **page) {
    gls_experiment_options options = {.size = sizeof options,
                                      .scale = cli_get(j->args, "scale"),
                                      .folder = j->folder,
                                      .threads = cli_threads(j->args),
                                      .jobs = (int)cli_int(j->args, "jobs", 1),
                                      .progress = progress,
                                      .user = j};
    gls_experiment_verdict verdict;
    cli_signals *signals = cli_signals_start(j->ctx, &j->bar);
    gls_status status = gls_experiment_run(j->experiment, &options, &verdict, json);
    cli_signals_stop(signals);
    cli_progress_clear(&j->bar);
    return status == GLS_OK ? write_page(j, page) : status;
}

static void say(const job *j, const char *json, const char *page) {
    json_t *result = json_loads(json, 0, NULL);
    if (!cli_has(j->args, "quiet")) print_result(result);
    json_decref(result);
    if (cli_has(j->args, "json"))
        puts(json);
    else if (!cli_has(j->args, "quiet"))
        fprintf(stderr, "%s\n", page);
}

static int run(const cli_args *args) {
    if (args->positionals != 1)
        return cli_bad("experiment needs one name or folder; `glissade list experiments` lists them");
    job j = {.args = args, .ctx = cli_context(NULL)};
    if (!j.ctx) return CLI_FAILED;
    char *json = NULL, *page = NULL;
    cli_progress_init(&j.bar, cli_has(args, "quiet"));
    gls_status status = configure(&j);
    if (status == GLS_OK) status = work(&j, &json, &page);
    int code = CLI_DONE;
    if (status == GLS_ERR_INTERRUPTED) {
        fprintf(stderr, "interrupted; the same command continues where it stopped\n");
        code = CLI_FAILED;
    } else if (status != GLS_OK) {
        code = cli_fail(j.ctx, status, j.experiment && j.folder);
    } else {
        say(&j, json, page);
    }
    gls_free(j.ctx, json);
    gls_free(j.ctx, page);
    gls_free(j.ctx, j.folder);
    gls_experiment_destroy(j.experiment);
    gls_context_destroy(j.ctx);
    return code;
}

/* ---- the list ---- */

static void print_row(const gls_experiment_row *row, json_t *into) {
    const char *state = row->experiment                              ? "available"
                        : strncmp(row->about, "elsewhere:", 10) == 0 ? "elsewhere"
                                                                     : "waiting";
    if (into) {
        json_array_append_new(into, json_pack("{s:s, s:s?, s:s, s:s, s:s?}", "row", row->place, "name", row->experiment,
                                              "state", state, "help", row->about, "scales", row->scales));
        return;
    }
    char text[1024];
    if (row->experiment)
        snprintf(text, sizeof text, "%s: %s (%s)", row->experiment, row->about, row->scales);
    else
        snprintf(text, sizeof text, "%s", row->about);
    printf("  %-18s ", row->place);
    cli_wrap(stdout, text, 21, cli_width(stdout));
}

int cli_list_experiments(gls_context *ctx, bool asked, json_t *into) {
    char *folder = experiments_folder(ctx);
    gls_experiment_rows rows = {0};
    if (!folder && !asked) return CLI_DONE;
    gls_status status = folder ? gls_experiments_list(ctx, folder, &rows) : no_folder(ctx);
    if (status == GLS_OK && !into) puts("experiments");
    for (int64_t i = 0; i < rows.rows && status == GLS_OK; i++) print_row(&rows.row[i], into);
    gls_experiment_rows_clear(&rows);
    gls_free(ctx, folder);
    return status == GLS_OK ? CLI_DONE : cli_fail(ctx, status, false);
}

static const cli_flag flags[] = {
    {"scale", "NAME", "quick (the default), small or paper, where the experiment has it"},
    {"out", "DIR",
     "folder for runs, result.json and report.html; what is finished there is not repeated; default: "
     "runs/experiment-NAME-SCALE"},
    CLI_FLAG_JOBS,
    CLI_FLAG_THREADS,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_experiment = {
    .name = "experiment",
    .synopsis = "experiment NAME|FOLDER [options]",
    .help = "a paper's claim at a stated scale: its figure, and a verdict by a rule in its file",
    .details =
        "`glissade list experiments` has every table and figure of the papers, and what each waits for. All arms "
        "have the same budget, and their rates are chosen on held-out rows. The verdict is one of: shows, does not "
        "show, cannot be told at this scale. An interrupted experiment continues with the same command.",
    .flags = flags,
    .run = run,
};
