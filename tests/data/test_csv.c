/* Tables of delimited text: columns, quotes, categories, missing values, other sets of the same columns; and the whole
 * reading against Python's csv module. */
#include "support.h"

#include <unistd.h>

static char folder[512];

static gls_status open_text(gls_context *ctx, const char *text, const char *options, gls_part part,
                            const gls_data_info *like, gls_source **out) {
    write_text(in_folder(folder, "t.csv"), text);
    return open_status(ctx, "csv", in_folder(folder, "t.csv"), options, part, like, out);
}

static gls_source *open_train(gls_context *ctx, const char *text, const char *options) {
    gls_source *source;
    if (open_text(ctx, text, options, GLS_PART_TRAIN, NULL, &source)) fail_msg("%s", gls_context_message(ctx));
    return source;
}

static void check_row(const gls_batch *b, int64_t i, const double *expected) {
    for (int64_t j = 0; j < b->features; j++)
        if (value_at(b, i, j) != (double)(gls_real)expected[j])
            fail_msg("row %d, feature %d: %g, not %g", (int)i, (int)j, value_at(b, i, j), expected[j]);
}

static const char people[] = "\xef\xbb\xbf\"age\", city ,\"the \"\"score\"\"\",y,w,user\r\n"
                             "30,Paris,1.5e0,yes,1,ann\r\n"
                             "\r\n"
                             "-4,\"New\nYork, \"\"NY\"\"\",.25,no,2.5,bob\r\n"
                             "\"7\",Paris,-3,yes,1,ann";

static void reads_columns(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s = open_train(ctx, people, "{target: y, weight: w, key: user}");
    static const char *const names[] = {"age", "city=New\nYork, \"NY\"", "city=Paris", "the \"score\""};
    assert_int_equal(s->info.features, 4);
    for (int j = 0; j < 4; j++) assert_string_equal(s->info.feature_names[j], names[j]);
    assert_int_equal(s->info.classes, 2);
    assert_string_equal(s->info.class_names[1], "yes");
    assert_int_equal(s->info.targets, 0);
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    assert_int_equal(b.rows, 3);
    check_row(&b, 0, (double[]){30, 0, 1, 1.5});
    check_row(&b, 1, (double[]){-4, 1, 0, 0.25});
    check_row(&b, 2, (double[]){7, 0, 1, -3});
    const int32_t label[] = {1, 0, 1};
    assert_memory_equal(b.label, label, sizeof label);
    assert_true(b.mass[0] == 1 && b.mass[1] == 2.5 && b.mass[2] == 1);
    const int64_t *key = gls_source_column(s, "user");
    assert_true(key && key[0] == 0 && key[1] == 1 && key[2] == 0);
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

/* Whole numbers are classes and numbers at once, and one of the two where that is asked for. */
static void kinds_of_targets(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const struct {
        const char *text, *options;
        gls_target_kind target;
        int64_t classes, targets;
    } set[] = {
        {"x,y\n1,30\n2,4\n3,30\n", "{target: y}", GLS_TARGET_CLASS, 2, 1},
        {"x,y\n1,30\n2,4\n3,30\n", "{target: y, kind: real}", GLS_TARGET_REAL, 0, 1},
        {"x,y\n1,30\n2,4\n3,30\n", "{target: y, kind: class}", GLS_TARGET_CLASS, 2, 0},
        {"x,y\n1,30\n2,4.5\n3,30\n", "{target: y}", GLS_TARGET_REAL, 0, 1},
        {"x,y\n1,a\n2,4.5\n3,a\n", "{target: y}", GLS_TARGET_CLASS, 2, 0},
        {"x,y\n1,a\n2,4.5\n3,a\n", "{ignore: y}", GLS_TARGET_NONE, 0, 0},
    };
    for (size_t k = 0; k < sizeof set / sizeof *set; k++) {
        gls_source *s = open_train(ctx, set[k].text, set[k].options);
        assert_int_equal(s->info.features, 1);
        assert_int_equal(s->info.target, set[k].target);
        assert_int_equal(s->info.classes, set[k].classes);
        assert_int_equal(s->info.targets, set[k].targets);
        int32_t label[3] = {-1};
        gls_real y[3] = {0};
        assert_int_equal(gls_source_targets(s, ctx, label, y), GLS_OK);
        if (k == 0 || k == 2) assert_true(label[0] == 1 && label[1] == 0); /* 4 before 30 */
        if (k < 2) assert_true(y[0] == 30 && y[1] == 4);
        gls_source_destroy(s);
    }
    counting_end(&c, ctx);
}

static void roles_and_marks(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s = open_train(ctx, "a;b;c\n1;'x;y';2\n", "{features: [c, b], delimiter: ';', quote: \"'\"}");
    assert_int_equal(s->info.features, 2);
    assert_string_equal(s->info.feature_names[0], "b=x;y");
    assert_string_equal(s->info.feature_names[1], "c");
    gls_source_destroy(s);
    s = open_train(ctx, "5,7,9\n6,8,9\n", "{header: false, target: '2', categories: '1', kind: real}");
    assert_int_equal(s->info.examples, 2);
    assert_string_equal(s->info.feature_names[0], "1=5");
    assert_string_equal(s->info.feature_names[2], "3");
    gls_source_destroy(s);
    write_text(in_folder(folder, "t.tsv"), "a\tb\n 1\t\"2\"\n");
    s = open_ok(ctx, "csv", in_folder(folder, "t.tsv"), NULL);
    assert_int_equal(s->info.features, 2);
    gls_source_destroy(s);
    s = open_train(ctx, ",a\n0,1\n", "{ignore: ['1']}"); /* an index without a name */
    assert_int_equal(s->info.features, 1);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

/* Numbers, texts by frequency, line breaks inside of them, and what is called like a category but is a number. */
static void described(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s = open_train(ctx, "age,city,a=b,y\n20,\"New\nYork\",7,1\n30,Oslo,8,0\n70,Oslo,9,1\n,,9,1\n",
                               "{target: y, kind: class, fill: mean}");
    gls_description d;
    assert_int_equal(gls_source_describe(ctx, s, &d), GLS_OK);
    assert_int_equal(d.columns, 3);
    const gls_description_column *age = &d.column[0], *city = &d.column[1], *named = &d.column[2];
    assert_string_equal(age->name, "age");
    assert_true(!age->texts && age->minimum == 20 && age->maximum == 70 && age->mean == 40);
    assert_string_equal(city->name, "city");
    assert_true(city->texts == 3 && city->first == 1);
    assert_string_equal(named->name, "a=b");
    assert_true(!named->texts && named->mean == 8.25 && named->first == 4);
    const char *line = strstr(d.text, "\n  city ");
    assert_non_null(line);
    assert_non_null(strstr(line, " 3 texts: Oslo 50%, (missing) 25%, New York 25%\n"));
    gls_description_clear(ctx, &d);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

static void missing_values(void **state) {
    static const char text[] = "a,b,y\n1,x,1\n,y,0\nNA,?,1\n4,x,0\n";
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s, *test;
    assert_int_equal(open_text(ctx, text, "{target: y}", GLS_PART_TRAIN, NULL, &s), GLS_ERR_INPUT);
    assert_says(ctx, "3 values are missing: 'a' 2 (first in line 3), 'b' 1 (first in line 4); option fill");
    s = open_train(ctx, text, "{target: y, fill: mean}");
    assert_string_equal(s->info.feature_names[1], "b=");
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    check_row(&b, 1, (double[]){2.5, 0, 0, 1});
    check_row(&b, 2, (double[]){2.5, 1, 0, 0});
    gls_rows_destroy(rows);
    if (open_text(ctx, "y,b,a\n1,,\n0,x,100\n", "{target: y, fill: mean}", GLS_PART_TEST, &s->info, &test))
        fail_msg("%s", gls_context_message(ctx));
    b = whole(ctx, test, &rows);
    check_row(&b, 0, (double[]){2.5, 1, 0, 0}); /* the training file's mean */
    gls_rows_destroy(rows);
    gls_source_destroy(test);
    gls_source_destroy(s);
    s = open_train(ctx, text, "{target: y, fill: zero, missing: ['', NA]}");
    b = whole(ctx, s, &rows);
    check_row(&b, 2, (double[]){0, 1, 0, 0}); /* '?' is a text now */
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

/* Another file is read by the training set's names, in whatever order its columns are. */
static void other_sets_follow(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s = open_train(ctx, "a,city,y\n1,Rome,no\n2,Paris,yes\n3,Rome,yes\n", "{target: y}"), *test;
    if (open_text(ctx, "y,city,id,a\nyes,Rome,77,5\n", "{target: y}", GLS_PART_TEST, &s->info, &test))
        fail_msg("%s", gls_context_message(ctx));
    gls_rows *rows;
    gls_batch b = whole(ctx, test, &rows);
    check_row(&b, 0, (double[]){5, 0, 1});
    assert_int_equal(b.label[0], 1);
    gls_rows_destroy(rows);
    gls_source_destroy(test);
    if (open_text(ctx, "city,a\nParis,6\n", "{target: y}", GLS_PART_ROWS, &s->info, &test))
        fail_msg("%s", gls_context_message(ctx));
    b = whole(ctx, test, &rows);
    check_row(&b, 0, (double[]){6, 1, 0});
    gls_rows_destroy(rows);
    gls_source_destroy(test);
    static const char *const bad[][3] = {
        {"a,city,y\n1,Rome,no\n1,Oslo,no\n", "{target: y}", "t.csv:3: column 'city': 'Oslo' is not among"},
        {"a,y\n1,no\n", "{target: y}", "there is no column for the training set's 'city=Paris'"},
        {"a,city\n1,Rome\n", "{target: y}", "target: there is no column 'y'"},
        {"a,city,y\n1,Rome,maybe\n", "{target: y}", "t.csv:2: column 'y': 'maybe' is not a class"},
        {"a,city,y\nx,Rome,no\n", "{target: y}", "t.csv:2: column 'a': 'x' is not a number"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(open_text(ctx, bad[k][0], bad[k][1], GLS_PART_TEST, &s->info, &test), GLS_ERR_INPUT);
        assert_says(ctx, bad[k][2]);
    }
    if (open_text(ctx, bad[0][0], "{target: y, unknown: zero}", GLS_PART_TEST, &s->info, &test))
        fail_msg("%s", gls_context_message(ctx));
    b = whole(ctx, test, &rows);
    check_row(&b, 1, (double[]){1, 0, 0});
    gls_rows_destroy(rows);
    gls_source_destroy(test);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

/* Text, options, what is said of it. */
static const char *const bad[][3] = {
    {"a,b\n1,2\n3\n", NULL, "t.csv:3: 1 fields, expected 2"},
    {"a,b\n1,2,3\n", NULL, "t.csv:2: 3 fields"},
    {"a,b\n1,\"x\n\ny\"\nz,q\n", NULL, "t.csv:5: column 'a': 'z' is not a number as those above"},
    {"a,b\r1,x\rz,q\r", NULL, "t.csv:3: column 'a': 'z'"},
    {"a,b\n1,2\n3,x\"y\n", NULL, "t.csv:3: a quote inside"},
    {"a,b\n1,2\n3,\"x\ny", NULL, "t.csv:3: a quote is not closed"},
    {"a,a\n1,2\n", NULL, "columns 1 and 2 are both called 'a'"},
    {"1,2\n3,4\n", NULL, "t.csv:1: the first line holds numbers only"},
    {"a;b\n3;4\n", NULL, "option delimiter"},
    {",b\n3,4\n", NULL, "column 1 has no name"},
    {"a,b\n", NULL, "no examples"},
    {"", NULL, "no examples"},
    {"a,b\n1,2\n", "{target: bb}", "target: there is no column 'bb'; did you mean 'b'?"},
    {"a,b\n1,2\n3,x\"y\n4,\"z\"\n", NULL, "t.csv:3: a quote inside"},
    {"a,b\n1,2\n3,\"x\ny\"z\n4,\"z\"\n", NULL, "t.csv:4: a quote inside of a field, or text behind"},
    {"a,b\n1,\"2\"\n3,\"\"\n", NULL, "1 value is missing: 'b' 1 (first in line 3)"},
    {"a,b\n1,2\n", "{ignore: [a, b]}", "no column of features is left"},
    {"a,b,w\n1,2,0\n", "{weight: w}", "column 'w': row 0 has weight 0"},
    {"a,b,w\n1,2,x\n", "{weight: w}", "t.csv:2: column 'w': 'x' is not a number"},
    {"a,b,y\n1,2,\n", "{target: y}", "t.csv:2: column 'y': the value is missing"},
    {"a,k\n1,2.5\n", "{key: k}", "key 2.5"},
    {"a,b\n1,x\n1,y\n1,z\n", "{most_categories: 2}", "t.csv:4: column 'b': 'z' is one text more than the 2"},
    {"a,b\n1,\n1,\n", "{fill: mean}", "column 'b' has no value"},
    {"a=x,a\n1,x\n", NULL, "'a=x' is called like a category of column 'a'"},
    {"a,b\n1e400,1\n", NULL, "t.csv:2: column 'a': a number is too large"},
    {"a,b\n1,-inf\n2,3\n", NULL, "t.csv:2: column 'b': '-inf' is not finite"},
    {"a,b\n1,Infinity\n", NULL, "t.csv:2: column 'b': 'Infinity' is not finite"},
    {"a,b\n1,2\n2,inf\n", NULL, "t.csv:3: column 'b': 'inf' is not a number"},
};

static void refuses(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        gls_status status = open_text(ctx, bad[k][0], bad[k][1], GLS_PART_TRAIN, NULL, &s);
        if (status != GLS_ERR_INPUT) fail_msg("%s: status %d, %s", bad[k][0], status, gls_context_message(ctx));
        assert_says(ctx, bad[k][2]);
    }
    assert_int_equal(open_text(ctx, "a,b\n1,inf\n2,sup\n", "{categories: [b]}", GLS_PART_TRAIN, NULL, &s), GLS_OK);
    gls_source_destroy(s);
    assert_int_equal(open_text(ctx, "a,b\n1,2\n", "{target: b, key: b}", GLS_PART_TRAIN, NULL, &s), GLS_ERR_ARGUMENT);
    assert_int_equal(open_text(ctx, "a,b\n1,2\n", "{delimiter: ';;'}", GLS_PART_TRAIN, NULL, &s), GLS_ERR_ARGUMENT);
    write_bytes(in_folder(folder, "t.csv"), "a,b\n1,2\n1,\0\n", 13);
    assert_int_equal(open_status(ctx, "csv", in_folder(folder, "t.csv"), NULL, GLS_PART_TRAIN, NULL, &s),
                     GLS_ERR_INPUT);
    assert_says(ctx, "t.csv:3: a NUL byte");
    counting_end(&c, ctx);
}

/* Names that need quotes, numbers to the last bit, in dense and sparse sets. */
static void written_files_read_back(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *s = open_train(ctx, people, "{target: y, ignore: [w, user]}"), *back;
    assert_int_equal(gls_source_write(ctx, s, "csv", in_folder(folder, "w.csv"), NULL, NULL), GLS_OK);
    back = open_ok(ctx, "csv", in_folder(folder, "w.csv"), "{target: class}");
    assert_same_source(ctx, s, back);
    for (int j = 0; j < 4; j++) assert_string_equal(s->info.feature_names[j], back->info.feature_names[j]);
    gls_source_destroy(back);
    gls_source_destroy(s);
    s = open_ok(ctx, "sparse", NULL, "{train_size: 60}");
    assert_int_equal(gls_source_write(ctx, s, "csv", in_folder(folder, "w.tsv"), NULL, NULL), GLS_OK);
    back = open_ok(ctx, "csv", in_folder(folder, "w.tsv"), "{target: target}");
    assert_same_source(ctx, s, back);
    gls_source_destroy(back);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

/* ---- against Python's reader ---- */

static void write_random(const char *path, int rows) {
    static const char *const city[] = {"Rome", "\"New York, NY\"", "\"a \"\"b\"\"\"", "\"two\nlines\"", "Z\xc3\xbcrich",
                                       "0x",   "\" x \""};
    FILE *f = fopen(path, "w");
    gls_random random = gls_random_create(7, "csv", 0, 0);
    fputs("n1,n2,city,n3,\"flag\",y,w\n", f);
    for (int i = 0; i < rows; i++) {
        double u = gls_random_uniform(&random), v = gls_random_uniform(&random);
        fprintf(f, "%.17g,%d,%s,%.*e,%s,class %d,%.3f%s\n", u - 0.5, (int)(1000 * v),
                city[gls_random_below(&random, 7)], (int)gls_random_below(&random, 19),
                (u - 0.5) * pow(10, 60 * v - 30), v > 0.5 ? "true" : "false", (int)gls_random_below(&random, 4),
                v + 0.001, i % 50 == 7 ? "\n" : "");
    }
    fclose(f);
}

static void compare_rows(const gls_batch *b, FILE *f) {
    for (int64_t i = 0; i < b->rows; i++) {
        int label;
        double value;
        assert_int_equal(fscanf(f, "%d %la", &label, &value), 2);
        assert_int_equal(b->label[i], label);
        assert_true(b->mass[i] == value);
        for (int64_t j = 0; j < b->features; j++) {
            assert_int_equal(fscanf(f, "%la", &value), 1);
            if (value_at(b, i, j) != (double)(gls_real)value)
                fail_msg("row %d, feature %d: %a, Python has %a", (int)i, (int)j, value_at(b, i, j), value);
        }
    }
    char rest[8];
    assert_int_equal(fscanf(f, "%7s", rest), EOF);
}

static void python_reads_the_same(void **state) {
    char command[2048], script[512];
    snprintf(script, sizeof script, "%s", __FILE__);
    snprintf(strrchr(script, '/') ? strrchr(script, '/') + 1 : script, 32, "csv_compare.py");
    if (access(script, R_OK) != 0 || system("python3 -c 'import csv' 2>/dev/null") != 0) skip();
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    write_random(in_folder(folder, "r.csv"), 9000); /* three blocks of rows, many blocks of bytes */
    snprintf(command, sizeof command, "python3 %s %s %s", script, in_folder(folder, "r.csv"),
             in_folder(folder, "r.txt"));
    assert_int_equal(system(command), 0);
    gls_source *s = open_ok(ctx, "csv", in_folder(folder, "r.csv"), "{target: y, weight: w}");
    assert_int_equal(s->info.examples, 9000);
    assert_int_equal(s->info.features, 3 + 7 + 2);
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    FILE *f = fopen(in_folder(folder, "r.txt"), "r");
    compare_rows(&b, f);
    fclose(f);
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

static int enter(void **state) {
    snprintf(folder, sizeof folder, "%s", scratch_directory());
    return 0;
}

static int leave(void **state) {
    remove_folder(folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(reads_columns),
        cmocka_unit_test(kinds_of_targets),
        cmocka_unit_test(described),
        cmocka_unit_test(roles_and_marks),
        cmocka_unit_test(missing_values),
        cmocka_unit_test(other_sets_follow),
        cmocka_unit_test(refuses),
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(python_reads_the_same),
    };
    return cmocka_run_group_tests(list, enter, leave);
}
