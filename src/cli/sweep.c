/* `sweep`: a search over settings, its table and its JSON. */
#include <glissade/search.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { MOST_AXES = 16 }; /* --over in one command; a grid of two values each has 65536 trials then */

typedef struct job {
    const cli_args *args;
    gls_context *ctx;
    gls_value *config;
    gls_sweep_axis axis[MOST_AXES];
    gls_sweep_options options;
    gls_context_options context;
    char *folder;
    bool quiet;
} job;

static gls_status read_axes(job *j) {
    for (int i = 0; i < j->args->count; i++) {
        if (strcmp(j->args->given[i].flag->name, "over") != 0) continue;
        if (j->options.axes == MOST_AXES) return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "more than %d --over", MOST_AXES);
        GLS_TRY(gls_sweep_axis_parse(j->ctx, j->args->given[i].text, &j->axis[j->options.axes]));
        j->options.axes++;
    }
    return j->options.axes ? GLS_OK
                           : gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                                      "no key to search over was given: expected --over KEY=V,V,..., as in --over "
                                      "method.lr=0.1,0.3,1");
}

static const char *way_at(const void *user, int64_t i) {
    static const char *const own[] = {"figure", "loss", "epochs"};
    const gls_score_type *type = i < 3 ? NULL : gls_score_type_at(i - 3);
    (void)user;
    return i < 3 ? own[i] : type ? type->name : NULL;
}

/* A score's name stands for train.score. */
static gls_status compare_by(job *j, const char *by) {
    const gls_value *train = gls_value_get(j->config, "train"), *given = train ? gls_value_get(train, "score") : NULL;
    int64_t i = 0;
    for (const char *name; (name = way_at(NULL, i)) && strcmp(name, by) != 0;) i++;
    if (!way_at(NULL, i)) {
        char all[400] = "";
        for (int64_t k = 0; way_at(NULL, k); k++)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", k ? ", " : "", way_at(NULL, k));
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--by: expected one of %s, found '%s'", all, by);
    }
    j->options.by_loss = i == 1;
    j->options.by_epochs = i == 2;
    j->options.by_score = i > 2;
    if (i < 3) return GLS_OK;
    if (given && given->kind == GLS_VALUE_TEXT && strcmp(given->text, by) != 0)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--by %s, but train.score is %s: expected one of the two alone", by,
                        given->text);
    return cli_config_set(j->ctx, j->config, "--by", "train.score", by);
}

static gls_status configure(job *j) {
    GLS_TRY(cli_configure(j->ctx, j->args, 0, &j->config, NULL));
    GLS_TRY(cli_config_set(j->ctx, j->config, "--threads", "train.threads", cli_get(j->args, "threads")));
    GLS_TRY(read_axes(j));
    gls_context_options given = {.size = sizeof given};
    int64_t seeds;
    GLS_TRY(gls_config_context(j->ctx, j->config, &given));
    GLS_TRY(gls_config_seeds(j->ctx, j->config, &seeds));
    j->options.trials = cli_int(j->args, "trials", 0);
    j->options.jobs = (int)cli_int(j->args, "jobs", 1);
    j->options.seeds = cli_int(j->args, "seeds", seeds);
    j->options.first_seed = cli_int(j->args, "seed", (int64_t)given.seed);
    if (seeds > 1) GLS_TRY(gls_config_set(j->ctx, j->config, "train.seeds=1")); /* each folder has one run */
    const char *by = cli_get(j->args, "by");
    if (by) GLS_TRY(compare_by(j, by));
    char *name = cli_has(j->args, "out") ? NULL : gls_config_name(j->ctx, j->config);
    j->folder = name ? gls_sprintf(j->ctx, "runs/sweep-%s", name) : gls_strdup(j->ctx, cli_get(j->args, "out"));
    gls_free(j->ctx, name);
    return j->folder ? GLS_OK : GLS_ERR_MEMORY;
}

static void progress(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result) {
    const job *j = user;
    if (j->quiet || !result) return;
    fprintf(stderr, "%lld/%lld  %s  ", (long long)run + 1, (long long)runs, name);
    if (!result->stopped)
        fprintf(stderr, "diverged\n");
    else
        fprintf(stderr, "train loss %.5g  %s %.5g  %.1f s\n", result->train_loss,
                isnan(result->validation_loss) ? "test loss" : "validation loss",
                isnan(result->validation_loss) ? result->test_loss : result->validation_loss, result->seconds);
}

static void print_stat(gls_sweep_stat stat, int width, bool percent) {
    double scale = percent ? 100 : 1;
    char text[48] = "-";
    if (!isnan(stat.mean) && isnan(stat.deviation))
        snprintf(text, sizeof text, percent ? "%.2f" : "%.5g", scale * stat.mean);
    else if (!isnan(stat.mean))
        snprintf(text, sizeof text, percent ? "%.2f +- %.2f" : "%.5g +- %.2g", scale * stat.mean,
                 scale * stat.deviation);
    fprintf(stderr, "  %*s", width, text);
}

/* Best first, as the sweep sorted them; trials that an interruption left out are not shown. */
static void print_table(const gls_sweep *sweep) {
    int width[MOST_AXES];
    bool percent = !sweep->score_lower; /* shares, as most scores are */
    fprintf(stderr, "\n  ");
    for (int64_t a = 0; a < sweep->axes; a++) {
        size_t widest = strlen(sweep->axis[a].key);
        for (int64_t t = 0; t < sweep->trials; t++)
            if (strlen(sweep->trial[t].text[a]) > widest) widest = strlen(sweep->trial[t].text[a]);
        width[a] = (int)widest;
        fprintf(stderr, "%-*s  ", width[a], sweep->axis[a].key);
    }
    fprintf(stderr, "  %20s  %18s  %18s  %18s\n", sweep->selected_by ? sweep->selected_by : "", "test loss",
            percent ? "test score %" : "test score", "epochs");
    for (int64_t t = 0; t < sweep->trials; t++) {
        const gls_sweep_trial *trial = &sweep->trial[t];
        if (!trial->runs && !trial->failed) continue;
        fprintf(stderr, t || !sweep->best ? "  " : "* ");
        for (int64_t a = 0; a < sweep->axes; a++) fprintf(stderr, "%-*s  ", width[a], trial->text[a]);
        print_stat(trial->selected, 20, percent && sweep->greater_is_better);
        print_stat(trial->test_loss, 18, false);
        print_stat(trial->test_score, 18, percent);
        print_stat(trial->epochs, 18, false);
        fprintf(stderr, "  %s", trial->folder);
        if (trial->missed) fprintf(stderr, "  %lld missed the target", (long long)trial->missed);
        if (trial->failed) fprintf(stderr, "  %lld diverged", (long long)trial->failed);
        fprintf(stderr, "\n");
    }
    for (int64_t a = 0; a < sweep->axes; a++)
        if (sweep->edge[a])
            fprintf(stderr, "warning: the best is on the edge of %s: try values beyond %s\n", sweep->axis[a].key,
                    sweep->trial[0].text[a]);
    if (sweep->selected_by && strcmp(sweep->selected_by, "training loss") == 0)
        fprintf(stderr, "warning: no validation set, so the training loss chose; set train.validation=0.1\n");
}

static int run(const cli_args *args) {
    job j = {
        .args = args, .ctx = cli_context(NULL), .quiet = cli_has(args, "quiet"), .options = {.size = sizeof j.options}};
    if (!j.ctx) return CLI_FAILED;
    j.context = (gls_context_options){.size = sizeof j.context, .log = cli_log};
    gls_sweep *sweep = NULL;
    gls_status status = configure(&j);
    j.options.config = j.config;
    j.options.axis = j.axis;
    j.options.folder = j.folder;
    j.options.context = &j.context;
    j.options.progress = progress;
    j.options.user = &j;
    if (status == GLS_OK) {
        cli_signals *signals = cli_signals_start(j.ctx, NULL);
        status = gls_sweep_run(j.ctx, &j.options, &sweep);
        cli_signals_stop(signals);
    }
    if (status == GLS_OK && !j.quiet) print_table(sweep);
    if (status == GLS_OK) status = cli_keep_json(j.ctx, args, j.folder, "sweep.json", gls_sweep_json(sweep));
    int code = status != GLS_OK ? cli_fail(j.ctx, status, false) : CLI_DONE;
    if (status == GLS_OK && sweep->interrupted) {
        fprintf(stderr, "interrupted; the same command continues where it stopped\n");
        code = CLI_FAILED;
    } else if (status == GLS_OK && !sweep->best) {
        if (j.options.by_epochs && sweep->trial[0].missed)
            cli_bad("no run reached the target, so none was the soonest: more train.epochs, or a nearer target");
        else
            cli_bad("every trial diverged, so none is best: try smaller rates, or a clipped or normalised method");
        code = CLI_FAILED;
    } else if (status == GLS_OK && !j.quiet) {
        fprintf(stderr, "  %s\n", j.folder);
    }
    if (status != GLS_OK && !cli_has(args, "out")) rmdir("runs"); /* unless there are runs in it */
    gls_sweep_destroy(sweep);
    for (int64_t a = 0; a < j.options.axes; a++) gls_sweep_axis_clear(j.ctx, &j.axis[a]);
    gls_free(j.ctx, j.folder);
    gls_value_destroy(j.ctx, j.config);
    gls_context_destroy(j.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"over", "KEY=V,V,...", "values to try for a key, or a range KEY=LOW..HIGH to draw from; may be repeated",
     .repeats = true},
    {"by", "WHAT",
     "figure (the default): the score or loss at the end; loss; a score of evaluate (auc, rmse, ...): that one; "
     "epochs: "
     "how soon train.target_accuracy or train.target_loss is reached"},
    {"trials", "N", "random search: draw N settings; default: the whole grid", CLI_INT, 1, INFINITY},
    {"seeds", "N", "runs of each setting; default: train.seeds (1)", CLI_INT, 1, INFINITY},
    {"seed", "N", "the first seed; default: train.seed (1)", CLI_INT, 0, INFINITY},
    CLI_FLAG_PRESET,
    CLI_FLAG_SET,
    {"out", "DIR", "folder for all runs; runs already finished there are skipped; default: runs/sweep-NAME"},
    CLI_FLAG_JOBS,
    CLI_FLAG_THREADS,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_sweep = {
    .name = "sweep",
    .synopsis = "sweep CONFIG --over KEY=V,V,... [options]",
    .help = "compare settings on equal budgets, with mean and spread over seeds",
    .details = "All settings have the same budget and the same seeds. The best one is chosen by the score on the "
               "validation set, or by the loss where there is no score; without a validation set by the training loss, "
               "with a warning. Test figures are shown only. With --by epochs the run that reaches its target in the "
               "fewest epochs "
               "wins, whatever its loss there; a setting with runs that end before comes behind those without.",
    .flags = flags,
    .run = run,
};
