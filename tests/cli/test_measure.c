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
    assert_non_null(strstr(s.err, "nan.npy: the value at row 5, column 1 is nan"));
    sh(&s, "$G measure --gradients none.npy");
    assert_int_equal(s.code, 2);
}

#define SMALL                                                                                    \
    "--set data='{format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 5}' " \
    "--set model=softmax --set method='{name: msgd, lr: 0.05}' --set train='{epochs: 4, batch: 20, threads: 1}'"

static void a_run_at_its_checkpoints(void **state) {
    static said s;
    sh(&s, "touch e.yaml; $G train e.yaml " SMALL
           " --set train.keep=100 --set measure='{loss: {every: 20s}}' --out r --quiet");
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
    /* Another run of half the length: compared at a step of both, where it was the same run; never end against end. */
    sh(&s, "$G train e.yaml " SMALL " --set train.epochs=2 --set train.keep=100 --out half --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "$G measure r --at 20 --only stability --other half --json");
    assert_int_equal(s.code, 0);
    all = last_json(&s);
    assert_true(figure(all, "parameter_distance") == 0);
    json_decref(all);
    for (int k = 0; k < 2; k++) {
        sh(&s, "$G measure r --only stability --other half %s", k ? "--at final" : "");
        assert_int_equal(s.code, 2);
        assert_non_null(strstr(s.err, "at step 40"));
        assert_non_null(strstr(s.err, "at step 20"));
        assert_non_null(strstr(s.err, "expected one step of both"));
    }
    sh(&s, "$G measure r --at 40 --only stability --other half");
    assert_int_equal(s.code, 2);
    sh(&s, "$G measure r --only stability --other half/final.safetensors --json"); /* named itself: as it is */
    assert_int_equal(s.code, 0);
    all = last_json(&s);
    assert_true(figure(all, "parameter_distance") > 0);
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
    assert_non_null(strstr(s.err, "did you mean 'sharpness'?"));
    sh(&s, "$G measure e.yaml " SMALL " --only stability");
    assert_int_equal(s.code, 2);
    sh(&s, "$G measure");
    assert_int_equal(s.code, 2);
}

/* One line a case: what is typed, and what the one line on standard error must hold. */
typedef struct refusal {
    const char *command, *says;
} refusal;

static void refused(const refusal *cases, size_t count) {
    static said s;
    for (size_t i = 0; i < count; i++) {
        sh(&s, "%s", cases[i].command);
        if (s.code != 2 || !strstr(s.err, cases[i].says))
            fail_msg("%s: code %d, expected 2 and '%s': %s", cases[i].command, s.code, cases[i].says, s.err);
    }
}

/* Moments of all coordinates go to a file, and from it into a method, wherever that run is continued. */
static void moments_become_thresholds(void **state) {
    static said s;
    (void)state;
    sh(&s,
       "touch e.yaml; $G measure e.yaml " SMALL " --only alpha_moments --set measure.alpha_moments.write=B.safetensors "
       "--quiet && $G train e.yaml " SMALL
       " --set method='{name: cclip, lr: 0.05, tau: 0.05, thresholds: B.safetensors}' --out clipped --quiet");
    assert_int_equal(s.code, 0);
    sh(&s, "grep -c 'thresholds: .*/B.safetensors' clipped/config.yaml; grep -h '\"clipped\"' clipped/metrics.jsonl | "
           "tail -1");
    assert_int_equal(s.code, 0);
    json_t *line = last_json(&s);
    double share = json_number_value(json_object_get(line, "value"));
    assert_true(share > 0 && share < 1); /* neither all nor none are above that share of their moment */
    json_decref(line);
    /* The file is one of the run's inputs: another one is noticed, the same one at another place is not another. */
    sh(&s,
       "cp B.safetensors C.safetensors && $G measure e.yaml " SMALL " --only alpha_moments --set "
       "measure.alpha_moments.write=B.safetensors --set measure.alpha_moments.alpha=1.2 --quiet && $G train --resume "
       "clipped --set train.epochs=9 --quiet");
    assert_int_equal(s.code, 2);
    if (!strstr(s.err, "method.thresholds") || !strstr(s.err, "other content")) fail_msg("%s", s.err);
    sh(&s, "mv C.safetensors B.safetensors && $G train --resume clipped --set train.epochs=9 --quiet");
    if (s.code) fail_msg("%s", s.err);
    static const refusal cases[] = {
        {"$G train e.yaml " SMALL
         " --set data.features=6 --set method='{name: cclip, thresholds: B.safetensors}' --out no",
         "one for each of its 18 coordinates"},
        {"$G train e.yaml " SMALL " --set method='{name: cclip, thresholds: C.safetensors}' --out no", "C.safetensors"},
        {"$G measure --gradients g.npy --only alpha_moments --set measure.alpha_moments.write=x",
         "which a matrix has not"},
    };
    refused(cases, sizeof cases / sizeof *cases);
}

static void write_npy(const char *path, const char *descr, const char *shape, int64_t bytes) {
    FILE *file = fopen(path, "wb");
    char header[118];
    memset(header, ' ', sizeof header);
    int n = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    header[n] = ' ';
    header[sizeof header - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(header, 1, sizeof header, file);
    for (int64_t i = 0; i < bytes; i++) fputc(0, file);
    fclose(file);
}

static void matrices_that_are_none(void **state) {
    (void)state;
    double g[N][D];
    make_matrix(g);
    g[7][2] = INFINITY;
    write_matrix("inf.npy", g);
    g[7][2] = 1e300; /* finite in double alone */
    write_matrix("big.npy", g);
    write_npy("row.npy", "<f4", "(6,)", 24);
    write_npy("cube.npy", "<f4", "(2, 3, 4)", 96);
    write_npy("none.npy", "<f4", "(0, 4)", 0);
    write_npy("thin.npy", "<f4", "(4, 0)", 0);
    write_npy("complex.npy", "<c8", "(2, 3)", 48);
    write_npy("cut.npy", "<f8", "(40, 3)", 500);
    write_npy("good.npy", "<f8", "(4, 3)", 96);
    static const refusal cases[] = {
        {"$G measure --gradients inf.npy", "inf.npy: the value at row 7, column 2 is inf"},
        {"$G measure --gradients big.npy", "row 7, column 2 is 1e+300, beyond single precision"},
        {"$G measure --gradients row.npy", "row.npy: shape [6]: expected a matrix of gradients"},
        {"$G measure --gradients cube.npy", "cube.npy: shape [2, 3, 4]: expected a matrix"},
        {"$G measure --gradients none.npy", "none.npy: shape [0, 4]: expected a matrix"},
        {"$G measure --gradients thin.npy", "thin.npy: shape [4, 0]: expected a matrix"},
        {"$G measure --gradients complex.npy", "complex.npy: npy type '<c8', expected bool"},
        {"$G measure --gradients cut.npy", "cut.npy: byte 128: expected 960 bytes of the array, found 500"},
        {"echo hello >text.npy; $G measure --gradients text.npy", "text.npy: byte 0"},
        {": >empty.npy; $G measure --gradients empty.npy", "empty.npy: byte 0"},
        {"$G measure --gradients .", "found a directory"},
        {"$G measure --gradients good.npy --only loss", "measure 'loss' needs a problem"},
        {"$G measure --gradients good.npy --at best", "--at cannot be used with --gradients"},
        {"$G measure --gradients good.npy --sample 3", "--sample cannot be used with --gradients"},
        {"$G measure --gradients good.npy run", "found 'run'"},
        {"$G measure --gradients good.npy --set measure.tail_index.smaple=3", "did you mean 'sample'?"},
        {"$G measure --gradients good.npy --set measure.tail_indx.sample=3", "did you mean 'tail_index'?"},
    };
    refused(cases, sizeof cases / sizeof *cases);
}

static void runs_cut_short(void **state) {
    static said s;
    (void)state;
    sh(&s, "touch e.yaml; $G train e.yaml " SMALL " --out whole --quiet");
    assert_int_equal(s.code, 0);
    static const refusal cases[] = {
        {"cp -r whole a; : >a/config.yaml; $G measure a", "a/config.yaml: expected the configuration"},
        {"cp -r whole b; rm -r b/checkpoints b/final.safetensors; $G measure b --only loss",
         "b: the folder has neither final.safetensors nor a checkpoint"},
        {"$G measure b --at best --only loss", "b/checkpoints/best.safetensors: the checkpoint does not exist"},
        {"cp -r whole c; head -c 100 whole/final.safetensors >c/final.safetensors; $G measure c --only loss",
         "c/final.safetensors"},
        {": >c/final.safetensors; $G measure c --at final --only loss", "c/final.safetensors: too short"},
        {"$G measure nowhere", "nowhere"},
        {"$G measure whole --only loss --set measure.los.sample=4", "did you mean 'loss'?"},
        {"$G measure whole --only loss --set measure.loss.smaple=4", "did you mean 'sample'?"},
        {"$G measure whole --only loss --sample 0", "expected a number of examples or all"},
        {"$G measure whole --only loss --sample x", "found 'x'"},
        {"$G measure whole --only stability --other whole --exchanged x",
         "'--exchanged' of measure: expected a whole number"},
        {"$G measure whole --only stability --other whole --exchanged 200", "the training set has 200 examples"},
        {"$G measure whole --only stability", "needs the weights of a second run"},
    };
    refused(cases, sizeof cases / sizeof *cases);
    /* Without its figures a run is measured all the same; its step size is then not known. */
    sh(&s, "cp -r whole d; rm d/metrics.jsonl; $G measure d --only loss --json");
    assert_int_equal(s.code, 0);
    sh(&s, "$G measure whole --only gradient_diversity --sample 100000 --json");
    json_t *all = last_json(&s);
    json_t *one = json_object_get(json_object_get(all, "measures"), "gradient_diversity");
    assert_int_equal(figure(one, "sample"), 200); /* more than there are: all */
    json_decref(all);
}

static void data_that_are_gone(void **state) {
    static said s;
    (void)state;
    sh(&s, "for i in 1 2 3 4 5 6 7 8; do echo \"$((i %% 2 * 2 - 1)) 1:$i 2:1\"; done >data.svm; touch e.yaml; "
           "$G train e.yaml --set data.train=data.svm --set model=logistic --set method='{name: sgd, lr: 0.1}' "
           "--set train='{epochs: 1, batch: 4}' --out gone --quiet");
    assert_int_equal(s.code, 0);
    static const refusal cases[] = {{"rm data.svm; $G measure gone --only loss", "data.svm"}};
    refused(cases, 1);
    sh(&s, "$G report gone --out gone.html"); /* reads run folders only */
    assert_int_equal(s.code, 0);
}

/* A mistyped section stops a run before it has made a folder. */
static void a_section_is_checked_before_the_run_begins(void **state) {
    (void)state;
    static const refusal cases[] = {
        {"$G train e.yaml " SMALL " --out x --set measure.nois_norm.every=1", "did you mean 'noise_norm'?"},
        {"$G train e.yaml " SMALL " --out x --set measure.noise_norm.smaple=1", "did you mean 'sample'?"},
        {"$G train e.yaml " SMALL " --out x --set measure.noise_norm.sample=0", "option 'sample' of noise_norm"},
        {"$G train e.yaml " SMALL " --out x --set measure.noise_norm.every=x", "option 'every' of noise_norm"},
        {"$G train e.yaml " SMALL " --out x --set measure=loss", "expected measures by name"},
        {"$G train e.yaml " SMALL " --out x --set measure.norm_test.from=step", "ledger: true"},
        {"$G train e.yaml " SMALL " --out x --set measure.stability.every=1", "compares two runs"},
    };
    refused(cases, sizeof cases / sizeof *cases);
    assert_int_not_equal(access("x", F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_matrix_by_its_definition),
        cmocka_unit_test(a_run_at_its_checkpoints),
        cmocka_unit_test(a_configuration_where_it_begins),
        cmocka_unit_test(matrices_that_are_none),
        cmocka_unit_test(moments_become_thresholds),
        cmocka_unit_test(runs_cut_short),
        cmocka_unit_test(data_that_are_gone),
        cmocka_unit_test(a_section_is_checked_before_the_run_begins),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
