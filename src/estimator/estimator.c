/* Chains of stages: created, checked once, and run over each mini-batch. */
#include "estimator/estimator.h"
#include "estimator/mean.h"
#include "estimator/pass.h"

#include "base/kernels.h"
#include "base/arith.h"

#include <math.h>

static const char *stage_name(const gls_estimator *e, int64_t i) {
    return e->stage[i]->type->member.name;
}

static gls_status read_chain(gls_estimator *e, const gls_value *spec) {
    static const gls_value plain = {.kind = GLS_VALUE_TEXT, .text = "mean"};
    if (!spec || spec->kind == GLS_VALUE_NULL) spec = &plain;
    bool list = spec->kind == GLS_VALUE_LIST;
    int64_t count = list ? spec->count : 1;
    e->stage = gls_alloc(e->ctx, count, sizeof *e->stage);
    if (!e->stage) return GLS_ERR_MEMORY;
    for (; e->stages < count; e->stages++)
        GLS_TRY(gls_stage_create(e->problem, list ? spec->items[e->stages] : spec, e->seed, &e->stage[e->stages]));
    return GLS_OK;
}

static int64_t size_of(const gls_stage *stage) {
    return stage->group > 0 ? stage->group : INT64_MAX;
}

/* A rank's gradient is known as a whole alone, and only multiplied. */
static gls_status check_rank(const gls_estimator *e, int64_t i) {
    const gls_stage *stage = e->stage[i];
    bool only = stage->type->factor && (i == 0 || e->stage[i - 1]->group == GLS_GROUP_RANK);
    if (stage->type->place != GLS_PLACE_GROUP || stage->group != GLS_GROUP_RANK || only) return GLS_OK;
    return gls_fail(e->ctx, GLS_ERR_UNSUPPORTED,
                    "estimator: `microbatch: rank` of '%s' takes each rank's gradient as it is: stages over smaller "
                    "groups cannot come before it, and it can only multiply",
                    stage_name(e, i));
}

static gls_status check_coupling(const gls_estimator *e, const gls_stage *stage) {
    const gls_problem *p = e->problem;
    if (p->coupling == GLS_COUPLING_NONE) return GLS_OK;
    if (stage->ledger) return gls_coupling_refuse(p, "a ledger of examples");
    if (stage->type->place != GLS_PLACE_GROUP) return GLS_OK;
    if (stage->key) return gls_coupling_refuse(p, "groups by key");
    bool finer = p->coupling == GLS_COUPLING_GROUPS && stage->group > 0 && stage->group % p->coupling_group != 0;
    finer |= p->coupling != GLS_COUPLING_GROUPS && stage->group == GLS_GROUP_RANK &&
             gls_comm_size(gls_context_comm(e->ctx)) > 1;
    if (finer || stage->group == 1) return gls_coupling_refuse(p, stage->type->member.name);
    return GLS_OK;
}

/* Stages over groups come first, with sizes that grow and take at most two values; then one that sums up; then stages
 * over the whole estimate. Fills what the chain as a whole needs: groups, inner, sum, ledger, ratio_every. */
static gls_status check_chain(gls_estimator *e) {
    gls_place before = GLS_PLACE_GROUP;
    int64_t sums = 0;
    for (int64_t i = 0; i < e->stages; i++) {
        const gls_stage *stage = e->stage[i];
        GLS_TRY(check_coupling(e, stage));
        GLS_TRY(check_rank(e, i));
        if (stage->type->place < before)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT,
                            "estimator: '%s' works on %s and cannot follow '%s'; stages must come in this order: over "
                            "groups, then mean or sum, then over the whole estimate",
                            stage_name(e, i), stage->type->place == GLS_PLACE_GROUP ? "groups" : "the sum",
                            stage_name(e, i - 1));
        before = stage->type->place;
        if (before == GLS_PLACE_SUM && e->sum && !stage->sum)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "estimator: a chain with `reduce: sum` cannot end in a mean");
        e->ledger |= stage->ledger;
        e->sum |= stage->sum;
        if (stage->ratio_every) e->ratio_every = stage->ratio_every;
        if (before == GLS_PLACE_SUM && ++sums > 1)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "estimator: '%s' is a second stage that sums up; a chain has one",
                            stage_name(e, i));
        if (before != GLS_PLACE_GROUP) continue;
        e->groups++;
        if (i == 0) continue;
        const gls_stage *last = e->stage[i - 1];
        if (size_of(stage) < size_of(last))
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "estimator: '%s' works on smaller groups than '%s' before it",
                            stage_name(e, i), stage_name(e, i - 1));
        if (last->smallest || last->noise > 0 || last->sum)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT,
                            "estimator: '%s' sums up, adds noise or takes the smallest norm: it must be the last stage "
                            "over groups",
                            stage_name(e, i - 1));
        if (size_of(stage) == size_of(last)) continue;
        if (e->inner || (stage->key && last->group != 1))
            return gls_fail(e->ctx, GLS_ERR_UNSUPPORTED,
                            "estimator: at most two sizes of groups can be chained, and before a key only single "
                            "examples");
        e->inner = i;
    }
    return GLS_OK;
}

gls_status gls_estimator_create(gls_problem *problem, const gls_value *spec, uint64_t seed, gls_estimator **out) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem, out);
    *out = NULL;
    gls_estimator *e = gls_alloc(problem->ctx, 1, sizeof *e);
    if (!e) return GLS_ERR_MEMORY;
    e->ctx = problem->ctx;
    e->problem = problem;
    e->seed = seed;
    e->mean_ratio = NAN;
    gls_status status = read_chain(e, spec);
    if (status == GLS_OK) status = check_chain(e);
    if (status == GLS_OK && e->ledger) status = gls_ledger_create(e);
    if (status != GLS_OK) {
        gls_estimator_destroy(e);
        return status;
    }
    *out = e;
    return GLS_OK;
}

void gls_estimator_destroy(gls_estimator *estimator) {
    if (!estimator) return;
    gls_context *ctx = estimator->ctx;
    for (int64_t i = 0; i < estimator->stages; i++) gls_stage_destroy(estimator->stage[i]);
    void *block[] = {estimator->stage, estimator->seen,       estimator->log_factor,
                     estimator->norm,  estimator->group_norm, estimator->group_factor,
                     estimator->norms, estimator->rows.value, estimator->plain};
    for (size_t i = 0; i < sizeof(block) / sizeof *block; i++) gls_free(ctx, block[i]);
    gls_sorted_destroy(ctx, &estimator->sorted);
    gls_free(ctx, estimator);
}

bool gls_estimator_is_mean(const gls_estimator *estimator) {
    return estimator->stages == 1 && estimator->stage[0]->type == &gls_estimator_mean;
}

void gls_estimator_use_exchange(gls_estimator *estimator, gls_comm_exchange *exchange) {
    if (estimator) estimator->exchange = exchange;
}

int64_t gls_estimator_group(const gls_estimator *estimator) {
    if (!estimator) return 0;
    const gls_problem *p = estimator->problem;
    int64_t group = p->coupling == GLS_COUPLING_GROUPS ? p->coupling_group : 1;
    for (int64_t i = 0; i < estimator->groups; i++) {
        if (estimator->stage[i]->group == GLS_GROUP_WHOLE) return -1;
        if (estimator->stage[i]->group > group) group = estimator->stage[i]->group;
    }
    return group;
}

const char *gls_estimator_key(const gls_estimator *estimator) {
    if (!estimator) return NULL;
    return estimator->groups ? estimator->stage[estimator->groups - 1]->key : NULL;
}

gls_status gls_estimator_arrays(gls_estimator *estimator, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(estimator ? estimator->ctx : NULL, estimator, prefix, arrays);
    const struct {
        const char *name;
        double *data;
    } ledger[] = {{"ledger.seen", estimator->seen},
                  {"ledger.log_factor", estimator->log_factor},
                  {"ledger.norm", estimator->norm}};
    GLS_TRY(gls_arrays_add_state(estimator->ctx, arrays, prefix, "step", GLS_I64, 1, &estimator->step));
    GLS_TRY(gls_arrays_add_state(estimator->ctx, arrays, prefix, "mean_ratio", GLS_F64, 1, &estimator->mean_ratio));
    for (int i = 0; estimator->ledger && i < 3; i++) {
        GLS_TRY(gls_arrays_add_state(estimator->ctx, arrays, prefix, ledger[i].name, GLS_F64, estimator->examples,
                                     ledger[i].data));
    }
    return GLS_OK;
}

/* ---- one estimate ---- */

static double by_mass(void *user, const gls_pass_result *sums) {
    return 1 / sums->mass;
}

static gls_status plain_slice(void *user, gls_slice *slice) {
    return gls_ledger_slice(user, slice);
}

/* The mean or the sum over all rows, in one pass without groups. */
static gls_status plain(gls_making *making, bool mean, gls_real *g, bool ledger) {
    gls_pass_request request = {.w = making->w,
                                .rows = making->rows,
                                .want = making->want | GLS_WANT_GRADIENT,
                                .mode = GLS_MODE_TRAIN,
                                .g = g,
                                .exchange = making->exchange,
                                .user = making};
    if (mean) request.factor = by_mass;
    if (ledger) {
        request.want |= GLS_WANT_NORMS | GLS_WANT_SHARED;
        request.slice = plain_slice;
    }
    return gls_pass_run(making->pass, &request, &making->result);
}

typedef struct scaling {
    gls_real *g;
    double factor;
    int64_t n;
    double *norm2;
} scaling;

static gls_status scale_task(void *user, int64_t task, int worker) {
    const scaling *s = user;
    int64_t begin = task * GLS_CHUNK, n = gls_least(s->n - begin, GLS_CHUNK);
    gls_scale(s->g + begin, s->factor, n);
    return GLS_OK;
}

double gls_estimate_scale(gls_context *ctx, gls_real *g, double factor, int64_t n) {
    scaling s = {.g = g, .factor = factor, .n = n};
    if (gls_parallel(ctx, gls_parts(n, GLS_CHUNK), scale_task, &s) != GLS_OK) return NAN;
    return gls_team_sum_squares(ctx, g, n);
}

/* One group that holds the whole mini-batch: the plain mean, times the stages' factors. A stage that multiplies by the
 * smallest norm (rho) changes nothing here: it divides by the group's norm, and rho is that very norm. */
static gls_status one_group(gls_making *making, gls_record *record) {
    gls_estimator *e = making->e;
    GLS_TRY(plain(making, true, making->g, e->ledger));
    double total = 1, norm2 = making->result.norm2;
    making->smallest = INFINITY;
    GLS_TRY(gls_pass_room(e->ctx, &e->group_norm, &e->group_norm_room, 1, sizeof(double)));
    e->group_norm[0] = sqrt(norm2);
    for (int64_t i = 0; i < e->groups; i++) {
        const gls_stage *stage = e->stage[i];
        double factor = 1;
        GLS_TRY(gls_group_factor(making, stage, norm2 * total * total, &factor, making->sums, &making->smallest));
        if (stage->smallest && factor > 0) factor = 1;
        total *= factor;
    }
    if (total != 1) making->result.norm2 = gls_estimate_scale(e->ctx, making->g, total, gls_problem_size(e->problem));
    making->sums[GLS_SUM_GROUPS] = 1;
    if (e->ledger) gls_ledger_factor(making, 0, making->rows->rows, total);
    return gls_estimate_figures(making, making->smallest, record);
}

/* Whether every stage over groups sees the whole mini-batch and only multiplies. */
static bool is_one_group(const gls_making *making) {
    const gls_estimator *e = making->e;
    if (e->inner) return false;
    if (making->group == 0 ? e->sorted.all_cuts > 1 : making->group < making->rows->global_rows) return false;
    for (int64_t i = 0; i < e->groups; i++)
        if (!e->stage[i]->type->factor) return false;
    return true;
}

/* Noise on what the groups' vectors were combined to. Every rank adds the same numbers. */
typedef struct noising {
    gls_making *making;
    uint64_t draw;
    double deviation;
    int64_t n;
} noising;

static gls_status noise_task(void *user, int64_t task, int worker) {
    const noising *s = user;
    int64_t begin = task * GLS_CHUNK, end = gls_least(begin + GLS_CHUNK, s->n);
    gls_random random = gls_random_create(s->making->e->seed, "estimator noise", s->draw, (uint32_t)task);
    for (int64_t i = begin; i < end; i++) s->making->g[i] += (gls_real)(s->deviation * gls_random_normal(&random));
    return GLS_OK;
}

/* The number of the mini-batch's draw, which only its rows know: the rank with the first row tells it to all. */
static gls_status find_draw(gls_making *making, uint64_t *draw) {
    gls_batch first = {0};
    int64_t value = 0;
    gls_status status = GLS_OK;
    if (making->rows->rows > 0) status = making->rows->ops->get(making->rows, 0, 1, &first);
    if (making->rows->first == 0 && making->rows->rows > 0) value = (int64_t)first.draw;
    GLS_TRY(gls_comm_reduce_int64(making->e->ctx, GLS_SUM, &value, 1, status));
    *draw = (uint64_t)value;
    return GLS_OK;
}

/* One group, of norm at most the bound, moves the estimate by at most the bound over this: in a sum by its vector as it
 * is, in a mean by its share of the mass. The number of groups where all weigh the same. */
static double dilution(const gls_making *making) {
    bool whole = making->e->sum || making->one || !(making->largest > 0);
    return whole ? 1 : making->sums[GLS_SUM_MASS] / making->largest;
}

static gls_status add_noise(gls_making *making) {
    gls_estimator *e = making->e;
    noising s = {.making = making, .n = gls_problem_size(e->problem)};
    s.deviation = making->outer->noise / dilution(making);
    GLS_TRY(find_draw(making, &s.draw));
    GLS_TRY(gls_parallel(e->ctx, gls_parts(s.n, GLS_CHUNK), noise_task, &s));
    making->result.norm2 = gls_team_sum_squares(e->ctx, making->g, s.n);
    return GLS_OK;
}

/* |mean gradient|, by a pass of its own every ratio_every estimates. It comes before the pass that makes g, so that the
 * state's successors are those of the latter. */
static gls_status plain_norm(gls_making *making, double *norm) {
    gls_estimator *e = making->e;
    if (!e->plain) e->plain = gls_alloc(e->ctx, gls_problem_size(e->problem), sizeof(gls_real));
    if (!e->plain) return GLS_ERR_MEMORY;
    gls_making exact = *making;
    exact.exchange = NULL;
    GLS_TRY(plain(&exact, true, e->plain, false));
    *norm = sqrt(exact.result.norm2);
    return GLS_OK;
}

static void log_uneven(gls_making *making) {
    gls_estimator *e = making->e;
    int64_t group = making->group, rows = making->rows->global_rows;
    if (e->told || group == 0 || rows % group == 0 || group >= rows) return;
    e->told = true;
    gls_log(e->ctx, GLS_LOG_INFO,
            "%s: %lld does not divide the mini-batch of %lld rows: its last micro-batch has %lld and weighs %lld/%lld",
            making->outer->type->member.name, (long long)group, (long long)rows, (long long)(rows % group),
            (long long)(rows % group), (long long)rows);
}

/* Three cases: one group that only multiplies (a plain pass), groups of one size, groups by key (sorted rows). */
static gls_status grouped(gls_making *making, gls_record *record) {
    gls_estimator *e = making->e;
    making->outer = e->stage[e->groups - 1];
    if (making->outer->key) {
        GLS_TRY(gls_sorted_set(e->ctx, &e->sorted, making->rows, making->outer->key));
        making->rows = &e->sorted.stream.stream;
    } else {
        making->ranks = making->outer->group == GLS_GROUP_RANK && gls_comm_size(gls_context_comm(e->ctx)) > 1;
        if (!making->ranks) making->group = making->outer->group > 0 ? making->outer->group : making->rows->global_rows;
    }
    making->one = !making->ranks && is_one_group(making);
    double mean_norm = NAN;
    if (!making->one && e->ratio_every > 0 && e->step % e->ratio_every == 0) GLS_TRY(plain_norm(making, &mean_norm));
    log_uneven(making);
    if (making->one) {
        GLS_TRY(one_group(making, record));
    } else {
        GLS_TRY(making->ranks ? gls_estimate_ranks(making) : gls_estimate_groups(making));
        GLS_TRY(gls_estimate_figures(making, making->smallest, record));
    }
    if (!isnan(mean_norm)) e->mean_ratio = sqrt(making->result.norm2) / mean_norm;
    if (record && e->ratio_every > 0 && !making->one) gls_record_set(record, "mean_ratio", e->mean_ratio);
    return making->outer->noise > 0 ? add_noise(making) : GLS_OK;
}

gls_status gls_estimator_estimate(gls_estimator *estimator, gls_pass *pass, const gls_real *w, gls_stream *rows,
                                  unsigned want, gls_real *g, gls_estimate *out, gls_record *record) {
    GLS_GIVEN(NULL, estimator, pass, w, rows, out);
    gls_making making = {
        .e = estimator, .pass = pass, .rows = rows, .w = w, .want = want, .g = g, .exchange = estimator->exchange};
    if (estimator->ledger) GLS_TRY(gls_ledger_begin(&making));
    if (estimator->groups == 0)
        GLS_TRY(plain(&making, !estimator->sum, g, estimator->ledger));
    else
        GLS_TRY(grouped(&making, record));
    if (estimator->ledger) {
        bool smallest = making.outer && making.outer->smallest && !making.one;
        GLS_TRY(gls_ledger_end(&making, smallest ? making.smallest : 1, record));
    }
    const gls_pass_result *result = &making.result;
    *out = (gls_estimate){
        .loss = result->loss / result->mass, .mass = result->mass, .rows = result->rows, .norm2 = result->norm2};
    for (int i = 0; i < GLS_MAX_SCORES; i++) out->score[i] = result->score[i];
    for (int64_t i = estimator->groups; i < estimator->stages; i++)
        if (estimator->stage[i]->type->whole)
            GLS_TRY(estimator->stage[i]->type->whole(estimator->stage[i], g, out, record));
    estimator->step++;
    return GLS_OK;
}
