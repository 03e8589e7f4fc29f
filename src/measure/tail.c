/* Estimators of a tail index. Sums of m alpha-stable variables grow like m^(1/alpha): mean logarithms of sums of two
 * lengths give alpha. */
#include "measure/tail.h"

#include "measure/statistics.h"

#include <math.h>

enum { REPLICATES = 400 }; /* of the bootstrap: its standard error is then itself known to 1 / sqrt(800), 4% */

/* Sums of log|Y| and their number, of one block. */
typedef struct block {
    double log1, log2;
    int64_t count1, count2;
} block;

typedef struct blocks {
    const block *item;
    int64_t count;
    double ratio; /* ln(m2 / m1) */
} blocks;

static double inverse_alpha(const void *user, const int32_t *count) {
    const blocks *b = user;
    double log1 = 0, log2 = 0, count1 = 0, count2 = 0;
    for (int64_t i = 0; i < b->count; i++) {
        double times = count ? count[i] : 1;
        log1 += times * b->item[i].log1;
        log2 += times * b->item[i].log2;
        count1 += times * (double)b->item[i].count1;
        count2 += times * (double)b->item[i].count2;
    }
    return (log2 / count2 - log1 / count1) / b->ratio;
}

/* One coordinate's 2 m2 samples of a block. */
static void add_samples(block *b, const double *x, int64_t m1, int64_t m2, int64_t *zeros) {
    double outer = 0;
    for (int64_t begin = 0; begin < m2; begin += m1) {
        double inner = 0;
        for (int64_t t = begin; t < begin + m1; t++) inner += x[2 * t] - x[2 * t + 1];
        outer += inner;
        if (inner == 0) {
            (*zeros)++;
            continue;
        }
        b->log1 += log(fabs(inner));
        b->count1++;
    }
    if (outer == 0) {
        (*zeros)++;
        return;
    }
    b->log2 += log(fabs(outer));
    b->count2++;
}

gls_status gls_tail_differences(gls_context *ctx, const double *x, int64_t coordinates, int64_t samples, int64_t m1,
                                int64_t m2, gls_random random, gls_tail_fit *fit) {
    int64_t count = samples / (2 * m2);
    *fit = (gls_tail_fit){.alpha = NAN, .low = NAN, .high = NAN, .blocks = count};
    if (count < 1) return GLS_OK;
    block *item = gls_alloc(ctx, count, sizeof *item);
    int32_t *times = gls_alloc(ctx, count, sizeof *times);
    if (!item || !times) {
        gls_free(ctx, item);
        gls_free(ctx, times);
        return GLS_ERR_MEMORY;
    }
    for (int64_t c = 0; c < coordinates; c++) {
        for (int64_t b = 0; b < count; b++)
            add_samples(&item[b], x + c * samples + b * 2 * m2, m1, m2, &fit->zero_sums);
    }
    blocks all = {item, count, log((double)m2 / (double)m1)};
    double inverse = inverse_alpha(&all, NULL);
    if (isfinite(inverse) && inverse > 0) fit->alpha = 1 / inverse;
    if (count > 1 && isfinite(inverse)) {
        double error = gls_stat_bootstrap(random, count, REPLICATES, times, inverse_alpha, &all);
        double reach = gls_stat_t975((double)(count - 1)) * error;
        fit->low = 1 / (inverse + reach);
        fit->high = inverse > reach ? 1 / (inverse - reach) : INFINITY;
    }
    gls_free(ctx, item);
    gls_free(ctx, times);
    return GLS_OK;
}

/* Kept as published and reported beside our estimator, never in its place: it is right for exactly stable data only
 * (docs/measures.md). */
double gls_tail_papers(const double *x, int64_t coordinates, int64_t samples) {
    int64_t k1 = (int64_t)floor(sqrt((double)samples)), k2 = k1 > 1 ? samples / k1 : 0;
    double log_x = 0, log_y = 0, count_x = 0, count_y = 0;
    if (k2 < 2) return NAN;
    for (int64_t c = 0; c < coordinates; c++) {
        const double *row = x + c * samples;
        double mean = gls_stat_mean(row, samples);
        for (int64_t b = 0; b < k2; b++) {
            double sum = 0;
            for (int64_t i = b * k1; i < (b + 1) * k1; i++) {
                double centred = row[i] - mean;
                sum += centred;
                if (centred == 0) continue;
                log_x += log(fabs(centred));
                count_x += 1;
            }
            if (sum == 0) continue;
            log_y += log(fabs(sum));
            count_y += 1;
        }
    }
    double inverse = (log_y / count_y - log_x / count_x) / log((double)k1);
    return inverse > 0 ? 1 / inverse : NAN;
}

double gls_tail_hill(const double *descending, int64_t n, int64_t k) {
    if (k < 1 || k >= n || !(descending[k] > 0)) return NAN;
    double sum = 0;
    for (int64_t i = 0; i < k; i++) sum += log(descending[i] / descending[k]);
    return sum > 0 ? (double)k / sum : NAN;
}
