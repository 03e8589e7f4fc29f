/* safetensors files: what is written is read back; nothing that a file says is believed. */
#include "base/tensors.h"
#include "support.h"

#include <math.h>

#define assert_ok(ctx, call)                                                                 \
    do {                                                                                     \
        gls_status assert_ok_status = (call);                                                \
        if (assert_ok_status != GLS_OK) fail_msg("%s: %s", #call, gls_context_message(ctx)); \
    } while (0)

static char path[600];
static const int64_t matrix[] = {2, 3};

/* A file by hand: header text, then bytes of data. */
static void write_file(const char *header, int64_t length, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    uint64_t n = (uint64_t)length;
    fwrite(&n, 8, 1, f);
    fwrite(header, 1, strlen(header), f);
    if (size) fwrite(data, 1, size, f);
    fclose(f);
}

static void round_trip(void **state) {
    gls_context *ctx = *state;
    gls_real w[6] = {1, -2, 3.5, 0, NAN, INFINITY}, back[6] = {0};
    int64_t steps = 1234567890123, steps_back = 0;
    double none = 0;
    gls_arrays out = {0}, in = {0};
    assert_ok(ctx, gls_arrays_add(ctx, &out, "layer.weight", GLS_DTYPE_REAL, 2, matrix, w));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "trainer/steps", GLS_I64, 1, &steps));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "empty", GLS_F64, 0, &none));
    const gls_note notes[] = {{"producer", "a \"test\"\n"}};
    assert_ok(ctx, gls_tensors_write(ctx, path, &out, notes, 1));
    gls_tensors *tensors;
    assert_ok(ctx, gls_tensors_open(ctx, path, &tensors));
    assert_string_equal(gls_tensors_note(tensors, "producer"), "a \"test\"\n");
    assert_true(gls_tensors_has(tensors, "layer.weight"));
    assert_false(gls_tensors_has(tensors, "__metadata__"));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &in, "trainer/steps", GLS_I64, 1, &steps_back));
    assert_ok(ctx, gls_arrays_add(ctx, &in, "layer.weight", GLS_DTYPE_REAL, 2, matrix, back));
    assert_ok(ctx, gls_tensors_restore(tensors, &in));
    assert_memory_equal(w, back, sizeof w);
    assert_int_equal(steps, steps_back);
    gls_tensors_close(tensors);
    gls_arrays_clear(ctx, &out);
    gls_arrays_clear(ctx, &in);
}

/* An array that is absent, or of another shape or type, is named, and nothing at all is filled. */
static void fills_nothing_if_one_does_not_fit(void **state) {
    gls_context *ctx = *state;
    gls_real w[6] = {1, 2, 3, 4, 5, 6}, back[6] = {9, 9, 9, 9, 9, 9};
    gls_arrays out = {0};
    assert_ok(ctx, gls_arrays_add(ctx, &out, "a", GLS_DTYPE_REAL, 2, matrix, w));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "b", GLS_DTYPE_REAL, 6, w));
    assert_ok(ctx, gls_tensors_write(ctx, path, &out, NULL, 0));
    gls_tensors *tensors;
    assert_ok(ctx, gls_tensors_open(ctx, path, &tensors));
    static const char *const words[] = {"[6], expected", "is not in the file", "expected I32"};
    for (int i = 0; i < 3; i++) {
        gls_arrays in = {0};
        assert_ok(ctx, gls_arrays_add(ctx, &in, "a", GLS_DTYPE_REAL, 2, matrix, back));
        assert_ok(ctx, gls_arrays_add_vector(ctx, &in, i == 1 ? "c" : "b", i == 2 ? GLS_I32 : GLS_DTYPE_REAL,
                                             i == 0 ? 5 : 6, back));
        assert_int_equal(gls_tensors_restore(tensors, &in), GLS_ERR_INPUT);
        assert_says(ctx, words[i]);
        assert_true(back[0] == 9);
        gls_arrays_clear(ctx, &in);
    }
    gls_tensors_close(tensors);
    gls_arrays_clear(ctx, &out);
}

static void refused(gls_context *ctx, const char *words) {
    gls_tensors *tensors = NULL;
    assert_int_equal(gls_tensors_open(ctx, path, &tensors), GLS_ERR_INPUT);
    assert_null(tensors);
    assert_says(ctx, words);
    assert_says(ctx, path);
}

/* Headers that lie. */
static void refuses_lies(void **state) {
    gls_context *ctx = *state;
    static const char *const bad[][2] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "same size"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}", "overflows"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "not an extent"},
        {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", "dtype"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         "JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         "overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
         "overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", "8 bytes of data"},
        {"[1,2]", "JSON object"},
        {"{\"a\":", "JSON"},
        {"{\"a\":3}", "dtype"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(bad[i][0], (int64_t)strlen(bad[i][0]), "12345678", 8);
        refused(ctx, bad[i][1]);
    }
    write_file("{}", INT64_MAX, "12345678", 8);
    refused(ctx, "not a safetensors file");
    write_file("{}", -1, "12345678", 8);
    refused(ctx, "not a safetensors file");
    FILE *f = fopen(path, "wb");
    fclose(f);
    refused(ctx, "too short");
}

/* Every cut and every flipped byte of a good file is found. */
static void finds_damage(void **state) {
    gls_context *ctx = *state;
    gls_real w[6] = {1, 2, 3, 4, 5, 6};
    gls_arrays out = {0};
    assert_ok(ctx, gls_arrays_add(ctx, &out, "a", GLS_DTYPE_REAL, 2, matrix, w));
    assert_ok(ctx, gls_tensors_write(ctx, path, &out, NULL, 0));
    gls_arrays_clear(ctx, &out);
    char bytes[1000];
    FILE *f = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(size > 100 && size < sizeof bytes);
    for (size_t cut = 0; cut < size; cut++) {
        f = fopen(path, "wb");
        fwrite(bytes, 1, cut, f);
        fclose(f);
        gls_tensors *tensors = NULL;
        assert_int_equal(gls_tensors_open(ctx, path, &tensors), GLS_ERR_INPUT);
    }
    for (size_t at = size - sizeof w; at < size; at++) {
        char old = bytes[at];
        bytes[at] ^= 4;
        f = fopen(path, "wb");
        fwrite(bytes, 1, size, f);
        fclose(f);
        bytes[at] = old;
        refused(ctx, "checksum");
    }
}

typedef struct growing {
    gls_context *ctx;
    double *x;
    int64_t size, most;
} growing;

static gls_status grow(void *owner, gls_array *array, const int64_t *shape) {
    growing *g = owner;
    if (shape[0] > g->most) return gls_fail(g->ctx, GLS_ERR_INPUT, "more than %lld", (long long)g->most);
    g->x = realloc(g->x, sizeof *g->x * (size_t)(shape[0] + 1));
    assert_non_null(g->x);
    g->size = shape[0];
    array->data = g->x;
    return GLS_OK;
}

/* An optional array that is absent keeps its default; a resizable one takes the file's extents, or refuses them before
 * anything is filled. A type or a number of dimensions is never another. */
static void optional_and_resizable_arrays(void **state) {
    gls_context *ctx = *state;
    double four[4] = {1, 2, 3, 4}, other = 5;
    gls_arrays out = {0};
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "four", GLS_F64, 4, four));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "other", GLS_F64, 1, &other));
    assert_ok(ctx, gls_tensors_write(ctx, path, &out, NULL, 0));
    gls_arrays_clear(ctx, &out);
    gls_tensors *tensors;
    assert_ok(ctx, gls_tensors_open(ctx, path, &tensors));
    for (int64_t most = 3; most < 5; most++) {
        growing g = {.ctx = ctx, .most = most};
        int64_t absent = 42;
        double found = 0;
        gls_arrays in = {0};
        assert_ok(ctx, gls_arrays_add_vector(ctx, &in, "other", GLS_F64, 1, &found));
        gls_arrays_optional(&in);
        assert_ok(ctx, gls_arrays_add_vector(ctx, &in, "absent", GLS_I64, 1, &absent));
        gls_arrays_optional(&in);
        assert_ok(ctx, gls_arrays_add_vector(ctx, &in, "four", GLS_F64, 0, NULL));
        gls_arrays_resizable(&in, grow, &g);
        assert_int_equal(gls_tensors_restore(tensors, &in), most < 4 ? GLS_ERR_INPUT : GLS_OK);
        assert_int_equal(absent, 42);
        assert_true(found == (most < 4 ? 0 : 5));
        assert_int_equal(g.size, most < 4 ? 0 : 4);
        if (most >= 4) assert_memory_equal(g.x, four, sizeof four);
        in.item[2].dtype = GLS_I64;
        assert_int_equal(gls_tensors_restore(tensors, &in), GLS_ERR_INPUT);
        assert_says(ctx, "expected I64");
        gls_arrays_clear(ctx, &in);
        free(g.x);
    }
    gls_tensors_close(tensors);
}

/* Weights go into a file by their blocks' names and come back by them, under a prefix or none. */
static void blocks_of_a_layout(void **state) {
    gls_context *ctx = *state;
    gls_layout *layout, *other;
    int64_t six = 6, extra = 1;
    gls_real w[7] = {1, 2, 3, 4, 5, 6, 7}, back[7] = {0};
    assert_ok(ctx, gls_layout_create(ctx, &layout));
    assert_ok(ctx, gls_layout_add(layout, "a.weight", 2, matrix, 0));
    assert_ok(ctx, gls_layout_add(layout, "a.bias", 1, &extra, 0));
    gls_arrays out = {0};
    assert_ok(ctx, gls_arrays_add_layout(ctx, &out, layout, "state/", w));
    assert_string_equal(out.item[1].name, "state/a.bias");
    assert_ok(ctx, gls_tensors_write(ctx, path, &out, NULL, 0));
    gls_arrays_clear(ctx, &out);
    gls_tensors *tensors;
    assert_ok(ctx, gls_tensors_open(ctx, path, &tensors));
    assert_ok(ctx, gls_tensors_restore_layout(tensors, layout, "state/", back));
    assert_memory_equal(w, back, sizeof w);
    assert_int_equal(gls_tensors_restore_layout(tensors, layout, "", back), GLS_ERR_INPUT);
    assert_says(ctx, "'a.weight': is not in the file");
    assert_ok(ctx, gls_layout_create(ctx, &other));
    assert_ok(ctx, gls_layout_add(other, "a.weight", 1, &six, 0));
    assert_int_equal(gls_tensors_restore_layout(tensors, other, "state/", back), GLS_ERR_INPUT);
    assert_says(ctx, "[2, 3], expected");
    char name[170];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    assert_ok(ctx, gls_layout_add(other, name, 1, &six, 0));
    assert_int_equal(gls_arrays_add_layout(ctx, &out, other, "", w), GLS_ERR_UNSUPPORTED);
    gls_arrays_clear(ctx, &out);
    gls_tensors_close(tensors);
    gls_layout_destroy(layout);
    gls_layout_destroy(other);
}

/* Arrays of sizes that only the file knows. */
static void loads_what_has_a_prefix(void **state) {
    gls_context *ctx = *state;
    gls_real w[6] = {1, 2, 3, 4, 5, 6};
    int32_t map[3] = {2, -1, 0};
    gls_arrays out = {0}, in = {0};
    assert_ok(ctx, gls_arrays_add(ctx, &out, "fit/mean", GLS_DTYPE_REAL, 2, matrix, w));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "fit/map", GLS_I32, 3, map));
    assert_ok(ctx, gls_arrays_add_vector(ctx, &out, "other", GLS_I32, 3, map));
    const gls_note notes[] = {{"fit/note", "no array"}};
    assert_ok(ctx, gls_tensors_write(ctx, path, &out, notes, 1));
    gls_tensors *tensors;
    gls_arena *arena;
    assert_ok(ctx, gls_arena_create(ctx, &arena));
    assert_ok(ctx, gls_tensors_open(ctx, path, &tensors));
    assert_ok(ctx, gls_tensors_load(tensors, "fit/", arena, &in));
    gls_tensors_close(tensors);
    assert_int_equal(in.count, 2);
    for (int i = 0; i < 2; i++) {
        bool mean = strcmp(in.item[i].name, "fit/mean") == 0;
        assert_string_equal(in.item[i].name, mean ? "fit/mean" : "fit/map");
        assert_int_equal(in.item[i].dims, mean ? 2 : 1);
        assert_int_equal(in.item[i].shape[0], mean ? 2 : 3);
        assert_memory_equal(in.item[i].data, mean ? (void *)w : (void *)map, mean ? sizeof w : sizeof map);
    }
    gls_arena_destroy(arena);
    gls_arrays_clear(ctx, &out);
    gls_arrays_clear(ctx, &in);
}

static char *folder;

static int setup(void **state) {
    gls_context *ctx = NULL;
    snprintf(path, sizeof path, "%s/x.safetensors", folder = scratch_directory());
    assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
    *state = ctx;
    return 0;
}

static int teardown(void **state) {
    gls_context_destroy(*state);
    remove(path);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(fills_nothing_if_one_does_not_fit),
        cmocka_unit_test(refuses_lies),
        cmocka_unit_test(finds_damage),
        cmocka_unit_test(blocks_of_a_layout),
        cmocka_unit_test(loads_what_has_a_prefix),
        cmocka_unit_test(optional_and_resizable_arrays),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
