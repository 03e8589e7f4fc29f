/* A run's state in one file: one list of named arrays, to which the training and every observer add their own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "predict/trained.h"
#include "method/method.h"
#include "run/loop/checkpoints.h"
#include "run/loop/pieces.h"
#include "run/loop/run.h"

/* Counts of steps, examples and bytes; a million examples a second reach it after 285 years. */
static const int64_t most_counted = (int64_t)1 << 53;

/* ---- the list ---- */

static gls_status add_clock(gls_run *run, gls_arrays *arrays) {
    return gls_arrays_add_vector(run->ctx, arrays, "trainer/seconds", GLS_F64, 1, &run->seconds);
}

/* The last `count` arrays leave the list. */
static void take_back(gls_arrays *arrays, int64_t count) {
    arrays->count -= count;
}

static bool any_of(const gls_tensors *file, const gls_array *array, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (gls_tensors_has(file, array[i].name)) return true;
    return false;
}

/* An observer of which the file holds nothing was added since: it begins here, with what it was created with. */
static gls_status add_observer(gls_run *run, const gls_observer *o, const gls_tensors *file, gls_arrays *arrays) {
    char prefix[128];
    snprintf(prefix, sizeof prefix, "tap/%.100s/", o->name);
    int64_t before = arrays->count;
    GLS_TRY(o->arrays(o->user, o->prefix ? o->prefix : prefix, arrays));
    int64_t own = arrays->count - before;
    if (!file || !own || any_of(file, arrays->item + before, own)) return GLS_OK;
    gls_log(run->ctx, GLS_LOG_INFO, "%s: not in the checkpoint, so it starts here", o->name);
    take_back(arrays, own);
    return GLS_OK;
}

/* file: what the list is to be filled from; NULL: it is to be saved. */
static gls_status collect(gls_run *run, const gls_tensors *file, gls_arrays *arrays) {
    GLS_TRY(gls_training_arrays(run->training, arrays));
    GLS_TRY(add_clock(run, arrays));
    for (int64_t i = 0; i < run->slots; i++)
        if (run->slot[i].observer.arrays) GLS_TRY(add_observer(run, &run->slot[i].observer, file, arrays));
    return GLS_OK;
}

/* ---- saving ---- */

/* pieces: in which the method's state lies beside the file; 0: none. */
static gls_status write_file(gls_run *run, const char *path, gls_arrays *arrays, int pieces) {
    char step[32], count[32], *model = NULL;
    snprintf(count, sizeof count, "%d", pieces);
    snprintf(step, sizeof step, "%lld", (long long)run->training->counters.steps);
    GLS_TRY(gls_training_describe(run->training, arrays, &model));
    const gls_note notes[] = {{"format", "pt"},
                              {"producer", "glissade"},
                              {"step", step},
                              {GLS_TRAINED_NOTE, model},
                              {GLS_PIECES_NOTE, count}};
    gls_status status = gls_tensors_write(run->ctx, path, arrays, notes, pieces ? 5 : 4);
    gls_free(run->ctx, model);
    return status;
}

gls_status gls_checkpoint_write(gls_run *run, const char *path, gls_arrays *arrays) {
    return write_file(run, path, arrays, 0);
}

/* Collective: the checkpoint follows once all pieces are there. */
static gls_status write_piece(gls_run *run, const char *path, gls_status status) {
    char *folder = gls_sprintf(run->ctx, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (status == GLS_OK) status = folder ? gls_pieces_write(run, folder) : GLS_ERR_MEMORY;
    gls_free(run->ctx, folder);
    return gls_comm_agree(run->ctx, status);
}

gls_status gls_checkpoint_save(gls_run *run, const char *path) {
    double now = gls_seconds();
    run->seconds = gls_run_seconds(run);
    run->began = now;
    gls_arrays arrays = {0};
    gls_status status = gls_comm_agree(run->ctx, gls_observers_flush(run));
    if (status == GLS_OK) status = gls_training_gather(run->training);
    if (status == GLS_OK) status = collect(run, NULL, &arrays);
    bool shards = gls_training_shards(run->training);
    if (shards) status = write_piece(run, path, status);
    if (status == GLS_OK && run->rank == 0) status = write_file(run, path, &arrays, shards ? run->ranks : 0);
    gls_arrays_clear(run->ctx, &arrays);
    run->pace.saving = fmax(run->pace.saving, gls_seconds() - now);
    return gls_comm_agree(run->ctx, status);
}

/* ---- going on ---- */

static int64_t elements(const gls_array *a) {
    int64_t n = 1;
    for (int i = 0; i < a->dims; i++) n *= a->shape[i];
    return n;
}

/* Counters go on from what a file says: one that no run can have reached would run over. */
static gls_status check_counters(gls_run *run, const gls_arrays *arrays) {
    for (int64_t i = 0; i < arrays->count; i++) {
        const gls_array *a = &arrays->item[i];
        const int64_t *value = a->data;
        for (int64_t k = 0; a->dtype == GLS_I64 && k < elements(a); k++)
            if (value[k] < -most_counted || value[k] > most_counted)
                return gls_fail(run->ctx, GLS_ERR_INPUT,
                                "%s: the checkpoint's '%s' is %lld, further than any run has counted", run->folder,
                                a->name, (long long)value[k]);
    }
    return GLS_OK;
}

static gls_status restore(gls_run *run, const char *folder, gls_tensors *file) {
    gls_arrays arrays = {0};
    gls_method *method = run->training->method;
    bool shards = gls_training_shards(run->training), pieces = shards || gls_tensors_note(file, GLS_PIECES_NOTE);
    method->apart = pieces; /* the vectors come from elsewhere, or in part */
    gls_status status = collect(run, file, &arrays);
    method->apart = shards;
    if (status == GLS_OK) status = gls_tensors_restore(file, &arrays);
    if (status == GLS_OK && pieces) status = gls_pieces_read(run, folder, file);
    if (status == GLS_OK) status = check_counters(run, &arrays);
    gls_arrays_clear(run->ctx, &arrays);
    return status == GLS_OK ? gls_training_restored(run->training) : status;
}

/* Other libraries round otherwise: the promise of equal bits ends here, and the user is told. */
static void compare_libraries(gls_run *run) {
    const gls_config_plan *plan = gls_options_struct(run->training->plan_options);
    const char *now = gls_gemm_describe(run->ctx);
    if (run->rank == 0 && plan->libraries && strcmp(plan->libraries, now) != 0)
        gls_log(
            run->ctx, GLS_LOG_WARNING,
            "%s was begun with %s and continues with %s: it agrees with the undisturbed run to rounding, not bit for "
            "bit",
            run->folder, plan->libraries, now);
}

static gls_status resume(gls_run *run) {
    char *folder = NULL;
    gls_tensors *file = NULL;
    GLS_TRY(gls_folder_path(run, "checkpoints", &folder));
    gls_status status = gls_checkpoints_newest(run->ctx, folder, &file);
    if (status != GLS_OK) {
        gls_free(run->ctx, folder);
        return status;
    }
    compare_libraries(run);
    if (file)
        status = restore(run, folder, file);
    else
        gls_log(run->ctx, GLS_LOG_WARNING, "%s: no checkpoint yet, so the run starts from the beginning", run->folder);
    gls_tensors_close(file);
    gls_free(run->ctx, folder);
    return status;
}

gls_status gls_checkpoint_resume(gls_run *run) {
    return gls_comm_agree(run->ctx, resume(run));
}
