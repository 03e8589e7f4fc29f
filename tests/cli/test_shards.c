/* train.shard_state: the same weights as with the whole state on every rank, checkpoints in pieces, and resuming with
 * any number of ranks. */
#include "support.h"

static said s;

#define MPI "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n %d $G "
#define TRAIN                                                                                                         \
    "train --set 'data={format: gaussians, train_size: 600, test_size: 40, features: 200}' --set 'model={name: mlp, " \
    "hidden: [300]}' --set train.batch=60 --set train.threads=1 --set train.checkpoint_every=10s --quiet "
#define SHARD "--set train.shard_state=true "

static void ok(int ranks, const char *line) {
    char whole[2000];
    snprintf(whole, sizeof whole, MPI "%s", ranks, line);
    sh(&s, "%s", whole);
    if (s.code) fail_msg("%s: %s", line, s.err);
}

static void the_same_weights(void **state) {
    (void)state;
    static const char *const method[] = {"{name: adam, lr: 0.01}", "{name: lamb, lr: 0.01, state: q8}"};
    char line[1000];
    if (!getenv("GLISSADE_MPIRUN")) skip();
    for (int k = 0; k < 2; k++) {
        sh(&s, "rm -rf whole parts");
        snprintf(line, sizeof line, TRAIN "--set train.steps=24 --set 'method=%s' --out whole", method[k]);
        ok(3, line);
        snprintf(line, sizeof line, TRAIN SHARD "--set train.steps=24 --set 'method=%s' --out parts", method[k]);
        ok(3, line);
        assert_true(same_files("whole/final.safetensors", "parts/final.safetensors"));
        sh(&s, "ls parts/checkpoints");
        assert_non_null(strstr(s.out, "piece-0-of-3-step-000000000024.safetensors"));
        assert_non_null(strstr(s.out, "piece-2-of-3-step-000000000020.safetensors"));
        assert_null(strstr(s.out, "-of-3-step-000000000010"));
    }
}

/* From pieces of three ranks, and from a whole checkpoint, with one and two ranks: both ways give the same bits. */
static void resumed_by_others(void **state) {
    (void)state;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    sh(&s, "rm -rf whole parts");
    ok(3, TRAIN "--set train.steps=20 --set 'method={name: adam, lr: 0.01}' --out whole");
    ok(3, TRAIN SHARD "--set train.steps=20 --set 'method={name: adam, lr: 0.01}' --out parts");
    for (int ranks = 1; ranks <= 3; ranks++) {
        sh(&s, "rm -rf w p w2; cp -r whole w; cp -r whole w2; cp -r parts p");
        ok(ranks, "train --resume w --set train.steps=40 --quiet");
        ok(ranks, "train --resume p --set train.steps=40 --quiet");
        assert_true(same_files("w/final.safetensors", "p/final.safetensors"));
    }
    sh(&s, "rm p/checkpoints/piece-1-of-3*; rm -f p/final.safetensors p/result.json");
    sh(&s, MPI "train --resume p --set train.steps=60 --quiet", 3);
    assert_int_not_equal(s.code, 0);
    if (!strstr(s.err, "piece-1-of-3")) fail_msg("%s", s.err);
}

static void refuses(void **state) {
    (void)state;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    sh(&s, MPI TRAIN SHARD "--set train.steps=4 --set 'method={name: singd}' --out bad", 2);
    assert_int_equal(s.code, 2);
    if (!strstr(s.err, "train.shard_state")) fail_msg("%s", s.err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_weights),
        cmocka_unit_test(resumed_by_others),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
