/* Options of one group between steps, as schedulers of other programs set them. */
#include "support.h"

static void a_group_takes_its_own_rate(void **state) {
    (void)state;
    enum { WEIGHT = 35, BIAS = 5, OUT = 6 };
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, OUT);
    gls_method *method = make_method(ctx, layout,
                                     "{name: sgd, lr: 0.5, groups: [{match: 'layer.weight', lr: 0.25}, {match: "
                                     "'layer.bias', train: false}]}");
    gls_real w[WEIGHT + BIAS + OUT] = {0}, g[WEIGHT + BIAS + OUT];
    for (int i = 0; i < WEIGHT + BIAS + OUT; i++) g[i] = 1;
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_true(w[0] == (gls_real)-0.25 && w[WEIGHT] == 0 && w[WEIGHT + BIAS] == (gls_real)-0.5);
    assert_int_equal(gls_method_set_group(method, 0, "lr", 2), GLS_OK);
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_true(w[0] == (gls_real)-2.25 && w[WEIGHT] == 0 && w[WEIGHT + BIAS] == -1);
    assert_int_equal(gls_method_set_group(method, 0, "weight_decay", 1), GLS_OK);
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_true(w[0] == (gls_real)0.25 && w[WEIGHT + BIAS] == (gls_real)-1.5);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void what_is_refused(void **state) {
    (void)state;
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 6);
    gls_method *method =
        make_method(ctx, layout, "{name: cclip, groups: [{match: 'out.*', tau: 2}, {match: '*.bias', train: false}]}");
    const struct {
        int64_t group;
        const char *key;
        double value;
        const char *says;
    } wrong[] = {{2, "lr", 1, "group 2"},           {-1, "lr", 1, "its 2 groups"}, {0, "lr", -1, "lr"},
                 {0, "thresholds", 1, "the whole"}, {0, "taw", 1, "'tau'"},        {1, "lr", 1, "not trained"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(gls_method_set_group(method, wrong[i].group, wrong[i].key, wrong[i].value), GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), wrong[i].says))
            fail_msg("'%s' does not say '%s'", gls_context_message(ctx), wrong[i].says);
    }
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_group_takes_its_own_rate), cmocka_unit_test(what_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
