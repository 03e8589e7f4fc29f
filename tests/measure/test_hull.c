/* The point of least norm in a convex hull, against distances to edges and to faces; stationarity of piecewise linear
 * functions, whose gradients near a point are few. */
#include "fixture.h"

#include "measure/hull.h"

#include <stdio.h>

/* ---- triangles in the plane ---- */

/* The distance from 0 to the segment a b. */
static double to_segment(const double *a, const double *b) {
    double along[2] = {b[0] - a[0], b[1] - a[1]}, length2 = along[0] * along[0] + along[1] * along[1];
    double t = fmin(1, fmax(0, -(a[0] * along[0] + a[1] * along[1]) / length2));
    return hypot(a[0] + t * along[0], a[1] + t * along[1]);
}

static double side(const double *a, const double *b) {
    return a[0] * b[1] - a[1] * b[0];
}

static double to_triangle(double v[3][2]) {
    double s0 = side(v[0], v[1]), s1 = side(v[1], v[2]), s2 = side(v[2], v[0]);
    if ((s0 > 0 && s1 > 0 && s2 > 0) || (s0 < 0 && s1 < 0 && s2 < 0)) return 0;
    return fmin(to_segment(v[0], v[1]), fmin(to_segment(v[1], v[2]), to_segment(v[2], v[0])));
}

static gls_hull nearest(gls_context *ctx, const double *v, int n, int d, double *weight) {
    double *gram = calloc((size_t)(n * n), sizeof *gram);
    gls_hull hull;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; k < d; k++) gram[i * n + j] += v[i * d + k] * v[j * d + k];
    GOOD(gls_hull_nearest(ctx, gram, n, 1e-9, 100000, weight, &hull));
    free(gram);
    return hull;
}

static void triangles(void **state) {
    gls_context *ctx = make_context();
    gls_random random = gls_random_create(1, "triangles", 0, 0);
    int inside = 0;
    for (int t = 0; t < 3000; t++) {
        double v[3][2], weight[3], point[2] = {0}, sum = 0;
        double shift = t % 3, thin = t % 5 ? 1 : 1e-3;
        for (int i = 0; i < 3; i++) {
            v[i][0] = gls_random_normal(&random) + shift;
            v[i][1] = thin * gls_random_normal(&random);
        }
        double expected = to_triangle(v);
        gls_hull hull = nearest(ctx, &v[0][0], 3, 2, weight);
        assert_true(hull.converged);
        NEAR_ABS(hull.norm, expected, 1e-6);
        assert_true(hull.least <= expected + 1e-9);
        for (int i = 0; i < 3; i++) { /* weights of the hull, that make a point of that norm */
            assert_true(weight[i] >= 0);
            sum += weight[i];
            for (int k = 0; k < 2; k++) point[k] += weight[i] * v[i][k];
        }
        NEAR_ABS(sum, 1, 1e-9);
        NEAR_ABS(hypot(point[0], point[1]), hull.norm, 1e-7);
        inside += expected == 0;
    }
    assert_true(inside > 200);
    gls_context_destroy(ctx);
}

/* e_1 ... e_n scaled: the nearest point has weights like 1 / c_i^2, its norm is 1 / sqrt(sum 1 / c_i^2). */
static void scaled_axes(void **state) {
    enum { AXES = 60 };
    gls_context *ctx = make_context();
    static double v[AXES][AXES], weight[AXES];
    double sum = 0;
    for (int i = 0; i < AXES; i++) {
        v[i][i] = 1 + i % 7;
        sum += 1 / (v[i][i] * v[i][i]);
    }
    gls_hull hull = nearest(ctx, &v[0][0], AXES, AXES, weight);
    assert_true(hull.converged);
    NEAR(hull.norm, 1 / sqrt(sum), 1e-7);
    assert_true(hull.least <= 1 / sqrt(sum) * (1 + 1e-9) && hull.least > 0.999 / sqrt(sum));
    for (int i = 0; i < AXES; i++) NEAR(weight[i], 1 / (v[i][i] * v[i][i] * sum), 1e-3);
    hull = nearest(ctx, &v[0][0], 1, AXES, weight); /* one vector is its own hull */
    NEAR(hull.norm, 1, 1e-12);
    NEAR(hull.least, 1, 1e-12);
    /* Stopped early: the answer lies between the two ends. */
    double gram[AXES * AXES] = {0};
    for (int i = 0; i < AXES; i++) gram[i * AXES + i] = v[i][i] * v[i][i];
    GOOD(gls_hull_nearest(ctx, gram, AXES, 1e-9, 5, weight, &hull));
    assert_true(!hull.converged && hull.rounds == 5);
    assert_true(hull.least <= 1 / sqrt(sum) && hull.norm >= 1 / sqrt(sum));
    gls_context_destroy(ctx);
}

/* ---- a measure of it ---- */

/* |w_1| + 2 |w_2| for every example. */
static int ridge(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                 double *value, gls_real *gradient) {
    *value = 0;
    for (int64_t j = 0; j < count; j++) {
        double c = weight ? weight[j] : 1;
        *value += c * (fabs((double)w[0]) + 2 * fabs((double)w[1]));
        if (!gradient) continue;
        gradient[0] += (gls_real)(c * (w[0] > 0 ? 1 : -1));
        gradient[1] += (gls_real)(c * (w[1] > 0 ? 2 : -2));
    }
    return 0;
}

static void stationarity_near_kinks(void **state) {
    fixture t = {0};
    fixture_create(&t, 1, ridge, NULL, 2, 4);
    const struct {
        double w[2], delta, expected;
    } cases[] = {{{1, 1}, 0.1, sqrt(5)}, /* smooth there: the gradient's own norm */
                 {{0.01, 1}, 0.1, 2},    /* across the first kink: (0, 2) is a mixture */
                 {{1, 0.01}, 0.1, 1},    /* across the second */
                 {{0.01, 0.01}, 0.1, 0}, /* across both: 0 is one */
                 {{0.01, 0.01}, 1e-3, sqrt(5)}};
    for (int c = 0; c < 5; c++) {
        char delta[32];
        snprintf(delta, sizeof delta, "%g", cases[c].delta);
        const char *const options[] = {"delta", delta, "points", "40", NULL};
        for (int k = 0; k < 2; k++) t.w[k] = (gls_real)cases[c].w[k];
        gls_measure_result r = fixture_once(&t, "stationarity", options);
        NEAR_ABS(gls_measure_result_get(&r, "stationarity"), cases[c].expected, 1e-5);
        NEAR_ABS(gls_measure_result_get(&r, "stationarity_of_points"), cases[c].expected, 1e-5);
        NEAR(gls_measure_result_get(&r, "gradient_norm_at_centre"), sqrt(5), 1e-6);
        assert_null(r.note);
        gls_measure_result_clear(&r);
    }
    fixture_destroy(&t);
}

/* On a quadratic the ball's gradients fill an ellipsoid around grad F: none is longer than needed by L delta. */
static void stationarity_of_a_smooth_function(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    const char *const options[] = {"sample", "all", "delta", "0.05", "points", "64", NULL};
    gls_measure_result r = fixture_once(&t, "stationarity", options);
    double norm = gls_measure_result_get(&r, "gradient_norm_at_centre");
    double least = gls_measure_result_get(&r, "stationarity"), reach = 0.05 * (DIM - 0.5);
    assert_true(least <= norm && least >= norm - reach);
    assert_true(least < norm - 0.2 * reach);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triangles),
        cmocka_unit_test(scaled_axes),
        cmocka_unit_test(stationarity_near_kinks),
        cmocka_unit_test(stationarity_of_a_smooth_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
