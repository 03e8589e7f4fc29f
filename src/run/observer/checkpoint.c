/* One list of named arrays is a checkpoint: each room adds its own. Blocks of the weights go by their plain names, so
 * that any framework finds them; everything else has a prefix. */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "run/observer/events.h"
#include "run/tensors.h"
#include "run/loop/trainer.h"

/* ---- the list ---- */

static gls_status add_blocks(gls_context *ctx, const gls_layout *layout, const char *prefix, gls_real *data,
                             gls_arrays *arrays) {
    for (int64_t i = 0; i < gls_layout_count(layout); i++) {
        const gls_block *b = gls_layout_block(layout, i);
        char name[sizeof arrays->item->name];
        if (snprintf(name, sizeof name, "%s%s", prefix, b->name) >= (int)sizeof name)
            return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "block '%s': its name is too long for a checkpoint", b->name);
        GLS_TRY(gls_arrays_add(ctx, arrays, name, GLS_DTYPE_REAL, b->dims, b->shape, data + b->offset));
    }
    return GLS_OK;
}

static gls_status add_counters(gls_run *run, gls_arrays *arrays) {
    static const struct {
        const char *name;
        gls_dtype dtype;
        size_t offset;
    } field[] = {
#define FIELD(name, dtype) {"trainer/" #name, dtype, offsetof(gls_counters, name)}
        FIELD(steps, GLS_I64),    FIELD(refused, GLS_I64), FIELD(examples, GLS_I64),    FIELD(trace, GLS_I64),
        FIELD(measures, GLS_I64), FIELD(stale, GLS_I64),   FIELD(validations, GLS_I64), FIELD(best_step, GLS_I64),
        FIELD(best, GLS_F64),     FIELD(seconds, GLS_F64), FIELD(loss, GLS_F64),        FIELD(monitored, GLS_F64),
        FIELD(score, GLS_F64),
#undef FIELD
    };
    for (size_t i = 0; i < sizeof field / sizeof *field; i++)
        GLS_TRY(gls_arrays_add_vector(run->ctx, arrays, field[i].name, field[i].dtype, 1,
                                      (char *)&run->counters + field[i].offset));
    return GLS_OK;
}

static gls_status collect(gls_run *run, gls_arrays *arrays) {
    GLS_TRY(add_blocks(run->ctx, gls_problem_layout(run->problem), "", run->w, arrays));
    GLS_TRY(add_blocks(run->ctx, run->problem->state_layout, "state/", run->problem->state, arrays));
    GLS_TRY(gls_method_arrays(run->method, "method/", arrays));
    GLS_TRY(gls_estimator_arrays(run->estimator, "estimator/", arrays));
    if (run->average) GLS_TRY(gls_average_arrays(run->average, "average/", arrays));
    GLS_TRY(gls_batches_arrays(run->batches, "sampler/", arrays));
    GLS_TRY(gls_taps_arrays(run, arrays));
    return add_counters(run, arrays);
}

/* ---- saving ---- */

static gls_status checkpoints_folder(gls_run *run, char **path) {
    return gls_folder_path(run, "checkpoints", path);
}

static int descending(const void *a, const void *b) {
    return strcmp(*(char *const *)b, *(char *const *)a);
}

static void free_names(gls_context *ctx, char **names, int64_t count) {
    for (int64_t i = 0; i < count; i++) gls_free(ctx, names[i]);
    gls_free(ctx, names);
}

/* Paths of the numbered checkpoints of a folder, newest first. A folder that is not there has none. */
static gls_status list_checkpoints(gls_context *ctx, const char *folder, char ***names, int64_t *count) {
    *names = NULL;
    *count = 0;
    DIR *dir = opendir(folder);
    gls_status status = GLS_OK;
    for (struct dirent *e; dir && status == GLS_OK && (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        if (strncmp(e->d_name, "step-", 5) || length < 17 || strcmp(e->d_name + length - 12, ".safetensors")) continue;
        char **grown = gls_resize(ctx, *names, *count + 1, sizeof **names);
        if (grown) *names = grown;
        char *path = grown ? gls_sprintf(ctx, "%s/%s", folder, e->d_name) : NULL;
        if (path)
            (*names)[(*count)++] = path;
        else
            status = GLS_ERR_MEMORY;
    }
    if (dir) closedir(dir);
    if (*count) qsort(*names, (size_t)*count, sizeof **names, descending);
    return status;
}

static gls_status remove_old(gls_run *run, const char *folder) {
    char **names;
    int64_t count;
    gls_status status = list_checkpoints(run->ctx, folder, &names, &count);
    for (int64_t i = run->train->keep; i < count; i++) unlink(names[i]);
    free_names(run->ctx, names, count);
    return status;
}

static gls_status write_notes(gls_run *run, const char *path, const gls_arrays *arrays) {
    char step[32];
    snprintf(step, sizeof step, "%lld", (long long)run->counters.steps);
    const gls_note notes[] = {{"format", "pt"}, {"producer", "glissade"}, {"step", step}};
    return gls_tensors_write(run->ctx, path, arrays, notes, 3);
}

/* The same file under a second name, put in place in one go. */
static gls_status link_best(gls_run *run, const char *folder, const char *path) {
    char *best = gls_sprintf(run->ctx, "%s/best.safetensors", folder);
    char *fresh = gls_sprintf(run->ctx, "%s/.best", folder);
    gls_status status = best && fresh ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        unlink(fresh);
        if (link(path, fresh) || rename(fresh, best))
            status = gls_fail(run->ctx, GLS_ERR_FILE, "%s: cannot link to %s: %s", best, path, strerror(errno));
    }
    gls_free(run->ctx, best);
    gls_free(run->ctx, fresh);
    return status;
}

static gls_status save_here(gls_run *run, bool best, gls_arrays *arrays) {
    char *folder = NULL, *path = NULL;
    GLS_TRY(gls_trace_flush(run->trace, &run->counters.trace));
    if (run->measures) GLS_TRY(gls_trace_flush(run->measures, &run->counters.measures));
    if (run->events) GLS_TRY(gls_events_flush(run->events));
    GLS_TRY(checkpoints_folder(run, &folder));
    path = gls_sprintf(run->ctx, "%s/step-%012lld.safetensors", folder, (long long)run->counters.steps);
    gls_status status = path ? write_notes(run, path, arrays) : GLS_ERR_MEMORY;
    if (status == GLS_OK && best) status = link_best(run, folder, path);
    if (status == GLS_OK) status = remove_old(run, folder);
    gls_free(run->ctx, folder);
    gls_free(run->ctx, path);
    return status;
}

gls_status gls_checkpoint_save(gls_run *run, bool best) {
    if (run->saved_step == run->counters.steps) return GLS_OK;
    run->counters.seconds = gls_run_seconds(run);
    run->began = gls_now();
    gls_arrays arrays = {0};
    gls_status status = collect(run, &arrays);
    if (status == GLS_OK && run->rank == 0) status = save_here(run, best, &arrays);
    gls_arrays_clear(run->ctx, &arrays);
    if (status == GLS_OK) run->saved_step = run->counters.steps;
    return gls_comm_agree(run->ctx, status);
}

gls_status gls_checkpoint_final(gls_run *run) {
    gls_arrays arrays = {0};
    char *path = NULL;
    gls_status status =
        add_blocks(run->ctx, gls_problem_layout(run->problem), "", (gls_real *)gls_run_output(run), &arrays);
    if (status == GLS_OK) status = add_blocks(run->ctx, run->problem->state_layout, "", run->problem->state, &arrays);
    if (status == GLS_OK) status = gls_folder_path(run, "final.safetensors", &path);
    if (status == GLS_OK && run->rank == 0) status = write_notes(run, path, &arrays);
    gls_free(run->ctx, path);
    gls_arrays_clear(run->ctx, &arrays);
    return gls_comm_agree(run->ctx, status);
}

/* ---- going on ---- */

/* The newest checkpoint that can be read, NULL if there is none. Damaged ones are passed over with a warning. */
static gls_status open_newest(gls_context *ctx, const char *folder, gls_tensors **out) {
    char **names;
    int64_t count;
    *out = NULL;
    gls_status status = list_checkpoints(ctx, folder, &names, &count), last = status;
    for (int64_t i = 0; i < count && status == GLS_OK && !*out; i++) {
        last = gls_tensors_open(ctx, names[i], out);
        if (last == GLS_ERR_MEMORY)
            status = last;
        else if (last != GLS_OK)
            gls_log(ctx, GLS_LOG_WARNING, "%s; passing over it to an older checkpoint", gls_context_message(ctx));
    }
    free_names(ctx, names, count);
    if (status == GLS_OK && count && !*out)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: none of its %lld checkpoints can be read", folder, (long long)count);
    return status;
}

gls_status gls_checkpoint_resume(gls_run *run) {
    char *folder = NULL;
    gls_tensors *tensors = NULL;
    GLS_TRY(checkpoints_folder(run, &folder));
    gls_status status = open_newest(run->ctx, folder, &tensors);
    gls_free(run->ctx, folder);
    GLS_TRY(status);
    if (!tensors) {
        gls_log(run->ctx, GLS_LOG_WARNING, "%s: no checkpoint yet, beginning anew", run->folder);
        return GLS_OK;
    }
    gls_arrays arrays = {0};
    status = collect(run, &arrays);
    if (status == GLS_OK) status = gls_tensors_restore(tensors, &arrays);
    gls_arrays_clear(run->ctx, &arrays);
    gls_tensors_close(tensors);
    if (status == GLS_OK) status = gls_batches_restored(run->batches);
    run->first_step = run->saved_step = run->counters.steps;
    run->first_example = run->counters.examples;
    return status;
}

static gls_status open_weights(gls_context *ctx, const char *from, gls_tensors **out) {
    size_t length = strlen(from);
    if (length > 12 && !strcmp(from + length - 12, ".safetensors")) return gls_tensors_open(ctx, from, out);
    char *final = gls_sprintf(ctx, "%s/final.safetensors", from);
    if (!final) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (gls_file_exists(final)) {
        status = gls_tensors_open(ctx, final, out);
    } else {
        char *folder = gls_sprintf(ctx, "%s/checkpoints", from);
        status = folder ? open_newest(ctx, folder, out) : GLS_ERR_MEMORY;
        gls_free(ctx, folder);
        if (status == GLS_OK && !*out)
            status = gls_fail(ctx, GLS_ERR_FILE, "%s: neither final.safetensors nor a checkpoint in it", from);
    }
    gls_free(ctx, final);
    return status;
}

gls_status gls_checkpoint_from(gls_run *run, const char *from) {
    gls_tensors *tensors = NULL;
    gls_status status = open_weights(run->ctx, from, &tensors);
    if (status != GLS_OK) return status == GLS_ERR_FILE ? GLS_ERR_INPUT : status; /* ours to read, not to write */
    gls_arrays arrays = {0};
    status = add_blocks(run->ctx, gls_problem_layout(run->problem), "", run->w, &arrays);
    const gls_block *first = gls_layout_block(run->problem->state_layout, 0);
    if (status == GLS_OK && first)
        status = add_blocks(run->ctx, run->problem->state_layout, gls_tensors_has(tensors, first->name) ? "" : "state/",
                            run->problem->state, &arrays);
    if (status == GLS_OK) status = gls_tensors_restore(tensors, &arrays);
    gls_arrays_clear(run->ctx, &arrays);
    gls_tensors_close(tensors);
    return status;
}
