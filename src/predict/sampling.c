/* Text from a language model: one token after the other, drawn from what the model says of the next one. A row grows by
 * a token at a time, and what the model has made of those before is kept; where all of a row's tokens change, as when
 * the text has outgrown it, or where a model's positions see those behind them, the row is evaluated anew. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "data/text.h"
#include "estimator/streams.h"
#include "predict/predictor.h"

/* What the model is shown, and what it says. */
typedef struct sampler {
    gls_predictor *p;
    const gls_predictor_sampling *options;
    const gls_data_info *info;
    const gls_token_language *language;
    int32_t end;        /* of a line, or -1 */
    gls_token_text all; /* the prompt and what was added; documents begin with the end of a line that is not printed */
    gls_point *point;
    gls_evaluation *evaluation;
    gls_evaluate_args args;
    gls_batch batch;
    gls_real *state, *next;    /* of a model that carries: before the present row, and behind it; else NULL */
    int64_t index, rows_done;  /* of the present row: as an example of the first stream, and how many came before */
    int64_t begin, shown;      /* where the row begins that the model has seen last, and how many tokens of it */
    int32_t *token, *document; /* [length] */
    gls_real *z;               /* [vocabulary], or of a model whose rows do not grow [positions, vocabulary] */
    int32_t *order;            /* [vocabulary] */
} sampler;

/* ---- the model ---- */

static gls_status check_model(const gls_predictor *p, const gls_predictor_sampling *o) {
    gls_context *ctx = p->ctx;
    if (o->size != sizeof *o)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sample: options of %zu bytes, expected %zu", o->size, sizeof *o);
    if (p->problem->data.target != GLS_TARGET_TOKENS || p->problem->data.masked || !p->trained.input.class_names)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "sample: model '%s' was not trained to predict the next token of a text (data.format: text)",
                        p->problem->type->member.name);
    if (o->length < 1 || !(o->temperature >= 0) || !isfinite(o->temperature) || o->top_k < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "sample: length %lld, temperature %g, top_k %lld; expected a length from 1, the others from 0",
                        (long long)o->length, o->temperature, (long long)o->top_k);
    int64_t length = p->trained.input.length, least = length - p->problem->outputs / p->trained.input.vocabulary;
    if (least < 1) least = 1;
    if (o->keep != 0 && (o->keep < least || o->keep > length))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sample: keep %lld, expected 0 or %lld to %lld tokens of a row",
                        (long long)o->keep, (long long)least, (long long)length);
    return GLS_OK;
}

static gls_status make_state(sampler *s) {
    const gls_problem *problem = s->p->problem;
    int64_t size = gls_layout_size(problem->state_layout);
    if (!gls_pass_carries(problem, s->info)) return GLS_OK;
    s->state = gls_alloc(s->p->ctx, size, sizeof *s->state);
    s->next = gls_alloc(s->p->ctx, size, sizeof *s->next);
    if (!s->state || !s->next) return GLS_ERR_MEMORY;
    memcpy(s->state, problem->state, (size_t)size * sizeof *s->state);
    memcpy(s->next, problem->state, (size_t)size * sizeof *s->next);
    s->args.state = s->state;
    s->args.state_next = s->next;
    return GLS_OK;
}

static gls_status make(sampler *s) {
    gls_context *ctx = s->p->ctx;
    gls_problem *problem = s->p->problem;
    int64_t length = s->info->length;
    s->token = gls_alloc(ctx, length, sizeof *s->token);
    s->document = gls_alloc(ctx, length, sizeof *s->document);
    s->z = gls_alloc(ctx, problem->outputs, sizeof *s->z);
    s->order = gls_alloc(ctx, s->info->vocabulary, sizeof *s->order);
    if (!s->token || !s->document || !s->z || !s->order) return GLS_ERR_MEMORY;
    GLS_TRY(gls_point_create(problem, &s->point));
    GLS_TRY(gls_point_set(s->point, s->p->w));
    unsigned want = problem->grows ? GLS_WANT_NEXT : GLS_WANT_OUTPUTS;
    GLS_TRY(gls_evaluation_create(problem, 1, want, GLS_MODE_EVALUATE, &s->evaluation));
    static const int64_t first = 0;
    s->batch = (gls_batch){.rows = 1,
                           .token = s->token,
                           .length = length,
                           .document = s->info->documents ? s->document : NULL,
                           .index = &s->index,
                           .slot = &first};
    s->args = (gls_evaluate_args){.point = s->point,
                                  .rows = &s->batch,
                                  .want = want,
                                  .mode = GLS_MODE_EVALUATE,
                                  .state = problem->state,
                                  .batch_rows = 1,
                                  .leader = true};
    return make_state(s);
}

static void clear(sampler *s) {
    gls_context *ctx = s->p->ctx;
    gls_evaluation_destroy(s->evaluation);
    gls_point_destroy(s->point);
    gls_token_text_clear(&s->all);
    gls_free(ctx, s->token);
    gls_free(ctx, s->document);
    gls_free(ctx, s->z);
    gls_free(ctx, s->order);
    gls_free(ctx, s->state);
    gls_free(ctx, s->next);
}

/* ---- what it sees ---- */

/* The tokens that the next one depends on: all, or those of the present line and the end of the one before. */
static int64_t context_begin(const sampler *s) {
    int64_t at = 0;
    for (int64_t t = s->all.list.tokens - 1; s->info->documents && t > 0 && !at; t--)
        if (s->all.list.token[t] == s->end) at = t;
    return at;
}

/* Positions at the beginning of a row that the model reads and says nothing of. */
static int64_t unsaid(const sampler *s) {
    return s->info->length - s->p->problem->outputs / s->info->vocabulary;
}

static gls_status append(sampler *s, int32_t token) {
    return gls_token_list_add(s->p->ctx, &s->all.list, token);
}

/* A prompt without tokens: the model begins as after the end of a line. */
static gls_status read_prompt(sampler *s) {
    gls_context *ctx = s->p->ctx;
    const char *prompt = s->options->prompt ? s->options->prompt : "";
    bool begins = s->info->documents || !*prompt;
    s->all = (gls_token_text){.ctx = ctx,
                              .what = "prompt",
                              .unit = s->language->unit,
                              .refuses = true,
                              .tokenizer = s->language->tokenizer,
                              .end = s->end};
    if (s->all.unit == GLS_TOKEN_WORD || s->all.unit == GLS_TOKEN_CHARACTER)
        GLS_TRY(gls_token_text_begin(&s->all, s->info->class_names, s->info->classes));
    if (begins && s->end >= 0) GLS_TRY(append(s, s->end));
    GLS_TRY(gls_token_text_parse(&s->all, prompt));
    if (!s->all.list.tokens)
        return gls_fail(ctx, GLS_ERR_INPUT, "prompt: no token; expected a text, since this vocabulary has no <eos>");
    if (s->all.list.tokens <= unsaid(s))
        return gls_fail(ctx, GLS_ERR_INPUT, "prompt: %lld tokens, but this model continues rows of at least %lld",
                        (long long)s->all.list.tokens, (long long)unsaid(s) + 1);
    int64_t seen = s->all.list.tokens - context_begin(s);
    if (seen <= s->info->length || s->state) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_INPUT, "prompt: %lld tokens, but this model sees %lld (data.length)", (long long)seen,
                    (long long)s->info->length);
}

/* ---- one token ---- */

/* All of a row whose tokens behind the first `seen` do not count: the outputs at the last of these. */
static gls_status evaluate_row(sampler *s, int64_t seen, const gls_real **z) {
    for (int64_t t = seen; t < s->info->length; t++) {
        s->token[t] = 0;
        s->document[t] = -1;
    }
    GLS_TRY(gls_evaluate(s->evaluation, &s->args));
    GLS_TRY(gls_ask_outputs(s->evaluation, s->z));
    *z = s->z + (seen - 1 - unsaid(s)) * s->info->vocabulary;
    return GLS_OK;
}

/* The row of tokens [begin, end), of which the model may have seen the first ones. */
static gls_status show(sampler *s, int64_t begin, int64_t end, const gls_real **z) {
    int64_t from = begin == s->begin && s->shown < end - begin ? s->shown : 0, seen = end - begin;
    for (int64_t t = from; t < seen; t++) {
        s->token[t] = s->all.list.token[begin + t];
        s->document[t] = 0;
    }
    s->begin = begin;
    s->shown = seen;
    *z = s->z;
    if (!s->p->problem->grows) return evaluate_row(s, seen, z);
    return gls_evaluate_more(s->evaluation, &s->args, from, seen, s->z);
}

/* Rows that are full leave their state to the next one. */
static gls_status carry_on(sampler *s, int64_t *begin) {
    int64_t length = s->info->length, before = (s->all.list.tokens - 1) / length;
    const gls_real *z;
    for (; s->rows_done < before; s->rows_done++) {
        s->index = s->rows_done * s->info->streams;
        int64_t at = s->rows_done * length;
        if (s->begin != at || s->shown < length) GLS_TRY(show(s, at, at + length, &z));
        memcpy(s->state, s->next, (size_t)gls_layout_size(s->p->problem->state_layout) * sizeof *s->state);
    }
    s->index = before * s->info->streams;
    *begin = before * length;
    return GLS_OK;
}

/* Where the row begins that tokens [begin, end) are seen in: those that are too many drop out in front, one by one or
 * all but `keep` at once. */
static int64_t row_begin(const sampler *s, int64_t begin, int64_t end) {
    int64_t length = s->info->length, keep = s->options->keep ? s->options->keep : length - 1;
    if (end - begin <= length) return begin;
    if (s->begin >= begin && end - s->begin <= length) return s->begin;
    return end - gls_least(keep + 1, length);
}

/* The outputs at the last token; where the text is longer than a row and nothing is carried, of its last `length`
 * tokens. read_prompt has seen to it that there are as many as a row needs to say something. */
static gls_status next_outputs(sampler *s, const gls_real **z) {
    int64_t begin = context_begin(s), end = s->all.list.tokens;
    if (s->state) GLS_TRY(carry_on(s, &begin));
    if (!s->state) begin = row_begin(s, begin, end);
    GLS_TRY(show(s, begin, end, z));
    for (int64_t c = 0; c < s->info->vocabulary; c++)
        if (!isfinite((*z)[c]))
            return gls_fail(s->p->ctx, GLS_ERR_NONFINITE, "sample: the model's output for token %lld is not finite",
                            (long long)c);
    return GLS_OK;
}

/* By output; of equal ones the earlier token. */
static bool likelier(const gls_real *z, int32_t a, int32_t b) {
    return z[a] > z[b] || (z[a] == z[b] && a < b);
}

/* In a heap whose top is the least likely. */
static void sift(const gls_real *z, int32_t *heap, int64_t count, int64_t at) {
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && likelier(z, heap[child], heap[child + 1])) child++;
        if (!likelier(z, heap[at], heap[child])) return;
        int32_t kept = heap[at];
        heap[at] = heap[child];
        heap[child] = kept;
    }
}

/* The k likeliest tokens into order, in no order. */
static void choose(const gls_real *z, int64_t vocabulary, int64_t k, int32_t *order) {
    for (int64_t c = 0; c < k; c++) order[c] = (int32_t)c;
    if (k == vocabulary) return;
    for (int64_t c = k; c-- > 0;) sift(z, order, k, c);
    for (int64_t c = k; c < vocabulary; c++) {
        if (!likelier(z, (int32_t)c, order[0])) continue;
        order[0] = (int32_t)c;
        sift(z, order, k, 0);
    }
}

static int32_t draw(const sampler *s, const gls_real *z, int64_t step) {
    const gls_predictor_sampling *o = s->options;
    int64_t vocabulary = s->info->vocabulary, k = o->temperature > 0 ? o->top_k : 1;
    if (k == 0 || k > vocabulary) k = vocabulary;
    choose(z, vocabulary, k, s->order);
    if (k == 1) return s->order[0];
    double most = z[s->order[0]], total = 0, sum = 0;
    for (int64_t c = 1; c < k; c++) most = fmax(most, z[s->order[c]]);
    for (int64_t c = 0; c < k; c++) total += exp((z[s->order[c]] - most) / o->temperature);
    gls_random random = gls_random_create(o->seed, "sample", (uint64_t)step, 0);
    double target = gls_random_uniform(&random) * total;
    for (int64_t c = 0; c < k; c++) {
        sum += exp((z[s->order[c]] - most) / o->temperature);
        if (sum > target) return s->order[c];
    }
    return s->order[k - 1];
}

/* ---- all of them ---- */

static gls_status spell(const sampler *s, int64_t first, gls_predictor_text *out) {
    char *text = NULL, byte;
    size_t size = 0;
    bool line_begins = true;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return gls_fail(s->p->ctx, GLS_ERR_MEMORY, "out of memory");
    for (int64_t t = first; t < s->all.list.tokens; t++) {
        gls_token_spelling w = gls_token_spell(s->language, s->all.list.token[t], &line_begins, &byte);
        fprintf(stream, "%s", w.parted ? " " : "");
        fwrite(w.text, 1, (size_t)w.bytes, stream);
    }
    bool failed = fclose(stream) != 0;
    out->text = failed ? NULL : gls_alloc(s->p->ctx, (int64_t)size + 1, 1);
    if (out->text) memcpy(out->text, text, size);
    out->bytes = (int64_t)size;
    free(text);
    return out->text ? GLS_OK : gls_fail(s->p->ctx, GLS_ERR_MEMORY, "out of memory");
}

static gls_status sample(sampler *s, gls_predictor_text *out) {
    GLS_TRY(make(s));
    GLS_TRY(read_prompt(s));
    const char *prompt = s->options->prompt ? s->options->prompt : "";
    int64_t hidden = (s->info->documents || !*prompt) && s->end >= 0;
    out->prompt = s->all.list.tokens - hidden;
    for (int64_t step = 0; step < s->options->length; step++) {
        const gls_real *z;
        GLS_TRY(next_outputs(s, &z));
        GLS_TRY(append(s, draw(s, z, step)));
        if (gls_interrupted(s->p->ctx)) return gls_fail(s->p->ctx, GLS_ERR_INTERRUPTED, "interrupted");
    }
    GLS_TRY(spell(s, hidden, out));
    out->tokens = s->all.list.tokens - hidden;
    memmove(s->all.list.token, s->all.list.token + hidden, (size_t)out->tokens * sizeof *s->all.list.token);
    out->token = s->all.list.token;
    s->all.list.token = NULL;
    return GLS_OK;
}

gls_status gls_predictor_sample(gls_predictor *p, const gls_predictor_sampling *options, gls_predictor_text *out) {
    GLS_GIVEN(p ? p->ctx : NULL, p, options, out);
    *out = (gls_predictor_text){0};
    GLS_TRY(check_model(p, options));
    sampler s = {
        .p = p, .options = options, .info = &p->trained.input, .language = &p->language, .end = p->language.end};
    gls_status status = sample(&s, out);
    clear(&s);
    if (status != GLS_OK) gls_predictor_text_clear(p->ctx, out);
    return status;
}

void gls_predictor_text_clear(gls_context *ctx, gls_predictor_text *text) {
    if (!ctx || !text) return;
    gls_free(ctx, text->token);
    gls_free(ctx, text->text);
    *text = (gls_predictor_text){0};
}
