/* Killed at any moment, with every observer on and every kind of checkpoint: resumed, a run leaves what an undisturbed
 * one leaves. GLISSADE_KILLS: how often each is killed (12). */
#include "support.h"

#include <signal.h>

/* Each observer of the table has work: ends, figures, measures of several needs, validations, an average, checkpoints
 * of every kind (periodic, best, last), domains, the ledger, TensorBoard. */
static const char observed[] =
    "data: {format: gaussians, train_size: 300, test_size: 60, classes: 3, features: 8, standardize: true,\n"
    "  transforms: [{label_noise: 0.1}, {mix: [{format: gaussians, train_size: 100, test_size: 30, classes: 3,\n"
    "    features: 8, separation: 1}]}]}\n"
    "model: softmax\n"
    "estimator: {name: microbatch, microbatch: 4, ledger: true}\n"
    "method: {name: clip, lr: 0.05, gamma: 0.5}\n"
    "schedule: {name: poly, power: 1.1}\n"
    "train: {steps: 900, epochs: 0, batch: 16, validation: 0.2, validate_every: 11s, patience: 500, keep: 2,\n"
    "  checkpoint_every: 5s, average: {name: exponential, decay: 0.9}, tensorboard: true, log_every: 3s, threads: 1,\n"
    "  workers: 2}\n"
    "measure: {loss: {every: 7s}, gradient_diversity: {every: 13s, sample: 64}, smoothness: {every: 9s},\n"
    "  time_averages: {every: 5s}, gradient_norm: {every: 10s}, noise_scale: {every: 20s}, dragger: {every: 60s}}\n";
/* State of its own in every part: running statistics, dropout, moments, a warm-up, growing mini-batches, a triggered
 * average, no workers. */
static const char stateful[] =
    "data: {format: gaussians, train_size: 200, test_size: 40, classes: 3, features: 8}\n"
    "model: {name: mlp, hidden: [12], norm: batch, dropout: 0.2}\n"
    "method: {name: adam, lr: 0.01}\n"
    "schedule: {name: cosine, warmup: 20s}\n"
    "train: {steps: 900, epochs: 0, batch: 10, batch_schedule: {name: geometric, factor: 1.5, every: 200s},\n"
    "  validation: 0.2, validate_every: 1, checkpoint_every: 7s, keep: 3, average: triggered, threads: 2, workers: 0}\n"
    "measure: {sharpness: {every: 150s, sample: 32}, tail_index: {every: 100s, sample: 40}}\n";

static void fine(said *s) {
    if (s->code) fail_msg("%s%s", s->out, s->err);
}

static int kills_wanted(void) {
    const char *often = getenv("GLISSADE_KILLS");
    return often ? atoi(often) : 12;
}

/* Runs `begin` until `there` exists, from then on `go_on`, each time killed a little later, until one ends by itself.
 * Returns how many were killed. */
static int kill_until_done(const char *begin, const char *there, const char *go_on, int wanted) {
    static said s;
    int kills = 0, status;
    for (;;) {
        const char *words = access(there, F_OK) ? begin : go_on;
        char line[1000];
        snprintf(line, sizeof line, "exec $G %s >/dev/null 2>.child", words);
        pid_t pid = fork();
        if (!pid) {
            execl("/bin/sh", "sh", "-c", line, (char *)NULL);
            _exit(98);
        }
        if (kills < wanted) {
            pause_ms(20 + rand() % (150 + 20 * kills));
            kill(pid, SIGKILL);
        }
        waitpid(pid, &status, 0);
        kills += WIFSIGNALED(status);
        if (!WIFEXITED(status)) continue;
        slurp(".child", s.err, sizeof s.err);
        if (WEXITSTATUS(status)) fail_msg("%s: exit %d: %s", words, WEXITSTATUS(status), s.err);
        return kills;
    }
}

static void write_config(const char *text) {
    FILE *f = fopen("c.yaml", "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* All but times: weights, the weights of the best, figures, measures, the ledger, the result; and nothing else lies
 * about. */
static void leaves_the_same(const char *config) {
    static said s;
    write_config(config);
    sh(&s, "rm -rf whole killed; $G train c.yaml --quiet --out whole");
    fine(&s);
    srand(3);
    int kills = kill_until_done("train c.yaml --quiet --out killed", "killed/config.yaml",
                                "train --resume killed --quiet", kills_wanted());
    print_message("# killed %d times\n", kills);
    sh(&s,
       "for d in whole killed; do for f in metrics measures; do "
       "sed 's/\"time\":[^,]*,//; s/\"seconds\":[^,}]*//g' $d/$f.jsonl >$d.$f; done; "
       "sed 's/\"seconds\": [^,]*,//; s/\"examples_per_second\": [^,]*,//; s/\"run\": [^,]*,//' $d/result.json "
       ">$d.result; "
       "$G measure $d --at best --only loss --json --quiet | sed \"s/.seconds.:[^,]*,//g; s/$d//\" >$d.best || exit 1; "
       "ls -A $d $d/checkpoints | grep -v tfevents | sed s/$d// >$d.files; done; "
       "for f in metrics measures result best files; do cmp whole.$f killed.$f || exit 1; done; "
       "for f in whole/*.safetensors whole/config.yaml whole/data.json; do cmp $f killed/${f#whole/} || exit 1; done");
    fine(&s);
}

static void with_every_observer(void **state) {
    (void)state;
    leaves_the_same(observed);
}

static void with_state_everywhere(void **state) {
    (void)state;
    leaves_the_same(stateful);
}

/* A sweep that was killed skips what is finished and goes on with what is not. */
static void a_sweep(void **state) {
    (void)state;
    static said s;
    write_config(stateful);
    static const char sweep[] = "sweep c.yaml --over method.lr=0.01,0.03 --seeds 2 --set train.steps=300 --quiet --out";
    char words[2][400];
    snprintf(words[0], sizeof words[0], "%s swept", sweep);
    snprintf(words[1], sizeof words[1], "%s killed-sweep", sweep);
    sh(&s, "$G %s", words[0]);
    fine(&s);
    srand(4);
    kill_until_done(words[1], "killed-sweep", words[1], kills_wanted());
    sh(&s,
       "for d in swept killed-sweep; do sed 's/\"seconds\": *{[^}]*}//g' $d/sweep.json >$d.trials; (cd $d && find . "
       "-name final.safetensors -exec cksum {} + | sort) >$d.weights; "
       "done; cmp swept.trials killed-sweep.trials && cmp swept.weights killed-sweep.weights && [ $(wc -l "
       "<swept.weights) = 4 ] && "
       "[ -z \"$(find killed-sweep -name '*.tmp*')\" ]");
    fine(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_every_observer),
        cmocka_unit_test(with_state_everywhere),
        cmocka_unit_test(a_sweep),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
