/* Real data, where they are: GLISSADE_DATA names their folder. */
#include "support.h"

static bool have(const char *file) {
    char path[4096];
    const char *data = getenv("GLISSADE_DATA");
    snprintf(path, sizeof path, "%s/%s", data ? data : "", file);
    return data && access(path, R_OK) == 0;
}

static double test_accuracy(const said *s) {
    json_t *result = last_json(s);
    double accuracy = json_number_value(json_object_get(result, "test_accuracy"));
    json_decref(result);
    return accuracy;
}

static void logistic_on_a9a(void **state) {
    (void)state;
    static said s;
    if (!have("libsvm/a9a.xz")) skip();
    sh(&s, "$G train --set data.train=$GLISSADE_DATA/libsvm/a9a.xz --set data.test=$GLISSADE_DATA/libsvm/a9a.t.xz "
           "--set model.name=logistic --set model.l2=1e-4 --set method.name=msgd --set method.lr=0.2 "
           "--set schedule.name=cosine --set train.epochs=10 --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    assert_true(test_accuracy(&s) > 0.848);
}

static void softmax_on_fashion_mnist(void **state) {
    (void)state;
    static said s;
    if (!have("fashion-mnist/train-images-idx3-ubyte.gz")) skip();
    sh(&s, "cd $GLISSADE_DATA/fashion-mnist && D=$PWD && cd - >/dev/null && $G train "
           "--set data.train=$D/train-images-idx3-ubyte.gz --set data.test=$D/t10k-images-idx3-ubyte.gz "
           "--set model=softmax --set method.name=msgd --set method.lr=0.02 --set schedule.name=cosine "
           "--set train.epochs=10 --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    assert_true(test_accuracy(&s) >= 0.84);
}

/* 62,061 features and 20 classes: sparse, without a dense copy (15,935 rows of it would be 4 GB). */
static void softmax_on_news20(void **state) {
    (void)state;
    static said s;
    if (!have("libsvm/news20.xz")) skip();
    sh(&s, "ulimit -v 3000000; $G train --set data.train=$GLISSADE_DATA/libsvm/news20.xz --set model=softmax --set "
           "method.name=sgd "
           "--set method.lr=1 --set train.epochs=3 --set train.validation=0.1 --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *result = last_json(&s);
    assert_true(json_number_value(json_object_get(result, "validation_accuracy")) > 0.75);
    json_decref(result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logistic_on_a9a),
        cmocka_unit_test(softmax_on_fashion_mnist),
        cmocka_unit_test(softmax_on_news20),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
