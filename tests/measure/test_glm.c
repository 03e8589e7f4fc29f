/* Measures on generalised linear models: bounds from the features, sharpness against a dense decomposition, draggers
 * that are known. */
#include "fixture.h"

#include "base/yaml.h"

#include <lapacke.h>
#include <stdio.h>

enum { ROWS = 80, FEATURES = 9 };

typedef struct model {
    fixture t;
    gls_real x[ROWS * FEATURES], y[ROWS];
    int32_t label[ROWS];
    gls_real w[FEATURES + 1];
} model;

/* sparse 0: dense normal features; else each value is kept with that probability, at least one a row. */
static void model_create(model *m, const char *name, const char *bias, double keep) {
    *m = (model){0};
    gls_random random = gls_random_create(1, "glm", 0, 0);
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < FEATURES; k++) {
            bool there = keep == 0 || gls_random_uniform(&random) < keep || k == i % FEATURES;
            m->x[i * FEATURES + k] = there ? (gls_real)gls_random_normal(&random) : 0;
        }
        m->label[i] = gls_random_uniform(&random) < 0.5;
        m->y[i] = (gls_real)gls_random_normal(&random);
    }
    for (int k = 0; k <= FEATURES; k++) m->w[k] = (gls_real)(0.3 * gls_random_normal(&random));
    gls_context_options options = {.size = sizeof options, .threads = 2, .seed = 1};
    GOOD(gls_context_create(&m->t.ctx, &options));
    bool real = strcmp(name, "least_squares") == 0;
    gls_data_info info = {.examples = ROWS,
                          .features = FEATURES,
                          .dims = 1,
                          .shape = {FEATURES},
                          .target = real ? GLS_TARGET_REAL : GLS_TARGET_CLASS,
                          .classes = real ? 0 : 2,
                          .targets = real};
    GOOD(gls_source_from_dense(m->t.ctx, m->x, real ? NULL : m->label, real ? m->y : NULL, &info, &m->t.source));
    gls_value *map = gls_value_create(m->t.ctx, GLS_VALUE_MAP, NULL, NULL);
    GOOD(gls_value_append(m->t.ctx, map, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, "bias", bias)));
    gls_status status = gls_problem_create(m->t.ctx, name, map, gls_source_info(m->t.source), &m->t.problem);
    if (status != GLS_OK) fail_msg("%s", gls_context_message(m->t.ctx));
    gls_value_destroy(m->t.ctx, map);
    gls_pass_options pass = {.size = sizeof pass};
    GOOD(gls_pass_create(m->t.problem, &pass, &m->t.pass));
    m->t.in = (gls_measure_input){.size = sizeof m->t.in,
                                  .problem = m->t.problem,
                                  .pass = m->t.pass,
                                  .source = m->t.source,
                                  .w = m->w,
                                  .lr = 0.1,
                                  .batch = 16,
                                  .seed = 3,
                                  .exchanged = -1};
}

/* Eigenvalues of X^T diag(c) X, X with a column of ones if width is FEATURES + 1; ascending. */
static void eigenvalues(const model *m, const double *c, int width, double *values) {
    double a[(FEATURES + 1) * (FEATURES + 1)] = {0};
    for (int i = 0; i < ROWS; i++) {
        for (int p = 0; p < width; p++) {
            for (int q = 0; q < width; q++) {
                double u = p < FEATURES ? (double)m->x[i * FEATURES + p] : 1;
                double v = q < FEATURES ? (double)m->x[i * FEATURES + q] : 1;
                a[p * width + q] += c[i] * u * v;
            }
        }
    }
    assert_int_equal(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'U', width, a, width, values), 0);
}

static void sharpness_agrees_with_a_dense_hessian(void **state) {
    const char *const names[] = {"logistic", "least_squares"};
    for (int which = 0; which < 2; which++) {
        model m;
        model_create(&m, names[which], "true", 0);
        double c[ROWS], values[FEATURES + 1];
        for (int i = 0; i < ROWS; i++) {
            double z = (double)m.w[FEATURES];
            for (int k = 0; k < FEATURES; k++) z += (double)m.w[k] * (double)m.x[i * FEATURES + k];
            double s = 1 / (1 + exp(-z));
            c[i] = (which == 0 ? s * (1 - s) : 1) / ROWS;
        }
        eigenvalues(&m, c, FEATURES + 1, values);
        const char *const options[] = {"sample", "all", "tolerance", "1e-8", NULL};
        gls_measure_result r = fixture_once(&m.t, "sharpness", options);
        double precision = sizeof(gls_real) == 4 ? 1e-4 : 1e-6;
        /* Least squares may be written with or without the half: only the ratio is fixed. */
        double scale = which == 0 ? 1 : gls_measure_result_get(&r, "lambda_max") / values[FEATURES];
        assert_true(fabs(scale - 1) < precision || fabs(scale - 2) < precision);
        NEAR(gls_measure_result_get(&r, "lambda_max"), scale * values[FEATURES], precision);
        NEAR_ABS(gls_measure_result_get(&r, "lambda_min"), scale * values[0], precision * values[FEATURES]);
        gls_measure_result_clear(&r);
        fixture_destroy(&m.t);
    }
}

static void feature_bounds_hold(void **state) {
    const double keeps[] = {0, 0.05, 0.15};
    for (int k = 0; k < 3; k++) {
        for (int bias = 0; bias < 2; bias++) {
            model m;
            model_create(&m, "logistic", bias ? "true" : "false", keeps[k]);
            int width = FEATURES + bias, most = 0;
            double one[ROWS], values[FEATURES + 1], smallest = INFINITY;
            for (int i = 0; i < ROWS; i++) {
                int met = 0;
                double square = bias;
                one[i] = 1;
                for (int f = 0; f < FEATURES; f++) square += pow((double)m.x[i * FEATURES + f], 2);
                smallest = fmin(smallest, square);
                for (int j = 0; j < ROWS; j++) {
                    bool share = bias;
                    for (int f = 0; f < FEATURES; f++)
                        share = share || (m.x[i * FEATURES + f] != 0 && m.x[j * FEATURES + f] != 0);
                    met += share && i != j;
                }
                if (met > most) most = met;
            }
            eigenvalues(&m, one, width, values);
            const char *const all[] = {"sample", "all", NULL};
            gls_measure_result r = fixture_once(&m.t, "glm_bound", NULL);
            gls_measure_result diversity = fixture_once(&m.t, "gradient_diversity", all);
            NEAR(gls_measure_result_get(&r, "sigma_max"), sqrt(values[width - 1]), 1e-5);
            NEAR(gls_measure_result_get(&r, "glm_bound"), ROWS * smallest / values[width - 1], 1e-4);
            NEAR(gls_measure_result_get(&r, "conflict_degree"), most, 0);
            NEAR(gls_measure_result_get(&r, "conflict_bound"), ROWS / (most + 1.0), 1e-12);
            double bound = gls_measure_result_get(&diversity, "batch_size_bound");
            assert_true(bound >= gls_measure_result_get(&r, "glm_bound"));
            assert_true(bound >= gls_measure_result_get(&r, "conflict_bound"));
            gls_measure_result_clear(&r);
            gls_measure_result_clear(&diversity);
            fixture_destroy(&m.t);
        }
    }
}

/* The problem of a model again, with another l2. */
static void set_l2(model *m, const char *l2) {
    gls_pass_destroy(m->t.pass);
    gls_problem_destroy(m->t.problem);
    gls_value *map = gls_value_create(m->t.ctx, GLS_VALUE_MAP, NULL, NULL);
    GOOD(gls_value_append(m->t.ctx, map, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, "bias", "false")));
    GOOD(gls_value_append(m->t.ctx, map, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, "l2", l2)));
    GOOD(gls_problem_create(m->t.ctx, "logistic", map, gls_source_info(m->t.source), &m->t.problem));
    gls_value_destroy(m->t.ctx, map);
    gls_pass_options pass = {.size = sizeof pass};
    GOOD(gls_pass_create(m->t.problem, &pass, &m->t.pass));
    m->t.in.problem = m->t.problem;
    m->t.in.pass = m->t.pass;
}

/* The batch-size bound by hand: g_i = x_i (sigmoid(<w, x_i>) - y_i) + l2 w. */
static double bound_by_hand(const model *m, double l2) {
    double sum[FEATURES] = {0}, squares = 0, norm2_sum = 0;
    for (int i = 0; i < ROWS; i++) {
        double z = 0;
        for (int k = 0; k < FEATURES; k++) z += (double)m->w[k] * (double)m->x[i * FEATURES + k];
        double slope = 1 / (1 + exp(-z)) - m->label[i];
        for (int k = 0; k < FEATURES; k++) {
            double g = slope * (double)m->x[i * FEATURES + k] + l2 * (double)m->w[k];
            sum[k] += g;
            squares += g * g;
        }
    }
    for (int k = 0; k < FEATURES; k++) norm2_sum += sum[k] * sum[k];
    return ROWS * squares / norm2_sum;
}

/* The theorems are about sums of f(<w, x_i>) alone. With l2 the true bound may lie below them, as here: for large w all
 * gradients are nearly l2 w, and it tends to 1. */
static void feature_bounds_say_where_they_do_not_hold(void **state) {
    model m;
    model_create(&m, "logistic", "false", 0);
    for (int k = 0; k < FEATURES; k++) m.w[k] = 100;
    gls_measure_result r = fixture_once(&m.t, "glm_bound", NULL);
    assert_null(r.meaningless);
    double bound = gls_measure_result_get(&r, "glm_bound");
    assert_true(bound_by_hand(&m, 0) >= bound);
    gls_measure_result_clear(&r);
    set_l2(&m, "0.5");
    assert_true(bound_by_hand(&m, 0.5) < bound);
    r = fixture_once(&m.t, "glm_bound", NULL);
    assert_non_null(r.meaningless);
    assert_non_null(strstr(r.meaningless, "with l2: 0.5"));
    gls_measure_result_clear(&r);
    fixture_destroy(&m.t);
}

/* |g_i| = |sigmoid - y| |x_i| at w, by hand. */
static void norms_by_hand(const model *m, double *norm) {
    for (int i = 0; i < ROWS; i++) {
        double z = 0, square = 0;
        for (int k = 0; k < FEATURES; k++) {
            z += (double)m->w[k] * (double)m->x[i * FEATURES + k];
            square += pow((double)m->x[i * FEATURES + k], 2);
        }
        norm[i] = fabs(1 / (1 + exp(-z)) - m->label[i]) * sqrt(square);
    }
}

/* Mean norm of the marked over that of the others, the largest tenth of these left out. */
static double ratio_by_hand(const double *norm, const int64_t *mark) {
    double others[ROWS], marked = 0, sum = 0;
    int n = 0;
    for (int i = 0; i < ROWS; i++) {
        if (mark[i]) {
            marked += norm[i];
            continue;
        }
        int at = n++; /* kept in order */
        for (; at > 0 && others[at - 1] > norm[i]; at--) others[at] = others[at - 1];
        others[at] = norm[i];
    }
    for (int i = 0; i < n - n / 10; i++) sum += others[i];
    return marked / (ROWS - n) / (sum / (n - n / 10));
}

/* Twelve examples with wrong labels under weights that fit the others: they have the largest gradients. */
static void planted_draggers_are_found(void **state) {
    model m;
    model_create(&m, "logistic", "false", 0);
    int64_t mark[ROWS] = {0};
    gls_column columns[] = {{"planted", mark}, {NULL, NULL}};
    for (int i = 0; i < ROWS; i++) {
        double z = 0;
        m.w[i % FEATURES] = (gls_real)(1 + i % 3);
        for (int k = 0; k < FEATURES; k++) z += (1.0 + k) * (double)m.x[i * FEATURES + k];
        m.label[i] = z > 0;
        if (i % 7 == 3) {
            mark[i] = 1;
            m.label[i] = !m.label[i];
        }
    }
    for (int k = 0; k < FEATURES; k++) m.w[k] = (gls_real)(1 + k);
    m.t.source->columns = columns;
    const char *const options[] = {"column", "planted", "list", "5", "pairs", "30", "microbatch", "1", NULL};
    gls_measure *measure = fixture_measure(&m.t, "dragger", options);
    gls_measure_result r;
    gls_measure_result_init(m.t.ctx, &r);
    for (int i = 0; i < 40; i++) { /* the bound differs between mini-batches: the mean factor needs a few */
        m.t.in.step = i;
        fixture_run(&m.t, measure, &r);
    }
    double here[ROWS], there[ROWS], mean[ROWS];
    norms_by_hand(&m, here);
    NEAR(gls_measure_result_get(&r, "dragger_over_benign"), ratio_by_hand(here, mark), 1e-4);
    NEAR(gls_measure_result_get(&r, "running_dragger_over_benign"), ratio_by_hand(here, mark), 1e-4);
    /* A look elsewhere: the ratio is that of the new weights, the running one that of the means over all looks. */
    gls_measure_result elsewhere;
    gls_measure_result_init(m.t.ctx, &elsewhere);
    for (int k = 0; k < FEATURES; k++) m.w[k] = (gls_real)(-0.1 * (double)m.w[k]);
    m.t.in.step = 40;
    fixture_run(&m.t, measure, &elsewhere);
    norms_by_hand(&m, there);
    for (int i = 0; i < ROWS; i++) mean[i] = (40 * here[i] + there[i]) / 41;
    assert_true(ratio_by_hand(there, mark) < 0.5 * ratio_by_hand(mean, mark));
    NEAR(gls_measure_result_get(&elsewhere, "dragger_over_benign"), ratio_by_hand(there, mark), 1e-4);
    NEAR(gls_measure_result_get(&elsewhere, "running_dragger_over_benign"), ratio_by_hand(mean, mark), 1e-4);
    NEAR(gls_measure_result_get(&elsewhere, "running_benign_over_dragger"), 1 / ratio_by_hand(mean, mark), 1e-4);
    gls_measure_result_clear(&elsewhere);
    for (int k = 0; k < FEATURES; k++) m.w[k] = (gls_real)(1 + k);
    gls_measure_destroy(measure);
    assert_null(r.meaningless);
    assert_true(gls_measure_result_get(&r, "precision_by_factor") > 0.8);
    assert_true(gls_measure_result_get(&r, "precision_by_loss") > 0.8);
    assert_true(gls_measure_result_get(&r, "dragger_over_benign") > 5);
    NEAR(gls_measure_result_get(&r, "dragger_over_benign") * gls_measure_result_get(&r, "benign_over_dragger"), 1,
         1e-12);
    assert_int_equal(gls_measure_result_find(&r, "suspects")->count, 5);
    assert_int_equal(gls_measure_result_find(&r, "cosines_dragger_benign")->count, 30);
    assert_int_equal(gls_measure_result_find(&r, "cosines_benign_within_class")->count, 30);
    assert_int_equal(gls_measure_result_find(&r, "class_norms")->count, 2);
    /* The first suspect's own figures, by hand: norm |x| |sigmoid - y|. */
    int worst = (int)gls_measure_result_find(&r, "suspects")->value[0];
    double z = 0, square = 0;
    for (int k = 0; k < FEATURES; k++) {
        z += (double)m.w[k] * (double)m.x[worst * FEATURES + k];
        square += pow((double)m.x[worst * FEATURES + k], 2);
    }
    double slope = 1 / (1 + exp(-z)) - m.label[worst];
    NEAR(gls_measure_result_find(&r, "suspect_norms")->value[0], fabs(slope) * sqrt(square), 1e-4);
    gls_measure_result_clear(&r);
    const char *const groups[] = {"column", "planted", "microbatch", "4", NULL};
    r = fixture_once(&m.t, "dragger", groups);
    assert_null(r.meaningless);
    gls_measure_result_clear(&r);
    /* With the run's ledger the factors and norms are the run's; examples it never drew are left out. */
    double seen[ROWS] = {0}, log_factor[ROWS] = {0}, norm[ROWS] = {0};
    for (int i = 0; i < 10; i++) {
        seen[i] = 2;
        log_factor[i] = -2.0 * i;
        norm[i] = 4;
    }
    gls_ledger ledger = {ROWS, seen, log_factor, norm};
    m.t.in.ledger = &ledger;
    r = fixture_once(&m.t, "dragger", NULL);
    assert_int_equal(gls_measure_result_find(&r, "suspects")->count, 10);
    NEAR(gls_measure_result_find(&r, "suspects")->value[0], 9, 0);
    NEAR(gls_measure_result_find(&r, "suspect_log_factors")->value[0], -9, 1e-15);
    NEAR(gls_measure_result_find(&r, "suspect_norms")->value[0], 2, 1e-15);
    gls_measure_result_clear(&r);
    m.t.in.ledger = NULL;
    const char *const absent[] = {"column", "nowhere", NULL};
    measure = fixture_measure(&m.t, "dragger", absent);
    assert_int_equal(gls_measure_run(measure, &m.t.in, &r), GLS_ERR_ARGUMENT);
    gls_measure_destroy(measure);
    gls_measure_result_clear(&r);
    m.t.source->columns = NULL;
    fixture_destroy(&m.t);
}

/* [D]: a set made of r copies of a random 1/r of the data has the batch-size bound of that part, whatever r. */
static void replication_leaves_the_bound_of_the_part(void **state) {
    for (int r = 1; r <= 8; r *= 2) {
        model m;
        model_create(&m, "least_squares", "false", 0);
        char text[64];
        gls_value *list = NULL;
        snprintf(text, sizeof text, "[{replicate: %d}]", r);
        GOOD(gls_yaml_parse(m.t.ctx, "test", text, (int64_t)strlen(text), &list));
        gls_source *replicated = NULL;
        GOOD(gls_transforms_apply(m.t.ctx, m.t.source, list, 5, NULL, &replicated));
        gls_value_destroy(m.t.ctx, list);
        m.t.source = replicated;
        m.t.in.source = replicated;
        const int64_t *original = gls_source_column(replicated, "original");
        bool part[ROWS] = {false};
        int distinct = 0;
        for (int i = 0; i < ROWS; i++) {
            int64_t j = original ? original[i] : i;
            distinct += !part[j];
            part[j] = true;
        }
        assert_int_equal(distinct, ROWS / r);
        double sum[FEATURES] = {0}, squares = 0, norm2 = 0;
        for (int j = 0; j < ROWS; j++) {
            double residual = -(double)m.y[j], x2 = 0;
            for (int k = 0; k < FEATURES; k++) residual += (double)m.w[k] * (double)m.x[j * FEATURES + k];
            for (int k = 0; k < FEATURES && part[j]; k++) {
                double x = (double)m.x[j * FEATURES + k];
                sum[k] += residual * x;
                x2 += x * x;
            }
            squares += residual * residual * x2;
        }
        for (int k = 0; k < FEATURES; k++) norm2 += sum[k] * sum[k];
        gls_measure_result result =
            fixture_once(&m.t, "gradient_diversity", (const char *const[]){"sample", "all", NULL});
        NEAR(gls_measure_result_get(&result, "batch_size_bound"), distinct * squares / norm2, 1e-4);
        NEAR(gls_measure_result_get(&result, "gradient_diversity"), squares / norm2 / r, 1e-4);
        gls_measure_result_clear(&result);
        fixture_destroy(&m.t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replication_leaves_the_bound_of_the_part),
        cmocka_unit_test(sharpness_agrees_with_a_dense_hessian),
        cmocka_unit_test(feature_bounds_hold),
        cmocka_unit_test(feature_bounds_say_where_they_do_not_hold),
        cmocka_unit_test(planted_draggers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
