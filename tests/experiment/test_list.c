/* The experiments of this source tree: all can be read, and every row of the papers has a state. */
#include "support.h"

/* Beside the build folder that this program lies in. */
static bool find_folder(char path[4200]) {
    ssize_t n = readlink("/proc/self/exe", path, 4000);
    assert_true(n > 0);
    path[n] = 0;
    for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0;
    strcat(path, "/../experiments");
    return access(path, R_OK) == 0;
}

static const gls_experiment_row *row_named(const gls_experiment_rows *rows, const char *place) {
    for (int64_t i = 0; i < rows->rows; i++)
        if (strcmp(rows->row[i].place, place) == 0) return &rows->row[i];
    return NULL;
}

/* Tables and figures by paper, from the papers themselves. */
static const struct {
    const char *paper, *rows;
} papers[] = {
    {"M", "table 1,figure 1,table 2,figure 2,table 3,table 4,table 5,table 6"},
    {"D", "figure 1,figure 2,figure 3a,figure 3b,figure 3c,figure 4a,figure 4b,figure 4c,table 1"},
    {"N", "figure 1,table 1,figure 2,table 2,figure 3,table 3"},
    {"A", "figure 1a,figure 1b,figure 2a,figure 2b,figure 2c,figure 2d,figure 2e,figure 2f,table 1,figure 3,table 2,"
          "table 3,figure 4,figure 5,figure 6,figure 7,figure 8"},
    {"T", "figure 2-1,figure 2-2,figure 2-3,table 2.1,figure 3-1,figure 3-2,figure 3-3,figure 3-4,figure 4-1a,"
          "figure 4-1b,figure 4-1c,figure 4-1d,figure 4-1e,figure 4-1f,figure 4-1g,figure 4-1h,figure 4-2,figure 4-3a,"
          "figure 4-3b,figure 4-3c,figure 4-4,table 4.1,table 4.2,table 4.3,table 5.1,figure 5-1,figure 6-1,figure 6-2,"
          "figure 6-3,figure 6-4,figure 6-5,figure 6-6,figure 6-7,figure 6-8,figure 6-9"},
};

static void every_row_has_a_state(void **state) {
    (void)state;
    char folder[4200];
    if (!find_folder(folder)) skip();
    gls_context *ctx = make_context(1, 1);
    gls_experiment_rows rows;
    int64_t expected = 0, two[5] = {0};
    assert_ok(ctx, gls_experiments_list(ctx, folder, &rows));
    for (size_t p = 0; p < sizeof papers / sizeof *papers; p++) {
        char list[1000], *rest = list, *one;
        snprintf(list, sizeof list, "%s", papers[p].rows);
        while ((one = strsep(&rest, ","))) {
            char place[80];
            snprintf(place, sizeof place, "[%s] %s", papers[p].paper, one);
            const gls_experiment_row *row = row_named(&rows, place);
            if (!row) fail_msg("%s is not listed", place);
            if (!row->experiment && strncmp(row->about, "waiting: ", 9) != 0 &&
                strncmp(row->about, "elsewhere: ", 11) != 0)
                fail_msg("%s: '%s'", place, row->about);
            two[p] += row->experiment != NULL;
            expected++;
        }
        if (two[p] < 2) fail_msg("[%s] has fewer than two rows with an experiment", papers[p].paper);
    }
    assert_true(rows.rows >= expected);
    gls_experiment_rows_clear(&rows);
    gls_context_destroy(ctx);
}

static void rows_come_in_the_order_of_their_places(void **state) {
    (void)state;
    char folder[64], path[160], file[160];
    gls_context *ctx = make_context(1, 1);
    gls_experiment_rows rows;
    fresh_folder(folder);
    write_experiment(
        ctx, folder, "it",
        "title: T\npaper: X\nrows: ['[X] figure 10', '[X] figure 2']\nclaim: C\nhere: H\nconfig: {method: sgd}\n"
        "scales: [{name: quick}, {name: small}]\narms: [{name: a}]\n"
        "expect: [{say: s, figure: f, of: {a: 1}, at_least: 0}]\n",
        path);
    snprintf(file, sizeof file, "%s/rows.yaml", folder);
    assert_ok(ctx, gls_write_text(ctx, file, "'[X] figure 3': 'waiting: for rain'\n"));
    assert_ok(ctx, gls_experiments_list(ctx, folder, &rows));
    assert_int_equal(rows.rows, 3);
    assert_string_equal(rows.row[0].place, "[X] figure 2");
    assert_string_equal(rows.row[0].scales, "quick small");
    assert_string_equal(rows.row[1].about, "waiting: for rain");
    assert_null(rows.row[1].experiment);
    assert_string_equal(rows.row[2].experiment, "it");
    gls_experiment_rows_clear(&rows);
    assert_int_equal(gls_experiments_list(ctx, "/nowhere", &rows), GLS_ERR_FILE);
    gls_experiment_rows_clear(&rows);
    remove_tree(folder);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_has_a_state),
                                       cmocka_unit_test(rows_come_in_the_order_of_their_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
