/* A resumed run has the data, the schedule and the record it had: changed files are refused, a stretched schedule is
 * asked for, and a run that had ended stays as it is. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "run/loop/run.h"

static char top[64], folder[96];

static int enter(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    return 0;
}

static int leave(void **state) {
    (void)state;
    remove_tree(top);
    return 0;
}

typedef struct setting {
    gls_context *ctx;
    gls_value *config;
    gls_run *run;
} setting;

#define SETS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void make(setting *s, bool resume, bool stretch, const char *const *overrides) {
    s->ctx = make_context(1, 1);
    s->config = config_from(s->ctx, "data: {format: gaussians, train_size: 200, test_size: 40, classes: 3, features: "
                                    "8}\nmodel: softmax\nmethod: {name: msgd, lr: 0.05}\n"
                                    "train: {steps: 12, batch: 20, threads: 1}\n");
    for (; overrides && *overrides; overrides++) assert_ok(s->ctx, gls_config_set(s->ctx, s->config, *overrides));
    gls_run_options options = {
        .size = sizeof options, .config = s->config, .folder = folder, .resume = resume, .stretch = stretch};
    assert_ok(s->ctx, gls_run_create(s->ctx, &options, &s->run));
}

static void drop(setting *s) {
    gls_run_destroy(s->run);
    gls_value_destroy(s->ctx, s->config);
    gls_context_destroy(s->ctx);
}

static gls_run_result train(bool resume, bool stretch, const char *const *overrides) {
    setting s;
    gls_run_result result;
    make(&s, resume, stretch, overrides);
    assert_ok(s.ctx, gls_run_train(s.run, &result));
    drop(&s);
    return result;
}

/* Every file of the folder with its size, time and content, as text. */
static char *state_of_folder(void) {
    static char text[1 << 16];
    char line[400];
    snprintf(line, sizeof line,
             "cd %s && find . -printf '%%p %%T@ %%s\\n' | LC_ALL=C sort && find . -type f -exec cat {} + | cksum",
             folder);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    assert_int_equal(pclose(f), 0);
    return strdup(text);
}

static void refused(bool stretch, const char *const *overrides, const char *const *words) {
    setting s;
    char *before = state_of_folder();
    make(&s, true, stretch, overrides);
    assert_int_equal(gls_run_begin(s.run), GLS_ERR_ARGUMENT);
    for (; *words; words++) assert_says(s.ctx, *words);
    assert_says(s.ctx, "--from");
    drop(&s);
    char *after = state_of_folder();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static bool in_file(const char *file, const char *words) {
    gls_context *ctx = make_context(1, 1);
    char path[160], *text;
    int64_t size;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    assert_ok(ctx, gls_read_file(ctx, path, 1 << 20, &text, &size));
    bool found = strstr(text, words) != NULL;
    gls_free(ctx, text);
    gls_context_destroy(ctx);
    return found;
}

/* ---- data ---- */

static void write_rows(const char *path, int rows, int changed) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < rows; i++)
        fprintf(file, "%d 1:%d 2:%d\n", i % 2 ? 1 : -1, i + 1, 7 * i % 5 + 1 + (i == changed));
    assert_int_equal(fclose(file), 0);
}

/* A row that is another, a row more, and another test set are noticed; a file that only moved is not another. */
static void changed_files_are_refused(void **state) {
    (void)state;
    char fit[96], test[96], moved[96], data[400];
    snprintf(fit, sizeof fit, "%s/fit.svm", top);
    snprintf(test, sizeof test, "%s/test.svm", top);
    snprintf(moved, sizeof moved, "%s/moved.svm", top);
    snprintf(data, sizeof data, "data={format: libsvm, train: %s, test: %s}", fit, test);
    write_rows(fit, 30, -1);
    write_rows(test, 9, -1);
    train(false, false, SETS(data));
    char words[200];
    struct stat info;
    assert_int_equal(stat(fit, &info), 0);
    snprintf(words, sizeof words, "\"train\": {\"bytes\": %lld, \"files\": 1, \"hash\": \"", (long long)info.st_size);
    assert_true(in_file("data.json", words));

    write_rows(fit, 30, 17);
    refused(false, SETS(data, "train.steps=14"), SETS("data.train", "other content"));
    write_rows(fit, 31, -1);
    refused(false, SETS(data, "train.steps=14"), SETS("data.train"));
    write_rows(fit, 30, -1);
    write_rows(test, 9, 3);
    refused(false, SETS(data, "train.steps=14"), SETS("data.test"));
    write_rows(test, 9, -1);
    assert_int_equal(rename(fit, moved), 0);
    snprintf(data, sizeof data, "data={format: libsvm, train: %s, test: %s}", moved, test);
    assert_int_equal(train(true, false, SETS(data, "train.steps=14")).steps, 14);
    assert_true(in_file("changes.jsonl", "\"key\":\"data.train\",\"step\":12"));
}

/* A packed file is known by its bytes, whatever the order in which files are read. */
static void digests_are_sums_over_files(void **state) {
    (void)state;
    gls_file_digest forth = {0}, back = {0};
    gls_context *ctx = make_context(1, 1);
    char path[2][96], *text;
    int64_t size;
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d", top, i);
        write_rows(path[i], 20000 + i, -1);
    }
    for (int i = 0; i < 4; i++) {
        gls_reader_watch(ctx, i < 2 ? &forth : &back);
        assert_ok(ctx, gls_read_file(ctx, path[i < 2 ? i : 3 - i], 1 << 24, &text, &size));
        gls_free(ctx, text);
        gls_reader_watch(ctx, NULL);
    }
    struct stat info[2];
    assert_int_equal(stat(path[0], &info[0]) | stat(path[1], &info[1]), 0);
    assert_int_equal(forth.files, 2);
    assert_int_equal(forth.bytes, info[0].st_size + info[1].st_size);
    assert_memory_equal(&forth, &back, sizeof forth);
    /* Nobody watches any more. */
    assert_ok(ctx, gls_read_file(ctx, path[0], 1 << 24, &text, &size));
    gls_free(ctx, text);
    assert_memory_equal(&forth, &back, sizeof forth);
    gls_context_destroy(ctx);
}

/* The rows of data.validation, standardised by mean and deviation of the training file, both computed here. */
static void validation_rows_are_those_of_their_file(void **state) {
    (void)state;
    enum { FIT = 30, HELD = 7 };
    char path[2][96], data[400];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s.svm", top, i ? "held" : "fit");
        write_rows(path[i], i ? HELD : FIT, i ? 3 : -1);
    }
    snprintf(data, sizeof data, "data={format: npy}");
    double mean[2] = {0}, square[2] = {0};
    for (int i = 0; i < FIT; i++) {
        const double x[2] = {i + 1, 7 * i % 5 + 1};
        for (int j = 0; j < 2; j++) mean[j] += x[j] / FIT, square[j] += x[j] * x[j] / FIT;
    }
    setting s;
    snprintf(data, sizeof data, "data={format: libsvm, train: %s, validation: %s, standardize: true}", path[0],
             path[1]);
    make(&s, false, false, SETS(data, "train.monitor=validation"));
    const gls_source *held = s.run->training->set.validation;
    int64_t index[HELD];
    gls_rows *rows;
    gls_batch batch;
    for (int i = 0; i < HELD; i++) index[i] = i;
    assert_int_equal(held->info.examples, HELD);
    assert_ok(s.ctx, gls_rows_create(s.ctx, &held->info, HELD, &rows));
    assert_ok(s.ctx, gls_source_fetch(held, s.ctx, &(gls_fetch){.count = HELD, .index = index}, rows, &batch));
    for (int i = 0; i < HELD; i++) {
        const double x[2] = {i + 1, 7 * i % 5 + 1 + (i == 3)};
        for (int j = 0; j < 2; j++) {
            /* Sparse features are scaled only. */
            double deviation = sqrt(square[j] - mean[j] * mean[j]);
            double right = batch.x ? (x[j] - mean[j]) / deviation : x[j] / deviation;
            double found = batch.x ? (double)batch.x[2 * i + j] : (double)batch.value[batch.row[i] + j];
            assert_true(fabs(found - right) < 1e-5 * (1 + fabs(right)));
        }
        assert_int_equal(batch.label[i], i % 2);
    }
    gls_rows_destroy(rows);
    drop(&s);
}

/* ---- the schedule ---- */

static double rate_of(int step) {
    char line[300], text[64] = "";
    snprintf(line, sizeof line,
             "sed -n 's/^{\"step\":%d,.*\"name\":\"lr\",\"value\":\\(.*\\)}$/\\1/p' %s/metrics.jsonl", step, folder);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    if (!fgets(text, sizeof text, f)) fail_msg("no rate of step %d", step);
    pclose(f);
    return strtod(text, NULL);
}

/* cosine over T: lr/2 (1 + cos(pi t/T)). At step 12 it is 0 of 12 and .025 of 24. */
static void a_stretched_schedule_is_asked_for(void **state) {
    (void)state;
    train(false, false, SETS("schedule={name: cosine}"));
    refused(false, SETS("schedule={name: cosine}", "train.steps=24"),
            SETS("12 steps", "have 24", "was 0 and would be 0.025", "--stretch"));
    assert_int_equal(train(true, true, SETS("schedule={name: cosine}", "train.steps=24", "train.log_every=1s")).steps,
                     24);
    assert_true(in_file("changes.jsonl", "{\"after\":\"0.025\",\"before\":\"0\",\"key\":\"method.lr\",\"step\":12}"));
    for (int step = 13; step <= 24; step++)
        assert_true(fabs(rate_of(step) - 0.025 * (1 + cos(M_PI * (step - 1) / 24))) < 1e-8);
    /* The word was for that once. */
    refused(false, SETS("schedule={name: cosine}", "train.steps=48"), SETS("was 0 and would be 0.025"));
}

/* One that has its own length, or none, goes on as it was; so does one whose warm-up is not over. */
static void other_schedules_go_on(void **state) {
    (void)state;
    static const char *const schedules[] = {"schedule={name: cosine, length: 30s}", "schedule={name: inverse, mu: 0.1}",
                                            "schedule={name: geometric, factor: 0.5, every: 3s}",
                                            "schedule={name: cosine, warmup: 20s, length: 40s}"};
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        setting s;
        train(false, false, SETS(schedules[i]));
        make(&s, true, false, SETS(schedules[i], "train.steps=24"));
        gls_status status = gls_run_begin(s.run);
        if (status != GLS_OK) fail_msg("%s: %s", schedules[i], gls_context_message(s.ctx));
        drop(&s);
        remove_tree(folder);
    }
}

/* ---- a run that had ended ---- */

static bool same_number(double a, double b) {
    return (isnan(a) && isnan(b)) || a == b;
}

/* To the byte and to the time of each file; its result is that of the record. */
static void a_finished_run_stays(void **state) {
    (void)state;
    static const char *const settings[] = {"train.validation=0.2", "train.average=uniform", "train.tensorboard=true",
                                           "measure={loss: {every: 1s}}"};
    const char *const again[][3] = {{NULL}, {"train.steps=5"}, {"train.workers=0"}, {"train.keep=1"}};
    gls_run_result first = train(false, false, SETS(settings[0], settings[1], settings[2], settings[3]));
    char *before = state_of_folder();
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        gls_run_result r = train(true, false, SETS(settings[0], settings[1], settings[2], settings[3], again[i][0]));
        char *after = state_of_folder();
        assert_string_equal(before, after);
        free(after);
        assert_int_equal(r.steps, first.steps);
        assert_int_equal(r.stopped, first.stopped);
        assert_string_equal(r.score, first.score);
        assert_true(same_number(r.train_loss, first.train_loss) && same_number(r.test_score, first.test_score));
        assert_true(same_number(r.validation_loss, first.validation_loss) && same_number(r.seconds, first.seconds));
    }
    free(before);
    /* With a step it changes, and ends as a run of that length does. */
    train(true, false, SETS(settings[0], settings[1], settings[2], settings[3], "train.steps=13"));
    assert_true(in_file("result.json", "\"steps\": 13"));
    assert_true(in_file("changes.jsonl", "\"after\":\"13\""));
}

/* One that ended by time has no more of it, until it gets more. */
static void a_run_out_of_time_stays(void **state) {
    (void)state;
    static const char *const settings[] = {"train.steps=0", "train.epochs=1e9", "train.time=0.3s"};
    gls_run_result first = train(false, false, SETS(settings[0], settings[1], settings[2]));
    assert_int_equal(first.stopped, GLS_STOP_TIME);
    char *before = state_of_folder();
    gls_run_result r = train(true, false, SETS(settings[0], settings[1], settings[2]));
    char *after = state_of_folder();
    assert_string_equal(before, after);
    assert_int_equal(r.steps, first.steps);
    free(before);
    free(after);
    r = train(true, false, SETS(settings[0], settings[1], "train.time=0.7s"));
    assert_true(r.steps > first.steps && r.stopped == GLS_STOP_TIME);
}

/* A record that was damaged, or is of an earlier end, is none: the run ends once more. */
static void a_damaged_record_is_made_again(void **state) {
    (void)state;
    char path[160];
    train(false, false, NULL);
    snprintf(path, sizeof path, "%s/result.json", folder);
    static const char *const texts[] = {"", "{", "[]", "{\"stopped\": \"steps\", \"steps\": 4}", "{\"stopped\": 3}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *f = fopen(path, "w");
        fputs(texts[i], f);
        fclose(f);
        train(true, false, NULL);
        assert_true(in_file("result.json", "\"steps\": 12"));
    }
}

static void kinds_of_average_stay(void **state) {
    (void)state;
    train(false, false, SETS("train.average=uniform"));
    refused(false, SETS("train.average=exponential", "train.steps=14"), SETS("train.average"));
    refused(false, SETS("train.average=none", "train.steps=14"), SETS("train.average"));
    remove_tree(folder);
    train(false, false, SETS("train.average={name: exponential, decay: 0.9}"));
    refused(false, SETS("train.average={name: exponential, decay: 0.99}", "train.steps=14"), SETS("train.average"));
    assert_int_equal(train(true, false, SETS("train.average={name: exponential, decay: 0.9}", "train.steps=14")).steps,
                     14);
}

/* ---- crafted checkpoints ---- */

/* Where a counter near 2^63 would run over, it is refused by name. */
static void counters_beyond_reach_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"trainer/steps", "trainer/examples", "method/steps", "estimator/step",
                                        "sampler/number"};
    char command[700];
    train(false, false, NULL);
    snprintf(command, sizeof command, "cp -r %s %s/kept", folder, top);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        /* The header's length, the header, the data: the counter's eight bytes become 2^63 - 1. */
        char path[200];
        snprintf(path, sizeof path, "%s/checkpoints/step-000000000012.safetensors", folder);
        gls_context *ctx = make_context(1, 1);
        char *file, word[80];
        int64_t size;
        assert_ok(ctx, gls_read_file(ctx, path, 1 << 24, &file, &size));
        uint64_t header;
        memcpy(&header, file, 8);
        snprintf(word, sizeof word, "\"%s\":{", names[i]);
        char *entry = memmem(file, (size_t)size, word, strlen(word));
        if (!entry) fail_msg("no %s", names[i]);
        char *offsets = strstr(entry, "\"data_offsets\":[");
        assert_non_null(offsets);
        int64_t begin = strtoll(offsets + 16, NULL, 10), most = INT64_MAX;
        memcpy(file + 8 + header + begin, &most, 8);
        memcpy(memmem(file, (size_t)size, "\"xxh3\"", 6), "\"none\"", 6); /* files of others have no checksum */
        FILE *f = fopen(path, "wb");
        assert_int_equal(fwrite(file, 1, (size_t)size, f), size);
        fclose(f);
        gls_free(ctx, file);
        gls_context_destroy(ctx);
        setting s;
        make(&s, true, false, SETS("train.steps=14"));
        gls_status status = gls_run_begin(s.run);
        if (status != GLS_ERR_INPUT) fail_msg("%s: status %d", names[i], status);
        assert_says(s.ctx, names[i]);
        drop(&s);
        snprintf(command, sizeof command, "rm -r %s && cp -r %s/kept %s", folder, top, folder);
        assert_int_equal(system(command), 0);
    }
}

/* More mini-batches than can be counted are refused, unless train.steps ends the run before. */
static void plans_without_end_are_refused(void **state) {
    (void)state;
    static const char schedule[] = "train.batch_schedule={name: geometric, factor: 2, every: 3s}";
    gls_context *ctx = make_context(1, 1);
    for (int i = 0; i < 3; i++) {
        gls_value *config = config_from(ctx, "data: {format: gaussians, train_size: 200, test_size: 40}\nmodel: "
                                             "softmax\nmethod: {name: msgd, lr: 0.05}\n"
                                             "train: {epochs: 1e18, batch: 20, threads: 1}\n");
        gls_run_options options = {.size = sizeof options, .config = config};
        gls_run *run = NULL;
        assert_ok(ctx, gls_config_set(ctx, config, schedule));
        assert_ok(ctx, gls_config_set(ctx, config,
                                      i == 0   ? "train.steps=0"
                                      : i == 1 ? "train.steps=9"
                                               : "train.epochs=4"));
        gls_status status = gls_run_create(ctx, &options, &run);
        assert_int_equal(status, i ? GLS_OK : GLS_ERR_ARGUMENT);
        if (!i) assert_says(ctx, "train.epochs: 1e+18 epochs");
        /* Epoch 1: 3 of 20, 3 of 40, then 20 that are left; from step 6 on 80, from 9 on 160, from 12 on all 200. */
        if (i) assert_int_equal((int)run->training->total_steps, i == 1 ? 9 : 7 + 3 + 2 + 1);
        gls_run_destroy(run);
        gls_value_destroy(ctx, config);
    }
    gls_context_destroy(ctx);
}

/* ---- files ---- */

static bool links = true;

/* Stands before the C library's: a file system without hard links. */
int link(const char *from, const char *to) {
    if (!links) {
        errno = EPERM;
        return -1;
    }
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void without_links_there_are_two_files(void **state) {
    (void)state;
    char command[500];
    links = false;
    train(false, false, SETS("train.validation=0.2", "train.keep=100"));
    links = true;
    snprintf(command, sizeof command,
             "cd %s/checkpoints && ls .best 2>/dev/null; for f in step-*; do cmp -s $f best.safetensors && exit 0; "
             "done; exit 1",
             folder);
    assert_int_equal(system(command), 0);
    struct stat info;
    snprintf(command, sizeof command, "%s/checkpoints/best.safetensors", folder);
    assert_int_equal(stat(command, &info), 0);
    assert_int_equal(info.st_nlink, 1);
}

/* What killed processes left goes when the run goes on; files of other names stay. */
static void leftovers_are_cleared(void **state) {
    (void)state;
    char command[900];
    train(false, false, NULL);
    snprintf(command, sizeof command,
             "cd %s && touch .result.json.tmp123.0 .a.tmp.tmp9.12 checkpoints/.step-1.safetensors.tmp77.3 .tmpkeep "
             ".x.tmp5 x.tmp1.1",
             folder);
    assert_int_equal(system(command), 0);
    train(true, false, SETS("train.steps=13"));
    snprintf(command, sizeof command,
             "cd %s && [ \"$(find . -name '*tmp*' | sort | tr '\\n' ' ')\" = './.tmpkeep ./.x.tmp5 ./x.tmp1.1 ' ]",
             folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changed_files_are_refused, enter, leave),
        cmocka_unit_test_setup_teardown(digests_are_sums_over_files, enter, leave),
        cmocka_unit_test_setup_teardown(validation_rows_are_those_of_their_file, enter, leave),
        cmocka_unit_test_setup_teardown(a_stretched_schedule_is_asked_for, enter, leave),
        cmocka_unit_test_setup_teardown(other_schedules_go_on, enter, leave),
        cmocka_unit_test_setup_teardown(a_finished_run_stays, enter, leave),
        cmocka_unit_test_setup_teardown(a_run_out_of_time_stays, enter, leave),
        cmocka_unit_test_setup_teardown(a_damaged_record_is_made_again, enter, leave),
        cmocka_unit_test_setup_teardown(kinds_of_average_stay, enter, leave),
        cmocka_unit_test_setup_teardown(counters_beyond_reach_are_refused, enter, leave),
        cmocka_unit_test_setup_teardown(plans_without_end_are_refused, enter, leave),
        cmocka_unit_test_setup_teardown(without_links_there_are_two_files, enter, leave),
        cmocka_unit_test_setup_teardown(leftovers_are_cleared, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
