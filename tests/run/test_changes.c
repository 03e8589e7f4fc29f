/* A resumed run is the same run: which keys may change, what of it is recorded, and that held-out rows are held out. */
#include "support.h"

#include "base/io.h"
#include "run/loop/run.h"

static const char small[] = "data: {format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 8}\n"
                            "model: softmax\n"
                            "method: {name: msgd, lr: 0.05}\n"
                            "train: {steps: 12, batch: 20, threads: 1, validation: 0.2}\n";

typedef struct setting {
    gls_context *ctx;
    gls_value *config;
    gls_run *run;
} setting;

/* `small` with overrides, ended by NULL. */
static gls_status make(setting *s, const char *folder, bool resume, const char *const *overrides) {
    s->run = NULL;
    s->ctx = make_context(1, 1);
    s->config = config_from(s->ctx, small);
    for (; overrides && *overrides; overrides++) assert_ok(s->ctx, gls_config_set(s->ctx, s->config, *overrides));
    gls_run_options options = {.size = sizeof options, .config = s->config, .folder = folder, .resume = resume};
    return gls_run_create(s->ctx, &options, &s->run);
}

static void drop(setting *s) {
    gls_run_destroy(s->run);
    gls_value_destroy(s->ctx, s->config);
    gls_context_destroy(s->ctx);
}

#define SETS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void train(const char *folder, bool resume, const char *const *overrides) {
    setting s;
    gls_run_result result;
    assert_ok(s.ctx, make(&s, folder, resume, overrides));
    assert_ok(s.ctx, gls_run_train(s.run, &result));
    drop(&s);
}

static char *text_of(const char *folder, const char *name) {
    gls_context *ctx = make_context(1, 1);
    char path[128], *text = NULL;
    int64_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(ctx, gls_read_file(ctx, path, 1 << 20, &text, &size));
    char *own = strdup(text);
    gls_free(ctx, text);
    gls_context_destroy(ctx);
    return own;
}

/* ---- what may change ---- */

static void other_runs_are_refused(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"train.validation=0.5", "train.validation was '0.2' and would be '0.5'"},
        {"train.batch=10", "train.batch was '20' and would be '10'"},
        {"method.lr=0.1", "method.lr was '0.05' and would be '0.1'"},
        {"schedule={name: cosine}", "schedule was 'nothing' and would be"},
        {"estimator={name: microbatch, microbatch: 4}", "name was 'mean' and would be 'microbatch'"},
        {"data.standardize=true", "data.standardize was 'false' and would be 'true'"},
        {"data.transforms=[{replicate: 2}]", "data.transforms was 'nothing'"},
        {"model={name: mlp, hidden: [5]}", "model.name was 'softmax' and would be 'mlp'"},
        {"train.average=uniform", "train.average was"},
    };
    char top[64], folder[96];
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    train(folder, false, NULL);
    char *before = text_of(folder, "config.yaml");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setting s;
        assert_ok(s.ctx, make(&s, folder, true, SETS(cases[i][0])));
        assert_int_equal(gls_run_begin(s.run), GLS_ERR_ARGUMENT);
        assert_says(s.ctx, cases[i][1]);
        assert_says(s.ctx, "--from");
        drop(&s);
        char *after = text_of(folder, "config.yaml");
        assert_string_equal(before, after);
        free(after);
    }
    free(before);
    remove_tree(top);
}

/* Ends, threads, cadences and outputs change, and the record says from which step on. */
static void changes_are_recorded(void **state) {
    (void)state;
    char top[64], folder[96];
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    train(folder, false, NULL);
    train(folder, true, SETS("train.steps=15", "method.lr=5e-2"));
    train(folder, true, SETS("train.steps=15", "method.lr=5e-2"));
    train(folder, true, SETS("train.steps=18", "measure={loss: {every: 1s}}", "train.tensorboard=true"));
    char *text = text_of(folder, "changes.jsonl");
    static const char first[] = "{\"after\":\"15\",\"before\":\"12\",\"key\":\"train.steps\",\"step\":12}\n",
                      second[] = "{\"after\":\"18\",\"before\":\"15\",\"key\":\"train.steps\",\"step\":15}\n";
    assert_memory_equal(text, first, strlen(first));
    const char *then = strstr(text, second);
    assert_ptr_equal(then, text + strlen(first)); /* nothing for the run that changed nothing */
    assert_non_null(strstr(text, "\"key\":\"train.tensorboard\",\"step\":15"));
    assert_non_null(strstr(text, "\"key\":\"measure."));
    free(text);
    remove_tree(top);
}

static void weights_of_another_run_are_refused(void **state) {
    (void)state;
    char top[64], folder[96];
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    train(folder, false, NULL);
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, small);
    gls_run_options options = {
        .size = sizeof options, .config = config, .folder = folder, .resume = true, .from = folder};
    gls_run *run;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    assert_int_equal(gls_run_begin(run), GLS_ERR_ARGUMENT);
    assert_says(ctx, "leave out `from`");
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    remove_tree(top);
}

/* ---- held-out rows ---- */

/* Of 200 rows 40 are held out; of the other 160 a quarter is kept, 4 times each, and no row of the file is in both
 * sets.
 */
static void rows_are_held_out_before_transforms(void **state) {
    (void)state;
    setting s;
    assert_ok(s.ctx, make(&s, NULL, false, SETS("data.transforms=[{replicate: 4}]")));
    const gls_training_sets *set = &s.run->training->set;
    assert_int_equal(set->validation->info.examples, 40);
    assert_int_equal(set->train->info.examples, 160);
    const int64_t *held = gls_source_column(set->validation, "original");
    const int64_t *fit = gls_source_column(set->train, "original");
    assert_non_null(held);
    assert_non_null(fit);
    int count[200] = {0};
    for (int i = 0; i < 160; i++) count[fit[i]]++;
    for (int i = 0; i < 40; i++) assert_int_equal(count[held[i]]++, 0);
    int replicated = 0;
    for (int i = 0; i < 200; i++) replicated += count[i] == 4;
    assert_int_equal(replicated, 40);
    drop(&s);
}

/* Labels of held-out rows are left alone, where those of all training rows turn. */
static void held_out_labels_are_left_alone(void **state) {
    (void)state;
    setting plain, noisy;
    assert_ok(plain.ctx, make(&plain, NULL, false, NULL));
    assert_ok(noisy.ctx, make(&noisy, NULL, false, SETS("data.transforms=[{label_noise: 1}]")));
    int32_t a[160], b[160];
    gls_source *x = plain.run->training->set.validation, *y = noisy.run->training->set.validation;
    assert_ok(plain.ctx, gls_source_targets(x, plain.ctx, a, NULL));
    assert_ok(noisy.ctx, gls_source_targets(y, noisy.ctx, b, NULL));
    assert_memory_equal(a, b, 40 * sizeof *a);
    assert_ok(plain.ctx, gls_source_targets(plain.run->training->set.train, plain.ctx, a, NULL));
    assert_ok(noisy.ctx, gls_source_targets(noisy.run->training->set.train, noisy.ctx, b, NULL));
    for (int i = 0; i < 160; i++) assert_int_not_equal(a[i], b[i]);
    drop(&plain);
    drop(&noisy);
}

/* The mean of standardised training rows is 0 in every coordinate; that of the held-out rows is not. */
static void standardisation_is_learned_from_training_rows(void **state) {
    (void)state;
    setting s;
    assert_ok(s.ctx, make(&s, NULL, false, SETS("data.standardize=true")));
    const gls_source *sets[] = {s.run->training->set.train, s.run->training->set.validation};
    double largest[2] = {0};
    for (int k = 0; k < 2; k++) {
        int64_t n = sets[k]->info.examples, index[160];
        gls_rows *rows;
        gls_batch batch;
        for (int64_t i = 0; i < n; i++) index[i] = i;
        assert_ok(s.ctx, gls_rows_create(s.ctx, &sets[k]->info, n, &rows));
        assert_ok(s.ctx, gls_source_fetch(sets[k], s.ctx, &(gls_fetch){.count = n, .index = index}, rows, &batch));
        for (int64_t j = 0; j < 8; j++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++) sum += (double)batch.x[i * 8 + j];
            largest[k] = fmax(largest[k], fabs(sum / (double)n));
        }
        gls_rows_destroy(rows);
    }
    assert_true(largest[0] < 1e-6);
    assert_true(largest[1] > 1e-2);
    drop(&s);
}

static void shares_are_checked(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"train.validation=1.5", "1.5 is neither a share"},
                                           {"train.validation=200", "200 of 200 examples leaves"},
                                           {"train.validation=1e30", "1e+30 of 200 examples leaves"},
                                           {"train.validation=0.001", "0.001 of 200 examples leaves 0"},
                                           {"data.validation=x.csv", "data.validation: gaussians makes its examples"},
                                           {"data.train=x.csv", "data.train: gaussians makes its examples"},
                                           {"data.test=x.csv", "data.test: gaussians makes its examples"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setting s;
        assert_int_equal(make(&s, NULL, false, SETS(cases[i][0])), GLS_ERR_ARGUMENT);
        assert_says(s.ctx, cases[i][1]);
        drop(&s);
    }
}

static void write_rows(const char *path, int rows) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < rows; i++) fprintf(file, "%d 1:%d 2:%d\n", i % 2 ? 1 : -1, i + 1, 7 * i % 5 + 1);
    fclose(file);
}

/* data.validation names the set; the training set stays whole. */
static void validation_has_a_file_of_its_own(void **state) {
    (void)state;
    char top[64], path[2][96], sets[1][320];
    fresh_folder(top);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s.svm", top, i ? "held" : "fit");
        write_rows(path[i], i ? 7 : 30);
    }
    snprintf(sets[0], sizeof sets[0], "data={format: libsvm, train: %s, validation: %s}", path[0], path[1]);
    setting s;
    assert_ok(s.ctx, make(&s, NULL, false, SETS(sets[0], "train.validation=0", "train.monitor=validation")));
    assert_int_equal(s.run->training->set.train->info.examples, 30);
    assert_int_equal(s.run->training->set.validation->info.examples, 7);
    drop(&s);
    assert_int_equal(make(&s, NULL, false, SETS(sets[0])), GLS_ERR_ARGUMENT);
    assert_says(s.ctx, "expected one of them");
    drop(&s);
    remove_tree(top);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_runs_are_refused),
        cmocka_unit_test(changes_are_recorded),
        cmocka_unit_test(weights_of_another_run_are_refused),
        cmocka_unit_test(rows_are_held_out_before_transforms),
        cmocka_unit_test(held_out_labels_are_left_alone),
        cmocka_unit_test(standardisation_is_learned_from_training_rows),
        cmocka_unit_test(shares_are_checked),
        cmocka_unit_test(validation_has_a_file_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
