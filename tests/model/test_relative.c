/* Attention by relative positions, memory of the rows before, and encoders with decoders: gradients and Hessian
 * products against difference quotients, norms and inner products of groups against explicit gradients; what a position
 * sees; streams of rows against one long row. */
#include "check.h"

#include "model/network.h"

enum { ROWS = 12, WORDS = 20 };

typedef struct sample {
    const char *family, *options;
    int64_t length, classes;
    bool streams;
} sample;

/* 45 positions: attention takes its queries in blocks of 32. */
static const sample samples[] = {
    {"transformer_xl", "{dim: 6, heads: 2, depth: 2, tie: true, dropout: 0.2}", 6, 0, false},
    {"transformer_xl", "{dim: 6, heads: 3, depth: 1, hidden: 5, order: pre}", 6, 3, false},
    {"transformer_xl", "{dim: 6, heads: 2, depth: 2, memory: 4, tie: true}", 6, 0, true},
    {"transformer_xl", "{dim: 6, heads: 1, depth: 2, memory: 9, order: pre}", 6, 0, true},
    {"transformer_xl", "{dim: 4, heads: 2, depth: 1, memory: 20, hidden: 4}", 45, 0, true},
    {"transformer_xl", "{dim: 4, heads: 2, depth: 1, hidden: 4}", 45, 3, false},
    {"t5", "{dim: 6, heads: 2, depth: 2, dropout: 0.2}", 8, 0, false},
    {"t5",
     "{dim: 6, heads: 2, head_dim: 4, depth: 1, source: 6, buckets: 6, max_distance: 5, feed_forward: geglu, tie: "
     "false}",
     9, 0, false},
    {"t5", "{dim: 4, heads: 2, depth: 1, hidden: 4, buckets: 8}", 89, 0, false},
    {"t5", "{dim: 4, heads: 2, depth: 1, hidden: 4}", 45, 3, false},
    {"layers",
     "{layers: [{gaussian: {dim: 6}}, {scale: {by: -2}}, {slice: {first: 2}}, {dense: {units: 20}}], last: true}", 6, 0,
     false},
    {"transformer", "{dim: 6, heads: 2, depth: 1, inputs: gaussian, attention: none}", 6, 0, false},
    {"bert", "{dim: 6, heads: 2, depth: 1, inputs: gaussian, attention: none}", 6, 3, false},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* Rows `rows` .. 2 rows - 1 of as many streams, each the second of its own, behind a first one that left noise. */
static gls_problem *make(gls_context *ctx, check_data *d, const sample *s, int64_t rows) {
    *d = check_tokens_create(rows, WORDS, s->length, s->classes);
    if (s->streams) {
        d->info.streams = rows;
        d->info.examples = 3 * rows;
        for (int64_t i = 0; i < rows; i++) d->index[i] = rows + i;
    }
    gls_problem *p = check_model(ctx, s->family, s->options, &d->info);
    gls_random random = gls_random_create(8, "remembered", 0, 0);
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        bool counts = strstr(block->name, ".rows") != NULL;
        for (int64_t k = 0; k < block->size; k++)
            p->state[block->offset + k] = counts ? 1 : (gls_real)gls_random_normal(&random);
    }
    return p;
}

static void gradients(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        gls_context *ctx = check_context(1, i % 2);
        check_data d;
        gls_problem *p = make(ctx, &d, &samples[i], 3);
        assert_true(check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-4) < 2e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void products(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        gls_context *ctx = check_context(1, i % 2);
        check_data d;
        gls_problem *p = make(ctx, &d, &samples[i], 3);
        assert_true(p->hessian_exact);
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++)
            assert_true(check_hessian(p, &d.batch, mode) < 2e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void questions(void **state) {
    static const gls_storage storage[] = {GLS_STORAGE_REAL, GLS_STORAGE_BF16};
    for (int i = 0; i < 2 * SAMPLES; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d;
        gls_problem *p = make(ctx, &d, &samples[i / 2], ROWS);
        ((gls_network *)p->self)->storage = storage[i % 2];
        check_questions_of(p, &d.batch, sizeof(gls_real) == 4 ? 5e-5 : 1e-11);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* A model at the weights of check_weights on one row of tokens: its outputs there. */
typedef struct reader {
    gls_context *ctx;
    check_data d;
    gls_problem *p;
    check_run run;
    gls_real *w;
} reader;

/* The run borrows r->d. */
static void reader_create(reader *r, const char *family, const char *options, int64_t length) {
    *r = (reader){.ctx = check_context(1, false), .d = check_tokens_create(1, WORDS, length, 0)};
    r->p = check_model(r->ctx, family, options, &r->d.info);
    r->run = check_run_create(r->p, &r->d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    r->w = check_weights(r->p);
}

static void outputs(reader *r, gls_real *y) {
    check_run_at(&r->run, r->w);
    assert_int_equal(gls_ask_outputs(r->run.e, y), GLS_OK);
}

static void reader_destroy(reader *r) {
    free(r->w);
    check_run_destroy(&r->run);
    gls_problem_destroy(r->p);
    check_data_destroy(&r->d);
    gls_context_destroy(r->ctx);
}

/* Outputs before a token that changes stay as they were, to the bit; the one at it changes. */
static void causal(void **state) {
    enum { LENGTH = 40, AT = 33 };
    static gls_real y[LENGTH * WORDS], z[LENGTH * WORDS];
    reader r;
    reader_create(&r, "transformer_xl", "{dim: 8, heads: 2}", LENGTH);
    outputs(&r, y);
    r.d.token[AT] = (r.d.token[AT] + 1) % WORDS;
    outputs(&r, z);
    assert_memory_equal(y, z, AT * WORDS * sizeof *y);
    assert_memory_not_equal(y + AT * WORDS, z + AT * WORDS, WORDS * sizeof *y);
    reader_destroy(&r);
}

/* The decoder begins with the encoder's last token, 15: it sees all of the encoder's, and of its own those before. */
static void decoder(void **state) {
    enum { LENGTH = 40, SOURCE = 16, AT = 33, OUT = LENGTH - SOURCE + 1 };
    static gls_real y[OUT * WORDS], z[OUT * WORDS];
    reader r;
    reader_create(&r, "t5", "{dim: 8, heads: 2, source: 16}", LENGTH);
    assert_int_equal(r.p->outputs, OUT * WORDS);
    assert_int_equal(r.p->positions, OUT);
    outputs(&r, y);
    r.d.token[AT] = (r.d.token[AT] + 1) % WORDS;
    outputs(&r, z);
    int64_t same = AT - SOURCE + 1;
    assert_memory_equal(y, z, (size_t)(same * WORDS) * sizeof *y);
    assert_memory_not_equal(y + same * WORDS, z + same * WORDS, WORDS * sizeof *y);
    r.d.token[0] = (r.d.token[0] + 1) % WORDS;
    outputs(&r, y);
    for (int64_t t = 0; t < OUT; t++) assert_memory_not_equal(y + t * WORDS, z + t * WORDS, WORDS * sizeof *y);
    reader_destroy(&r);
}

/* With a memory of all rows before, rows of a stream say what one long row says. */
static void one_long_row(void **state) {
    enum { PARTS = 4, LENGTH = 6, LONG = PARTS * LENGTH };
    static gls_real y[LONG * WORDS], z[LENGTH * WORDS];
    static const char *const network[] = {"{dim: 8, heads: 2, depth: 2, order: pre}",
                                          "{dim: 8, heads: 2, depth: 2, order: pre, memory: 18}"};
    reader r;
    reader_create(&r, "transformer_xl", network[0], LONG);
    outputs(&r, y);
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(1, WORDS, LENGTH, 0);
    d.info.streams = 1;
    d.info.examples = PARTS;
    gls_problem *p = check_model(ctx, "transformer_xl", network[1], &d.info);
    check_run run = check_run_create(p, &d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    double near = sizeof(gls_real) == 4 ? 2e-5 : 1e-12;
    for (int64_t part = 0; part < PARTS; part++) {
        d.index[0] = part;
        memcpy(d.token, r.d.token + part * LENGTH, LENGTH * sizeof *d.token);
        check_run_at(&run, r.w);
        assert_int_equal(gls_ask_outputs(run.e, z), GLS_OK);
        for (int64_t k = 0; k < LENGTH * WORDS; k++) assert_true(fabs(z[k] - y[part * LENGTH * WORDS + k]) < near);
        gls_problem_commit(p, run.state_next);
    }
    check_run_destroy(&run);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    reader_destroy(&r);
}

/* A row after another sees it; any other row, or one in another slot, sees nothing before itself. */
static void begins(void **state) {
    enum { LENGTH = 6 };
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(2, WORDS, LENGTH, 0);
    d.info.streams = 2;
    d.info.examples = 8;
    gls_problem *p = check_model(ctx, "transformer_xl", "{dim: 8, heads: 2, memory: 5}", &d.info);
    check_run r = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    gls_real *w = check_weights(p);
    double fresh = check_loss(&r, w);
    gls_problem_commit(p, r.state_next);
    check_who_goes_on(&r, &d, w, fresh);
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* An example has the same vectors in every mini-batch; examples, positions and seeds have different ones; their mean
 * square is 1 / dim. */
static void gaussian(void **state) {
    enum { LENGTH = 50, DIM = 20, SIZE = LENGTH * DIM };
    static gls_real y[SIZE], z[SIZE];
    for (int seed = 1; seed <= 2; seed++) {
        char text[128];
        snprintf(text, sizeof text, "{layers: [{gaussian: {dim: %d, seed: %d}}]}", DIM, seed);
        reader r;
        reader_create(&r, "layers", text, LENGTH);
        outputs(&r, z);
        if (seed == 2) assert_memory_not_equal(y, z, sizeof y);
        outputs(&r, y);
        assert_memory_equal(y, z, sizeof y);
        r.d.batch.draw++;
        outputs(&r, z);
        assert_memory_equal(y, z, sizeof y);
        r.d.index[0]++;
        outputs(&r, z);
        for (int64_t t = 0; t < LENGTH; t++) {
            assert_memory_not_equal(y + t * DIM, z + t * DIM, DIM * sizeof *y);
            if (t) assert_memory_not_equal(y, y + t * DIM, DIM * sizeof *y);
        }
        double square = check_dot(y, y, SIZE) / LENGTH;
        assert_true(fabs(square - 1) < 5 * sqrt(2.0 / SIZE)); /* deviations of a mean of squares */
        reader_destroy(&r);
    }
}

/* Each is refused with a sentence that says what is wrong. */
static void refuses(void **state) {
    static const struct {
        const char *family, *options, *message;
        int64_t classes, documents;
    } cases[] = {
        {"transformer_xl", "{memory: 4}", "needs data whose rows go on", 0, GLS_DOCUMENTS_WHOLE},
        {"transformer_xl", "{memory: 4}", "memory 4 needs next words as targets", 3, GLS_DOCUMENTS_WHOLE},
        {"transformer_xl", "{tie: true}", "tie needs next words as targets", 3, GLS_DOCUMENTS_WHOLE},
        {"transformer_xl", "{dim: 10, heads: 3}", "3 heads do not divide dim 10", 0, GLS_DOCUMENTS_WHOLE},
        {"t5", "{source: 9}", "source: 9 of 6 tokens", 0, GLS_DOCUMENTS_WHOLE},
        {"t5", "{source: 3}", "source: 3, but the encoder reads all", 3, GLS_DOCUMENTS_WHOLE},
        {"t5", "{dim: 10, heads: 3}", "expected that, or head_dim", 0, GLS_DOCUMENTS_WHOLE},
        {"t5", "{buckets: 5}", "buckets: 5, expected an even number", 0, GLS_DOCUMENTS_WHOLE},
        {"t5", "{max_distance: 8}", "most: 8, expected more than the 8 distances", 0, GLS_DOCUMENTS_WHOLE},
        {"t5", "{}", "expected rows that go on (data.rows: text)", 0, GLS_DOCUMENTS_PADDED},
        {"transformer", "{inputs: gaussian, tie: true}", "tie needs words as inputs", 0, GLS_DOCUMENTS_WHOLE},
        {"layers", "{layers: [{embedding: {dim: 4}}, {slice: {first: 5, count: 3}}]}", "positions 5 to 7 of 6", 0,
         GLS_DOCUMENTS_WHOLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_tokens_create(2, WORDS, 6, cases[i].classes);
        d.info.documents = (gls_documents)cases[i].documents;
        gls_value *options = NULL;
        gls_problem *p = NULL;
        const char *text = cases[i].options;
        assert_int_equal(gls_yaml_parse(ctx, "test", text, (int64_t)strlen(text), &options), GLS_OK);
        assert_int_equal(gls_model_create(ctx, cases[i].family, options, &d.info, &p), GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), cases[i].message)) print_error("%s\n", gls_context_message(ctx));
        assert_non_null(strstr(gls_context_message(ctx), cases[i].message));
        gls_value_destroy(ctx, options);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients), cmocka_unit_test(products), cmocka_unit_test(questions),
        cmocka_unit_test(causal),    cmocka_unit_test(decoder),  cmocka_unit_test(one_long_row),
        cmocka_unit_test(begins),    cmocka_unit_test(gaussian), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests_name("relative", tests, NULL, NULL);
}
