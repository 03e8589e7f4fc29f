/* The `measure` section: every entry is an observer. Its results are traced as single figures, by name, and handed
 * whole to the observers that take results. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "estimator/estimator.h"
#include "run/config/cadence.h"
#include "run/observer/budget.h"
#include "run/observer/table.h"

typedef struct watch {
    gls_measure *measure;
    gls_measure_result result; /* of the last observation in this session */
    int64_t seen, written;     /* steps of the last observation and of the last report; -1: none */
    bool start;
} watch;

/* ---- what it found ---- */

/* A name that a step's own figures have already (loss, gradient_norm) is that of the whole set here. */
static void trace_figures(gls_run *run, const gls_measure_result *result) {
    for (int64_t i = 0; i < result->figures; i++) {
        const gls_figure *figure = &result->figure[i];
        if (!figure->headline || figure->array || !isfinite(figure->value[0])) continue;
        bool taken = strcmp(figure->name, "loss") == 0 || strcmp(figure->name, "gradient_norm") == 0;
        char name[200];
        snprintf(name, sizeof name, "%s%s", taken ? "full_" : "", figure->name);
        gls_run_trace(run, name, figure->value[0]);
    }
}

static void report(gls_run *run, watch *w) {
    w->written = run->training->counters.steps;
    trace_figures(run, &w->result);
    gls_observers_measured(run, &w->result);
}

/* Steps between reports of a measure that watches more often than the trace is written. */
static double report_every(const gls_training *t) {
    gls_length every = t->train->log_every;
    return every.steps ? every.amount : every.amount * t->steps_per_epoch;
}

/* ---- as an observer ---- */

/* Looks on, unless what the measure needs of a step is not there. */
static gls_status look(watch *w, gls_run *run) {
    const gls_measure_type *type = gls_measure_type_of(w->measure);
    gls_measure_input in;
    GLS_TRY(gls_training_measure_input(run->training, &in));
    if ((type->needs & GLS_MEASURE_LR) && !(in.lr > 0)) return GLS_OK;
    if ((type->needs & GLS_MEASURE_PREVIOUS) && !in.w_previous) return GLS_OK;
    if (type->needs & GLS_MEASURE_EXPENSIVE)
        gls_log(run->ctx, GLS_LOG_INFO, "step %lld: measuring %s: %s", (long long)in.step, type->member.name,
                "more than a few passes over its sample");
    GLS_TRY(gls_measure_run(w->measure, &in, &w->result));
    w->seen = in.step;
    return GLS_OK;
}

static bool fresh(const watch *w) {
    return w->result.measure && w->seen > w->written;
}

static gls_status before(void *user, gls_run *run) {
    watch *w = user;
    if (!w->start || w->seen >= 0 || run->training->counters.steps) return GLS_OK;
    GLS_TRY(look(w, run));
    if (fresh(w)) report(run, w);
    return GLS_OK;
}

static gls_status step(void *user, gls_run *run, unsigned why) {
    watch *w = user;
    int64_t now = run->training->counters.steps;
    (void)why;
    if (w->seen < now) GLS_TRY(look(w, run));
    if (fresh(w) && (w->written < 0 || (double)(now - w->written) >= report_every(run->training))) report(run, w);
    return GLS_OK;
}

/* At the end of a run all report once more; measures of a step do so from what they have. */
static gls_status end(void *user, gls_run *run, unsigned why) {
    watch *w = user;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    if (w->seen < run->training->counters.steps && !(gls_measure_type_of(w->measure)->needs & GLS_NEEDS_OF_STEP))
        GLS_TRY(look(w, run));
    if (fresh(w)) report(run, w);
    return GLS_OK;
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    watch *w = user;
    GLS_TRY(gls_arrays_add_state(w->measure->ctx, list, prefix, "tap.seen", GLS_I64, 1, &w->seen));
    GLS_TRY(gls_arrays_add_state(w->measure->ctx, list, prefix, "tap.written", GLS_I64, 1, &w->written));
    return gls_measure_arrays(w->measure, prefix, list);
}

static void destroy(void *user) {
    watch *w = user;
    gls_context *ctx = w->result.ctx;
    gls_measure_destroy(w->measure);
    gls_measure_result_clear(&w->result);
    gls_free(ctx, w);
}

/* ---- from the configuration ---- */

/* Parameters over the work of a row's forward pass. */
static double breadth(const gls_training *t) {
    double work = 0, bytes = 0;
    if (t->problem->type->cost) t->problem->type->cost(t->problem, &work, &bytes);
    return work > 0 ? (double)gls_problem_size(t->problem) / work : 0;
}

static gls_status make_measure(gls_run *run, const gls_value *entry, watch *w) {
    const gls_training *t = run->training;
    char place[GLS_ORIGIN_TEXT];
    GLS_TRY(gls_measure_create(run->ctx, entry->key, entry, gls_cadence_keys, gls_problem_size(t->problem),
                               t->set.train->info.examples, &w->measure));
    w->measure->breadth = breadth(t);
    if ((w->measure->needs & GLS_MEASURE_NORMS) && !(gls_estimator_is_mean(t->estimator) && t->ledger.examples))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "%smeasure.%s: from: step needs an estimator that keeps norms: estimator {name: mean, ledger: "
                        "true}",
                        gls_value_origin(entry, place), entry->key);
    return GLS_OK;
}

/* ---- all of them ---- */

/* One entry of the section on its way to an observer. */
typedef struct planned {
    watch *watch;
    gls_cadence cadence;
} planned;

static gls_status prepare(gls_run *run, const gls_value *entry, planned *p) {
    watch *w = p->watch = gls_alloc(run->ctx, 1, sizeof *w);
    if (!w) return GLS_ERR_MEMORY;
    gls_measure_result_init(run->ctx, &w->result);
    w->seen = w->written = -1;
    GLS_TRY(make_measure(run, entry, w));
    GLS_TRY(gls_cadence_read(run->ctx, gls_measure_type_of(w->measure), entry, &p->cadence));
    w->start = p->cadence.start;
    return GLS_OK;
}

/* Those with `every: auto`. */
static gls_status share(gls_run *run, planned *all, int64_t count, gls_budget_entry *entry) {
    const gls_training *t = run->training;
    int64_t n = t->set.train->info.examples, automatic = 0;
    for (int64_t i = 0; i < count; i++)
        if (all[i].cadence.automatic) entry[automatic++].measure = all[i].watch->measure;
    GLS_TRY(gls_budget_share(run->ctx, entry, automatic, t->train->batch < 0 ? n : t->train->batch, t->total_steps));
    for (int64_t i = count; i-- > 0;)
        if (all[i].cadence.automatic)
            all[i].cadence.every = (gls_length){.amount = entry[--automatic].every, .steps = true};
    return GLS_OK;
}

/* The run owns the observer from gls_run_observe on, also if that fails. */
static gls_status add(gls_run *run, planned *p) {
    watch *w = p->watch;
    p->watch = NULL;
    const gls_measure_type *type = gls_measure_type_of(w->measure);
    GLS_TRY(gls_run_observe(run, &(gls_observer){.name = type->member.name,
                                                 .every = p->cadence.every,
                                                 .user = w,
                                                 .before = before,
                                                 .step = step,
                                                 .end = end,
                                                 .arrays = arrays,
                                                 .destroy = destroy}));
    bool previous = type->needs & (GLS_MEASURE_PREVIOUS | GLS_MEASURE_GRADIENT);
    return previous ? gls_training_keep_previous(run->training, p->cadence.every) : GLS_OK;
}

static gls_status add_all(gls_run *run, const gls_value *section, planned *all, gls_budget_entry *entry) {
    for (int64_t i = 0; i < section->count; i++) GLS_TRY(prepare(run, section->items[i], &all[i]));
    GLS_TRY(share(run, all, section->count, entry));
    for (int64_t i = 0; i < section->count; i++) GLS_TRY(add(run, &all[i]));
    return GLS_OK;
}

gls_status gls_observe_measures(gls_run *run) {
    const gls_value *section = gls_value_get(run->training->config, "measure");
    if (!section || section->count < 1) return GLS_OK;
    planned *all = gls_alloc(run->ctx, section->count, sizeof *all);
    gls_budget_entry *entry = gls_alloc(run->ctx, section->count, sizeof *entry);
    gls_status status = all && entry ? add_all(run, section, all, entry) : GLS_ERR_MEMORY;
    for (int64_t i = 0; all && i < section->count; i++)
        if (all[i].watch) destroy(all[i].watch);
    gls_free(run->ctx, all);
    gls_free(run->ctx, entry);
    return status;
}
