/* Probes ask a method where it wants its gradient, and answer there. */
#include "support.h"

#include "run/search/probe.h"

/* A method that asks at the origin, wherever w is: on a whole set its gradient never changes. */
typedef struct homesick {
    const gls_real *origin;
} homesick;

static gls_status create(void *self, const gls_method_setup *setup) {
    ((homesick *)self)->origin = setup->state[0];
    return GLS_OK;
}

static void query(const void *self, const gls_real *w, gls_query *query) {
    *query = (gls_query){.kind = GLS_QUERY_GRADIENT, .at = ((const homesick *)self)->origin};
}

static void move(const gls_range *r) {
    *r->move = (gls_move){r->g, ((const gls_method_common *)r->options)->lr};
}

static const gls_option table[] = {GLS_METHOD_LR("0.1"), GLS_METHOD_COUPLED, GLS_METHOD_REST, {0}};
static const char *const vectors[] = {"origin", NULL};
static const gls_method_type homesick_method = {
    .member = {"homesick", "asks at 0", "", table, sizeof(gls_method_common)},
    .self_size = sizeof(homesick),
    .vectors = vectors,
    .create = create,
    .query = query,
    .main = move};

typedef struct seen {
    int64_t steps, d;
    double loss[8];
    gls_real g[8][64], w[8][64];
} seen;

static gls_status look(void *user, const gls_probe_step *step) {
    seen *s = user;
    s->loss[s->steps] = step->loss;
    memcpy(s->g[s->steps], step->g, sizeof *step->g * (size_t)s->d);
    memcpy(s->w[s->steps], step->w, sizeof *step->w * (size_t)s->d);
    s->steps++;
    return GLS_OK;
}

static double distance(const gls_real *x, const gls_real *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return sqrt(sum);
}

static seen probe(const char *method) {
    gls_context *ctx = make_context(1, 1);
    assert_ok(ctx, gls_register_method(ctx, &homesick_method));
    gls_value *config =
        config_from(ctx, "data: {format: gaussians, train_size: 60, test_size: 20, classes: 3, features: 8}\n"
                         "model: softmax\nmethod: {name: sgd, lr: 0.1}\ntrain: {threads: 1}\n");
    gls_prober *prober = NULL;
    assert_ok(ctx, gls_prober_create(ctx, config, 60, &prober));
    seen s = {.d = 27};
    gls_probe wanted = {.method = method, .batch = 60, .steps = 6, .lr = 0.5, .look = look, .user = &s};
    gls_probe_outcome outcome;
    assert_ok(ctx, gls_probe_run(prober, &wanted, &outcome));
    assert_int_equal(outcome.steps, 6);
    assert_false(outcome.diverged);
    gls_prober_destroy(prober);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    return s;
}

static void answers_where_the_method_asks(void **state) {
    seen s = probe("{name: homesick}"), plain = probe("{name: sgd}");
    assert_int_equal(s.steps, 6);
    for (int i = 1; i < 6; i++) {
        assert_true(distance(s.g[i], s.g[0], s.d) < 1e-6); /* the order of the examples changes, rounding with it */
        assert_true(fabs(s.loss[i] - s.loss[0]) < 1e-6);
    }
    assert_true(distance(s.w[5], s.w[0], s.d) > 0.1);
    assert_true(distance(plain.g[5], plain.g[0], plain.d) > 0.01); /* at w it would be another */
}

/* A method that has ended ends its probe, and nothing has diverged. */
static void enough(const void *self, const gls_real *w, gls_query *query) {
    *query = (gls_query){.kind = GLS_QUERY_DONE, .at = w};
}

static void ends_with_the_method(void **state) {
    gls_method_type content = homesick_method;
    content.member.name = "content";
    content.query = enough;
    gls_context *ctx = make_context(1, 1);
    assert_ok(ctx, gls_register_method(ctx, &content));
    gls_value *config = config_from(ctx, "data: {format: gaussians, train_size: 60, test_size: 20}\nmodel: softmax\n"
                                         "method: {name: sgd, lr: 0.1}\ntrain: {threads: 1}\n");
    gls_prober *prober = NULL;
    assert_ok(ctx, gls_prober_create(ctx, config, 60, &prober));
    gls_probe wanted = {.method = "{name: content}", .batch = 20, .steps = 6, .lr = 0.5};
    gls_probe_outcome outcome;
    assert_ok(ctx, gls_probe_run(prober, &wanted, &outcome));
    assert_int_equal(outcome.steps, 0);
    assert_false(outcome.diverged);
    assert_true(outcome.held_loss == prober->start_loss);
    gls_prober_destroy(prober);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

typedef struct rates {
    int64_t steps;
    double lr[8];
} rates;

static gls_status note_rate(void *user, const gls_probe_step *step) {
    rates *r = user;
    r->lr[r->steps++] = step->lr;
    return GLS_OK;
}

/* Of a run of six epochs of one step: rates a tenth after two and four of them, or half a cosine wave. */
static void goes_through_the_runs_schedule(void **state) {
    static const struct {
        const char *schedule;
        int64_t steps;
        double lr[6];
    } cases[] = {{"{name: step, at: [2, 4]}", 3, {0.5, 0.05, 0.005}},
                 {"{name: step, at: [2, 4]}", 6, {0.5, 0.5, 0.05, 0.05, 0.005, 0.005}},
                 {"{name: cosine}", 2, {0.5, 0.25}}};
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, "data: {format: gaussians, train_size: 60, test_size: 20}\nmodel: softmax\n"
                                         "method: {name: sgd, lr: 0.1}\ntrain: {threads: 1}\n");
    gls_prober *prober = NULL;
    assert_ok(ctx, gls_prober_create(ctx, config, 60, &prober));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gls_value *schedule = config_from(ctx, cases[i].schedule);
        rates r = {0};
        gls_probe wanted = {.method = "{name: sgd}",
                            .batch = 60,
                            .steps = cases[i].steps,
                            .lr = 0.5,
                            .schedule = schedule,
                            .run_examples = 360,
                            .look = note_rate,
                            .user = &r};
        gls_probe_outcome outcome;
        assert_ok(ctx, gls_probe_run(prober, &wanted, &outcome));
        assert_int_equal(r.steps, cases[i].steps);
        for (int64_t k = 0; k < r.steps; k++) assert_true(fabs(r.lr[k] - cases[i].lr[k]) < 1e-12);
        gls_value_destroy(ctx, schedule);
    }
    gls_prober_destroy(prober);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_where_the_method_asks),
        cmocka_unit_test(ends_with_the_method),
        cmocka_unit_test(goes_through_the_runs_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
