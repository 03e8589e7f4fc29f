/* A run folder has one owner: of several commands that write into one, the second is told so. */
#include "support.h"

#include <signal.h>

#define LONG \
    "--preset demo-softmax-msgd --set data.train_size=500 --set data.test_size=50 --set train.epochs=100000 --quiet "

/* The command in the background; what it says is dropped. */
static pid_t start(const char *words) {
    pid_t pid = fork();
    if (pid) return pid;
    char line[4096];
    snprintf(line, sizeof line, "exec $G %s >/dev/null 2>&1", words);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(98);
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void refused(const char *words) {
    static said s;
    sh(&s, "$G %s", words);
    if (s.code != 2) fail_msg("%s: exit code %d: %s", words, s.code, s.err);
    if (!strstr(s.err, "in use")) fail_msg("%s: %s", words, s.err);
}

/* Every verb that writes there; and it may again once the owner was killed. */
static void a_running_run_is_left_alone(void **state) {
    (void)state;
    static said s;
    pid_t pid = start("train " LONG "--out run");
    wait_for("run/metrics.jsonl");
    refused("train --resume run --quiet");
    refused("train " LONG "--out run");
    refused("sweep " LONG "--over method.lr=0.1,0.2 --out run");
    refused("advise " LONG "--out run --budget 5s");
    end(pid);
    sh(&s, "$G train --resume run --set train.epochs=0 --set train.steps=1 --quiet && tr -d '\\0' <run/metrics.jsonl "
           "| cmp - run/metrics.jsonl");
    if (s.code) fail_msg("%s%s", s.out, s.err);
}

static void a_running_sweep_is_left_alone(void **state) {
    (void)state;
    pid_t pid = start("sweep " LONG "--over method.lr=0.1,0.2 --out sweep");
    wait_for("sweep/*/*/metrics.jsonl");
    refused("sweep " LONG "--over method.lr=0.3 --out sweep");
    static said s;
    sh(&s, "ls -d sweep/*/*");
    char words[600];
    snprintf(words, sizeof words, "train --quiet --resume %.*s", (int)strcspn(s.out, "\n"), s.out);
    refused(words);
    end(pid);
}

static void running_seeds_are_left_alone(void **state) {
    (void)state;
    pid_t pid = start("train " LONG "--set train.seeds=2 --out seeds");
    wait_for("seeds/seed-1/metrics.jsonl");
    refused("train --resume seeds --quiet");
    refused("train --resume seeds/seed-1 --quiet");
    end(pid);
}

static void a_running_advice_is_left_alone(void **state) {
    (void)state;
    pid_t pid = start("advise --preset demo-softmax-msgd --out advice --budget 1h");
    wait_for("advice");
    pause_ms((int)(200 * patience()));
    refused("advise --preset demo-softmax-msgd --out advice --budget 1h");
    end(pid);
}

/* Two starts with one folder at once: one run is made, the other is refused, and the weights are those of the
 * configuration beside them. GLISSADE_STARTS: how often (6). */
static void of_two_starts_one_runs(void **state) {
    (void)state;
    static said s;
    const char *often = getenv("GLISSADE_STARTS");
    int starts = often ? atoi(often) : 6, both = 0;
    for (int rate = 1; rate <= 2; rate++) {
        sh(&s, "$G train " LONG "--set train.epochs=1 --set method.lr=0.%d --out alone-%d", rate, rate);
        if (s.code) fail_msg("%s", s.err);
    }
    for (int i = 0; i < starts; i++) {
        int code[2];
        pid_t pid[2];
        pid[0] = start("train " LONG "--set train.epochs=1 --set method.lr=0.1 --out one");
        pause_ms(i % 3 * 5);
        pid[1] = start("train " LONG "--set train.epochs=1 --set method.lr=0.2 --out one");
        for (int k = 0; k < 2; k++) {
            waitpid(pid[k], &code[k], 0);
            assert_true(WIFEXITED(code[k]));
            code[k] = WEXITSTATUS(code[k]);
            assert_true(code[k] == 0 || code[k] == 2);
        }
        both += !code[0] && !code[1];
        assert_int_equal(!code[0] + !code[1], 1);
        sh(&s,
           "grep -q 'lr: 0.%d' one/config.yaml && cmp one/final.safetensors alone-%d/final.safetensors && rm -r one",
           code[0] ? 2 : 1, code[0] ? 2 : 1);
        if (s.code) fail_msg("start %d: %s%s", i, s.out, s.err);
    }
    print_message("# %d double starts, %d with two owners\n", starts, both);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_run_is_left_alone),  cmocka_unit_test(a_running_sweep_is_left_alone),
        cmocka_unit_test(running_seeds_are_left_alone), cmocka_unit_test(a_running_advice_is_left_alone),
        cmocka_unit_test(of_two_starts_one_runs),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
