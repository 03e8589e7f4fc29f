/* What regularises networks of texts, against its definition: masks that are shared, dropped recurrent weights,
 * penalties; and gates. */
#include "check.h"

enum { ROWS = 12, LENGTH = 7, WORDS = 20 };
static const double tolerance = sizeof(gls_real) == 4 ? 1e-5 : 1e-12;

typedef struct network {
    gls_context *ctx;
    check_data data;
    gls_problem *p;
    gls_real *w;
} network;

static network create(const char *family, const char *options) {
    network n = {.ctx = check_context(1, false), .data = check_tokens_create(ROWS, WORDS, LENGTH, 0)};
    n.p = check_model(n.ctx, family, options, &n.data.info);
    n.w = check_weights(n.p);
    return n;
}

static void destroy(network *n) {
    free(n->w);
    gls_problem_destroy(n->p);
    check_data_destroy(&n->data);
    gls_context_destroy(n->ctx);
}

/* Outputs [ROWS, LENGTH, WORDS] and the sum of losses. */
static double outputs(network *n, gls_mode mode, const gls_real *w, gls_real *y) {
    double loss = 0;
    check_run r = check_run_create(n->p, &n->data.batch, GLS_WANT_OUTPUTS | GLS_WANT_LOSSES, mode);
    check_run_at(&r, w);
    if (y) assert_int_equal(gls_ask_outputs(r.e, y), GLS_OK);
    assert_int_equal(gls_ask_loss(r.e, &loss), GLS_OK);
    check_run_destroy(&r);
    return loss;
}

/* Element k at position t of row r is kept as keep[decider] says, which is found at its first sight. */
typedef struct shared {
    const char *options;
    bool words; /* decided by the word, else by row and channel */
    double p;
} shared;

static void masks(void **state) {
    static const shared cases[] = {{"{layers: [{embedding: {dim: 20}}, {dropout: {p: 0.4, of: channel}}]}", false, 0.4},
                                   {"{layers: [{embedding: {dim: 20}}, {dropout: {p: 0.3, of: word}}]}", true, 0.3}};
    for (int c = 0; c < 2; c++) {
        network n = create("layers", cases[c].options);
        static gls_real x[ROWS * LENGTH * WORDS], y[ROWS * LENGTH * WORDS];
        int keep[ROWS * WORDS], kept = 0, seen = 0;
        for (int k = 0; k < ROWS * WORDS; k++) keep[k] = -1;
        outputs(&n, GLS_MODE_EVALUATE, n.w, x);
        outputs(&n, GLS_MODE_TRAIN, n.w, y);
        for (int k = 0; k < ROWS * LENGTH * WORDS; k++) {
            int decider = cases[c].words ? n.data.token[k / WORDS] : k / (LENGTH * WORDS) * WORDS + k % WORDS;
            bool here = y[k] != 0;
            if (keep[decider] < 0) {
                keep[decider] = here;
                kept += here;
                seen++;
            }
            assert_int_equal(keep[decider], here);
            if (here) assert_true(fabs(y[k] - x[k] / (1 - cases[c].p)) <= tolerance * fabs(x[k]));
        }
        double deviation = sqrt(cases[c].p * (1 - cases[c].p) / seen);
        assert_true(kept > 0 && kept < seen);
        assert_true(fabs((double)kept / seen - (1 - cases[c].p)) < 4 * deviation);
        destroy(&n);
    }
}

/* The same outputs, to the bit, from weights that are dropped by hand in a network without weight drop; and no gradient
 * reaches a weight that is dropped. */
static void weight_drop(void **state) {
    static const char *const options[] = {
        "{layers: [{embedding: {dim: 5}}, {lstm: {units: 8, weight_drop: 0.3, name: a}}, {dense: {units: 20}}]}",
        "{layers: [{embedding: {dim: 5}}, {lstm: {units: 8, name: a}}, {dense: {units: 20}}]}"};
    network dropped = create("layers", options[0]), plain = create("layers", options[1]);
    const gls_block *block = gls_layout_find(gls_problem_layout(dropped.p), "a.weight_hh");
    int64_t d = gls_problem_size(dropped.p);
    gls_real *w = calloc((size_t)d, sizeof *w), *g = calloc((size_t)d, sizeof *g),
             *by_hand = calloc((size_t)d, sizeof *w);
    static gls_real y[ROWS * LENGTH * WORDS], z[ROWS * LENGTH * WORDS];
    gls_random random = gls_random_create(5, "weight_drop.a", 3, 0);
    memcpy(w, dropped.w, (size_t)d * sizeof *w);
    for (int64_t k = 0; k < block->size; k++) {
        bool kept = gls_random_u32(&random) >= (uint32_t)(0.3 * 4294967296.0);
        w[block->offset + k] *= kept ? (gls_real)(1 / (1 - 0.3)) : 0;
    }
    outputs(&dropped, GLS_MODE_TRAIN, dropped.w, y);
    outputs(&plain, GLS_MODE_TRAIN, w, z);
    assert_memory_equal(y, z, sizeof y);
    outputs(&dropped, GLS_MODE_EVALUATE, dropped.w, y);
    outputs(&plain, GLS_MODE_EVALUATE, dropped.w, z);
    assert_memory_equal(y, z, sizeof y);
    check_run of = check_run_create(dropped.p, &dropped.data.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    check_gradient_at(&of, dropped.w, g);
    check_run at = check_run_create(plain.p, &plain.data.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    check_gradient_at(&at, w, by_hand);
    for (int64_t k = block->offset; k < block->offset + block->size; k++)
        by_hand[k] = w[k] != 0 ? by_hand[k] / (gls_real)(1 - 0.3) : 0;
    assert_true(check_distance(g, by_hand, d) <= tolerance);
    check_run_destroy(&of);
    check_run_destroy(&at);
    free(w);
    free(g);
    free(by_hand);
    destroy(&dropped);
    destroy(&plain);
}

static void penalty(void **state) {
    network n = create("layers", "{layers: [{embedding: {dim: 20}}, {penalty: {square: 2, change: 0.5}}]}");
    static gls_real y[ROWS * LENGTH * WORDS], z[ROWS * LENGTH * WORDS];
    double without = outputs(&n, GLS_MODE_EVALUATE, n.w, y), with = outputs(&n, GLS_MODE_TRAIN, n.w, z), right = 0;
    assert_memory_equal(y, z, sizeof y);
    for (int k = 0; k < ROWS * LENGTH * WORDS; k++) {
        double mass = n.data.mass[k / (LENGTH * WORDS)], change = k / WORDS % LENGTH ? (double)y[k] - y[k - WORDS] : 0;
        right += mass * 2 * (double)y[k] * y[k] / (LENGTH * WORDS);
        right += mass * 0.5 * change * change / ((LENGTH - 1) * WORDS);
    }
    assert_true(right > 0.1);
    assert_true(fabs(with - without - right) <= 10 * tolerance * with);
    destroy(&n);
}

static void gates(void **state) {
    static const char *const options[] = {
        "{layers: [{embedding: {dim: 40}}, gate]}", "{layers: [{embedding: {dim: 40}}, {gate: {kind: gelu}}]}",
        "{layers: [{embedding: {dim: 40}}, {gate: {kind: sigmoid}}]}", "{layers: [{embedding: {dim: 20}}, silu]}"};
    for (int c = 0; c < 4; c++) {
        network n = create("layers", options[c]);
        static gls_real y[ROWS * LENGTH * WORDS];
        outputs(&n, GLS_MODE_TRAIN, n.w, y);
        for (int k = 0; k < ROWS * LENGTH * WORDS; k++) {
            const gls_real *x = n.w + n.data.token[k / WORDS] * (c < 3 ? 2 : 1) * WORDS;
            double a = x[k % WORDS], b = c < 3 ? x[WORDS + k % WORDS] : 1, s = 1 / (1 + exp(-a));
            double f[] = {a * s, a * erfc(-a / sqrt(2)) / 2, s, a * s};
            assert_true(fabs(y[k] - f[c] * b) <= tolerance);
        }
        destroy(&n);
    }
}

/* Without attention a token changes what is put out at its own position, and nothing else. */
static void without_attention(void **state) {
    enum { AT = 3 };
    network n = create("transformer", "{dim: 8, attention: none, feed_forward: swiglu}");
    static gls_real y[ROWS * LENGTH * WORDS], z[ROWS * LENGTH * WORDS];
    outputs(&n, GLS_MODE_TRAIN, n.w, y);
    n.data.token[AT] = (n.data.token[AT] + 1) % WORDS;
    outputs(&n, GLS_MODE_TRAIN, n.w, z);
    for (int t = 0; t < ROWS * LENGTH; t++)
        assert_int_equal(memcmp(y + t * WORDS, z + t * WORDS, WORDS * sizeof *y) != 0, t == AT);
    destroy(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks), cmocka_unit_test(weight_drop),
                                       cmocka_unit_test(penalty), cmocka_unit_test(gates),
                                       cmocka_unit_test(without_attention)};
    return cmocka_run_group_tests_name("regularised", tests, NULL, NULL);
}
