/* A thread waits for the signals, so that nothing runs in a handler and nothing needs a global. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"

struct cli_signals {
    gls_context *ctx;
    cli_progress *progress;
    pthread_t thread;
    sigset_t set, before;
};

static void *wait_for_signals(void *user) {
    cli_signals *s = user;
    for (int count = 0;;) {
        int number = 0;
        if (sigwait(&s->set, &number) || number == SIGUSR2) return NULL;
        if (count++) _exit(128 + number);
        static const char words[] = "\nglissade: finishing this step; once more ends at once\n";
        if (!(s->progress && s->progress->quiet) && write(STDERR_FILENO, words, sizeof words - 1) < 0) return NULL;
        gls_interrupt(s->ctx);
    }
}

cli_signals *cli_signals_start(gls_context *ctx, cli_progress *progress) {
    cli_signals *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->ctx = ctx;
    s->progress = progress;
    sigemptyset(&s->set);
    sigaddset(&s->set, SIGINT);
    sigaddset(&s->set, SIGTERM);
    sigaddset(&s->set, SIGUSR2);
    /* Threads made from now on inherit the mask. */
    pthread_sigmask(SIG_BLOCK, &s->set, &s->before);
    if (!pthread_create(&s->thread, NULL, wait_for_signals, s)) return s;
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
    return NULL;
}

void cli_signals_stop(cli_signals *s) {
    if (!s) return;
    pthread_kill(s->thread, SIGUSR2);
    pthread_join(s->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
}
