/* Observers: when they are called and told why, what of them survives a resume, and what a refused resume leaves. */
#include "support.h"

#include <dirent.h>
#include <sys/stat.h>

#define SETTING                                                                            \
    "data: {format: gaussians, train_size: 300, test_size: 60, classes: 3, features: 8}\n" \
    "model: {name: softmax, l2: 1e-3}\n"                                                   \
    "method: {name: msgd, lr: 0.05}\n"                                                     \
    "train: {steps: 40, batch: 20, threads: 1, checkpoint_every: 10s, validate_every: 0}\n"

typedef struct setting {
    gls_context *ctx;
    gls_value *config;
    gls_run *run;
} setting;

static setting make(const char *text, const char *folder, bool resume) {
    setting s = {.ctx = make_context(1, 1)};
    s.config = config_from(s.ctx, text);
    gls_run_options options = {.size = sizeof options, .config = s.config, .folder = folder, .resume = resume};
    assert_ok(s.ctx, gls_run_create(s.ctx, &options, &s.run));
    return s;
}

static void drop(setting *s) {
    gls_run_destroy(s->run);
    gls_value_destroy(s->ctx, s->config);
    gls_context_destroy(s->ctx);
}

/* Counts its calls; with a state, the sum of the steps at which it was called. */
typedef struct counter {
    gls_context *ctx;
    int64_t begins, befores, steps, epochs, ends, refused, validated, best, figures, interrupted;
    int64_t sum;
    int64_t stop_at;  /* 0: never */
    bool interrupt;   /* stops by interruption, else by gls_run_stop */
    int64_t *history; /* [size] every step, of a size that only a checkpoint knows */
    int64_t size;
} counter;

static gls_status count_begin(void *user, gls_run *run) {
    counter *c = user;
    c->begins++;
    return GLS_OK;
}

static gls_status count_before(void *user, gls_run *run) {
    counter *c = user;
    c->befores++;
    if (c->stop_at && !c->interrupt && gls_run_steps(run) >= c->stop_at) gls_run_stop(run, GLS_STOP_OBSERVER);
    return GLS_OK;
}

static gls_status count_call(void *user, gls_run *run, unsigned why) {
    counter *c = user;
    c->steps += why & GLS_WHY_STEP ? 1 : 0;
    c->refused += why & GLS_WHY_REFUSED ? 1 : 0;
    c->validated += why & GLS_WHY_VALIDATED ? 1 : 0;
    c->ends += why & GLS_WHY_END ? 1 : 0;
    c->interrupted += why & GLS_WHY_INTERRUPTED ? 1 : 0;
    if (why & GLS_WHY_INTERRUPTED) return GLS_OK;
    c->sum += gls_run_steps(run);
    int64_t *longer = realloc(c->history, sizeof *longer * (size_t)(c->size + 1));
    assert_non_null(longer);
    c->history = longer;
    c->history[c->size++] = gls_run_steps(run);
    if (c->interrupt && gls_run_steps(run) == c->stop_at) gls_interrupt(gls_run_context(run));
    return GLS_OK;
}

static gls_status count_epoch(void *user, gls_run *run, unsigned why) {
    counter *c = user;
    assert_true(why & GLS_WHY_EPOCH);
    c->epochs++;
    return GLS_OK;
}

static void count_figure(void *user, gls_run *run, const char *name, double value) {
    counter *c = user;
    c->figures += strcmp(name, "loss") == 0;
}

static gls_status fit(void *user, gls_array *array, const int64_t *shape) {
    counter *c = user;
    if (shape[0] > 1000) return gls_fail(c->ctx, GLS_ERR_INPUT, "a history of %lld steps", (long long)shape[0]);
    c->size = shape[0];
    c->history = realloc(c->history, sizeof *c->history * (size_t)(c->size + 1));
    assert_non_null(c->history);
    array->data = c->history;
    return GLS_OK;
}

static gls_status count_arrays(void *user, const char *prefix, gls_arrays *arrays) {
    counter *c = user;
    char name[128];
    snprintf(name, sizeof name, "%ssum", prefix);
    GLS_TRY(gls_arrays_add_vector(c->ctx, arrays, name, GLS_I64, 1, &c->sum));
    snprintf(name, sizeof name, "%shistory", prefix);
    GLS_TRY(gls_arrays_add_vector(c->ctx, arrays, name, GLS_I64, c->size, c->history));
    gls_arrays_resizable(arrays, fit, c);
    return GLS_OK;
}

/* Observes at every step, or at `every`; with a state if asked for. */
static void observe(setting *s, counter *c, double every, bool state) {
    c->ctx = s->ctx;
    gls_observer observer = {.name = "counter",
                             .every = {every, true},
                             .user = c,
                             .begin = count_begin,
                             .before = count_before,
                             .step = count_call,
                             .epoch = count_epoch,
                             .end = count_call,
                             .figure = count_figure,
                             .arrays = state ? count_arrays : NULL};
    assert_ok(s->ctx, gls_run_observe(s->run, &observer));
}

static gls_run_result finish(setting *s) {
    gls_run_result result;
    assert_ok(s->ctx, gls_run_train(s->run, &result));
    return result;
}

/* 40 steps of an epoch of 15: two whole epochs; figures every 10 steps. */
static void is_told_why(void **state) {
    setting s = make(SETTING, NULL, false);
    counter c = {0};
    observe(&s, &c, 8, false);
    finish(&s);
    assert_int_equal(c.begins, 1);
    assert_int_equal(c.befores, 40); /* the 41st is not asked: the steps are done */
    assert_int_equal(c.steps, 5);
    assert_int_equal(c.ends, 1);
    assert_int_equal(c.epochs, 2);
    assert_int_equal(c.figures, 4);
    free(c.history);
    drop(&s);
}

static void may_end_the_run(void **state) {
    setting s = make(SETTING, NULL, false);
    counter c = {.stop_at = 7};
    observe(&s, &c, 1, false);
    gls_run_result result = finish(&s);
    assert_int_equal(result.stopped, GLS_STOP_OBSERVER);
    assert_int_equal(result.steps, 7);
    assert_int_equal(c.ends, 1);
    free(c.history);
    drop(&s);
}

static void names_are_taken_once(void **state) {
    setting s = make(SETTING, NULL, false);
    gls_observer other = {.name = "validation"};
    assert_int_equal(gls_run_observe(s.run, &other), GLS_ERR_ARGUMENT);
    assert_says(s.ctx, "'validation' exists already");
    bool done;
    assert_ok(s.ctx, gls_run_step(s.run, &done));
    other.name = "late";
    assert_int_equal(gls_run_observe(s.run, &other), GLS_ERR_ARGUMENT);
    assert_says(s.ctx, "before the first step");
    drop(&s);
}

static int64_t sum_to(int64_t n) {
    return n * (n + 1) / 2;
}

/* A run interrupted and resumed: state of fixed size, and of a size that is found in the file. */
static void state_goes_on(void **state) {
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/run", fresh_folder(folder));
    counter first = {.stop_at = 13, .interrupt = true}, second = {0};
    setting s = make(SETTING, path, false);
    observe(&s, &first, 1, true);
    assert_int_equal(finish(&s).stopped, GLS_STOP_INTERRUPTED);
    assert_int_equal(first.interrupted, 1);
    assert_int_equal(first.ends, 0);
    drop(&s);
    s = make(SETTING, path, true);
    observe(&s, &second, 1, true);
    assert_ok(s.ctx, gls_run_begin(s.run));
    assert_int_equal(second.sum, sum_to(13));
    assert_int_equal(second.size, 13);
    for (int64_t i = 0; i < 13; i++) assert_int_equal(second.history[i], i + 1);
    finish(&s);
    assert_int_equal(second.sum, sum_to(40) + 40); /* and once at the end */
    drop(&s);
    free(first.history);
    free(second.history);
    remove_tree(folder);
}

/* One that an older checkpoint does not know begins where the run goes on; so does a measure. */
static void is_added_on_resume(void **state) {
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/run", fresh_folder(folder));
    setting s = make(SETTING, path, false);
    counter stopper = {.stop_at = 20, .interrupt = true}, added = {0};
    observe(&s, &stopper, 1, false);
    finish(&s);
    drop(&s);
    s = make(SETTING "measure: {time_averages: {every: 1s, window: 10}}\n", path, true);
    observe(&s, &added, 1, true);
    assert_int_equal(finish(&s).steps, 40);
    assert_int_equal(added.sum, sum_to(40) - sum_to(20) + 40);
    assert_int_equal(added.size, 21);
    drop(&s);
    free(stopper.history);
    free(added.history);
    remove_tree(folder);
}

/* What is observed at the end lies in the last checkpoint: a longer run goes on from it. */
static void the_last_observation_is_saved(void **state) {
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/run", fresh_folder(folder));
    setting s = make(SETTING, path, false);
    counter first = {0}, second = {0};
    observe(&s, &first, 50, true); /* never at a step of this run */
    finish(&s);
    assert_int_equal(first.sum, 40);
    drop(&s);
    s = make(SETTING, path, true);
    observe(&s, &second, 50, true);
    assert_ok(s.ctx, gls_run_begin(s.run));
    assert_int_equal(second.sum, 40);
    assert_int_equal(second.size, 1);
    drop(&s);
    free(first.history);
    free(second.history);
    remove_tree(folder);
}

/* ---- a refused resume ---- */

/* Names, times and bytes of every file below a folder, as one number. */
static uint64_t print_of(const char *folder) {
    uint64_t print = 1469598103934665603u;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    uint64_t files = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        struct stat info;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        assert_int_equal(lstat(path, &info), 0);
        uint64_t own = (uint64_t)info.st_mtim.tv_nsec * 31 + (uint64_t)info.st_mtim.tv_sec + info.st_ino;
        for (const char *c = e->d_name; *c; c++) own = (own ^ (unsigned char)*c) * 1099511628211u;
        if (S_ISDIR(info.st_mode)) {
            own ^= print_of(path);
        } else {
            FILE *file = fopen(path, "r");
            assert_non_null(file);
            for (int c; (c = fgetc(file)) != EOF;) own = (own ^ (unsigned char)c) * 1099511628211u;
            fclose(file);
        }
        files += own; /* in any order */
    }
    closedir(dir);
    return (print ^ files) * 1099511628211u;
}

static void refuse(const char *text, const char *folder, counter *c, const char *words) {
    uint64_t before = print_of(folder);
    setting s = make(text, folder, true);
    if (c) observe(&s, c, 1, true);
    assert_int_equal(gls_run_begin(s.run), GLS_ERR_ARGUMENT);
    assert_says(s.ctx, words);
    assert_says(s.ctx, "--from");
    drop(&s);
    assert_true(print_of(folder) == before);
}

/* Other shapes, other state, other methods are refused, and the folder stays as it is; then the run goes on. */
static void a_refused_resume_leaves_the_folder(void **state) {
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/run", fresh_folder(folder));
    setting s = make(SETTING, path, false);
    counter first = {.stop_at = 13, .interrupt = true}, second = {0};
    observe(&s, &first, 1, true);
    finish(&s);
    drop(&s);
    refuse("data: {format: gaussians, train_size: 300, test_size: 60, classes: 3, features: 9}\n"
           "model: softmax\nmethod: {name: msgd, lr: 0.05}\ntrain: {steps: 40, batch: 20, threads: 1}\n",
           path, NULL, "data.features was '8' and would be '9'");
    refuse(
        "data: {format: gaussians, train_size: 300, test_size: 60, classes: 3, features: 8}\n"
        "model: {name: softmax, l2: 1e-3}\nmethod: {name: adam, lr: 0.05}\ntrain: {steps: 40, batch: 20, threads: 1}\n",
        path, NULL, "method.name was 'msgd' and would be 'adam'");
    s = make(SETTING, path, true);
    observe(&s, &second, 1, true);
    assert_int_equal(finish(&s).steps, 40);
    drop(&s);
    free(first.history);
    free(second.history);
    remove_tree(folder);
}

static gls_status two_arrays(void *user, const char *prefix, gls_arrays *arrays) {
    static int64_t extra = 7;
    counter *c = user;
    char name[128];
    GLS_TRY(count_arrays(user, prefix, arrays));
    snprintf(name, sizeof name, "%sextra", prefix);
    return gls_arrays_add_vector(c->ctx, arrays, name, GLS_I64, 1, &extra);
}

/* Where a checkpoint holds a part of an observer's arrays, the rest must be there or be optional. */
static void half_a_state_is_refused(void **state) {
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/run", fresh_folder(folder));
    setting s = make(SETTING, path, false);
    counter first = {.stop_at = 13, .interrupt = true}, second = {0};
    observe(&s, &first, 1, true);
    finish(&s);
    drop(&s);
    uint64_t before = print_of(path);
    s = make(SETTING, path, true);
    second.ctx = s.ctx;
    gls_observer observer = {.name = "counter", .user = &second, .arrays = two_arrays};
    assert_ok(s.ctx, gls_run_observe(s.run, &observer));
    assert_int_equal(gls_run_begin(s.run), GLS_ERR_INPUT);
    assert_says(s.ctx, "tap/counter/extra");
    assert_null(second.history); /* nothing was filled */
    drop(&s);
    assert_true(print_of(path) == before);
    free(first.history);
    remove_tree(folder);
}

/* ---- refused steps, reasons to stop ---- */

/* A thousand refused steps in a row end a run under `skip`, wherever it was interrupted between them. */
static void refused_steps_are_counted_over_a_resume(void **state) {
    static const char text[] = "data: {format: gaussians, train_size: 40, test_size: 10}\n"
                               "model: least_squares\nmethod: {name: sgd, lr: 0.5}\n"
                               "train: {steps: 5000, batch: all, threads: 1, nonfinite: skip, validate_every: 0}\n";
    char folder[64], path[96];
    snprintf(path, sizeof path, "%s/run", fresh_folder(folder));
    setting s = make(text, path, false);
    counter c = {0};
    observe(&s, &c, 1, false);
    bool done;
    while (c.refused < 600) assert_ok(s.ctx, gls_run_step(s.run, &done));
    int64_t accepted = gls_run_steps(s.run) - c.refused;
    gls_interrupt(s.ctx);
    assert_int_equal(finish(&s).stopped, GLS_STOP_INTERRUPTED);
    drop(&s);
    s = make(text, path, true);
    gls_run_result result;
    assert_int_equal(gls_run_train(s.run, &result), GLS_ERR_NONFINITE);
    assert_says(s.ctx, "many steps in a row");
    assert_int_equal(gls_run_steps(s.run), accepted + 999); /* the thousandth is not taken */
    drop(&s);
    free(c.history);
    remove_tree(folder);
}

static void reasons_have_names(void **state) {
    gls_stop_reason back;
    int64_t reasons = 0;
    for (int i = 0; gls_stop_reason_name((gls_stop_reason)i); i++, reasons++) {
        back = (gls_stop_reason)-1;
        assert_true(gls_stop_reason_named(gls_stop_reason_name((gls_stop_reason)i), &back));
        assert_int_equal(back, i);
    }
    assert_int_equal(reasons, GLS_STOP_INTERRUPTED + 1);
    assert_string_equal(gls_stop_reason_name(GLS_STOP_NONE), "unfinished");
    assert_string_equal(gls_stop_reason_name(GLS_STOP_TARGET_SCORE), "target_score");
    assert_false(gls_stop_reason_named("tired", &back));
    assert_false(gls_stop_reason_named(NULL, &back));
    assert_null(gls_stop_reason_name((gls_stop_reason)-1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_told_why),
        cmocka_unit_test(may_end_the_run),
        cmocka_unit_test(names_are_taken_once),
        cmocka_unit_test(state_goes_on),
        cmocka_unit_test(is_added_on_resume),
        cmocka_unit_test(the_last_observation_is_saved),
        cmocka_unit_test(a_refused_resume_leaves_the_folder),
        cmocka_unit_test(half_a_state_is_refused),
        cmocka_unit_test(refused_steps_are_counted_over_a_resume),
        cmocka_unit_test(reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
