#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "cli.h"
#include "run/search/advise.h"
#include "run/search/sweep.h"

typedef struct job {
    const cli_args *args;
    gls_context *reading, *ctx; /* for the configuration; for the work */
    gls_context_options context;
    gls_value *config;
    gls_advice *advice;
    char *folder;
    double budget;
    bool quiet, interrupted;
} job;

static gls_status read_budget(job *j) {
    static const gls_option table[] = {
        {"budget", GLS_OPTION_TIME, 0, "2m", 0, INFINITY, GLS_OPTION_ABOVE_MIN, NULL, "time for the probes"}, {NULL}};
    const char *given = cli_get(j->args, "budget");
    gls_options *options = NULL;
    GLS_TRY(gls_options_create(j->reading, "--", table, sizeof(double), &options));
    gls_status status = given ? gls_options_set(options, "budget", given) : GLS_OK;
    j->budget = *(const double *)gls_options_struct(options);
    gls_options_destroy(options);
    return status;
}

static gls_status configure(job *j) {
    const char *preset = cli_get(j->args, "preset"), *file = j->args->positionals ? j->args->positional[0] : NULL;
    gls_value *read = NULL;
    if ((preset != NULL) == (file != NULL) || j->args->positionals > 1)
        return gls_fail(j->reading, GLS_ERR_ARGUMENT, "give one configuration file, or --preset NAME");
    GLS_TRY(preset ? gls_config_preset(j->reading, preset, &read) : gls_config_read(j->reading, file, &read));
    j->config = gls_value_clone(j->reading, read);
    gls_value_destroy(j->reading, read);
    if (!j->config) return GLS_ERR_MEMORY;
    GLS_TRY(cli_apply_sets(j->reading, j->args, j->config));
    const gls_value *method = gls_value_get(j->config, "method");
    /* What is asked for need not be answered beforehand. */
    if (!method || method->kind == GLS_VALUE_NULL)
        GLS_TRY(gls_config_set(j->reading, j->config, "method={name: msgd}"));
    GLS_TRY(read_budget(j));
    char *name = cli_has(j->args, "out") ? NULL : gls_config_name(j->reading, j->config);
    j->folder = name ? gls_sprintf(j->reading, "runs/advise-%s", name)
                     : gls_strdup(j->reading, cli_has(j->args, "out") ? cli_get(j->args, "out") : "");
    gls_free(j->reading, name);
    return j->folder ? gls_config_context(j->reading, j->config, &j->context) : GLS_ERR_MEMORY;
}

static void say(void *user, const char *line) {
    if (!((const job *)user)->quiet) fprintf(stderr, "%s\n", line);
}

static void print_table(const job *j) {
    json_t *lines = json_object_get(j->advice->json, "recommendation"), *one;
    size_t i;
    fprintf(stderr, "\n");
    json_array_foreach(lines, i, one) {
        const char *what = json_string_value(json_object_get(one, "what"));
        fprintf(stderr, "%-22s %s\n", what, json_string_value(json_object_get(one, "value")));
        fprintf(stderr, "    %s\n", json_string_value(json_object_get(one, "numbers")));
        fprintf(stderr, "    rule: %s [%s]\n", json_string_value(json_object_get(one, "rule")),
                json_string_value(json_object_get(one, "source")));
    }
}

/* ---- the recommendation against tuned methods, at full length ---- */

typedef struct entrant {
    const char *name, *method; /* method NULL: the recommendation */
    char rates[128];           /* "" for the recommendation */
    gls_sweep *sweep;
} entrant;

static void swept(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result) {
    const job *j = user;
    if (j->quiet || !result) return;
    if (result->stopped)
        fprintf(stderr, "  %lld/%lld %s: train loss %.5g\n", (long long)run + 1, (long long)runs, name,
                result->train_loss);
    else
        fprintf(stderr, "  %lld/%lld %s: diverged\n", (long long)run + 1, (long long)runs, name);
}

/* The rate that a configuration has, as the axis of a sweep of one point. */
static char *own_rate(const job *j, const char **key) {
    const gls_value *lr = gls_value_get(gls_value_get(j->advice->config, "method"), "lr");
    *key = lr && lr->kind == GLS_VALUE_MAP ? "method.lr.from" : "method.lr";
    const gls_value *from = lr && lr->kind == GLS_VALUE_MAP ? gls_value_get(lr, "from") : lr;
    return gls_sprintf(j->ctx, "%s=%s", *key, from && from->text ? from->text : "0.1");
}

/* Both sides keep the schedule of the recommendation; a tuned method keeps the batch that was given. */
static gls_status entrant_config(const job *j, const entrant *e, gls_value **out) {
    gls_value *config = *out = gls_value_clone(j->ctx, e->method ? j->config : j->advice->config);
    if (!config) return GLS_ERR_MEMORY;
    if (!e->method) return GLS_OK;
    const gls_value *lr = gls_value_get(gls_value_get(j->advice->config, "method"), "lr");
    const gls_value *schedule = gls_value_get(j->advice->config, "schedule");
    char *text = gls_sprintf(j->ctx, "method=%s", e->method);
    gls_status status = text ? gls_config_set(j->ctx, config, text) : GLS_ERR_MEMORY;
    gls_free(j->ctx, text);
    if (status == GLS_OK && lr && lr->kind == GLS_VALUE_MAP)
        status = gls_value_append(j->ctx, (gls_value *)gls_value_get(config, "method"), gls_value_clone(j->ctx, lr));
    if (status == GLS_OK && schedule && !gls_value_get(config, "schedule"))
        status = gls_value_append(j->ctx, config, gls_value_clone(j->ctx, schedule));
    return status;
}

static gls_status enter(job *j, entrant *e) {
    const char *key;
    gls_value *config = NULL;
    gls_sweep_axis axis = {0};
    char *own = own_rate(j, &key), *folder = gls_sprintf(j->ctx, "%s/verify/%s", j->folder, e->name);
    char *tuned = *e->rates ? gls_sprintf(j->ctx, "%s=%s", key, e->rates) : NULL;
    gls_status status = own && folder && (tuned || !*e->rates) ? entrant_config(j, e, &config) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_sweep_axis_parse(j->ctx, tuned ? tuned : own, &axis);
    if (status == GLS_OK) {
        gls_sweep_options options = {.config = config,
                                     .axis = &axis,
                                     .axes = 1,
                                     .seeds = 1,
                                     .first_seed = (int64_t)j->context.seed,
                                     .folder = folder,
                                     .context = &j->context,
                                     .progress = swept,
                                     .user = j};
        status = gls_sweep_run(j->ctx, &options, &e->sweep);
    }
    gls_sweep_axis_clear(j->ctx, &axis);
    gls_value_destroy(j->ctx, config);
    gls_free(j->ctx, own);
    gls_free(j->ctx, tuned);
    gls_free(j->ctx, folder);
    return status;
}

/* A grid whose best lies on its edge is widened there, three times at most; finished runs are not run again. */
static gls_status tune(job *j, entrant *e) {
    if (!j->quiet) fprintf(stderr, "verifying %s\n", e->name);
    GLS_TRY(enter(j, e));
    for (int wider = 0; wider < 3 && *e->rates && e->sweep->edge[0] && !e->sweep->interrupted; wider++) {
        double best = strtod(e->sweep->trial[0].text[0], NULL), least = best;
        for (int64_t t = 0; t < e->sweep->trials; t++) least = fmin(least, strtod(e->sweep->trial[t].text[0], NULL));
        size_t used = strlen(e->rates);
        snprintf(e->rates + used, sizeof e->rates - used, ",%.3g", best == least ? best / 3 : best * 3);
        gls_sweep_destroy(e->sweep);
        e->sweep = NULL;
        GLS_TRY(enter(j, e));
    }
    return GLS_OK;
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static void report_outcome(job *j, const entrant *e, int count) {
    json_t *all = json_object(), *table = json_array();
    double least = INFINITY, own = e[0].sweep->trial[0].train_loss.mean;
    for (int i = 0; i < count; i++) {
        const gls_sweep_trial *best = &e[i].sweep->trial[0];
        if (i > 0) least = fmin(least, best->train_loss.mean);
        json_array_append_new(table, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s?, s:b}", "who", e[i].name, "lr",
                                               best->text[0], "train_loss", number(best->train_loss.mean), "test_loss",
                                               number(best->test_loss.mean), "test_score",
                                               number(best->test_score.mean), "selected", number(best->selected.mean),
                                               "selected_by", e[i].sweep->selected_by, "edge", e[i].sweep->edge[0]));
        if (!j->quiet)
            fprintf(stderr, "  %-16s lr %-10s train loss %-10.5g test loss %-10.5g test score %.4g%s\n", e[i].name,
                    best->text[0], best->train_loss.mean, best->test_loss.mean, best->test_score.mean,
                    e[i].sweep->edge[0] ? "  (best on the edge of its grid)" : "");
    }
    double ratio = own / least;
    const char *outcome = ratio <= 1 ? "won" : ratio <= 1.1 ? "within 1.1 of the best" : "lost";
    json_object_set_new(all, "entrants", table);
    if (isfinite(ratio)) json_object_set_new(all, "ratio", json_real(ratio));
    json_object_set_new(all, "outcome", json_string(isnan(ratio) ? "lost" : outcome));
    json_object_set_new(j->advice->json, "verify", all);
    if (!j->quiet)
        fprintf(stderr, "the recommendation's final training loss is %.3g times the best of tuned msgd and adam: %s\n",
                ratio, isnan(ratio) ? "lost" : outcome);
}

static gls_status verify(job *j) {
    entrant e[] = {{"recommendation", NULL, "", NULL},
                   {"msgd", "{name: msgd}", "0.003,0.01,0.03,0.1,0.3", NULL},
                   {"adam", "{name: adam}", "0.0003,0.001,0.003,0.01,0.03", NULL}};
    gls_status status = GLS_OK;
    for (int i = 0; i < 3 && status == GLS_OK && !j->interrupted; i++) {
        status = tune(j, &e[i]);
        if (status == GLS_OK) j->interrupted = e[i].sweep->interrupted;
    }
    if (status == GLS_OK && !j->interrupted) report_outcome(j, e, 3);
    for (int i = 0; i < 3; i++) gls_sweep_destroy(e[i].sweep);
    return status;
}

/* ---- files ---- */

static gls_status write_into(job *j, const char *file, const char *text) {
    char *path = gls_sprintf(j->ctx, "%s/%s", j->folder, file);
    gls_status status = path && text ? gls_write_text(j->ctx, path, text) : GLS_ERR_MEMORY;
    gls_free(j->ctx, path);
    return status;
}

static gls_status write_config(job *j) {
    GLS_TRY(gls_make_directory(j->ctx, j->folder));
    char *yaml = gls_config_text(j->ctx, j->advice->config);
    gls_status status = write_into(j, "advise.yaml", yaml);
    gls_free(j->ctx, yaml);
    if (status == GLS_OK && !j->quiet) fprintf(stderr, "\n  glissade train %s/advise.yaml\n", j->folder);
    return status;
}

static gls_status write_json(job *j) {
    char *path = gls_sprintf(j->ctx, "%s/advise.yaml", j->folder);
    json_object_set_new(j->advice->json, "config", json_string(path ? path : ""));
    gls_free(j->ctx, path);
    char *text = json_dumps(j->advice->json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    gls_status status = write_into(j, "advise.json", text);
    free(text);
    if (status != GLS_OK || !cli_has(j->args, "json")) return status;
    text = json_dumps(j->advice->json, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text) puts(text);
    free(text);
    return GLS_OK;
}

static gls_status work(job *j) {
    gls_advise_options options = {
        .config = j->config, .methods = "msgd,adam,sngm,clip,acclip", .budget = j->budget, .say = say, .user = j};
    if (cli_has(j->args, "methods")) options.methods = cli_get(j->args, "methods");
    gls_status status = gls_advise(j->ctx, &options, &j->advice);
    j->interrupted = status == GLS_ERR_INTERRUPTED;
    GLS_TRY(status);
    if (!j->quiet) print_table(j);
    GLS_TRY(write_config(j));
    if (cli_has(j->args, "verify")) GLS_TRY(verify(j));
    return write_json(j);
}

static int run(const cli_args *args) {
    job j = {.args = args, .quiet = cli_has(args, "quiet"), .context = {.size = sizeof j.context, .log = cli_log}};
    if (!(j.reading = cli_context(NULL))) return CLI_FAILED;
    gls_status status = configure(&j);
    int code = status == GLS_OK ? CLI_FAILED : cli_fail(j.reading, status, false);
    if (status == GLS_OK && gls_context_create(&j.ctx, &j.context) != GLS_OK) cli_bad("out of memory");
    if (j.ctx) {
        cli_signals *signals = cli_signals_start(j.ctx, NULL);
        status = work(&j);
        cli_signals_stop(signals);
        code = status != GLS_OK ? cli_fail(j.ctx, status, false) : j.interrupted ? CLI_FAILED : CLI_DONE;
        if (j.interrupted) code = CLI_FAILED;
        gls_advice_destroy(j.advice);
    }
    gls_value_destroy(j.reading, j.config);
    gls_free(j.reading, j.folder);
    gls_context_destroy(j.ctx);
    gls_context_destroy(j.reading);
    return code;
}

static const cli_flag flags[] = {
    {"budget", "TIME", "time for measures and probes: 90s, 2m (the default), 1h"},
    {"methods", "NAME,...", "candidates; msgd,adam,sngm,clip,acclip by default"},
    {"verify", NULL, "then train the recommendation and tuned msgd and adam at full length, and say who won"},
    {"out", "DIR", "where advise.yaml and advise.json go; runs/advise-NAME by default"},
    {"preset", "NAME", "a built-in configuration; see `glissade list presets`"},
    {"set", "SECTION.KEY=VALUE", "an override; may be repeated"},
    {"json", NULL, "the last line of standard output is one JSON object"},
    {"quiet", NULL, "no progress and no table"},
    {NULL}};

const cli_verb cli_advise = {
    .name = "advise",
    .synopsis = "advise CONFIG --budget 2m  [options]",
    .help = "measures and short probes, then a method, its rate, batch and threshold, with the evidence",
    .details = "Writes advise.yaml, which `glissade train` takes, and advise.json. The rules: docs/advise.md.",
    .flags = flags,
    .run = run,
};
