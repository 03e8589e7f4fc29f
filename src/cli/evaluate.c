/* `evaluate`: a trained model's scores on rows with targets. */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"

/* More classes than this make no table for a terminal. */
enum { TABLE_CLASSES = 12 };

static void print_confusion(const gls_scores *s, const gls_data_info *info) {
    char text[24];
    printf("\n%-16s  predicted as\n%-16s", "class", "");
    for (int64_t c = 0; c < s->classes; c++) printf(" %9.9s", cli_class_name(info, c, text));
    puts("");
    for (int64_t c = 0; c < s->classes; c++) {
        printf("%-16.16s", cli_class_name(info, c, text));
        for (int64_t j = 0; j < s->classes; j++) printf(" %9lld", (long long)s->confusion[c * s->classes + j]);
        puts("");
    }
}

/* What is no number has no rows: none is of the class, or none was taken for it. */
static void print_class(const gls_scores *s, int64_t c, const char *name) {
    const double of[] = {s->recall[c], s->precision[c], s->f1[c]};
    printf("%-16.16s", name);
    for (int k = 0; k < 3; k++)
        if (isfinite(of[k]))
            printf(" %9.4f", of[k]);
        else
            printf(" %9s", "-");
    putchar('\n');
}

static void print_terminal(const gls_scores *s, const gls_data_info *info) {
    char text[32];
    printf("%-18s %s\n%-18s %.6g\n", "examples", cli_thousands(s->examples, text), "loss", s->loss);
    for (int i = 0; i < s->count; i++) printf("%-18s %.6g\n", s->name[i], s->value[i]);
    if (!s->classes) return;
    printf("\n%-16s %9s %9s %9s\n", "class", "recall", "precision", "f1");
    for (int64_t c = 0; c < s->classes; c++) print_class(s, c, cli_class_name(info, c, text));
    if (s->classes <= TABLE_CLASSES) print_confusion(s, info);
}

static json_t *confusion_json(const gls_scores *s) {
    json_t *table = json_array();
    for (int64_t c = 0; c < s->classes; c++) {
        json_t *row = json_array();
        for (int64_t j = 0; j < s->classes; j++)
            json_array_append_new(row, json_integer(s->confusion[c * s->classes + j]));
        json_array_append_new(table, row);
    }
    return table;
}

static json_t *scores_json(const gls_scores *s, const cli_by *by, const gls_data_info *info) {
    json_t *object = json_object(), *by_class = json_array();
    char text[24];
    json_object_set_new(object, "examples", json_integer(s->examples));
    json_object_set_new(object, "loss", cli_number(s->loss));
    for (int i = 0; i < s->count; i++) json_object_set_new(object, s->name[i], cli_number(s->value[i]));
    for (int64_t c = 0; c < s->classes; c++)
        json_array_append_new(by_class, json_pack("{s:s, s:o, s:o, s:o}", "class", cli_class_name(info, c, text),
                                                  "recall", cli_number(s->recall[c]), "precision",
                                                  cli_number(s->precision[c]), "f1", cli_number(s->f1[c])));
    if (s->classes) json_object_set_new(object, "confusion", confusion_json(s));
    if (s->classes) json_object_set(object, "by_class", by_class);
    json_decref(by_class);
    if (by->values) json_object_set_new(object, "by", cli_by_json(by));
    return object;
}

/* Scores of a model that overflows on these rows are no scores. */
static gls_status check(const cli_model *m, const gls_scores *s) {
    if (isfinite(s->loss)) return GLS_OK;
    return gls_fail(m->ctx, GLS_ERR_NONFINITE,
                    "the loss on these rows is %s: look at the rows (glissade data info) and "
                    "at the weights",
                    isnan(s->loss) ? "not a number" : "infinite");
}

static int run(const cli_args *args) {
    cli_model m;
    gls_scores scores = {0};
    cli_by by = {0};
    gls_status status = cli_model_open(&m, args, GLS_PART_TEST);
    if (!m.ctx) return cli_bad("out of memory"), CLI_FAILED;
    if (status == GLS_OK) status = gls_predictor_score(m.predictor, m.rows, &scores);
    if (status == GLS_OK) status = cli_by_fill(&by, &m, cli_get(args, "by"));
    int code = CLI_DONE;
    if (status == GLS_OK && args->first) {
        const gls_data_info *info = gls_predictor_input_info(m.predictor);
        if (!cli_has(args, "quiet")) {
            print_terminal(&scores, info);
            cli_by_print(&by, &scores);
        }
        if (cli_has(args, "json")) code = cli_print_json(scores_json(&scores, &by, info), 17);
        status = check(&m, &scores);
    }
    status = gls_comm_agree(m.ctx, status);
    if (status != GLS_OK) code = cli_fail_together(m.ctx, status, false);
    gls_scores_clear(m.ctx, &scores);
    cli_by_clear(&by, m.ctx);
    cli_model_close(&m);
    return code;
}

static const cli_flag flags[] = {
    {"data", "FILE", "rows with targets, in the format of the training file"},
    {"by", "COLUMN", "scores by the values of a column of the rows (a key); default: domain, where there is one"},
    CLI_FLAG_MODEL_AT,
    CLI_FLAG_MODEL_FORMAT,
    CLI_FLAG_THREADS,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_evaluate = {
    .name = "evaluate",
    .synopsis = "evaluate MODEL.safetensors | RUN  --data FILE",
    .help = "a trained model's scores on rows with targets, over all, by class and by domain",
    .details =
        "On the run's own test file, loss and accuracy are those that the run reports (accuracy where no row has a "
        "weight).",
    .flags = flags,
    .ranks = CLI_RANKS_ALL,
    .run = run,
};
