/* State in bf16 and in 8 bits: how single numbers are rounded, and what becomes of steps, trajectories and checkpoints.
 */
#include "support.h"

#include <float.h>
#include <unistd.h>

#include "base/tensors.h"
#include "method/narrow.h"

/* ---- single numbers ---- */

typedef enum width { BF16, Q8_SIGNED, Q8_POSITIVE, WIDTHS } width;

/* x [n] as it comes back; key: of the random bits. */
static void round_trip(width kind, const gls_real *x, gls_real *back, int64_t n, uint32_t key) {
    static const gls_method_code code[] = {
        [Q8_SIGNED] = GLS_METHOD_CODE_SIGNED, [Q8_POSITIVE] = GLS_METHOD_CODE_POSITIVE};
    gls_method_bits bits;
    uint16_t half[GLS_METHOD_RANGE];
    uint8_t byte[GLS_METHOD_RANGE];
    gls_real scale[GLS_METHOD_RANGE / GLS_METHOD_SCALED];
    gls_method_bits_draw(&bits, (uint32_t[]){key, ~key * 77}, 5, n);
    if (kind == BF16) {
        gls_method_bf16_narrow(half, x, &bits, n);
        gls_method_bf16_widen(back, half, n);
    } else {
        gls_method_q8_scale(scale, x, code[kind], n);
        gls_method_q8_narrow(byte, scale, x, code[kind], &bits, n);
        gls_method_q8_widen(back, byte, scale, code[kind], n);
    }
}

/* Over many draws the mean of what comes back is x, within five deviations; and each lies within one gap of x: 1/128 of
 * it in bf16, 1/8 in 8 bits, where small numbers have the gap of the least. */
static void rounding_has_the_right_mean(void **state) {
    enum { N = 300, DRAWS = 20000 };
    static const double least[] = {[BF16] = 0, [Q8_SIGNED] = 0x1p-18, [Q8_POSITIVE] = 0x1p-34};
    gls_real x[N], back[N];
    for (int kind = 0; kind < WIDTHS; kind++) {
        double sum[N] = {0};
        for (int i = 0; i < N; i++) {
            double size = pow(10, -6.0 * (i % 37) / 36) * (1 + i * 0.7 / N);
            x[i] = (gls_real)(kind != Q8_POSITIVE && i % 3 == 0 ? -size : size);
        }
        for (uint32_t k = 0; k < DRAWS; k++) {
            round_trip(kind, x, back, N, k * 2654435761u);
            for (int i = 0; i < N; i++) sum[i] += (double)back[i];
        }
        for (int i = 0; i < N; i++) {
            double gap = fabs((double)x[i]) / (kind == BF16 ? 128 : 8) + 2 * least[kind];
            double error = sum[i] / DRAWS - (double)x[i];
            if (fabs(error) > 5 * gap / 2 / sqrt(DRAWS)) fail_msg("%d: %g is off by %g", kind, (double)x[i], error);
            assert_true(fabs((double)back[i] - (double)x[i]) <= gap * 1.001);
        }
    }
}

/* The bits of neighbours, of halves and of steps have nothing to do with each other. */
static void bits_are_independent(void **state) {
    enum { STEPS = 200, N = GLS_METHOD_RANGE };
    double mean = 0, neighbours = 0, across = 0, pairs = 0, turned = 0;
    gls_method_bits now, other, before = {{0}};
    for (uint32_t k = 0; k < STEPS; k++) {
        gls_method_bits_draw(&now, (uint32_t[]){k, 3 * k + 1}, 100 * k, N);
        other = now;
        gls_method_bits_turn(&other, N);
        for (int i = 2; i < N; i++) {
            double x = now.each[i] / 65536.0 - 0.5;
            mean += x;
            neighbours += x * (now.each[i - 1] / 65536.0 - 0.5);
            pairs += x * (now.each[i - 2] / 65536.0 - 0.5);
            turned += x * (other.each[i] / 65536.0 - 0.5);
            if (k) across += x * (before.each[i] / 65536.0 - 0.5);
        }
        before = now;
    }
    double n = (double)STEPS * N, spread = sqrt(1.0 / 12);
    assert_true(fabs(mean) < 5 * spread * sqrt(n));
    assert_true(fabs(neighbours) < 5 / 12.0 * sqrt(n));
    assert_true(fabs(pairs) < 5 / 12.0 * sqrt(n));
    assert_true(fabs(across) < 5 / 12.0 * sqrt(n));
    assert_true(fabs(turned / n) < 2.0 / 12 / 256 + 5 / 12.0 / sqrt(n));
}

/* A part of a range has the bits that it has in the whole. */
static void bits_do_not_depend_on_the_length(void **state) {
    gls_method_bits whole, part;
    const uint32_t key[2] = {4, 9};
    gls_method_bits_draw(&whole, key, 17, GLS_METHOD_RANGE);
    for (int n = 1; n < 40; n++) {
        gls_method_bits_draw(&part, key, 17, n);
        assert_memory_equal(whole.each, part.each, (size_t)n * sizeof *whole.each);
    }
}

static void check_one(width kind, double largest, double x, double low, double high) {
    gls_real all[2] = {(gls_real)largest, (gls_real)x}, back[2];
    for (uint32_t key = 0; key < 50; key++) {
        round_trip(kind, all, back, 2, key);
        if (!((double)back[1] >= low && (double)back[1] <= high))
            fail_msg("%d: %g beside %g became %g", kind, x, largest, (double)back[1]);
        bool exact = kind != BF16 && largest > 8 * (double)FLT_MIN;
        assert_true(fabs((double)back[0] - largest) <= fabs(largest) / (exact ? 1e6 : kind == BF16 ? 127 : 7));
    }
}

/* Zero stays zero, and what roots will be taken of stays above it, beside whatever; nothing finite becomes infinite. */
static void limits_of_the_numbers(void **state) {
    for (int kind = 0; kind < WIDTHS; kind++) {
        check_one(kind, 1, 0, 0, 0);
        check_one(kind, 0, 0, 0, 0);
        check_one(kind, FLT_MAX * 0.9, 0, 0, 0);
        check_one(kind, 1e-30, 1e-30, 0.9e-30, 1.1e-30);
        check_one(kind, 2 * FLT_MIN, 0, 0, 0);
    }
    check_one(BF16, 1, FLT_MAX, 3.38e38, FLT_MAX);
    check_one(BF16, 1, -FLT_MAX, -FLT_MAX, -3.38e38);
    check_one(BF16, 1, INFINITY, INFINITY, INFINITY);
    check_one(Q8_POSITIVE, 1, 1e-12, DBL_MIN, 1e-9);
    check_one(Q8_POSITIVE, 1, 1e-30, DBL_MIN, 1e-9);
    check_one(Q8_POSITIVE, 1e30, 1e-8, DBL_MIN, 1e21);
    check_one(Q8_POSITIVE, FLT_MAX, 1e30, 0.87e30, 1.13e30);
    check_one(Q8_SIGNED, FLT_MAX, -1e35, -1.13e35, -0.87e35);
    gls_real nan = (gls_real)NAN, back;
    for (int kind = 0; kind < WIDTHS; kind++) {
        round_trip(kind, &nan, &back, 1, 7);
        assert_true(isnan(back));
    }
#ifdef GLS_DOUBLE
    check_one(Q8_SIGNED, 1e-200, -1e-203, -1.13e-203, -0.87e-203);
    check_one(Q8_POSITIVE, 1e200, 1e195, 0.87e195, 1.13e195);
#endif
}

/* ---- steps ---- */

enum { D = 600, STEPS = 400 };

/* What rules with another default rate need to get somewhere in STEPS. */
static const char *rate_of(const char *name) {
    if (strcmp(name, "lars") == 0) return ", lr: 1, kappa: 0.01";
    if (strcmp(name, "acclip") == 0 || strcmp(name, "lamb") == 0) return ", lr: 0.01";
    if (strcmp(name, "sngm") == 0) return ", lr: 0.02";
    if (strcmp(name, "msgd") == 0 || strcmp(name, "nag") == 0) return ", lr: 0.01";
    return ", lr: 0.02";
}

/* Of f = sum a_i (w_i - c_i)^2 / 2, with a over four orders of magnitude in every block, and noise: so that states are.
 */
static void quadratic_gradient(int64_t t, const gls_real *w, gls_real *g) {
    draw_gradient(NORMAL, t, D, g);
    for (int i = 0; i < D; i++) {
        double a = pow(10, -4.0 * (i % 11) / 10);
        g[i] = (gls_real)(a * ((double)w[i] - 1 + (double)i / D) + 0.05 * a * (double)g[i]);
    }
}

/* Of a logistic loss: y_j = sign <u, x_j>, 30 sparse examples a step. */
static void logistic_gradient(int64_t t, const gls_real *w, gls_real *g) {
    memset(g, 0, D * sizeof *g);
    gls_random random = gls_random_create(8, "test logistic", (uint64_t)t, 0);
    for (int j = 0; j < 30; j++) {
        int at[20];
        double x[20], margin = 0, truth = 0;
        for (int k = 0; k < 20; k++) {
            at[k] = (int)gls_random_below(&random, D);
            x[k] = gls_random_normal(&random);
            margin += x[k] * (double)w[at[k]];
            truth += x[k] * ((at[k] % 7) - 3);
        }
        double y = truth > 0 ? 1 : -1, slope = -y / (1 + exp(y * margin));
        for (int k = 0; k < 20; k++) g[at[k]] += (gls_real)(slope * x[k] / 30);
    }
}

typedef void (*gradient_fn)(int64_t t, const gls_real *w, gls_real *g);

static void trajectory(gls_context *ctx, const gls_layout *layout, const char *name, const char *way,
                       gradient_fn gradient, gls_real *w) {
    char text[200];
    gls_real g[D];
    snprintf(text, sizeof text, "{name: %s%s%s}", name, rate_of(name), way);
    gls_method *method = make_method(ctx, layout, text);
    for (int i = 0; i < D; i++) w[i] = (gls_real)(0.5 * sin(i));
    for (int64_t t = 1; t <= STEPS; t++) {
        gradient(t, w, g);
        assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    }
    gls_method_destroy(method);
}

static double distance(const gls_real *a, const gls_real *b) {
    double sum = 0;
    for (int i = 0; i < D; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

/* After STEPS the weights are apart from those with float's state by a small share of the way that those have come. */
static void trajectories_stay_near(void **state) {
    static const gradient_fn gradients[] = {quadratic_gradient, logistic_gradient};
    static const double most[] = {0, 0.01, 0.1};
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, D - 40);
    int tried = 0;
    const gls_method_type *type;
    for (int64_t i = 0; (type = gls_method_at(ctx, i)); i++)
        for (int p = 0; p < 2 && has_option(type, "state"); p++, tried++) {
            gls_real plain[D], narrow[D], start[D];
            for (int j = 0; j < D; j++) start[j] = (gls_real)(0.5 * sin(j));
            trajectory(ctx, layout, type->member.name, "", gradients[p], plain);
            for (int j = 1; j < 3; j++) {
                trajectory(ctx, layout, type->member.name, state_way(type, j), gradients[p], narrow);
                double share = distance(plain, narrow) / distance(plain, start);
                if (getenv("GLS_TEST_SHOW")) printf("%s%s %d: %.4f\n", type->member.name, state_way(type, j), p, share);
                if (!(share < most[j]))
                    fail_msg("%s%s, %d: %g of the way apart", type->member.name, state_way(type, j), p, share);
            }
        }
    assert_int_equal(tried, 26);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* Gradients from 1 to 1e-12 that share a scale: where the mean square became 0, adam would divide by eps. */
static void small_squares_do_not_blow_up(void **state) {
    static const char *const rules[] = {"adam, eps: 1e-20", "amsgrad, eps: 1e-20", "rmsprop, eps: 1e-20, lr: 0.001",
                                        "adagrad, eps: 1e-20, lr: 0.001", "lamb, eps: 1e-20"};
    enum { N = 200 };
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, N);
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        for (int j = 0; j < 2; j++) {
            char text[200];
            gls_real w[N], g[N];
            for (int i = 0; i < N; i++) w[i] = 1;
            snprintf(text, sizeof text, "{name: %s, state: %s}", rules[r], j ? "q8" : "bf16");
            gls_method *method = make_method(ctx, layout, text);
            for (int t = 0; t < 100; t++) {
                for (int i = 0; i < N; i++) g[i] = (gls_real)(t % 3 == 1 ? 0 : pow(10, -12.0 * i / N) * (1 + t % 2));
                assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
            }
            for (int i = 0; i < N; i++)
                if (!(fabs((double)w[i] - 1) < 0.4)) fail_msg("%s: w[%d] is %g", text, i, (double)w[i]);
            gls_method_destroy(method);
        }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* What adam keeps of d coordinates, narrow and as gls_real. */
typedef struct moments {
    uint16_t half[2][20000];
    uint8_t code[2][20000];
    gls_real scale[2][20000 / GLS_METHOD_SCALED + 1], wide[2][20000];
} moments;

/* Numbers [at, at + n), at most a range of them, of both moments: as a reader of narrow.h has them. */
static void widen_moments(width kind, moments *kept, int at, int n) {
    for (int i = 0; i < 2; i++)
        if (kind == BF16)
            gls_method_bf16_widen(kept->wide[i] + at, kept->half[i] + at, n);
        else
            gls_method_q8_widen(kept->wide[i] + at, kept->code[i] + at, kept->scale[i] + at / GLS_METHOD_SCALED,
                                (gls_method_code)i, n);
}

static void round_moments(width kind, moments *kept, const gls_method_bits bits[2], int at, int n) {
    for (int i = 0; i < 2; i++) {
        gls_real *scale = kept->scale[i] + at / GLS_METHOD_SCALED;
        if (kind == BF16) {
            gls_method_bf16_narrow(kept->half[i] + at, kept->wide[i] + at, &bits[i], n);
        } else {
            gls_method_q8_scale(scale, kept->wide[i] + at, (gls_method_code)i, n);
            gls_method_q8_narrow(kept->code[i] + at, scale, kept->wide[i] + at, (gls_method_code)i, &bits[i], n);
        }
    }
}

/* Step k of adam with its defaults and lr 0.01, seed 3, in straight lines. */
static void adam_in_ranges(width kind, moments *kept, int64_t k, int d, gls_real *w, const gls_real *g) {
    gls_real rate = (gls_real)(0.01 / (1 - pow(0.9, (double)k))),
             root = (gls_real)(1 / sqrt(1 - pow(0.999, (double)k)));
    gls_random random = gls_random_create(3, "state rounding", (uint64_t)k, 0);
    uint32_t key[4];
    gls_random_block(&random, 0, key);
    for (int at = 0; at < d; at += GLS_METHOD_RANGE) {
        gls_method_bits bits[2];
        int n = d - at < GLS_METHOD_RANGE ? d - at : GLS_METHOD_RANGE;
        widen_moments(kind, kept, at, n);
        for (int i = at; i < at + n; i++) {
            gls_real m = (gls_real)0.9 * kept->wide[0][i] + (gls_real)(1 - 0.9) * g[i];
            gls_real s = (gls_real)0.999 * kept->wide[1][i] + (gls_real)(1 - 0.999) * (g[i] * g[i]);
            gls_real step =
                m / ((gls_real)(sizeof s == 4 ? (double)sqrtf((float)s) : sqrt((double)s)) * root + (gls_real)1e-8);
            kept->wide[0][i] = m;
            kept->wide[1][i] = s;
            w[i] = w[i] - rate * step - 0 * w[i];
        }
        gls_method_bits_draw(&bits[0], key, (uint32_t)at, n);
        bits[1] = bits[0];
        gls_method_bits_turn(&bits[1], n);
        round_moments(kind, kept, bits, at, n);
    }
}

/* A rule's own loop over narrow state, in blocks, whole pieces and what is left of them, has the bits of single ones.
 */
static void loops_have_the_bits_of_ranges(void **state) {
    static const int sizes[] = {1, 31, 32, 1000, 20000};
    gls_context *ctx = test_context(2);
    moments *kept = malloc(sizeof *kept);
    gls_real *w = malloc(2 * 20000 * sizeof *w), *g = malloc(20000 * sizeof *g), *other = w + 20000;
    for (int kind = BF16; kind < Q8_POSITIVE; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int d = sizes[s];
            gls_layout *layout = one_block(ctx, d);
            gls_method *method =
                make_method(ctx, layout,
                            kind == BF16 ? "{name: adam, lr: 0.01, state: bf16}" : "{name: adam, lr: 0.01, state: q8}");
            memset(kept, 0, sizeof *kept);
            draw_weights(d, w);
            memcpy(other, w, (size_t)d * sizeof *w);
            for (int64_t k = 1; k < 6; k++) {
                draw_gradient(HEAVY, k, d, g);
                assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
                adam_in_ranges((width)kind, kept, k, d, other, g);
                assert_memory_equal(w, other, (size_t)d * sizeof *w);
            }
            gls_method_destroy(method);
            gls_layout_destroy(layout);
        }
    free(w);
    free(g);
    free(kept);
    gls_context_destroy(ctx);
}

/* Sums in gls_real are good enough for the length of a step, and not made where its squares would not fit. */
static void lengths_of_steps_are_right(void **state) {
    enum { N = 700 };
    static const char *const rates[] = {"1e-25", "0.01", "1e18"};
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, N);
    const gls_method_type *type;
    for (int64_t i = 0; (type = gls_method_at(ctx, i)); i++)
        for (int j = 1; j < 3 && has_option(type, "state"); j++)
            for (int r = 0; r < 3; r++) {
                char text[200];
                gls_real w[N], g[N];
                snprintf(text, sizeof text, "{name: %s, lr: %s%s}", type->member.name, rates[r], state_way(type, j));
                gls_method *method = make_method(ctx, layout, text);
                for (int64_t t = 2; t < 5; t++) {
                    gls_step_report report;
                    double sum = 0;
                    draw_gradient(NORMAL, t, N, g);
                    memset(w, 0, sizeof w);
                    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
                    for (int k = 0; k < N; k++) sum += (double)w[k] * (double)w[k];
                    if (!(sum > 0) || !(fabs(report.update_norm / sqrt(sum) - 1) < 2e-6))
                        fail_msg("%s, step %d: %g of %g", text, (int)t, report.update_norm, sqrt(sum));
                }
                gls_method_destroy(method);
            }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void state_takes_less(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 100000);
    int64_t d = gls_layout_size(layout), scales = 1 + 1 + 391;
    gls_method *wide = make_method(ctx, layout, "adam"), *half = make_method(ctx, layout, "{name: adam, state: bf16}"),
               *byte = make_method(ctx, layout, "{name: adam, state: q8}");
    assert_int_equal(gls_method_state_bytes(wide), 2 * d * (int64_t)sizeof(gls_real));
    assert_int_equal(gls_method_state_bytes(half), 2 * d * 2);
    assert_int_equal(gls_method_state_bytes(byte), 2 * (d + scales * (int64_t)sizeof(gls_real)));
    gls_method_destroy(wide);
    gls_method_destroy(half);
    gls_method_destroy(byte);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* Figures of the state are those of what is stored. */
static void figures_see_the_state(void **state) {
    gls_context *ctx = test_context(2);
    gls_layout *layout = three_blocks(ctx, 20000);
    int64_t d = gls_layout_size(layout);
    gls_real *w = calloc((size_t)d, sizeof *w), *g = malloc((size_t)d * sizeof *g);
    static const char *const ways[] = {"float", "bf16", "q8"};
    double norm[3], tau[3];
    for (int j = 0; j < 3; j++) {
        char text[100];
        gls_record record;
        snprintf(text, sizeof text, "{name: sngm, state: %s}", ways[j]);
        gls_method *sngm = make_method(ctx, layout, text);
        snprintf(text, sizeof text, "{name: acclip, state: %s}", ways[j]);
        gls_method *acclip = make_method(ctx, layout, text);
        for (int64_t t = 1; t < 5; t++) {
            draw_gradient(NORMAL, t, d, g);
            assert_int_equal(gls_method_step(sngm, w, g, NULL), GLS_OK);
            assert_int_equal(gls_method_step(acclip, w, g, NULL), GLS_OK);
        }
        gls_record_clear(&record);
        gls_method_record(sngm, &record);
        norm[j] = gls_record_get(&record, "u_norm");
        gls_record_clear(&record);
        gls_method_record(acclip, &record);
        tau[j] = gls_record_get(&record, "tau_median");
        gls_method_destroy(sngm);
        gls_method_destroy(acclip);
    }
    for (int j = 1; j < 3; j++) {
        assert_true(norm[j] != norm[0] && fabs(norm[j] / norm[0] - 1) < 0.005);
        assert_true(tau[j] != tau[0] && fabs(tau[j] / tau[0] - 1) < (j == 1 ? 0.01 : 0.1));
    }
    free(w);
    free(g);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* ---- checkpoints ---- */

static gls_status read_into(gls_context *ctx, const char *path, gls_method *method) {
    gls_tensors *file;
    gls_arrays arrays = {0};
    assert_int_equal(gls_tensors_open(ctx, path, &file), GLS_OK);
    assert_int_equal(gls_method_arrays(method, "method/", &arrays), GLS_OK);
    gls_status status = gls_tensors_restore(file, &arrays);
    gls_arrays_clear(ctx, &arrays);
    gls_tensors_close(file);
    return status;
}

/* Through a file, whose arrays have the state's own types; another precision is refused with both types named. */
static void goes_on_from_a_file(void **state) {
    static const char *const ways[] = {"float", "bf16", "q8"}, *const types[] = {sizeof(gls_real) == 4 ? "F32" : "F64",
                                                                                 "BF16", "U8"};
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, D - 40);
    char path[64];
    snprintf(path, sizeof path, "/tmp/gls-state-%d.safetensors", (int)getpid());
    for (int j = 0; j < 3; j++) {
        char text[100];
        gls_real w[D], other[D], g[D];
        draw_weights(D, w);
        snprintf(text, sizeof text, "{name: adam, state: %s}", ways[j]);
        gls_method *method = make_method(ctx, layout, text), *resumed = make_method(ctx, layout, text);
        for (int64_t t = 1; t <= 20; t++) {
            if (t == 11) {
                gls_arrays arrays = {0};
                assert_int_equal(gls_method_arrays(method, "method/", &arrays), GLS_OK);
                assert_int_equal(gls_tensors_write(ctx, path, &arrays, NULL, 0), GLS_OK);
                gls_arrays_clear(ctx, &arrays);
                memcpy(other, w, sizeof w);
                if (read_into(ctx, path, resumed) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
            }
            quadratic_gradient(t, w, g);
            assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
            if (t > 10) assert_int_equal(gls_method_step(resumed, other, g, NULL), GLS_OK);
        }
        assert_memory_equal(w, other, sizeof w);
        for (int k = 0; k < 3; k++) {
            if (k == j) continue;
            snprintf(text, sizeof text, "{name: adam, state: %s}", ways[k]);
            gls_method *changed = make_method(ctx, layout, text);
            assert_int_equal(read_into(ctx, path, changed), GLS_ERR_INPUT);
            const char *message = gls_context_message(ctx);
            if (!strstr(message, types[j]) || !strstr(message, types[k])) fail_msg("%s", message);
            gls_method_destroy(changed);
        }
        gls_method_destroy(method);
        gls_method_destroy(resumed);
    }
    remove(path);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounding_has_the_right_mean),
                                       cmocka_unit_test(bits_are_independent),
                                       cmocka_unit_test(bits_do_not_depend_on_the_length),
                                       cmocka_unit_test(limits_of_the_numbers),
                                       cmocka_unit_test(trajectories_stay_near),
                                       cmocka_unit_test(small_squares_do_not_blow_up),
                                       cmocka_unit_test(loops_have_the_bits_of_ranges),
                                       cmocka_unit_test(lengths_of_steps_are_right),
                                       cmocka_unit_test(state_takes_less),
                                       cmocka_unit_test(figures_see_the_state),
                                       cmocka_unit_test(goes_on_from_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
