/* Every op of the table says what it is: formula, shapes, and each parameter with the kind of its use, as a network
 * that contains it declares them. */
#include "check.h"

#include "model/network.h"
#include "model/op.h"
#include "model/use.h"

/* A network with an op that has parameters. */
typedef struct sample {
    const char *op, *options;
} sample;

static const sample samples[] = {
    {"dense", "{layers: [{embedding: {dim: 4}}, {dense: {units: 20, name: x}}]}"},
    {"embedding", "{layers: [{embedding: {dim: 20, name: x}}]}"},
    {"conv", "{layers: [{embedding: {dim: 4}}, {conv: {channels: 20, kernel: 1, name: x}}]}"},
    {"batch_norm", "{layers: [{embedding: {dim: 20}}, {batch_norm: {name: x}}]}"},
    {"group_norm", "{layers: [{embedding: {dim: 20}}, {group_norm: {groups: 4, name: x}}]}"},
    {"layer_norm", "{layers: [{embedding: {dim: 20}}, {layer_norm: {name: x}}]}"},
    {"rms_norm", "{layers: [{embedding: {dim: 20}}, {rms_norm: {name: x}}]}"},
    {"positions", "{layers: [{embedding: {dim: 20}}, {positions: {name: x}}]}"},
    {"segments", "{layers: [{embedding: {dim: 20}}, {segments: {name: x}}]}"},
    {"relative_bias", "{layers: [{relative_bias: {heads: 20, causal: true, name: x}}]}"},
    {"query_biases", "{layers: [{embedding: {dim: 10}}, {query_biases: {name: x}}]}"},
    {"class_token", "{layers: [{embedding: {dim: 20}}, {class_token: {name: x}}, {slice: {first: 1}}]}"},
    {"time_conv", "{layers: [{embedding: {dim: 20}}, {time_conv: {kernel: 3, name: x}}]}"},
    {"lstm", "{layers: [{embedding: {dim: 4}}, {lstm: {units: 20, name: x}}]}"},
};

static const char *sample_of(const gls_op *op) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (strcmp(samples[i].op, op->member.name) == 0) return samples[i].options;
    fail_msg("no sample of the op %s, which has parameters", op->member.name);
    return NULL;
}

/* "suffix [" and, before the next parameter, the kind of use. */
static void check_parameter(const gls_op *op, const char *suffix, const char *kind) {
    char text[128];
    snprintf(text, sizeof text, "%s [", suffix);
    const char *at = strstr(op->parameters, text);
    if (!at) fail_msg("%s does not name %s among '%s'", op->member.name, suffix, op->parameters);
    const char *end = strchr(at, ';'), *found = strstr(at, kind);
    if (!found || (end && found > end)) fail_msg("%s: %s is used as '%s'", op->member.name, suffix, kind);
}

static void check_uses(gls_context *ctx, const gls_op *op) {
    check_data d = check_tokens_create(2, 20, 3, 0);
    gls_problem *p = check_model(ctx, "layers", sample_of(op), &d.info);
    const gls_graph *g = ((const gls_network *)p->self)->graph;
    int checked = 0, named = *op->parameters != '\0';
    for (int u = 0; u < g->uses; u++) {
        const gls_node *node = &g->node[g->use[u].node];
        if (node->op != op || strcmp(node->name, "x") != 0) continue;
        check_parameter(op, strchr(gls_layout_block(g->layout, g->use[u].block)->name, '.') + 1, g->use[u].kind->name);
        checked++;
    }
    for (const char *c = op->parameters; *c; c++) named += *c == ';';
    assert_int_equal(checked, named);
    assert_int_equal(checked, op->blocks);
    gls_problem_destroy(p);
    check_data_destroy(&d);
}

static void descriptors(void **state) {
    gls_context *ctx = check_context(1, false);
    for (const gls_member *const *member = gls_op_kind.builtin; *member; member++) {
        const gls_op *op = (const gls_op *)*member;
        if (!op->formula || !op->shapes || !op->parameters) fail_msg("%s does not say what it is", op->member.name);
        assert_true(strlen(op->formula) > 0 && strstr(op->shapes, "->"));
        assert_true((op->compose != NULL) != (op->shape && op->impl));
        if (op->uses)
            check_uses(ctx, op);
        else
            assert_int_equal(op->blocks, 0);
    }
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(descriptors)};
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
