/* Training over ranks with every exchange: the same run twice, in pieces, with another number of ranks; its bytes. */
#include "support.h"

#include <math.h>

#define MPI "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n %d $G "
#define TRAIN                                                                                                        \
    "train --set 'data={format: gaussians, train_size: 300, test_size: 40, classes: 3, features: 20}' "              \
    "--set 'model={name: mlp, hidden: [16]}' --set 'method={name: msgd, lr: 0.1}' --set 'train={steps: %d, epochs: " \
    "0, "                                                                                                            \
    "batch: 48, exchange: %s}' --out %s%d --quiet"

static const char *const exchange[] = {"dense", "bf16", "{name: quant, levels: 3, block: 32}",
                                       "{name: topk, fraction: 0.1}"};

static void fine(said *s, const char *what) {
    if (s->code) fail_msg("%s: %s%s", what, s->out, s->err);
}

static double number(const char *folder, int k, const char *key) {
    char path[200];
    snprintf(path, sizeof path, "%s%d/result.json", folder, k);
    json_t *object = json_load_file(path, 0, NULL);
    double value = json_number_value(json_object_get(object, key));
    json_decref(object);
    return value;
}

/* One run of so many ranks and steps; what: more of the command line. */
static void train(said *s, int ranks, int steps, int k, const char *folder, const char *what) {
    sh(s, MPI TRAIN "%s", ranks, steps, exchange[k], folder, k, what);
    fine(s, exchange[k]);
}

static void the_same_run_whole_and_in_pieces(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    for (int k = 2; k < 4; k++) {
        const char *what = k % 2 ? " --set 'estimator={name: microbatch, microbatch: rank}'" : "";
        train(&s, 2, 12, k, "whole", what);
        train(&s, 2, 5, k, "parts", what);
        sh(&s,
           MPI "train --resume parts%d --set train.steps=12 --quiet && cmp whole%d/final.safetensors "
               "parts%d/final.safetensors",
           2, k, k, k);
        fine(&s, exchange[k]);
        /* Another number of ranks goes on too, and what was not sent is shared. */
        if (k == 3) sh(&s, MPI "train --resume parts%d --set train.steps=14 --quiet", 3, k);
        fine(&s, exchange[k]);
        assert_true(number("parts", k, "train_loss") < 1.5);
    }
}

/* d = 20 * 16 + 16 + 16 * 3 + 3 = 387: dense sends d values of four bytes from each of two ranks. */
static void bytes_are_reported(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    static const double wanted[] = {387 * 4, 387 * 2, 13 * (4 + 12), 8 + 160 + 160};
    double dense = 0;
    for (int k = 0; k < 4; k++) {
        /* One process says what each of two would send. */
        if (k)
            sh(&s, "$G " TRAIN " --summary", 3, exchange[k], "bytes", k);
        else
            train(&s, 2, 3, k, "bytes", " --summary");
        char line[120];
        snprintf(line, sizeof line, ", %.0f bytes a step from each of 2 ranks (dense: 1548)", wanted[k]);
        if (!strstr(s.out, line)) fail_msg("%s not in %s", line, s.out);
        if (k % 2) continue;
        train(&s, 2, 3, k, "bytes", "");
        double sent = number("bytes", k, "bytes_a_step");
        if (k == 0) dense = sent;
        /* The same figures travel in every run: what differs is the exchange (whose agreement is 8 bytes). */
        if (k && fabs(dense - sent - (wanted[0] - wanted[k])) > 24)
            fail_msg("%s: %g a step, dense %g", exchange[k], sent, dense);
        assert_true(sent > wanted[k] && sent < wanted[k] + 1000);
    }
}

static void mistakes_are_named(void **state) {
    (void)state;
    static said s;
    static const char *const wrong[][2] = {{"qant", "did you mean 'quant'"},
                                           {"{name: quant, levels: 0}", "levels"},
                                           {"{name: topk, fraction: 2}", "fraction"},
                                           {"{levels: 2}", "expected a name"},
                                           {"{name: bf16, rounding: up}", "rounding"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sh(&s, "$G " TRAIN, 2, wrong[i][0], "wrong", 0);
        if (s.code != 2 || !strstr(s.err, wrong[i][1])) fail_msg("%s: %d: %s", wrong[i][0], s.code, s.err);
    }
    sh(&s, "$G list exchanges && $G list exchanges quant");
    fine(&s, "list");
    assert_non_null(strstr(s.out, "topk"));
    assert_non_null(strstr(s.out, "levels"));
    /* One process exchanges nothing: the run is the dense one. */
    sh(&s, "$G " TRAIN " && $G " TRAIN " && cmp one2/final.safetensors one0/final.safetensors", 4, exchange[2], "one",
       2, 4, exchange[0], "one", 0);
    fine(&s, "one process");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_run_whole_and_in_pieces),
        cmocka_unit_test(bytes_are_reported),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
