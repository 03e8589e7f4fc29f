/* Every verb started by mpirun: it works over the ranks, or its first process does it, or it refuses in one line; what
 * it says is said once. */
#include "support.h"

#include <math.h>

#define MPI "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n 2 $G "
#define TRAIN                                                                                                        \
    "train --set 'data={format: gaussians, train_size: 300, test_size: 40}' --set 'model={name: mlp, hidden: [8]}' " \
    "--set 'method={name: msgd, lr: 0.1}' --set 'train={steps: 4, batch: 50, threads: 1}' "

static int lines_of_ours(const said *s) {
    int count = 0;
    for (const char *at = s->err; (at = strstr(at, "glissade: ")); at++) count++;
    return count;
}

/* The verbs that `glissade help` lists, which are indented by two. */
static void every_verb_works_over_ranks_or_refuses(void **state) {
    (void)state;
    static const char *const working[] = {"train", "measure", "scale", "predict", "evaluate"};
    static const char *const first[] = {"report", "data", "theory", "list", "help", "version", "completion"};
    static said s, help;
    int verbs = 0;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    sh(&help, "$G help | sed -n 's/^  \\([a-z]\\+\\)  .*/\\1/p'");
    for (char *rest = help.out, *verb; (verb = strtok_r(rest, " \n", &rest)); verbs++) {
        bool works = false, alone = false;
        for (size_t i = 0; i < sizeof working / sizeof *working; i++) works |= strcmp(verb, working[i]) == 0;
        for (size_t i = 0; i < sizeof first / sizeof *first; i++) alone |= strcmp(verb, first[i]) == 0;
        sh(&s, MPI "%s --no-such-option", verb);
        assert_int_equal(s.code, 2);
        if (lines_of_ours(&s) != 1) fail_msg("%s: %s", verb, s.err);
        sh(&s, MPI "%s", verb);
        if (works || alone) {
            if (strstr(s.err, "one process")) fail_msg("%s: %s", verb, s.err);
            if (lines_of_ours(&s) > 1) fail_msg("%s: %s", verb, s.err);
            continue;
        }
        if (s.code != 2 || lines_of_ours(&s) != 1 || !strstr(s.err, "is work of one process") || *s.out)
            fail_msg("%s: code %d: %s", verb, s.code, s.err);
    }
    assert_true(verbs >= 15);
    sh(&s, MPI "version");
    assert_int_equal(s.code, 0);
    char *said_once = strstr(s.out, "glissade ");
    assert_non_null(said_once);
    assert_null(strstr(said_once + 1, "\nglissade "));
}

static double number_at(const json_t *object, const char *measure, const char *key) {
    const json_t *value = json_object_get(json_object_get(json_object_get(object, "measures"), measure), key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* Two processes find what one finds, to rounding, and print it once. */
static void measures_agree_with_one_process(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    sh(&s, "$G " TRAIN "--out run --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *found[2];
    for (int ranks = 0; ranks < 2; ranks++) {
        sh(&s, "%smeasure run --only gradient_diversity,gradient_norm,loss --sample all --json", ranks ? MPI : "$G ");
        if (s.code) fail_msg("%s", s.err);
        char *end = strchr(s.out, '\n');
        assert_true(end && !end[1]);
        found[ranks] = last_json(&s);
        char *table = strstr(s.err, "gradient_diversity: ");
        assert_true(table && !strstr(table + 1, "\ngradient_diversity: "));
    }
    static const char *const figure[][2] = {{"gradient_diversity", "batch_size_bound"}, {"loss", "loss"}};
    for (int i = 0; i < 2; i++) {
        double one = number_at(found[0], figure[i][0], figure[i][1]),
               two = number_at(found[1], figure[i][0], figure[i][1]);
        if (!(fabs(one - two) < 1e-4 * fabs(one))) fail_msg("%s: %g and %g", figure[i][1], one, two);
    }
    json_decref(found[0]);
    json_decref(found[1]);
    sh(&s, MPI "measure nowhere");
    assert_int_equal(s.code, 2);
    assert_int_equal(lines_of_ours(&s), 1);
}

static void trained_models_agree_with_one_process(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    sh(&s, "$G data make gaussians --set train_size=101 --out rows.svm && "
           "$G " TRAIN "--set 'data={train: rows.svm}' --out trained --quiet && "
           "$G predict trained --data rows.svm --out one.csv && " MPI "predict trained --data rows.svm --out two.csv");
    if (s.code) fail_msg("%s", s.err);
    sh(&s, "cut -d, -f1 one.csv >a; cut -d, -f1 two.csv >b; wc -l <a");
    assert_int_equal(atoi(s.out), 102);
    assert_true(same_files("a", "b"));
    double loss[2];
    for (int ranks = 0; ranks < 2; ranks++) {
        sh(&s, "%sevaluate trained --data rows.svm --json", ranks ? MPI : "$G ");
        if (s.code) fail_msg("%s", s.err);
        char *examples = strstr(s.out, "examples ");
        assert_true(examples && !strstr(examples + 1, "\nexamples "));
        json_t *scores = last_json(&s);
        loss[ranks] = json_number_value(json_object_get(scores, "loss"));
        json_decref(scores);
    }
    assert_true(loss[0] > 0 && fabs(loss[0] - loss[1]) < 1e-5 * loss[0]);
}

/* A recorded matrix is read whole by the first process. */
static void a_matrix_is_measured_once(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    FILE *f = fopen("g.npy", "wb");
    char head[118];
    memset(head, ' ', sizeof head);
    static const char shape[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
    memcpy(head, shape, sizeof shape - 1);
    head[sizeof head - 1] = '\n';
    fwrite("\x93NUMPY\1\0\x76\0", 1, 10, f);
    fwrite(head, 1, sizeof head, f);
    fwrite((const float[]){1, 0, 0, 1, 1, 1}, 4, 6, f);
    fclose(f);
    sh(&s, MPI "measure --gradients g.npy --only gradient_diversity --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *found = last_json(&s);
    /* (1 + 1 + 2) / |(2, 2)|^2 */
    assert_true(fabs(number_at(found, "gradient_diversity", "gradient_diversity") - 0.5) < 1e-6);
    json_decref(found);
    assert_null(strchr(strchr(s.out, '\n') + 1, '\n'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_works_over_ranks_or_refuses),
        cmocka_unit_test(measures_agree_with_one_process),
        cmocka_unit_test(trained_models_agree_with_one_process),
        cmocka_unit_test(a_matrix_is_measured_once),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
