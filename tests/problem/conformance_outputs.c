/* The part of the suite about outputs: rows without labels give the bits that labelled rows give, however a pass is
 * cut; the classes and probabilities that follow agree with the score; a problem without outputs says so. */
#include "problem/conformance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(ctx, call)                                                                                                 \
    do {                                                                                                              \
        gls_status ok_status = (call);                                                                                \
        if (ok_status != GLS_OK) fail_msg("%s: %s: %s", #call, gls_status_name(ok_status), gls_context_message(ctx)); \
    } while (0)

typedef struct predictor {
    gls_context *ctx;
    gls_problem *p;
    gls_pass *pass;
    gls_real *w;
    int64_t n, k;
} predictor;

static void *room(int64_t n, size_t size) {
    if (n < 0 || n > 1 << 28) abort();
    void *block = calloc((size_t)n + 1, size);
    assert_non_null(block);
    return block;
}

/* Weights moved off their start, and a state (running statistics) that a training pass has left. */
static predictor open_predictor(const conformance *c, int threads, int64_t slice, int64_t wave) {
    predictor s = {.ctx = conformance_context(threads), .n = c->batch->rows};
    OK(s.ctx, c->make(s.ctx, c->user, &s.p));
    gls_pass_options options = {.size = sizeof(options)}, first = {.size = sizeof(options)};
    int64_t d = gls_problem_size(s.p);
    s.k = s.p->outputs;
    s.w = room(d, sizeof *s.w);
    OK(s.ctx, gls_problem_initialize(s.p, 5, s.w));
    gls_random random = gls_random_create(18, "outputs", 0, 0);
    for (int64_t i = 0; i < d; i++) s.w[i] += (gls_real)(c->spread * gls_random_normal(&random));
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, c->batch);
    gls_pass_request request = {.w = s.w, .rows = &stream.stream};
    gls_pass_result result;
    OK(s.ctx, gls_pass_create(s.p, &first, &s.pass));
    OK(s.ctx, gls_pass_run(s.pass, &request, &result));
    gls_problem_commit(s.p, gls_pass_state_next(s.pass));
    gls_pass_destroy(s.pass);
    options.slice = slice;
    options.wave = wave;
    OK(s.ctx, gls_pass_create(s.p, &options, &s.pass));
    return s;
}

static void close_predictor(predictor *s) {
    free(s->w);
    gls_pass_destroy(s->pass);
    gls_problem_destroy(s->p);
    gls_context_destroy(s->ctx);
}

static gls_batch unlabelled(const gls_batch *batch) {
    gls_batch bare = *batch;
    bare.label = NULL;
    bare.target = GLS_TARGET_NONE;
    bare.y = NULL;
    bare.targets = 0;
    bare.mass = NULL;
    return bare;
}

/* One evaluation of all rows: its outputs, and the score where more than outputs are wanted. */
static gls_real *evaluated(predictor *s, const gls_batch *batch, unsigned want, gls_mode mode, double *score) {
    gls_point *point;
    gls_evaluation *e;
    gls_real *out = room(s->n * s->k, sizeof *out);
    double loss, scores[4];
    OK(s->ctx, gls_point_create(s->p, &point));
    OK(s->ctx, gls_point_set(point, s->w));
    OK(s->ctx, gls_evaluation_create(s->p, batch->rows, want, mode, &e));
    gls_evaluate_args args = {.point = point,
                              .rows = batch,
                              .want = want,
                              .mode = mode,
                              .state = s->p->state,
                              .batch_mass = gls_batch_mass(batch),
                              .batch_rows = batch->rows,
                              .seed = gls_context_seed(s->ctx)};
    OK(s->ctx, gls_evaluate(e, &args));
    OK(s->ctx, gls_ask_outputs(e, out));
    if (want == GLS_WANT_OUTPUTS) {
        assert_int_equal(gls_ask_loss(e, &loss), GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(s->ctx), "outputs alone"));
    } else {
        OK(s->ctx, gls_ask_loss(e, &loss));
        OK(s->ctx, gls_ask_scores(e, scores));
        if (score) *score = s->p->score_count > 0 ? scores[0] : NAN;
    }
    gls_evaluation_destroy(e);
    gls_point_destroy(point);
    return out;
}

static void check_labels_change_nothing(predictor *s, const conformance *c) {
    gls_batch bare = unlabelled(c->batch);
    const gls_mode modes[] = {GLS_MODE_EVALUATE, GLS_MODE_TRAIN};
    for (int m = 0; m < 2; m++) {
        unsigned more = GLS_WANT_OUTPUTS | GLS_WANT_LOSSES | GLS_WANT_SCORES;
        gls_real *labelled = evaluated(s, c->batch, more, modes[m], NULL);
        gls_real *alone = evaluated(s, c->batch, GLS_WANT_OUTPUTS, modes[m], NULL);
        gls_real *without = evaluated(s, &bare, GLS_WANT_OUTPUTS, modes[m], NULL);
        assert_memory_equal(labelled, alone, (size_t)(s->n * s->k) * sizeof *alone);
        assert_memory_equal(labelled, without, (size_t)(s->n * s->k) * sizeof *alone);
        free(labelled), free(alone), free(without);
    }
    if (s->p->data.target == GLS_TARGET_NONE) return;
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &bare);
    gls_pass_request request = {.w = s->w, .rows = &stream.stream};
    gls_pass_result result;
    assert_int_equal(gls_pass_run(s->pass, &request, &result), GLS_ERR_ARGUMENT);
}

/* A stream of rows [first, n) of the batch, as another rank would have it. */
typedef struct part_stream {
    gls_stream stream;
    gls_batch rows;
} part_stream;

static gls_status get(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    *out = gls_batch_view(&((part_stream *)stream)->rows, begin, count);
    return GLS_OK;
}

static const gls_stream_ops part_ops = {get};

static gls_real *passed(predictor *s, const gls_batch *batch, int64_t first) {
    part_stream part = {.rows = gls_batch_view(batch, first, batch->rows - first)};
    part.stream = (gls_stream){&part_ops, batch->rows - first, first, batch->rows};
    gls_real *out = room(s->n * s->k, sizeof *out);
    OK(s->ctx, gls_pass_outputs(s->pass, s->w, &part.stream, out));
    return out;
}

static void check_cuts(const conformance *c, const gls_real *wanted) {
    gls_batch bare = unlabelled(c->batch);
    const int64_t slices[] = {0, 1, 3, 1000}, waves[] = {0, 4, 0, 1000};
    for (int i = 0; i < 8; i++) {
        predictor s = open_predictor(c, 1 + i % 2, slices[i / 2], waves[i / 2]);
        int64_t first = i % 3 ? s.n / (1 + i % 3) : 0;
        gls_real *got = passed(&s, i % 2 ? &bare : c->batch, first);
        if (memcmp(got + first * s.k, wanted + first * s.k, (size_t)((s.n - first) * s.k) * sizeof *got) != 0)
            fail_msg("%s: outputs depend on the cut (slice %d, from row %d)", c->name, (int)slices[i / 2], (int)first);
        for (int64_t j = 0; j < first * s.k; j++) assert_true(got[j] == 0); /* another rank's */
        free(got);
        close_predictor(&s);
    }
}

/* How much of row i is of that class. */
static double share_found(const gls_batch *b, int64_t i, int32_t class) {
    double share = b->other_label ? b->label_share[i] : 1, found = b->label[i] == class ? share : 0;
    return found + (b->other_label && b->other_label[i] == class ? 1 - share : 0);
}

static void check_predictions(predictor *s, const conformance *c) {
    double score, right = 0;
    gls_real *z =
        evaluated(s, c->batch, GLS_WANT_OUTPUTS | GLS_WANT_SCORES | GLS_WANT_LOSSES, GLS_MODE_EVALUATE, &score);
    gls_prediction p = gls_problem_prediction(s->p);
    int64_t each = s->n * p.positions;
    int32_t *class = room(each, sizeof *class);
    gls_real *values = room(each * p.values, sizeof *values);
    if (p.classes) {
        OK(s->ctx, gls_problem_classify(s->p, s->n, z, class));
        for (int64_t i = 0; i < each; i++) assert_in_range(class[i], 0, p.classes - 1);
        for (int64_t i = 0; i < s->n && p.positions == 1; i++)
            right += share_found(c->batch, i, class[i]) * (c->batch->mass ? c->batch->mass[i] : 1);
        if (p.positions == 1 && !isnan(score)) assert_true(fabs(right - score) <= 1e-12 * (double)s->n);
    }
    if (p.values) OK(s->ctx, gls_problem_predict(s->p, s->n, z, values));
    for (int64_t i = 0; i < each && p.values && p.classes; i++) {
        double sum = 0;
        for (int64_t k = 0; k < p.classes; k++) {
            double probability = (double)values[i * p.classes + k];
            assert_true(probability >= 0 && probability <= (double)values[i * p.classes + class[i]]);
            sum += probability;
        }
        assert_true(fabs(sum - 1) < 1e-5);
    }
    if (p.values && !p.classes) assert_memory_equal(values, z, (size_t)(s->n * s->k) * sizeof *z);
    if (!p.classes) assert_int_equal(gls_problem_classify(s->p, s->n, z, class), GLS_ERR_UNSUPPORTED);
    if (!p.values) assert_int_equal(gls_problem_predict(s->p, s->n, z, values), GLS_ERR_UNSUPPORTED);
    free(z), free(class), free(values);
}

static void check_refused(predictor *s, const conformance *c) {
    gls_real z = 0;
    int32_t class;
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, c->batch);
    assert_int_equal(gls_pass_outputs(s->pass, s->w, &stream.stream, &z), GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(gls_context_message(s->ctx), "has no outputs"));
    assert_int_equal(gls_problem_predict(s->p, 1, &z, &z), GLS_ERR_UNSUPPORTED);
    assert_int_equal(gls_problem_classify(s->p, 1, &z, &class), GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(gls_context_message(s->ctx), "has no outputs"));
}

void conformance_outputs(const conformance *c) {
    predictor s = open_predictor(c, 1, 0, 0);
    if (s.p->type->outputs && s.k > 0) {
        check_labels_change_nothing(&s, c);
        check_predictions(&s, c);
        gls_real *wanted = passed(&s, c->batch, 0);
        check_cuts(c, wanted);
        free(wanted);
    } else {
        check_refused(&s, c);
    }
    close_predictor(&s);
}
