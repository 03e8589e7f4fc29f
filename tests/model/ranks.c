/* Under mpirun: a residual network whose batch norm spans the ranks, or groups of examples, against one process, to
 * rounding: gradient (plain, or of clipped micro-batches), loss and running statistics; and to the bit: outputs without
 * labels. Returns 1 on the first difference. */
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

static gls_status make_estimator(gls_problem *p, int64_t micro, gls_estimator **out) {
    char text[100] = "{name: mean}";
    gls_value *map;
    if (micro) snprintf(text, sizeof text, "{name: microbatch, microbatch: %d, ratio_every: 0}", (int)micro);
    GLS_TRY(gls_yaml_parse(p->ctx, "test", text, (int64_t)strlen(text), &map));
    gls_status status = gls_estimator_create(p, map, 1, out);
    gls_value_destroy(p->ctx, map);
    return status;
}

typedef struct answer {
    gls_real *g, *state, *z;
    int64_t d, states;
    double loss;
} answer;

static answer run(gls_comm *comm, const gls_batch *batch, const gls_data_info *info, const char *text, int64_t micro) {
    gls_context_options options = {.size = sizeof options, .threads = 1, .seed = 2, .comm = comm};
    gls_context *ctx;
    gls_value *map;
    gls_problem *p;
    gls_pass *pass;
    gls_estimator *e;
    if (gls_context_create(&ctx, &options) != GLS_OK) exit(1);
    need(ctx, gls_yaml_parse(ctx, "test", text, (int64_t)strlen(text), &map), "options");
    need(ctx, gls_model_create(ctx, "resnet", map, info, &p), "resnet");
    need(ctx, make_estimator(p, micro, &e), "estimator");
    gls_pass_options plan = {.size = sizeof plan, .slice = 5};
    need(ctx, gls_pass_create(p, &plan, &pass), "pass");
    answer out = {.d = gls_problem_size(p), .states = gls_layout_size(p->state_layout)};
    gls_real *w = calloc((size_t)out.d, sizeof *w);
    out.g = calloc((size_t)out.d, sizeof *w);
    out.state = calloc((size_t)out.states, sizeof *w);
    need(ctx, gls_problem_initialize(p, 3, w), "weights");
    shared_stream s = {.stream = {.ops = &ops, .global_rows = batch->rows}};
    gls_rank_share(ctx, batch->rows, gls_estimator_group(e), &s.stream.first, &s.stream.rows);
    s.rows = gls_batch_view(batch, s.stream.first, s.stream.rows);
    gls_estimate estimate;
    need(ctx, gls_estimator_estimate(e, pass, w, &s.stream, 0, out.g, &estimate, NULL), "estimate");
    out.loss = estimate.loss;
    memcpy(out.state, gls_pass_state_next(pass), (size_t)out.states * sizeof *w);
    /* The running statistics agree to rounding only, so that others are set, the same everywhere. */
    for (int64_t i = 0; i < out.states; i++) p->state[i] = (gls_real)(1 + 0.5 * sin((double)i));
    out.z = calloc((size_t)(batch->rows * p->outputs), sizeof *w);
    s.rows.label = NULL;
    need(ctx, gls_pass_outputs(pass, w, &s.stream, out.z), "outputs");
    free(w);
    gls_estimator_destroy(e);
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

static bool same(gls_comm *comm, const gls_batch *batch, const gls_data_info *info, const char *text, int64_t micro) {
    answer many = run(comm, batch, info, text, micro), one = run(NULL, batch, info, text, micro);
    double tolerance = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;
    double g = distance(many.g, one.g, one.d), state = distance(many.state, one.state, one.states);
    double loss = fabs(many.loss - one.loss) / one.loss;
    bool right = g < tolerance && state < tolerance && loss < tolerance;
    if (memcmp(many.z, one.z, (size_t)(batch->rows * CLASSES) * sizeof *one.z) != 0) {
        fprintf(stderr, "%s: outputs without labels differ\n", text);
        right = false;
    }
    if (!right)
        fprintf(stderr, "%s, micro-batches of %d, %d ranks: gradient %g, state %g, loss %g\n", text, (int)micro,
                gls_comm_size(comm), g, state, loss);
    void *all[] = {many.g, many.state, many.z, one.g, one.state, one.z};
    for (int k = 0; k < 6; k++) free(all[k]);
    return right;
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
    bool right = same(comm, &batch, &info, "{depth: 8}", 0) &&
                 same(comm, &batch, &info, "{depth: 8, bn_group: 4}", 0) &&
                 same(comm, &batch, &info, "{depth: 8, bn_group: 4}", 4) &&
                 same(comm, &batch, &info, "{depth: 8, bn_group: 3}", 6);
    gls_comm_destroy(comm);
    return right ? 0 : 1;
}
