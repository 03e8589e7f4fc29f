/* `export`: a trained model as a file for other programs. */
#include <stdio.h>

#include "cli/cli.h"

static int run(const cli_args *args) {
    const char *path = cli_get(args, "onnx");
    cli_model m;
    if (!path) return cli_bad("`export` needs --onnx FILE: where the model goes");
    gls_status status = cli_model_load(&m, args);
    if (!m.ctx) return cli_bad("out of memory"), CLI_FAILED;
    int code = status == GLS_OK ? CLI_DONE : cli_fail(m.ctx, status, false);
    if (code == CLI_DONE) {
        status = gls_predictor_export(m.predictor, path);
        if (status != GLS_OK) code = cli_fail(m.ctx, status, true);
    }
    if (code == CLI_DONE) fprintf(stderr, "glissade: wrote %s\n", path);
    cli_model_close(&m);
    return code;
}

static const cli_flag flags[] = {{"onnx", "FILE", "where the model goes"}, CLI_FLAG_MODEL_AT, {NULL}};

const cli_verb cli_export = {
    .name = "export",
    .synopsis = "export MODEL.safetensors | RUN  --onnx FILE",
    .help = "write a trained model for other programs",
    .details =
        "The file has the model and what its rows go through before it. Its input is a row as the training file has "
        "it (tokens are numbers of words), its outputs are `output`, and of classes `label` and `probabilities`.",
    .flags = flags,
    .run = run,
};
