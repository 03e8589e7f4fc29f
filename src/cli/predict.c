/* `predict`: what a trained model says of rows, as an array or a table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* n predictions: `values` numbers each in value, a class each in label; what there is not is NULL. */
typedef struct predictions {
    int64_t rows, positions, values;
    bool sequence; /* a row's classes in order, -1 behind them */
    gls_real *z, *value;
    int32_t *label;
    const gls_data_info *info;
    const gls_source *source; /* whose columns say which row is which: a table's key, a picture's file */
} predictions;

/* What is not finite is no prediction, and goes into no file. */
static gls_status check(cli_model *m, const predictions *p) {
    int64_t each = gls_predictor_outputs(m->predictor);
    for (int64_t i = 0; i < p->rows * each; i++)
        if (!isfinite(p->z[i]))
            return gls_fail(m->ctx, GLS_ERR_NONFINITE,
                            "row %lld: the model's output is not finite: look at the rows (glissade data info) and at "
                            "the weights",
                            (long long)(i / each) + 1);
    return GLS_OK;
}

static gls_status predict(cli_model *m, predictions *p) {
    const gls_problem *problem = gls_predictor_problem(m->predictor);
    gls_prediction kind = gls_problem_prediction(problem);
    p->rows = gls_source_info(m->rows)->examples;
    p->positions = kind.positions;
    p->values = kind.values;
    p->sequence = kind.sequence;
    p->info = gls_predictor_input_info(m->predictor);
    p->source = m->rows;
    int64_t n = p->rows * kind.positions;
    p->z = gls_alloc(m->ctx, p->rows, (size_t)gls_predictor_outputs(m->predictor) * sizeof *p->z);
    GLS_TRY(gls_comm_agree(m->ctx, p->z ? GLS_OK : GLS_ERR_MEMORY));
    GLS_TRY(gls_predictor_run(m->predictor, m->rows, p->z));
    GLS_TRY(check(m, p));
    if (kind.values || !kind.classes) {
        p->value = gls_alloc(m->ctx, n, (size_t)kind.values * sizeof *p->value);
        if (!p->value) return GLS_ERR_MEMORY;
        GLS_TRY(gls_problem_predict(problem, p->rows, p->z, p->value));
    }
    if (!kind.classes) return GLS_OK;
    p->label = gls_alloc(m->ctx, n, sizeof *p->label);
    return p->label ? gls_problem_classify(problem, p->rows, p->z, p->label) : GLS_ERR_MEMORY;
}

/* ---- writing ---- */

static gls_status write_npy(cli_model *m, const predictions *p, const char *path) {
    int64_t shape[3] = {p->rows, p->values, p->values};
    int dims = p->value ? 2 : 1;
    if (p->positions > 1) {
        shape[1] = p->positions;
        dims++;
    }
    return p->value ? gls_npy_write(m->ctx, path, GLS_DTYPE_REAL, dims, shape, p->value)
                    : gls_npy_write(m->ctx, path, GLS_I32, dims, shape, p->label);
}

static void print_quoted(FILE *out, const char *prefix, const char *name) {
    bool plain = !strpbrk(name, ",\"\r\n");
    fprintf(out, "%s%s", plain ? "" : "\"", prefix);
    for (; *name; name++) fprintf(out, *name == '"' ? "\"\"" : "%c", *name);
    if (!plain) fputc('"', out);
}

static void print_class(FILE *out, const predictions *p, const char *prefix, int64_t c) {
    char number[24];
    print_quoted(out, prefix, cli_class_name(p->info, c, number));
}

static void print_key_names(FILE *out, const predictions *p) {
    for (const gls_column *c = p->source->columns; c && c->name; c++) {
        print_quoted(out, "", c->name);
        fputc(',', out);
    }
}

static void print_keys(FILE *out, const predictions *p, int64_t row) {
    for (const gls_column *c = p->source->columns; c && c->name; c++) {
        const char *text = gls_source_column_text(p->source, c->name, c->value[row]);
        if (text)
            print_quoted(out, "", text);
        else
            fprintf(out, "%lld", (long long)c->value[row]);
        fputc(',', out);
    }
}

static void print_header(FILE *out, const predictions *p) {
    print_key_names(out, p);
    if (p->label) fputs("class", out);
    for (int64_t c = 0; c < p->values; c++) {
        if (c || p->label) fputc(',', out);
        if (p->label)
            print_class(out, p, "p_", c);
        else
            fprintf(out, "value_%lld", (long long)c);
    }
    fputc('\n', out);
}

static void print_row(FILE *out, const predictions *p, int64_t i) {
    print_keys(out, p, i / p->positions);
    if (p->label) print_class(out, p, "", p->label[i]);
    for (int64_t c = 0; c < p->values; c++) {
        if (c || p->label) fputc(',', out);
        fprintf(out, "%.*g", sizeof(gls_real) == 4 ? 9 : 17, (double)p->value[i * p->values + c]);
    }
    fputc('\n', out);
}

/* A row's classes in one field, parted by blanks. */
static void print_sequence(FILE *out, const predictions *p, int64_t row) {
    char number[24];
    const int32_t *label = p->label + row * p->positions;
    print_keys(out, p, row);
    fputc('"', out);
    for (int64_t k = 0; k < p->positions && label[k] >= 0; k++) {
        if (k) fputc(' ', out);
        for (const char *name = cli_class_name(p->info, label[k], number); *name; name++)
            fprintf(out, *name == '"' ? "\"\"" : "%c", *name);
    }
    fputs("\"\n", out);
}

static void print_table(FILE *out, const predictions *p) {
    if (p->sequence) {
        print_key_names(out, p);
        fputs("labels\n", out);
        for (int64_t i = 0; i < p->rows; i++) print_sequence(out, p, i);
        return;
    }
    print_header(out, p);
    for (int64_t i = 0; i < p->rows * p->positions; i++) print_row(out, p, i);
}

static gls_status write_csv(cli_model *m, const predictions *p, const char *path) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return gls_fail(m->ctx, GLS_ERR_MEMORY, "out of memory");
    print_table(out, p);
    bool failed = ferror(out);
    failed = fclose(out) || failed;
    gls_status status = failed ? gls_fail(m->ctx, GLS_ERR_MEMORY, "out of memory") : gls_write_text(m->ctx, path, text);
    free(text);
    return status;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static int run(const cli_args *args) {
    const char *out = cli_get(args, "out");
    if (out && cli_same_file(out, cli_get(args, "data")))
        return args->first ? cli_bad("--out %s is the file of the rows: expected another one", out) : CLI_BAD;
    if (!out || (!ends_with(out, ".npy") && !ends_with(out, ".csv")))
        return args->first ? cli_bad("--out: expected a file named .npy or .csv, found %s", out ? out : "none")
                           : CLI_BAD;
    cli_model m;
    predictions p = {0};
    gls_status status = cli_model_open(&m, args, GLS_PART_ROWS);
    if (!m.ctx) return cli_bad("out of memory"), CLI_FAILED;
    if (status == GLS_OK) status = gls_comm_agree(m.ctx, predict(&m, &p));
    bool writing = status == GLS_OK;
    if (writing && args->first) status = ends_with(out, ".npy") ? write_npy(&m, &p, out) : write_csv(&m, &p, out);
    if (writing) status = gls_comm_agree(m.ctx, status);
    if (status == GLS_OK && args->first)
        fprintf(stderr, "glissade: wrote %s, %lld row%s\n", out, (long long)p.rows, p.rows == 1 ? "" : "s");
    int code = status == GLS_OK ? CLI_DONE : cli_fail_together(m.ctx, status, writing);
    gls_free(m.ctx, p.z);
    gls_free(m.ctx, p.value);
    gls_free(m.ctx, p.label);
    cli_model_close(&m);
    return code;
}

static const cli_flag flags[] = {
    {"data", "FILE", "the rows, in the format of the training file; they need no targets"},
    {"out", "FILE",
     "P.npy: probabilities or values (classes where there are none); P.csv: classes by name as well, "
     "or a row's sequence of labels"},
    CLI_FLAG_MODEL_AT,
    CLI_FLAG_MODEL_FORMAT,
    CLI_FLAG_THREADS,
    {NULL}};

const cli_verb cli_predict = {
    .name = "predict",
    .synopsis = "predict MODEL.safetensors | RUN  --data FILE --out P.npy|P.csv",
    .help = "what a trained model says of new rows: classes, probabilities, values",
    .details = "The rows go through what the training data went through, with what was learned there.",
    .flags = flags,
    .ranks = CLI_RANKS_ALL,
    .run = run,
};
