/* The sets of data.tests: evaluated with every validation and at the end, and remembered where the monitored loss was
 * lowest, so that figures at that checkpoint need no second command. */
#include "run/observer/named.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "run/observer/table.h"
#include "run/observer/validation.h"

enum { LOSS, SCORE, BEST_LOSS, BEST_SCORE, FIGURES };

typedef struct named {
    gls_context *ctx;
    int64_t count;
    double *figure; /* [count, FIGURES] */
} named;

static const char *score_of(const gls_run *run) {
    const char *name = gls_training_score_name(run->training);
    return name ? name : "score";
}

static void trace(gls_run *run, const char *prefix, const char *set, const double *figure) {
    char name[200];
    snprintf(name, sizeof name, "%s%s_loss", prefix, set);
    if (!isnan(figure[LOSS])) gls_run_trace(run, name, figure[LOSS]);
    snprintf(name, sizeof name, "%s%s_%s", prefix, set, score_of(run));
    if (!isnan(figure[SCORE])) gls_run_trace(run, name, figure[SCORE]);
}

static gls_status evaluate(named *n, gls_run *run, const gls_source *known, const char *prefix) {
    gls_training *t = run->training;
    for (int64_t i = 0; i < n->count; i++) {
        double *figure = n->figure + i * FIGURES;
        if (t->set.named[i].source == known) { /* the monitored set has just been evaluated, and traced */
            figure[LOSS] = gls_validation_of(run)->monitored;
            figure[SCORE] = gls_validation_of(run)->score;
            continue;
        }
        GLS_TRY(
            gls_training_evaluate(t, t->set.named[i].source, gls_training_output(t), &figure[LOSS], &figure[SCORE]));
        trace(run, prefix, t->set.named[i].name, figure);
    }
    return GLS_OK;
}

static gls_status step(void *user, gls_run *run, unsigned why) {
    named *n = user;
    const char *name;
    if (!(why & GLS_WHY_VALIDATED)) return GLS_OK;
    GLS_TRY(evaluate(n, run, gls_validation_set(run, &name), ""));
    for (int64_t i = 0; i < n->count && (why & GLS_WHY_BEST); i++) {
        double *figure = n->figure + i * FIGURES;
        figure[BEST_LOSS] = figure[LOSS];
        figure[BEST_SCORE] = figure[SCORE];
    }
    return GLS_OK;
}

static gls_status end(void *user, gls_run *run, unsigned why) {
    return why & GLS_WHY_END ? evaluate(user, run, NULL, "final_") : GLS_OK;
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    named *n = user;
    return gls_arrays_add_state(n->ctx, list, prefix, "figures", GLS_F64, n->count * FIGURES, n->figure);
}

static void destroy(void *user) {
    named *n = user;
    gls_free(n->ctx, n->figure);
    gls_free(n->ctx, n);
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

struct json_t *gls_named_json(const gls_run *run) {
    const named *n = gls_observers_find(run, "named");
    if (!n) return NULL;
    json_t *all = json_object();
    char best[160];
    snprintf(best, sizeof best, "best_%s", score_of(run));
    for (int64_t i = 0; i < n->count; i++) {
        const double *figure = n->figure + i * FIGURES;
        json_t *one = json_object();
        json_object_set_new(one, "loss", number(figure[LOSS]));
        json_object_set_new(one, score_of(run), number(figure[SCORE]));
        json_object_set_new(one, "best_loss", number(figure[BEST_LOSS]));
        json_object_set_new(one, best, number(figure[BEST_SCORE]));
        json_object_set_new(all, run->training->set.named[i].name, one);
    }
    return all;
}

gls_status gls_observe_named(gls_run *run) {
    int64_t count = run->training->set.named_count;
    if (!count) return GLS_OK;
    named *n = gls_alloc(run->ctx, 1, sizeof *n);
    if (!n) return GLS_ERR_MEMORY;
    *n = (named){.ctx = run->ctx, .count = count, .figure = gls_alloc(run->ctx, count * FIGURES, sizeof *n->figure)};
    for (int64_t i = 0; n->figure && i < count * FIGURES; i++) n->figure[i] = NAN;
    if (!n->figure) {
        gls_free(run->ctx, n);
        return GLS_ERR_MEMORY;
    }
    return gls_run_observe(run, &(gls_observer){.name = "named",
                                                .every = GLS_EACH_STEP,
                                                .user = n,
                                                .step = step,
                                                .end = end,
                                                .arrays = arrays,
                                                .destroy = destroy});
}
