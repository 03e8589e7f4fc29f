/* Ranks that are killed at any moment: the others leave at once, with one sentence; the run goes on with another number
 * of ranks, to the weights of a run that nobody disturbed. GLISSADE_KILLS: how many are killed (2). */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>

/* Checkpoints at every step and evaluations at every fifth: a kill often falls into one. */
static const char config[] =
    "data: {format: gaussians, train_size: 400, test_size: 100, classes: 3, features: 30}\n"
    "model: {name: mlp, hidden: [64, 64]}\n"
    "estimator: {name: microbatch, microbatch: 4}\n"
    "method: {name: msgd, lr: 0.05}\n"
    "train: {steps: 200, epochs: 0, batch: 48, checkpoint_every: 1s, validate_every: 5s, monitor: test, threads: 1,\n"
    "  workers: 1, log_every: 1s}\n";

static bool has_variable(const char *pid, const char *name, int value) {
    char path[300], wanted[64];
    static char text[1 << 16];
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    int length = snprintf(wanted, sizeof wanted, "%s=%d", name, value);
    for (size_t at = 0; at < n; at += strlen(text + at) + 1)
        if ((int)strlen(text + at) == length && strcmp(text + at, wanted) == 0) return true;
    return false;
}

/* The process of a rank that was started in this folder; 0: there is none. */
static pid_t rank_process(int rank) {
    char here[200], path[300], there[200], name[32];
    assert_non_null(getcwd(here, sizeof here));
    DIR *all = opendir("/proc");
    assert_non_null(all);
    pid_t found = 0;
    for (struct dirent *entry; !found && (entry = readdir(all));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0) continue;
        snprintf(path, sizeof path, "/proc/%s/cwd", entry->d_name);
        ssize_t n = readlink(path, there, sizeof there - 1);
        if (n <= 0) continue;
        there[n] = 0;
        if (strcmp(here, there) != 0) continue;
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        slurp(path, name, sizeof name);
        if (!strstr(name, "glissade")) continue;
        if (has_variable(entry->d_name, "OMPI_COMM_WORLD_RANK", rank) || has_variable(entry->d_name, "PMI_RANK", rank))
            found = pid;
    }
    closedir(all);
    return found;
}

/* Launchers end everybody when one is killed. Open MPI's can be told not to: there the ranks must notice by themselves.
 */
static const char *leave_them_alone(void) {
    static said s;
    sh(&s, "$GLISSADE_MPIRUN --version");
    return strstr(s.out, "Open MPI) 4") ? "--enable-recovery" : "";
}

static int steps_on_disk(void) {
    char line[300];
    FILE *f = fopen("lost/metrics.jsonl", "r");
    int steps = 0;
    while (f && fgets(line, sizeof line, f)) steps += strstr(line, "\"loss\"") != NULL;
    if (f) fclose(f);
    return steps;
}

/* Trains on, and kills a rank some time after the run has begun. Returns whether it was there to be killed. */
static bool kill_one(int ranks, int rank, int delay, const char *launcher, const char *words) {
    static said s;
    char line[1000];
    snprintf(line, sizeof line, "ASAN_OPTIONS=detect_leaks=0 exec $GLISSADE_MPIRUN %s -n %d $G %s >.out 2>.err",
             launcher, ranks, words);
    pid_t mpirun = fork(), victim = 0;
    if (!mpirun) {
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(98);
    }
    int before = steps_on_disk(), status = 0;
    for (double last = now() + 60; now() < last && steps_on_disk() <= before;)
        if (waitpid(mpirun, &status, WNOHANG) == mpirun) return false;
    pause_ms(delay);
    victim = rank_process(rank);
    if (victim) kill(victim, SIGKILL);
    double killed = now();
    while (waitpid(mpirun, &status, WNOHANG) == 0) {
        if (now() - killed > 20) {
            kill(mpirun, SIGKILL);
            fail_msg("ranks still wait 20 s after rank %d of %d was killed", rank, ranks);
        }
        pause_ms(10);
    }
    slurp(".err", s.err, sizeof s.err);
    if (!victim) return false;
    /* Open MPI returns 0 where it was told to leave ranks alone. */
    if (!*launcher) assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char sentence[64];
    snprintf(sentence, sizeof sentence, "rank %d is gone", rank);
    char *said_once = strstr(s.err, sentence);
    if (*launcher && !said_once) fail_msg("nobody said that rank %d is gone: %s", rank, s.err);
    if (said_once && strstr(said_once + strlen(sentence), "is gone")) fail_msg("it is said twice: %s", s.err);
    return true;
}

static json_t *result_of(const char *folder) {
    char path[100];
    snprintf(path, sizeof path, "%s/result.json", folder);
    json_t *result = json_load_file(path, 0, NULL);
    if (!result) fail_msg("%s is not there", path);
    return result;
}

static void a_killed_rank_loses_nothing(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    FILE *f = fopen("c.yaml", "w");
    assert_non_null(f);
    fputs(config, f);
    fclose(f);
    sh(&s, "$G train c.yaml --quiet --out whole");
    if (s.code) fail_msg("%s", s.err);
    const char *often = getenv("GLISSADE_KILLS"), *alone = leave_them_alone();
    int kills = often ? atoi(often) : 2, killed = 0;
    srand(5);
    for (int k = 0; k < kills; k++) {
        int ranks = 2 + k % 3;
        bool begun = access("lost/config.yaml", F_OK) == 0;
        killed += kill_one(ranks, k % ranks == 0 ? 0 : ranks - 1, rand() % 60, k % 4 == 3 ? "" : alone,
                           begun ? "train --resume lost --quiet" : "train c.yaml --quiet --out lost");
    }
    assert_true(killed >= (kills + 1) / 2);
    sh(&s, "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n 2 $G train --resume lost --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *whole = result_of("whole"), *lost = result_of("lost");
    double a = json_number_value(json_object_get(whole, "train_loss")),
           b = json_number_value(json_object_get(lost, "train_loss"));
    assert_int_equal(json_integer_value(json_object_get(lost, "steps")), 200);
    if (!(fabs(a - b) < 1e-3 * a)) fail_msg("train loss %g, undisturbed %g", b, a);
    json_decref(whole), json_decref(lost);
}

/* A rank that is there but stands still: the limit on waits ends it. */
static void a_rank_that_stands_still_is_given_up(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    pid_t mpirun = fork();
    if (!mpirun) {
        execl(
            "/bin/sh", "sh", "-c",
            "exec $GLISSADE_MPIRUN -n 2 $G train c.yaml --quiet --set train.watchdog=1s --set train.steps=100000 --out "
            "still >.out 2>.err",
            (char *)NULL);
        _exit(98);
    }
    wait_for("still/metrics.jsonl");
    pid_t victim = rank_process(1);
    assert_true(victim > 0);
    kill(victim, SIGSTOP);
    double stopped = now();
    int status;
    while (waitpid(mpirun, &status, WNOHANG) == 0 && now() - stopped < 20) {
        slurp(".err", s.err, sizeof s.err);
        if (strstr(s.err, "train.watchdog")) kill(victim, SIGKILL);
        pause_ms(10);
    }
    kill(victim, SIGKILL);
    slurp(".err", s.err, sizeof s.err);
    if (!strstr(s.err, "no word from another rank for 1 s (train.watchdog)")) fail_msg("%s", s.err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_rank_loses_nothing),
        cmocka_unit_test(a_rank_that_stands_still_is_given_up),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
