/* The conflict graph is never built: the neighbours of an example are the union of its features' examples, marked in a
 * bit set, one example after the other. */
#include "measure/conflict.h"
#include "base/arith.h"

#include <string.h>

/* Features in more than one in 64 examples are kept as bit sets over the examples, the others as lists: whichever takes
 * fewer operations to join. */
typedef struct inverse {
    int64_t words, heavy;
    int64_t *begin;   /* [features + 1] into example */
    int32_t *example; /* by feature */
    int64_t *set;     /* [features] number of its bit set, or -1 */
    uint64_t *bits;   /* [heavy, words] */
    uint64_t *met;    /* [words] */
} inverse;

static int64_t *counts_of(gls_context *ctx, const gls_pattern *p) {
    int64_t *count = gls_alloc(ctx, p->features + 1, sizeof *count);
    for (int64_t k = 0; count && k < p->row[p->rows]; k++) count[p->column[k]]++;
    return count;
}

gls_status gls_conflict_bound(gls_context *ctx, const gls_pattern *p, int64_t *degree, double *work) {
    int64_t *count = counts_of(ctx, p), words = gls_parts(p->rows, 64);
    if (!count) return GLS_ERR_MEMORY;
    *degree = 0;
    *work = 2.0 * (double)p->rows * (double)words;
    for (int64_t i = 0; i < p->rows; i++) {
        int64_t sum = 0;
        for (int64_t k = p->row[i]; k < p->row[i + 1]; k++) {
            int64_t with = count[p->column[k]];
            sum += with - 1;
            *work += (double)(with < words ? with : words);
        }
        if (sum > p->rows - 1) sum = p->rows - 1;
        if (sum > *degree) *degree = sum;
    }
    gls_free(ctx, count);
    return GLS_OK;
}

static void fill(const gls_pattern *p, const int64_t *count, inverse *v) {
    for (int64_t f = 0; f < p->features; f++) v->begin[f + 1] = v->begin[f] + (v->set[f] < 0 ? count[f] : 0);
    for (int64_t i = 0; i < p->rows; i++) {
        for (int64_t k = p->row[i]; k < p->row[i + 1]; k++) {
            int32_t f = p->column[k];
            if (v->set[f] < 0)
                v->example[v->begin[f]++] = (int32_t)i;
            else
                v->bits[v->set[f] * v->words + i / 64] |= (uint64_t)1 << (i % 64);
        }
    }
    for (int64_t f = p->features; f > 0; f--) v->begin[f] = v->begin[f - 1]; /* undo the moving of begin */
    v->begin[0] = 0;
}

static gls_status invert(gls_context *ctx, const gls_pattern *p, inverse *v) {
    int64_t *count = counts_of(ctx, p), light = 0;
    v->words = gls_parts(p->rows, 64);
    v->begin = gls_alloc(ctx, p->features + 1, sizeof *v->begin);
    v->set = gls_alloc(ctx, p->features, sizeof *v->set);
    v->met = gls_alloc(ctx, v->words, sizeof *v->met);
    for (int64_t f = 0; count && v->set && f < p->features; f++) {
        v->set[f] = count[f] > v->words ? v->heavy++ : -1;
        if (v->set[f] < 0) light += count[f];
    }
    v->example = gls_alloc(ctx, light, sizeof *v->example);
    v->bits = gls_alloc(ctx, v->heavy * v->words, sizeof *v->bits);
    bool there = count && v->begin && v->set && v->met && v->example && v->bits;
    if (there) fill(p, count, v);
    gls_free(ctx, count);
    return there ? GLS_OK : GLS_ERR_MEMORY;
}

static int64_t neighbours(const gls_pattern *p, const inverse *v, int64_t i) {
    memset(v->met, 0, (size_t)v->words * sizeof *v->met);
    for (int64_t k = p->row[i]; k < p->row[i + 1]; k++) {
        int32_t f = p->column[k];
        if (v->set[f] < 0) {
            for (int64_t e = v->begin[f]; e < v->begin[f + 1]; e++)
                v->met[v->example[e] / 64] |= (uint64_t)1 << (v->example[e] % 64);
        } else {
            const uint64_t *set = v->bits + v->set[f] * v->words;
            for (int64_t w = 0; w < v->words; w++) v->met[w] |= set[w];
        }
    }
    int64_t sum = 0;
    for (int64_t w = 0; w < v->words; w++) sum += __builtin_popcountll(v->met[w]);
    return sum > 0 ? sum - 1 : 0;
}

gls_status gls_conflict_degree(gls_context *ctx, const gls_pattern *p, int64_t *degree) {
    inverse v = {0};
    gls_status status = invert(ctx, p, &v);
    *degree = 0;
    for (int64_t i = 0; status == GLS_OK && i < p->rows && *degree < p->rows - 1; i++) {
        int64_t found = neighbours(p, &v, i);
        if (found > *degree) *degree = found;
    }
    gls_free(ctx, v.begin);
    gls_free(ctx, v.set);
    gls_free(ctx, v.met);
    gls_free(ctx, v.example);
    gls_free(ctx, v.bits);
    return status;
}
