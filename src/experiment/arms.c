/* The protocol that all arms share: a grid of rates, widened while the best lies on its edge; then every seed at the
 * rate that was chosen. No figure of a test set is looked at. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experiment/experiment.h"

enum { MOST_RATES = 200 };

typedef struct grid {
    double rate[MOST_RATES], mean[MOST_RATES];
    int64_t diverged[MOST_RATES];
    int64_t count;
} grid;

void gls_experiment_name_rate(double rate, char text[32]) {
    snprintf(text, 32, "%.6g", rate);
}

static bool better(const gls_experiment_tune *tune, double a, double b) {
    if (isnan(a) || isnan(b)) return !isnan(a) && isnan(b);
    return tune->greatest ? a > b : a < b;
}

/* Of equals the smallest rate. */
static int64_t best_of(const gls_experiment_tune *tune, const grid *g) {
    int64_t best = 0;
    for (int64_t i = 1; i < g->count; i++)
        if (better(tune, g->mean[i], g->mean[best])) best = i;
    return best;
}

/* The mean over the seeds that choose; a rate with a run that diverged has none. */
static gls_status try_rate(gls_experiment_runner *r, int64_t arm, grid *g, int64_t i) {
    const gls_experiment_tune *tune = r->experiment->text->tune;
    char text[32];
    double sum = 0;
    gls_experiment_name_rate(g->rate[i], text);
    snprintf(r->what, sizeof r->what, "rate %s", text);
    g->diverged[i] = 0;
    for (int64_t s = 1; s <= r->scale->tune_seeds; s++) {
        json_t *outcome = NULL;
        GLS_TRY(gls_experiment_work(r, gls_experiment_arm_at(r->experiment, arm), text, s, &outcome));
        double figure = gls_experiment_outcome_get(outcome, tune->by);
        bool gone = json_is_true(json_object_get(outcome, "diverged"));
        r->result[arm].seconds += json_number_value(json_object_get(outcome, "seconds"));
        json_decref(outcome);
        if (!gone && isnan(figure))
            return gls_fail(r->ctx, GLS_ERR_ARGUMENT,
                            "%s: arm '%s': the runs have no figure '%s' to choose a rate by (tune.by)",
                            r->experiment->name, gls_experiment_arm_at(r->experiment, arm)->name, tune->by);
        g->diverged[i] += gone;
        sum += figure;
    }
    g->mean[i] = sum / (double)r->scale->tune_seeds;
    return GLS_OK;
}

static void insert(grid *g, int64_t at, double rate) {
    for (int64_t i = g->count; i > at; i--) {
        g->rate[i] = g->rate[i - 1];
        g->mean[i] = g->mean[i - 1];
        g->diverged[i] = g->diverged[i - 1];
    }
    g->rate[at] = rate;
    g->count++;
}

static gls_status widen(gls_experiment_runner *r, int64_t arm, grid *g) {
    const gls_experiment_tune *tune = r->experiment->text->tune;
    for (int64_t added = 0; added < tune->widen && g->count < MOST_RATES; added++) {
        int64_t best = best_of(tune, g);
        if (isnan(g->mean[best]) || (best > 0 && best < g->count - 1)) return GLS_OK;
        bool below = best == 0;
        insert(g, below ? 0 : g->count, below ? g->rate[0] / tune->factor : g->rate[g->count - 1] * tune->factor);
        gls_experiment_meter_add(r, r->scale->tune_seeds, 0);
        GLS_TRY(try_rate(r, arm, g, below ? 0 : g->count - 1));
        for (int64_t s = 0; s < r->scale->tune_seeds; s++) gls_experiment_meter_count(r);
    }
    return GLS_OK;
}

static gls_status keep_grid(gls_experiment_runner *r, gls_experiment_result *to, const grid *g) {
    for (int64_t i = 0; i < g->count; i++) {
        char text[32];
        gls_experiment_name_rate(g->rate[i], text);
        json_t *one = json_pack("{s:s, s:o, s:I}", "value", text, "mean", gls_experiment_number(g->mean[i]), "diverged",
                                (json_int_t)g->diverged[i]);
        if (json_array_append_new(to->tried, one)) return gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
    }
    return GLS_OK;
}

gls_status gls_experiment_arm_choose(gls_experiment_runner *r, int64_t arm) {
    const gls_experiment_arm *given = gls_experiment_arm_at(r->experiment, arm);
    const gls_experiment_tune *tune = r->experiment->text->tune;
    gls_experiment_result *to = &r->result[arm];
    grid g = {.count = given->rates.count};
    if (!g.count) return GLS_OK;
    for (int64_t i = 0; i < g.count; i++) {
        g.rate[i] = given->rates.item[i];
        GLS_TRY(try_rate(r, arm, &g, i));
    }
    GLS_TRY(widen(r, arm, &g));
    int64_t best = best_of(tune, &g);
    if (isnan(g.mean[best]))
        return gls_fail(r->ctx, GLS_ERR_NONFINITE, "%s: arm '%s': every rate diverged: expected smaller ones",
                        r->experiment->name, given->name);
    to->edge = g.count > 1 && (best == 0 || best == g.count - 1);
    gls_experiment_name_rate(g.rate[best], to->value);
    return keep_grid(r, to, &g);
}

gls_status gls_experiment_arm_collect(gls_experiment_runner *r, int64_t arm) {
    const gls_experiment_arm *given = gls_experiment_arm_at(r->experiment, arm);
    gls_experiment_result *to = &r->result[arm];
    for (int64_t s = 1; s <= r->scale->seeds; s++) {
        GLS_TRY(gls_experiment_work(r, given, *to->value ? to->value : NULL, s, &to->outcome[s - 1]));
        bool counted = *to->value && s <= r->scale->tune_seeds; /* among those that chose the rate */
        if (!counted) to->seconds += json_number_value(json_object_get(to->outcome[s - 1], "seconds"));
    }
    return GLS_OK;
}
