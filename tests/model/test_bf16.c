/* Networks in bf16: questions against the gradients of single rows; sums of weight gradients; what stays in single
 * precision; bits on several threads; memory. */
#include "bf16.h"

#include <stdatomic.h>

#include <glissade/estimator.h>

/* ---- questions ---- */

typedef struct sample {
    const char *family, *options;
    int64_t rows, c, h, w, classes;
} sample;

static const sample samples[] = {
    {"mlp", "{hidden: [300, 120], activation: leaky_relu}", 10, 20, 0, 0, 5},
    {"convnet", "{channels: 16, units: 300}", 10, 3, 12, 10, 4},
    {"resnet", "{depth: 8, norm: group}", 10, 3, 9, 8, 3},
    {"lstm", "{hidden: 12, embedding: 8}", 10, 30, 6, -1, 0},
    {"transformer", "{dim: 16, heads: 2, depth: 1}", 10, 30, 6, -1, 0},
    {"transformer", "{dim: 32, heads: 2, depth: 1, tie: true}", 10, 30, 6, -1, 0},
};
enum { SAMPLES = sizeof samples / sizeof *samples, ROWS = 10 };

/* Norms, inner products and weighted sums of one evaluation, and evaluations of the rows one by one. */
static void questions_are_about_the_rows_gradients(void **state) {
    skip_where_there_are_none();
    for (int i = 0; i < SAMPLES; i++) {
        const sample *s = &samples[i];
        gls_context *ctx = check_context(1, false);
        check_data d = check_data_create(ROWS, s->c, s->h, s->w, s->classes, 0);
        gls_problem *p = bf16_model(ctx, s->family, s->options, &d.info);
        int64_t size = gls_problem_size(p);
        gls_real *w = check_weights(p), *v = check_direction(p, 1, NULL), *sum = calloc((size_t)size, sizeof *sum),
                 *expected = calloc((size_t)size, sizeof *sum), *g = calloc((size_t)size, sizeof *g);
        unsigned want = GLS_WANT_GRADIENT | GLS_WANT_NORMS | GLS_WANT_INNER;
        check_run all = check_run_create(p, &d.batch, want, GLS_MODE_TRAIN);
        gls_point *direction = NULL;
        assert_int_equal(gls_point_create(p, &direction), GLS_OK);
        assert_int_equal(gls_point_set(direction, v), GLS_OK);
        double norms[ROWS], inner[ROWS], weights[ROWS];
        for (int r = 0; r < ROWS; r++) weights[r] = 0.3 + r * r * 0.17;
        check_run_at(&all, w);
        assert_int_equal(gls_ask_norms(all.e, NULL, norms), GLS_OK);
        assert_int_equal(gls_ask_inner(all.e, NULL, direction, inner), GLS_OK);
        assert_int_equal(gls_ask_gradient(all.e, GLS_PRODUCT_GRADIENT, weights, sum), GLS_OK);
        for (int64_t r = 0; r < ROWS; r++) {
            gls_batch one = d.batch;
            one.rows = 1;
            one.x = d.x ? d.x + r * one.features : NULL;
            one.token = d.token ? d.token + r * one.length : NULL;
            one.label = d.label + r * gls_batch_labels(&d.batch);
            one.index = d.index + r;
            one.slot = d.slot + r;
            one.mass = one.mass ? d.mass + r : NULL;
            check_run single = check_run_create(p, &one, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
            check_gradient_at(&single, w, g);
            double norm = check_dot(g, g, size), dot = check_dot(g, v, size);
            if (!(fabs(norms[r] - norm) <= 2e-5 * norm)) print_error("%s: %g, %g\n", s->family, norms[r], norm);
            assert_true(fabs(norms[r] - norm) <= 2e-5 * norm);
            assert_true(fabs(inner[r] - dot) <= 2e-5 * sqrt(norm));
            for (int64_t j = 0; j < size; j++) expected[j] += (gls_real)weights[r] * g[j];
            check_run_destroy(&single);
        }
        /* The processor's products take operands of 8 bits, so that rows of a convolution are rounded again once they
         * are weighted: to 2^-9 at most. */
        assert_true(check_distance(sum, expected, size) < (native ? 0x1p-9 : 2e-5));
        gls_point_destroy(direction);
        check_run_destroy(&all);
        free(w);
        free(v);
        free(sum);
        free(expected);
        free(g);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* ---- weight gradients of dense layers ---- */

/* With dense layers and no convolutions; most have a layer whose gradient is made in tiles. */
static const sample dense[] = {
    {"mlp", "{hidden: [300, 120]}", 70, 20, 0, 0, 5},
    {"mlp", "{hidden: [61, 600]}", 70, 33, 0, 0, 7},
    {"layers",
     "{layers: [{dense: {units: 260, name: a}}, tanh, {dense: {units: 130, tie: a.weight, transpose: true}}, tanh,"
     " {dense: {units: 260, tie: a.weight, bias: false}}, tanh, {dense: {units: 3}}]}",
     70, 130, 0, 0, 3},
    {"transformer", "{dim: 96, heads: 2, depth: 1, tie: true}", 70, 350, 7, -1, 0},
    {"transformer", "{dim: 96, heads: 2, depth: 1}", 70, 30, 7, -1, 3},
    {"transformer_xl", "{dim: 96, heads: 2, depth: 1}", 70, 30, 6, -1, 0},
    {"nplm", "{embedding: 96, window: 4, hidden: 96}", 70, 350, 6, -1, 0},
};
enum { DENSE = sizeof dense / sizeof *dense };

static gls_status weigh_one(void *user, gls_slice *slice) {
    (void)user;
    for (int64_t r = 0; r < slice->rows->rows; r++) slice->weights[r] = 1;
    return GLS_OK;
}

/* The gradient of a pass; weighted: every row by 1, which is multiplied in float. */
static gls_real *pass_gradient(const sample *s, int64_t slice, int threads, bool weighted, int64_t *size) {
    gls_context *ctx = check_context(threads, false);
    check_data d = check_data_create(s->rows, s->c, s->h, s->w, s->classes, 0);
    gls_problem *p = bf16_model(ctx, s->family, s->options, &d.info);
    gls_real *w = check_weights(p), *g = calloc((size_t)gls_problem_size(p), sizeof *g);
    gls_pass_options cut = {.size = sizeof cut, .slice = slice, .lanes = 1};
    gls_pass *pass = NULL;
    gls_pass_result result;
    gls_batch_stream stream;
    *size = gls_problem_size(p);
    memset(g, 0xff, (size_t)*size * sizeof *g); /* the pass writes it all */
    assert_int_equal(gls_pass_create(p, &cut, &pass), GLS_OK);
    gls_batch_stream_init(&stream, &d.batch);
    gls_pass_request request = {.w = w,
                                .rows = &stream.stream,
                                .want = GLS_WANT_GRADIENT,
                                .mode = GLS_MODE_TRAIN,
                                .g = g,
                                .weighted = weighted,
                                .slice = weighted ? weigh_one : NULL};
    assert_int_equal(gls_pass_run(pass, &request, &result), GLS_OK);
    gls_pass_destroy(pass);
    free(w);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    return g;
}

/* Sums of products of the same factors, in slices of odd and even lengths, and of many that are added together: the
 * processor's, and those in float. */
static void weight_gradients_are_sums_of_what_is_stored(void **state) {
    skip_where_there_are_none();
    static const int64_t slices[] = {70, 17, 1};
    for (int i = 0; i < DENSE; i++)
        for (int k = 0; k < 3; k++) {
            int64_t size;
            gls_real *plain = pass_gradient(&dense[i], slices[k], 1, false, &size),
                     *again = pass_gradient(&dense[i], slices[k], 2, false, &size),
                     *third = pass_gradient(&dense[i], slices[k], 3, false, &size),
                     *weighted = pass_gradient(&dense[i], slices[k], 1, true, &size);
            double apart = check_distance(plain, weighted, size);
            if (!(apart < 1e-6 && (apart > 0 || !native)))
                fail_msg("%s %d, slices of %d: %g", dense[i].family, i, (int)slices[k], apart);
            assert_memory_equal(plain, again, (size_t)size * sizeof *plain);
            assert_memory_equal(plain, third, (size_t)size * sizeof *plain);
            free(plain);
            free(again);
            free(third);
            free(weighted);
        }
}

/* ---- what stays in single precision ---- */

/* Outputs without gradients, and Hessian products: to the bit those of the same network in float. */
static void predictions_and_products_are_in_float(void **state) {
    skip_where_there_are_none();
    for (int i = 0; i < 3; i++) {
        const sample *s = &samples[i];
        gls_context *ctx = check_context(1, false);
        check_data d = check_data_create(ROWS, s->c, s->h, s->w, s->classes, 0);
        gls_problem *p[] = {check_model(ctx, s->family, s->options, &d.info),
                            bf16_model(ctx, s->family, s->options, &d.info)};
        int64_t size = gls_problem_size(p[0]), outputs = ROWS * p[0]->outputs;
        gls_real *w = check_weights(p[0]), *v = check_direction(p[0], 2, NULL), *out[2], *product[2], *g[2];
        for (int k = 0; k < 2; k++) {
            out[k] = calloc((size_t)outputs, sizeof **out);
            product[k] = calloc((size_t)size, sizeof **product);
            g[k] = calloc((size_t)size, sizeof **g);
            check_run run = check_run_create(p[k], &d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
            check_run_at(&run, w);
            assert_int_equal(gls_ask_outputs(run.e, out[k]), GLS_OK);
            check_run_destroy(&run);
            run = check_run_create(p[k], &d.batch, GLS_WANT_HESSIAN, GLS_MODE_TRAIN);
            gls_point *at = NULL;
            assert_int_equal(gls_point_create(p[k], &at), GLS_OK);
            check_product(&run, at, w, v, NULL, product[k]);
            gls_point_destroy(at);
            check_run_destroy(&run);
            run = check_run_create(p[k], &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
            check_gradient_at(&run, w, g[k]);
            check_run_destroy(&run);
        }
        assert_memory_equal(out[0], out[1], (size_t)outputs * sizeof **out);
        assert_memory_equal(product[0], product[1], (size_t)size * sizeof **product);
        double apart = check_distance(g[1], g[0], size);
        assert_true(apart > 1e-4 && apart < 0.1);
        for (int k = 0; k < 2; k++) {
            free(out[k]);
            free(product[k]);
            free(g[k]);
            gls_problem_destroy(p[k]);
        }
        free(w);
        free(v);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* ---- passes: bits and memory ---- */

/* Bytes held, and the most that were. */
typedef struct account {
    atomic_int_fast64_t held, most, allocations;
} account;

static void *lend(void *user, size_t size, size_t alignment) {
    account *a = user;
    int64_t held = atomic_fetch_add(&a->held, (int64_t)size) + (int64_t)size, most = atomic_load(&a->most);
    while (held > most && !atomic_compare_exchange_weak(&a->most, &most, held)) continue;
    atomic_fetch_add(&a->allocations, 1);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void take_back(void *user, void *block, size_t size) {
    atomic_fetch_sub(&((account *)user)->held, (int64_t)size);
    free(block);
}

/* A gradient over a mini-batch; returns the bytes that the pass took beside what was there. */
static int64_t pass_bytes(const sample *s, bool bf16, int threads, gls_real **g, int64_t *size) {
    account a = {0};
    gls_allocator allocator = {lend, take_back, &a};
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 7, .allocator = &allocator};
    gls_context *ctx = NULL;
    gls_pass *pass = NULL;
    gls_pass_options cut = {.size = sizeof cut, .slice = 8, .lanes = 1};
    gls_pass_result result;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    check_data d = check_data_create(s->rows, s->c, s->h, s->w, s->classes, 0);
    gls_problem *p = (bf16 ? bf16_model : check_model)(ctx, s->family, s->options, &d.info);
    gls_real *w = check_weights(p);
    *size = gls_problem_size(p);
    *g = calloc((size_t)*size, sizeof **g);
    int64_t before = atomic_load(&a.held), allocations = 0;
    assert_int_equal(gls_pass_create(p, &cut, &pass), GLS_OK);
    for (int k = 0; k < 2; k++) {
        gls_batch_stream stream;
        gls_batch_stream_init(&stream, &d.batch);
        gls_pass_request request = {
            .w = w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .mode = GLS_MODE_TRAIN, .g = *g};
        allocations = atomic_load(&a.allocations);
        assert_int_equal(gls_pass_run(pass, &request, &result), GLS_OK);
    }
    if (threads == 1) assert_int_equal(atomic_load(&a.allocations), allocations);
    int64_t bytes = atomic_load(&a.most) - before;
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    assert_int_equal(atomic_load(&a.held) > 0, true); /* the context's own */
    gls_context_destroy(ctx);
    assert_int_equal(atomic_load(&a.held), 0);
    free(w);
    check_data_destroy(&d);
    return bytes;
}

static void bits_do_not_depend_on_threads(void **state) {
    skip_where_there_are_none();
    static const sample coupled = {"resnet", "{depth: 8}", 10, 3, 9, 8, 3};
    for (int i = 0; i <= SAMPLES; i++) {
        sample s = i < SAMPLES ? samples[i] : coupled;
        s.rows = 37;
        gls_real *g[3], *wide;
        int64_t size;
        for (int k = 0; k < 3; k++) pass_bytes(&s, true, k + 1, &g[k], &size);
        pass_bytes(&s, false, 2, &wide, &size);
        double apart = check_distance(g[0], wide, size);
        if (!(apart > 0 && apart < 0.15)) fail_msg("%s: %g from float", s.family, apart);
        free(wide);
        for (int k = 1; k < 3; k++) {
            if (memcmp(g[0], g[k], (size_t)size * sizeof **g) != 0)
                fail_msg("%s on %d threads: %g", s.family, k + 1, check_distance(g[k], g[0], size));
        }
        for (int k = 0; k < 3; k++) free(g[k]);
    }
}

/* Where batch norm keeps all slices of a mini-batch alive. */
static void memory_is_smaller(void **state) {
    skip_where_there_are_none();
    static const sample s = {"resnet", "{depth: 20, width: 8}", 96, 3, 16, 16, 10};
    gls_real *g;
    int64_t size, bytes[2];
    for (int k = 0; k < 2; k++) {
        bytes[k] = pass_bytes(&s, k, 1, &g, &size);
        free(g);
    }
    print_message("%.2f MiB, in bf16 %.2f MiB\n", (double)bytes[0] / (1 << 20), (double)bytes[1] / (1 << 20));
    assert_true((double)bytes[1] < 0.65 * (double)bytes[0]);
}

/* ---- refusals ---- */

static void refused(gls_problem *p, gls_precision precision, bool emulate, gls_status status, const char *words) {
    assert_int_equal(gls_problem_set_precision(p, precision, emulate), status);
    if (!strstr(gls_context_message(p->ctx), words)) fail_msg("%s", gls_context_message(p->ctx));
}

static void refusals(void **state) {
    bool single = sizeof(gls_real) == 4;
    gls_context *ctx = check_context(1, true); /* portable products, which are never the processor's own */
    check_data d = check_data_create(4, 5, 0, 0, 3, 0);
    gls_problem *p = check_model(ctx, "mlp", "{hidden: [4]}", &d.info), *other = NULL;
    gls_real *w = check_weights(p);
    assert_int_equal(gls_problem_create(ctx, "softmax", NULL, &d.info, &other), GLS_OK);
    check_run early = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    assert_int_equal(gls_problem_set_precision(NULL, GLS_PRECISION_BF16, true), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_problem_set_precision(other, GLS_PRECISION_REAL, false), GLS_OK);
    refused(other, GLS_PRECISION_BF16, true, GLS_ERR_UNSUPPORTED, single ? "bf16 is for networks" : "single precision");
    refused(p, GLS_PRECISION_BF16, false, GLS_ERR_UNSUPPORTED, single ? "plan.emulate: true" : "single precision");
    assert_int_equal(p->precision, GLS_PRECISION_REAL);
    if (single) {
        assert_int_equal(gls_problem_set_precision(p, GLS_PRECISION_BF16, true), GLS_OK);
        assert_int_equal(gls_problem_set_precision(p, GLS_PRECISION_BF16, true), GLS_OK);
        refused(p, GLS_PRECISION_REAL, false, GLS_ERR_ARGUMENT, "was set before");
        gls_evaluation *e = NULL; /* at a point that was made before */
        assert_int_equal(gls_evaluation_create(p, 4, GLS_WANT_GRADIENT, GLS_MODE_TRAIN, &e), GLS_OK);
        assert_int_equal(gls_point_set(early.point, w), GLS_OK);
        assert_int_equal(gls_evaluate(e, &early.args), GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(ctx), "a point made before"));
        gls_evaluation_destroy(e);
    }
    check_run_destroy(&early);
    free(w);
    gls_problem_destroy(other);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(questions_are_about_the_rows_gradients),
        BOTH(weight_gradients_are_sums_of_what_is_stored),
        BOTH(predictions_and_products_are_in_float),
        BOTH(bits_do_not_depend_on_threads),
        BOTH(memory_is_smaller),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests_name("bf16", tests, NULL, NULL);
}
