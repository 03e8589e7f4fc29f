/* Degrees of the conflict graph against all pairs. */
#include "check.h"
#include "measure/conflict.h"

enum { ROWS = 300, FEATURES = 90 };

static void check_density(double density, double common) {
    gls_context *ctx = make_context();
    static char has[ROWS][FEATURES];
    static int32_t column[ROWS * FEATURES];
    int64_t row[ROWS + 1] = {0}, most = 0, degree, bound;
    double work;
    gls_random random = gls_random_create(3, "conflict", 0, 0);
    for (int i = 0; i < ROWS; i++) {
        row[i + 1] = row[i];
        for (int f = 0; f < FEATURES; f++) {
            has[i][f] = gls_random_uniform(&random) < (f == 0 ? common : density);
            if (has[i][f]) column[row[i + 1]++] = f;
        }
    }
    for (int i = 0; i < ROWS; i++) {
        int64_t met = 0;
        for (int k = 0; k < ROWS; k++) {
            bool share = false;
            for (int f = 0; f < FEATURES; f++) share = share || (has[i][f] && has[k][f]);
            met += k != i && share;
        }
        if (met > most) most = met;
    }
    gls_pattern pattern = {ROWS, FEATURES, row, column};
    GOOD(gls_conflict_bound(ctx, &pattern, &bound, &work));
    GOOD(gls_conflict_degree(ctx, &pattern, &degree));
    assert_int_equal(degree, most);
    assert_true(bound >= degree);
    gls_context_destroy(ctx);
}

static void degree_is_that_of_all_pairs(void **state) {
    check_density(0.002, 0);
    check_density(0.01, 0.3);
    check_density(0.1, 0);
    check_density(0, 0);
    check_density(0.002, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(degree_is_that_of_all_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
