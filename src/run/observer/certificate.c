/* certificate.safetensors: where a method ends with a proof that its result is (delta, eps)-stationary, the points
 * [count, d], their weights [count] and the combination m [d] of norm at most eps. */
#include <stdio.h>

#include "base/tensors.h"
#include "method/method.h"
#include "run/observer/table.h"

static gls_status collect(gls_run *run, const gls_certificate *c, gls_real *m, gls_arrays *arrays) {
    int64_t d = gls_problem_size(run->training->problem), shape[2] = {c->count, d};
    for (int64_t i = 0; i < d; i++) m[i] = -c->minus_m[i];
    /* A list that is saved from only reads. */
    GLS_TRY(gls_arrays_add(run->ctx, arrays, "points", GLS_DTYPE_REAL, 2, shape, (void *)(uintptr_t)c->points));
    GLS_TRY(gls_arrays_add_vector(run->ctx, arrays, "weights", GLS_F64, c->count, (void *)(uintptr_t)c->weights));
    return gls_arrays_add_vector(run->ctx, arrays, "m", GLS_DTYPE_REAL, d, m);
}

static gls_status write_file(gls_run *run, const gls_certificate *c, const char *path) {
    char delta[32], eps[32], norm[32];
    snprintf(delta, sizeof delta, "%.17g", c->delta);
    snprintf(eps, sizeof eps, "%.17g", c->eps);
    snprintf(norm, sizeof norm, "%.17g", c->norm);
    const gls_note notes[] = {{"producer", "glissade"}, {"delta", delta}, {"eps", eps}, {"norm", norm}};
    gls_arrays arrays = {0};
    gls_real *m = gls_alloc(run->ctx, gls_problem_size(run->training->problem), sizeof *m);
    gls_status status = m ? collect(run, c, m, &arrays) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_tensors_write(run->ctx, path, &arrays, notes, 4);
    gls_arrays_clear(run->ctx, &arrays);
    gls_free(run->ctx, m);
    return status;
}

/* A run that ended for another reason has none, and says so. */
static gls_status end(void *user, gls_run *run, unsigned why) {
    (void)user;
    gls_certificate certificate;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    if (gls_method_certificate(run->training->method, &certificate) != GLS_OK) {
        if (run->rank == 0)
            gls_log(run->ctx, GLS_LOG_WARNING, "no certificate is written: %s", gls_context_message(run->ctx));
        return GLS_OK;
    }
    gls_run_trace(run, "certificate_norm", certificate.norm);
    char *path = NULL;
    gls_status status = gls_folder_path(run, "certificate.safetensors", &path);
    if (status == GLS_OK && run->rank == 0) status = write_file(run, &certificate, path);
    gls_free(run->ctx, path);
    return status;
}

gls_status gls_observe_certificate(gls_run *run) {
    if (!run->folder || !run->training->method->type->certificate) return GLS_OK;
    return gls_run_observe(run, &(gls_observer){.name = "certificate", .end = end});
}
