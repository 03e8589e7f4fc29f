/* The trainer through the library: bits, ends, averages, observers, refused steps. */
#include "trained.h"

/* Threads, workers, and validations do not touch the bits; another seed does. */
static void bits(void **state) {
    (void)state;
    outcome a = TRAIN("train.seed=1");
    must_be_ok(&a);
    static const char *const others[] = {"train.threads=2", "train.workers=0", "train.workers=3",
                                         "train.validate_every=5s"};
    for (int i = 0; i < 4; i++) {
        outcome b = TRAIN(others[i]);
        must_be_ok(&b);
        assert_true(same_weights(&a, &b));
        outcome_clear(&b);
    }
    outcome c = TRAIN("train.seed=2");
    must_be_ok(&c);
    assert_false(same_weights(&a, &c));
    assert_true(a.result.test_loss < 2.2 && a.result.test_score > 0.2);
    assert_int_equal(a.result.steps, 30);
    assert_int_equal(a.result.stopped, GLS_STOP_EPOCHS);
    outcome_clear(&a);
    outcome_clear(&c);
}

/* Batch norm in groups, micro-batches of one and of several: threads and measures change nothing; train.bn_span says
 * the same as bn_group. */
static void batch_norm_in_groups(void **state) {
    (void)state;
    static const char *const groups = "model={name: mlp, hidden: [16], norm: batch, bn_group: 8}";
    static const char *const estimators[] = {"estimator=mean", "estimator={name: microbatch, microbatch: 8}",
                                             "estimator={name: microbatch, microbatch: 24, bound: 0.5, way: streamed}"};
    for (int i = 0; i < 3; i++) {
        outcome a = TRAIN(groups, estimators[i]);
        must_be_ok(&a);
        outcome other[] = {
            TRAIN(groups, estimators[i], "train.threads=2"),
            TRAIN(groups, estimators[i],
                  "measure={loss: {every: 2s, mode: train, sample: 100}, sharpness: {every: 20s}}"),
            TRAIN("model={name: mlp, hidden: [16], norm: batch}", estimators[i], "train.bn_span=8"),
        };
        for (int k = 0; k < 3; k++) {
            must_be_ok(&other[k]);
            assert_true(same_weights(&a, &other[k]));
            assert_true(a.result.test_loss == other[k].result.test_loss);
            outcome_clear(&other[k]);
        }
        outcome_clear(&a);
    }
    outcome refused = TRAIN(groups, "estimator={name: microbatch, microbatch: 1, bound: 1}");
    assert_int_equal(refused.status, GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(refused.message, "bn_group"));
    outcome both = TRAIN(groups, "train.bn_span=16");
    assert_int_equal(both.status, GLS_ERR_ARGUMENT);
    assert_non_null(strstr(both.message, "train.bn_span"));
    outcome_clear(&refused);
    outcome_clear(&both);
}

/* Looks of a measure along a run of 300 steps of 60 of 600 examples, and the size of its samples; the looks are that
 * many steps apart. */
static void look_at(const char *folder, const char *measure, int looks, int sample) {
    char path[200], line[8192], name[64], size[32];
    long long step, found = 0;
    snprintf(path, sizeof path, "%s/measures.jsonl", folder);
    snprintf(name, sizeof name, "\"measure\":\"%s\"", measure);
    snprintf(size, sizeof size, "\"sample\":%d,", sample);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(sscanf(line, "{\"step\":%lld", &step), 1);
        if (!strstr(line, name)) continue;
        assert_int_equal(step, 300 / looks * ++found);
        if (!strstr(line, size)) fail_msg("%s: expected %s", line, size);
    }
    fclose(file);
    assert_int_equal(found, looks);
}

/* Measures without a cadence share a tenth of the steps' gradients, 1,800: each has 900. A loss takes 600/3, which
 * makes 4 looks; diversity takes 2.6 * 600, so it reads 300 examples and looks once. The sharpness of 20 products of 20
 * takes 1,200, so it looks once and leaves 600 for 3 losses; diversity on all examples, as told, leaves 240 for one. */
static void automatic_cadence_keeps_to_its_share(void **state) {
    (void)state;
    static const struct {
        const char *measures;
        struct {
            const char *name;
            int looks, sample;
        } of[2];
    } cases[] = {
        {"measure={gradient_diversity: {}, loss: {every: auto}, time_averages: {}}",
         {{"loss", 4, 600}, {"gradient_diversity", 1, 300}}},
        {"measure={sharpness: {sample: 20, products: 20}, loss: {}}", {{"loss", 3, 600}, {"sharpness", 1, 20}}},
        {"measure={gradient_diversity: {sample: all}, loss: {}}", {{"loss", 1, 600}, {"gradient_diversity", 1, 600}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char folder[64];
        const char *const overrides[] = {"train.batch=60", "train.epochs=30", "train.log_every=1s", cases[i].measures,
                                         NULL};
        outcome o = train(fresh_folder(folder), false, NULL, overrides);
        must_be_ok(&o);
        for (int k = 0; k < 2; k++) look_at(folder, cases[i].of[k].name, cases[i].of[k].looks, cases[i].of[k].sample);
        outcome_clear(&o);
        remove_tree(folder);
    }
}

/* A language model on text: threads, workers, measures and resuming leave the bits alone, and it learns a text in which
 * the word before the last decides the next. */
static void tokens(void **state) {
    (void)state;
    char folder[64], path[128], data[400], parts[64];
    static const char *const words[] = {"ab", "cd", "ef", "gh", "ij", "kl", "mn"};
    snprintf(path, sizeof path, "%s/text", fresh_folder(folder));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    gls_random random = gls_random_create(1, "text", 0, 0);
    int before = 0, last = 1;
    for (int k = 0; k < 4000; k++) {
        int next = gls_random_below(&random, 10) ? (2 * before + 1) % 7 : (int)gls_random_below(&random, 7);
        fprintf(file, "%s%s", words[next], k % 100 == 99 ? "\n" : " ");
        before = last;
        last = next;
    }
    fclose(file);
    snprintf(data, sizeof data, "data={format: text, train: %s, test: %s, length: 9, transforms: [{replicate: 2}]}",
             path, path);
    const char *const plain[] = {data,
                                 "model={name: nplm, embedding: 12, hidden: 12, window: 2, tie: true, dropout: 0.1}",
                                 "estimator={name: microbatch, microbatch: 1, bound: 1, ledger: true}",
                                 "method={name: adam, lr: 0.02}", "train.epochs=8"};
    static const char measured[] = "measure={gradient_diversity: {every: 20s, sample: 64}, noise_norm: {every: 40s, "
                                   "sample: 64}, loss: {every: 9s}}";
    static const char *const others[] = {"train.threads=2", "train.workers=0", "train.workers=3",
                                         "train.validate_every=5s", measured};
    outcome a = TRAIN(plain[0], plain[1], plain[2], plain[3], plain[4]);
    must_be_ok(&a);
    assert_true(a.result.test_loss < 1.1 && a.result.test_score > 0.8);
    for (int i = 0; i < 5; i++) {
        outcome b = TRAIN(plain[0], plain[1], plain[2], plain[3], plain[4], others[i]);
        must_be_ok(&b);
        assert_true(same_weights(&a, &b));
        assert_true(a.result.test_loss == b.result.test_loss);
        outcome_clear(&b);
    }
    fresh_folder(parts);
    for (int i = 0; i < 2; i++) {
        stopper s = {.at = i ? 0 : 17};
        gls_observer observer = {.name = "stopper", .every = {1, true}, .user = &s, .step = stop_at};
        const char *const all[] = {plain[0], plain[1], plain[2], plain[3], plain[4], NULL};
        outcome b = train(parts, i > 0, &observer, all);
        must_be_ok(&b);
        if (i > 0) assert_true(same_weights(&a, &b));
        outcome_clear(&b);
    }
    outcome_clear(&a);
    remove_tree(folder);
    remove_tree(parts);
}

/* What ends a run says so. */
static void ends(void **state) {
    (void)state;
    static const struct {
        const char *settings[6], *stopped;
    } cases[] = {
        {{"train.steps=7"}, "steps"},
        {{"train.epochs=1"}, "epochs"},
        {{"train.target_loss=2", "train.validate_every=1s", "train.epochs=20"}, "target_loss"},
        {{"train.target_accuracy=0.2", "train.validate_every=1s", "train.epochs=20"}, "target_score"},
        {{"train.patience=2", "train.validate_every=1s", "method.lr=1e-30", "train.monitor=train"}, "patience"},
        {{"train.time=0.05", "train.epochs=1000000", "train.validate_every=0"}, "time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome o = train(NULL, false, NULL, cases[i].settings);
        must_be_ok(&o);
        assert_string_equal(gls_stop_reason_name(o.result.stopped), cases[i].stopped);
        outcome_clear(&o);
    }
}

/* A gradient that overflows: stop is an error that leaves the weights finite, skip goes on and counts. In double the
 * weights that are left are so large that their loss overflows: that is no result either. */
static void refuses_nonfinite_steps(void **state) {
    (void)state;
    const char *const blow[] = {"model={name: least_squares}", "data={format: gaussians, train_size: 200}",
                                "method={name: sgd, lr: 0.5}", "train.epochs=300",
                                "train.nonfinite=stop",        NULL};
    outcome o = train(NULL, false, NULL, blow);
    assert_int_equal(o.status, GLS_ERR_NONFINITE);
    assert_non_null(strstr(o.message, "are not finite"));
    for (int64_t i = 0; i < o.size; i++) assert_true(isfinite(o.w[i]));
    outcome_clear(&o);
    const char *const skip[] = {blow[0], blow[1], blow[2], blow[3], "train.nonfinite=skip", NULL};
    o = train(NULL, false, NULL, skip);
    if (sizeof(gls_real) == 4) {
        must_be_ok(&o);
        assert_true(o.result.refused > 0 && o.result.refused < o.result.steps);
    } else {
        assert_int_equal(o.status, GLS_ERR_NONFINITE);
        assert_non_null(strstr(o.message, "is infinite though the weights are finite"));
    }
    for (int64_t i = 0; i < o.size; i++) assert_true(isfinite(o.w[i]));
    outcome_clear(&o);
    /* A finite gradient whose step overflows is an error under either policy. */
    const char *const leap[] = {blow[0], blow[1], "method={name: sgd, lr: 1e300}", "train.nonfinite=skip", NULL};
    o = train(NULL, false, NULL, leap);
    assert_int_equal(o.status, GLS_ERR_NONFINITE);
    assert_non_null(strstr(o.message, "the step itself"));
    outcome_clear(&o);
}

/* A watching observer: it keeps every iterate; evaluations of its own change nothing. */
typedef struct watcher {
    double *sum;
    int64_t count, ends;
} watcher;

static gls_status watch(void *user, gls_run *run, unsigned why) {
    watcher *s = user;
    s->ends += (why & GLS_WHY_END) != 0;
    int64_t d = gls_problem_size(gls_run_problem(run));
    if (!s->sum) s->sum = calloc((size_t)d, sizeof *s->sum);
    const gls_real *w = gls_run_weights(run);
    for (int64_t i = 0; i < d; i++) s->sum[i] += (double)w[i];
    s->count++;
    gls_run_trace(run, "watched", (double)s->count);
    return GLS_OK;
}

static gls_status watch_arrays(void *user, const char *prefix, gls_arrays *arrays) {
    (void)prefix, (void)user, (void)arrays;
    return GLS_OK;
}

static void observers_change_nothing(void **state) {
    (void)state;
    outcome a = TRAIN("train.epochs=1");
    watcher watching = {0};
    gls_observer observer = {
        .name = "watcher", .every = {1, true}, .user = &watching, .step = watch, .end = watch, .arrays = watch_arrays};
    char folder[64];
    outcome b = train(fresh_folder(folder), false, &observer, (const char *const[]){"train.epochs=1", NULL});
    must_be_ok(&a);
    must_be_ok(&b);
    assert_true(same_weights(&a, &b));
    assert_int_equal(watching.count, b.result.steps + 1); /* and once at the end */
    assert_int_equal(watching.ends, 1);
    free(watching.sum);
    outcome_clear(&a);
    outcome_clear(&b);
    remove_tree(folder);
}

/* A uniform average's result is the mean of the points at which gradients were taken. */
static void averages(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, small);
    assert_ok(ctx, gls_config_set(ctx, config, "train.average=uniform"));
    gls_run_options wanted = {.size = sizeof wanted, .config = config};
    gls_run *run;
    assert_ok(ctx, gls_run_create(ctx, &wanted, &run));
    int64_t d = gls_problem_size(gls_run_problem(run));
    double *sum = calloc((size_t)d, sizeof *sum);
    int steps = 0;
    for (bool done = false; !done; steps++) {
        for (int64_t i = 0; i < d; i++) sum[i] += (double)gls_run_weights(run)[i];
        assert_ok(ctx, gls_run_step(run, &done));
        if (done)
            for (int64_t i = 0; i < d; i++) sum[i] -= (double)gls_run_weights(run)[i];
    }
    const gls_real *output = gls_run_output(run);
    double worst = 0;
    for (int64_t i = 0; i < d; i++) worst = fmax(worst, fabs(sum[i] / (steps - 1) - (double)output[i]));
    assert_true(worst < 1e-7);
    free(sum);
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

/* The final training loss against sums over single examples computed here, l2 included. */
static void final_loss_is_the_mean_over_the_set(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, small);
    gls_run_options wanted = {.size = sizeof wanted, .config = config};
    gls_run *run;
    gls_run_result result;
    assert_ok(ctx, gls_run_create(ctx, &wanted, &run));
    assert_ok(ctx, gls_run_train(run, &result));
    const gls_source *set = gls_run_train_set(run);
    int64_t n = set->info.examples, d = set->info.features, k = set->info.classes;
    const gls_layout *layout = gls_problem_layout(gls_run_problem(run));
    const gls_real *w = gls_run_weights(run), *weight = w + gls_layout_find(layout, "weight")->offset,
                   *bias = w + gls_layout_find(layout, "bias")->offset;
    gls_rows *rows;
    gls_batch batch;
    assert_ok(ctx, gls_rows_create(ctx, &set->info, 1, &rows));
    double loss = 0, correct = 0, decay = 0;
    for (int64_t i = 0; i < n; i++) {
        gls_fetch fetch = {.count = 1, .index = &i};
        assert_ok(ctx, gls_source_fetch(set, ctx, &fetch, rows, &batch));
        double z[16], top = -INFINITY, sum = 0;
        int64_t best = 0;
        for (int64_t c = 0; c < k; c++) {
            z[c] = (double)bias[c];
            for (int64_t j = 0; j < d; j++) z[c] += (double)weight[c * d + j] * (double)batch.x[j];
            if (z[c] > top) {
                top = z[c];
                best = c;
            }
        }
        for (int64_t c = 0; c < k; c++) sum += exp(z[c] - top);
        loss += log(sum) + top - z[batch.label[0]];
        correct += best == batch.label[0];
    }
    for (int64_t i = 0; i < k * d; i++) decay += (double)weight[i] * (double)weight[i];
    assert_true(fabs(loss / (double)n + 0.5 * 1e-4 * decay - result.train_loss) < 1e-5);
    assert_true(fabs(correct / (double)n - result.train_score) < 1e-9);
    gls_rows_destroy(rows);
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits),
        cmocka_unit_test(automatic_cadence_keeps_to_its_share),
        cmocka_unit_test(batch_norm_in_groups),
        cmocka_unit_test(tokens),
        cmocka_unit_test(ends),
        cmocka_unit_test(refuses_nonfinite_steps),
        cmocka_unit_test(observers_change_nothing),
        cmocka_unit_test(averages),
        cmocka_unit_test(final_loss_is_the_mean_over_the_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
