/* Runs of several seeds: killed and resumed, and given more seeds. */
#include "support.h"

#include <signal.h>

#define SMALL                                                                                                  \
    "--preset demo-softmax-msgd --set data.train_size=400 --set data.test_size=50 --set train.epochs=0 --set " \
    "train.steps=400 --set train.validate_every=0 --set train.checkpoint_every=20s --threads 1 --quiet "

static void fine(said *s) {
    if (s->code) fail_msg("%s%s", s->out, s->err);
}

/* Killed at random moments, again and again: --resume finds it from the first file that was written on. */
static void a_killed_run_of_seeds_goes_on(void **state) {
    (void)state;
    static said s;
    int kills = 0;
    sh(&s, "$G train " SMALL "--set train.seeds=3 --out whole");
    fine(&s);
    srand(2);
    for (int i = 0; i < 200; i++) {
        bool there = access("killed/config.yaml", F_OK) == 0;
        pid_t pid = fork();
        if (!pid) {
            execl("/bin/sh", "sh", "-c",
                  there ? "exec $G train --resume killed --quiet >.child 2>&1"
                        : "exec $G train " SMALL "--set train.seeds=3 --out killed >.child 2>&1",
                  (char *)NULL);
            _exit(98);
        }
        if (kills < 12) {
            pause_ms(10 + rand() % (200 + 20 * i));
            kill(pid, SIGKILL);
        }
        int status;
        waitpid(pid, &status, 0);
        kills += WIFSIGNALED(status);
        if (WIFEXITED(status) && WEXITSTATUS(status)) {
            slurp(".child", s.err, sizeof s.err);
            fail_msg("exit %d: %s", WEXITSTATUS(status), s.err);
        }
        if (WIFEXITED(status)) break;
    }
    sh(&s, "for i in 1 2 3; do cmp whole/seed-$i/final.safetensors killed/seed-$i/final.safetensors || exit 1; done; "
           "cmp whole/config.yaml killed/config.yaml");
    fine(&s);
}

static void seeds_may_grow(void **state) {
    (void)state;
    static said s;
    sh(&s,
       "$G train " SMALL "--set train.seeds=2 --out grown && find grown -type f -printf '%%p %%T@\\n' | sort | grep "
       "seed- >before && $G train --resume grown --set train.seeds=4 --quiet --json && find grown -type f -printf "
       "'%%p %%T@\\n' | sort | grep 'seed-[12]' >after && cmp before after");
    fine(&s);
    json_t *result = last_json(&s);
    assert_int_equal(json_integer_value(json_object_get(result, "seeds")), 4);
    json_decref(result);
    sh(&s, "$G train " SMALL "--set train.seeds=4 --out four && for i in 1 2 3 4; do cmp "
           "four/seed-$i/final.safetensors grown/seed-$i/final.safetensors || exit 1; done && cmp four/config.yaml "
           "grown/config.yaml && cat grown/changes.jsonl");
    fine(&s);
    assert_string_equal(s.out, "{\"after\":\"4\",\"before\":\"2\",\"key\":\"train.seeds\",\"step\":0}\n");
}

static void refused(const char *words, const char *says) {
    static said s;
    sh(&s, "$G train %s --quiet", words);
    assert_int_equal(s.code, 2);
    if (!strstr(s.err, says)) fail_msg("%s: %s", words, s.err);
}

static void other_numbers_of_seeds_are_refused(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G train " SMALL "--set train.steps=4 --set train.seeds=2 --out two && $G train " SMALL
           "--set train.steps=4 --out one && find one two -type f -exec cksum {} + | sort >before");
    fine(&s);
    refused("--resume two --set train.seeds=1", "train.seeds was 2 and would be 1");
    refused("--resume one --set train.seeds=2", "train.seeds was 1 and would be 2");
    refused("--resume two --set method.lr=7", "method.lr");
    refused("--resume two --set train.seed=7", "train.seed");
    refused(SMALL "--set train.seeds=2 --out two", "already holds a run");
    refused(SMALL "--set train.seeds=2 --out one", "already holds a run");
    sh(&s, "find one two -type f -exec cksum {} + | sort | cmp - before");
    fine(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_run_of_seeds_goes_on),
        cmocka_unit_test(seeds_may_grow),
        cmocka_unit_test(other_numbers_of_seeds_are_refused),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
