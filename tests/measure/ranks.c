/* Measures agree over ranks: each runs once over the ranks that were started, and once in this process alone. TAP. */
#include "fixture.h"

#include <stdio.h>

#include <glissade/comm.h>

static const char *const names[] = {"gradient_diversity",
                                    "dim_bounds",
                                    "noise_norm",
                                    "variance_curve",
                                    "tail_index",
                                    "alpha_moments",
                                    "clip_bias",
                                    "stationarity",
                                    "loss",
                                    "sharpness",
                                    "differential_diversity",
                                    "dragger",
                                    "smoothness",
                                    "gradient_norm",
                                    "equilibrium_ratio",
                                    "invariance_defect",
                                    "stability",
                                    NULL};

static void figures(gls_comm *comm, const char *name, const char *sample, gls_measure_result *r, fixture *t) {
    *t = (fixture){0};
    gls_random random = gls_random_create(2, "fixture", 0, 0);
    for (int k = 0; k < DIM; k++) {
        t->f.a[k] = 0.5 + k;
        t->w[k] = (gls_real)(0.1 * k);
        for (int i = 0; i < SET; i++) t->f.x[i][k] = gls_random_normal(&random) + 1;
    }
    t->f.quartic = 0.3;
    fixture_create_comm(t, 1, comm, quadratic_evaluate, &t->f, DIM, SET);
    static gls_real other[DIM];
    for (int k = 0; k < DIM; k++) other[k] = t->w[k] + (gls_real)(0.05 * (k + 1));
    t->in.w_previous = t->in.w_other = other;
    t->in.exchanged = 5;
    const char *const options[] = {"sample", sample, NULL};
    gls_measure_result_init(t->ctx, r);
    gls_measure *m = fixture_measure(t, name, options);
    fixture_run(t, m, r);
    gls_measure_destroy(m);
}

/* Within rounding; quantities that hang on the last bit (kurtosis of equal values and the like) may differ more. */
static bool agree(double a, double b) {
    double bound = sizeof(gls_real) == 4 ? 2e-3 : 1e-6;
    if (isnan(a) || isnan(b)) return isnan(a) == isnan(b);
    return fabs(a - b) <= bound * (fabs(a) + fabs(b)) + (sizeof(gls_real) == 4 ? 1e-4 : 1e-9);
}

static bool same(const gls_measure_result *a, const gls_measure_result *b) {
    if (a->figures != b->figures) return false;
    for (int64_t i = 0; i < a->figures; i++) {
        if (a->figure[i].count != b->figure[i].count) return false;
        if (strcmp(a->figure[i].name, "products") == 0) continue;
        if (strstr(a->figure[i].name, "histogram") || strstr(a->figure[i].name, "residual")) continue;
        for (int64_t k = 0; k < a->figure[i].count; k++) {
            if (agree(a->figure[i].value[k], b->figure[i].value[k])) continue;
            printf("# %s[%lld]: %.9g and %.9g\n", a->figure[i].name, (long long)k, a->figure[i].value[k],
                   b->figure[i].value[k]);
            return false;
        }
    }
    return true;
}

int main(void) {
    gls_comm *ranks = NULL, *alone = NULL;
    if (gls_comm_create(&ranks) != GLS_OK || gls_comm_create_single(&alone) != GLS_OK) return 1;
    int failed = 0, rank = gls_comm_rank(ranks), number = 0;
    for (int i = 0; names[i]; i++) {
        for (int whole = 0; whole < 2; whole++) {
            fixture here, there;
            gls_measure_result a, b;
            figures(ranks, names[i], whole ? "all" : "33", &a, &here);
            figures(alone, names[i], whole ? "all" : "33", &b, &there);
            bool fine = same(&a, &b);
            failed += !fine;
            number++;
            if (rank == 0)
                printf("%s %d - %s over %d ranks\n", fine ? "ok" : "not ok", number, names[i], gls_comm_size(ranks));
            gls_measure_result_clear(&a);
            gls_measure_result_clear(&b);
            fixture_destroy(&here);
            fixture_destroy(&there);
        }
    }
    if (rank == 0) printf("1..%d\n", number);
    gls_comm_destroy(ranks);
    gls_comm_destroy(alone);
    return failed != 0;
}
