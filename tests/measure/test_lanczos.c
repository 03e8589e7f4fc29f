/* Both ends of a spectrum against a dense eigen-decomposition. */
#include "check.h"
#include "measure/lanczos.h"

#include <lapacke.h>

static gls_context *ctx;

typedef struct dense {
    double *a; /* [n, n] */
    int64_t n, calls;
} dense;

static gls_status multiply(void *user, const gls_real *x, gls_real *y) {
    dense *m = user;
    m->calls++;
    for (int64_t i = 0; i < m->n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < m->n; k++) sum += m->a[i * m->n + k] * (double)x[k];
        y[i] = (gls_real)sum;
    }
    return GLS_OK;
}

static gls_status run(dense *m, int basis, int64_t products, double tolerance, gls_spectrum *s) {
    gls_lanczos o = {.apply = multiply,
                     .user = m,
                     .n = m->n,
                     .basis = basis,
                     .products = products,
                     .tolerance = tolerance,
                     .random = gls_random_create(1, "test", 0, 0)};
    return gls_lanczos_ends(ctx, &o, s);
}

static dense random_symmetric(int64_t n) {
    dense m = {malloc(sizeof(double) * (size_t)(n * n)), n, 0};
    gls_random random = gls_random_create(2, "matrix", (uint64_t)n, 0);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k <= i; k++) m.a[i * n + k] = m.a[k * n + i] = gls_random_normal(&random);
    return m;
}

static const double precision = sizeof(gls_real) == 4 ? 2e-4 : 1e-8;

static void ends_agree_with_a_dense_decomposition(void **state) {
    const int64_t sizes[] = {1, 2, 5, 40, 150};
    for (int t = 0; t < 5; t++) {
        int64_t n = sizes[t];
        dense m = random_symmetric(n);
        gls_spectrum s;
        GOOD(run(&m, 20, 1000, precision / 10, &s));
        assert_true(s.converged);
        assert_int_equal(s.products, m.calls);
        double *values = malloc(sizeof(double) * (size_t)n);
        assert_int_equal(LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'N', 'U', (lapack_int)n, m.a, (lapack_int)n, values), 0);
        double scale = fmax(fabs(values[0]), fabs(values[n - 1]));
        NEAR_ABS(s.largest, values[n - 1], precision * scale);
        NEAR_ABS(s.smallest, values[0], precision * scale);
        free(values);
        free(m.a);
    }
}

static dense diagonal(int64_t n, const double *value) {
    dense m = {calloc((size_t)(n * n), sizeof(double)), n, 0};
    for (int64_t i = 0; i < n; i++) m.a[i * n + i] = value[i];
    return m;
}

/* A spectrum with a wide gap and one with a cluster at the top; restarts are needed. */
static void restarts_converge_on_hard_spectra(void **state) {
    enum { N = 120 };
    double value[N];
    for (int i = 0; i < N; i++) value[i] = 1 - 1e-3 * i;
    value[7] = -0.3;
    dense m = diagonal(N, value);
    gls_spectrum s;
    GOOD(run(&m, 16, 3000, precision / 10, &s));
    assert_true(s.converged && s.products > 16);
    NEAR_ABS(s.largest, 1, 30 * precision);
    NEAR_ABS(s.smallest, -0.3, 30 * precision);
    free(m.a);
}

/* The zero operator, and one of rank one: invariant subspaces are met at once. */
static void degenerate_operators(void **state) {
    enum { N = 50 };
    double value[N] = {0};
    dense m = diagonal(N, value);
    gls_spectrum s;
    GOOD(run(&m, 12, 200, 1e-3, &s));
    NEAR_ABS(s.largest, 0, 1e-12);
    NEAR_ABS(s.smallest, 0, 1e-12);
    m.a[3 * N + 3] = 7;
    GOOD(run(&m, 12, 200, 1e-3, &s));
    NEAR(s.largest, 7, 1e-5);
    NEAR_ABS(s.smallest, 0, 1e-4);
    m.a[0] = NAN;
    assert_int_equal(run(&m, 12, 200, 1e-3, &s), GLS_ERR_NONFINITE);
    free(m.a);
}

static void residual_says_when_products_run_out(void **state) {
    dense m = random_symmetric(200);
    gls_spectrum s;
    GOOD(run(&m, 30, 8, 1e-6, &s));
    assert_false(s.converged);
    assert_int_equal(s.products, 8);
    assert_true(s.largest_residual > 0);
    free(m.a);
}

static int set_up(void **state) {
    ctx = make_context();
    return 0;
}
static int tear_down(void **state) {
    gls_context_destroy(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_agree_with_a_dense_decomposition),
        cmocka_unit_test(restarts_converge_on_hard_spectra),
        cmocka_unit_test(degenerate_operators),
        cmocka_unit_test(residual_says_when_products_run_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
