/* `scale`: what more ranks would buy, predicted from measured parts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scale.h"

typedef struct job {
    const cli_args *args;
    gls_context *ctx;
    gls_value *config;
    const char *folder;
    char *weights;
    gls_scaling_options options;
    gls_scaling *scaling;
    double rows; /* of a rank */
} job;

static gls_status configure(job *j) {
    gls_scaling_options *o = &j->options;
    static const char *const networks[] = {"ring", "tree", "hosts"};
    const char *network = cli_get(j->args, "network");
    GLS_TRY(cli_configure(j->ctx, j->args, CLI_FROM_RUN | CLI_FROM_SETS, &j->config, &j->folder));
    o->config = j->config;
    o->latency = cli_real(j->args, "latency", 0) * 1e-6;
    o->bandwidth = cli_real(j->args, "bandwidth", 0) * 1e6 / 8;
    o->bound = cli_real(j->args, "bound", 0);
    o->rows = (double)cli_int(j->args, "rows", 0);
    o->host_ranks = (double)cli_int(j->args, "host-ranks", 1);
    for (int i = 0; network && i < 3; i++)
        if (strcmp(network, networks[i]) == 0) o->network = (gls_scaling_network)i;
    if (o->network == GLS_SCALING_HOSTS && o->host_ranks < 2)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--network hosts: expected --host-ranks, the ranks of a host");
    if (o->network != GLS_SCALING_HOSTS && cli_has(j->args, "host-ranks"))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "--host-ranks is for --network hosts alone: expected both or neither");
    if (!j->folder && cli_has(j->args, "at")) return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--at needs a run folder");
    if (!j->folder) return GLS_OK;
    GLS_TRY(gls_run_saved_weights(j->ctx, j->folder, cli_get(j->args, "at"), &j->weights, NULL));
    o->weights = j->weights;
    return GLS_OK;
}

/* A whole run says how many passes its loss took, with which batch. */
static void look_at_run(job *j) {
    gls_scaling_model *m = &j->scaling->model;
    char *path = j->folder ? gls_sprintf(j->ctx, "%s/result.json", j->folder) : NULL;
    json_t *result = path ? json_load_file(path, 0, NULL) : NULL;
    double epochs = json_number_value(json_object_get(result, "epochs")),
           steps = json_number_value(json_object_get(result, "steps"));
    if (epochs > 0 && steps > 0) {
        m->passes = epochs;
        m->batch = epochs * m->examples / steps;
    }
    json_decref(result);
    gls_free(j->ctx, path);
}

/* Rows of a rank: given, or a mini-batch shared out. */
static double rows_of(const job *j) {
    const gls_value *batch = gls_value_get(gls_value_get(j->config, "train"), "batch");
    if (batch && batch->kind == GLS_VALUE_MAP) batch = gls_value_get(batch, "from");
    double given = (double)cli_int(j->args, "rows", 0), ranks = gls_comm_size(j->args->comm);
    if (given > 0) return given;
    double all = batch && batch->text && strcmp(batch->text, "all") == 0 ? j->scaling->model.examples
                 : batch && batch->text                                  ? atof(batch->text)
                                                                         : 128;
    return fmax(floor(fmin(all, j->scaling->model.examples) / ranks), 1);
}

static int report(job *j) {
    double most = (double)cli_int(j->args, "most", SCALE_MOST_RANKS);
    look_at_run(j);
    j->rows = rows_of(j);
    if (!j->args->first) return CLI_DONE;
    if (!cli_has(j->args, "quiet")) cli_scale_say(j->scaling, j->rows, most);
    json_t *object = cli_scale_json(j->scaling, j->rows, most);
    if (!j->folder) {
        if (cli_has(j->args, "json")) return cli_print_json(object, 17);
        json_decref(object);
        return CLI_DONE;
    }
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    char *copy = text ? gls_strdup(j->ctx, text) : NULL;
    json_decref(object);
    free(text);
    gls_status status = cli_keep_json(j->ctx, j->args, j->folder, "scale.json", copy);
    return status == GLS_OK ? CLI_DONE : cli_fail(j->ctx, status, true);
}

static int run(const cli_args *args) {
    job j = {.args = args, .options = {.size = sizeof j.options}};
    gls_context *reading = cli_context(args->comm), *ctx = NULL;
    if (!reading) return CLI_FAILED;
    j.ctx = reading;
    gls_context_options options = {.size = sizeof options, .comm = args->comm, .log = args->first ? cli_log : NULL};
    gls_status status = configure(&j);
    int code = cli_begin_work(reading, status, j.config, &options, &ctx);
    if (code == CLI_DONE) {
        j.ctx = ctx;
        status = gls_scaling_measure(ctx, &j.options, &j.scaling);
        code = status != GLS_OK ? cli_fail_together(ctx, status, false) : report(&j);
    }
    gls_scaling_destroy(j.scaling);
    gls_value_destroy(reading, j.config);
    gls_free(reading, j.weights);
    gls_context_destroy(ctx);
    gls_context_destroy(reading);
    return code;
}

#define LEAST 1e-6 /* of a latency or bandwidth that is given: 0 would be none */

static const cli_flag flags[] = {
    {"at", "WHICH", "the run's weights to measure at: best, final or a step; default: final, or the latest checkpoint"},
    {"rows", "N", "rows of a rank; default: those of train.batch shared by the ranks that are there", CLI_INT, 1, 1e9},
    {"bound", "B", "B_S, where it is known; default: it is measured", CLI_REAL, 1, INFINITY},
    {"latency", "US", "microseconds of a message; default: measured between ranks, 50 for one process", CLI_REAL, LEAST,
     INFINITY},
    {"bandwidth", "MBIT", "millions of bits a second of a rank; default: measured, 1000 for one process", CLI_REAL,
     LEAST, INFINITY},
    {"network", "KIND",
     "how messages travel: ring, as Glissade sends them (the default), tree, or hosts: inside hosts first", CLI_CHOICE,
     .choices = "ring|tree|hosts"},
    {"host-ranks", "N", "with --network hosts: ranks of a host", CLI_INT, 1, 1e6},
    {"most", "N", "the greatest number of ranks looked at; default: 10000", CLI_INT, 1, 1e9},
    CLI_FLAG_PRESET,
    CLI_FLAG_SET,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_scale = {
    .name = "scale",
    .synopsis = "scale RUN | CONFIG  [options]",
    .help = "predict what more ranks would buy, and where more are waste",
    .details = "Measures a step's time against its rows, the bound B_S, and (under mpirun) the network between the "
               "ranks; predicts passes, time and speed-up for every exchange. docs/scale.md has the formulas. For a "
               "run the result is also kept in its folder as scale.json, which `glissade report` draws.",
    .flags = flags,
    .ranks = CLI_RANKS_ALL,
    .run = run,
};
