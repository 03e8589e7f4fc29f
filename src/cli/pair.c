/* `pair`: runs in step on sets that differ in one example, their distance against epochs. */
#include <glissade/search.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { MOST = 1000 }; /* examples, or batches, in one command */

typedef struct job {
    const cli_args *args;
    gls_context *ctx;
    gls_value *config;
    int64_t example[MOST], batch[MOST];
    gls_exchange_options options;
    gls_context_options context;
    char *folder;
    bool quiet;
    int64_t shown; /* batch of the table under way; -1: none */
} job;

/* ---- reading ---- */

static gls_status read_list(const job *j, const char *flag, double least, int64_t *list, int64_t *count) {
    const char *text = cli_get(j->args, flag);
    *count = 0;
    for (const char *at = text; at && *at;) {
        char *end;
        double x = strtod(at, &end);
        if (end == at || (*end && *end != ',') || (*end && !end[1]) || x != floor(x) || !(x >= least && x < 0x1p53))
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                            "--%s: expected whole numbers from %.0f with commas between, found '%s'", flag, least,
                            text);
        if (*count == MOST) return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--%s: more than %d numbers", flag, MOST);
        list[(*count)++] = (int64_t)x;
        at = *end ? end + 1 : end;
    }
    return GLS_OK;
}

static gls_status configure(job *j) {
    GLS_TRY(cli_configure(j->ctx, j->args, 0, &j->config, NULL));
    GLS_TRY(cli_config_set(j->ctx, j->config, "--threads", "train.threads", cli_get(j->args, "threads")));
    int64_t seeds;
    GLS_TRY(gls_config_seeds(j->ctx, j->config, &seeds));
    if (seeds > 1)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "train.seeds is %lld, and pairs are of one seed: means are over the exchanged examples",
                        (long long)seeds);
    GLS_TRY(read_list(j, "exchange", 0, j->example, &j->options.examples));
    if (!j->options.examples)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "no example to exchange was given: expected --exchange I,..., numbers of training examples "
                        "from 0");
    GLS_TRY(read_list(j, "batch", 1, j->batch, &j->options.batches));
    if (j->options.batches) j->options.batch = j->batch;
    char *name = cli_has(j->args, "out") ? NULL : gls_config_name(j->ctx, j->config);
    j->folder = name ? gls_sprintf(j->ctx, "runs/pair-%s", name) : gls_strdup(j->ctx, cli_get(j->args, "out"));
    gls_free(j->ctx, name);
    return j->folder ? GLS_OK : GLS_ERR_MEMORY;
}

/* ---- what came out ---- */

/* A dash: there is none, and report() says why. */
static void print_number(double x) {
    char text[32] = "-";
    if (isfinite(x)) snprintf(text, sizeof text, "%.5g", x);
    fprintf(stderr, "  %12s", text);
}

static void print_stat(gls_sweep_stat stat) {
    char text[48];
    if (!isfinite(stat.mean))
        snprintf(text, sizeof text, "-");
    else if (isnan(stat.deviation))
        snprintf(text, sizeof text, "%.5g", stat.mean);
    else
        snprintf(text, sizeof text, "%.5g +- %.2g", stat.mean, stat.deviation);
    fprintf(stderr, "  %20s", text);
}

/* A line of the table, with its head where another batch begins. */
static void show(void *user, const gls_exchange_series *series, const gls_exchange_row *row) {
    job *j = user;
    if (j->quiet) return;
    if (j->shown != series->batch)
        fprintf(stderr, "\nbatch %lld\n  %8s  %20s  %20s  %12s  %12s  %12s\n", (long long)series->batch, "epoch",
                "distance", "eps_stab", "train loss", "test loss", "gap");
    j->shown = series->batch;
    fprintf(stderr, "  %8.5g", row->epoch);
    print_stat(row->distance);
    print_stat(row->eps_stab);
    print_number(row->train_loss);
    print_number(row->test_loss);
    print_number(row->gap);
    fprintf(stderr, "\n");
}

/* Why a column is dashes from top to bottom. */
static void explain(const gls_exchange *exchange) {
    bool tested = false;
    int64_t rows = 0;
    for (int64_t b = 0; b < exchange->batches; b++) {
        const gls_exchange_series *series = &exchange->series[b];
        rows += series->rows;
        for (int64_t i = 0; i < series->rows; i++) tested |= isfinite(series->row[i].test_loss);
    }
    if (rows && !tested) fprintf(stderr, "  -: there is no test set, hence neither its loss nor a gap (data.test)\n");
}

/* The exit code: a batch that diverged is a failure of its runs, said after the others are done. */
static int report(job *j, const gls_exchange *exchange) {
    gls_status status = cli_keep_json(j->ctx, j->args, j->folder, "pair.json", gls_exchange_json(exchange));
    if (status != GLS_OK) return cli_fail(j->ctx, status, true);
    int code = CLI_DONE;
    for (int64_t b = 0; b < exchange->batches; b++) {
        if (!exchange->series[b].diverged) continue;
        cli_bad("batch %lld: a step was not finite; its rows end there", (long long)exchange->series[b].batch);
        code = CLI_FAILED;
    }
    if (exchange->interrupted) {
        cli_bad("interrupted: the same command continues");
        code = CLI_FAILED;
    }
    if (j->quiet) return code;
    explain(exchange);
    fprintf(stderr, "\n  %s\n", j->folder);
    return code;
}

static int run(const cli_args *args) {
    job j = {.args = args, .ctx = cli_context(NULL), .quiet = cli_has(args, "quiet"), .shown = -1};
    if (!j.ctx) return CLI_FAILED;
    j.context = (gls_context_options){.size = sizeof j.context, .log = cli_log};
    j.options.size = sizeof j.options;
    gls_exchange *exchange = NULL;
    gls_status status = configure(&j);
    j.options.config = j.config;
    j.options.example = j.example;
    j.options.folder = j.folder;
    j.options.context = &j.context;
    j.options.progress = show;
    j.options.user = &j;
    if (status == GLS_OK) {
        cli_signals *signals = cli_signals_start(j.ctx, NULL);
        status = gls_exchange_run(j.ctx, &j.options, &exchange);
        cli_signals_stop(signals);
    }
    int code = status == GLS_OK ? report(&j, exchange) : cli_fail(j.ctx, status, false);
    gls_exchange_destroy(exchange);
    gls_free(j.ctx, j.folder);
    gls_value_destroy(j.ctx, j.config);
    gls_context_destroy(j.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"exchange", "I,...", "training examples, from 0; each is exchanged for another in a run of its own"},
    {"batch", "B,...", "mini-batches to compare; default: the configuration's"},
    CLI_FLAG_PRESET,
    CLI_FLAG_SET,
    {"out", "DIR", "folder for all runs; what is there continues; default: runs/pair-NAME"},
    CLI_FLAG_THREADS,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_pair = {
    .name = "pair",
    .synopsis = "pair CONFIG --exchange I,... [--batch B,...] [options]",
    .help = "train in step on sets that differ in one example, and compare epoch by epoch",
    .details = "One run on the training set and one for each exchanged example, with the same start, order and draws. "
               "Each epoch gives the normalised distance of the weights, eps_stab (the loss on the exchanged example "
               "where it was trained on, less that where it was not), both as means over the exchanged examples, and "
               "the generalisation gap. docs/measures.md, `stability`.",
    .flags = flags,
    .run = run,
};
