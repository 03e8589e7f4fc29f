/* The phases, in order: measures where the run begins; a range test and a probe of msgd with measures on the way and
 * after it; batch size and threshold; range tests and probes of all candidates; longer probes of the best; smaller
 * micro-batches. Every probe is judged by its loss on the same held examples after the same number of examples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "run/search/advisor.h"

/* What the phases may take, as shares of the budget, and when they must be over, as shares of it since the beginning.
 * Ours: the candidates' probes are what the advice rests on, so they get the most; the last seconds are for writing. */
static const struct {
    double measures, msgd_range_test, msgd_probe, msgd_over;
    double range_test, candidates_planned, candidates_longer, candidates_over;
    double longer_over, microbatch_range_test, microbatch_begins;
} share = {.measures = 0.02,
           .msgd_range_test = 0.04,
           .msgd_probe = 0.05,
           .msgd_over = 0.5,
           .range_test = 0.03,
           .candidates_planned = 0.5,
           .candidates_longer = 0.6,
           .candidates_over = 0.7,
           .longer_over = 0.96,
           .microbatch_range_test = 0.02,
           .microbatch_begins = 0.95};
/* How many probes of the same length the last phase counts on: four plain ones, two with micro-batches and their range
 * tests, with room for what the estimate of their cost is wrong by. */
static const double longer_probes = 7.5;
/* A held example costs a forward pass where a probe's costs forward and backward: about half. */
static const double held_cost = 0.5;

static void say(const gls_advisor *a, const char *format, ...) GLS_PRINTF(2, 3);
static void say(const gls_advisor *a, const char *format, ...) {
    char line[256];
    if (!a->options->say) return;
    va_list arguments;
    va_start(arguments, format);
    int n = snprintf(line, sizeof line, "[%3.0f s] ", gls_prober_now() - a->began);
    vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    a->options->say(a->options->user, line);
}

static double at(const gls_advisor *a, double part) {
    return a->began + part * a->options->budget;
}
/* Seconds an example; before anything was timed a guess, about that of a small network on one core. */
static double per_example(const gls_advisor *a) {
    return a->p->examples > 0 ? a->p->seconds / a->p->examples : 1e-5;
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* ---- measures ---- */

static gls_status keep_result(gls_advisor *a, const char *when, const gls_measure_result *result) {
    char *text = NULL;
    GLS_TRY(gls_measure_results_json(a->ctx, result, 1, &text));
    json_t *all = json_loads(text, 0, NULL), *place = json_object_get(a->measures, when);
    gls_free(a->ctx, text);
    if (!place) {
        place = json_object();
        json_object_set_new(a->measures, when, place);
    }
    json_object_set(place, result->measure, json_object_get(json_object_get(all, "measures"), result->measure));
    json_decref(all);
    return GLS_OK;
}

static gls_status measure(gls_advisor *a, const char *when, const char *name, int64_t sample, const gls_real *w,
                          gls_measure_result *result) {
    char text[64];
    gls_value *options = NULL;
    gls_measure *m = NULL;
    gls_measure_input in;
    GLS_TRY(gls_training_measure_input(a->p->training, &in));
    in.w = w;
    snprintf(text, sizeof text, "sample: %lld", (long long)(gls_least(sample, a->n)));
    GLS_TRY(gls_config_parse(a->ctx, "advise", text, (int64_t)strlen(text), &options));
    gls_status status =
        gls_measure_create(a->ctx, name, options, NULL, gls_problem_size(a->p->training->problem), a->n, &m);
    if (status == GLS_OK) status = gls_measure_run(m, &in, result);
    if (status == GLS_OK) status = keep_result(a, when, result);
    gls_measure_destroy(m);
    gls_value_destroy(a->ctx, options);
    return status;
}

static int64_t fitting(double seconds, double each, double least, double most) {
    double count = each > 0 ? seconds / each : most;
    return (int64_t)fmax(least, fmin(count, most));
}

static void read_estimate(const gls_measure_result *r, const char *name, double *value, double *low, double *high) {
    const gls_figure *f = gls_measure_result_find(r, name);
    *value = f && !r->meaningless ? f->value[0] : NAN;
    *low = f ? f->low : NAN;
    *high = f ? f->high : NAN;
}

/* Diversity, tail and noise at these weights, each on as many examples as a share of the budget pays for, within bounds
 * of our own: fewer say nothing, more do not change the advice. The first 256 also serve as the clock; an example costs
 * the tail about twice and the noise four times what it costs the diversity. */
static gls_status measure_noise(gls_advisor *a, const char *when, const gls_real *w) {
    gls_measure_result r;
    double seconds = share.measures * a->options->budget;
    gls_measure_result_init(a->ctx, &r);
    say(a, "measures %s: diversity, tail index, noise norm", when);
    gls_status status = measure(a, when, "gradient_diversity", 256, w, &r);
    double each = r.seconds / fmax(1, (double)r.sample);
    int64_t sample = fitting(seconds, each, 256, 4096);
    if (status == GLS_OK && sample >= 512) status = measure(a, when, "gradient_diversity", sample, w, &r);
    if (status == GLS_OK) read_estimate(&r, "batch_size_bound", &a->bound, &a->bound_low, &a->bound_high);
    if (status == GLS_OK) status = measure(a, when, "tail_index", fitting(seconds, 2 * each, 128, 2048), w, &r);
    if (status == GLS_OK) read_estimate(&r, "tail_index", &a->tail, &a->tail_low, &a->tail_high);
    if (status == GLS_OK) status = measure(a, when, "noise_norm", fitting(seconds, 4 * each, 128, 1024), w, &r);
    gls_measure_result_clear(&r);
    return status;
}

/* ---- range tests ---- */

/* From a rate that surely is too small to one that surely is too large: seven decades, five to fifteen steps in each. A
 * test that ended within four steps has seen no loss worth the name. */
static gls_status range_test(gls_advisor *a, const char *method, const char *estimator, int64_t batch, double part,
                             double *least_at) {
    gls_probe probe = {.method = method, .estimator = estimator, .batch = batch, .lr = 1e-5, .lr_end = 100};
    probe.steps = fitting(part * a->options->budget, per_example(a) * (double)batch, 35, 105);
    probe.deadline = at(a, 1);
    gls_probe_outcome o;
    GLS_TRY(gls_probe_run(a->p, &probe, &o));
    *least_at = o.steps > 4 ? o.best_lr : NAN;
    say(a, "range test of %s%s%s: least loss at lr %.3g, %s at %.3g", method, estimator ? " with " : "",
        estimator ? estimator : "", *least_at,
        o.diverged ? "diverged"
        : o.cut    ? "out of time"
                   : "ended",
        o.end_lr);
    json_array_append_new(
        a->ranges, json_pack("{s:s, s:s?, s:I, s:I, s:o, s:o, s:o, s:b}", "method", method, "estimator", estimator,
                             "batch", (json_int_t)batch, "steps", (json_int_t)o.steps, "least_at", number(*least_at),
                             "least_loss", number(o.best_loss), "ended_at", number(o.end_lr), "diverged", o.diverged));
    return GLS_OK;
}

/* ---- probes ---- */

/* Ten steps at least, whatever the examples: fewer rank nothing. */
static gls_status probe_at(gls_advisor *a, const char *method, const char *estimator, int64_t batch, double examples,
                           double lr, gls_probe_outcome *o) {
    gls_probe probe = {.method = method,
                       .estimator = estimator,
                       .batch = batch,
                       .lr = lr,
                       .power = a->power,
                       .schedule = a->schedule,
                       .run_examples = a->run_examples};
    probe.steps = (int64_t)fmax(10, floor(examples / (double)batch));
    probe.deadline = at(a, 1);
    GLS_TRY(gls_probe_run(a->p, &probe, o));
    if (o->cut) o->held_loss = NAN; /* it has seen fewer examples than those it would be held against */
    say(a, "probe %s%s%s, batch %lld, lr %.3g, %lld steps: %s loss %.5g%s", method, estimator ? " with " : "",
        estimator ? estimator : "", (long long)batch, lr, (long long)o->steps, a->p->held_name, o->held_loss,
        o->diverged ? " (diverged)"
        : o->cut    ? " (out of time)"
                    : "");
    json_array_append_new(a->probes, json_pack("{s:s, s:s?, s:I, s:f, s:I, s:o, s:b, s:b, s:f}", "method", method,
                                               "estimator", estimator, "batch", (json_int_t)batch, "lr", lr, "steps",
                                               (json_int_t)o->steps, "loss", number(o->held_loss), "diverged",
                                               o->diverged, "cut", o->cut, "seconds", o->seconds));
    return GLS_OK;
}

static gls_status look(void *user, const gls_probe_step *s) {
    gls_advisor *a = user;
    if (a->norms < GLS_ADVISE_NORMS) a->norm[a->norms++] = s->gradient_norm;
    if (s->step % a->smooth_every) return GLS_OK;
    gls_measure_input in;
    gls_measure_result r;
    GLS_TRY(gls_training_measure_input(a->p->training, &in));
    in.w = s->w;
    in.w_previous = s->previous;
    in.g = s->g;
    in.lr = s->lr;
    in.step = s->step;
    gls_measure_result_init(a->ctx, &r);
    gls_status status = gls_measure_run(a->smoothness, &in, &r);
    if (status == GLS_OK) status = keep_result(a, "along", &r);
    gls_measure_result_clear(&r);
    return status;
}

/* At a third of the range test's best rate, which is close to where it diverges; after a divergence at a tenth of that,
 * twice. The smoothness is measured about twelve times: enough for a line through the points. */
static gls_status run_msgd_probe(gls_advisor *a, double least_at) {
    gls_probe probe = {.method = "{name: msgd}", .batch = a->given, .lr = least_at / sqrt(10), .look = look, .user = a};
    probe.steps = fitting(share.msgd_probe * a->options->budget, per_example(a) * (double)a->given, 30, 400);
    probe.deadline = at(a, share.msgd_over);
    a->smooth_every = probe.steps / 12 > 0 ? probe.steps / 12 : 1;
    gls_probe_outcome o = {.diverged = true};
    for (int tries = 0; tries < 3 && o.diverged; tries++, probe.lr /= 10) {
        a->norms = 0;
        GLS_TRY(gls_probe_run(a->p, &probe, &o));
    }
    say(a, "msgd for %lld steps at lr %.3g: %s loss %.5g, was %.5g", (long long)o.steps, 10 * probe.lr, a->p->held_name,
        o.held_loss, a->p->start_loss);
    return GLS_OK;
}

/* A probe of msgd with the gradients' norms and the local smoothness on the way. */
static gls_status msgd_probe(gls_advisor *a) {
    gls_value *options = NULL;
    double least_at;
    gls_probe warm = {.method = "{name: msgd}", .batch = a->given, .steps = 24, .lr = 1e-6};
    gls_probe_outcome o;
    GLS_TRY(gls_probe_run(a->p, &warm, &o)); /* for the clock: 24 steps are timed (probe.c) */
    GLS_TRY(range_test(a, "{name: msgd}", NULL, a->given, share.msgd_range_test, &least_at));
    if (isnan(least_at)) least_at = 0.1; /* the range test failed: a usual rate of msgd, to be divided on divergence */
    GLS_TRY(gls_config_parse(a->ctx, "advise", "sample: 256", 11, &options));
    gls_status status = gls_measure_create(a->ctx, "smoothness", options, NULL,
                                           gls_problem_size(a->p->training->problem), a->n, &a->smoothness);
    if (status == GLS_OK) status = run_msgd_probe(a, least_at);
    gls_measure_destroy(a->smoothness);
    gls_value_destroy(a->ctx, options);
    GLS_TRY(status);
    return measure_noise(a, "after", a->p->w);
}

/* ---- the candidates ---- */

static gls_status probe_candidate(gls_advisor *a, gls_candidate *c, double examples, double lr) {
    gls_probe_outcome o;
    if (isnan(c->least_at) || gls_prober_now() > at(a, share.candidates_over)) return GLS_OK;
    GLS_TRY(probe_at(a, c->method, NULL, a->batch, examples, lr, &o));
    c->rate[c->tried] = lr;
    c->found[c->tried++] = o.held_loss;
    if (isnan(o.held_loss) || c->loss <= o.held_loss) return GLS_OK;
    c->loss = o.held_loss;
    c->lr = lr;
    return GLS_OK;
}

/* Up to two more rates beyond an end that is best. Rates within 5% of the best loss are reported as good ones. */
static gls_status extend(gls_advisor *a, gls_candidate *c, double examples) {
    for (int more = 0; more < 2 && c->tried && !isnan(c->loss); more++) {
        double least = c->rate[0], most = c->rate[0];
        for (int i = 1; i < c->tried; i++) {
            least = fmin(least, c->rate[i]);
            most = fmax(most, c->rate[i]);
        }
        if (c->lr != least && c->lr != most) break;
        GLS_TRY(probe_candidate(a, c, examples, c->lr == least ? least / sqrt(10) : most * sqrt(10)));
    }
    c->low = c->high = c->lr;
    for (int i = 0; i < c->tried; i++) {
        if (!(c->found[i] <= c->loss + 0.05 * fabs(c->loss))) continue;
        c->low = fmin(c->low, c->rate[i]);
        c->high = fmax(c->high, c->rate[i]);
    }
    return GLS_OK;
}

static void sort_candidates(gls_advisor *a) {
    for (int i = 1; i < a->alive; i++) {
        gls_candidate c = a->c[i];
        int k = i;
        for (; k > 0 && !isnan(c.loss) && !(a->c[k - 1].loss <= c.loss); k--) a->c[k] = a->c[k - 1];
        a->c[k] = c;
    }
}

/* The middle rate of all first, so that a lack of time hits all alike. */
static gls_status probe_round(gls_advisor *a, double examples) {
    static const int order[] = {1, 0, 2};
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < a->alive; i++) {
            double rate[3];
            gls_advise_rates(a->c[i].least_at, rate);
            GLS_TRY(probe_candidate(a, &a->c[i], examples, rate[order[k]]));
        }
    }
    for (int i = 0; i < a->alive; i++) GLS_TRY(extend(a, &a->c[i], examples));
    sort_candidates(a);
    return GLS_OK;
}

/* The better half is kept; its next probes are around its best rates. */
static void halve(gls_advisor *a) {
    a->alive = (a->alive + 1) / 2;
    for (int i = 0; i < a->alive; i++) {
        gls_candidate *c = &a->c[i];
        c->least_at = c->lr * sqrt(10); /* NaN for one without a result */
        c->tried = 0;
        c->loss = c->lr = NAN;
    }
}

/* Successive halving. A first round is planned at four probes a candidate, three rates and one more by extend, and
 * twenty steps at least. A further one has probes four times as long; with half the candidates it takes about 0.6 of
 * this one's time for each unit of length. One less than half as long again would not be worth it. */
static gls_status probe_candidates(gls_advisor *a) {
    a->alive = a->candidates;
    for (int i = 0; i < a->candidates; i++)
        GLS_TRY(range_test(a, a->c[i].method, NULL, a->batch, share.range_test, &a->c[i].least_at));
    double left = at(a, share.candidates_planned) - gls_prober_now(), judged = (double)a->p->held->info.examples;
    double examples = left / (per_example(a) * 4 * a->candidates) - held_cost * judged;
    examples = fmax(20 * (double)a->batch, fmin(examples, a->run_examples));
    for (;;) {
        double began = gls_prober_now();
        GLS_TRY(probe_round(a, examples));
        double took = gls_prober_now() - began, longer = fmin(4 * examples, a->run_examples);
        bool time = gls_prober_now() + 0.6 * took * longer / examples < at(a, share.candidates_longer);
        if (a->alive < 3 || longer < 1.5 * examples || !time || isnan(a->c[1].loss)) break;
        halve(a);
        examples = longer;
    }
    if (isnan(a->c[0].loss))
        return gls_fail(
            a->ctx, GLS_ERR_NONFINITE,
            "advise: no candidate survived its probes within the budget; give a larger --budget, or other --methods");
    return GLS_OK;
}

/* ---- the longer probes ---- */

/* Half the rate, since longer runs want smaller ones; the second candidate; and a quarter of the batch, unless it is
 * below the 16 that advise_rules.c recommends at least. */
static gls_status plain_round(gls_advisor *a, double examples) {
    gls_candidate *first = &a->c[0], *second = a->alive > 1 && !isnan(a->c[1].loss) ? &a->c[1] : NULL;
    int64_t smaller = a->batch / 4 >= 16 ? a->batch / 4 : 0;
    const struct {
        const gls_candidate *c;
        double lr;
        int64_t batch;
    } plan[] = {{first, first->lr, a->batch},
                {first, first->lr / 2, a->batch},
                {second, second ? second->lr : 0, a->batch},
                {first, first->lr / 2, smaller}};
    int64_t batch = a->batch;
    a->best = first;
    a->lr = first->lr;
    a->loss = INFINITY;
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        gls_probe_outcome o;
        if (!plan[i].c || !plan[i].batch) continue;
        GLS_TRY(probe_at(a, plan[i].c->method, NULL, plan[i].batch, examples, plan[i].lr, &o));
        /* A smaller batch takes more steps: it has to be worth it. */
        double needed = plan[i].batch == a->batch ? a->loss : a->loss - gls_advise_worth * fabs(a->loss);
        if (!(o.held_loss < needed)) continue;
        a->best = plan[i].c;
        a->lr = plan[i].lr;
        a->loss = o.held_loss;
        batch = plan[i].batch;
    }
    a->batch = batch;
    if (isinf(a->loss)) a->loss = first->loss;
    return GLS_OK;
}

static gls_status try_microbatch(gls_advisor *a, int64_t b, double examples, double *best, double *best_lr) {
    char estimator[80];
    double least_at;
    gls_probe_outcome o;
    snprintf(estimator, sizeof estimator, "{name: microbatch, microbatch: %lld}", (long long)b);
    gls_status status = range_test(a, a->best->method, estimator, a->batch, share.microbatch_range_test, &least_at);
    if (status == GLS_ERR_UNSUPPORTED) {
        say(a, "micro-batches of %lld: %s", (long long)b, gls_context_message(a->ctx));
        return GLS_OK;
    }
    GLS_TRY(status);
    if (isnan(least_at)) return GLS_OK;
    double lr = least_at / sqrt(10);
    GLS_TRY(probe_at(a, a->best->method, estimator, a->batch, examples, lr, &o));
    if (!(o.held_loss < *best)) return GLS_OK;
    *best = o.held_loss;
    *best_lr = lr;
    a->microbatch = b;
    return GLS_OK;
}

/* Micro-batches cost more work, so they must win by gls_advise_worth. Two sizes, a quarter and a sixteenth of the
 * batch: no theorem gives one ([M] algorithm 1 leaves it free). */
static gls_status microbatch_round(gls_advisor *a, double examples) {
    double best = a->loss - gls_advise_worth * fabs(a->loss), lr = a->lr;
    a->plain = a->loss;
    const int64_t size[] = {a->batch / 4, a->batch / 16};
    for (int i = 0; i < 2; i++)
        if (size[i] >= 1 && gls_prober_now() < at(a, share.microbatch_begins))
            GLS_TRY(try_microbatch(a, size[i], examples, &best, &lr));
    if (!a->microbatch) return GLS_OK;
    a->lr = lr;
    a->loss = best;
    return GLS_OK;
}

/* ---- all of it ---- */

/* An open end counts as ten epochs. Power 1.1 is the decay of [N] section 5, for a configuration without a schedule. */
static void look_around(gls_advisor *a) {
    const gls_training *t = a->p->training;
    a->n = t->set.train->info.examples;
    a->given = t->train->batch < 0 || t->train->batch > a->n ? a->n : t->train->batch;
    a->run_examples = t->train->steps                     ? (double)t->train->steps * (double)a->given
                      : t->epochs > 0 && t->epochs < 1e12 ? t->epochs * (double)a->n
                                                          : 10 * (double)a->n;
    /* A schedule needs an end. */
    bool open = !t->train->steps && !(t->epochs > 0);
    a->power = open || gls_advisor_scheduled(a->options->config) ? 0 : 1.1;
}

/* 2048 held examples judge all probes: the loss on them tells differences of gls_advise_worth apart on most tasks. */
gls_status gls_advisor_work(gls_advisor *a) {
    const char *why;
    GLS_TRY(gls_advisor_check_candidates(a));
    GLS_TRY(gls_prober_create(a->ctx, a->options->config, 2048, &a->p));
    GLS_TRY(gls_advisor_schedule(a->ctx, a->options->config, &a->schedule));
    look_around(a);
    say(a, "%lld examples, %lld parameters; judged by loss on %lld %s examples", (long long)a->n,
        (long long)gls_problem_size(a->p->training->problem), (long long)a->p->held->info.examples, a->p->held_name);
    if (!a->p->training->set.validation)
        say(a, "no validation set, so the training loss judges and says nothing about unseen examples (set "
               "train.validation: 0.1)");
    GLS_TRY(measure_noise(a, "start", a->p->start));
    GLS_TRY(msgd_probe(a));
    int64_t by_bound = a->batch = gls_advise_batch(a->bound, a->n, a->run_examples, a->given, &why);
    if (a->p->training->set.train->info.streams) {
        by_bound = a->batch = a->given;
        why = "a mini-batch has one row of each stream";
    }
    a->gamma = gls_advise_threshold(a->norm, a->norms, a->tail_high, &a->quantile);
    say(a, "batch %lld of a bound of %.4g: %s", (long long)a->batch, a->bound, why);
    GLS_TRY(gls_advisor_name_candidates(a));
    GLS_TRY(probe_candidates(a));
    double left = at(a, share.longer_over) - gls_prober_now(), judged = (double)a->p->held->info.examples;
    double examples = left / (longer_probes * per_example(a)) - held_cost * judged;
    examples = fmax(20 * (double)a->batch, fmin(examples, a->run_examples));
    GLS_TRY(plain_round(a, examples));
    GLS_TRY(microbatch_round(a, examples));
    return gls_advisor_conclude(a, by_bound, why);
}
