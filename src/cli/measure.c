#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "cli.h"
#include "data/npy.h"

enum { MOST = 64 };
enum { OF_STEP = GLS_MEASURE_PREVIOUS | GLS_MEASURE_GRADIENT | GLS_MEASURE_RUN | GLS_MEASURE_LR };

typedef struct job {
    const cli_args *args;
    gls_context *ctx; /* of the work; at first one for reading the configuration */
    cli_progress progress;
    gls_value *config;
    const char *folder; /* of the run; NULL: a configuration */
    const char *at;
    char *weights;
    int64_t step, exchanged;
    double lr;
    const gls_measure_type *type[MOST];
    gls_measure_result result[MOST];
    int types, done;
} job;

/* ---- which measures ---- */

static const char *measure_at(const void *user, int64_t i) {
    const gls_measure_type *type = gls_measure_at((gls_context *)user, i);
    return type ? type->member.name : NULL;
}

static gls_status choose_named(job *j, char *names) {
    char *rest = NULL;
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        const gls_measure_type *type = NULL;
        for (int64_t i = 0; (type = gls_measure_at(j->ctx, i)) && strcmp(type->member.name, name); i++) continue;
        if (!type) {
            const char *nearest = gls_nearest(name, measure_at, j->ctx), *known;
            for (int64_t i = 0; !nearest && (known = measure_at(j->ctx, i)); i++)
                if (!strncmp(known, name, strlen(name))) nearest = known;
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--only %s: there is no such measure%s%s%s", name,
                            nearest ? "; nearest is '" : "; `glissade list measures` names them",
                            nearest ? nearest : "", nearest ? "'" : "");
        }
        if (j->types < MOST) j->type[j->types++] = type;
    }
    return j->types ? GLS_OK : gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--only: expected NAME,NAME,...");
}

/* Without --only: all that can be read off one point (or the matrix). */
static gls_status choose(job *j, bool matrix) {
    const char *only = cli_get(j->args, "only");
    if (only) {
        char *names = gls_strdup(j->ctx, only);
        gls_status status = names ? choose_named(j, names) : GLS_ERR_MEMORY;
        gls_free(j->ctx, names);
        return status;
    }
    const gls_measure_type *type;
    unsigned out = cli_has(j->args, "other") ? OF_STEP : OF_STEP | GLS_MEASURE_OTHER;
    for (int64_t i = 0; (type = gls_measure_at(j->ctx, i)) && j->types < MOST; i++)
        if (matrix ? type->matrix != NULL : type->problem && !(type->needs & out)) j->type[j->types++] = type;
    return GLS_OK;
}

/* Keys of the measure section that mean something along a run only. */
static const char *const along_a_run[] = {"every", "from", NULL};

/* Its options: those of the configuration's measure section, and --sample. */
static gls_status make(job *j, const gls_measure_type *type, int64_t parameters, int64_t examples, gls_measure **out) {
    const char *sample = cli_get(j->args, "sample"), *name = type->member.name;
    bool sampled = false;
    for (const gls_option *o = type->member.options; o && o->key; o++) sampled |= !strcmp(o->key, "sample");
    if (sample && sampled) {
        char *text = gls_sprintf(j->ctx, "measure.%s.sample=%s", name, sample);
        gls_status status = text ? gls_config_set(j->ctx, j->config, text) : GLS_ERR_MEMORY;
        gls_free(j->ctx, text);
        GLS_TRY(status);
    }
    const gls_value *section = gls_value_get(j->config, "measure");
    const gls_value *entry = section && section->kind == GLS_VALUE_MAP ? gls_value_get(section, name) : NULL;
    if (entry && entry->kind != GLS_VALUE_MAP) entry = NULL;
    return gls_measure_create(j->ctx, name, entry, along_a_run, parameters, examples, out);
}

/* Names and options of the configuration's measure section, asked for or not. */
static gls_status check_section(job *j) {
    const gls_value *section = gls_value_get(j->config, "measure");
    for (int64_t i = 0; section && section->kind == GLS_VALUE_MAP && i < section->count; i++) {
        const gls_value *entry = section->items[i];
        gls_measure *measure = NULL;
        GLS_TRY(gls_measure_create(j->ctx, entry->key, entry->kind == GLS_VALUE_MAP ? entry : NULL, along_a_run, 0, 0,
                                   &measure));
        gls_measure_destroy(measure);
    }
    return GLS_OK;
}

static void announce(const job *j, const gls_measure_type *type) {
    if (j->progress.quiet) return;
    fprintf(stderr, "measuring %s%s\n", type->member.name,
            type->needs & GLS_MEASURE_DEAR ? " (more than a few passes over its sample)" : "");
}

/* ---- on a matrix ---- */

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
    static const char *const of_runs[] = {"at", "sample", "other", "exchanged", "preset", NULL};
    gls_npy array = {0};
    const char *path = cli_get(j->args, "gradients");
    for (int i = 0; of_runs[i]; i++)
        if (cli_has(j->args, of_runs[i]))
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--%s means nothing with --gradients, which reads all rows",
                            of_runs[i]);
    if (j->args->positionals)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--gradients takes no run or configuration, found '%s'",
                        j->args->positional[0]);
    GLS_TRY(gls_config_parse(j->ctx, "--set", "", 0, &j->config));
    GLS_TRY(cli_apply_sets(j->ctx, j->args, j->config));
    GLS_TRY(check_section(j));
    GLS_TRY(choose(j, true));
    GLS_TRY(gls_npy_read_real(j->ctx, path, &array));
    gls_status status = check_matrix_shape(j, path, &array);
    gls_measure_matrix matrix = {
        .g = array.data, .n = array.shape[0], .d = array.shape[1], .sample = cli_has(j->args, "as-sample"), .seed = 1};
    for (; status == GLS_OK && j->done < j->types && !gls_interrupted(j->ctx); j->done++) {
        gls_measure *measure = NULL;
        status = make(j, j->type[j->done], 0, 0, &measure);
        if (status == GLS_OK) status = gls_measure_run_matrix(measure, &matrix, &j->result[j->done]);
        gls_measure_destroy(measure);
    }
    gls_npy_clear(j->ctx, &array);
    return status;
}

/* ---- at a run's weights, or where a configuration begins ---- */

/* The learning rate of the last step traced up to j->step (0: of all). */
static gls_status read_lr(job *j) {
    char *path = gls_sprintf(j->ctx, "%s/metrics.jsonl", j->folder), *text;
    gls_reader *reader = NULL;
    gls_status status = path ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && gls_file_exists(path)) status = gls_reader_open(j->ctx, path, &reader);
    for (int64_t length; status == GLS_OK && reader;) {
        status = gls_reader_line(reader, 1 << 20, &text, &length);
        if (status != GLS_OK || !text) break;
        if (!strstr(text, "\"lr\"")) continue;
        json_t *line = json_loadb(text, (size_t)length, 0, NULL);
        const char *name = json_string_value(json_object_get(line, "name"));
        int64_t step = json_integer_value(json_object_get(line, "step"));
        if (name && !strcmp(name, "lr") && (!j->step || step <= j->step))
            j->lr = json_number_value(json_object_get(line, "value"));
        json_decref(line);
    }
    gls_reader_close(reader);
    gls_free(j->ctx, path);
    return status;
}

static gls_status choose_weights(job *j) {
    const char *at = cli_get(j->args, "at"), *digits = at;
    j->at = at ? at : "final";
    if (!at) {
        j->weights = gls_strdup(j->ctx, j->folder); /* final, or the newest checkpoint of a run under way */
    } else if (!strcmp(at, "best")) {
        j->weights = gls_sprintf(j->ctx, "%s/checkpoints/best.safetensors", j->folder);
    } else if (!strcmp(at, "final")) {
        j->weights = gls_sprintf(j->ctx, "%s/final.safetensors", j->folder);
    } else {
        if (!strcmp(at, "step")) digits = j->args->positionals > 1 ? j->args->positional[1] : "";
        char *end;
        j->step = strtoll(digits, &end, 10);
        if (*end || !*digits || j->step < 0)
            return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--at %s: expected best, final or a step", at);
        j->weights = gls_sprintf(j->ctx, "%s/checkpoints/step-%012lld.safetensors", j->folder, (long long)j->step);
    }
    if (!j->weights) return GLS_ERR_MEMORY;
    if (!gls_file_exists(j->weights))
        return gls_fail(j->ctx, GLS_ERR_INPUT, "%s: there is no such checkpoint", j->weights);
    return GLS_OK;
}

static gls_status read_exchanged(job *j) {
    const char *text = cli_get(j->args, "exchanged");
    char *end;
    j->exchanged = text ? strtoll(text, &end, 10) : -1;
    if (text && (*end || !*text || j->exchanged < 0))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--exchanged %s: expected the number of a training example, from 0",
                        text);
    return GLS_OK;
}

static gls_status configure(job *j) {
    const char *preset = cli_get(j->args, "preset"), *given = j->args->positionals ? j->args->positional[0] : NULL;
    struct stat info;
    if ((preset != NULL) == (given != NULL))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "measure what? give a run folder, a configuration, --preset NAME or --gradients G.npy");
    char *path = NULL;
    gls_value *read = NULL;
    gls_status status = GLS_OK;
    if (preset) {
        status = gls_config_preset(j->ctx, preset, &read);
    } else if (!stat(given, &info) && S_ISDIR(info.st_mode)) {
        j->folder = given;
        path = gls_sprintf(j->ctx, "%s/config.yaml", given);
        status = path ? gls_config_read(j->ctx, path, &read) : GLS_ERR_MEMORY;
    } else {
        status = gls_config_read(j->ctx, given, &read);
    }
    if (status == GLS_OK && path && (read->kind != GLS_VALUE_MAP || !read->count))
        status = gls_fail(j->ctx, GLS_ERR_INPUT, "%s: expected the configuration of a run, found nothing", path);
    /* The clone keeps the file's name for itself. */
    if (status == GLS_OK && !(j->config = gls_value_clone(j->ctx, read))) status = GLS_ERR_MEMORY;
    gls_value_destroy(j->ctx, read);
    gls_free(j->ctx, path);
    GLS_TRY(status);
    GLS_TRY(cli_apply_sets(j->ctx, j->args, j->config));
    GLS_TRY(check_section(j));
    GLS_TRY(read_exchanged(j));
    if (j->folder) {
        GLS_TRY(choose_weights(j));
        GLS_TRY(read_lr(j));
    } else if (cli_has(j->args, "at")) {
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "--at needs a run folder; a configuration is measured where it begins");
    }
    return choose(j, false);
}

static gls_status open_run(job *j, gls_value *config, const char *from, gls_run **out) {
    gls_run_options options = {.size = sizeof options, .config = config, .from = from};
    GLS_TRY(gls_run_create(j->ctx, &options, out));
    return gls_run_begin(*out);
}

/* A second run's weights, for what compares two. */
static gls_status open_other(job *j, gls_value *config, gls_run **other) {
    const char *folder = cli_get(j->args, "other");
    return folder ? open_run(j, config, folder, other) : GLS_OK;
}

static gls_status measure_one(job *j, gls_run *run, const gls_run *other, const gls_measure_type *type) {
    gls_measure_input in;
    gls_measure *measure = NULL;
    GLS_TRY(gls_run_measure_input(run, &in));
    if (isnan(in.lr)) in.lr = j->lr;
    if (j->step) in.step = j->step;
    if (other) in.w_other = gls_run_weights(other);
    in.exchanged = j->exchanged;
    if (in.exchanged >= in.examples)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--exchanged %lld: the training set has %lld examples",
                        (long long)in.exchanged, (long long)in.examples);
    announce(j, type);
    GLS_TRY(make(j, type, gls_problem_size(gls_run_problem(run)), in.examples, &measure));
    gls_status status = gls_measure_run(measure, &in, &j->result[j->done]);
    gls_measure_destroy(measure);
    if (status == GLS_OK && (type->needs & OF_STEP))
        status = gls_measure_result_note(&j->result[j->done], "along one step of a fresh %s from these weights",
                                         gls_method_name(gls_run_method(run)));
    if (status == GLS_OK) j->done++;
    return status;
}

/* First what is read off the point, then one step for what is read off a step. */
static gls_status measure_all(job *j, gls_run *run, const gls_run *other) {
    bool stepped = false, done;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < j->types && !gls_interrupted(j->ctx); i++) {
            bool of_step = j->type[i]->needs & OF_STEP;
            if (of_step != (pass == 1)) continue;
            if (of_step && !stepped) {
                GLS_TRY(gls_run_keep_previous(run));
                GLS_TRY(gls_run_step(run, &done));
                stepped = true;
            }
            GLS_TRY(measure_one(j, run, other, j->type[i]));
        }
    }
    return GLS_OK;
}

static gls_status on_problem(job *j) {
    gls_value *bare = gls_value_clone(j->ctx, j->config);
    gls_run *run = NULL, *other = NULL;
    gls_status status = bare ? gls_config_set(j->ctx, bare, "measure=") : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = open_run(j, bare, j->weights, &run);
    if (status == GLS_OK) status = open_other(j, bare, &other);
    if (status == GLS_OK) status = measure_all(j, run, other);
    gls_run_destroy(other);
    gls_run_destroy(run);
    gls_value_destroy(j->ctx, bare);
    return status;
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

static gls_status print_json(const job *j) {
    char *text = NULL;
    GLS_TRY(gls_measure_results_json(j->ctx, j->result, j->done, &text));
    json_t *object = json_loads(text, 0, NULL);
    gls_free(j->ctx, text);
    if (j->folder) {
        json_object_set_new(object, "run", json_string(j->folder));
        json_object_set_new(object, "at", json_string(j->at));
        if (j->step) json_object_set_new(object, "step", json_integer(j->step));
    }
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (line) puts(line);
    free(line);
    json_decref(object);
    return line ? GLS_OK : gls_fail(j->ctx, GLS_ERR_MEMORY, "out of memory while writing the results");
}

static gls_status report(job *j) {
    if (!j->progress.quiet)
        for (int i = 0; i < j->done; i++) print_result(&j->result[i]);
    if (!j->progress.quiet && j->done)
        fprintf(stderr, "\n* main figures; intervals are 95%%. Arrays (histograms, curves) are in --json.\n");
    return cli_has(j->args, "json") ? print_json(j) : GLS_OK;
}

static int measure_and_report(job *j, gls_status (*work)(job *)) {
    for (int i = 0; i < MOST; i++) gls_measure_result_init(j->ctx, &j->result[i]);
    cli_signals *signals = cli_signals_start(j->ctx, &j->progress);
    gls_status status = work(j);
    cli_signals_stop(signals);
    if (status == GLS_OK) status = report(j);
    int code = status != GLS_OK ? cli_fail(j->ctx, status, false) : CLI_DONE;
    if (status == GLS_OK && gls_interrupted(j->ctx)) code = CLI_FAILED;
    for (int i = 0; i < MOST; i++) gls_measure_result_clear(&j->result[i]);
    return code;
}

static int run(const cli_args *args) {
    job j = {.args = args, .lr = NAN};
    cli_progress_init(&j.progress, cli_has(args, "quiet"));
    gls_context *reading = cli_context(NULL), *ctx = NULL;
    if (!reading) return CLI_FAILED;
    j.ctx = reading;
    gls_context_options options = {.size = sizeof options, .log = cli_log, .log_user = &j.progress};
    gls_status status = GLS_OK;
    bool matrix = cli_has(args, "gradients");
    if (!matrix) status = configure(&j);
    if (status == GLS_OK && !matrix) status = gls_config_context(reading, j.config, &options);
    int code = CLI_FAILED;
    if (status != GLS_OK) {
        code = cli_fail(reading, status, false);
    } else if (gls_context_create(&ctx, &options) != GLS_OK) {
        cli_bad("out of memory");
    } else {
        j.ctx = ctx;
        code = measure_and_report(&j, matrix ? on_matrix : on_problem);
    }
    gls_value_destroy(matrix && ctx ? ctx : reading, j.config);
    gls_free(reading, j.weights);
    gls_context_destroy(ctx);
    gls_context_destroy(reading);
    return code;
}

static const cli_flag flags[] = {
    {"gradients", "G.npy", "a matrix of per-example gradients [n, d] instead of a run; it is the whole set"},
    {"as-sample", NULL, "with --gradients: its rows are a sample of a larger set"},
    {"at", "WHICH", "best, final or a step: which weights of the run; final, or its newest checkpoint, by default"},
    {"only", "NAME,...", "these measures; without it all that can be read off one point"},
    {"sample", "N", "examples read by each measure that samples; all: the whole set"},
    {"other", "RUN", "a second run, for measures that compare two"},
    {"exchanged", "I", "the training example in which the second run's set differs"},
    {"preset", "NAME", "a built-in configuration; see `glissade list presets`"},
    {"set", "SECTION.KEY=VALUE", "an override, as in --set measure.sharpness.products=50; may be repeated"},
    {"json", NULL, "the last line of standard output is one JSON object"},
    {"quiet", NULL, "no table"},
    {NULL}};

const cli_verb cli_measure = {
    .name = "measure",
    .synopsis = "measure RUN | CONFIG | --gradients G.npy  [options]",
    .help = "what the gradients say: at a run's weights, where a configuration begins, or from a matrix",
    .details = "Nothing of the run is changed. What each measure is: docs/measures.md and `glissade list measures`.",
    .flags = flags,
    .run = run,
};
