/* glissade measure: on a matrix against its definitions, on a run and on a configuration, and what is refused. */
#include "support.h"

#include <math.h>

enum { N = 40, D = 3 };

static void write_matrix(const char *path, double g[N][D]) {
    FILE *file = fopen(path, "wb");
    char header[118];
    memset(header, ' ', sizeof header);
    int n = snprintf(header, sizeof header, "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", N, D);
    header[n] = ' ';
    header[sizeof header - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(header, 1, sizeof header, file);
    fwrite(g, sizeof(double), N * D, file);
    fclose(file);
}

static void make_matrix(double g[N][D]) {
    for (int i = 0; i < N; i++)
        for (int k = 0; k < D; k++) g[i][k] = (float)(sin(1.0 + 3 * i + 7 * k) + 0.25 * k);
}

static double figure(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) fail_msg("no figure %s", name);
    return json_number_value(value);
}

/* Whole set: the definitions. As a sample: M^2 and G = mean of <g_i, g_k> over pairs. */
static void a_matrix_by_its_definition(void **state) {
    static said s;
    double g[N][D], squares = 0, sum[D] = {0}, of_sum = 0, pairs = 0;
    make_matrix(g);
    write_matrix("g.npy", g);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < D; k++) {
            squares += g[i][k] * g[i][k];
            sum[k] += g[i][k];
        }
    for (int k = 0; k < D; k++) of_sum += sum[k] * sum[k];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < D && i != j; k++) pairs += g[i][k] * g[j][k] / (N * (N - 1.0));
    sh(&s, "$G measure --gradients g.npy --only gradient_diversity,noise_scale,gradient_norm --json");
    assert_int_equal(s.code, 0);
    json_t *all = last_json(&s);
    assert_true(fabs(figure(all, "gradient_diversity") / (squares / of_sum) - 1) < 1e-6);
    assert_true(fabs(figure(all, "batch_size_bound") / (N * squares / of_sum) - 1) < 1e-6);
    assert_true(fabs(figure(all, "noise_scale") / (N * squares / of_sum - 1) - 1) < 1e-6);
    assert_true(fabs(figure(all, "gradient_norm") / (sqrt(of_sum) / N) - 1) < 1e-6);
    json_decref(all);
    sh(&s, "$G measure --gradients g.npy --as-sample --only gradient_diversity --json --quiet");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.err, "");
    all = last_json(&s);
    assert_true(fabs(figure(all, "batch_size_bound") / (squares / N / pairs) - 1) < 1e-5);
    assert_true(json_is_array(json_object_get(all, "batch_size_bound_interval")));
    json_decref(all);
    g[5][1] = NAN;
    write_matrix("nan.npy", g);
    sh(&s, "$G measure --gradients nan.npy");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "nan.npy"));
    sh(&s, "$G measure --gradients none.npy");
    assert_int_equal(s.code, 2);
}

#define SMALL                                                                                    \
    "--set data='{format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 5}' " \
    "--set model=softmax --set method='{name: msgd, lr: 0.05}' --set train='{epochs: 4, batch: 20, threads: 1}'"

static void a_run_at_its_checkpoints(void **state) {
    static said s;
    sh(&s, "touch e.yaml; $G train e.yaml " SMALL " --set measure='{loss: {every: 20s}}' --out r --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "tail -1 r/measures.jsonl");
    json_t *line = last_json(&s);
    double expected = figure(json_object_get(line, "result"), "loss");
    assert_int_equal(json_integer_value(json_object_get(line, "step")), 40);
    json_decref(line);
    /* The run's own last result, measured again from the file of weights. */
    sh(&s, "cp -r r kept; $G measure r --at final --only loss,sharpness,smoothness --json && diff -r r kept");
    assert_int_equal(s.code, 0);
    json_t *all = last_json(&s), *measures = json_object_get(all, "measures");
    assert_true(fabs(figure(all, "loss") - expected) < 1e-6);
    assert_true(fabs(figure(all, "two_over_lr") - 40) < 1e-4);
    assert_true(figure(all, "smoothness") > 0);
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(measures, "smoothness"), "note")),
                           "one step of a fresh msgd"));
    json_decref(all);
    sh(&s, "$G measure r --at 40 --only loss --json");
    assert_int_equal(s.code, 0);
    all = last_json(&s);
    assert_true(fabs(figure(all, "loss") - expected) < 1e-6);
    json_decref(all);
    /* A run against itself has moved nowhere. */
    sh(&s, "$G measure r --only stability --other r --json");
    assert_int_equal(s.code, 0);
    all = last_json(&s);
    assert_true(figure(all, "parameter_distance") == 0);
    json_decref(all);
    sh(&s, "$G measure r --at 7");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "step-000000000007"));
    sh(&s, "rm r/config.yaml; $G measure r");
    assert_int_equal(s.code, 2);
}

static void a_configuration_where_it_begins(void **state) {
    static said s;
    sh(&s, "touch e.yaml; $G measure e.yaml " SMALL " --only gradient_diversity,noise_norm --sample 50 --json");
    assert_int_equal(s.code, 0);
    json_t *all = last_json(&s), *measures = json_object_get(all, "measures");
    assert_int_equal(figure(json_object_get(measures, "gradient_diversity"), "sample"), 50);
    assert_int_equal(figure(json_object_get(measures, "gradient_diversity"), "population"), 200);
    assert_true(figure(all, "noise_rms") > 0);
    json_decref(all);
    sh(&s, "$G measure e.yaml " SMALL " --only sharpnes");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "nearest is 'sharpness'"));
    sh(&s, "$G measure e.yaml " SMALL " --only stability");
    assert_int_equal(s.code, 2);
    sh(&s, "$G measure");
    assert_int_equal(s.code, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_matrix_by_its_definition),
        cmocka_unit_test(a_run_at_its_checkpoints),
        cmocka_unit_test(a_configuration_where_it_begins),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
