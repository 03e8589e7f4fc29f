/* singd and ingd, which ask elsewhere than at w. */
#include "support.h"

#include "base/kernels.h"

/* f(x) = max_i |x_i - c_i| + |x_0|/2 in 6 dimensions: Lipschitz with 1.5, nowhere smooth where it matters. The oracle
 * gives a gradient with <g, direction> = f'(x; direction) wherever f is differentiable (almost everywhere). */
enum { D = 6 };
static const double center[D] = {0.3, -0.2, 0.5, 0.1, -0.4, 0.25};

static double objective(const gls_real *x, gls_real *g) {
    int top = 0;
    for (int i = 1; i < D; i++)
        if (fabs((double)x[i] - center[i]) > fabs((double)x[top] - center[top])) top = i;
    double value = fabs((double)x[top] - center[top]) + fabs((double)x[0]) / 2;
    if (!g) return value;
    for (int i = 0; i < D; i++) g[i] = 0;
    g[top] = (double)x[top] > center[top] ? 1 : -1;
    g[0] += (double)x[0] > 0 ? (gls_real)0.5 : (gls_real)-0.5;
    return value;
}

typedef struct counts {
    int64_t values, gradients;
} counts;

static bool advance(gls_context *ctx, gls_method *method, gls_real *w, counts *asked) {
    gls_query query;
    gls_real g[D];
    assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
    if (query.kind == GLS_QUERY_DONE) return false;
    bool value = query.kind == GLS_QUERY_VALUE;
    assert_true(query.same_batch == (asked->values + asked->gradients > 0));
    gls_answer answer = {.value = objective(query.at, value ? NULL : g), .g = value ? NULL : g, .norm2 = NAN};
    asked->values += value || !query.direction;
    asked->gradients += !value;
    gls_step_report report;
    if (gls_method_tell(method, &answer, w, &report) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    return true;
}

/* The certificate, from its points alone: all within delta, weights of a mean, a combination shorter than eps. */
static void check_certificate(const gls_certificate *c, const gls_real *w) {
    double total = 0, m[D] = {0}, norm2 = 0;
    assert_true(c->count > 0);
    for (int64_t j = 0; j < c->count; j++) {
        const gls_real *point = c->points + j * D;
        double far2 = 0;
        gls_real g[D];
        objective(point, g);
        for (int i = 0; i < D; i++) {
            far2 += pow((double)point[i] - (double)w[i], 2);
            m[i] += c->weights[j] * (double)g[i];
        }
        assert_true(sqrt(far2) <= c->delta * (1 + 1e-5));
        assert_true(c->weights[j] >= 0);
        total += c->weights[j];
    }
    for (int i = 0; i < D; i++) norm2 += m[i] * m[i];
    assert_true(fabs(total - 1) < 1e-9);
    assert_true(sqrt(norm2) <= c->eps * (1 + 1e-4));
    assert_true(fabs(sqrt(norm2) - c->norm) < 1e-4);
}

static void ingd_gives_a_certificate(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, D);
    for (int seed = 0; seed < 5; seed++) {
        gls_method *method = make_method(ctx, layout, "{name: ingd, delta: 0.05, eps: 0.15, L: 1.5, gap: 5}");
        gls_real w[D];
        counts asked = {0};
        for (int i = 0; i < D; i++) w[i] = (gls_real)(seed + 1 - i * 0.37);
        gls_certificate certificate;
        assert_int_equal(gls_method_certificate(method, &certificate), GLS_ERR_UNSUPPORTED);
        double start = objective(w, NULL);
        while (advance(ctx, method, w, &asked)) assert_true(asked.values < 100000);
        assert_int_equal(gls_method_certificate(method, &certificate), GLS_OK);
        check_certificate(&certificate, w);
        assert_true(objective(w, NULL) < start);
        gls_record record;
        gls_record_clear(&record);
        gls_method_record(method, &record);
        assert_true(gls_record_get(&record, "values") == (double)asked.values);
        assert_true(gls_record_get(&record, "gradients") == (double)asked.gradients);
        assert_true(gls_record_get(&record, "accepted") <= 4 * 5 / (0.15 * 0.05));
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* Lemma 5.7.2, E|m_k|^2 <= 3 L^2/(k + 2) along an unbroken search: mean over searches at the kink of f, where no step
 * descends enough. */
static void ingd_shrinks_as_the_lemma_says(void **state) {
    enum { SEARCHES = 200, TRIES = 40 };
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, D);
    double mean[TRIES + 1] = {0};
    int64_t count[TRIES + 1] = {0};
    for (int s = 0; s < SEARCHES; s++) {
        char spec[200];
        snprintf(spec, sizeof spec, "{name: ingd, delta: 0.05, eps: 1e-9, L: 1.5, gap: 1e9, K: %d}", TRIES);
        gls_value *value = yaml(ctx, spec);
        gls_method_options options = {.size = sizeof options, .layout = layout, .spec = value, .seed = (uint64_t)s + 1};
        gls_method *method;
        assert_int_equal(gls_method_create(ctx, &options, &method), GLS_OK);
        gls_value_destroy(ctx, value);
        gls_real w[D];
        counts asked = {0};
        for (int i = 0; i < D; i++) w[i] = (gls_real)center[i];
        for (int t = 0; t < 2 * TRIES; t++) {
            if (!advance(ctx, method, w, &asked)) break;
            gls_record record;
            gls_record_clear(&record);
            gls_method_record(method, &record);
            int64_t k = (int64_t)gls_record_get(&record, "search");
            if (gls_record_get(&record, "accepted") > 0 || gls_record_get(&record, "restarts") > 0) break;
            if (k < 1 || k > TRIES || count[k] > s) continue;
            mean[k] += pow(gls_record_get(&record, "m_norm"), 2);
            count[k]++;
        }
        gls_method_destroy(method);
    }
    int64_t seen = 0;
    for (int k = 1; k <= TRIES; k++) {
        if (count[k] < SEARCHES / 2) continue;
        seen++;
        assert_true(mean[k] / (double)count[k] <= 3 * 1.5 * 1.5 / (k + 2) * 1.2);
    }
    assert_true(seen >= 10);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void ingd_says_that_L_or_gap_was_wrong(void **state) {
    const char *const specs[] = {"{name: ingd, L: 0.4, gap: 5}", "{name: ingd, L: 1.5, gap: 0.01}"};
    const char *const word[] = {"L =", "gap ="};
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, D);
    for (int s = 0; s < 2; s++) {
        gls_method *method = make_method(ctx, layout, specs[s]);
        gls_real w[D] = {3, 3, 3, 3, 3, 3}, g[D];
        gls_status status = GLS_OK;
        for (int t = 0; t < 1000 && status == GLS_OK; t++) {
            gls_query query;
            assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
            assert_true(query.kind != GLS_QUERY_DONE);
            gls_answer answer = {.value = objective(query.at, g), .g = g, .norm2 = NAN};
            status = gls_method_tell(method, &answer, w, NULL);
        }
        assert_int_equal(status, GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(ctx), word[s]));
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* repeat: rounds with delta 1, 1/2, 1/3, ... */
static void ingd_repeats_with_smaller_radii(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, D);
    gls_method *method = make_method(ctx, layout, "{name: ingd, eps: 0.2, L: 1.5, gap: 5, repeat: 6}");
    gls_real w[D] = {2, 1, 0, -1, -2, 3};
    counts asked = {0};
    while (advance(ctx, method, w, &asked)) assert_true(asked.values < 100000);
    gls_certificate certificate;
    assert_int_equal(gls_method_certificate(method, &certificate), GLS_OK);
    assert_true(certificate.delta == 1.0 / 6);
    check_certificate(&certificate, w);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* Algorithm 3 in straight lines, with the points taken from the queries; that they lie on the segment is checked. */
static void singd_follows_algorithm_3(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, D);
    const char *const specs[] = {
        "{name: singd, beta: 0.7, p: 2, q: 3, output: theory, T: 20, K: 4, weight_decay: 0.1}",
        "{name: singd, beta: 0.7, p: 2, q: 0, output: theory, T: 20, K: 4, weight_decay: 0.1}"};
    for (int s = 0; s < 2; s++) {
        gls_method *method = make_method(ctx, layout, specs[s]);
        gls_real w[D] = {1, -1, 2, -2, 3, -3};
        double x[D], m[D], iterate[30][D], q = s == 0 ? 3 : 0, spread = 0;
        for (int i = 0; i < D; i++) x[i] = iterate[1][i] = (double)w[i];
        for (int t = 0; t <= 20; t++) {
            gls_query query;
            gls_real g[D], at[D];
            assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
            assert_true(query.kind == GLS_QUERY_ORACLE && !query.same_batch);
            memcpy(at, query.at, sizeof at);
            assert_true((query.direction == NULL) == (t == 0));
            for (int i = 0; i < D && t > 0; i++) assert_true(fabs((double)query.direction[i] + m[i]) < 10 * tolerance);
            gls_answer answer = {.value = objective(at, g), .g = g, .norm2 = NAN, .epoch = NAN};
            gls_step_report report;
            assert_int_equal(gls_method_tell(method, &answer, w, &report), GLS_OK);
            assert_true(report.moved == (t > 0));
            double length = 0, along = 0, off = 0;
            for (int i = 0; i < D && t > 0; i++) length += m[i] * m[i];
            double h = t > 0 ? 1 / (2 * sqrt(length) + q) : 0;
            for (int i = 0; i < D && t > 0; i++) along += (x[i] - (double)at[i]) * m[i] / (h * length);
            for (int i = 0; i < D && t > 0; i++) off += fabs(x[i] - along * h * m[i] - (double)at[i]);
            assert_true(off < 100 * tolerance && along >= -1e-5 && along <= 1 + 1e-5);
            spread += along > 0.5;
            for (int i = 0; i < D; i++) {
                double full = (double)g[i] + 0.1 * (double)at[i];
                if (t > 0) x[i] -= h * m[i];
                m[i] = t > 0 ? 0.7 * m[i] + 0.3 * full : full;
                iterate[t + 1][i] = x[i];
                assert_true(fabs((double)w[i] - x[i]) < 10 * tolerance);
            }
        }
        assert_true(spread > 2 && spread < 18);
        /* The output is one of the iterates 1 .. 16. */
        const gls_real *output = gls_method_output(method, w);
        assert_non_null(output);
        int found = 0;
        for (int t = 1; t <= 16; t++) {
            double off = 0;
            for (int i = 0; i < D; i++) off += fabs((double)output[i] - iterate[t][i]);
            found += off < 100 * tolerance;
        }
        assert_int_equal(found, 1);
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ingd_gives_a_certificate), cmocka_unit_test(ingd_shrinks_as_the_lemma_says),
        cmocka_unit_test(ingd_says_that_L_or_gap_was_wrong), cmocka_unit_test(ingd_repeats_with_smaller_radii),
        cmocka_unit_test(singd_follows_algorithm_3)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
