/* The newest rows of gradients at some coordinates, for the tail index. */
#include "measure/tail_report.h"
#include "monitor/monitor.h"

static void find_block(const gls_monitor *m, int64_t number, int64_t *block, int64_t *place) {
    int64_t k = 0;
    while (number >= m->block_size[k]) number -= m->block_size[k++];
    *block = k;
    *place = number;
}

gls_status gls_monitor_tail_create(gls_monitor *m, uint64_t seed) {
    gls_monitor_tail *t = &m->tail;
    if (!m->parameters) return GLS_OK;
    gls_random random = gls_random_create(seed, "monitor.tail_index", 0, 0);
    GLS_TRY(
        gls_tail_candidates(m->ctx, &random, m->settings->coordinates, m->parameters, &t->coordinate, &t->coordinates));
    t->samples = m->settings->samples - m->settings->samples % 2;
    t->block = gls_alloc(m->ctx, t->coordinates, sizeof *t->block);
    t->x = gls_alloc(m->ctx, t->coordinates * t->samples, sizeof *t->x);
    if (!t->block || !t->x) return GLS_ERR_MEMORY;
    for (int64_t c = 0; c < t->coordinates; c++) find_block(m, t->coordinate[c], &t->block[c], &t->coordinate[c]);
    return GLS_OK;
}

/* A restored counter may be any number: one that counts nothing is none. */
static int64_t added(const gls_monitor_tail *t) {
    return t->added >= 0 && t->added < INT64_MAX / 2 ? t->added : 0;
}

/* An odd row has no neighbour of its own look. */
void gls_monitor_tail_take(gls_monitor *m, int64_t count, const gls_real *const *g) {
    gls_monitor_tail *t = &m->tail;
    t->added = added(t);
    for (int64_t i = 0; i < count - count % 2; i++) {
        int64_t place = t->added++ % t->samples;
        for (int64_t c = 0; c < t->coordinates; c++)
            t->x[c * t->samples + place] = (double)g[t->block[c]][i * m->block_size[t->block[c]] + t->coordinate[c]];
    }
}

gls_status gls_monitor_tail_report(const gls_monitor *m, gls_measure_result *out) {
    const gls_monitor_tail *t = &m->tail;
    int64_t n = added(t) < t->samples ? added(t) : t->samples, first = added(t) - n;
    gls_tail_samples z = {gls_alloc(out->ctx, t->coordinates * n, sizeof *z.x), t->coordinates, n};
    if (!z.x) return GLS_ERR_MEMORY;
    for (int64_t c = 0; c < t->coordinates; c++)
        for (int64_t i = 0; i < n; i++) z.x[c * n + i] = t->x[c * t->samples + (first + i) % t->samples];
    out->sample = n;
    gls_random random = gls_random_create(m->seed, "monitor.tail_report", (uint64_t)added(t), 0);
    gls_status status = gls_tail_report(&z, m->settings->coordinates, false, random, out);
    gls_free(out->ctx, z.x);
    return status;
}
