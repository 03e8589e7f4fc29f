/* Families and ops in double: gradients against difference quotients, whole and block by block. */
#include "check.h"

typedef struct sample {
    const char *family, *options;
    int64_t rows, c, h, w, classes, targets;
} sample;

static const sample samples[] = {
    {"mlp", "{hidden: [300, 200], activation: leaky_relu, label_smoothing: 0.1}", 7, 13, 0, 0, 5, 0},
    {"mlp", "{hidden: 5, loss: squared}", 1, 3, 0, 0, 0, 2},
    {"mlp", "{hidden: [], loss: logistic, init: torch}", 4, 6, 0, 0, 2, 0},
    {"convnet", "{channels: 3, units: 9}", 2, 2, 9, 7, 4, 0},
    {"convnet", "{channels: 4, variant: cuda, init: orthogonal}", 1, 3, 11, 8, 3, 0},
    {"mlp", "{hidden: [9, 7], activation: gelu, norm: layer, dropout: 0.3}", 6, 5, 0, 0, 3, 0},
    {"mlp", "{hidden: [9, 7], activation: tanh, norm: batch, init: glorot}", 6, 5, 0, 0, 3, 0},
    {"mlp", "{hidden: [9, 7], activation: sigmoid, dropout: 0.5}", 6, 5, 0, 0, 3, 0},
    {"resnet", "{depth: 8, width: 4}", 3, 3, 8, 7, 3, 0},
    {"resnet", "{depth: 8, width: 4, norm: group, groups: 2}", 1, 3, 8, 7, 3, 0},
    {"resnet", "{depth: 18, width: 2, shape: imagenet}", 3, 2, 33, 35, 3, 0},
    {"resnet", "{depth: 50, width: 2, shape: imagenet, norm: group, groups: 1}", 1, 2, 33, 35, 3, 0},
};

static double worst_error(const sample *s) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(s->rows, s->c, s->h, s->w, s->classes, s->targets);
    gls_problem *p = check_model(ctx, s->family, s->options, &d.info);
    double worst = check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-5);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    return worst;
}

static void gradients(void **state) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        double worst = worst_error(&samples[i]);
        if (worst >= 1e-6) print_error("%s %s: %g\n", samples[i].family, samples[i].options, worst);
        assert_true(worst < 1e-6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients)};
    return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
