/* A communicator over MPI: what mpi.c and mpi_parts.c share. */
#ifndef GLS_COMM_MPI_COMM_H
#define GLS_COMM_MPI_COMM_H

#include "comm/comm.h"
#include "comm/lifeline.h"

#ifdef GLS_HAVE_MPI
#include <mpi.h>
#include <pthread.h>

/* A sum in parts. Part k is cut into a segment for each rank; it waits to be handed over, then segments travel to the
 * ranks that add them up, then sums to all. */
typedef struct gls_comm_mpi_parts {
    gls_real *x;
    const gls_comm_code *code;
    const gls_comm_part *part; /* [count] */
    int64_t count;
    int64_t handed; /* parts that are final */
    int64_t first;  /* that is not a sum yet */
    char *state;    /* [count] WAITING, SEGMENTS, SUMS or DONE */
    int64_t *place; /* [count] of a part's room */
    char *
        room; /* of a part: everybody's values of the segment that this rank adds up; with a code, its own on the way */
    MPI_Request *request; /* [count][2 (size - 1)] */
    MPI_Status *unread;   /* [2 (size - 1)] */
    int64_t count_room, bytes_room;
} gls_comm_mpi_parts;

typedef struct gls_comm_mpi {
    gls_comm base;
    MPI_Comm world;
    bool started; /* by us, so ours to finish */
    char *mine;   /* [HEAD + SMALL] */
    char *all;    /* [size][HEAD + SMALL] */
    char *bucket; /* [size][segment bytes]: everybody's part of the segment that this rank adds up */
    int *count, *offset;
    gls_comm_lifeline line;
    bool watched; /* the line is there */
    gls_comm_mpi_parts parts;
    pthread_t guard; /* where guarded: looks whether the line breaks while a call stands still */
    int wake[2];     /* its end is written to */
    bool guarded;
} gls_comm_mpi;

/* Called between questions whether messages have come, with an eye on the others: a rank that is gone would be waited
 * for for ever. false: give up. Begins as {0}. */
typedef struct gls_comm_mpi_waiting {
    double began, looked;
    int64_t turn;
} gls_comm_mpi_waiting;
bool gls_comm_mpi_wait(gls_comm_mpi *c, gls_comm_mpi_waiting *waiting);

/* mpi_guard.c: where there is no thread for it, nobody looks. */
void gls_comm_mpi_guard_begin(gls_comm_mpi *c);
void gls_comm_mpi_guard_end(gls_comm_mpi *c);

/* mpi_parts.c */
bool gls_comm_mpi_parts_room(gls_comm *comm, const gls_comm_code *code, const gls_comm_part *part, int64_t parts,
                             bool *more);
void gls_comm_mpi_parts_begin(gls_comm *comm, const gls_comm_code *code, gls_real *x, const gls_comm_part *part,
                              int64_t parts);
bool gls_comm_mpi_parts_hand(gls_comm *comm, int64_t count);
bool gls_comm_mpi_parts_finish(gls_comm *comm);
void gls_comm_mpi_parts_free(gls_comm_mpi_parts *parts);
#endif

#endif
