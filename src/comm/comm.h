/* What a communicator is made of: its verbs, its rank, and the number of ranks. */
#ifndef GLS_COMM_COMM_H
#define GLS_COMM_COMM_H

#include <glissade/comm.h>

/* Elements that reductions know. */
typedef enum gls_comm_element { GLS_ELEMENT_FLOAT, GLS_ELEMENT_DOUBLE, GLS_ELEMENT_INT64 } gls_comm_element;

/* Several processes. Each verb carries a status as comm.h says; *failed is the lowest rank that failed, or -1. false:
 * the message passing itself failed. */
typedef struct gls_comm_ops {
    bool (*reduce)(gls_comm *comm, gls_reduce op, gls_comm_element element, void *x, int64_t n, gls_status mine,
                   int *failed, gls_status *theirs);
    bool (*broadcast)(gls_comm *comm, void *data, int64_t bytes, int root, gls_status mine, int *failed,
                      gls_status *theirs);
    void (*destroy)(gls_comm *comm);
} gls_comm_ops;

/* The first members of a concrete communicator; ops NULL: one process. */
struct gls_comm {
    const gls_comm_ops *ops;
    int rank, size;
    bool lost; /* message passing failed: nothing more is asked of the others */
};

/* Whether the launcher's variables promise more than one process. */
bool gls_comm_promised_several(void);

#ifdef GLS_HAVE_MPI
gls_status gls_comm_create_mpi(gls_comm **out);
#endif

#endif
