/* Every value as it is, added in the order of the ranks. */
#include "comm/exchange.h"

#include <math.h>
#include <stddef.h>

typedef struct options {
    bool overlap;
} options;

static const gls_option table[] = {
    GLS_BOOL("overlap", options, overlap, "true",
             "parts of large weight matrices' gradients travel while others are computed: the same bits"),
    {0}};

static gls_status sum(gls_comm_exchange *x, gls_real *g) {
    return gls_comm_reduce_real(x->ctx, GLS_SUM, g, x->size, GLS_OK);
}

/* Segments to those who add them up, and sums back to all. */
static gls_comm_cost cost(const void *given, double size, double ranks) {
    double all = size * sizeof(gls_real), buckets = fmax(ceil(all / GLS_COMM_BUCKET), 1);
    return (gls_comm_cost){2 * (ranks - 1) / ranks * all, 2 * (ranks - 1) * buckets};
}

static bool overlaps(const void *given) {
    return ((const options *)given)->overlap;
}

const gls_comm_exchange_type gls_comm_exchange_dense = {
    .member = {"dense", "every value as it is, added in the order of the ranks", "", table, sizeof(options)},
    .sum = sum,
    .cost = cost,
    .overlaps = overlaps,
    .exact_scale = true,
};
