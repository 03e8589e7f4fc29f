/* Rows through a trained model: for every line on standard input, the seconds of one gls_predictor_run over all rows of
 * a file. Usage: predict MODEL.safetensors ROWS THREADS. bench/predict_onnx.py runs it beside onnxruntime. */
#include <glissade/glissade.h>

#include <stdio.h>
#include <stdlib.h>

#include "timing.h"

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    gls_context *ctx;
    gls_context_options options = {.size = sizeof options, .threads = atoi(argv[3])};
    if (gls_context_create(&ctx, &options) != GLS_OK) return 1;
    gls_predictor *model;
    gls_source *rows;
    need(ctx, gls_predictor_open(ctx, argv[1], &model));
    need(ctx, gls_predictor_rows(model, gls_format_guess(argv[2]), argv[2], GLS_PART_ROWS, &rows));
    int64_t examples = gls_source_info(rows)->examples;
    gls_real *out = malloc((size_t)(examples * gls_predictor_outputs(model)) * sizeof *out);
    for (int c; out && (c = getchar()) != EOF;) {
        if (c != '\n') continue;
        double start = now();
        need(ctx, gls_predictor_run(model, rows, out));
        printf("%.9g\n", now() - start);
        fflush(stdout);
    }
    free(out);
    gls_source_destroy(rows);
    gls_predictor_destroy(model);
    gls_context_destroy(ctx);
    return 0;
}
