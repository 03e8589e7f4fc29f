/* Whether the runs have what an experiment names. Only runs that are there can tell, so this is asked after the last.
 */
#include <string.h>

#include "experiment/experiment.h"

/* Of the first run that came to its end; NULL: all diverged, and say nothing about names. */
static const json_t *some_outcome(const gls_experiment_runner *r) {
    for (int64_t i = 0; i < r->experiment->text->arms.count; i++)
        for (int64_t s = 0; s < r->scale->seeds; s++)
            if (!json_is_true(json_object_get(r->result[i].outcome[s], "diverged"))) return r->result[i].outcome[s];
    return NULL;
}

static bool is_there(const gls_experiment_runner *r, const char *name, bool series) {
    for (int64_t i = 0; i < r->experiment->text->arms.count; i++)
        for (int64_t s = 0; s < r->scale->seeds; s++) {
            const json_t *outcome = r->result[i].outcome[s];
            if (series ? json_object_get(json_object_get(outcome, "series"), name) != NULL
                       : gls_experiment_outcome_has(outcome, name))
                return true;
        }
    return false;
}

static const char *name_at(const void *user, int64_t i) {
    json_t *names = (json_t *)user;
    void *at = json_object_iter(names);
    while (at && i-- > 0) at = json_object_iter_next(names, at);
    return at ? json_object_iter_key(at) : NULL;
}

/* "no run has a figure 'test_los'; did you mean 'test_loss'?" */
static void describe_missing(const gls_experiment_runner *r, const char *name, bool series, char text[320]) {
    bool of_series = series || strchr(name, ':');
    char bare[128];
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(name, ":"), name);
    const json_t *names = json_object_get(some_outcome(r), of_series ? "series" : "figures");
    const char *nearest = gls_nearest(bare, name_at, names);
    snprintf(text, 320, "no run has a %s '%.100s'%s%.100s%s", of_series ? "series" : "figure", bare,
             nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static gls_status check_rule(const gls_experiment_runner *r, const char *say, const char *figure) {
    char text[320];
    if (is_there(r, figure, false)) return GLS_OK;
    describe_missing(r, figure, false, text);
    return gls_fail(r->ctx, GLS_ERR_ARGUMENT, "%s: expect: '%s': %s", r->experiment->name, say, text);
}

static gls_status check_claim(const gls_experiment_runner *r, const gls_experiment_claim *claim) {
    for (int64_t i = 0; claim->of && i < claim->of->count; i++) {
        const char *figure;
        gls_experiment_arm_of(r->experiment, claim->of->items[i]->key, &figure);
        GLS_TRY(check_rule(r, claim->say, figure ? figure : claim->figure));
    }
    return claim->slope.count ? check_rule(r, claim->say, claim->figure) : GLS_OK;
}

static void look_for(const gls_experiment_runner *r, const char *where, const char *name, bool series) {
    char text[320];
    if (is_there(r, name, series)) return;
    describe_missing(r, name, series, text);
    gls_log(r->ctx, GLS_LOG_WARNING, "%s: %s: %s", r->experiment->name, where, text);
}

gls_status gls_experiment_check_named(const gls_experiment_runner *r) {
    const gls_experiment_text *text = r->experiment->text;
    const gls_experiment_claim *claim = text->expect.item;
    const gls_experiment_drawing *d = text->figures.item;
    if (!some_outcome(r)) return GLS_OK;
    for (int64_t i = 0; i < text->expect.count; i++) GLS_TRY(check_claim(r, &claim[i]));
    for (int64_t i = 0; i < text->show.count; i++) look_for(r, "show", text->show.item[i], false);
    for (int64_t i = 0; i < text->figures.count; i++) {
        look_for(r, "figures", d[i].y, d[i].draw != GLS_EXPERIMENT_POINTS);
        if (d[i].draw == GLS_EXPERIMENT_SCATTER) look_for(r, "figures", d[i].x, true);
    }
    return GLS_OK;
}
