/* Moments below the second, and what clipping does at a threshold: against sums over rows written out here. */
#include "fixture.h"

#include "base/yaml.h"

#include "base/tensors.h"

#include <stdio.h>
#include <unistd.h>

static const double precision = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;

enum { N = 40, D = 7 };

static void fill(gls_real *g) {
    gls_random random = gls_random_create(4, "alpha", 0, 0);
    for (int i = 0; i < N * D; i++)
        g[i] = (gls_real)(pow(gls_random_uniform(&random), -0.5) * gls_random_normal(&random) * (1 + i % D) + 0.3);
}

/* (mean |x|^alpha)^(1/alpha) over the rows of G, of the noise around their mean, and of each coordinate. */
static void by_hand(const gls_real *g, double alpha, double *whole, double *noise, double *b) {
    double mean[D] = {0};
    *whole = *noise = 0;
    for (int k = 0; k < D; k++) {
        b[k] = 0;
        for (int i = 0; i < N; i++) {
            mean[k] += (double)g[i * D + k] / N;
            b[k] += pow(fabs((double)g[i * D + k]), alpha) / N;
        }
        b[k] = pow(b[k], 1 / alpha);
    }
    for (int i = 0; i < N; i++) {
        double square = 0, apart = 0;
        for (int k = 0; k < D; k++) {
            square += pow((double)g[i * D + k], 2);
            apart += pow((double)g[i * D + k] - mean[k], 2);
        }
        *whole += pow(sqrt(square), alpha) / N;
        *noise += pow(sqrt(apart), alpha) / N;
    }
    *whole = pow(*whole, 1 / alpha);
    *noise = pow(*noise, 1 / alpha);
}

static gls_measure_result on_matrix(gls_context *ctx, const char *alpha, const gls_measure_matrix *matrix) {
    gls_value *options = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_measure *m;
    gls_measure_result r;
    gls_measure_result_init(ctx, &r);
    GOOD(gls_value_append(ctx, options, gls_value_create(ctx, GLS_VALUE_TEXT, "alpha", alpha)));
    GOOD(gls_measure_create(ctx, "alpha_moments", options, NULL, 0, 0, &m));
    GOOD(gls_measure_run_matrix(m, matrix, &r));
    gls_measure_destroy(m);
    gls_value_destroy(ctx, options);
    return r;
}

static void moments_are_means_of_powers(void **state) {
    gls_context *ctx = make_context();
    static const char *const alphas[] = {"1.5", "1.2", "2"};
    gls_real g[N * D];
    fill(g);
    for (int t = 0; t < 3; t++) {
        double alpha = atof(alphas[t]), whole, noise, b[D], two = 0, own = 0, most = 0;
        by_hand(g, alpha, &whole, &noise, b);
        for (int k = 0; k < D; k++) {
            most = fmax(most, b[k]);
            two += b[k] * b[k];
            own += pow(b[k], alpha);
        }
        for (int sample = 0; sample < 2; sample++) {
            gls_measure_matrix matrix = {g, N, D, sample, 3};
            gls_measure_result r = on_matrix(ctx, alphas[t], &matrix);
            NEAR(gls_measure_result_get(&r, "alpha_moment"), whole, precision);
            NEAR(gls_measure_result_get(&r, "noise_alpha_moment"), noise, precision);
            NEAR(gls_measure_result_get(&r, "greatest_coordinate_moment"), most, precision);
            NEAR(gls_measure_result_get(&r, "coordinate_moment_norm"), sqrt(two), precision);
            NEAR(gls_measure_result_get(&r, "coordinate_moment_alpha_norm"), pow(own, 1 / alpha), precision);
            NEAR(gls_measure_result_get(&r, "global_over_coordinate"), whole * whole / two, 10 * precision);
            NEAR(gls_measure_result_get(&r, "worst_global_over_coordinate"), D * pow(own, 2 / alpha) / two,
                 10 * precision);
            const gls_figure *f = gls_measure_result_find(&r, "alpha_moment");
            assert_true(sample ? f->low < whole && whole < f->high : isnan(f->low) && isnan(f->high));
            gls_measure_result_clear(&r);
        }
    }
    /* Six rows of one length: the moments are that length whatever alpha; too few for intervals. */
    for (int i = 0; i < 6 * D; i++) g[i] = i % D == 2 ? 3 : 0;
    gls_measure_matrix six = {g, 6, D, true, 3};
    gls_measure_result r = on_matrix(ctx, "1.7", &six);
    NEAR(gls_measure_result_get(&r, "alpha_moment"), 3, precision);
    NEAR(gls_measure_result_get(&r, "coordinate_moment_norm"), 3, precision);
    assert_non_null(r.meaningless);
    gls_measure_result_clear(&r);
    gls_context_destroy(ctx);
}

/* All gradients of the fixture at its weights. */
static void gradients(const fixture *t, double g[SET][DIM]) {
    for (int i = 0; i < SET; i++) quadratic_gradient(&t->f, t->w, i, g[i]);
}

static double moment(double g[SET][DIM], double alpha) {
    double sum = 0;
    for (int i = 0; i < SET; i++) {
        double square = 0;
        for (int k = 0; k < DIM; k++) square += g[i][k] * g[i][k];
        sum += pow(sqrt(square), alpha) / SET;
    }
    return pow(sum, 1 / alpha);
}

static void moments_of_samples_cover_the_sets(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    double g[SET][DIM];
    gradients(&t, g);
    const char *const all[] = {"sample", "all", NULL}, *const some[] = {"sample", "24", NULL};
    gls_measure_result r = fixture_once(&t, "alpha_moments", all);
    double whole = moment(g, 1.5), two = 0, first = 0;
    for (int k = 0; k < DIM; k++) {
        double b = 0;
        for (int i = 0; i < SET; i++) b += pow(fabs(g[i][k]), 1.5) / SET;
        two += pow(b, 2 / 1.5);
        first = k == 0 ? pow(b, 1 / 1.5) : first;
    }
    NEAR(gls_measure_result_get(&r, "alpha_moment"), whole, 10 * precision);
    NEAR(gls_measure_result_get(&r, "coordinate_moment_norm"), sqrt(two), 10 * precision);
    assert_true(isnan(gls_measure_result_find(&r, "alpha_moment")->low)); /* the set itself has no interval */
    gls_measure_result_clear(&r);
    int inside = 0, of_norm = 0, repeats = 200;
    gls_measure *m = fixture_measure(&t, "alpha_moments", some);
    gls_measure_result_init(t.ctx, &r);
    for (int i = 0; i < repeats; i++) {
        t.in.step = i;
        fixture_run(&t, m, &r);
        const gls_figure *f = gls_measure_result_find(&r, "alpha_moment");
        inside += f->low <= whole && whole <= f->high;
        f = gls_measure_result_find(&r, "coordinate_moment_norm");
        of_norm += f->low <= sqrt(two) && sqrt(two) <= f->high;
    }
    assert_true(inside > 0.88 * repeats && of_norm > 0.88 * repeats);
    gls_measure_destroy(m);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* The file of the moments of all coordinates, read back. */
static void the_file_holds_every_coordinate(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    char path[] = "/tmp/glissade-moments-XXXXXX";
    int made = mkstemp(path);
    assert_true(made >= 0);
    close(made);
    const char *const options[] = {"sample", "all", "alpha", "1.3", "write", path, NULL};
    gls_measure_result r = fixture_once(&t, "alpha_moments", options);
    gls_measure_result_clear(&r);
    gls_real b[DIM];
    gls_tensors *file;
    double g[SET][DIM];
    gradients(&t, g);
    GOOD(gls_tensors_open(t.ctx, path, &file));
    GOOD(gls_tensors_read_layout(file, gls_problem_layout(t.problem), "", b));
    gls_tensors_close(file);
    for (int k = 0; k < DIM; k++) {
        double sum = 0;
        for (int i = 0; i < SET; i++) sum += pow(fabs(g[i][k]), 1.3) / SET;
        NEAR((double)b[k], pow(sum, 1 / 1.3), 10 * precision);
    }
    unlink(path);
    fixture_destroy(&t);
}

/* Run once with options in YAML. */
static gls_measure_result once(fixture *t, const char *name, const char *text) {
    gls_value *options = NULL;
    gls_measure *m;
    gls_measure_result r;
    gls_measure_result_init(t->ctx, &r);
    GOOD(gls_yaml_parse(t->ctx, "test", text, (int64_t)strlen(text), &options));
    GOOD(gls_measure_create(t->ctx, name, options, NULL, DIM, SET, &m));
    gls_value_destroy(t->ctx, options);
    fixture_run(t, m, &r);
    gls_measure_destroy(m);
    return r;
}

/* Second moment, variance and bias of clipped gradients, of a whole set. b NULL: the norm is clipped at tau. */
static void clip_by_hand(double g[SET][DIM], double tau, const double *b, double *second, double *variance,
                         double *bias) {
    double mean[DIM] = {0}, clipped_mean[DIM] = {0};
    *second = *bias = 0;
    for (int i = 0; i < SET; i++) {
        double norm = 0;
        for (int k = 0; k < DIM; k++) norm += g[i][k] * g[i][k];
        norm = sqrt(norm);
        for (int k = 0; k < DIM; k++) {
            double x = b ? copysign(fmin(fabs(g[i][k]), tau * b[k]), g[i][k]) : g[i][k] * fmin(1, tau / norm);
            mean[k] += g[i][k] / SET;
            clipped_mean[k] += x / SET;
            *second += x * x / SET;
        }
    }
    *variance = *second;
    for (int k = 0; k < DIM; k++) {
        *variance -= clipped_mean[k] * clipped_mean[k];
        *bias += pow(clipped_mean[k] - mean[k], 2);
    }
    *bias = sqrt(*bias);
}

static void clipping_is_what_the_lemmas_bound(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    double g[SET][DIM], b[DIM], second[2], variance[2], bias[2], two = 0;
    gradients(&t, g);
    for (int k = 0; k < DIM; k++) {
        b[k] = 0;
        for (int i = 0; i < SET; i++) b[k] += pow(fabs(g[i][k]), 1.5) / SET;
        b[k] = pow(b[k], 1 / 1.5);
        two += b[k] * b[k];
    }
    const double multiples[] = {0.25, 0.5, 1, 2};
    gls_measure_result r = once(&t, "clip_bias", "{sample: all, multiples: [0.25, 0.5, 1, 2]}");
    double whole = moment(g, 1.5), near = 100 * precision;
    for (int c = 0; c < 4; c++) {
        const char *const figures[2][5] = {{"global_second_moment", "global_variance", "global_bias",
                                            "global_second_moment_bound", "global_bias_bound"},
                                           {"coordinate_second_moment", "coordinate_variance", "coordinate_bias",
                                            "coordinate_second_moment_bound", "coordinate_bias_bound"}};
        for (int way = 0; way < 2; way++) {
            double value[5], size = way ? sqrt(two) : whole;
            clip_by_hand(g, way ? multiples[c] : multiples[c] * whole, way ? b : NULL, &second[way], &variance[way],
                         &bias[way]);
            for (int k = 0; k < 5; k++) value[k] = gls_measure_result_find(&r, figures[way][k])->value[c];
            NEAR(value[0], second[way], near);
            NEAR(value[1], variance[way], near);
            NEAR_ABS(value[2], bias[way], near * size);
            NEAR(value[3], size * size * sqrt(multiples[c]), near);
            NEAR(value[4], size / sqrt(multiples[c]), near);
            assert_true(value[0] <= value[3] && value[2] <= value[4]);
        }
    }
    assert_true(bias[0] < 0.2 * whole);
    gls_measure_result_clear(&r);
    /* From samples the squared bias is right on average, not too large by the sample's scatter. The thresholds are the
     * sample's own, which moves it a little too. */
    double mean = 0, truth;
    clip_by_hand(g, 0.5 * whole, NULL, &second[0], &variance[0], &truth);
    for (int i = 0; i < 200; i++) {
        t.in.step = i;
        r = once(&t, "clip_bias", "{sample: 30, multiples: [0.5]}");
        double one = gls_measure_result_find(&r, "global_bias")->value[0];
        mean += isnan(one) ? 0 : one * one / 200;
        gls_measure_result_clear(&r);
    }
    NEAR(mean, truth * truth, 0.05);
    fixture_destroy(&t);
}

/* The last point is the whole set by definition; a smaller one the mean of the measures themselves. */
static void curves_against_the_size_of_the_sample(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    const char *const options[] = {"smallest", "16", "largest", "all", "factor", "2", "repeats", "5", NULL};
    gls_measure_result r = fixture_once(&t, "sample_curves", options);
    const double sizes[] = {16, 32, 60};
    const char *const arrays[] = {"loss_by_size", "gradient_norm_by_size", "noise_by_size", "sharpness_by_size"};
    assert_int_equal(gls_measure_result_find(&r, "sizes")->count, 3);
    for (int i = 0; i < 3; i++) assert_true(gls_measure_result_find(&r, "sizes")->value[i] == sizes[i]);
    double loss = 0, g[SET][DIM], sum[DIM] = {0}, norm2 = 0, noise2 = 0;
    gradients(&t, g);
    for (int i = 0; i < SET; i++) {
        loss += quadratic_value(&t.f, t.w, i) / SET;
        for (int k = 0; k < DIM; k++) sum[k] += g[i][k] / SET;
    }
    for (int k = 0; k < DIM; k++) {
        norm2 += sum[k] * sum[k];
        for (int i = 0; i < SET; i++) noise2 += pow(g[i][k] - sum[k], 2) / SET;
    }
    const double whole[] = {loss, sqrt(norm2), sqrt(noise2), DIM - 0.5};
    for (int k = 0; k < 4; k++) NEAR(gls_measure_result_find(&r, arrays[k])->value[2], whole[k], 5e-3);
    for (int i = 0; i < 3; i++) NEAR(gls_measure_result_find(&r, "sharpness_by_size")->value[i], DIM - 0.5, 5e-3);
    assert_true(gls_measure_result_find(&r, "loss_deviation")->value[2] == 0);
    for (int i = 0; i < 2; i++) {
        char size[16];
        double mean = 0, square = 0;
        snprintf(size, sizeof size, "%g", sizes[i]);
        for (int seed = 0; seed < 5; seed++) {
            const char *const one[] = {"sample", size, NULL};
            t.in.seed = (uint64_t)(3 + seed);
            gls_measure_result direct = fixture_once(&t, "loss", one);
            mean += gls_measure_result_get(&direct, "loss") / 5;
            square += pow(gls_measure_result_get(&direct, "loss"), 2) / 5;
            gls_measure_result_clear(&direct);
        }
        NEAR(gls_measure_result_find(&r, "loss_by_size")->value[i], mean, 1e-12);
        NEAR(gls_measure_result_find(&r, "loss_deviation")->value[i], sqrt((square - mean * mean) * 5 / 4), 1e-4);
    }
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_means_of_powers),           cmocka_unit_test(moments_of_samples_cover_the_sets),
        cmocka_unit_test(the_file_holds_every_coordinate),       cmocka_unit_test(clipping_is_what_the_lemmas_bound),
        cmocka_unit_test(curves_against_the_size_of_the_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
