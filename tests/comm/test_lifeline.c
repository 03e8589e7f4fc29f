/* Lines between processes: who is gone is noticed, whoever it is; strangers are not taken in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "comm/lifeline.h"
#include "comm/mpi_comm.h"

enum { MOST = 8 };

static gls_comm_lifeline line_of(int rank, int size, int end[MOST]) {
    for (int r = 0; r < MOST; r++) end[r] = -1;
    return (gls_comm_lifeline){.rank = rank, .size = size, .listener = -1, .end = end};
}

/* Looks until somebody is gone, for two seconds; -1: nobody. */
static int look_on(gls_comm_lifeline *line) {
    int gone = -1;
    for (int i = 0; i < 200 && gone < 0; i++) {
        gone = gls_comm_lifeline_look(line);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return gone;
}

/* A process that joins as a rank, and exits with whom it misses (77: nobody; 78: it could not join). */
static pid_t start_rank(int rank, int size, const gls_comm_lifeline_offer *offer) {
    pid_t pid = fork();
    if (pid) return pid;
    int end[MOST];
    gls_comm_lifeline line = line_of(rank, size, end);
    if (!gls_comm_lifeline_join(&line, offer)) _exit(78);
    int gone = look_on(&line);
    _exit(gone < 0 ? 77 : gone);
}

static int exit_of(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void all_learn_who_is_gone(void **state) {
    int end[MOST];
    gls_comm_lifeline line = line_of(0, 4, end);
    gls_comm_lifeline_offer offer;
    pid_t pid[4];
    assert_true(gls_comm_lifeline_offer_make(&line, &offer));
    for (int r = 1; r < 4; r++) pid[r] = start_rank(r, 4, &offer);
    assert_true(gls_comm_lifeline_join(&line, &offer));
    assert_int_equal(gls_comm_lifeline_look(&line), -1);
    kill(pid[2], SIGKILL);
    assert_int_equal(look_on(&line), 2);
    assert_int_equal(exit_of(pid[2]), -1);
    assert_int_equal(exit_of(pid[1]), 2);
    assert_int_equal(exit_of(pid[3]), 2);
    gls_comm_lifeline_close(&line);
}

/* The first rank has no words left: the end of the line says it. */
static void the_first_rank_is_missed(void **state) {
    int end[MOST], way[2];
    gls_comm_lifeline_offer offer;
    assert_int_equal(pipe(way), 0);
    pid_t first = fork();
    if (!first) {
        gls_comm_lifeline line = line_of(0, 2, end);
        bool fine = gls_comm_lifeline_offer_make(&line, &offer) && write(way[1], &offer, sizeof offer) > 0 &&
                    gls_comm_lifeline_join(&line, &offer);
        pause();
        _exit(fine);
    }
    gls_comm_lifeline line = line_of(1, 2, end);
    assert_int_equal(read(way[0], &offer, sizeof offer), sizeof offer);
    assert_true(gls_comm_lifeline_join(&line, &offer));
    assert_int_equal(gls_comm_lifeline_look(&line), -1);
    kill(first, SIGKILL);
    assert_int_equal(look_on(&line), 0);
    exit_of(first);
    gls_comm_lifeline_close(&line);
    close(way[0]), close(way[1]);
}

static void strangers_stay_outside(void **state) {
    int end[MOST];
    gls_comm_lifeline line = line_of(0, 2, end);
    gls_comm_lifeline_offer offer, guessed;
    assert_true(gls_comm_lifeline_offer_make(&line, &offer));
    guessed = offer;
    memset(guessed.call, 1, sizeof guessed.call);
    pid_t stranger = start_rank(1, 2, &guessed), rank = start_rank(1, 2, &offer);
    assert_true(gls_comm_lifeline_join(&line, &offer));
    assert_int_equal(exit_of(stranger), 78);
    gls_comm_lifeline_close(&line);
    assert_int_equal(exit_of(rank), 0);
}

/* Nobody comes, nobody is called: the ranks do without. */
static void who_cannot_be_reached_is_not_waited_for_long(void **state) {
    int end[MOST];
    gls_comm_lifeline line = line_of(1, 2, end);
    gls_comm_lifeline_offer none = {0}, refused = {.port = htons(1), .places = 1, .address = {htonl(INADDR_LOOPBACK)}};
    assert_false(gls_comm_lifeline_join(&line, &none));
    assert_false(gls_comm_lifeline_join(&line, &refused));
    assert_int_equal(gls_comm_lifeline_look(&line), -1);
    gls_comm_lifeline_close(&line);
}

#ifdef GLS_HAVE_MPI
static void note_missing(void *user, int missing) {
    atomic_store((atomic_int *)user, missing);
}

enum { STANDS, MOVES, COMPUTES, GUARDS };

/* Three first ranks of two, whose other one goes: one stands still in a call, one waits and looks, one is in no call.
 */
static void only_a_call_that_stands_still_is_told(void **state) {
    (void)state;
    gls_comm_mpi c[GUARDS];
    atomic_int told[GUARDS];
    int end[GUARDS][2], pair[GUARDS][2];
    for (int k = 0; k < GUARDS; k++) {
        memset(&c[k], 0, sizeof c[k]);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair[k]), 0);
        end[k][0] = -1;
        end[k][1] = pair[k][0];
        c[k].line = (gls_comm_lifeline){.rank = 0, .size = 2, .listener = -1, .end = end[k]};
        atomic_store(&told[k], -1);
        gls_comm_on_stuck(&c[k].base, note_missing, &told[k]);
        gls_comm_mpi_guard_begin(&c[k]);
        assert_true(c[k].guarded);
        atomic_store(&c[k].base.inside, k != COMPUTES);
    }
    double began = gls_seconds();
    for (int k = 0; k < GUARDS; k++) close(pair[k][1]);
    for (int turn = 0; turn < 42; turn++) {
        atomic_fetch_add(&c[MOVES].base.beat, 1);
        usleep(100000);
        if (gls_seconds() - began < 2.5) assert_int_equal(atomic_load(&told[STANDS]), -1);
    }
    assert_int_equal(atomic_load(&told[STANDS]), 1);
    assert_int_equal(atomic_load(&told[MOVES]), -1);
    assert_int_equal(atomic_load(&told[COMPUTES]), -1);
    for (int k = 0; k < GUARDS; k++) {
        gls_comm_mpi_guard_end(&c[k]);
        close(pair[k][0]);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_learn_who_is_gone),
        cmocka_unit_test(the_first_rank_is_missed),
        cmocka_unit_test(strangers_stay_outside),
        cmocka_unit_test(who_cannot_be_reached_is_not_waited_for_long),
#ifdef GLS_HAVE_MPI
        cmocka_unit_test(only_a_call_that_stands_still_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
