/* Networks in bf16: gradients against products of rounded operands that are written out here. */
#include "bf16.h"

/* ---- one hidden layer and two convolutions, by hand, in double but for the operands ---- */

/* To 8 bits of fraction, to the nearest, ties to even. */
static double rounded(double x) {
    int exponent;
    double fraction = frexp(x, &exponent);
    return ldexp(nearbyint(ldexp(fraction, 8)), exponent - 8);
}

static void round_all(double *x, int64_t n, bool narrow) {
    for (int64_t i = 0; i < n && narrow; i++) x[i] = rounded(x[i]);
}

static double *from_reals(const gls_real *x, int64_t n, bool narrow) {
    double *out = calloc((size_t)n, sizeof *out);
    for (int64_t i = 0; i < n; i++) out[i] = (double)x[i];
    round_all(out, n, narrow);
    return out;
}

/* A 3 x 3 convolution with a pad of 1 of images [c, H, W]: y [k, H, W]. */
enum { H = 5, W = 4, MOST = 16 * H * W };

static bool inside(int64_t y, int64_t x) {
    return y >= 0 && y < H && x >= 0 && x < W;
}

typedef struct layer {
    int64_t in, out; /* channels */
    bool conv;
    const double *w;
    const gls_real *bias;
    double *dw, *db;
} layer;

/* f(position of the weight, of the input, of the output) for every product of the layer. */
typedef void (*visit)(const layer *l, int64_t w, int64_t x, int64_t y, const double *a, double *b);

static void products(const layer *l, visit f, const double *a, double *b) {
    for (int64_t k = 0; k < l->out; k++)
        for (int64_t c = 0; c < l->in; c++) {
            if (!l->conv) f(l, k * l->in + c, c, k, a, b);
            for (int64_t at = 0; l->conv && at < H * W * 9; at++) {
                int64_t oy = at / 9 / W, ox = at / 9 % W, ky = at % 9 / 3, kx = at % 3;
                if (inside(oy + ky - 1, ox + kx - 1))
                    f(l, (k * l->in + c) * 9 + ky * 3 + kx, (c * H + oy + ky - 1) * W + ox + kx - 1,
                      (k * H + oy) * W + ox, a, b);
            }
        }
}

static void forward_product(const layer *l, int64_t w, int64_t x, int64_t y, const double *in, double *out) {
    out[y] += l->w[w] * in[x];
}
static void backward_product(const layer *l, int64_t w, int64_t x, int64_t y, const double *e, double *dx) {
    dx[x] += l->w[w] * e[y];
}

enum { LAYERS = 3, CLASSES = 3 };

/* Layers with relus between them, a softmax at the end: adds a row's gradient, and returns its loss. */
static double row_gradient(const layer *l, int layers, const double *x, int32_t label, bool narrow) {
    static double a[LAYERS + 1][MOST], e[LAYERS + 1][MOST];
    double most = -INFINITY, sum = 0;
    memcpy(a[0], x, (size_t)(l[0].in * (l[0].conv ? H * W : 1)) * sizeof **a);
    for (int i = 0; i < layers; i++) {
        int64_t positions = l[i].conv ? H * W : 1, n = l[i].out * positions;
        for (int64_t k = 0; k < n; k++) a[i + 1][k] = (double)l[i].bias[k / positions];
        products(&l[i], forward_product, a[i], a[i + 1]);
        for (int64_t k = 0; k < n && i + 1 < layers; k++) a[i + 1][k] = fmax(a[i + 1][k], 0);
        if (i + 1 < layers) round_all(a[i + 1], n, narrow);
    }
    const double *z = a[layers];
    for (int k = 0; k < CLASSES; k++) most = fmax(most, z[k]);
    for (int k = 0; k < CLASSES; k++) sum += exp(z[k] - most);
    for (int k = 0; k < CLASSES; k++) e[layers][k] = exp(z[k] - most) / sum - (k == label);
    round_all(e[layers], CLASSES, narrow);
    for (int i = layers; i-- > 0;) {
        int64_t positions = l[i].conv ? H * W : 1, n = l[i].in * (l[i].conv ? H * W : 1);
        for (int64_t k = 0; k < l[i].out * positions; k++) l[i].db[k / positions] += e[i + 1][k];
        memset(e[i], 0, sizeof e[i]);
        products(&l[i], backward_product, e[i + 1], e[i]);
        for (int64_t k = 0; k < n; k++) e[i][k] = a[i][k] > 0 ? e[i][k] : 0;
        round_all(e[i], n, narrow);
        for (int64_t k = 0; k < l[i].out; k++)
            for (int64_t c = 0; c < l[i].in; c++) {
                if (!l[i].conv) l[i].dw[k * l[i].in + c] += e[i + 1][k] * a[i][c];
                for (int64_t at = 0; l[i].conv && at < H * W * 9; at++) {
                    int64_t oy = at / 9 / W, ox = at / 9 % W, ky = at % 9 / 3, kx = at % 3;
                    if (inside(oy + ky - 1, ox + kx - 1))
                        l[i].dw[(k * l[i].in + c) * 9 + ky * 3 + kx] +=
                            e[i + 1][(k * H + oy) * W + ox] * a[i][(c * H + oy + ky - 1) * W + ox + kx - 1];
                }
            }
    }
    return most + log(sum) - z[label];
}

/* The gradient [d] over a batch; weights and biases take turns in the layout. */
static double by_hand(const check_data *d, const gls_layout *layout, const gls_real *w, bool convs, bool narrow,
                      double *g) {
    layer l[LAYERS];
    int layers = (int)gls_layout_count(layout) / 2;
    double *x = from_reals(d->x, d->batch.rows * d->batch.features, narrow), loss = 0;
    for (int i = 0; i < layers; i++) {
        const gls_block *weight = gls_layout_block(layout, 2 * i), *bias = gls_layout_block(layout, 2 * i + 1);
        bool conv = convs && i + 1 < layers;
        l[i] = (layer){weight->shape[1],
                       weight->shape[0],
                       conv,
                       from_reals(w + weight->offset, weight->size, narrow),
                       w + bias->offset,
                       g + weight->offset,
                       g + bias->offset};
        assert_int_equal(bias->size, l[i].out);
    }
    for (int64_t r = 0; r < d->batch.rows; r++)
        loss += row_gradient(l, layers, x + r * d->batch.features, d->label[r], narrow);
    for (int i = 0; i < layers; i++) free((void *)(uintptr_t)l[i].w);
    free(x);
    return loss;
}

static double error_of(const gls_real *g, const double *expected, const gls_block *block) {
    double norm = 0, difference = 0;
    for (int64_t i = block->offset; i < block->offset + block->size; i++) {
        norm += expected[i] * expected[i];
        difference += (g[i] - expected[i]) * (g[i] - expected[i]);
    }
    return sqrt(difference / norm);
}

static void gradients_are_those_of_rounded_operands(void **state) {
    skip_where_there_are_none();
    static const struct {
        const char *family, *options;
        int64_t c, h, w;
    } nets[] = {{"mlp", "{hidden: [9, 6], activation: relu}", 7, 0, 0},
                {"layers",
                 "{layers: [{conv: {channels: 8, pad: 1}}, relu, {conv: {channels: 8, pad: 1}}, relu, flatten,"
                 " {dense: {units: 3}}]}",
                 2, H, W},
                {"layers", /* blocks of channels that the processor multiplies */
                 "{layers: [{conv: {channels: 16, pad: 1}}, relu, {conv: {channels: 16, pad: 1}}, relu, flatten,"
                 " {dense: {units: 3}}]}",
                 3, H, W}};
    enum { NETS = sizeof nets / sizeof *nets };
    for (int k = 0; k < 2 * NETS; k += native ? 2 : 1) { /* the library's kernels, and portable ones */
        gls_context *ctx = check_context(1, k % 2);
        check_data d = check_data_create(6, nets[k / 2].c, nets[k / 2].h, nets[k / 2].w, CLASSES, 0);
        gls_problem *p = bf16_model(ctx, nets[k / 2].family, nets[k / 2].options, &d.info);
        int64_t size = gls_problem_size(p);
        gls_real *w = check_weights(p), *g = calloc((size_t)size, sizeof *g);
        double *narrow = calloc((size_t)size, sizeof *narrow), *wide = calloc((size_t)size, sizeof *wide), loss;
        check_run run = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
        check_gradient_at(&run, w, g);
        assert_int_equal(gls_ask_loss(run.e, &loss), GLS_OK);
        double expected = by_hand(&d, gls_problem_layout(p), w, k > 1, true, narrow);
        by_hand(&d, gls_problem_layout(p), w, k > 1, false, wide);
        assert_true(fabs(loss - expected) < 1e-5 * expected);
        for (int64_t b = 0; b < gls_layout_count(gls_problem_layout(p)); b++) {
            const gls_block *block = gls_layout_block(gls_problem_layout(p), b);
            double here = error_of(g, narrow, block), there = error_of(g, wide, block);
            if (!(here < 1e-5 && there > 1e-3)) print_error("%d %s: %g, %g\n", k, block->name, here, there);
            assert_true(here < 1e-5 && there > 1e-3);
        }
        free(narrow);
        free(wide);
        free(w);
        free(g);
        check_run_destroy(&run);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(gradients_are_those_of_rounded_operands),
    };
    return cmocka_run_group_tests_name("bf16_operands", tests, NULL, NULL);
}
