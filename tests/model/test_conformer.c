/* conformer and its layers on rows of frames: gradients and Hessian products against difference quotients, norms and
 * inner products against explicit gradients, padding that changes nothing, for both normalisations and all targets. */
#include "frames.h"

enum { ROWS = 12, LENGTH = 8, VALUES = 3, CLASSES = 4 };

typedef struct sample {
    const char *family, *options;
    gls_target_kind target;
    bool padded;
} sample;

#define SMALL "dim: 4, heads: 2, depth: 1, hidden: 6, kernel: 3"

static const sample samples[] = {
    {"conformer", "{" SMALL "}", GLS_TARGET_SEQUENCE, true},
    {"conformer", "{" SMALL ", norm: layer}", GLS_TARGET_SEQUENCE, true},
    {"conformer", "{" SMALL ", norm: layer, positions: sinusoidal, blank: 4}", GLS_TARGET_SEQUENCE, false},
    {"conformer", "{" SMALL ", positions: learned, bn_group: 3}", GLS_TARGET_FRAMES, true},
    {"conformer", "{" SMALL ", norm: layer, positions: none}", GLS_TARGET_FRAMES, false},
    {"conformer", "{" SMALL ", norm: layer, init: torch}", GLS_TARGET_CLASS, true},
    {"layers", "{layers: [{dense: {units: 4}}, {time_conv: {kernel: 5}}, {dense: {units: 4}}]}", GLS_TARGET_FRAMES,
     true},
    {"layers",
     "{layers: [{time_conv: {kernel: 9, bias: false}}, tanh, {dense: {units: 4}}, batch_norm, relu, {dense: "
     "{units: 5}}]}",
     GLS_TARGET_SEQUENCE, true},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

typedef struct fixture {
    gls_context *ctx;
    check_frames f;
    gls_problem *p;
} fixture;

static fixture make(const sample *s, int64_t rows) {
    fixture x = {.ctx = check_context(1, false),
                 .f = check_frames_create(rows, LENGTH, VALUES, CLASSES, s->target, s->padded)};
    x.p = check_model(x.ctx, s->family, s->options, &x.f.d.info);
    return x;
}

static void end(fixture *x) {
    gls_problem_destroy(x->p);
    check_frames_destroy(&x->f);
    gls_context_destroy(x->ctx);
}

static void derivatives(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        fixture x = make(&samples[i], 3);
        assert_true(x.p->hessian_exact);
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++) {
            double first = check_differences(x.p, &x.f.d.batch, mode, 1e-4);
            double second = check_hessian(x.p, &x.f.d.batch, mode);
            if (first > 1e-6 || second > 1e-6)
                print_error("%s %s, mode %d: %.3g %.3g\n", samples[i].family, samples[i].options, mode, first, second);
            assert_true(first < 1e-6 && second < 1e-6);
        }
        end(&x);
    }
}

/* Rows that batch norm couples have no gradient of their own. */
static bool couples(const fixture *x) {
    return x->p->coupling != GLS_COUPLING_NONE;
}

static void questions(void **state) {
    double tolerance = sizeof(gls_real) == 4 ? 1e-4 : 1e-11;
    for (int i = 0; i < SAMPLES; i++) {
        fixture x = make(&samples[i], ROWS);
        if (!couples(&x)) {
            check_questions_of(x.p, &x.f.d.batch, tolerance);
            int64_t d = gls_problem_size(x.p);
            gls_real *w = check_weights(x.p), *g = calloc((size_t)d, sizeof *g);
            check_run all = check_run_create(x.p, &x.f.d.batch, GLS_WANT_GRADIENT | GLS_WANT_NORMS, GLS_MODE_TRAIN);
            double norms[ROWS];
            check_run_at(&all, w);
            assert_int_equal(gls_ask_norms(all.e, NULL, norms), GLS_OK);
            for (int64_t r = 0; r < ROWS; r++) {
                gls_batch one = gls_batch_view(&x.f.d.batch, r, 1);
                check_run alone = check_run_create(x.p, &one, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
                check_gradient_at(&alone, w, g);
                double norm = check_dot(g, g, d);
                assert_true(fabs(norms[r] - norm) <= tolerance * norm);
                check_run_destroy(&alone);
            }
            check_run_destroy(&all);
            free(w);
            free(g);
        }
        end(&x);
    }
}

/* Norms of spans of batch norm with padding against each span's gradient alone. */
static void spans(void **state) {
    enum { SPAN = 3 };
    static const sample s = {"conformer", "{" SMALL ", bn_group: 3}", GLS_TARGET_SEQUENCE, true};
    double tolerance = sizeof(gls_real) == 4 ? 1e-4 : 1e-11, norms[ROWS / SPAN], inner[ROWS / SPAN];
    fixture x = make(&s, ROWS);
    int64_t d = gls_problem_size(x.p);
    gls_real *w = check_weights(x.p), *v = check_direction(x.p, 1, NULL), *g = calloc((size_t)d, sizeof *g);
    check_run all =
        check_run_create(x.p, &x.f.d.batch, GLS_WANT_GRADIENT | GLS_WANT_NORMS | GLS_WANT_INNER, GLS_MODE_TRAIN);
    gls_point *at = NULL;
    int32_t group[ROWS];
    for (int32_t r = 0; r < ROWS; r++) group[r] = r / SPAN;
    gls_partition partition = {ROWS / SPAN, group};
    all.args.span = SPAN;
    check_run_at(&all, w);
    assert_int_equal(gls_point_create(x.p, &at), GLS_OK);
    assert_int_equal(gls_point_set(at, v), GLS_OK);
    assert_int_equal(gls_ask_norms(all.e, &partition, norms), GLS_OK);
    assert_int_equal(gls_ask_inner(all.e, &partition, at, inner), GLS_OK);
    for (int64_t q = 0; q < ROWS / SPAN; q++) {
        gls_batch some = gls_batch_view(&x.f.d.batch, q * SPAN, SPAN);
        check_run alone = check_run_create(x.p, &some, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
        check_gradient_at(&alone, w, g);
        double norm = check_dot(g, g, d), dot = check_dot(g, v, d);
        assert_true(fabs(norms[q] - norm) <= tolerance * norm);
        assert_true(fabs(inner[q] - dot) <= tolerance * sqrt(norm));
        check_run_destroy(&alone);
    }
    gls_point_destroy(at);
    check_run_destroy(&all);
    free(w);
    free(v);
    free(g);
    end(&x);
}

/* What stands in padding changes no bit of loss, gradient or running statistics. */
static void padding(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        if (!samples[i].padded) continue;
        fixture x = make(&samples[i], ROWS);
        int64_t d = gls_problem_size(x.p);
        gls_real *w = check_weights(x.p), *g = calloc((size_t)d, sizeof *g), *again = calloc((size_t)d, sizeof *g);
        check_run r = check_run_create(x.p, &x.f.d.batch, GLS_WANT_GRADIENT | GLS_WANT_LOSSES, GLS_MODE_TRAIN);
        double loss[ROWS], other[ROWS];
        check_gradient_at(&r, w, g);
        assert_int_equal(gls_ask_losses(r.e, loss), GLS_OK);
        for (int64_t k = 0; k < ROWS * LENGTH * VALUES; k++)
            if (x.f.document[k / VALUES] < 0) x.f.d.x[k] = (gls_real)(10 + k % 7);
        check_gradient_at(&r, w, again);
        assert_int_equal(gls_ask_losses(r.e, other), GLS_OK);
        assert_memory_equal(loss, other, sizeof loss);
        assert_memory_equal(g, again, (size_t)d * sizeof *g);
        free(w);
        free(g);
        free(again);
        check_run_destroy(&r);
        end(&x);
    }
}

/* Batch norm of rows with padding is that of their frames put together, by hand. */
static void statistics(void **state) {
    gls_context *ctx = check_context(1, false);
    check_frames f = check_frames_create(ROWS, LENGTH, CLASSES, CLASSES, GLS_TARGET_FRAMES, true);
    gls_problem *p = check_model(ctx, "layers", "{layers: [batch_norm]}", &f.d.info);
    check_run r = check_run_create(p, &f.d.batch, GLS_WANT_OUTPUTS | GLS_WANT_LOSSES, GLS_MODE_TRAIN);
    gls_real w[2 * CLASSES] = {1, 1, 1, 1}, z[ROWS * LENGTH * CLASSES];
    double tolerance = sizeof(gls_real) == 4 ? 1e-5 : 1e-12;
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, z), GLS_OK);
    for (int64_t c = 0; c < CLASSES; c++) {
        double n = 0, mean = 0, variance = 0;
        for (int64_t t = 0; t < ROWS * LENGTH; t++) n += f.document[t] >= 0;
        for (int64_t t = 0; t < ROWS * LENGTH; t++) mean += f.document[t] >= 0 ? (double)f.d.x[t * CLASSES + c] / n : 0;
        for (int64_t t = 0; t < ROWS * LENGTH; t++)
            variance += f.document[t] >= 0
                            ? ((double)f.d.x[t * CLASSES + c] - mean) * ((double)f.d.x[t * CLASSES + c] - mean) / n
                            : 0;
        for (int64_t t = 0; t < ROWS * LENGTH; t++) {
            double expected = f.document[t] >= 0 ? ((double)f.d.x[t * CLASSES + c] - mean) / sqrt(variance + 1e-5) : 0;
            assert_true(fabs((double)z[t * CLASSES + c] - expected) < tolerance * (1 + fabs(expected)));
        }
    }
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_frames_destroy(&f);
    gls_context_destroy(ctx);
}

/* A row by hand: two documents, which do not see each other. */
static void convolution(void **state) {
    enum { W = 6 };
    gls_context *ctx = check_context(1, false);
    check_frames f = check_frames_create(1, W, 1, 1, GLS_TARGET_FRAMES, true);
    static const int32_t document[W] = {0, 0, 0, 1, 1, -1};
    static const gls_real x[W] = {1, 2, 3, 4, 5, 6}, w[4] = {10, 100, 1000, (gls_real)0.5};
    static const double expected[W] = {2100.5, 3210.5, 320.5, 5400.5, 540.5, 0};
    memcpy(f.document, document, sizeof document);
    memcpy(f.d.x, x, sizeof x);
    f.d.label[W - 1] = -1;
    f.d.info.documents = GLS_DOCUMENTS_PACKED;
    gls_problem *p = check_model(ctx, "layers", "{layers: [{time_conv: {kernel: 3}}]}", &f.d.info);
    check_run r = check_run_create(p, &f.d.batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    gls_real z[W];
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, z), GLS_OK);
    for (int t = 0; t < W; t++) assert_true(fabs((double)z[t] - expected[t]) < 1e-3);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_frames_destroy(&f);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(derivatives), cmocka_unit_test(questions),
                                       cmocka_unit_test(spans),       cmocka_unit_test(padding),
                                       cmocka_unit_test(statistics),  cmocka_unit_test(convolution)};
    return cmocka_run_group_tests_name("conformer", tests, NULL, NULL);
}
