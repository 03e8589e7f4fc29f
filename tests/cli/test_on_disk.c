/* Sets that do not fit into data.memory: the same run as in memory to the bit, also resumed and on several ranks, in
 * the memory that was allowed, and with a sentence where the file changes meanwhile. */
#include "support.h"

#include <math.h>
#include <sys/resource.h>

static said s;

#define DATA "--set data.train=a.npy --set data.test=t.npy "
#define DISK "--set data.memory=64KiB "
#define BLOCKS "--set train.shuffle_block=50 --set train.shuffle_window=8 "
#define TRAIN                                                                                            \
    "$G train " DATA "--set \"model={name: mlp, hidden: [8]}\" --set \"method={name: msgd, lr: 0.05}\" " \
    "--set train.batch=64 --set train.validation=0.2 --set data.standardize=true --quiet "

static void ok(const char *line) {
    sh(&s, "%s", line);
    if (s.code) fail_msg("%s: %s", line, s.err);
}

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    ok("$G data make glyphs --set train_size=2000 --out a.npy");
    ok("$G data make glyphs --set test_size=300 --test --out t.npy");
    return 0;
}

static void the_same_run(void **state) {
    (void)state;
    ok(TRAIN "--set train.epochs=2 --set \"measure={noise_norm: {every: 10s, sample: 50}}\" --out in");
    ok(TRAIN DISK "--set train.epochs=2 --set \"measure={noise_norm: {every: 10s, sample: 50}}\" --out on");
    assert_true(same_files("in/final.safetensors", "on/final.safetensors"));
    ok("for r in in on; do sed 's/\"[a-z_]*\\(time\\|seconds\\|bytes\\)[a-z_]*\": *[^,}]*//g' $r/measures.jsonl > "
       "$r.m; "
       "done; test -s in.m");
    assert_true(same_files("in.m", "on.m"));
    ok(TRAIN BLOCKS "--set train.epochs=2 --out blocks");
    ok(TRAIN BLOCKS DISK "--set train.epochs=2 --set train.workers=0 --out blocks-on");
    assert_true(same_files("blocks/final.safetensors", "blocks-on/final.safetensors"));
    assert_false(same_files("in/final.safetensors", "blocks/final.safetensors"));
}

static void resumed_bit_for_bit(void **state) {
    (void)state;
    ok(TRAIN BLOCKS DISK "--set train.steps=70 --set train.threads=1 --out whole");
    ok(TRAIN BLOCKS DISK "--set train.steps=33 --set train.checkpoint_every=4s --out parts");
    ok("$G train --resume parts --set train.steps=70 --set train.threads=2 --set train.workers=0 --quiet");
    assert_true(same_files("whole/final.safetensors", "parts/final.safetensors"));
}

/* Rows of lines, packed ones and labelled texts: in memory, on disk, and on disk resumed. */
static void texts_stay_on_disk(void **state) {
    (void)state;
    static const struct {
        const char *data, *model;
    } kinds[] = {
        {"{format: text, rows: lines, length: 12, train: lines.txt, test: lines.txt}",
         "{name: lstm, hidden: 6, embedding: 4}"},
        {"{format: text, rows: packed, length: 24, train: lines.txt, test: lines.txt}",
         "{name: lstm, hidden: 6, embedding: 4}"},
        {"{format: text, rows: labelled, length: 12, train: labelled.tsv, test: labelled.tsv}",
         "{name: bert, dim: 8, heads: 2, depth: 1}"},
    };
    ok("awk 'BEGIN { for (i = 0; i < 3000; i++) { s = \"\"; for (k = 0; k <= i * 7 % 9; k++) s = s \" w\" (i * 31 + k) "
       "% 53; "
       "print s > \"lines.txt\"; print i % 3 \"\\t\" s > \"labelled.tsv\" } }'");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char train[1024];
        snprintf(train, sizeof train,
                 "rm -rf t-in t-on t-parts; t() { $G train --set 'data=%s' --set 'model=%s' --set 'method={name: sgd, "
                 "lr: 0.1}' "
                 "--set train.batch=16 --set train.steps=40 --set train.threads=1 --quiet \"$@\"; }; ",
                 kinds[k].data, kinds[k].model);
        sh(&s,
           "%s t --out t-in && t " DISK "--out t-on && t " DISK "--set train.steps=17 --set train.checkpoint_every=5s "
           "--out t-parts && $G train --resume t-parts --set train.steps=40 --quiet",
           train);
        if (s.code) fail_msg("%s: %s", kinds[k].data, s.err);
        assert_true(same_files("t-in/final.safetensors", "t-on/final.safetensors"));
        assert_true(same_files("t-in/final.safetensors", "t-parts/final.safetensors"));
    }
}

static double final_loss(const char *folder) {
    char text[1 << 16], path[100];
    snprintf(path, sizeof path, "%s/result.json", folder);
    slurp(path, text, sizeof text);
    json_t *result = json_loads(text, 0, NULL);
    double loss = json_number_value(json_object_get(json_object_get(json_object_get(result, "sets"), "test"), "loss"));
    if (!(loss > 0)) loss = json_number_value(json_object_get(result, "test_loss"));
    json_decref(result);
    assert_true(loss > 0);
    return loss;
}

static void ranks_train_the_same(void **state) {
    (void)state;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    ok(TRAIN BLOCKS DISK "--set train.epochs=1 --out one");
    for (int ranks = 2; ranks <= 3; ranks++) {
        sh(&s,
           "rm -rf many; ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n %d " TRAIN BLOCKS DISK
           "--set train.epochs=1 --out many",
           ranks);
        if (s.code) fail_msg("%s", s.err);
        if (fabs(final_loss("many") / final_loss("one") - 1) > 1e-4)
            fail_msg("%d ranks: %.9g, one %.9g", ranks, final_loss("many"), final_loss("one"));
    }
}

/* Peak of resident memory in KiB. */
static long peak_of(const char *memory) {
    char command[4096], set[64];
    snprintf(command, sizeof command, "%s", getenv("G"));
    snprintf(set, sizeof set, "data.memory=%s", memory);
    pid_t child = fork();
    if (!child) {
        execl(command, command, "train", "--set", "data.train=large.npy", "--set", set, "--set",
              "model={name: mlp, hidden: [4]}", "--set", "method={name: msgd, lr: 0.05}", "--set",
              "train={steps: 60, batch: 64, threads: 1, shuffle_block: 64, final_train: 0}", "--quiet", "--out", memory,
              (char *)NULL);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_int_equal(status, 0);
    return usage.ru_maxrss;
}

/* 47 MB of rows. */
static void memory_is_kept(void **state) {
    (void)state;
    if (getenv("GLISSADE_EMULATOR")) skip();
    ok("$G data make glyphs --set train_size=15000 --set memory=4MiB --out large.npy");
    long in = peak_of("1GiB"), on = peak_of("4MiB");
    if (in - on < 40000) fail_msg("in memory %ld KiB, on disk %ld KiB", in, on);
    assert_true(same_files("1GiB/final.safetensors", "4MiB/final.safetensors"));
}

static void refuses(void **state) {
    (void)state;
    static const struct {
        const char *options, *says;
    } bad[] = {
        {BLOCKS "--set train.shuffle=false", "train.shuffle_block is an order of shuffled epochs"},
        {BLOCKS "--set train.replacement=true", "train.shuffle_block is an order of shuffled epochs"},
        {"--set data.memory=much", "data.memory"},
        {"--set data.memory=1KiB --set data.train=a.npy.gz", "unpack it"},
    };
    ok("gzip -k a.npy && cp a-labels.npy a.npy-labels.npy");
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        sh(&s, TRAIN "%s --out bad", bad[k].options);
        assert_int_equal(s.code, 2);
        if (!strstr(s.err, bad[k].says)) fail_msg("%s", s.err);
    }
}

/* The file is cut off behind the run's back, after it began: one sentence, and not a signal. */
static void changed_meanwhile(void **state) {
    (void)state;
    ok("cp a.npy b.npy; cp a-labels.npy b-labels.npy");
    sh(&s,
       "$G train " DISK "--set data.train=b.npy --set \"model={name: mlp, hidden: [8]}\" --set "
       "\"method={name: msgd, lr: 0.05}\" --set train.epochs=100000 --set train.checkpoint_every=5s --quiet --out cut "
       "& "
       "P=$!; while ! ls cut/checkpoints/* > /dev/null 2>&1; do sleep 0.05; done; truncate -s 100000 b.npy; wait $P");
    assert_int_not_equal(s.code, 0);
    assert_true(s.code < 128);
    if (!strstr(s.err, "b.npy: the file was changed while its rows were in use")) fail_msg("%s", s.err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_run),       cmocka_unit_test(resumed_bit_for_bit),
        cmocka_unit_test(texts_stay_on_disk), cmocka_unit_test(ranks_train_the_same),
        cmocka_unit_test(memory_is_kept),     cmocka_unit_test(refuses),
        cmocka_unit_test(changed_meanwhile),
    };
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
