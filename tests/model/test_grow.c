/* Rows that grow by a few tokens at a time against the same rows as a whole: outputs of every position, of all families
 * that predict next words; carried state; and what is refused. */
#include "check.h"

enum { LENGTH = 37, WORDS = 20 };

typedef struct sample {
    const char *family, *options;
    bool padded;
    int64_t streams;
} sample;

/* 37 positions: attention takes its queries in blocks of 32. */
static const sample samples[] = {
    {"transformer", "{dim: 8, heads: 2, depth: 2, tie: true}", false, 0},
    {"transformer", "{dim: 8, heads: 2, depth: 2}", true, 0},
    {"transformer", "{dim: 16, heads: 4, kv_heads: 2, depth: 2, positions: rotary, norm: rms, order: post}", false, 0},
    {"transformer", "{dim: 12, heads: 3, kv_heads: 1, positions: sinusoidal, feed_forward: swiglu}", true, 0},
    {"transformer", "{dim: 8, heads: 2, feed_forward: geglu, dropout: 0.2, attention: none}", false, 0},
    {"transformer", "{dim: 8, heads: 2, inputs: gaussian, positions: none}", false, 0},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 2}", false, 0},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 2, order: pre}", true, 0},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 2, order: pre, memory: 50}", false, 3},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 2, memory: 11}", false, 3},
    {"lstm", "{embedding: 6, hidden: 6, depth: 2, tie: true, weight_drop: 0.4, activity: 1}", false, 0},
    {"lstm", "{embedding: 5, hidden: 7}", true, 0},
    {"lstm", "{embedding: 5, hidden: 7, depth: 2, carry: true}", false, 3},
    {"nplm", "{embedding: 5, hidden: 6, window: 4}", false, 0},
    {"t5", "{dim: 8, heads: 2, depth: 2, source: 9}", false, 0},
    {"t5", "{dim: 8, heads: 2, depth: 1, feed_forward: geglu, tie: true}", false, 0},
    {"layers",
     "{layers: [{embedding: {dim: 16}}, {segments: {separator: 3}}, {positions: {size: 50}}, {window: {size: 3}}, "
     "relu, {dense: {units: 12}}, layer_norm, gelu, {dense: {units: 20}}]}",
     false, 0},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

typedef struct fixture {
    gls_context *ctx;
    check_data d;
    int32_t document[LENGTH];
    gls_problem *p;
    gls_real *w;
    int64_t unsaid;
} fixture;

/* With streams the row is the second of the first stream, behind one that left noise. */
static fixture make(const sample *s) {
    fixture f = {.ctx = check_context(1, false), .d = check_tokens_create(1, WORDS, LENGTH, 0)};
    f.d.info.documents = s->padded ? GLS_DOCUMENTS_PADDED : GLS_DOCUMENTS_WHOLE;
    f.d.info.streams = s->streams;
    f.d.info.examples = s->streams ? 9 : 1;
    f.d.index[0] = s->streams;
    f.p = check_model(f.ctx, s->family, s->options, &f.d.info);
    gls_random random = gls_random_create(8, "carried", 0, 0);
    for (int64_t b = 0; b < gls_layout_count(f.p->state_layout); b++) {
        const gls_block *block = gls_layout_block(f.p->state_layout, b);
        bool counts = strstr(block->name, ".rows") != NULL;
        for (int64_t k = 0; k < block->size; k++)
            f.p->state[block->offset + k] = counts ? 1 : (gls_real)gls_random_normal(&random);
    }
    f.w = check_weights(f.p);
    f.unsaid = LENGTH - f.p->outputs / WORDS;
    return f;
}

static void end(fixture *f) {
    free(f->w);
    gls_problem_destroy(f->p);
    check_data_destroy(&f->d);
    gls_context_destroy(f->ctx);
}

/* The outputs at the last of `seen` positions, and what the row leaves, as a whole. */
static void whole(fixture *f, bool padded, int64_t seen, gls_real *z, gls_real *left) {
    static gls_real all[LENGTH * WORDS];
    for (int64_t t = 0; t < LENGTH; t++) f->document[t] = t < seen ? 0 : -1;
    f->d.batch.document = padded ? f->document : NULL;
    check_run r = check_run_create(f->p, &f->d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    check_run_at(&r, f->w);
    assert_int_equal(gls_ask_outputs(r.e, all), GLS_OK);
    memcpy(z, all + (seen - 1 - f->unsaid) * WORDS, WORDS * sizeof *z);
    memcpy(left, r.state_next, (size_t)gls_layout_size(f->p->state_layout) * sizeof *left);
    check_run_destroy(&r);
}

static void same(const gls_real *a, const gls_real *b, int64_t n) {
    for (int64_t k = 0; k < n; k++) assert_true(fabs(a[k] - b[k]) < (sizeof(gls_real) == 4 ? 2e-5 : 1e-12));
}

/* One row in steps of 1 to 3 tokens, and then another one begun with many at once. */
static void grows(void **state) {
    static gls_real z[WORDS], known[WORDS], left[4096];
    for (int i = 0; i < SAMPLES; i++) {
        fixture f = make(&samples[i]);
        if (!f.p->grows) fail_msg("%s %s", samples[i].family, samples[i].options);
        assert_true(gls_layout_size(f.p->state_layout) <= 4096);
        check_run r = check_run_create(f.p, &f.d.batch, GLS_WANT_NEXT, GLS_MODE_EVALUATE);
        assert_int_equal(gls_point_set(r.point, f.w), GLS_OK);
        for (int again = 0; again < 2; again++) {
            for (int64_t from = 0, to = f.unsaid + 1 + 20 * again; from < LENGTH; from = to, to += 1 + from % 3) {
                to = to > LENGTH ? LENGTH : to;
                whole(&f, samples[i].padded, to, known, left);
                for (int64_t t = 0; t < to; t++) f.document[t] = 0;
                if (gls_evaluate_more(r.e, &r.args, from, to, z) != GLS_OK) fail_msg("%s", gls_context_message(f.ctx));
                same(z, known, WORDS);
            }
            same(r.state_next, left, gls_layout_size(f.p->state_layout));
            for (int64_t t = 0; t < LENGTH; t++) f.d.token[t] = (f.d.token[t] + 3) % WORDS;
        }
        check_run_destroy(&r);
        end(&f);
    }
}

static void refuses(void **state) {
    gls_real z[WORDS];
    fixture f = make(&samples[0]);
    check_run r = check_run_create(f.p, &f.d.batch, GLS_WANT_NEXT, GLS_MODE_EVALUATE);
    assert_int_equal(gls_point_set(r.point, f.w), GLS_OK);
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 0, 5, z), GLS_OK);
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 4, 6, z), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(f.ctx), "tokens 4 to 6 are new in a row of 37 that has 5"));
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 5, LENGTH + 1, z), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 5, 5, z), GLS_ERR_ARGUMENT);
    f.d.token[6] = WORDS;
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 5, 8, z), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(f.ctx), "has token 20"));
    f.d.token[6] = 0;
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 5, 8, z), GLS_ERR_ARGUMENT); /* what failed is begun again */
    assert_int_equal(gls_evaluate_more(r.e, &r.args, 0, 8, z), GLS_OK);
    check_run_destroy(&r);
    end(&f);
    static const sample ahead = {
        "layers", "{layers: [{embedding: {dim: 6}}, {attention: {causal: false}}, {dense: {units: 20}}]}", false, 0};
    f = make(&ahead);
    gls_evaluation *e = NULL;
    assert_false(f.p->grows);
    assert_int_equal(gls_evaluation_create(f.p, 1, GLS_WANT_NEXT, GLS_MODE_EVALUATE, &e), GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(gls_context_message(f.ctx), "need those behind it"));
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(grows), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
