/* Message passing between ranks. With one process there is nothing to exchange: every call returns the caller's own
 * status. */
#include "comm/comm.h"

#include <stdlib.h>
#include <string.h>

/* Launchers set one of these variables in each process they start; without one, MPI is never started. PMIx gives the
 * rank only. */
static const char *const sign[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};

static const gls_comm_element real_element =
    sizeof(gls_real) == sizeof(double) ? GLS_ELEMENT_DOUBLE : GLS_ELEMENT_FLOAT;

static bool launched(void) {
    for (size_t i = 0; i < sizeof sign / sizeof *sign; i++)
        if (getenv(sign[i])) return true;
    return false;
}

bool gls_comm_promised_several(void) {
    for (size_t i = 0; i < sizeof sign / sizeof *sign; i++) {
        const char *value = getenv(sign[i]);
        if (value && strtol(value, NULL, 10) > (strcmp(sign[i], "PMIX_RANK") ? 1 : 0)) return true;
    }
    return false;
}

gls_status gls_comm_create_single(gls_comm **out) {
    GLS_GIVEN(NULL, out);
    *out = calloc(1, sizeof **out);
    if (!*out) return GLS_ERR_MEMORY;
    (*out)->size = 1;
    return GLS_OK;
}

gls_status gls_comm_create(gls_comm **out) {
    GLS_GIVEN(NULL, out);
    *out = NULL;
    if (!launched()) return gls_comm_create_single(out);
#ifdef GLS_HAVE_MPI
    return gls_comm_create_mpi(out);
#else
    return GLS_ERR_COMM;
#endif
}

const char *gls_comm_refusal(void) {
#ifdef GLS_HAVE_MPI
    if (gls_comm_promised_several())
        return "the launcher started several processes, but MPI shows each of them only itself: start them with the "
               "launcher of " GLS_MPI_NAME ", the MPI that glissade was built with";
    return "MPI (" GLS_MPI_NAME ") could not be started";
#else
    return "a launcher started this process, but glissade was built without MPI: install libopenmpi-dev or "
           "libmpich-dev "
           "and build again, or start one process without a launcher";
#endif
}

void gls_comm_destroy(gls_comm *comm) {
    if (!comm) return;
    if (comm->ops)
        comm->ops->destroy(comm);
    else
        free(comm);
}

int gls_comm_rank(const gls_comm *comm) {
    return comm ? comm->rank : 0;
}
int gls_comm_size(const gls_comm *comm) {
    return comm ? comm->size : 1;
}

/* A rank that is lost answers no more: whoever asked it again would wait for ever. */
static bool reaches(const gls_comm *comm) {
    return comm && comm->ops && !comm->lost;
}

static gls_status unreached(gls_context *ctx, const gls_comm *comm, gls_status mine) {
    if (mine != GLS_OK || !comm || !comm->lost) return mine;
    return gls_fail(ctx, GLS_ERR_COMM, "message passing between the ranks failed%s%s", *comm->why ? ": " : "",
                    comm->why);
}

static void enter(gls_comm *comm) {
    atomic_fetch_add_explicit(&comm->beat, 1, memory_order_relaxed);
    atomic_store(&comm->inside, true);
}

static bool leave(gls_comm *comm, bool passed) {
    atomic_store(&comm->inside, false);
    if (!passed) comm->lost = true;
    if (!passed && !*comm->why && comm->ops->missed) comm->ops->missed(comm);
    return passed;
}

static gls_status conclude(gls_context *ctx, gls_comm *comm, bool passed, gls_status mine, int failed,
                           gls_status theirs) {
    leave(comm, passed);
    if (mine != GLS_OK) return mine;
    if (!passed)
        return gls_fail(ctx, GLS_ERR_COMM, "message passing between the ranks failed%s%s", *comm->why ? ": " : "",
                        comm->why);
    if (failed >= 0) return gls_fail(ctx, GLS_ERR_COMM, "rank %d failed: %s", failed, gls_status_name(theirs));
    return GLS_OK;
}

static gls_status reduce(gls_context *ctx, gls_reduce op, gls_comm_element element, void *x, int64_t n,
                         gls_status mine) {
    gls_comm *comm = gls_context_comm(ctx);
    if (!reaches(comm)) return unreached(ctx, comm, mine);
    int failed = -1;
    gls_status theirs = GLS_OK;
    enter(comm);
    bool passed = comm->ops->reduce(comm, op, element, x, n, mine, &failed, &theirs);
    return conclude(ctx, comm, passed, mine, failed, theirs);
}

gls_status gls_comm_reduce_real(gls_context *ctx, gls_reduce op, gls_real *x, int64_t n, gls_status mine) {
    GLS_GIVEN(ctx, ctx);
    if (n > 0) GLS_GIVEN(ctx, x);
    return reduce(ctx, op, real_element, x, n, mine);
}

gls_status gls_comm_reduce_double(gls_context *ctx, gls_reduce op, double *x, int64_t n, gls_status mine) {
    GLS_GIVEN(ctx, ctx);
    if (n > 0) GLS_GIVEN(ctx, x);
    return reduce(ctx, op, GLS_ELEMENT_DOUBLE, x, n, mine);
}

gls_status gls_comm_reduce_int64(gls_context *ctx, gls_reduce op, int64_t *x, int64_t n, gls_status mine) {
    GLS_GIVEN(ctx, ctx);
    if (n > 0) GLS_GIVEN(ctx, x);
    return reduce(ctx, op, GLS_ELEMENT_INT64, x, n, mine);
}

gls_status gls_comm_reduce_pairs(gls_context *ctx, gls_comm_pair *x, int64_t n, gls_status mine) {
    return reduce(ctx, GLS_SUM, GLS_ELEMENT_PAIR, x, n, mine);
}

gls_status gls_comm_agree(gls_context *ctx, gls_status mine) {
    GLS_GIVEN(ctx, ctx);
    return reduce(ctx, GLS_SUM, GLS_ELEMENT_INT64, NULL, 0, mine);
}

gls_status gls_comm_broadcast(gls_context *ctx, void *data, int64_t bytes, int root, gls_status mine) {
    GLS_GIVEN(ctx, ctx);
    if (bytes > 0) GLS_GIVEN(ctx, data);
    gls_comm *comm = gls_context_comm(ctx);
    if (root < 0 || root >= gls_comm_size(comm))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "broadcast: rank %d does not exist; there are %d ranks", root,
                        gls_comm_size(comm));
    if (!reaches(comm)) return unreached(ctx, comm, mine);
    int failed = -1;
    gls_status theirs = GLS_OK;
    enter(comm);
    bool passed = comm->ops->broadcast(comm, data, bytes, root, mine, &failed, &theirs);
    return conclude(ctx, comm, passed, mine, failed, theirs);
}

void gls_comm_limit_waits(gls_comm *comm, double seconds) {
    if (comm) comm->limit = seconds;
}

void gls_comm_overlap(gls_comm *comm, bool overlap) {
    if (comm) comm->at_once = !overlap;
}

void gls_comm_on_stuck(gls_comm *comm, void (*stuck)(void *user, int missing), void *user) {
    if (!comm) return;
    comm->stuck_user = user;
    atomic_store(&comm->stuck, stuck);
}

bool gls_comm_lost(const gls_comm *comm, int *missing) {
    if (missing) *missing = comm && comm->lost ? comm->missing : -1;
    return comm && comm->lost;
}

int64_t gls_comm_bytes(const gls_comm *comm) {
    return comm ? comm->bytes : 0;
}

gls_status gls_comm_gather(gls_context *ctx, void *all, const int64_t *at) {
    gls_comm *comm = gls_context_comm(ctx);
    if (!reaches(comm)) return unreached(ctx, comm, GLS_OK);
    enter(comm);
    return conclude(ctx, comm, comm->ops->gather(comm, all, at), GLS_OK, -1, GLS_OK);
}

gls_status gls_comm_swap(gls_context *ctx, const void *to, const int64_t *to_at, void *from, const int64_t *from_at) {
    gls_comm *comm = gls_context_comm(ctx);
    if (reaches(comm)) {
        enter(comm);
        return conclude(ctx, comm, comm->ops->swap(comm, to, to_at, from, from_at), GLS_OK, -1, GLS_OK);
    }
    GLS_TRY(unreached(ctx, comm, GLS_OK));
    memcpy(from, to, (size_t)(to_at[1] - to_at[0]));
    return GLS_OK;
}

bool gls_comm_parts_possible(gls_context *ctx) {
    const gls_comm *comm = gls_context_comm(ctx);
    return reaches(comm) && comm->size > 1 && comm->ops->parts_begin && !comm->at_once;
}

gls_status gls_comm_parts_begin(gls_context *ctx, const gls_comm_code *code, gls_real *x, const gls_comm_part *part,
                                int64_t parts) {
    gls_comm *comm = gls_context_comm(ctx);
    bool more = false;
    gls_status mine = comm->ops->parts_room(comm, code, part, parts, &more) ? GLS_OK : GLS_ERR_MEMORY;
    if (more) mine = gls_comm_agree(ctx, mine);
    if (mine == GLS_OK)
        comm->ops->parts_begin(comm, code, x, part, parts);
    else /* so that all need it again */
        comm->ops->parts_room(comm, NULL, NULL, 0, &more);
    return mine;
}

void gls_comm_parts_hand(gls_context *ctx, int64_t count) {
    gls_comm *comm = gls_context_comm(ctx);
    if (!reaches(comm)) return;
    enter(comm);
    leave(comm, comm->ops->parts_hand(comm, count));
}

gls_status gls_comm_parts_finish(gls_context *ctx) {
    gls_comm *comm = gls_context_comm(ctx);
    if (!reaches(comm)) return unreached(ctx, comm, GLS_OK);
    enter(comm);
    return conclude(ctx, comm, comm->ops->parts_finish(comm), GLS_OK, -1, GLS_OK);
}
