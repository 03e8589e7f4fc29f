/* What a monitor knows, in the words of the measures. */
#include "base/clock.h"
#include "monitor/monitor.h"

#include <math.h>
#include <string.h>

/* Of the last look alone, where its inner products are known. */
static gls_status report_last(const gls_monitor *m, const char *name, double less, gls_measure_result *out) {
    if (!(m->last[0] > 0)) return GLS_OK;
    gls_moments moments = {.rows = (int64_t)m->last[0],
                           .m2 = m->last[1],
                           .g = m->last[2],
                           .v_m2 = m->last[3],
                           .v_g = m->last[4],
                           .v_x = m->last[5],
                           .exact = m->last[6] > 0};
    double bound;
    gls_interval interval;
    gls_moments_bound(&moments, &bound, &interval);
    return gls_measure_result_estimate(out, name, "examples", bound - less, interval.low - less, interval.high - less);
}

static gls_status report_diversity(const gls_monitor *m, gls_measure_result *out) {
    out->sample = (int64_t)m->pair.running.examples;
    GLS_TRY(gls_pair_report(&m->pair, &gls_pair_diversity_words, m->examples, out));
    return report_last(m, "last_batch_size_bound", 0, out);
}

static gls_status report_scale(const gls_monitor *m, gls_measure_result *out) {
    out->sample = (int64_t)m->pair.running.examples;
    GLS_TRY(gls_pair_report(&m->pair, &gls_pair_scale_words, m->examples, out));
    return report_last(m, "last_noise_scale", 1, out);
}

static gls_status report_norm_test(const gls_monitor *m, gls_measure_result *out) {
    out->sample = (int64_t)m->test.batch;
    return gls_moments_test_report(&m->tests, &m->test, m->settings->theta, out);
}

static gls_status report_clips(const gls_monitor *m, gls_measure_result *out) {
    gls_interval interval = gls_monitor_clips_interval(&m->clips);
    GLS_TRY(gls_measure_result_estimate(out, "clip_frequency", "", m->clips.share, interval.low, interval.high));
    GLS_TRY(gls_measure_result_headline(out, "clip_frequency"));
    GLS_TRY(gls_measure_result_number(out, "mean_factor", "", m->clips.factor));
    GLS_TRY(gls_measure_result_number(out, "last_clip_share", "", m->clips.last));
    return gls_measure_result_number(out, "smoothed_over", "looks", m->clips.looks);
}

static gls_status report_smoothness(const gls_monitor *m, gls_measure_result *out) {
    GLS_TRY(gls_measure_result_number(out, "smoothness", "1/lr", gls_series_last(m->moves)));
    GLS_TRY(gls_measure_result_headline(out, "smoothness"));
    GLS_TRY(gls_measure_result_number(out, "refused_moves", "steps", (double)m->counters.refused_moves));
    return gls_series_report_smoothness(m->moves, out);
}

static gls_status report_suspects(const gls_monitor *m, gls_measure_result *out) {
    return gls_suspicion_report_list(&m->suspects, gls_suspicion_best(&m->suspects), m->settings->list, NULL, out);
}

static bool has_suspects(const gls_monitor *m) {
    for (int64_t i = 0; i < m->examples; i++)
        if (m->suspects.seen[i] > 0) return true;
    return false;
}

static gls_status add(gls_monitor *m, gls_monitor_report *to, const char *name, bool known, int64_t population,
                      gls_status (*report)(const gls_monitor *, gls_measure_result *)) {
    if (!known) return GLS_OK;
    gls_measure_result *out = &to->result[to->count++];
    double begin = gls_seconds();
    gls_measure_result_init(m->ctx, out);
    out->measure = name;
    out->population = population;
    gls_status status = report(m, out);
    out->seconds = gls_seconds() - begin;
    return status;
}

static gls_status read_all(gls_monitor *m, gls_monitor_report *to) {
    bool norms = m->pair.running.updates > 0;
    GLS_TRY(add(m, to, "gradient_diversity", norms, m->examples, report_diversity));
    GLS_TRY(add(m, to, "noise_scale", norms, m->examples, report_scale));
    GLS_TRY(add(m, to, "norm_test", m->tests.tests > 0, m->examples, report_norm_test));
    GLS_TRY(add(m, to, "tail_index", m->tail.added > 0, m->examples, gls_monitor_tail_report));
    GLS_TRY(add(m, to, "clip_frequency", m->clips.looks > 0, 0, report_clips));
    GLS_TRY(add(m, to, "smoothness", m->moves->added > 0, 0, report_smoothness));
    return add(m, to, "dragger", has_suspects(m), m->examples, report_suspects);
}

gls_status gls_monitor_read(gls_monitor *m, gls_monitor_report *out) {
    GLS_GIVEN(m ? m->ctx : NULL, m, out);
    memset(out, 0, sizeof *out);
    gls_status status = read_all(m, out);
    if (status != GLS_OK) gls_monitor_report_clear(out);
    return status;
}

void gls_monitor_report_clear(gls_monitor_report *report) {
    if (!report) return;
    for (int64_t i = 0; i < report->count; i++) gls_measure_result_clear(&report->result[i]);
    report->count = 0;
}

static void record_bound(const gls_monitor *m, gls_record *to) {
    double diversity, bound, low, high;
    gls_diversity_read(&m->pair.running, m->examples, &diversity, &bound, &low, &high);
    gls_record_set(to, "noise_scale", bound - 1);
    gls_record_set(to, "noise_scale_low", low - 1);
    gls_record_set(to, "noise_scale_high", high - 1);
    gls_record_set(to, "batch_size_bound", bound);
    gls_record_set(to, "batch_size_bound_low", low);
    gls_record_set(to, "batch_size_bound_high", high);
    gls_record_set(to, "gradient_diversity", diversity);
}

static void record_test(const gls_monitor *m, gls_record *to) {
    const gls_moments_test *t = &m->test;
    double theta = m->settings->theta;
    gls_record_set(to, "norm_test", sqrt(t->trace * t->left / t->batch / t->norm2) / theta);
    gls_record_set(to, "norm_test_batch", m->tests.trace / (theta * theta * m->tests.norm2));
}

void gls_monitor_record(const gls_monitor *m, gls_record *record) {
    if (!m || !record) return;
    gls_interval clips = gls_monitor_clips_interval(&m->clips);
    gls_record_clear(record);
    record_bound(m, record);
    record_test(m, record);
    gls_record_set(record, "clip_frequency", m->clips.looks > 0 ? m->clips.share : NAN);
    gls_record_set(record, "clip_frequency_low", clips.low);
    gls_record_set(record, "clip_frequency_high", clips.high);
    gls_record_set(record, "smoothness", gls_series_last(m->moves));
    gls_record_set(record, "looks", (double)m->counters.looks);
    gls_record_set(record, "refused_looks", (double)m->counters.refused_looks);
}
