/* Training as a user sees it: the JSON, the run folder, signals, kill -9, a full disk, several seeds and ranks. */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>

#define SMALL \
    "--preset demo-softmax-msgd --set data.train_size=1000 --set data.test_size=200 --set train.epochs=6 --quiet "

static double figure(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("no number '%s'", key);
    return json_number_value(value);
}

static void json_has_its_keys(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G train " SMALL "--json");
    if (s.code) fail_msg("%s", s.err);
    assert_string_equal(s.err, "");
    json_t *result = last_json(&s);
    static const char *const numbers[] = {"steps",         "epochs",  "train_loss",         "test_loss",
                                          "test_accuracy", "seconds", "examples_per_second"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) assert_true(isfinite(figure(result, numbers[i])));
    assert_int_equal((int)figure(result, "steps"), 48);
    assert_string_equal(json_string_value(json_object_get(result, "stopped")), "epochs");
    const char *run = json_string_value(json_object_get(result, "run"));
    assert_string_equal(run, "runs/demo-softmax-msgd-1");
    static const char *const files[] = {"config.yaml",
                                        "metrics.jsonl",
                                        "final.safetensors",
                                        "result.json",
                                        "checkpoints/best.safetensors",
                                        "checkpoints/step-000000000048.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", run, files[i]);
        if (access(path, R_OK)) fail_msg("no %s", path);
    }
    json_decref(result);
    /* A second one gets a folder of its own. */
    sh(&s, "$G train " SMALL "--json --set train.epochs=1");
    result = last_json(&s);
    assert_string_equal(json_string_value(json_object_get(result, "run")), "runs/demo-softmax-msgd-2");
    json_decref(result);
    sh(&s, "$G train " SMALL "--out runs/demo-softmax-msgd-1");
    assert_int_equal(s.code, 2);
    assert_non_null(strstr(s.err, "already holds a run"));
}

/* Milestones that the run never reaches are said, once, though a measure makes the method a second time. */
static void milestones_behind_the_end(void **state) {
    (void)state;
    static said s;
    const char *words = "method.lr: schedule step: of the 4 entries of at, 2 would come after the last step (48)";
    sh(&s, "$G train " SMALL "--set 'schedule={name: step, at: [1, 40s, 6, 900s]}' --set "
           "measure.invariance_defect.every=9s --out late");
    if (s.code) fail_msg("%s", s.err);
    const char *first = strstr(s.err, words);
    if (!first) fail_msg("%s", s.err);
    assert_null(strstr(first + 1, words));
    sh(&s, "$G train " SMALL "--set 'schedule={name: step, at: [1, 5.5, 47s]}' --out early");
    assert_string_equal(s.err, "");
}

/* The configuration written into the folder gives the same bits from anywhere. */
static void its_configuration_repeats_the_run(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G data make gaussians --set train_size=100 --out g.npy && "
           "printf 'data: {train: g.npy}\\nmodel: {name: softmax}\\nmethod: {name: adam, lr: 0.01}\\ntrain: {epochs: "
           "2}\\n' "
           "> c.yaml && $G train c.yaml --quiet --out first && mkdir -p away && cd away && "
           "$G train ../first/config.yaml --quiet --out second");
    if (s.code) fail_msg("%s", s.err);
    assert_true(same_files("first/final.safetensors", "away/second/final.safetensors"));
}

static pid_t start(const char *const *arguments) {
    pid_t pid = fork();
    if (pid) return pid;
    if (!freopen("/dev/null", "w", stdout) || !freopen(".child", "w", stderr)) _exit(99);
    execv(getenv("G"), (char *const *)arguments);
    _exit(98);
}

/* Long enough to be hit, with checkpoints all the time. */
#define KILLED                                                                                                       \
    "train", "--preset", "demo-softmax-msgd", "--set", "data.train_size=500", "--set", "data.test_size=50", "--set", \
        "train.steps=600", "--set", "train.epochs=0", "--set", "train.checkpoint_every=3s", "--set",                 \
        "train.validate_every=50s", "--threads", "1"

/* Killed twenty times at random moments and resumed each time: the same final weights and no figure twice. */
static void survives_kill(void **state) {
    (void)state;
    static said s;
    const char *const whole[] = {"glissade", KILLED, "--out", "whole", NULL};
    int status, kills = 0;
    pid_t pid = start(whole);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    const char *const begin[] = {"glissade", KILLED, "--out", "killed", NULL};
    const char *const go_on[] = {"glissade", "train", "--resume", "killed", NULL};
    srand(1);
    for (bool done = false; !done;) {
        bool there = access("killed/config.yaml", F_OK) == 0;
        pid = start(there ? go_on : begin);
        /* Later attempts get more time, so that the run comes to its end on slow machines too. */
        if (kills < 20) {
            pause_ms(20 + rand() % (200 + 10 * kills));
            kill(pid, SIGKILL);
        }
        waitpid(pid, &status, 0);
        if (WIFSIGNALED(status)) kills++;
        done = WIFEXITED(status) && kills >= 20;
        if (WIFEXITED(status) && WEXITSTATUS(status)) {
            slurp(".child", s.err, sizeof s.err);
            fail_msg("exit %d: %s", WEXITSTATUS(status), s.err);
        }
        if (WIFEXITED(status) && kills < 20) { /* it was faster than the signals: once more from the start */
            sh(&s, "rm -rf killed");
        }
    }
    assert_true(same_files("whole/final.safetensors", "killed/final.safetensors"));
    sh(&s,
       "for d in whole killed; do sed 's/\"time\":[^,]*,//' $d/metrics.jsonl > $d.txt; done; cmp whole.txt killed.txt");
    if (s.code) fail_msg("traces differ: %s", s.out);
    sh(&s, "find killed -name '*.tmp*' -o -name '.*' -type f | grep -v best");
    DIR *dir = opendir("killed/checkpoints");
    int count = 0;
    for (struct dirent *e; (e = readdir(dir));) count += strncmp(e->d_name, "step-", 5) == 0;
    closedir(dir);
    assert_true(count >= 1 && count <= 3);
}

/* SIGINT and SIGTERM: a checkpoint, exit code 1, a sentence that works when pasted. */
static void interrupts(void **state) {
    (void)state;
    static said s;
    static const int signals[] = {SIGINT, SIGTERM};
    const char *const arguments[] = {"glissade", "train",
                                     "--preset", "demo-softmax-msgd",
                                     "--set",    "train.epochs=100000",
                                     "--set",    "train.validate_every=0",
                                     "--set",    "train.checkpoint_every=0",
                                     "--out",    "stopped",
                                     NULL};
    for (int i = 0; i < 2; i++) {
        sh(&s, "rm -rf stopped");
        pid_t pid = start(arguments);
        wait_for("stopped/metrics.jsonl");
        pause_ms(50);
        kill(pid, signals[i]);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        slurp(".child", s.err, sizeof s.err);
        assert_non_null(strstr(s.err, "glissade train --resume stopped"));
        sh(&s, "$G train --resume stopped --quiet --json --set train.epochs=1");
        if (s.code) fail_msg("%s", s.err);
    }
}

/* Files may not grow: one sentence, exit code 1, and no temporary files left. */
static void full_disk(void **state) {
    (void)state;
    static said s;
    sh(&s, "ulimit -f 16; $G train " SMALL "--out full");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "full/checkpoints/step-"));
    sh(&s, "ls full/checkpoints; ls -a full | grep -c final");
    assert_string_equal(s.out, "0\n");
}

/* A disk that is full at every stage of a run: before its configuration, in the trace, in the first and a later
 * checkpoint, at the end. One sentence, exit code 1, no temporary file; with room again the run goes on to the bits of
 * the whole one. */
static void full_file_system(void **state) {
    (void)state;
    static said s;
    static const int kilobytes[] = {0, 4, 8, 80, 140, 164};
    if (system("unshare -rm sh -c 'mkdir -p disk && mount -t tmpfs -o size=1m none disk' 2>/dev/null")) skip();
    sh(&s, "$G train " SMALL "--out apart");
    for (size_t i = 0; i < sizeof kilobytes / sizeof *kilobytes; i++) {
        sh(&s,
           "mkdir -p disk; unshare -rm sh -c 'mount -t tmpfs -o size=1m none disk; G=$G; left=%d\n"
           "dd if=/dev/zero of=disk/filler bs=1k count=$((1024 - left)) 2>/dev/null\n"
           "$G train " SMALL "--out disk/run; code=$?\n"
           "find disk -name \"*.tmp*\" -o -name .best\n"
           "rm disk/filler\n"
           "if [ -f disk/run/config.yaml ]; then $G train --resume disk/run --quiet 2>again.err\n"
           "else $G train " SMALL "--out disk/run; fi\n"
           "cmp apart/final.safetensors disk/run/final.safetensors; exit $code'",
           kilobytes[i]);
        if (s.code != 1) fail_msg("%d KiB: exit code %d: %s", kilobytes[i], s.code, s.err);
        assert_string_equal(s.out, "");
        assert_int_equal(strncmp(s.err, "glissade: disk/run/", 19), 0);
        assert_non_null(strstr(s.err, "No space left on device\n"));
        assert_ptr_equal(strchr(s.err, '\n') + 1, s.err + strlen(s.err));
    }
}

static void several_seeds(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G train " SMALL "--set train.seeds=3 --set train.epochs=1 --json --out seeds && $G train " SMALL
           "--seed 2 --set train.epochs=1 --out alone");
    if (s.code) fail_msg("%s", s.err);
    json_t *result = last_json(&s);
    assert_int_equal((int)figure(result, "seeds"), 3);
    assert_true(figure(result, "test_loss_std") > 0);
    assert_int_equal(json_array_size(json_object_get(result, "runs")), 3);
    json_decref(result);
    assert_true(same_files("seeds/seed-2/final.safetensors", "alone/final.safetensors"));
    sh(&s, "$G train --resume seeds --quiet --json");
    if (s.code) fail_msg("%s", s.err);
}

/* A run that continues with other libraries says that its bits may differ; one that continues with the same is silent.
 */
static void says_that_libraries_changed(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G train " SMALL
           "--set train.steps=3 --quiet --out moved && $G train --resume moved --set train.steps=5 --quiet");
    if (s.code) fail_msg("%s", s.err);
    assert_null(strstr(s.err, "rounding"));
    sh(&s, "sed -i 's/libraries: .*/libraries: oneDNN 0.0.1/' moved/config.yaml && "
           "$G train --resume moved --set train.steps=7 --quiet");
    if (s.code) fail_msg("%s", s.err);
    assert_non_null(strstr(s.err, "was begun with oneDNN 0.0.1 and continues with "));
    assert_non_null(strstr(s.err, "to rounding"));
}

/* Two ranks go on where two ranks stopped, to the bit: state that belongs to ranks is whole in a checkpoint. */
static void ranks_resume(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    static const char run[] = "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n 2 $G train ";
    static const char settings[] = SMALL "--set 'model={name: mlp, hidden: [12], norm: batch, dropout: 0.2}' "
                                         "--set 'method={name: adam, lr: 0.01}' --set train.epochs=2 ";
    sh(&s,
       "%s%s --out together && %s%s --out halves --set train.steps=6 && %s --quiet --resume halves --set train.steps=0",
       run, settings, run, settings, run);
    if (s.code) fail_msg("%s", s.err);
    assert_true(same_files("together/final.safetensors", "halves/final.safetensors"));
}

/* 1, 2 and 4 ranks agree to rounding; a mistake is said once, with its exit code. */
static void several_ranks(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    double loss[3];
    for (int i = 0; i < 3; i++) {
        sh(&s,
           "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n %d $G train " SMALL
           "--set train.epochs=2 --json --out ranks-%d",
           1 << i, i);
        if (s.code) fail_msg("%s", s.err);
        json_t *result = last_json(&s);
        loss[i] = figure(result, "train_loss");
        json_decref(result);
        assert_true(fabs(loss[i] - loss[0]) < 1e-5 * fabs(loss[0]));
    }
    sh(&s, "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n 2 $G train " SMALL "--out ranks-0");
    assert_int_equal(s.code, 2);
    char *first = strstr(s.err, "already holds a run");
    assert_non_null(first);
    assert_null(strstr(first + 1, "already holds a run"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_its_keys),
        cmocka_unit_test(milestones_behind_the_end),
        cmocka_unit_test(its_configuration_repeats_the_run),
        cmocka_unit_test(survives_kill),
        cmocka_unit_test(interrupts),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(full_file_system),
        cmocka_unit_test(says_that_libraries_changed),
        cmocka_unit_test(several_seeds),
        cmocka_unit_test(several_ranks),
        cmocka_unit_test(ranks_resume),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
