#include "support.h"

#include "base/gemm.h"
#include "base/gemm_few.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUARD = 5 };

typedef struct product {
    bool transpose_a, transpose_b;
    int64_t m, n, k;
    double alpha, beta;
} product;

/* The definition, in double, with the sum of absolute terms as the scale of its rounding. */
static double naive(const product *p, const gls_real *a, int64_t lda, const gls_real *b, int64_t ldb, double c,
                    int64_t i, int64_t j, double *scale) {
    double sum = 0;
    *scale = 0;
    for (int64_t l = 0; l < p->k; l++) {
        double term = (double)(p->transpose_a ? a[l * lda + i] : a[i * lda + l]) *
                      (double)(p->transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
        sum += term;
        *scale += fabs(term);
    }
    *scale = fabs(p->alpha) * *scale + (p->beta == 0 ? 0 : fabs(p->beta * c));
    return p->alpha * sum + (p->beta == 0 ? 0 : p->beta * c);
}

static gls_real *random_matrix(int64_t n, uint64_t seed) {
    gls_real *x = malloc(sizeof *x * (size_t)(n + 1));
    assert_non_null(x);
    gls_random random = gls_random_create(seed, "gemm", 0, 0);
    for (int64_t i = 0; i <= n; i++) x[i] = (gls_real)(gls_random_uniform(&random) - 0.5);
    return x;
}

static void check_product(const product *p, bool portable) {
    int64_t lda = (p->transpose_a ? p->m : p->k) + 3, ldb = (p->transpose_b ? p->k : p->n) + 2, ldc = p->n + GUARD;
    gls_real *a = random_matrix(lda * ((p->transpose_a ? p->k : p->m) + 1), 1);
    gls_real *b = random_matrix(ldb * ((p->transpose_b ? p->n : p->k) + 1), 2);
    int64_t room = ldc * (p->m + 1);
    gls_real *c = random_matrix(room, 3), *old = random_matrix(room, 3);
    if (p->beta == 0) /* C is not read: what is there may be anything */
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++) c[i * ldc + j] = NAN;
    gls_gemm(portable, p->transpose_a, p->transpose_b, p->m, p->n, p->k, p->alpha, a, lda, b, ldb, p->beta, c, ldc);
    double epsilon = sizeof(gls_real) == 4 ? FLT_EPSILON : DBL_EPSILON;
    for (int64_t i = 0; i <= p->m; i++)
        for (int64_t j = 0; j < ldc; j++) {
            if (i == p->m || j >= p->n) {
                if (c[i * ldc + j] != old[i * ldc + j]) fail_msg("a guard was overwritten");
                continue;
            }
            double scale, expected = naive(p, a, lda, b, ldb, (double)old[i * ldc + j], i, j, &scale);
            double most = epsilon * scale * (2 + sqrt((double)p->k));
            if (!(fabs(c[i * ldc + j] - expected) <= most))
                fail_msg("%d%d %dx%dx%d (%d, %d): expected %.9g, found %.9g", p->transpose_a, p->transpose_b, (int)p->m,
                         (int)p->n, (int)p->k, (int)i, (int)j, expected, (double)c[i * ldc + j]);
        }
    free(a);
    free(b);
    free(c);
    free(old);
}

static void every_shape_and_transpose(void **state) {
    static const int64_t shape[][3] = {{1, 1, 1},   {3, 5, 7},      {4, 8, 16},   {17, 1, 9},    {1, 33, 5},
                                       {5, 9, 0},   {0, 4, 4},      {4, 0, 4},    {65, 63, 64},  {67, 71, 73},
                                       {5, 9, 300}, {130, 17, 257}, {64, 64, 64}, {16, 300, 80}, {2, 3, 600},
                                       {33, 70, 1}, {7, 1, 1},      {1, 300, 200}};
    static const double scalars[][2] = {{1, 0}, {1, 1}, {-0.5, 2}, {0, 3}};
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
        for (int op = 0; op < 4; op++)
            for (int q = 0; q < 4; q++)
                for (int portable = 0; portable < 2; portable++) {
                    product p = {op & 1, op & 2, shape[s][0], shape[s][1], shape[s][2], scalars[q][0], scalars[q][1]};
                    check_product(&p, portable);
                }
}

static void double_product_in_both_builds(void **state) {
    enum { M = 19, N = 23, K = 301 };
    static double a[M * K], b[N * K], c[2][M * N];
    gls_random random = gls_random_create(4, "gemm", 0, 0);
    for (int i = 0; i < M * K; i++) a[i] = gls_random_uniform(&random);
    for (int i = 0; i < N * K; i++) b[i] = gls_random_uniform(&random);
    for (int portable = 0; portable < 2; portable++) {
        for (int i = 0; i < M * N; i++) c[portable][i] = i;
        gls_dgemm(portable, false, true, M, N, K, 2, a, K, b, K, -1, c[portable], N);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int l = 0; l < K; l++) sum += a[i * K + l] * b[j * K + l];
                assert_true(fabs(c[portable][i * N + j] - (2 * sum - (i * N + j))) < 1e-11);
            }
    }
}

/* The same call gives the same bits outside a team, in a team, and whatever OpenMP is set to. */
typedef struct job {
    bool portable;
    gls_real *a, *b, *c[4];
} job;

static gls_status product_task(void *user, int64_t task, int worker) {
    job *j = user;
    gls_gemm(j->portable, false, true, 150, 140, 130, 1, j->a, 130, j->b, 130, 0, j->c[task], 140);
    return GLS_OK;
}

static void bits_do_not_depend_on_threads(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    for (int portable = 0; portable < 2; portable++) {
        job j = {portable, random_matrix(150 * 130, 5), random_matrix(140 * 130, 6), {0}};
        for (int i = 0; i < 4; i++) j.c[i] = random_matrix(150 * 140, 7);
        omp_set_num_threads(2);
        product_task(&j, 0, 0);
        assert_int_equal(omp_get_max_threads(), 2);
        gls_real *first = random_matrix(150 * 140, 8);
        memcpy(first, j.c[0], sizeof *first * 150 * 140);
        assert_int_equal(gls_parallel(ctx, 4, product_task, &j), GLS_OK);
        for (int i = 0; i < 4; i++) {
            assert_memory_equal(j.c[i], first, sizeof *first * 150 * 140);
            free(j.c[i]);
        }
        free(first);
        free(j.a);
        free(j.b);
    }
    counting_end(&c, ctx);
}

static void keep_last(void *user, gls_log_level level, const char *message) {
    ++*(int *)user;
}

static bool has_openblas(void) {
    return strcmp(gls_blas_core(), "none") != 0;
}

static void libraries_are_named_once(void **state) {
    int warnings = 0;
    gls_context_options options = {sizeof options, .log = keep_last, .log_user = &warnings};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    const char *text = gls_gemm_describe(ctx);
    const char *others = has_openblas() ? "OpenBLAS" : "portable products";
    assert_true(gls_context_portable(ctx) ? strcmp(text, "portable") == 0 : strstr(text, others) != NULL);
    int after_first = warnings;
    assert_string_equal(gls_gemm_describe(ctx), text);
    assert_int_equal(warnings, after_first);
    gls_context_destroy(ctx);
}

/* Where address space is lacking for what the library takes, that is said beforehand; the library itself would not come
 * back. In a process of its own, as the limit stays. */
static void memory_of_the_library_is_reserved(void **state) {
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    pid_t pid = fork();
    if (!pid) {
        gls_context_options options = {.size = sizeof options, .threads = 64};
        gls_context *ctx;
        long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        if (!f || fscanf(f, "%ld", &pages) != 1 || gls_context_create(&ctx, &options) != GLS_OK) _exit(1);
        rlim_t room = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)1 << 30);
        setrlimit(RLIMIT_AS, &(struct rlimit){room, RLIM_INFINITY});
        if (!has_openblas()) _exit(gls_gemm_reserve(ctx) != GLS_OK); /* nothing is held */
        if (gls_gemm_reserve(ctx) != GLS_ERR_MEMORY || !strstr(gls_context_message(ctx), "OpenBLAS")) _exit(2);
        setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
        if (gls_gemm_reserve(ctx) != GLS_OK || gls_gemm_reserve(ctx) != GLS_OK) _exit(3);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* Against the definition in double; a row alone has the bits that it has among others; guards stay. */
static void check_few(int64_t m, int64_t n, int64_t k, bool turned, bool adds) {
    int64_t lda = k + 3, ldb = (turned ? k : n) + 2, ldc = n + GUARD, size = gls_gemm_few_size(k, n);
    gls_real *a = random_matrix(lda * (m + 1), 1), *b = random_matrix(ldb * ((turned ? n : k) + 1), 2);
    gls_real *c = random_matrix(ldc * (m + 1), 3), *old = random_matrix(ldc * (m + 1), 3),
             *one = malloc(sizeof *one * (size_t)n);
    gls_real *packed = random_matrix(size + GUARD, 4), *guard = random_matrix(size + GUARD, 4);
    product p = {.transpose_b = turned, .m = m, .n = n, .k = k, .alpha = 1, .beta = adds};
    double epsilon = sizeof(gls_real) == 4 ? FLT_EPSILON : DBL_EPSILON;
    gls_gemm_few_pack(b, turned ? 1 : ldb, turned ? ldb : 1, k, n, packed);
    for (int64_t i = size; i < size + GUARD; i++) assert_true(packed[i] == guard[i]);
    gls_gemm_few(m, n, k, a, lda, packed, adds, c, ldc);
    for (int64_t i = 0; i <= m; i++) {
        if (i < m) memcpy(one, old + i * ldc, sizeof *one * (size_t)n);
        if (i < m) gls_gemm_few(1, n, k, a + i * lda, lda, packed, adds, one, n);
        for (int64_t j = 0; j < ldc; j++) {
            if (i == m || j >= n) {
                assert_true(c[i * ldc + j] == old[i * ldc + j]);
                continue;
            }
            double scale, expected = naive(&p, a, lda, b, ldb, (double)old[i * ldc + j], i, j, &scale);
            assert_true(fabs((double)c[i * ldc + j] - expected) <= (double)(k + 2) * epsilon * scale);
            assert_true(c[i * ldc + j] == one[j]);
        }
    }
    void *block[] = {a, b, c, old, one, packed, guard};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) free(block[i]);
}

static void few_rows(void **state) {
    static const int64_t columns[] = {1, 7, 8, 16, 17, 40}, depths[] = {0, 1, 5, 64};
    for (int64_t m = 0; m <= 9; m++)
        for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
            for (size_t l = 0; l < sizeof depths / sizeof *depths; l++)
                for (int way = 0; way < 4; way++) check_few(m, columns[j], depths[l], way & 1, way & 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_and_transpose),         cmocka_unit_test(double_product_in_both_builds),
        cmocka_unit_test(bits_do_not_depend_on_threads),     cmocka_unit_test(libraries_are_named_once),
        cmocka_unit_test(memory_of_the_library_is_reserved), cmocka_unit_test(few_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
