/* Reductions and messages over MPI, which this file and mpi_parts.c alone know. */
#include "base/arith.h"
#include "base/clock.h"
#include "comm/mpi_comm.h"

#ifdef GLS_HAVE_MPI
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message of at most SMALL bytes goes to every rank whole, behind its sender's status in HEAD bytes: one round, where
 * latency is all that it costs. For a larger one the statuses are exchanged first; then it is cut into buckets, which
 * bound the memory that a reduction needs. */
enum { SMALL = 4096, BUCKET = GLS_COMM_BUCKET, HEAD = 8 };

enum { TURNS = 64 };                     /* questions whether a message is there before another process gets the core */
static const double look_seconds = 0.05; /* between looks at the others: far below a second, far above a message */

static size_t element_size(gls_comm_element element) {
    static const size_t size[] = {[GLS_ELEMENT_FLOAT] = sizeof(float),
                                  [GLS_ELEMENT_DOUBLE] = sizeof(double),
                                  [GLS_ELEMENT_INT64] = sizeof(int64_t),
                                  [GLS_ELEMENT_PAIR] = sizeof(gls_comm_pair)};
    return size[element];
}

/* Whether waiting goes on after so many seconds. */
static bool waits_on(gls_comm_mpi *c, double waited) {
    gls_comm *base = &c->base;
    int gone = c->watched ? gls_comm_lifeline_look(&c->line) : -1;
    if (gone >= 0) {
        base->missing = gone;
        snprintf(base->why, sizeof base->why, "rank %d is gone", gone);
    } else if (base->limit > 0 && waited > base->limit) {
        snprintf(base->why, sizeof base->why, "no word from another rank for %g s (train.watchdog)", base->limit);
    }
    return !*base->why;
}

bool gls_comm_mpi_wait(gls_comm_mpi *c, gls_comm_mpi_waiting *w) {
    atomic_fetch_add_explicit(&c->base.beat, 1, memory_order_relaxed);
    if (++w->turn % TURNS) return true;
    sched_yield();
    double now = gls_seconds();
    if (w->began == 0) w->began = w->looked = now;
    if (now - w->looked < look_seconds) return true;
    w->looked = now;
    return waits_on(c, now - w->began);
}

/* Waits until all of them, at most two, are done. */
static bool done(gls_comm_mpi *c, MPI_Request *request, int count) {
    gls_comm_mpi_waiting waiting = {0};
    for (;;) {
        int all = 0;
        MPI_Status unread[2]; /* gcc finds MPICH's word for none too short */
        if (MPI_Testall(count, request, &all, unread) != MPI_SUCCESS) return false;
        if (all) return true;
        if (!gls_comm_mpi_wait(c, &waiting)) return false;
    }
}

static bool done_with(gls_comm_mpi *c, int error, MPI_Request *request) {
    return error == MPI_SUCCESS && done(c, request, 1);
}

/* A NaN wins over every number, so that it is seen on every rank. */
#define PICK(better)                                         \
    for (int64_t i = 0; i < n; i++)                          \
        if (x[i] better to[i] || x[i] != x[i]) to[i] = x[i]; \
    break

static void add_float(gls_reduce op, float *to, const float *x, int64_t n) {
    switch (op) {
    case GLS_SUM:
        for (int64_t i = 0; i < n; i++) to[i] += x[i];
        break;
    case GLS_MIN:
        PICK(<);
    case GLS_MAX:
        PICK(>);
    }
}

static void add_double(gls_reduce op, double *to, const double *x, int64_t n) {
    switch (op) {
    case GLS_SUM:
        for (int64_t i = 0; i < n; i++) to[i] += x[i];
        break;
    case GLS_MIN:
        PICK(<);
    case GLS_MAX:
        PICK(>);
    }
}

static void add_int64(gls_reduce op, int64_t *to, const int64_t *x, int64_t n) {
    switch (op) {
    case GLS_SUM:
        for (int64_t i = 0; i < n; i++) to[i] = (int64_t)((uint64_t)to[i] + (uint64_t)x[i]);
        break;
    case GLS_MIN:
        for (int64_t i = 0; i < n; i++)
            if (x[i] < to[i]) to[i] = x[i];
        break;
    case GLS_MAX:
        for (int64_t i = 0; i < n; i++)
            if (x[i] > to[i]) to[i] = x[i];
        break;
    }
}

static void add_pairs(gls_comm_pair *to, const gls_comm_pair *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        to[i].sum += x[i].sum;
        add_double(GLS_MIN, &to[i].least, &x[i].least, 1);
    }
}

static void add(gls_reduce op, gls_comm_element element, void *to, const void *x, int64_t n) {
    switch (element) {
    case GLS_ELEMENT_FLOAT:
        add_float(op, to, x, n);
        break;
    case GLS_ELEMENT_DOUBLE:
        add_double(op, to, x, n);
        break;
    case GLS_ELEMENT_INT64:
        add_int64(op, to, x, n);
        break;
    case GLS_ELEMENT_PAIR:
        add_pairs(to, x, n);
        break;
    }
}

/* Hands bytes of mine to every rank, statuses in front; all is then [size][HEAD + bytes]. */
static bool exchange(gls_comm_mpi *c, const void *data, int64_t bytes, gls_status mine, int *failed,
                     gls_status *theirs) {
    int64_t head = mine;
    memcpy(c->mine, &head, HEAD);
    if (bytes) memcpy(c->mine + HEAD, data, (size_t)bytes);
    int stride = (int)(HEAD + bytes);
    MPI_Request request;
    c->base.bytes += (int64_t)stride * (c->base.size - 1);
    if (!done_with(c, MPI_Iallgather(c->mine, stride, MPI_BYTE, c->all, stride, MPI_BYTE, c->world, &request),
                   &request))
        return false;
    for (int rank = 0; rank < c->base.size && *failed < 0; rank++) {
        memcpy(&head, c->all + (size_t)rank * (size_t)stride, HEAD);
        if (head != GLS_OK) {
            *failed = rank;
            *theirs = (gls_status)head;
        }
    }
    return true;
}

/* One bucket: rank r adds up segment r of everybody in the order of the ranks, then all get all segments. So the bits
 * are the same everywhere and do not depend on the algorithms that MPI chooses. */
static bool reduce_bucket(gls_comm_mpi *c, gls_reduce op, gls_comm_element element, char *x, int64_t n) {
    int size = c->base.size, rank = c->base.rank, width = (int)element_size(element);
    for (int r = 0; r < size; r++) {
        int64_t begin = n * r / size, end = n * (r + 1) / size;
        c->offset[r] = (int)begin * width;
        c->count[r] = (int)(end - begin) * width;
    }
    int own = c->count[rank];
    int *from_count = c->count + size, *from_offset = c->offset + size;
    for (int r = 0; r < size; r++) {
        from_count[r] = own;
        from_offset[r] = r * own;
    }
    MPI_Request request;
    c->base.bytes += n * width + (int64_t)own * (size - 2);
    if (!done_with(c,
                   MPI_Ialltoallv(x, c->count, c->offset, MPI_BYTE, c->bucket, from_count, from_offset, MPI_BYTE,
                                  c->world, &request),
                   &request))
        return false;
    for (int r = 1; r < size; r++) add(op, element, c->bucket, c->bucket + (size_t)r * (size_t)own, own / width);
    memcpy(x + c->offset[rank], c->bucket, (size_t)own);
    return done_with(
        c, MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, x, c->count, c->offset, MPI_BYTE, c->world, &request),
        &request);
}

static bool mpi_reduce(gls_comm *comm, gls_reduce op, gls_comm_element element, void *x, int64_t n, gls_status mine,
                       int *failed, gls_status *theirs) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    int64_t width = (int64_t)element_size(element), bytes = n * width;
    if (bytes <= SMALL) {
        if (!exchange(c, x, bytes, mine, failed, theirs)) return false;
        if (*failed >= 0 || n == 0) return true;
        memcpy(x, c->all + HEAD, (size_t)bytes);
        for (int r = 1; r < comm->size; r++) add(op, element, x, c->all + (size_t)r * (size_t)(HEAD + bytes) + HEAD, n);
        return true;
    }
    if (!exchange(c, NULL, 0, mine, failed, theirs)) return false;
    if (*failed >= 0) return true;
    int64_t most = BUCKET / width;
    for (int64_t begin = 0; begin < n; begin += most)
        if (!reduce_bucket(c, op, element, (char *)x + begin * width, gls_least(n - begin, most))) return false;
    return true;
}

static bool mpi_broadcast(gls_comm *comm, void *data, int64_t bytes, int root, gls_status mine, int *failed,
                          gls_status *theirs) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    if (!exchange(c, NULL, 0, mine, failed, theirs)) return false;
    if (*failed >= 0) return true;
    for (int64_t begin = 0; begin < bytes; begin += BUCKET) {
        int some = (int)gls_least(bytes - begin, BUCKET);
        MPI_Request request;
        if (!done_with(c, MPI_Ibcast((char *)data + begin, some, MPI_BYTE, root, c->world, &request), &request))
            return false;
        if (comm->rank == root) comm->bytes += (int64_t)some * (comm->size - 1);
    }
    return true;
}

/* Bytes to one rank and bytes from another, either or both in pieces of at most a bucket. */
static bool pass(gls_comm_mpi *c, int to_rank, const char *to, int64_t to_bytes, int from_rank, char *from,
                 int64_t from_bytes) {
    c->base.bytes += to_bytes;
    for (int64_t at = 0; at < to_bytes || at < from_bytes; at += BUCKET) {
        MPI_Request request[2];
        int count = 0, out = (int)gls_least(to_bytes - at, BUCKET), in = (int)gls_least(from_bytes - at, BUCKET);
        if (in > 0 && MPI_Irecv(from + at, in, MPI_BYTE, from_rank, 0, c->world, &request[count++]) != MPI_SUCCESS)
            return false;
        if (out > 0 && MPI_Isend(to + at, out, MPI_BYTE, to_rank, 0, c->world, &request[count++]) != MPI_SUCCESS)
            return false;
        if (!done(c, request, count)) return false;
    }
    return true;
}

/* Rank by rank around the circle: in round k everybody sends k places on and takes from k places back. */
static bool mpi_swap(gls_comm *comm, const void *to, const int64_t *to_at, void *from, const int64_t *from_at) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    int size = comm->size, rank = comm->rank;
    memcpy((char *)from + from_at[rank], (const char *)to + to_at[rank], (size_t)(to_at[rank + 1] - to_at[rank]));
    for (int k = 1; k < size; k++) {
        int next = (rank + k) % size, last = (rank + size - k) % size;
        if (!pass(c, next, (const char *)to + to_at[next], to_at[next + 1] - to_at[next], last,
                  (char *)from + from_at[last], from_at[last + 1] - from_at[last]))
            return false;
    }
    return true;
}

static bool mpi_gather(gls_comm *comm, void *all, const int64_t *at) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    int size = comm->size, rank = comm->rank;
    for (int k = 1; k < size; k++) {
        int next = (rank + k) % size, last = (rank + size - k) % size;
        if (!pass(c, next, (const char *)all + at[rank], at[rank + 1] - at[rank], last, (char *)all + at[last],
                  at[last + 1] - at[last]))
            return false;
    }
    return true;
}

/* A connection may break before the line does. */
static void mpi_missed(gls_comm *comm) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    for (double began = gls_seconds(); c->watched && gls_seconds() - began < 1; sched_yield())
        if (!waits_on(c, 0)) return;
}

static void mpi_destroy(gls_comm *comm) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    gls_comm_mpi_guard_end(c);
    int finished = comm->lost; /* to free and to finish waits for every rank */
    if (!finished) MPI_Finalized(&finished);
    if (!finished && c->world != MPI_COMM_NULL) MPI_Comm_free(&c->world);
    if (!finished && c->started) MPI_Finalize();
    gls_comm_lifeline_close(&c->line);
    free(c->line.end);
    free(c->mine);
    free(c->all);
    free(c->bucket);
    free(c->count);
    free(c->offset);
    gls_comm_mpi_parts_free(&c->parts);
    free(c);
}

static bool start(gls_comm_mpi *c) {
    int initialized = 0, finalized = 0;
    if (MPI_Initialized(&initialized) != MPI_SUCCESS || MPI_Finalized(&finalized) != MPI_SUCCESS || finalized)
        return false;
    if (!initialized) {
        int provided = MPI_THREAD_SINGLE;
        if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return false;
        c->started = true;
        if (provided < MPI_THREAD_FUNNELED) return false;
    }
    return MPI_Comm_dup(MPI_COMM_WORLD, &c->world) == MPI_SUCCESS &&
           MPI_Comm_set_errhandler(c->world, MPI_ERRORS_RETURN) == MPI_SUCCESS &&
           MPI_Comm_rank(c->world, &c->base.rank) == MPI_SUCCESS &&
           MPI_Comm_size(c->world, &c->base.size) == MPI_SUCCESS;
}

/* Where some rank cannot be reached, all do without: the limit on waits is left. */
static bool make_line(gls_comm_mpi *c) {
    gls_comm_lifeline_offer offer = {0};
    gls_comm_lifeline *line = &c->line;
    line->rank = c->base.rank;
    line->size = c->base.size;
    int fine = 1, everywhere = 0;
    if (line->rank == 0 && !gls_comm_lifeline_offer_make(line, &offer)) offer.port = 0;
    if (MPI_Bcast(&offer, sizeof offer, MPI_BYTE, 0, c->world) != MPI_SUCCESS) return false;
    fine = gls_comm_lifeline_join(line, &offer);
    if (MPI_Allreduce(&fine, &everywhere, 1, MPI_INT, MPI_MIN, c->world) != MPI_SUCCESS) return false;
    c->watched = everywhere;
    return true;
}

static bool take_memory(gls_comm_mpi *c) {
    size_t size = (size_t)c->base.size;
    c->mine = malloc(HEAD + SMALL);
    c->all = malloc(size * (HEAD + SMALL));
    c->bucket = malloc(BUCKET + size * 2 * sizeof(double));
    c->count = malloc(2 * size * sizeof *c->count);
    c->offset = malloc(2 * size * sizeof *c->offset);
    c->line.end = malloc(size * sizeof *c->line.end);
    for (size_t r = 0; c->line.end && r < size; r++) c->line.end[r] = -1;
    return c->mine && c->all && c->bucket && c->count && c->offset && c->line.end;
}

gls_status gls_comm_create_mpi(gls_comm **out) {
    static const gls_comm_ops ops = {.reduce = mpi_reduce,
                                     .broadcast = mpi_broadcast,
                                     .gather = mpi_gather,
                                     .swap = mpi_swap,
                                     .parts_room = gls_comm_mpi_parts_room,
                                     .parts_begin = gls_comm_mpi_parts_begin,
                                     .parts_hand = gls_comm_mpi_parts_hand,
                                     .parts_finish = gls_comm_mpi_parts_finish,
                                     .missed = mpi_missed,
                                     .destroy = mpi_destroy};
    gls_comm_mpi *c = calloc(1, sizeof *c);
    if (!c) return GLS_ERR_MEMORY;
    c->base.ops = &ops;
    c->base.missing = -1;
    c->line.listener = -1;
    c->world = MPI_COMM_NULL;
    /* Processes that each believe to be alone would overwrite each other's work. */
    if (!start(c) || (c->base.size == 1 && gls_comm_promised_several())) {
        mpi_destroy(&c->base);
        return GLS_ERR_COMM;
    }
    /* All memory that reductions need is taken now: later none can fail on one rank alone because memory ran out. */
    int whole = take_memory(c), everywhere = 0;
    bool agreed = MPI_Allreduce(&whole, &everywhere, 1, MPI_INT, MPI_MIN, c->world) == MPI_SUCCESS && everywhere;
    if (!agreed || (c->base.size > 1 && !make_line(c))) {
        mpi_destroy(&c->base);
        return whole ? GLS_ERR_COMM : GLS_ERR_MEMORY;
    }
    if (c->watched) gls_comm_mpi_guard_begin(c);
    *out = &c->base;
    return GLS_OK;
}
#else
typedef int without_mpi; /* a translation unit is never empty */
#endif
