/* A thread waits for the signals, so that nothing needs a global. It never leaves by itself: the first signal
 * interrupts the work, which then writes a checkpoint, and a second one ends the process. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "cli/cli.h"

/* What the thread takes. SIGHUP is the terminal that went; SIGUSR1 and SIGUSR2, which batch systems send as a warning,
 * change nothing; WAKE is SIGUSR2 when it comes with `done`. */
static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
enum { TAKEN = sizeof taken / sizeof *taken, WAKE = SIGUSR2 };
/* The same signal within this time is the same wish: timeout(1) sends each twice, to the process and to its group. */
static const double once = 0.1;

struct cli_signals {
    gls_context *ctx;
    cli_progress *progress;
    pthread_t thread;
    sigset_t set, before;
    struct sigaction action[TAKEN]; /* as they were */
    atomic_bool done;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Never waits: a pipe that nobody reads would keep the next signal out. */
static void say(const cli_signals *s) {
    static const char words[] = "\nglissade: finishing this step; once more ends at once\n";
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (s->progress && s->progress->quiet) return;
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) && write(STDERR_FILENO, words, sizeof words - 1) < 0)
        return; /* the interruption stands, whether it can be said or not */
}

static bool asks_to_stop(int number) {
    return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

/* A terminal that goes may say so twice, so SIGHUP is never the second signal. */
static void *wait_for_signals(void *user) {
    cli_signals *s = user;
    int first = 0;
    double since = 0;
    while (!atomic_load(&s->done)) {
        int number = 0;
        if (sigwait(&s->set, &number) || !asks_to_stop(number)) continue;
        if (!first) {
            gls_interrupt(s->ctx);
            first = number;
            since = now();
            say(s);
        } else if (number != SIGHUP && (number != first || now() - since > once)) {
            _exit(128 + number);
        }
    }
    return NULL;
}

/* In a thread that was there before the mask was set, a library's own: it takes no such signal from now on, and hands
 * this one on. */
static void hand_on(int number, siginfo_t *info, void *where) {
    int kept = errno;
    sigaddset(&((ucontext_t *)where)->uc_sigmask, number);
    kill(getpid(), number);
    errno = kept;
}

/* A signal that was ignored when the process began, as nohup does with SIGHUP, stays ignored. SIGINT does not: shells
 * ignore it for what they start in the background, where it is sent on purpose. */
static void take_signals(cli_signals *s) {
    struct sigaction own = {.sa_sigaction = hand_on, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&s->set);
    for (int i = 0; i < TAKEN; i++) {
        sigaction(taken[i], NULL, &s->action[i]);
        if (taken[i] != SIGHUP || s->action[i].sa_handler != SIG_IGN) sigaddset(&s->set, taken[i]);
    }
    own.sa_mask = s->set;
    /* Threads made from now on inherit the mask. */
    pthread_sigmask(SIG_BLOCK, &s->set, &s->before);
    for (int i = 0; i < TAKEN; i++)
        if (sigismember(&s->set, taken[i])) sigaction(taken[i], &own, NULL);
}

static void give_signals_back(cli_signals *s) {
    for (int i = 0; i < TAKEN; i++) sigaction(taken[i], &s->action[i], NULL);
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
}

cli_signals *cli_signals_start(gls_context *ctx, cli_progress *progress) {
    cli_signals *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->ctx = ctx;
    s->progress = progress;
    signal(SIGPIPE, SIG_IGN); /* for good: who reads along may go, the work and its last words do not end with him */
    take_signals(s);
    if (!pthread_create(&s->thread, NULL, wait_for_signals, s)) return s;
    give_signals_back(s);
    return NULL;
}

void cli_signals_stop(cli_signals *s) {
    if (!s) return;
    atomic_store(&s->done, true);
    pthread_kill(s->thread, WAKE);
    pthread_join(s->thread, NULL);
    give_signals_back(s);
}
