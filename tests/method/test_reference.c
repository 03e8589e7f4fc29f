/* Every rule against reference.c on every kind of gradient sequence, in one dimension and in blocks, with decay and
 * parameter groups. */
#include "support.h"
#include "reference.h"

enum { STEPS = 30, LONG = 40000 };

/* PLAIN: one rate. DECAY: weight decay, from which layer.bias is exempt. GROUPS: biases by a group of their own, which
 * gives them decay; the last block by another. */
typedef enum variant { PLAIN, DECAY, GROUPS, VARIANTS } variant;

static void write_spec(char text[600], const reference_rule *rule, variant v) {
    const char *loose = rule->no_loose ? "" : ", decoupled_weight_decay: 0.2";
    int n = snprintf(text, 600, "{name: %s, lr: 0.05%s%s", rule->name, rule->options[0] ? ", " : "", rule->options);
    if (v >= DECAY) n += snprintf(text + n, 600 - (size_t)n, ", weight_decay: 0.1%s", loose);
    if (v == DECAY) snprintf(text + n, 600 - (size_t)n, "}");
    if (v == PLAIN) snprintf(text + n, 600 - (size_t)n, "%s}", rule->own_decay == 2 ? ", weight_decay: 0" : "");
    if (v == GROUPS)
        snprintf(text + n, 600 - (size_t)n,
                 ", groups: [{match: \"*.bias\", weight_decay: 0.3, lr: 0.02}, {match: \"out.*\", lr: 0.07}]}");
}

static reference *create_reference(const gls_layout *layout, const reference_rule *rule, variant v, const gls_real *w) {
    reference *r = calloc(1, sizeof *r);
    r->d = gls_layout_size(layout);
    r->blocks = (int)gls_layout_count(layout);
    double **vector[] = {&r->lr, &r->decay, &r->loose, &r->w, &r->a, &r->b, &r->c};
    for (int i = 0; i < 7; i++) *vector[i] = calloc((size_t)r->d, sizeof(double));
    for (int b = 0; b < r->blocks; b++) {
        const gls_block *block = gls_layout_block(layout, b);
        bool bias = strcmp(block->name, "layer.bias") == 0, last = strcmp(block->name, "out.weight") == 0;
        r->start[b] = block->offset;
        r->start[b + 1] = block->offset + block->size;
        for (int64_t i = block->offset; i < block->offset + block->size; i++) {
            r->lr[i] = v == GROUPS && bias ? 0.02 : v == GROUPS && last ? 0.07 : 0.05;
            r->decay[i] = v == PLAIN ? 0 : bias ? (v == GROUPS ? 0.3 : 0) : 0.1;
            r->loose[i] = v == PLAIN || bias || rule->no_loose ? 0 : 0.2;
            if (rule->own_decay == 2) r->loose[i] = r->decay[i];
        }
    }
    for (int64_t i = 0; i < r->d; i++) r->w[i] = (double)w[i];
    return r;
}

static void destroy_reference(reference *r) {
    double *vector[] = {r->lr, r->decay, r->loose, r->w, r->a, r->b, r->c};
    for (int i = 0; i < 7; i++) free(vector[i]);
    free(r);
}

/* One reference step with coupled decay in front and decoupled decay beside it; path gathers |dw|. */
static void step_reference(reference *r, const reference_rule *rule, const gls_real *g, double *path) {
    double *full = malloc((size_t)r->d * sizeof *full), *before = malloc((size_t)r->d * sizeof *before);
    for (int64_t i = 0; i < r->d; i++) {
        before[i] = r->w[i];
        full[i] = (double)g[i] + (rule->own_decay ? 0 : r->decay[i] * r->w[i]);
    }
    r->k++;
    rule->step(r, full);
    for (int64_t i = 0; i < r->d; i++) {
        r->w[i] -= r->lr[i] * r->loose[i] * before[i];
        path[i] += fabs(r->w[i] - before[i]);
    }
    free(full);
    free(before);
}

static void compare(gls_context *ctx, const gls_layout *layout, const reference_rule *rule, variant v, sequence kind) {
    int64_t d = gls_layout_size(layout);
    gls_real *w = malloc((size_t)d * sizeof *w), *g = malloc((size_t)d * sizeof *g);
    double *path = calloc((size_t)d, sizeof *path);
    char spec[600];
    write_spec(spec, rule, v);
    gls_method *method = make_method(ctx, layout, spec);
    draw_weights(d, w);
    reference *r = create_reference(layout, rule, v, w);
    for (int64_t i = 0; i < d; i++) path[i] = fabs((double)w[i]);
    for (int64_t t = 1; t <= STEPS; t++) {
        draw_gradient(kind, t, d, g);
        gls_step_report report;
        assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
        assert_false(report.refused);
        step_reference(r, rule, g, path);
    }
    double worst = 0;
    for (int64_t i = 0; i < d; i++) worst = fmax(worst, fabs((double)w[i] - r->w[i]) / path[i]);
    if (!(worst <= tolerance)) fail_msg("%s, sequence %d: off by %g of the way", spec, kind, worst);
    destroy_reference(r);
    gls_method_destroy(method);
    free(w);
    free(g);
    free(path);
}

static void check(gls_layout *(*make)(gls_context *, int64_t), int64_t n, variant last) {
    gls_context *ctx = test_context(2);
    gls_layout *layout = make(ctx, n);
    for (int i = 0; i < reference_rule_count; i++)
        for (int v = PLAIN; v <= (int)last; v++)
            for (int kind = NORMAL; kind < SEQUENCES; kind++)
                compare(ctx, layout, &reference_rules[i], (variant)v, (sequence)kind);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void one_dimension(void **state) {
    check(one_block, 1, DECAY);
}
static void small_blocks_with_groups(void **state) {
    check(three_blocks, 3, GROUPS);
}
static void several_chunks(void **state) {
    check(three_blocks, LONG / 2, PLAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_dimension), cmocka_unit_test(small_blocks_with_groups),
                                       cmocka_unit_test(several_chunks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
