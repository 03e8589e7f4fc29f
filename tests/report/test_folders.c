/* Folders of runs, sweeps, and folders that are no runs or broken. */
#include "support.h"

static void put_run(const char *name, const char *text) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/config.yaml", name);
    put(path, text);
    snprintf(path, sizeof path, "%s/result.json", name);
    put(path, "{\"steps\":3}");
}

static const char *text_of(const json_t *data, size_t group, const char *key) {
    return json_string_value(json_object_get(json_array_get(json_object_get(data, "groups"), group), key));
}

static json_t *data_of(gls_context *ctx, const char *const *names, int64_t count) {
    char path[8][512];
    const char *runs[8];
    for (int64_t i = 0; i < count; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
        runs[i] = path[i];
    }
    char *page = NULL;
    write_and_read(ctx, runs, count, &page);
    json_t *data = page_data(page);
    gls_free(ctx, page);
    return data;
}

/* A folder that holds runs is walked; they go by their paths below it, in the order of their numbers. */
static void folders_of_runs_are_walked(void **state) {
    gls_context *ctx = *state;
    put_run("tree/run-10", config);
    put_run("tree/run-9", config);
    put_run("tree/deep/er/one", config);
    put_run("tree/seeds/seed-1", config);
    put_run("tree/seeds/seed-2", config);
    put_run("tree/run-9/checkpoints/never", config); /* a run's own folder is not looked into */
    put("tree/report.html", "not a run");
    json_t *data = data_of(ctx, (const char *const[]){"tree"}, 1);
    static const char *const names[] = {"deep/er/one", "run-9", "run-10", "seeds"};
    assert_int_equal(json_array_size(json_object_get(data, "groups")), 4);
    for (size_t i = 0; i < 4; i++) assert_string_equal(text_of(data, i, "name"), names[i]);
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(data, "groups"), 3), "runs")), 2);
    json_decref(data);
    data = data_of(ctx, (const char *const[]){"tree/deep", "tree/run-9"}, 2);
    assert_string_equal(text_of(data, 0, "name"), "deep/er/one");
    assert_string_equal(text_of(data, 1, "name"), "run-9");
    json_decref(data);
}

/* Trials of a sweep are told by sweep.json: their keys, and the sweep they belong to. */
static void trials_have_the_keys_of_their_sweep(void **state) {
    gls_context *ctx = *state;
    put_run("lab/sweep-a/trial-0123abcd/seed-1", config);
    put_run("lab/sweep-a/trial-0123abcd/seed-2", config);
    put_run("lab/sweep-a/trial-ffff0000/seed-1", config);
    put("lab/sweep-a/sweep.json", "{\"trials\":[{\"folder\":\"trial-ffff0000\",\"set\":{\"method.lr\":\"0.3\"}},"
                                  "{\"folder\":\"trial-0123abcd\",\"set\":{\"method.lr\":\"0.1\"}}]}");
    for (int inside = 0; inside < 2; inside++) {
        json_t *data = data_of(ctx, (const char *const[]){inside ? "lab/sweep-a" : "lab"}, 1);
        json_t *groups = json_object_get(data, "groups");
        assert_int_equal(json_array_size(groups), 2);
        for (size_t i = 0; i < 2; i++) {
            assert_string_equal(text_of(data, i, "sweep"), "sweep-a");
            const json_t *set = json_object_get(json_array_get(groups, i), "set");
            assert_string_equal(json_string_value(json_object_get(set, "method.lr")), i ? "0.3" : "0.1");
        }
        json_decref(data);
    }
    put("lab/sweep-a/sweep.json", "{\"trials\":");
    json_t *data = data_of(ctx, (const char *const[]){"lab"}, 1);
    assert_null(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "set"));
    json_decref(data);
}

/* Of a setting at its table's value the page says so; what the plan chose is nobody's setting. */
static void defaults_are_known(void **state) {
    gls_context *ctx = *state;
    put_run("plain",
            "train: {batch: 128, epochs: 3}\nmodel: {name: softmax, l2: 0.0, bias: false}\n"
            "method: {name: msgd, beta: 0.5, lr: 0.1}\nmeasure: {tail_index: {every: 1, batch: 1, sample: 7}}\n"
            "plan: {lanes: 4}\n");
    json_t *data = data_of(ctx, (const char *const[]){"plain"}, 1), *key;
    json_t *run = json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs"), 0);
    static const char *const expected[] = {"train.batch", "model.l2", "measure.tail_index.batch", "plan.lanes"};
    size_t i, found = 0;
    json_array_foreach(json_object_get(run, "defaults"), i, key) {
        for (size_t k = 0; k < 4; k++) found += strcmp(json_string_value(key), expected[k]) == 0;
        assert_string_not_equal(json_string_value(key), "train.epochs");
        assert_string_not_equal(json_string_value(key), "model.bias");
        assert_string_not_equal(json_string_value(key), "method.beta");
        assert_string_not_equal(json_string_value(key), "measure.tail_index.sample");
    }
    assert_int_equal(found, 4);
    json_decref(data);
}

static int64_t defaults_of_missing(gls_context *ctx, const char *name, const char *list) {
    char text[200];
    snprintf(text, sizeof text, "data: {format: csv, missing: %s}\n", list);
    put_run(name, text);
    json_t *data = data_of(ctx, (const char *const[]){name}, 1), *key;
    json_t *run = json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs"), 0);
    int64_t found = 0;
    size_t i;
    json_array_foreach(json_object_get(run, "defaults"), i, key) {
        found += strncmp(json_string_value(key), "data.missing[", 13) == 0;
    }
    json_decref(data);
    return found;
}

/* A list is at its default as a whole, or not at all. */
static void default_lists_are_known(void **state) {
    gls_context *ctx = *state;
    assert_int_equal(defaults_of_missing(ctx, "usual", "['', NA, N/A, NaN, nan, 'null', 'NULL', '?']"), 8);
    assert_int_equal(defaults_of_missing(ctx, "other", "['', NA, N/A, NaN, nan, 'null', 'NULL', '-']"), 0);
    assert_int_equal(defaults_of_missing(ctx, "fewer", "['', NA]"), 0);
    assert_int_equal(defaults_of_missing(ctx, "more", "['', NA, N/A, NaN, nan, 'null', 'NULL', '?', x]"), 0);
}

/* All that a measure called meaningless is kept, also of results that the page thins out. */
static void meaningless_results_are_kept(void **state) {
    gls_context *ctx = *state;
    char path[600];
    put_run("faint", config);
    snprintf(path, sizeof path, "%s/faint/measures.jsonl", folder);
    FILE *file = fopen(path, "w");
    for (int i = 1; i <= 100; i++)
        fprintf(file, "{\"step\":%d,\"epoch\":%g,\"time\":1,\"measure\":\"noise_scale\",\"result\":{\"x\":1%s}}\n", i,
                i / 10., i % 10 == 7 ? ",\"meaningless\":\"too few\"" : "");
    fclose(file);
    json_t *data = data_of(ctx, (const char *const[]){"faint"}, 1);
    json_t *run = json_array_get(json_object_get(json_array_get(json_object_get(data, "groups"), 0), "runs"), 0);
    json_t *list = json_object_get(run, "meaningless");
    assert_int_equal(json_array_size(list), 10);
    for (size_t i = 0; i < 10; i++) {
        const json_t *one = json_array_get(list, i);
        assert_int_equal(json_number_value(json_object_get(one, "step")), 10 * i + 7);
        assert_string_equal(json_string_value(json_object_get(one, "why")), "too few");
        assert_string_equal(json_string_value(json_object_get(one, "measure")), "noise_scale");
    }
    json_decref(data);
}

/* ---- what is foreign or broken ---- */

static void broken_runs_leave_the_others_alone(void **state) {
    gls_context *ctx = *state;
    char path[600];
    put_run("good", config);
    put_run("bad", "hello\n");
    put_run("\xff\xfe<", config);
    put("empty/nothing", "");
    put_run("pipe", config);
    snprintf(path, sizeof path, "%s/pipe/metrics.jsonl", folder); /* opened, it would wait for ever */
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(60);
    json_t *data = data_of(
        ctx, (const char *const[]){"bad", "nowhere", "good", "\xff\xfe<", "empty", "good/config.yaml", "pipe"}, 7);
    alarm(0);
    assert_int_equal(json_array_size(json_object_get(data, "groups")), 3);
    assert_string_equal(text_of(data, 0, "name"), "good");
    assert_string_equal(text_of(data, 1, "name"), "\?\?<");
    static const char *const why[] = {"found text", "found nothing", "found no config.yaml", "found a file"};
    json_t *skipped = json_object_get(data, "skipped");
    assert_int_equal(json_array_size(skipped), 4);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(json_string_value(json_object_get(json_array_get(skipped, i), "why")), why[i]));
    json_decref(data);
}

static const char *const whole[][2] = {
    {"config.yaml", "model: {name: softmax, l2: 1e-4}\nmethod: {name: sgd, lr: 0.5, groups: [{match: x}]}\n"},
    {"metrics.jsonl", "{\"step\":1,\"epoch\":0.5,\"time\":0.1,\"name\":\"loss\",\"value\":2.5}\n"
                      "{\"step\":2,\"epoch\":1,\"time\":0.2,\"name\":\"loss\",\"value\":null}\n"},
    {"measures.jsonl", "{\"step\":3,\"measure\":\"noise_norm\",\"result\":{\"batch\":4,\"meaningless\":\"x\"}}\n"},
    {"result.json", "{\"steps\":3,\"test_accuracy\":0.5,\"domains\":[{\"domain\":1}]}"}};

/* One change to one file: a byte, a stretch left out or doubled, the rest left out. */
static void mutate(gls_random *random, const char *run) {
    char text[1024], path[600];
    size_t which = (size_t)gls_random_below(random, 4), n = strlen(whole[which][1]);
    memcpy(text, whole[which][1], n);
    size_t at = (size_t)gls_random_below(random, (int64_t)n),
           some = (size_t)gls_random_below(random, (int64_t)(n - at)) + 1;
    switch (gls_random_below(random, 4)) {
    case 0:
        text[at] = (char)gls_random_below(random, 256);
        break;
    case 1:
        memmove(text + at, text + at + some, n - at - some);
        n -= some;
        break;
    case 2:
        memmove(text + at + some, text + at, n - at);
        n += some;
        break;
    default:
        n = at;
    }
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, whole[which][0]);
    FILE *file = fopen(path, "wb");
    fwrite(text, 1, n, file);
    fclose(file);
}

/* However a folder is mutated, the page of the others comes, and its data can be read. */
static void mutated_folders_never_end_the_report(void **state) {
    gls_context *ctx = *state;
    gls_random random = gls_random_create(1, "report", 0, 0);
    put_run("sound", config);
    for (int round = 0; round < 400; round++) {
        for (size_t f = 0; f < 4; f++) {
            char path[64];
            snprintf(path, sizeof path, "mutant/%s", whole[f][0]);
            put(path, whole[f][1]);
        }
        for (int64_t changes = gls_random_below(&random, 3); changes >= 0; changes--) mutate(&random, "mutant");
        json_t *data = data_of(ctx, (const char *const[]){"mutant", "sound"}, 2);
        json_t *groups = json_object_get(data, "groups"), *skipped = json_object_get(data, "skipped");
        assert_string_equal(text_of(data, json_array_size(groups) - 1, "name"), "sound");
        assert_int_equal(json_array_size(groups) + json_array_size(skipped), 2);
        json_decref(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_of_runs_are_walked),
        cmocka_unit_test(trials_have_the_keys_of_their_sweep),
        cmocka_unit_test(defaults_are_known),
        cmocka_unit_test(default_lists_are_known),
        cmocka_unit_test(meaningless_results_are_kept),
        cmocka_unit_test(broken_runs_leave_the_others_alone),
        cmocka_unit_test(mutated_folders_never_end_the_report),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
