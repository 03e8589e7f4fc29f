/* The fabric between the ranks that are there: latency and bandwidth from the times of sums; and how long an exchange
 * works by itself. */
#include "run/search/scaling.h"

#include "base/arith.h"
#include "base/clock.h"
#include "base/sort.h"
#include "comm/comm.h"

#include <math.h>

enum { FEW_VALUES = 2048, LEAST_VALUES = 1 << 18, MOST_VALUES = 1 << 23, REPEATS = 5 };

/* Where there is one process, a network of 1 Gbit/s is assumed, and said. */
static const double assumed_latency = 5e-5, assumed_bandwidth = 1.25e8;

/* The median of some times, of the slowest rank. */
static gls_status time_sum(gls_context *ctx, gls_real *x, int64_t n, double *seconds) {
    double each[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        GLS_TRY(gls_comm_agree(ctx, GLS_OK));
        double began = gls_seconds();
        GLS_TRY(gls_comm_reduce_real(ctx, GLS_SUM, x, n, GLS_OK));
        each[k] = gls_seconds() - began;
    }
    gls_sort_doubles(each, REPEATS);
    *seconds = each[REPEATS / 2];
    return gls_comm_reduce_double(ctx, GLS_MAX, seconds, 1, GLS_OK);
}

/* Of a sum in P ranks: t = messages latency + bytes / bandwidth, with the counts of `dense`. Links that are shaped let
 * short messages pass at once, so only one time is of those, and says the latency; the others are of gradients. */
static void fit(double ranks, const double (*at)[2], int count, gls_scaling_model *m) {
    double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
    for (int k = 0; k < count; k++) {
        double bytes = 2 * (ranks - 1) / ranks * at[k][0] * sizeof(gls_real), weight = 1 / (at[k][1] * at[k][1]);
        double messages = 2 * (ranks - 1) * fmax(ceil(at[k][0] * sizeof(gls_real) / GLS_COMM_BUCKET), 1);
        aa += weight * messages * messages, ab += weight * messages * bytes, bb += weight * bytes * bytes;
        ay += weight * messages * at[k][1], by += weight * bytes * at[k][1];
    }
    double determinant = aa * bb - ab * ab;
    m->latency = fmax((bb * ay - ab * by) / determinant, 1e-7);
    m->bandwidth = 1 / fmax((aa * by - ab * ay) / determinant, 1e-12);
}

gls_status gls_scaling_network_measure(gls_context *ctx, const gls_scaling_options *options, gls_scaling_model *m) {
    int ranks = gls_comm_size(gls_context_comm(ctx)), count = 0;
    m->network_measured = ranks > 1 && !(options->latency > 0 && options->bandwidth > 0);
    m->latency = assumed_latency;
    m->bandwidth = assumed_bandwidth;
    if (m->network_measured) {
        double at[3][2];
        int64_t whole = (int64_t)m->parameters,
                large = whole < LEAST_VALUES ? LEAST_VALUES : gls_least(whole, MOST_VALUES);
        const int64_t sizes[] = {FEW_VALUES, large / 2, large};
        gls_real *x = gls_alloc(ctx, large, sizeof *x);
        GLS_TRY(gls_comm_agree(ctx, x ? GLS_OK : GLS_ERR_MEMORY));
        gls_status status = GLS_OK;
        for (; count < 3 && status == GLS_OK; count++) {
            at[count][0] = (double)sizes[count];
            status = time_sum(ctx, x, sizes[count], &at[count][1]);
        }
        gls_free(ctx, x);
        GLS_TRY(status);
        fit(ranks, (const double(*)[2])at, count, m);
    }
    if (options->latency > 0) m->latency = options->latency;
    if (options->bandwidth > 0) m->bandwidth = options->bandwidth;
    return GLS_OK;
}

/* Seconds of one sum among so many ranks that are not there. */
static gls_status rehearse(const gls_scaling_rehearsal *r, int ranks, double *seconds) {
    gls_comm *comm = NULL;
    gls_context *ctx = NULL;
    gls_comm_exchange *x = NULL;
    gls_context_options options = {.size = sizeof options, .threads = gls_context_threads(r->ctx)};
    int64_t size = r->size;
    gls_status status = gls_comm_create_rehearsal(ranks, &comm);
    options.comm = comm;
    if (status == GLS_OK) status = gls_context_create(&ctx, &options);
    if (status == GLS_OK) status = gls_comm_exchange_create(ctx, r->spec, size, 1, &x);
    gls_real *g = status == GLS_OK ? gls_alloc(ctx, size, sizeof *g) : NULL;
    if (status == GLS_OK && !g) status = GLS_ERR_MEMORY;
    *seconds = INFINITY;
    for (int k = 0; k < REPEATS && status == GLS_OK; k++) {
        for (int64_t i = 0; i < size; i++) g[i] = r->g[i];
        double began = gls_seconds();
        status = gls_comm_exchange_sum(x, g, GLS_OK);
        *seconds = fmin(*seconds, gls_seconds() - began);
    }
    if (ctx) gls_free(ctx, g);
    gls_comm_exchange_destroy(x);
    gls_context_destroy(ctx);
    gls_comm_destroy(comm);
    return status;
}

/* Two ranks and four: between and beyond, a line. From four on every exchange goes its way for many. */
gls_status gls_scaling_rehearse(const gls_scaling_rehearsal *r, double work[2]) {
    double two, four;
    GLS_TRY(rehearse(r, 2, &two));
    GLS_TRY(rehearse(r, 4, &four));
    work[1] = fmax(four - two, 0) / 2;
    work[0] = fmax(two - 2 * work[1], 0);
    return GLS_OK;
}
