/* A monitor against the measures of the same gradients, and against sums written out here. */
#include "support.h"

static gls_context *ctx;
static const double precision = sizeof(gls_real) == 4 ? 1e-6 : 1e-12;

static gls_measure_result measured(const char *name, const rows *r) {
    gls_measure_matrix matrix = {r->g, N, D, true, 3};
    gls_measure *measure;
    gls_measure_result result;
    gls_measure_result_init(ctx, &result);
    GOOD(gls_measure_create(ctx, name, NULL, NULL, 0, 0, &measure));
    GOOD(gls_measure_run_matrix(measure, &matrix, &result));
    gls_measure_destroy(measure);
    return result;
}

static void same_estimate(const gls_measure_result *a, const char *name, const gls_measure_result *b,
                          const char *other) {
    const gls_figure *x = gls_measure_result_find(a, name), *y = gls_measure_result_find(b, other);
    assert_non_null(x);
    assert_non_null(y);
    NEAR(x->value[0], y->value[0], precision);
    if (isnan(y->low)) return;
    NEAR(x->low, y->low, precision);
    NEAR(x->high, y->high, precision);
}

/* Gradients as one matrix and in two blocks, and norms alone, against the measures of the matrix. */
static void one_look_is_what_the_measures_say(void **state) {
    rows r;
    double norm2[N];
    draw_rows(&r, 0);
    const gls_real *const whole[1] = {r.g}, *const parts[2] = {r.first, r.second};
    gls_measure_result diversity = measured("gradient_diversity", &r), scale = measured("noise_scale", &r);
    gls_measure_result test = measured("norm_test", &r);
    for (int blocks = 0; blocks < 3; blocks++) {
        gls_monitor *monitor = make_monitor(ctx, blocks, 0, NULL, NULL);
        gls_monitor_batch batch = {.count = N, .g = blocks == 1 ? whole : blocks == 2 ? parts : NULL};
        if (!blocks) {
            batch.norm2 = norm2;
            batch.mean_norm2 = norms_of(&r, norm2);
        }
        GOOD(gls_monitor_look(monitor, &batch));
        gls_monitor_report report;
        GOOD(gls_monitor_read(monitor, &report));
        const gls_measure_result *d = result_of(&report, "gradient_diversity"), *t = result_of(&report, "norm_test");
        NEAR(gls_measure_result_get(d, "batch_size_bound"), gls_measure_result_get(&diversity, "batch_size_bound"),
             precision);
        assert_null(gls_measure_result_find(d, "gradient_diversity")); /* n is not known */
        NEAR(gls_measure_result_get(t, "norm_test"), gls_measure_result_get(&test, "norm_test"), precision);
        NEAR(gls_measure_result_get(t, "norm_test_batch"), gls_measure_result_get(&test, "norm_test_batch"), precision);
        if (blocks) {
            same_estimate(d, "last_batch_size_bound", &diversity, "batch_size_bound");
            same_estimate(result_of(&report, "noise_scale"), "last_noise_scale", &scale, "noise_scale");
        }
        gls_monitor_report_clear(&report);
        gls_monitor_destroy(monitor);
    }
    gls_measure_result_clear(&diversity);
    gls_measure_result_clear(&scale);
    gls_measure_result_clear(&test);
}

/* Weighted sums over the looks of estimates by pairs of rows; the interval by Fieller from their weighted scatter. */
static void looks_are_smoothed_before_the_division(void **state) {
    enum { LOOKS = 7 };
    const double past = 0.6;
    gls_monitor *monitor = make_monitor(ctx, 1, 0, "smoothing", "0.6");
    double m2[LOOKS], u[LOOKS], weight = 0, weight2 = 0, a = 0, b = 0, va = 0, vb = 0, vab = 0;
    for (int look = 0; look < LOOKS; look++) {
        rows r;
        draw_rows(&r, look);
        m2[look] = u[look] = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                for (int k = 0; k < D; k++) {
                    double product = (double)r.g[i * D + k] * (double)r.g[j * D + k];
                    if (i == j) m2[look] += product / N;
                    if (i != j) u[look] += product / (N * (N - 1));
                }
        const gls_real *const g[1] = {r.g};
        GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){.count = N, .g = g}));
    }
    for (int look = 0; look < LOOKS; look++) {
        double w = pow(past, LOOKS - 1 - look);
        weight += w;
        weight2 += w * w;
        a += w * m2[look];
        b += w * u[look];
    }
    a /= weight;
    b /= weight;
    double effective = weight * weight / weight2;
    for (int look = 0; look < LOOKS; look++) {
        double w = pow(past, LOOKS - 1 - look) / weight / (effective - 1);
        va += w * (m2[look] - a) * (m2[look] - a);
        vb += w * (u[look] - b) * (u[look] - b);
        vab += w * (m2[look] - a) * (u[look] - b);
    }
    gls_record record;
    gls_monitor_record(monitor, &record);
    NEAR(gls_record_get(&record, "batch_size_bound"), a / b, precision);
    NEAR(gls_record_get(&record, "noise_scale"), a / b - 1, precision);
    /* The ends of Fieller's set are where (a - q b)^2 is t^2 times its variance; t of effective - 1 = 2.9 degrees. */
    const char *const ends[2] = {"batch_size_bound_low", "batch_size_bound_high"};
    for (int end = 0; end < 2; end++) {
        double q = gls_record_get(&record, ends[end]), variance = va - 2 * q * vab + q * q * vb;
        if (end == 0 && q == 1) continue; /* the bound is at least 1 */
        NEAR((a - q * b) * (a - q * b) / variance, 4.30265273 * 4.30265273, 1e-5);
    }
    NEAR(gls_record_get(&record, "looks"), LOOKS, 0);
    gls_monitor_destroy(monitor);
}

/* Micro-batches of three rows: M^2 and G of single examples from products of different groups alone. */
static void groups_say_what_single_examples_say(void **state) {
    enum { SIZE = 3, GROUPS = N / SIZE };
    rows r;
    draw_rows(&r, 1);
    double mean[GROUPS][D], norm2[GROUPS], total[D] = {0}, all2 = 0, a = 0, u = 0;
    memset(mean, 0, sizeof mean);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < D; k++) mean[i / SIZE][k] += (double)r.g[i * D + k] / SIZE;
    for (int i = 0; i < GROUPS; i++) {
        norm2[i] = 0;
        for (int k = 0; k < D; k++) {
            norm2[i] += mean[i][k] * mean[i][k];
            total[k] += mean[i][k] / GROUPS;
            for (int j = 0; j < GROUPS; j++)
                if (j != i) u += mean[i][k] * mean[j][k] / (GROUPS * (GROUPS - 1));
        }
        a += norm2[i] / GROUPS;
    }
    for (int k = 0; k < D; k++) all2 += total[k] * total[k];
    gls_monitor *monitor = make_monitor(ctx, 0, 0, NULL, NULL);
    GOOD(gls_monitor_look(monitor, &(gls_monitor_batch){GROUPS, SIZE, norm2, all2}));
    gls_record record;
    gls_monitor_record(monitor, &record);
    double trace = SIZE * (a - u); /* a = G + tr(Sigma) / SIZE, u = G */
    NEAR(gls_record_get(&record, "noise_scale"), trace / u, 1e-9);
    NEAR(gls_record_get(&record, "norm_test"), sqrt(trace / N / all2) / 0.9, 1e-9);
    gls_monitor_destroy(monitor);
}

/* Looks at most at a tenth of the plain cost, or every so many steps. */
static void cadence_follows_the_cost(void **state) {
    gls_monitor *monitor = make_monitor(ctx, 0, 0, "cost", "0.35");
    bool due;
    int looks = 0;
    for (int step = 0; step < 41; step++) {
        GOOD(gls_monitor_step(monitor, &due));
        assert_true(due == (step % 4 == 0));
        looks += due;
    }
    assert_int_equal(looks, 11);
    GOOD(gls_monitor_set(monitor, "every", 3));
    for (int step = 41; step < 60; step++) {
        GOOD(gls_monitor_step(monitor, &due));
        assert_true(due == (step >= 43 && (step - 43) % 3 == 0));
    }
    GOOD(gls_monitor_set(monitor, "every", 0));
    GOOD(gls_monitor_set(monitor, "cost", 0));
    for (int step = 0; step < 5; step++) GOOD(gls_monitor_step(monitor, &due));
    assert_true(due);
    GOOD(gls_monitor_set(monitor, "cost", 2)); /* of the look that has just been, which is to be paid for */
    for (int step = 1; step <= 20; step++) {
        GOOD(gls_monitor_step(monitor, &due));
        assert_true(due == (step == 20));
    }
    assert_int_equal(gls_monitor_set(monitor, "samples", 128), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_monitor_set(monitor, "smoothin", 0.5), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "smoothing"));
    gls_monitor_destroy(monitor);
}

/* ---- state ---- */

static void feed(gls_monitor *monitor, int from, int to) {
    for (int look = from; look < to; look++) {
        rows r;
        draw_rows(&r, look);
        bool due;
        double factor[N], loss[N];
        int64_t index[N];
        for (int i = 0; i < N; i++) {
            factor[i] = (i + look) % 5 ? 1 : 0.5;
            loss[i] = i;
            index[i] = (7 * i + look) % 50;
        }
        const gls_real *const g[2] = {r.first, r.second};
        GOOD(gls_monitor_step(monitor, &due));
        GOOD(gls_monitor_look(
            monitor, &(gls_monitor_batch){.count = N, .g = g, .factor = factor, .loss = loss, .index = index}));
        GOOD(gls_monitor_moved(monitor, &(gls_monitor_move){1 + look, 2, 3 + look, 0}));
    }
}

static char *all_of(gls_monitor *monitor) {
    gls_monitor_report report;
    char *json;
    GOOD(gls_monitor_read(monitor, &report));
    assert_int_equal(report.count, GLS_MONITOR_RESULTS);
    for (int64_t i = 0; i < report.count; i++) report.result[i].seconds = 0;
    GOOD(gls_measure_results_json(ctx, report.result, report.count, &json));
    gls_monitor_report_clear(&report);
    return json;
}

static void a_restored_monitor_goes_on_to_the_same_bits(void **state) {
    gls_monitor *whole = make_monitor(ctx, 2, 50, NULL, NULL), *first = make_monitor(ctx, 2, 50, NULL, NULL);
    gls_monitor *second = make_monitor(ctx, 2, 50, NULL, NULL);
    feed(whole, 0, 60);
    feed(first, 0, 23);
    gls_arrays from = {0}, to = {0};
    GOOD(gls_monitor_arrays(first, "monitor/", &from));
    GOOD(gls_monitor_arrays(second, "monitor/", &to));
    assert_int_equal(from.count, to.count);
    for (int64_t i = 0; i < from.count; i++) {
        int64_t size = 1;
        for (int k = 0; k < from.item[i].dims; k++) size *= from.item[i].shape[k];
        memcpy(to.item[i].data, from.item[i].data, (size_t)size * gls_dtype_size(from.item[i].dtype));
    }
    gls_arrays_clear(ctx, &from);
    gls_arrays_clear(ctx, &to);
    feed(second, 23, 60);
    char *expected = all_of(whole), *found = all_of(second);
    assert_string_equal(found, expected);
    gls_free(ctx, expected);
    gls_free(ctx, found);
    gls_monitor_destroy(whole);
    gls_monitor_destroy(first);
    gls_monitor_destroy(second);
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
        cmocka_unit_test(one_look_is_what_the_measures_say),
        cmocka_unit_test(looks_are_smoothed_before_the_division),
        cmocka_unit_test(groups_say_what_single_examples_say),
        cmocka_unit_test(cadence_follows_the_cost),
        cmocka_unit_test(a_restored_monitor_goes_on_to_the_same_bits),
    };
    return cmocka_run_group_tests(list, open_context, close_context);
}
