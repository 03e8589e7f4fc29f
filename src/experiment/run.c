/* All runs of an experiment, one arm after the other, and its result. */
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "experiment/experiment.h"

static gls_status find_scale(gls_experiment *e, const char *name, const gls_experiment_scale **out) {
    const gls_experiment_scale *scale = e->text->scales.item;
    char known[200] = "";
    for (int64_t i = 0; i < e->text->scales.count; i++) {
        if (strcmp(scale[i].name, name) == 0) return *out = &scale[i], GLS_OK;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", scale[i].name);
    }
    return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s has no scale '%s': expected %s", e->name, name, known);
}

static gls_status make_room(gls_experiment_runner *r) {
    int64_t arms = r->experiment->text->arms.count;
    if (!(r->result = gls_alloc(r->ctx, arms, sizeof *r->result))) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < arms; i++) {
        r->result[i].tried = json_array();
        r->result[i].outcome = gls_alloc(r->ctx, r->scale->seeds, sizeof(json_t *));
        if (!r->result[i].tried || !r->result[i].outcome) return GLS_ERR_MEMORY;
    }
    return GLS_OK;
}

static void clear(gls_experiment_runner *r) {
    for (int64_t i = 0; r->result && i < r->experiment->text->arms.count; i++) {
        json_decref(r->result[i].tried);
        for (int64_t s = 0; r->result[i].outcome && s < r->scale->seeds; s++) json_decref(r->result[i].outcome[s]);
        gls_free(r->ctx, r->result[i].outcome);
    }
    gls_free(r->ctx, r->result);
}

static gls_status write_result(gls_experiment_runner *r, gls_experiment_verdict *verdict, char **json) {
    json_t *all = NULL;
    gls_status status = gls_experiment_describe(r, &all, verdict);
    char *text = status == GLS_OK ? json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    char *path = gls_sprintf(r->ctx, "%s/result.json", r->options->folder);
    json_decref(all);
    if (status == GLS_OK && (!text || !path)) status = gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
    if (status == GLS_OK) status = gls_write_text(r->ctx, path, text);
    if (status == GLS_OK && json && !(*json = gls_strdup(r->ctx, text))) status = GLS_ERR_MEMORY;
    gls_free(r->ctx, path);
    free(text);
    return status;
}

static gls_status run_all(gls_experiment_runner *r, gls_experiment_verdict *verdict, char **json) {
    GLS_TRY(make_room(r));
    GLS_TRY(gls_experiment_stages(r));
    GLS_TRY(gls_experiment_check_named(r));
    return write_result(r, verdict, json);
}

gls_status gls_experiment_run(gls_experiment *e, const gls_experiment_options *options, gls_experiment_verdict *verdict,
                              char **json) {
    if (!e) return GLS_ERR_ARGUMENT;
    GLS_GIVEN(e->ctx, options, verdict);
    if (json) *json = NULL;
    if (options->size != sizeof *options || !options->folder)
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "gls_experiment_run: size or folder is not set");
    if (options->jobs < 0 || options->jobs > GLS_EXPERIMENT_LANES)
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "gls_experiment_run: jobs: expected 0 to %d, found %d",
                        GLS_EXPERIMENT_LANES, options->jobs);
    gls_experiment_meter meter = {.began = gls_experiment_now(), .lock = PTHREAD_MUTEX_INITIALIZER};
    gls_experiment_runner r = {.ctx = e->ctx,
                               .lanes = options->jobs ? options->jobs : 1,
                               .experiment = e,
                               .options = options,
                               .meter = &meter};
    GLS_TRY(find_scale(e, options->scale ? options->scale : "quick", &r.scale));
    gls_lock *lock = NULL;
    GLS_TRY(gls_lock_folder(e->ctx, options->folder, &lock));
    gls_writer_clear(e->ctx, options->folder);
    gls_status status = run_all(&r, verdict, json);
    clear(&r);
    gls_lock_release(lock);
    return status;
}
