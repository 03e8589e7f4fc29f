/* The least that a training step of the networks of networks_torch.py must do: reads lines `CASE STEPS` (a case is
 * NAME-BATCH) and answers as roofline.c does. Products and convolutions are the library's at the step's shapes, each in
 * whatever slices of a thread's rows it does fastest.
 *
 * Passes in reals, beyond what products and convolutions read and write, where bias and relu are part of these:
 *
 *   batch norm              forward 3 (statistics must be there before the first output), backward 5
 *   with a residual         forward 4, backward 7 (that of the residual is written, and its sign read)
 *   input of a block        1 (the sum of two gradients)
 *   max pooling of windows of four  forward 1 1/4, backward 1 1/4
 *   dense, activation       forward 0, backward 3
 *   momentum                5 a parameter (w, v, g read, w and v written) */
#include "roof.h"

#include "base/context.h"
#include "model/dnnl.h"

enum { ROOM = 128 * 32 * 32 * 32, MOST_SIZES = 8, MOST_LAYERS = 8 };
typedef enum way { FORWARD, BACKWARD, WEIGHTS, WAYS } way;

/* `count` convolutions of the same shape, of [in, size, size]. */
typedef struct convolution {
    int64_t count, in, out, size, kernel, stride;
    bool input; /* has a gradient */
} convolution;

/* What one thread needs to run it in slices of that many rows. */
typedef struct sliced {
    gls_dnnl_weights *weights;
    gls_dnnl_conv *conv;
    void *packed, *scratch;
    gls_real *own;
} sliced;

typedef struct layer {
    convolution c;
    gls_conv_shape shape;
    int64_t rows, size[WAYS];   /* of a step; the slices in use */
    sliced (*with)[MOST_SIZES]; /* [threads] slices of 1, 2, 4, ... rows */
} layer;

static int64_t log_of(int64_t size) {
    int64_t k = 0;
    while ((int64_t)1 << k < size) k++;
    return k;
}

static void make_sliced(sliced *s, const gls_conv_shape *shape, int64_t rows) {
    need(ctx, gls_dnnl_weights_create(ctx, shape, GLS_STORAGE_REAL, &s->weights));
    if (!s->weights) exit(3); /* no library: no roofline */
    s->packed = gls_alloc(ctx, gls_dnnl_packed_bytes(s->weights), 1);
    s->scratch = gls_alloc(ctx, gls_dnnl_scratch(s->weights, rows), 1);
    s->own = gls_alloc(ctx, gls_dnnl_own_size(s->weights), sizeof *s->own);
    if (!s->packed || !s->scratch || !s->own) exit(1);
    need(ctx, gls_dnnl_pack(s->weights, room[0], s->packed));
    gls_dnnl_conv_plan plan = {.rows = rows, .backward = true};
    need(ctx, gls_dnnl_conv_create(ctx, s->weights, &plan, s->scratch, &s->conv));
}

typedef struct job {
    const layer *l;
    way way;
} job;

static gls_status run_slices(void *user, int64_t task, int worker) {
    (void)worker;
    const job *j = user;
    const layer *l = j->l;
    int64_t rows = l->rows / threads, size = l->size[j->way], x = gls_extent_size(l->shape.in),
            y = gls_extent_size(l->shape.out);
    const sliced *s = &l->with[task][log_of(size)];
    for (int64_t k = 0; k < l->c.count; k++)
        for (int64_t r = task * rows; r < (task + 1) * rows; r += size) {
            if (j->way == FORWARD)
                GLS_TRY(gls_dnnl_conv_forward(s->conv, size, room[0] + r * x, s->packed, NULL, room[1] + r * y));
            else if (j->way == BACKWARD)
                GLS_TRY(gls_dnnl_conv_backward(s->conv, size, room[1] + r * y, s->packed, room[0] + r * x));
            else
                GLS_TRY(gls_dnnl_conv_weights(s->conv, size, room[0] + r * x, room[1] + r * y, s->own));
        }
    return GLS_OK;
}

static double run_way(const layer *l, way w) {
    job j = {l, w};
    double start = now();
    need(ctx, gls_parallel(ctx, threads, run_slices, &j));
    return now() - start;
}

static void choose(layer *l, way w) {
    double best = 1e9;
    int64_t chosen = 1;
    for (int64_t size = 1; size <= l->rows / threads && log_of(size) < MOST_SIZES; size *= 2) {
        l->size[w] = size;
        for (int k = 0; k < 4; k++) {
            double seconds = run_way(l, w);
            if (k == 0 || seconds >= best) continue;
            best = seconds;
            chosen = size;
        }
    }
    l->size[w] = chosen;
}

static void make_layer(layer *l, const convolution *c, int64_t rows) {
    int64_t out = (c->size - 1) / c->stride + 1, inner = gls_dnnl_channels();
    l->c = *c;
    l->rows = rows;
    l->shape = (gls_conv_shape){.in = {c->in, c->size, c->size},
                                .out = {c->out, out, out},
                                .in_inner = c->in % inner ? 1 : inner,
                                .out_inner = inner,
                                .kernel = c->kernel,
                                .stride = c->stride,
                                .pad = c->kernel / 2,
                                .groups = 1,
                                .input_gradient = c->input};
    l->with = calloc((size_t)threads, sizeof *l->with);
    if (!l->with) exit(1);
    for (int t = 0; t < threads; t++)
        for (int64_t size = 1; size <= rows / threads && log_of(size) < MOST_SIZES; size *= 2)
            make_sliced(&l->with[t][log_of(size)], &l->shape, size);
    for (way w = FORWARD; w < WAYS; w++)
        if (w != BACKWARD || c->input) choose(l, w);
}

typedef struct network {
    const char *name;
    convolution convolution[MOST_LAYERS]; /* ends with count 0 */
    int64_t parameters;
} network;

static const network networks[] = {
    {"mlp", {{0}}, 784 * 512 + 512 * 512 + 512 * 10},
    {"convnet", {{1, 3, 32, 32, 5, 1, false}, {1, 32, 64, 16, 5, 1, true}}, 2400 + 51200 + 4096 * 128 + 1280},
    {"resnet20",
     {{1, 3, 16, 32, 3, 1, false},
      {6, 16, 16, 32, 3, 1, true},
      {1, 16, 32, 32, 3, 2, true},
      {5, 32, 32, 16, 3, 1, true},
      {1, 32, 64, 16, 3, 2, true},
      {5, 64, 64, 8, 3, 1, true}},
     272474},
};

typedef struct subject {
    char name[64];
    const network *network;
    int64_t rows;
    layer layer[MOST_LAYERS];
    struct subject *next;
} subject;

static const subject *subject_of(const char *name) {
    static subject *all;
    for (subject *s = all; s; s = s->next)
        if (strcmp(s->name, name) == 0) return s;
    const char *dash = strrchr(name, '-');
    subject *s = calloc(1, sizeof *s);
    if (!s || !dash) exit(2);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->rows = atol(dash + 1);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if (strncmp(name, networks[i].name, (size_t)(dash - name)) == 0) s->network = &networks[i];
    if (!s->network || s->rows < threads || s->rows % threads) exit(2);
    int before = gls_omp_one();
    for (int i = 0; i < MOST_LAYERS && s->network->convolution[i].count; i++)
        make_layer(&s->layer[i], &s->network->convolution[i], s->rows);
    gls_omp_restore(before);
    s->next = all;
    all = s;
    return s;
}

static double dense_layers(const subject *s) {
    if (strcmp(s->network->name, "mlp") == 0)
        return dense(1, s->rows, 512, 784, false) + dense(1, s->rows, 512, 512, true) +
               dense(1, s->rows, 10, 512, true);
    if (strcmp(s->network->name, "convnet") == 0)
        return dense(1, s->rows, 128, 4096, true) + dense(1, s->rows, 10, 128, true);
    return dense(1, s->rows, 10, 64, true);
}

/* Over one stage's activations. Of a stage's batch norms half have a residual, as many inputs of blocks are summed. */
static double stage(int64_t rows, int64_t channels, int64_t size, int64_t plain, int64_t residual) {
    int64_t extent = rows * channels * size * size;
    return passes(extent * (plain * 8 + residual * (11 + 1)), extent);
}

static double memory(const subject *s) {
    int64_t rows = s->rows;
    double seconds = passes(5 * s->network->parameters, s->network->parameters);
    if (strcmp(s->network->name, "mlp") == 0) return seconds + passes(rows * 3 * 1024, rows * 512);
    if (strcmp(s->network->name, "convnet") == 0)
        return seconds + passes(rows * 32 * 1024 * 5 / 2, rows * 32 * 1024) +
               passes(rows * 64 * 256 * 5 / 2, rows * 64 * 256) + passes(rows * 3 * 128, rows * 128);
    return seconds + stage(rows, 16, 32, 1 + 3, 3) + stage(rows, 32, 16, 3, 3) + stage(rows, 64, 8, 3, 3);
}

static void step(const char *name, double seconds[2]) {
    const subject *s = subject_of(name);
    seconds[0] += dense_layers(s);
    for (int i = 0; i < MOST_LAYERS && s->layer[i].rows; i++)
        for (way w = FORWARD; w < WAYS; w++)
            if (w != BACKWARD || s->layer[i].c.input) seconds[0] += run_way(&s->layer[i], w);
    seconds[1] += memory(s);
}

int main(int argc, char **argv) {
    make_rooms(argc > 1 ? atoi(argv[1]) : 2, ROOM);
    return answer(step);
}
