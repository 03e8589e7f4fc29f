/* A thread that sleeps until the line between the ranks breaks, and then looks whether a call of message passing stands
 * still: inside of MPI nobody else can notice. */
#include "base/clock.h"
#include "comm/mpi_comm.h"

#ifdef GLS_HAVE_MPI
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOK_MILLIS = 250 };
static const double stuck_seconds = 3;

/* Until an end of the line is closed or says something; false: the communicator is to be destroyed. */
static bool wait_for_break(const gls_comm_mpi *c, struct pollfd *watched) {
    int ends = c->line.rank == 0 ? c->line.size : 1;
    watched[0] = (struct pollfd){.fd = c->wake[0], .events = POLLIN};
    for (int r = 0; r < ends; r++) watched[1 + r] = (struct pollfd){.fd = c->line.end[r], .events = POLLIN};
    while (poll(watched, (nfds_t)ends + 1, -1) < 0)
        if (errno != EINTR) return false;
    return !watched[0].revents;
}

static bool destroyed_meanwhile(const gls_comm_mpi *c) {
    struct pollfd wake = {.fd = c->wake[0], .events = POLLIN};
    return poll(&wake, 1, LOOK_MILLIS) > 0;
}

/* A rank that has ended as it should leaves calls that come back. */
static void look_on(gls_comm_mpi *c) {
    gls_comm *base = &c->base;
    unsigned beat = atomic_load(&base->beat);
    double since = gls_seconds();
    while (!destroyed_meanwhile(c)) {
        unsigned now = atomic_load(&base->beat);
        void (*stuck)(void *user, int missing) = atomic_load(&base->stuck);
        if (now != beat || !atomic_load(&base->inside) || !stuck) {
            beat = now;
            since = gls_seconds();
        } else if (gls_seconds() - since > stuck_seconds) {
            int missing = gls_comm_lifeline_look(&c->line); /* whoever else looks stands still */
            stuck(base->stuck_user, missing);
            return;
        }
    }
}

static void *guard(void *user) {
    gls_comm_mpi *c = user;
    struct pollfd *watched = malloc((size_t)(c->line.size + 1) * sizeof *watched);
    if (watched && wait_for_break(c, watched)) look_on(c);
    free(watched);
    return NULL;
}

void gls_comm_mpi_guard_begin(gls_comm_mpi *c) {
    sigset_t all, before;
    if (pipe2(c->wake, O_CLOEXEC) != 0) return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    c->guarded = pthread_create(&c->guard, NULL, guard, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (c->guarded) return;
    close(c->wake[0]);
    close(c->wake[1]);
}

void gls_comm_mpi_guard_end(gls_comm_mpi *c) {
    if (!c->guarded) return;
    if (write(c->wake[1], "", 1) == 1) pthread_join(c->guard, NULL);
    close(c->wake[0]);
    close(c->wake[1]);
    c->guarded = false;
}
#else
typedef int without_mpi; /* a translation unit is never empty */
#endif
