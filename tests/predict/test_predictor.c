/* A trained model from its file in C: several threads, weights of other types and of the other precision, and what is
 * refused. Files are rewritten here, without the library. */
#include "cli/support.h"

#include <glissade/predict.h>

#include <math.h>
#include <pthread.h>

enum { ROWS = 61, FEATURES = 4, CLASSES = 3 };

static void write_rows(const char *path, int rows) {
    FILE *f = fopen(path, "w");
    static const char *const label[] = {"ant", "bee", "cat"};
    fputs("a,b,c,d,kind\n", f);
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < FEATURES; k++) fprintf(f, "%.5f,", 3 * k + sin(1.7 * i + 3.1 * k) + (i % 3 == k ? 2 : 0));
        fprintf(f, "%s\n", label[i % 3]);
    }
    fclose(f);
}

#define TRAIN                                                                                        \
    " train --set model.name=mlp --set 'model.hidden=[8]' --set method.name=sgd --set "              \
    "method.lr=0.1 --set data.train=a.csv --set data.target=kind --set data.standardize=true --set " \
    "train.epochs=4 --quiet --out "

static int prepare(void **state) {
    static said s;
    if (enter_folder(state)) return 1;
    write_rows("a.csv", 150);
    write_rows("b.csv", ROWS);
    sh(&s, "$G" TRAIN "r && cp r/final.safetensors m.safetensors");
    if (s.code) fail_msg("%s", s.err);
    return 0;
}

/* ---- outputs ---- */

static gls_context *context(int threads) {
    gls_context_options options = {.size = sizeof options, .threads = threads};
    gls_context *ctx = NULL;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

/* The outputs of the rows of b.csv; the status of opening, which must be `expected`. */
static void outputs(const char *path, int threads, gls_real z[ROWS * CLASSES]) {
    gls_context *ctx = context(threads);
    gls_predictor *p = NULL;
    gls_source *rows = NULL;
    if (gls_predictor_open(ctx, path, &p) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    assert_int_equal(gls_predictor_outputs(p), CLASSES);
    assert_int_equal(gls_predictor_rows(p, NULL, "b.csv", GLS_PART_ROWS, &rows), GLS_OK);
    assert_int_equal(gls_source_info(rows)->examples, ROWS);
    assert_int_equal(gls_predictor_run(p, rows, z), GLS_OK);
    gls_source_destroy(rows);
    gls_predictor_destroy(p);
    gls_context_destroy(ctx);
}

static void refuses(const char *path, gls_status status, const char *words) {
    gls_context *ctx = context(1);
    gls_predictor *p = NULL;
    assert_int_equal(gls_predictor_open(ctx, path, &p), status);
    assert_null(p);
    if (!strstr(gls_context_message(ctx), words)) fail_msg("%s", gls_context_message(ctx));
    gls_context_destroy(ctx);
}

/* ---- threads ---- */

typedef struct worker {
    pthread_t thread;
    int threads, bad;
    const gls_real *want;
} worker;

/* A thread of its own has a context and a predictor of its own; nothing is asserted off the main thread. */
static void *serve(void *user) {
    worker *w = user;
    gls_context_options options = {.size = sizeof options, .threads = w->threads};
    gls_context *ctx = NULL;
    gls_predictor *p = NULL;
    gls_source *rows = NULL;
    gls_real z[ROWS * CLASSES];
    w->bad = gls_context_create(&ctx, &options) != GLS_OK || gls_predictor_open(ctx, "m.safetensors", &p) != GLS_OK ||
             gls_predictor_rows(p, NULL, "b.csv", GLS_PART_ROWS, &rows) != GLS_OK;
    for (int i = 0; i < 40 && !w->bad; i++) {
        memset(z, 0, sizeof z);
        w->bad = gls_predictor_run(p, rows, z) != GLS_OK || memcmp(z, w->want, sizeof z) != 0;
    }
    gls_source_destroy(rows);
    gls_predictor_destroy(p);
    gls_context_destroy(ctx);
    return NULL;
}

static void threads_do_not_meet(void **state) {
    gls_real one[ROWS * CLASSES], two[ROWS * CLASSES];
    worker w[4];
    outputs("m.safetensors", 1, one);
    outputs("m.safetensors", 2, two);
    assert_memory_equal(one, two, sizeof one);
    for (int i = 0; i < 4; i++) {
        w[i] = (worker){.threads = 1 + i % 2, .want = one};
        assert_int_equal(pthread_create(&w[i].thread, NULL, serve, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(w[i].thread, NULL);
        assert_false(w[i].bad);
    }
}

/* ---- files rewritten ---- */

typedef struct model_file {
    json_t *header;
    unsigned char data[1 << 14];
    size_t size;
} model_file;

static void load(const char *path, model_file *m) {
    static char text[1 << 16];
    uint64_t length = 0;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(&length, 8, 1, f), 1);
    assert_true(length < sizeof text);
    assert_int_equal(fread(text, 1, length, f), length);
    m->header = json_loadb(text, length, 0, NULL);
    m->size = fread(m->data, 1, sizeof m->data, f);
    fclose(f);
    assert_non_null(m->header);
    json_object_del(json_object_get(m->header, "__metadata__"), "xxh3");
}

static void save(const char *path, model_file *m) {
    char *text = json_dumps(m->header, JSON_COMPACT);
    uint64_t length = strlen(text);
    FILE *f = fopen(path, "wb");
    fwrite(&length, 8, 1, f);
    fwrite(text, 1, length, f);
    fwrite(m->data, 1, m->size, f);
    fclose(f);
    free(text);
    json_decref(m->header);
}

static size_t begin_of(const json_t *entry) {
    return (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0));
}
static size_t end_of(const json_t *entry) {
    return (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 1));
}
static void place(json_t *entry, size_t begin, size_t end) {
    json_object_set_new(entry, "data_offsets", json_pack("[I, I]", (json_int_t)begin, (json_int_t)end));
}

/* Multiples of 1/64 below 4 in size are exact in all four types. */
static float exact(float w) {
    return rintf(fmaxf(-3.9f, fminf(3.9f, w)) * 64) / 64;
}

static size_t encode(const char *type, float w, unsigned char *to) {
    uint32_t bits;
    double wide = (double)w;
    memcpy(&bits, &w, 4);
    uint32_t sign = bits >> 16 & 0x8000, exponent = (bits >> 23 & 255) - 112, fraction = bits >> 13 & 1023;
    uint16_t brain = (uint16_t)(bits >> 16), half = (uint16_t)(sign | (w == 0 ? 0 : exponent << 10 | fraction));
    bool narrow = strcmp(type, "F16") == 0;
    if (strcmp(type, "F64") == 0) return memcpy(to, &wide, 8), 8;
    if (strcmp(type, "F32") == 0) return memcpy(to, &w, 4), 4;
    return memcpy(to, narrow ? &half : &brain, 2), 2;
}

/* All weights rounded and in another type; what transforms learned stays as it is, and an array nobody knows is added.
 */
static void write_as(const char *type, const char *path) {
    static model_file m, out;
    const char *name;
    json_t *entry;
    load("m.safetensors", &m);
    out.size = 0;
    json_object_foreach(m.header, name, entry) {
        size_t begin = begin_of(entry), end = end_of(entry), start = out.size;
        if (strcmp(name, "__metadata__") == 0) continue;
        bool kept = strncmp(name, "transform/", 10) == 0;
        if (!kept) json_object_set_new(entry, "dtype", json_string(type));
        for (size_t at = begin; at < end; at += 4) {
            float w;
            memcpy(&w, m.data + at, 4);
            out.size += encode(kept ? "F32" : type, kept ? w : exact(w), out.data + out.size);
        }
        place(entry, start, out.size);
    }
    json_object_set_new(m.header, "optimizer.step",
                        json_pack("{s: s, s: [i], s: [I, I]}", "dtype", "U64", "shape", 1, "data_offsets",
                                  (json_int_t)out.size, (json_int_t)out.size + 8));
    memset(out.data + out.size, 0xff, 8);
    out.size += 8;
    out.header = m.header;
    save(path, &out);
}

static void weights_of_every_type(void **state) {
    static const char *const type[] = {"F32", "F64", "F16", "BF16"};
    gls_real first[ROWS * CLASSES], z[ROWS * CLASSES];
    write_as("F32", "t.safetensors");
    outputs("t.safetensors", 1, first);
    for (int i = 1; i < 4; i++) {
        write_as(type[i], "t.safetensors");
        outputs("t.safetensors", 1, z);
        assert_memory_equal(first, z, sizeof z);
    }
    outputs("m.safetensors", 1, z); /* the rounding was one */
    assert_memory_not_equal(first, z, sizeof z);
}

/* Both programs on the file of either: single precision's rounding is all that is between them. */
static void either_precision_reads_the_other(void **state) {
    static said s;
    static const char *const model[] = {"r", "r64"};
    sh(&s, "${G}64" TRAIN "r64");
    if (s.code) fail_msg("%s", s.err);
    for (int i = 0; i < 2; i++) {
        sh(&s,
           "$G predict %s --data b.csv --out single.csv && ${G}64 predict %s --data b.csv --out double.csv && "
           "paste -d, single.csv double.csv | tail -n +2",
           model[i], model[i]);
        if (s.code) fail_msg("%s", s.err);
        int rows = 0;
        for (const char *line = s.out; *line; line = strchr(line, '\n') + 1, rows++) {
            double a[3], b[3];
            int got = sscanf(line, "%*[a-z],%lf,%lf,%lf,%*[a-z],%lf,%lf,%lf", &a[0], &a[1], &a[2], &b[0], &b[1], &b[2]);
            assert_int_equal(got, 6);
            for (int c = 0; c < 3; c++)
                if (!(fabs(a[c] - b[c]) < 1e-5)) fail_msg("row %d: %.9g and %.9g", rows, a[c], b[c]);
        }
        assert_int_equal(rows, ROWS);
    }
}

/* ---- refusals ---- */

static json_t *entry_of(const model_file *m, const char *name) {
    json_t *entry = json_object_get(m->header, name);
    assert_non_null(entry);
    return entry;
}

static void broken_files_are_refused(void **state) {
    static model_file m;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        load("m.safetensors", &m);
        memcpy(m.data + begin_of(entry_of(&m, "fc2.weight")) + 8, &bad[i], 4);
        save("bad.safetensors", &m);
        refuses("bad.safetensors", GLS_ERR_NONFINITE, "array 'fc2.weight': value 2 is ");
    }
    load("m.safetensors", &m);
    json_t *moved = entry_of(&m, "fc2.weight");
    place(moved, begin_of(moved) - 4, end_of(moved) - 4);
    save("bad.safetensors", &m);
    refuses("bad.safetensors", GLS_ERR_INPUT, "overlap");
    load("m.safetensors", &m);
    json_object_set(m.header, "another", entry_of(&m, "fc1.weight"));
    json_object_del(m.header, "fc1.weight");
    save("bad.safetensors", &m);
    refuses("bad.safetensors", GLS_ERR_INPUT, "'fc1.weight': is not in the file");
    load("m.safetensors", &m);
    json_object_del(json_object_get(m.header, "__metadata__"), "glissade");
    save("bad.safetensors", &m);
    refuses("bad.safetensors", GLS_ERR_INPUT, "does not say of what model");
}

/* Rows of another width, handed in prepared or not. */
static void other_rows_are_refused(void **state) {
    gls_context *ctx = context(2);
    gls_predictor *p = NULL;
    gls_source *rows = NULL, *out = NULL;
    gls_real x[2 * 3] = {1, 2, 3, 4, 5, 6}, z[2 * CLASSES];
    gls_data_info info = {.examples = 2, .features = 3, .dims = 1, .shape = {3}};
    assert_int_equal(gls_predictor_open(ctx, "m.safetensors", &p), GLS_OK);
    for (int prepared = 0; prepared < 2; prepared++) {
        assert_int_equal(gls_source_from_dense(ctx, x, NULL, NULL, &info, &rows), GLS_OK);
        if (prepared) {
            assert_int_equal(gls_predictor_prepare(p, rows, &out), GLS_ERR_INPUT);
            assert_null(out);
        } else {
            assert_int_equal(gls_predictor_run(p, rows, z), GLS_ERR_ARGUMENT);
            gls_source_destroy(rows);
        }
        assert_non_null(strstr(gls_context_message(ctx), "3 "));
    }
    gls_predictor_destroy(p);
    gls_context_destroy(ctx);
}

/* A word that the model does not have is no place in its table. */
static void other_words_are_refused(void **state) {
    static said s;
    sh(&s,
       "for i in 1 2 3 4 5 6 7 8; do echo the cat sat on the mat; done >t.tokens; $G train --set data.train=t.tokens "
       "--set data.length=4 --set 'model={name: nplm, window: 2, embedding: 3, hidden: 4}' --set 'method={name: sgd, "
       "lr: 0.1}' --set train.epochs=1 --quiet --out rt && cp rt/final.safetensors t.safetensors");
    if (s.code) fail_msg("%s", s.err);
    gls_context *ctx = context(1);
    gls_predictor *p = NULL;
    assert_int_equal(gls_predictor_open(ctx, "t.safetensors", &p), GLS_OK);
    gls_data_info info = *gls_predictor_file_info(p);
    int32_t token[4] = {0, 1, 2, (int32_t)info.vocabulary};
    gls_real *z = calloc((size_t)gls_predictor_outputs(p), sizeof *z);
    info.examples = 1;
    info.target = GLS_TARGET_NONE;
    for (int more = 0; more < 2; more++) {
        gls_source *rows = NULL, *prepared = NULL;
        if (more) info.vocabulary++;
        token[3] = (int32_t)info.vocabulary - 1;
        assert_int_equal(gls_source_from_tokens(ctx, token, NULL, &info, &rows), GLS_OK);
        assert_int_equal(gls_predictor_prepare(p, rows, &prepared), GLS_OK);
        assert_int_equal(gls_predictor_run(p, prepared, z), more ? GLS_ERR_INPUT : GLS_OK);
        gls_source_destroy(prepared);
    }
    assert_non_null(strstr(gls_context_message(ctx), "the model knows"));
    free(z);
    gls_predictor_destroy(p);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_do_not_meet),
                                       cmocka_unit_test(weights_of_every_type),
                                       cmocka_unit_test(either_precision_reads_the_other),
                                       cmocka_unit_test(broken_files_are_refused),
                                       cmocka_unit_test(other_rows_are_refused),
                                       cmocka_unit_test(other_words_are_refused)};
    return cmocka_run_group_tests(tests, prepare, leave_folder);
}
