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
    assert_ok(ctx, gls_events_create(ctx, fresh_folder(top), &events));
    const double limit[] = {1, 2, 4}, count[] = {5, 0, 7};
    gls_events_scalar(events, 3, "loss", 0.5);
    gls_events_scalar(events, 300, "loss", 0.25);
    gls_events_histogram(events, 300, "noise_norm/batch", 3, limit, count);
    assert_ok(ctx, gls_events_flush(events));
    gls_events_destroy(events);
    size_t size;
    int hold;
    unsigned char *bytes = slurp(top, &size);
    assert_int_equal(walk(bytes, size, "brain.Event:2", &hold), 4);
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(records_are_framed), cmocka_unit_test(a_run_mirrors_its_trace)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
