/* Weights and gradients in pieces: every rule moves them to the bit as it moves one vector. */
#include "support.h"

#include "base/kernels.h"

enum { BLOCKS = 9, STEPS = 4 };

/* Ragged, empty ones among them; chunks of |g|^2 begin and end within blocks. */
static const int64_t size_of[BLOCKS] = {0, 1, 17, GLS_CHUNK, 0, 5, 40003, 2 * GLS_CHUNK - 1, 3};

static gls_layout *ragged(gls_context *ctx) {
    gls_layout *layout;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    for (int64_t b = 0; b < BLOCKS; b++) {
        char name[20];
        snprintf(name, sizeof name, "layer%d.%s", (int)b, b % 2 ? "bias" : "weight");
        assert_int_equal(gls_layout_add(layout, name, 1, &size_of[b], b % 2 ? GLS_BLOCK_NO_DECAY : 0), GLS_OK);
    }
    return layout;
}

/* Memory of its own for each block, at every alignment; NULL for the first empty one. */
static void scatter(gls_real *piece[BLOCKS], const gls_real *flat) {
    for (int64_t b = 0, at = 0; b < BLOCKS; at += size_of[b++]) {
        gls_real *room = b ? malloc((size_t)(size_of[b] + b) * sizeof *room) : NULL;
        piece[b] = b ? room + b : NULL;
        if (size_of[b]) memcpy(piece[b], flat + at, (size_t)size_of[b] * sizeof *flat);
    }
}

static void release(gls_real *piece[BLOCKS]) {
    for (int64_t b = 1; b < BLOCKS; b++) free(piece[b] - b);
}

static void check_equal(const char *text, gls_real *const piece[BLOCKS], const gls_real *flat) {
    for (int64_t b = 0, at = 0; b < BLOCKS; at += size_of[b++])
        if (size_of[b] && memcmp(piece[b], flat + at, (size_t)size_of[b] * sizeof *flat) != 0)
            fail_msg("%s: block %d differs", text, (int)b);
}

static void check_steps(const char *text, int threads) {
    gls_context *ctx = test_context(threads), *other = test_context(1);
    gls_layout *layout = ragged(ctx);
    int64_t d = gls_layout_size(layout);
    gls_method *flat = make_method(other, layout, text), *pieces = make_method(ctx, layout, text);
    gls_real *w = malloc((size_t)d * sizeof *w), *g = malloc((size_t)d * sizeof *g);
    gls_real *w_piece[BLOCKS], *g_piece[BLOCKS];
    gls_step_report a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    draw_weights(d, w);
    scatter(w_piece, w);
    for (int64_t t = 1; t <= STEPS; t++) {
        draw_gradient(HEAVY, t, d, g);
        if (t == 3) g[1] = g[d - 1] = (gls_real)NAN;
        scatter(g_piece, g);
        assert_int_equal(gls_method_step(flat, w, g, &a), GLS_OK);
        assert_int_equal(gls_method_step_blocks(pieces, w_piece, (const gls_real *const *)g_piece, NAN, &b), GLS_OK);
        assert_int_equal(a.refused, t == 3);
        assert_int_equal(a.nonfinite, t == 3 ? 2 : 0);
        assert_int_equal(gls_method_refused(flat), t >= 3); /* seen without a report, and no step */
        assert_int_equal(gls_method_steps(flat), t - (t >= 3));
        assert_memory_equal(&a, &b, sizeof a);
        check_equal(text, w_piece, w);
        release(g_piece);
    }
    release(w_piece);
    free(w);
    free(g);
    gls_method_destroy(flat);
    gls_method_destroy(pieces);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
    gls_context_destroy(other);
}

static void same_bits_as_one_vector(void **state) {
    gls_context *ctx = test_context(1);
    int64_t tried = 0;
    const gls_method_type *type;
    for (int64_t i = 0; (type = gls_method_at(ctx, i)); i++) {
        if (type->query) continue;
        char text[300];
        snprintf(text, sizeof text, "{name: %s}", type->member.name);
        check_steps(text, 1);
        snprintf(
            text, sizeof text,
            "{name: %s, weight_decay: 0.1, project: {ball: 3}, groups: [{match: 'layer[27].*', weight_decay: 0.3}, "
            "{match: 'layer3.*', lr: 0.01}]}",
            type->member.name);
        check_steps(text, 2);
        const char *way;
        for (int j = 1; (way = state_way(type, j)); j++) {
            snprintf(text, sizeof text, "{name: %s%s, groups: [{match: 'layer6.*', train: false}]}", type->member.name,
                     way);
            check_steps(text, 2);
        }
        if (has_option(type, "per_block")) {
            snprintf(text, sizeof text, "{name: %s, per_block: true, weight_decay: 0.1}", type->member.name);
            check_steps(text, 2);
        }
        tried++;
    }
    assert_true(tried >= 16);
    gls_context_destroy(ctx);
}

/* clip_norm cuts g as one would before the step, to the bit where no other norm is taken; g itself stays. */
static void cuts_long_gradients(void **state) {
    static const char *const rules[] = {"sgd",  "msgd, weight_decay: 0.1", "adam, weight_decay: 0.1", "acclip", "cclip",
                                        "adamw"};
    gls_context *ctx = test_context(2);
    gls_layout *layout = ragged(ctx);
    int64_t d = gls_layout_size(layout);
    gls_real *w = malloc((size_t)d * sizeof *w), *other = malloc((size_t)d * sizeof *w);
    gls_real *g = malloc((size_t)d * sizeof *g), *cut = malloc((size_t)d * sizeof *g);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        char text[200];
        snprintf(text, sizeof text, "{name: %s, clip_norm: 300}", rules[i]);
        gls_method *method = make_method(ctx, layout, text);
        snprintf(text, sizeof text, "{name: %s}", rules[i]);
        gls_method *plain = make_method(ctx, layout, text);
        draw_weights(d, w);
        memcpy(other, w, (size_t)d * sizeof *w);
        for (int64_t t = 1; t <= STEPS; t++) { /* about 300 is sqrt(d): sparse gradients are shorter */
            gls_step_report a, b;
            draw_gradient(t == 2 ? SPARSE : HEAVY, t, d, g);
            memcpy(cut, g, (size_t)d * sizeof *g);
            double norm = sqrt(gls_sum_squares(g, d)), factor = norm > 300 ? 300 / norm : 1;
            assert_int_equal(factor < 1, t != 2);
            for (int64_t k = 0; k < d; k++) cut[k] *= (gls_real)factor;
            assert_int_equal(gls_method_step(method, w, g, &a), GLS_OK);
            assert_int_equal(gls_method_step(plain, other, cut, &b), GLS_OK);
            assert_memory_equal(w, other, (size_t)d * sizeof *w);
            assert_true(a.factor == factor && a.gradient_norm == norm && a.update_norm > 0);
        }
        gls_method_destroy(method);
        gls_method_destroy(plain);
    }
    free(w);
    free(other);
    free(g);
    free(cut);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A block that is not trained keeps its bits and its gradient is not read; |g| is that of the others. */
static void leaves_out_what_is_not_trained(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 4);
    gls_method *method = make_method(ctx, layout, "{name: sgd, lr: 0.5, groups: [{match: 'layer.*', train: false}]}");
    gls_real w[3][35] = {{3}, {4}, {1, 1, 1, 1}}, g[3][35] = {{(gls_real)NAN}, {(gls_real)INFINITY}, {1, 2, 2, 4}};
    gls_step_report report;
    assert_int_equal(gls_method_step_blocks(method, (gls_real *const[]){w[0], w[1], w[2]},
                                            (const gls_real *const[]){g[0], g[1], g[2]}, NAN, &report),
                     GLS_OK);
    assert_false(report.refused);
    assert_true(report.gradient_norm == 5 && report.update_norm == 2.5);
    assert_true(w[0][0] == 3 && w[1][0] == 4 && w[2][0] == 0.5 && w[2][3] == -1);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A norm that is known is taken at its word: half of the true one makes a normalised step twice as long. */
static void takes_a_norm(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 4);
    gls_method *method = make_method(ctx, layout, "{name: sngd, lr: 1}");
    gls_real w[44] = {0}, g[44] = {3, 4};
    gls_step_report report;
    assert_int_equal(gls_method_step_blocks(method, (gls_real *const[]){w, w + 35, w + 40},
                                            (const gls_real *const[]){g, g + 35, g + 40}, 6.25, &report),
                     GLS_OK);
    assert_true(report.gradient_norm == 2.5);
    assert_float_equal(w[0], -1.2, 1e-6);
    assert_float_equal(w[1], -1.6, 1e-6);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void refuses(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 4);
    gls_method *method = make_method(ctx, layout, "{name: sgd}");
    gls_real w[44] = {0};
    assert_int_equal(gls_method_step_blocks(method, (gls_real *const[]){w, NULL, w + 40},
                                            (const gls_real *const[]){w, w, w}, NAN, NULL),
                     GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "'layer.bias' of w is NULL"));
    assert_int_equal(
        gls_method_step_blocks(method, (gls_real *const[]){w, w, w}, (const gls_real *const[]){w, w, NULL}, NAN, NULL),
        GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "'out.weight' of g is NULL"));
    assert_int_equal(
        gls_method_step_blocks(method, (gls_real *const[]){w, w, w}, (const gls_real *const[]){w, w, w}, -1, NULL),
        GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "norm2 -1"));
    gls_method_destroy(method);
    method = make_method(ctx, layout, "{name: svrg, average: 2, period: 3}");
    assert_int_equal(
        gls_method_step_blocks(method, (gls_real *const[]){w, w, w}, (const gls_real *const[]){w, w, w}, NAN, NULL),
        GLS_ERR_UNSUPPORTED);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits_as_one_vector), cmocka_unit_test(cuts_long_gradients),
                                       cmocka_unit_test(leaves_out_what_is_not_trained), cmocka_unit_test(takes_a_norm),
                                       cmocka_unit_test(refuses)};
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
