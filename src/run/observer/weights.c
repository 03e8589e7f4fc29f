/* final.safetensors: the final weights, or their average, with the problem's state; any framework can read them. */
#include "run/observer/table.h"

static gls_status end(void *user, gls_run *run, unsigned why) {
    (void)user;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    gls_training *t = run->training;
    gls_arrays arrays = {0};
    char *path = NULL;
    gls_real *w = (gls_real *)(uintptr_t)gls_training_output(t);
    gls_status status = gls_training_result_arrays(t, w, "", &arrays);
    if (status == GLS_OK) status = gls_folder_path(run, "final.safetensors", &path);
    if (status == GLS_OK && run->rank == 0) status = gls_checkpoint_write(run, path, &arrays);
    gls_free(run->ctx, path);
    gls_arrays_clear(run->ctx, &arrays);
    return status;
}

gls_status gls_observe_weights(gls_run *run) {
    if (!run->folder) return GLS_OK;
    return gls_run_observe(run, &(gls_observer){.name = "weights", .end = end});
}
