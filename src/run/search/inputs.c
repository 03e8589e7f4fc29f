/* A theorem's inputs from what was measured: of a run's measures.jsonl, or of the JSON that `glissade measure` prints.
 * A bound must hold on the whole way, so of several measurements the one stands that is worst for the theorem. */
#include <glissade/run.h>

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

/* Measures with their curves; one line of measures.jsonl, or a whole survey. */
enum { LONGEST = 1 << 28 };

typedef enum among { GREATEST, LEAST, LAST } among;
static const char *const words[] = {"greatest", "least", "last"};

/* An input of that name whose help has the words `about`: two theorems may call different things L. alpha is the order
 * at which the moments beside it were measured. */
static const struct row {
    const char *input, *about, *measure, *figure;
    among among;
} table[] = {
    {"L", "smoothness", "sharpness", "hessian_norm", GREATEST},
    {"beta", "smoothness", "sharpness", "hessian_norm", GREATEST},
    {"L0", "smoothness", "smoothness", "l0", LAST},
    {"L1", "smoothness", "smoothness", "l1", LAST},
    {"M", "gradient norm", "gradient_norm", "gradient_norm", GREATEST},
    {"M2", "mean squared norm", "gradient_diversity", "second_moment", GREATEST},
    {"BS", "differential", "differential_diversity", "differential_batch_size_bound", LEAST},
    {"BS", "least gradient diversity", "gradient_diversity", "batch_size_bound", LEAST},
    {"n", "examples", "differential_diversity", "population", LAST},
    {"sigma", "mean squared noise", "noise_norm", "noise_rms", GREATEST},
    {"sigma", "|noise|^alpha", "alpha_moments", "noise_alpha_moment", GREATEST},
    {"G", "order alpha", "alpha_moments", "alpha_moment", GREATEST},
    {"B_i", "order alpha", "alpha_moments", "greatest_coordinate_moment", GREATEST},
    {"B_norm", "sum of B_i^2", "alpha_moments", "coordinate_moment_norm", GREATEST},
    {"alpha", "order", "alpha_moments", "alpha", LAST},
};

/* ---- which inputs ---- */

gls_status gls_measured_inputs(gls_context *ctx, const gls_theorem *theorem, gls_measured_input *out, int64_t *count) {
    GLS_GIVEN(ctx, ctx, theorem, out, count);
    *count = 0;
    for (const gls_option *o = theorem->member.options; o && o->key; o++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            const struct row *row = &table[i];
            if (strcmp(o->key, row->input) != 0 || !o->help || !strstr(o->help, row->about)) continue;
            if (*count == GLS_MEASURED_INPUTS)
                return gls_fail(ctx, GLS_ERR_ARGUMENT, "theorem %s has more than %d inputs that can be measured",
                                theorem->member.name, GLS_MEASURED_INPUTS);
            out[(*count)++] = (gls_measured_input){.input = row->input,
                                                   .measure = row->measure,
                                                   .figure = row->figure,
                                                   .among = words[row->among],
                                                   .required = (o->flags & GLS_OPTION_REQUIRED) != 0,
                                                   .value = NAN};
            break;
        }
    return GLS_OK;
}

/* ---- what was measured ---- */

static void take(gls_measured_input *in, double x) {
    bool first = isnan(in->value), least = in->among == words[LEAST], last = in->among == words[LAST];
    if (first || last || (least ? x < in->value : x > in->value)) in->value = x;
}

/* A figure of one measurement; null is one that does not exist. */
static void read_result(gls_measured_input *in, const json_t *result) {
    const json_t *figure = json_object_get(result, in->figure);
    if (!json_is_number(figure) || json_object_get(result, "meaningless")) return;
    take(in, json_number_value(figure));
    in->found++;
}

static gls_status read_lines(gls_context *ctx, const char *path, gls_measured_input *in, int64_t count) {
    gls_reader *reader;
    char *text;
    GLS_TRY(gls_reader_open(ctx, path, &reader));
    gls_status status = GLS_OK;
    for (int64_t length; status == GLS_OK;) {
        status = gls_reader_line(reader, LONGEST, &text, &length);
        if (status != GLS_OK || !text) break;
        json_t *line = json_loadb(text, (size_t)length, 0, NULL);
        const char *measure = json_string_value(json_object_get(line, "measure"));
        for (int64_t i = 0; measure && i < count; i++)
            if (strcmp(measure, in[i].measure) == 0) read_result(&in[i], json_object_get(line, "result"));
        json_decref(line);
    }
    gls_reader_close(reader);
    return status;
}

static gls_status read_survey(gls_context *ctx, const char *path, gls_measured_input *in, int64_t count) {
    char *text = NULL;
    int64_t size;
    GLS_TRY(gls_read_file(ctx, path, LONGEST, &text, &size));
    json_t *all = json_loadb(text, (size_t)size, 0, NULL), *measures = json_object_get(all, "measures");
    gls_free(ctx, text);
    gls_status status = measures ? GLS_OK
                                 : gls_fail(ctx, GLS_ERR_INPUT,
                                            "%s: expected a run folder, or the JSON that `glissade measure ... --json` "
                                            "prints",
                                            path);
    for (int64_t i = 0; i < count && measures; i++) read_result(&in[i], json_object_get(measures, in[i].measure));
    json_decref(all);
    return status;
}

gls_status gls_measured_read(gls_context *ctx, const char *path, gls_measured_input *inputs, int64_t count) {
    GLS_GIVEN(ctx, ctx, path, inputs);
    struct stat info;
    if (stat(path, &info) || !S_ISDIR(info.st_mode)) return read_survey(ctx, path, inputs, count);
    char *config = gls_sprintf(ctx, "%s/config.yaml", path), *file = gls_sprintf(ctx, "%s/measures.jsonl", path);
    gls_status status = config && file ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && !gls_file_exists(config))
        status = gls_fail(ctx, GLS_ERR_FILE, "%s: this is not a run folder: it has no config.yaml", path);
    /* A run without a measure section has no such file. */
    if (status == GLS_OK && gls_file_exists(file)) status = read_lines(ctx, file, inputs, count);
    gls_free(ctx, config);
    gls_free(ctx, file);
    return status;
}
