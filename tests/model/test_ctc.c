/* CTC: values against all alignments written out and against PyTorch, gradients and their tangents against difference
 * quotients, rows that have no alignment, blanks anywhere, decoding and edits. */
#include "frames.h"

#include "model/ctc.h"
#include "problem/sequence.h"

enum { MOST = 8, CLASSES = 4, WIDTH = CLASSES + 1 };

static double formula(int64_t i, int64_t t, int64_t c) {
    return 2 * sin(1.7 * (double)i + 0.9 * (double)t + 2.3 * (double)c + 0.1 * (double)t * (double)c);
}

static void fill_row(int64_t i, int64_t frames, int64_t width, gls_real *z) {
    for (int64_t k = 0; k < frames * width; k++) z[k] = (gls_real)formula(i, k / width, k % width);
}

/* ---- all alignments, one by one ---- */

static bool spells(const int64_t *path, const gls_ctc_row *row) {
    int64_t count = 0;
    for (int64_t t = 0; t < row->frames; t++) {
        if (path[t] == row->blank || (t > 0 && path[t] == path[t - 1])) continue;
        int64_t label = path[t] < row->blank ? path[t] : path[t] - 1;
        if (count == row->labels || row->label[count++] != label) return false;
    }
    return count == row->labels;
}

static double all_alignments(const gls_ctc_row *row) {
    int64_t path[MOST], paths = 1;
    double p = 0, sum[MOST];
    for (int64_t t = 0; t < row->frames; t++) {
        paths *= row->width;
        sum[t] = 0;
        for (int64_t c = 0; c < row->width; c++) sum[t] += exp((double)row->z[t * row->width + c]);
    }
    for (int64_t number = 0; number < paths; number++) {
        double share = 1;
        for (int64_t t = 0, rest = number; t < row->frames; t++, rest /= row->width) {
            path[t] = rest % row->width;
            share *= exp((double)row->z[t * row->width + path[t]]) / sum[t];
        }
        if (spells(path, row)) p += share;
    }
    return -log(p);
}

static const struct {
    int64_t frames, width, blank, labels;
    int32_t label[MOST];
} tiny[] = {
    {1, 2, 0, 1, {0}},    {1, 3, 1, 0, {0}},          {5, 3, 0, 2, {0, 1}},
    {5, 3, 2, 2, {1, 1}}, {6, 4, 1, 3, {2, 2, 0}},    {3, 3, 0, 2, {0, 0}},
    {6, 3, 1, 0, {0}},    {4, 4, 3, 4, {0, 1, 2, 1}}, {7, 3, 0, 4, {1, 1, 1, 1}},
};

static void brute_force(void **state) {
    void *room = malloc((size_t)gls_ctc_bytes(MOST, 4, MOST, true));
    for (size_t k = 0; k < sizeof tiny / sizeof *tiny; k++) {
        gls_real z[MOST * 4];
        gls_ctc_row row = {z, NULL, tiny[k].frames, tiny[k].width, tiny[k].blank, tiny[k].label, tiny[k].labels};
        fill_row((int64_t)k, row.frames, row.width, z);
        assert_true(gls_ctc_frames(&row) <= row.frames);
        assert_true(fabs(gls_ctc_loss(&row, room).v - all_alignments(&row)) < 1e-12 * (1 + all_alignments(&row)));
    }
    free(room);
}

/* One frame too few: no alignment, an infinite loss. */
static void too_few_frames(void **state) {
    void *room = malloc((size_t)gls_ctc_bytes(MOST, 3, MOST, true));
    gls_real z[MOST * 3];
    static const int32_t label[] = {0, 0, 1};
    gls_ctc_row row = {z, NULL, 3, 3, 0, label, 3};
    fill_row(0, 3, 3, z);
    assert_int_equal(gls_ctc_frames(&row), 4);
    assert_true(isinf(gls_ctc_loss(&row, room).v));
    free(room);
}

/* torch.nn.functional.ctc_loss 2.15 in double on the same numbers, blank 0: losses, <gradient, cos(0.3 t + c)>, and the
 * gradients' squared norms. */
static void pytorch(void **state) {
    enum { ROWS = 4, FRAMES = 9 };
    static const int32_t label[ROWS][5] = {{0, 1, 1, 3}, {2}, {0, 0, 0}, {3, 2, 1, 0, 2}};
    static const int64_t labels[ROWS] = {4, 1, 3, 5}, frames[ROWS] = {9, 6, 7, 5};
    static const double loss[ROWS] = {12.5365664907563, 8.82337804345544, 13.510238948746, 14.1252503356284},
                        inner[ROWS] = {-1.62580785923808, -2.54446236431681, -2.30528779053782, 2.49496877470466},
                        norm[ROWS] = {3.38550529416705, 3.96000008628941, 3.92776377146688, 5.35948248436751};
    double tolerance = sizeof(gls_real) == 4 ? 1e-4 : 1e-9;
    void *room = malloc((size_t)gls_ctc_bytes(FRAMES, WIDTH, 5, true));
    for (int64_t i = 0; i < ROWS; i++) {
        gls_real z[FRAMES * WIDTH], d[FRAMES * WIDTH];
        gls_ctc_row row = {z, NULL, frames[i], WIDTH, 0, label[i], labels[i]};
        double dot = 0, square = 0;
        fill_row(i, frames[i], WIDTH, z);
        assert_true(fabs(gls_ctc_loss(&row, room).v - loss[i]) < tolerance * loss[i]);
        gls_ctc_gradient(&row, 1, room, d);
        for (int64_t k = 0; k < frames[i] * WIDTH; k++) {
            dot += (double)d[k] * cos(0.3 * (double)(k / WIDTH) + (double)(k % WIDTH));
            square += (double)d[k] * d[k];
        }
        assert_true(fabs(dot - inner[i]) < tolerance * fabs(inner[i]));
        assert_true(fabs(square - norm[i]) < tolerance * norm[i]);
    }
    free(room);
}

/* Outputs so far apart that probabilities themselves would be 0. */
static void far_apart(void **state) {
    enum { FRAMES = 40 };
    void *room = malloc((size_t)gls_ctc_bytes(FRAMES, 3, 2, true));
    gls_real z[FRAMES * 3], d[FRAMES * 3];
    static const int32_t label[] = {0, 1};
    gls_ctc_row row = {z, NULL, FRAMES, 3, 0, label, 2};
    for (int64_t t = 0; t < FRAMES; t++)
        for (int64_t c = 0; c < 3; c++) z[3 * t + c] = c == 0 ? -500 : c == 1 ? 500 : 0;
    /* One frame of label 1 at the end costs 500, 38 of label 0 and one more of either nothing. */
    assert_true(fabs(gls_ctc_loss(&row, room).v - 500) < 1e-9);
    gls_ctc_gradient(&row, 1, room, d);
    for (int64_t k = 0; k < FRAMES * 3; k++)
        assert_true(fabs((double)d[k] - (k == 3 * FRAMES - 1 ? -1 : k == 3 * FRAMES - 2)) < 1e-6);
    free(room);
}

/* ---- as a layer ---- */

static const char *const heads[] = {
    "{layers: [{dense: {units: 5}}]}",
    "{layers: [{dense: {units: 5}}], blank: 4}",
    "{layers: [{dense: {units: 8}}, tanh, {time_conv: {kernel: 3}}, {dense: {units: 5}}], blank: 2}",
};

static void derivatives(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int k = 0; k < 3; k++) {
        gls_context *ctx = check_context(1, false);
        check_frames f = check_frames_create(3, 9, 3, CLASSES, GLS_TARGET_SEQUENCE, true);
        gls_problem *p = check_model(ctx, "layers", heads[k], &f.d.info);
        assert_true(p->hessian_exact);
        assert_true(check_differences(p, &f.d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        assert_true(check_hessian(p, &f.d.batch, GLS_MODE_TRAIN) < 1e-6);
        gls_problem_destroy(p);
        check_frames_destroy(&f);
        gls_context_destroy(ctx);
    }
}

/* A row's loss is m / labels times that of the recursions, and its padding matters to nothing. */
static void losses(void **state) {
    enum { ROWS = 5, LENGTH = 9 };
    gls_context *ctx = check_context(1, false);
    check_frames f = check_frames_create(ROWS, LENGTH, WIDTH, CLASSES, GLS_TARGET_SEQUENCE, true);
    gls_problem *p = check_model(ctx, "layers", "{layers: [{dropout: {p: 0}}]}", &f.d.info);
    check_run r = check_run_create(p, &f.d.batch, GLS_WANT_LOSSES | GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    double loss[ROWS], again[ROWS];
    gls_real w[1] = {0}, z[ROWS * LENGTH * WIDTH];
    void *room = malloc((size_t)gls_ctc_bytes(LENGTH, WIDTH, LENGTH, true));
    check_run_at(&r, w);
    assert_int_equal(gls_ask_losses(r.e, loss), GLS_OK);
    assert_int_equal(gls_ask_outputs(r.e, z), GLS_OK);
    for (int64_t i = 0; i < ROWS; i++) {
        int64_t frames = 0, labels = gls_sequence_length(f.d.label + i * LENGTH, LENGTH);
        while (frames < LENGTH && f.document[i * LENGTH + frames] >= 0) frames++;
        gls_ctc_row row = {f.d.x + i * LENGTH * WIDTH, NULL, frames, WIDTH, 0, f.d.label + i * LENGTH, labels};
        double expected = f.d.mass[i] / (double)labels * gls_ctc_loss(&row, room).v;
        assert_true(fabs(loss[i] - expected) < 1e-12 * expected);
        for (int64_t t = frames; t < LENGTH; t++)
            for (int64_t c = 0; c < WIDTH; c++) {
                assert_true((double)z[(i * LENGTH + t) * WIDTH + c] == (c ? -1000 : 0));
                f.d.x[(i * LENGTH + t) * WIDTH + c] = 77;
            }
    }
    check_run_at(&r, w);
    assert_int_equal(gls_ask_losses(r.e, again), GLS_OK);
    assert_memory_equal(loss, again, sizeof loss);
    free(room);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_frames_destroy(&f);
    gls_context_destroy(ctx);
}

static void impossible(void **state) {
    enum { LENGTH = 6 };
    for (int skips = 0; skips < 2; skips++) {
        gls_context *ctx = check_context(1, false);
        check_frames f = check_frames_create(3, LENGTH, WIDTH, CLASSES, GLS_TARGET_SEQUENCE, false);
        for (int64_t t = 0; t < LENGTH; t++) f.d.label[LENGTH + t] = t < 4 ? 1 : -1; /* takes 7 frames */
        gls_problem *p = check_model(
            ctx, "layers",
            skips ? "{layers: [{dense: {units: 5}}], impossible: skip}" : "{layers: [{dense: {units: 5}}]}", &f.d.info);
        check_run r =
            check_run_create(p, &f.d.batch, GLS_WANT_GRADIENT | GLS_WANT_LOSSES | GLS_WANT_NORMS, GLS_MODE_TRAIN);
        gls_real *w = check_weights(p);
        double loss[3], norms[3];
        assert_int_equal(gls_point_set(r.point, w), GLS_OK);
        gls_status status = gls_evaluate(r.e, &r.args);
        assert_int_equal(status, skips ? GLS_OK : GLS_ERR_INPUT);
        if (!skips) {
            assert_string_equal(
                gls_context_message(ctx),
                "example 1: its 4 labels take 7 frames, one each and a blank between equal ones, but it "
                "has 6 (impossible: skip leaves such examples out)");
        } else {
            assert_int_equal(gls_ask_losses(r.e, loss), GLS_OK);
            assert_int_equal(gls_ask_norms(r.e, NULL, norms), GLS_OK);
            assert_true(loss[1] == 0 && norms[1] == 0 && loss[0] > 0 && norms[2] > 0);
        }
        free(w);
        check_run_destroy(&r);
        gls_problem_destroy(p);
        check_frames_destroy(&f);
        gls_context_destroy(ctx);
    }
}

static void refuses(const char *options, const gls_data_info *info, const char *message) {
    gls_context *ctx = check_context(1, false);
    gls_value *value = NULL;
    gls_problem *p = NULL;
    assert_int_equal(gls_yaml_parse(ctx, "test", options, (int64_t)strlen(options), &value), GLS_OK);
    assert_int_not_equal(gls_model_create(ctx, "layers", value, info, &p), GLS_OK);
    if (!strstr(gls_context_message(ctx), message)) fail_msg("%s", gls_context_message(ctx));
    gls_value_destroy(ctx, value);
    gls_context_destroy(ctx);
}

static void refusals(void **state) {
    check_frames f = check_frames_create(3, 6, 3, CLASSES, GLS_TARGET_SEQUENCE, false);
    refuses("{layers: [{dense: {units: 5}}], blank: 5}", &f.d.info, "blank: 5, expected 0 to 4, the number of classes");
    refuses("{layers: [{dense: {units: 4}}]}", &f.d.info, "needs an input for each of 4 classes and the blank");
    refuses("{layers: [{time_conv: {kernel: 4}}, {dense: {units: 5}}]}", &f.d.info,
            "kernel: 4, expected an odd number");
    f.d.info.target = GLS_TARGET_FRAMES;
    refuses("{layers: [{dense: {units: 5}}], loss: ctc}", &f.d.info, "needs sequences of labels");
    check_frames_destroy(&f);
}

/* ---- reading ---- */

static void decoding(void **state) {
    static const int8_t best[] = {0, 1, 1, 0, 1, 2, 2, 0, 0, 3};
    gls_real z[10 * WIDTH] = {0};
    int32_t out[10];
    for (int t = 0; t < 10; t++) z[t * WIDTH + best[t]] = 1;
    assert_int_equal(gls_sequence_decode(z, 10, WIDTH, 0, out), 4);
    static const int32_t expected[] = {0, 0, 1, 2};
    assert_memory_equal(out, expected, sizeof expected);
    static const int32_t shifted[] = {0, 0, 1, 0, 2}; /* outputs 0, 0, 2, 0, 3: the blank parts the first two */
    assert_int_equal(gls_sequence_decode(z, 10, WIDTH, 1, out), 5);
    assert_memory_equal(out, shifted, sizeof shifted);
    z[0] = NAN;
    assert_int_equal(gls_sequence_decode(z, 10, WIDTH, 0, out), 4);
}

static void edits(void **state) {
    static const int32_t a[] = {10, 8, 19, 19, 4, 13}, b[] = {18, 8, 19, 19, 8, 13, 6}; /* kitten, sitting */
    int64_t room[8];
    assert_int_equal(gls_sequence_edits(a, 6, b, 7, room), 3);
    assert_int_equal(gls_sequence_edits(b, 7, a, 6, room), 3);
    assert_int_equal(gls_sequence_edits(a, 0, b, 7, room), 7);
    assert_int_equal(gls_sequence_edits(a, 6, b, 0, room), 6);
    assert_int_equal(gls_sequence_edits(a, 6, a, 6, room), 0);
    static const int32_t labels[] = {3, 4, -1, 2};
    assert_int_equal(gls_sequence_length(labels, 4), 2);
    assert_int_equal(gls_sequence_length(labels, 1), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(brute_force), cmocka_unit_test(too_few_frames),
                                       cmocka_unit_test(pytorch),     cmocka_unit_test(far_apart),
                                       cmocka_unit_test(derivatives), cmocka_unit_test(losses),
                                       cmocka_unit_test(impossible),  cmocka_unit_test(refusals),
                                       cmocka_unit_test(decoding),    cmocka_unit_test(edits)};
    return cmocka_run_group_tests_name("ctc", tests, NULL, NULL);
}
