/* Logistic regression on a9a: Newton's method over gls_pass_hessian_vector against a Newton solver written here from
 * the file's rows, with its own normal equations. Skips where a9a is not there (environment GLISSADE_DATA). */
#include "problem/conformance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(ctx, call)                                                                                                 \
    do {                                                                                                              \
        gls_status ok_status = (call);                                                                                \
        if (ok_status != GLS_OK) fail_msg("%s: %s: %s", #call, gls_status_name(ok_status), gls_context_message(ctx)); \
    } while (0)

enum { P = 123, D = P + 1 };
static const double l2 = 1e-4;

typedef struct dataset {
    gls_context *ctx;
    gls_source *source;
    gls_rows *rows;
    gls_batch batch;
} dataset;

static bool open_dataset(dataset *data) {
    static const char *const near[] = {"../shared/data", "../../shared/data"}; /* of the root, of the build folder */
    const char *folder = getenv("GLISSADE_DATA");
    char path[600];
    for (int i = 0; !folder && i < 2; i++)
        if (access(near[i], R_OK) == 0) folder = near[i];
    snprintf(path, sizeof(path), "%s/libsvm/a9a.xz", folder ? folder : near[0]);
    if (access(path, R_OK) != 0) return false;
    data->ctx = conformance_context(2);
    OK(data->ctx, gls_source_open(data->ctx, "libsvm", path, NULL, NULL, GLS_PART_TRAIN, NULL, &data->source));
    int64_t n = gls_source_info(data->source)->examples, *index = calloc((size_t)n, sizeof *index);
    for (int64_t i = 0; i < n; i++) index[i] = i;
    OK(data->ctx, gls_rows_create(data->ctx, gls_source_info(data->source), n, &data->rows));
    gls_fetch fetch = {.count = n, .index = index};
    OK(data->ctx, gls_source_fetch(data->source, data->ctx, &fetch, data->rows, &data->batch));
    free(index);
    return true;
}

static void close_dataset(dataset *data) {
    gls_rows_destroy(data->rows);
    gls_source_destroy(data->source);
    gls_context_destroy(data->ctx);
}

/* The mean loss at w, its gradient g and Hessian h [D, D]. */
static double plain_newton_system(const gls_batch *b, const double *w, double *g, double *h) {
    double loss = 0;
    memset(g, 0, D * sizeof *g);
    memset(h, 0, D * D * sizeof *h);
    for (int64_t i = 0; i < b->rows; i++) {
        double z = w[P], y = b->label[i] ? 1 : -1;
        for (int64_t t = b->row[i]; t < b->row[i + 1]; t++) z += w[b->column[t]] * b->value[t];
        double q = 1 / (1 + exp(y * z)); /* probability of being wrong */
        loss += -log(1 - q) / (double)b->rows;
        for (int64_t s = b->row[i]; s <= b->row[i + 1]; s++) {
            int64_t js = s < b->row[i + 1] ? b->column[s] : P;
            double xs = s < b->row[i + 1] ? b->value[s] : 1;
            g[js] -= y * q * xs / (double)b->rows;
            for (int64_t t = b->row[i]; t <= b->row[i + 1]; t++) {
                int64_t jt = t < b->row[i + 1] ? b->column[t] : P;
                double xt = t < b->row[i + 1] ? b->value[t] : 1;
                h[js * D + jt] += q * (1 - q) * xs * xt / (double)b->rows;
            }
        }
    }
    for (int64_t j = 0; j < P; j++) {
        loss += 0.5 * l2 * w[j] * w[j];
        g[j] += l2 * w[j];
        h[j * D + j] += l2;
    }
    return loss;
}

/* x solves A x = b by Cholesky; A and b are overwritten. */
static void solve(double *a, double *b) {
    for (int j = 0; j < D; j++) {
        a[j * D + j] += 1e-14;
        for (int k = 0; k < j; k++) a[j * D + j] -= a[j * D + k] * a[j * D + k];
        a[j * D + j] = sqrt(a[j * D + j]);
        for (int i = j + 1; i < D; i++) {
            for (int k = 0; k < j; k++) a[i * D + j] -= a[i * D + k] * a[j * D + k];
            a[i * D + j] /= a[j * D + j];
        }
    }
    for (int i = 0; i < D; i++) {
        for (int k = 0; k < i; k++) b[i] -= a[i * D + k] * b[k];
        b[i] /= a[i * D + i];
    }
    for (int i = D - 1; i >= 0; i--) {
        for (int k = i + 1; k < D; k++) b[i] -= a[k * D + i] * b[k];
        b[i] /= a[i * D + i];
    }
}

static double plain_optimum(const gls_batch *b) {
    double w[D] = {0}, g[D], *h = calloc(D * D, sizeof *h), loss = 0;
    for (int step = 0; step < 10; step++) {
        loss = plain_newton_system(b, w, g, h);
        solve(h, g);
        for (int j = 0; j < D; j++) w[j] -= g[j];
    }
    loss = plain_newton_system(b, w, g, h);
    free(h);
    return loss;
}

typedef struct trainer {
    gls_context *ctx;
    gls_pass *pass;
    gls_batch_stream stream;
    gls_real w[D], g[D];
} trainer;

static double mean_gradient(trainer *t) {
    gls_pass_request request = {.w = t->w, .rows = &t->stream.stream, .want = GLS_WANT_GRADIENT, .g = t->g};
    gls_pass_result result;
    OK(t->ctx, gls_pass_run(t->pass, &request, &result));
    for (int j = 0; j < D; j++) t->g[j] /= (gls_real)result.mass;
    return result.loss / result.mass;
}

/* Conjugate gradients on H s = -g. */
static void newton_step(trainer *t) {
    gls_real s[D] = {0}, r[D], p[D], q[D];
    double rr = 0, mass;
    for (int j = 0; j < D; j++) {
        p[j] = r[j] = -t->g[j];
        rr += (double)r[j] * r[j];
    }
    double first = rr;
    for (int k = 0; k < 80 && rr > 1e-16 * first; k++) {
        double curvature = 0, before = rr;
        OK(t->ctx, gls_pass_hessian_vector(t->pass, t->w, p, &t->stream.stream, GLS_MODE_TRAIN, q, &mass));
        for (int j = 0; j < D; j++) curvature += (double)p[j] * q[j] / mass;
        rr = 0;
        for (int j = 0; j < D; j++) {
            s[j] += (gls_real)(before / curvature * p[j]);
            r[j] -= (gls_real)(before / curvature * q[j] / mass);
            rr += (double)r[j] * r[j];
        }
        for (int j = 0; j < D; j++) p[j] = (gls_real)(r[j] + rr / before * p[j]);
    }
    for (int j = 0; j < D; j++) t->w[j] += s[j];
}

static void reaches_the_optimum_of_another_solver(void **state) {
    dataset data;
    if (!open_dataset(&data)) skip();
    assert_int_equal(data.batch.rows, 32561);
    double wanted = plain_optimum(&data.batch);
    gls_problem *p;
    gls_value *map = gls_value_create(data.ctx, GLS_VALUE_MAP, NULL, NULL);
    OK(data.ctx, gls_value_append(data.ctx, map, gls_value_create(data.ctx, GLS_VALUE_TEXT, "l2", "1e-4")));
    OK(data.ctx, gls_problem_create(data.ctx, "logistic", map, gls_source_info(data.source), &p));
    gls_value_destroy(data.ctx, map);
    assert_int_equal(gls_problem_size(p), D);
    trainer t = {.ctx = data.ctx};
    gls_batch_stream_init(&t.stream, &data.batch);
    OK(data.ctx, gls_pass_create(p, NULL, &t.pass));
    double loss = mean_gradient(&t);
    assert_true(fabs(loss - log(2)) < 1e-6);
    for (int step = 0; step < 7; step++) {
        newton_step(&t);
        loss = mean_gradient(&t);
    }
    if (!(fabs(loss - wanted) < (sizeof(gls_real) == 8 ? 1e-9 : 1e-5) * wanted))
        fail_msg("loss %.12g, the other solver's optimum is %.12g", loss, wanted);
    gls_pass_destroy(t.pass);
    gls_problem_destroy(p);
    close_dataset(&data);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reaches_the_optimum_of_another_solver)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
