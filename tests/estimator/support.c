#include "estimator/support.h"

#include "base/yaml.h"

#include <stdio.h>

static void explicit_gradients(bench *b) {
    gls_point *point;
    gls_evaluation *evaluation;
    gls_real *g = calloc((size_t)b->d, sizeof *g);
    b->each = calloc((size_t)(b->n * b->d), sizeof *b->each);
    OK(b->ctx, gls_point_create(b->p, &point));
    OK(b->ctx, gls_point_set(point, b->w));
    OK(b->ctx, gls_evaluation_create(b->p, 1, GLS_WANT_GRADIENT, GLS_MODE_TRAIN, &evaluation));
    for (int64_t i = 0; i < b->n; i++) {
        gls_batch row = gls_batch_view(&b->batch, i, 1);
        gls_evaluate_args args = {.point = point, .rows = &row, .want = GLS_WANT_GRADIENT, .state = b->p->state};
        memset(g, 0, (size_t)b->d * sizeof *g);
        OK(b->ctx, gls_evaluate(evaluation, &args));
        OK(b->ctx, gls_ask_gradient(evaluation, GLS_PRODUCT_GRADIENT, NULL, g));
        for (int64_t k = 0; k < b->d; k++) b->each[i * b->d + k] = g[k];
    }
    gls_evaluation_destroy(evaluation);
    gls_point_destroy(point);
    free(g);
}

static void finish(bench *b, int64_t n) {
    OK(b->ctx, gls_pass_create(b->p, NULL, &b->pass));
    b->n = n;
    b->d = gls_problem_size(b->p);
    b->w = calloc((size_t)b->d, sizeof *b->w);
    b->g = calloc((size_t)b->d, sizeof *b->g);
    gls_random random = gls_random_create(31, "weights", 0, 0);
    for (int64_t i = 0; i < b->d; i++) b->w[i] = (gls_real)(0.5 * gls_random_normal(&random));
}

bench bench_softmax(int64_t n, bool masses, int threads) {
    bench b = {.ctx = conformance_context(threads)};
    rows_make(&b.rows, n, 6, false, 3, 0, masses);
    b.batch = b.rows.batch;
    OK(b.ctx, gls_problem_create(b.ctx, "softmax", NULL, &b.rows.info, &b.p));
    finish(&b, n);
    explicit_gradients(&b);
    return b;
}

/* values written in flow style: {key: value} */
bench bench_model_on(int threads, const char *family, const char *options, int64_t n, int64_t channels, int64_t side) {
    bench b = {.ctx = conformance_context(threads)};
    gls_value *map;
    int64_t features = channels * (side > 0 ? side * side : 1);
    if (side < 0)
        rows_make_tokens(&b.rows, n, channels, -side);
    else
        rows_make(&b.rows, n, features, false, 4, 0, false);
    if (side > 0) {
        b.rows.info.dims = 3;
        b.rows.info.shape[0] = channels;
        b.rows.info.shape[1] = b.rows.info.shape[2] = side;
    }
    b.batch = b.rows.batch;
    OK(b.ctx, gls_yaml_parse(b.ctx, "test", options, (int64_t)strlen(options), &map));
    OK(b.ctx, gls_model_create(b.ctx, family, map, &b.rows.info, &b.p));
    gls_value_destroy(b.ctx, map);
    finish(&b, n);
    OK(b.ctx, gls_problem_initialize(b.p, 3, b.w));
    if (b.p->coupling == GLS_COUPLING_NONE) explicit_gradients(&b);
    return b;
}

bench bench_model(const char *family, const char *options, int64_t n, int64_t channels, int64_t side) {
    return bench_model_on(2, family, options, n, channels, side);
}

bench bench_problem(const gls_problem_type *type, int64_t n) {
    bench b = {.ctx = conformance_context(2)};
    rows_make(&b.rows, n, 6, false, 0, 2, false);
    b.batch = b.rows.batch;
    OK(b.ctx, gls_problem_create_type(b.ctx, type, NULL, &b.rows.info, &b.p));
    finish(&b, n);
    return b;
}

bench bench_recorded(const gls_real *gradients, int64_t n, int64_t d) {
    bench b = {.ctx = conformance_context(2)};
    rows_make(&b.rows, n, 0, false, 0, 0, false);
    b.batch = b.rows.batch;
    OK(b.ctx, gls_problem_create_recorded(b.ctx, gradients, 1, n, d, &b.p));
    finish(&b, n);
    b.each = calloc((size_t)(n * d), sizeof *b.each);
    for (int64_t i = 0; i < n * d; i++) b.each[i] = gradients[i];
    return b;
}

void bench_close(bench *b) {
    gls_pass_destroy(b->pass);
    gls_problem_destroy(b->p);
    gls_context_destroy(b->ctx);
    rows_free(&b->rows);
    free(b->w), free(b->g), free(b->each);
}

static gls_value *read_stage(gls_context *ctx, char *text) {
    char *rest, *word = strtok_r(text, " ", &rest);
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    OK(ctx, gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, "name", word)));
    while ((word = strtok_r(NULL, " ", &rest))) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        OK(ctx, gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, word, value)));
    }
    return map;
}

gls_status bench_estimator(bench *b, const char *chain, gls_estimator **out) {
    char text[300], *rest;
    snprintf(text, sizeof(text), "%s", chain);
    gls_value *list = gls_value_create(b->ctx, GLS_VALUE_LIST, NULL, NULL);
    for (char *stage = strtok_r(text, ";", &rest); stage; stage = strtok_r(NULL, ";", &rest))
        OK(b->ctx, gls_value_append(b->ctx, list, read_stage(b->ctx, stage)));
    gls_status status = gls_estimator_create(b->p, list, 77, out);
    gls_value_destroy(b->ctx, list);
    return status;
}

gls_status bench_estimate(bench *b, gls_estimator *e) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &b->batch);
    gls_record_clear(&b->record);
    return gls_estimator_estimate(e, b->pass, b->w, &stream.stream, 0, b->g, &b->out, &b->record);
}

gls_status bench_run(bench *b, const char *chain) {
    gls_estimator *e;
    gls_status status = bench_estimator(b, chain, &e);
    if (status == GLS_OK) status = bench_estimate(b, e);
    gls_estimator_destroy(e);
    return status;
}

double bench_mass(const bench *b, int64_t i) {
    return b->batch.mass ? b->batch.mass[i] : 1;
}

void define_microbatch(const bench *b, const double *each, int64_t size, double bound, bool sum, double *g) {
    int64_t groups = (b->n + size - 1) / size, d = b->d;
    double *mean = calloc((size_t)(groups * d), sizeof *mean), *mass = calloc((size_t)groups, sizeof *mass);
    double *norm = calloc((size_t)groups, sizeof *norm), rho = INFINITY, total = 0;
    for (int64_t i = 0; i < b->n; i++) {
        mass[i / size] += bench_mass(b, i);
        for (int64_t k = 0; k < d; k++) mean[i / size * d + k] += each[i * d + k];
    }
    for (int64_t j = 0; j < groups; j++) {
        total += mass[j];
        for (int64_t k = 0; k < d; k++) {
            mean[j * d + k] *= mass[j] > 0 ? 1 / mass[j] : 0;
            norm[j] += mean[j * d + k] * mean[j * d + k];
        }
        norm[j] = sqrt(norm[j]);
        if (norm[j] > 0) rho = fmin(rho, norm[j]);
    }
    for (int64_t k = 0; k < d; k++) g[k] = 0;
    for (int64_t j = 0; j < groups; j++) {
        double factor = bound > 0 ? fmin(1, bound / norm[j]) : bound < 0 ? 1 / norm[j] : rho / norm[j];
        if (norm[j] == 0) factor = 0;
        for (int64_t k = 0; k < d; k++) g[k] += factor * mean[j * d + k] * (sum ? 1 : mass[j] / total);
    }
    free(mean), free(mass), free(norm);
}

double real_tolerance(void) {
    return sizeof(gls_real) == sizeof(float) ? 2e-5 : 1e-11;
}

void assert_g(const bench *b, const double *wanted, double tolerance) {
    double apart = 0, norm = 0;
    for (int64_t k = 0; k < b->d; k++) {
        apart += (b->g[k] - wanted[k]) * (b->g[k] - wanted[k]);
        norm += wanted[k] * wanted[k];
    }
    if (!(sqrt(apart) <= tolerance * sqrt(norm)))
        fail_msg("g is %g from its definition, whose norm is %g", sqrt(apart), sqrt(norm));
    if (!(fabs(b->out.norm2 - norm) <= 3 * tolerance * norm))
        fail_msg("norm2 is %g, by definition %g", b->out.norm2, norm);
}
