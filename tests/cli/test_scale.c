/* `scale`: its predictions against the formulas of docs/scale.md, worked out here from the parts that it prints. */
#include "support.h"

#include <math.h>

#define CONFIG                                                                                                   \
    "--set 'data={format: gaussians, train_size: 600, test_size: 20, classes: 3, features: 20, separation: 1}' " \
    "--set 'model={name: mlp, hidden: [16]}' --set 'method={name: msgd, lr: 0.1}' "

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const json_t *way_of(const json_t *all, const char *name) {
    size_t i;
    json_t *way;
    json_array_foreach(json_object_get(all, "exchanges"), i, way) {
        if (strcmp(json_string_value(json_object_get(way, "exchange")), name) == 0) return way;
    }
    fail_msg("no exchange %s", name);
    return NULL;
}

static const json_t *row_of(const json_t *way, double ranks) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(way, "rows"), i, row) if (number(row, "ranks") == ranks) return row;
    fail_msg("no row of %g ranks", ranks);
    return NULL;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-6 * fabs(b);
}

/* Seconds of a step of so many rows, which is among those that were timed. */
static double timed_rows(const json_t *all, double rows) {
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(all, "timed"), i, pair) {
        if (json_number_value(json_array_get(pair, 0)) == rows) return json_number_value(json_array_get(pair, 1));
    }
    fail_msg("steps of %g rows were not timed", rows);
    return NAN;
}

enum { D = 20 * 16 + 16 + 16 * 3 + 3, ROWS = 32 };

/* Messages alone: with dense, 2 (P-1) L + 2 (P-1)/P V/W and 3 log2 P small ones. */
static void dense_follows_its_formulas(const json_t *all, double bound) {
    const json_t *dense = way_of(all, "dense"), *one = row_of(dense, 1);
    double a = number(all, "step_time"), b = number(all, "row_time"), latency = 1e-4, bandwidth = 1e8 / 8;
    double timed = timed_rows(all, ROWS);
    assert_true(a >= 0 && b > 0 && timed > 0);
    assert_true(number(all, "overlap") >= 0 && number(all, "overlap") <= 1);
    for (double p = 1; p <= 8192; p *= 2) {
        const json_t *row = row_of(dense, p);
        double batch = p * ROWS, growth = 1 + (batch - 1) / bound;
        double message =
            p == 1 ? 0 : 2 * (p - 1) * latency + 2 * (p - 1) / p * D * 4 / bandwidth + 3 * ceil(log2(p)) * latency;
        double step = number(row, "step_seconds");
        assert_true(near(number(row, "growth"), growth));
        if (p > 1) assert_true(near(number(row, "message_seconds"), message));
        /* An exchange that sends every value as it is does next to nothing of its own; what travels while the rest is
         * computed is not waited for. */
        double small = 3 * ceil(log2(p)) * latency, hidden = fmin(number(all, "overlap") * timed, message - small);
        double least = timed + message - hidden;
        assert_true(step >= least - 1e-12 && step < least + 1e-3);
        double goodput = batch / step / growth;
        assert_true(near(number(row, "goodput"), goodput));
        assert_true(near(number(row, "speedup"), goodput / number(one, "goodput")));
        assert_true(near(number(row, "pass_seconds"), 600 / batch * step));
        /* The best batch: its neighbours are worse. */
        double best = number(row, "best_batch"), fixed = step - b * ROWS, value[3];
        for (int k = 0; k < 3; k++) {
            double other = best * (0.9 + 0.1 * k);
            value[k] = other / (fixed + b * other / p) / (1 + (other - 1) / bound);
        }
        if (best > p) assert_true(value[1] >= value[0] && value[1] >= value[2]);
    }
}

static void quant_pays_in_passes(const json_t *all, double bound) {
    const json_t *quant = way_of(all, "quant");
    double noise = number(all, "quantised_noise"), delta = 1 / bound;
    assert_true(noise > 0.5 && noise < 11.4); /* at most sqrt(128) */
    for (double p = 2; p <= 64; p *= 2) {
        double batch = p * ROWS;
        double growth = batch * (delta + (1 - delta) / batch + noise * (delta + (1 - delta) / ROWS) / p);
        if (p > 3) growth *= 1 + noise;
        assert_true(near(number(row_of(quant, p), "growth"), growth));
    }
    assert_true(near(number(row_of(quant, 1), "growth"), 1 + (ROWS - 1) / bound));
}

static void predictions_follow_the_formulas(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G scale " CONFIG "--rows 32 --bound 500 --latency 100 --bandwidth 100 --json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s);
    assert_true(number(all, "parameters") == D && number(all, "examples") == 600);
    assert_true(near(number(all, "latency"), 1e-4) && near(number(all, "bandwidth"), 1.25e7));
    dense_follows_its_formulas(all, 500);
    quant_pays_in_passes(all, 500);
    const json_t *topk = way_of(all, "topk"), *dense = way_of(all, "dense");
    assert_true(json_is_false(json_object_get(topk, "law")));
    assert_true(json_is_null(json_object_get(row_of(topk, 8), "speedup")));
    assert_true(number(row_of(topk, 8), "pass_seconds") > 0);
    assert_true(number(row_of(dense, 10000), "ranks") == 10000);
    /* After `enough`, twice as many are less than 1.25 times as fast; before it they are not. */
    double enough = number(dense, "enough_ranks");
    double now = number(row_of(dense, enough), "speedup"), twice = number(row_of(dense, 2 * enough), "speedup");
    assert_true(twice < 1.25 * now);
    if (enough > 1) assert_true(now >= 1.25 * number(row_of(dense, enough / 2), "speedup"));
    if (!strstr(s.err, "are waste, because of")) fail_msg("%s", s.err);
    json_decref(all);
}

/* A network of which nothing is lost leaves diversity to blame; a slow one, bytes. */
static void the_reason_is_named(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G scale " CONFIG "--rows 8 --bound 64 --latency 1e-6 --bandwidth 1e9 --json --quiet");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s);
    assert_string_equal(json_string_value(json_object_get(way_of(all, "dense"), "limited_by")), "diversity");
    double enough = number(way_of(all, "dense"), "enough_ranks");
    assert_true(enough >= 4 && enough <= 64);
    json_decref(all);
    sh(&s, "$G scale " CONFIG "--rows 8 --bound 1e6 --latency 1e5 --bandwidth 0.001 --json --quiet");
    all = last_json(&s);
    assert_string_equal(json_string_value(json_object_get(way_of(all, "dense"), "limited_by")), "bytes");
    assert_true(number(way_of(all, "dense"), "enough_ranks") == 1);
    json_decref(all);
    /* A tree: 2 log2 P (L + V/W). */
    sh(&s, "$G scale " CONFIG "--rows 8 --bound 64 --latency 100 --bandwidth 100 --network tree --json --quiet");
    all = last_json(&s);
    double tree = 6 * (1e-4 + D * 4 / 1.25e7) + 9 * 1e-4;
    assert_true(near(number(row_of(way_of(all, "dense"), 8), "message_seconds"), tree));
    json_decref(all);
    /* Four hosts of two: a ring of four. */
    sh(&s, "$G scale " CONFIG
           "--rows 8 --bound 64 --latency 100 --bandwidth 100 --network hosts --host-ranks 2 --json --quiet");
    all = last_json(&s);
    double hosts = 6 * 1e-4 + 1.5 * D * 4 / 1.25e7 + 9 * 1e-4;
    assert_true(near(number(row_of(way_of(all, "dense"), 8), "message_seconds"), hosts));
    json_decref(all);
}

/* A run says how many passes it took; its folder keeps the predictions, and the report draws them. */
static void a_run_keeps_its_predictions(void **state) {
    (void)state;
    static said s;
    sh(&s, "$G train " CONFIG "--set 'train={epochs: 2, batch: 30}' --out run --quiet && $G scale run --quiet && "
           "$G report run --out page.html && grep -c "
           "'Predicted speed-up' page.html");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = json_load_file("run/scale.json", 0, NULL);
    assert_non_null(all);
    double bound = number(all, "batch_size_bound");
    const json_t *row = row_of(way_of(all, "dense"), 4);
    assert_true(bound >= 1 && number(all, "rows_a_rank") == 30);
    assert_true(near(number(row, "passes"), 2 * (1 + 119 / bound) / (1 + 29 / bound)));
    json_decref(all);
    sh(&s, "$G measure run --only gradient_diversity --sample 600 --json --quiet");
    all = last_json(&s);
    double same = number(json_object_get(json_object_get(all, "measures"), "gradient_diversity"), "batch_size_bound");
    assert_true(fabs(bound - same) < 0.02 * same);
    json_decref(all);
}

static void ranks_measure_their_network(void **state) {
    (void)state;
    static said s;
    if (!getenv("GLISSADE_MPIRUN")) skip();
    sh(&s, "ASAN_OPTIONS=detect_leaks=0 $GLISSADE_MPIRUN -n 2 $G scale " CONFIG "--json");
    if (s.code) fail_msg("%s", s.err);
    json_t *all = last_json(&s);
    assert_true(json_is_true(json_object_get(all, "network_measured")));
    assert_true(number(all, "latency") > 0 && number(all, "latency") < 0.1);
    assert_true(number(all, "bandwidth") > 1e6);
    /* Times of messages do not fall with their length. */
    const json_t *messages = json_object_get(all, "messages");
    assert_true(json_array_size(messages) >= 4);
    for (size_t i = 1; i < json_array_size(messages); i++)
        for (size_t k = 0; k < 2; k++)
            assert_true(json_number_value(json_array_get(json_array_get(messages, i), k)) >=
                        json_number_value(json_array_get(json_array_get(messages, i - 1), k)));
    assert_true(number(all, "rows_a_rank") == 64);
    json_decref(all);
}

static void mistakes_are_named(void **state) {
    (void)state;
    static said s;
    static const char *const wrong[][2] = {{"nowhere", "nowhere"},
                                           {CONFIG "--at best", "--at needs a run folder"},
                                           {CONFIG "--network hosts", "--host-ranks"},
                                           {CONFIG "--bound 0.5", "bound"},
                                           {CONFIG "--network star", "star"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sh(&s, "$G scale %s", wrong[i][0]);
        if (s.code != 2 || !strstr(s.err, wrong[i][1])) fail_msg("%s: %d: %s", wrong[i][0], s.code, s.err);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_follow_the_formulas),
        cmocka_unit_test(the_reason_is_named),
        cmocka_unit_test(a_run_keeps_its_predictions),
        cmocka_unit_test(ranks_measure_their_network),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
