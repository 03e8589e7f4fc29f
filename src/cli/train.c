/* `train`: one run, or one for each seed, over any number of ranks, of which the first one speaks. */
#include <glissade/model.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

/* One call of the verb: what the runs of several seeds share. */
typedef struct job {
    const cli_args *args;
    gls_context *ctx; /* for the configuration; each run has its own */
    gls_value *config;
    char *folder;
    gls_lock *lock;   /* of the folder of several seeds; each run locks its own */
    const char *name; /* of the run, for people */
    char *own_name;
    bool json, quiet, resume, first; /* first: this process speaks */
    int64_t seeds, seed, had;        /* seed: the first; had: seeds of the run in the folder, 0: there is none */
    bool common;                     /* the run that begins is the first of several seeds */
    cli_progress progress;
    json_t *results;         /* one object a seed */
    bool interrupted, fresh; /* fresh: the folder was made for this run */
} job;

/* ---- configuration ---- */

static gls_status configure(job *j) {
    if (cli_has(j->args, "resume") && cli_has(j->args, "out"))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--resume continues a run in its own folder: leave out --out");
    if (cli_has(j->args, "resume") && cli_has(j->args, "from"))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "--resume continues a run with its own weights: leave out --from, or begin another run with "
                        "--from alone");
    if (cli_has(j->args, "stretch") && !cli_has(j->args, "resume"))
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "--stretch is for --resume: a new run has its schedule whole");
    GLS_TRY(cli_configure(j->ctx, j->args, CLI_FROM_SETS | CLI_FROM_RESUME, &j->config, NULL));
    GLS_TRY(cli_config_set(j->ctx, j->config, "--seed", "train.seed", cli_get(j->args, "seed")));
    GLS_TRY(cli_config_set(j->ctx, j->config, "--threads", "train.threads", cli_get(j->args, "threads")));
    j->own_name = gls_config_name(j->ctx, j->config);
    j->name = j->own_name;
    if (!j->own_name) return GLS_ERR_MEMORY;
    gls_context_options options = {.size = sizeof options};
    GLS_TRY(gls_config_context(j->ctx, j->config, &options));
    j->seed = (int64_t)options.seed;
    return gls_config_seeds(j->ctx, j->config, &j->seeds);
}

/* ---- the folder ---- */

/* runs/NAME-N for the first N that is free. */
static gls_status fresh_folder(job *j) {
    int64_t n = 0;
    gls_status status = GLS_OK;
    if (j->first) status = gls_make_directory(j->ctx, "runs");
    for (n = 1; j->first && status == GLS_OK; n++) {
        char *path = gls_sprintf(j->ctx, "runs/%s-%lld", j->name, (long long)n);
        if (!path) return GLS_ERR_MEMORY;
        int made = mkdir(path, 0777), why = errno;
        if (made && why != EEXIST)
            status = gls_fail(j->ctx, GLS_ERR_FILE, "%s: cannot be made: %s", path, strerror(why));
        gls_free(j->ctx, path);
        if (!made) break;
    }
    GLS_TRY(gls_comm_broadcast(j->ctx, &n, sizeof n, 0, status));
    j->folder = gls_sprintf(j->ctx, "runs/%s-%lld", j->name, (long long)n);
    j->fresh = true;
    return j->folder ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status choose_folder(job *j) {
    const char *given = cli_get(j->args, "resume");
    j->resume = given != NULL;
    if (!given) given = cli_get(j->args, "out");
    if (cli_has(j->args, "summary")) return GLS_OK;
    if (!given) return fresh_folder(j);
    j->folder = gls_strdup(j->ctx, given);
    for (size_t n = j->folder ? strlen(j->folder) : 0; n > 1 && j->folder[n - 1] == '/'; n--) j->folder[n - 1] = 0;
    return j->folder ? GLS_OK : GLS_ERR_MEMORY;
}

/* ---- one run ---- */

static void say_domains(const gls_run *run, const char *score) {
    int64_t count;
    const gls_domain_score *domain = gls_run_domains(run, &count);
    for (int64_t d = 0; d < count; d++) {
        fprintf(stderr, "\n  domain %lld: %lld examples, loss %.6g", (long long)domain[d].domain,
                (long long)domain[d].examples, domain[d].loss);
        if (score) fprintf(stderr, ", %s %.6g", score, domain[d].score);
    }
}

static void say_result(const job *j, const gls_run *run, const gls_run_result *r, const char *folder) {
    char a[32], b[32];
    fprintf(stderr, "%s: %s step%s, %.4g epoch%s in %s", j->name, cli_thousands(r->steps, a), r->steps == 1 ? "" : "s",
            r->epochs, r->epochs == 1 ? "" : "s", cli_duration(r->seconds, b));
    if (r->stopped != GLS_STOP_EPOCHS && r->stopped != GLS_STOP_STEPS)
        fprintf(stderr, " (ended by %s)", gls_stop_reason_name(r->stopped));
    if (r->refused) fprintf(stderr, ", %s steps refused", cli_thousands(r->refused, a));
    if (isnan(r->train_loss))
        fprintf(stderr, "\n  train loss not computed");
    else
        fprintf(stderr, "\n  train loss %.6g", r->train_loss);
    if (!isnan(r->validation_loss)) fprintf(stderr, ", validation loss %.6g", r->validation_loss);
    if (!isnan(r->test_loss)) fprintf(stderr, ", test loss %.6g", r->test_loss);
    double score = !isnan(r->test_score)         ? r->test_score
                   : !isnan(r->validation_score) ? r->validation_score
                                                 : r->train_score;
    const char *set = !isnan(r->test_score) ? "test" : !isnan(r->validation_score) ? "validation" : "train";
    if (r->score && strcmp(r->score, "accuracy") == 0)
        fprintf(stderr, ", %s accuracy %.2f%%", set, 100 * score);
    else if (r->score)
        fprintf(stderr, ", %s %s %.6g", set, r->score, score);
    say_domains(run, r->score);
    fprintf(stderr, "\n  %s\n", folder);
}

static gls_status train(job *j, gls_run *run, const char *folder) {
    gls_run_result result;
    GLS_TRY(gls_run_begin(run));
    int64_t before = gls_run_steps(run);
    GLS_TRY(gls_run_train(run, &result));
    cli_progress_clear(&j->progress);
    j->interrupted = result.stopped == GLS_STOP_INTERRUPTED;
    char *text = gls_run_result_json(run, &result);
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;
    gls_free(gls_run_context(run), text);
    if (!object) return GLS_ERR_MEMORY;
    json_array_append_new(j->results, object);
    if (!j->first) return GLS_OK;
    if (j->interrupted)
        fprintf(stderr,
                "glissade: interrupted after step %lld (epoch %.4g); a checkpoint was written. To continue:\n"
                "  glissade train --resume %s\n",
                (long long)result.steps, result.epochs, j->folder);
    else if (!j->quiet)
        say_result(j, run, &result, folder);
    bool long_enough = result.stopped == GLS_STOP_STEPS || result.stopped == GLS_STOP_EPOCHS;
    if (j->resume && !j->quiet && long_enough && result.steps == before)
        fprintf(stderr, "  no step was left to take; with a greater length (--set train.%s=N) the run goes on\n",
                result.stopped == GLS_STOP_STEPS ? "steps" : "epochs");
    return GLS_OK;
}

/* The parts of the run, object by object. */
static gls_status summarize(const job *j, gls_run *run) {
    char *text[] = {gls_run_summary(run), gls_estimator_view(gls_run_estimator(run)),
                    gls_method_view(gls_run_method(run)), gls_problem_view(gls_run_problem(run))};
    bool layers = gls_model_layers(gls_run_problem(run)) > 0; /* else the summary has shown it all */
    gls_status status = GLS_OK;
    for (int i = 0; i < 4; i++) {
        if (!text[i]) status = GLS_ERR_MEMORY;
        if (text[i] && j->first && (i < 3 || layers)) printf("%s%s", i ? "\n" : "", text[i]);
        gls_free(gls_run_context(run), text[i]);
    }
    return status;
}

static gls_status set_number(job *j, const char *key, int64_t value) {
    char text[96];
    snprintf(text, sizeof text, "%s=%lld", key, (long long)value);
    return gls_config_set(j->ctx, j->config, text);
}

/* ---- what runs of several seeds have in common: config.yaml in the folder above theirs ---- */

static char *in_folder(const job *j, const char *file) {
    return gls_sprintf(j->ctx, "%s/%s", j->folder, file);
}

/* Whether the folder holds a run, and of how many seeds. */
static gls_status look_for_common(job *j) {
    char *path = in_folder(j, "config.yaml");
    gls_value *config = NULL;
    struct stat info;
    gls_status status = path ? GLS_OK : GLS_ERR_MEMORY;
    if (path && !stat(path, &info)) status = gls_config_read(j->ctx, path, &config);
    if (config) status = gls_config_seeds(j->ctx, config, &j->had);
    gls_value_destroy(j->ctx, config);
    gls_free(j->ctx, path);
    return status;
}

/* Seeds may be added to several; fewer would leave out what is there, and one run has no place for more. */
static gls_status check_seeds(job *j) {
    if (!j->folder || !j->first || (!j->resume && j->seeds == 1)) return GLS_OK;
    GLS_TRY(look_for_common(j));
    if (!j->resume && j->had)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "%s already holds a run: continue it with --resume %s, or choose another folder", j->folder,
                        j->folder);
    if (j->resume && j->seeds < j->had)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT, "%s: train.seeds was %lld and would be %lld; it may only grow",
                        j->folder, (long long)j->had, (long long)j->seeds);
    if (j->resume && j->had == 1 && j->seeds > 1)
        return gls_fail(j->ctx, GLS_ERR_ARGUMENT,
                        "%s: train.seeds was 1 and would be %lld; a run of one seed stays one, begin %lld in another "
                        "folder",
                        j->folder, (long long)j->seeds, (long long)j->seeds);
    return GLS_OK;
}

/* The configuration of one of the runs with the seeds put back. */
static gls_status write_common(job *j, gls_value *config) {
    char text[2][64], *path = in_folder(j, "config.yaml");
    gls_status status = path ? GLS_OK : GLS_ERR_MEMORY;
    snprintf(text[0], 64, "train.seeds=%lld", (long long)j->seeds);
    snprintf(text[1], 64, "train.seed=%lld", (long long)j->seed);
    for (int i = 0; i < 2 && status == GLS_OK; i++) status = gls_config_set(j->ctx, config, text[i]);
    char *yaml = status == GLS_OK ? gls_config_text(j->ctx, config) : NULL;
    if (status == GLS_OK) status = yaml ? gls_write_text(j->ctx, path, yaml) : GLS_ERR_MEMORY;
    gls_free(j->ctx, yaml);
    gls_free(j->ctx, path);
    return status;
}

/* Before the first run writes anything, so that a killed one is found by --resume; where that cannot begin, nothing was
 * written. */
static gls_status begin_common(job *j, gls_run *run) {
    gls_value *config = NULL;
    char *text = j->first ? gls_run_config_text(run) : NULL, *path = in_folder(j, "config.yaml");
    gls_status status = path && (text || !j->first) ? GLS_OK : GLS_ERR_MEMORY;
    if (text && status == GLS_OK)
        status = gls_config_parse(j->ctx, "config.yaml", text, (int64_t)strlen(text), &config);
    if (config) status = write_common(j, config);
    status = gls_comm_agree(j->ctx, status);
    if (status == GLS_OK) {
        status = gls_run_begin(run);
        if (status != GLS_OK && j->first) unlink(path);
    } else {
        gls_fail(gls_run_context(run), status, "%s", gls_context_message(j->ctx));
    }
    gls_value_destroy(j->ctx, config);
    gls_free(gls_run_context(run), text);
    gls_free(j->ctx, path);
    return status;
}

static gls_status record_seeds(job *j) {
    char *path = in_folder(j, "changes.jsonl");
    FILE *file = path && j->seeds != j->had ? fopen(path, "a") : NULL;
    gls_status status = path ? GLS_OK : GLS_ERR_MEMORY;
    if (file)
        fprintf(file, "{\"after\":\"%lld\",\"before\":\"%lld\",\"key\":\"train.seeds\",\"step\":0}\n",
                (long long)j->seeds, (long long)j->had);
    if (path && j->seeds != j->had && (!file || fclose(file)))
        status = gls_fail(j->ctx, GLS_ERR_FILE, "%s: cannot write: %s", path, strerror(errno));
    gls_free(j->ctx, path);
    return status;
}

/* After the first run went on: what changed in it and the number of seeds change for all. */
static gls_status update_common(job *j, const char *folder) {
    if (!j->first || !folder) return GLS_OK;
    char *path = gls_sprintf(j->ctx, "%s/config.yaml", folder);
    gls_value *config = NULL;
    gls_status status = path ? gls_config_read(j->ctx, path, &config) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = record_seeds(j);
    if (status == GLS_OK) status = write_common(j, config);
    gls_value_destroy(j->ctx, config);
    gls_free(j->ctx, path);
    return status;
}

/* ---- one run, with its context ---- */

static int run_once(job *j, const char *folder, bool resume) {
    bool summary = cli_has(j->args, "summary");
    gls_context_options options = {.size = sizeof options,
                                   .comm = j->args->comm,
                                   .allocator = summary ? &cli_promised_memory : NULL,
                                   .log = j->first ? cli_log : NULL,
                                   .log_user = &j->progress};
    gls_context *ctx = NULL;
    int code = cli_begin_work(j->ctx, GLS_OK, j->config, &options, &ctx);
    if (code != CLI_DONE) return code;
    cli_signals *signals = cli_signals_start(ctx, &j->progress);
    gls_run *run = NULL;
    gls_run_options wanted = {.size = sizeof wanted,
                              .config = j->config,
                              .folder = folder,
                              .resume = resume,
                              .stretch = cli_has(j->args, "stretch"),
                              .from = cli_get(j->args, "from"),
                              .progress = j->first ? cli_progress_show : NULL,
                              .user = &j->progress,
                              .outline = summary};
    gls_status status = gls_run_create(ctx, &wanted, &run);
    bool writing = status == GLS_OK; /* from here on, files at fault are the run's own */
    if (status == GLS_OK && j->common) status = begin_common(j, run);
    if (status == GLS_OK) status = summary ? summarize(j, run) : train(j, run, folder);
    if (status != GLS_OK) {
        cli_progress_clear(&j->progress);
        code = cli_fail_together(ctx, status, writing);
    } else if (j->interrupted) {
        code = CLI_FAILED;
    }
    gls_run_destroy(run);
    cli_signals_stop(signals);
    gls_context_destroy(ctx);
    return code;
}

/* ---- several seeds ---- */

/* The folder of all seeds, on the first rank. */
static gls_status own_folder(job *j) {
    gls_status status = j->first && j->folder ? gls_lock_folder(j->ctx, j->folder, &j->lock) : GLS_OK;
    return gls_comm_agree(j->ctx, status);
}

static int run_seeds(job *j) {
    gls_status status = own_folder(j);
    if (status != GLS_OK) return cli_fail_together(j->ctx, status, true);
    status = set_number(j, "train.seeds", 1);
    if (status != GLS_OK) return cli_fail(j->ctx, status, false);
    int code = CLI_DONE;
    for (int64_t i = 0; i < j->seeds && code == CLI_DONE; i++) {
        char *folder = j->folder ? gls_sprintf(j->ctx, "%s/seed-%lld", j->folder, (long long)i + 1) : NULL;
        status = set_number(j, "train.seed", j->seed + i);
        if (status != GLS_OK) return cli_fail(j->ctx, status, false);
        struct stat info;
        j->common = i == 0 && !j->resume;
        code = run_once(j, folder, j->resume && folder && !stat(folder, &info));
        if (i == 0 && j->resume && (code == CLI_DONE || j->interrupted) && update_common(j, folder) != GLS_OK)
            code = cli_fail(j->ctx, GLS_ERR_FILE, true);
        gls_free(j->ctx, folder);
    }
    return code;
}

/* Means over the runs, spreads beside them, and the runs themselves. */
static json_t *summarize_seeds(const job *j) {
    json_t *first = json_array_get(j->results, 0), *out = json_copy(first), *value;
    const char *key;
    size_t count = json_array_size(j->results);
    json_object_foreach(first, key, value) {
        if (!json_is_real(value)) continue;
        double sum = 0, squares = 0;
        for (size_t i = 0; i < count; i++) {
            const json_t *one = json_object_get(json_array_get(j->results, i), key);
            double x = json_is_number(one) ? json_number_value(one) : NAN; /* null: there is no mean */
            sum += x;
            squares += x * x;
        }
        char name[160];
        snprintf(name, sizeof name, "%s_std", key);
        double mean = sum / (double)count, variance = (squares - sum * mean) / (double)(count > 1 ? count - 1 : 1);
        json_object_set_new(out, name, cli_number(sqrt(variance < 0 ? 0 : variance)));
        json_object_set_new(out, key, cli_number(mean));
    }
    json_object_set_new(out, "run", json_string(j->folder ? j->folder : ""));
    json_object_set_new(out, "seeds", json_integer((json_int_t)count));
    json_object_set(out, "runs", j->results);
    return out;
}

static int print_json(const job *j) {
    if (!json_array_size(j->results)) return CLI_DONE;
    return cli_print_json(j->seeds > 1 ? summarize_seeds(j) : json_incref(json_array_get(j->results, 0)), 12);
}

static int go(job *j) {
    gls_status status = configure(j);
    if (status != GLS_OK) return j->first ? cli_fail(j->ctx, status, false) : CLI_BAD;
    status = choose_folder(j);
    if (status != GLS_OK) return cli_fail_together(j->ctx, status, true);
    status = gls_comm_agree(j->ctx, check_seeds(j));
    if (status != GLS_OK) return cli_fail_together(j->ctx, status, false);
    int code = j->seeds > 1 && !cli_has(j->args, "summary") ? run_seeds(j) : run_once(j, j->folder, j->resume);
    /* A fresh folder in which nothing came about; one with files in it stays. */
    if (code != CLI_DONE && j->fresh && j->first && !rmdir(j->folder)) rmdir("runs");
    int printed = j->json && j->first ? print_json(j) : CLI_DONE;
    return code != CLI_DONE ? code : printed;
}

static int run(const cli_args *args) {
    job j = {.args = args,
             .first = args->first,
             .json = cli_has(args, "json"),
             .quiet = cli_has(args, "quiet"),
             .results = json_array()};
    cli_progress_init(&j.progress, j.quiet || !j.first);
    j.ctx = cli_context(args->comm);
    int code = j.ctx ? go(&j) : CLI_FAILED;
    if (j.ctx) {
        gls_lock_release(j.lock);
        gls_value_destroy(j.ctx, j.config);
        gls_free(j.ctx, j.folder);
        gls_free(j.ctx, j.own_name);
        gls_context_destroy(j.ctx);
    }
    json_decref(j.results);
    return code;
}

static const cli_flag flags[] = {
    CLI_FLAG_PRESET,
    CLI_FLAG_SET,
    {"out", "DIR", "the run folder; default: runs/NAME-N with the first free N"},
    {"resume", "DIR", "continue the run in DIR from its latest readable checkpoint"},
    {"from", "RUN", "start from the weights of another run (a folder or a .safetensors file), with a fresh method"},
    {"stretch", NULL, "with --resume and another length: let the schedule go on as in a run of that length"},
    {"seed", "N", "as --set train.seed=N", CLI_INT, 0, INFINITY},
    CLI_FLAG_THREADS,
    {"summary", NULL, "print what would be trained (sets, parameters, plan, estimator, method, layers) and stop"},
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

static void print_key(FILE *to, const gls_option *o) {
    enum { COLUMN = 31 };
    fprintf(to, "    %-17s %-8s ", o->key, o->initial ? o->initial : "");
    cli_wrap(to, o->help, COLUMN, cli_width(to));
}

static void print_section(FILE *to, const char *name) {
    for (const gls_option *o = gls_config_section_table(name); o->key; o++)
        if (!(o->flags & GLS_OPTION_HIDDEN)) print_key(to, o);
}

static void sections_help(FILE *to) {
    fputs("\nSections of a configuration (YAML), with the defaults of their keys:\n", to);
    fputs("  data:       the options of a format or generator, see `glissade list data`, and\n", to);
    print_section(to, "data");
    fputs("  model:      {name: ...}, see `glissade list models problems`\n"
          "  estimator:  {name: ...} or a list of them, see `glissade list estimators`\n"
          "  method:     {name: ..., lr: ...}, see `glissade list methods`\n"
          "  schedule:   a schedule for method.lr, in short form, see `glissade list schedules`\n"
          "  measure:    {NAME: {every: 1, ...}}, see `glissade list measures`\n"
          "  train:\n",
          to);
    print_section(to, "train");
    fputc('\n', to);
    cli_wrap(
        to,
        "On SIGINT, SIGTERM or SIGHUP a run finishes its step, writes a checkpoint, prints how to continue and exits "
        "with 1; a second signal ends it at once. On several processes: mpirun -n 4 glissade train ...; more of "
        "them than cores: Open MPI wants `mpirun --oversubscribe`, MPICH nothing.",
        0, cli_width(to) < CLI_WIDEST ? cli_width(to) : CLI_WIDEST);
}

const cli_verb cli_train = {
    .name = "train",
    .synopsis = "train CONFIG | --preset NAME | --resume DIR  [options]",
    .help = "train a model",
    .details = "Writes a run folder: config.yaml, metrics.jsonl, checkpoints/, final.safetensors, result.json.",
    .flags = flags,
    .ranks = CLI_RANKS_ALL,
    .run = run,
    .more_help = sections_help,
};
