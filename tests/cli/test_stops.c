/* A stop is a stop: whatever signal asks for it and wherever messages go, there is a checkpoint, from which the run
 * goes on to the bits of an undisturbed one. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>

#define SETTINGS                                                                                                     \
    "train", "--preset", "demo-softmax-msgd", "--set", "data.train_size=500", "--set", "data.test_size=50", "--set", \
        "train.epochs=0", "--set", "train.validate_every=0", "--threads", "1"
#define RUN SETTINGS, "--set", "train.checkpoint_every=0", "--set", steps()

/* So many that a signal comes before the last one, on an emulator too. */
static const char *steps(void) {
    static char text[32];
    snprintf(text, sizeof text, "train.steps=%d", (int)(3000 / patience()));
    return text;
}

/* Where standard error goes. The terminal hangs up for SIGHUP and sends Ctrl-C for SIGINT; nobody reads the pipe any
 * more when the signal comes. */
typedef enum output { TERMINAL, PIPE, CLOSED, FULL, NOWHERE } output;
static const char *const output_name[] = {"terminal", "pipe", "closed", "full"};

static void become(output where, int far, const char *const *arguments) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    setsid();
    if (where == TERMINAL) {
        far = open(ptsname(far), O_RDWR);
        ioctl(far, TIOCSCTTY, 0);
        setenv("TERM", "xterm", 1);
    }
    if (where == FULL) far = open("/dev/full", O_WRONLY);
    if (where == NOWHERE) far = null;
    if (where == CLOSED)
        close(STDERR_FILENO);
    else
        dup2(far, STDERR_FILENO);
    for (int fd = STDERR_FILENO + 1; fd < 64; fd++) close(fd);
    signal(SIGHUP, SIG_DFL);
    execv(getenv("G"), (char *const *)arguments);
    _exit(98);
}

/* *near: our end of a terminal or pipe, or -1. */
static pid_t start(output where, const char *const *arguments, int *near) {
    int ends[2] = {-1, -1};
    if (where == PIPE) assert_int_equal(pipe(ends), 0);
    if (where == TERMINAL) {
        ends[0] = ends[1] = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(ends[0] >= 0 && !grantpt(ends[0]) && !unlockpt(ends[0]));
    }
    pid_t pid = fork();
    if (!pid) become(where, ends[1], arguments);
    if (where == PIPE) close(ends[1]);
    *near = ends[0];
    if (*near >= 0) fcntl(*near, F_SETFL, O_NONBLOCK);
    return pid;
}

static void drain(int near) {
    char bytes[4096];
    while (near >= 0 && read(near, bytes, sizeof bytes) > 0) continue;
}

static void wait_reading(const char *file, int near) {
    for (double last = now() + 60 * patience(); !is_there(file) && now() < last; pause_ms(2)) drain(near);
    wait_for(file);
}

/* The wait status, of a process that has a minute to end. */
static int status_of(pid_t pid, int near) {
    int status;
    for (double last = now() + 60 * patience(); now() < last; pause_ms(10)) {
        if (waitpid(pid, &status, WNOHANG) == pid) return status;
        drain(near);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    fail_msg("it did not end");
    return status;
}

static void hit(pid_t pid, int number, output where, int *near) {
    if (where == TERMINAL && number == SIGINT) {
        assert_int_equal(write(*near, "\003", 1), 1);
    } else if (where == TERMINAL && number == SIGHUP) {
        close(*near);
        *near = -1;
    } else {
        if (where == PIPE) {
            close(*near);
            *near = -1;
        }
        kill(pid, number);
    }
}

/* Resumed, it has the bits of the undisturbed run, and nothing but figures in its files of figures. */
static void goes_on(const char *folder, const char *like) {
    static said s;
    sh(&s,
       "$G train --resume %s --quiet && cmp %s/final.safetensors %s/final.safetensors && ! grep -v '^{.*}$' "
       "%s/metrics.jsonl && [ -z \"$(find %s -name '*.tmp*')\" ]",
       folder, folder, like, folder, folder);
    if (s.code) fail_msg("%s%s", s.out, s.err);
}

static void whole_run(void) {
    int near = -1;
    const char *const whole[] = {"glissade", RUN, "--out", "whole", "--quiet", NULL};
    if (access("whole/result.json", F_OK)) assert_int_equal(status_of(start(NOWHERE, whole, &near), near), 0);
}

/* GLISSADE_STOPS: how many for each place of standard error (3). */
static void stops_at_random_moments(void **state) {
    (void)state;
    static said s;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    const char *const arguments[] = {"glissade", RUN, "--out", "stopped", NULL};
    const char *often = getenv("GLISSADE_STOPS");
    int stops = often ? atoi(often) : 3;
    double began = now();
    whole_run();
    int longest = (int)(1000 * (now() - began) / 3);
    srand(1);
    for (output where = TERMINAL; where <= FULL; where++) {
        int late = 0;
        for (int i = 0; i < stops; i++) {
            int near = -1, number = signals[i % 3];
            pid_t pid = start(where, arguments, &near);
            wait_reading("stopped/metrics.jsonl", near);
            pause_ms(rand() % (longest + 1));
            hit(pid, number, where, &near);
            int status = status_of(pid, near);
            if (near >= 0) close(near);
            if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
                fail_msg("signal %d, %s: status %d", number, output_name[where], status);
            late += WEXITSTATUS(status) == 0;
            sh(&s, "ls stopped/checkpoints/step-*.safetensors");
            assert_int_equal(s.code, 0);
            goes_on("stopped", "whole");
            sh(&s, "rm -r stopped");
        }
        print_message("# %s: %d stops, each with its checkpoint; %d came after the last step\n", output_name[where],
                      stops, late);
    }
}

/* Batch systems warn with SIGUSR1 or SIGUSR2, timeout(1) sends its signal twice. */
static void warnings_change_nothing_and_twice_is_once(void **state) {
    (void)state;
    whole_run();
    const char *const arguments[] = {"glissade", RUN, "--out", "warned", NULL};
    int near = -1;
    pid_t pid = start(NOWHERE, arguments, &near);
    wait_for("warned/metrics.jsonl");
    for (int i = 0; i < 20; i++) {
        kill(pid, i % 2 ? SIGUSR1 : SIGUSR2);
        pause_ms(2);
    }
    kill(pid, SIGTERM);
    kill(pid, SIGTERM);
    int status = status_of(pid, near);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    goes_on("warned", "whole");
}

/* Started by nohup, a run outlives its terminal. */
static void nohup_is_kept(void **state) {
    (void)state;
    static said s;
    whole_run();
    sh(&s,
       "nohup $G train --preset demo-softmax-msgd --set data.train_size=500 --set data.test_size=50 --set "
       "train.epochs=0 --set train.validate_every=0 --set train.checkpoint_every=0 --set %s --threads 1 "
       "--quiet --out kept & pid=$!; while ! [ -f kept/metrics.jsonl ]; do sleep .02; done; kill -HUP $pid; wait $pid "
       "&& cmp kept/final.safetensors whole/final.safetensors",
       steps());
    if (s.code) fail_msg("%s%s", s.out, s.err);
}

/* In a step that takes long, the second signal does not wait for its end. An emulated step takes as long with fewer
 * examples. */
static void a_second_signal_ends_at_once(void **state) {
    (void)state;
    char size[40], batch[40];
    snprintf(size, sizeof size, "data.train_size=%d", (int)(4000 / patience()));
    snprintf(batch, sizeof batch, "train.batch=%d", (int)(4000 / patience()));
    const char *const arguments[] = {"glissade",  "train",
                                     "--preset",  "demo-softmax-msgd",
                                     "--set",     size,
                                     "--set",     "data.test_size=50",
                                     "--set",     batch,
                                     "--set",     "model={name: mlp, hidden: [3000, 3000]}",
                                     "--set",     "train.steps=2",
                                     "--set",     "train.epochs=0",
                                     "--set",     "train.validate_every=0",
                                     "--threads", "1",
                                     "--out",     "twice",
                                     "--quiet",   NULL};
    int near = -1;
    pid_t pid = start(NOWHERE, arguments, &near);
    wait_for("twice/metrics.jsonl");
    pause_ms(100);
    kill(pid, SIGTERM);
    pause_ms(300);
    kill(pid, SIGTERM);
    double sent = now();
    int status = status_of(pid, near);
    if (now() - sent > 2 * patience()) fail_msg("it took %g s", now() - sent);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
    static said s;
    sh(&s, "$G train --resume twice --set train.steps=1 --quiet");
    if (s.code) fail_msg("%s", s.err);
}

/* Verbs that make several runs, or none: they end with 1, and where runs were made the same command goes on. */
static void other_verbs_stop(void **state) {
    (void)state;
    static said s;
    static const char *const words[][2] = {
        {"sweep --preset demo-softmax-msgd --set data.train_size=500 --set data.test_size=50 --set train.epochs=0 "
         "--set train.steps=1500 --over method.lr=0.1,0.2 --out swept --quiet",
         "swept/*/*/metrics.jsonl"},
        {"train --preset demo-softmax-msgd --set data.train_size=500 --set data.test_size=50 --set train.epochs=0 "
         "--set train.steps=1500 --set train.seeds=2 --out seeds --quiet",
         "seeds/seed-1/metrics.jsonl"},
        {"advise --preset demo-softmax-msgd --out advice --budget 1h --quiet", "-d advice"}};
    for (int i = 0; i < 3; i++) {
        sh(&s,
           "$G %s & pid=$!; until ls %s >/dev/null 2>&1 || ! kill -0 $pid; do sleep .01; done; sleep .3; kill -TERM "
           "$pid; wait $pid",
           words[i][0], words[i][1]);
        if (s.code != 1) fail_msg("%s: %d: %s", words[i][0], s.code, s.err);
    }
    assert_int_not_equal(access("advice", F_OK), 0);
    sh(&s, "$G %s && $G train --resume seeds --quiet && ls swept/*/*/result.json seeds/*/result.json | wc -l",
       words[0][0]);
    if (s.code) fail_msg("%s", s.err);
    assert_string_equal(s.out, "4\n");
}

/* A closed descriptor's number is not given to a file of the run; what cannot be printed is said where it can. */
static void closed_descriptors_stay_closed(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G list methods >&-");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "standard output"));
    sh(&s, "$G train --preset demo-softmax-msgd --set data.train_size=500 --set data.test_size=50 --set train.epochs=1 "
           "--out bare <&- >&- 2>&- && ! grep -rl 'train loss' bare");
    if (s.code) fail_msg("%s%s", s.out, s.err);
}

/* One of two ranks is killed: the other ends without a checkpoint of its own, and the folder can be resumed. */
static void a_lost_rank_is_no_stop(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    static const char run[] = "ASAN_OPTIONS=detect_leaks=0 timeout -k 5 100 $GLISSADE_MPIRUN -n 2 sh -c 'echo $$ "
                              ">pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}; exec $G train --quiet ";
    static const char settings[] = "--preset demo-softmax-msgd --set data.train_size=500 --set data.test_size=50 --set "
                                   "train.epochs=0 --set train.checkpoint_every=50s --set train.validate_every=0 --set "
                                   "train.steps=1500 --threads 1 ";
    sh(&s, "%s%s --out pair'", run, settings);
    if (s.code) fail_msg("%s", s.err);
    double began = now();
    sh(&s,
       "%s%s --out lost' & pid=$!; while kill -0 $pid && ! ls lost/checkpoints/step-*.safetensors; do sleep .02; done "
       ">/dev/null 2>&1; kill -9 $(cat pid.1); wait $pid", /* the first checkpoint is not kept for long */
       run, settings);
    if (now() - began > 90) fail_msg("the rank that is left hangs: %s", s.err);
    assert_int_not_equal(s.code, 0);
    sh(&s, "%s --resume lost' && cmp pair/final.safetensors lost/final.safetensors", run);
    if (s.code) fail_msg("%s%s", s.out, s.err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_random_moments), cmocka_unit_test(warnings_change_nothing_and_twice_is_once),
        cmocka_unit_test(nohup_is_kept),           cmocka_unit_test(a_second_signal_ends_at_once),
        cmocka_unit_test(other_verbs_stop),        cmocka_unit_test(closed_descriptors_stay_closed),
        cmocka_unit_test(a_lost_rank_is_no_stop),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
