/* Under mpirun: a residual network whose batch norm spans the ranks, against one process, to rounding: gradient, loss
 * and running statistics. Returns 1 on the first difference. */
#include <glissade/glissade.h>

#include "base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 26, CHANNELS = 3, SIDE = 9, FEATURES = CHANNELS * SIDE * SIDE, CLASSES = 4 };

typedef struct shared_stream {
    gls_stream stream;
    gls_batch rows;
} shared_stream;

static gls_status get(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    *out = gls_batch_view(&((shared_stream *)stream)->rows, begin, count);
    return GLS_OK;
}

static const gls_stream_ops ops = {get};

static void need(gls_context *ctx, gls_status status, const char *what) {
    if (status == GLS_OK) return;
    fprintf(stderr, "%s: %s\n", what, gls_context_message(ctx));
    exit(1);
}

typedef struct answer {
    gls_real *g, *state;
    int64_t d, states;
    double loss;
} answer;

static answer run(gls_comm *comm, const gls_batch *batch, const gls_data_info *info) {
    gls_context_options options = {.size = sizeof options, .threads = 1, .seed = 2, .comm = comm};
    gls_context *ctx;
    gls_value *map;
    gls_problem *p;
    gls_pass *pass;
    if (gls_context_create(&ctx, &options) != GLS_OK) exit(1);
    const char *text = "{depth: 8}";
    need(ctx, gls_yaml_parse(ctx, "test", text, (int64_t)strlen(text), &map), "options");
    need(ctx, gls_model_create(ctx, "resnet", map, info, &p), "resnet");
    gls_pass_options plan = {.size = sizeof plan, .slice = 5};
    need(ctx, gls_pass_create(p, &plan, &pass), "pass");
    answer out = {.d = gls_problem_size(p), .states = gls_layout_size(p->state_layout)};
    gls_real *w = calloc((size_t)out.d, sizeof *w);
    out.g = calloc((size_t)out.d, sizeof *w);
    out.state = calloc((size_t)out.states, sizeof *w);
    need(ctx, gls_problem_initialize(p, 3, w), "weights");
    shared_stream s = {.stream = {.ops = &ops, .global_rows = batch->rows}};
    gls_rank_share(ctx, batch->rows, 1, &s.stream.first, &s.stream.rows);
    s.rows = gls_batch_view(batch, s.stream.first, s.stream.rows);
    gls_pass_request request = {
        .w = w, .rows = &s.stream, .want = GLS_WANT_GRADIENT, .mode = GLS_MODE_TRAIN, .g = out.g};
    gls_pass_result result;
    need(ctx, gls_pass_run(pass, &request, &result), "pass");
    out.loss = result.loss;
    memcpy(out.state, gls_pass_state_next(pass), (size_t)out.states * sizeof *w);
    free(w);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
    return out;
}

static double distance(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(sum / norm);
}

int main(void) {
    static gls_real x[ROWS * FEATURES];
    static int32_t label[ROWS];
    static int64_t number[ROWS];
    gls_random random = gls_random_create(5, "ranks", 0, 0);
    for (int i = 0; i < ROWS * FEATURES; i++) x[i] = (gls_real)gls_random_normal(&random);
    for (int i = 0; i < ROWS; i++) {
        label[i] = (int32_t)gls_random_below(&random, CLASSES);
        number[i] = i;
    }
    gls_data_info info = {.examples = ROWS,
                          .features = FEATURES,
                          .dims = 3,
                          .shape = {CHANNELS, SIDE, SIDE},
                          .target = GLS_TARGET_CLASS,
                          .classes = CLASSES};
    gls_batch batch = {
        .rows = ROWS, .features = FEATURES, .x = x, .label = label, .index = number, .slot = number, .draw = 1};
    gls_comm *comm = NULL;
    if (gls_comm_create(&comm) != GLS_OK) return 1;
    answer many = run(comm, &batch, &info), one = run(NULL, &batch, &info);
    double tolerance = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;
    double g = distance(many.g, one.g, one.d), state = distance(many.state, one.state, one.states);
    double loss = fabs(many.loss - one.loss) / one.loss;
    bool right = g < tolerance && state < tolerance && loss < tolerance;
    if (!right) fprintf(stderr, "%d ranks: gradient %g, state %g, loss %g\n", gls_comm_size(comm), g, state, loss);
    void *all[] = {many.g, many.state, one.g, one.state};
    for (int k = 0; k < 4; k++) free(all[k]);
    gls_comm_destroy(comm);
    return right ? 0 : 1;
}
