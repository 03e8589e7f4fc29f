/* Scores of rows by the values of one of their columns: domains, users. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { MOST_VALUES = 10000 };

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The different values, ascending. */
static gls_status find_values(cli_by *by, const cli_model *m, const int64_t *column) {
    int64_t n = gls_source_info(m->rows)->examples, *all = gls_alloc(m->ctx, n, sizeof *all);
    if (!all) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) all[i] = column[i];
    qsort(all, (size_t)n, sizeof *all, by_value);
    for (int64_t i = 0; i < n; i++)
        if (!i || all[i] != all[by->values - 1]) all[by->values++] = all[i];
    by->value = all;
    by->text = gls_alloc(m->ctx, by->values, sizeof *by->text);
    if (!by->text) return GLS_ERR_MEMORY;
    for (int64_t v = 0; v < by->values; v++) by->text[v] = gls_source_column_text(m->rows, by->column, all[v]);
    if (by->values <= MOST_VALUES) return GLS_OK;
    return gls_fail(m->ctx, GLS_ERR_INPUT, "--by %s: %lld different values; expected at most %d", by->column,
                    (long long)by->values, MOST_VALUES);
}

static gls_status score_values(cli_by *by, cli_model *m, const int64_t *column) {
    int64_t n = gls_source_info(m->rows)->examples, *index = gls_alloc(m->ctx, n, sizeof *index);
    by->scores = gls_alloc(m->ctx, by->values, sizeof *by->scores);
    gls_status status = index && by->scores ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t v = 0; status == GLS_OK && v < by->values; v++) {
        int64_t count = 0;
        gls_source *part = NULL;
        for (int64_t i = 0; i < n; i++)
            if (column[i] == by->value[v]) index[count++] = i;
        status = gls_source_subset(m->ctx, m->rows, index, count, &part);
        if (status == GLS_OK) status = gls_predictor_score(m->predictor, part, &by->scores[v]);
        gls_source_destroy(part);
    }
    gls_free(m->ctx, index);
    return status;
}

gls_status cli_by_fill(cli_by *by, cli_model *m, const char *wanted) {
    by->column = wanted ? wanted : "domain";
    const int64_t *column = gls_source_column(m->rows, by->column);
    if (!column && !wanted) return GLS_OK;
    if (!column)
        return gls_fail(
            m->ctx, GLS_ERR_INPUT,
            "--by %s: the rows have no such column; expected domain (of transform mix), or what a format keeps "
            "as a key (csv: key, libsvm: qid)",
            by->column);
    GLS_TRY(find_values(by, m, column));
    return score_values(by, m, column);
}

void cli_by_clear(cli_by *by, gls_context *ctx) {
    for (int64_t v = 0; by->scores && v < by->values; v++) gls_scores_clear(ctx, &by->scores[v]);
    gls_free(ctx, by->scores);
    gls_free(ctx, by->value);
    gls_free(ctx, by->text);
    *by = (cli_by){0};
}

/* A score that one value's rows have not (auc of a single class) leaves its place empty. */
static double score_of(const gls_scores *s, const char *name, bool *known) {
    for (int i = 0; i < s->count; i++) {
        *known = strcmp(s->name[i], name) == 0;
        if (*known) return s->value[i];
    }
    *known = false;
    return 0;
}

static int width_of(const char *name) {
    return strlen(name) > 12 ? (int)strlen(name) : 12;
}

void cli_by_print(const cli_by *by, const gls_scores *all) {
    if (!by->values) return;
    printf("\n%-20.20s %10s %12s", by->column, "examples", "loss");
    for (int i = 0; i < all->count; i++) printf(" %*s", width_of(all->name[i]), all->name[i]);
    puts("");
    for (int64_t v = 0; v < by->values; v++) {
        const gls_scores *s = &by->scores[v];
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)by->value[v]);
        printf("%-20.20s %10lld %12.6g", by->text[v] ? by->text[v] : number, (long long)s->examples, s->loss);
        for (int i = 0; i < all->count; i++) {
            bool known;
            double value = score_of(s, all->name[i], &known);
            int width = width_of(all->name[i]);
            if (known)
                printf(" %*.6g", width, value);
            else
                printf(" %*s", width, "");
        }
        puts("");
    }
}

json_t *cli_by_json(const cli_by *by) {
    json_t *list = json_array();
    for (int64_t v = 0; v < by->values; v++) {
        const gls_scores *s = &by->scores[v];
        json_t *one = json_object();
        json_object_set_new(one, by->column, by->text[v] ? json_string(by->text[v]) : json_integer(by->value[v]));
        json_object_set_new(one, "examples", json_integer(s->examples));
        json_object_set_new(one, "loss", cli_number(s->loss));
        for (int i = 0; i < s->count; i++) json_object_set_new(one, s->name[i], cli_number(s->value[i]));
        json_array_append_new(list, one);
    }
    return list;
}
