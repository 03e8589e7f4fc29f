/* A sum over ranks that goes on while they compute: single messages, as collective calls would have to begin everywhere
 * in one order, and the second round of a part begins whenever its first has come. Values are added in the order of the
 * ranks, as mpi.c does: the same bits. */
#include "base/kernels.h"
#include "comm/mpi_comm.h"

#ifdef GLS_HAVE_MPI
#include <stdlib.h>
#include <string.h>

enum { WAITING, SEGMENTS, SUMS, DONE };
enum { FIRST_TAG = 1 }; /* 0: mpi.c's own */

/* Rank r's values of a part: from the part's first one on, and in bytes on their way. */
typedef struct segment {
    int64_t low, n;
    char *wire;
    int bytes;
} segment;

static int64_t width_of(const gls_comm_mpi_parts *p) {
    return p->code ? p->code->width : (int64_t)sizeof(gls_real);
}

static int64_t values_of(const gls_comm_mpi_parts *p, int64_t k) {
    return p->part[k].end - p->part[k].begin;
}

static gls_real *vector_at(const gls_comm_mpi_parts *p, int64_t k, int64_t low) {
    return p->x + p->part[k].begin + low;
}

static segment segment_of(const gls_comm_mpi *c, int64_t k, int r) {
    const gls_comm_mpi_parts *p = &c->parts;
    int64_t n = values_of(p, k), size = c->base.size, low = n * r / size, count = n * (r + 1) / size - low;
    int64_t own = n * (c->base.rank + 1) / size - n * c->base.rank / size;
    char *wire = p->code ? p->room + p->place[k] + (size * own + low) * width_of(p) : (char *)vector_at(p, k, low);
    return (segment){low, count, wire, (int)(count * width_of(p))};
}

/* Where rank r's values of this rank's segment come to lie. */
static char *arrived(const gls_comm_mpi *c, int64_t k, int r) {
    return c->parts.room + c->parts.place[k] + (int64_t)r * segment_of(c, k, c->base.rank).bytes;
}

static MPI_Request *requests(const gls_comm_mpi *c, int64_t k) {
    return c->parts.request + k * 2 * (c->base.size - 1);
}

static void encode(const gls_comm_mpi_parts *p, int64_t k, bool again, segment s) {
    if (p->code) p->code->encode(p->code->user, again, p->part[k].begin + s.low, s.n, vector_at(p, k, s.low), s.wire);
}

/* A part's values, or the sums of this rank's segment, to the others. */
static bool post(gls_comm_mpi *c, int64_t k, bool sums) {
    int rank = c->base.rank, tag = FIRST_TAG + 2 * (int)k + sums;
    segment own = segment_of(c, k, rank);
    MPI_Request *request = requests(c, k);
    encode(&c->parts, k, sums, own);
    for (int r = 0; r < c->base.size; r++) {
        if (r == rank) continue;
        segment other = segment_of(c, k, r), to = sums ? own : other, from = sums ? other : own;
        if (!sums) encode(&c->parts, k, false, other);
        if (!sums) from.wire = arrived(c, k, r);
        c->base.bytes += to.bytes;
        if (MPI_Irecv(from.wire, from.bytes, MPI_BYTE, r, tag, c->world, request++) != MPI_SUCCESS ||
            MPI_Isend(to.wire, to.bytes, MPI_BYTE, r, tag, c->world, request++) != MPI_SUCCESS)
            return false;
    }
    return true;
}

static void add_up(gls_comm_mpi *c, int64_t k) {
    const gls_comm_mpi_parts *p = &c->parts;
    segment own = segment_of(c, k, c->base.rank);
    gls_real *sum = vector_at(p, k, own.low);
    memcpy(arrived(c, k, c->base.rank), own.wire, (size_t)own.bytes);
    if (p->code) {
        gls_fill(sum, 0, own.n);
        for (int r = 0; r < c->base.size; r++) p->code->add(p->code->user, arrived(c, k, r), own.n, sum);
        return;
    }
    memcpy(sum, arrived(c, k, 0), (size_t)own.bytes);
    for (int r = 1; r < c->base.size; r++) gls_add(sum, (const gls_real *)(const void *)arrived(c, k, r), own.n);
}

/* Everybody's sums, as they came: the same on all ranks. */
static void take_sums(gls_comm_mpi *c, int64_t k) {
    const gls_comm_mpi_parts *p = &c->parts;
    if (!p->code) return;
    gls_fill(vector_at(p, k, 0), 0, values_of(p, k));
    p->code->add(p->code->user, segment_of(c, k, 0).wire, values_of(p, k), vector_at(p, k, 0));
}

/* Takes part k as far as it comes without waiting. */
static bool move(gls_comm_mpi *c, int64_t k) {
    gls_comm_mpi_parts *p = &c->parts;
    while (p->state[k] != DONE) {
        int all = 1;
        if (p->state[k] != WAITING &&
            MPI_Testall(2 * (c->base.size - 1), requests(c, k), &all, p->unread) != MPI_SUCCESS)
            return false;
        if (!all) return true;
        if (p->state[k] == SEGMENTS) add_up(c, k);
        if (p->state[k] == SUMS) take_sums(c, k);
        p->state[k]++;
        if (p->state[k] != DONE && !post(c, k, p->state[k] == SUMS)) return false;
    }
    return true;
}

static bool move_all(gls_comm_mpi *c) {
    gls_comm_mpi_parts *p = &c->parts;
    for (int64_t k = p->first; k < p->handed; k++)
        if (!move(c, k)) return false;
    while (p->first < p->handed && p->state[p->first] == DONE) p->first++;
    return true;
}

void gls_comm_mpi_parts_free(gls_comm_mpi_parts *p) {
    free(p->state);
    free(p->place);
    free(p->room);
    free(p->request);
    free(p->unread);
    *p = (gls_comm_mpi_parts){0};
}

static bool take_room(gls_comm_mpi_parts *p, int64_t count, int64_t bytes, int64_t others) {
    gls_comm_mpi_parts_free(p);
    p->state = malloc((size_t)count);
    p->place = malloc((size_t)count * sizeof *p->place);
    p->room = malloc((size_t)bytes);
    p->request = malloc((size_t)(count * 2 * others) * sizeof *p->request);
    p->unread = malloc((size_t)(2 * others) * sizeof *p->unread);
    p->count_room = count;
    p->bytes_room = bytes;
    return p->state && p->place && p->room && p->request && p->unread;
}

bool gls_comm_mpi_parts_room(gls_comm *comm, const gls_comm_code *code, const gls_comm_part *part, int64_t parts,
                             bool *more) {
    gls_comm_mpi_parts *p = &((gls_comm_mpi *)comm)->parts;
    int64_t bytes = 0, width = code ? code->width : (int64_t)sizeof(gls_real);
    for (int64_t k = 0; k < parts; k++) bytes += (2 * (part[k].end - part[k].begin) + comm->size) * width;
    *more = part && !(p->room && parts <= p->count_room && bytes <= p->bytes_room);
    if (*more && take_room(p, parts, bytes, comm->size - 1)) return true;
    if (*more || !part) gls_comm_mpi_parts_free(p);
    return !*more;
}

void gls_comm_mpi_parts_begin(gls_comm *comm, const gls_comm_code *code, gls_real *x, const gls_comm_part *part,
                              int64_t parts) {
    gls_comm_mpi_parts *p = &((gls_comm_mpi *)comm)->parts;
    int64_t width = code ? code->width : (int64_t)sizeof(gls_real);
    p->code = code;
    p->x = x;
    p->part = part;
    p->count = parts;
    p->handed = p->first = 0;
    memset(p->state, WAITING, (size_t)parts);
    p->place[0] = 0;
    for (int64_t k = 1; k < parts; k++) p->place[k] = p->place[k - 1] + (2 * values_of(p, k - 1) + comm->size) * width;
}

bool gls_comm_mpi_parts_hand(gls_comm *comm, int64_t count) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    if (count > c->parts.handed) c->parts.handed = count;
    return move_all(c);
}

bool gls_comm_mpi_parts_finish(gls_comm *comm) {
    gls_comm_mpi *c = (gls_comm_mpi *)comm;
    gls_comm_mpi_waiting waiting = {0};
    c->parts.handed = c->parts.count;
    for (;;) {
        if (!move_all(c)) return false;
        if (c->parts.first == c->parts.count) return true;
        if (!gls_comm_mpi_wait(c, &waiting)) return false;
    }
}
#else
typedef int without_mpi; /* a translation unit is never empty */
#endif
