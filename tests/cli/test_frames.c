/* Rows of frames through the command: trained and resumed to the bit, micro-batch clipping, scores, label sequences of
 * predictions, and slips. */
#include "support.h"

#include <math.h>

static said s;

#define DATA \
    "\"data={format: tones, train_size: 160, test_size: 40, classes: 3, features: 6, max_labels: 3, noise: 0.2}\" "
#define TRAIN(norm)                                                                                               \
    "$G train --set " DATA "--set \"model={name: conformer, dim: 12, heads: 2, depth: 1, hidden: 16, kernel: 5, " \
    "dropout: 0.1, norm: " norm "}\" --set \"method={name: adam, lr: 0.01}\" --set train.batch=16 --set "         \
    "train.epochs=0 --quiet "

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) fail_msg("no figure %s", name);
    return json_number_value(value);
}

static void done(const char *what) {
    if (s.code) fail_msg("%s: %s", what, s.err);
}

static void resumed_bit_for_bit(void **state) {
    sh(&s, TRAIN("batch") "--set train.steps=13 --set train.threads=1 --out whole");
    done("whole");
    sh(&s, TRAIN("batch") "--set train.steps=6 --set train.checkpoint_every=3s --out parts && $G train --resume parts "
                          "--set train.steps=13 --set train.threads=2 --quiet");
    done("parts");
    assert_true(same_files("whole/final.safetensors", "parts/final.safetensors"));
}

/* What the run reports, evaluate finds, from the same rows in files; and predict spells the labels in words. */
static void scores_and_predictions(void **state) {
    sh(&s, TRAIN("layer") "--set train.steps=120 --set train.validate_every=0 --out run --json");
    done("train");
    json_t *own = last_json(&s);
    sh(&s,
       "$G data make tones --set train_size=160 --set test_size=40 --set classes=3 --set features=6 --set max_labels=3 "
       "--set noise=0.2 --to frames --out t.npy && $G evaluate run --data t.npy --json --quiet");
    done("evaluate");
    json_t *found = last_json(&s);
    assert_true(fabs(number(found, "loss") / number(own, "train_loss") - 1) < 1e-5);
    double rate = number(found, "label_error_rate");
    assert_true(rate < 0.4 && number(own, "test_label_accuracy") > 0.6); /* always one tone: about 0.67 wrong */
    assert_true(number(found, "sequence_accuracy") > 0 && number(found, "sequence_accuracy") <= 1);
    json_decref(own);
    json_decref(found);
    sh(&s, "$G predict run --data t.npy --out p.csv && head -1 p.csv && wc -l < p.csv && grep -c -v -E "
           "'^\"(t[1-3]( t[1-3])*)?\"$' p.csv");
    assert_string_equal(s.out, "labels\n161\n1\n"); /* the header alone is no sequence */
    sh(&s, "$G predict run --data t.npy --format frames --out p.npy && head -c 128 p.npy | grep -a -c '(160, 27, 4)'");
    done("predict");
    assert_string_equal(s.out, "1\n");
    sh(&s, "$G export run --onnx m.onnx");
    assert_exported(&s);
}

static void microbatches(void **state) {
    sh(&s, TRAIN("layer") "--set \"estimator={name: microbatch, microbatch: 2}\" --set train.steps=4 --out clipped");
    done("micro-batch clipping");
    sh(&s, TRAIN("layer") "--set \"estimator={name: clip_norm, bound: 1}\" --set train.steps=4 --out bounded");
    done("clipping");
}

static void slips(void **state) {
    static const struct {
        const char *options, *message;
    } slip[] = {
        {"--set model.blank=4", "blank: 4, expected 0 to 3"},
        {"--set model.kernel=4", "kernel: 4, expected an odd number"},
        {"--set model.heads=5", "5 heads do not divide dim 12"},
        {"--set data.min_labels=4", "data.min_labels: 4 is more than max_labels, 3"},
        {"--set data.target=frames --set model.loss=ctc", "needs sequences of labels"},
        {"--set data.format=glyphs", "data"},
        {"--set model.impossible=maybe", "impossible"},
        {"--set model.label_smoothing=0.3", "label_smoothing: of use to the loss cross_entropy alone"},
        {"--set data.target=frames --set model.blank=2", "blank: of use to the loss ctc alone"},
        {"--set data.target=frames --set model.impossible=skip", "impossible: of use to the loss ctc alone"},
    };
    for (size_t k = 0; k < sizeof slip / sizeof *slip; k++) {
        sh(&s, TRAIN("layer") "--set train.steps=1 --out slip %s", slip[k].options);
        if (s.code != 2 || !strstr(s.err, slip[k].message)) fail_msg("%s: %d, %s", slip[k].options, s.code, s.err);
        sh(&s, "test -e slip/final.safetensors");
        assert_int_not_equal(s.code, 0);
    }
    /* As many labels as frames, two of them equal: no alignment. */
    sh(&s,
       "printf 'import struct\\n"
       "def save(name, descr, shape, data):\\n"
       "    head = str(dict(descr=descr, fortran_order=False, shape=shape)).ljust(117) + chr(10)\\n"
       "    open(name, \"wb\").write(b\"\\\\x93NUMPY\\\\x01\\\\x00\" + struct.pack(\"<H\", len(head)) + head.encode() "
       "+ "
       "data)\\n"
       "save(\"i.npy\", \"<f4\", (2, 3, 2), struct.pack(\"<12f\", *range(12)))\\n"
       "save(\"i-labels.npy\", \"<i4\", (2, 3), struct.pack(\"<6i\", 0, 1, -1, 1, 1, 0))\\n' > w.py && python3 w.py");
    done("w.py");
    sh(&s, "$G train --set data.format=frames --set data.train=i.npy --set data.test=i.npy --set \"model={name: "
           "conformer, dim: "
           "4, heads: 1, depth: 1, norm: layer}\" --set \"method={name: sgd, lr: 0.1}\" --set train.batch=2 --set "
           "train.steps=1 --set train.epochs=0 --quiet "
           "--out "
           "bad");
    assert_int_equal(s.code, 2);
    if (!strstr(s.err, "example 1: its 3 labels take 4 frames")) fail_msg("%s", s.err);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(resumed_bit_for_bit, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(scores_and_predictions, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(microbatches, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(slips, enter_folder, leave_folder)};
    return cmocka_run_group_tests_name("cli_frames", tests, NULL, NULL);
}
