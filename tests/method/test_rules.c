/* What the papers say of single rules: bounds on momentum, the start of acclip, sandwiches, projections, zero
 * gradients, step reports, the two machines. */
#include "support.h"

#include "base/kernels.h"
#include "base/tensors.h"

#include <stdio.h>
#include <unistd.h>

static double norm(const gls_real *x, int64_t n) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += (double)x[i] * (double)x[i];
    return sqrt(s);
}

static double figure(const gls_method *method, const char *name) {
    gls_record record;
    gls_record_clear(&record);
    gls_method_record(method, &record);
    return gls_record_get(&record, name);
}

/* [N]: |u| <= 1/(1 - beta), and reached by a constant gradient. */
static void sngm_momentum_is_bounded(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 50);
    for (int kind = NORMAL; kind <= SEQUENCES; kind++) {
        gls_method *method = make_method(ctx, layout, "{name: sngm, lr: 0.1, beta: 0.8}");
        gls_real w[50] = {0}, g[50];
        for (int64_t t = 1; t <= 60; t++) {
            draw_gradient(kind == SEQUENCES ? HEAVY : (sequence)kind, kind == SEQUENCES ? 1 : t, 50, g);
            gls_step_report report;
            assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
            assert_true(figure(method, "u_norm") <= 5 * (1 + 1e-6));
            assert_true(report.update_norm <= 0.5 * (1 + 1e-4));
        }
        if (kind == SEQUENCES) assert_true(fabs(figure(method, "u_norm") - 5) < 1e-4);
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* For a constant gradient tau is 1 - 0.99^k of its limit: 1%, 10%, 63%, 95%; with bias correction all of it. */
static void acclip_starts_slowly(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 1);
    gls_method *method = make_method(ctx, layout, "{name: acclip}");
    gls_method *corrected = make_method(ctx, layout, "{name: acclip, bias_correction: true}");
    const int64_t at[] = {1, 10, 100, 300};
    const double expected[] = {0.01, 0.0956, 0.634, 0.951};
    gls_real w[1] = {0}, v[1] = {0}, g[1] = {3};
    for (int64_t k = 1, i = 0; k <= 300; k++) {
        assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
        assert_int_equal(gls_method_step(corrected, v, g, NULL), GLS_OK);
        if (k != at[i]) continue;
        assert_true(fabs(figure(method, "tau_median") / 3 - expected[i]) < 1e-3);
        assert_true(fabs(figure(corrected, "tau_median") / 3 - 1) < 1e-4);
        i++;
    }
    gls_method_destroy(method);
    gls_method_destroy(corrected);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* eps damps a coordinate at |g| = eps to one half; the share of such coordinates is reported. */
static void acclip_reports_small_and_clipped(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 4);
    gls_method *method = make_method(ctx, layout, "{name: acclip, lr: 1, beta1: 0, bias_correction: true, eps: 0.5}");
    gls_real w[4] = {0}, g[4] = {0.5, -100, 0, 0.25};
    gls_step_report report;
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(fabs((double)w[0] + 0.25) < 1e-6);
    assert_true(fabs((double)w[3] + 0.25 / 3) < 1e-6);
    assert_true(fabs(figure(method, "eps_share") - 0.5) < 1e-12);
    assert_true(fabs(report.clipped - 1) < 1e-12); /* tau = |g| < |g| + eps everywhere */
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* [T] 3.3: with gamma lr_c = lr_n and lr_c = lr_n/beta, half of clip's factor <= ngd's <= clip's. */
static void ngd_lies_under_clip(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 3);
    gls_method *clip = make_method(ctx, layout, "{name: clip, lr: 0.25, gamma: 2}");
    gls_method *ngd = make_method(ctx, layout, "{name: ngd, lr: 0.5, beta: 2}");
    for (int e = -40; e <= 40; e++) {
        gls_real w[3] = {0}, g[3] = {(gls_real)pow(10, e / 10.0), 0, (gls_real)pow(10, e / 20.0)};
        gls_step_report a, b;
        assert_int_equal(gls_method_step(clip, w, g, &a), GLS_OK);
        assert_int_equal(gls_method_step(ngd, w, g, &b), GLS_OK);
        double h_clip = 0.25 * a.factor, h_ngd = 0.5 * b.factor;
        assert_true(0.5 * h_clip <= h_ngd * (1 + 1e-12) && h_ngd <= h_clip * (1 + 1e-12));
        assert_true(a.factor <= 1);
    }
    gls_method_destroy(clip);
    gls_method_destroy(ngd);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* Section 7: with lr a/A, tau A/sqrt(1 - rho), A = eps + sqrt(rho v), v before the step, half of the clipped step <=
 * rmsprop's <= the clipped step. */
static void rmsprop_lies_under_clipping(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 30);
    const double a = 0.01, rho = 0.9, eps = 1e-3;
    gls_method *method = make_method(ctx, layout, "{name: rmsprop, lr: 0.01, rho: 0.9, eps: 1e-3}");
    gls_real w[30], g[30];
    double v[30] = {0};
    for (int64_t t = 1; t <= 200; t++) {
        memset(w, 0, sizeof w);
        draw_gradient(HEAVY, t, 30, g);
        assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
        for (int i = 0; i < 30; i++) {
            double A = eps + sqrt(rho * v[i]), x = fabs((double)g[i]), tau = A / sqrt(1 - rho);
            double clipped = a / A * fmin(tau, x), moved = fabs((double)w[i]);
            if (t > 1) assert_true(0.5 * clipped <= moved * (1 + 1e-5) && moved <= clipped * (1 + 1e-5));
            v[i] = rho * v[i] + (1 - rho) * x * x;
        }
    }
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A block's momentum only ever holds gradients scaled to kappa |w|: each adds at most lr kappa |w|, decay or not. */
static void lars_momentum_holds_scaled_gradients(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 20);
    gls_method *method = make_method(ctx, layout, "{name: lars, lr: 2, kappa: 0.01, beta: 0.9}");
    gls_real w[20], g[20];
    draw_weights(20, w);
    double bound = 0;
    for (int64_t t = 1; t <= 50; t++) {
        draw_gradient(HEAVY, t, 20, g);
        for (int i = 0; i < 20; i++) g[i] *= 1e4f;
        bound = 0.9 * bound + 2 * 0.01 * norm(w, 20);
        gls_step_report report;
        assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
        assert_true(report.update_norm <= bound * (1 + 1e-5));
        if (t == 1) assert_true(fabs(report.update_norm - bound) < 1e-5 * bound); /* active without decay; from zero */
    }
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* The zero vector and one below the smallest normal number: no move, counted, never NaN. */
static void zero_gradients_are_counted(void **state) {
    const char *const specs[] = {"{name: sngd}", "{name: sngm}", "{name: ngd, beta: 0}"};
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 2);
    for (int i = 0; i < 3; i++) {
        gls_method *method = make_method(ctx, layout, specs[i]);
        gls_real w[2] = {1, 2}, g[2] = {0, 0};
        gls_step_report report;
        assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
        g[0] = sizeof(gls_real) == 4 ? (gls_real)1e-40 : (gls_real)1e-310;
        assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
        assert_int_equal(report.zero_gradients, 2);
        assert_false(report.moved);
        assert_true(report.factor == 0);
        assert_true(w[0] == 1 && w[1] == 2);
        g[0] = 1;
        assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
        assert_int_equal(report.zero_gradients, 2);
        assert_true(report.moved);
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* Onto the ball and into the box, with the length of the whole move reported. */
static void projection_follows_the_step(void **state) {
    gls_context *ctx = test_context(2);
    gls_layout *layout = one_block(ctx, 40000);
    gls_method *ball = make_method(ctx, layout, "{name: msgd, lr: 0.3, project: {ball: 5}}");
    gls_method *box = make_method(ctx, layout, "{name: sgd, lr: 0.5, project: {box: [-0.25, 0.75]}}");
    int64_t d = 40000;
    gls_real *w = calloc((size_t)d, sizeof *w), *v = calloc((size_t)d, sizeof *v), *g = malloc((size_t)d * sizeof *g);
    gls_real *before = malloc((size_t)d * sizeof *before);
    for (int64_t t = 1; t <= 5; t++) {
        draw_gradient(NORMAL, t, d, g);
        memcpy(before, w, (size_t)d * sizeof *w);
        gls_step_report report;
        assert_int_equal(gls_method_step(ball, w, g, &report), GLS_OK);
        assert_true(fabs(norm(w, d) - 5) < 1e-5);
        for (int64_t i = 0; i < d; i++) before[i] -= w[i];
        assert_true(fabs(report.update_norm - norm(before, d)) < 1e-4 * norm(before, d));
        memcpy(before, v, (size_t)d * sizeof *w);
        assert_int_equal(gls_method_step(box, v, g, &report), GLS_OK);
        for (int64_t i = 0; i < d; i++) {
            assert_true(v[i] >= (gls_real)-0.25 && v[i] <= (gls_real)0.75);
            before[i] -= v[i];
        }
        assert_true(fabs(report.update_norm - norm(before, d)) < 1e-6 * norm(before, d));
    }
    free(w);
    free(v);
    free(g);
    free(before);
    gls_method_destroy(ball);
    gls_method_destroy(box);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void reports_say_what_was_done(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 4);
    gls_real w[4] = {0}, g[4] = {3, -4, 0, 0};
    gls_step_report report;
    gls_method *method = make_method(ctx, layout, "{name: clip, lr: 0.5, gamma: 2}");
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(report.moved && report.lr == 0.5 && fabs(report.gradient_norm - 5) < 1e-6);
    assert_true(fabs(report.factor - 0.4) < 1e-6 && fabs(report.update_norm - 1) < 1e-6);
    gls_method_destroy(method);
    method = make_method(ctx, layout, "{name: gclip, lr: 1, beta1: 0, tau: 1}");
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(fabs(report.factor - 0.2) < 1e-6 && fabs(report.update_norm - 1) < 1e-6);
    gls_method_destroy(method);
    method = make_method(ctx, layout, "{name: cclip, lr: 1, beta1: 0, tau: 3.5}");
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(fabs(report.clipped - 0.25) < 1e-12);
    gls_real tau[4] = {1, 10, 1, 1};
    assert_int_equal(gls_method_set_vector(method, "tau", tau), GLS_OK);
    memset(w, 0, sizeof w);
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(fabs((double)w[0] + 1) < 1e-6 && fabs((double)w[1] - 4) < 1e-6);
    tau[2] = -1;
    assert_int_equal(gls_method_set_vector(method, "tau", tau), GLS_ERR_ARGUMENT);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void refused(gls_context *ctx, const gls_layout *layout, const char *spec, const char *says) {
    gls_method *method = NULL;
    assert_int_equal(try_method(ctx, layout, spec, &method), GLS_ERR_INPUT);
    if (!strstr(gls_context_message(ctx), says)) fail_msg("%s", gls_context_message(ctx));
}

/* Thresholds in units of tau from a file: one of a block, one of each coordinate; by hand, and what is refused. */
static void thresholds_from_a_file(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout;
    const int64_t three = 3, two = 2, one = 1;
    char path[] = "/tmp/glissade-thresholds-XXXXXX", spec[200];
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "a", 1, &three, 0), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "b", 1, &two, 0), GLS_OK);
    snprintf(spec, sizeof spec, "{name: cclip, lr: 1, beta1: 0, tau: 2, tau_exponent: 1, thresholds: %s}", path);
    double coordinates[3] = {0.5, 10, 0}, block = 1.5;
    for (int wide = 0; wide < 2; wide++) { /* the block's value as a double, as a float */
        float narrow = (float)block;
        gls_arrays arrays = {0};
        assert_int_equal(gls_arrays_add(ctx, &arrays, "a", GLS_F64, 1, &three, coordinates), GLS_OK);
        assert_int_equal(gls_arrays_add(ctx, &arrays, "b", wide ? GLS_F64 : GLS_F32, 1, &one,
                                        wide ? (void *)&block : (void *)&narrow),
                         GLS_OK);
        assert_int_equal(gls_tensors_write(ctx, path, &arrays, NULL, 0), GLS_OK);
        gls_arrays_clear(ctx, &arrays);
        gls_method *method = make_method(ctx, layout, spec);
        gls_real w[5] = {0}, g[5] = {3, -4, 5, -9, 2};
        gls_step_report report;
        /* tau_1 = 2: thresholds 1, 20, 0, 3, 3; tau_2 = 4: 2, 40, 0, 6, 6. */
        const double moved[2][5] = {{-1, 4, 0, 3, -2}, {-2, 4, 0, 6, -2}};
        for (int k = 0; k < 2; k++) {
            memset(w, 0, sizeof w);
            assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
            for (int i = 0; i < 5; i++) assert_true(fabs((double)w[i] - moved[k][i]) < 1e-6);
        }
        gls_method_destroy(method);
    }
    const struct {
        const char *name;
        int64_t count;
        double first;
        const char *says;
    } wrong[] = {{"c", 1, 1, "no thresholds for block 'b'"},
                 {"b", 3, 1, "one for each of its 2 coordinates"},
                 {"b", 1, -1, "found -1"},
                 {"b", 1, INFINITY, "found inf"}};
    for (int i = 0; i < 4; i++) {
        double values[3] = {wrong[i].first, 1, 1};
        gls_arrays arrays = {0};
        assert_int_equal(gls_arrays_add(ctx, &arrays, "a", GLS_F64, 1, &three, coordinates), GLS_OK);
        assert_int_equal(gls_arrays_add(ctx, &arrays, wrong[i].name, GLS_F64, 1, &wrong[i].count, values), GLS_OK);
        assert_int_equal(gls_tensors_write(ctx, path, &arrays, NULL, 0), GLS_OK);
        gls_arrays_clear(ctx, &arrays);
        refused(ctx, layout, spec, wrong[i].says);
    }
    unlink(path);
    refused(ctx, layout, spec, path);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A method made by name: options by setters, rates between steps, nothing else after the first step. */
static void named_methods_are_set_by_key(void **state) {
    gls_context *ctx = test_context(1);
    gls_method *method;
    assert_int_equal(gls_method_create_named(ctx, "acclip", 1, &method), GLS_OK);
    assert_int_equal(gls_method_set(method, "lr", 1), GLS_OK);
    assert_int_equal(gls_method_set(method, "beta1", 0), GLS_OK);
    assert_int_equal(gls_method_set(method, "bias_correction", 1), GLS_OK);
    assert_int_equal(gls_method_set(method, "eps", 1e-9), GLS_OK);
    assert_int_equal(gls_method_set(method, "lr", -1), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_method_set(method, "lr", NAN), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_method_set(method, "taw0", 1), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "'tau0'"));
    gls_real w[1] = {0}, g[1] = {2};
    gls_step_report report;
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(fabs((double)w[0] + 2) < 1e-5);
    assert_int_equal(gls_method_set(method, "lr", 0.5), GLS_OK);
    assert_int_equal(gls_method_set(method, "eps", 1), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(report.lr == 0.5 && fabs((double)w[0] + 3) < 1e-5);
    gls_method_destroy(method);
    assert_int_equal(gls_method_create_named(ctx, "singd", 1, &method), GLS_OK);
    assert_false(gls_method_plain(method));
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_ERR_UNSUPPORTED);
    gls_method_destroy(method);
    gls_context_destroy(ctx);
}

/* ---- members of a user's own ---- */

static void heavy_main(const gls_range *r) {
    *r->move = (gls_move){r->g, ((const gls_method_common *)r->options)->lr * 2};
}

static double ramp(const void *self, const void *options, const gls_schedule_time *time) {
    return time->step + 1;
}

static void own_methods_and_schedules_join_the_table(void **state) {
    static const gls_option table[] = {GLS_METHOD_LR("0.5"), GLS_METHOD_COUPLED, GLS_METHOD_REST, {0}};
    static const gls_option ramp_table[] = {GLS_SCHEDULE_OPTIONS, {0}};
    static const gls_method_type heavy = {.member = {"heavy", "twice sgd", "", table, sizeof(gls_method_common)},
                                          .main = heavy_main},
                                 taken = {.member = {"adam", "another", "", table, sizeof(gls_method_common)},
                                          .main = heavy_main},
                                 idle = {.member = {"idle", "", "", table, sizeof(gls_method_common)}};
    static const gls_schedule_type ramps = {.member = {"ramp", "t + 1", "", ramp_table, sizeof(gls_schedule_common)},
                                            .value = ramp};
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 2);
    assert_int_equal(gls_register_method(ctx, &heavy), GLS_OK);
    assert_int_equal(gls_register_method(ctx, &heavy), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_register_method(ctx, &taken), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_register_method(ctx, &idle), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_register_schedule(ctx, &ramps), GLS_OK);
    gls_method *method = make_method(ctx, layout, "{name: heavy, lr: {name: ramp}, weight_decay: 0.5}");
    gls_real w[2] = {8, 0}, g[2] = {1, -1};
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_true(w[0] == -2 && w[1] == 2);
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_true(w[0] == -2 && w[1] == 2);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A rule that moves by -sum(betas) g: a list for every parameter group. Its options end with fields of 16, 4 and 1
 * bytes, for the setters. */
typedef struct listed_options {
    gls_method_common common;
    gls_reals betas;
    gls_length late;
    int mode;
    bool flag;
} listed_options;

static void listed_coefficients(const gls_update *update, const void *options, double *out) {
    const listed_options *o = options;
    out[0] = 0;
    for (int64_t i = 0; i < o->betas.count; i++) out[0] += o->betas.item[i];
    out[1] = o->late.steps ? o->late.amount : 0;
    out[2] = o->mode;
    out[3] = o->flag;
}

static double told[4];

static void listed_main(const gls_range *r) {
    memcpy(told, r->coefficient, sizeof told);
    *r->move = (gls_move){r->g, r->coefficient[0]};
}

static const gls_option listed_table[] = {
    GLS_METHOD_LR("1"),
    GLS_METHOD_REST,
    GLS_LIST("betas", listed_options, betas, "[0.5, 0.25]", 1, 4, GLS_ITEM(.type = GLS_OPTION_REAL), "summed"),
    GLS_LENGTH("late", listed_options, late, "1", "a length"),
    GLS_ENUM("mode", listed_options, mode, "a", "a|b|c", "a word", .flags = GLS_OPTION_WHOLE),
    GLS_BOOL("flag", listed_options, flag, "false", "a flag"),
    {0}};
static const gls_method_type listed = {
    .member = {"listed", "sums a list", "", listed_table, offsetof(listed_options, flag) + sizeof(bool)},
    .coefficients = listed_coefficients,
    .main = listed_main};

static void every_group_has_its_own_list(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 1);
    gls_method *method;
    assert_int_equal(gls_register_method(ctx, &listed), GLS_OK);
    method = make_method(
        ctx, layout, "{name: listed, groups: [{match: 'layer.weight', betas: [1, 2, 3]}, {match: '*bias', betas: 8}]}");
    gls_real w[41] = {0}, g[41];
    for (int i = 0; i < 41; i++) g[i] = 1;
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_true(w[0] == -6 && w[34] == -6 && w[35] == -8 && w[40] == (gls_real)-0.75);
    gls_method_destroy(method);
    assert_int_equal(try_method(ctx, layout, "{name: listed, groups: [{match: '*bias', betas: [1, x]}]}", &method),
                     GLS_ERR_ARGUMENT);
    assert_string_equal(gls_context_message(ctx),
                        "test:1: option 'betas[1]' of method listed: expected a number, found 'x'");
    assert_int_equal(try_method(ctx, layout, "{name: listed, groups: [{match: '*bias', mode: b}]}", &method),
                     GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "'mode' belongs to the whole method"));
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* An allocator with guard bytes right behind every block. */
enum { GUARD = 64 };
static void *guarded_allocate(void *user, size_t size, size_t alignment) {
    unsigned char *block = aligned_alloc(alignment, (size + GUARD + alignment - 1) / alignment * alignment);
    if (block) memset(block + size, 0xa5, GUARD);
    return block;
}
static void guarded_release(void *user, void *block, size_t size) {
    for (int i = 0; i < GUARD; i++) *(bool *)user |= ((unsigned char *)block)[size + (size_t)i] != 0xa5;
    free(block);
}

static void setters_copy_what_the_type_holds(void **state) {
    bool overrun = false;
    gls_allocator allocator = {guarded_allocate, guarded_release, &overrun};
    gls_context_options options = {.size = sizeof options, .threads = 1, .allocator = &allocator};
    gls_context *ctx;
    gls_method *method;
    gls_real w[1] = {0}, g[1] = {1};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    assert_int_equal(gls_register_method(ctx, &listed), GLS_OK);
    assert_int_equal(gls_method_create_named(ctx, "listed", 1, &method), GLS_OK);
    assert_int_equal(gls_method_set_text(method, "betas", "[1, 2, 4]"), GLS_OK);
    assert_int_equal(gls_method_set_text(method, "late", "500s"), GLS_OK);
    assert_int_equal(gls_method_set_text(method, "mode", "c"), GLS_OK);
    assert_int_equal(gls_method_set(method, "flag", 1), GLS_OK);
    assert_int_equal(gls_method_set_text(method, "betas", "[1, 2, 3, 4, 5]"), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_method_set_text(method, "project", "{ball: 1}"), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_method_set_text(method, "lr", "{name: step, at: [1s], factor: 0.5}"), GLS_OK);
    gls_step_report report;
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(report.lr == 1 && w[0] == -7);
    assert_true(told[0] == 7 && told[1] == 500 && told[2] == 2 && told[3] == 1);
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(report.lr == 0.5);
    assert_int_equal(gls_method_set_text(method, "betas", "[1]"), GLS_ERR_ARGUMENT);
    gls_method_destroy(method);
    gls_context_destroy(ctx);
    assert_false(overrun);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sngm_momentum_is_bounded),         cmocka_unit_test(acclip_starts_slowly),
        cmocka_unit_test(acclip_reports_small_and_clipped), cmocka_unit_test(ngd_lies_under_clip),
        cmocka_unit_test(rmsprop_lies_under_clipping),      cmocka_unit_test(lars_momentum_holds_scaled_gradients),
        cmocka_unit_test(zero_gradients_are_counted),       cmocka_unit_test(projection_follows_the_step),
        cmocka_unit_test(reports_say_what_was_done),        cmocka_unit_test(thresholds_from_a_file),
        cmocka_unit_test(named_methods_are_set_by_key),     cmocka_unit_test(own_methods_and_schedules_join_the_table),
        cmocka_unit_test(every_group_has_its_own_list),     cmocka_unit_test(setters_copy_what_the_type_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
