/* What the tests of methods share: methods from YAML text, layouts, gradient sequences. */
#ifndef TESTS_METHOD_SUPPORT_H
#define TESTS_METHOD_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "base/yaml.h"
#include <glissade/method.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef GLS_DOUBLE
static const double tolerance = 1e-12;
#else
static const double tolerance = 1e-5;
#endif

static inline gls_context *test_context(int threads) {
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 11};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

static inline gls_value *yaml(gls_context *ctx, const char *text) {
    gls_value *value;
    assert_int_equal(gls_yaml_parse(ctx, "test", text, (int64_t)strlen(text), &value), GLS_OK);
    return value;
}

/* layer.weight [7, 5], layer.bias [5] without decay, out.weight [n]. */
static inline gls_layout *three_blocks(gls_context *ctx, int64_t n) {
    gls_layout *layout;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "layer.weight", 2, (int64_t[]){7, 5}, 0), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "layer.bias", 1, (int64_t[]){5}, GLS_BLOCK_NO_DECAY), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "out.weight", 1, &n, 0), GLS_OK);
    return layout;
}

static inline gls_layout *one_block(gls_context *ctx, int64_t n) {
    gls_layout *layout;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "w", 1, &n, 0), GLS_OK);
    return layout;
}

/* A method from a flow map; total_steps 100, 10 steps an epoch. */
static inline gls_status try_method(gls_context *ctx, const gls_layout *layout, const char *text, gls_method **out) {
    gls_value *spec = yaml(ctx, text);
    gls_method_options options = {
        .size = sizeof options, .layout = layout, .spec = spec, .steps_per_epoch = 10, .total_steps = 100, .seed = 3};
    gls_status status = gls_method_create(ctx, &options, out);
    gls_value_destroy(ctx, spec);
    return status;
}

static inline gls_method *make_method(gls_context *ctx, const gls_layout *layout, const char *text) {
    gls_method *method;
    if (try_method(ctx, layout, text, &method) != GLS_OK) fail_msg("%s: %s", text, gls_context_message(ctx));
    return method;
}

static inline bool has_option(const gls_method_type *type, const char *key) {
    for (const gls_option *o = type->member.options; o->key; o++)
        if (strcmp(o->key, key) == 0) return true;
    return false;
}

/* The ways in which a rule can keep its state, as the end of a flow map; number i, or NULL. */
static inline const char *state_way(const gls_method_type *type, int i) {
    static const char *const ways[] = {"", ", state: bf16", ", state: q8"};
    return i < (has_option(type, "state") ? 3 : 1) ? ways[i] : NULL;
}

typedef enum sequence { NORMAL, HEAVY, ZEROS, SPARSE, SEQUENCES } sequence;

/* Gradient number t of a sequence: normal; with tails of index 1.2 over 6 orders of magnitude; all zero now and then,
 * from the first step on; three coordinates in four zero. */
static inline void draw_gradient(sequence kind, int64_t t, int64_t d, gls_real *g) {
    gls_random random = gls_random_create(5, "test gradient", (uint64_t)t, (uint32_t)kind);
    for (int64_t i = 0; i < d; i++) {
        double x = gls_random_normal(&random);
        if (kind == HEAVY) x *= pow(gls_random_uniform(&random) + 1e-6, -1 / 1.2);
        if (kind == ZEROS && (t == 1 || t == 5 || t == 6)) x = 0;
        if (kind == SPARSE && gls_random_below(&random, 4) != 0) x = 0;
        g[i] = (gls_real)x;
    }
}

static inline void draw_weights(int64_t d, gls_real *w) {
    gls_random random = gls_random_create(5, "test weights", 0, 0);
    for (int64_t i = 0; i < d; i++) w[i] = (gls_real)gls_random_normal(&random);
}

#endif
