/* `data suspects`: the examples that a run's ledger shows as suppressed, as tables and as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void print_json(const gls_suspects_report *r) {
    json_t *all = json_object(), *list = json_array(), *means = json_array();
    for (int64_t i = 0; i < r->suspects; i++) {
        const gls_suspect *s = &r->suspect[i];
        json_t *one = json_object();
        json_object_set_new(one, "index", s->example < 0 ? json_null() : json_integer(s->example));
        json_object_set_new(one, "label", json_integer(s->label));
        json_object_set_new(one, "factor", cli_number(s->factor));
        json_object_set_new(one, "norm", cli_number(s->norm));
        json_object_set_new(one, "loss", cli_number(s->loss));
        if (r->planted) json_object_set_new(one, "planted", json_boolean(s->planted));
        json_array_append_new(list, one);
    }
    for (int64_t k = 0; k < r->means; k++) {
        const gls_suspect_mean *m = &r->mean[k];
        json_t *one = json_object();
        json_object_set_new(one, r->by, json_integer(m->key));
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
    cli_print_json(all, 9);
}

static void print_suspects(const gls_suspects_report *r) {
    const char *first = strcmp(r->ranked_by, "factor") == 0 ? "smallest mean clip factor first"
                        : strcmp(r->ranked_by, "norm") == 0 ? "largest mean gradient norm first"
                                                            : "largest final loss first";
    printf("%s%s\n%10s  %6s  %10s  %10s  %10s%s\n", first, r->clipped ? "" : " (nothing was clipped)", "example",
           "label", "factor", "norm", "loss", r->planted ? "  planted" : "");
    for (int64_t i = 0; i < r->suspects; i++) {
        const gls_suspect *s = &r->suspect[i];
        char index[24] = "inserted"; /* by a transform: no example of the file */
        if (s->example >= 0) snprintf(index, sizeof index, "%lld", (long long)s->example);
        printf("%10s  %6lld  %10.3g  %10.3g  %10.3g%s\n", index, (long long)s->label, s->factor, s->norm, s->loss,
               !r->planted  ? ""
               : s->planted ? "  yes"
                            : "  no");
    }
    if (r->planted)
        printf("\nprecision at the number planted: by factor %.2f, by loss %.2f, by norm %.2f\n", r->precision[0],
               r->precision[1], r->precision[2]);
}

static void print_means(const gls_suspects_report *r) {
    if (r->means) printf("\n%10s  %8s  %10s  %10s  %10s\n", r->by, "examples", "factor", "norm", "loss");
    for (int64_t k = 0; k < r->means; k++) {
        const gls_suspect_mean *m = &r->mean[k];
        printf("%10lld  %8.0f  %10.3g  %10.3g  %10.3g\n", (long long)m->key, m->examples, m->factor, m->norm, m->loss);
    }
    for (int64_t k = 0; k < r->means; k++)
        if (r->mean[k].suppressed)
            fprintf(stderr,
                    "glissade: warning: %s %lld is suppressed as a whole (factor %.3g, below half of the others'): "
                    "clipping also holds back what is rare or hard, not only what is wrong\n",
                    r->by, (long long)r->mean[k].key, r->mean[k].factor);
}

gls_status cli_suspects(gls_context *ctx, const cli_args *args) {
    if (args->positionals < 2)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "`data suspects` needs a run folder: data suspects RUN");
    gls_suspects_options options = {.size = sizeof options,
                                    .top = cli_int(args, "top", 0),
                                    .rank = cli_get(args, "rank"),
                                    .by = cli_get(args, "by"),
                                    .window = cli_int(args, "window", 0)};
    gls_suspects_report report;
    gls_status status = gls_suspects_read(ctx, args->positional[1], &options, &report);
    if (status == GLS_OK && cli_has(args, "json")) {
        print_json(&report);
    } else if (status == GLS_OK) {
        print_suspects(&report);
        print_means(&report);
    }
    gls_suspects_clear(&report);
    return status;
}
