/* TensorBoard event files, read back by a reader written from the format's description: length, masked CRC-32C of the
 * length, data, masked CRC-32C of the data. */
#include "support.h"

#include <dirent.h>

#include "run/observer/events.h"

/* CRC-32C bit by bit, and the mask. */
static uint32_t masked(const unsigned char *data, size_t n) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            uint32_t differ = (crc ^ (data[i] >> bit)) & 1;
            crc = (crc >> 1) ^ (differ ? 0x82f63b78u : 0);
        }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static uint64_t little(const unsigned char *at, int bytes) {
    uint64_t x = 0;
    for (int i = bytes; i-- > 0;) x = x << 8 | at[i];
    return x;
}

static unsigned char *slurp(const char *folder, size_t *size) {
    DIR *dir = opendir(folder);
    char path[512] = "";
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, "events.out.tfevents.", 20) == 0)
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    closedir(dir);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    unsigned char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* Walks the records, checks both sums of each and returns how many there are; hold: those that contain the text. */
static int walk(const unsigned char *bytes, size_t size, const char *text, int *hold) {
    int records = 0;
    *hold = 0;
    for (size_t at = 0; at < size; records++) {
        assert_true(at + 12 <= size);
        uint64_t length = little(bytes + at, 8);
        assert_int_equal(little(bytes + at + 8, 4), masked(bytes + at, 8));
        assert_true(at + 16 + length <= size);
        assert_int_equal(little(bytes + at + 12 + length, 4), masked(bytes + at + 12, length));
        *hold += memmem(bytes + at + 12, length, text, strlen(text)) != NULL;
        at += 16 + length;
    }
    return records;
}

static void records_are_framed(void **state) {
    /* The check value of CRC-32C. */
    uint32_t crc = masked((const unsigned char *)"123456789", 9) - 0xa282ead8u;
    assert_int_equal(crc >> 17 | crc << 15, 0xe3069283u);
    char top[64];
    gls_context *ctx = make_context(1, 1);
    gls_events *events = NULL;
    assert_ok(ctx, gls_events_create(ctx, fresh_folder(top), 1, &events));
    const double limit[] = {1, 2, 4}, count[] = {5, 0, 7};
    gls_events_scalar(events, 3, "loss", 0.5);
    gls_events_scalar(events, 300, "loss", 0.25);
    gls_events_histogram(events, 300, "noise_norm/batch", 3, limit, count);
    assert_ok(ctx, gls_events_flush(events));
    gls_events_destroy(events);
    size_t size;
    int hold;
    unsigned char *bytes = slurp(top, &size);
    assert_int_equal(walk(bytes, size, "brain.Event:2", &hold), 5);
    assert_int_equal(hold, 1);
    walk(bytes, size, "loss\x15", &hold); /* the tag, then field 2 as a float */
    assert_int_equal(hold, 2);
    const float half = 0.5f;
    char value[6] = {0x15};
    memcpy(value + 1, &half, 4);
    assert_non_null(memmem(bytes, size, value, 5));
    assert_non_null(memmem(bytes, size, limit, sizeof limit)); /* packed doubles */
    assert_non_null(memmem(bytes, size, count, sizeof count));
    free(bytes);
    gls_context_destroy(ctx);
    remove_tree(top);
}

/* A run with `tensorboard: true` mirrors its trace, and the histograms of its noise. */
static void a_run_mirrors_its_trace(void **state) {
    char top[64], folder[96];
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, "data: {format: gaussians, train_size: 200, test_size: 50}\n"
                                         "model: {name: logistic}\nmethod: {name: sgd, lr: 0.1}\n"
                                         "train: {steps: 20, batch: 20, threads: 1, tensorboard: true}\n"
                                         "measure: {noise_norm: {every: 10s, sample: 50}}\n");
    gls_run_options options = {.size = sizeof options, .config = config, .folder = folder};
    gls_run *run = NULL;
    gls_run_result result;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    assert_ok(ctx, gls_run_train(run, &result));
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    size_t size;
    int hold;
    unsigned char *bytes = slurp(folder, &size);
    assert_true(walk(bytes, size, "gradient_norm", &hold) > 20);
    assert_int_equal(hold, 2); /* steps 10 and 20 */
    walk(bytes, size, "noise_norm/batch", &hold);
    assert_int_equal(hold, 2);
    walk(bytes, size, "noise_rms", &hold);
    assert_int_equal(hold, 2);
    free(bytes);
    gls_context_destroy(ctx);
    remove_tree(top);
}

/* ---- what TensorBoard shows of a folder ---- */

enum { MOST = 4096 };

typedef struct point {
    int64_t step;
    char tag[64];
} point;

typedef struct shown {
    point at[MOST];
    int count;
} shown;

static uint64_t varint(const unsigned char **at) {
    uint64_t x = 0;
    for (int shift = 0;; shift += 7) {
        unsigned char byte = *(*at)++;
        x |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return x;
    }
}

/* One event, by the protocol's description: fields 2 step, 5 summary (its field 1 a value, whose field 1 is the tag), 7
 * session log (its field 1 the status; 1 is START). A start purges what is at its step or later. */
static void show_event(const unsigned char *at, size_t length, shown *s) {
    const unsigned char *end = at + length, *summary = NULL;
    int64_t step = 0;
    bool start = false;
    while (at < end) {
        uint64_t tag = varint(&at);
        if (tag == 2 << 3) step = (int64_t)varint(&at);
        if (tag == 2 << 3) continue;
        uint64_t bytes = (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : varint(&at);
        if (tag == (5 << 3 | 2)) summary = at;
        if (tag == (7 << 3 | 2)) start = bytes == 2 && at[0] == 1 << 3 && at[1] == 1;
        at += bytes;
    }
    if (start) {
        int kept = 0;
        for (int i = 0; i < s->count; i++)
            if (s->at[i].step < step) s->at[kept++] = s->at[i];
        s->count = kept;
    }
    if (!summary) return;
    assert_true(s->count < MOST && summary[0] == (1 << 3 | 2));
    summary++;
    varint(&summary);
    assert_int_equal(*summary++, 1 << 3 | 2);
    uint64_t tag = varint(&summary);
    assert_true(tag < 64);
    s->at[s->count].step = step;
    memcpy(s->at[s->count].tag, summary, tag);
    s->at[s->count++].tag[tag] = 0;
}

static int names_in_order(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_events(const struct dirent *e) {
    return strncmp(e->d_name, "events.out.tfevents.", 20) == 0;
}

static void show(const char *folder, shown *s) {
    struct dirent **file;
    int files = scandir(folder, &file, is_events, names_in_order);
    static unsigned char bytes[1 << 20];
    s->count = 0;
    for (int i = 0; i < files; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, file[i]->d_name);
        FILE *f = fopen(path, "rb");
        size_t size = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        for (size_t at = 0; at < size;) {
            uint64_t length = little(bytes + at, 8);
            show_event(bytes + at + 12, length, s);
            at += 16 + length;
        }
        free(file[i]);
    }
    free(file);
}

static void train_to(const char *folder, const char *steps, bool resume, bool leave) {
    gls_context *ctx = make_context(1, 1);
    char text[512];
    snprintf(text, sizeof text,
             "data: {format: gaussians, train_size: 200, test_size: 50}\nmodel: {name: logistic}\n"
             "method: {name: sgd, lr: 0.1}\ntrain: {steps: %s, batch: 20, threads: 1, tensorboard: true, log_every: "
             "1s, checkpoint_every: 10s, validate_every: 0}\n",
             steps);
    gls_value *config = config_from(ctx, text);
    gls_run_options options = {.size = sizeof options, .config = config, .folder = folder, .resume = resume};
    gls_run *run = NULL;
    gls_run_result result;
    assert_ok(ctx, gls_run_create(ctx, &options, &run));
    if (leave) { /* as if killed: nothing of an end */
        for (bool done = false; gls_run_steps(run) < 17;) assert_ok(ctx, gls_run_step(run, &done));
    } else {
        assert_ok(ctx, gls_run_train(run, &result));
    }
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

/* Left at step 17 after a checkpoint at 10, then resumed to 25: every figure is there once at each of the steps 1 to
 * 25, in order. */
static void lost_steps_are_forgotten(void **state) {
    static shown s;
    char top[64], folder[96];
    snprintf(folder, sizeof folder, "%s/run", fresh_folder(top));
    train_to(folder, "25", false, true);
    show(folder, &s);
    assert_int_equal(s.at[s.count - 1].step, 17);
    train_to(folder, "25", true, false);
    show(folder, &s);
    int64_t expected = 1;
    for (int i = 0; i < s.count; i++) {
        if (strcmp(s.at[i].tag, "gradient_norm") != 0) continue;
        assert_int_equal(s.at[i].step, expected);
        expected++;
    }
    assert_int_equal(expected, 26);
    remove_tree(top);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(records_are_framed), cmocka_unit_test(a_run_mirrors_its_trace),
                                       cmocka_unit_test(lost_steps_are_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
