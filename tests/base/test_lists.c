/* Lists and maps as types of options: every item type, bounds of items and of their number, one style of message, text
 * and trees that read back, copies that are apart. */
#include "support.h"

#include "base/printout.h"
#include "base/yaml.h"

#include <math.h>

typedef struct place {
    double at;
    gls_texts names;
    int64_t copies;
} place;

typedef struct settings {
    gls_reals betas;
    gls_ints hidden;
    gls_lengths at;
    gls_texts files;
    gls_list kinds; /* of int */
    gls_list group; /* of gls_texts */
    gls_list places;
    gls_values trees;
    const place *map;
} settings;

static const gls_option place_table[] = {
    {.key = "at", .type = GLS_OPTION_REAL, .offset = offsetof(place, at), .flags = GLS_OPTION_REQUIRED},
    {.key = "names",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(place, names),
     .inner = &(gls_option){.type = GLS_OPTION_STRING}},
    {.key = "copies", .type = GLS_OPTION_INT, .offset = offsetof(place, copies), .initial = "3"},
    {0}};

static const gls_option a_name = {.type = GLS_OPTION_STRING};
static const gls_option names = {.type = GLS_OPTION_LIST, .minimum = 1, .maximum = INFINITY, .inner = &a_name};

static const gls_option table[] = {
    {.key = "betas",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, betas),
     .initial = "[0.9, 0.99]",
     .minimum = 1,
     .maximum = 3,
     .inner = &(gls_option){.type = GLS_OPTION_REAL, .maximum = 1, .flags = GLS_OPTION_BELOW_MAX}},
    {.key = "hidden",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, hidden),
     .inner = &(gls_option){.type = GLS_OPTION_INT, .minimum = 1, .maximum = 1e9}},
    {.key = "at",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, at),
     .minimum = 2,
     .maximum = 2,
     .inner = &(gls_option){.type = GLS_OPTION_LENGTH}},
    {.key = "files",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, files),
     .inner = &(gls_option){.type = GLS_OPTION_PATH}},
    {.key = "kinds",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, kinds),
     .inner = &(gls_option){.type = GLS_OPTION_ENUM, .choices = "mean|sum"}},
    {.key = "group", .type = GLS_OPTION_LIST, .offset = offsetof(settings, group), .inner = &names},
    {.key = "places",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, places),
     .inner = &(gls_option){.type = GLS_OPTION_MAP, .inner = place_table, .inner_size = sizeof(place)}},
    {.key = "trees",
     .type = GLS_OPTION_LIST,
     .offset = offsetof(settings, trees),
     .inner = &(gls_option){.type = GLS_OPTION_VALUE}},
    {.key = "map",
     .type = GLS_OPTION_MAP,
     .offset = offsetof(settings, map),
     .inner = place_table,
     .inner_size = sizeof(place)},
    {0}};

typedef struct fixture {
    counting memory;
    gls_context *ctx;
    gls_options *options;
    const settings *s;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = counting_context(&f->memory, 1);
    assert_int_equal(gls_options_create(f->ctx, "method adam", table, sizeof(settings), &f->options), GLS_OK);
    f->s = gls_options_struct(f->options);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gls_options_destroy(f->options);
    counting_end(&f->memory, f->ctx);
    free(f);
    return 0;
}

/* The options of a document; its file is conf/list.yaml. */
static gls_status apply(gls_context *ctx, gls_options *options, const char *text) {
    gls_value *map = NULL;
    gls_status status = gls_yaml_parse(ctx, "conf/list.yaml", text, (int64_t)strlen(text), &map);
    if (status == GLS_OK) status = gls_options_apply(options, map, NULL);
    gls_value_destroy(ctx, map);
    return status;
}

static const char whole[] = "betas: [0.5, 1e-3]\n"
                            "hidden: [64, 4k]\n"
                            "at: [10, 500s]\n"
                            "files: [a.bin, /b.bin]\n"
                            "kinds: [sum, mean, sum]\n"
                            "group: [[0, 1], 'two']\n"
                            "places: [{at: 1, names: [x, y]}, {at: 2, copies: 7}]\n"
                            "trees: [{a: 1}, b]\n"
                            "map: {at: 0.5, names: z}\n";

static void check_whole(const settings *s) {
    assert_int_equal(s->betas.count, 2);
    assert_true(s->betas.item[0] == 0.5 && s->betas.item[1] == 1e-3);
    assert_int_equal(s->hidden.count, 2);
    assert_true(s->hidden.item[0] == 64 && s->hidden.item[1] == 4000);
    assert_int_equal(s->at.count, 2);
    assert_true(s->at.item[0].amount == 10 && !s->at.item[0].steps);
    assert_true(s->at.item[1].amount == 500 && s->at.item[1].steps);
    assert_int_equal(s->files.count, 2);
    assert_string_equal(s->files.item[0], "conf/a.bin");
    assert_string_equal(s->files.item[1], "/b.bin");
    const int *kind = s->kinds.item;
    assert_true(s->kinds.count == 3 && kind[0] == 1 && kind[1] == 0 && kind[2] == 1);
    const gls_texts *group = s->group.item;
    assert_true(s->group.count == 2 && group[0].count == 2 && group[1].count == 1);
    assert_string_equal(group[0].item[1], "1");
    assert_string_equal(group[1].item[0], "two");
    const place *places = s->places.item;
    assert_true(s->places.count == 2 && places[0].at == 1 && places[0].copies == 3 && places[0].names.count == 2);
    assert_string_equal(places[0].names.item[1], "y");
    assert_true(places[1].at == 2 && places[1].copies == 7 && places[1].names.count == 0);
    assert_int_equal(s->trees.count, 2);
    assert_string_equal(gls_value_get(s->trees.item[0], "a")->text, "1");
    assert_non_null(s->map);
    assert_true(s->map->at == 0.5 && s->map->copies == 3 && s->map->names.count == 1);
}

static void every_type_is_read(void **state) {
    fixture *f = *state;
    assert_int_equal(f->s->betas.count, 2);
    assert_true(f->s->betas.item[1] == 0.99);
    assert_true(f->s->hidden.count == 0 && !f->s->hidden.item && !f->s->map);
    assert_int_equal(apply(f->ctx, f->options, whole), GLS_OK);
    check_whole(f->s);
    /* null is the default, and an empty list is there. */
    assert_int_equal(apply(f->ctx, f->options, "{betas: null, hidden: [], map: null}"), GLS_OK);
    assert_true(f->s->betas.item[0] == 0.9 && !f->s->map);
    assert_true(f->s->hidden.count == 0 && f->s->hidden.item);
}

static void text_is_read_as_the_file_is(void **state) {
    fixture *f = *state;
    assert_int_equal(gls_options_set(f->options, "betas", "[0.25]"), GLS_OK);
    assert_true(f->s->betas.count == 1 && f->s->betas.item[0] == 0.25);
    assert_int_equal(gls_options_set(f->options, "betas", "0.125"), GLS_OK);
    assert_true(f->s->betas.count == 1 && f->s->betas.item[0] == 0.125);
    assert_true(gls_options_given(f->options, "betas"));
    assert_int_equal(gls_options_set(f->options, "map", "{at: 3}"), GLS_OK);
    assert_true(f->s->map->at == 3);
    assert_int_equal(gls_options_set(f->options, "group", "[[a, b], [c]]"), GLS_OK);
    assert_int_equal(f->s->group.count, 2);
    assert_int_equal(gls_options_set(f->options, "betas", "[0.25"), GLS_ERR_INPUT);
    assert_says(f->ctx, "option 'betas' of method adam:");
    assert_true(f->s->betas.item[0] == 0.125);
}

static void bad_lists_say_where_and_change_nothing(void **state) {
    fixture *f = *state;
    static const char *const bad[][2] = {
        {"betas: [0.5, 1]", "option 'betas[1]' of method adam: expected a number at least 0 and below 1, found '1'"},
        {"betas: x", "option 'betas' of method adam: expected a number at least 0 and below 1, found 'x'"},
        {"betas: ['0.5']", "option 'betas[0]' of method adam: expected a number"},
        {"betas: [0.5, ~]", "'betas[1]' of method adam: expected a number at least 0 and below 1, found 'null'"},
        {"betas: [[0.5]]", "'betas[0]' of method adam: expected a number at least 0 and below 1, found 'a list'"},
        {"betas: []", "option 'betas' of method adam: expected a list of at least 1 and at most 3 items, each a number "
                      "at least 0 and below 1, found 0 items"},
        {"betas: {a: 1}", "'betas' of method adam: expected a number at least 0 and below 1, found 'a map'"},
        {"at: [1]", "'at' of method adam: expected a list of 2 items, each epochs (10) or steps (500s), found 1 item"},
        {"at: [1, 2, 3]", "found 3 items"},
        {"hidden: [8, 0]", "'hidden[1]' of method adam: expected a whole number at least 1"},
        {"kinds: [sum, max]", "'kinds[1]' of method adam: expected one of mean, sum, found 'max'"},
        {"group: [[a], []]", "'group[1]' of method adam: expected a list of at least 1 item, each a text"},
        {"group: [[a, {b: 1}]]", "'group[0][1]' of method adam: expected a text, found 'a map'"},
        {"places: [{at: 1}, {at: x}]", "option 'at' of places[1] of method adam: expected a number, found 'x'"},
        {"places: [{names: a}]", "option 'at' of places[0] of method adam is missing"},
        {"places: [{at: 1, copys: 2}]", "unknown option 'copys' of places[0] of method adam; did you mean 'copies'?"},
        {"places: [a]", "'places[0]' of method adam: expected a map of at, names, copies, found 'a'"},
        {"map: [1]", "'map' of method adam: expected a map of at, names, copies, found 'a list'"},
    };
    assert_int_equal(apply(f->ctx, f->options, whole), GLS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[120];
        snprintf(text, sizeof text, "\n%s", bad[i][0]);
        assert_int_equal(apply(f->ctx, f->options, text), GLS_ERR_ARGUMENT);
        assert_int_equal(strncmp(gls_context_message(f->ctx), "conf/list.yaml:2: ", 18), 0);
        assert_says(f->ctx, bad[i][1]);
        check_whole(f->s);
    }
    assert_int_equal(gls_options_set(f->options, "betas", "[2]"), GLS_ERR_ARGUMENT);
    assert_int_equal(strncmp(gls_context_message(f->ctx), "option 'betas[0]'", 17), 0);
}

static void text_and_tree_read_back(void **state) {
    fixture *f = *state;
    static const char *const lists[] = {"betas", "hidden", "at", "files", "kinds", "group"};
    gls_options *copy;
    assert_int_equal(apply(f->ctx, f->options, whole), GLS_OK);
    assert_int_equal(gls_options_create(f->ctx, "copy", table, sizeof(settings), &copy), GLS_OK);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char *text = gls_options_text(f->options, lists[i]);
        assert_int_equal(gls_options_set(copy, lists[i], text), GLS_OK);
        gls_free(f->ctx, text);
    }
    char *text = gls_options_text(f->options, "betas");
    assert_string_equal(text, "[0.5, 0.001]");
    gls_free(f->ctx, text);
    static const char *const trees[] = {"places", "trees", "map"};
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        gls_value *value;
        assert_int_equal(gls_options_value(f->options, trees[i], &value), GLS_OK);
        assert_int_equal(gls_options_set_value(copy, value), GLS_OK);
        gls_value_destroy(f->ctx, value);
    }
    check_whole(gls_options_struct(copy));
    gls_options_destroy(copy);
    assert_null(gls_options_text(f->options, "map"));
    assert_int_equal(apply(f->ctx, f->options, "{files: null, map: null}"), GLS_OK);
    assert_null(gls_options_text(f->options, "files"));
    gls_value *none;
    assert_int_equal(gls_options_value(f->options, "map", &none), GLS_OK);
    assert_null(none);
}

static const char *printed(fixture *f, const char *key, char text[256]) {
    gls_printout printout = {.ctx = f->ctx};
    const gls_option *row = table;
    while (strcmp(row->key, key) != 0) row++;
    gls_printout_add_option(&printout, f->options, row);
    char *made = gls_printout_end(&printout);
    snprintf(text, 256, "%s", made);
    gls_free(f->ctx, made);
    return text;
}

static void lists_and_maps_are_printed(void **state) {
    fixture *f = *state;
    char text[256];
    assert_string_equal(printed(f, "betas", text), "[0.9, 0.99]");
    assert_string_equal(printed(f, "map", text), "-");
    assert_int_equal(apply(f->ctx, f->options, "{map: {at: 9}, places: [{at: 1}], trees: [{a: 1}]}"), GLS_OK);
    assert_string_equal(printed(f, "map", text), "{at: 9, copies: 3}");
    assert_string_equal(printed(f, "places", text), "[{at: 1, copies: 3}]");
    assert_string_equal(printed(f, "trees", text), "[{a: 1}]");
}

static void copies_are_apart(void **state) {
    fixture *f = *state;
    assert_int_equal(apply(f->ctx, f->options, whole), GLS_OK);
    gls_options *copy = gls_options_clone(f->options);
    assert_int_equal(apply(f->ctx, f->options, "{betas: 0.1, files: null, places: null, map: {at: 9}}"), GLS_OK);
    check_whole(gls_options_struct(copy));
    assert_true(f->s->map->at == 9 && f->s->places.count == 0);
    gls_options_destroy(copy);
}

/* Options whose field ends at the end of its struct, and one byte short of it. */
static void fields_lie_inside_their_struct(void **state) {
    fixture *f = *state;
    for (const gls_option *row = table; row->key; row++) {
        const gls_option one[] = {
            {.key = row->key, .type = row->type, .inner = row->inner, .inner_size = row->inner_size}, {0}};
        size_t size = row->type == GLS_OPTION_LIST ? sizeof(gls_list) : sizeof(void *);
        gls_options *options;
        assert_int_equal(gls_options_create(f->ctx, "x", one, size, &options), GLS_OK);
        gls_options_destroy(options);
        assert_int_equal(gls_options_create(f->ctx, "x", one, size - 1, &options), GLS_ERR_ARGUMENT);
        assert_says(f->ctx, "is outside its struct");
    }
}

static gls_status read_write_and_clone(gls_context *ctx) {
    gls_options *options = NULL, *copy = NULL;
    gls_status status = gls_options_create(ctx, "x", table, sizeof(settings), &options);
    if (status == GLS_OK) status = apply(ctx, options, whole);
    if (status == GLS_OK && !(copy = gls_options_clone(options))) status = GLS_ERR_MEMORY;
    for (const gls_option *row = table; status == GLS_OK && row->key; row++) {
        gls_value *value = NULL;
        status = gls_options_value(options, row->key, &value);
        if (status == GLS_OK) status = gls_options_set_value(copy, value);
        gls_value_destroy(ctx, value);
    }
    char *text = status == GLS_OK ? gls_options_text(copy, "group") : NULL;
    if (status == GLS_OK && !text) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) check_whole(gls_options_struct(copy));
    gls_free(ctx, text);
    gls_options_destroy(copy);
    gls_options_destroy(options);
    return status;
}

static void every_allocation_may_fail(void **state) {
    fail_each_allocation(read_write_and_clone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_type_is_read),
        TEST(lists_and_maps_are_printed),
        TEST(text_is_read_as_the_file_is),
        TEST(bad_lists_say_where_and_change_nothing),
        TEST(text_and_tree_read_back),
        TEST(copies_are_apart),
        TEST(fields_lie_inside_their_struct),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
