/* See lines.h. The position is saved whether the file is wanted or not, so that a checkpoint looks the same. */
#include "run/observer/lines.h"

static gls_status begin(void *user, gls_run *run) {
    gls_lines *l = user;
    if (!l->wanted || !run->folder || run->rank) return GLS_OK;
    return gls_trace_open(run->ctx, run->folder, l->file, l->bytes, &l->trace);
}

static gls_status flush(void *user, gls_run *run) {
    gls_lines *l = user;
    (void)run;
    return l->trace ? gls_trace_flush(l->trace, &l->bytes) : GLS_OK;
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    gls_lines *l = user;
    (void)prefix;
    return gls_arrays_add_vector(l->ctx, list, l->position, GLS_I64, 1, &l->bytes);
}

static void destroy(void *user) {
    gls_lines *l = user;
    gls_trace_close(l->trace);
    gls_free(l->ctx, l);
}

gls_status gls_lines_observe(gls_run *run, const gls_lines *lines, gls_observer observer) {
    gls_lines *l = gls_alloc(run->ctx, 1, sizeof *l);
    if (!l) return GLS_ERR_MEMORY;
    *l = *lines;
    l->ctx = run->ctx;
    observer.user = l;
    observer.begin = begin;
    observer.flush = flush;
    observer.arrays = arrays;
    observer.destroy = destroy;
    return gls_run_observe(run, &observer);
}
