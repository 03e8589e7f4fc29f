#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "cli.h"
#include "run/search/sweep.h"

typedef struct job {
    const cli_args *args;
    gls_context *ctx;
    gls_value *config;
    gls_sweep_axis axis[16];
    gls_sweep_options options;
    gls_context_options context;
    char *folder;
    bool quiet;
} job;

static gls_status whole_number(job *j, const char *flag, int64_t initial, int64_t least, int64_t *out) {
    const char *text = cli_get(j->args, flag);
    *out = initial;
    if (!text) return GLS_OK;
    char *end;
    *out = strtoll(text, &end, 10);
    if (*end || end == text || *out < least)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--%s %s: expected a whole number, %lld or more", flag, text,
                        (long long)least);
    return GLS_OK;
}

static gls_status configure(job *j) {
    const char *preset = cli_get(j->args, "preset");
    const char *file = j->args->positionals ? j->args->positional[0] : NULL;
    if (j->args->positionals > 1)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "sweep takes one configuration, found '%s' too",
                        j->args->positional[1]);
    if ((preset != NULL) == (file != NULL))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "give a configuration file or --preset NAME");
    GLS_TRY(preset ? gls_config_preset(j->ctx, preset, &j->config) : gls_config_read(j->ctx, file, &j->config));
    GLS_TRY(cli_apply_sets(j->ctx, j->args, j->config));
    for (int i = 0; i < j->args->flags; i++) {
        if (strcmp(j->args->flag[i]->name, "over")) continue;
        if (j->options.axes == (int64_t)(sizeof j->axis / sizeof *j->axis))
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "more than %zu --over", sizeof j->axis / sizeof *j->axis);
        GLS_TRY(gls_sweep_axis_parse(j->ctx, j->args->value[i], &j->axis[j->options.axes]));
        j->options.axes++;
    }
    if (!j->options.axes) return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "what to search over? --over method.lr=0.1,0.3,1");
    GLS_TRY(whole_number(j, "trials", 0, 1, &j->options.trials));
    GLS_TRY(whole_number(j, "seeds", 1, 1, &j->options.seeds));
    GLS_TRY(whole_number(j, "seed", 1, 0, &j->options.first_seed));
    int64_t threads;
    GLS_TRY(whole_number(j, "threads", 0, 1, &threads));
    if (threads) {
        char text[64];
        snprintf(text, sizeof text, "train.threads=%lld", (long long)threads);
        GLS_TRY(gls_config_set(j->ctx, j->config, text));
    }
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

static void print_stat(gls_sweep_stat stat, bool percent) {
    double scale = percent ? 100 : 1;
    char text[48] = "-";
    if (!isnan(stat.mean) && isnan(stat.deviation))
        snprintf(text, sizeof text, percent ? "%.2f" : "%.5g", scale * stat.mean);
    else if (!isnan(stat.mean))
        snprintf(text, sizeof text, percent ? "%.2f +- %.2f" : "%.5g +- %.2g", scale * stat.mean,
                 scale * stat.deviation);
    fprintf(stderr, "  %18s", text);
}

static void print_table(const gls_sweep *sweep) {
    int width[16];
    fprintf(stderr, "\n  ");
    for (int64_t a = 0; a < sweep->axes; a++) {
        size_t widest = strlen(sweep->axis[a].key);
        for (int64_t t = 0; t < sweep->trials; t++)
            if (strlen(sweep->trial[t].text[a]) > widest) widest = strlen(sweep->trial[t].text[a]);
        width[a] = (int)widest;
        fprintf(stderr, "%-*s  ", width[a], sweep->axis[a].key);
    }
    fprintf(stderr, "  %18s  %18s  %18s\n", sweep->selected_by ? sweep->selected_by : "", "test loss", "test score %");
    for (int64_t t = 0; t < sweep->trials; t++) {
        const gls_sweep_trial *trial = &sweep->trial[t];
        if (!trial->runs && !trial->failed) continue;
        fprintf(stderr, t ? "  " : "* ");
        for (int64_t a = 0; a < sweep->axes; a++) fprintf(stderr, "%-*s  ", width[a], trial->text[a]);
        print_stat(trial->selected, sweep->greater_is_better);
        print_stat(trial->test_loss, false);
        print_stat(trial->test_score, true);
        fprintf(stderr, "  %s", trial->folder);
        if (trial->failed) fprintf(stderr, "  %lld diverged", (long long)trial->failed);
        fprintf(stderr, "\n");
    }
    for (int64_t a = 0; a < sweep->axes; a++)
        if (sweep->edge[a])
            fprintf(stderr, "warning: the best lies on the edge of %s: try values beyond %s\n", sweep->axis[a].key,
                    sweep->trial[0].text[a]);
    if (sweep->selected_by && !strcmp(sweep->selected_by, "training loss"))
        fprintf(stderr, "warning: no validation set, so the training loss chose; set train.validation=0.1\n");
}

static gls_status write_json(job *j, const gls_sweep *sweep) {
    char *json = gls_sweep_json(sweep), *path = gls_sprintf(j->ctx, "%s/sweep.json", j->folder);
    gls_writer *writer = NULL;
    gls_status status = json && path ? gls_writer_open(j->ctx, path, &writer) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_writer_printf(writer, "%s\n", json);
    if (status == GLS_OK)
        status = gls_writer_commit(writer);
    else
        gls_writer_abort(writer);
    if (status == GLS_OK && cli_has(j->args, "json")) printf("%s\n", json);
    gls_free(j->ctx, json);
    gls_free(j->ctx, path);
    return status;
}

static int run(const cli_args *args) {
    job j = {.args = args, .ctx = cli_context(NULL), .quiet = cli_has(args, "quiet")};
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
    if (status == GLS_OK) status = write_json(&j, sweep);
    int code = status != GLS_OK ? cli_fail(j.ctx, status, false) : CLI_DONE;
    if (status == GLS_OK && sweep->interrupted) {
        fprintf(stderr, "interrupted; the same command goes on where it stopped\n");
        code = CLI_FAILED;
    } else if (status == GLS_OK && !j.quiet) {
        fprintf(stderr, "  %s\n", j.folder);
    }
    gls_sweep_destroy(sweep);
    for (int64_t a = 0; a < j.options.axes; a++) gls_sweep_axis_clear(j.ctx, &j.axis[a]);
    gls_free(j.ctx, j.folder);
    gls_value_destroy(j.ctx, j.config);
    gls_context_destroy(j.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"over", "KEY=V,V,...", "values of a key, or a range KEY=LOW..HIGH for random search; may be repeated"},
    {"trials", "N", "random search: draw N settings; without it, the whole grid"},
    {"seeds", "N", "runs of each setting, 1 by default"},
    {"seed", "N", "the first seed, 1 by default"},
    {"preset", "NAME", "a built-in configuration; see `glissade list presets`"},
    {"set", "SECTION.KEY=VALUE", "an override for all runs; may be repeated"},
    {"out", "DIR", "folder of all runs; what is finished there is not run again"},
    {"threads", "N", "threads of each run"},
    {"quiet", NULL, "no table and no progress"},
    {"json", NULL, "the last line of standard output is one JSON object"},
    {NULL}};

const cli_verb cli_sweep = {
    .name = "sweep",
    .synopsis = "sweep CONFIG --over KEY=V,V,... [options]",
    .help = "search over settings on equal budget: mean and spread over seeds",
    .details =
        "Every setting has the same budget and the same seeds. The validation set chooses (its score, else its loss; "
        "without one the training loss, with a warning); test figures are only shown.",
    .flags = flags,
    .run = run,
};
