/* `measure`: a survey of a run, of a configuration or of a matrix of gradients, as a table and as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct job {
    const cli_args *args;
    gls_context *ctx; /* of the work; at first one for reading the configuration */
    cli_progress progress;
    gls_value *config;
    const char *folder; /* of the run; NULL: a configuration or a matrix */
    char *weights, *other;
    gls_survey_options options;
    gls_survey survey;
} job;

static void announce(void *user, const gls_measure_type *type) {
    const job *j = user;
    if (j->progress.quiet) return;
    fprintf(stderr, "measuring %s%s\n", type->member.name,
            type->needs & GLS_MEASURE_EXPENSIVE ? " (more than a few passes over its sample)" : "");
}

/* ---- on a matrix ---- */

static gls_status configure_matrix(job *j) {
    static const char *const of_runs[] = {"at", "sample", "other", "exchanged", "preset", NULL};
    for (int i = 0; of_runs[i]; i++)
        if (cli_has(j->args, of_runs[i]))
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--%s cannot be used with --gradients, which reads all rows",
                            of_runs[i]);
    if (j->args->positionals)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--gradients takes no run or configuration, found '%s'",
                        j->args->positional[0]);
    GLS_TRY(gls_config_parse(j->ctx, "--set", "", 0, &j->config));
    GLS_TRY(cli_apply_sets(j->ctx, j->args, NULL, j->config));
    for (int64_t i = 0; i < j->config->count; i++)
        if (strcmp(j->config->items[i]->key, "measure") != 0)
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                            "--set %s: with --gradients there is no configuration but that of measures: expected "
                            "measure.NAME.KEY=VALUE",
                            j->config->items[i]->key);
    return GLS_OK;
}

static gls_status check_matrix_shape(const job *j, const char *path, const gls_npy *array) {
    char shape[128] = "";
    for (int i = 0, n = 0; i < array->dims && n < 100; i++)
        n += snprintf(shape + n, sizeof shape - (size_t)n, "%s%lld", i ? ", " : "", (long long)array->shape[i]);
    if (array->dims == 2 && array->count > 0) return GLS_OK;
    return gls_fail(j->ctx, GLS_ERR_INPUT,
                    "%s: shape [%s]: expected a matrix of gradients [examples, parameters], at least one of each", path,
                    shape);
}

static gls_status on_matrix(job *j) {
    gls_npy array = {0};
    const char *path = cli_get(j->args, "gradients");
    GLS_TRY(gls_npy_read_real(j->ctx, path, &array));
    gls_status status = check_matrix_shape(j, path, &array);
    gls_measure_matrix matrix = {
        .g = array.data, .n = array.shape[0], .d = array.shape[1], .sample = cli_has(j->args, "as-sample"), .seed = 1};
    if (status == GLS_OK) status = gls_survey_matrix(j->ctx, &matrix, &j->options, &j->survey);
    gls_npy_clear(j->ctx, &array);
    return status;
}

/* ---- at a run's weights, or where a configuration begins ---- */

/* Two runs are compared at one step. */
static gls_status check_steps(job *j, const char *mine, const char *theirs) {
    int64_t here, there;
    GLS_TRY(gls_run_saved_step(j->ctx, mine, &here));
    GLS_TRY(gls_run_saved_step(j->ctx, theirs, &there));
    if (here == there) return GLS_OK;
    return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                    "--other: %s is at step %lld, %s at step %lld; expected one step of both: --at with a step whose "
                    "checkpoints both have kept",
                    mine, (long long)here, theirs, (long long)there);
}

/* Of a second run the weights of the same step; a checkpoint that is named itself is taken as it is. */
static gls_status find_other(job *j) {
    const char *other = cli_get(j->args, "other"), *at = cli_get(j->args, "at");
    j->options.other = other;
    if (!other) return GLS_OK;
    if (at && strcmp(at, "best") == 0)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "--at best cannot be used with --other: the best steps of two runs "
                        "are not the same; expected a step or final");
    char *config = gls_sprintf(j->ctx, "%s/config.yaml", other);
    if (!config) return GLS_ERR_MEMORY;
    bool run = access(config, F_OK) == 0;
    gls_free(j->ctx, config);
    if (!run) return GLS_OK;
    GLS_TRY(gls_run_saved_weights(j->ctx, other, at, &j->other, NULL));
    j->options.other = j->other;
    return check_steps(j, j->weights, j->other);
}

static gls_status configure(job *j) {
    gls_survey_options *o = &j->options;
    if (cli_has(j->args, "as-sample"))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--as-sample is about the rows of --gradients: expected that too");
    GLS_TRY(cli_configure(j->ctx, j->args, CLI_FROM_RUN, &j->config, &j->folder));
    o->other = cli_get(j->args, "other");
    o->sample = cli_get(j->args, "sample");
    o->exchange = cli_has(j->args, "exchanged");
    o->exchanged = cli_int(j->args, "exchanged", -1);
    if (!j->folder)
        return cli_has(j->args, "at") ? gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                                                 "--at needs a run folder; a configuration is measured where it "
                                                 "begins")
                                      : GLS_OK;
    GLS_TRY(gls_run_saved_weights(j->ctx, j->folder, cli_get(j->args, "at"), &j->weights, &o->step));
    o->weights = j->weights;
    GLS_TRY(find_other(j));
    return gls_run_saved_figure(j->ctx, j->folder, "lr", o->step, &o->lr);
}

static gls_status on_problem(job *j) {
    return gls_survey_run(j->ctx, &j->options, &j->survey);
}

/* ---- what came out ---- */

static void print_result(const gls_measure_result *r) {
    char sample[32], all[32], time[32];
    fprintf(stderr, "\n%s: %s%s%s examples, %s\n", r->measure, cli_thousands(r->sample, sample),
            r->population ? " of " : "", r->population ? cli_thousands(r->population, all) : "",
            cli_duration(r->seconds, time));
    for (int64_t i = 0; i < r->figures; i++) {
        const gls_figure *f = &r->figure[i];
        if (f->array) continue;
        char interval[64] = "";
        if (!isnan(f->low) || !isnan(f->high)) snprintf(interval, sizeof interval, "%.4g to %.4g", f->low, f->high);
        fprintf(stderr, "  %c %-32s %12.6g  %-26s %s\n", f->headline ? '*' : ' ', f->name, f->value[0], interval,
                f->unit);
    }
    if (r->meaningless) fprintf(stderr, "  MEANINGLESS: %s\n", r->meaningless);
    if (r->note) fprintf(stderr, "  note: %s\n", r->note);
}

static int print_json(const job *j) {
    char *text = NULL;
    gls_status status = gls_measure_results_json(j->ctx, j->survey.result, j->survey.count, &text);
    if (status != GLS_OK) return cli_fail(j->ctx, status, false);
    json_t *object = json_loads(text, 0, NULL);
    gls_free(j->ctx, text);
    if (j->folder) {
        const char *at = cli_get(j->args, "at");
        json_object_set_new(object, "run", json_string(j->folder));
        json_object_set_new(object, "at", json_string(at ? at : "final"));
        if (j->options.step) json_object_set_new(object, "step", json_integer(j->options.step));
    }
    return cli_print_json(object, 17);
}

static int report(const job *j) {
    if (!j->args->first) return CLI_DONE;
    if (!j->progress.quiet)
        for (int64_t i = 0; i < j->survey.count; i++) print_result(&j->survey.result[i]);
    if (!j->progress.quiet && j->survey.count)
        fprintf(stderr, "\n* main figures; intervals are 95%%. --json also has the arrays (histograms, curves).\n");
    return cli_has(j->args, "json") ? print_json(j) : CLI_DONE;
}

static int measure_and_report(job *j, gls_status (*work)(job *)) {
    j->options.config = j->config;
    j->options.only = cli_get(j->args, "only");
    j->options.begin = announce;
    j->options.user = j;
    cli_signals *signals = cli_signals_start(j->ctx, &j->progress);
    gls_status status = work(j);
    cli_signals_stop(signals);
    int code = status != GLS_OK ? cli_fail_together(j->ctx, status, false) : report(j);
    if (status == GLS_OK && gls_interrupted(j->ctx)) code = CLI_FAILED;
    gls_survey_clear(&j->survey);
    return code;
}

static int run(const cli_args *args) {
    job j = {.args = args, .options = {.size = sizeof j.options}};
    cli_progress_init(&j.progress, cli_has(args, "quiet") || !args->first);
    bool matrix = cli_has(args, "gradients");
    if (matrix && !args->first) return CLI_DONE; /* it is read whole, by one process */
    gls_comm *comm = matrix ? NULL : args->comm;
    gls_context *reading = cli_context(comm), *ctx = NULL;
    if (!reading) return CLI_FAILED;
    j.ctx = reading;
    gls_context_options options = {
        .size = sizeof options, .comm = comm, .log = args->first ? cli_log : NULL, .log_user = &j.progress};
    gls_status status = matrix ? configure_matrix(&j) : configure(&j);
    int code = cli_begin_work(reading, status, matrix ? NULL : j.config, &options, &ctx);
    if (code == CLI_DONE) {
        j.ctx = ctx;
        code = measure_and_report(&j, matrix ? on_matrix : on_problem);
    }
    gls_value_destroy(reading, j.config);
    gls_free(reading, j.weights);
    gls_free(reading, j.other);
    gls_context_destroy(ctx);
    gls_context_destroy(reading);
    return code;
}

static const cli_flag flags[] = {
    {"gradients", "G.npy", "measure a matrix of per-example gradients [n, d] instead of a run: the whole set"},
    {"as-sample", NULL, "with --gradients: the rows are a sample of a larger set"},
    {"at", "WHICH", "the run's weights to measure: best, final or a step; default: final, or the latest checkpoint"},
    {"only", "NAME,...", "run only these measures; default: every measure that needs a single point"},
    {"sample", "N", "examples read by each measure that samples; all: the whole set"},
    {"other", "RUN", "a second run, for measures that compare two, at the same step"},
    {"exchanged", "I",
     "the training example (from 0, validation examples not counted) in which the second run's set "
     "differs; default: the one that `replace` exchanged in RUN",
     CLI_INT, 0, INFINITY},
    CLI_FLAG_PRESET,
    CLI_FLAG_SET,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_measure = {
    .name = "measure",
    .synopsis = "measure RUN | CONFIG | --gradients G.npy  [options]",
    .help = "measure the gradients at a run's weights, at a configuration's start, or in a file",
    .details =
        "The run itself is not changed. docs/measures.md and `glissade list measures` explain the measures; their "
        "options are set as in --set measure.sharpness.products=50.",
    .flags = flags,
    .ranks = CLI_RANKS_ALL,
    .run = run,
};
