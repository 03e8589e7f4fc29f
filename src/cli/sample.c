/* `sample`: text from a trained language model. */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"

/* Bytes that are not UTF-8 have no JSON text: then there are the tokens alone. */
static json_t *text_json(const gls_predictor_text *text) {
    json_t *object = json_object(), *tokens = json_array();
    json_t *words = json_stringn(text->text, (size_t)text->bytes);
    for (int64_t t = 0; t < text->tokens; t++) json_array_append_new(tokens, json_integer(text->token[t]));
    json_object_set_new(object, "text", words ? words : json_null());
    json_object_set_new(object, "prompt_tokens", json_integer(text->prompt));
    json_object_set_new(object, "tokens", tokens);
    return object;
}

static int run(const cli_args *args) {
    cli_model m;
    gls_predictor_text text = {0};
    gls_predictor_sampling options = {.size = sizeof options,
                                      .prompt = cli_get(args, "prompt"),
                                      .length = cli_int(args, "length", 100),
                                      .temperature = cli_real(args, "temperature", 1),
                                      .top_k = cli_int(args, "top-k", 0),
                                      .seed = (uint64_t)cli_int(args, "seed", 1),
                                      .keep = cli_int(args, "keep", 0)};
    gls_status status = cli_model_load(&m, args);
    if (!m.ctx) return cli_bad("out of memory"), CLI_FAILED;
    if (status == GLS_OK) status = gls_predictor_sample(m.predictor, &options, &text);
    int code = status == GLS_OK ? CLI_DONE : cli_fail(m.ctx, status, false);
    if (status == GLS_OK && !cli_has(args, "quiet")) {
        fwrite(text.text, 1, (size_t)text.bytes, stdout);
        if (!text.bytes || text.text[text.bytes - 1] != '\n') putchar('\n');
    }
    if (status == GLS_OK && cli_has(args, "json")) code = cli_print_json(text_json(&text), 0);
    gls_predictor_text_clear(m.ctx, &text);
    cli_model_close(&m);
    return code;
}

static const cli_flag flags[] = {
    {"prompt", "TEXT", "what the text begins with; default: a new line"},
    {"length", "N", "tokens to add (default 100)", CLI_INT, 1, 1e9},
    {"temperature", "T", "outputs are divided by it; 0: the likeliest token every time (default 1)", CLI_REAL, 0, 1e9},
    {"top-k", "K", "draw from the K likeliest tokens only; 0 (the default): from all", CLI_INT, 0, 1e9},
    {"seed", "N", "the same seed gives the same text (default 1)", CLI_INT, 0, INFINITY},
    {"keep", "N", "tokens of a full row that the next one begins with; 0 (the default): all but one", CLI_INT, 0, 1e9},
    CLI_FLAG_MODEL_AT,
    CLI_FLAG_THREADS,
    CLI_FLAG_JSON,
    CLI_FLAG_QUIET,
    {NULL}};

const cli_verb cli_sample = {
    .name = "sample",
    .synopsis = "sample MODEL.safetensors | RUN  [--prompt TEXT] [options]",
    .help = "text from a trained language model",
    .details =
        "The vocabulary is the model's own; a prompt with other words is refused. The model sees the last tokens, as "
        "many as its rows have (data.length), or all where it carries its state (model.carry, model.memory). One token "
        "more costs as much as one position; where the text has outgrown a row and nothing is carried, as much as a "
        "row.",
    .flags = flags,
    .run = run,
};
