/* Checkpoints: after train.checkpoint_every, after the lowest loss so far (also named best.safetensors), and at the end
 * of a session. The last train.keep are kept. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "run/loop/checkpoints.h"
#include "run/loop/pieces.h"
#include "run/observer/table.h"

enum { COPIED = 1 << 20 }; /* bytes at a time */

typedef struct keeper {
    gls_context *ctx;
    int64_t saved; /* step of the newest checkpoint; -1: none */
} keeper;

static gls_status remove_old(gls_run *run, const char *folder) {
    char **names;
    int64_t count;
    gls_status status = gls_checkpoints_list(run->ctx, folder, &names, &count);
    for (int64_t i = run->training->train->keep; i < count; i++) unlink(names[i]);
    gls_checkpoints_free(run->ctx, names, count);
    return status == GLS_OK ? gls_pieces_tidy(run, folder) : status;
}

static gls_status copy_bytes(gls_context *ctx, gls_reader *from, gls_writer *to) {
    int64_t got = COPIED;
    char *bytes = gls_alloc(ctx, COPIED, 1);
    gls_status status = bytes ? GLS_OK : GLS_ERR_MEMORY;
    while (status == GLS_OK && got == COPIED) {
        status = gls_reader_read(from, bytes, COPIED, &got);
        if (status == GLS_OK) status = gls_writer_write(to, bytes, got);
    }
    gls_free(ctx, bytes);
    return status;
}

static gls_status copy_file(gls_context *ctx, const char *from, const char *to) {
    gls_reader *reader;
    gls_writer *writer = NULL;
    GLS_TRY(gls_reader_open(ctx, from, &reader));
    gls_status status = gls_writer_open(ctx, to, &writer);
    if (status == GLS_OK) status = copy_bytes(ctx, reader, writer);
    if (status == GLS_OK)
        status = gls_writer_commit(writer);
    else
        gls_writer_abort(writer);
    gls_reader_close(reader);
    return status;
}

/* The same file under a second name, put in place in one go; a second file where the file system has no hard links. */
static gls_status link_best(gls_run *run, const char *folder, const char *path) {
    char *best = gls_sprintf(run->ctx, "%s/best.safetensors", folder);
    char *fresh = gls_sprintf(run->ctx, "%s/.best", folder);
    gls_status status = best && fresh ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        unlink(fresh);
        if (link(path, fresh))
            status = copy_file(run->ctx, path, best);
        else if (rename(fresh, best))
            status = gls_fail(run->ctx, GLS_ERR_FILE, "%s: cannot rename %s: %s", best, fresh, strerror(errno));
    }
    gls_free(run->ctx, best);
    gls_free(run->ctx, fresh);
    return status;
}

static gls_status tidy(gls_run *run, const char *folder, const char *path, bool best) {
    if (best) GLS_TRY(link_best(run, folder, path));
    return remove_old(run, folder);
}

static gls_status save(keeper *k, gls_run *run, bool best) {
    int64_t step = run->training->counters.steps;
    char *folder = NULL;
    GLS_TRY(gls_folder_path(run, "checkpoints", &folder));
    char *path = gls_sprintf(run->ctx, "%s/step-%012lld.safetensors", folder, (long long)step);
    gls_status status = path ? gls_checkpoint_save(run, path) : GLS_ERR_MEMORY;
    if (status == GLS_OK && run->rank == 0) status = tidy(run, folder, path, best);
    gls_free(run->ctx, folder);
    gls_free(run->ctx, path);
    status = gls_comm_agree(run->ctx, status);
    if (status == GLS_OK) k->saved = step;
    return status;
}

static gls_status begin(void *user, gls_run *run) {
    keeper *k = user;
    if (run->training->counters.steps) k->saved = run->training->counters.steps;
    return GLS_OK;
}

static gls_status step(void *user, gls_run *run, unsigned why) {
    bool best = why & GLS_WHY_BEST;
    return best || gls_run_due(run, run->training->train->checkpoint_every) ? save(user, run, best) : GLS_OK;
}

/* What observers add at the end belongs into the last checkpoint, though there may be one of this step already. */
static gls_status end(void *user, gls_run *run, unsigned why) {
    keeper *k = user;
    bool changed = (why & GLS_WHY_END) && gls_observers_end_changes_state(run);
    return changed || k->saved != run->training->counters.steps ? save(k, run, false) : GLS_OK;
}

static void destroy(void *user) {
    keeper *k = user;
    gls_free(k->ctx, k);
}

gls_status gls_observe_checkpoint(gls_run *run) {
    if (!run->folder) return GLS_OK;
    keeper *k = gls_alloc(run->ctx, 1, sizeof *k);
    if (!k) return GLS_ERR_MEMORY;
    *k = (keeper){run->ctx, -1};
    return gls_run_observe(run, &(gls_observer){.name = "checkpoint",
                                                .every = GLS_EACH_STEP,
                                                .user = k,
                                                .begin = begin,
                                                .step = step,
                                                .end = end,
                                                .destroy = destroy});
}
