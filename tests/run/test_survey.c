/* What a run folder holds, measures at its weights and suspects from its ledger: all as a C program does it. */
#include "support.h"

static const char text[] = "data: {format: gaussians, train_size: 120, test_size: 30, classes: 3, features: 5,\n"
                           "  transforms: [{label_noise: 0.1}]}\n"
                           "model: softmax\n"
                           "estimator: {name: microbatch, microbatch: 2, ledger: true}\n"
                           "method: {name: msgd, lr: 0.05}\n"
                           "measure: {gradient_diversity: {sample: 30}}\n"
                           "train: {epochs: 2, batch: 20, threads: 1, log_every: 1s, seed: 1}\n";

/* A finished run in FOLDER/run, made once; its own weights are kept. */
typedef struct fixture {
    gls_context *ctx;
    gls_value *config;
    char folder[64], run[80];
    gls_real *w;
    double train_loss;
    int64_t d;
} fixture;

static int make_run(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = make_context(1, 1);
    f->config = config_from(f->ctx, text);
    snprintf(f->run, sizeof f->run, "%s/run", fresh_folder(f->folder));
    gls_run_options options = {.size = sizeof options, .config = f->config, .folder = f->run};
    gls_run *run;
    gls_run_result result;
    assert_ok(f->ctx, gls_run_create(f->ctx, &options, &run));
    assert_ok(f->ctx, gls_run_train(run, &result));
    f->d = gls_problem_size(gls_run_problem(run));
    f->w = malloc(sizeof *f->w * (size_t)f->d);
    memcpy(f->w, gls_run_weights(run), sizeof *f->w * (size_t)f->d);
    f->train_loss = result.train_loss;
    gls_run_destroy(run);
    *state = f;
    return 0;
}

static int remove_run(void **state) {
    fixture *f = *state;
    remove_tree(f->folder);
    gls_value_destroy(f->ctx, f->config);
    gls_context_destroy(f->ctx);
    free(f->w);
    free(f);
    return 0;
}

#define assert_refused(f, status, words, call)                                                            \
    do {                                                                                                  \
        assert_int_equal((call), status);                                                                 \
        if (!strstr(gls_context_message((f)->ctx), words)) fail_msg("%s", gls_context_message((f)->ctx)); \
    } while (0)

/* ---- the folder ---- */

static void a_folder_gives_its_configuration_back(void **state) {
    fixture *f = *state;
    gls_value *config;
    assert_ok(f->ctx, gls_run_saved_config(f->ctx, f->run, &config));
    const gls_value *lr = gls_value_get(gls_value_get(config, "method"), "lr");
    assert_string_equal(lr->text, "0.05");
    assert_non_null(strstr(lr->file, "run/config.yaml")); /* its own copy: the path it was read from is gone */
    gls_value_destroy(f->ctx, config);
    assert_refused(f, GLS_ERR_FILE, "not a run folder", gls_run_saved_config(f->ctx, f->folder, &config));
    assert_null(config);
    char path[100];
    snprintf(path, sizeof path, "%s/empty", f->folder);
    assert_ok(f->ctx, gls_make_directory(f->ctx, path));
    snprintf(path, sizeof path, "%s/empty/config.yaml", f->folder);
    assert_ok(f->ctx, gls_write_text(f->ctx, path, ""));
    snprintf(path, sizeof path, "%s/empty", f->folder);
    assert_refused(f, GLS_ERR_INPUT, "found nothing", gls_run_saved_config(f->ctx, path, &config));
}

/* Every choice of weights opens, and the final ones are those the run ended with. */
static void weights_are_chosen_by_name_or_step(void **state) {
    fixture *f = *state;
    static const char *const which[] = {"12", "best", NULL, "final"};
    char *path;
    for (int i = 0; i < 4; i++) {
        int64_t step = -1;
        assert_ok(f->ctx, gls_run_saved_weights(f->ctx, f->run, which[i], &path, &step));
        assert_int_equal(step, i == 0 ? 12 : 0);
        gls_run_options options = {.size = sizeof options, .config = f->config, .from = path};
        gls_run *run;
        assert_ok(f->ctx, gls_run_create(f->ctx, &options, &run));
        assert_ok(f->ctx, gls_run_begin(run));
        if (i >= 2) assert_memory_equal(gls_run_weights(run), f->w, sizeof *f->w * (size_t)f->d);
        gls_run_destroy(run);
        gls_free(f->ctx, path);
    }
    assert_refused(f, GLS_ERR_INPUT, "step-000000000005", gls_run_saved_weights(f->ctx, f->run, "5", &path, NULL));
    assert_refused(f, GLS_ERR_ARGUMENT, "expected best, final or",
                   gls_run_saved_weights(f->ctx, f->run, "x", &path, NULL));
    assert_refused(f, GLS_ERR_ARGUMENT, "expected best", gls_run_saved_weights(f->ctx, f->run, "-1", &path, NULL));
}

static void figures_are_read_up_to_a_step(void **state) {
    fixture *f = *state;
    double lr, first, last;
    assert_ok(f->ctx, gls_run_saved_figure(f->ctx, f->run, "lr", 0, &lr));
    assert_true(lr == 0.05);
    assert_ok(f->ctx, gls_run_saved_figure(f->ctx, f->run, "loss", 1, &first));
    assert_ok(f->ctx, gls_run_saved_figure(f->ctx, f->run, "loss", 0, &last));
    assert_true(isfinite(first) && isfinite(last) && first != last);
    assert_ok(f->ctx, gls_run_saved_figure(f->ctx, f->run, "los", 0, &last));
    assert_true(isnan(last));
    assert_ok(f->ctx, gls_run_saved_figure(f->ctx, f->folder, "loss", 0, &last)); /* no trace at all */
    assert_true(isnan(last));
}

/* ---- surveys ---- */

static void count_one(void *user, const gls_measure_type *type) {
    (void)type;
    ++*(int *)user;
}

static void a_survey_measures_at_the_weights_of_a_run(void **state) {
    fixture *f = *state;
    int begun = 0;
    gls_survey_options options = {.size = sizeof options,
                                  .config = f->config,
                                  .only = "smoothness,loss,gradient_diversity",
                                  .weights = f->run,
                                  .begin = count_one,
                                  .user = &begun};
    gls_survey survey;
    assert_ok(f->ctx, gls_survey_run(f->ctx, &options, &survey));
    assert_int_equal(survey.count, 3);
    assert_int_equal(begun, 3);
    /* What takes a step comes last, and says so. */
    assert_string_equal(survey.result[0].measure, "loss");
    assert_string_equal(survey.result[2].measure, "smoothness");
    assert_non_null(strstr(survey.result[2].note, "one step of a fresh msgd"));
    assert_true(fabs(gls_measure_result_get(&survey.result[0], "loss") / f->train_loss - 1) < 1e-6);
    assert_int_equal(survey.result[1].sample, 30); /* by the configuration's section */
    gls_survey_clear(&survey);
    options.only = "gradient_diversity";
    options.sample = "40"; /* before what the section says */
    assert_ok(f->ctx, gls_survey_run(f->ctx, &options, &survey));
    assert_int_equal(survey.result[0].sample, 40);
    gls_survey_clear(&survey);
}

static void a_survey_compares_two_runs(void **state) {
    fixture *f = *state;
    gls_survey_options options = {.size = sizeof options,
                                  .config = f->config,
                                  .only = "stability",
                                  .weights = f->run,
                                  .other = f->run,
                                  .exchange = true,
                                  .exchanged = 3};
    gls_survey survey;
    assert_ok(f->ctx, gls_survey_run(f->ctx, &options, &survey));
    assert_true(gls_measure_result_get(&survey.result[0], "parameter_distance") == 0);
    gls_survey_clear(&survey);
    options.exchanged = 120;
    assert_refused(f, GLS_ERR_ARGUMENT, "the training set has 120 examples", gls_survey_run(f->ctx, &options, &survey));
    assert_int_equal(survey.count, 0);
    gls_survey_clear(&survey);
}

/* ---- two runs that differ in one example ---- */

enum { FIT = 90, WIDTH = 5 };

/* The training rows of a run, in order. */
static void rows_of(gls_context *ctx, const gls_source *source, gls_real x[FIT][WIDTH], int32_t label[FIT]) {
    assert_int_equal(gls_source_info(source)->examples, FIT);
    for (int64_t i = 0; i < FIT; i++) {
        gls_rows *rows;
        gls_batch batch;
        gls_fetch fetch = {.count = 1, .index = &i, .seed = 1};
        assert_ok(ctx, gls_rows_create(ctx, gls_source_info(source), 1, &rows));
        assert_ok(ctx, gls_source_fetch(source, ctx, &fetch, rows, &batch));
        memcpy(x[i], batch.x, sizeof x[i]);
        label[i] = batch.label[0];
        gls_rows_destroy(rows);
    }
}

/* Trains in FOLDER/NAME; its training rows and final weights, the bias last. */
static void train_pair(fixture *f, const char *name, const char *transforms, gls_real x[FIT][WIDTH], int32_t label[FIT],
                       gls_real w[WIDTH + 1], gls_value **config, char path[100]) {
    char given[512];
    snprintf(given, sizeof given,
             "data: {format: gaussians, train_size: 120, test_size: 30, classes: 2, features: 5, transforms: %s}\n"
             "model: logistic\nmethod: {name: sgd, lr: 1}\n"
             "train: {epochs: 20, batch: 10, threads: 1, seed: 1, validation: 0.25}\n",
             transforms);
    *config = config_from(f->ctx, given);
    snprintf(path, 100, "%s/%s", f->folder, name);
    gls_run_options options = {.size = sizeof options, .config = *config, .folder = path};
    gls_run *run;
    gls_run_result result;
    gls_measure_input in;
    assert_ok(f->ctx, gls_run_create(f->ctx, &options, &run));
    assert_ok(f->ctx, gls_run_train(run, &result));
    assert_int_equal(gls_problem_size(gls_run_problem(run)), WIDTH + 1);
    memcpy(w, gls_run_weights(run), (WIDTH + 1) * sizeof *w);
    assert_ok(f->ctx, gls_run_measure_input(run, &in));
    rows_of(f->ctx, in.source, x, label);
    gls_run_destroy(run);
}

static double logistic_loss(const gls_real *w, const gls_real *x, int32_t label) {
    double z = (double)w[WIDTH];
    for (int k = 0; k < WIDTH; k++) z += (double)w[k] * (double)x[k];
    return log1p(exp(z)) - label * z;
}

/* With rows held out, `replace: 7` and `--exchanged 7` mean the same example: of the training set as it is trained on.
 * By hand: the sets differ there alone, and the losses are those of that row under both weights. */
static void exchanged_examples_count_alike(void **state) {
    fixture *f = *state;
    static gls_real x[2][FIT][WIDTH], w[2][WIDTH + 1];
    static int32_t label[2][FIT];
    gls_value *config[2];
    char path[2][100];
    train_pair(f, "plain", "[]", x[0], label[0], w[0], &config[0], path[0]);
    train_pair(f, "exchanged", "[{replace: {index: 7, with: 30}}]", x[1], label[1], w[1], &config[1], path[1]);
    for (int i = 0; i < FIT; i++) {
        bool same = memcmp(x[0][i], x[1][i], sizeof x[0][i]) == 0;
        assert_true(same == (i != 7));
    }
    assert_memory_equal(x[1][7], x[0][30], sizeof x[1][7]);
    for (int given = 0; given < 2; given++) { /* by number; by the transform's own mark */
        gls_survey_options options = {.size = sizeof options,
                                      .config = config[1],
                                      .only = "stability",
                                      .weights = path[1],
                                      .other = path[0],
                                      .exchange = given,
                                      .exchanged = given ? 7 : -1};
        gls_survey survey;
        assert_ok(f->ctx, gls_survey_run(f->ctx, &options, &survey));
        double here = logistic_loss(w[1], x[1][7], label[1][7]), there = logistic_loss(w[0], x[1][7], label[1][7]);
        assert_true(fabs(here - there) > 1e-4);
        assert_true(fabs(gls_measure_result_get(&survey.result[0], "exchanged_loss") - here) < 1e-5);
        double difference = gls_measure_result_get(&survey.result[0], "exchanged_loss_difference");
        assert_true(fabs(difference - (here - there)) < 1e-5);
        gls_survey_clear(&survey);
    }
    for (int k = 0; k < 2; k++) gls_value_destroy(f->ctx, config[k]);
}

/* The loss with the method's decay in it: half lambda |w|^2 more, the bias, which is not decayed, left out. */
static void the_loss_has_the_methods_decay(void **state) {
    fixture *f = *state;
    static gls_real x[FIT][WIDTH], w[WIDTH + 1];
    static int32_t label[FIT];
    gls_value *config;
    char path[100];
    train_pair(f, "decayed", "[]", x, label, w, &config, path);
    double loss = 0, square = 0;
    for (int i = 0; i < FIT; i++) loss += logistic_loss(w, x[i], label[i]) / FIT;
    for (int k = 0; k < WIDTH; k++) square += (double)w[k] * (double)w[k];
    static const char *const decay[] = {"method.weight_decay=0", "method.weight_decay=0.3",
                                        "method.decoupled_weight_decay=0.2"};
    static const double lambda[] = {0, 0.3, 0.5};
    for (int k = 0; k < 3; k++) { /* the last has both */
        gls_survey survey;
        assert_ok(f->ctx, gls_config_set(f->ctx, config, decay[k]));
        gls_survey_options options = {.size = sizeof options, .config = config, .only = "loss", .weights = path};
        assert_ok(f->ctx, gls_survey_run(f->ctx, &options, &survey));
        assert_true(fabs(gls_measure_result_get(&survey.result[0], "loss") - loss) < 1e-5);
        double found = gls_measure_result_get(&survey.result[0], "decayed_loss");
        if (k == 0) assert_true(isnan(found));
        if (k > 0) assert_true(fabs(found - loss - lambda[k] / 2 * square) < 1e-5 * (1 + square));
        gls_survey_clear(&survey);
    }
    gls_value_destroy(f->ctx, config);
}

static void a_survey_refuses_before_it_reads(void **state) {
    fixture *f = *state;
    gls_survey survey;
    gls_value *bad = config_from(f->ctx, "data: {format: libsvm, train: none}\nmodel: softmax\nmethod: sgd\n"
                                         "measure: {loss: {smaple: 3}}\n");
    gls_survey_options options = {.size = sizeof options, .config = f->config, .only = "loss,sharpnes"};
    assert_refused(f, GLS_ERR_ARGUMENT, "sharpness", gls_survey_run(f->ctx, &options, &survey));
    gls_survey_clear(&survey);
    options.only = ",";
    assert_refused(f, GLS_ERR_ARGUMENT, "expected the names of measures", gls_survey_run(f->ctx, &options, &survey));
    gls_survey_clear(&survey);
    options = (gls_survey_options){.size = sizeof options, .config = bad};
    assert_refused(f, GLS_ERR_ARGUMENT, "smaple", gls_survey_run(f->ctx, &options, &survey));
    gls_survey_clear(&survey);
    options.size = 1;
    assert_refused(f, GLS_ERR_ARGUMENT, "size", gls_survey_run(f->ctx, &options, &survey));
    gls_survey_clear(&survey);
    gls_value_destroy(f->ctx, bad);
}

static void a_matrix_is_surveyed_whole(void **state) {
    fixture *f = *state;
    enum { N = 6, D = 2 };
    gls_real g[N * D];
    double squares = 0, sum[D] = {0};
    for (int i = 0; i < N * D; i++) {
        g[i] = (gls_real)(1 + i % 5);
        squares += (double)g[i] * (double)g[i];
        sum[i % D] += (double)g[i];
    }
    gls_measure_matrix matrix = {.g = g, .n = N, .d = D, .seed = 1};
    gls_survey_options options = {.size = sizeof options, .only = "gradient_diversity"};
    gls_survey survey;
    assert_ok(f->ctx, gls_survey_matrix(f->ctx, &matrix, &options, &survey));
    double expected = squares / (sum[0] * sum[0] + sum[1] * sum[1]);
    assert_true(fabs(gls_measure_result_get(&survey.result[0], "gradient_diversity") / expected - 1) < 1e-5);
    gls_survey_clear(&survey);
    options.only = NULL;
    assert_ok(f->ctx, gls_survey_matrix(f->ctx, &matrix, &options, &survey));
    assert_true(survey.count > 3);
    gls_survey_clear(&survey);
    options.only = "loss";
    assert_int_equal(gls_survey_matrix(f->ctx, &matrix, &options, &survey), GLS_ERR_UNSUPPORTED);
    gls_survey_clear(&survey);
}

/* ---- suspects ---- */

static void suspects_are_ranked_and_averaged(void **state) {
    fixture *f = *state;
    gls_suspects_options options = {.size = sizeof options, .top = 7};
    gls_suspects_report report;
    assert_ok(f->ctx, gls_suspects_read(f->ctx, f->run, &options, &report));
    assert_true(report.clipped && report.planted);
    assert_string_equal(report.ranked_by, "factor");
    assert_int_equal(report.suspects, 7);
    for (int64_t i = 1; i < 7; i++) assert_true(report.suspect[i - 1].factor <= report.suspect[i].factor);
    double examples = 0;
    assert_string_equal(report.by, "class");
    for (int64_t k = 0; k < report.means; k++) examples += report.mean[k].examples;
    assert_int_equal(report.means, 3);
    assert_true(examples == 120);
    gls_suspects_clear(&report);
    /* All of them: as many are marked as were planted, and the precision is what the list itself says. */
    options = (gls_suspects_options){.size = sizeof options, .top = 1000, .rank = "loss", .by = "label_noise"};
    assert_ok(f->ctx, gls_suspects_read(f->ctx, f->run, &options, &report));
    int64_t planted = 0, found = 0;
    assert_int_equal(report.suspects, 120);
    for (int64_t i = 0; i < 120; i++) planted += report.suspect[i].planted;
    for (int64_t i = 0; i < planted; i++) found += report.suspect[i].planted;
    assert_true(planted > 0 && report.precision[1] == (double)found / (double)planted);
    assert_int_equal(report.means, 2);
    gls_suspects_clear(&report);
}

/* Windows of a ledger by hand: the ledger itself, read after each third of the run, and its differences. One run goes
 * through, another is stopped inside a window and goes on. */
static void a_ledger_by_windows(void **state) {
    enum { WINDOWS = 3, SET = 60, STEPS = 18 };
    fixture *f = *state;
    static const char given[] = "data: {format: gaussians, train_size: 60, test_size: 10, classes: 3, features: 4}\n"
                                "model: softmax\nestimator: {name: microbatch, microbatch: 2, ledger: true}\n"
                                "method: {name: sgd, lr: 0.3}\n"
                                "train: {epochs: 3, batch: 10, threads: 1, ledger_windows: 3, checkpoint_every: 1s}\n";
    gls_value *config = config_from(f->ctx, given);
    static double at[WINDOWS + 1][3][SET];
    for (int stopped = 0; stopped < 2; stopped++) {
        char path[100];
        snprintf(path, sizeof path, "%s/windows%d", f->folder, stopped);
        for (int part = 0; part <= stopped; part++) {
            gls_run_options options = {.size = sizeof options, .config = config, .folder = path, .resume = part > 0};
            gls_run *run;
            gls_run_result result;
            assert_ok(f->ctx, gls_run_create(f->ctx, &options, &run));
            assert_ok(f->ctx, gls_run_begin(run));
            bool done = false;
            int64_t steps = stopped && !part ? 6 : STEPS; /* stopped where a window ends, before it is closed */
            while (!stopped && gls_run_steps(run) < STEPS) {
                assert_ok(f->ctx, gls_run_step(run, &done));
                gls_measure_input in;
                assert_ok(f->ctx, gls_run_measure_input(run, &in));
                if (gls_run_steps(run) % (STEPS / WINDOWS) != 0) continue;
                double(*now)[SET] = at[gls_run_steps(run) / (STEPS / WINDOWS)];
                memcpy(now[0], in.ledger->seen, sizeof now[0]);
                memcpy(now[1], in.ledger->log_factor, sizeof now[1]);
                memcpy(now[2], in.ledger->norm, sizeof now[2]);
            }
            while (stopped && gls_run_steps(run) < steps) assert_ok(f->ctx, gls_run_step(run, &done));
            if (steps == STEPS) assert_ok(f->ctx, gls_run_train(run, &result));
            gls_run_destroy(run);
        }
        for (int w = 1; w <= WINDOWS; w++) {
            gls_suspects_options options = {.size = sizeof options, .top = SET, .rank = "norm", .window = w};
            gls_suspects_report report;
            assert_ok(f->ctx, gls_suspects_read(f->ctx, path, &options, &report));
            assert_int_equal(report.suspects, SET);
            for (int64_t i = 0; i < SET; i++) {
                const gls_suspect *s = &report.suspect[i];
                double seen = at[w][0][s->example] - at[w - 1][0][s->example];
                double norm = (at[w][2][s->example] - at[w - 1][2][s->example]) / seen;
                double factor = exp((at[w][1][s->example] - at[w - 1][1][s->example]) / seen);
                assert_true(seen == 1); /* a window of an epoch */
                assert_true(fabs(s->norm / norm - 1) < 1e-9 && fabs(s->factor / factor - 1) < 1e-9);
            }
            gls_suspects_clear(&report);
        }
        gls_suspects_options options = {.size = sizeof options, .window = 4};
        gls_suspects_report report;
        assert_refused(f, GLS_ERR_ARGUMENT, "expected one of the 3 windows",
                       gls_suspects_read(f->ctx, path, &options, &report));
        gls_suspects_clear(&report);
    }
    gls_suspects_options options = {.size = sizeof options, .window = 1};
    gls_suspects_report report;
    assert_refused(f, GLS_ERR_ARGUMENT, "train.ledger_windows=N", gls_suspects_read(f->ctx, f->run, &options, &report));
    gls_suspects_clear(&report);
    gls_run *run;
    gls_run_options none = {.size = sizeof none, .config = config};
    assert_ok(f->ctx, gls_config_set(f->ctx, config, "estimator=mean"));
    assert_refused(f, GLS_ERR_ARGUMENT, "keeps no ledger", gls_run_create(f->ctx, &none, &run));
    gls_value_destroy(f->ctx, config);
}

static void suspects_that_cannot_be_told(void **state) {
    fixture *f = *state;
    gls_suspects_report report;
    gls_suspects_options options = {.size = sizeof options, .by = "user"};
    assert_refused(f, GLS_ERR_ARGUMENT, "it has class, label_noise",
                   gls_suspects_read(f->ctx, f->run, &options, &report));
    gls_suspects_clear(&report);
    options = (gls_suspects_options){.size = sizeof options, .rank = "size"};
    assert_refused(f, GLS_ERR_ARGUMENT, "expected factor, norm or loss",
                   gls_suspects_read(f->ctx, f->run, &options, &report));
    gls_suspects_clear(&report);
    options.rank = NULL;
    assert_refused(f, GLS_ERR_FILE, "kept no ledger", gls_suspects_read(f->ctx, f->folder, &options, &report));
    gls_suspects_clear(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_gives_its_configuration_back),
        cmocka_unit_test(weights_are_chosen_by_name_or_step),
        cmocka_unit_test(figures_are_read_up_to_a_step),
        cmocka_unit_test(a_survey_measures_at_the_weights_of_a_run),
        cmocka_unit_test(a_survey_compares_two_runs),
        cmocka_unit_test(exchanged_examples_count_alike),
        cmocka_unit_test(the_loss_has_the_methods_decay),
        cmocka_unit_test(a_survey_refuses_before_it_reads),
        cmocka_unit_test(a_matrix_is_surveyed_whole),
        cmocka_unit_test(suspects_are_ranked_and_averaged),
        cmocka_unit_test(a_ledger_by_windows),
        cmocka_unit_test(suspects_that_cannot_be_told),
    };
    return cmocka_run_group_tests(tests, make_run, remove_run);
}
