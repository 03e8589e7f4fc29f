/* Measures on networks: per-example figures against gradients formed one at a time; batch normalisation is refused
 * where single examples are needed and measured where not; the committed state stays as it is. */
#include "fixture.h"

#include <glissade/model.h>

enum { ROWS = 48, FEATURES = 5, CLASSES = 3 };
static const double precision = sizeof(gls_real) == 4 ? 2e-3 : 1e-8;

typedef struct network {
    fixture t;
    gls_real x[ROWS * FEATURES];
    int32_t label[ROWS];
    gls_real *w;
} network;

/* Statistics of batch norm span 8 rows: groups says that the model has it so, else the pass. */
static void network_create(network *m, const char *norm, bool groups) {
    *m = (network){0};
    gls_random random = gls_random_create(1, "network", 0, 0);
    for (int i = 0; i < ROWS * FEATURES; i++) m->x[i] = (gls_real)gls_random_normal(&random);
    for (int i = 0; i < ROWS; i++) m->label[i] = (int32_t)gls_random_below(&random, CLASSES);
    m->t.ctx = make_context();
    gls_data_info info = {.examples = ROWS,
                          .features = FEATURES,
                          .dims = 1,
                          .shape = {FEATURES},
                          .target = GLS_TARGET_CLASS,
                          .classes = CLASSES};
    GOOD(gls_source_from_dense(m->t.ctx, m->x, m->label, NULL, &info, &m->t.source));
    gls_value *map = gls_value_create(m->t.ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_value *hidden = gls_value_create(m->t.ctx, GLS_VALUE_LIST, "hidden", NULL);
    GOOD(gls_value_append(m->t.ctx, hidden, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, NULL, "7")));
    GOOD(gls_value_append(m->t.ctx, map, hidden));
    GOOD(gls_value_append(m->t.ctx, map, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, "norm", norm)));
    GOOD(gls_value_append(m->t.ctx, map, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, "activation", "tanh")));
    if (groups) GOOD(gls_value_append(m->t.ctx, map, gls_value_create(m->t.ctx, GLS_VALUE_TEXT, "bn_group", "8")));
    gls_status status = gls_model_create(m->t.ctx, "mlp", map, gls_source_info(m->t.source), &m->t.problem);
    if (status != GLS_OK) fail_msg("%s", gls_context_message(m->t.ctx));
    gls_value_destroy(m->t.ctx, map);
    m->w = gls_alloc(m->t.ctx, gls_problem_size(m->t.problem), sizeof *m->w);
    GOOD(gls_problem_initialize(m->t.problem, 1, m->w));
    gls_pass_options pass = {.size = sizeof pass, .span = !groups && strcmp(norm, "batch") == 0 ? 8 : 0};
    GOOD(gls_pass_create(m->t.problem, &pass, &m->t.pass));
    m->t.in = (gls_measure_input){.size = sizeof m->t.in,
                                  .problem = m->t.problem,
                                  .pass = m->t.pass,
                                  .source = m->t.source,
                                  .w = m->w,
                                  .lr = 0.1,
                                  .batch = 8,
                                  .seed = 3,
                                  .exchanged = -1};
}

static void network_destroy(network *m) {
    gls_free(m->t.ctx, m->w);
    fixture_destroy(&m->t);
}

/* The gradient of one example by a pass over it alone. */
static void one_gradient(network *m, int64_t example, gls_real *g) {
    gls_rows *rows;
    gls_batch batch;
    gls_batch_stream stream;
    gls_pass_result result;
    GOOD(gls_rows_create(m->t.ctx, gls_source_info(m->t.source), 1, &rows));
    gls_fetch fetch = {.count = 1, .index = &example, .seed = 3};
    GOOD(gls_source_fetch(m->t.source, m->t.ctx, &fetch, rows, &batch));
    gls_batch_stream_init(&stream, &batch);
    gls_pass_request request = {.w = m->w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .g = g};
    GOOD(gls_pass_run(m->t.pass, &request, &result));
    gls_rows_destroy(rows);
}

static void figures_are_those_of_gradients_one_at_a_time(void **state) {
    network m;
    network_create(&m, "none", false);
    int64_t d = gls_problem_size(m.t.problem);
    gls_real *g = malloc(sizeof *g * (size_t)(ROWS * d));
    for (int i = 0; i < ROWS; i++) one_gradient(&m, i, g + i * d);
    const char *const names[][2] = {{"gradient_diversity", "batch_size_bound"},
                                    {"dim_bounds", "quant_bound"},
                                    {"noise_norm", "noise_rms"},
                                    {"gradient_norm", "gradient_norm"}};
    gls_measure_matrix matrix = {g, ROWS, d, false, 1};
    for (int k = 0; k < 4; k++) {
        const char *const all[] = {"sample", "all", NULL};
        gls_measure *measure = fixture_measure(&m.t, names[k][0], all);
        gls_measure_result here = fixture_once(&m.t, names[k][0], all), there;
        gls_measure_result_init(m.t.ctx, &there);
        GOOD(gls_measure_run_matrix(measure, &matrix, &there));
        NEAR(gls_measure_result_get(&here, names[k][1]), gls_measure_result_get(&there, names[k][1]), precision);
        gls_measure_destroy(measure);
        gls_measure_result_clear(&here);
        gls_measure_result_clear(&there);
    }
    free(g);
    network_destroy(&m);
}

static void batch_normalisation_has_no_single_examples(void **state) {
    network m, grouped;
    network_create(&m, "batch", false);
    network_create(&grouped, "batch", true);
    assert_true(grouped.t.problem->coupling == GLS_COUPLING_GROUPS);
    int64_t size = gls_layout_size(m.t.problem->state_layout);
    assert_true(size > 0 && m.t.problem->coupling == GLS_COUPLING_BATCH);
    gls_real *before = malloc(sizeof *before * (size_t)size);
    memcpy(before, m.t.problem->state, sizeof *before * (size_t)size);
    const char *const refused[] = {"gradient_diversity", "noise_scale", "dim_bounds", "tail_index", "dragger"};
    for (int i = 0; i < 5; i++) {
        gls_measure_result r = fixture_once(&m.t, refused[i], NULL);
        assert_non_null(r.meaningless);
        assert_non_null(strstr(r.meaningless, "couples"));
        gls_measure_result_clear(&r);
        r = fixture_once(&grouped.t, refused[i], NULL);
        assert_non_null(strstr(r.meaningless, "couples"));
        gls_measure_result_clear(&r);
    }
    const char *const fine[][2] = {{"gradient_norm", "gradient_norm"}, {"loss", "loss"},
                                   {"sharpness", "lambda_max"},        {"noise_norm", "batch_noise_rms"},
                                   {"variance_curve", "variance"},     {"invariance_defect", "invariance_defect"}};
    for (int i = 0; i < 6; i++) {
        gls_measure_result r = fixture_once(&m.t, fine[i][0], NULL);
        assert_null(r.meaningless);
        double value = gls_measure_result_get(&r, fine[i][1]);
        assert_true(isfinite(value));
        gls_measure_result_clear(&r);
        r = fixture_once(&grouped.t, fine[i][0], NULL);
        assert_true(gls_measure_result_get(&r, fine[i][1]) == value);
        gls_measure_result_clear(&r);
    }
    assert_memory_equal(before, m.t.problem->state, sizeof *before * (size_t)size);
    assert_memory_equal(before, grouped.t.problem->state, sizeof *before * (size_t)size);
    /* In evaluation the statistics are fixed, and single examples exist. */
    const char *const evaluate[] = {"mode", "evaluate", NULL};
    gls_measure_result r = fixture_once(&m.t, "gradient_diversity", evaluate);
    assert_null(r.meaningless);
    assert_true(gls_measure_result_get(&r, "batch_size_bound") >= 1);
    gls_measure_result_clear(&r);
    free(before);
    network_destroy(&m);
    network_destroy(&grouped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_gradients_one_at_a_time),
        cmocka_unit_test(batch_normalisation_has_no_single_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
