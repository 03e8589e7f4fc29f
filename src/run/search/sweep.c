/* A sweep: its trials, one run for each of them and each seed, and the comparison. A run folder is named by its
 * configuration, so that a repeated sweep finds the runs that are finished. */
#include <glissade/search.h>

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/arith.h"
#include "base/io.h"
#include "base/side.h"
#include "run/loop/run.h"
#include "run/search/sweep.h"

/* How runs are compared: a score on the validation set where there is one, else the loss there, else the training loss;
 * or by the epochs that they took to their target. */
typedef enum rule { BY_NOTHING, BY_VALIDATION_SCORE, BY_VALIDATION_LOSS, BY_TRAIN_LOSS, BY_EPOCHS } rule;

typedef struct tally {
    int64_t n;
    double sum, squares;
} tally;

static void count(tally *t, double x) {
    t->n++;
    t->sum += x;
    t->squares += x * x;
}

static gls_sweep_stat stat(const tally *t) {
    double n = (double)t->n, mean = t->n ? t->sum / n : NAN;
    double variance = t->n > 1 ? (t->squares - n * mean * mean) / (n - 1) : NAN;
    return (gls_sweep_stat){mean, variance > 0 ? sqrt(variance) : variance == variance ? 0 : NAN};
}

/* ---- one run ---- */

enum { MOST_JOBS = 256 };

/* What a run came to that was made side by side with others. */
typedef struct made {
    gls_run_result result;
    bool diverged, there;
} made;

typedef struct runner {
    gls_sweep *sweep;
    const gls_sweep_options *options;
    gls_context *ctx; /* for messages: the sweep's, or that of a lane */
    gls_context *child;
    made *made;            /* [runs]; NULL: one after the other */
    pthread_mutex_t *lock; /* of the caller's progress */
    int64_t run, runs;
} runner;

static void watch(void *user, const gls_progress *progress) {
    runner *r = user;
    (void)progress;
    if (gls_interrupted(r->ctx)) gls_interrupt(r->child);
}

/* Side by side each run has its share of the processors. */
static int threads_of(const gls_sweep_options *options, int given) {
    int share = options->jobs > 1 ? gls_processors() / options->jobs : 0;
    return given || options->jobs <= 1 ? given : share > 1 ? share : 1;
}

/* The same configuration finds its runs again, whatever else is searched and in what order. */
static gls_status name_trial(runner *r, gls_sweep_trial *trial) {
    gls_context *ctx = r->sweep->ctx;
    gls_value *config = NULL;
    GLS_TRY(gls_sweep_trial_config(ctx, r->options, trial, 0, &config));
    char *text = gls_config_text(ctx, config);
    if (text) snprintf(trial->folder, sizeof trial->folder, "trial-%08x", (unsigned)XXH3_64bits(text, strlen(text)));
    gls_value_destroy(ctx, config);
    gls_free(ctx, text);
    return text ? GLS_OK : GLS_ERR_MEMORY;
}

/* A run that ends above its start by this factor has diverged, though its numbers may all be finite: as for probes. */
static const double too_high = 1.5;
enum { START_ROWS = 2048 }; /* evenly spread over the training set: enough for that factor */

/* The loss at the initial weights, on some of the training set. */
static gls_status start_loss(gls_run *run, double *loss) {
    gls_training *t = run->training;
    int64_t n = t->set.train->info.examples, count = gls_least(n, START_ROWS);
    int64_t *index = gls_alloc(run->ctx, count, sizeof *index);
    gls_source *some = NULL;
    double score;
    if (!index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) index[i] = i * n / count;
    gls_status status = gls_source_subset(run->ctx, t->set.train, index, count, &some);
    gls_free(run->ctx, index);
    if (status == GLS_OK) status = gls_training_evaluate(t, some, t->w, loss, &score);
    gls_source_destroy(some);
    return status;
}

static gls_status train(gls_run *run, gls_run_result *result, bool *diverged) {
    double start = NAN;
    GLS_TRY(start_loss(run, &start));
    gls_status status = gls_run_train(run, result);
    *diverged = status == GLS_ERR_NONFINITE || result->train_loss > start + (too_high - 1) * fabs(start);
    if (*diverged) *result = (gls_run_result){.stopped = GLS_STOP_NONE};
    return status;
}

static gls_status run_one(runner *r, const gls_sweep_trial *trial, int64_t seed, const char *folder,
                          gls_run_result *result, bool *diverged) {
    gls_context *parent = r->ctx, *ctx = NULL;
    gls_context_options setup = *r->options->context;
    gls_value *config = NULL;
    gls_run *run = NULL;
    GLS_TRY(gls_sweep_trial_config(parent, r->options, trial, seed, &config));
    gls_status status = gls_config_context(parent, config, &setup);
    setup.threads = threads_of(r->options, setup.threads);
    if (status == GLS_OK && gls_context_create(&ctx, &setup) != GLS_OK)
        status = gls_fail(parent, GLS_ERR_MEMORY, "sweep: cannot make a context");
    if (status == GLS_OK) {
        r->child = ctx;
        gls_run_options options = {
            .size = sizeof options, .config = config, .folder = folder, .progress = watch, .user = r};
        options.resume = gls_file_exists(folder);
        status = gls_run_create(ctx, &options, &run);
        if (status == GLS_OK) status = train(run, result, diverged);
        if (status != GLS_OK && !*diverged) gls_fail(parent, status, "%s: %s", folder, gls_context_message(ctx));
        gls_run_destroy(run);
    }
    gls_context_destroy(ctx);
    gls_value_destroy(parent, config);
    return *diverged ? GLS_OK : status;
}

/* ---- comparing ---- */

static double chosen(rule by, const gls_run_result *result) {
    return by == BY_EPOCHS             ? result->epochs
           : by == BY_VALIDATION_SCORE ? result->validation_score
           : by == BY_VALIDATION_LOSS  ? result->validation_loss
                                       : result->train_loss;
}

static rule rule_of(const gls_sweep_options *options, const gls_run_result *result) {
    return !isnan(result->validation_score) && !options->by_loss ? BY_VALIDATION_SCORE
           : !isnan(result->validation_loss)                     ? BY_VALIDATION_LOSS
                                                                 : BY_TRAIN_LOSS;
}

static bool better(double a, double b, bool greater) {
    if (isnan(a) || isnan(b)) return !isnan(a) && isnan(b);
    return greater ? a > b : a < b;
}

/* Best first; a trial with a failed run comes after all without, one with a run that missed its target after those that
 * all reached it. Stable, so that equals stay in the order tried. */
static void sort_trials(gls_sweep *sweep) {
    for (int64_t i = 1; i < sweep->trials; i++) {
        gls_sweep_trial moving = sweep->trial[i];
        int64_t k = i;
        for (; k > 0; k--) {
            const gls_sweep_trial *before = &sweep->trial[k - 1];
            bool ahead = moving.failed != before->failed ? moving.failed < before->failed
                         : moving.missed != before->missed
                             ? moving.missed < before->missed
                             : better(moving.selected.mean, before->selected.mean, sweep->greater_is_better);
            if (!ahead) break;
            sweep->trial[k] = *before;
        }
        sweep->trial[k] = moving;
    }
}

/* The best is on the edge of an axis of numbers if nothing smaller, or nothing greater, was tried. */
static void find_edges(gls_sweep *sweep) {
    for (int64_t a = 0; a < sweep->axes; a++) {
        char *end;
        double best = strtod(sweep->trial[0].text[a], &end), least = best, greatest = best;
        bool numbers = !*end;
        for (int64_t t = 1; t < sweep->trials && numbers; t++) {
            double x = strtod(sweep->trial[t].text[a], &end);
            numbers = !*end;
            least = fmin(least, x);
            greatest = fmax(greatest, x);
        }
        sweep->edge[a] = numbers && least < greatest && (best == least || best == greatest);
    }
}

static gls_status check_comparable(const runner *r, const char *name, const gls_run_result *result) {
    gls_context *ctx = r->sweep->ctx;
    if (r->options->by_score && isnan(result->validation_score) && !isnan(result->validation_loss) && result->score)
        return gls_fail(ctx, GLS_ERR_INPUT,
                        "%s: %s, to be chosen by, is not defined on the validation set (one class alone, or targets "
                        "that are all the same?)",
                        name, result->score);
    if (r->options->by_score && isnan(result->validation_score))
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%s has no validation %s to be chosen by: hold examples out with train.validation", name,
                        result->score ? result->score : "score");
    if (!isnan(result->validation_loss) || !isnan(result->train_loss)) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT,
                    "%s has neither a validation loss nor a training loss to be chosen by: hold examples out with "
                    "train.validation, or leave train.final_train at all",
                    name);
}

typedef struct tallies {
    tally selected, test_loss, test_score, train_loss, seconds, epochs;
} tallies;

static bool reached(const gls_run_result *result) {
    return result->stopped == GLS_STOP_TARGET_LOSS || result->stopped == GLS_STOP_TARGET_SCORE;
}

/* By epochs, a run that ended before its target has no length to compare. */
static void count_run(gls_sweep_trial *trial, tallies *all, rule by, const gls_run_result *result) {
    bool counts = by != BY_EPOCHS || reached(result);
    if (counts) count(&all->selected, chosen(by, result));
    trial->missed += !counts;
    trial->reached += reached(result);
    count(&all->test_loss, result->test_loss);
    count(&all->test_score, result->test_score);
    count(&all->train_loss, result->train_loss);
    count(&all->seconds, result->seconds);
    count(&all->epochs, result->epochs);
    trial->runs++;
}

static gls_status name_rule(gls_sweep *sweep, rule by, const gls_run_result *result) {
    gls_context *ctx = sweep->ctx;
    if (sweep->selected_by) return GLS_OK;
    sweep->selected_by = by == BY_VALIDATION_SCORE  ? gls_sprintf(ctx, "validation %s", result->score)
                         : by == BY_EPOCHS          ? gls_strdup(ctx, "epochs to the target")
                         : by == BY_VALIDATION_LOSS ? gls_strdup(ctx, "validation loss")
                                                    : gls_strdup(ctx, "training loss");
    return sweep->selected_by ? GLS_OK : GLS_ERR_MEMORY;
}

/* The first result decides how all are compared, unless the caller has. A diverged run counts as failed and enters no
 * mean; after an interruption nothing of the present run is counted. */
static gls_status run_seed(runner *r, gls_sweep_trial *trial, int64_t seed, rule *by, tallies *all) {
    gls_sweep *sweep = r->sweep;
    gls_context *ctx = sweep->ctx;
    char *name = gls_sprintf(ctx, "%s/seed-%lld", trial->folder, (long long)seed);
    char *folder = gls_sprintf(ctx, "%s/%s", r->options->folder, name ? name : "");
    gls_run_result result = {0};
    const made *known = r->made && r->made[r->run].there ? &r->made[r->run] : NULL;
    bool diverged = known && known->diverged, shows = r->options->progress && !known;
    gls_status status = name && folder ? GLS_OK : GLS_ERR_MEMORY;
    if (known) result = known->result;
    if (status == GLS_OK && shows) r->options->progress(r->options->user, r->run, r->runs, name, NULL);
    if (status == GLS_OK && !known) status = run_one(r, trial, seed, folder, &result, &diverged);
    if (status == GLS_OK && !diverged) {
        sweep->interrupted = result.stopped == GLS_STOP_INTERRUPTED;
        if (!sweep->interrupted) status = check_comparable(r, name, &result);
    }
    if (status == GLS_OK && !diverged) {
        if (*by == BY_NOTHING) *by = rule_of(r->options, &result);
        sweep->score_lower = result.score_lower;
        if (!sweep->interrupted) {
            count_run(trial, all, *by, &result);
            status = name_rule(sweep, *by, &result);
        }
    }
    trial->failed += diverged;
    if (status == GLS_OK && shows && !sweep->interrupted)
        r->options->progress(r->options->user, r->run, r->runs, name, &result);
    gls_free(ctx, name);
    gls_free(ctx, folder);
    return status;
}

static gls_status run_trial(runner *r, gls_sweep_trial *trial, rule *by) {
    tallies all = {0};
    for (int64_t s = 0; s < r->options->seeds && !r->sweep->interrupted; s++, r->run++)
        GLS_TRY(run_seed(r, trial, r->options->first_seed + s, by, &all));
    trial->selected = stat(&all.selected);
    trial->test_loss = stat(&all.test_loss);
    trial->test_score = stat(&all.test_score);
    trial->train_loss = stat(&all.train_loss);
    trial->seconds = stat(&all.seconds);
    trial->epochs = stat(&all.epochs);
    return GLS_OK;
}

/* Run i of all, in a lane of its own. One that an interruption stopped is not there: it goes on when it is asked for.
 */
static gls_status run_beside(void *user, gls_context *own, int lane, int64_t i) {
    runner r = *(const runner *)user;
    const gls_sweep_trial *trial = &r.sweep->trial[i / r.options->seeds];
    made *to = &r.made[i];
    char name[64];
    (void)lane;
    r.ctx = own;
    snprintf(name, sizeof name, "%s/seed-%lld", trial->folder,
             (long long)(r.options->first_seed + i % r.options->seeds));
    char *folder = gls_sprintf(own, "%s/%s", r.options->folder, name);
    gls_status status = folder ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = run_one(&r, trial, r.options->first_seed + i % r.options->seeds, folder, &to->result, &to->diverged);
    to->there = status == GLS_OK && (to->diverged || to->result.stopped != GLS_STOP_INTERRUPTED);
    if (to->there && r.options->progress) {
        pthread_mutex_lock(r.lock);
        r.options->progress(r.options->user, i, r.runs, name, &to->result);
        pthread_mutex_unlock(r.lock);
    }
    gls_free(own, folder);
    return status;
}

/* All runs, before they are compared in their order. An interruption is left to the first run that is not there. */
static gls_status make_beside(runner *r) {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    if (!(r->made = gls_alloc(r->ctx, r->runs, sizeof *r->made))) return GLS_ERR_MEMORY;
    r->lock = &lock;
    gls_status status = gls_side_by_side(r->ctx, r->options->jobs, r->runs, run_beside, r);
    return status == GLS_ERR_INTERRUPTED ? GLS_OK : status;
}

static gls_status run_all(runner *r, rule *by) {
    gls_sweep *sweep = r->sweep;
    gls_status status = GLS_OK;
    for (int64_t t = 0; t < sweep->trials && status == GLS_OK; t++) status = name_trial(r, &sweep->trial[t]);
    if (status == GLS_OK && r->options->jobs > 1) status = make_beside(r);
    for (int64_t t = 0; t < sweep->trials && status == GLS_OK && !sweep->interrupted; t++)
        status = run_trial(r, &sweep->trial[t], by);
    gls_free(r->ctx, r->made);
    return status;
}

/* In the configuration that all share, with another value than `none`, or among the keys that are searched. */
static bool has(const gls_sweep_options *options, const char *section, const char *key, const char *none) {
    const gls_value *of = gls_value_get(options->config, section), *value = of ? gls_value_get(of, key) : NULL;
    if (value && value->kind == GLS_VALUE_TEXT && strcmp(value->text, none) != 0) return true;
    size_t n = strlen(section);
    for (int64_t a = 0; a < options->axes; a++) {
        const char *searched = options->axis[a].key;
        if (strncmp(searched, section, n) == 0 && searched[n] == '.' && strcmp(searched + n + 1, key) == 0) return true;
    }
    return false;
}

/* What the runs are compared by must be there before the first of them trains. */
static gls_status check_rule(gls_context *ctx, const gls_sweep_options *options) {
    bool target = has(options, "train", "target_loss", "nan") || has(options, "train", "target_accuracy", "nan");
    bool held_out = has(options, "train", "validation", "0") || has(options, "data", "validation", "");
    if (options->by_epochs && !target)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "sweep by epochs compares how soon runs reach a target: expected train.target_accuracy or "
                        "train.target_loss");
    if (options->by_score && !held_out)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "sweep by a score compares it on held-out examples: expected train.validation or "
                        "data.validation");
    return GLS_OK;
}

static gls_status copy_axes(gls_sweep *sweep, const gls_sweep_options *options) {
    gls_context *ctx = sweep->ctx;
    sweep->axis = gls_alloc(ctx, options->axes, sizeof *sweep->axis);
    sweep->edge = gls_alloc(ctx, options->axes, sizeof *sweep->edge);
    if (!sweep->axis || !sweep->edge) return GLS_ERR_MEMORY;
    sweep->axes = options->axes;
    for (int64_t a = 0; a < options->axes; a++)
        if (!(sweep->axis[a].key = gls_strdup(ctx, options->axis[a].key))) return GLS_ERR_MEMORY;
    return GLS_OK;
}

/* Runs have contexts of their own, so that one that fails leaves the others alone. An interruption ends the sweep with
 * what it has; the next call skips the finished runs. */
gls_status gls_sweep_run(gls_context *ctx, const gls_sweep_options *options, gls_sweep **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    if (options->size != sizeof *options || !options->config || !options->folder || !options->context)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_sweep_run: size, config, folder or context is not set");
    if (options->axes < 1 || options->seeds < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sweep: expected at least one --over and one seed");
    if (options->jobs < 0 || options->jobs > MOST_JOBS)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_sweep_run: jobs: expected 0 to %d, found %d", MOST_JOBS,
                        options->jobs);
    GLS_TRY(check_rule(ctx, options));
    gls_sweep *sweep = gls_alloc(ctx, 1, sizeof *sweep);
    if (!sweep) return GLS_ERR_MEMORY;
    sweep->ctx = ctx;
    gls_status status = copy_axes(sweep, options);
    if (status == GLS_OK) status = gls_sweep_make_trials(sweep, options);
    bool fresh = !gls_file_exists(options->folder);
    gls_lock *lock = NULL;
    if (status == GLS_OK) status = gls_lock_folder(ctx, options->folder, &lock);
    if (status == GLS_OK) gls_writer_clear(ctx, options->folder);
    runner r = {.sweep = sweep, .options = options, .ctx = ctx, .runs = sweep->trials * options->seeds};
    rule by = options->by_epochs ? BY_EPOCHS : BY_NOTHING;
    if (status == GLS_OK) status = run_all(&r, &by);
    gls_lock_release(lock);
    if (status == GLS_OK) {
        sweep->greater_is_better = by == BY_VALIDATION_SCORE && !sweep->score_lower;
        sort_trials(sweep);
        sweep->best = isfinite(sweep->trial[0].selected.mean);
        if (sweep->best) find_edges(sweep);
        *out = sweep;
    } else {
        if (fresh) rmdir(options->folder); /* nothing came about in it; one with files in it stays */
        gls_sweep_destroy(sweep);
    }
    return status;
}

void gls_sweep_destroy(gls_sweep *sweep) {
    if (!sweep) return;
    gls_context *ctx = sweep->ctx;
    for (int64_t t = 0; t < sweep->trials; t++) {
        for (int64_t a = 0; a < sweep->axes && sweep->trial[t].text; a++) gls_free(ctx, sweep->trial[t].text[a]);
        gls_free(ctx, sweep->trial[t].text);
    }
    for (int64_t a = 0; a < sweep->axes; a++) gls_sweep_axis_clear(ctx, &sweep->axis[a]);
    gls_free(ctx, sweep->trial);
    gls_free(ctx, sweep->axis);
    gls_free(ctx, sweep->edge);
    gls_free(ctx, sweep->selected_by);
    gls_free(ctx, sweep);
}

static void set_stat(json_t *to, const char *name, gls_sweep_stat stat) {
    json_t *pair = json_object();
    json_object_set_new(pair, "mean", isfinite(stat.mean) ? json_real(stat.mean) : json_null());
    json_object_set_new(pair, "deviation", isfinite(stat.deviation) ? json_real(stat.deviation) : json_null());
    json_object_set_new(to, name, pair);
}

char *gls_sweep_json(const gls_sweep *sweep) {
    if (!sweep) return NULL;
    json_t *all = json_object(), *trials = json_array(), *edges = json_array();
    for (int64_t t = 0; t < sweep->trials; t++) {
        const gls_sweep_trial *trial = &sweep->trial[t];
        json_t *one = json_object(), *set = json_object();
        json_object_set_new(one, "folder", json_string(trial->folder));
        for (int64_t a = 0; a < sweep->axes; a++)
            json_object_set_new(set, sweep->axis[a].key, json_string(trial->text[a]));
        json_object_set_new(one, "set", set);
        json_object_set_new(one, "runs", json_integer(trial->runs));
        json_object_set_new(one, "failed", json_integer(trial->failed));
        set_stat(one, "selected", trial->selected);
        set_stat(one, "train_loss", trial->train_loss);
        set_stat(one, "test_loss", trial->test_loss);
        set_stat(one, "test_score", trial->test_score);
        set_stat(one, "seconds", trial->seconds);
        set_stat(one, "epochs", trial->epochs);
        json_object_set_new(one, "reached", json_integer(trial->reached));
        json_array_append_new(trials, one);
    }
    for (int64_t a = 0; a < sweep->axes; a++)
        if (sweep->edge[a]) json_array_append_new(edges, json_string(sweep->axis[a].key));
    json_object_set_new(all, "selected_by", json_string(sweep->selected_by ? sweep->selected_by : ""));
    json_object_set_new(all, "interrupted", json_boolean(sweep->interrupted));
    json_object_set_new(all, "edge", edges);
    json_object_set_new(all, "trials", trials);
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(12)),
         *copy = text ? gls_strdup(sweep->ctx, text) : NULL;
    free(text);
    json_decref(all);
    return copy;
}
