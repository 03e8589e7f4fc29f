/* What holds for every method of the table: the same bits on 1 and 2 threads and with the norm handed over, refused
 * steps, state that restores, options that are refused. */
#include "support.h"

#include "base/kernels.h"

enum { TOP = 70000 };

/* Options a method cannot do without. */
static const char *needed(const char *name) {
    if (strcmp(name, "ingd") == 0) return ", L: 1000, delta: 0.05, eps: 1e-6, gap: 1e4, certificate: 8";
    if (strcmp(name, "svrg") == 0) return ", average: 2, period: 3";
    if (strcmp(name, "singd") == 0) return ", output: theory, K: 3";
    return "";
}

static gls_method *make_named(gls_context *ctx, const gls_layout *layout, const char *name, const char *more) {
    char text[300];
    snprintf(text, sizeof text, "{name: %s%s%s}", name, needed(name), more);
    return make_method(ctx, layout, text);
}

/* f(x) = sum |x_i - c_i| + (x_i - c_i)^2 / 2, c_i = i/d; plus noise where a gradient alone is asked for. */
static double objective(int64_t t, const gls_query *query, int64_t d, gls_real *g) {
    draw_gradient(NORMAL, t, d, g);
    double noise = query->kind == GLS_QUERY_GRADIENT ? 0.1 : 0, value = 0;
    for (int64_t i = 0; i < d; i++) {
        double x = (double)query->at[i] - (double)i / (double)d;
        value += (fabs(x) + x * x / 2) / (double)d;
        g[i] = (gls_real)(((x > 0) - (x < 0) + x) / (double)d + noise * (double)g[i]);
    }
    return value;
}

/* One question and its answer; the norm is handed over or not. */
static void advance(gls_context *ctx, gls_method *method, int64_t t, int64_t d, gls_real *w, gls_real *g, bool handed,
                    gls_step_report *report) {
    gls_query query;
    assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
    if (query.kind == GLS_QUERY_DONE) return;
    gls_answer answer = {
        .value = objective(t, &query, d, g), .g = query.kind == GLS_QUERY_VALUE ? NULL : g, .norm2 = NAN, .epoch = NAN};
    if (handed) answer.norm2 = gls_sum_squares(g, d);
    gls_status status = gls_method_tell(method, &answer, w, report);
    if (status != GLS_OK) fail_msg("%s: %s", gls_method_name(method), gls_context_message(ctx));
}

static gls_real *run(const char *name, int threads, bool handed, const char *more, gls_step_report *report) {
    gls_context *ctx = test_context(threads);
    gls_layout *layout = three_blocks(ctx, TOP);
    int64_t d = gls_layout_size(layout);
    gls_method *method = make_named(ctx, layout, name, more);
    gls_real *w = malloc((size_t)d * sizeof *w), *g = malloc((size_t)d * sizeof *g);
    draw_weights(d, w);
    for (int64_t t = 1; t <= 5; t++) advance(ctx, method, t, d, w, g, handed, report);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
    free(g);
    return w;
}

static void check_same_bits(const char *name, const char *more) {
    gls_step_report one = {0}, two = {0}, handed = {0};
    gls_real *a = run(name, 1, false, more, &one), *b = run(name, 2, false, more, &two);
    gls_real *c = run(name, 2, true, more, &handed);
    assert_memory_equal(a, b, (TOP + 40) * sizeof *a);
    assert_memory_equal(a, c, (TOP + 40) * sizeof *a);
    assert_memory_equal(&one, &two, sizeof one);
    assert_memory_equal(&one, &handed, sizeof one);
    free(a);
    free(b);
    free(c);
}

static void same_bits_on_threads_and_with_the_norm(void **state) {
    gls_context *ctx = test_context(1);
    for (int64_t i = 0; gls_method_at(ctx, i); i++) {
        const gls_method_type *type = gls_method_at(ctx, i);
        check_same_bits(type->member.name, ""); /* with narrow state: test_blocks.c */
        if (has_option(type, "weight_decay"))
            check_same_bits(type->member.name, ", weight_decay: 0.1, project: {ball: 100}");
    }
    gls_context_destroy(ctx);
}

/* Tasks of vectors as long as this depend on the number of threads. */
static void same_bits_however_tasks_are_cut(void **state) {
    enum { LONG = 5000000 };
    gls_real *g = malloc(LONG * sizeof *g), *w[3];
    for (int64_t i = 0; i < LONG; i++) g[i] = (gls_real)((double)(i * 2654435761 % 1009 - 504) * 1e-3);
    gls_step_report report[3];
    for (int k = 0; k < 3; k++) {
        gls_context *ctx = test_context(k + 1);
        gls_layout *layout = three_blocks(ctx, LONG - 40);
        gls_method *method = make_method(ctx, layout, "{name: adam, state: bf16}");
        memset(&report[k], 0, sizeof report[k]);
        w[k] = calloc(LONG, sizeof *w[k]);
        for (int t = 0; t < 2; t++) assert_int_equal(gls_method_step(method, w[k], g, &report[k]), GLS_OK);
        assert_true(report[k].gradient_norm == sqrt(gls_sum_squares(g, LONG)));
        assert_memory_equal(w[0], w[k], LONG * sizeof *w[k]);
        assert_memory_equal(&report[0], &report[k], sizeof report[k]);
        gls_method_destroy(method);
        gls_layout_destroy(layout);
        gls_context_destroy(ctx);
    }
    for (int k = 0; k < 3; k++) free(w[k]);
    free(g);
}

/* All state and w, one after another. */
static char *snapshot(gls_context *ctx, gls_method *method, const gls_real *w, int64_t d, size_t *size) {
    gls_arrays list = {0};
    assert_int_equal(gls_method_arrays(method, "method.", &list), GLS_OK);
    *size = (size_t)d * sizeof *w;
    char *all = malloc(*size);
    memcpy(all, w, *size);
    for (int64_t i = 0; i < list.count; i++) {
        size_t bytes = gls_dtype_size(list.item[i].dtype);
        for (int j = 0; j < list.item[i].dims; j++) bytes *= (size_t)list.item[i].shape[j];
        all = realloc(all, *size + bytes);
        memcpy(all + *size, list.item[i].data, bytes);
        *size += bytes;
    }
    gls_arrays_clear(ctx, &list);
    return all;
}

/* Fills a method's state from a snapshot. */
static void restore(gls_context *ctx, gls_method *method, gls_real *w, int64_t d, const char *all) {
    gls_arrays list = {0};
    assert_int_equal(gls_method_arrays(method, "method.", &list), GLS_OK);
    memcpy(w, all, (size_t)d * sizeof *w);
    all += (size_t)d * sizeof *w;
    for (int64_t i = 0; i < list.count; i++) {
        size_t bytes = gls_dtype_size(list.item[i].dtype);
        for (int j = 0; j < list.item[i].dims; j++) bytes *= (size_t)list.item[i].shape[j];
        memcpy(list.item[i].data, all, bytes);
        all += bytes;
    }
    gls_arrays_clear(ctx, &list);
}

/* The one thing that counts a refused step: takes one back. */
static void uncount_refused(gls_context *ctx, gls_method *method) {
    gls_arrays list = {0};
    int64_t *refused = NULL;
    assert_int_equal(gls_method_arrays(method, "method.", &list), GLS_OK);
    for (int64_t i = 0; i < list.count; i++)
        if (strcmp(list.item[i].name, "method.refused") == 0) refused = list.item[i].data;
    assert_true(refused && *refused == 1);
    *refused = 0;
    gls_arrays_clear(ctx, &list);
}

static void check_refused(gls_context *ctx, const gls_layout *layout, const char *name, const char *more) {
    static const double poison[] = {NAN, INFINITY, -INFINITY};
    int64_t d = gls_layout_size(layout);
    gls_real w[60], g[60];
    gls_method *method = make_named(ctx, layout, name, more);
    gls_step_report report;
    draw_weights(d, w);
    for (int64_t t = 1; t <= 8; t++) {
        size_t size, again;
        char *before = snapshot(ctx, method, w, d, &size);
        gls_query query;
        assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
        if (query.kind == GLS_QUERY_DONE) break;
        gls_answer answer = {
            .value = objective(t, &query, d, g), .g = g, .norm2 = t % 2 ? NAN : INFINITY, .epoch = NAN};
        if (query.kind == GLS_QUERY_VALUE) {
            answer.value = poison[t % 3];
            answer.g = NULL;
        }
        g[t] = g[d - 1] = (gls_real)poison[t % 3];
        assert_int_equal(gls_method_tell(method, &answer, w, &report), GLS_OK);
        uncount_refused(ctx, method);
        char *after = snapshot(ctx, method, w, d, &again);
        assert_true(report.refused);
        assert_false(report.moved);
        assert_int_equal(report.nonfinite, answer.g ? 2 : 1);
        assert_int_equal(size, again);
        assert_memory_equal(before, after, size);
        free(before);
        free(after);
        advance(ctx, method, t, d, w, g, true, &report);
        assert_false(report.refused);
    }
    gls_method_destroy(method);
}

static void check_restores(gls_context *ctx, const gls_layout *layout, const char *name, const char *more) {
    int64_t d = gls_layout_size(layout);
    gls_real w[60], g[60], other[60];
    gls_method *method = make_named(ctx, layout, name, more);
    gls_step_report report = {0}, resumed = {0};
    draw_weights(d, w);
    for (int64_t t = 1; t <= 40; t++) {
        size_t size, again;
        char *saved = snapshot(ctx, method, w, d, &size);
        gls_method *fresh = make_named(ctx, layout, name, more);
        restore(ctx, fresh, other, d, saved);
        free(saved);
        advance(ctx, method, t, d, w, g, true, &report);
        advance(ctx, fresh, t, d, other, g, true, &resumed);
        saved = snapshot(ctx, method, w, d, &size);
        char *there = snapshot(ctx, fresh, other, d, &again);
        assert_int_equal(size, again);
        assert_memory_equal(saved, there, size);
        assert_memory_equal(&report, &resumed, sizeof report);
        free(saved);
        free(there);
        gls_method_destroy(fresh);
    }
    gls_method_destroy(method);
}

typedef void (*check_fn)(gls_context *ctx, const gls_layout *layout, const char *name, const char *more);

/* Every method, and every way in which it can keep its state. */
static void check_all(check_fn check) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 20);
    const char *way;
    for (int64_t i = 0; gls_method_at(ctx, i); i++)
        for (int j = 0; (way = state_way(gls_method_at(ctx, i), j)); j++)
            check(ctx, layout, gls_method_at(ctx, i)->member.name, way);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void refused_steps_change_nothing(void **state) {
    check_all(check_refused);
}

static void state_restores_to_the_bit(void **state) {
    check_all(check_restores);
}

static void refuse(gls_context *ctx, const gls_layout *layout, const char *spec, const char *expected) {
    gls_method *method;
    assert_int_equal(try_method(ctx, layout, spec, &method), GLS_ERR_ARGUMENT);
    assert_null(method);
    if (!strstr(gls_context_message(ctx), expected))
        fail_msg("%s: \"%s\" does not name \"%s\"", spec, gls_context_message(ctx), expected);
}

static void every_bounded_option_refuses_nan_and_negative(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 3);
    for (int64_t i = 0; gls_method_at(ctx, i); i++) {
        const gls_member *member = &gls_method_at(ctx, i)->member;
        for (const gls_option *o = member->options; o->key; o++) {
            if (o->type != GLS_OPTION_REAL) continue;
            char spec[200];
            snprintf(spec, sizeof spec, "{name: %s, %s: .nan}", member->name, o->key);
            refuse(ctx, layout, spec, o->key);
            if (o->minimum < 0) continue;
            snprintf(spec, sizeof spec, "{name: %s, %s: -0.5}", member->name, o->key);
            refuse(ctx, layout, spec, o->key);
            if (!(o->flags & GLS_OPTION_ABOVE_MIN)) continue;
            snprintf(spec, sizeof spec, "{name: %s, %s: 0}", member->name, o->key);
            refuse(ctx, layout, spec, o->key);
        }
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void wrong_options_say_what_is_wrong(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 3);
    refuse(ctx, layout, "{name: sgdd}", "'sgd'");
    refuse(ctx, layout, "{lr: 0.1}", "name");
    refuse(ctx, layout, "{name: adam, beta_1: 0.9}", "'beta1'");
    refuse(ctx, layout, "{name: adam, lr: fast}", "lr");
    refuse(ctx, layout, "{name: adam, beta1: 1}", "beta1");
    refuse(ctx, layout, "{name: sgd, project: {ball: -1}}", "ball");
    refuse(ctx, layout, "{name: sgd, project: {box: [2, 1]}}", "empty");
    refuse(ctx, layout, "{name: sgd, project: {cube: 1}}", "cube");
    refuse(ctx, layout, "{name: sgd, project: {ball: 1, box: [0, 1]}}", "box: [lo, hi]");
    refuse(ctx, layout, "{name: sgd, project: {box: [0]}}", "a list of 2 items");
    refuse(ctx, layout, "{name: sgd, groups: [{lr: 1}]}", "match");
    refuse(ctx, layout, "{name: sgd, groups: [{match: '*', lr: -1}]}", "lr");
    refuse(ctx, layout, "{name: sgd, groups: [{match: '*', project: {ball: 1}}]}", "project");
    refuse(ctx, layout, "{name: sgd, lr: {from: 0.1, name: polly}}", "'poly'");
    refuse(ctx, layout, "{name: sgd, lr: {from: 0.1, name: poly, powr: 2}}", "'power'");
    refuse(ctx, layout, "{name: sgd, lr: {from: 0.1, name: step}}", "at");
    refuse(ctx, layout, "{name: sgd, from_theory: {theorem: nga, L: 1}}", "'nag'");
    refuse(ctx, layout, "{name: sgd, from_theory: {theorem: nag, L: 1}}", "mu");
    refuse(ctx, layout, "{name: acclip, alpha: 2.5}", "alpha");
    refuse(ctx, layout, "{name: adam, state: fp8}", "float, bf16, q8");
    refuse(ctx, layout, "{name: adam, groups: [{match: '*', state: q8}]}", "belongs to the whole method");
    refuse(ctx, layout, "{name: sgd, state: bf16}", "state");
    refuse(ctx, layout, "{name: svrg, average: 2, period: 3, state: bf16}", "state");
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* ---- memory ---- */

typedef struct counting {
    int64_t live, left; /* blocks not yet released; allocations still granted */
} counting;

static void *counting_allocate(void *user, size_t size, size_t alignment) {
    counting *c = user;
    void *block = NULL;
    if (c->left-- <= 0 || posix_memalign(&block, alignment, size)) return NULL;
    c->live++;
    return block;
}

static void counting_release(void *user, void *block, size_t size) {
    counting *c = user;
    c->live--;
    free(block);
}

/* Every allocation of a creation fails once: an error each time, nothing left behind. */
static void failed_allocations_leave_nothing_behind(void **state) {
    counting c = {.left = INT64_MAX};
    gls_allocator allocator = {counting_allocate, counting_release, &c};
    gls_context_options options = {.size = sizeof options, .threads = 1, .allocator = &allocator};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    gls_layout *layout = three_blocks(ctx, 20);
    const char *more = ", groups: [{match: '*.bias', lr: {from: 0.1, name: poly, length: 9s}}], lr: {from: 1, name: "
                       "step, at: [1, 2]}, project: {ball: 3}";
    for (int64_t i = 0; gls_method_at(ctx, i); i++) {
        const char *name = gls_method_at(ctx, i)->member.name;
        bool rated = strcmp(name, "singd") != 0 && strcmp(name, "ingd") != 0 && strcmp(name, "svrg") != 0;
        char text[400];
        snprintf(text, sizeof text, "{name: %s%s%s}", name, needed(name), rated ? more : "");
        gls_value *spec = yaml(ctx, text);
        gls_method_options given = {
            .size = sizeof given, .layout = layout, .spec = spec, .total_steps = 100, .steps_per_epoch = 10};
        gls_status status = GLS_ERR_MEMORY;
        for (int64_t granted = 0; status != GLS_OK; granted++) {
            assert_true(granted < 1000);
            int64_t live = c.live;
            gls_method *method;
            c.left = granted;
            status = gls_method_create(ctx, &given, &method);
            c.left = INT64_MAX;
            if (status != GLS_OK && status != GLS_ERR_MEMORY) fail_msg("%s: %s", text, gls_context_message(ctx));
            if (status != GLS_OK) assert_null(method);
            gls_method_destroy(method);
            assert_int_equal(c.live, live);
        }
        gls_value_destroy(ctx, spec);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
    assert_int_equal(c.live, 0);
}

/* Every option that a method has a value for, its groups and its state are in the text. */
static void can_be_printed(void **state) {
    (void)state;
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 20);
    const gls_method_type *type;
    for (int64_t i = 0; (type = gls_method_at(ctx, i)); i++) {
        gls_method *method = make_named(ctx, layout, type->member.name, "");
        char *text = gls_method_view(method);
        assert_ptr_equal(strstr(text, "method "), text);
        assert_non_null(strstr(text, type->member.name));
        for (const gls_option *o = type->member.options; o->key; o++)
            if (o->initial && !strstr(text, o->key)) fail_msg("%s: no %s in: %s", type->member.name, o->key, text);
        for (const char *const *name = type->vectors; name && *name; name++) assert_non_null(strstr(text, *name));
        gls_free(ctx, text);
        gls_method_destroy(method);
    }
    gls_method *method = make_method(ctx, layout,
                                     "{name: msgd, lr: {from: 0.25, name: poly, power: 2}, beta: 0.5, "
                                     "groups: [{match: '*.bias', beta: 0.125}]}");
    char *text = gls_method_view(method);
    assert_non_null(strstr(text, "{from: 0.25, name: poly, power: 2}"));
    const char *group = strstr(text, "parameters that match *.bias\n");
    assert_non_null(group);
    assert_non_null(strstr(group, "0.125"));
    assert_null(strstr(group, "weight_decay")); /* what a group does not change is said once */
    gls_free(ctx, text);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(can_be_printed),
                                       cmocka_unit_test(same_bits_on_threads_and_with_the_norm),
                                       cmocka_unit_test(same_bits_however_tasks_are_cut),
                                       cmocka_unit_test(refused_steps_change_nothing),
                                       cmocka_unit_test(state_restores_to_the_bit),
                                       cmocka_unit_test(every_bounded_option_refuses_nan_and_negative),
                                       cmocka_unit_test(wrong_options_say_what_is_wrong),
                                       cmocka_unit_test(failed_allocations_leave_nothing_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
