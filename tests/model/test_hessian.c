/* Hessian products of networks: against differences of gradients, in double; symmetric; the same from any number of
 * threads, and to rounding from slices of any size; for examples that batch norm couples too. */
#include "samples.h"

#include <glissade/estimator.h>

static void differences(void **state) {
    if (sizeof(gls_real) == sizeof(float)) skip(); /* too coarse for difference quotients */
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const sample *s = &samples[i];
        gls_context *ctx = check_context(1, false);
        check_data data = check_data_create(s->rows, s->c, s->h, s->w, s->classes, s->targets);
        gls_problem *p = check_model(ctx, s->family, s->options, &data.info);
        assert_true(p->hessian_exact);
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++) {
            double error = check_hessian(p, &data.batch, mode);
            if (error > 1e-6) print_error("%s %s, mode %d: error %.3g\n", s->family, s->options, mode, error);
            assert_true(error <= 1e-6);
        }
        gls_problem_destroy(p);
        check_data_destroy(&data);
        gls_context_destroy(ctx);
    }
}

/* <u, H v> = <v, H u>, and products with rows' weights add up to the whole. */
static void symmetry_and_weights(void **state) {
    gls_context *ctx = check_context(1, false);
    check_data data = check_data_create(12, 3, 8, 7, 3, 0);
    gls_problem *p =
        check_model(ctx, "layers",
                    "{layers: [{conv: {channels: 8, kernel: 3, pad: 1}}, tanh, {max_pool: {kernel: 2}}, {group_norm: "
                    "{groups: 2}}, gelu, flatten, {dense: {units: 9}}, layer_norm, relu, {dense: {units: 3}}]}",
                    &data.info);
    int64_t d = gls_problem_size(p);
    gls_real *w = check_weights(p), *u = check_direction(p, 1, NULL), *v = check_direction(p, 2, NULL);
    gls_real *hu = calloc((size_t)d, sizeof *hu), *hv = calloc((size_t)d, sizeof *hv);
    gls_real *part = calloc((size_t)d, sizeof *part), *sum = calloc((size_t)d, sizeof *sum);
    check_run r = check_run_create(p, &data.batch, GLS_WANT_HESSIAN, GLS_MODE_TRAIN);
    gls_point *at = NULL;
    assert_int_equal(gls_point_create(p, &at), GLS_OK);
    check_product(&r, at, w, u, NULL, hu);
    check_product(&r, at, w, v, NULL, hv);
    double tolerance = sizeof(gls_real) == sizeof(float) ? 1e-5 : 1e-12, size = sqrt(check_dot(hv, hv, d));
    assert_true(fabs(check_dot(u, hv, d) - check_dot(v, hu, d)) <= tolerance * size);
    for (int half = 0; half < 2; half++) {
        double weights[12];
        for (int k = 0; k < 12; k++) weights[k] = k % 2 == half ? 1 : 0;
        check_product(&r, at, w, v, weights, part);
        for (int64_t i = 0; i < d; i++) sum[i] += part[i];
    }
    assert_true(check_distance(sum, hv, d) <= tolerance);
    gls_point_destroy(at);
    check_run_destroy(&r);
    free(w);
    free(u);
    free(v);
    free(hu);
    free(hv);
    free(part);
    free(sum);
    gls_problem_destroy(p);
    check_data_destroy(&data);
    gls_context_destroy(ctx);
}

static void by_pass(const char *family, const char *options, const check_data *data, int threads, int64_t slice,
                    int64_t span, gls_real **out, int64_t *d) {
    gls_context *ctx = check_context(threads, false);
    gls_problem *p = check_model(ctx, family, options, &data->info);
    *d = gls_problem_size(p);
    gls_real *w = check_weights(p), *v = check_direction(p, 1, NULL);
    *out = calloc((size_t)*d, sizeof **out);
    gls_pass *pass = NULL;
    gls_pass_options plan = {.size = sizeof plan, .slice = slice, .span = span};
    assert_int_equal(gls_pass_create(p, &plan, &pass), GLS_OK);
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &data->batch);
    double mass = 0;
    gls_status status = gls_pass_hessian_vector(pass, w, v, &stream.stream, GLS_MODE_TRAIN, *out, &mass);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(ctx));
    assert_int_equal(status, GLS_OK);
    free(w);
    free(v);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
}

/* Slices exchange sums where batch norm couples them; spans exchange them with themselves. */
static void slices_and_threads(void **state) {
    static const struct {
        const char *family, *options;
        int64_t span;
    } cases[] = {{"mlp", "{hidden: [300, 40], activation: tanh}", 0},
                 {"mlp", "{hidden: [30, 20], activation: tanh, norm: batch}", 0},
                 {"mlp", "{hidden: [30, 20], activation: tanh, norm: batch}", 4},
                 {"mlp", "{hidden: [30, 20], activation: tanh, norm: batch, bn_group: 4}", 0}};
    check_data data = check_data_create(16, 11, 0, 0, 5, 0);
    double tolerance = sizeof(gls_real) == sizeof(float) ? 1e-5 : 1e-12;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        gls_real *whole, *one, *two;
        int64_t d;
        by_pass(cases[k].family, cases[k].options, &data, 1, 16, cases[k].span, &whole, &d);
        by_pass(cases[k].family, cases[k].options, &data, 1, 4, cases[k].span, &one, &d);
        by_pass(cases[k].family, cases[k].options, &data, 2, 4, cases[k].span, &two, &d);
        assert_memory_equal(one, two, (size_t)d * sizeof *one);
        assert_true(check_dot(whole, whole, d) > 0);
        assert_true(check_distance(one, whole, d) <= tolerance);
        free(whole);
        free(one);
        free(two);
    }
    check_data_destroy(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(differences), cmocka_unit_test(symmetry_and_weights),
                                       cmocka_unit_test(slices_and_threads)};
    return cmocka_run_group_tests_name("hessian", tests, NULL, NULL);
}
