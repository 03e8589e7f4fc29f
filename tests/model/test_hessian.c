/* Hessian products of networks: against differences of gradients, in double; symmetric; the same from any number of
 * threads, and to rounding from slices of any size; for examples that batch norm couples too. */
#include "samples.h"

#include <glissade/estimator.h>

static double dot(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static double distance(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum / (dot(b, b, n) + 1e-300));
}

/* Normal numbers of norm 1, in one block or in all. */
static gls_real *direction(const gls_problem *p, int64_t number, const gls_block *block) {
    int64_t d = gls_problem_size(p);
    gls_real *v = calloc((size_t)d, sizeof *v);
    gls_random random = gls_random_create(17, "direction", (uint64_t)number, 0);
    for (int64_t i = 0; i < d; i++) {
        bool inside = !block || (i >= block->offset && i < block->offset + block->size);
        v[i] = inside ? (gls_real)gls_random_normal(&random) : 0;
    }
    double norm = sqrt(dot(v, v, d));
    for (int64_t i = 0; i < d; i++) v[i] = (gls_real)(v[i] / norm);
    return v;
}

static void ask(check_run *r, gls_point *at, const gls_real *w, const gls_real *v, const double *weights,
                gls_real *out) {
    assert_int_equal(gls_point_set(at, v), GLS_OK);
    r->args.direction = at;
    check_run_at(r, w);
    memset(out, 0, (size_t)gls_problem_size(r->p) * sizeof *out);
    gls_status status = gls_ask_gradient(r->e, GLS_PRODUCT_HESSIAN, weights, out);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(r->p->ctx));
    assert_int_equal(status, GLS_OK);
}

/* (g(w + h v) - g(w - h v)) / 2h: so short a step crosses no kink of these networks, and loses six digits of sixteen.
 */
static void difference(check_run *r, const gls_real *w, const gls_real *v, gls_real *out) {
    enum { SIDES = 2 };
    const double h = 1e-6;
    int64_t d = gls_problem_size(r->p);
    gls_real *at = calloc((size_t)d, sizeof *at), *g[SIDES];
    for (int side = 0; side < SIDES; side++) {
        g[side] = calloc((size_t)d, sizeof **g);
        for (int64_t i = 0; i < d; i++) at[i] = (gls_real)(w[i] + (side ? -h : h) * v[i]);
        check_gradient_at(r, at, g[side]);
    }
    for (int64_t i = 0; i < d; i++) out[i] = (gls_real)((g[0][i] - g[1][i]) / (2 * h));
    for (int side = 0; side < SIDES; side++) free(g[side]);
    free(at);
}

/* Largest relative error over directions in all parameters and in each block. */
static double worst_error(gls_problem *p, const gls_batch *batch, gls_mode mode) {
    int64_t d = gls_problem_size(p), blocks = gls_layout_count(gls_problem_layout(p));
    check_run plain = check_run_create(p, batch, GLS_WANT_GRADIENT, mode);
    check_run both = check_run_create(p, batch, GLS_WANT_GRADIENT | GLS_WANT_HESSIAN, mode);
    gls_real *w = check_weights(p), *product = calloc((size_t)d, sizeof *w), *quotient = calloc((size_t)d, sizeof *w);
    gls_real *g = calloc((size_t)d, sizeof *g), *beside = calloc((size_t)d, sizeof *g);
    gls_point *at = NULL;
    assert_int_equal(gls_point_create(p, &at), GLS_OK);
    double worst = 0, largest = 0;
    for (int64_t b = -1; b < blocks; b++) {
        gls_real *v = direction(p, b + 1, b < 0 ? NULL : gls_layout_block(gls_problem_layout(p), b));
        ask(&both, at, w, v, NULL, product);
        difference(&plain, w, v, quotient);
        double size = sqrt(dot(product, product, d)), error = distance(quotient, product, d);
        if (b < 0) largest = size;
        /* A block before a normalisation may have no curvature of its own. */
        if (size < 1e-7 * largest) error *= size / largest;
        if (error > worst) worst = error;
        if (error > 1e-6) print_error("block %lld: relative error %.3g of %.3g\n", (long long)b, error, size);
        free(v);
    }
    /* The plain gradient beside it has the bits that it has alone. */
    assert_int_equal(gls_ask_gradient(both.e, GLS_PRODUCT_GRADIENT, NULL, beside), GLS_OK);
    check_gradient_at(&plain, w, g);
    assert_memory_equal(g, beside, (size_t)d * sizeof *g);
    gls_point_destroy(at);
    check_run_destroy(&plain);
    check_run_destroy(&both);
    free(w);
    free(product);
    free(quotient);
    free(g);
    free(beside);
    return worst;
}

static void differences(void **state) {
    if (sizeof(gls_real) == sizeof(float)) skip(); /* too coarse for difference quotients */
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const sample *s = &samples[i];
        gls_context *ctx = check_context(1, false);
        check_data data = check_data_create(s->rows, s->c, s->h, s->w, s->classes, s->targets);
        gls_problem *p = check_model(ctx, s->family, s->options, &data.info);
        assert_true(p->hessian_exact);
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++) {
            double error = worst_error(p, &data.batch, mode);
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
    gls_real *w = check_weights(p), *u = direction(p, 1, NULL), *v = direction(p, 2, NULL);
    gls_real *hu = calloc((size_t)d, sizeof *hu), *hv = calloc((size_t)d, sizeof *hv);
    gls_real *part = calloc((size_t)d, sizeof *part), *sum = calloc((size_t)d, sizeof *sum);
    check_run r = check_run_create(p, &data.batch, GLS_WANT_HESSIAN, GLS_MODE_TRAIN);
    gls_point *at = NULL;
    assert_int_equal(gls_point_create(p, &at), GLS_OK);
    ask(&r, at, w, u, NULL, hu);
    ask(&r, at, w, v, NULL, hv);
    double tolerance = sizeof(gls_real) == sizeof(float) ? 1e-5 : 1e-12, size = sqrt(dot(hv, hv, d));
    assert_true(fabs(dot(u, hv, d) - dot(v, hu, d)) <= tolerance * size);
    for (int half = 0; half < 2; half++) {
        double weights[12];
        for (int k = 0; k < 12; k++) weights[k] = k % 2 == half ? 1 : 0;
        ask(&r, at, w, v, weights, part);
        for (int64_t i = 0; i < d; i++) sum[i] += part[i];
    }
    assert_true(distance(sum, hv, d) <= tolerance);
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
    gls_real *w = check_weights(p), *v = direction(p, 1, NULL);
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
        assert_true(dot(whole, whole, d) > 0);
        assert_true(distance(one, whole, d) <= tolerance);
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
