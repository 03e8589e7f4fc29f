/* What a monitor is fed: mini-batches of groups, and steps. */
#include "base/kernels.h"
#include "monitor/monitor.h"

#include <math.h>

static gls_status bad(gls_monitor *m, const char *what, int64_t i, double value, const char *expected) {
    return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: %s %lld is %g: expected %s", what, (long long)i, value,
                    expected);
}

static gls_status check_numbers(gls_monitor *m, const gls_monitor_batch *b, int64_t group) {
    for (int64_t j = 0; b->norm2 && j < b->count; j++)
        if (b->norm2[j] < 0) return bad(m, "squared norm of group", j, b->norm2[j], "a number that is not negative");
    for (int64_t j = 0; b->factor && j < b->count; j++)
        if (b->factor[j] < 0 || isinf(b->factor[j]))
            return bad(m, "clip factor of group", j, b->factor[j], "a finite number that is not negative");
    for (int64_t i = 0; b->index && i < b->count * group; i++)
        if (b->index[i] < 0 || b->index[i] >= m->examples)
            return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: index %lld of row %lld: expected one from 0 to %lld",
                            (long long)b->index[i], (long long)i, (long long)m->examples - 1);
    return GLS_OK;
}

/* No mean is longer than the longest of its parts; the sum of the groups, taken for their mean, is. Norms in half
 * precision are off by less than a hundredth. */
static gls_status check_mean(gls_monitor *m, const gls_monitor_batch *b) {
    double longest = 0;
    for (int64_t j = 0; j < b->count; j++) longest = fmax(longest, b->norm2[j]);
    if (!(b->mean_norm2 > longest * 1.01 * 1.01) || isinf(b->mean_norm2)) return GLS_OK;
    for (int64_t j = 0; j < b->count; j++)
        if (!isfinite(b->norm2[j])) return GLS_OK;
    return gls_fail(m->ctx, GLS_ERR_ARGUMENT,
                    "monitor: the mean of all groups has norm %g and none of them more than %g: expected the norm of "
                    "the mean, not that of the sum",
                    sqrt(b->mean_norm2), sqrt(longest));
}

static gls_status check(gls_monitor *m, const gls_monitor_batch *b, int64_t group) {
    if (!b->norm2 && !b->g && !b->factor)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: a look needs norms, gradients or clip factors");
    if (b->count < 1 || b->group < 0)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: %lld groups of %lld examples: expected at least one of one",
                        (long long)b->count, (long long)(b->group < 0 ? b->group : group));
    if (b->norm2 && b->g)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT,
                        "monitor: norms come from the gradients where these are given: expected "
                        "one of both");
    if (((b->norm2 && !isnan(b->mean_norm2)) || b->g) && b->count < 2)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT,
                        "monitor: one mean gradient says nothing about its noise: expected "
                        "at least two examples, micro-batches or ranks");
    if (b->g && !m->blocks)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: gradients were given, but it was made without a layout");
    if (b->index && !m->examples)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: indices were given, but not the number of examples");
    if (b->norm2 && b->mean_norm2 < 0)
        return bad(m, "squared norm of the mean", 0, b->mean_norm2, "no negative number");
    GLS_TRY(check_numbers(m, b, group));
    return b->norm2 ? check_mean(m, b) : GLS_OK;
}

/* ---- norms ---- */

/* Of groups' gradients: squared norms a, products c with the sum of all, its squared norm; sum and part are scratch. */
static void add_blocks(const gls_monitor *m, const gls_monitor_batch *b, double *a, double *c, double *norm2_sum,
                       double *sum, double *part) {
    double *a_part = part, *c_part = part + b->count;
    *norm2_sum = 0;
    for (int64_t k = 0; k < m->blocks; k++) {
        gls_measure_matrix matrix = {.g = b->g[k], .n = b->count, .d = m->block_size[k]};
        double norm2;
        gls_moments_matrix(&matrix, sum, a_part, c_part, &norm2);
        *norm2_sum += norm2;
        for (int64_t j = 0; j < b->count; j++) {
            a[j] += a_part[j];
            c[j] += c_part[j];
        }
    }
}

static void keep_last(gls_monitor *m, const gls_moments *moments) {
    const double last[GLS_MONITOR_LAST] = {(double)moments->rows, moments->m2,  moments->g,    moments->v_m2,
                                           moments->v_g,          moments->v_x, moments->exact};
    for (int i = 0; i < GLS_MONITOR_LAST; i++) m->last[i] = last[i];
}

static void take_suspects(gls_monitor *m, const gls_monitor_batch *b, int64_t group, const double *norm2) {
    gls_suspicion *s = &m->suspects;
    for (int64_t i = 0; b->index && i < b->count * group; i++) {
        int64_t at = b->index[i], j = i / group;
        s->seen[at] += 1;
        s->norm[at] += norm2 ? sqrt(norm2[j]) : NAN;
        s->loss[at] += b->loss ? b->loss[j] : NAN;
        if (b->factor && b->factor[j] > 0) s->log_factor[at] += log(b->factor[j]);
    }
}

/* Norms of the groups, and of their mean, which may be unknown (NaN); false where one is not finite. */
static bool take_norms(gls_monitor *m, const gls_monitor_batch *b, int64_t group, const double *a, double mean_norm2) {
    double sum = 0;
    for (int64_t j = 0; j < b->count; j++) sum += a[j];
    if (!isfinite(sum) || isinf(mean_norm2)) return false;
    if (isnan(mean_norm2)) return true;
    double mean = sum / (double)b->count;
    gls_pair_take(&m->pair, b->count, group, mean, mean_norm2, m->examples, m->counters.steps);
    m->test = gls_moments_test_take(&m->tests, m->settings->smoothing, m->settings->theta, b->count, group, mean,
                                    mean_norm2, m->examples);
    return true;
}

static bool take_gradients(gls_monitor *m, const gls_monitor_batch *b, int64_t group, double *a, double *c,
                           double norm2_sum) {
    double count = (double)b->count;
    if (!take_norms(m, b, group, a, norm2_sum / count / count)) return false;
    gls_moments moments;
    gls_moments_rows(b->count, group, a, c, norm2_sum, m->examples, &moments);
    keep_last(m, &moments);
    gls_monitor_tail_take(m, b->count, b->g);
    return true;
}

/* What does not need the norms. */
static void finish(gls_monitor *m, const gls_monitor_batch *b, int64_t group, const double *norm2, bool taken) {
    if (!taken) {
        m->counters.refused_looks++;
        return;
    }
    m->counters.looks++;
    if (b->factor) gls_monitor_clips_take(&m->clips, m->settings->smoothing, b->count, b->factor);
    take_suspects(m, b, group, norm2);
}

static gls_status look_at_gradients(gls_monitor *m, const gls_monitor_batch *b, int64_t group) {
    double *work = gls_alloc(m->ctx, 4 * b->count, sizeof *work), *sum = gls_alloc(m->ctx, m->largest, sizeof *sum);
    gls_status status = work && sum ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        double *a = work, *c = work + b->count, norm2_sum;
        add_blocks(m, b, a, c, &norm2_sum, sum, work + 2 * b->count);
        finish(m, b, group, a, take_gradients(m, b, group, a, c, norm2_sum));
    }
    gls_free(m->ctx, work);
    gls_free(m->ctx, sum);
    return status;
}

gls_status gls_monitor_look(gls_monitor *m, const gls_monitor_batch *batch) {
    GLS_GIVEN(m ? m->ctx : NULL, m, batch);
    int64_t group = batch->group > 1 ? batch->group : 1;
    GLS_TRY(check(m, batch, group));
    if (batch->g) return look_at_gradients(m, batch, group);
    bool taken = !batch->norm2 || take_norms(m, batch, group, batch->norm2, batch->mean_norm2);
    finish(m, batch, group, batch->norm2, taken);
    return GLS_OK;
}

/* ---- steps ---- */

gls_status gls_monitor_moved(gls_monitor *m, const gls_monitor_move *move) {
    GLS_GIVEN(m ? m->ctx : NULL, m, move);
    double change2 = move->change_norm2, norm2 = move->gradient_norm2, step2 = move->step_norm2;
    if (change2 < 0 || norm2 < 0 || step2 < 0 || move->examples < 0)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: a step has a negative norm or number of examples");
    if (move->examples > 0) {
        if (!(m->tests.weight > 0))
            return gls_fail(
                m->ctx, GLS_ERR_ARGUMENT,
                "monitor: gradients of different mini-batches can be compared after a look with norms only");
        double noise2 = m->tests.trace / (double)move->examples;
        change2 -= 2 * noise2;
        norm2 -= noise2;
    }
    if (step2 > 0 && change2 >= 0 && norm2 > 0 && isfinite(change2 / step2) && isfinite(norm2))
        gls_series_add(m->moves, sqrt(norm2), sqrt(change2 / step2));
    else
        m->counters.refused_moves++;
    return GLS_OK;
}

gls_status gls_monitor_moved_by(gls_monitor *m, const gls_real *w, const gls_real *w_next, const gls_real *g,
                                const gls_real *g_next, int64_t examples) {
    GLS_GIVEN(m ? m->ctx : NULL, m, w, w_next, g, g_next);
    if (!m->blocks)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "monitor: vectors were given, but it was made without a layout");
    gls_monitor_move move = {.step_norm2 = gls_distance_squares(w_next, w, m->parameters),
                             .change_norm2 = gls_distance_squares(g_next, g, m->parameters),
                             .gradient_norm2 = gls_team_sum_squares(m->ctx, g, m->parameters),
                             .examples = examples};
    return gls_monitor_moved(m, &move);
}
