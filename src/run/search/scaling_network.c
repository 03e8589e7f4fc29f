/* The fabric between the ranks that are there: the times of messages; and how long an exchange works by itself. */
#include "run/search/scaling.h"

#include "base/arith.h"
#include "base/clock.h"
#include "base/sort.h"
#include "comm/comm.h"

#include <math.h>

enum { FIRST_BYTES = 256, SHORT_BYTES = 1 << 16, REPEATS = 5 };

/* Where there is one process, a network of 1 Gbit/s is assumed, and said. */
static const double assumed_latency = 5e-5, assumed_bandwidth = 1.25e8;

gls_status gls_scaling_meet(gls_scaling_meter *meter, double *seconds, gls_status mine) {
    gls_status status = gls_comm_reduce_double(meter->ctx, GLS_MAX, seconds, 1, mine);
    meter->failed |= status != GLS_OK;
    return status;
}

/* The median time of a message of so many bytes to another rank while one comes from a third: the rounds of which
 * exchanges are made. Between two messages there is a step, as in training: links that are shaped have come to rest,
 * and caches hold something else. */
static gls_status time_message(gls_scaling_meter *meter, char *room, int64_t *at, int64_t bytes, double *seconds) {
    int ranks = gls_comm_size(gls_context_comm(meter->ctx));
    double each[REPEATS];
    for (int r = 0; r <= ranks; r++) at[r] = bytes * r;
    for (int k = 0; k < REPEATS; k++) {
        double step = 0;
        GLS_TRY(gls_scaling_meet(meter, &step, meter->step(meter->user, &step)));
        double began = gls_seconds();
        gls_status status = gls_comm_gather(meter->ctx, room, at);
        each[k] = (gls_seconds() - began) / (ranks - 1);
        GLS_TRY(gls_scaling_meet(meter, &each[k], status));
    }
    gls_sort_doubles(each, REPEATS);
    *seconds = each[REPEATS / 2];
    return GLS_OK;
}

/* Up to half a gradient, the most that a message of a sum in two ranks holds. A larger one takes no less. */
static gls_status time_messages(gls_scaling_meter *meter, gls_scaling_model *m, char *room, int64_t *at, int64_t most) {
    int64_t bytes = FIRST_BYTES;
    for (m->messages = 0; m->messages < GLS_SCALING_MESSAGES; m->messages++, bytes *= bytes < SHORT_BYTES ? 4 : 2) {
        double *to = m->message[m->messages], least = m->messages ? to[-1] : 1e-7;
        to[0] = (double)(bytes = gls_least(bytes, most));
        GLS_TRY(time_message(meter, room, at, bytes, &to[1]));
        to[1] = fmax(to[1], least);
        if (bytes == most) break;
    }
    m->messages = m->messages < GLS_SCALING_MESSAGES ? m->messages + 1 : GLS_SCALING_MESSAGES;
    const double *last = m->message[m->messages - 1], *before = last - 2;
    m->latency = m->message[0][1];
    m->bandwidth = m->messages > 1 ? (last[0] - before[0]) / fmax(last[1] - before[1], 1e-9) : last[0] / last[1];
    return GLS_OK;
}

/* The median time of a dense sum in parts, as passes make them, all of which are final at once. */
static gls_status time_sum(gls_scaling_meter *meter, gls_scaling_model *m, gls_real *x, gls_comm_part *part,
                           int64_t parts) {
    double ranks = gls_comm_size(gls_context_comm(meter->ctx)), bytes = 0, each[REPEATS];
    for (int64_t k = 0; k < parts; k++) bytes += (double)(part[k].end - part[k].begin) * sizeof *x;
    for (int k = 0; k < REPEATS; k++) {
        double step = 0;
        GLS_TRY(gls_scaling_meet(meter, &step, meter->step(meter->user, &step)));
        GLS_TRY(gls_scaling_meet(meter, &step, gls_comm_parts_begin(meter->ctx, NULL, x, part, parts)));
        double began = gls_seconds();
        gls_status status = gls_comm_parts_finish(meter->ctx);
        each[k] = gls_seconds() - began;
        GLS_TRY(gls_scaling_meet(meter, &each[k], status));
    }
    gls_sort_doubles(each, REPEATS);
    m->sum_bandwidth = 2 * (ranks - 1) / ranks * bytes / fmax(each[REPEATS / 2], 1e-9);
    return GLS_OK;
}

static gls_status time_sums(gls_scaling_meter *meter, gls_scaling_model *m) {
    gls_context *ctx = meter->ctx;
    int64_t size = (int64_t)m->parameters, parts = gls_parts(size, GLS_COMM_PART);
    gls_real *x = gls_alloc(ctx, size, sizeof *x);
    gls_comm_part *part = gls_alloc(ctx, parts, sizeof *part);
    double nothing = 0;
    gls_status status = gls_scaling_meet(meter, &nothing, x && part ? GLS_OK : GLS_ERR_MEMORY);
    for (int64_t k = 0; k < parts && status == GLS_OK; k++)
        part[k] = (gls_comm_part){k * GLS_COMM_PART, gls_least((k + 1) * GLS_COMM_PART, size)};
    if (status == GLS_OK) status = time_sum(meter, m, x, part, parts);
    gls_free(ctx, x);
    gls_free(ctx, part);
    return status;
}

gls_status gls_scaling_network_measure(gls_scaling_meter *meter, const gls_scaling_options *options,
                                       gls_scaling_model *m) {
    gls_context *ctx = meter->ctx;
    int ranks = gls_comm_size(gls_context_comm(ctx));
    m->network_measured = ranks > 1 && !(options->latency > 0 && options->bandwidth > 0);
    m->latency = assumed_latency;
    m->bandwidth = assumed_bandwidth;
    if (m->network_measured) {
        int64_t most = (int64_t)(m->parameters * sizeof(gls_real) / 2), least = 1 << 16;
        if (most < least) most = least;
        char *room = gls_alloc(ctx, most, (size_t)ranks);
        int64_t *at = gls_alloc(ctx, ranks + 1, sizeof *at);
        double nothing = 0;
        gls_status status = gls_scaling_meet(meter, &nothing, room && at ? GLS_OK : GLS_ERR_MEMORY);
        if (status == GLS_OK) status = time_messages(meter, m, room, at, most);
        gls_free(ctx, room);
        gls_free(ctx, at);
        GLS_TRY(status);
        if (m->parameters >= 2 * GLS_COMM_PART && gls_comm_parts_possible(ctx)) GLS_TRY(time_sums(meter, m));
    }
    if (options->latency > 0 || options->bandwidth > 0) m->messages = 0, m->sum_bandwidth = 0;
    if (options->latency > 0) m->latency = options->latency;
    if (options->bandwidth > 0) m->bandwidth = options->bandwidth;
    return GLS_OK;
}

/* Seconds of one sum among so many ranks that are not there. */
static gls_status rehearse(const gls_scaling_rehearsal *r, int ranks, double *seconds) {
    gls_comm *comm = NULL;
    gls_context *ctx = NULL;
    gls_comm_exchange *x = NULL;
    gls_context_options options = {.size = sizeof options, .threads = gls_context_threads(r->meter->ctx)};
    double each[REPEATS];
    int64_t size = r->size;
    gls_status status = gls_comm_create_rehearsal(ranks, &comm);
    options.comm = comm;
    if (status == GLS_OK) status = gls_context_create(&ctx, &options);
    if (status == GLS_OK) status = gls_comm_exchange_create(ctx, r->spec, size, 1, &x);
    gls_real *g = status == GLS_OK ? gls_alloc(ctx, size, sizeof *g) : NULL;
    if (status == GLS_OK && !g) status = GLS_ERR_MEMORY;
    for (int k = 0; k < REPEATS && status == GLS_OK; k++) {
        for (int64_t i = 0; i < size; i++) g[i] = r->g[i];
        each[k] = 0;
        status = gls_scaling_meet(r->meter, &each[k], GLS_OK);
        double began = gls_seconds();
        if (status == GLS_OK) status = gls_comm_exchange_sum(x, g, GLS_OK);
        each[k] = gls_seconds() - began;
        if (!r->meter->failed) status = gls_scaling_meet(r->meter, &each[k], status);
    }
    if (status == GLS_OK) gls_sort_doubles(each, REPEATS);
    *seconds = status == GLS_OK ? each[REPEATS / 2] : 0;
    if (ctx) gls_free(ctx, g);
    gls_comm_exchange_destroy(x);
    gls_context_destroy(ctx);
    gls_comm_destroy(comm);
    return status;
}

gls_status gls_scaling_rehearse(const gls_scaling_rehearsal *r, double work[GLS_SCALING_WORKS]) {
    for (int i = 0; i < GLS_SCALING_WORKS; i++) GLS_TRY(rehearse(r, gls_scaling_work_ranks[i], &work[i]));
    return GLS_OK;
}
