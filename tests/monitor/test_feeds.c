/* What else a monitor is fed: clip factors, steps, rows for the tail index, indices; and what it refuses. */
#include "support.h"

#include "base/noise.h"

static gls_context *ctx;

/* Two looks with shares 1/4 and 3/4, then a share that was always 0. */
static void clip_frequency_has_an_interval(void **state) {
    gls_monitor *monitor = make_monitor(ctx, 0, 0, "smoothing", "1");
    const double first[4] = {1, 1, 0.5, 1}, second[4] = {0.25, 0.5, 1, 0.75}, none[4] = {1, 1, 1, 1};
    const double unknown[4] = {NAN, 1, NAN, 0.5};
    gls_record record;
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = 4, .factor = first}));
    gls_monitor_record(monitor, &record);
    NEAR(gls_record_get(&record, "clip_frequency"), 0.25, 1e-12);
    assert_true(isnan(gls_record_get(&record, "clip_frequency_low"))); /* one look has no scatter */
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = 4, .factor = second}));
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = 4, .factor = unknown}));
    gls_monitor_record(monitor, &record);
    NEAR(gls_record_get(&record, "clip_frequency"), 0.5, 1e-12);
    /* Shares 1/4, 3/4, 1/2: deviations' squares 1/16 + 1/16 over 3; n = p (1 - p) 2 / that = 12; Wilson with t of 2. */
    double n = 12, t2 = 4.30265273 * 4.30265273;
    double middle = (0.5 + t2 / (2 * n)) / (1 + t2 / n),
           reach = sqrt(t2) / (1 + t2 / n) * sqrt(0.25 / n + t2 / (4 * n * n));
    NEAR(gls_record_get(&record, "clip_frequency_low"), middle - reach, 1e-9);
    NEAR(gls_record_get(&record, "clip_frequency_high"), middle + reach, 1e-9);
    gls_monitor_report report;
    GOOD(gls_monitor_read(monitor, &report));
    assert_int_equal(report.count, 1); /* norms were never given */
    NEAR(gls_measure_result_get(&report.result[0], "mean_factor"), (3.5 / 4 + 2.5 / 4 + 1.5 / 2) / 3, 1e-12);
    gls_monitor_report_clear(&report);
    gls_monitor_destroy(monitor);

    monitor = make_monitor(ctx, 0, 0, "smoothing", "1");
    for (int look = 0; look < 100; look++)
        GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = 4, .factor = none}));
    gls_monitor_record(monitor, &record);
    NEAR_ABS(gls_record_get(&record, "clip_frequency_low"), 0, 1e-12);
    double high = gls_record_get(&record, "clip_frequency_high");
    assert_true(high > 0.03 && high < 0.045); /* z^2 / (n + z^2) = 0.038 */
    gls_monitor_destroy(monitor);
}

/* A quadratic f = sum h_k w_k^2 / 2: the quotient is known; and the same with two mini-batches' noise on top. */
static void smoothness_is_the_quotient(void **state) {
    gls_monitor *monitor = make_monitor(ctx, 1, 0, NULL, NULL);
    gls_real w[D], next[D], g[D], g_next[D];
    for (int step = 0; step < 5; step++) {
        double change2 = 0, step2 = 0, norm2 = 0;
        for (int k = 0; k < D; k++) {
            double h = 1 + k;
            w[k] = (gls_real)(step + k);
            next[k] = (gls_real)(w[k] + (k % 2 ? 0.25f : -0.5f));
            g[k] = (gls_real)h * w[k];
            g_next[k] = (gls_real)h * next[k];
            step2 += pow((double)next[k] - (double)w[k], 2);
            change2 += pow((double)g_next[k] - (double)g[k], 2);
            norm2 += (double)g[k] * (double)g[k];
        }
        GOOD(gls_monitor_moved_by(monitor, w, next, g, g_next, 0));
        gls_record record;
        gls_monitor_record(monitor, &record);
        NEAR(gls_record_get(&record, "smoothness"), sqrt(change2 / step2), 1e-6);
        gls_monitor_report report;
        GOOD(gls_monitor_read(monitor, &report));
        const gls_figure *norms = gls_measure_result_find(result_of(&report, "smoothness"), "gradient_norms");
        assert_int_equal(norms->count, step + 1);
        NEAR(norms->value[step], sqrt(norm2), 1e-6);
        gls_monitor_report_clear(&report);
    }
    gls_monitor_destroy(monitor);
}

static void noise_of_different_batches_is_taken_off(void **state) {
    gls_monitor *monitor = make_monitor(ctx, 0, 0, NULL, NULL);
    gls_monitor_move move = {.step_norm2 = 4, .change_norm2 = 10, .gradient_norm2 = 7, .examples = 5};
    assert_int_equal(gls_monitor_moved(monitor, &move), GLS_ERR_ARGUMENT); /* the noise is not known yet */
    const double norm2[2] = {9, 11};
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){2, 1, norm2, 5})); /* tr(Sigma) = (10 - 5) 2 / 1 = 10 */
    GOOD(gls_monitor_moved(monitor, &move));
    gls_record record;
    gls_monitor_record(monitor, &record);
    NEAR(gls_record_get(&record, "smoothness"), sqrt((10 - 4.0) / 4), 1e-12);
    move.change_norm2 = 3; /* less than the noise */
    GOOD(gls_monitor_moved(monitor, &move));
    gls_monitor_report report;
    GOOD(gls_monitor_read(monitor, &report));
    const gls_measure_result *r = result_of(&report, "smoothness");
    NEAR(gls_measure_result_get(r, "refused_moves"), 1, 0);
    NEAR(gls_measure_result_find(r, "gradient_norms")->value[0], sqrt(7 - 2.0), 1e-12);
    gls_monitor_report_clear(&report);
    gls_monitor_destroy(monitor);
}

/* Stable rows of index 1.5, with a mean that moves from look to look: what all rows say together with one mean. */
static void tail_index_is_that_of_the_rows(void **state) {
    enum { LOOKS = 40 };
    static gls_real all[LOOKS * N * D];
    gls_monitor *monitor = make_monitor(ctx, 1, 0, NULL, NULL);
    gls_random random = gls_random_create(2, "stable", 0, 0);
    for (int look = 0; look < LOOKS; look++) {
        gls_real g[N * D];
        for (int i = 0; i < N * D; i++) {
            double x = gls_draw_stable(&random, 1.5);
            all[look * N * D + i] = (gls_real)x;
            g[i] = (gls_real)(all[look * N * D + i] + (gls_real)(look / 8));
        }
        const gls_real *const block[1] = {g};
        GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = N, .g = block}));
    }
    gls_measure_matrix matrix = {all, LOOKS * N, D, true, 3};
    gls_measure *measure;
    gls_measure_result expected;
    gls_measure_result_init(ctx, &expected);
    GOOD(gls_measure_create(ctx, "tail_index", NULL, NULL, 0, 0, &measure));
    GOOD(gls_measure_run_matrix(measure, &matrix, &expected));
    gls_monitor_report report;
    GOOD(gls_monitor_read(monitor, &report));
    const gls_measure_result *r = result_of(&report, "tail_index");
    const double rounding = sizeof(gls_real) == 4 ? 1e-4 : 1e-9; /* of the moved mean */
    NEAR(gls_measure_result_get(r, "tail_index_4_32"), gls_measure_result_get(&expected, "tail_index_4_32"), rounding);
    const gls_figure *index = gls_measure_result_find(r, "tail_index");
    assert_true(index->low < 1.5 && 1.5 < index->high && index->high < 1.9);
    assert_null(gls_measure_result_find(r, "hill_index")); /* needs one mean */
    assert_int_equal(r->sample, LOOKS * N);
    gls_monitor_report_clear(&report);
    gls_measure_result_clear(&expected);
    gls_measure_destroy(measure);
    gls_monitor_destroy(monitor);
}

/* Of more rows than are kept the newest count. */
static void tail_index_forgets_the_oldest_rows(void **state) {
    gls_monitor *monitor = make_monitor(ctx, 1, 0, "samples", "64");
    for (int look = 0; look < 6; look++) {
        rows r;
        draw_rows(&r, look);
        for (int i = 0; i < N * D && look < 3; i++) r.g[i] = 0; /* forgotten: else most coordinates were 0 */
        const gls_real *const g[1] = {r.g};
        GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = N, .g = g}));
    }
    gls_monitor_report report;
    GOOD(gls_monitor_read(monitor, &report));
    const gls_measure_result *r = result_of(&report, "tail_index");
    assert_int_equal(r->sample, 64);
    NEAR(gls_measure_result_get(r, "coordinates"), D, 0);
    NEAR(gls_measure_result_get(r, "sparse_coordinates"), 0, 0);
    assert_true(gls_measure_result_get(r, "tail_index_1_8") > 1);
    gls_monitor_report_clear(&report);
    gls_monitor_destroy(monitor);
}

static void suspects_are_named(void **state) {
    gls_monitor *monitor = make_monitor(ctx, 0, 10, "list", "3");
    const int64_t index[4] = {7, 2, 9, 4}, again[4] = {2, 7, 0, 1};
    const double norm2[4] = {1, 16, 4, 9}, norm2_again[4] = {4, 1, 1, 1}, loss[4] = {5, 6, 7, 8};
    const double factor[4] = {1, 0.25, 0.5, 1}, factor_again[4] = {0.5, 1, 1, 1};
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){4, 1, norm2, 2, .index = index, .loss = loss}));
    gls_monitor_report report;
    GOOD(gls_monitor_read(monitor, &report));
    const gls_figure *who = gls_measure_result_find(result_of(&report, "dragger"), "suspects");
    const double by_norm[3] = {2, 4, 9}; /* nothing was clipped */
    for (int i = 0; i < 3; i++) NEAR(who->value[i], by_norm[i], 0);
    NEAR(gls_measure_result_find(result_of(&report, "dragger"), "suspect_losses")->value[0], 6, 0);
    gls_monitor_report_clear(&report);
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){4, 1, norm2, 2, .index = index, .factor = factor}));
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){4, 1, norm2_again, 1, .index = again, .factor = factor_again}));
    GOOD(gls_monitor_read(monitor, &report));
    const gls_measure_result *r = result_of(&report, "dragger");
    who = gls_measure_result_find(r, "suspects");
    NEAR(who->value[0], 2, 0);
    NEAR(who->value[1], 9, 0);
    NEAR(gls_measure_result_find(r, "suspect_log_factors")->value[0], (log(0.25) + log(0.5)) / 3, 1e-12);
    NEAR(gls_measure_result_find(r, "suspect_norms")->value[0], (4 + 4 + 2) / 3.0, 1e-12);
    gls_monitor_report_clear(&report);
    gls_monitor_destroy(monitor);
}

static void refuses(gls_monitor *monitor, gls_monitor_batch batch, const char *words) {
    assert_int_equal(gls_monitor_look(monitor, &batch), GLS_ERR_ARGUMENT);
    if (!strstr(gls_context_message(ctx), words)) fail_msg("'%s' lacks '%s'", gls_context_message(ctx), words);
}

static void bad_input_is_refused(void **state) {
    gls_monitor *norms = make_monitor(ctx, 0, 0, NULL, NULL), *set = make_monitor(ctx, 1, 10, NULL, NULL);
    const double norm2[2] = {1, 4}, negative[2] = {1, -1}, infinite[2] = {1, INFINITY};
    const int64_t index[2] = {3, 10};
    const gls_real g[2 * D] = {1};
    const gls_real *const block[1] = {g};
    refuses(norms, (gls_monitor_batch){.count = 2}, "needs norms");
    refuses(norms, (gls_monitor_batch){1, 8, norm2, 1}, "at least two");
    refuses(norms, (gls_monitor_batch){0, 1, norm2, 1}, "at least one");
    refuses(norms, (gls_monitor_batch){2, 1, negative, 1}, "norm of group 1 is -1");
    refuses(norms, (gls_monitor_batch){2, 1, norm2, -1}, "mean");
    refuses(norms, (gls_monitor_batch){2, 1, norm2, 4.2}, "not that of the sum");
    refuses(norms, (gls_monitor_batch){2, -3, norm2, 1}, "2 groups of -3 examples");
    refuses(norms, (gls_monitor_batch){2, 1, .factor = infinite}, "factor of group 1 is inf");
    refuses(norms, (gls_monitor_batch){2, 1, NULL, 0, .g = block}, "without a layout");
    refuses(norms, (gls_monitor_batch){2, 1, norm2, 1, .index = index}, "number of examples");
    refuses(norms, (gls_monitor_batch){2, 1, .factor = negative}, "factor of group 1");
    refuses(set, (gls_monitor_batch){2, 1, norm2, 1, .index = index}, "index 10 of row 1: expected one from 0 to 9");
    refuses(set, (gls_monitor_batch){2, 1, norm2, 1, .g = block}, "one of both");
    gls_record record;
    GOOD(gls_monitor_look(norms, &(gls_monitor_batch){2, 1, infinite, 1}));
    gls_monitor_record(norms, &record);
    NEAR(gls_record_get(&record, "looks"), 0, 0);
    NEAR(gls_record_get(&record, "refused_looks"), 1, 0);
    assert_true(isnan(gls_record_get(&record, "noise_scale")));
    gls_monitor_report report;
    GOOD(gls_monitor_read(norms, &report));
    assert_int_equal(report.count, 0);
    gls_monitor_report_clear(&report);
    gls_monitor_destroy(norms);
    gls_monitor_destroy(set);
    gls_monitor *none;
    gls_monitor_options options = {.size = 1};
    assert_int_equal(gls_monitor_create(ctx, &options, &none), GLS_ERR_ARGUMENT);
    assert_null(none);
}

/* A state is numbers from a file. Those that count places in a ring are no places before they were looked at. */
static void no_state_reaches_beyond_a_ring(void **state) {
    static const double wrong[] = {-7, -1e15, 9e18, NAN, INFINITY};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        gls_monitor *monitor = make_monitor(ctx, 1, 0, "samples", "64");
        gls_arrays arrays = {0};
        GOOD(gls_monitor_arrays(monitor, "", &arrays));
        int found = 0;
        for (int64_t i = 0; i < arrays.count; i++) {
            if (strstr(arrays.item[i].name, "series")) found++, *(double *)arrays.item[i].data = wrong[k];
            if (strstr(arrays.item[i].name, "tail_added") && isfinite(wrong[k]))
                found++, *(int64_t *)arrays.item[i].data = (int64_t)wrong[k];
        }
        assert_int_equal(found, isfinite(wrong[k]) ? 2 : 1);
        gls_arrays_clear(ctx, &arrays);
        rows r;
        draw_rows(&r, 0);
        const gls_real *const g[1] = {r.g};
        GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = N, .g = g}));
        GOOD(gls_monitor_moved(monitor, &(gls_monitor_move){1, 4, 1, 0}));
        gls_monitor_report report;
        GOOD(gls_monitor_read(monitor, &report));
        assert_int_equal(result_of(&report, "tail_index")->sample, N);
        const gls_measure_result *smoothness = result_of(&report, "smoothness");
        assert_int_equal(gls_measure_result_find(smoothness, "gradient_norms")->count, 1);
        NEAR(gls_measure_result_get(smoothness, "smoothness"), 2, 1e-12);
        gls_monitor_report_clear(&report);
        gls_monitor_destroy(monitor);
    }
}

static int open_context(void **state) {
    ctx = make_context();
    return 0;
}
static int close_context(void **state) {
    gls_context_destroy(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(clip_frequency_has_an_interval),
        cmocka_unit_test(smoothness_is_the_quotient),
        cmocka_unit_test(noise_of_different_batches_is_taken_off),
        cmocka_unit_test(tail_index_is_that_of_the_rows),
        cmocka_unit_test(tail_index_forgets_the_oldest_rows),
        cmocka_unit_test(suspects_are_named),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(no_state_reaches_beyond_a_ring),
    };
    return cmocka_run_group_tests(list, open_context, close_context);
}
