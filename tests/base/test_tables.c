#include "support.h"

#include "base/table.h"

#include <math.h>

static const gls_member sgd = {"sgd", "plain", "", NULL, 0}, adam = {"adam", "adaptive", "", NULL, 0},
                        own = {"own", "mine", "", NULL, 0}, twin = {"adam", "another", "", NULL, 0};
static const gls_member *const builtin[] = {&sgd, &adam, NULL}, *const none[] = {NULL};
static const gls_member_kind methods = {GLS_KIND_METHOD, "method", builtin},
                             measures = {GLS_KIND_MEASURE, "measure", none};

static void members_are_found_by_name(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    assert_ptr_equal(gls_member_find(ctx, &methods, "adam"), &adam);
    assert_null(gls_member_find(ctx, &methods, "sgdd"));
    assert_string_equal(gls_context_message(ctx), "unknown method 'sgdd'; did you mean 'sgd'?");
    assert_null(gls_member_find(ctx, &methods, "something"));
    assert_string_equal(gls_context_message(ctx), "unknown method 'something'; expected one of sgd, adam");
    assert_null(gls_member_find(ctx, &methods, ""));
    counting_end(&c, ctx);
}

static void registered_ones_come_after_the_builtin(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    assert_int_equal(gls_member_register(ctx, &methods, &own), GLS_OK);
    assert_int_equal(gls_member_register(ctx, &methods, &own), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_member_register(ctx, &methods, &twin), GLS_ERR_ARGUMENT);
    assert_string_equal(gls_context_message(ctx), "method 'adam' exists already");
    assert_int_equal(gls_member_register(ctx, &methods, &(gls_member){""}), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_member_register(ctx, &methods, NULL), GLS_ERR_ARGUMENT);
    assert_ptr_equal(gls_member_find(ctx, &methods, "own"), &own);
    assert_null(gls_member_find(ctx, &measures, "own"));
    assert_ptr_equal(gls_member_at(ctx, &methods, 0), &sgd);
    assert_ptr_equal(gls_member_at(ctx, &methods, 2), &own);
    assert_null(gls_member_at(ctx, &methods, 3));
    assert_null(gls_member_at(ctx, &methods, -1));
    static char name[40][16];
    static gls_member many[40];
    for (int i = 0; i < 40; i++) {
        snprintf(name[i], sizeof name[i], "m%d", i);
        many[i].name = name[i];
        assert_int_equal(gls_member_register(ctx, &methods, &many[i]), GLS_OK);
    }
    assert_ptr_equal(gls_member_find(ctx, &methods, "m39"), &many[39]);
    counting_end(&c, ctx);
}

static const char *word(const void *user, int64_t i) {
    return ((const char *const *)user)[i];
}

static void nearest_is_by_edits(void **state) {
    static const char *const words[] = {"clip", "cclip", "acclip", "momentum", "adamw", NULL};
    assert_string_equal(gls_nearest("clpi", word, words), "clip");
    assert_string_equal(gls_nearest("momentun", word, words), "momentum");
    assert_string_equal(gls_nearest("ADAM", word, words), "adamw");
    assert_null(gls_nearest("x", word, words));
    assert_null(gls_nearest("", word, words));
    char longer[300];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(gls_nearest(longer, word, words));
}

static void record_keeps_the_last_of_each_name(void **state) {
    gls_record record;
    gls_record_clear(&record);
    assert_true(isnan(gls_record_get(&record, "loss")));
    gls_record_set(&record, "loss", 1);
    gls_record_set(&record, "norm", 2);
    char same[] = "loss";
    gls_record_set(&record, same, 3);
    assert_int_equal(record.count, 2);
    assert_true(gls_record_get(&record, "loss") == 3);
    static char name[GLS_RECORD_CAPACITY + 5][16];
    for (int i = 0; i < GLS_RECORD_CAPACITY + 5; i++) {
        snprintf(name[i], sizeof name[i], "n%d", i);
        gls_record_set(&record, name[i], i);
    }
    assert_int_equal(record.count, GLS_RECORD_CAPACITY + 1);
    assert_true(gls_record_get(&record, "figures_dropped") == 7);
    assert_true(gls_record_get(&record, "loss") == 3);
    assert_true(isnan(gls_record_get(&record, name[GLS_RECORD_CAPACITY + 4])));
}

static void layout_places_blocks_in_order(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_layout *layout;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_size(layout), 0);
    char name[16] = "a";
    assert_int_equal(gls_layout_add(layout, name, 2, (int64_t[]){3, 4}, 0), GLS_OK);
    name[0] = 'x'; /* it was copied */
    const gls_block *first = gls_layout_block(layout, 0);
    assert_int_equal(gls_layout_add(layout, "bias", 1, (int64_t[]){5}, GLS_BLOCK_NO_DECAY), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "scalar", 0, NULL, 0), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "empty", 2, (int64_t[]){0, 7}, 0), GLS_OK);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "b%d", i);
        assert_int_equal(gls_layout_add(layout, name, 1, (int64_t[]){1}, 0), GLS_OK);
    }
    assert_ptr_equal(gls_layout_block(layout, 0), first);
    assert_string_equal(first->name, "a");
    assert_int_equal(first->size, 12);
    const gls_block *bias = gls_layout_find(layout, "bias");
    assert_int_equal(bias->offset, 12);
    assert_int_equal(bias->flags, GLS_BLOCK_NO_DECAY);
    assert_int_equal(gls_layout_find(layout, "scalar")->size, 1);
    assert_int_equal(gls_layout_find(layout, "empty")->size, 0);
    assert_int_equal(gls_layout_size(layout), 118);
    assert_int_equal(gls_layout_count(layout), 104);
    assert_null(gls_layout_find(layout, "nothing"));
    assert_null(gls_layout_block(layout, 104));
    assert_int_equal(gls_layout_add(layout, "bias", 1, (int64_t[]){5}, 0), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_layout_add(layout, "n", 1, (int64_t[]){-5}, 0), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_layout_add(layout, "n", 7, (int64_t[]){1, 1, 1, 1, 1, 1, 1}, 0), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_layout_add(layout, "n", 2, (int64_t[]){INT64_MAX, 2}, 0), GLS_ERR_MEMORY);
    assert_int_equal(gls_layout_add(layout, "n", 1, (int64_t[]){INT64_MAX}, 0), GLS_ERR_MEMORY);
    assert_int_equal(gls_layout_size(layout), 118);
    gls_layout_destroy(layout);
    gls_layout_destroy(NULL);
    counting_end(&c, ctx);
}

static void arrays_are_one_list(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_arrays arrays = {0};
    double data[6];
    char name[32], longer[200];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(gls_arrays_add_vector(ctx, &arrays, name, GLS_F64, 6, data), GLS_OK);
    }
    assert_int_equal(gls_arrays_add(ctx, &arrays, "m", GLS_I32, 2, (int64_t[]){2, 3}, data), GLS_OK);
    assert_int_equal(arrays.count, 51);
    assert_string_equal(arrays.item[49].name, "a49");
    assert_int_equal(arrays.item[50].shape[1], 3);
    assert_ptr_equal(arrays.item[50].data, data);
    assert_int_equal(gls_arrays_add_vector(ctx, &arrays, "m", GLS_F64, 6, data), GLS_ERR_ARGUMENT);
    memset(longer, 'n', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(gls_arrays_add_vector(ctx, &arrays, longer, GLS_F64, 6, data), GLS_ERR_ARGUMENT);
    gls_arrays_clear(ctx, &arrays);
    assert_int_equal(arrays.count, 0);
    static const size_t size[] = {4, 8, 4, 8, 1};
    for (int t = GLS_F32; t <= GLS_U8; t++) assert_int_equal(gls_dtype_size((gls_dtype)t), size[t]);
    assert_int_equal(gls_dtype_size(GLS_DTYPE_REAL), sizeof(gls_real));
    counting_end(&c, ctx);
}

static void a_layout_can_be_printed(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_layout *layout;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "fc.weight", 2, (int64_t[]){3, 4}, GLS_BLOCK_TILED), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "fc.bias", 1, (int64_t[]){3}, GLS_BLOCK_NO_DECAY), GLS_OK);
    char *text = gls_layout_view(layout);
    const char *weight = strstr(text, "fc.weight"), *bias = strstr(text, "fc.bias");
    assert_ptr_equal(strstr(text, "15 values in 2 blocks\n"), text);
    assert_true(weight && bias && weight < bias);
    assert_non_null(strstr(weight, "[3, 4]  tiled\n"));
    assert_non_null(strstr(bias, "[3]  no weight decay\n"));
    gls_free(ctx, text);
    gls_layout_destroy(layout);
    counting_end(&c, ctx);
}

static gls_status print_layout(gls_context *ctx) {
    gls_layout *layout = NULL;
    char *text = NULL;
    gls_status status = gls_layout_create(ctx, &layout);
    char name[200];
    memset(name, 'n', sizeof name); /* long enough for the text to grow on the way */
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 4 && status == GLS_OK; i++) {
        name[0] = (char)('a' + i);
        status = gls_layout_add(layout, name, 1, (int64_t[]){i}, 0);
    }
    if (status == GLS_OK && !(text = gls_layout_view(layout))) status = GLS_ERR_MEMORY;
    gls_free(ctx, text);
    gls_layout_destroy(layout);
    return status;
}

static gls_status fill_containers(gls_context *ctx) {
    gls_layout *layout = NULL;
    gls_arrays arrays = {0};
    gls_status status = gls_layout_create(ctx, &layout);
    char name[16];
    for (int i = 0; i < 20 && status == GLS_OK; i++) {
        snprintf(name, sizeof name, "%d", i);
        status = gls_layout_add(layout, name, 1, (int64_t[]){i}, 0);
        if (status == GLS_OK) status = gls_arrays_add_vector(ctx, &arrays, name, GLS_U8, i, name);
    }
    gls_arrays_clear(ctx, &arrays);
    gls_layout_destroy(layout);
    return status;
}

static void every_allocation_may_fail(void **state) {
    fail_each_allocation(fill_containers);
    fail_each_allocation(print_layout);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_name),     cmocka_unit_test(registered_ones_come_after_the_builtin),
        cmocka_unit_test(nearest_is_by_edits),           cmocka_unit_test(record_keeps_the_last_of_each_name),
        cmocka_unit_test(layout_places_blocks_in_order), cmocka_unit_test(arrays_are_one_list),
        cmocka_unit_test(a_layout_can_be_printed),       cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
