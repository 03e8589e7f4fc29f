/* Gradients in memory through chains, against the formulas written out over the rows. */
#include "estimator/support.h"

#include "base/yaml.h"

#include <stdio.h>

enum { ROWS = 10, D = 7 };

typedef struct fixture {
    gls_context *ctx;
    gls_real g[ROWS * D], out[D];
    double mass[ROWS];
    gls_estimator_matrix matrix;
    gls_estimate estimate;
    gls_record record;
} fixture;

static void open_fixture(fixture *f) {
    *f = (fixture){.ctx = conformance_context(2)};
    gls_random random = gls_random_create(17, "gradients", 0, 0);
    for (int i = 0; i < ROWS * D; i++) f->g[i] = (gls_real)gls_random_normal(&random);
    for (int i = 0; i < ROWS; i++) f->mass[i] = 0.5 + 0.25 * (i % 3);
    f->matrix = (gls_estimator_matrix){.g = f->g, .n = ROWS, .d = D};
}

static gls_status send(fixture *f, const char *spec) {
    gls_value *value = NULL;
    if (spec) OK(f->ctx, gls_yaml_parse(f->ctx, "test", spec, (int64_t)strlen(spec), &value));
    gls_record_clear(&f->record);
    gls_status status =
        gls_estimator_run_matrix(f->ctx, value ? value->items[0] : NULL, &f->matrix, f->out, &f->estimate, &f->record);
    gls_value_destroy(f->ctx, value);
    return status;
}

static void sum_group(const fixture *f, int begin, int end, double *sum, double *mass) {
    memset(sum, 0, D * sizeof *sum);
    *mass = 0;
    for (int i = begin; i < end; i++) {
        double m = f->matrix.mass ? f->mass[i] : 1;
        for (int k = 0; k < D; k++) sum[k] += (double)f->g[i * D + k];
        *mass += m;
    }
}

static double norm_of(const double *v) {
    double square = 0;
    for (int k = 0; k < D; k++) square += v[k] * v[k];
    return sqrt(square);
}

static void assert_out(const fixture *f, const double *wanted) {
    double norm2 = 0;
    for (int k = 0; k < D; k++) {
        if (!(fabs((double)f->out[k] - wanted[k]) < real_tolerance()))
            fail_msg("coordinate %d: %.9g, expected %.9g", k, (double)f->out[k], wanted[k]);
        norm2 += wanted[k] * wanted[k];
    }
    assert_true(fabs(f->estimate.norm2 - norm2) < 10 * real_tolerance() && isnan(f->estimate.loss));
    assert_int_equal(f->estimate.rows, ROWS);
}

static void the_mean_and_masses(void **state) {
    (void)state;
    fixture f;
    double sum[D], mass;
    open_fixture(&f);
    for (int weighted = 0; weighted < 2; weighted++) {
        f.matrix.mass = weighted ? f.mass : NULL;
        sum_group(&f, 0, ROWS, sum, &mass);
        for (int k = 0; k < D; k++) sum[k] /= mass;
        OK(f.ctx, send(&f, weighted ? "estimator: mean" : NULL));
        assert_out(&f, sum);
        assert_true(fabs(f.estimate.mass - mass) < 1e-12);
    }
    gls_context_destroy(f.ctx);
}

/* Micro-batches of 4, 4 and 2 rows, each with its share of the mass. Each mean gradient is cut to the bound, or to the
 * smallest norm. */
static void clipped_micro_batches(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        double each[3][D], mass, bound = adaptive ? INFINITY : 0.6, wanted[D] = {0};
        for (int j = 0; j < 3; j++) {
            sum_group(&f, 4 * j, j == 2 ? ROWS : 4 * j + 4, each[j], &mass);
            for (int k = 0; k < D; k++) each[j][k] /= mass;
            if (adaptive) bound = fmin(bound, norm_of(each[j]));
        }
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < D; k++)
                wanted[k] += each[j][k] * fmin(1, bound / norm_of(each[j])) * (j == 2 ? 2 : 4) / ROWS;
        OK(f.ctx, send(&f, adaptive ? "e: {name: microbatch, microbatch: 4}"
                                    : "e: {name: microbatch, microbatch: 4, bound: 0.6}"));
        assert_out(&f, wanted);
        assert_true(gls_record_get(&f.record, "groups") == 3);
    }
    gls_context_destroy(f.ctx);
}

/* A micro-batch without mass has no mean: it counts as the zero vector, however its rows are. */
static void groups_without_mass_are_zero(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    f.matrix.mass = f.mass;
    for (int i = 4; i < 8; i++) f.mass[i] = 0;
    for (int k = 0; k < 2; k++) {
        double wanted[D] = {0}, each[D], mass, masses = 0;
        for (int j = 0; j < 3; j += 2) {
            sum_group(&f, 4 * j, j == 2 ? ROWS : 4, each, &mass);
            for (int i = 0; i < D; i++) each[i] /= mass;
            for (int i = 0; i < D; i++) wanted[i] += each[i] * fmin(1, 0.6 / norm_of(each)) * (k ? 1 : mass);
            masses += mass;
        }
        for (int i = 0; i < D && !k; i++) wanted[i] /= masses;
        char spec[120];
        snprintf(spec, sizeof spec, "e: {name: microbatch, microbatch: 4, bound: 0.6, reduce: %s}", k ? "sum" : "mean");
        OK(f.ctx, send(&f, spec));
        assert_out(&f, wanted);
        assert_true(gls_record_get(&f.record, "groups") == 3 && gls_record_get(&f.record, "zero_groups") == 1);
    }
    OK(f.ctx,
       send(&f, "e: [{name: microbatch, microbatch: 1, bound: 1}, {name: microbatch, microbatch: 4, bound: 9}]"));
    assert_true(isfinite(f.estimate.norm2));
    memset(f.mass, 0, sizeof f.mass);
    assert_int_equal(send(&f, "e: {name: microbatch, microbatch: 4}"), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(f.ctx), "mass: all of them are 0"));
    gls_context_destroy(f.ctx);
}

/* Keys in no order: rows of a key are one group wherever they stand. */
static void groups_by_key(void **state) {
    (void)state;
    static const int64_t key[ROWS] = {7, -2, 7, 3, 3, -2, 7, 3, 7, 7};
    static const int64_t keys[3] = {-2, 3, 7};
    fixture f;
    open_fixture(&f);
    double wanted[D] = {0};
    for (int j = 0; j < 3; j++) {
        double mean[D] = {0}, rows = 0;
        for (int i = 0; i < ROWS; i++) rows += key[i] == keys[j];
        for (int i = 0; i < ROWS; i++)
            for (int k = 0; k < D && key[i] == keys[j]; k++) mean[k] += (double)f.g[i * D + k] / rows;
        for (int k = 0; k < D; k++) wanted[k] += mean[k] * fmin(1, 0.5 / norm_of(mean)) * rows / ROWS;
    }
    f.matrix.key = key;
    OK(f.ctx, send(&f, "e: {name: microbatch, key: user, bound: 0.5}"));
    assert_out(&f, wanted);
    gls_context_destroy(f.ctx);
}

/* A chain: rows normalised, their mean cut by value. */
static void a_chain(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    double wanted[D] = {0}, row[D], mass;
    for (int i = 0; i < ROWS; i++) {
        sum_group(&f, i, i + 1, row, &mass);
        for (int k = 0; k < D; k++) wanted[k] += row[k] / norm_of(row) / ROWS;
    }
    for (int k = 0; k < D; k++) wanted[k] = fmax(-0.1, fmin(0.1, wanted[k]));
    OK(f.ctx, send(&f, "e: [{name: normalized, microbatch: 1}, mean, {name: clip_value, bound: 0.1}]"));
    assert_out(&f, wanted);
    gls_context_destroy(f.ctx);
}

/* Another draw, other numbers; the same one, the same. */
static void draws(void **state) {
    (void)state;
    fixture f;
    gls_real first[D];
    open_fixture(&f);
    OK(f.ctx, send(&f, "e: quant"));
    memcpy(first, f.out, sizeof first);
    f.matrix.draw = 1;
    OK(f.ctx, send(&f, "e: quant"));
    assert_memory_not_equal(first, f.out, sizeof first);
    f.matrix.draw = 0;
    OK(f.ctx, send(&f, "e: quant"));
    assert_memory_equal(first, f.out, sizeof first);
    gls_context_destroy(f.ctx);
}

static void refused(fixture *f, const char *spec, gls_status status, const char *word) {
    assert_int_equal(send(f, spec), status);
    if (!strstr(gls_context_message(f->ctx), word))
        fail_msg("'%s' does not say '%s'", gls_context_message(f->ctx), word);
}

static void what_is_refused(void **state) {
    (void)state;
    static const int64_t key[ROWS] = {0};
    fixture f;
    open_fixture(&f);
    refused(&f, "e: {name: microbatch, key: user}", GLS_ERR_ARGUMENT, "expected a key");
    refused(&f, "e: micro", GLS_ERR_ARGUMENT, "micro");
    f.matrix.key = key;
    refused(&f, "e: mean", GLS_ERR_ARGUMENT, "no stage");
    f.matrix.key = NULL;
    f.mass[3] = -1;
    f.matrix.mass = f.mass;
    refused(&f, "e: mean", GLS_ERR_ARGUMENT, "row 3");
    f.matrix.mass = NULL;
    f.matrix.n = 0;
    refused(&f, "e: mean", GLS_ERR_ARGUMENT, "[0, 7]");
    f.matrix.n = ROWS;
    f.g[2 * D + 1] = NAN;
    OK(f.ctx, send(&f, "e: mean"));
    assert_false(isfinite(f.estimate.norm2));
    refused(&f, "e: {name: microbatch, microbatch: 2, nonfinite: stop}", GLS_ERR_NONFINITE, "not finite");
    gls_context_destroy(f.ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_and_masses),
        cmocka_unit_test(clipped_micro_batches),
        cmocka_unit_test(groups_without_mass_are_zero),
        cmocka_unit_test(groups_by_key),
        cmocka_unit_test(a_chain),
        cmocka_unit_test(draws),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
