/* Estimators over micro-batches against their definitions from explicit per-example gradients. */
#include "estimator/support.h"
#include "problem/awkward.h"

#include <stdio.h>

static void check(bench *b, const char *chain, const double *wanted) {
    OK(b->ctx, bench_run(b, chain));
    assert_g(b, wanted, real_tolerance());
}

static void without_mass(bench *b, int64_t i) {
    ((double *)(uintptr_t)b->batch.mass)[i] = 0;
    for (int64_t k = 0; k < b->d; k++) b->each[i * b->d + k] = 0;
}

/* 22 rows in micro-batches of 1, 4 (the last has 2), 11; both ways; mean and sum; with and without masses,
 * and with rows and micro-batches that have none, which are zero vectors. */
static void microbatches_by_definition(void **state) {
    static const int64_t sizes[] = {1, 4, 11};
    static const char *const ways[] = {"streamed", "derived", "auto"};
    for (int masses = 0; masses < 3; masses++) {
        bench b = bench_softmax(22, masses, 2);
        for (int i = 4; i < 16 && masses == 2; i++) without_mass(&b, i);
        double *wanted = calloc((size_t)b.d, sizeof *wanted);
        for (int k = 0; k < 18; k++) {
            int64_t size = sizes[k % 3];
            bool sum = k / 9;
            const char *way = ways[k / 3 % 3], *reduce = sum ? "sum" : "mean";
            char chain[200];
            define_microbatch(&b, b.each, size, 0, sum, wanted);
            snprintf(chain, sizeof(chain), "microbatch microbatch=%d way=%s reduce=%s", (int)size, way, reduce);
            check(&b, chain, wanted);
            define_microbatch(&b, b.each, size, 0.7, sum, wanted);
            snprintf(chain, sizeof(chain), "microbatch microbatch=%d bound=0.7 way=%s reduce=%s", (int)size, way,
                     reduce);
            check(&b, chain, wanted);
            define_microbatch(&b, b.each, size, -1, sum, wanted);
            snprintf(chain, sizeof(chain), "normalized microbatch=%d way=%s reduce=%s", (int)size, way, reduce);
            check(&b, chain, wanted);
        }
        free(wanted);
        bench_close(&b);
    }
}

static void mean_and_sum(void **state) {
    bench b = bench_softmax(13, true, 2);
    double *wanted = calloc((size_t)b.d, sizeof *wanted), mass = 0;
    for (int64_t i = 0; i < b.n; i++) {
        mass += bench_mass(&b, i);
        for (int64_t k = 0; k < b.d; k++) wanted[k] += b.each[i * b.d + k];
    }
    check(&b, "sum", wanted);
    for (int64_t k = 0; k < b.d; k++) wanted[k] /= mass;
    check(&b, "mean", wanted);
    gls_estimator *e;
    OK(b.ctx, gls_estimator_create(b.p, NULL, 1, &e)); /* nothing said: the mean */
    OK(b.ctx, bench_estimate(&b, e));
    assert_g(&b, wanted, real_tolerance());
    gls_estimator_destroy(e);
    free(wanted);
    bench_close(&b);
}

/* One micro-batch: plain SGD, bit for bit. */
static void one_microbatch_is_the_mean(void **state) {
    static const char *const chains[] = {"microbatch microbatch=22", "microbatch microbatch=100",
                                         "microbatch microbatch=all", "microbatch microbatch=22 bound=1000",
                                         "microbatch microbatch=22 way=derived ledger=true"};
    bench b = bench_softmax(22, false, 2);
    gls_real *plain = calloc((size_t)b.d, sizeof *plain);
    OK(b.ctx, bench_run(&b, "mean"));
    memcpy(plain, b.g, (size_t)b.d * sizeof *plain);
    double loss = b.out.loss, norm2 = b.out.norm2;
    for (int k = 0; k < 5; k++) {
        OK(b.ctx, bench_run(&b, chains[k]));
        assert_memory_equal(b.g, plain, (size_t)b.d * sizeof *plain);
        assert_true(b.out.loss == loss && b.out.norm2 == norm2);
        if (k != 3) assert_true(fabs(gls_record_get(&b.record, "rho") - sqrt(norm2)) < 1e-12);
    }
    free(plain);
    bench_close(&b);
}

/* Bits do not depend on threads, nor on a ledger or a figure that is taken besides. */
static void bits_do_not_depend_on_threads(void **state) {
    static const char *const chains[] = {"microbatch microbatch=4 way=streamed", "microbatch microbatch=4 way=derived",
                                         "microbatch microbatch=4 way=derived ledger=true",
                                         "microbatch microbatch=4 way=derived ratio_every=0",
                                         "quant;clip_norm bound=0.1"};
    for (int k = 0; k < 5; k++) {
        gls_real *first = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            bench b = bench_softmax(61, false, threads);
            OK(b.ctx, bench_run(&b, chains[k]));
            if (threads == 1) {
                first = calloc((size_t)b.d, sizeof *first);
                memcpy(first, b.g, (size_t)b.d * sizeof *first);
            }
            assert_memory_equal(b.g, first, (size_t)b.d * sizeof *first);
            bench_close(&b);
        }
        free(first);
    }
    bench b = bench_softmax(61, false, 2);
    gls_real *first = calloc((size_t)b.d, sizeof *first);
    OK(b.ctx, bench_run(&b, chains[1]));
    memcpy(first, b.g, (size_t)b.d * sizeof *first);
    for (int k = 2; k < 4; k++) {
        OK(b.ctx, bench_run(&b, chains[k]));
        assert_memory_equal(b.g, first, (size_t)b.d * sizeof *first);
    }
    free(first);
    bench_close(&b);
}

/* Keys in no order: groups of different size, each weighing its rows. */
static void microbatches_by_key(void **state) {
    bench b = bench_softmax(23, false, 2);
    double wanted[40] = {0}, rho = INFINITY, mean[5][40] = {{0}}, count[5] = {0}, norm[5] = {0};
    assert_true(b.d <= 40);
    for (int64_t i = 0; i < b.n; i++) {
        count[b.batch.key[i] / 10]++;
        for (int64_t k = 0; k < b.d; k++) mean[b.batch.key[i] / 10][k] += b.each[i * b.d + k];
    }
    for (int j = 0; j < 5; j++) {
        if (count[j] == 0) continue;
        for (int64_t k = 0; k < b.d; k++) mean[j][k] /= count[j];
        for (int64_t k = 0; k < b.d; k++) norm[j] += mean[j][k] * mean[j][k];
        norm[j] = sqrt(norm[j]);
        rho = fmin(rho, norm[j]);
    }
    for (int j = 0; j < 5; j++)
        for (int64_t k = 0; k < b.d && count[j] > 0; k++)
            wanted[k] += rho / norm[j] * mean[j][k] * count[j] / (double)b.n;
    check(&b, "microbatch key=user way=streamed", wanted);
    check(&b, "microbatch key=user way=derived", wanted);
    b.batch.key = NULL;
    assert_int_equal(bench_run(&b, "microbatch key=user"), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(b.ctx), "user"));
    bench_close(&b);
}

/* Per-example clipping, then adaptive micro-batches of four, then the whole clipped. */
static void chains_by_definition(void **state) {
    bench b = bench_softmax(22, false, 2);
    double *clipped = calloc((size_t)(b.n * b.d), sizeof *clipped), *wanted = calloc((size_t)b.d, sizeof *wanted);
    for (int64_t i = 0; i < b.n; i++) {
        double norm = 0;
        for (int64_t k = 0; k < b.d; k++) norm += b.each[i * b.d + k] * b.each[i * b.d + k];
        for (int64_t k = 0; k < b.d; k++) clipped[i * b.d + k] = b.each[i * b.d + k] * fmin(1, 0.6 / sqrt(norm));
    }
    define_microbatch(&b, clipped, 4, 0, false, wanted);
    check(&b, "microbatch microbatch=1 bound=0.6;microbatch microbatch=4", wanted);
    double norm = 0;
    for (int64_t k = 0; k < b.d; k++) norm += wanted[k] * wanted[k];
    double bound = 0.5 * sqrt(norm);
    for (int64_t k = 0; k < b.d; k++) wanted[k] *= 0.5;
    char chain[200];
    snprintf(chain, sizeof(chain),
             "microbatch microbatch=1 bound=0.6;microbatch microbatch=4;mean;clip_norm bound=%.17g", bound);
    check(&b, chain, wanted);
    double cut = fabs(wanted[3]);
    for (int64_t k = 0; k < b.d; k++) wanted[k] = fmax(-cut, fmin(cut, wanted[k]));
    snprintf(chain + strlen(chain), 60, ";clip_value bound=%.17g", cut);
    check(&b, chain, wanted);
    free(clipped), free(wanted);
    bench_close(&b);
}

static void figures_say_what_was_done(void **state) {
    gls_real gradients[8] = {1, 0, 2, 0, 3, 0, 4, 0};
    bench b = bench_recorded(gradients, 4, 2);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=1 bound=2.5 ratio_every=1"));
    assert_true(fabs(b.g[0] - (1 + 2 + 2.5 + 2.5) / 4) < 1e-6);
    assert_true(gls_record_get(&b.record, "groups") == 4 && gls_record_get(&b.record, "bound") == 2.5);
    assert_true(gls_record_get(&b.record, "clipped_share") == 0.5);
    assert_true(fabs(gls_record_get(&b.record, "group_norm_q50") - 2.5) < 1e-6);
    assert_true(fabs(gls_record_get(&b.record, "group_norm_q10") - 1.3) < 1e-6);
    assert_true(fabs(gls_record_get(&b.record, "mean_ratio") - 2.0 / 2.5) < 1e-6);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=1"));
    assert_true(fabs(gls_record_get(&b.record, "rho") - 1) < 1e-6 && fabs(b.g[0] - 1) < 1e-6);
    bench_close(&b);
}

static void zero_microbatches_contribute_zero(void **state) {
    gls_real gradients[8] = {3, 4, 0, 0, 0, 1, 0, 0};
    bench b = bench_recorded(gradients, 4, 2);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=1"));
    assert_true(gls_record_get(&b.record, "zero_groups") == 2 && gls_record_get(&b.record, "rho") == 1);
    assert_true(fabs(b.g[0] - 0.6 / 4) < 1e-6 && fabs(b.g[1] - 1.8 / 4) < 1e-6);
    bench_close(&b);
    gls_real nothing[8] = {0};
    b = bench_recorded(nothing, 4, 2);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=1"));
    assert_true(b.g[0] == 0 && b.out.norm2 == 0);
    bench_close(&b);
}

static void policies_for_nonfinite_microbatches(void **state) {
    gls_real gradients[8] = {3, 4, NAN, 0, 0, 1, 0, 2};
    bench b = bench_recorded(gradients, 4, 2);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=1"));
    assert_false(isfinite(b.out.norm2));
    assert_true(gls_record_get(&b.record, "nonfinite_groups") == 1 && gls_record_get(&b.record, "rho") == 1);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=1 nonfinite=skip_group"));
    assert_true(fabs(b.g[0] - 0.6 / 3) < 1e-6 && fabs(b.g[1] - 2.8 / 3) < 1e-6);
    assert_true(isfinite(b.out.norm2));
    assert_int_equal(bench_run(&b, "microbatch microbatch=1 nonfinite=stop"), GLS_ERR_NONFINITE);
    assert_int_equal(bench_run(&b, "microbatch microbatch=1 nonfinite=skip_group way=derived"), GLS_ERR_UNSUPPORTED);
    bench_close(&b);
}

static void ledger_holds_every_example(void **state) {
    static const char *const ways[] = {"streamed", "derived"};
    bench b = bench_softmax(22, false, 2);
    double rho = INFINITY, norm[6] = {0};
    for (int j = 0; j < 6; j++) {
        for (int64_t k = 0; k < b.d; k++) {
            double mean = 0;
            for (int64_t i = 4 * j; i < 4 * j + 4 && i < b.n; i++) mean += b.each[i * b.d + k] / (j < 5 ? 4 : 2);
            norm[j] += mean * mean;
        }
        norm[j] = sqrt(norm[j]);
        rho = fmin(rho, norm[j]);
    }
    for (int way = 0; way < 2; way++) {
        char chain[100];
        snprintf(chain, sizeof(chain), "microbatch microbatch=4 ledger=true way=%s", ways[way]);
        gls_estimator *e;
        OK(b.ctx, bench_estimator(&b, chain, &e));
        for (int step = 0; step < 2; step++) OK(b.ctx, bench_estimate(&b, e));
        gls_ledger ledger = gls_estimator_ledger(e);
        assert_int_equal(ledger.examples, 22);
        for (int64_t i = 0; i < b.n; i++) {
            double own = 0;
            for (int64_t k = 0; k < b.d; k++) own += b.each[i * b.d + k] * b.each[i * b.d + k];
            assert_true(ledger.seen[i] == 2);
            assert_true(fabs(ledger.norm[i] - 2 * sqrt(own)) < 1e-4 * sqrt(own));
            assert_true(fabs(ledger.log_factor[i] - 2 * log(rho / norm[i / 4])) < 1e-4);
        }
        gls_arrays arrays = {0};
        OK(b.ctx, gls_estimator_arrays(e, "estimator.", &arrays));
        assert_int_equal(arrays.count, 5);
        assert_string_equal(arrays.item[0].name, "estimator.step");
        assert_int_equal(*(int64_t *)arrays.item[0].data, 2);
        gls_arrays_clear(b.ctx, &arrays);
        gls_estimator_destroy(e);
    }
    bench_close(&b);
}

static void coupled_problems_refuse_single_examples(void **state) {
    bench b = bench_problem(&awkward_coupled, 16);
    gls_estimator *e;
    assert_int_equal(bench_estimator(&b, "microbatch microbatch=1 bound=1", &e), GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(gls_context_message(b.ctx), "train.bn_span"));
    assert_int_equal(bench_estimator(&b, "mean ledger=true", &e), GLS_ERR_UNSUPPORTED);
    assert_int_equal(bench_run(&b, "microbatch microbatch=4"), GLS_ERR_UNSUPPORTED);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=16"));
    bench_close(&b);
    b = bench_problem(&awkward_grouped, 16);
    assert_int_equal(bench_estimator(&b, "microbatch microbatch=6", &e), GLS_ERR_UNSUPPORTED);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=8"));
    bench_close(&b);
}

/* Micro-batches that are the spans of a coupled problem: each is normalised by itself. */
static void spans_of_a_coupled_problem(void **state) {
    bench b = bench_problem(&awkward_coupled, 16);
    gls_pass_options options = {.size = sizeof(options), .span = 4};
    gls_pass_destroy(b.pass);
    OK(b.ctx, gls_pass_create(b.p, &options, &b.pass));
    bench grouped = bench_problem(&awkward_grouped, 16);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=4"));
    OK(grouped.ctx, bench_run(&grouped, "microbatch microbatch=4"));
    for (int64_t k = 0; k < b.d; k++)
        assert_true(fabs(b.g[k] - grouped.g[k]) <= 10 * real_tolerance() * (fabs(grouped.g[k]) + 0.1));
    bench_close(&b);
    bench_close(&grouped);
}

static void keep_message(void *user, gls_log_level level, const char *message) {
    snprintf(user, 300, "%s", message);
}

static void says_what_an_uneven_division_did(void **state) {
    char said[300] = "";
    gls_context_options options = {.size = sizeof(options), .log = keep_message, .log_user = said};
    bench b = bench_softmax(22, false, 1);
    gls_context *ctx;
    OK(b.ctx, gls_context_create(&ctx, &options));
    gls_problem *p;
    gls_pass *pass;
    OK(ctx, gls_problem_create(ctx, "softmax", NULL, &b.rows.info, &p));
    OK(ctx, gls_pass_create(p, NULL, &pass));
    bench other = b;
    other.ctx = ctx;
    other.p = p;
    other.pass = pass;
    OK(ctx, bench_run(&other, "microbatch microbatch=4"));
    assert_non_null(strstr(said, "last micro-batch has 2 and weighs 2/22"));
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
    bench_close(&b);
}

static void wrong_chains_are_refused(void **state) {
    static const char *const wrong[] = {"mean;microbatch microbatch=4",
                                        "microbatch microbatch=4;microbatch microbatch=2 bound=1",
                                        "microbatch microbatch=1;microbatch microbatch=4",
                                        "microbatch",
                                        "microbatch microbatch=4 key=user",
                                        "microbatch microbatch=4 noise=1",
                                        "microbatch microbatch=4 bound=-1",
                                        "microbatch microbatch=4 reduce=sum;mean",
                                        "mean;sum",
                                        "clip_norm bound=0",
                                        "microbach microbatch=4",
                                        "drop p=1"};
    bench b = bench_softmax(8, false, 1);
    for (size_t k = 0; k < sizeof(wrong) / sizeof *wrong; k++) {
        gls_estimator *e;
        gls_status status = bench_estimator(&b, wrong[k], &e);
        if (status != GLS_ERR_ARGUMENT) fail_msg("'%s' gave %s", wrong[k], gls_status_name(status));
        assert_null(e);
        assert_true(strlen(gls_context_message(b.ctx)) > 10);
    }
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_sum),
        cmocka_unit_test(microbatches_by_definition),
        cmocka_unit_test(one_microbatch_is_the_mean),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(microbatches_by_key),
        cmocka_unit_test(chains_by_definition),
        cmocka_unit_test(figures_say_what_was_done),
        cmocka_unit_test(zero_microbatches_contribute_zero),
        cmocka_unit_test(policies_for_nonfinite_microbatches),
        cmocka_unit_test(ledger_holds_every_example),
        cmocka_unit_test(coupled_problems_refuse_single_examples),
        cmocka_unit_test(spans_of_a_coupled_problem),
        cmocka_unit_test(says_what_an_uneven_division_did),
        cmocka_unit_test(wrong_chains_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
