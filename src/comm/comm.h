/* What a communicator is made of: its verbs, its rank, and the number of ranks. */
#ifndef GLS_COMM_COMM_H
#define GLS_COMM_COMM_H

#include <glissade/comm.h>
#include <stdatomic.h>

/* Elements that reductions know. */
typedef enum gls_comm_element {
    GLS_ELEMENT_FLOAT,
    GLS_ELEMENT_DOUBLE,
    GLS_ELEMENT_INT64,
    GLS_ELEMENT_PAIR
} gls_comm_element;

/* A number to be summed and one of which the least is wanted: both travel in one message, whatever the op. */
typedef struct gls_comm_pair {
    double sum, least; /* a NaN wins */
} gls_comm_pair;

/* Values [begin, end) of a vector. */
typedef struct gls_comm_part {
    int64_t begin, end;
} gls_comm_part;

/* How values travel that are not sent as they are. */
typedef struct gls_comm_code {
    int64_t width; /* bytes of a value on its way */
    void *user;
    /* Values begin, ..., begin + n - 1 of the vector, of which x points at the first. again: they are sums. */
    void (*encode)(void *user, bool again, int64_t begin, int64_t n, const gls_real *x, void *wire);
    /* x += what was sent. */
    void (*add)(void *user, const void *wire, int64_t n, gls_real *x);
} gls_comm_code;

enum { GLS_COMM_BUCKET = 4 << 20 }; /* bytes that a large reduction handles at once */
/* Values of a part, which are long beside what a message costs, short beside what a step takes; and no more parts than
 * message passing has numbers for. */
enum { GLS_COMM_PART = 1 << 16, GLS_COMM_PARTS = 8192 };

/* Several processes. Each verb carries a status as comm.h says; *failed is the lowest rank that failed, or -1. false:
 * the message passing itself failed. */
typedef struct gls_comm_ops {
    bool (*reduce)(gls_comm *comm, gls_reduce op, gls_comm_element element, void *x, int64_t n, gls_status mine,
                   int *failed, gls_status *theirs);
    bool (*broadcast)(gls_comm *comm, void *data, int64_t bytes, int root, gls_status mine, int *failed,
                      gls_status *theirs);
    /* Bytes alone, between ranks that agreed before: no status travels. all + at[r] up to at[r + 1] is rank r's part,
     * and then everybody's. */
    bool (*gather)(gls_comm *comm, void *all, const int64_t *at);
    /* to + to_at[r] up to to_at[r + 1] goes to rank r; from + from_at[r] takes what comes from there, one's own part
     * too. */
    bool (*swap)(gls_comm *comm, const void *to, const int64_t *to_at, void *from, const int64_t *from_at);
    /* gls_comm_parts_...; all NULL: sums are made at once. */
    /* Room for such parts; *more: it had to be taken, as on all ranks. false: there is none. part NULL: gives it back.
     */
    bool (*parts_room)(gls_comm *comm, const gls_comm_code *code, const gls_comm_part *part, int64_t parts, bool *more);
    void (*parts_begin)(gls_comm *comm, const gls_comm_code *code, gls_real *x, const gls_comm_part *part,
                        int64_t parts);
    bool (*parts_hand)(gls_comm *comm, int64_t count);
    bool (*parts_finish)(gls_comm *comm);
    /* Message passing failed by itself: who is gone, if that is known within a second. NULL: it is not. */
    void (*missed)(gls_comm *comm);
    void (*destroy)(gls_comm *comm);
} gls_comm_ops;

/* The first members of a concrete communicator; ops NULL: one process. */
struct gls_comm {
    const gls_comm_ops *ops;
    int rank, size;
    bool at_once;  /* no sum goes on while the ranks compute */
    bool lost;     /* message passing failed: nothing more is asked of the others */
    int64_t bytes; /* sent by this rank */
    double limit;  /* seconds that a rank is waited for; 0: for ever */
    int missing;   /* the rank that is gone, where that is known, else -1 */
    char why[96];  /* message passing failed */
    /* For a thread that looks whether a call stands still: whether there is one, and what moves while it waits. */
    atomic_bool inside;
    atomic_uint beat;
    _Atomic(void (*)(void *user, int missing)) stuck;
    void *stuck_user;
};

/* As the reductions of comm.h. */
gls_status gls_comm_reduce_pairs(gls_context *ctx, gls_comm_pair *x, int64_t n, gls_status mine);
/* The verbs above; both sizes 1: nothing moves but one's own part. GLS_ERR_COMM. */
gls_status gls_comm_gather(gls_context *ctx, void *all, const int64_t *at);
gls_status gls_comm_swap(gls_context *ctx, const void *to, const int64_t *to_at, void *from, const int64_t *from_at);

/* A large sum over ranks that goes on while they compute. Parts of x are handed over in their order when they are
 * final, and all are sums when it is finished: without a code with the bits of gls_comm_reduce_real. One at a time;
 * begun and finished by every rank alike, whatever happens between, as its messages carry no status; by the thread that
 * passes messages. */
bool gls_comm_parts_possible(gls_context *ctx);
/* part [parts] and code (NULL: values travel as they are) stay. Where memory has to be taken the ranks agree that all
 * have it: GLS_ERR_MEMORY where there is none, GLS_ERR_COMM on the others. */
gls_status gls_comm_parts_begin(gls_context *ctx, const gls_comm_code *code, gls_real *x, const gls_comm_part *part,
                                int64_t parts);
/* The first `count` parts are final. Lets messages move on, too. */
void gls_comm_parts_hand(gls_context *ctx, int64_t count);
gls_status gls_comm_parts_finish(gls_context *ctx);

/* Whether the launcher's variables promise more than one process. */
bool gls_comm_promised_several(void);

/* rehearsal.c: rank 0 of several that are not there. */
gls_status gls_comm_create_rehearsal(int size, gls_comm **out);

#ifdef GLS_HAVE_MPI
gls_status gls_comm_create_mpi(gls_comm **out);
#endif

#endif
