/* Tables of many chunks: the same rows, names and messages with any number of threads, whatever is unusual in a chunk.
 */
#include "support.h"

#include <math.h>

enum { ROWS = 30000, LATE = 21000 };

static char folder[512];

/* What may be wrong with one row of the file. */
typedef enum fault { NONE, NUMBER, FIELDS, QUOTE, MISSING, TEXTS } fault;

static void write_city(FILE *f, int i) {
    static const char *const city[] = {"Rome", "Oslo", "\"New\nYork, \"\"NY\"\"\"", "Bern"};
    if (i == LATE)
        fputs("Zagreb", f);
    else if (i == LATE + 1)
        fputs("Aachen", f);
    else
        fputs(city[i > 15000 ? i % 4 : i % 2], f);
}

/* Returns the line on which row number `at` ends its last unquoted part. */
static int write_table(fault what, int at) {
    FILE *f = fopen(in_folder(folder, "t.csv"), "w");
    int line = 1, found = 0;
    fputs("n,city,m,y,w\n", f);
    for (int i = 0; i < ROWS; i++) {
        bool here = i == at;
        if (i % 1000 == 7) fputs("\n", f), line++;
        fprintf(f, "%s%d,", i % 3 ? "" : " ", i);
        if (here && what == TEXTS)
            fputs("one text more", f);
        else if (here && what == QUOTE)
            fputs("Ro\"me", f);
        else
            write_city(f, i);
        line++;
        if (here) found = line;
        line += i > 15000 && i % 4 == 2 && i != LATE && i != LATE + 1;
        fprintf(f, ",%s", here && what == NUMBER ? "x" : "");
        if (!(here && what == MISSING) && !(here && what == NUMBER)) fprintf(f, "%.17g", sin(i));
        fprintf(f, ",class %d,%d%s\n", i % 7, 1 + i % 5, here && what == FIELDS ? ",more" : "");
    }
    fclose(f);
    return found;
}

static gls_status open_table(gls_context *ctx, const char *options, gls_source **out) {
    return open_status(ctx, "csv", in_folder(folder, "t.csv"), options, GLS_PART_TRAIN, NULL, out);
}

static void rows_do_not_depend_on_threads(void **state) {
    write_table(NONE, -1);
    static const char *const names[] = {"n",         "city=Aachen", "city=Bern",   "city=New\nYork, \"NY\"",
                                        "city=Oslo", "city=Rome",   "city=Zagreb", "m"};
    static const int number[] = {5, 4, 3, 2};
    for (int threads = 1; threads <= 4; threads += 3) {
        counting c;
        gls_context *ctx = counting_context(&c, threads);
        gls_source *s;
        if (open_table(ctx, "{target: y, weight: w}", &s) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
        assert_int_equal(s->info.examples, ROWS);
        assert_int_equal(s->info.features, 8);
        for (int k = 0; k < 8; k++) assert_string_equal(s->info.feature_names[k], names[k]);
        gls_rows *rows;
        gls_batch b = whole(ctx, s, &rows);
        for (int i = 0; i < ROWS; i++) {
            int city = i == LATE ? 6 : i == LATE + 1 ? 1 : number[i > 15000 ? i % 4 : i % 2];
            assert_true(b.x[8 * i] == i && b.x[8 * i + 7] == (gls_real)sin(i));
            for (int k = 1; k < 7; k++) assert_true(b.x[8 * i + k] == (k == city));
            assert_int_equal(b.label[i], i % 7);
            assert_true(b.mass[i] == 1 + i % 5);
        }
        gls_rows_destroy(rows);
        gls_source_destroy(s);
        counting_end(&c, ctx);
    }
}

static void messages_name_the_line(void **state) {
    static const struct {
        fault what;
        const char *options, *message;
    } cases[] = {
        {NUMBER, "{target: y, weight: w}", "column 'm': 'x' is not a number"},
        {FIELDS, "{target: y, weight: w}", "6 fields, expected 5"},
        {QUOTE, "{target: y, weight: w}", "a quote inside of a field"},
        {TEXTS, "{target: y, weight: w, most_categories: 6}",
         "column 'city': 'one text more' is one text more than the 6"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int threads = 1; threads <= 4; threads += 3) {
            counting c;
            gls_context *ctx = counting_context(&c, threads);
            char wanted[200];
            gls_source *s = NULL;
            snprintf(wanted, sizeof wanted, "t.csv:%d: %s", write_table(cases[k].what, 28003), cases[k].message);
            assert_int_equal(open_table(ctx, cases[k].options, &s), GLS_ERR_INPUT);
            assert_null(s);
            if (!strstr(gls_context_message(ctx), wanted)) fail_msg("%s, not %s", gls_context_message(ctx), wanted);
            counting_end(&c, ctx);
        }
}

/* Counted over all chunks, and filled with the mean of all others. */
static void missing_values_are_counted(void **state) {
    int line = write_table(MISSING, 25001);
    double sum = 0;
    for (int i = 0; i < ROWS; i++) sum += i == 25001 ? 0 : sin(i);
    for (int threads = 1; threads <= 4; threads += 3) {
        counting c;
        gls_context *ctx = counting_context(&c, threads);
        gls_source *s = NULL;
        char wanted[80];
        snprintf(wanted, sizeof wanted, "1 value is missing: 'm' 1 (first in line %d)", line);
        assert_int_equal(open_table(ctx, "{target: y, weight: w}", &s), GLS_ERR_INPUT);
        if (!strstr(gls_context_message(ctx), wanted)) fail_msg("%s, not %s", gls_context_message(ctx), wanted);
        assert_int_equal(open_table(ctx, "{target: y, weight: w, fill: mean}", &s), GLS_OK);
        gls_rows *rows;
        gls_batch b = whole(ctx, s, &rows);
        assert_true(fabs(b.x[8 * 25001 + 7] - sum / (ROWS - 1)) < 1e-9);
        gls_rows_destroy(rows);
        gls_source_destroy(s);
        counting_end(&c, ctx);
    }
}

/* A record of more than 16 MiB is refused, and a file whose lines end in CR alone is read. */
static void long_records_and_other_ends(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_source *s = NULL;
    FILE *f = fopen(in_folder(folder, "t.csv"), "w");
    fputs("a,b\n1,", f);
    for (int i = 0; i < 17 << 20; i++) fputc('7', f);
    fputs("\n", f);
    fclose(f);
    assert_int_equal(open_table(ctx, NULL, &s), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "t.csv:2: the record is longer than 16 MiB"));
    f = fopen(in_folder(folder, "t.csv"), "w");
    fputs("a,b\r", f);
    for (int i = 0; i < 100000; i++) fprintf(f, "%d,\"%d\"\r", i, i % 9);
    fclose(f);
    if (open_table(ctx, NULL, &s) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    assert_int_equal(b.rows, 100000);
    for (int i = 0; i < 100000; i++) assert_true(b.x[2 * i] == i && b.x[2 * i + 1] == i % 9);
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
        cmocka_unit_test(rows_do_not_depend_on_threads), cmocka_unit_test(messages_name_the_line),
        cmocka_unit_test(missing_values_are_counted), cmocka_unit_test(long_records_and_other_ends)};
    return cmocka_run_group_tests(list, enter, leave);
}
