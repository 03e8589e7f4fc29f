/* Every family through the suite that all problems pass. */
#include "check.h"

#include "../problem/conformance.h"

typedef struct sample {
    const char *name, *family, *options;
    int64_t rows, c, h, w, classes;
    bool kinks, mixed;
} sample;

static const sample samples[] = {
    {"mlp", "mlp", "{hidden: [40, 30], activation: tanh, dropout: 0.2}", 24, 12, 0, 0, 4},
    {"mlp on mixed rows", "mlp", "{hidden: [9], activation: tanh, label_smoothing: 0.1}", 24, 12, 0, 0, 4, false, true},
    {"mlp with tiles", "mlp", "{hidden: [300, 120], activation: gelu, norm: layer}", 24, 12, 0, 0, 4},
    {"tied", "layers",
     "{layers: [{dense: {units: 7, name: a}}, tanh, {dense: {units: 9, tie: a.weight, transpose: true}}, tanh,"
     " {dense: {units: 7, tie: a.weight}}]}",
     24, 9, 0, 0, 7},
    {"nplm", "nplm", "{embedding: 8, window: 3, hidden: 8, tie: true}", 24, 40, 5, -1, 0},
    {"lstm", "lstm", "{embedding: 8, hidden: 8, depth: 2, tie: true}", 24, 40, 5, -1, 0},
    {"lstm regularised", "lstm",
     "{embedding: 8, hidden: 8, depth: 2, tie: true, dropout: 0.2, locked: true, word_dropout: 0.1, weight_drop: 0.4,"
     " activity: 2, change: 1}",
     24, 40, 5, -1, 0},
    {"transformer gated", "transformer", "{dim: 8, heads: 2, feed_forward: swiglu, positions: rotary}", 24, 40, 5, -1,
     0},
    {"transformer", "transformer", "{dim: 8, heads: 2, tie: true, dropout: 0.1}", 24, 40, 5, -1, 0},
    {"transformer after", "transformer", "{dim: 8, heads: 4, kv_heads: 2, norm: rms, order: post}", 24, 40, 5, -1, 3},
    {"transformer_xl", "transformer_xl", "{dim: 8, heads: 2, tie: true, dropout: 0.1}", 24, 40, 5, -1, 0, true},
    {"t5", "t5", "{dim: 8, heads: 2, dropout: 0.1, buckets: 4, max_distance: 4}", 24, 40, 5, -1, 0, true},
    {"t5 of labels", "t5", "{dim: 8, heads: 2, feed_forward: geglu}", 24, 40, 5, -1, 3},
    {"bert of labels", "bert", "{dim: 8, heads: 2, depth: 1, dropout: 0.1, positions: 9}", 24, 40, 5, -1, 3},
    {"vit", "vit", "{patch: 4, dim: 6, heads: 2, depth: 1, dropout: 0.1}", 24, 3, 8, 8, 4},
    {"token classes", "layers",
     "{layers: [{embedding: {dim: 6}}, tanh, {dense: {units: 5}}, tanh, global_pool, {dense: {units: 3}}]}", 24, 30, 5,
     -1, 3},
    {"next tokens, tied", "layers",
     "{layers: [{embedding: {dim: 70, name: e}}, {dense: {units: 70}}, tanh, dropout,"
     " {dense: {units: 480, tie: e.weight}}]}",
     24, 480, 3, -1, 0},
    {"convnet", "convnet", "{channels: 4, units: 20}", 24, 2, 8, 8, 4, true},
    {"resnet with batch norm", "resnet", "{depth: 8, width: 4}", 24, 3, 8, 8, 4, true},
    {"resnet with dropout on mixed rows", "resnet", "{depth: 8, width: 4, norm: group, groups: 2, dropout: 0.3}", 24, 3,
     8, 8, 4, true, true},
    {"resnet with batch norm in groups", "resnet", "{depth: 8, width: 4, bn_group: 5}", 24, 3, 8, 8, 4, true},
    {"mlp with batch norm in groups", "mlp", "{hidden: [40, 300], activation: tanh, norm: batch, bn_group: 8}", 24, 12,
     0, 0, 4},
    {"resnet with group norm", "resnet", "{depth: 8, width: 4, norm: group, groups: 2}", 24, 3, 8, 8, 4, true},
};

typedef struct made {
    const sample *sample;
    const gls_data_info *info;
} made;

static gls_status make(gls_context *ctx, const void *user, gls_problem **out) {
    const made *m = user;
    *out = check_model(ctx, m->sample->family, m->sample->options, m->info);
    return GLS_OK;
}

static void families(void **state) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const sample *s = &samples[i];
        check_data d = check_data_create(s->rows, s->c, s->h, s->w, s->classes, 0);
        if (s->mixed) check_data_mix(&d);
        made m = {s, &d.info};
        conformance c = {.name = s->name,
                         .make = make,
                         .user = &m,
                         .batch = &d.batch,
                         .spread = 0.05,
                         .kinks = s->kinks,
                         .tolerance = sizeof(gls_real) == 4 ? 1e-4 : 1e-10};
        conformance_check(&c);
        check_data_destroy(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(families)};
    return cmocka_run_group_tests_name("network_conformance", tests, NULL, NULL);
}
