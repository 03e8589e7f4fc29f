/* Convolutions in float: oneDNN against the portable path, for every layout that a network may use; the portable path
 * against the definition. */
#include <omp.h>

#include "check.h"
#include "model/conv.h"
#include "model/dnnl.h"

static const gls_conv_shape shapes[] = {
    {.in = {3, 32, 32},
     .in_inner = 1,
     .out = {16, 0, 0},
     .out_inner = 16,
     .kernel = 3,
     .stride = 1,
     .pad = 1,
     .groups = 1},
    {.in = {16, 15, 13},
     .in_inner = 16,
     .out = {32, 0, 0},
     .out_inner = 16,
     .kernel = 3,
     .stride = 2,
     .pad = 1,
     .groups = 1},
    {.in = {32, 8, 8},
     .in_inner = 16,
     .out = {16, 0, 0},
     .out_inner = 16,
     .kernel = 1,
     .stride = 2,
     .pad = 0,
     .groups = 1,
     .bias = true},
    {.in = {1, 28, 28},
     .in_inner = 1,
     .out = {20, 0, 0},
     .out_inner = 20,
     .kernel = 5,
     .stride = 1,
     .pad = 2,
     .groups = 1,
     .bias = true,
     .relu = true},
    {.in = {20, 14, 14},
     .in_inner = 20,
     .out = {48, 0, 0},
     .out_inner = 48,
     .kernel = 5,
     .stride = 1,
     .pad = 0,
     .groups = 1,
     .bias = true,
     .relu = true,
     .slope = 0.1},
    {.in = {64, 5, 7},
     .in_inner = 16,
     .out = {64, 0, 0},
     .out_inner = 16,
     .kernel = 3,
     .stride = 1,
     .pad = 1,
     .groups = 2},
    {.in = {32, 6, 6},
     .in_inner = 16,
     .out = {32, 0, 0},
     .out_inner = 16,
     .kernel = 3,
     .stride = 1,
     .pad = 1,
     .groups = 32},
    {.in = {6, 9, 9},
     .in_inner = 6,
     .out = {10, 0, 0},
     .out_inner = 10,
     .kernel = 4,
     .stride = 3,
     .pad = 2,
     .groups = 2},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static gls_conv_shape whole(gls_conv_shape s) {
    s.input_gradient = s.in_inner != 1;
    s.out.h = (s.in.h + 2 * s.pad - s.kernel) / s.stride + 1;
    s.out.w = (s.in.w + 2 * s.pad - s.kernel) / s.stride + 1;
    return s;
}

static gls_real *fill(gls_context *ctx, int64_t n, uint64_t draw) {
    gls_real *x = gls_alloc(ctx, n, sizeof *x);
    gls_random random = gls_random_create(1, "convolution test", draw, 0);
    for (int64_t i = 0; x && i < n; i++) x[i] = (gls_real)gls_random_normal(&random);
    return x;
}

static gls_real at(const gls_real *x, gls_extent e, int64_t inner, int64_t c, int64_t y, int64_t z) {
    return x[(c / inner * e.h * e.w + y * e.w + z) * inner + c % inner];
}

/* y, dx and dw by their definitions, in double: L = sum e * conv(x, w). */
static void definition(const gls_conv_shape *s, const gls_real *x, const gls_real *w, const gls_real *e, double *y,
                       double *dx, double *dw) {
    int64_t in = s->in.c / s->groups, out = s->out.c / s->groups, k = s->kernel;
    memset(y, 0, (size_t)gls_extent_size(s->out) * sizeof *y);
    memset(dx, 0, (size_t)gls_extent_size(s->in) * sizeof *dx);
    memset(dw, 0, (size_t)gls_conv_weights(s) * sizeof *dw);
    for (int64_t o = 0; o < s->out.c; o++)
        for (int64_t oy = 0; oy < s->out.h; oy++)
            for (int64_t ox = 0; ox < s->out.w; ox++)
                for (int64_t c = 0; c < in; c++)
                    for (int64_t ky = 0; ky < k; ky++)
                        for (int64_t kx = 0; kx < k; kx++) {
                            int64_t iy = oy * s->stride + ky - s->pad, ix = ox * s->stride + kx - s->pad;
                            if (iy < 0 || ix < 0 || iy >= s->in.h || ix >= s->in.w) continue;
                            int64_t ic = o / out * in + c, iw = ((o * in + c) * k + ky) * k + kx;
                            double value = at(x, s->in, s->in_inner, ic, iy, ix);
                            double grad = at(e, s->out, s->out_inner, o, oy, ox);
                            y[(o * s->out.h + oy) * s->out.w + ox] += value * w[iw];
                            dx[(ic * s->in.h + iy) * s->in.w + ix] += grad * w[iw];
                            dw[iw] += grad * value;
                        }
}

static double difference(const gls_real *x, gls_extent e, int64_t inner, const double *right) {
    double worst = 0, most = 0;
    for (int64_t c = 0; c < e.c; c++)
        for (int64_t y = 0; y < e.h; y++)
            for (int64_t z = 0; z < e.w; z++) {
                double r = right[(c * e.h + y) * e.w + z], d = fabs(at(x, e, inner, c, y, z) - r);
                worst = d > worst ? d : worst;
                most = fabs(r) > most ? fabs(r) : most;
            }
    return worst / most;
}

static void portable_is_definition(void **state) {
    gls_context *ctx = check_context(1, true);
    for (int i = 0; i < SHAPES; i++) {
        gls_conv_shape s = whole(shapes[i]);
        int64_t in = gls_extent_size(s.in), out = gls_extent_size(s.out), weights = gls_conv_weights(&s);
        gls_real *x = fill(ctx, in, 1), *w = fill(ctx, weights, 2), *e = fill(ctx, out, 3);
        gls_real *y = gls_alloc(ctx, out, sizeof *y), *dx = gls_alloc(ctx, in, sizeof *dx);
        gls_real *dw = gls_alloc(ctx, weights, sizeof *dw);
        gls_real *scratch = gls_alloc(ctx, gls_conv_scratch(&s), sizeof *scratch);
        double *ry = gls_alloc(ctx, out, sizeof *ry), *rdx = gls_alloc(ctx, in, sizeof *rdx);
        double *rdw = gls_alloc(ctx, weights, sizeof *rdw);
        definition(&s, x, w, e, ry, rdx, rdw);
        gls_conv_forward(true, &s, x, w, y, scratch);
        gls_conv_backward(true, &s, e, w, dx, scratch);
        gls_conv_weights_add(true, &s, x, e, dw, scratch);
        double tolerance = sizeof(gls_real) == 4 ? 2e-5 : 1e-13;
        assert_true(difference(y, s.out, s.out_inner, ry) < tolerance);
        assert_true(difference(dx, s.in, s.in_inner, rdx) < tolerance);
        assert_true(difference(dw, (gls_extent){weights, 1, 1}, 1, rdw) < tolerance);
        void *all[] = {x, w, e, y, dx, dw, scratch, ry, rdx, rdw};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) gls_free(ctx, all[k]);
    }
    gls_context_destroy(ctx);
}

static double relative(const gls_real *a, const gls_real *b, int64_t n) {
    double worst = 0, most = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - b[i]));
        most = fmax(most, fabs((double)b[i]));
    }
    return worst / most;
}

static void compare(gls_context *ctx, const gls_conv_shape *s, int64_t rows) {
    int64_t in = gls_extent_size(s->in), out = gls_extent_size(s->out), weights = gls_conv_weights(s);
    gls_dnnl_weights *library = NULL;
    gls_dnnl_conv *conv = NULL;
    assert_int_equal(gls_dnnl_weights_create(ctx, s, GLS_STORAGE_REAL, &library), GLS_OK);
    if (!library)
        print_message("[          ] declined: kernel %d, %d channels to %d\n", (int)s->kernel, (int)s->in.c,
                      (int)s->out.c);
    if (!library) return; /* the portable path runs this shape */
    void *scratch = gls_alloc(ctx, gls_dnnl_scratch(library, 5), 1);
    gls_dnnl_conv_plan plan = {.rows = 5, .backward = true, .single = true};
    assert_int_equal(gls_dnnl_conv_create(ctx, library, &plan, scratch, &conv), GLS_OK);
    gls_real *x = fill(ctx, rows * in, 1), *w = fill(ctx, weights, 2), *e = fill(ctx, rows * out, 3);
    gls_real *bias = fill(ctx, s->out.c, 4), *y = fill(ctx, rows * out, 5), *dx = fill(ctx, rows * in, 6);
    gls_real *own = fill(ctx, gls_dnnl_own_size(library), 7), *dw = fill(ctx, weights, 8);
    void *packed = gls_alloc(ctx, gls_dnnl_packed_bytes(library), 1);
    assert_int_equal(gls_dnnl_pack(library, w, packed), GLS_OK);
    assert_int_equal(gls_dnnl_conv_forward(conv, rows, x, packed, s->bias ? bias : NULL, y), GLS_OK);
    if (s->input_gradient) assert_int_equal(gls_dnnl_conv_backward(conv, rows, e, packed, dx), GLS_OK);
    assert_int_equal(gls_dnnl_conv_weights(conv, rows, x, e, own), GLS_OK);
    assert_int_equal(gls_dnnl_conv_plain(conv, own, dw), GLS_OK);
    gls_real *py = gls_alloc(ctx, rows * out, sizeof *py), *pdx = gls_alloc(ctx, rows * in, sizeof *pdx);
    gls_real *pdw = gls_alloc(ctx, weights, sizeof *pdw), *cols = gls_alloc(ctx, gls_conv_scratch(s), sizeof *cols);
    for (int64_t r = 0; r < rows; r++) {
        gls_conv_forward(true, s, x + r * in, w, py + r * out, cols);
        gls_conv_backward(true, s, e + r * out, w, pdx + r * in, cols);
        gls_conv_weights_add(true, s, x + r * in, e + r * out, pdw, cols);
    }
    for (int64_t k = 0; k < rows * out; k++) {
        int64_t c = (k % out) / (gls_extent_positions(s->out) * s->out_inner) * s->out_inner + k % s->out_inner;
        if (s->bias) py[k] += bias[c];
        if (s->relu && py[k] < 0) py[k] *= (gls_real)s->slope;
    }
    assert_true(relative(y, py, rows * out) < 2e-5);
    if (s->input_gradient) assert_true(relative(dx, pdx, rows * in) < 2e-5);
    assert_true(relative(dw, pdw, weights) < 5e-5);
    void *all[] = {x, w, e, bias, y, dx, own, dw, packed, py, pdx, pdw, cols};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) gls_free(ctx, all[k]);
    gls_dnnl_conv_destroy(conv);
    gls_free(ctx, scratch);
    gls_dnnl_weights_destroy(ctx, library);
}

/* Rows that the primitives were made for, fewer, and one. */
static void library_is_portable(void **state) {
    if (gls_dnnl_channels() == 0) skip();
    gls_context *ctx = check_context(1, false);
    omp_set_num_threads(1);
    for (int i = 0; i < SHAPES; i++) {
        gls_conv_shape s = whole(shapes[i]);
        compare(ctx, &s, 5);
        compare(ctx, &s, 3);
        compare(ctx, &s, 1);
    }
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portable_is_definition),
        cmocka_unit_test(library_is_portable),
    };
    return cmocka_run_group_tests_name("convolution", tests, NULL, NULL);
}
