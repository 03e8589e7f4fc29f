/* BERT, ViT, GPT-2 and T5 of transformers in their smallest shapes: the same weights give the same losses, gradients,
 * Hessian products and logits. Skipped where the Python that GLISSADE_PEERS names has no transformers. */
#include "torch_files.h"

static void bert_words(void **state) {
    compare_with("bert_words", "bert", "{dim: 128, heads: 2, depth: 2}", 24);
}
static void bert_labels(void **state) {
    compare_with("bert_labels", "bert", "{dim: 128, heads: 2, depth: 2}", 24);
}
static void bert_spans(void **state) {
    compare_with("bert_spans", "bert", "{dim: 128, heads: 2, depth: 2}", 24);
}
static void vit(void **state) {
    compare_with("vit", "vit", "{patch: 8, dim: 192, heads: 3, depth: 2}", 12);
}
static void gpt2(void **state) {
    compare_with("gpt2", "transformer", "{dim: 64, heads: 4, depth: 2, tie: true}", 24);
}

static void t5(void **state) {
    compare_with("t5", "t5", "{dim: 64, heads: 4}", 24);
}
static void t5_gated(void **state) {
    compare_with("t5_gated", "t5",
                 "{dim: 48, heads: 6, head_dim: 12, hidden: 80, feed_forward: geglu, source: 9, tie: false, buckets: 8,"
                 " max_distance: 6}",
                 24);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bert_words), cmocka_unit_test(bert_labels),
                                       cmocka_unit_test(bert_spans), cmocka_unit_test(vit),
                                       cmocka_unit_test(gpt2),       cmocka_unit_test(t5),
                                       cmocka_unit_test(t5_gated)};
    return cmocka_run_group_tests_name("peers", tests, make_folder, remove_folder);
}
