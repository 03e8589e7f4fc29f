/* The verdict: every sentence of the claim as one number a seed, its mean with a 95% interval, and the rule of the
 * file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "experiment/experiment.h"

const char *gls_experiment_verdict_name(gls_experiment_verdict verdict) {
    static const char *const name[] = {"shows", "does not show", "cannot be told at this scale"};
    return name[verdict];
}

/* Student's t at 0.975: a table, and beyond it Cornish and Fisher's expansion, good to 1e-5 there. */
static double quantile(int64_t freedom) {
    static const double table[] = {12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306,
                                   2.26216, 2.22814, 2.20099, 2.17881, 2.16037, 2.14479, 2.13145, 2.11991,
                                   2.10982, 2.10092, 2.09302, 2.08596, 2.07961, 2.07387, 2.06866, 2.0639,
                                   2.05954, 2.05553, 2.05183, 2.04841, 2.04523, 2.04227};
    if (freedom <= (int64_t)(sizeof table / sizeof *table)) return table[freedom - 1];
    double z = 1.959963985, n = (double)freedom, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

double gls_experiment_half_width(int64_t n, double deviation) {
    return n > 1 ? quantile(n - 1) * deviation / sqrt((double)n) : NAN;
}

/* ---- the effect of one seed ---- */

static double figure_of(const gls_experiment_runner *r, int64_t arm, int64_t seed, const char *figure, bool log_it) {
    double x = gls_experiment_outcome_get(r->result[arm].outcome[seed], figure);
    return log_it ? log(x) : x;
}

static double sum(const gls_experiment_runner *r, const gls_experiment_claim *claim, int64_t seed) {
    double total = 0;
    for (int64_t i = 0; i < claim->of->count; i++) {
        const char *figure;
        const gls_value *term = claim->of->items[i];
        int64_t arm = gls_experiment_arm_of(r->experiment, term->key, &figure);
        total += strtod(term->text, NULL) * figure_of(r, arm, seed, figure ? figure : claim->figure, claim->log);
    }
    return claim->log ? exp(total) : total;
}

/* Least squares of log figure against log x. */
static double slope(const gls_experiment_runner *r, const gls_experiment_claim *claim, int64_t seed) {
    double n = (double)claim->slope.count, mean = 0, above = 0, below = 0;
    for (int64_t i = 0; i < claim->slope.count; i++)
        mean += log(gls_experiment_arm_at(r->experiment, gls_experiment_arm_named(r->experiment, claim->slope.item[i]))
                        ->x) /
                n;
    for (int64_t i = 0; i < claim->slope.count; i++) {
        int64_t arm = gls_experiment_arm_named(r->experiment, claim->slope.item[i]);
        double x = log(gls_experiment_arm_at(r->experiment, arm)->x) - mean;
        above += x * figure_of(r, arm, seed, claim->figure, true);
        below += x * x;
    }
    return above / below;
}

/* ---- the rule ---- */

typedef struct effect {
    double mean, low, high;
    int64_t seeds;
    bool missing; /* of some seed there is none */
} effect;

static effect measure(const gls_experiment_runner *r, const gls_experiment_claim *claim, json_t *each) {
    effect e = {.seeds = r->scale->seeds};
    double total = 0, squares = 0, n = (double)e.seeds;
    for (int64_t s = 0; s < e.seeds; s++) {
        double x = claim->of ? sum(r, claim, s) : slope(r, claim, s);
        json_array_append_new(each, gls_experiment_number(x));
        e.missing |= !isfinite(x);
        if (claim->log && claim->of) x = log(x); /* the mean of ratios is a geometric one */
        total += x;
    }
    e.mean = total / n;
    for (int64_t s = 0; s < e.seeds; s++) {
        double x = json_number_value(json_array_get(each, (size_t)s));
        if (claim->log && claim->of) x = log(x);
        squares += (x - e.mean) * (x - e.mean);
    }
    double half = gls_experiment_half_width(e.seeds, sqrt(squares / (n - 1)));
    e.low = e.mean - half;
    e.high = e.mean + half;
    if (claim->log && claim->of) e.mean = exp(e.mean), e.low = exp(e.low), e.high = exp(e.high);
    return e;
}

/* It shows if the whole interval lies where the claim says, its bound left out, and does not if the whole interval lies
 * elsewhere: no difference at all is none. */
static gls_experiment_verdict decide(const gls_experiment_claim *claim, const effect *e) {
    if (e->missing || isnan(e->low)) return GLS_EXPERIMENT_UNDECIDED;
    if (!isnan(claim->least))
        return e->low > claim->least     ? GLS_EXPERIMENT_SHOWS
               : e->high <= claim->least ? GLS_EXPERIMENT_SHOWS_NOT
                                         : GLS_EXPERIMENT_UNDECIDED;
    return e->high < claim->most   ? GLS_EXPERIMENT_SHOWS
           : e->low >= claim->most ? GLS_EXPERIMENT_SHOWS_NOT
                                   : GLS_EXPERIMENT_UNDECIDED;
}

static const char *why_not(const effect *e, gls_experiment_verdict verdict) {
    if (verdict != GLS_EXPERIMENT_UNDECIDED) return NULL;
    return e->missing      ? "a run diverged or lacks the figure"
           : isnan(e->low) ? "a single seed has no interval"
                           : "the interval holds both answers";
}

static json_t *describe(const gls_experiment_claim *claim, const effect *e, json_t *each,
                        gls_experiment_verdict verdict) {
    json_t *one = json_pack("{s:s, s:O, s:o, s:o, s:o, s:b, s:s, s:s?}", "say", claim->say, "each", each, "mean",
                            gls_experiment_number(e->mean), "low", gls_experiment_number(e->low), "high",
                            gls_experiment_number(e->high), "ratio", claim->log && claim->of, "verdict",
                            gls_experiment_verdict_name(verdict), "why", why_not(e, verdict));
    if (!isnan(claim->least)) json_object_set_new(one, "at_least", json_real(claim->least));
    if (!isnan(claim->most)) json_object_set_new(one, "at_most", json_real(claim->most));
    return one;
}

/* The claim shows if every sentence does, and does not if one does not. */
gls_status gls_experiment_judge(const gls_experiment_runner *r, json_t *list, gls_experiment_verdict *verdict) {
    const gls_experiment_claim *claim = r->experiment->text->expect.item;
    *verdict = GLS_EXPERIMENT_SHOWS;
    for (int64_t i = 0; i < r->experiment->text->expect.count; i++) {
        json_t *each = json_array();
        if (!each) return gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
        effect e = measure(r, &claim[i], each);
        gls_experiment_verdict one = decide(&claim[i], &e);
        bool failed = json_array_append_new(list, describe(&claim[i], &e, each, one)) != 0;
        json_decref(each);
        if (failed) return gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
        if (one == GLS_EXPERIMENT_SHOWS_NOT || (one == GLS_EXPERIMENT_UNDECIDED && *verdict == GLS_EXPERIMENT_SHOWS))
            *verdict = one;
    }
    return GLS_OK;
}
