/* A monitor as an object: made from options, stepped, saved. */
#include "monitor/monitor.h"

#include <math.h>
#include <string.h>

static const gls_option table[] = {
    GLS_REAL("smoothing", gls_monitor_settings, smoothing, "0.95", 0, 1,
             "weight of the past in running means, look by look; 1 never forgets"),
    GLS_REAL("theta", gls_monitor_settings, theta, "0.9", 0, 1e6, "norm test: noise allowed over the gradient's norm",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("share", gls_monitor_settings, share, "0.1", 0, 1e6, "plain steps' cost that looks may take",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("cost", gls_monitor_settings, cost, "1", 0, 1e6, "what a look takes, in plain steps"),
    GLS_INT("every", gls_monitor_settings, every, "0", 0, 1e15, "steps between looks; 0: by share and cost"),
    GLS_INT("coordinates", gls_monitor_settings, coordinates, "100", 1, 1e5, "coordinates read for the tail index"),
    GLS_INT("samples", gls_monitor_settings, samples, "1024", 64, 1e6, "newest rows kept for the tail index"),
    GLS_INT("list", gls_monitor_settings, list, "20", 0, 1e9, "number of suspects to name"),
    {0},
};

static gls_status take_layout(gls_monitor *m, const gls_layout *layout) {
    m->blocks = layout ? gls_layout_count(layout) : 0;
    m->block_size = gls_alloc(m->ctx, m->blocks, sizeof *m->block_size);
    if (!m->block_size) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < m->blocks; i++) {
        m->block_size[i] = gls_layout_block(layout, i)->size;
        m->parameters += m->block_size[i];
        if (m->block_size[i] > m->largest) m->largest = m->block_size[i];
    }
    return GLS_OK;
}

static gls_status set_up(gls_monitor *m, const gls_monitor_options *o) {
    GLS_TRY(gls_options_create(m->ctx, "monitor", table, sizeof *m->settings, &m->options));
    m->settings = gls_options_struct(m->options);
    if (o && o->size != sizeof *o)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: options of %zu bytes, expected %zu", o->size, sizeof *o);
    if (o && o->spec) GLS_TRY(gls_options_apply(m->options, o->spec, NULL));
    m->examples = o ? o->examples : 0;
    if (m->examples < 0)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: examples %lld: expected a number, or 0 where unknown",
                        (long long)m->examples);
    m->seed = o ? o->seed : gls_context_seed(m->ctx);
    m->cost = m->settings->cost;
    m->pair.running.smoothing = m->settings->smoothing;
    GLS_TRY(take_layout(m, o ? o->layout : NULL));
    GLS_TRY(gls_suspicion_create(m->ctx, m->examples, &m->suspects));
    m->moves = gls_alloc(m->ctx, 1, sizeof *m->moves);
    return m->moves ? gls_monitor_tail_create(m, m->seed) : GLS_ERR_MEMORY;
}

gls_status gls_monitor_create(gls_context *ctx, const gls_monitor_options *options, gls_monitor **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    gls_monitor *m = gls_alloc(ctx, 1, sizeof *m);
    if (!m) return GLS_ERR_MEMORY;
    m->ctx = ctx;
    gls_status status = set_up(m, options);
    if (status == GLS_OK)
        *out = m;
    else
        gls_monitor_destroy(m);
    return status;
}

void gls_monitor_destroy(gls_monitor *m) {
    if (!m) return;
    gls_context *ctx = m->ctx;
    gls_options_destroy(m->options);
    gls_suspicion_destroy(ctx, &m->suspects);
    gls_free(ctx, m->block_size);
    gls_free(ctx, m->moves);
    gls_free(ctx, m->tail.block);
    gls_free(ctx, m->tail.coordinate);
    gls_free(ctx, m->tail.x);
    gls_free(ctx, m);
}

/* What has memory of its size cannot change any more. */
static bool fixed(const char *key) {
    return strcmp(key, "coordinates") == 0 || strcmp(key, "samples") == 0;
}

gls_status gls_monitor_set(gls_monitor *m, const char *key, double value) {
    GLS_GIVEN(m ? m->ctx : NULL, m, key);
    if (fixed(key))
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT,
                        "monitor: '%s' belongs to gls_monitor_create: its memory is made there", key);
    GLS_TRY(gls_options_set_real(m->options, key, value));
    m->cost = strcmp(key, "cost") == 0 ? value : m->cost;
    m->pair.running.smoothing = m->settings->smoothing;
    return GLS_OK;
}

/* By what is known of a look's cost now: the first one may have been dearer than was thought before it. */
static int64_t steps_between(const gls_monitor *m) {
    const double most = 1e15;
    if (m->settings->every > 0) return m->settings->every;
    return (int64_t)fmin(most, fmax(1, ceil(m->cost / m->settings->share)));
}

gls_status gls_monitor_step(gls_monitor *m, bool *due) {
    GLS_GIVEN(m ? m->ctx : NULL, m, due);
    gls_monitor_counters *c = &m->counters;
    *due = c->due == 0 || c->steps + 1 - c->due >= steps_between(m);
    c->steps++;
    if (*due) c->due = c->steps;
    return GLS_OK;
}

/* ---- state ---- */

static gls_status add(gls_monitor *m, gls_arrays *list, const char *prefix, const char *name, int64_t size, double *x) {
    return gls_arrays_add_state(m->ctx, list, prefix, name, GLS_F64, size, x);
}
#define ADD(name, field) GLS_TRY(add(m, list, prefix, name, sizeof(field) / sizeof(double), (double *)(void *)&(field)))

static gls_status add_tail(gls_monitor *m, const char *prefix, gls_arrays *list) {
    gls_monitor_tail *t = &m->tail;
    if (!t->coordinates) return GLS_OK;
    GLS_TRY(gls_arrays_add_state(m->ctx, list, prefix, "tail_added", GLS_I64, 1, &t->added));
    return add(m, list, prefix, "tail_samples", t->coordinates * t->samples, t->x);
}

gls_status gls_monitor_arrays(gls_monitor *m, const char *prefix, gls_arrays *list) {
    GLS_GIVEN(m ? m->ctx : NULL, m, prefix, list);
    GLS_TRY(gls_arrays_add_state(m->ctx, list, prefix, "counters", GLS_I64, sizeof m->counters / sizeof(int64_t),
                                 &m->counters));
    ADD("cost", m->cost);
    ADD("running", m->pair.running);
    ADD("least", m->pair.least);
    ADD("tests", m->tests);
    ADD("test", m->test);
    ADD("last", m->last);
    ADD("clips", m->clips);
    GLS_TRY(gls_series_arrays(m->ctx, m->moves, prefix, list));
    if (m->examples > 0) GLS_TRY(gls_suspicion_arrays(m->ctx, &m->suspects, prefix, list));
    return add_tail(m, prefix, list);
}
