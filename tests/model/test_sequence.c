/* Layers and families for sequences: gradients and Hessian products against difference quotients; norms and inner
 * products of groups against explicit gradients; what a position does not see. */
#include "check.h"

#include "model/network.h"

typedef struct sample {
    const char *family, *options;
    int64_t length, classes;
} sample;

/* 45 positions: attention takes its queries in blocks of 32. */
static const sample samples[] = {
    {"layers",
     "{layers: [{embedding: {dim: 5}}, {lstm: {units: 7}}, {lstm: {units: 4, bias: false}}, {dense: {units: "
     "20}}]}",
     6, 0},
    {"layers",
     "{layers: [{embedding: {dim: 16}}, {attention: {heads: 4, kv_heads: 2, causal: false}}, {dense: {units: "
     "20}}]}",
     45, 0},
    {"layers", "{layers: [{embedding: {dim: 18}}, {attention: {heads: 3}}, {dense: {units: 20}}]}", 45, 0},
    {"layers",
     "{layers: [{embedding: {dim: 6}}, {positions: {kind: sinusoidal}}, positions, rms_norm, {dense: {units: "
     "20}}]}",
     6, 0},
    {"layers",
     "{layers: [{embedding: {dim: 16}}, {rotary: {heads: 2, kv_heads: 1}}, {attention: {heads: 2, kv_heads: 1}}, "
     "{dense: {units: 20}}]}",
     6, 0},
    {"lstm", "{embedding: 6, hidden: 6, depth: 2, tie: true, dropout: 0.3}", 6, 0},
    {"lstm", "{embedding: 5, hidden: 6}", 6, 3},
    {"transformer", "{dim: 8, heads: 2, tie: true, dropout: 0.2}", 6, 0},
    {"transformer", "{dim: 8, heads: 4, kv_heads: 1, norm: rms, order: post, positions: sinusoidal}", 6, 0},
    {"transformer", "{dim: 8, heads: 2, depth: 1}", 6, 3},
    {"transformer", "{dim: 8, heads: 2, feed_forward: swiglu, positions: rotary, norm: rms}", 6, 0},
    {"transformer", "{dim: 6, feed_forward: geglu, hidden: 7, attention: none, positions: none, tie: true}", 6, 0},
    {"layers",
     "{layers: [{embedding: {dim: 5}}, silu, {dropout: {of: word}}, {dense: {units: 8}}, {gate: {kind: sigmoid}},"
     " {dropout: {p: 0.3, of: channel}}, {dense: {units: 20}}]}",
     6, 0},
    {"layers",
     "{layers: [{embedding: {dim: 5}}, {lstm: {units: 9, weight_drop: 0.4}}, {penalty: {square: 2, change: 3}},"
     " {dense: {units: 20}}, {penalty: {change: 0.5}}]}",
     6, 0},
    {"lstm",
     "{embedding: 6, hidden: 6, depth: 2, tie: true, dropout: 0.3, locked: true, word_dropout: 0.2, weight_drop: 0.5,"
     " activity: 2, change: 1}",
     6, 0},
    {"layers", "{layers: [{embedding: {dim: 70}}, {lstm: {units: 96, weight_drop: 0.5}}, {dense: {units: 20}}]}", 3, 0},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void gradients(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        gls_context *ctx = check_context(1, i % 2);
        check_data d = check_tokens_create(3, 20, samples[i].length, samples[i].classes);
        gls_problem *p = check_model(ctx, samples[i].family, samples[i].options, &d.info);
        assert_true(check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void products(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        gls_context *ctx = check_context(1, i % 2);
        check_data d = check_tokens_create(3, 20, samples[i].length, samples[i].classes);
        gls_problem *p = check_model(ctx, samples[i].family, samples[i].options, &d.info);
        assert_true(p->hessian_exact);
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++)
            assert_true(check_hessian(p, &d.batch, mode) < 1e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void questions(void **state) {
    static const gls_storage storage[] = {GLS_STORAGE_REAL, GLS_STORAGE_BF16};
    for (int i = 0; i < 2 * SAMPLES; i++) {
        const sample *s = &samples[i / 2];
        gls_context *ctx = check_context(1, false);
        check_data d = check_tokens_create(12, 20, s->length, s->classes);
        gls_problem *p = check_model(ctx, s->family, s->options, &d.info);
        ((gls_network *)p->self)->storage = storage[i % 2];
        check_questions_of(p, &d.batch, sizeof(gls_real) == 4 ? 5e-5 : 1e-11);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* Outputs before a token that changes stay as they were, to the bit; the one at it changes. */
static void causal(void **state) {
    static const char *const family[] = {"lstm", "transformer"};
    enum { LENGTH = 40, WORDS = 20, AT = 33 };
    for (int i = 0; i < 2; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_tokens_create(1, WORDS, LENGTH, 0);
        gls_problem *p = check_model(ctx, family[i], NULL, &d.info);
        check_run r = check_run_create(p, &d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
        gls_real *w = check_weights(p), y[LENGTH * WORDS], z[LENGTH * WORDS];
        check_run_at(&r, w);
        assert_int_equal(gls_ask_outputs(r.e, y), GLS_OK);
        d.token[AT] = (d.token[AT] + 1) % WORDS;
        check_run_at(&r, w);
        assert_int_equal(gls_ask_outputs(r.e, z), GLS_OK);
        assert_memory_equal(y, z, AT * WORDS * sizeof *y);
        assert_memory_not_equal(y + AT * WORDS, z + AT * WORDS, WORDS * sizeof *y);
        free(w);
        check_run_destroy(&r);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* Pairs (k, k + 2) of heads of 4 channels; the last head, values, stays. Angles t and t / 100. */
static void rotary(void **state) {
    enum { LENGTH = 5, DIM = 16 };
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(1, DIM, LENGTH, 0);
    gls_problem *p =
        check_model(ctx, "layers", "{layers: [{embedding: {dim: 16}}, {rotary: {heads: 2, kv_heads: 1}}]}", &d.info);
    check_run r = check_run_create(p, &d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    gls_real *w = check_weights(p), y[LENGTH * DIM];
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, y), GLS_OK);
    for (int t = 0; t < LENGTH; t++)
        for (int k = 0; k < DIM; k++) {
            const gls_real *x = w + d.token[t] * DIM;
            double angle = k % 2 ? t / 100.0 : t, other = k % 4 < 2 ? -x[k + 2] : x[k - 2];
            double right = k < 12 ? cos(angle) * x[k] + sin(angle) * other : x[k];
            assert_true(fabs(y[t * DIM + k] - right) < (sizeof(gls_real) == 4 ? 1e-6 : 1e-14));
        }
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients), cmocka_unit_test(products),
                                       cmocka_unit_test(questions), cmocka_unit_test(causal), cmocka_unit_test(rotary)};
    return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
