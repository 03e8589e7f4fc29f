/* The recommendation against tuned msgd and adam at full length: each is a sweep over the learning rate. */
#include <glissade/search.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/search/advisor.h"

/* A grid whose best rate is on its edge is widened there by a factor of 3, at most this many times. */
enum { WIDENINGS = 3 };
/* A training loss up to this many times the best of the others counts as near it; ours (docs/advise.md). */
static const double near = 1.1;

typedef struct entrant {
    const char *name, *method; /* method NULL: the recommendation, at its own rate */
    char rates[128];           /* "" for the recommendation */
    gls_sweep *sweep;
} entrant;

typedef struct work {
    gls_context *ctx;
    const gls_verify_options *options;
    gls_context_options context; /* with the configuration's seed */
} work;

static const gls_value *lr_of(const work *k) {
    return gls_value_get(gls_value_get(k->options->advice->config, "method"), "lr");
}

/* The recommendation's rate, as the axis of a sweep of one point. */
static char *own_rate(const work *k, const char **key) {
    const gls_value *lr = lr_of(k);
    bool scheduled = lr && lr->kind == GLS_VALUE_MAP;
    const gls_value *advised = k->options->advice->config;
    *key = scheduled ? "method.lr.from" : gls_advisor_rate_key(advised);
    const gls_value *from = scheduled ? gls_value_get(lr, "from")
                            : strcmp(*key, "schedule.from") == 0
                                ? gls_value_get(gls_value_get(advised, "schedule"), "from")
                                : lr;
    return gls_sprintf(k->ctx, "%s=%s", *key, from && from->text ? from->text : "0.1");
}

/* Both sides keep the schedule of the recommendation; a tuned method keeps the batch that was given. */
static gls_status entrant_config(const work *k, const entrant *e, gls_value **out) {
    const gls_value *advised = k->options->advice->config;
    gls_value *config = *out = gls_value_clone(k->ctx, e->method ? k->options->config : advised);
    if (!config) return GLS_ERR_MEMORY;
    if (!e->method) return GLS_OK;
    const gls_value *lr = lr_of(k), *schedule = gls_value_get(advised, "schedule");
    char *text = gls_sprintf(k->ctx, "method=%s", e->method);
    gls_status status = text ? gls_config_set(k->ctx, config, text) : GLS_ERR_MEMORY;
    gls_free(k->ctx, text);
    if (status == GLS_OK && lr && lr->kind == GLS_VALUE_MAP)
        status = gls_value_append(k->ctx, (gls_value *)gls_value_get(config, "method"), gls_value_clone(k->ctx, lr));
    if (status == GLS_OK && schedule && !gls_value_get(config, "schedule"))
        status = gls_value_append(k->ctx, config, gls_value_clone(k->ctx, schedule));
    return status;
}

static gls_status run_sweep(work *k, entrant *e, const gls_value *config, const gls_sweep_axis *axis,
                            const char *folder) {
    gls_sweep_options options = {.size = sizeof options,
                                 .config = config,
                                 .axis = axis,
                                 .axes = 1,
                                 .seeds = 1,
                                 .first_seed = (int64_t)k->context.seed,
                                 .folder = folder,
                                 .context = &k->context,
                                 .progress = k->options->progress,
                                 .user = k->options->user};
    return gls_sweep_run(k->ctx, &options, &e->sweep);
}

static gls_status enter(work *k, entrant *e) {
    const char *key;
    gls_value *config = NULL;
    gls_sweep_axis axis = {0};
    char *own = own_rate(k, &key), *folder = gls_sprintf(k->ctx, "%s/verify/%s", k->options->folder, e->name);
    char *tuned = *e->rates ? gls_sprintf(k->ctx, "%s=%s", key, e->rates) : NULL;
    gls_status status = own && folder && (tuned || !*e->rates) ? entrant_config(k, e, &config) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_sweep_axis_parse(k->ctx, tuned ? tuned : own, &axis);
    if (status == GLS_OK) status = run_sweep(k, e, config, &axis, folder);
    gls_sweep_axis_clear(k->ctx, &axis);
    gls_value_destroy(k->ctx, config);
    gls_free(k->ctx, own);
    gls_free(k->ctx, tuned);
    gls_free(k->ctx, folder);
    return status;
}

/* Runs that are finished are not run again when the grid is widened. */
static gls_status tune(work *k, entrant *e) {
    if (k->options->begin) k->options->begin(k->options->user, e->name);
    GLS_TRY(enter(k, e));
    for (int i = 0; i < WIDENINGS && *e->rates && e->sweep->edge[0] && !e->sweep->interrupted; i++) {
        double best = strtod(e->sweep->trial[0].text[0], NULL), least = best;
        for (int64_t t = 0; t < e->sweep->trials; t++) least = fmin(least, strtod(e->sweep->trial[t].text[0], NULL));
        size_t used = strlen(e->rates);
        snprintf(e->rates + used, sizeof e->rates - used, ",%.3g", best == least ? best / 3 : best * 3);
        gls_sweep_destroy(e->sweep);
        e->sweep = NULL;
        GLS_TRY(enter(k, e));
    }
    return GLS_OK;
}

static void judge(const entrant *e, gls_verdict *out) {
    double least = INFINITY;
    for (int i = 0; i < GLS_ENTRANTS; i++) {
        const gls_sweep *sweep = e[i].sweep;
        const gls_sweep_trial *best = &sweep->trial[0];
        gls_entrant *to = &out->entrant[i];
        *to = (gls_entrant){.name = e[i].name,
                            .train_loss = best->train_loss.mean,
                            .test_loss = best->test_loss.mean,
                            .test_score = best->test_score.mean,
                            .selected = best->selected.mean,
                            .edge = sweep->edge[0]};
        snprintf(to->lr, sizeof to->lr, "%s", best->text[0]);
        snprintf(to->selected_by, sizeof to->selected_by, "%s", sweep->selected_by ? sweep->selected_by : "");
        if (i > 0) least = fmin(least, to->train_loss);
    }
    out->ratio = out->entrant[0].train_loss / least;
    out->outcome = out->ratio <= 1 ? "won" : out->ratio <= near ? "within 1.1 of the best" : "lost";
}

gls_status gls_advice_verify(gls_context *ctx, const gls_verify_options *options, gls_verdict *out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = (gls_verdict){.ratio = NAN, .outcome = "lost"};
    if (options->size != sizeof *options || !options->config || !options->advice || !options->folder ||
        !options->context)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_advice_verify: an option is not set");
    work k = {.ctx = ctx, .options = options, .context = *options->context};
    entrant e[GLS_ENTRANTS] = {{"recommendation", NULL, "", NULL},
                               {"msgd", "{name: msgd}", "0.003,0.01,0.03,0.1,0.3", NULL},
                               {"adam", "{name: adam}", "0.0003,0.001,0.003,0.01,0.03", NULL}};
    gls_status status = gls_config_context(ctx, options->config, &k.context);
    for (int i = 0; i < GLS_ENTRANTS && status == GLS_OK && !out->interrupted; i++) {
        status = tune(&k, &e[i]);
        if (status == GLS_OK) out->interrupted = e[i].sweep->interrupted;
    }
    if (status == GLS_OK && !out->interrupted) judge(e, out);
    for (int i = 0; i < GLS_ENTRANTS; i++) gls_sweep_destroy(e[i].sweep);
    return status;
}
