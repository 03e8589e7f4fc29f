/* `data suspects`: the examples that a run's ledger shows as suppressed, as tables, as JSON, and as files of either. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* A class as the file calls it. */
static const char *name_of(const gls_suspects_report *r, int64_t label, char text[24]) {
    if (r->class_name && label >= 0 && label < r->classes) return r->class_name[label];
    snprintf(text, 24, "%lld", (long long)label);
    return text;
}

static json_t *name_json(const gls_suspects_report *r, int64_t label) {
    char text[24];
    return r->class_name ? json_string(name_of(r, label, text)) : json_integer(label);
}

/* The key of a mean: a class by its name, a value of a column as it is. */
static bool by_class(const gls_suspects_report *r) {
    return strcmp(r->by, "class") == 0;
}

static json_t *report_json(const gls_suspects_report *r) {
    json_t *all = json_object(), *list = json_array(), *means = json_array();
    for (int64_t i = 0; i < r->suspects; i++) {
        const gls_suspect *s = &r->suspect[i];
        json_t *one = json_object();
        json_object_set_new(one, "index", s->example < 0 ? json_null() : json_integer(s->example));
        json_object_set_new(one, "label", name_json(r, s->label));
        json_object_set_new(one, "factor", cli_number(s->factor));
        json_object_set_new(one, "norm", cli_number(s->norm));
        json_object_set_new(one, "loss", cli_number(s->loss));
        if (r->planted) json_object_set_new(one, "planted", json_boolean(s->planted));
        json_array_append_new(list, one);
    }
    for (int64_t k = 0; k < r->means; k++) {
        const gls_suspect_mean *m = &r->mean[k];
        json_t *one = json_object();
        json_object_set_new(one, r->by, by_class(r) ? name_json(r, m->key) : json_integer(m->key));
        json_object_set_new(one, "examples", json_real(m->examples));
        json_object_set_new(one, "factor", cli_number(m->factor));
        json_object_set_new(one, "loss", cli_number(m->loss));
        json_object_set_new(one, "suppressed", json_boolean(m->suppressed));
        json_array_append_new(means, one);
    }
    json_object_set_new(all, "ranked_by", json_string(r->ranked_by));
    json_object_set_new(all, "suspects", list);
    json_object_set_new(all, "means", means);
    static const char *const precision[] = {"precision_by_factor", "precision_by_loss", "precision_by_norm"};
    for (int i = 0; r->planted && i < 3; i++) json_object_set_new(all, precision[i], cli_number(r->precision[i]));
    return all;
}

enum { WIDEST = 20 }; /* characters of a name in a table */

/* Names stand flush with their heading, however long. */
static int widen(int width, const char *name) {
    int length = (int)strnlen(name, WIDEST);
    return length > width ? length : width;
}

static void print_suspects(const gls_suspects_report *r) {
    char label[24];
    int width = 6;
    for (int64_t i = 0; i < r->suspects; i++) width = widen(width, name_of(r, r->suspect[i].label, label));
    const char *first = strcmp(r->ranked_by, "factor") == 0 ? "smallest mean clip factor first"
                        : strcmp(r->ranked_by, "norm") == 0 ? "largest mean gradient norm first"
                                                            : "largest final loss first";
    printf("%s%s\n%10s  %*s  %10s  %10s  %10s%s\n", first, r->clipped ? "" : " (nothing was clipped)", "example", width,
           "label", "factor", "norm", "loss", r->planted ? "  planted" : "");
    for (int64_t i = 0; i < r->suspects; i++) {
        const gls_suspect *s = &r->suspect[i];
        char index[24] = "inserted"; /* by a transform: no example of the file */
        if (s->example >= 0) snprintf(index, sizeof index, "%lld", (long long)s->example);
        printf("%10s  %*.*s  %10.3g  %10.3g  %10.3g%s\n", index, width, WIDEST, name_of(r, s->label, label), s->factor,
               s->norm, s->loss,
               !r->planted  ? ""
               : s->planted ? "  yes"
                            : "  no");
    }
    if (r->planted)
        printf("\nprecision at the number planted: by factor %.2f, by loss %.2f, by norm %.2f\n", r->precision[0],
               r->precision[1], r->precision[2]);
}

static const char *key_of(const gls_suspects_report *r, int64_t key, char text[24]) {
    if (by_class(r)) return name_of(r, key, text);
    snprintf(text, 24, "%lld", (long long)key);
    return text;
}

static void print_means(const gls_suspects_report *r) {
    char key[24];
    int width = widen(10, r->by);
    for (int64_t k = 0; k < r->means; k++) width = widen(width, key_of(r, r->mean[k].key, key));
    if (r->means) printf("\n%*s  %8s  %10s  %10s  %10s\n", width, r->by, "examples", "factor", "norm", "loss");
    for (int64_t k = 0; k < r->means; k++) {
        const gls_suspect_mean *m = &r->mean[k];
        printf("%*.*s  %8.0f  %10.3g  %10.3g  %10.3g\n", width, WIDEST, key_of(r, m->key, key), m->examples, m->factor,
               m->norm, m->loss);
    }
    for (int64_t k = 0; k < r->means; k++)
        if (r->mean[k].suppressed)
            fprintf(stderr,
                    "glissade: warning: %s %.60s is suppressed as a whole (factor %.3g, below half of the others'): "
                    "clipping also holds back what is rare or hard, not only what is wrong\n",
                    r->by, key_of(r, r->mean[k].key, key), r->mean[k].factor);
}

/* ---- files ---- */

static void put_quoted(FILE *out, const char *text) {
    bool plain = !strpbrk(text, ",\"\r\n");
    if (!plain) fputc('"', out);
    for (; *text; text++) fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    if (!plain) fputc('"', out);
}

static char *report_csv(const gls_suspects_report *r) {
    char *text = NULL, label[24];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "example,label,factor,norm,loss%s\n", r->planted ? ",planted" : "");
    for (int64_t i = 0; i < r->suspects; i++) {
        const gls_suspect *s = &r->suspect[i];
        if (s->example >= 0) fprintf(out, "%lld", (long long)s->example);
        fputc(',', out);
        put_quoted(out, name_of(r, s->label, label));
        fprintf(out, ",%.9g,%.9g,%.9g%s\n", s->factor, s->norm, s->loss, !r->planted ? "" : s->planted ? ",1" : ",0");
    }
    bool failed = ferror(out);
    if (fclose(out) == 0 && !failed) return text;
    free(text);
    return NULL;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static gls_status write_report(gls_context *ctx, const gls_suspects_report *r, const char *path) {
    char *text = NULL;
    if (ends_with(path, ".csv")) {
        text = report_csv(r);
    } else {
        json_t *report = report_json(r);
        text = json_dumps(report, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        json_decref(report);
    }
    gls_status status = text ? gls_write_text(ctx, path, text) : gls_fail(ctx, GLS_ERR_MEMORY, "out of memory");
    free(text);
    return status;
}

gls_status cli_suspects(gls_context *ctx, const cli_args *args) {
    if (args->positionals < 2)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "`data suspects` needs a run folder: data suspects RUN");
    const char *out = cli_get(args, "out");
    if (out && !ends_with(out, ".json") && !ends_with(out, ".csv"))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--out: expected a file named .json or .csv, found %s", out);
    gls_suspects_options options = {.size = sizeof options,
                                    .top = cli_int(args, "top", 0),
                                    .rank = cli_get(args, "rank"),
                                    .by = cli_get(args, "by"),
                                    .window = cli_int(args, "window", 0)};
    gls_suspects_report report;
    gls_status status = gls_suspects_read(ctx, args->positional[1], &options, &report);
    if (status == GLS_OK && out) {
        status = write_report(ctx, &report, out);
    } else if (status == GLS_OK && cli_has(args, "json")) {
        cli_print_json(report_json(&report), 9);
    } else if (status == GLS_OK) {
        print_suspects(&report);
        print_means(&report);
    }
    gls_suspects_clear(&report);
    return status;
}
