/* Rows of lines in mini-batches of like length: resumed and on other threads the same run, to the bit; and what is
 * refused. */
#include "support.h"

static said s;

#define TRAIN                                                                                                  \
    "$G train --set data.format=text --set data.train=t.txt --set data.test=v.txt --set data.length=48 --set " \
    "data.rows=lines --set \"method={name: adam, lr: 0.01}\" --set train.batch=8 --quiet "
#define MODEL "--set \"model={name: transformer, dim: 16, heads: 2, depth: 1, dropout: 0.1}\" "
#define LSTM "--set \"model={name: lstm, embedding: 12, hidden: 12, dropout: 0.1}\" "

/* Lines of 1 to 40 words, most of them short. */
static void write_lines(const char *path, unsigned x, int lines) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < lines; i++) {
        x = x * 1103515245u + 12345u;
        unsigned r = (x >> 16) % 64, words = 1 + r * r * r / 6721;
        for (unsigned w = 0; w < words; w++) {
            x = x * 1103515245u + 12345u;
            fprintf(f, "%sw%u", w ? " " : "", (x >> 16) % 30 * ((x >> 20) % 3) % 30);
        }
        fprintf(f, "\n");
    }
    assert_int_equal(fclose(f), 0);
}

static int prepare(void **state) {
    if (enter_folder(state)) return 1;
    write_lines("t.txt", 1, 203);
    write_lines("v.txt", 7, 50);
    return 0;
}

static void run(const char *model, const char *options) {
    sh(&s, TRAIN "%s %s", model, options);
    if (s.code) fail_msg("%s: %s", options, s.err);
}

static void resumed_bit_for_bit(void **state) {
    static const char *const model[] = {MODEL, LSTM};
    for (int i = 0; i < 2; i++) {
        sh(&s, "rm -rf whole parts plain");
        run(model[i], "--set train.steps=60 --set train.bucket=5 --set train.threads=1 --out whole");
        run(model[i], "--set train.steps=21 --set train.bucket=5 --set train.checkpoint_every=4s --out parts");
        sh(&s, "$G train --resume parts --set train.steps=60 --set train.threads=3 --set train.workers=0 --quiet");
        assert_int_equal(s.code, 0);
        assert_true(same_files("whole/final.safetensors", "parts/final.safetensors"));
        run(model[i], "--set train.steps=60 --out plain");
        assert_false(same_files("whole/final.safetensors", "plain/final.safetensors"));
    }
}

static void refuses(void **state) {
    static const struct {
        const char *options, *says;
    } bad[] = {
        {MODEL "--set train.shuffle=false", "expected neither train.replacement nor train.shuffle: false"},
        {MODEL "--set train.replacement=true", "expected neither train.replacement nor train.shuffle: false"},
        {MODEL "--set data.rows=text", "these rows have no padding"},
        {MODEL "--set data.rows=packed", "these rows have no padding"},
        {"--set \"model={name: layers, layers: [{embedding: {dim: 4}}, {group_norm: {groups: 2}}, {dense: {units: "
         "32}}]}\"",
         "computes padding like anything else"},
        {MODEL "--set train.bucket=-1", "train.bucket"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sh(&s, TRAIN "--set train.bucket=5 %s --out bad", bad[i].options);
        assert_int_equal(s.code, 2);
        if (!strstr(s.err, bad[i].says)) fail_msg("%s: %s", bad[i].options, s.err);
        assert_int_equal(access("bad", F_OK), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(resumed_bit_for_bit), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
