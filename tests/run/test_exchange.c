/* Runs in step on sets that differ in one example, against a trajectory computed here; interruption; what is refused.
 */
#include "support.h"

#include <glissade/search.h>

enum { N = 6, D = 2, EPOCHS = 4 };

static const double x[N][D] = {{1, 0.5}, {-0.5, 2}, {1.5, -1}, {0.25, 0.75}, {-1, -1.25}, {2, 0.5}};
static const double y[N] = {0.5, -1.25, 2.5, 0.75, -0.5, 1.5};
static const double lr = 0.1;

/* Squared loss without bias, batches of two in order, from zero; example `exchanged` has the row of `with`. */
static void descend(int exchanged, int with, int epochs, double w[D]) {
    memset(w, 0, D * sizeof *w);
    for (int e = 0; e < epochs; e++)
        for (int first = 0; first < N; first += 2) {
            double g[D] = {0};
            for (int i = first; i < first + 2; i++) {
                int row = i == exchanged ? with : i;
                double r = w[0] * x[row][0] + w[1] * x[row][1] - y[row];
                for (int k = 0; k < D; k++) g[k] += r * x[row][k] / 2;
            }
            for (int k = 0; k < D; k++) w[k] -= lr * g[k];
        }
}

static double loss_of(const double w[D], int i) {
    double r = w[0] * x[i][0] + w[1] * x[i][1] - y[i];
    return r * r / 2;
}

static double mean_loss(const double w[D], int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) sum += loss_of(w, i) / (to - from);
    return sum;
}

/* How far a row's figures of an exchanged example are from those with another row in its place. */
static double deviation(const gls_exchange_row *row, int epoch, int k, int examples, int exchanged, int with) {
    double w[D], v[D];
    descend(-1, 0, epoch, w);
    descend(exchanged, with, epoch, v);
    double apart = (w[0] - v[0]) * (w[0] - v[0]) + (w[1] - v[1]) * (w[1] - v[1]);
    double sizes = w[0] * w[0] + w[1] * w[1] + v[0] * v[0] + v[1] * v[1];
    return fabs(row->each[k] - sqrt(apart / sizes)) +
           fabs(row->each[examples + k] - (loss_of(w, exchanged) - loss_of(v, exchanged)));
}

static void write_rows(const char *folder, const char *name, int from, int to, char path[128]) {
    snprintf(path, 128, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    for (int i = from; i < to; i++) fprintf(f, "%g 1:%g 2:%g\n", y[i], x[i][0], x[i][1]);
    fclose(f);
}

typedef struct fixture {
    gls_context *ctx;
    gls_value *config;
    gls_context_options runs;
    char folder[64], out[80], train[128], test[128];
    gls_exchange_options options;
} fixture;

static const int64_t examples[2] = {1, 4};

static void set_up(fixture *f) {
    char text[512];
    f->ctx = make_context(1, 1);
    fresh_folder(f->folder);
    write_rows(f->folder, "train.svm", 0, N, f->train);
    write_rows(f->folder, "test.svm", 2, 4, f->test);
    snprintf(text, sizeof text,
             "data: {train: %s, test: %s}\nmodel: {name: least_squares, bias: false}\nmethod: {name: sgd, lr: %g}\n"
             "train: {epochs: %d, batch: 2, shuffle: false, threads: 1, checkpoint_every: 1}\n",
             f->train, f->test, lr, EPOCHS);
    f->config = config_from(f->ctx, text);
    f->runs = (gls_context_options){.size = sizeof f->runs};
    snprintf(f->out, sizeof f->out, "%s/out", f->folder);
    f->options = (gls_exchange_options){.size = sizeof f->options,
                                        .config = f->config,
                                        .example = examples,
                                        .examples = 2,
                                        .folder = f->out,
                                        .context = &f->runs};
}

static void tear_down(fixture *f) {
    remove_tree(f->folder);
    gls_value_destroy(f->ctx, f->config);
    gls_context_destroy(f->ctx);
}

/* Which row takes an example's place is drawn; one of them must explain every epoch. */
static void agrees_with_a_trajectory_of_its_own(void **state) {
    (void)state;
    const double close = sizeof(gls_real) == 4 ? 1e-6 : 1e-12;
    fixture f;
    gls_exchange *out;
    set_up(&f);
    assert_ok(f.ctx, gls_exchange_run(f.ctx, &f.options, &out));
    assert_true(out->batches == 1 && out->series[0].batch == 2 && out->series[0].rows == EPOCHS && !out->interrupted);
    for (int k = 0; k < 2; k++) {
        int found = 0;
        for (int with = 0; with < N; with++) {
            double worst = 0;
            for (int e = 0; e < EPOCHS; e++)
                worst = fmax(worst, deviation(&out->series[0].row[e], e + 1, k, 2, (int)examples[k], with));
            found += with != examples[k] && worst < close;
        }
        assert_int_equal(found, 1);
    }
    for (int e = 0; e < EPOCHS; e++) {
        const gls_exchange_row *row = &out->series[0].row[e];
        double w[D];
        descend(-1, 0, e + 1, w);
        assert_true(row->epoch == e + 1 && row->step == 3 * (e + 1));
        assert_true(fabs(row->train_loss - mean_loss(w, 0, N)) < close);
        assert_true(fabs(row->gap - (mean_loss(w, 2, 4) - mean_loss(w, 0, N))) < close);
        assert_true(fabs(row->distance.mean - (row->each[0] + row->each[1]) / 2) < 1e-15);
        assert_true(fabs(row->eps_stab.deviation - fabs(row->each[2] - row->each[3]) / sqrt(2)) < 1e-15);
    }
    gls_exchange_destroy(out);
    tear_down(&f);
}

static void interrupt_at_second(void *user, const gls_exchange_series *series, const gls_exchange_row *row) {
    if (series->rows == 2 && row == &series->row[1]) gls_interrupt(user);
}

/* Interrupted after two rows, the same call continues: the whole is the same to the last digit. */
static void continues_where_it_was_interrupted(void **state) {
    (void)state;
    static const int64_t batches[2] = {2, 3};
    fixture f, g;
    gls_exchange *out;
    set_up(&f);
    set_up(&g);
    f.options.batch = g.options.batch = batches;
    f.options.batches = g.options.batches = 2;
    assert_ok(f.ctx, gls_exchange_run(f.ctx, &f.options, &out));
    char *whole = gls_exchange_json(out);
    assert_true(out->series[1].rows == EPOCHS && out->series[1].row[0].step == 2);
    gls_exchange_destroy(out);
    gls_context *first = make_context(1, 1); /* an interruption stays with its context */
    g.options.progress = interrupt_at_second;
    g.options.user = first;
    assert_ok(first, gls_exchange_run(first, &g.options, &out));
    assert_true(out->interrupted && out->series[0].rows == 2 && out->series[1].rows == 0);
    gls_exchange_destroy(out);
    gls_context_destroy(first);
    g.options.progress = NULL;
    assert_ok(g.ctx, gls_exchange_run(g.ctx, &g.options, &out));
    char *again = gls_exchange_json(out);
    assert_string_equal(again, whole);
    gls_exchange_destroy(out);
    gls_free(f.ctx, whole);
    gls_free(g.ctx, again);
    tear_down(&f);
    tear_down(&g);
}

static void refuses(fixture *f, const char *words) {
    gls_exchange *out;
    assert_int_equal(gls_exchange_run(f->ctx, &f->options, &out), GLS_ERR_ARGUMENT);
    assert_null(out);
    if (!strstr(gls_context_message(f->ctx), words)) fail_msg("%s", gls_context_message(f->ctx));
}

static void refuses_what_is_not_there(void **state) {
    (void)state;
    static const int64_t beyond[1] = {N}, twice[2] = {3, 3}, other[1] = {0};
    fixture f;
    gls_exchange *out;
    set_up(&f);
    f.options.example = twice;
    refuses(&f, "example 3 was given twice");
    f.options.example = beyond;
    f.options.examples = 1;
    refuses(&f, "exchanged example 6: the training set has 6 examples");
    f.options.example = other;
    f.options.examples = 0;
    refuses(&f, "at least one example");
    f.options.examples = 1;
    remove_tree(f.out);
    assert_ok(f.ctx, gls_exchange_run(f.ctx, &f.options, &out));
    gls_exchange_destroy(out);
    f.options.example = examples;
    refuses(&f, "about other exchanged examples");
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_a_trajectory_of_its_own),
                                       cmocka_unit_test(continues_where_it_was_interrupted),
                                       cmocka_unit_test(refuses_what_is_not_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
