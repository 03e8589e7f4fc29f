/* certificate.safetensors of a run with ingd, recomputed from its points; a run that ends for another reason has none.
 */
#include "support.h"

#include "base/tensors.h"

enum { N = 6, D = 2, MOST = 4000 };

static const double x[N][D] = {{1, 0.5}, {-0.5, 2}, {1.5, -1}, {0.25, 0.75}, {-1, -1.25}, {2, 0.5}};
static const double y[N] = {0.5, -1.25, 2.5, 0.75, -0.5, 1.5};

/* Mean over rows of (<w, x> - y)^2/2. */
static void add_gradient(const gls_real *w, double weight, double g[D]) {
    for (int i = 0; i < N; i++) {
        double r = (double)w[0] * x[i][0] + (double)w[1] * x[i][1] - y[i];
        for (int k = 0; k < D; k++) g[k] += weight * r * x[i][k] / N;
    }
}

static void train(gls_context *ctx, const char *folder, int steps, gls_run_result *result, gls_real w[D]) {
    char text[512], data[96], out[96];
    gls_run *run;
    snprintf(data, sizeof data, "%s/train.svm", folder);
    snprintf(out, sizeof out, "%s/out-%d", folder, steps);
    FILE *f = fopen(data, "w");
    for (int i = 0; i < N; i++) fprintf(f, "%g 1:%g 2:%g\n", y[i], x[i][0], x[i][1]);
    fclose(f);
    snprintf(text, sizeof text,
             "data: {train: %s}\nmodel: {name: least_squares, bias: false}\n"
             "method: {name: ingd, L: 6, gap: 3, delta: 2, eps: 0.5, certificate: %d}\n"
             "train: {epochs: 0, steps: %d, batch: all, threads: 1}\n",
             data, MOST, steps);
    gls_value *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = config, .folder = out};
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    assert_ok(ctx, gls_run_train(run, result));
    memcpy(w, gls_run_weights(run), D * sizeof *w);
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
}

static gls_status take_extents(void *owner, gls_array *array, const int64_t *shape) {
    (void)array;
    *(int64_t *)owner = shape[0];
    return shape[0] <= MOST ? GLS_OK : GLS_ERR_INPUT;
}

static void recomputes_from_its_points(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    char folder[64], path[128];
    gls_run_result result;
    static gls_real points[MOST * D];
    static double weights[MOST];
    gls_real w[D], m[D];
    double g[D] = {0}, total = 0;
    int64_t counts[2] = {1, 1}, shape[2] = {1, D};
    train(ctx, fresh_folder(folder), 100000, &result, w);
    assert_int_equal(result.stopped, GLS_STOP_METHOD);
    snprintf(path, sizeof path, "%s/out-100000/certificate.safetensors", folder);
    gls_tensors *file;
    gls_arrays arrays = {0};
    assert_ok(ctx, gls_tensors_open(ctx, path, &file));
    assert_ok(ctx, gls_arrays_add(ctx, &arrays, "points", GLS_DTYPE_REAL, 2, shape, points));
    gls_arrays_resizable(&arrays, take_extents, &counts[0]);
    assert_ok(ctx, gls_arrays_add_vector(ctx, &arrays, "weights", GLS_F64, 1, weights));
    gls_arrays_resizable(&arrays, take_extents, &counts[1]);
    assert_ok(ctx, gls_arrays_add_vector(ctx, &arrays, "m", GLS_DTYPE_REAL, D, m));
    assert_ok(ctx, gls_tensors_restore(file, &arrays));
    gls_arrays_clear(ctx, &arrays);
    gls_tensors_close(file);
    assert_true(counts[0] >= 2 && counts[0] == counts[1]);
    for (int64_t j = 0; j < counts[0]; j++) {
        const gls_real *p = points + j * D;
        assert_true(hypot((double)(p[0] - w[0]), (double)(p[1] - w[1])) <= 2 * (1 + 1e-5));
        total += weights[j];
        add_gradient(p, weights[j], g);
    }
    assert_true(fabs(total - 1) < 1e-6);
    assert_true(hypot(g[0], g[1]) <= 0.5 * (1 + 1e-5));
    assert_true(fabs(g[0] - (double)m[0]) < 1e-6 && fabs(g[1] - (double)m[1]) < 1e-6);
    remove_tree(folder);
    gls_context_destroy(ctx);
}

static void none_before_the_end(void **state) {
    (void)state;
    gls_context *ctx = make_context(1, 1);
    char folder[64], path[128];
    gls_run_result result;
    gls_real w[D];
    train(ctx, fresh_folder(folder), 2, &result, w);
    assert_int_equal(result.stopped, GLS_STOP_STEPS);
    snprintf(path, sizeof path, "%s/out-2/certificate.safetensors", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    remove_tree(folder);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(recomputes_from_its_points),
                                       cmocka_unit_test(none_before_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
