/* One run of an experiment: its configuration, and its outcome from its folder or from the run itself. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/context.h"
#include "base/io.h"
#include "base/value.h"
#include "experiment/experiment.h"
#include <glissade/run.h>

enum { OUTCOME_LIMIT = 64 << 20, TREE_DEPTH = 8 };

const gls_experiment_kind *const gls_experiment_kinds[] = {&gls_experiment_train, &gls_experiment_solve,
                                                           &gls_experiment_pair, &gls_experiment_survey, NULL};

/* ---- what kinds of work share ---- */

gls_status gls_experiment_job_enter(gls_experiment_job *job, const gls_value *config) {
    gls_context_options setup = {.size = sizeof setup};
    if (config) GLS_TRY(gls_config_context(job->ctx, config, &setup));
    setup.threads = job->threads;
    if (gls_context_create(&job->child, &setup) != GLS_OK)
        return gls_fail(job->ctx, GLS_ERR_MEMORY, "experiment: cannot make a context");
    gls_interrupt_with(job->child, job->ctx);
    return GLS_OK;
}

void gls_experiment_job_leave(gls_experiment_job *job) {
    gls_context_destroy(job->child);
    job->child = NULL;
}

void gls_experiment_job_look(gls_experiment_job *job, double share) {
    job->progress(job->user, share);
}

static gls_status read_section(gls_experiment_job *job, const char *name, const gls_option *table, size_t struct_size,
                               gls_options **out) {
    const gls_value *section = gls_value_get(job->config, name);
    GLS_TRY(gls_options_create(job->ctx, name, table, struct_size, out));
    gls_status status = section ? gls_options_apply(*out, section, NULL)
                                : gls_fail(job->ctx, GLS_ERR_ARGUMENT, "config: expected a section '%s'", name);
    if (status != GLS_OK) {
        gls_options_destroy(*out);
        *out = NULL;
    }
    return status;
}

gls_status gls_experiment_job_by(gls_experiment_job *job, const char *section, const gls_option *table,
                                 size_t struct_size, bool trains,
                                 gls_status (*work)(gls_experiment_job *job, const void *options, json_t *outcome),
                                 json_t *outcome) {
    gls_options *options = NULL;
    GLS_TRY(read_section(job, section, table, struct_size, &options));
    if (trains) gls_value_remove(job->ctx, job->config, section);
    gls_status status = gls_experiment_job_enter(job, trains ? job->config : NULL);
    if (status == GLS_OK) status = work(job, gls_options_struct(options), outcome);
    gls_experiment_job_leave(job);
    gls_options_destroy(options);
    return status;
}

/* ---- the configuration ---- */

/* Settings of a part of the file, "arm 'plain'", which messages name. */
static gls_status apply(const gls_experiment_runner *r, gls_value *config, const char *part, const char *name,
                        const gls_texts *set) {
    char owner[200];
    snprintf(owner, sizeof owner, "%.80s: %s '%.80s'", r->experiment->name, part, name);
    for (int64_t i = 0; i < set->count; i++)
        GLS_TRY(gls_config_set_from(r->ctx, config, gls_context_name(r->ctx, owner), set->item[i]));
    return GLS_OK;
}

static gls_status set_one(gls_context *ctx, gls_value *config, const char *key, const char *value) {
    char *text = gls_sprintf(ctx, "%s=%s", key, value);
    gls_status status = text ? gls_config_set_from(ctx, config, "experiment", text) : GLS_ERR_MEMORY;
    gls_free(ctx, text);
    return status;
}

/* Sections of the scale take the places of those of the same name. */
static gls_status replace_sections(gls_context *ctx, gls_value *config, const gls_value *sections) {
    for (int64_t i = 0; sections && i < sections->count; i++) {
        gls_value *copy = gls_value_clone_as(ctx, sections->items[i], sections->items[i]->key);
        if (!copy) return GLS_ERR_MEMORY;
        gls_value_remove(ctx, config, copy->key);
        GLS_TRY(gls_value_append(ctx, config, copy));
    }
    return GLS_OK;
}

static gls_status configure(const gls_experiment_runner *r, const gls_experiment_arm *arm, const char *value,
                            int64_t seed, gls_value *config) {
    const gls_experiment_text *text = r->experiment->text;
    gls_context *ctx = r->ctx;
    char number[32];
    GLS_TRY(replace_sections(ctx, config, r->scale->config));
    GLS_TRY(apply(r, config, "scale", r->scale->name, &r->scale->set));
    GLS_TRY(apply(r, config, "arm", arm->name, &arm->set));
    if (value) GLS_TRY(set_one(ctx, config, arm->key ? arm->key : text->tune->key, value));
    snprintf(number, sizeof number, "%lld", (long long)seed);
    return set_one(ctx, config, gls_experiment_kinds[text->kind]->seed_key, number);
}

/* ---- the folder ---- */

/* The same configuration finds its outcome again, and another version makes its own. */
static char *folder_of(const gls_experiment_runner *r, const gls_experiment_arm *arm, const gls_value *config,
                       int64_t seed) {
    char *text = gls_config_text(r->ctx, config), *folder = NULL;
    if (text) {
        unsigned print = (unsigned)XXH3_64bits_withSeed(text, strlen(text), GLS_VERSION);
        folder =
            gls_sprintf(r->ctx, "%s/runs/%s/%08x/seed-%lld", r->options->folder, arm->name, print, (long long)seed);
    }
    gls_free(r->ctx, text);
    return folder;
}

/* A file that is not whole is none: the run is made again. */
static json_t *read_outcome(gls_context *ctx, const char *path) {
    char *text = NULL;
    int64_t size = 0;
    json_t *outcome = NULL;
    if (gls_file_exists(path) && gls_read_file(ctx, path, OUTCOME_LIMIT, &text, &size) == GLS_OK)
        outcome = json_loadb(text, (size_t)size, 0, NULL);
    gls_free(ctx, text);
    if (outcome && json_is_object(json_object_get(outcome, "figures"))) return outcome;
    json_decref(outcome);
    return NULL;
}

/* With every digit: what is read back decides as what was found did. */
static gls_status write_outcome(gls_context *ctx, const char *path, const json_t *outcome) {
    char *text = json_dumps(outcome, JSON_COMPACT | JSON_REAL_PRECISION(17));
    gls_status status = text ? gls_write_text(ctx, path, text) : gls_fail(ctx, GLS_ERR_MEMORY, "experiment: no memory");
    free(text);
    return status;
}

static int remove_weights(const char *path, const struct stat *info, int what, struct FTW *at) {
    size_t n = strlen(path);
    static const char end[] = ".safetensors";
    if (what == FTW_F && n > sizeof end && strcmp(path + n - (sizeof end - 1), end) == 0) unlink(path);
    return 0;
}

/* ---- running ---- */

/* Side by side each run has its share of the processors. */
static int threads_of(const gls_experiment_runner *r) {
    int share = gls_processors() / r->lanes;
    return r->options->threads || r->lanes == 1 ? r->options->threads : share > 1 ? share : 1;
}

static gls_status run_fresh(gls_experiment_runner *r, gls_value *config, const char *folder, int64_t seed,
                            json_t *outcome) {
    char *own = gls_sprintf(r->ctx, "%s/run", folder);
    gls_experiment_job job = {.ctx = r->ctx,
                              .config = config,
                              .folder = own,
                              .threads = threads_of(r),
                              .seed = seed,
                              .progress = gls_experiment_meter_show,
                              .user = r};
    double began = gls_experiment_now();
    gls_status status = own ? gls_make_directory(r->ctx, folder) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_experiment_kinds[r->experiment->text->kind]->run(&job, outcome);
    if (status == GLS_OK && gls_interrupted(r->ctx)) status = gls_fail(r->ctx, GLS_ERR_INTERRUPTED, "interrupted");
    if (status == GLS_OK) {
        json_object_set_new(outcome, "seconds", json_real(gls_experiment_now() - began));
        nftw(own, remove_weights, TREE_DEPTH, FTW_PHYS);
        gls_experiment_meter_add(r, 0, 1);
    }
    gls_free(r->ctx, own);
    return status;
}

static gls_status work_in(gls_experiment_runner *r, gls_value *config, const char *folder, int64_t seed, json_t **out) {
    char *path = gls_sprintf(r->ctx, "%s/outcome.json", folder);
    if (!path) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (!(*out = read_outcome(r->ctx, path))) {
        *out = gls_experiment_outcome_create();
        status = *out ? run_fresh(r, config, folder, seed, *out) : GLS_ERR_MEMORY;
        if (status == GLS_OK) status = write_outcome(r->ctx, path, *out);
    }
    gls_free(r->ctx, path);
    if (status != GLS_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

gls_status gls_experiment_work(gls_experiment_runner *r, const gls_experiment_arm *arm, const char *value, int64_t s,
                               json_t **outcome) {
    int64_t seed = gls_experiment_seed(r, s);
    gls_value *config = gls_value_clone(r->ctx, r->experiment->text->config);
    char *folder = NULL;
    *outcome = NULL;
    gls_experiment_meter_show(r, 0);
    gls_status status = config ? configure(r, arm, value, seed, config) : GLS_ERR_MEMORY;
    if (status == GLS_OK && !(folder = folder_of(r, arm, config, seed))) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = work_in(r, config, folder, seed, outcome);
    gls_free(r->ctx, folder);
    gls_value_destroy(r->ctx, config);
    return status;
}
