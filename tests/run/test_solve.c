/* gls_solve: bits do not depend on threads, calls are counted, repetitions stop where they should, what is wrong is
 * refused. */
#include <glissade/glissade.h>
#include <glissade/run.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static gls_context *context(int threads) {
    gls_context *ctx;
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 1};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

static void check(gls_context *ctx, gls_status status) {
    if (status != GLS_OK) fail_msg("%s: %s", gls_status_name(status), gls_context_message(ctx));
}

static gls_value *parsed(gls_context *ctx, const char *text) {
    gls_value *value;
    check(ctx, gls_config_parse(ctx, "test", text, (int64_t)strlen(text), &value));
    return value;
}

static gls_problem *problem(gls_context *ctx, const char *name, const char *text) {
    gls_value *value = parsed(ctx, text);
    gls_problem *p;
    check(ctx, gls_problem_create(ctx, name, value, NULL, &p));
    gls_value_destroy(ctx, value);
    return p;
}

enum { REPEAT = 9, DIM = 7 };

static void run(int threads, const char *estimator, gls_real *point, gls_figures *figures) {
    gls_context *ctx = context(threads);
    gls_problem *p = problem(ctx, "quadratic", "{dim: 7, rotate: true, noise: {name: stable, index: 1.5}}");
    gls_value *method = parsed(ctx, "{name: gclip, lr: 0.05, tau: 2}");
    gls_value *chain = estimator ? parsed(ctx, estimator) : NULL;
    static const int64_t mark[] = {0, 10, 100, 1000};
    gls_solve_options options = {.size = sizeof options,
                                 .method = method,
                                 .estimator = chain,
                                 .steps = 100,
                                 .batch = 8,
                                 .repeat = REPEAT,
                                 .seed = 5,
                                 .marks = 4,
                                 .mark = mark};
    gls_solution solution[REPEAT];
    check(ctx, gls_solve(p, &options, solution, point, figures));
    for (int r = 0; r < REPEAT; r++) {
        assert_int_equal(solution[r].steps, 100);
        assert_int_equal(solution[r].gradients, 100);
        assert_int_equal(solution[r].values, 0);
        assert_true(figures[r * 4 + 2].value == solution[r].end.value); /* marks after the end repeat it */
        assert_true(figures[r * 4 + 3].value == solution[r].end.value);
        assert_true(figures[r * 4].value != figures[r * 4 + 1].value);
    }
    gls_value_destroy(ctx, method);
    gls_value_destroy(ctx, chain);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

static void test_bits_do_not_depend_on_threads(void **state) {
    static const char *const chains[] = {NULL, "{name: normalized, microbatch: 4}"};
    for (int k = 0; k < 2; k++) {
        gls_real a[REPEAT * DIM], b[REPEAT * DIM];
        gls_figures one[REPEAT * 4], three[REPEAT * 4];
        run(1, chains[k], a, one);
        run(3, chains[k], b, three);
        assert_memory_equal(a, b, sizeof a);
        assert_memory_equal(one, three, sizeof one);
        assert_true(a[0] != a[DIM]); /* repetitions differ */
    }
}

static void test_first_hit_and_stop(void **state) {
    gls_context *ctx = context(1);
    gls_problem *p = problem(ctx, "slow_linear", "{epsilon: 0.5}"); /* slope 1 beyond |w| = 1 */
    gls_value *method = parsed(ctx, "{name: sgd, lr: 1}");
    gls_real start = 4, end;
    gls_solve_options options = {
        .size = sizeof options, .method = method, .steps = 50, .repeat = 1, .init = &start, .follow = true};
    gls_solution s;
    options.epsilon = 0.9;
    check(ctx, gls_solve(p, &options, &s, &end, NULL));
    assert_int_equal(s.steps, 50);
    assert_int_equal(s.first_hit, 4); /* 4, 3, 2, 1, 0 */
    options.stop = true;
    check(ctx, gls_solve(p, &options, &s, &end, NULL));
    assert_int_equal(s.steps, 4);
    assert_true(end == 0 && s.end.distance == 0);
    assert_true(fabs(s.mean_norm - 1) < 1e-6);
    options.epsilon = -1;
    check(ctx, gls_solve(p, &options, &s, &end, NULL));
    assert_int_equal(s.first_hit, -1);
    gls_value_destroy(ctx, method);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

static void test_divergence_ends_a_repetition(void **state) {
    gls_context *ctx = context(1);
    gls_problem *p = problem(ctx, "quadratic", "{dim: 2, L: 10, mu: 1}");
    gls_value *method = parsed(ctx, "{name: sgd, lr: 10}");
    gls_solve_options options = {.size = sizeof options, .method = method, .steps = 5000, .repeat = 2};
    gls_solution s[2];
    check(ctx, gls_solve(p, &options, s, NULL, NULL));
    assert_true(s[0].diverged && s[1].diverged && s[0].steps < 5000);
    gls_value_destroy(ctx, method);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

static void test_sequential_order_visits_examples_in_turn(void **state) {
    gls_context *ctx = context(1);
    gls_problem *p = problem(ctx, "adam_divergence", "{examples: 3, steep: 4}"); /* slopes 4, -1, -1 */
    gls_value *method = parsed(ctx, "{name: sgd, lr: 1}");
    gls_solve_options options = {
        .size = sizeof options, .method = method, .batch = 1, .repeat = 1, .order = GLS_ORDER_SEQUENTIAL};
    static const double want[] = {0, -4, -3, -2, -6};
    for (int steps = 0; steps < 5; steps++) {
        gls_solution s;
        gls_real end;
        options.steps = steps;
        check(ctx, gls_solve(p, &options, &s, &end, NULL));
        assert_true(end == (gls_real)want[steps]);
    }
    gls_value_destroy(ctx, method);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

static gls_status certified(void *user, const gls_solve_state *state) {
    gls_certificate c;
    GLS_TRY(gls_method_certificate(state->method, &c));
    *(double *)user = c.norm;
    return GLS_OK;
}

static void test_ingd_ends_with_a_certificate_and_counts_calls_apart(void **state) {
    gls_context *ctx = context(1);
    gls_problem *p = problem(ctx, "zigzag", "{dim: 2}");
    gls_value *method = parsed(ctx, "{name: ingd, L: 1, gap: 1, delta: 0.05, eps: 0.2}");
    gls_real start[] = {(gls_real)0.4, (gls_real)-0.3};
    double norm = -1;
    gls_solve_options options = {.size = sizeof options,
                                 .method = method,
                                 .steps = 100000,
                                 .repeat = 1,
                                 .init = start,
                                 .finish = certified,
                                 .user = &norm};
    gls_solution s;
    check(ctx, gls_solve(p, &options, &s, NULL, NULL));
    assert_true(s.ended && s.values > s.gradients && s.gradients > 1 && norm >= 0 && norm <= 0.2);
    gls_value_destroy(ctx, method);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

static void test_problems_that_need_data_are_refused(void **state) {
    gls_context *ctx = context(1);
    gls_data_info info = {
        .examples = 5, .features = 3, .dims = 1, .shape = {3}, .target = GLS_TARGET_CLASS, .classes = 2};
    gls_problem *p;
    check(ctx, gls_problem_create(ctx, "logistic", NULL, &info, &p));
    gls_value *method = parsed(ctx, "{name: sgd}");
    gls_solve_options options = {.size = sizeof options, .method = method, .steps = 1, .repeat = 1};
    gls_solution s;
    assert_int_equal(gls_solve(p, &options, &s, NULL, NULL), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "needs data"));
    gls_value_destroy(ctx, method);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_do_not_depend_on_threads),
        cmocka_unit_test(test_first_hit_and_stop),
        cmocka_unit_test(test_divergence_ends_a_repetition),
        cmocka_unit_test(test_sequential_order_visits_examples_in_turn),
        cmocka_unit_test(test_ingd_ends_with_a_certificate_and_counts_calls_apart),
        cmocka_unit_test(test_problems_that_need_data_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
