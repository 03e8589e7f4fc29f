/* Sums are cut into fixed chunks and fixed lanes, so that neither threads nor vector width change their bits. */
#include "base/kernels.h"
#include "base/arith.h"

#include <math.h>

/* The team sums TEAM_CHUNKS chunks a round, so that their results fit on the stack. Up to TEAM_LEAST chunks the calling
 * thread works alone: waking the team costs more. */
enum { LANES = GLS_LANES, TEAM_CHUNKS = 256, TEAM_LEAST = 8 };

/* Sums over one chunk of at most GLS_CHUNK elements. */
static double chunk_squares(const gls_real *x, const gls_real *unused, int64_t n) {
    double part[LANES] = {0};
    gls_add_squares(part, 0, x, n);
    return gls_combine_lanes(part);
}

GLS_SIMD static double chunk_dot(const gls_real *x, const gls_real *y, int64_t n) {
    double part[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < LANES; j++) part[j] += (double)x[i + j] * (double)y[i + j];
    }
    for (int j = 0; i + j < n; j++) part[j] += (double)x[i + j] * (double)y[i + j];
    return gls_combine_lanes(part);
}

GLS_SIMD static double chunk_sum(const gls_real *x, const gls_real *unused, int64_t n) {
    double part[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < LANES; j++) part[j] += (double)x[i + j];
    }
    for (int j = 0; i + j < n; j++) part[j] += (double)x[i + j];
    return gls_combine_lanes(part);
}

GLS_SIMD static double chunk_absolute(const gls_real *x, const gls_real *unused, int64_t n) {
    double part[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < LANES; j++) part[j] += fabs((double)x[i + j]);
    }
    for (int j = 0; i + j < n; j++) part[j] += fabs((double)x[i + j]);
    return gls_combine_lanes(part);
}

GLS_SIMD static double chunk_distance(const gls_real *x, const gls_real *y, int64_t n) {
    double part[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < LANES; j++) {
            double e = (double)x[i + j] - (double)y[i + j];
            part[j] += e * e;
        }
    }
    for (int j = 0; i + j < n; j++) {
        double e = (double)x[i + j] - (double)y[i + j];
        part[j] += e * e;
    }
    return gls_combine_lanes(part);
}

typedef double (*chunk_fn)(const gls_real *x, const gls_real *y, int64_t n);

static int64_t chunk_size(int64_t n, int64_t begin) {
    return gls_least(n - begin, GLS_CHUNK);
}

static double reduce(chunk_fn fn, const gls_real *x, const gls_real *y, int64_t n) {
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += GLS_CHUNK) sum += fn(x + begin, y + begin, chunk_size(n, begin));
    return sum;
}

double gls_sum_squares(const gls_real *x, int64_t n) {
    return reduce(chunk_squares, x, x, n);
}
double gls_dot(const gls_real *x, const gls_real *y, int64_t n) {
    return reduce(chunk_dot, x, y, n);
}
double gls_sum(const gls_real *x, int64_t n) {
    return reduce(chunk_sum, x, x, n);
}
double gls_sum_absolute(const gls_real *x, int64_t n) {
    return reduce(chunk_absolute, x, x, n);
}
double gls_distance_squares(const gls_real *x, const gls_real *y, int64_t n) {
    return reduce(chunk_distance, x, y, n);
}

GLS_SIMD gls_real gls_largest(const gls_real *x, int64_t n) {
    gls_real part[GLS_LANES], most = x[0];
    for (int j = 0; j < GLS_LANES; j++) part[j] = x[0];
    int64_t i = 0;
    for (; i + GLS_LANES <= n; i += GLS_LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) part[j] = x[i + j] > part[j] ? x[i + j] : part[j];
    }
    for (int j = 0; j < GLS_LANES; j++) most = part[j] > most ? part[j] : most;
    for (; i < n; i++) most = x[i] > most ? x[i] : most;
    return most;
}

GLS_SIMD int64_t gls_count_nonfinite(const gls_real *x, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += !(x[i] - x[i] == 0);
    return count;
}

GLS_SIMD void gls_fill(gls_real *x, gls_real value, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = value;
}

GLS_SIMD void gls_scale(gls_real *x, double a, int64_t n) {
    gls_real factor = (gls_real)a;
    for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

GLS_SIMD void gls_axpy(gls_real *y, double a, const gls_real *x, int64_t n) {
    gls_real factor = (gls_real)a;
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

GLS_SIMD void gls_add(gls_real *y, const gls_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

/* ---- over the team: whole chunks are the tasks ---- */

typedef struct team_job {
    chunk_fn fn;
    const gls_real *x, *y;
    int64_t n;
    double *sum;
} team_job;

static gls_status reduce_task(void *user, int64_t task, int worker) {
    team_job *job = user;
    int64_t begin = task * GLS_CHUNK;
    job->sum[task] = job->fn(job->x + begin, job->y + begin, chunk_size(job->n, begin));
    return GLS_OK;
}

/* The same bits as reduce(): TEAM_CHUNKS chunks at a time, so that their sums fit on the stack. */
static double team_reduce(gls_context *ctx, chunk_fn fn, const gls_real *x, const gls_real *y, int64_t n) {
    if (n <= (int64_t)TEAM_LEAST * GLS_CHUNK || gls_context_threads(ctx) == 1) return reduce(fn, x, y, n);
    double total = 0, sum[TEAM_CHUNKS];
    for (int64_t begin = 0; begin < n; begin += (int64_t)TEAM_CHUNKS * GLS_CHUNK) {
        int64_t rest = n - begin;
        if (rest > (int64_t)TEAM_CHUNKS * GLS_CHUNK) rest = (int64_t)TEAM_CHUNKS * GLS_CHUNK;
        int64_t chunks = gls_parts(rest, GLS_CHUNK);
        team_job job = {fn, x + begin, y + begin, rest, sum};
        gls_parallel(ctx, chunks, reduce_task, &job);
        for (int64_t i = 0; i < chunks; i++) total += sum[i];
    }
    return total;
}

double gls_team_sum_squares(gls_context *ctx, const gls_real *x, int64_t n) {
    return team_reduce(ctx, chunk_squares, x, x, n);
}

double gls_team_dot(gls_context *ctx, const gls_real *x, const gls_real *y, int64_t n) {
    return team_reduce(ctx, chunk_dot, x, y, n);
}

typedef struct map_job {
    gls_real *y;
    const gls_real *x;
    double a;
    int64_t n;
} map_job;

static gls_status fill_task(void *user, int64_t task, int worker) {
    map_job *job = user;
    gls_fill(job->y + task * GLS_CHUNK, (gls_real)job->a, chunk_size(job->n, task * GLS_CHUNK));
    return GLS_OK;
}

static gls_status scale_task(void *user, int64_t task, int worker) {
    map_job *job = user;
    gls_scale(job->y + task * GLS_CHUNK, job->a, chunk_size(job->n, task * GLS_CHUNK));
    return GLS_OK;
}

static gls_status axpy_task(void *user, int64_t task, int worker) {
    map_job *job = user;
    gls_axpy(job->y + task * GLS_CHUNK, job->a, job->x + task * GLS_CHUNK, chunk_size(job->n, task * GLS_CHUNK));
    return GLS_OK;
}

static int64_t chunks_of(int64_t n) {
    return gls_parts(n, GLS_CHUNK);
}
static bool alone(gls_context *ctx, int64_t n) {
    return n <= (int64_t)TEAM_LEAST * GLS_CHUNK || gls_context_threads(ctx) == 1;
}

void gls_team_fill(gls_context *ctx, gls_real *x, gls_real value, int64_t n) {
    if (alone(ctx, n)) {
        gls_fill(x, value, n);
        return;
    }
    gls_parallel(ctx, chunks_of(n), fill_task, &(map_job){x, NULL, (double)value, n});
}

void gls_team_scale(gls_context *ctx, gls_real *x, double a, int64_t n) {
    if (alone(ctx, n)) {
        gls_scale(x, a, n);
        return;
    }
    gls_parallel(ctx, chunks_of(n), scale_task, &(map_job){x, NULL, a, n});
}

void gls_team_axpy(gls_context *ctx, gls_real *y, double a, const gls_real *x, int64_t n) {
    if (alone(ctx, n)) {
        gls_axpy(y, a, x, n);
        return;
    }
    gls_parallel(ctx, chunks_of(n), axpy_task, &(map_job){y, x, a, n});
}
