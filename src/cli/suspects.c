#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "run/observer/ledger.h"

/* A class or domain counts as suppressed when its mean factor is below this share of the others'. */
static const double suppressed_share = 0.5;

static const char *const rankings[] = {"factor", "norm", "loss", NULL}; /* by gls_suspects_by */

typedef struct view {
    gls_ledger_file ledger;
    gls_suspects_by rank;
    gls_measure_result result;
    const int64_t *planted; /* marks of a transform, or NULL */
    const char *by;         /* what the means are over */
    const int64_t *key;     /* [examples] */
    int64_t keys;
} view;

static const int64_t *find_column(const gls_ledger_file *l, const char *name) {
    for (const gls_column *c = l->column; c->name; c++)
        if (!strcmp(c->name, name)) return c->value;
    return NULL;
}

static gls_status choose_key(gls_context *ctx, const cli_args *args, view *v) {
    const char *by = cli_get(args, "by");
    v->by = by ? by : "class";
    if (!strcmp(v->by, "class")) {
        v->key = v->ledger.label;
        v->keys = v->ledger.classes;
        return GLS_OK;
    }
    v->key = find_column(&v->ledger, by);
    if (!v->key) {
        char *names = gls_strdup(ctx, "class");
        for (const gls_column *c = v->ledger.column; c->name && names; c++) {
            char *longer = gls_sprintf(ctx, "%s, %s", names, c->name);
            gls_free(ctx, names);
            names = longer;
        }
        gls_fail(ctx, GLS_ERR_ARGUMENT, "--by %s: the run has no such column; it has %s", by, names ? names : "");
        gls_free(ctx, names);
        return GLS_ERR_ARGUMENT;
    }
    for (int64_t i = 0; i < v->ledger.examples; i++)
        if (v->key[i] >= v->keys) v->keys = v->key[i] + 1;
    return v->keys <= 100000 ? GLS_OK
                             : gls_fail(ctx, GLS_ERR_ARGUMENT, "--by %s: %lld values are too many to compare", by,
                                        (long long)v->keys);
}

static gls_status choose_rank(gls_context *ctx, const cli_args *args, view *v) {
    const char *rank = cli_get(args, "rank");
    v->rank = gls_suspects_best(&v->ledger.suspects);
    if (!rank) return GLS_OK;
    for (int i = 0; rankings[i]; i++)
        if (!strcmp(rank, rankings[i])) {
            v->rank = (gls_suspects_by)i;
            return GLS_OK;
        }
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "--rank %s: expected factor, norm or loss", rank);
}

/* The first column that a transform marked examples in. */
static const int64_t *find_planted(const gls_ledger_file *l) {
    static const char *const marks[] = {"insert", "label_noise", NULL};
    for (int i = 0; marks[i]; i++)
        if (find_column(l, marks[i])) return find_column(l, marks[i]);
    return NULL;
}

static gls_status look(gls_context *ctx, const cli_args *args, view *v) {
    static const gls_suspects_names names = {"key_seen", "key_log_factor", "key_norm", "key_loss"};
    int64_t top = 20;
    const char *text = cli_get(args, "top");
    if (text) {
        char *end;
        top = strtoll(text, &end, 10);
        if (*end || top < 1 || top > 1000000000)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--top %s: expected a count, 1 or more", text);
    }
    GLS_TRY(gls_ledger_open(ctx, args->positional[1], &v->ledger));
    GLS_TRY(choose_key(ctx, args, v));
    GLS_TRY(choose_rank(ctx, args, v));
    v->planted = find_planted(&v->ledger);
    if (top > v->ledger.examples) top = v->ledger.examples;
    GLS_TRY(gls_suspects_report_list(&v->ledger.suspects, v->rank, top, v->planted, &v->result));
    if (v->planted) GLS_TRY(gls_suspects_report_precision(&v->ledger.suspects, v->planted, &v->result));
    return v->keys ? gls_suspects_report_means(&v->ledger.suspects, v->key, v->keys, &names, &v->result) : GLS_OK;
}

static const double *array(const view *v, const char *name) {
    const gls_figure *figure = gls_measure_result_find(&v->result, name);
    return figure ? figure->value : NULL;
}

/* Mean log factor of all keys but k, weighted by how many examples they have. */
static bool is_suppressed(const view *v, int64_t k) {
    const double *seen = array(v, "key_seen"), *log_factor = array(v, "key_log_factor");
    double sum = 0, weight = 0;
    for (int64_t j = 0; j < v->keys; j++) {
        if (j == k || isnan(log_factor[j])) continue;
        sum += seen[j] * log_factor[j];
        weight += seen[j];
    }
    return weight > 0 && log_factor[k] < sum / weight + log(suppressed_share);
}

static void print_json(const view *v) {
    json_t *all = json_object(), *list = json_array(), *means = json_array();
    const gls_figure *suspects = gls_measure_result_find(&v->result, "suspects");
    for (int64_t i = 0; i < suspects->count; i++) {
        int64_t e = (int64_t)suspects->value[i];
        json_t *one = json_object();
        json_object_set_new(one, "index", v->ledger.index[e] < 0 ? json_null() : json_integer(v->ledger.index[e]));
        json_object_set_new(one, "label", json_integer(v->ledger.label[e]));
        json_object_set_new(one, "factor", json_real(exp(array(v, "suspect_log_factors")[i])));
        json_object_set_new(one, "norm", json_real(array(v, "suspect_norms")[i]));
        json_object_set_new(one, "loss", json_real(array(v, "suspect_losses")[i]));
        if (v->planted) json_object_set_new(one, "planted", json_boolean(v->planted[e] > 0));
        json_array_append_new(list, one);
    }
    for (int64_t k = 0; k < v->keys; k++) {
        if (isnan(array(v, "key_log_factor")[k])) continue;
        json_t *one = json_object();
        json_object_set_new(one, v->by, json_integer(k));
        json_object_set_new(one, "examples", json_real(array(v, "key_seen")[k]));
        json_object_set_new(one, "factor", json_real(exp(array(v, "key_log_factor")[k])));
        json_object_set_new(one, "loss", json_real(array(v, "key_loss")[k]));
        json_object_set_new(one, "suppressed", json_boolean(is_suppressed(v, k)));
        json_array_append_new(means, one);
    }
    json_object_set_new(all, "ranked_by", json_string(rankings[v->rank]));
    json_object_set_new(all, "suspects", list);
    json_object_set_new(all, "means", means);
    static const char *const precision[] = {"precision_by_factor", "precision_by_loss", "precision_by_norm"};
    for (int i = 0; v->planted && i < 3; i++) {
        double x = gls_measure_result_get(&v->result, precision[i]);
        json_object_set_new(all, precision[i], isfinite(x) ? json_real(x) : json_null());
    }
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text) puts(text);
    free(text);
    json_decref(all);
}

static void print_table(const view *v) {
    const gls_figure *suspects = gls_measure_result_find(&v->result, "suspects");
    static const char *const first[] = {"smallest mean clip factor first", "largest mean gradient norm first",
                                        "largest final loss first"};
    bool unclipped = gls_suspects_best(&v->ledger.suspects) != GLS_BY_FACTOR;
    printf("%s%s\n%10s  %6s  %10s  %10s  %10s%s\n", first[v->rank], unclipped ? " (nothing was clipped)" : "",
           "example", "label", "factor", "norm", "loss", v->planted ? "  planted" : "");
    for (int64_t i = 0; i < suspects->count; i++) {
        int64_t e = (int64_t)suspects->value[i];
        char index[24] = "inserted"; /* by a transform: no example of the file */
        if (v->ledger.index[e] >= 0) snprintf(index, sizeof index, "%lld", (long long)v->ledger.index[e]);
        printf("%10s  %6lld  %10.3g  %10.3g  %10.3g%s\n", index, (long long)v->ledger.label[e],
               exp(array(v, "suspect_log_factors")[i]), array(v, "suspect_norms")[i], array(v, "suspect_losses")[i],
               !v->planted         ? ""
               : v->planted[e] > 0 ? "  yes"
                                   : "  no");
    }
    if (v->planted)
        printf("\nprecision at the number planted: by factor %.2f, by loss %.2f, by norm %.2f\n",
               gls_measure_result_get(&v->result, "precision_by_factor"),
               gls_measure_result_get(&v->result, "precision_by_loss"),
               gls_measure_result_get(&v->result, "precision_by_norm"));
    if (v->keys) printf("\n%10s  %8s  %10s  %10s  %10s\n", v->by, "examples", "factor", "norm", "loss");
    for (int64_t k = 0; k < v->keys; k++)
        if (!isnan(array(v, "key_log_factor")[k]))
            printf("%10lld  %8.0f  %10.3g  %10.3g  %10.3g\n", (long long)k, array(v, "key_seen")[k],
                   exp(array(v, "key_log_factor")[k]), array(v, "key_norm")[k], array(v, "key_loss")[k]);
    for (int64_t k = 0; k < v->keys; k++)
        if (!isnan(array(v, "key_log_factor")[k]) && is_suppressed(v, k))
            fprintf(stderr,
                    "warning: %s %lld is suppressed as a whole (factor %.3g, below half of the others'): clipping also "
                    "holds back what is rare or hard, not only what is wrong\n",
                    v->by, (long long)k, exp(array(v, "key_log_factor")[k]));
}

gls_status cli_suspects(gls_context *ctx, const cli_args *args) {
    if (args->positionals < 2) return gls_fail(ctx, GLS_ERR_ARGUMENT, "data suspects RUN: which run folder?");
    view v = {.ledger = {.ctx = ctx}};
    gls_measure_result_init(ctx, &v.result);
    gls_status status = look(ctx, args, &v);
    if (status == GLS_OK && cli_has(args, "json"))
        print_json(&v);
    else if (status == GLS_OK)
        print_table(&v);
    gls_measure_result_clear(&v.result);
    gls_ledger_close(&v.ledger);
    return status;
}
