/* Groups that are not trained: their weights keep their bits, and the others move as if they were alone. */
#include "support.h"

enum { SIZE = 9000, STEPS = 7 };

/* Options a method cannot do without. */
static const char *needed(const char *name) {
    if (strcmp(name, "ingd") == 0) return ", L: 1000, delta: 0.05, eps: 1e-6, gap: 1e4, certificate: 8";
    if (strcmp(name, "svrg") == 0) return ", average: 2, period: 3";
    if (strcmp(name, "singd") == 0) return ", output: theory, K: 3";
    return "";
}

/* Methods whose random directions depend on how many coordinates there are. */
static bool random_directions(const char *name) {
    return strcmp(name, "ingd") == 0 || strcmp(name, "singd") == 0;
}

/* Steps on f(x) = |x|^2 / 2 with noise, g [d]; what the first SIZE coordinates see does not depend on the rest. */
static void steps(gls_context *ctx, gls_method *method, int64_t d, gls_real *w) {
    gls_real *g = malloc((size_t)d * sizeof *g), *noise = malloc((SIZE + 40) * sizeof *g);
    for (int64_t t = 1; t <= STEPS; t++) {
        gls_query query;
        gls_step_report report;
        assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
        if (query.kind == GLS_QUERY_DONE) break;
        draw_gradient(NORMAL, t, SIZE + 40, noise);
        double value = 0;
        for (int64_t i = 0; i < d; i++) {
            g[i] = query.at[i] + (query.kind == GLS_QUERY_GRADIENT ? (gls_real)0.1 * noise[i] : 0);
            if (i < SIZE) value += (double)query.at[i] * query.at[i] / 2;
        }
        gls_answer answer = {.value = value, .g = query.kind == GLS_QUERY_VALUE ? NULL : g, .norm2 = NAN, .epoch = NAN};
        gls_status status = gls_method_tell(method, &answer, w, &report);
        if (status != GLS_OK) fail_msg("%s: %s", gls_method_name(method), gls_context_message(ctx));
    }
    free(g);
    free(noise);
}

static void others_move_as_if_alone(void **state) {
    for (int64_t i = 0;; i++) {
        gls_context *ctx = test_context(1);
        const gls_method_type *type = gls_method_at(ctx, i);
        if (!type) {
            gls_context_destroy(ctx);
            break;
        }
        if (!has_option(type, "groups")) {
            gls_context_destroy(ctx);
            continue;
        }
        const char *name = type->member.name, *decay = has_option(type, "weight_decay") ? ", weight_decay: 0.01" : "";
        char text[400];
        gls_layout *both, *one = one_block(ctx, SIZE);
        assert_int_equal(gls_layout_create(ctx, &both), GLS_OK);
        assert_int_equal(gls_layout_add(both, "w", 1, (int64_t[]){SIZE}, 0), GLS_OK);
        assert_int_equal(gls_layout_add(both, "frozen.w", 1, (int64_t[]){40}, 0), GLS_OK);
        snprintf(text, sizeof text, "{name: %s%s%s, groups: [{match: 'frozen.*', train: false}]}", name, needed(name),
                 decay);
        gls_method *method = make_method(ctx, both, text);
        snprintf(text, sizeof text, "{name: %s%s%s}", name, needed(name), decay);
        gls_method *alone = make_method(ctx, one, text);
        gls_real *a = malloc((SIZE + 40) * sizeof *a), *b = malloc(SIZE * sizeof *b), kept[40];
        draw_weights(SIZE + 40, a);
        memcpy(b, a, SIZE * sizeof *b);
        memcpy(kept, a + SIZE, sizeof kept);
        steps(ctx, method, SIZE + 40, a);
        steps(ctx, alone, SIZE, b);
        assert_memory_equal(kept, a + SIZE, sizeof kept);
        if (!random_directions(name)) assert_memory_equal(a, b, SIZE * sizeof *b);
        draw_weights(SIZE + 40, b = realloc(b, (SIZE + 40) * sizeof *b)); /* the start: the rest has moved */
        assert_memory_not_equal(a, b, SIZE * sizeof *b);
        free(a);
        free(b);
        gls_method_destroy(method);
        gls_method_destroy(alone);
        gls_layout_destroy(both);
        gls_layout_destroy(one);
        gls_context_destroy(ctx);
    }
}

static void refuses(void **state) {
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{name: msgd, groups: [{match: '*', train: false}]}", "no block is trained"},
        {"{name: msgd, groups: [{match: '*.bias', train: false, weight_decay: 0.1}]}", "'weight_decay' has no meaning"},
        {"{name: msgd, groups: [{match: '*.bias', train: false, lr: 0.1}]}", "'lr' has no meaning"},
        {"{name: msgd, groups: [{match: '*.bias', train: maybe}]}", "train"},
        {"{name: msgd, lr: 0}", "lr"},
    };
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gls_method *method = NULL;
        gls_real w[44] = {0}, g[44] = {0};
        gls_step_report report;
        gls_status status = try_method(ctx, layout, bad[i].text, &method);
        if (status == GLS_OK)
            status = gls_method_step(method, w, g, &report); /* blocks are matched at the first step */
        assert_int_equal(status, GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), bad[i].says)) fail_msg("%s: %s", bad[i].text, gls_context_message(ctx));
        if (method) gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A rate of 0 means the same; what is not finite in a block that is not trained refuses no step; a projection onto a
 * ball leaves it alone. */
static void stays(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 4);
    gls_method *method = make_method(
        ctx, layout,
        "{name: msgd, lr: 0.1, weight_decay: 0.1, project: {ball: 0.5}, groups: [{match: 'out.*', lr: 0}]}");
    gls_real w[44], g[44];
    gls_step_report report;
    for (int k = 0; k < 44; k++) w[k] = g[k] = 1;
    g[41] = (gls_real)NAN;
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_false(report.refused);
    for (int k = 40; k < 44; k++) assert_true(w[k] == 1);
    assert_true(w[0] != 1 && w[39] != 1);
    char *view = gls_method_view(method);
    assert_non_null(strstr(view, "parameters that match out.*: not trained"));
    gls_free(ctx, view);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(others_move_as_if_alone), cmocka_unit_test(refuses),
                                       cmocka_unit_test(stays)};
    return cmocka_run_group_tests_name("frozen", tests, NULL, NULL);
}
