/* Estimators on networks: both ways against the definition from explicit per-example gradients; batch norm. */
#include "estimator/support.h"

#include <stdio.h>

static void check_both_ways(bench *b, int64_t size, double bound) {
    static const char *const ways[] = {"streamed", "derived"};
    double *wanted = calloc((size_t)b->d, sizeof *wanted);
    define_microbatch(b, b->each, size, bound, false, wanted);
    for (int k = 0; k < 2; k++) {
        char chain[200];
        snprintf(chain, sizeof(chain), "microbatch microbatch=%d bound=%.17g way=%s ratio_every=0", (int)size, bound,
                 ways[k]);
        OK(b->ctx, bench_run(b, chain));
        assert_g(b, wanted, 20 * real_tolerance());
    }
    free(wanted);
}

/* Groups of 8 evaluated in parts of 3, 3 and 2, where a plan has slices of 3: the same estimate, and the same norms of
 * examples in the ledger. */
static void check_parts(bench *b, double *wanted) {
    gls_pass_options plan = {.size = sizeof plan, .slice = 3};
    gls_pass *whole = b->pass;
    double loss = 0, *norm = calloc((size_t)b->n, sizeof *norm);
    define_microbatch(b, b->each, 8, 0, false, wanted);
    for (int parts = 0; parts < 2; parts++) {
        gls_estimator *e;
        if (parts) OK(b->ctx, gls_pass_create(b->p, &plan, &b->pass));
        OK(b->ctx, bench_estimator(b, "microbatch microbatch=8 way=streamed ledger=true ratio_every=0", &e));
        OK(b->ctx, bench_estimate(b, e));
        assert_g(b, wanted, 20 * real_tolerance());
        gls_ledger ledger = gls_estimator_ledger(e);
        for (int64_t i = 0; i < b->n && !parts; i++) norm[i] = ledger.norm[i];
        for (int64_t i = 0; i < b->n && parts; i++)
            assert_true(fabs(ledger.norm[i] - norm[i]) <= 20 * real_tolerance() * norm[i]);
        if (parts) assert_true(fabs(b->out.loss - loss) <= 20 * real_tolerance() * loss);
        loss = b->out.loss;
        gls_estimator_destroy(e);
    }
    gls_pass_destroy(b->pass);
    b->pass = whole;
    free(norm);
}

static void check_network(const char *family, const char *options, int64_t channels, int64_t side) {
    bench b = bench_model(family, options, 20, channels, side);
    check_both_ways(&b, 1, 0);
    check_both_ways(&b, 1, 0.5);
    check_both_ways(&b, 8, 0);
    double *wanted = calloc((size_t)b.d, sizeof *wanted);
    check_parts(&b, wanted);
    free(wanted);
    bench_close(&b);
}

static void perceptrons(void **state) {
    check_network("mlp", "{hidden: [40, 300], norm: layer}", 12, 0);
}
static void tied_weights(void **state) {
    check_network("layers",
                  "{layers: [{dense: {units: 7, name: a}}, tanh, {dense: {units: 9, tie: a.weight, "
                  "transpose: true}}, tanh, {dense: {units: 4}}]}",
                  9, 0);
}
static void convolutions(void **state) {
    check_network("convnet", "{channels: 4, units: 20}", 2, 8);
}
static void residuals(void **state) {
    check_network("resnet", "{depth: 8, width: 4, norm: group, groups: 2}", 3, 8);
}

static void tokens(void **state) {
    check_network("layers", "{layers: [{embedding: {dim: 8}}, tanh, {dense: {units: 30}}]}", 30, -5);
}
static void tied_embedding(void **state) {
    check_network("layers",
                  "{layers: [{embedding: {dim: 70, name: e}}, {dense: {units: 70}}, tanh, {dense: {units: 480, tie: "
                  "e.weight}}]}",
                  480, -3);
}

/* Single examples do not exist; micro-batches that are the spans of the statistics do, and are those of the micro-batch
 * by itself. */
static void batch_norm(void **state) {
    bench b = bench_model("resnet", "{depth: 8, width: 4}", 16, 3, 8);
    gls_estimator *e;
    assert_int_equal(bench_estimator(&b, "microbatch microbatch=1 bound=1", &e), GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(gls_context_message(b.ctx), "group norm"));
    assert_int_equal(bench_run(&b, "microbatch microbatch=4"), GLS_ERR_UNSUPPORTED);
    double *wanted = calloc((size_t)b.d, sizeof *wanted), rho = INFINITY;
    gls_batch whole = b.batch;
    for (int pass = 0; pass < 2; pass++) /* first the smallest norm, then the sum */
        for (int64_t i = 0; i < 16; i += 4) {
            b.batch = gls_batch_view(&whole, i, 4);
            OK(b.ctx, bench_run(&b, "mean"));
            if (pass == 0) rho = fmin(rho, sqrt(b.out.norm2));
            for (int64_t k = 0; k < b.d && pass == 1; k++) wanted[k] += rho / sqrt(b.out.norm2) * b.g[k] / 4;
        }
    b.batch = whole;
    gls_pass_options options = {.size = sizeof(options), .span = 4};
    gls_pass_destroy(b.pass);
    OK(b.ctx, gls_pass_create(b.p, &options, &b.pass));
    OK(b.ctx, bench_run(&b, "microbatch microbatch=4 ratio_every=0"));
    assert_g(&b, wanted, 20 * real_tolerance());
    free(wanted);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perceptrons), cmocka_unit_test(tied_weights), cmocka_unit_test(convolutions),
        cmocka_unit_test(residuals),   cmocka_unit_test(tokens),       cmocka_unit_test(tied_embedding),
        cmocka_unit_test(batch_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
