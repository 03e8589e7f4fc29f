/* The same weights in PyTorch, under the same names, give the same gradients, Hessian products, running statistics and
 * logits; batch norm's mini-batch of 128 is cut into slices here. Skipped where there is no PyTorch. */
#include "torch_files.h"

static void compare(const char *family, const char *options, int64_t rows) {
    compare_with(family, family, options, rows);
}

static void mlp(void **state) {
    compare("mlp", "{hidden: [96, 40]}", 20);
}
static void convnet(void **state) {
    compare("convnet", "{channels: 16, units: 50}", 20);
}
static void resnet20(void **state) {
    compare("resnet", "{depth: 20}", 32);
}

static void resnet20_group_norm(void **state) {
    compare("resnet", "{depth: 20, norm: group}", 12);
}

static void nplm(void **state) {
    compare("nplm", "{embedding: 60, window: 4, hidden: 60, tie: true}", 40);
}

static void lstm(void **state) {
    compare("lstm", "{embedding: 40, hidden: 40, depth: 2, tie: true}", 40);
}

static void transformer(void **state) {
    compare("transformer", "{dim: 40, heads: 4, tie: true}", 40);
}

static void transformer_xl(void **state) {
    compare("transformer_xl", "{dim: 40, heads: 4, memory: 16, tie: true}", 24);
}
static void transformer_xl_pre(void **state) {
    compare_with("transformer_xl_pre", "transformer_xl", "{dim: 40, heads: 4, memory: 16, tie: true, order: pre}", 24);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mlp),
                                       cmocka_unit_test(convnet),
                                       cmocka_unit_test(resnet20),
                                       cmocka_unit_test(resnet20_group_norm),
                                       cmocka_unit_test(nplm),
                                       cmocka_unit_test(lstm),
                                       cmocka_unit_test(transformer),
                                       cmocka_unit_test(transformer_xl),
                                       cmocka_unit_test(transformer_xl_pre)};
    return cmocka_run_group_tests_name("torch", tests, make_folder, remove_folder);
}
