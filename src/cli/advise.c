/* `advise`: the recommendation as a table, as advise.yaml for `train`, and as advise.json. */
#include <glissade/search.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct job {
    const cli_args *args;
    gls_context *reading, *ctx; /* for the configuration; for the work */
    gls_context_options context;
    gls_value *config;
    gls_advice *advice;
    gls_verdict verdict;
    char *folder;
    gls_lock *lock; /* of the folder */
    bool quiet, interrupted;
} job;

static gls_status configure(job *j) {
    GLS_TRY(cli_configure(j->reading, j->args, 0, &j->config, NULL));
    const gls_value *method = gls_value_get(j->config, "method");
    /* What is asked for need not be answered beforehand. */
    if (!method || method->kind == GLS_VALUE_NULL)
        GLS_TRY(gls_config_set(j->reading, j->config, "method={name: msgd}"));
    char *name = cli_has(j->args, "out") ? NULL : gls_config_name(j->reading, j->config);
    j->folder = name ? gls_sprintf(j->reading, "runs/advise-%s", name)
                     : gls_strdup(j->reading, cli_has(j->args, "out") ? cli_get(j->args, "out") : "");
    gls_free(j->reading, name);
    if (!j->folder) return GLS_ERR_MEMORY;
    GLS_TRY(gls_config_context(j->reading, j->config, &j->context));
    return gls_lock_folder(j->reading, j->folder, &j->lock);
}

static void say(void *user, const char *line) {
    if (!((const job *)user)->quiet) fprintf(stderr, "%s\n", line);
}

static void print_table(const job *j) {
    fprintf(stderr, "\n");
    for (int64_t i = 0; i < j->advice->lines; i++) {
        const gls_advice_line *line = &j->advice->line[i];
        fprintf(stderr, "%-22s %s\n    %s\n    rule: %s [%s]\n", line->what, line->value, line->numbers, line->rule,
                line->source);
    }
}

/* ---- the recommendation against tuned methods ---- */

static void entered(void *user, const char *name) {
    if (!((const job *)user)->quiet) fprintf(stderr, "verifying %s\n", name);
}

static void swept(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result) {
    const job *j = user;
    if (j->quiet || !result) return;
    fprintf(stderr, "  %lld/%lld %s: ", (long long)run + 1, (long long)runs, name);
    if (result->stopped)
        fprintf(stderr, "train loss %.5g\n", result->train_loss);
    else
        fprintf(stderr, "diverged\n");
}

static void print_verdict(const gls_verdict *v) {
    for (int i = 0; i < GLS_ENTRANTS; i++) {
        const gls_entrant *e = &v->entrant[i];
        fprintf(stderr, "  %-16s lr %-10s train loss %-10.5g test loss %-10.5g test score %.4g%s\n", e->name, e->lr,
                e->train_loss, e->test_loss, e->test_score, e->edge ? "  (best on the edge of its grid)" : "");
    }
    if (isfinite(v->ratio))
        fprintf(stderr, "the recommendation's final training loss is %.3g times the best of tuned msgd and adam: %s\n",
                v->ratio, v->outcome);
    else
        fprintf(stderr, "the recommendation diverged at full length: %s\n", v->outcome);
}

static gls_status verify(job *j) {
    gls_verify_options options = {.size = sizeof options,
                                  .config = j->config,
                                  .advice = j->advice,
                                  .folder = j->folder,
                                  .context = &j->context,
                                  .begin = entered,
                                  .progress = swept,
                                  .user = j};
    GLS_TRY(gls_advice_verify(j->ctx, &options, &j->verdict));
    j->interrupted = j->verdict.interrupted;
    if (!j->interrupted && !j->quiet) print_verdict(&j->verdict);
    return GLS_OK;
}

static json_t *verdict_json(const gls_verdict *v) {
    json_t *all = json_object(), *table = json_array();
    for (int i = 0; i < GLS_ENTRANTS; i++) {
        const gls_entrant *e = &v->entrant[i];
        json_array_append_new(table,
                              json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:b}", "who", e->name, "lr", e->lr,
                                        "train_loss", cli_number(e->train_loss), "test_loss", cli_number(e->test_loss),
                                        "test_score", cli_number(e->test_score), "selected", cli_number(e->selected),
                                        "selected_by", e->selected_by, "edge", e->edge));
    }
    json_object_set_new(all, "entrants", table);
    if (isfinite(v->ratio)) json_object_set_new(all, "ratio", json_real(v->ratio));
    json_object_set_new(all, "outcome", json_string(v->outcome));
    return all;
}

/* ---- files ---- */

static gls_status write_into(job *j, const char *file, const char *text) {
    char *path = gls_sprintf(j->ctx, "%s/%s", j->folder, file);
    gls_status status = path && text ? gls_write_text(j->ctx, path, text) : GLS_ERR_MEMORY;
    gls_free(j->ctx, path);
    return status;
}

static gls_status write_config(job *j) {
    char *yaml = gls_config_text(j->ctx, j->advice->config);
    gls_status status = write_into(j, "advise.yaml", yaml);
    gls_free(j->ctx, yaml);
    if (status == GLS_OK && !j->quiet) fprintf(stderr, "\n  glissade train %s/advise.yaml\n", j->folder);
    return status;
}

static gls_status write_json(job *j) {
    json_t *all = json_loads(j->advice->json, 0, NULL);
    char *path = gls_sprintf(j->ctx, "%s/advise.yaml", j->folder);
    if (j->verdict.entrant[0].name) json_object_set_new(all, "verify", verdict_json(&j->verdict));
    json_object_set_new(all, "config", json_string(path ? path : ""));
    gls_free(j->ctx, path);
    char *text = json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    gls_status status = write_into(j, "advise.json", text);
    free(text);
    if (status == GLS_OK && cli_has(j->args, "json"))
        cli_print_json(all, 9);
    else
        json_decref(all);
    return status;
}

static gls_status work(job *j) {
    gls_advise_options options = {.size = sizeof options,
                                  .config = j->config,
                                  .methods = cli_get(j->args, "methods"),
                                  .budget = cli_real(j->args, "budget", 120),
                                  .say = say,
                                  .user = j};
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
    /* What the configuration asks of the context is known already: the folder is locked behind it. */
    int code = cli_begin_work(j.reading, configure(&j), NULL, &j.context, &j.ctx);
    if (code == CLI_DONE) {
        cli_signals *signals = cli_signals_start(j.ctx, NULL);
        gls_status status = work(&j);
        cli_signals_stop(signals);
        code = status != GLS_OK ? cli_fail(j.ctx, status, false) : CLI_DONE;
        if (j.interrupted) code = CLI_FAILED;
        gls_advice_destroy(j.advice);
    }
    gls_lock_release(j.lock);
    gls_value_destroy(j.reading, j.config);
    gls_free(j.reading, j.folder);
    gls_context_destroy(j.ctx);
    gls_context_destroy(j.reading);
    return code;
}

static const cli_flag flags[] = {
    {"budget", "TIME", "time for measures and probes: 90s, 2m (the default), 1h", CLI_TIME, 0.001, INFINITY},
    {"methods", "NAME,...", "the candidates; default: msgd,adam,sngm,clip,acclip"},
    {"verify", NULL, "then train the recommendation and tuned msgd and adam at full length, and say which is best"},
    {"out", "DIR", "folder for advise.yaml and advise.json; default: runs/advise-NAME"},
    CLI_FLAG_PRESET,
    CLI_FLAG_SET,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_advise = {
    .name = "advise",
    .synopsis = "advise CONFIG --budget 2m  [options]",
    .help = "recommend a method, learning rate, batch size and clip threshold, from measures and short probes",
    .details = "Writes advise.yaml, which `glissade train` takes, and advise.json. docs/advise.md explains the rules.",
    .flags = flags,
    .run = run,
};
