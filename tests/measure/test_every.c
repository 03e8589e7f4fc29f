/* What holds for every measure: the same bits again, on one thread or two, and after a restart; what it needs is asked
 * for; coupled examples are refused in the problem's own words. */
#include "fixture.h"

/* ---- what holds for every measure ---- */

static void prepare(fixture *t, gls_real *previous) {
    for (int k = 0; k < DIM; k++) previous[k] = t->w[k] + (gls_real)(0.01 * (k + 1));
    t->in.w_previous = t->in.w_other = previous;
    t->in.loss = 1;
    t->in.gradient_norm = 2;
}

static bool without_features(const char *name) {
    return strcmp(name, "glm_bound") == 0;
}

static void same_figures(const gls_measure_result *a, const gls_measure_result *b) {
    assert_int_equal(a->figures, b->figures);
    for (int64_t i = 0; i < a->figures; i++) {
        assert_string_equal(a->figure[i].name, b->figure[i].name);
        assert_int_equal(a->figure[i].count, b->figure[i].count);
        assert_memory_equal(a->figure[i].value, b->figure[i].value, (size_t)a->figure[i].count * sizeof(double));
        assert_memory_equal(&a->figure[i].low, &b->figure[i].low, sizeof(double));
    }
}

/* Runs a measure at steps first .. last - 1. */
static void steps(fixture *t, gls_measure *m, int first, int last, gls_measure_result *r) {
    for (int i = first; i < last; i++) {
        t->in.step = i;
        fixture_run(t, m, r);
    }
}

static void the_same_bits_on_one_thread_and_two(void **state) {
    fixture one, two;
    gls_real previous[DIM], w[DIM];
    fixture_quadratic(&one, 1);
    fixture_quadratic(&two, 2);
    prepare(&one, previous);
    prepare(&two, previous);
    memcpy(w, one.w, sizeof w);
    const gls_measure_type *type;
    for (int64_t i = 0; (type = gls_measure_at(one.ctx, i)); i++) {
        if (without_features(type->member.name)) continue;
        gls_measure_result a, b;
        gls_measure_result_init(one.ctx, &a);
        gls_measure_result_init(two.ctx, &b);
        gls_measure *m = fixture_measure(&one, type->member.name, NULL);
        gls_measure *n = fixture_measure(&two, type->member.name, NULL);
        steps(&one, m, 0, 3, &a);
        steps(&two, n, 0, 3, &b);
        same_figures(&a, &b);
        assert_true(a.figures > 0 || a.meaningless);
        assert_true(a.seconds >= 0);
        assert_string_equal(a.measure, type->member.name);
        gls_measure_destroy(m);
        gls_measure_destroy(n);
        gls_measure_result_clear(&a);
        gls_measure_result_clear(&b);
    }
    assert_memory_equal(w, one.w, sizeof w);
    fixture_destroy(&one);
    fixture_destroy(&two);
}

/* Saved after two measurements and restored into a new measure, the third is the same. */
static void accumulators_survive_a_restart(void **state) {
    fixture t;
    gls_real previous[DIM];
    fixture_quadratic(&t, 1);
    prepare(&t, previous);
    const gls_measure_type *type;
    for (int64_t i = 0; (type = gls_measure_at(t.ctx, i)); i++) {
        if (!type->arrays) continue;
        gls_measure_result a, b;
        gls_measure_result_init(t.ctx, &a);
        gls_measure_result_init(t.ctx, &b);
        gls_measure *m = fixture_measure(&t, type->member.name, NULL);
        gls_measure *n = fixture_measure(&t, type->member.name, NULL);
        steps(&t, m, 0, 2, &a);
        gls_arrays from = {0}, to = {0};
        GOOD(gls_measure_arrays(m, "x.", &from));
        GOOD(gls_measure_arrays(n, "x.", &to));
        assert_true(from.count > 0 && from.count == to.count);
        for (int64_t k = 0; k < from.count; k++) {
            assert_string_equal(from.item[k].name, to.item[k].name);
            memcpy(to.item[k].data, from.item[k].data,
                   (size_t)from.item[k].shape[0] * gls_dtype_size(from.item[k].dtype));
        }
        steps(&t, m, 2, 3, &a);
        steps(&t, n, 2, 3, &b);
        same_figures(&a, &b);
        gls_arrays_clear(t.ctx, &from);
        gls_arrays_clear(t.ctx, &to);
        gls_measure_destroy(m);
        gls_measure_destroy(n);
        gls_measure_result_clear(&a);
        gls_measure_result_clear(&b);
    }
    fixture_destroy(&t);
}

static void what_a_measure_needs_is_asked_for(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    const char *const names[] = {"smoothness", "stability", "equilibrium_ratio"};
    gls_measure_result r;
    gls_measure_result_init(t.ctx, &r);
    for (int i = 0; i < 3; i++) {
        gls_measure *m = fixture_measure(&t, names[i], NULL);
        assert_int_equal(gls_measure_run(m, &t.in, &r), GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(t.ctx), names[i]));
        gls_measure_destroy(m);
    }
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* Examples coupled over the mini-batch: what needs single examples says so in the problem's own words. */
static void coupled_examples_have_no_figures_of_their_own(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    t.problem->coupling = GLS_COUPLING_GROUPS;
    t.problem->coupling_group = 4;
    const char *const names[] = {"gradient_diversity", "noise_scale", "dim_bounds",
                                 "tail_index",         "dragger",     "norm_test"};
    for (int i = 0; i < 6; i++) {
        const char *const sample[] = {i == 5 ? "batch" : "sample", "32", NULL};
        gls_measure_result r = fixture_once(&t, names[i], sample);
        assert_non_null(r.meaningless);
        assert_non_null(strstr(r.meaningless, "couples its examples"));
        assert_int_equal(r.figures, 0);
        gls_measure_result_clear(&r);
    }
    const char *const sample[] = {"sample", "32", "batch", "8", NULL};
    gls_measure_result r = fixture_once(&t, "noise_norm", sample);
    assert_true(gls_measure_result_get(&r, "batch_noise_rms") > 0);
    assert_non_null(strstr(r.note, "couples its examples"));
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_bits_on_one_thread_and_two),
                                       cmocka_unit_test(accumulators_survive_a_restart),
                                       cmocka_unit_test(what_a_measure_needs_is_asked_for),
                                       cmocka_unit_test(coupled_examples_have_no_figures_of_their_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
