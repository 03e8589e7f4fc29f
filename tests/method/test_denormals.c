/* States that decay to zero: no step is slower for it, no state is denormal, the caller's floating-point mode is as it
 * was, and nothing else differs by a bit from plain arithmetic. */
#include <float.h>
#include <time.h>

#include "method/support.h"

enum { SIZE = 40000, LONG = 1500 };

/* Every method whose state decays. */
static const char *const methods[] = {
    "{name: msgd, lr: 0.1}",   "{name: nag, lr: 0.1}",      "{name: rmsprop, lr: 0.01, rho: 0.9}",
    "{name: adam, lr: 0.001}", "{name: adamw, lr: 0.001}",  "{name: amsgrad, lr: 0.001}",
    "{name: lamb, lr: 0.001}", "{name: lars, lr: 0.1}",     "{name: sngm, lr: 0.1}",
    "{name: gclip, lr: 0.1}",  "{name: acclip, lr: 0.001}", "{name: singd, beta: 0.9}",
};

static bool known_processor(void) {
#if defined(__x86_64__) || defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

static uint64_t mode_now(void) {
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3fu; /* without the flags of what happened so far */
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__("mrs %0, fpcr" : "=r"(mode));
    return mode;
#else
    return 0;
#endif
}

/* Gradients of rare features: coordinate i has one at step i % 8 alone. */
static void rare_gradient(int t, gls_real *g, int n) {
    for (int i = 0; i < n; i++) g[i] = t == i % 8 ? (gls_real)(i % 3 - 1.5) : 0;
    g[0] = 1; /* so that the gradient is never zero */
}

static int64_t count_denormal(gls_context *ctx, gls_method *method) {
    gls_arrays arrays = {0};
    int64_t found = 0;
    assert_int_equal(gls_method_arrays(method, "", &arrays), GLS_OK);
    for (int64_t a = 0; a < arrays.count; a++) {
        if (arrays.item[a].dtype != GLS_DTYPE_REAL) continue;
        const gls_real *x = arrays.item[a].data;
        for (int64_t i = 0; i < arrays.item[a].shape[0]; i++) found += fpclassify(x[i]) == FP_SUBNORMAL;
    }
    gls_arrays_clear(ctx, &arrays);
    return found;
}

/* In float a state of 0.9^k is denormal from step 830 on, one of 0.999^k of squares from some 87000 on. */
static void no_state_is_denormal(void **state) {
    (void)state;
    if (!known_processor()) skip();
    enum { N = 70 };
    gls_context *ctx = test_context(2);
    gls_layout *layout = one_block(ctx, N);
    int steps = sizeof(gls_real) == 4 ? LONG : 8000;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        gls_method *method = make_method(ctx, layout, methods[m]);
        gls_real w[N] = {0}, g[N];
        uint64_t before = mode_now();
        for (int t = 0; t < steps; t++) {
            gls_query query;
            assert_int_equal(gls_method_query(method, w, &query), GLS_OK);
            rare_gradient(t, g, N);
            gls_answer answer = {.value = NAN, .g = g, .norm2 = NAN, .epoch = NAN};
            assert_int_equal(gls_method_tell(method, &answer, w, NULL), GLS_OK);
            if (count_denormal(ctx, method)) fail_msg("%s: step %d", methods[m], t);
        }
        assert_true(mode_now() == before);
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static gls_real magnitude(gls_real x) {
    return x < 0 ? -x : x;
}

/* msgd written out, with what is below the least normal number set to zero: the same bits, and with one thread
 * as with four; whatever mode the caller has. */
static void bits_are_those_of_the_formula(void **state) {
    (void)state;
    if (!known_processor()) skip();
    enum { N = 70000, STEPS = 40 }; /* several tasks of the team */
    static gls_real w[3][N], g[N], v[N], own[N];
    const gls_real least = sizeof(gls_real) == 4 ? (gls_real)FLT_MIN : (gls_real)DBL_MIN;
    const gls_real small = sizeof(gls_real) == 4 ? (gls_real)1e-37 : (gls_real)1e-307;
    for (int threads = 1; threads <= 4; threads += 3) {
        gls_context *ctx = test_context(threads);
        gls_layout *layout = one_block(ctx, N);
        gls_method *method = make_method(ctx, layout, "{name: msgd, lr: 0.5, beta: 0.5}");
        memset(v, 0, sizeof v);
        memset(own, 0, sizeof own);
        gls_real *x = w[threads > 1];
        memset(x, 0, sizeof w[0]);
        for (int t = 0; t < STEPS; t++) {
            for (int i = 0; i < N; i++) g[i] = t ? 0 : (i % 2 ? small : 1) * (gls_real)(1 + i % 5);
            assert_int_equal(gls_method_step(method, x, g, NULL), GLS_OK);
            for (int i = 0; i < N; i++) {
                gls_real product = (gls_real)0.5 * v[i];
                v[i] = (magnitude(product) < least ? 0 : product) + g[i];
                gls_real by = (gls_real)0.5 * v[i];
                own[i] -= magnitude(by) < least ? 0 : by;
            }
            if (memcmp(own, x, sizeof own) != 0) fail_msg("%d threads, step %d", threads, t);
        }
        gls_method_destroy(method);
        gls_layout_destroy(layout);
        gls_context_destroy(ctx);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The least time of a block of steps: what else the machine does only adds to it. */
static double block_time(gls_method *method, gls_real *w, gls_real *g, int *t, int blocks) {
    enum { STEPS = 20 };
    double least = INFINITY;
    for (int b = 0; b < blocks; b++) {
        double began = now();
        for (int k = 0; k < STEPS; k++, ++*t) assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
        least = fmin(least, now() - began);
    }
    return least;
}

/* A step took 8 to 20 times as long from step 830 on. The bound leaves room for a loaded machine. */
static void steps_stay_as_fast(void **state) {
    (void)state;
    if (!known_processor()) skip();
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, SIZE);
    static gls_real w[SIZE], g[SIZE];
    static const char *const timed[] = {"{name: adam, lr: 0.001}", "{name: msgd, lr: 0.1}", "{name: sngm, lr: 0.1}"};
    for (size_t m = 0; m < sizeof timed / sizeof *timed; m++) {
        gls_method *method = make_method(ctx, layout, timed[m]);
        int t = 0;
        for (; t < 8; t++) {
            rare_gradient(t, g, SIZE);
            assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
        }
        rare_gradient(8, g, SIZE);
        double early = block_time(method, w, g, &t, 30), late;
        while (t < LONG) assert_int_equal((t++, gls_method_step(method, w, g, NULL)), GLS_OK);
        late = block_time(method, w, g, &t, 30);
        print_message("%s: %.3g us a step early, %.3g late\n", timed[m], early / 20e-6, late / 20e-6);
        if (sizeof(gls_real) == 4 && late > 3 * early) fail_msg("%s: %g times as long", timed[m], late / early);
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_state_is_denormal),
        cmocka_unit_test(bits_are_those_of_the_formula),
        cmocka_unit_test(steps_stay_as_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
