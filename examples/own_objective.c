/* An objective of your own, trained through a callback: a curve y = a exp(-b t) + c fitted to noisy points. The
 * callback gives sums of value and gradient over the examples it is asked for; Glissade does the rest. */
#include <glissade/glissade.h>

#include <math.h>
#include <stdio.h>

enum { EXAMPLES = 400, BATCH = 20, STEPS = 4000 };

typedef struct points {
    double t[EXAMPLES], y[EXAMPLES];
} points;

static int curve(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                 double *value, gls_real *gradient) {
    const points *data = user;
    for (int64_t i = 0; i < count; i++) {
        double t = data->t[example[i]], c = weight ? weight[i] : 1;
        double decay = exp(-w[1] * t), error = w[0] * decay + w[2] - data->y[example[i]];
        *value += c * error * error / 2;
        if (!gradient) continue;
        gradient[0] += (gls_real)(c * error * decay);
        gradient[1] += (gls_real)(-c * error * w[0] * t * decay);
        gradient[2] += (gls_real)(c * error);
    }
    return 0; /* any other number refuses the step and is handed back to the caller */
}

#define CHECK(call)                                            \
    do {                                                       \
        if ((call) != GLS_OK) {                                \
            fprintf(stderr, "%s\n", gls_context_message(ctx)); \
            return 1;                                          \
        }                                                      \
    } while (0)

int main(void) {
    gls_context *ctx = NULL;
    gls_context_options setup = {.size = sizeof setup, .seed = 1};
    if (gls_context_create(&ctx, &setup) != GLS_OK) return 1;

    points data;
    gls_random random = gls_random_create(1, "points", 0, 0);
    for (int i = 0; i < EXAMPLES; i++) {
        data.t[i] = 3.0 * i / EXAMPLES;
        data.y[i] = 2 * exp(-1.5 * data.t[i]) + 0.5 + 0.05 * gls_random_normal(&random);
    }

    gls_problem *problem;
    gls_objective objective = {
        .size = sizeof objective, .parameters = 3, .examples = EXAMPLES, .evaluate = curve, .user = &data};
    CHECK(gls_problem_create_objective(ctx, &objective, &problem));
    gls_source *source;
    CHECK(gls_source_indices(ctx, EXAMPLES, NULL, &source));

    gls_pass *pass;
    CHECK(gls_pass_create(problem, NULL, &pass));
    gls_estimator *estimator;
    CHECK(gls_estimator_create(problem, NULL, 1, &estimator));
    gls_method *method;
    CHECK(gls_method_create_named(ctx, "msgd", 3, &method));
    CHECK(gls_method_set(method, "lr", 0.05));

    gls_sampler *sampler;
    gls_sampler_options sampling = {.size = sizeof sampling, .examples = EXAMPLES, .shuffle = true, .seed = 1};
    CHECK(gls_sampler_create(ctx, &sampling, &sampler));
    gls_rows *rows;
    CHECK(gls_rows_create(ctx, gls_source_info(source), BATCH, &rows));

    gls_real w[3] = {1, 1, 0}, g[3];
    gls_estimate estimate = {0};
    for (int step = 0; step < STEPS; step++) {
        int64_t index[BATCH], slot[BATCH], count;
        uint64_t draw;
        CHECK(gls_sampler_next(sampler, BATCH, index, &count, &draw));
        for (int64_t i = 0; i < count; i++) slot[i] = i;
        gls_fetch fetch = {.count = count, .index = index, .slot = slot, .draw = draw, .seed = 1};
        gls_batch batch;
        CHECK(gls_source_fetch(source, ctx, &fetch, rows, &batch));
        gls_batch_stream stream;
        gls_batch_stream_init(&stream, &batch);
        CHECK(gls_estimator_estimate(estimator, pass, w, &stream.stream, 0, g, &estimate, NULL));
        CHECK(gls_method_step(method, w, g, NULL));
    }
    printf("a %.2f  b %.2f  c %.2f  loss %.5f\n", (double)w[0], (double)w[1], (double)w[2], estimate.loss);

    gls_rows_destroy(rows);
    gls_sampler_destroy(sampler);
    gls_method_destroy(method);
    gls_estimator_destroy(estimator);
    gls_pass_destroy(pass);
    gls_source_destroy(source);
    gls_problem_destroy(problem);
    gls_context_destroy(ctx);
    return 0;
}
