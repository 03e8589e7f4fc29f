#include "support.h"

#include "base/text.h"

#include <locale.h>
#include <math.h>

typedef struct settings {
    double lr, beta, unset;
    int64_t count, examples;
    bool flag;
    int reduce;
    const char *name, *path;
    gls_length length;
    double seconds;
    const gls_value *groups;
} settings;

static const gls_option table[] = {
    {"lr", GLS_OPTION_REAL, offsetof(settings, lr), "0.1", 0, INFINITY, GLS_OPTION_ABOVE_MIN | GLS_OPTION_SCHEDULABLE,
     NULL, "learning rate"},
    {"beta", GLS_OPTION_REAL, offsetof(settings, beta), "0.9", 0, 1, GLS_OPTION_BELOW_MAX, NULL, "momentum"},
    {"unset", GLS_OPTION_REAL, offsetof(settings, unset), "nan", 0, 0, 0, NULL, "may stay open"},
    {"count", GLS_OPTION_INT, offsetof(settings, count), "3", 0, 0, 0, NULL, "a count"},
    {"examples", GLS_OPTION_SIZE, offsetof(settings, examples), "all", 1, 1000000, 0, NULL, "how many"},
    {"flag", GLS_OPTION_BOOL, offsetof(settings, flag), "true", 0, 0, 0, NULL, "a flag"},
    {"reduce", GLS_OPTION_ENUM, offsetof(settings, reduce), "sum", 0, 0, 0, "mean|sum|median", "how"},
    {"name", GLS_OPTION_STRING, offsetof(settings, name), NULL, 0, 0, 0, NULL, "a name"},
    {"path", GLS_OPTION_PATH, offsetof(settings, path), NULL, 0, 0, 0, NULL, "a file"},
    {"length", GLS_OPTION_LENGTH, offsetof(settings, length), "10", 0, 0, 0, NULL, "how long"},
    {"seconds", GLS_OPTION_TIME, offsetof(settings, seconds), "90", 0, 0, 0, NULL, "time"},
    {"groups", GLS_OPTION_VALUE, offsetof(settings, groups), NULL, 0, 0, 0, NULL, "groups"},
    {NULL},
};

typedef struct fixture {
    counting memory;
    gls_context *ctx;
    gls_options *options;
    const settings *s;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = counting_context(&f->memory, 1);
    assert_int_equal(gls_options_create(f->ctx, "method 'adam'", table, sizeof(settings), &f->options), GLS_OK);
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

static void defaults_are_there(void **state) {
    fixture *f = *state;
    assert_true(f->s->lr == 0.1 && f->s->beta == 0.9 && isnan(f->s->unset));
    assert_int_equal(f->s->count, 3);
    assert_int_equal(f->s->examples, -1);
    assert_true(f->s->flag);
    assert_int_equal(f->s->reduce, 1);
    assert_null(f->s->name);
    assert_null(f->s->path);
    assert_null(f->s->groups);
    assert_true(f->s->length.amount == 10 && !f->s->length.steps);
    assert_true(f->s->seconds == 90);
    assert_false(gls_options_given(f->options, "lr"));
    assert_ptr_equal(gls_options_table(f->options), table);
}

static void good_texts_are_read(void **state) {
    fixture *f = *state;
    static const struct {
        const char *text;
        int64_t value;
    } whole[] = {{"0", 0},
                 {"-7", -7},
                 {"1e6", 1000000},
                 {"64k", 64000},
                 {"4M", 4000000},
                 {"2.5k", 2500},
                 {"1G", 1000000000},
                 {"9223372036854775807", INT64_MAX},
                 {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        assert_int_equal(gls_options_set(f->options, "count", whole[i].text), GLS_OK);
        assert_int_equal(f->s->count, whole[i].value);
    }
    static const char *const truth[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(gls_options_set(f->options, "flag", truth[i]), GLS_OK);
        assert_int_equal(f->s->flag, i % 2);
    }
    static const struct {
        const char *text;
        double amount;
        bool steps;
    } length[] = {
        {"10", 10, false}, {"10e", 10, false}, {"0.5", 0.5, false}, {"500s", 500, true}, {"1e3s", 1000, true}};
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        assert_int_equal(gls_options_set(f->options, "length", length[i].text), GLS_OK);
        assert_true(f->s->length.amount == length[i].amount && f->s->length.steps == length[i].steps);
    }
    static const struct {
        const char *text;
        double seconds;
    } time[] = {{"90", 90}, {"90s", 90}, {"2m", 120}, {"1.5h", 5400}};
    for (size_t i = 0; i < sizeof time / sizeof *time; i++) {
        assert_int_equal(gls_options_set(f->options, "seconds", time[i].text), GLS_OK);
        assert_true(f->s->seconds == time[i].seconds);
    }
    assert_int_equal(gls_options_set(f->options, "examples", "4k"), GLS_OK);
    assert_int_equal(f->s->examples, 4000);
    assert_int_equal(gls_options_set(f->options, "reduce", "median"), GLS_OK);
    assert_int_equal(f->s->reduce, 2);
    assert_int_equal(gls_options_set(f->options, "lr", "1e-3"), GLS_OK);
    assert_true(f->s->lr == 1e-3);
    assert_true(gls_options_given(f->options, "lr"));
    assert_int_equal(gls_options_set_real(f->options, "lr", 0.3), GLS_OK);
    assert_true(f->s->lr == 0.3);
    assert_int_equal(gls_options_set_int(f->options, "count", 12), GLS_OK);
    assert_int_equal(gls_options_set_real(f->options, "count", 13), GLS_OK);
    assert_int_equal(f->s->count, 13);
}

static void bad_texts_are_refused_and_change_nothing(void **state) {
    fixture *f = *state;
    static const char *const bad[][2] = {
        {"lr", "inf"},        {"lr", "1e400"},
        {"length", "inf"},    {"length", "1e400"},
        {"seconds", "1e400"}, {"lr", "x"},
        {"lr", ""},           {"lr", "0.1x"},
        {"lr", " 1"},         {"lr", "0"},
        {"lr", "-1"},         {"lr", "nan"},
        {"beta", "1"},        {"beta", "-0.1"},
        {"count", "1.5"},     {"count", "1e-3"},
        {"count", "64q"},     {"count", "1e300"},
        {"count", "k"},       {"count", "9223372036854775808"},
        {"count", "nan"},     {"examples", "-1"},
        {"examples", "0"},    {"examples", "2M"},
        {"examples", "none"}, {"flag", "maybe"},
        {"flag", "True!"},    {"reduce", "max"},
        {"reduce", "mea"},    {"reduce", "mean|sum"},
        {"reduce", ""},       {"length", "-1"},
        {"length", "2.5s"},   {"length", "10x"},
        {"length", "nan"},    {"length", "s"},
        {"seconds", "1d"},    {"seconds", "-5s"},
        {"seconds", "nan"},
    };
    settings before = *f->s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(gls_options_set(f->options, bad[i][0], bad[i][1]), GLS_ERR_ARGUMENT);
        assert_says(f->ctx, bad[i][0]);
        assert_says(f->ctx, bad[i][1]);
        assert_says(f->ctx, "of method 'adam': expected ");
        assert_false(gls_options_given(f->options, bad[i][0]));
    }
    assert_memory_equal(&before, f->s, sizeof before);
    assert_int_equal(gls_options_set_real(f->options, "lr", NAN), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_options_set_real(f->options, "count", 0.5), GLS_ERR_ARGUMENT);
}

static void messages_say_what_was_expected(void **state) {
    fixture *f = *state;
    gls_options_set(f->options, "lr", "x");
    assert_string_equal(gls_context_message(f->ctx),
                        "option 'lr' of method 'adam': expected a number above 0, or a schedule, found 'x'");
    gls_options_set(f->options, "beta", "2");
    assert_string_equal(gls_context_message(f->ctx),
                        "option 'beta' of method 'adam': expected a number at least 0 and below 1, found '2'");
    gls_options_set(f->options, "reduce", "avg");
    assert_says(f->ctx, "expected one of mean, sum, median, found 'avg'");
    gls_value *value = gls_value_create(f->ctx, GLS_VALUE_TEXT, "lr", "fast");
    value->file = "a.yaml";
    value->line = 12;
    assert_int_equal(gls_options_set_value(f->options, value), GLS_ERR_ARGUMENT);
    assert_int_equal(strncmp(gls_context_message(f->ctx), "a.yaml:12: option 'lr'", 22), 0);
    gls_value_destroy(f->ctx, value);
}

static void unknown_keys_name_the_nearest(void **state) {
    fixture *f = *state;
    static const char *const near[][2] = {
        {"cuont", "'count'"}, {"lenght", "'length'"}, {"LR", "'lr'"}, {"betta", "'beta'"}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(gls_options_set(f->options, near[i][0], "1"), GLS_ERR_ARGUMENT);
        assert_says(f->ctx, near[i][0]);
        assert_says(f->ctx, "; did you mean '");
        assert_says(f->ctx, near[i][1]);
    }
    assert_int_equal(gls_options_set(f->options, "zzzzzzzz", "1"), GLS_ERR_ARGUMENT);
    assert_null(strstr(gls_context_message(f->ctx), "did you mean"));
    gls_options *none;
    assert_int_equal(gls_options_create(f->ctx, "measure 'x'", NULL, 0, &none), GLS_OK);
    assert_int_equal(gls_options_set(none, "a", "1"), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_options_apply(none, NULL, NULL), GLS_OK);
    gls_options_destroy(none);
}

static gls_value *scalar(gls_context *ctx, const char *key, const char *text) {
    return gls_value_create(ctx, GLS_VALUE_TEXT, key, text);
}

static void schedulable_takes_a_schedule(void **state) {
    fixture *f = *state;
    gls_value *map = gls_value_create(f->ctx, GLS_VALUE_MAP, "lr", NULL);
    gls_value_append(f->ctx, map, scalar(f->ctx, "from", "0.25"));
    gls_value_append(f->ctx, map, scalar(f->ctx, "name", "poly"));
    assert_null(gls_options_schedule(f->options, "lr"));
    assert_int_equal(gls_options_set_value(f->options, map), GLS_OK);
    assert_true(f->s->lr == 0.25);
    const gls_value *schedule = gls_options_schedule(f->options, "lr");
    assert_string_equal(gls_value_get(schedule, "name")->text, "poly");
    gls_value_destroy(f->ctx, map); /* it was copied */
    assert_string_equal(gls_value_get(schedule, "name")->text, "poly");
    /* A constant takes its place. */
    assert_int_equal(gls_options_set(f->options, "lr", "0.5"), GLS_OK);
    assert_null(gls_options_schedule(f->options, "lr"));
    /* Bounds hold for `from`; others take no map. */
    map = gls_value_create(f->ctx, GLS_VALUE_MAP, "lr", NULL);
    gls_value_append(f->ctx, map, scalar(f->ctx, "from", "-1"));
    assert_int_equal(gls_options_set_value(f->options, map), GLS_ERR_ARGUMENT);
    gls_value_destroy(f->ctx, map);
    map = gls_value_create(f->ctx, GLS_VALUE_MAP, "beta", NULL);
    assert_int_equal(gls_options_set_value(f->options, map), GLS_ERR_ARGUMENT);
    assert_says(f->ctx, "found 'a map'");
    gls_value_destroy(f->ctx, map);
    assert_true(f->s->lr == 0.5);
    /* As text, too. */
    assert_int_equal(gls_options_set(f->options, "lr", "{from: 0.75, name: poly}"), GLS_OK);
    assert_true(f->s->lr == 0.75);
    assert_string_equal(gls_value_get(gls_options_schedule(f->options, "lr"), "name")->text, "poly");
    assert_int_equal(gls_options_set(f->options, "lr", "[1]"), GLS_ERR_ARGUMENT);
    assert_says(f->ctx, "option 'lr' of method 'adam': expected a number above 0, or a schedule, found 'a list'");
    assert_int_equal(gls_options_set(f->options, "groups", "[1, 2]"), GLS_OK);
    assert_int_equal(f->s->groups->count, 2);
}

static void values_are_copied(void **state) {
    fixture *f = *state;
    gls_value *list = gls_value_create(f->ctx, GLS_VALUE_LIST, "groups", NULL);
    for (int i = 0; i < 5; i++) gls_value_append(f->ctx, list, scalar(f->ctx, NULL, "item"));
    assert_int_equal(gls_options_set_value(f->options, list), GLS_OK);
    gls_value_destroy(f->ctx, list);
    assert_int_equal(f->s->groups->count, 5);
    assert_string_equal(f->s->groups->items[4]->text, "item");
    assert_null(gls_options_schedule(f->options, "groups"));
    assert_int_equal(gls_options_set(f->options, "groups", "all"), GLS_OK);
    assert_string_equal(f->s->groups->text, "all");
}

static void quoted_is_never_a_number_and_null_is_the_default(void **state) {
    fixture *f = *state;
    gls_value *value = scalar(f->ctx, "count", "5");
    value->quoted = true;
    assert_int_equal(gls_options_set_value(f->options, value), GLS_ERR_ARGUMENT);
    value->quoted = false;
    assert_int_equal(gls_options_set_value(f->options, value), GLS_OK);
    assert_int_equal(f->s->count, 5);
    gls_value_destroy(f->ctx, value);
    value = gls_value_create(f->ctx, GLS_VALUE_NULL, "count", NULL);
    assert_int_equal(gls_options_set_value(f->options, value), GLS_OK);
    assert_int_equal(f->s->count, 3);
    assert_false(gls_options_given(f->options, "count"));
    gls_value_destroy(f->ctx, value);
    value = scalar(f->ctx, "name", "5");
    value->quoted = true;
    assert_int_equal(gls_options_set_value(f->options, value), GLS_OK);
    assert_string_equal(f->s->name, "5");
    gls_value_destroy(f->ctx, value);
}

static void path_is_meant_from_its_file(void **state) {
    fixture *f = *state;
    static const struct {
        const char *text, *file;
        int line;
        const char *expected;
    } path[] = {{"a9a", "conf/x.yaml", 3, "conf/a9a"},
                {"/abs/a9a", "conf/x.yaml", 3, "/abs/a9a"},
                {"a9a", "x.yaml", 3, "a9a"},
                {"a9a", "--set", 0, "a9a"},
                {"a/b", "/c/d.yaml", 1, "/c/a/b"}};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        gls_value *value = scalar(f->ctx, "path", path[i].text);
        value->file = path[i].file;
        value->line = path[i].line;
        assert_int_equal(gls_options_set_value(f->options, value), GLS_OK);
        assert_string_equal(f->s->path, path[i].expected);
        gls_value_destroy(f->ctx, value);
    }
}

static const gls_option required[] = {
    {"a", GLS_OPTION_INT, 0, NULL, 0, 0, GLS_OPTION_REQUIRED, NULL, "needed"},
    {"b", GLS_OPTION_INT, sizeof(int64_t), "1", 0, 0, 0, NULL, "not needed"},
    {NULL},
};

static void apply_sets_all_but_the_exceptions(void **state) {
    fixture *f = *state;
    gls_options *options;
    assert_int_equal(gls_options_create(f->ctx, "format 'csv'", required, 2 * sizeof(int64_t), &options), GLS_OK);
    assert_int_equal(gls_options_apply(options, NULL, NULL), GLS_ERR_ARGUMENT);
    assert_says(f->ctx, "option 'a' of format 'csv' is missing");
    gls_value *map = gls_value_create(f->ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_value_append(f->ctx, map, scalar(f->ctx, "name", "csv"));
    gls_value_append(f->ctx, map, scalar(f->ctx, "a", "4"));
    assert_int_equal(gls_options_apply(options, map, NULL), GLS_ERR_ARGUMENT);
    assert_says(f->ctx, "unknown option 'name'");
    assert_int_equal(gls_options_apply(options, map, (const char *const[]){"other", "name", NULL}), GLS_OK);
    assert_int_equal(((const int64_t *)gls_options_struct(options))[0], 4);
    gls_value *list = gls_value_create(f->ctx, GLS_VALUE_LIST, NULL, NULL);
    assert_int_equal(gls_options_apply(options, list, NULL), GLS_ERR_ARGUMENT);
    gls_value_destroy(f->ctx, list);
    gls_value_destroy(f->ctx, map);
    gls_options_destroy(options);
}

static void text_reads_back_to_the_same_bits(void **state) {
    fixture *f = *state;
    gls_random random = gls_random_create(1, "text", 0, 0);
    for (int i = 0; i < 2000; i++) {
        double x = ldexp(gls_random_uniform(&random) + 0x1p-60, (int)gls_random_below(&random, 2000) - 1000);
        assert_int_equal(gls_options_set_real(f->options, "lr", x), GLS_OK);
        if (f->s->lr != x) fail_msg("%.17g became %.17g", x, f->s->lr);
        char *text = gls_options_text(f->options, "lr");
        assert_int_equal(gls_options_set(f->options, "lr", "1"), GLS_OK);
        assert_int_equal(gls_options_set(f->options, "lr", text), GLS_OK);
        if (f->s->lr != x) fail_msg("%.17g became %s", x, text);
        gls_free(f->ctx, text);
    }
    static const char *const each[][3] = {
        {"lr", "0.1", "0.1"},           {"lr", "1e-3", "0.001"},  {"unset", "nan", "nan"}, {"count", "64k", "64000"},
        {"examples", "all", "all"},     {"examples", "5", "5"},   {"flag", "on", "true"},  {"reduce", "mean", "mean"},
        {"reduce", "median", "median"}, {"name", "a b", "a b"},   {"path", "x/y", "x/y"},  {"length", "10e", "10"},
        {"length", "500s", "500s"},     {"seconds", "2m", "120"},
    };
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        assert_int_equal(gls_options_set(f->options, each[i][0], each[i][1]), GLS_OK);
        char *text = gls_options_text(f->options, each[i][0]);
        assert_string_equal(text, each[i][2]);
        assert_int_equal(gls_options_set(f->options, each[i][0], text), GLS_OK);
        gls_free(f->ctx, text);
    }
    assert_null(gls_options_text(f->options, "groups"));
}

static void numbers_do_not_depend_on_the_locale(void **state) {
    fixture *f = *state;
    char *comma = NULL;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    for (int i = 0; i < 4 && !comma; i++) comma = setlocale(LC_ALL, names[i]);
    if (!comma) return; /* none is installed here */
    assert_int_equal(gls_options_set(f->options, "lr", "0.25"), GLS_OK);
    char *text = gls_options_text(f->options, "lr");
    setlocale(LC_ALL, "C");
    assert_true(f->s->lr == 0.25);
    assert_string_equal(text, "0.25");
    gls_free(f->ctx, text);
}

static void clone_is_whole_and_apart(void **state) {
    fixture *f = *state;
    gls_options_set(f->options, "lr", "0.7");
    gls_options_set(f->options, "name", "first");
    gls_value *map = gls_value_create(f->ctx, GLS_VALUE_MAP, "lr", NULL);
    map->file = "x.yaml";
    gls_value_append(f->ctx, map, scalar(f->ctx, "from", "0.25"));
    gls_options_set_value(f->options, map);
    gls_value_destroy(f->ctx, map);
    gls_options *copy = gls_options_clone(f->options);
    gls_options_set(f->options, "name", "second");
    gls_options_set(f->options, "lr", "1");
    gls_options_set(f->options, "count", "77");
    const settings *s = gls_options_struct(copy);
    assert_string_equal(s->name, "first");
    assert_true(s->lr == 0.25);
    assert_string_equal(gls_options_schedule(copy, "lr")->file, "x.yaml");
    assert_int_equal(s->count, 3);
    assert_true(gls_options_given(copy, "name"));
    assert_false(gls_options_given(copy, "count"));
    gls_options_destroy(copy);
}

static gls_status make_and_clone(gls_context *ctx) {
    gls_options *options = NULL, *copy = NULL;
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_value *groups = map ? gls_value_create(ctx, GLS_VALUE_LIST, "groups", NULL) : NULL;
    gls_status status = GLS_ERR_MEMORY;
    if (groups && gls_value_append(ctx, map, groups) == GLS_OK) status = GLS_OK;
    if (status == GLS_OK) {
        map->file = groups->file = "f.yaml";
        status = gls_value_append(ctx, groups, scalar(ctx, NULL, "x"));
    }
    if (status == GLS_OK) status = gls_value_append(ctx, map, scalar(ctx, "name", "n"));
    if (status == GLS_OK) status = gls_value_append(ctx, map, scalar(ctx, "path", "p"));
    if (status == GLS_OK) status = gls_options_create(ctx, "x", table, sizeof(settings), &options);
    if (status == GLS_OK) status = gls_options_apply(options, map, NULL);
    if (status == GLS_OK && !(copy = gls_options_clone(options))) status = GLS_ERR_MEMORY;
    char *text = status == GLS_OK ? gls_options_text(copy, "name") : NULL;
    if (status == GLS_OK && !text) status = GLS_ERR_MEMORY;
    gls_free(ctx, text);
    gls_options_destroy(copy);
    gls_options_destroy(options);
    gls_value_destroy(ctx, map);
    return status;
}

static void every_allocation_may_fail(void **state) {
    fail_each_allocation(make_and_clone);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_there),
        TEST(good_texts_are_read),
        TEST(bad_texts_are_refused_and_change_nothing),
        TEST(messages_say_what_was_expected),
        TEST(unknown_keys_name_the_nearest),
        TEST(schedulable_takes_a_schedule),
        TEST(values_are_copied),
        TEST(quoted_is_never_a_number_and_null_is_the_default),
        TEST(path_is_meant_from_its_file),
        TEST(apply_sets_all_but_the_exceptions),
        TEST(text_reads_back_to_the_same_bits),
        TEST(numbers_do_not_depend_on_the_locale),
        TEST(clone_is_whole_and_apart),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
