/* The pieces of a checkpoint. Each rank writes its own, and the checkpoint itself, which says how many there are, comes
 * last: where it is, they are whole. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "method/method.h"
#include "run/loop/pieces.h"

enum { MOST_PIECES = 1 << 20 };

static char *path_of(gls_run *run, const char *folder, int piece, int pieces, int64_t step) {
    return gls_sprintf(run->ctx, "%s/piece-%d-of-%d-step-%012lld.safetensors", folder, piece, pieces, (long long)step);
}

gls_status gls_pieces_write(gls_run *run, const char *folder) {
    gls_arrays arrays = {0};
    int64_t step = run->training->counters.steps;
    char *path = path_of(run, folder, run->rank, run->ranks, step);
    gls_status status = path ? gls_method_state_arrays(run->training->method, "method/", &arrays) : GLS_ERR_MEMORY;
    const gls_note notes[] = {{"format", "pt"}, {"producer", "glissade"}};
    if (status == GLS_OK) status = gls_tensors_write(run->ctx, path, &arrays, notes, 2);
    gls_arrays_clear(run->ctx, &arrays);
    gls_free(run->ctx, path);
    return status;
}

static gls_status read_piece(gls_run *run, const char *folder, int piece, int pieces, int64_t step) {
    gls_tensors *file = NULL;
    char *path = path_of(run, folder, piece, pieces, step);
    gls_status status = path ? gls_tensors_open(run->ctx, path, &file) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_method_share_take(run->training->method, "method/", piece, pieces, file);
    gls_tensors_close(file);
    gls_free(run->ctx, path);
    return status;
}

gls_status gls_pieces_read(gls_run *run, const char *folder, gls_tensors *file) {
    const char *note = gls_tensors_note(file, GLS_PIECES_NOTE), *at = gls_tensors_note(file, "step");
    if (!note) return gls_method_share_take(run->training->method, "method/", 0, 1, file);
    char *end;
    long pieces = strtol(note, &end, 10);
    if (*end || pieces < 1 || pieces > MOST_PIECES || !at)
        return gls_fail(run->ctx, GLS_ERR_INPUT, "%s: a checkpoint of '%s' pieces", run->folder, note);
    for (int k = 0; k < pieces; k++) GLS_TRY(read_piece(run, folder, k, (int)pieces, strtoll(at, NULL, 10)));
    return GLS_OK;
}

/* piece-R-of-P-NAME, where NAME is the checkpoint's. */
static const char *checkpoint_of(const char *name) {
    int read = 0;
    return sscanf(name, "piece-%*d-of-%*d-%n", &read) == 0 && read ? name + read : NULL;
}

gls_status gls_pieces_tidy(gls_run *run, const char *folder) {
    DIR *dir = opendir(folder);
    gls_status status = GLS_OK;
    for (struct dirent *e; dir && status == GLS_OK && (e = readdir(dir));) {
        const char *name = checkpoint_of(e->d_name);
        if (!name) continue;
        char *whole = gls_sprintf(run->ctx, "%s/%s", folder, name);
        char *piece = gls_sprintf(run->ctx, "%s/%s", folder, e->d_name);
        if (!whole || !piece)
            status = GLS_ERR_MEMORY;
        else if (!gls_file_exists(whole))
            unlink(piece);
        gls_free(run->ctx, whole);
        gls_free(run->ctx, piece);
    }
    if (dir) closedir(dir);
    return status;
}
