/* Draggers: examples whose gradients hold training back and are clipped most. Mean log clip factor, norm and loss of
 * every example seen, over the looks so far; where they are known (a marked column), cosines between pairs and ratios
 * of norms at this step, and running ones. [M] 5.1 to 5.3
 */
#include <glissade/measure.h>

#include <glissade/comm.h>

#include "base/kernels.h"
#include "base/arith.h"
#include "base/sort.h"
#include "measure/sample.h"
#include "measure/statistics.h"
#include "measure/suspects.h"

#include <math.h>
#include <string.h>

typedef struct options {
    gls_sample_options sample;
    const char *column, *domain;
    int64_t microbatch, batch, pairs, list;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "4096", "train"),
    GLS_STRING("column", options, column, NULL, "column that marks known draggers with 1; cosines and ratios need it"),
    GLS_STRING("domain", options, domain, NULL, "column of domains 0, 1, ... for means by domain"),
    GLS_INT("microbatch", options, microbatch, "1", 1, 1e9, "examples that are clipped together"),
    GLS_INT("batch", options, batch, "0", 0, 1e9, "mini-batch whose smallest norm is the bound; 0: the run's"),
    GLS_INT("pairs", options, pairs, "100", 0, 1e6, "number of pairs of gradients to take cosines of"),
    GLS_INT("list", options, list, "50", 0, 1e9, "number of suspects to name"),
    {0},
};

static gls_status create(gls_measure *m) {
    return gls_suspicion_create(m->ctx, m->examples, m->self);
}
static void destroy(gls_measure *m) {
    gls_suspicion_destroy(m->ctx, m->self);
}
static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_suspicion_arrays(m->ctx, m->self, prefix, list);
}

/* ---- every example's figures ---- */

/* What adaptive clipping would have done to these groups, mini-batch by mini-batch: adds log(rho / |g_j|). */
static void add_factors(const gls_sample *s, const double *group_norm, int64_t group, int64_t batch,
                        gls_suspicion *to) {
    int64_t groups = gls_parts(s->count, group), together = batch > group ? batch / group : 1;
    for (int64_t begin = 0; begin < groups; begin += together) {
        int64_t end = gls_least(begin + together, groups);
        double smallest = INFINITY;
        for (int64_t j = begin; j < end; j++)
            if (group_norm[j] > 0) smallest = fmin(smallest, group_norm[j]);
        for (int64_t i = begin * group; i < end * group && i < s->count; i++) {
            double norm = group_norm[i / group];
            if (norm > 0) to->log_factor[s->index[i]] += log(smallest / norm);
        }
    }
}

static gls_status add_sample(gls_sample *s, const options *o, double *loss, double *norm, double *group_norm,
                             gls_suspicion *to) {
    const gls_measure_input *in = s->in;
    int64_t batch = o->batch > 0 ? o->batch : in->batch > 0 ? in->batch : 128;
    uint64_t draw = gls_sample_draw(in, 0);
    gls_sample_figures figures = {.loss = loss, .norm2 = norm};
    GLS_TRY(gls_sample_batch(s, s->count, s->index)); /* micro-batches of examples in random order */
    GLS_TRY(gls_sample_rows(s, s->index, s->count, draw, in->w, NULL, &figures));
    for (int64_t i = 0; i < s->count; i++) norm[i] = sqrt(norm[i]);
    if (o->microbatch > 1) {
        GLS_TRY(gls_sample_groups(s, s->index, s->count, o->microbatch, draw, in->w, group_norm));
        for (int64_t j = 0; j * o->microbatch < s->count; j++) {
            int64_t left = s->count - j * o->microbatch;
            group_norm[j] = sqrt(group_norm[j]) / (double)(gls_least(left, o->microbatch));
        }
    }
    add_factors(s, o->microbatch > 1 ? group_norm : norm, o->microbatch, batch, to);
    for (int64_t i = 0; i < s->count; i++) {
        to->seen[s->index[i]] += 1;
        to->norm[s->index[i]] += norm[i];
        to->loss[s->index[i]] += loss[i];
    }
    return GLS_OK;
}

/* ---- pairs of gradients ---- */

typedef struct two {
    gls_real *g; /* [2, d] */
    int64_t d;
} two;

static gls_status keep(void *user, int64_t i, const gls_real *g) {
    const two *pair = user;
    memcpy(pair->g + i * pair->d, g, (size_t)pair->d * sizeof *g);
    return GLS_OK;
}

static gls_status cosine(gls_sample *s, const int64_t index[2], two *pair, double *out) {
    memset(pair->g, 0, (size_t)(2 * pair->d) * sizeof *pair->g);
    GLS_TRY(gls_sample_each(s, index, 2, gls_sample_draw(s->in, 1), s->in->w, keep, pair));
    GLS_TRY(gls_comm_reduce_real(s->ctx, GLS_SUM, pair->g, 2 * pair->d, GLS_OK));
    double a = gls_team_sum_squares(s->ctx, pair->g, pair->d),
           b = gls_team_sum_squares(s->ctx, pair->g + pair->d, pair->d);
    double product = gls_team_dot(s->ctx, pair->g, pair->g + pair->d, pair->d);
    *out = a > 0 && b > 0 ? product / sqrt(a) / sqrt(b) : 0;
    return GLS_OK;
}

/* Members of the sample by kind. */
typedef struct kinds {
    const int64_t *mark;
    const int32_t *label; /* or NULL */
    int64_t *dragger, *benign;
    int64_t draggers, benigns;
} kinds;

typedef enum pairing { DRAGGER_BENIGN, BENIGN_BENIGN, BENIGN_WITHIN_CLASS } pairing;

/* A random pair of the kind asked for; false after a hundred tries: such pairs are then too rare to look for. */
static bool choose(gls_sample *s, const kinds *k, pairing kind, int64_t index[2]) {
    for (int tries = 0; tries < 100; tries++) {
        index[0] = kind == DRAGGER_BENIGN ? k->dragger[gls_random_below(&s->random, k->draggers)]
                                          : k->benign[gls_random_below(&s->random, k->benigns)];
        index[1] = k->benign[gls_random_below(&s->random, k->benigns)];
        if (index[0] == index[1]) continue;
        if (kind != BENIGN_WITHIN_CLASS || k->label[index[0]] == k->label[index[1]]) return true;
    }
    return false;
}

static gls_status report_pairs(gls_sample *s, const kinds *k, pairing kind, int64_t pairs, const char *name,
                               const char *mean, gls_measure_result *out) {
    two pair = {gls_alloc(s->ctx, 2 * gls_problem_size(s->in->problem), sizeof(gls_real)),
                gls_problem_size(s->in->problem)};
    double *x = gls_alloc(s->ctx, pairs, sizeof *x);
    gls_status status = pair.g && x ? GLS_OK : GLS_ERR_MEMORY;
    int64_t index[2], n = 0;
    while (status == GLS_OK && n < pairs && choose(s, k, kind, index)) status = cosine(s, index, &pair, &x[n++]);
    if (status == GLS_OK) status = gls_measure_result_number(out, mean, "", gls_stat_mean(x, n));
    if (status == GLS_OK) status = gls_measure_result_array(out, name, "", n, x);
    gls_free(s->ctx, pair.g);
    gls_free(s->ctx, x);
    return status;
}

/* The names of one set of ratios. */
typedef struct ratio_names {
    const char *benign, *dragger, *benign_over_dragger, *dragger_over_benign;
} ratio_names;

/* Mean norms of both kinds, the largest tenth of the benign left out; both ratios. norm [examples]: NaN where an
 * example is left out. [M] 5.2 */
static gls_status report_ratios(const int64_t *mark, const double *norm, int64_t examples, const ratio_names *names,
                                gls_measure_result *out) {
    double *others = gls_alloc(out->ctx, examples, sizeof *others), sum = 0;
    int64_t benigns = 0, draggers = 0;
    if (!others) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < examples; i++) {
        if (isnan(norm[i])) continue;
        if (mark[i] > 0) {
            sum += norm[i];
            draggers++;
        } else {
            others[benigns++] = norm[i];
        }
    }
    gls_sort_doubles(others, benigns);
    double benign = gls_stat_mean(others, benigns - benigns / 10), dragger = sum / (double)draggers;
    gls_free(out->ctx, others);
    GLS_TRY(gls_measure_result_number(out, names->benign, "gradient", benign));
    GLS_TRY(gls_measure_result_number(out, names->dragger, "gradient", dragger));
    GLS_TRY(gls_measure_result_number(out, names->benign_over_dragger, "", benign / dragger));
    return gls_measure_result_number(out, names->dragger_over_benign, "", dragger / benign);
}

/* Of this look's norms alone, and of every example's mean over the times it was seen. */
static gls_status report_norms(const gls_sample *s, const double *norm, const int64_t *mark, const gls_suspicion *all,
                               gls_measure_result *out) {
    static const ratio_names now = {"benign_norm", "dragger_norm", "benign_over_dragger", "dragger_over_benign"};
    static const ratio_names running = {"running_benign_norm", "running_dragger_norm", "running_benign_over_dragger",
                                        "running_dragger_over_benign"};
    double *x = gls_alloc(out->ctx, all->examples, sizeof *x);
    if (!x) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < all->examples; i++) x[i] = NAN;
    for (int64_t i = 0; i < s->count; i++) x[s->index[i]] = norm[i];
    gls_status status = report_ratios(mark, x, all->examples, &now, out);
    for (int64_t i = 0; i < all->examples; i++) x[i] = all->seen[i] > 0 ? all->norm[i] / all->seen[i] : NAN;
    if (status == GLS_OK) status = report_ratios(mark, x, all->examples, &running, out);
    gls_free(out->ctx, x);
    return status;
}

static gls_status report_kinds(gls_measure *m, gls_sample *s, const double *norm, const gls_suspicion *all, kinds *k,
                               gls_measure_result *out) {
    const options *o = m->options;
    for (int64_t i = 0; i < s->count; i++) {
        if (k->mark[s->index[i]] > 0)
            k->dragger[k->draggers++] = s->index[i];
        else
            k->benign[k->benigns++] = s->index[i];
    }
    GLS_TRY(gls_suspicion_report_precision(all, k->mark, out));
    if (k->draggers < 1 || k->benigns < 2) {
        return gls_measure_result_note(out, "the sample holds %lld marked and %lld other examples: too few for pairs",
                                       (long long)k->draggers, (long long)k->benigns);
    }
    GLS_TRY(report_norms(s, norm, k->mark, all, out));
    GLS_TRY(report_pairs(s, k, DRAGGER_BENIGN, o->pairs, "cosines_dragger_benign", "cosine_dragger_benign", out));
    GLS_TRY(report_pairs(s, k, BENIGN_BENIGN, o->pairs, "cosines_benign_benign", "cosine_benign_benign", out));
    if (!k->label) return GLS_OK;
    return report_pairs(s, k, BENIGN_WITHIN_CLASS, o->pairs, "cosines_benign_within_class",
                        "cosine_benign_within_class", out);
}

static gls_status report_classes(gls_measure *m, const gls_suspicion *all, const int32_t *label, int64_t classes,
                                 gls_measure_result *out) {
    static const gls_suspicion_names names = {"class_seen", "class_log_factors", "class_norms", "class_losses"};
    int64_t *key = gls_alloc(m->ctx, all->examples, sizeof *key);
    if (!key) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < all->examples; i++) key[i] = label[i];
    gls_status status = gls_suspicion_report_means(all, key, classes, &names, out);
    gls_free(m->ctx, key);
    return status;
}

static gls_status report_domains(const gls_suspicion *all, const int64_t *domain, gls_measure_result *out) {
    static const gls_suspicion_names names = {"domain_seen", "domain_log_factors", "domain_norms", "domain_losses"};
    int64_t most = -1;
    for (int64_t i = 0; i < all->examples; i++) most = domain[i] > most ? domain[i] : most;
    /* One mean a domain: a column of other numbers is not taken for one. */
    if (most >= 100000) return gls_measure_result_note(out, "too many domains for a table of means");
    return gls_suspicion_report_means(all, domain, most + 1, &names, out);
}

static gls_status named_column(gls_measure *m, const gls_source *source, const char *name, const int64_t **out) {
    *out = name ? gls_source_column(source, name) : NULL;
    if (!name || *out) return GLS_OK;
    return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "measure 'dragger': the data have no column '%s'", name);
}

/* The factors and norms that the run's estimator really met, beside the losses seen here. */
static gls_status from_ledger(gls_context *ctx, const gls_suspicion *own, const gls_ledger *ledger, gls_suspicion *to) {
    GLS_TRY(gls_suspicion_create(ctx, own->examples, to));
    for (int64_t i = 0; i < own->examples; i++) {
        to->seen[i] = ledger->seen[i];
        to->log_factor[i] = ledger->log_factor[i];
        to->norm[i] = ledger->norm[i];
        to->loss[i] = own->seen[i] > 0 ? own->loss[i] / own->seen[i] * ledger->seen[i] : NAN;
    }
    return GLS_OK;
}

static gls_status report(gls_measure *m, gls_sample *s, const double *norm, const gls_suspicion *all,
                         const int32_t *label, gls_measure_result *out) {
    const options *o = m->options;
    const gls_source *source = s->in->source;
    const int64_t *mark, *domain;
    GLS_TRY(named_column(m, source, o->column, &mark));
    GLS_TRY(named_column(m, source, o->domain, &domain));
    GLS_TRY(gls_suspicion_report_list(all, gls_suspicion_best(all), o->list, mark, out));
    if (label) GLS_TRY(report_classes(m, all, label, gls_source_info(source)->classes, out));
    if (domain) GLS_TRY(report_domains(all, domain, out));
    if (!mark) return GLS_OK;
    kinds k = {.mark = mark, .label = label, .dragger = gls_alloc(m->ctx, 2 * s->count, sizeof(int64_t))};
    if (!k.dragger) return GLS_ERR_MEMORY;
    k.benign = k.dragger + s->count;
    gls_status status = report_kinds(m, s, norm, all, &k, out);
    gls_free(m->ctx, k.dragger);
    return status;
}

/* The estimator's ledger, where there is one, is what really happened: it takes the place of this measure's own
 * factors and norms. */
static gls_status on_sample(gls_measure *m, gls_sample *s, gls_measure_result *out) {
    const options *o = m->options;
    const gls_data_info *info = gls_source_info(s->in->source);
    bool classes = info->target == GLS_TARGET_CLASS;
    double *x = gls_alloc(m->ctx, 3 * s->count, sizeof *x);
    int32_t *label = gls_alloc(m->ctx, info->examples, sizeof *label);
    gls_status status = x && label ? GLS_OK : GLS_ERR_MEMORY;
    s->align = o->microbatch;
    if (status == GLS_OK) status = add_sample(s, o, x, x + s->count, x + 2 * s->count, m->self);
    if (status == GLS_OK && classes) status = gls_source_targets(s->in->source, m->ctx, label, NULL);
    const gls_ledger *ledger = s->in->ledger;
    if (status == GLS_OK && ledger && ledger->examples == m->examples) {
        gls_suspicion met = {0};
        status = from_ledger(m->ctx, m->self, ledger, &met);
        if (status == GLS_OK) status = report(m, s, x + s->count, &met, classes ? label : NULL, out);
        gls_suspicion_destroy(m->ctx, &met);
    } else if (status == GLS_OK) {
        status = report(m, s, x + s->count, m->self, classes ? label : NULL, out);
    }
    gls_free(m->ctx, x);
    gls_free(m->ctx, label);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    if (gls_source_info(in->source)->examples != m->examples) {
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "measure 'dragger' was made for %lld examples, the source has %lld",
                        (long long)m->examples, (long long)gls_source_info(in->source)->examples);
    }
    gls_sample s;
    gls_status status =
        gls_sample_create(in, "measure.dragger", (uint64_t)in->step, o->sample.sample, (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = on_sample(m, &s, out);
    gls_sample_destroy(&s);
    return status;
}

/* Norms and losses make a pass 1.5; a pair forms two gradients in a pass of its own, counted as three each. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return 1.5 * gls_sample_size(o->sample.sample, examples) + 6 * (double)o->pairs * (o->column != NULL);
}

const gls_measure_type gls_measure_dragger = {
    .member = {"dragger", "which examples clipping suppresses, with cosines and norm ratios where draggers are known",
               "[M] 5.1, 5.2, 5.3.2", table, sizeof(options)},
    .self_size = sizeof(gls_suspicion),
    .cost = cost,
    .least_sample = 1024,
    .create = create,
    .destroy = destroy,
    .problem = on_problem,
    .arrays = arrays,
};
